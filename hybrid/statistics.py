"""Paired comparison on the same questions, by source: estimates, intervals, p-values, resampling."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special

from hybrid.clustered import Clustered, Correlation, pooled

Array = NDArray[np.float64]

# A bootstrap of fewer sources, or of fewer that differ at all, knows nothing about its tails.
MIN_SOURCES = 10
_BLOCK_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval; ``confidence`` is its level, for example 0.95."""

    low: float
    high: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval, which is None where one source stands for all."""

    value: float
    interval: Interval | None = None

    @property
    def low(self) -> float | None:
        """Return the lower end, None without an interval."""
        return None if self.interval is None else self.interval.low

    @property
    def high(self) -> float | None:
        """Return the upper end, None without an interval."""
        return None if self.interval is None else self.interval.high

    def flat(self) -> dict[str, float | None]:
        """Return value and ends side by side, as files have them."""
        return {"value": self.value, "low": self.low, "high": self.high}


def decimal(value: float, digits: int, *, signed: bool = False) -> str:
    """Return how a number reads: a real minus sign, and no sign before what rounds to zero."""
    text = f"{value:{'+' if signed else ''},.{digits}f}"
    return (text if text.strip("+-0.,") else text.lstrip("+-")).replace("-", "\u2212")


def source_places(sources: Sequence[str]) -> NDArray[np.int64]:
    """Return the place of the source of each item among the different ones in the order of their names."""
    names = {name: place for place, name in enumerate(sorted(set(sources)))}
    return np.array([names[source] for source in sources], dtype=np.int64)


def source_weights(sources: int, *, replicates: int, seed: int, width: int = 0) -> Iterator[Array]:
    """Yield how often each source is drawn in each bootstrap replicate, shape (rows, sources), in blocks.

    As many are drawn as there are, with replacement; all blocks have ``replicates`` rows together. The draws
    are the same for the same seed, sources and replicates, however wide the blocks: ``width`` is how many
    numbers the caller makes of a row, if more than ``sources``, and keeps them small.
    """
    generator = np.random.default_rng([seed, 1])
    block = max(_BLOCK_CELLS // max(sources, width), 1)
    for first in range(0, replicates, block):
        rows = min(block, replicates - first)
        drawn = generator.integers(sources, size=(rows, sources), dtype=np.int32)
        drawn += np.arange(rows, dtype=np.int32)[:, None] * sources
        yield np.bincount(drawn.ravel(), minlength=rows * sources).reshape(rows, sources).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """What resampling gave of one quantity; its bounds are corrected for bias, skewness and few sources.

    BCa (Efron 1987) with its levels expanded for few sources (Hesterberg 2015, *What Teachers Should Know
    About the Bootstrap*, §3.3): without that, intervals from 20 sources cover too little. ``estimate`` is the
    value on all sources, ``ordered`` are those of the replicates, in ascending order. ``pulls`` are of each
    sample that was resampled apart what each source adds to the quantity: the mean of the jackknife minus the
    value without the source.
    """

    estimate: float
    ordered: Array
    pulls: tuple[Array, ...]

    def bound(self, level: float) -> float:
        """Return the lower one-sided confidence bound that is above the truth with chance ``level``."""
        wide = float(special.ndtr(self._widening * special.stdtrit(self._freedom, level)))
        shifted = self._bias + special.ndtri(wide)
        share = special.ndtr(self._bias + shifted / (1.0 - self._acceleration * shifted))
        return float(np.quantile(self.ordered, float(np.clip(share, 0.0, 1.0))))

    def student_bound(self, level: float, *, unseen: float = 0.0) -> float:
        """Return such a bound of Student over the jackknife, for sources too few to know the tails.

        ``level`` is the chance to lie above the truth, ``unseen`` variance that is added for what did not
        happen yet.
        """
        error = math.sqrt(sum(self._variances) + unseen)
        return self.estimate + float(special.stdtrit(self._freedom, level)) * error

    def p_above(self, value: float) -> float:
        """Return the p-value of "it is at most ``value``", by inverting the bound."""
        shifted = special.ndtri(self._share_below(value)) - self._bias
        z = shifted / (1.0 + self._acceleration * shifted) - self._bias
        return float(special.stdtr(self._freedom, z / self._widening))

    @cached_property
    def _variances(self) -> list[float]:
        return [float(part @ part) * (len(part) - 1) / len(part) for part in self.pulls]

    @cached_property
    def _freedom(self) -> float:
        """Return sources − 1; of several samples the freedom of a sum of variances (Satterthwaite 1946)."""
        free = [len(part) - 1 for part in self.pulls]
        whole = sum(self._variances)
        if len(free) == 1 or whole <= 0:
            return float(max(sum(free), 1))
        parts = sum(variance**2 / own for variance, own in zip(self._variances, free, strict=True))
        return max(whole**2 / parts, 1.0)

    @property
    def _widening(self) -> float:
        return math.sqrt((self._freedom + 1) / self._freedom)

    @cached_property
    def _bias(self) -> float:
        return float(special.ndtri(self._share_below(self.estimate)))

    @cached_property
    def _acceleration(self) -> float:
        pulls = np.concatenate(self.pulls)
        spread = float(pulls @ pulls)
        return float((pulls**3).sum() / (6.0 * spread**1.5)) if spread > 0 else 0.0

    def _share_below(self, value: float) -> float:
        low, high = np.searchsorted(self.ordered, [value - 1e-12, value + 1e-12])
        # ties count half; the extra observation keeps the share off 0 and 1
        return float((low + high + 1) / 2 / (len(self.ordered) + 1))


@dataclass(frozen=True, eq=False)
class Resampling:
    """Means of several columns over sources of unequal size, and what their resampling gave.

    ``sizes`` are the questions of each source, shape (sources,), ``sums`` each column over them, shape
    (sources, columns), and ``products`` the same of the products of any two columns, shape (sources, columns,
    columns). ``replicates`` are those of the bootstrap and of sign flips, ``seed`` is of the one generator
    behind both.
    """

    sizes: Array
    sums: Array
    products: Array
    replicates: int
    seed: int

    @property
    def sources(self) -> int:
        """Return how many sources there are."""
        return len(self.sizes)

    @property
    def enumerated(self) -> bool:
        """Tell whether the sign flips are all there are."""
        return 1 << self.sources <= self.replicates

    @cached_property
    def means(self) -> Array:
        """Return the mean of each column over all questions, shape (columns,)."""
        return np.asarray(self.sums.sum(axis=0) / self.sizes.sum())

    @cached_property
    def bootstrap(self) -> Array:
        """Return the means of every bootstrap replicate, shape (replicates, columns)."""
        extended = np.column_stack([self.sums, self.sizes])
        blocks = source_weights(self.sources, replicates=self.replicates, seed=self.seed)
        totals = np.concatenate([weights @ extended for weights in blocks])
        return np.asarray(totals[:, :-1] / totals[:, -1:])

    @cached_property
    def jackknife(self) -> Array:
        """Return the means without each source in turn, shape (sources, columns)."""
        left = self.sizes.sum() - self.sizes
        return np.asarray((self.sums.sum(axis=0) - self.sums) / left[:, None])

    @cached_property
    def flips(self) -> Array:
        """Return the sums of all columns and of the sizes with random signs for the sources.

        Shape (replicates, columns + 1); of sources so few that there are no more signs, with all of them.
        """
        if self.enumerated:
            signs = np.arange(2**self.sources)[:, None] >> np.arange(self.sources) & 1
            return np.asarray((2.0 * signs - 1.0) @ np.column_stack([self.sums, self.sizes]))
        generator = np.random.default_rng([self.seed, 2])
        extended = np.column_stack([self.sums, self.sizes])
        totals = np.empty((self.replicates, extended.shape[1]))
        block = max(_BLOCK_CELLS // self.sources, 1)
        for first in range(0, self.replicates, block):
            rows = min(block, self.replicates - first)
            bits = np.frombuffer(generator.bytes(rows * -(-self.sources // 8)), dtype=np.uint8)
            up = np.unpackbits(bits.reshape(rows, -1), axis=1)[:, : self.sources]
            # up or down: twice those that stay up, minus all
            totals[first : first + rows] = 2.0 * (up.astype(np.float64) @ extended) - extended.sum(axis=0)
        return totals

    @cached_property
    def correlation(self) -> Correlation:
        """Return how alike the differences of any two columns are within a source, all pairs together."""
        count = len(self.means)
        pairs = [self.difference(one, other) for one in range(count) for other in range(one)]
        return pooled([pair.clustered(None) for pair in pairs] or [self.mean(0).clustered(None)])

    def contrast(self, weights: Sequence[float]) -> Contrast:
        """Return a weighted sum of the columns as a quantity of its own: a mean, or a difference of two."""
        return Contrast(self, np.asarray(weights, dtype=np.float64))

    def mean(self, column: int) -> Contrast:
        """Return the mean of one column as a quantity of its own."""
        return Contrast(self, np.eye(len(self.means))[column])

    def difference(self, column: int, other: int) -> Contrast:
        """Return the mean of a column minus that of another one."""
        columns = np.eye(len(self.means))
        return Contrast(self, columns[column] - columns[other])


@dataclass(frozen=True, eq=False)
class Contrast:
    """One quantity, such as the mean of arm A minus that of arm B, with its uncertainty."""

    resampling: Resampling
    weights: Array

    @property
    def estimate(self) -> float:
        """Return the value on the questions that were asked."""
        return float(self._units.estimate)

    @property
    def standard_error(self) -> float:
        """Return the standard error over sources, never 0."""
        return float(self._units.standard_error)

    @property
    def effective(self) -> float:
        """Return how many independent questions of this quantity the sample is worth."""
        return float(self._units.effective)

    @property
    def between(self) -> float:
        """Return which share of the variance more questions of the same sources would leave, 0 to 1."""
        sizes = self.resampling.sizes
        kept = self._units.correlation_limit * self._units.effective
        return float(kept * (sizes @ sizes) / sizes.sum() ** 2)

    def error_at(self, value: float) -> float:
        """Return the standard error if ``value`` is the truth: at least that of rare losses of 1."""
        return float(self._units.error_at(value))

    def bound(self, level: float, *, rare: bool = True) -> float:
        """Return the lower one-sided confidence bound that is above the truth with chance ``level``.

        The upper bound is the one for ``1 - level``. ``rare`` says that the columns are rights and wrongs
        from 0 to 1, whose rare differences may not have been seen yet; else their spread is what was seen,
        and it is resampled.
        """
        if rare:
            return float(self._units.bound(level))
        if self.resampling.sources < 2:
            return math.copysign(math.inf, level - 0.5) if self.estimate else 0.0
        left_out = self.resampling.jackknife @ self.weights
        pulls = left_out.mean() - left_out
        drawn = Bootstrap(self.estimate, np.sort(self.resampling.bootstrap @ self.weights), (pulls,))
        differing = int(np.count_nonzero(np.abs(pulls - np.median(pulls)) > 1e-12))
        return drawn.bound(level) if differing >= MIN_SOURCES else drawn.student_bound(level)

    def interval(self, level: float, *, rare: bool = True) -> Interval:
        """Return the interval whose ends are the one-sided bounds at this level, as is usual for margins."""
        return Interval(self.bound(level, rare=rare), self.bound(1 - level, rare=rare), 1 - 2 * level)

    def p_above(self, value: float) -> float:
        """Return the p-value of "it is at most ``value``": small means it is shown to be larger.

        The larger one of the interval's (by inverting its bound) and of the sign-flip test's, so that the
        asymmetry of few sources cannot make a claim alone: it takes five sources to show anything at 5 %.
        Ties of the sign-flip test count half (mid-p, Lancaster 1961) unless sources are so few that all signs
        are tried: right or wrong answers tie often, and the other test is cautious enough.
        """
        ties = 1.0 if self.resampling.enumerated else 0.5
        return max(float(self._units.p_above(value)), self.flip_p(value, ties=ties))

    def flip_p(self, value: float = 0.0, *, two_sided: bool = False, ties: float = 1.0) -> float:
        """Return the p-value of the sign-flip permutation test by source (Dror et al. 2018), never 0.

        ``value`` is the one under the null; ``two_sided`` counts sums far below too. Sums that are exactly as
        extreme count ``ties``, 0.5 or 1.
        """
        shifted = self._sums - value * self.resampling.sizes
        observed = float(shifted.sum())
        flips = self.resampling.flips
        totals = flips[:, :-1] @ self.weights - value * flips[:, -1]
        # a sum that is equal but for rounding is as extreme
        slack = 1e-9 * float(np.abs(shifted).sum())
        beyond = np.abs(totals) - abs(observed) if two_sided else totals - observed
        # the signs as they are count among those drawn
        extra = 0 if self.resampling.enumerated else 1
        more, equal = np.count_nonzero(beyond > slack), np.count_nonzero(np.abs(beyond) <= slack)
        return float((more + ties * (equal + extra)) / (len(totals) + extra))

    def clustered(self, pool: Correlation | None) -> Clustered:
        """Return it as sums by source, with what other quantities show of the correlation."""
        squares = np.einsum("i,sij,j->s", self.weights, self.resampling.products, self.weights)
        return Clustered(self.resampling.sizes, self._sums, squares, pool)

    @cached_property
    def _units(self) -> Clustered:
        return self.clustered(self.resampling.correlation)

    @property
    def _sums(self) -> Array:
        return np.asarray(self.resampling.sums @ self.weights)


def resample(values: Array, sources: Sequence[str], *, replicates: int, seed: int) -> Resampling:
    """Return the resampling of a table of shape (questions, columns), one source a question."""
    places = source_places(sources)
    sizes = np.bincount(places).astype(np.float64)
    columns = values.shape[1]
    sums, products = np.zeros((len(sizes), columns)), np.zeros((len(sizes), columns, columns))
    np.add.at(sums, places, values)
    np.add.at(products, places, values[:, :, None] * values[:, None, :])
    return Resampling(sizes, sums, products, replicates, seed)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number, in the given order (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, p_values[place] * (len(p_values) - rank)))
        adjusted[place] = largest
    return adjusted


def least_sources(level: float, claims: int = 1) -> int:
    """Return how many sources the sign-flip test needs to show anything: all of n alike have a chance of 2⁻ⁿ.

    ``level`` is the one-sided one of all ``claims`` together.
    """
    return math.ceil(math.log2(max(claims, 1) / level) - 1e-9)


def detectable_effect(standard_error: float, *, sources: int, level: float, power: float = 0.8) -> float:
    """Return the smallest true difference that is shown with this power (Bloom 1995).

    ``standard_error`` is that of the paired difference; few sources make the tails heavier. ``level`` is
    one-sided.
    """
    freedom = max(sources - 1, 1)
    quantiles = special.stdtrit(freedom, 1 - level) + special.stdtrit(freedom, power)
    return float(quantiles * standard_error)


def questions_for(
    effect: float, standard_error: float, *, questions: int, level: float, power: float = 0.8
) -> float:
    """Return how many questions of the same kind show ``effect`` with this power; infinite for none.

    ``effect`` is the true distance to the value that is to be excluded, ``standard_error`` that of the
    ``questions`` asked so far, and falls with the square root of their number. ``level`` is one-sided.
    """
    if effect <= 0:
        return float("inf")
    quantiles = special.ndtri(1 - level) + special.ndtri(power)
    return float(questions * (quantiles * standard_error / effect) ** 2)
