"""Classifiers of Hugging Face as scorers: of pairs (NLI, HHEM, MiniCheck) and of tokens (LettuceDetect)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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
from hybrid.grounding.values import Logits, Pair
from hybrid.models.device import Placement, batches
from hybrid.models.pretrained import load_tokenizer, load_whole, loaded_as
from hybrid.models.resolve import weights_digest

Texts = tuple[str, ...]

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

    A row's outputs depend on the others of its batch by no more than rounding (in bf16 that is about 0.001 of
    a logit), and not on their order. Only safetensors are read, and weights that the folder lacks are an
    error rather than random numbers. The folder has config.json, a fast tokenizer and safetensors; ``head``
    is what it classifies. A T5 encoder that classifies tokens serves for ``PAIR`` with its first one, as
    HHEM-2.1 does.

    Raises:
        ModelMissing: the folder holds no such model, or needs code of its own.
    """

    def __init__(self, folder: Path, *, head: Head, placement: Placement) -> None:
        self._head = head
        self.stamp = f"{placement.dtype}, weights {weights_digest(folder)[:8]}"
        self.tokenizer, self._model = _load(folder, head, placement)
        if not self.tokenizer.is_fast:
            raise ModelMissing(f"{folder} has a slow tokenizer, expected one with a tokenizer.json")
        labels = self._model.config.id2label
        self.names = [str(labels[place]) for place in sorted(labels)]
        self.max_tokens = _limit(self.tokenizer, self._model)
        # the texts are data: what looks like a separator in them must not become one
        special = sorted(filter(None, self.tokenizer.all_special_tokens), key=len, reverse=True)
        self._special = re.compile("|".join(re.escape(token) for token in special) or r"(?!)")

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

    def rows(self, encoding: Any) -> list[TokenRow]:
        """Return what the model is given of an encoding."""
        ids = encoding["input_ids"]
        types: Sequence[Sequence[int]] = [()] * len(ids)
        if getattr(self._model.config, "type_vocab_size", 0) > 1 and "token_type_ids" in encoding:
            types = encoding["token_type_ids"]
        return [TokenRow(tuple(row), tuple(kinds)) for row, kinds in zip(ids, types, strict=True)]

    def outputs(self, rows: Sequence[TokenRow]) -> list[NDArray[np.float32]]:
        """Return the raw outputs of each row, of shape (outputs,), or (tokens, outputs) for ``TOKENS``."""
        found: dict[TokenRow, NDArray[np.float32]] = {}
        # in an order of their own: that of the caller changes no last bit
        order = sorted(set(rows), key=lambda row: (len(row.ids), row.ids, row.types))
        for places in batches([len(row.ids) for row in order], rows=_BATCH_ROWS, tokens=_BATCH_TOKENS):
            batch = [order[place] for place in places]
            found.update(zip(batch, self._run(batch), strict=True))
        return [found[row] for row in rows]

    def _run(self, batch: Sequence[TokenRow]) -> Iterator[NDArray[np.float32]]:
        import torch

        rows = [
            {"input_ids": list(row.ids)} | ({"token_type_ids": list(row.types)} if row.types else {})
            for row in batch
        ]
        tensors = self.tokenizer.pad(rows, padding_side="right", return_tensors="pt").to(self._model.device)
        with torch.inference_mode():
            outputs = self._model(**tensors).logits.float().cpu().numpy()
        for row, values in zip(batch, outputs, strict=True):
            if self._head is Head.TOKENS:
                yield values[: len(row.ids)]
            else:
                yield values[0] if values.ndim == 2 else values


def _load(folder: Path, head: Head, placement: Placement) -> tuple[Any, Any]:
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoModelForTokenClassification

    with loaded_as(str(head), folder):
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    by_token = _classifies_tokens(config, head, folder)
    loader = AutoModelForTokenClassification if by_token else AutoModelForSequenceClassification
    model = load_whole(loader, folder, str(head), dtype=placement.torch_dtype())
    return load_tokenizer(folder), model.to(placement.device).eval()


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


class ClassifierScorer:
    """A sequence classifier with one, two or three outputs, or a token classifier with two.

    Of three outputs, support is the log-odds of entailment against the other two, and ``against`` that of
    contradiction; of two there is no ``against``; a single output is taken as the log-odds itself. A claim
    read token by token is as well supported as the worst of its words: whoever wrote these models calls an
    answer hallucinated as soon as one token is, and a sum over tokens would grow with the length of the
    claim. Punctuation asserts nothing and does not count.

    Evidence beyond the model's limit is read in overlapping windows, of which the best counts (as in SummaC,
    AlignScore and MiniCheck), for each token by itself; nothing is cut off. ``head`` is what it classifies,
    ``labels`` are the places of its outputs; without them its names are read and checked on known pairs.

    Raises:
        ModelMissing: there is no such model in the folder, or it needs code of its own.
        ModelError: its outputs cannot be told apart; the message has the numbers.
    """

    def __init__(
        self, folder: Path, head: Head, *, name: str, placement: Placement, labels: Labels | None = None
    ) -> None:
        self._checkpoint = source = Checkpoint(folder, head=head, placement=placement)
        self._name, self._head = name, head
        if head is Head.TOKENS and len(source.names) != 2:
            raise ModelError(
                f"{name} has {len(source.names)} outputs ({', '.join(source.names)}), expected supported and "
                "not supported",
                hint="choose a model that marks hallucinated tokens",
            )
        if labels is None:
            known = self._read(known_pairs(name, source.length, source.max_tokens))
            outputs = np.stack([found.mean(axis=0, dtype=np.float64) for _, found in known])
            labels = settled_labels(name, source.names, outputs)
        self.labels = checked_labels(labels, name, source.names)

    @property
    def name(self) -> str:
        """Return the name, the outputs that are read, the number format and a digest of the weights."""
        return f"{self._name}#{self.labels} ({self._checkpoint.stamp})"

    @property
    def max_words(self) -> int:
        """Return how many words of evidence fit beside a claim of usual length, 350 at the most."""
        room = int((self._checkpoint.max_tokens - _CLAIM_TOKENS) / _TOKENS_A_WORD)
        return min(max(room, _LEAST_WORDS), _MOST_WORDS)

    def score(self, pairs: Sequence[Pair]) -> Logits:
        """Return the logits of the pairs, in their order; that of a claim without a token is 0.

        Raises:
            UsageError: a claim is too long for the model, whatever the evidence.
        """
        source = self._checkpoint
        cut = [cut_pair(pair, source.length, source.max_tokens) for pair in pairs]
        reads = iter(self._read([part for parts in cut for part in parts]))
        support = np.zeros(len(pairs), dtype=np.float32)
        told = self._head is Head.PAIR and self.labels.against is not None
        against = np.zeros(len(pairs), dtype=np.float32) if told else None
        for place, parts in enumerate(cut):
            windows = [next(reads) for _ in parts]
            said = [self.labels.logits(outputs.astype(np.float64)) for _, outputs in windows]
            support[place] = _worst(windows[0][0], np.max([one.support for one in said], axis=0))
            if against is not None:
                against[place] = np.max([one.against for one in said if one.against is not None])
        return Logits(support, against)

    def _read(self, pairs: Sequence[Pair]) -> list[tuple[Texts, NDArray[np.float32]]]:
        """Return what is judged of each claim, its tokens or all of it, and the raw outputs of each."""
        if not pairs:
            return []
        encoding = self._checkpoint.encode(pairs)
        found = self._checkpoint.outputs(self._checkpoint.rows(encoding))
        if self._head is Head.PAIR:
            return [((pair.claim,), outputs[None]) for pair, outputs in zip(pairs, found, strict=True)]
        reads = []
        for place, (pair, outputs) in enumerate(zip(pairs, found, strict=True)):
            inside = [where for where, text in enumerate(encoding.sequence_ids(place)) if text == 1]
            spans = [encoding["offset_mapping"][place][where] for where in inside]
            reads.append((tuple(pair.claim[start:end] for start, end in spans), outputs[inside]))
        return reads


def _worst(texts: Texts, support: NDArray[np.float32]) -> float:
    """Return the least support of a text with a letter or digit, or of any if there is none, else 0."""
    says = np.array([any(letter.isalnum() for letter in text) for text in texts], dtype=bool)
    counted = support[says] if says.any() else support
    return float(counted.min()) if len(counted) else 0.0
