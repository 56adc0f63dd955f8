"""How well do scores tell positives from negatives? By ranks, and by what is decided at a threshold.

Takes scores and flags, gives figures; None where there is nothing to measure, never NaN. What is positive is
for the caller to say. Items of equal score cannot be told apart, so no figure depends on the order of the
input. A score that reaches the threshold is taken for positive.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hybrid.errors import UsageError

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


def auroc(scores: ArrayLike, positive: ArrayLike) -> float | None:
    """Return the chance that a positive scores above a negative, ties half; None without one of each.

    From 0 to 1, 0.5 is chance (the area under the ROC curve by ranks; Mann & Whitney 1947).
    """
    values, flags = checked(scores, positive)
    lower = np.sort(values[~flags])
    upper = values[flags]
    if not len(lower) or not len(upper):
        return None
    below = np.searchsorted(lower, upper, side="left") + np.searchsorted(lower, upper, side="right")
    return float(below.sum() / 2 / len(lower) / len(upper))


def average_precision(scores: ArrayLike, positive: ArrayLike) -> float | None:
    """Return the mean precision over the steps of recall, without interpolation; None without a positive.

    From 0 to 1; chance is the share of positives.
    """
    curve = _counts(*checked(scores, positive))
    if not curve.positives:
        return None
    gained = np.diff(curve.right, prepend=0.0) / curve.positives
    return float(gained @ (curve.right / curve.taken))


def tpr_at_fpr(scores: ArrayLike, positive: ArrayLike, rate: float = 0.05) -> float | None:
    """Return the greatest share of positives found while at most ``rate`` of the negatives is taken.

    From 0 to 1; None without one of each. Nothing between two thresholds is interpolated.
    """
    curve = _counts(*checked(scores, positive))
    negatives = len(curve.scores) and curve.taken[-1] - curve.positives
    if not curve.positives or not negatives:
        return None
    allowed = curve.taken - curve.right <= rate * negatives + 1e-9
    return float(curve.right[allowed].max(initial=0.0) / curve.positives)


def balanced_accuracy(decided: ArrayLike, positive: ArrayLike) -> float | None:
    """Return the mean of the shares of positives and of negatives decided rightly; None without one of each.

    From 0 to 1, 0.5 is chance.
    """
    taken, flags = _flags(decided), _flags(positive)
    _alike(len(taken), len(flags))
    if flags.all() or not flags.any():
        return None
    return float((taken[flags].mean() + 1.0 - taken[~flags].mean()) / 2)


def f1(decided: ArrayLike, positive: ArrayLike) -> float | None:
    """Return the harmonic mean of precision and recall of the positives; None if none is there or decided."""
    taken, flags = _flags(decided), _flags(positive)
    _alike(len(taken), len(flags))
    whole = int(taken.sum()) + int(flags.sum())
    return 2 * int((taken & flags).sum()) / whole if whole else None


def choose_threshold(scores: ArrayLike, positive: ArrayLike) -> float:
    """Return the threshold of the greatest balanced accuracy; of several as good, the one in the middle.

    Thresholds lie half way between two scores, so that items near them are decided with equal care. Choose it
    on other data than it is used on.

    Raises:
        UsageError: there are no positives, or no negatives.
    """
    values, flags = checked(scores, positive)
    if flags.all() or not flags.any():
        raise UsageError(
            f"all {len(flags)} labels are alike: a threshold needs supported and unsupported claims",
            hint="add labelled claims of the other kind",
        )
    curve = _counts(values, flags)
    # twice the balanced accuracy times both sizes, in whole numbers, so that equal ones are equal
    positives, negatives = int(curve.positives), len(flags) - int(curve.positives)
    right, taken = curve.right.astype(np.int64), curve.taken.astype(np.int64)
    quality = right * negatives + (negatives - (taken - right)) * positives
    best = np.flatnonzero(quality == quality.max())
    place = int(best[(len(best) - 1) // 2])
    upper = float(curve.scores[place])
    if place + 1 == len(curve.scores):
        return upper
    lower = float(curve.scores[place + 1])
    middle = lower / 2 + upper / 2
    return middle if lower < middle else upper


def checked(scores: ArrayLike, positive: ArrayLike) -> tuple[Array, Flags]:
    """Return scores and flags as arrays.

    Raises:
        UsageError: there are not as many of both, or a score is not a number.
    """
    values, flags = np.asarray(scores, dtype=np.float64), _flags(positive)
    _alike(len(values), len(flags))
    if np.isnan(values).any():
        place = int(np.flatnonzero(np.isnan(values))[0])
        raise UsageError(f"score {place} of {len(values)} is not a number: every item needs one")
    return values, flags


@dataclass(frozen=True, eq=False, slots=True)
class _Curve:
    """At each different score, the greatest first: how many reach it, and how many of them are positive."""

    scores: Array
    taken: Array
    right: Array
    positives: float


def _counts(values: Array, flags: Flags) -> _Curve:
    order = np.argsort(-values, kind="stable")
    ordered = values[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if len(ordered) else np.array([], int)
    right = np.cumsum(flags[order], dtype=np.float64)
    return _Curve(ordered[last], (last + 1).astype(np.float64), right[last], float(flags.sum()))


def _flags(values: ArrayLike) -> Flags:
    return np.asarray(values, dtype=np.bool_)


def _alike(one: int, other: int) -> None:
    if one != other:
        raise UsageError(f"{one} scores and {other} labels: expected one label for each score")
