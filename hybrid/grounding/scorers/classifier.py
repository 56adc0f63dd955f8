"""Classifiers of Hugging Face as scorers: of pairs (NLI, HHEM, MiniCheck) and of tokens (LettuceDetect)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid.errors import ModelError, ModelMissing
from hybrid.files import valid_utf8
from hybrid.grounding.evidence import cut_pair
from hybrid.grounding.scorers.labels import Labels, checked_labels, known_pairs, settled_labels
from hybrid.grounding.values import Logits, Pair, merged_spans
from hybrid.models.device import Placement
from hybrid.models.pretrained import LOADING, quiet, refusal, require_whole, unloadable
from hybrid.models.resolve import weights_digest
from hybrid.types import Span

Spans = tuple[Span, ...]

# So many rows at once, as long as all their tokens, with padding, stay below the limit.
_BATCH_ROWS = 32
_BATCH_TOKENS = 8_192
_USUAL_TOKENS = 512
# Encoders that classify a pair at its first token, with the head of a token classifier.
_FIRST_TOKEN = ("t5", "mt5", "umt5")
_NO_LIMIT = 1_000_000
# Candidates are made no longer than those of AlignScore and MiniCheck: longer ones blur the answer.
_MOST_WORDS = 350
_LEAST_WORDS = 16
_TOKENS_A_WORD = 1.4
_CLAIM_TOKENS = 64
# Scripts that leave no space between words are marked letter by letter.
_SINGLE = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0eff"
_WORD = re.compile(rf"\d+(?:[.,]\d+)*|[{_SINGLE}]|[^\W{_SINGLE}]+(?:['’][^\W{_SINGLE}]+)*")


class Head(StrEnum):
    """What is classified: the pair as a whole, or each of its tokens."""

    PAIR = "sequence classifier"
    TOKENS = "token classifier"


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A pair as the model reads it; ``types`` is empty where the model has none."""

    ids: tuple[int, ...]
    types: tuple[int, ...] = ()


class Checkpoint:
    """A classifier that is loaded once and reads rows in batches of similar length.

    A row's outputs depend on the others of its batch by no more than rounding (in bf16 that is about 0.001
    of a logit), and not on their order. Only safetensors are read, and weights that the folder lacks are an
    error rather than random numbers.

    Args:
        folder: with config.json, a fast tokenizer and safetensors.
        head: what it classifies. A T5 encoder that classifies tokens serves for ``PAIR`` with its first one,
            as HHEM-2.1 does.
        placement: device and number format.

    Raises:
        ModelMissing: the folder holds no such model, or needs code of its own.
    """

    def __init__(self, folder: Path, *, head: Head, placement: Placement) -> None:
        self._head = head
        self._stamp = f"{placement.dtype}, weights {weights_digest(folder)[:8]}"
        self.tokenizer, self._model = _load(folder, head, placement)
        if not self.tokenizer.is_fast:
            raise ModelMissing(f"{folder} has a slow tokenizer, expected one with a tokenizer.json")
        self.names = [str(self.config.id2label[place]) for place in sorted(self.config.id2label)]
        self.max_tokens = _limit(self.tokenizer, self._model)
        # the texts are data: what looks like a separator in them must not become one
        special = sorted(filter(None, self.tokenizer.all_special_tokens), key=len, reverse=True)
        self._special = re.compile("|".join(re.escape(token) for token in special) or r"(?!)")

    def told(self, name: str, labels: Labels) -> str:
        """Return a name with all that decides the scores: outputs, number format, weights."""
        return f"{name}#{labels} ({self._stamp})"

    @property
    def config(self) -> Any:
        """Return the configuration of the model."""
        return self._model.config

    @property
    def max_words(self) -> int:
        """Return how many words of evidence fit beside a claim of usual length, 350 at the most."""
        room = int((self.max_tokens - _CLAIM_TOKENS) / _TOKENS_A_WORD)
        return min(max(room, _LEAST_WORDS), _MOST_WORDS)

    def plain(self, text: str) -> str:
        """Return a text of the same length without control tokens and halves of characters."""
        return self._special.sub(lambda found: f" {found.group()[1:]}", valid_utf8(text))

    def encode(self, pairs: Sequence[Pair]) -> Any:
        """Return the tokenizer's encoding of pairs, evidence first, with offsets and uncut."""
        texts = [(self.plain(pair.evidence), self.plain(pair.claim)) for pair in pairs]
        return self.tokenizer(texts, truncation=False, padding=False, return_offsets_mapping=True)

    def length(self, pair: Pair) -> int:
        """Return how many tokens a pair takes."""
        return len(self.encode([pair])["input_ids"][0])

    def cut(self, pairs: Sequence[Pair]) -> list[list[Pair]]:
        """Return each pair in parts that the model can read, see ``cut_pair``."""
        return [cut_pair(pair, self.length, self.max_tokens) for pair in pairs]

    def settled(
        self, labels: Labels | None, name: str, outputs: Callable[[Sequence[Pair]], NDArray[np.float64]]
    ) -> Labels:
        """Return the labels, or what the names of the outputs and known pairs tell of them.

        Raises:
            ModelError: the model has no such outputs, or they cannot be told apart.
        """
        if labels is None:
            known = known_pairs(name, self.length, self.max_tokens)
            labels = settled_labels(name, self.names, outputs(known))
        return checked_labels(labels, name, self.names)

    def rows(self, encoding: Any) -> list[TokenRow]:
        """Return what the model is given of an encoding."""
        ids = encoding["input_ids"]
        types: Sequence[Sequence[int]] = [()] * len(ids)
        if getattr(self.config, "type_vocab_size", 0) > 1 and "token_type_ids" in encoding:
            types = encoding["token_type_ids"]
        return [TokenRow(tuple(row), tuple(kinds)) for row, kinds in zip(ids, types, strict=True)]

    def outputs(self, rows: Sequence[TokenRow]) -> list[NDArray[np.float32]]:
        """Return the raw outputs of each row, of shape (outputs,), or (tokens, outputs) for ``TOKENS``."""
        found: dict[TokenRow, NDArray[np.float32]] = {}
        for batch in _batches(set(rows)):
            found.update(zip(batch, self._run(batch), strict=True))
        return [found[row] for row in rows]

    def _run(self, batch: Sequence[TokenRow]) -> Iterator[NDArray[np.float32]]:
        import torch

        width = max(len(row.ids) for row in batch)
        filler = self.tokenizer.pad_token_id or 0
        inputs = {
            "input_ids": [[*row.ids, *[filler] * (width - len(row.ids))] for row in batch],
            "attention_mask": [[1] * len(row.ids) + [0] * (width - len(row.ids)) for row in batch],
        }
        if batch[0].types:
            inputs["token_type_ids"] = [[*row.types, *[0] * (width - len(row.types))] for row in batch]
        tensors = {name: torch.tensor(value, device=self._model.device) for name, value in inputs.items()}
        with torch.inference_mode():
            outputs = self._model(**tensors).logits.float().cpu().numpy()
        for row, values in zip(batch, outputs, strict=True):
            if self._head is Head.TOKENS:
                yield values[: len(row.ids)]
            else:
                yield values[0] if values.ndim == 2 else values


def _batches(rows: set[TokenRow]) -> Iterator[list[TokenRow]]:
    """Yield rows of similar length, in an order of their own: that of the caller changes no last bit."""
    batch: list[TokenRow] = []
    for row in sorted(rows, key=lambda row: (len(row.ids), row.ids, row.types)):
        # sorted: the next one is the longest, to which all others are padded
        if batch and (len(batch) == _BATCH_ROWS or (len(batch) + 1) * len(row.ids) > _BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _load(folder: Path, head: Head, placement: Placement) -> tuple[Any, Any]:
    from transformers import (
        AutoConfig,
        AutoModelForSequenceClassification,
        AutoModelForTokenClassification,
        AutoTokenizer,
    )

    quiet()
    with LOADING:
        try:
            config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            by_token = _classifies_tokens(config, head, folder)
            loader = AutoModelForTokenClassification if by_token else AutoModelForSequenceClassification
            model, report = loader.from_pretrained(
                folder,
                dtype=placement.torch_dtype(),
                use_safetensors=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                local_files_only=True,
                trust_remote_code=False,
            )
        except unloadable() as error:
            raise refusal(folder, str(head), error) from error
    require_whole(report, folder, str(head))
    return tokenizer, model.to(placement.device).eval()


def _classifies_tokens(config: Any, head: Head, folder: Path) -> bool:
    """Tell which head the weights have; heads of both kinds have one shape, so it takes a look at the name.

    Raises:
        ModelMissing: it is not the one that is wanted.
    """
    named = ", ".join(config.architectures or ())
    by_token = "ForTokenClassification" in named
    if head is Head.TOKENS and named and not by_token:
        raise ModelMissing(f"{folder} is a {named}, expected a {head}", hint="name it as hf:MODEL")
    if head is Head.PAIR and by_token and config.model_type not in _FIRST_TOKEN:
        raise ModelMissing(f"{folder} is a {named}, expected a {head}", hint="name it as tokens:MODEL")
    return by_token or head is Head.TOKENS


def _limit(tokenizer: Any, model: Any) -> int:
    """Return how many tokens a row may have: as many as were trained, and no more than have a place."""
    tables = [module for name, module in model.named_modules() if name.endswith("position_embeddings")]
    limits = [
        tokenizer.model_max_length,
        getattr(model.config, "max_position_embeddings", 0),
        *(_places(table) for table in tables),
    ]
    return int(min((limit for limit in limits if 0 < limit < _NO_LIMIT), default=_USUAL_TOKENS))


def _places(table: Any) -> int:
    """Return how many places a table of positions has; that of RoBERTa begins behind its padding."""
    skipped = 0 if table.padding_idx is None else int(table.padding_idx) + 1
    return int(table.num_embeddings) - skipped


class CrossEncoderScorer:
    """A sequence classifier with one, two or three outputs.

    Of three outputs, support is the log-odds of entailment against the other two, and ``against`` that of
    contradiction; of two there is no ``against``; a single output is taken as the log-odds itself. Evidence
    beyond the model's limit is read in overlapping windows, of which the best counts (as in SummaC,
    AlignScore and MiniCheck); nothing is cut off.

    Args:
        folder: of the model.
        name: under which it was asked for.
        placement: device and number format.
        labels: the places of its outputs; without them its names are read and checked on known pairs.

    Raises:
        ModelMissing: there is no such model in the folder, or it needs code of its own.
        ModelError: its outputs cannot be told apart; the message has the numbers.
    """

    def __init__(
        self, folder: Path, *, name: str, placement: Placement, labels: Labels | None = None
    ) -> None:
        self._checkpoint = Checkpoint(folder, head=Head.PAIR, placement=placement)
        self._name = name
        self.labels = self._checkpoint.settled(labels, name, self._outputs)

    @property
    def name(self) -> str:
        """Return the name, the outputs that are read, the number format and a digest of the weights."""
        return self._checkpoint.told(self._name, self.labels)

    @property
    def max_words(self) -> int:
        """Return how many words of evidence fit beside a claim, 350 at the most."""
        return self._checkpoint.max_words

    def score(self, pairs: Sequence[Pair]) -> Logits:
        """Return the logits of the pairs, in their order.

        Raises:
            UsageError: a claim is too long for the model, whatever the evidence.
        """
        cut = self._checkpoint.cut(pairs)
        if not cut:
            return self.labels.logits(np.empty((0, len(self._checkpoint.names))))
        found = self.labels.logits(self._outputs([part for parts in cut for part in parts]))
        begins = np.cumsum([0, *(len(parts) for parts in cut[:-1])])
        against = None if found.against is None else np.maximum.reduceat(found.against, begins)
        return Logits(np.maximum.reduceat(found.support, begins), against)

    def _outputs(self, pairs: Sequence[Pair]) -> NDArray[np.float64]:
        source = self._checkpoint
        return np.stack(source.outputs(source.rows(source.encode(pairs)))).astype(np.float64)


class TokenScorer:
    """A token classifier with two outputs, which reads evidence and claim as a pair.

    A claim is as well supported as the worst of its words: whoever wrote these models calls an answer
    hallucinated as soon as one token is, and a sum over tokens would grow with the length of the claim.
    Punctuation asserts nothing and does not count. There is no ``against``. Of several windows of evidence
    one that supports a token is enough: to condemn it because one lacks it is the known fault of others.

    Args:
        folder: of the model.
        name: under which it was asked for.
        placement: device and number format.
        labels: the place of the output that says supported; without it the names are read and checked on
            known pairs.

    Raises:
        ModelMissing: there is no such model in the folder.
        ModelError: its outputs cannot be told apart; the message has the numbers.
    """

    def __init__(
        self, folder: Path, *, name: str, placement: Placement, labels: Labels | None = None
    ) -> None:
        self._checkpoint = Checkpoint(folder, head=Head.TOKENS, placement=placement)
        self._name = name
        if len(names := self._checkpoint.names) != 2:
            raise ModelError(
                f"{name} has {len(names)} outputs ({', '.join(names)}), expected supported and not supported",
                hint="choose a model that marks hallucinated tokens",
            )
        self.labels = self._checkpoint.settled(labels, name, self._means)

    @property
    def name(self) -> str:
        """Return the name, the output that is read, the number format and a digest of the weights."""
        return self._checkpoint.told(self._name, self.labels)

    @property
    def max_words(self) -> int:
        """Return how many words of evidence fit beside a claim, 350 at the most."""
        return self._checkpoint.max_words

    def score(self, pairs: Sequence[Pair]) -> Logits:
        """Return the logits of the pairs, in their order; that of a claim without a token is 0.

        Raises:
            UsageError: a claim is too long for the model, whatever the evidence.
        """
        worst = [_worst(pair.claim, *tokens) for pair, tokens in zip(pairs, self._judge(pairs), strict=True)]
        return Logits(np.array(worst, dtype=np.float32))

    def unsupported(self, pair: Pair, *, threshold: float = 0.5) -> tuple[Span, ...]:
        """Return the stretches of the claim that the evidence does not carry, whole words, none overlapping.

        Args:
            pair: evidence and claim.
            threshold: the probability of support from 0 to 1 below which a token counts.

        Raises:
            UsageError: the claim is too long for the model, whatever the evidence.
        """
        ((spans, support),) = self._judge([pair])
        least = _log_odds(threshold)
        doubted = [span for span, value in zip(spans, support, strict=True) if value < least]
        marked = [
            Span(word.start(), word.end())
            for word in _WORD.finditer(pair.claim)
            if any(word.start() < span.end and span.start < word.end() for span in doubted)
        ]
        return merged_spans(marked, length=len(pair.claim), text=pair.claim)

    def _judge(self, pairs: Sequence[Pair]) -> list[tuple[Spans, NDArray[np.float32]]]:
        """Return the tokens of each claim, and their log-odds of support by some window of evidence."""
        cut = self._checkpoint.cut(pairs)
        reads = iter(self._read([part for parts in cut for part in parts]))
        judged = []
        for parts in cut:
            windows = [next(reads) for _ in parts]
            odds = [self.labels.logits(outputs.astype(np.float64)).support for _, outputs in windows]
            judged.append((windows[0][0], np.max(odds, axis=0)))
        return judged

    def _read(self, pairs: Sequence[Pair]) -> list[tuple[Spans, NDArray[np.float32]]]:
        """Return the tokens of each claim, and their raw outputs, of shape (tokens, outputs)."""
        if not pairs:
            return []
        encoding = self._checkpoint.encode(pairs)
        outputs = self._checkpoint.outputs(self._checkpoint.rows(encoding))
        reads = []
        for place, values in enumerate(outputs):
            inside = [where for where, text in enumerate(encoding.sequence_ids(place)) if text == 1]
            spans = tuple(Span(*encoding["offset_mapping"][place][where]) for where in inside)
            reads.append((spans, values[inside]))
        return reads

    def _means(self, pairs: Sequence[Pair]) -> NDArray[np.float64]:
        return np.stack([outputs.mean(axis=0) for _, outputs in self._read(pairs)]).astype(np.float64)


def _worst(claim: str, spans: Spans, support: NDArray[np.float32]) -> float:
    """Return the least support of a token with a letter or digit, or of any if there is none, else 0."""
    parts = (claim[span.start : span.end] for span in spans)
    says = np.array([any(letter.isalnum() for letter in part) for part in parts], dtype=bool)
    counted = support[says] if says.any() else support
    return float(counted.min()) if len(counted) else 0.0


def _log_odds(probability: float) -> float:
    if not 0 < probability < 1:
        return -math.inf if probability <= 0 else math.inf
    return math.log(probability / (1 - probability))
