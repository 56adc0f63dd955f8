"""Selective prediction, calibration and abstention: does it know when it is right?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from hybrid.errors import UsageError

# Items of equal confidence cannot be told apart, so no figure depends on the order of the input.
BINS = 10
SIMULATIONS = 500


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What is risked where the most confident answers are kept: both are shares from 0 to 1."""

    coverage: float
    risk: float
    confidence: float


@dataclass(frozen=True, slots=True)
class AbstentionScores:
    """``false_rate``: the share of answerable questions declined, lower is better.

    ``recall``: the share of unanswerable questions declined, higher is better (negative rejection, RGB,
    arXiv:2309.01431). ``precision``: the share of the declined that are unanswerable. Each is None
    where it has no denominator.
    """

    false_rate: float | None
    recall: float | None
    precision: float | None


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """The expected calibration error, from 0 to 1, lower is better.

    ``error`` is debiased, ``plain`` is not: few labels raise it. ``null`` is the mean debiased error of a
    predictor with the same confidences that is perfectly calibrated, on as many right or wrong answers, and
    ``null_high`` what 95 % of such predictors stay below: an error up to there is no evidence of a wrong
    calibration.
    """

    error: float
    plain: float
    null: float
    null_high: float


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Items of similar confidence: the mean of it, the mean of their scores, and how many they are."""

    confidence: float
    score: float
    items: int


def risk_coverage(confidences: Sequence[float], losses: Sequence[float]) -> list[CurvePoint]:
    """Return one point for every confidence at which a cut can be made, the most confident first.

    Risk is the mean loss of what is kept (El-Yaniv & Wiener 2010; Geifman & El-Yaniv 2017). A higher
    confidence is surer; minus infinity is for an answer that must come last. Losses are from 0, right, to 1,
    wrong: 1 − score.

    Raises:
        UsageError: a NaN, or not as many losses as confidences.
    """
    sure, lost = _sorted(confidences, losses)
    count = len(sure)
    risks = np.cumsum(lost) / np.arange(1, count + 1)
    return [
        CurvePoint((place + 1) / count, float(risks[place]), float(sure[place]))
        for place in range(count)
        if place + 1 == count or sure[place + 1] < sure[place]
    ]


def aurc(confidences: Sequence[float], losses: Sequence[float]) -> float | None:
    """Return the area under the risk–coverage curve: the mean risk over all coverages k/n; None of nothing.

    From 0 to 1, lower is better (Geifman & El-Yaniv 2017; Geifman et al. 2019). It holds the error rate
    too; ``excess_aurc`` is what confidence alone has to answer for.
    """
    _, lost = _sorted(confidences, losses)
    return _area(lost) if len(lost) else None


def excess_aurc(confidences: Sequence[float], losses: Sequence[float]) -> float | None:
    """Return the AURC minus that of the best possible order of the same losses; None of nothing.

    From 0, the confidence orders the answers perfectly, upwards; lower is better (Geifman et al. 2019).
    The best area is computed from the losses, not approximated by e + (1 − e)·ln(1 − e).
    """
    area = aurc(confidences, losses)
    if area is None:
        return None
    return max(area - _area(np.sort(np.asarray(losses, dtype=np.float64))), 0.0)


def brier(confidences: Sequence[float], scores: Sequence[float]) -> float | None:
    """Return the mean squared difference of confidence and score; None of nothing.

    From 0 to 1, lower is better (Brier 1950).

    Raises:
        UsageError: a confidence outside 0 to 1, or not as many scores as confidences.
    """
    sure, right = _checked(confidences, scores)
    return float(np.mean((sure - right) ** 2)) if len(sure) else None


def calibration_error(
    confidences: ArrayLike,
    scores: ArrayLike,
    *,
    bins: int = BINS,
    simulations: int = SIMULATIONS,
    seed: int = 0,
) -> CalibrationError | None:
    """Return the debiased expected calibration error over groups of equal mass; None of nothing.

    The plain error is the mean over groups of |mean score − mean confidence| (Guo et al. 2017, with equal
    mass after Nguyen & O'Connor 2015); groups never part equal confidences; one of 0 counts like any other.
    What the error would gain if the scores were drawn anew is taken from it (Kumar et al. 2019, §5, in closed
    form for normal errors), at most down to 0. What is left of the bias shows in the null value, which is
    simulated (Roelofs et al. 2022, arXiv:2012.08668, compare the estimators). Confidences are from 0 to 1,
    and so are ``scores``, from wrong to right, or they are labels. There are fewer groups than ``bins`` where
    there are fewer than five items for each. The null value is over ``simulations`` sets of labels, drawn by
    ``seed``.

    Raises:
        UsageError: a confidence outside 0 to 1, or not one score for each.
    """
    sure, right = _checked(confidences, scores)
    if not len(sure):
        return None
    groups = _Groups.of(sure, bins)
    error, plain = groups.errors(right[groups.order][None, :])
    drawn = np.random.default_rng([seed, 3]).random((simulations, len(sure))) < sure[groups.order]
    null, _ = groups.errors(drawn.astype(np.float64))
    return CalibrationError(
        float(error[0]), float(plain[0]), float(null.mean()), float(np.quantile(null, 0.95))
    )


def reliability(confidences: ArrayLike, scores: ArrayLike) -> tuple[ReliabilityBin, ...]:
    """Return the groups of ``calibration_error`` as a table, the least sure first; none of nothing.

    Raises:
        UsageError: a confidence outside 0 to 1, or not one score for each.
    """
    sure, right = _checked(confidences, scores)
    if not len(sure):
        return ()
    groups = _Groups.of(sure, BINS)
    means = np.add.reduceat(right[groups.order], groups.starts) / groups.sizes
    return tuple(
        ReliabilityBin(float(confidence), float(mean), int(size))
        for confidence, mean, size in zip(groups.confidences, means, groups.sizes, strict=True)
    )


def abstention(answerable: Sequence[bool], abstained: Sequence[bool]) -> AbstentionScores:
    """Return how often was declined what could be answered, and what could not.

    A failed answer did not abstain: nothing said no.
    """
    pairs = list(zip(answerable, abstained, strict=True))
    declined_rightly = sum(not possible and declined for possible, declined in pairs)
    declined_wrongly = sum(possible and declined for possible, declined in pairs)
    possible = sum(answerable)
    return AbstentionScores(
        false_rate=_ratio(declined_wrongly, possible),
        recall=_ratio(declined_rightly, len(pairs) - possible),
        precision=_ratio(declined_rightly, declined_rightly + declined_wrongly),
    )


@dataclass(frozen=True, eq=False, slots=True)
class _Groups:
    """Groups of equal mass over confidences in ascending order: ``starts`` are places in that order."""

    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    sizes: NDArray[np.float64]
    confidences: NDArray[np.float64]

    @classmethod
    def of(cls, confidences: NDArray[np.float64], bins: int) -> _Groups:
        order = np.argsort(confidences, kind="stable")
        _, counts = np.unique(confidences, return_counts=True)
        bins = max(min(bins, len(confidences) // 5), 1)
        # equal confidences go where the middle one of them would
        middles = np.cumsum(counts) - counts / 2
        own = np.minimum((middles * bins / len(confidences)).astype(np.int64), bins - 1)
        _, first = np.unique(own, return_index=True)
        starts = (np.cumsum(counts) - counts)[first]
        sizes = np.diff(np.append(starts, len(confidences))).astype(np.float64)
        return cls(order, starts, sizes, np.add.reduceat(confidences[order], starts) / sizes)

    def errors(self, scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the debiased and the plain error of each row of scores."""
        means, squares = (
            np.add.reduceat(values, self.starts, axis=1) / self.sizes for values in (scores, scores**2)
        )
        gaps = np.abs(means - self.confidences)
        mass = self.sizes / self.sizes.sum()
        plain = gaps @ mass
        spread = np.sqrt(np.maximum(squares - means**2, 0.0) / self.sizes)
        ratio = np.divide(gaps, spread, out=np.full_like(gaps, np.inf), where=spread > 0)
        # the mean of |x| where x is normal around the gap (Leone et al. 1961)
        folded = spread * np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2) + gaps * (1 - 2 * special.ndtr(-ratio))
        return np.maximum(2 * plain - folded @ mass, 0.0), plain


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _area(losses: NDArray[np.float64]) -> float:
    return float(np.mean(np.cumsum(losses) / np.arange(1, len(losses) + 1)))


def _sorted(
    confidences: Sequence[float] | NDArray[np.float64], losses: Sequence[float] | NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both with the surest first; equal confidences share their mean loss."""
    sure, lost = np.asarray(confidences, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    if len(sure) != len(lost) or np.isnan(sure).any() or not np.isfinite(lost).all():
        raise UsageError(f"{len(sure)} confidences and {len(lost)} losses, or one of them is not a number")
    _, group, sizes = np.unique(sure, return_inverse=True, return_counts=True)
    order = np.argsort(-sure, kind="stable")
    shared = np.bincount(group, weights=lost, minlength=len(sizes)) / np.maximum(sizes, 1)
    return sure[order], shared[group][order]


def _checked(confidences: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    sure, right = np.asarray(confidences, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    outside = ~((sure >= 0) & (sure <= 1))
    if outside.any() or len(sure) != len(right):
        found = (
            f"a confidence of {sure[outside][0]}"
            if outside.any()
            else f"{len(right)} scores, {len(sure)} confidences"
        )
        raise UsageError(f"{found}: expected one score for each confidence, from 0 to 1")
    return sure, right
