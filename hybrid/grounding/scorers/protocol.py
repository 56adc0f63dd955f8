"""The door of every scorer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hybrid.grounding.values import Logits, Pair


class Scorer(Protocol):
    """Judge pairs of evidence and claim, each by itself.

    A pair's logits never depend on the other pairs of the call beyond the last bits of floating point, are
    the same at every call, and are finite for every text, the empty one included.
    """

    @property
    def name(self) -> str:
        """Return what the scorer is, with what decides its numbers; it stands beside every figure."""
        ...

    @property
    def max_words(self) -> int:
        """Return how many words of evidence it reads whole, about; candidates are made no longer."""
        ...

    def score(self, pairs: Sequence[Pair]) -> Logits:
        """Return the logits of the pairs, in their order."""
        ...
