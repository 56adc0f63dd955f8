"""Word n-grams of the claim that stand in the evidence: the scorer without weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hybrid.grounding.values import Logits, Pair
from hybrid.text.words import share_held, tokens

# Keeps the logarithm of the odds finite at 0 and 1: a share of 1 is odds of 99 to 1.
_SQUEEZE = 0.01


@dataclass(frozen=True, slots=True)
class NgramOverlap:
    """The share of a claim's word n-grams that stand in the evidence: overlap, not understanding.

    It does not see a negation, and a paraphrase looks unsupported. A claim shorter than n words is
    compared whole. It is the baseline that a model has to beat. The even share lies where it tells
    supported claims best from the others on WiCE dev: AUROC .70, balanced accuracy .64 (Kamoi et al.
    2023; 349 claims against passages of six sentences), which is as little as it sounds.

    Args:
        size: of the n-grams, at least 1.
        even: the share from 0 to 1 whose logit is 0.
        max_words: it could read any length; evidence much longer than a paragraph shows nobody anything.

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
