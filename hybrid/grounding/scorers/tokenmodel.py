"""Classifiers of an answer's tokens by name, as LettuceDetect: which words does the evidence not carry?

Takes pairs, gives the log-odds that the evidence carries a claim, or the stretches of the claim that it does
not carry. Evidence beyond the model's limit is read in overlapping windows, and a token is supported if one
of them supports it: to condemn it because one of them lacks it is the known fault of others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid.errors import ModelError
from hybrid.grounding.scorers.checkpoint import Checkpoint, Head
from hybrid.grounding.scorers.labels import Labels, checked_labels, known_pairs, settled_labels
from hybrid.grounding.scorers.windows import cut_pair
from hybrid.grounding.values import Logits, Pair, merged_spans
from hybrid.models.device import Placement
from hybrid.types import Span

# Scripts that leave no space between words are marked letter by letter.
_SINGLE = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0eff"
_WORD = re.compile(rf"\d+(?:[.,]\d+)*|[{_SINGLE}]|[^\W{_SINGLE}]+(?:['’][^\W{_SINGLE}]+)*")


@dataclass(frozen=True, slots=True)
class _Read:
    """The tokens of a claim, and the raw outputs for each, of shape (tokens, outputs)."""

    spans: tuple[Span, ...]
    outputs: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Judged:
    """The tokens of a claim, and the log-odds of each that it is supported."""

    spans: tuple[Span, ...]
    support: NDArray[np.float32]


class TokenScorer:
    """A token classifier with two outputs, which reads evidence and claim as a pair.

    A claim is as well supported as the worst of its words: whoever wrote these models calls an answer
    hallucinated as soon as one token is, and a sum over tokens would grow with the length of the claim.
    Punctuation asserts nothing and does not count. There is no ``against``.

    Args:
        folder: of the model.
        name: under which it was asked for.
        placement: device and number format.
        labels: the place of the output that says supported; without it the names are read and checked on
            known pairs.
        prompt: what stands where the evidence does, with ``$evidence``, for a model that was trained so.

    Raises:
        ModelMissing: there is no such model in the folder.
        ModelError: its outputs cannot be told apart; the message has the numbers.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        placement: Placement,
        labels: Labels | None = None,
        prompt: str = "",
    ) -> None:
        self._checkpoint = Checkpoint(folder, head=Head.TOKENS, placement=placement)
        self._prompt = prompt
        self._name = name
        names = self._checkpoint.names
        if len(names) != 2:
            raise ModelError(
                f"{name} has {len(names)} outputs ({', '.join(names)}), expected supported and not supported",
                hint="choose a model that marks hallucinated tokens",
            )
        if labels is None:
            known = known_pairs(name, self._length, self._checkpoint.max_tokens)
            means = [read.outputs.mean(axis=0) for read in self._read(known)]
            labels = settled_labels(name, names, np.stack(means).astype(np.float64))
        self.labels = checked_labels(labels, name, names)

    @property
    def name(self) -> str:
        """Return the name, the output that is read, the number format and a digest of the weights."""
        return self._checkpoint.told(self._name, self.labels, self._prompt)

    @property
    def max_words(self) -> int:
        """Return how many words of evidence fit beside a claim, 350 at the most."""
        return self._checkpoint.max_words

    def score(self, pairs: Sequence[Pair]) -> Logits:
        """Return the logits of the pairs, in their order; that of a claim without a token is 0.

        Raises:
            UsageError: a claim is too long for the model, whatever the evidence.
        """
        judged = self._judge(pairs)
        worst = [_worst(pair.claim, tokens) for pair, tokens in zip(pairs, judged, strict=True)]
        return Logits(np.array(worst, dtype=np.float32))

    def unsupported(self, pair: Pair, *, threshold: float = 0.5) -> tuple[Span, ...]:
        """Return the stretches of the claim that the evidence does not carry, whole words, none overlapping.

        Args:
            pair: evidence and claim.
            threshold: the probability of support from 0 to 1 below which a token counts.

        Raises:
            UsageError: the claim is too long for the model, whatever the evidence.
        """
        (tokens,) = self._judge([pair])
        least = _log_odds(threshold)
        doubted = [span for span, value in zip(tokens.spans, tokens.support, strict=True) if value < least]
        words = [Span(found.start(), found.end()) for found in _WORD.finditer(pair.claim)]
        marked = [word for word in words if any(_meet(word, span) for span in doubted)]
        return merged_spans(marked, length=len(pair.claim), text=pair.claim)

    def _judge(self, pairs: Sequence[Pair]) -> list[_Judged]:
        """Return the tokens of each claim as the windows of its evidence together support them."""
        limit = self._checkpoint.max_tokens
        cut = [cut_pair(pair, self._length, limit) for pair in pairs]
        reads = iter(self._read([part for parts in cut for part in parts]))
        judged = []
        for parts in cut:
            windows = [next(reads) for _ in parts]
            odds = [self.labels.logits(window.outputs.astype(np.float64)).support for window in windows]
            judged.append(_Judged(windows[0].spans, np.max(odds, axis=0)))
        return judged

    def _read(self, pairs: Sequence[Pair]) -> list[_Read]:
        if not pairs:
            return []
        encoding = self._encode(pairs)
        outputs = self._checkpoint.outputs(self._checkpoint.rows(encoding))
        reads = []
        for place, values in enumerate(outputs):
            inside = [where for where, text in enumerate(encoding.sequence_ids(place)) if text == 1]
            spans = tuple(Span(*encoding["offset_mapping"][place][where]) for where in inside)
            reads.append(_Read(spans, values[inside]))
        return reads

    def _length(self, pair: Pair) -> int:
        return len(self._encode([pair])["input_ids"][0])

    def _encode(self, pairs: Sequence[Pair]) -> Any:
        source, asked = self._checkpoint, Template(self._prompt or "$evidence")
        firsts = [asked.safe_substitute(evidence=source.plain(pair.evidence)) for pair in pairs]
        return source.encode(firsts, [source.plain(pair.claim) for pair in pairs])


def _worst(claim: str, tokens: _Judged) -> float:
    """Return the least support of a token with a letter or digit, or of any if there is none, else 0."""
    parts = (claim[span.start : span.end] for span in tokens.spans)
    says = np.array([any(letter.isalnum() for letter in part) for part in parts], dtype=bool)
    counted = tokens.support[says] if says.any() else tokens.support
    return float(counted.min()) if len(counted) else 0.0


def _meet(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def _log_odds(probability: float) -> float:
    if not 0 < probability < 1:
        return -math.inf if probability <= 0 else math.inf
    return math.log(probability / (1 - probability))
