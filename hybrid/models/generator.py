"""A causal language model as a generator: greedy, batched, streaming, sampling; or as a judge of texts."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid.errors import ModelError, UsageError
from hybrid.models.adapters import Merged, Shown, Swap, read_adapter
from hybrid.models.decoding import BATCH_ROWS, BATCH_TOKENS, Decoder
from hybrid.models.device import Placement, batches
from hybrid.models.dialogue import Rectangle, left_padded
from hybrid.models.labels import (
    HeadSettings,
    LabelHead,
    LabelReading,
    cut,
    find,
    inner_model,
    load_head,
    read_means,
)
from hybrid.models.pretrained import computing, load_causal
from hybrid.models.writing import LocalGenerator
from hybrid.types import Message

if TYPE_CHECKING:
    from torch import Tensor

# Parameters up to which a model is loaded a second time in another format (2 GB in half precision).
_TWICE = 1_000_000_000


class TransformersGenerator(LocalGenerator):
    """Any Hugging Face causal language model; a chat template is used where the model has one.

    With ``weighing`` likelihoods are told by a second copy of the weights in that format, loaded when it is
    first needed, unless the model is so large that a second one may not fit, or an adapter changes weights.
    """

    def __init__(
        self, folder: Path, *, name: str, placement: Placement, weighing: Placement | None = None
    ) -> None:
        self._model = load_causal(folder, dtype=placement.torch_dtype()).to(placement.device).eval()
        if sum(weights.numel() for weights in self._model.parameters()) > _TWICE:
            weighing = None
        form = placement.dtype if weighing is None else f"{placement.dtype}, options in {weighing.dtype}"
        super().__init__(folder, name=name, form=form, config=self._model.config)
        _require_writer(self._model, name)
        self._weighing = (
            None
            if weighing is None
            else functools.cache(lambda: TransformersGenerator(folder, name=name, placement=weighing))
        )
        # what tells the likelihoods of the base, and of this one with its adapter
        self._weigher = self._weighing
        # on a processor a prompt fills the cores by itself; in half precision its neighbours in a batch
        # would decide near-ties
        alone = placement.device == "cpu" and placement.dtype != "float32"
        self._rows = 1 if alone else BATCH_ROWS
        self._swap = Swap(self._model)
        self._shown: Shown | None = None
        # with a head the change of the weights is shown to it alone: all else is said by the base
        self._head: LabelHead | None = None
        self._read: Shown | None = None
        self._decoder = self._made_decoder()

    def adapted(self, folder: Path, *, strength: float = 1.0) -> TransformersGenerator:
        """Return this generator with an adapter; both share the one loaded base, and can be used in turn.

        One with a label head tells the likelihoods of the options that the head knows, and leaves all else to
        the base, bit for bit. The folder is of an adapter that was made for this base; ``strength`` is what
        the change of the weights is multiplied by.

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
        view._weigher = None
        # a small change of weights that is merged into half precision may be rounded away
        if (weighing := self._weighing) is not None and files.head:
            view._weigher = functools.cache(lambda: weighing().adapted(folder, strength=strength))
        return view

    def merged(self) -> dict[str, Tensor]:
        """Return the weights that its adapter changes, merged; none where it leaves them to a label head.

        Raises:
            AdapterError: it changes no weights but adds to the model.
        """
        if self._adapter is None or self._adapter.head:
            return {}
        return dict(self._swap.merged(self._adapter, self._strength).tensors)

    @property
    def blocks(self) -> int:
        """Return how many blocks the model has."""
        return int(self._model.config.num_hidden_layers)

    @contextlib.contextmanager
    def lent(self) -> Iterator[Any]:
        """Lend the model itself, with the adapter in it; other calls wait until it is given back."""
        with self._swap.using(self._shown):
            yield self._model

    @property
    def _before(self) -> list[int]:
        count = 0 if self._shown is None or isinstance(self._shown, Merged) else self._shown.virtual_tokens
        return [-number for number in range(1, count + 1)]

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
        if self._weigher is not None and conversations:
            return self._weigher()._log_probabilities(conversations, tails, continuations)
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
        asks = zip(conversations, continuations, strict=True)
        each = [find(*pair, head.sets, head.frame) for pair in asks]
        asked = {place: found for place, found in enumerate(each) if found is not None}
        if not asked:
            return {}
        tokens = self.dialogue.tokens(
            [self.dialogue.plain(text) for one in asked.values() for text in (one.passages, one.text)]
        )
        readings = [cut(*pair, head.settings.tokens) for pair in zip(tokens[::2], tokens[1::2], strict=True)]
        features = self._means(readings, head.settings, self._rows)
        told = head.log_probabilities(features, [one.labels for one in asked.values()])
        return {
            place: [[logs[text]] for text in continuations[place]]
            for place, logs in zip(asked, told, strict=True)
        }

    def means(self, readings: Sequence[LabelReading], settings: HeadSettings) -> Tensor:
        """Return what a label head learns from, see ``read_means``; shape (readings, features)."""
        return (self if self._weigher is None else self._weigher())._means(readings, settings, BATCH_ROWS)

    def _means(self, readings: Sequence[LabelReading], settings: HeadSettings, rows: int) -> Tensor:
        with self._swap.using(self._read):
            inner = inner_model(self._model)
            return read_means(inner, readings, settings, first=self.dialogue.first, rows=rows)

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
        for batch in batches(lengths, rows=self._rows, tokens=BATCH_TOKENS):
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
        cache.reorder_cache(wanted)
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
        with self._swap.using(self._shown), computing(self._name):
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

    @property
    def _known(self) -> int:
        return int(self._model.get_input_embeddings().num_embeddings)

    def _decoding(self) -> Decoder:
        return self._decoder

    def _made_decoder(self) -> Decoder:
        filler, device = self._tokenizer.pad_token_id or 0, self._model.device
        return Decoder(self._forward, ends=self.ends, filler=filler, device=device)


def _require_writer(model: Any, name: str) -> None:
    """Refuse what cannot write behind a prompt: recurrent models, and encoders with an output layer.

    Raises:
        ModelError: with what to choose.
    """
    from transformers.cache_utils import CacheLayerMixin, DynamicCache

    kind = type(model).__name__
    with computing(name):
        layers = DynamicCache(config=model.config).layers
    remembers = not layers or any(isinstance(layer, CacheLayerMixin) for layer in layers)
    if "past_key_values" not in inspect.signature(model.forward).parameters or not remembers:
        raise ModelError(
            f"{name} is a recurrent model ({kind}), which cannot be asked here",
            hint="choose a transformer, or serve it and set models.endpoint",
        )
    causal = [part.is_causal for part in model.modules() if hasattr(part, "is_causal")]
    if causal and not any(causal):
        raise ModelError(
            f"{name} is an encoder ({kind}): it reads in both directions and does not write behind a prompt",
            hint="choose a generator such as Llama or Qwen; an encoder may be models.embedder",
        )
