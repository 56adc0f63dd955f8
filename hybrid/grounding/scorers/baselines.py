"""Scorers without weights of their own: n-gram overlap and word alignment."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybrid.grounding.values import Logits, Pair
from hybrid.models import Embedder
from hybrid.text.words import content_words, share_held, tokens

# Keeps the logarithm of the odds finite at 0 and 1: a share of 1 is odds of 99 to 1.
_SQUEEZE = 0.01
_WORD = re.compile(r"\d+(?:[.,]\d+)*|\w+(?:['’]\w+)*")
# What is longer is a hash or noise; its beginning says as much, and an embedder would read no more of it.
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class NgramOverlap:
    """The share of a claim's word n-grams that stand in the evidence: overlap, not understanding.

    It does not see a negation, and a paraphrase looks unsupported. A claim shorter than n words is compared
    whole. It is the baseline that a model has to beat. The even share lies where it tells supported claims
    best from the others on WiCE dev: AUROC .70, balanced accuracy .64 (Kamoi et al. 2023; 349 claims against
    passages of six sentences), which is as little as it sounds. ``size`` is that of the n-grams, ``even`` the
    share from 0 to 1 whose logit is 0. It could read any length, but evidence much longer than a paragraph
    shows nobody anything.

    Example:
        >>> NgramOverlap().score([Pair("The port is 5432.", "The port is 5432.")]).support.round(1).tolist()
        [5.9]
    """

    size: int = 2
    even: float = 0.2
    max_words: int = 200

    @property
    def name(self) -> str:
        """Return "2-gram overlap"."""
        return f"{self.size}-gram overlap"

    def score(self, pairs: Sequence[Pair]) -> Logits:
        """Return the logits of the shares; a claim without words has a share of 0."""
        shares = [_share(tokens(pair.claim), tokens(pair.evidence), self.size) for pair in pairs]
        return Logits(np.array([logit_of(share, self.even) for share in shares], dtype=np.float32))


def logit_of(share: float, even: float) -> float:
    """Return the log-odds of a share from 0 to 1, as seen from the share that is an even chance.

    Strictly increasing, 0 at ``even``, finite at both ends: 0 and 1 are squeezed to .01 and .99.
    """
    return _log_odds(share) - _log_odds(even)


def _log_odds(share: float) -> float:
    inside = _SQUEEZE + (1 - 2 * _SQUEEZE) * min(max(share, 0.0), 1.0)
    return math.log(inside / (1 - inside))


def _share(said: Sequence[str], there: Sequence[str], size: int) -> float:
    size = min(size, len(said))
    if not size:
        return 0.0
    return share_held(_grams(said, size), set(_grams(there, size)))


def _grams(words: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[place : place + size]) for place in range(len(words) - size + 1)]


class WordAlignment:
    """The mean, over a claim's content words, of the best cosine with a word of the evidence.

    Words are embedded one by one, without their context, and kept: it is token alignment in the manner of
    BERTScore (Zhang et al. 2020) over single words. The vectors of two numbers are near whatever the numbers
    are: that a number is missing is for the checks to say. With all-MiniLM-L6-v2 on WiCE dev: AUROC .76,
    balanced accuracy .70 at the even mean, which was chosen there with a rule for numbers. Of the embedder
    only ``embed_documents`` is used. It could read any length, but the more words there are, the more likely
    one is similar.
    """

    # the mean whose logit is 0
    even = 0.75

    def __init__(self, embedder: Embedder, *, max_words: int = 200) -> None:
        self._embedder = embedder
        self._vectors: dict[str, NDArray[np.float32]] = {}
        self.max_words = max_words

    @property
    def name(self) -> str:
        """Return "word alignment" and the embedder."""
        return f"word alignment, {self._embedder.fingerprint.name}"

    def score(self, pairs: Sequence[Pair]) -> Logits:
        """Return the logits of the means; a claim without content words has a mean of 0."""
        texts = dict.fromkeys(text for pair in pairs for text in (pair.claim, pair.evidence))
        words = {text: _content(text) for text in texts}
        self._learn({word for found in words.values() for word in found})
        means = [self._aligned(words[pair.claim], words[pair.evidence]) for pair in pairs]
        return Logits(np.array([logit_of(mean, self.even) for mean in means], dtype=np.float32))

    def _learn(self, words: set[str]) -> None:
        new = sorted(words - self._vectors.keys())
        if new:
            rows = np.nan_to_num(np.asarray(self._embedder.embed_documents(new), dtype=np.float32))
            rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
            self._vectors.update(zip(new, rows, strict=True))

    def _aligned(self, claim: dict[str, str], evidence: dict[str, str]) -> float:
        if not claim or not evidence:
            return 0.0
        there = set(evidence.values())
        known = np.stack([self._vectors[word] for word in evidence])
        # a word that stands in the evidence, if with another ending, is supported whatever its vector
        return float(np.mean([1.0 if claim[w] in there else self._nearest(w, known) for w in claim]))

    def _nearest(self, word: str, known: NDArray[np.float32]) -> float:
        return min(max(float((known @ self._vectors[word]).max()), 0.0), 1.0)


def _content(text: str) -> dict[str, str]:
    """Return the content words of a text, each with its stem."""
    words = dict.fromkeys(match.group()[:_LONGEST] for match in _WORD.finditer(text.lower()))
    return {word: stems[0] for word in words if (stems := content_words(word))}
