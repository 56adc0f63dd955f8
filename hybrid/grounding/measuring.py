"""Run a scorer over labelled claims: what it says of each, and how fast.

Takes a scorer and claims, gives scores. How a claim is judged by several passages is a function that is
handed in; here the best passage counts, read whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hybrid.grounding.labelled import LabelledClaim, Scores
from hybrid.grounding.scorers.protocol import Scorer
from hybrid.grounding.values import Logits, Pair

# A scorer and claims in, one finite logit a claim out.
Support: TypeAlias = Callable[[Scorer, Sequence[LabelledClaim]], NDArray[np.float64]]
# How many claims are done, of how many.
Progress: TypeAlias = Callable[[int, int], None]

# What a claim without evidence gets: no scorer has to be asked.
NO_EVIDENCE = -20.0
_BLOCK = 32


@runtime_checkable
class Weighed(Protocol):
    """A scorer that knows how large its weights are."""

    @property
    def megabytes(self) -> float:
        """Return what the weights take on disk, in 10⁶ bytes."""
        ...


def best_passage(scorer: Scorer, claims: Sequence[LabelledClaim]) -> NDArray[np.float64]:
    """Return the greatest support of each claim over its passages; the order of these does not matter."""
    pairs = [Pair(text, claim.claim) for claim in claims for text in claim.evidence]
    found = scorer.score(pairs).support if pairs else np.zeros(0)
    ends = np.cumsum([len(claim.evidence) for claim in claims])
    parts = np.split(np.asarray(found, dtype=np.float64), ends)[: len(claims)]
    return np.array([part.max() if len(part) else NO_EVIDENCE for part in parts], dtype=np.float64)


def measured(
    name: str,
    scorer: Scorer,
    claims: Sequence[LabelledClaim],
    *,
    support: Support = best_passage,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Scores:
    """Return what a scorer says of claims under this name, its pairs a second and the size of its weights."""
    counted = _Counted(scorer)
    blocks = []
    begun = clock()
    for first in range(0, len(claims), _BLOCK):
        block = claims[first : first + _BLOCK]
        blocks.append(np.asarray(support(counted, block), dtype=np.float64))
        if progress is not None:
            progress(first + len(block), len(claims))
    spent = clock() - begun
    return Scores(
        name,
        np.concatenate(blocks) if blocks else np.zeros(0),
        pairs_per_second=counted.pairs / spent if counted.pairs and spent > 0 else None,
        megabytes=scorer.megabytes if isinstance(scorer, Weighed) else None,
    )


class _Counted:
    """A scorer that counts the pairs it is asked for."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self.pairs = 0

    @property
    def name(self) -> str:
        return self._scorer.name

    @property
    def max_words(self) -> int:
        return self._scorer.max_words

    def score(self, pairs: Sequence[Pair]) -> Logits:
        self.pairs += len(pairs)
        return self._scorer.score(pairs)
