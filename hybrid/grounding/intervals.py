"""How sure is an AUROC, and the difference of two? Bootstrap by source, paired between scorers.

Takes scores of several scorers on the same items, with labels and sources, gives replicates of all their
AUROCs at once: a contrast of them is paired, because every replicate holds the same sources for all scorers.
Means over sets (or domains) are made of sets that are resampled apart. Knows nothing about thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hybrid.grounding.metrics import checked
from hybrid.statistics import MIN_SOURCES, Bootstrap, source_places, source_weights

Array = NDArray[np.float64]

REPLICATES = 1_000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its interval; ``low`` and ``high`` are None where one source stands for all."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Replicates:
    """The AUROCs of several scorers, and what resampling by source gave of them.

    ``values`` has shape (scorers,), ``drawn`` (replicates, scorers), and each of ``pulls`` (sources,
    scorers): what the sources of one set add to the values, by the jackknife.
    """

    values: Array
    drawn: Array
    pulls: tuple[Array, ...]

    def interval(self, weights: Sequence[float], *, level: float = LEVEL) -> Interval:
        """Return a weighted sum of the AUROCs, such as one minus another, with its two-sided interval.

        It is the bias-corrected and accelerated bootstrap (Efron 1987), widened for few sources (Hesterberg
        2015). Of fewer than ten sources, or of fewer than ten that differ, it is the interval of Student over
        the jackknife with one source more won and one lost half, for the tails are not known then.
        """
        by = np.asarray(weights, dtype=np.float64)
        value = float(self.values @ by)
        if min(len(part) for part in self.pulls) < 2:
            return Interval(value)
        pulls = [part @ by for part in self.pulls]
        together = np.concatenate(pulls)
        found = Bootstrap(value, np.sort(self.drawn @ by), tuple(pulls))
        differing = int(np.count_nonzero(np.abs(together - np.median(together)) > 1e-12))
        ends = (1 - level) / 2, (1 + level) / 2
        if min(len(together), differing) >= MIN_SOURCES:
            low, high = (found.bound(end) for end in ends)
        else:
            unseen = sum(1 / (len(pulls) * (len(part) + 2)) ** 2 for part in pulls)
            low, high = (found.student_bound(end, unseen=unseen) for end in ends)
        least, most = float(by[by < 0].sum()), float(by[by > 0].sum())
        return Interval(value, float(np.clip(low, least, most)), float(np.clip(high, least, most)))


def resampled_aurocs(
    scores: ArrayLike,
    positive: ArrayLike,
    sources: Sequence[str],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Replicates | None:
    """Return the AUROCs of scorers on the same items, shape (scorers, items); None without one of each label.

    Whole sources are drawn. A draw without positives or without negatives has no AUROC; one of the others
    stands in for it, the same for all scorers.
    """
    rows = [checked(row, positive)[0] for row in np.asarray(scores, dtype=np.float64)]
    flags = np.asarray(positive, dtype=np.bool_)
    if flags.all() or not flags.any():
        return None
    places = source_places(sources)
    held = np.stack([np.bincount(places, weights=kind).astype(np.float64) for kind in (flags, ~flags)])
    ranked = [_Ranked.of(row, flags, places) for row in rows]
    blocks = []
    for weights in source_weights(held.shape[1], replicates=replicates, seed=seed, width=len(flags)):
        pairs = (weights @ held[0]) * (weights @ held[1])
        there = pairs > 0
        wins = np.stack([each.wins(weights[there]) for each in ranked], axis=1)
        blocks.append(wins / pairs[there, None])
    drawn = np.concatenate(blocks)
    ones = np.ones((1, held.shape[1]))
    values = np.array([each.wins(ones)[0] for each in ranked]) / (held[0].sum() * held[1].sum())
    drawn = drawn[np.arange(replicates) % len(drawn)] if len(drawn) else np.tile(values, (replicates, 1))
    return Replicates(values, drawn, (_pulls(ranked, held, values),))


def mean_over(parts: Sequence[Replicates]) -> Replicates:
    """Return the AUROCs of each scorer averaged over sets, every set counting alike.

    The sets are resampled apart, so the interval is about new sources of these sets, not about new sets.
    Give every set a seed of its own.
    """
    return Replicates(
        np.mean([part.values for part in parts], axis=0),
        np.mean([part.drawn for part in parts], axis=0),
        tuple(pulls / len(parts) for part in parts for pulls in part.pulls),
    )


@dataclass(frozen=True, eq=False, slots=True)
class _Ranked:
    """Positives and negatives of one scorer: the negatives in order, and where the positives stand in them.

    ``own`` is how many pairs within each source the positive wins, ties half.
    """

    lower: NDArray[np.int64]
    upper: NDArray[np.int64]
    below: NDArray[np.int64]
    upto: NDArray[np.int64]
    own: Array

    @classmethod
    def of(cls, scores: Array, flags: NDArray[np.bool_], places: NDArray[np.int64]) -> _Ranked:
        levels, ranks = np.unique(scores, return_inverse=True)
        order = np.argsort(ranks[~flags], kind="stable")
        sorted_ranks = ranks[~flags][order]
        # within a source: the same over keys that put the source first
        keys = places * len(levels) + ranks
        own_lower = np.sort(keys[~flags])
        first = np.searchsorted(own_lower, places[flags] * len(levels))
        own = np.searchsorted(own_lower, keys[flags], "left") + np.searchsorted(
            own_lower, keys[flags], "right"
        )
        return cls(
            places[~flags][order],
            places[flags],
            np.searchsorted(sorted_ranks, ranks[flags], "left"),
            np.searchsorted(sorted_ranks, ranks[flags], "right"),
            np.bincount(places[flags], own / 2 - first, minlength=int(places.max()) + 1).astype(np.float64),
        )

    def wins(self, weights: Array) -> Array:
        """Return the weighted number of pairs that positives win, for each row of weights of the sources."""
        found = self._placements(weights)
        return np.asarray(np.einsum("ij,ij->i", found, weights[:, self.upper]))

    def lost_without(self, sources: int) -> Array:
        """Return how many won pairs each source takes part in."""
        ones = np.ones((1, sources))
        of_upper = np.bincount(self.upper, weights=self._placements(ones)[0], minlength=sources)
        # a negative is beaten by all positives from its place on; ties half
        beaten = [
            np.cumsum(np.bincount(at, minlength=len(self.lower) + 1)[::-1])[::-1][1:]
            for at in (self.below, self.upto)
        ]
        of_lower = np.bincount(self.lower, weights=(beaten[0] + beaten[1]) / 2, minlength=sources)
        return np.asarray(of_upper + of_lower - self.own)

    def _placements(self, weights: Array) -> Array:
        """Return the weight of the negatives below each positive."""
        sums = np.zeros((len(weights), len(self.lower) + 1))
        np.cumsum(weights[:, self.lower], axis=1, out=sums[:, 1:])
        return np.asarray((sums[:, self.below] + sums[:, self.upto]) / 2)


def _pulls(ranked: Sequence[_Ranked], held: Array, values: Array) -> Array:
    """Return the mean of the jackknife minus the AUROCs without each source; 0 where nothing is left."""
    whole = held.sum(axis=1)
    pairs = (whole[0] - held[0]) * (whole[1] - held[1])
    columns = []
    for each, value in zip(ranked, values, strict=True):
        left = value * whole[0] * whole[1] - each.lost_without(held.shape[1])
        without = np.divide(left, pairs, out=np.full_like(pairs, value), where=pairs > 0)
        columns.append(without.mean() - without)
    return np.column_stack(columns)
