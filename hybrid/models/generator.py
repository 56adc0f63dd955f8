"""A causal language model as a generator: greedy, batched, streaming, sampling; or as a judge of texts."""

from __future__ import annotations

import contextlib
import copy
import inspect
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from hybrid.errors import ModelError, UsageError
from hybrid.files import hash_file, hash_text
from hybrid.models import Generation
from hybrid.models.adapters import AdapterFiles, Merged, Swap, read_adapter
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
from hybrid.models.pretrained import load_causal, load_tokenizer
from hybrid.models.resolve import weights_digest
from hybrid.types import Message

# Measured on two cores in float32, a step of 1, 8, 16, 32, 60 rows: 39, 77, 85, 152, 232 ms. So many rows
# at once, as long as all their tokens stay below the limit: it bounds the memory of long prompts, where
# more rows gain nothing (12 prompts of 1,000 tokens: 2.1 GB at 16,384, 1.7 GB at 8,192, in equal time).
_BATCH_ROWS = 64
_BATCH_TOKENS = 12_288
_UNKNOWN_CONTEXT = 2_048
# A stop string is looked for in so many of the last tokens.
_STOP_TOKENS = 24
# Chooses, by the logits of a step, a token for each of the rows that still go on.
_Choose: TypeAlias = Callable[[Any, Sequence[int]], Any]


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
        self._merged: Merged | None = None
        self._strength = 1.0
        self.dialogue = Dialogue(self._tokenizer)
        self._name = name
        self._folder = folder
        self._placement = placement

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

        Args:
            folder: of the adapter, made for this base.
            strength: what the change of the weights is multiplied by.

        Raises:
            AdapterError: it is unsafe, damaged, made for another base, or does nothing.
        """
        files = read_adapter(folder, self.base_weights, base=self._name)
        view = copy.copy(self)
        view._adapter, view._strength = files, strength
        view._merged = self._swap.merged(files, strength)
        return view

    @contextlib.contextmanager
    def lent(self) -> Iterator[Any]:
        """Lend the model itself, with the adapter in it; other calls wait until it is given back."""
        with self._swap.using(self._merged):
            yield self._model

    @property
    def context_tokens(self) -> int:
        """Return how many tokens prompt and completion may have together."""
        return int(getattr(self._model.config, "max_position_embeddings", _UNKNOWN_CONTEXT))

    def count_prompt_tokens(self, messages: Sequence[Message]) -> int:
        """Return the length of the conversation with its template, in tokens."""
        return len(self.dialogue.tokens([self.dialogue.prompt(messages)])[0])

    def generate(
        self, conversations: Sequence[Sequence[Message]], *, max_new_tokens: int, stop: Sequence[str] = ()
    ) -> list[Generation]:
        """Answer every conversation, in batches of similar length; results keep the given order.

        Raises:
            UsageError: a conversation does not fit the model's context.
        """
        prompts = [self.dialogue.prompt(messages) for messages in conversations]
        return self._write(prompts, max_new_tokens, stop, lambda batch: _likeliest)

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
        chances = [chance(seed, number, prompt) for prompt in prompts for number in range(count)]
        written = self._write(
            repeated, max_new_tokens, stop, lambda batch: Draws(temperature, [chances[p] for p in batch])
        )
        return [written[first : first + count] for first in range(0, len(written), count)]

    def _write(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        stop: Sequence[str],
        choice: Callable[[Sequence[int]], _Choose],
    ) -> list[Generation]:
        """Go on after every prompt; ``choice`` says how the tokens of a batch of them are chosen."""
        stop = [*stop, *self.dialogue.stops]
        lengths = [len(ids) for ids in self.dialogue.tokens(prompts)]
        results: dict[int, Generation] = {}
        for batch in batches(
            [length + max_new_tokens for length in lengths], rows=_BATCH_ROWS, tokens=_BATCH_TOKENS
        ):
            inputs = self._encode([prompts[index] for index in batch], max_new_tokens)
            written: list[list[int]] = [[] for _ in batch]
            for row, token in self._decode(inputs, max_new_tokens, stop, choice(batch)):
                written[row].append(token)
            for index, ids in zip(batch, written, strict=True):
                begun = _opening(prompts[index])
                results[index] = self._generation(begun, lengths[index], ids, max_new_tokens, stop)
        return [results[index] for index in range(len(prompts))]

    def stream(
        self, messages: Sequence[Message], *, max_new_tokens: int, stop: Sequence[str] = ()
    ) -> Iterator[str | Generation]:
        """Yield the answer in pieces; what might be the beginning of a stop string is held back."""
        prompt, stop = self.dialogue.prompt(messages), [*stop, *self.dialogue.stops]
        inputs, begun, ids = self._encode([prompt], max_new_tokens), _opening(prompt), list[int]()
        pieces = self._pieces(self._decode(inputs, max_new_tokens, stop, _likeliest), ids)
        yield from hold_back(behind_thoughts(itertools.chain([begun], pieces)), stop)
        yield self._generation(begun, inputs.ids.shape[1], ids, max_new_tokens, stop)

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
        judged = self.log_probabilities(conversations, continuations)
        return [[math.fsum(tokens) for tokens in texts] for texts in judged]

    def log_probabilities(
        self, conversations: Sequence[Sequence[Message]], continuations: Sequence[Sequence[str]]
    ) -> list[list[list[float]]]:
        """Return the log-probability of every token of every continuation, by the tokens of this model.

        Raises:
            UsageError: as ``log_likelihoods``.
        """
        prompts = [self.dialogue.prompt(messages) for messages in conversations]
        tails = [
            self.dialogue.tokens([self.dialogue.reply(text) for text in texts]) for texts in continuations
        ]
        if not all(all(texts) for texts in tails):
            raise UsageError("an empty text has no likelihood", hint="give every option a text")
        lengths = []
        for ids, texts in zip(self.dialogue.tokens(prompts), tails, strict=True):
            longest = max((len(tail) for tail in texts), default=0)
            self._require_room(len(ids), longest)
            lengths.append(len(ids) + longest)
        results: dict[int, list[list[float]]] = {}
        for batch in batches(lengths, rows=_BATCH_ROWS, tokens=_BATCH_TOKENS):
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
            size = max(1, _BATCH_TOKENS // (mask.shape[1] + widest))
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
        with self._swap.using(self._merged):
            output = self._model(input_ids=ids, attention_mask=mask, **options)
        output.logits = output.logits[:, -keep:]
        if output.logits[:, -1].isnan().any():
            raise ModelError(
                f"{self._name} computes what is no number (NaN)",
                hint="its weights or its adapter are damaged, or too large for this number format",
            )
        return output

    def _encode(self, prompts: list[str], max_new_tokens: int) -> Rectangle:
        rows = self.dialogue.tokens(prompts)
        self._require_room(max(len(row) for row in rows), max_new_tokens)
        known = self._model.get_input_embeddings().num_embeddings
        if (token := max(max(row, default=0) for row in rows)) >= known:
            raise ModelError(
                f"the tokenizer of {self._name} has the token {token} "
                f"({self._tokenizer.convert_ids_to_tokens(token)!r}), the model knows {known}",
                hint="tokenizer and weights are not of one model: fetch both again",
            )
        return left_padded(rows, filler=self._tokenizer.pad_token_id or 0, device=self._model.device)

    def _require_room(self, length: int, new: int) -> None:
        if length + new > self.context_tokens:
            raise UsageError(
                f"a prompt of {length} tokens and an answer of {new} do not fit "
                f"the {self.context_tokens} tokens of {self._name}",
                hint="lower generation.context_tokens or generation.max_new_tokens",
            )

    def _decode(
        self, inputs: Rectangle, max_new_tokens: int, stop: Sequence[str], choose: _Choose
    ) -> Iterator[tuple[int, int]]:
        """Yield (row, token) step by step; a row that has ended is computed no further.

        With a prompt of 1,000 tokens a step costs by the row, so to drop those that have ended is what
        makes a batch of answers of unequal length pay.
        """
        import torch

        mask, ids = inputs.mask, inputs.ids
        written: dict[int, list[int]] = {row: [] for row in range(len(ids))}
        cache = None
        for _ in range(max_new_tokens):
            with torch.inference_mode():
                output = self._forward(ids, mask, keep=1, past_key_values=cache, use_cache=True)
                cache = output.past_key_values
                taken = choose(output.logits[:, -1], list(written))
            going = []
            for place, (row, token) in enumerate(zip(written, taken.tolist(), strict=True)):
                if token in self._ends:
                    continue
                written[row].append(token)
                yield row, token
                if not self._ended(written[row], stop):
                    going.append(place)
            if not going:
                return
            with torch.inference_mode():
                if len(going) < len(written):
                    rows = list(written)
                    written = {rows[place]: written[rows[place]] for place in going}
                    chosen = torch.tensor(going, device=mask.device)
                    cache.batch_select_indices(chosen)
                    mask, taken = mask[chosen], taken[chosen]
                ids = taken[:, None]
                mask = torch.cat([mask, torch.ones_like(ids, dtype=mask.dtype)], dim=1)

    def _without_adapter(self) -> TransformersGenerator:
        view = copy.copy(self)
        view._adapter, view._merged, view._strength = None, None, 1.0
        return view

    @cached_property
    def _ends(self) -> frozenset[int]:
        ends = self._model.generation_config.eos_token_id
        listed = ends if isinstance(ends, list) else [ends]
        return frozenset(listed) | {self._tokenizer.eos_token_id, self._tokenizer.pad_token_id}

    def _ended(self, ids: list[int], stop: Sequence[str]) -> bool:
        tail = self._text(ids[-_STOP_TOKENS:]) if stop else ""
        return any(text in tail for text in stop) or in_loop(ids)

    def _text(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))


def _opening(prompt: str) -> str:
    """Return how a text goes on that a template began with thoughts."""
    return THOUGHTS if prompt.rstrip().endswith(THOUGHTS) else ""


def _likeliest(logits: Any, rows: Sequence[int]) -> Any:
    """Return the token of each row that a greedy answer has there."""
    return logits.argmax(-1)
