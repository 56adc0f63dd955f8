"""Is what an answer asserts supported by the passages it was given?

Takes an answer's text, passages and a grounding model, gives each claim with its support. A model only
judges one claim by one passage; what counts as a claim, the maximum over passages and the share over
claims are here, so that no model can get them wrong. Knows nothing about gold answers: a claim may be
grounded and wrong.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hybrid.generation.citations import split_generated, without_markers
from hybrid.generation.support import content_words
from hybrid.models import Embedder

_PLEASANT = "yes|no|sure|certainly|of course|great question|hello|hi|hey|thanks|thank you|ja|nein|gerne|hallo"
_OPENING = re.compile(rf"(?:{_PLEASANT})\s*(?:[,.!:;–—]+\s*|$)", re.IGNORECASE)
_COURTESY = re.compile(
    r"(?:hello|hi|hey|thanks|thank you|you['’]re welcome|i hope (?:this|that|it) helps|let me know|feel free"
    r"|i['’]m happy to help|happy to help|here (?:is|are) (?:the|your) answers?)\b[^.]{0,60}[.!:]*",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
_WHOLE_WORD = re.compile(r"\d+(?:[.,]\d+)*|\w+(?:['’]\w+)*")


class GroundingModel(Protocol):
    """Judge whether a passage supports a claim."""

    @property
    def name(self) -> str:
        """Return what the model is, with what decides its scores; it stands beside every figure."""
        ...

    @property
    def threshold(self) -> float:
        """Return the support from which on a claim counts as supported."""
        ...

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return the support of each (claim, passage), from 0 to 1, higher is better."""
        ...


@dataclass(frozen=True, slots=True)
class CheckedClaim:
    """A claim, its best support, and the place of the passage that gives it."""

    text: str
    support: float
    passage: int


def claims(text: str) -> list[str]:
    """Return the sentences that assert something: no questions, greetings or bare yes; without markers."""
    return [claim for sentence in split_generated(text) if (claim := claim_of(sentence))]


def claim_of(sentence: str) -> str:
    """Return what a sentence asserts, without markers and opening courtesy; empty if it is nothing."""
    plain = without_markers(sentence)
    if plain.endswith("?") or _COURTESY.fullmatch(plain):
        return ""
    opening = _OPENING.match(plain)
    rest = plain[opening.end() :] if opening else plain
    return rest if content_words(rest) else ""


def check_claims(text: str, passages: Sequence[str], model: GroundingModel) -> list[CheckedClaim]:
    """Return every claim of a text with its greatest support over the passages; none if there are none.

    The order of the passages does not matter, and one more never lowers the support of a claim. Taking
    the best passage is what SummaC, AlignScore and MiniCheck do; a claim that needs two passages
    together is missed.
    """
    asserted = claims(text)
    if not passages or not asserted:
        return []
    scores = model.score([(claim, passage) for claim in asserted for passage in passages])
    table = np.nan_to_num(np.asarray(scores, dtype=np.float64), nan=0.0).reshape(len(asserted), len(passages))
    best = table.argmax(axis=1)
    return [
        CheckedClaim(claim, min(max(float(table[row, place]), 0.0), 1.0), int(place))
        for row, (claim, place) in enumerate(zip(asserted, best, strict=True))
    ]


def groundedness(checked: Sequence[CheckedClaim], threshold: float) -> float | None:
    """Return the share of claims whose support reaches the threshold; None if there are no claims.

    From 0 to 1, higher is better (faithfulness of ragas and RAGChecker, without a large model).
    """
    if not checked:
        return None
    return sum(claim.support >= threshold for claim in checked) / len(checked)


def hallucinated(checked: Sequence[CheckedClaim], threshold: float) -> float | None:
    """Return 1 if any claim's support is below the threshold, else 0; None if there are no claims.

    Lower is better; its mean is the rate of answers with a claim that the passages do not carry
    (RAGTruth, Niu et al. 2024, at the level of the answer).
    """
    if not checked:
        return None
    return float(any(claim.support < threshold for claim in checked))


@dataclass(frozen=True, slots=True)
class NgramOverlap:
    """The share of a claim's word n-grams that stand in the passage: overlap, not understanding.

    It does not see a negation, and a paraphrase looks unsupported. A claim shorter than n words is
    compared whole. It is the baseline that a model has to beat. The threshold lies where it tells
    supported claims best from the others on WiCE dev: AUROC .70, balanced accuracy .64 (Kamoi et al.
    2023; 349 claims against passages of six sentences), which is as little as it sounds.
    """

    size: int = 2
    threshold: float = 0.2

    @property
    def name(self) -> str:
        """Return "2-gram overlap"."""
        return f"{self.size}-gram overlap"

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return shares from 0 to 1; a claim without words is 0."""
        return [self._share(claim, passage) for claim, passage in pairs]

    def _share(self, claim: str, passage: str) -> float:
        said, there = _WORD.findall(claim.lower()), _WORD.findall(passage.lower())
        size = min(self.size, len(said))
        if not size:
            return 0.0
        grams, known = _grams(said, size), set(_grams(there, size))
        return sum(gram in known for gram in grams) / len(grams)


class WordAlignment:
    """The mean, over a claim's content words, of the best cosine with a word of the passage.

    Words are embedded one by one, without their context, and kept: it is token alignment in the manner
    of BERTScore (Zhang et al. 2020) over single words. A number that the passage lacks makes the support
    0, for the vectors of two numbers are near whatever the numbers are. With all-MiniLM-L6-v2 on WiCE dev:
    AUROC .76, balanced accuracy .70 at the threshold, which was chosen there.

    Args:
        embedder: only ``embed_documents`` is used.
        threshold: the support from which on a claim counts as supported.
    """

    def __init__(self, embedder: Embedder, *, threshold: float = 0.75) -> None:
        self._embedder = embedder
        self._vectors: dict[str, NDArray[np.float32]] = {}
        self.threshold = threshold

    @property
    def name(self) -> str:
        """Return "word alignment" and the embedder."""
        return f"word alignment, {self._embedder.fingerprint.name}"

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return means from 0 to 1; a claim without content words is 0."""
        words = {text: _content(text) for pair in pairs for text in pair}
        self._learn({word for found in words.values() for word in found})
        return [self._aligned(words[claim], words[passage]) for claim, passage in pairs]

    def _learn(self, words: set[str]) -> None:
        new = sorted(words - self._vectors.keys())
        if new:
            rows = np.nan_to_num(np.asarray(self._embedder.embed_documents(new), dtype=np.float32))
            rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
            self._vectors.update(zip(new, rows, strict=True))

    def _aligned(self, claim: dict[str, str], passage: dict[str, str]) -> float:
        there = set(passage.values())
        if not claim or not there or any(word[0].isdigit() and word not in there for word in claim.values()):
            return 0.0
        known = np.stack([self._vectors[word] for word in passage])
        # a word that stands in the passage, if with another ending, is supported whatever its vector
        return float(np.mean([1.0 if claim[w] in there else self._nearest(w, known) for w in claim]))

    def _nearest(self, word: str, known: NDArray[np.float32]) -> float:
        return min(max(float((known @ self._vectors[word]).max()), 0.0), 1.0)


def _content(text: str) -> dict[str, str]:
    """Return the content words of a text, each with its stem."""
    words = dict.fromkeys(match.group() for match in _WHOLE_WORD.finditer(text.lower()))
    return {word: stems[0] for word in words if (stems := content_words(word))}


def _grams(words: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[place : place + size]) for place in range(len(words) - size + 1)]
