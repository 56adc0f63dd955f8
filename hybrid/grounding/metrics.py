"""How well do scores tell positives from negatives? By ranks, by thresholds, and as probabilities.

None where there is nothing to measure, never NaN. What is positive is for the caller to say. Items of equal
score cannot be told apart, so no figure depends on the order of the input. A score that reaches the threshold
is taken for positive.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from hybrid.errors import UsageError

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

# A probability nearer to 0 or 1 counts as this one, or a single mistake would be an infinite loss.
_NEAREST = 1e-6


def auroc(scores: ArrayLike, positive: ArrayLike) -> float | None:
    """Return the chance that a positive scores above a negative, ties half; None without one of each.

    From 0 to 1, 0.5 is chance (the area under the ROC curve by ranks; Mann & Whitney 1947).
    """
    ranks, flags = _ranks(scores, positive)
    if flags.all() or not flags.any():
        return None
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(flags, ranks))


def average_precision(scores: ArrayLike, positive: ArrayLike) -> float | None:
    """Return the mean precision over the steps of recall, without interpolation; None without a positive.

    From 0 to 1; chance is the share of positives.
    """
    ranks, flags = _ranks(scores, positive)
    if not flags.any():
        return None
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(flags, ranks))


def tpr_at_fpr(scores: ArrayLike, positive: ArrayLike, rate: float = 0.05) -> float | None:
    """Return the greatest share of positives found while at most ``rate`` of the negatives is taken.

    From 0 to 1; None without one of each. Nothing between two thresholds is interpolated.
    """
    ranks, flags = _ranks(scores, positive)
    if flags.all() or not flags.any():
        return None
    from sklearn.metrics import roc_curve

    false, true, _ = roc_curve(flags, ranks, drop_intermediate=False)
    return float(true[false <= rate + 1e-9].max())


def balanced_accuracy(decided: ArrayLike, positive: ArrayLike) -> float | None:
    """Return the mean of the shares of positives and of negatives decided rightly; None without one of each.

    From 0 to 1, 0.5 is chance.
    """
    taken, flags = _flags(decided), _flags(positive)
    _alike(len(taken), len(flags))
    if flags.all() or not flags.any():
        return None
    from sklearn.metrics import balanced_accuracy_score

    return float(balanced_accuracy_score(flags, taken))


def f1(decided: ArrayLike, positive: ArrayLike) -> float | None:
    """Return the harmonic mean of precision and recall of the positives; None if none is there or decided."""
    taken, flags = _flags(decided), _flags(positive)
    _alike(len(taken), len(flags))
    if not (taken.any() or flags.any()):
        return None
    from sklearn.metrics import f1_score

    return float(f1_score(flags, taken))


def log_loss(probabilities: ArrayLike, supported: ArrayLike) -> float | None:
    """Return the mean negative log-likelihood in nats; None of nothing. From 0 upwards, lower is better."""
    chances, flags = _chances(probabilities, supported)
    if not len(chances):
        return None
    chances = np.clip(chances, _NEAREST, 1 - _NEAREST)
    return float(-np.mean(np.where(flags, np.log(chances), np.log1p(-chances))))


def log_loss_skill(probabilities: ArrayLike, supported: ArrayLike) -> float | None:
    """Return 1 − log-loss / log-loss of the share of supported claims; None where all labels are alike.

    1 is perfect, 0 is as good as knowing only the share, below 0 is worse than that.
    """
    _, flags = _chances(probabilities, supported)
    share = float(flags.mean()) if len(flags) else 0.0
    loss = log_loss(probabilities, supported)
    prior = float(special.entr(share) + special.entr(1 - share))
    return None if loss is None or prior <= 0 else 1.0 - loss / prior


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
    from sklearn.metrics import roc_curve

    levels, ranks = np.unique(values, return_inverse=True)
    false, true, places = roc_curve(flags, ranks, drop_intermediate=False)
    # twice the balanced accuracy times both sizes, in whole numbers, so that equal ones are equal
    positives, negatives = int(flags.sum()), int((~flags).sum())
    right, wrong = np.rint(true * positives).astype(np.int64), np.rint(false * negatives).astype(np.int64)
    # the first one takes nothing at all
    quality = (right * negatives + (negatives - wrong) * positives)[1:]
    best = np.flatnonzero(quality == quality.max())
    place = int(places[1:][best[(len(best) - 1) // 2]])
    upper = float(levels[place])
    if not place:
        return upper
    lower = float(levels[place - 1])
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


def _ranks(scores: ArrayLike, positive: ArrayLike) -> tuple[NDArray[np.int64], Flags]:
    """Return the ranks of the scores, which may be infinite, and the flags."""
    values, flags = checked(scores, positive)
    return np.unique(values, return_inverse=True)[1], flags


def _flags(values: ArrayLike) -> Flags:
    return np.asarray(values, dtype=np.bool_)


def _alike(one: int, other: int) -> None:
    if one != other:
        raise UsageError(f"{one} scores and {other} labels: expected one label for each score")


def _chances(probabilities: ArrayLike, supported: ArrayLike) -> tuple[Array, NDArray[np.bool_]]:
    chances = np.asarray(probabilities, dtype=np.float64)
    flags = np.asarray(supported, dtype=np.bool_)
    if len(chances) != len(flags):
        raise UsageError(f"{len(chances)} probabilities and {len(flags)} labels: expected one label for each")
    outside = ~((chances >= 0) & (chances <= 1))
    if outside.any():
        raise UsageError(f"a probability of {chances[outside][0]}: expected from 0 to 1")
    return chances, flags
