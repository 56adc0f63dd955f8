"""Does it know when it is right? Selective prediction, calibration and abstention.

Takes confidences with losses or scores, and flags, gives figures; None where there is nothing to measure.
Items of equal confidence cannot be told apart, so every figure is the mean over their orders: it does not
depend on the order of the input.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybrid.errors import UsageError

BINS = 10


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


def risk_coverage(confidences: Sequence[float], losses: Sequence[float]) -> list[CurvePoint]:
    """Return one point for every confidence at which a cut can be made, the most confident first.

    Risk is the mean loss of what is kept (El-Yaniv & Wiener 2010; Geifman & El-Yaniv 2017).

    Args:
        confidences: higher is surer; minus infinity for an answer that must come last.
        losses: from 0, right, to 1, wrong; 1 − score.

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


def augrc(confidences: Sequence[float], losses: Sequence[float]) -> float | None:
    """Return the area under the generalised risk–coverage curve; None of nothing.

    The generalised risk is the share of all answers that are kept and wrong, so that a mistake among the
    first answers does not count again at every coverage (Traub et al. 2024, arXiv:2407.01032). From 0 to
    1/2, lower is better: it is (1 − AUROC)·a·e + e²/2 for accuracy a and error e = 1 − a, where the AUROC
    is that of telling right from wrong.
    """
    _, lost = _sorted(confidences, losses)
    if not len(lost):
        return None
    missed = np.concatenate([[0.0], np.cumsum(lost) / len(lost)])
    return float(np.mean((missed[1:] + missed[:-1]) / 2))


def brier(confidences: Sequence[float], scores: Sequence[float]) -> float | None:
    """Return the mean squared difference of confidence and score; None of nothing.

    From 0 to 1, lower is better (Brier 1950).

    Raises:
        UsageError: a confidence outside 0 to 1, or not as many scores as confidences.
    """
    sure, right = _checked(confidences, scores)
    return float(np.mean((sure - right) ** 2)) if len(sure) else None


def calibration_error(
    confidences: Sequence[float], scores: Sequence[float], *, bins: int = BINS
) -> float | None:
    """Return the expected calibration error over bins of equal mass; None of nothing.

    The items in the order of their confidence are cut into ``bins`` parts whose sizes differ by one at
    most (fewer parts if there are fewer items); the error is the mean over the items of |mean score −
    mean confidence| of their part. A confidence of 0 counts like any other. From 0 to 1, lower is better
    (Guo et al. 2017, with equal mass after Nguyen & O'Connor 2015). It is biased upwards when there are
    few items: a perfect confidence has about 0.10 with 100 of them and 0.05 with 400 (simulated).

    Raises:
        UsageError: a confidence outside 0 to 1, or not as many scores as confidences.
    """
    sure, right = _checked(confidences, scores)
    if not len(sure):
        return None
    sure, right = _sorted(sure, right)
    parts = zip(*(np.array_split(values, min(bins, len(sure))) for values in (sure, right)), strict=True)
    return float(sum(len(p) * abs(p.mean() - r.mean()) for p, r in parts) / len(sure))


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


def _checked(
    confidences: Sequence[float], scores: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    outside = [value for value in confidences if not (math.isfinite(value) and 0 <= value <= 1)]
    if outside or len(confidences) != len(scores):
        found = (
            f"a confidence of {outside[0]}"
            if outside
            else f"{len(scores)} scores, {len(confidences)} confidences"
        )
        raise UsageError(f"{found}: expected one score for each confidence, from 0 to 1")
    return np.asarray(confidences, dtype=np.float64), np.asarray(scores, dtype=np.float64)
