"""Questions of one source: intraclass correlation, effective sample size, and the score interval at it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]

# An upper limit of the correlation is one that is above it with this chance. More sources than so many, and
# than this share of all, are not believed to have shown how alike sources are: losses of whole sources come
# on top of single ones. A source has shown it in full with its third difference, for the first one alone is
# alike to none. How wide intervals of rare differences are rests on these: tests/benchmarks/coverage.py.
_SURE = 0.8
_MOST_SOURCES, _MOST_OF_ALL = 8.0, 0.4
_SHOWN_AFTER = 2.0
_NOTHING = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Correlation:
    """How alike the differences of one source are, and how many sources have shown it.

    ``value`` is the intraclass correlation by moments, from 0 to 1; ``sources`` counts from 0 to 8 those
    with several differences. Both have the shape of the samples.
    """

    value: Array
    sources: Array

    def filled(self, pool: Correlation) -> Correlation:
        """Return it with as many sources of the pool as it lacks beside that."""
        added = np.maximum(pool.sources - self.sources, 0.0)
        together = self.sources + added
        summed = self.sources * self.value + added * pool.value
        return Correlation(np.where(together > 0, summed / np.maximum(together, _NOTHING), 0.0), together)


@dataclass(frozen=True, eq=False)
class Clustered:
    """One quantity over questions that are alike within their source, such as the difference of two arms.

    Leading axes are samples of their own: simulations work out many at once. ``sizes`` are the questions of
    each source, shape (sources,); ``sums`` those of the quantity over them, shape (..., sources), and
    ``squares`` those of its squares. ``pool`` is what other quantities on the same questions show of the
    correlation, for differences too rare to show it themselves.
    """

    sizes: Array
    sums: Array
    squares: Array
    pool: Correlation | None = None

    @cached_property
    def estimate(self) -> Array:
        """Return the mean over all questions."""
        return np.asarray(self.sums.sum(axis=-1) / self.sizes.sum())

    @cached_property
    def correlation(self) -> Correlation:
        """Return how alike questions of one source are beyond the mean, without the pool."""
        pairs = (self._scatter * (self.sizes - 1)).sum(axis=-1)
        together = (self._pulls**2 - self._scatter).sum(axis=-1)
        value = np.clip(np.where(pairs > _NOTHING, together / np.maximum(pairs, _NOTHING), 0.0), 0.0, 1.0)
        shown = np.clip((self._scatter - 1) / _SHOWN_AFTER, 0.0, 1.0).sum(axis=-1)
        return Correlation(value, np.minimum(shown, min(_MOST_SOURCES, _MOST_OF_ALL * len(self.sizes))))

    @cached_property
    def correlation_limit(self) -> Array:
        """Return the upper confidence limit of the correlation; 1 where nothing has shown less.

        The limit of Clopper & Pearson (1934), with as many trials as sources have shown it. Sources whose
        rates differ with a coefficient of variation c are worth 1 / (1 + c²) of as many equal ones (Kish
        1965): most differences then come from few of them, and one more such source is easily missed.
        """
        own = self.correlation
        found = own if self.pool is None else own.filled(self.pool)
        rate = self._scatter.sum(axis=-1) / self.sizes.sum()
        variation = own.value / np.maximum(rate, _NOTHING)
        trials = found.sources / (1 + variation)
        alike, other = trials * found.value + 1, trials * (1 - found.value)
        limit = special.betaincinv(alike, np.maximum(other, _NOTHING), _SURE)
        return np.asarray(np.where(other > _NOTHING, limit, 1.0))

    @cached_property
    def effective(self) -> Array:
        """Return how many independent questions the sample is worth: between all of them and its sources."""
        together = float(self.sizes @ self.sizes) / float(self.sizes.sum())
        return np.asarray(self.sizes.sum() / (1 + (together - 1) * self.correlation_limit))

    @cached_property
    def standard_error(self) -> Array:
        """Return the standard error over sources, never 0.

        It is that of the jackknife by source (CR3; Bell & McCaffrey 2002), so that a source which makes
        most of the mean does not hide itself. One half effective question won and one lost are added to the
        variance (Agresti & Min 2005): arms that never differed so far may still differ at the next question.
        """
        count, whole = len(self.sizes), float(self.sizes.sum())
        rest = np.maximum(1 - self.sizes / whole, _NOTHING)
        spread = ((self._pulls / rest) ** 2).sum(axis=-1) / whole**2 * (count - 1) / count
        return np.asarray(np.sqrt(spread + 1.0 / (self.effective + 2) ** 2))

    def error_at(self, value: float) -> Array:
        """Return the standard error if ``value`` is the truth: at least that of rare losses of 1.

        Scores from 0 to 1 whose differences are mostly 0 may lose effective questions at the rate ``value``
        without one such loss so far; other differences vary more than that anyway.
        """
        return np.maximum(self.standard_error, self._rare_error(value))

    def bound(self, level: float) -> Array:
        """Return the lower one-sided confidence bound that is above the truth with chance ``level``.

        It is the wider one of Student's over the sources and of the score limit at the effective questions
        (Nam 1997; for a mean it is that of Wilson 1927), from −1 to 1.
        """
        side = 1.0 if level > 0.5 else -1.0
        sure = max(level, 1 - level)
        plain = side * self.estimate + special.stdtrit(self._freedom, sure) * self.standard_error
        widening = special.stdtrit(self._rare_freedom, sure) ** 2 / self.effective
        return np.asarray(
            side * np.minimum(np.maximum(plain, _score_limit(side * self.estimate, widening)), 1.0)
        )

    def p_above(self, value: float) -> Array:
        """Return the p-value of "it is at most ``value``", by inverting the bound."""
        behind = value - self.estimate
        rare = self._rare_error(value)
        score = np.where(behind < 0, -np.inf, 0.5)
        score = np.divide(behind, rare, out=np.asarray(score, dtype=np.float64), where=rare > 0)
        plain = special.stdtr(self._freedom, behind / self.standard_error)
        return np.asarray(np.maximum(plain, special.stdtr(self._rare_freedom, score)))

    def _rare_error(self, value: float) -> Array:
        rate = min(abs(value), 1.0)
        return np.asarray(np.sqrt(rate * (1.0 - rate) / self.effective))

    @cached_property
    def _rare_freedom(self) -> Array:
        return np.asarray(np.maximum(np.maximum(self.effective, len(self.sizes)) - 1, 1.0))

    @cached_property
    def _freedom(self) -> float:
        """Return one less than the sources of equal size that would vary as much (Kish 1965), at least 1."""
        return max(float(self.sizes.sum()) ** 2 / float(self.sizes @ self.sizes) - 1, 1.0)

    @cached_property
    def _pulls(self) -> Array:
        """Return what each source adds to the sum beyond its share of the mean."""
        return np.asarray(self.sums - self.estimate[..., None] * self.sizes)

    @cached_property
    def _scatter(self) -> Array:
        """Return the squares about the mean of all questions, summed by source."""
        mean = self.estimate[..., None]
        about = self.squares - 2 * mean * self.sums + mean**2 * self.sizes
        return np.asarray(np.maximum(about, 0.0))


def pooled(quantities: list[Clustered]) -> Correlation:
    """Return the mean correlation of quantities on the same questions, as sure as the surest of them."""
    weights = np.array([each.correlation.sources for each in quantities])
    values = np.array([each.correlation.value for each in quantities])
    whole = weights.sum(axis=0)
    mean = (weights * values).sum(axis=0) / np.maximum(whole, _NOTHING)
    return Correlation(np.asarray(mean), np.asarray(weights.max(axis=0)))


def _score_limit(estimate: Array, widening: Array) -> Array:
    """Return the largest v with (v − estimate)² = widening · |v| · (1 − |v|), Wilson's limit for v > 0."""
    above = widening * (widening / 4 + estimate * (1 - estimate))
    below = widening * (widening / 4 - estimate * (1 + estimate))
    positive = (estimate + widening / 2 + np.sqrt(np.maximum(above, 0.0))) / (1 + widening)
    negative = (estimate - widening / 2 + np.sqrt(np.maximum(below, 0.0))) / (1 + widening)
    return np.asarray(np.where(above >= 0, positive, negative))
