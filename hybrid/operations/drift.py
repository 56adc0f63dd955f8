"""Drift: a classifier two-sample test, Kolmogorov-Smirnov, and risk bounds valid at any time of looking."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# What fewer values than this look like is chance.
LEAST = 20
_FOLDS = 5
_PERMUTATIONS = 999
# Of a longer window so many are looked at, spread over it: each relabelling takes memory.
_LOOKED_AT = 2_000
# The sum of squares at which the bound is tightest: a hundred answers, of which a tenth is wrong.
_TIGHTEST = 10.0
_BISECTIONS = 60


@dataclass(frozen=True, slots=True)
class TwoSample:
    """What a test of two windows found: ``effect`` from 0, alike, to 1; ``p`` is not yet adjusted.

    The effect is how much better than a coin a classifier tells the windows apart, 2 × balanced accuracy − 1,
    or the largest distance of two distribution functions.
    """

    effect: float
    p: float
    reference: int
    current: int


def told_apart(reference: Array, current: Array, *, seed: int = 0) -> TwoSample:
    """Test whether a classifier tells two windows apart (Lopez-Paz & Oquab 2017, arXiv:1610.06545).

    A linear discriminant is fitted on four fifths and judged on the fifth that it did not see, in turn, by
    how far apart it puts the windows there, which shows more than how many it tells right (Cheng & Cloninger
    2022, arXiv:1909.11298). Its p is that of a permutation test: the labels are drawn anew and everything is
    fitted again, which is exact for windows whose rows are independent. Never 0.

    Args:
        reference: shape (rows, dimensions), with at least ``LEAST`` rows.
        current: likewise.
        seed: of folds and permutations.
    """
    reference, current = _spread(reference), _spread(current)
    rows = np.concatenate([reference, current])
    rows = rows - rows.mean(axis=0)
    generator = np.random.default_rng([seed, 7])
    labels = np.zeros((_PERMUTATIONS + 1, len(rows)))
    labels[:, len(reference) :] = 1.0
    labels[1:] = generator.permuted(labels[1:], axis=1)
    folds = generator.permutation(len(rows)) % _FOLDS
    apart, right = np.zeros(len(labels)), np.zeros(len(rows))
    for fold in range(_FOLDS):
        held = folds == fold
        margins = _margins(rows, labels, held)
        told = labels[:, held]
        apart += ((margins - margins.mean(axis=1, keepdims=True)) * told).sum(axis=1)
        right[held] = (margins[0] > 0) == (told[0] > 0)
    p = float(np.count_nonzero(apart[1:] >= apart[0] - 1e-12) + 1) / (_PERMUTATIONS + 1)
    accuracy = (right[: len(reference)].mean() + right[len(reference) :].mean()) / 2
    return TwoSample(max(2 * float(accuracy) - 1, 0.0), p, len(reference), len(current))


def _margins(rows: Array, labels: Array, held: NDArray[np.bool_]) -> Array:
    """Return how far on the later side the rows of a fold lie by each labelling: shape (labellings, rows).

    They are in units of the spread along the direction that was fitted on the other folds.
    """
    fitted, seen = labels[:, ~held], rows[~held]
    # the covariance of all rows leads the same way as that within the windows, and no label is in it
    covariance = np.cov(seen.T).reshape(rows.shape[1], -1)
    covariance += (np.trace(covariance) / len(covariance) + 1e-9) * np.eye(len(covariance))
    sizes = np.maximum(np.stack([(1 - fitted).sum(axis=1), fitted.sum(axis=1)]), 1)[:, :, None]
    before, after = ((1 - fitted) @ seen) / sizes[0], (fitted @ seen) / sizes[1]
    directions = np.linalg.solve(covariance, (after - before).T).T
    middles = (directions * (before + after)).sum(axis=1, keepdims=True) / 2
    spread = np.sqrt((directions * (directions @ covariance)).sum(axis=1, keepdims=True)) + 1e-12
    return np.asarray((directions @ rows[held].T - middles) / spread)


def shifted(reference: Array, current: Array) -> TwoSample:
    """Test whether numbers of two windows have one distribution (Kolmogorov-Smirnov, two-sided)."""
    from scipy import stats

    found = stats.ks_2samp(reference, current)
    return TwoSample(float(found.statistic), float(found.pvalue), len(reference), len(current))


def risk_at_most(losses: Sequence[float], level: float) -> float:
    """Return the upper confidence bound of a mean loss, above it but for a chance of ``level``.

    By the tail of Hoeffding (1963, theorem 1), which holds for any independent losses from 0 to 1.
    """
    from scipy import optimize

    mean, nats = math.fsum(losses) / len(losses), math.log(1 / level) / len(losses)
    if mean >= 1 or _divergence(mean, 1 - 1e-12) <= nats:
        return 1.0
    return float(optimize.brentq(lambda bound: _divergence(mean, bound) - nats, mean, 1 - 1e-12))


def _divergence(mean: float, other: float) -> float:
    """Return the Kullback-Leibler divergence of two coins, in nats."""
    from scipy import special

    return float(special.rel_entr(mean, other) + special.rel_entr(1 - mean, 1 - other))


def risk_at_least(losses: Sequence[float], level: float) -> Array:
    """Return after every loss the lower confidence bound of the mean loss, valid at all of them together.

    The chance that it ever exceeds the mean is at most ``level``, however often one looks and whenever one
    stops: the empirical Bernstein bound of a gamma-exponential mixture (Howard, Ramdas, McAuliffe & Sekhon
    2021, arXiv:1810.08240, theorem 4 and proposition 9). It never falls.

    Args:
        losses: from 0 to 1 in the order of time; the mean of each, given those before it, is what is bounded.
        level: one-sided.
    """
    values = np.asarray(losses, dtype=np.float64)
    counts = np.arange(1, len(values) + 1)
    means = np.cumsum(values) / counts
    # each loss is held against what was expected before it came
    spread = np.cumsum((values - np.concatenate([[0.5], means[:-1]])) ** 2)
    return np.maximum.accumulate(np.maximum(means - _boundary(spread, level) / counts, 0.0))


def _boundary(spread: Array, level: float) -> Array:
    """Return for each sum of squares how far a sum may stray before its mixture exceeds 1 / ``level``."""
    from scipy import special

    nats = math.log(1 / (2 * level))
    scale = _TIGHTEST / (2 * nats + math.log1p(2 * nats))
    constant = scale * math.log(scale) - special.gammaln(scale) - np.log(special.gammainc(scale, scale))
    shape = spread + scale

    def beyond(sums: Array) -> NDArray[np.bool_]:
        reach = sums + shape
        mixed = np.log(special.gammainc(shape, reach)) - shape * np.log(reach) + sums + spread
        return np.asarray(constant + special.gammaln(shape) + mixed > math.log(1 / level))

    low, high = np.zeros(len(spread)), np.maximum(spread, 1.0)
    while not (out := beyond(high)).all():
        high = np.where(out, high, 2 * high)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        out = beyond(middle)
        low, high = np.where(out, low, middle), np.where(out, middle, high)
    return (low + high) / 2


def _spread(rows: Array) -> Array:
    """Return at most ``_LOOKED_AT`` of the rows, evenly over all of them."""
    if len(rows) <= _LOOKED_AT:
        return rows
    return rows[np.linspace(0, len(rows) - 1, _LOOKED_AT).astype(np.int64)]
