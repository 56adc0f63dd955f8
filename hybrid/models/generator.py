"""A causal language model as a generator: greedy, batched, streaming, sampling; or as a judge of texts."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import itertools
import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from hybrid.errors import ModelError, UsageError
from hybrid.files import hash_file, hash_text
from hybrid.models import Generation
from hybrid.models.adapters import AdapterFiles, Shown, Swap, SwitchedOn, read_adapter
from hybrid.models.decoding import BATCH_ROWS, BATCH_TOKENS, Decoder, Wanted
from hybrid.models.device import Placement, batches
from hybrid.models.dialogue import (
    THOUGHTS,
    Dialogue,
    Draws,
    Rectangle,
    behind_thoughts,
    chance,
    cut_at_stop,
    cut_short,
    hold_back,
    in_loop,
    left_padded,
    require_samples,
    without_thoughts,
)
from hybrid.models.labels import LabelHead, cut, inner_model, load_head, read_means
from hybrid.models.pretrained import load_causal, load_tokenizer
from hybrid.models.resolve import weights_digest
from hybrid.types import Message

_UNKNOWN_CONTEXT = 2_048
# A stop string is looked for in so many of the last tokens.
_STOP_TOKENS = 24


class TransformersGenerator:
    """Any Hugging Face causal language model; a chat template is used where the model has one."""

    def __init__(self, folder: Path, *, name: str, placement: Placement) -> None:
        self._tokenizer = load_tokenizer(folder)
        self._model = load_causal(folder, dtype=placement.torch_dtype()).to(placement.device).eval()
        if "past_key_values" not in inspect.signature(self._model.forward).parameters:
            raise ModelError(
                f"{name} is a recurrent model ({type(self._model).__name__}), which cannot be asked here",
                hint="choose a transformer, or serve it and set models.endpoint",
            )
        self._swap = Swap(self._model)
        self._adapter: AdapterFiles | None = None
        self._shown: Shown | None = None
        # with a head the change of the weights is shown to it alone: all else is said by the base
        self._head: LabelHead | None = None
        self._read: Shown | None = None
        self._strength = 1.0
        self.dialogue = Dialogue(self._tokenizer)
        self._name = name
        self._folder = folder
        self._placement = placement
        self._decoder = self._made_decoder()

    @property
    def name(self) -> str:
        """Return the name under which it was loaded, with that of its adapter."""
        return self._name if self._adapter is None else f"{self._name} + {self._adapter.name}"

    @property
    def digest(self) -> str:
        """Return a digest of weights, configuration, tokenizer, template, number format, and adapter."""
        if self._adapter is None:
            return self._base_digest
        return hash_text(self._base_digest, self._adapter.digest, str(self._strength))

    @cached_property
    def base_weights(self) -> str:
        """Return the digest of the base's weights, which the card of an adapter names."""
        return weights_digest(self._folder)

    @cached_property
    def _base_digest(self) -> str:
        texts = sorted(path for path in self._folder.iterdir() if path.suffix in (".json", ".jinja", ".txt"))
        files = [f"{path.name}:{hash_file(path)}" for path in texts]
        return hash_text(self.base_weights, self._placement.dtype, *files)

    def adapted(self, folder: Path, *, strength: float = 1.0) -> TransformersGenerator:
        """Return this generator with an adapter; both share the one loaded base, and can be used in turn.

        One with a label head tells the likelihoods of the options that the head knows, and leaves all else
        to the base, bit for bit.

        Args:
            folder: of the adapter, made for this base.
            strength: what the change of the weights is multiplied by.

        Raises:
            AdapterError: it is unsafe, damaged, made for another base, or does nothing.
        """
        files = read_adapter(folder, self.base_weights, base=self._name)
        view = copy.copy(self)
        view._adapter, view._strength = files, strength
        shown = self._swap.adapter(files, strength) if files.changes else None
        view._head = load_head(folder) if files.head else None
        view._shown, view._read = (None, shown) if files.head else (shown, None)
        view._decoder = view._made_decoder()
        return view

    @contextlib.contextmanager
    def lent(self) -> Iterator[Any]:
        """Lend the model itself, with the adapter in it; other calls wait until it is given back."""
        with self._swap.using(self._shown):
            yield self._model

    @property
    def context_tokens(self) -> int:
        """Return how many tokens prompt and completion may have together."""
        most = int(getattr(self._model.config, "max_position_embeddings", _UNKNOWN_CONTEXT))
        return most - len(self._before)

    @property
    def _before(self) -> list[int]:
        """Return the virtual tokens that an adapter puts before every prompt."""
        count = self._shown.virtual_tokens if isinstance(self._shown, SwitchedOn) else 0
        return [-number for number in range(1, count + 1)]

    def count_prompt_tokens(self, messages: Sequence[Message]) -> int:
        """Return the length of the conversation with its template, in tokens."""
        return len(self.dialogue.tokens([self.dialogue.prompt(messages)])[0])

    def generate(
        self, conversations: Sequence[Sequence[Message]], *, max_new_tokens: int, stop: Sequence[str] = ()
    ) -> list[Generation]:
        """Answer every conversation, together with whatever else is asked; results keep the given order.

        Raises:
            UsageError: a conversation does not fit the model's context.
        """
        prompts = [self.dialogue.prompt(messages) for messages in conversations]
        return self._write(prompts, max_new_tokens, stop)

    def sample(
        self,
        conversations: Sequence[Sequence[Message]],
        count: int,
        *,
        max_new_tokens: int,
        temperature: float = 1.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[list[Generation]]:
        """Answer every conversation so many times by chance; what else is asked changes no sample.

        Raises:
            UsageError: a conversation does not fit the model's context, less than one sample, or a
                temperature that is not above 0.
        """
        require_samples(count, temperature)
        prompts = [self.dialogue.prompt(messages) for messages in conversations]
        repeated = [prompt for prompt in prompts for _ in range(count)]
        draws = [
            Draws(temperature, chance(seed, number, prompt)) for prompt in prompts for number in range(count)
        ]
        written = self._write(repeated, max_new_tokens, stop, draws)
        return [written[first : first + count] for first in range(0, len(written), count)]

    def _write(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        stop: Sequence[str],
        draws: Sequence[Draws] | None = None,
    ) -> list[Generation]:
        """Go on after every prompt, by the likeliest tokens or by those that are drawn."""
        stop = [*stop, *self.dialogue.stops]
        rows = self._wanted(prompts, max_new_tokens, stop)
        for row, draw in zip(rows, draws or (), strict=draws is not None):
            row.draw = draw
        # those of similar length together, so that little is padding
        for _ in self._decoder.write(sorted(rows, key=lambda row: len(row.prompt))):
            pass
        return [
            self._generation(_opening(prompt), self._given(row), row.written, max_new_tokens, stop)
            for prompt, row in zip(prompts, rows, strict=True)
        ]

    def stream(
        self, messages: Sequence[Message], *, max_new_tokens: int, stop: Sequence[str] = ()
    ) -> Iterator[str | Generation]:
        """Yield the answer in pieces; what might be the beginning of a stop string is held back."""
        prompt, stop = self.dialogue.prompt(messages), [*stop, *self.dialogue.stops]
        (row,) = self._wanted([prompt], max_new_tokens, stop)
        begun, ids = _opening(prompt), list[int]()
        with contextlib.closing(self._decoder.write([row])) as tokens:
            pieces = self._pieces(tokens, ids)
            yield from hold_back(behind_thoughts(itertools.chain([begun], pieces)), stop)
        yield self._generation(begun, self._given(row), ids, max_new_tokens, stop)

    def _given(self, row: Wanted) -> int:
        """Return how many tokens of a prompt are its own."""
        return len(row.prompt) - len(self._before)

    def _generation(
        self, begun: str, prompt_tokens: int, ids: list[int], max_new_tokens: int, stop: Sequence[str]
    ) -> Generation:
        """Return what was written; with the last token that it may have it is hardly at its end."""
        written = begun + self._text(ids)
        text = cut_at_stop(without_thoughts(written), stop).strip()
        cut = len(ids) == max_new_tokens and not self._ended(ids, stop)
        why = cut_short(max_new_tokens, text, thought=THOUGHTS in written) if cut else ""
        return Generation(text, prompt_tokens, len(ids), why)

    def _pieces(self, tokens: Iterator[tuple[int, int]], ids: list[int]) -> Iterator[str]:
        """Yield the text of one row as it grows, word by word: what follows may change the last one."""
        shown = ""
        for _, token in tokens:
            ids.append(token)
            text = self._text(ids)
            ready = text[: max(text.rfind(" "), text.rfind("\n")) + 1]
            if ready.startswith(shown) and ready != shown:
                yield ready[len(shown) :]
                shown = ready
        yield self._text(ids)[len(shown) :]

    def log_likelihoods(
        self, conversations: Sequence[Sequence[Message]], continuations: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """Return the log-likelihood of every continuation; a prompt is read once for all of its own.

        Raises:
            UsageError: a conversation with a continuation does not fit the model's context, or a
                continuation is empty.
        """
        texts = [self._told_apart(texts) for texts in continuations]
        judged = self._log_probabilities(conversations, texts, continuations)
        return [[math.fsum(tokens) for tokens in texts] for texts in judged]

    def log_probabilities(
        self, conversations: Sequence[Sequence[Message]], continuations: Sequence[Sequence[str]]
    ) -> list[list[list[float]]]:
        """Return the log-probability of every token of every continuation, by the tokens of this model.

        An option that a label head knows counts as one token.

        Raises:
            UsageError: as ``log_likelihoods``.
        """
        return self._log_probabilities(
            conversations, [self._tails(texts) for texts in continuations], continuations
        )

    def _tails(self, texts: Sequence[str]) -> list[list[int]]:
        return self.dialogue.tokens([self.dialogue.reply(text) for text in texts])

    def _told_apart(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of texts to choose from: with an end to each where one begins another.

        Without it "1" is never less likely than "10".
        """
        begins = any(one != other and other.startswith(one) for one in texts for other in texts)
        ends = [self.dialogue.end] if begins else []
        # an empty text stays empty, to be refused
        return [[*tail, *ends] if tail else [] for tail in self._tails(texts)]

    def _log_probabilities(
        self,
        conversations: Sequence[Sequence[Message]],
        tails: Sequence[Sequence[Sequence[int]]],
        continuations: Sequence[Sequence[str]],
    ) -> list[list[list[float]]]:
        """Return the logarithms by the head where it knows the options, else by the tokens."""
        known = self._by_head(conversations, continuations)
        rest = [place for place in range(len(conversations)) if place not in known]
        found = self._by_tokens([conversations[p] for p in rest], [tails[p] for p in rest])
        judged = dict(zip(rest, found, strict=True)) | known
        return [judged[place] for place in range(len(conversations))]

    def _by_head(
        self, conversations: Sequence[Sequence[Message]], continuations: Sequence[Sequence[str]]
    ) -> dict[int, list[list[float]]]:
        """Return the log-probability of each option that the head knows, as one token, by place."""
        head = self._head
        if head is None:
            return {}
        each = [head.find(*pair) for pair in zip(conversations, continuations, strict=True)]
        asked = {place: found for place, found in enumerate(each) if found is not None}
        if not asked:
            return {}
        tokens = self.dialogue.tokens(
            [self.dialogue.plain(text) for one in asked.values() for text in (one.passages, one.text)]
        )
        readings = [cut(*pair, head.settings.tokens) for pair in zip(tokens[::2], tokens[1::2], strict=True)]
        with self._swap.using(self._read):
            features = read_means(
                inner_model(self._model), readings, head.settings, first=self.dialogue.first
            )
        told = head.log_probabilities(features, [one.labels for one in asked.values()])
        return {
            place: [[logs[text]] for text in continuations[place]]
            for place, logs in zip(asked, told, strict=True)
        }

    def _by_tokens(
        self, conversations: Sequence[Sequence[Message]], tails: Sequence[Sequence[Sequence[int]]]
    ) -> list[list[list[float]]]:
        prompts = [self.dialogue.prompt(messages) for messages in conversations]
        if not all(all(texts) for texts in tails):
            raise UsageError("an empty text has no likelihood", hint="give every option a text")
        lengths = []
        for ids, texts in zip(self.dialogue.tokens(prompts), tails, strict=True):
            longest = max((len(tail) for tail in texts), default=0)
            self._require_room(len(ids), longest)
            lengths.append(len(self._before) + len(ids) + longest)
        results: dict[int, list[list[float]]] = {}
        for batch in batches(lengths, rows=BATCH_ROWS, tokens=BATCH_TOKENS):
            inputs = self._encode([prompts[place] for place in batch], 0)
            judged = self._judge(inputs, [tails[place] for place in batch])
            results.update(zip(batch, judged, strict=True))
        return [results[place] for place in range(len(prompts))]

    def _judge(self, inputs: Rectangle, tails: Sequence[Sequence[Sequence[int]]]) -> list[list[list[float]]]:
        """Return the logarithms after one batch of prompts: first tokens at once, the rest on its cache."""
        import torch

        rows = [(row, ids) for row, texts in enumerate(tails) for ids in texts]
        with torch.inference_mode():
            mask = inputs.mask
            output = self._forward(inputs.ids, mask, keep=1, use_cache=True)
            first = output.logits[:, -1].float().log_softmax(-1)
            scores = [[float(first[row, ids[0]])] for row, ids in rows]
            # a token more is read only where there is one
            longer = sorted(
                (place for place, (_, ids) in enumerate(rows) if len(ids) > 1), key=lambda p: len(rows[p][1])
            )
            widest = max((len(ids) for _, ids in rows), default=0)
            size = max(1, BATCH_TOKENS // (mask.shape[1] + widest))
            for begin in range(0, len(longer), size):
                part = longer[begin : begin + size]
                rest = self._judge_rest(output.past_key_values, mask, [rows[place] for place in part])
                for place, logs in zip(part, rest, strict=True):
                    scores[place] += logs
        values = iter(scores)
        return [[next(values) for _ in texts] for texts in tails]

    def _judge_rest(
        self, cache: Any, mask: Any, rows: Sequence[tuple[int, Sequence[int]]]
    ) -> list[list[float]]:
        """Return the logarithms of all tokens but the first, each row on its prompt's part of the cache."""
        import torch

        device = mask.device
        wanted = torch.tensor([row for row, _ in rows], device=device)
        cache = copy.deepcopy(cache)
        cache.batch_select_indices(wanted)
        width = max(len(ids) for _, ids in rows)
        padded = torch.zeros((len(rows), width), dtype=torch.long, device=device)
        there = torch.zeros((len(rows), width), dtype=mask.dtype, device=device)
        for place, (_, ids) in enumerate(rows):
            padded[place, : len(ids)] = torch.tensor(ids, device=device)
            there[place, : len(ids)] = 1
        whole = torch.cat([mask[wanted], there[:, :-1]], dim=1)
        output = self._forward(padded[:, :-1], whole, keep=width - 1, past_key_values=cache)
        logs = output.logits.float().log_softmax(-1).gather(-1, padded[:, 1:, None])[..., 0]
        return [found[: len(ids) - 1] for found, (_, ids) in zip(logs.tolist(), rows, strict=True)]

    def _forward(self, ids: Any, mask: Any, *, keep: int, **options: Any) -> Any:
        """Run the model on the last tokens of what the mask covers, with logits for ``keep`` of them."""
        import torch

        width = ids.shape[1]
        positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -width:]
        # as places, not as a number: what a slice gives is not contiguous, and the output layer would be
        # copied for each row (16 prompts of 300 tokens: 183 instead of 27 ms in float32, 3.2 s instead of
        # 12 ms in bf16)
        places = torch.arange(max(width - keep, 0), width, device=ids.device)
        optional = {"position_ids": positions, "logits_to_keep": places}
        known = inspect.signature(self._model.forward).parameters
        options |= {name: value for name, value in optional.items() if name in known}
        with self._swap.using(self._shown):
            output = self._model(input_ids=ids, attention_mask=mask, **options)
        output.logits = output.logits[:, -keep:]
        if output.logits[:, -1].isnan().any():
            raise ModelError(
                f"{self._name} computes what is no number (NaN)",
                hint="its weights or its adapter are damaged, or too large for this number format",
            )
        return output

    def _encode(self, prompts: list[str], max_new_tokens: int) -> Rectangle:
        rows = [row.prompt for row in self._wanted(prompts, max_new_tokens, ())]
        return left_padded(rows, filler=self._tokenizer.pad_token_id or 0, device=self._model.device)

    def _wanted(self, prompts: Sequence[str], max_new_tokens: int, stop: Sequence[str]) -> list[Wanted]:
        """Return what is to be written behind each prompt.

        Raises:
            UsageError: a prompt does not fit the model's context.
            ModelError: the model does not know a token.
        """
        rows = self.dialogue.tokens(prompts)
        known = self._model.get_input_embeddings().num_embeddings
        for row in rows:
            self._require_room(len(row), max_new_tokens)
            if (token := max(row, default=0)) >= known:
                raise ModelError(
                    f"the tokenizer of {self._name} has the token {token} "
                    f"({self._tokenizer.convert_ids_to_tokens(token)!r}), the model knows {known}",
                    hint="tokenizer and weights are not of one model: fetch both again",
                )
        ended, before = functools.partial(self._ended, stop=stop), self._before
        return [Wanted([*before, *row], max_new_tokens, ended) for row in rows]

    def _require_room(self, length: int, new: int) -> None:
        if length + new > self.context_tokens:
            raise UsageError(
                f"a prompt of {length} tokens and an answer of {new} do not fit "
                f"the {self.context_tokens} tokens of {self._name}",
                hint="lower generation.context_tokens or generation.max_new_tokens",
            )

    def _made_decoder(self) -> Decoder:
        filler, device = self._tokenizer.pad_token_id or 0, self._model.device
        return Decoder(self._forward, ends=self._ends, filler=filler, device=device)

    @cached_property
    def _ends(self) -> frozenset[int]:
        ends = self._model.generation_config.eos_token_id
        listed = ends if isinstance(ends, list) else [ends]
        own = {self._tokenizer.eos_token_id, self._tokenizer.pad_token_id, self.dialogue.closing}
        return frozenset(listed) | own

    def _ended(self, ids: list[int], stop: Sequence[str]) -> bool:
        tail = self._text(ids[-_STOP_TOKENS:]) if stop else ""
        return any(text in tail for text in stop) or in_loop(ids)

    def _text(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))


def _opening(prompt: str) -> str:
    """Return how a text goes on that a template began with thoughts."""
    return THOUGHTS if prompt.rstrip().endswith(THOUGHTS) else ""
