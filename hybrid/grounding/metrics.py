"""Binary classification by ranks, thresholds and probabilities; None where there is nothing to measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from hybrid.errors import UsageError
from hybrid.statistics import MIN_SOURCES, Bootstrap, Estimate, Interval, source_places, source_weights

# Items of equal score cannot be told apart, so no figure depends on the order of the input; one that reaches
# the threshold is taken for positive.
Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

REPLICATES = 1_000
_BLOCK_CELLS = 4_000_000
LEVEL = 0.95
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


def log_loss_skill(probabilities: ArrayLike, supported: ArrayLike) -> float | None:
    """Return 1 − log-loss / log-loss of the share of supported claims; None where all labels are alike.

    1 is perfect, 0 is as good as knowing only the share, below 0 is worse than that.
    """
    chances, flags = _chances(probabilities, supported)
    if flags.all() or not flags.any():
        return None
    chances = np.clip(chances, _NEAREST, 1 - _NEAREST)
    loss = float(-np.mean(np.where(flags, np.log(chances), np.log1p(-chances))))
    share = float(flags.mean())
    return 1.0 - loss / float(special.entr(share) + special.entr(1 - share))


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


@dataclass(frozen=True, eq=False, slots=True)
class Replicates:
    """The AUROCs of several scorers, and what resampling by source gave of them.

    ``values`` has shape (scorers,), ``drawn`` (replicates, scorers), and each of ``pulls`` (sources,
    scorers): what the sources of one set add to the values, by the jackknife.
    """

    values: Array
    drawn: Array
    pulls: tuple[Array, ...]

    def interval(self, weights: Sequence[float], *, level: float = LEVEL) -> Estimate:
        """Return a weighted sum of the AUROCs, such as one minus another, with its two-sided interval.

        It is the bias-corrected and accelerated bootstrap (Efron 1987), widened for few sources (Hesterberg
        2015). Of fewer than ten sources, or of fewer than ten that differ, it is the interval of Student over
        the jackknife with one source more won and one lost half, for the tails are not known then.
        """
        by = np.asarray(weights, dtype=np.float64)
        value = float(self.values @ by)
        if min(len(part) for part in self.pulls) < 2:
            return Estimate(value)
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
        return Estimate(
            value, Interval(float(np.clip(low, least, most)), float(np.clip(high, least, most)), level)
        )


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

    def found(weights: Array) -> Array:
        """Return the AUROCs by each row of weights of the sources; NaN where there is none."""
        pairs = ((weights @ held[0]) * (weights @ held[1]))[:, None]
        wins = np.stack([each.wins(weights) for each in ranked], axis=1)
        return np.asarray(np.divide(wins, pairs, out=np.full_like(wins, np.nan), where=pairs > 0))

    count, width = held.shape[1], max(held.shape[1], len(flags))
    values = found(np.ones((1, count)))[0]
    blocks = source_weights(count, replicates=replicates, seed=seed, width=width)
    drawn = np.concatenate([found(weights) for weights in blocks])
    drawn = drawn[~np.isnan(drawn[:, 0])]
    drawn = drawn[np.arange(replicates) % len(drawn)] if len(drawn) else np.tile(values, (replicates, 1))
    # the jackknife: each source left out in turn, and nothing is pulled where nothing is left
    step = max(_BLOCK_CELLS // width, 1)
    left = [found(1.0 - np.eye(min(step, count - at), count, k=at)) for at in range(0, count, step)]
    without = np.concatenate(left)
    without = np.where(np.isnan(without), values, without)
    return Replicates(values, drawn, (without.mean(axis=0) - without,))


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


@dataclass(frozen=True, eq=False, slots=True)
class _Ranked:
    """The sources of the negatives of one scorer in order, those of the positives, and where these stand."""

    lower: NDArray[np.int64]
    upper: NDArray[np.int64]
    below: NDArray[np.int64]
    upto: NDArray[np.int64]

    @classmethod
    def of(cls, scores: Array, flags: Flags, places: NDArray[np.int64]) -> _Ranked:
        order = np.argsort(scores[~flags], kind="stable")
        negatives = scores[~flags][order]
        return cls(
            places[~flags][order],
            places[flags],
            np.searchsorted(negatives, scores[flags], "left"),
            np.searchsorted(negatives, scores[flags], "right"),
        )

    def wins(self, weights: Array) -> Array:
        """Return the weighted pairs that positives win, ties half, for each row of weights of the sources."""
        sums = np.zeros((len(weights), len(self.lower) + 1))
        np.cumsum(weights[:, self.lower], axis=1, out=sums[:, 1:])
        beaten = (sums[:, self.below] + sums[:, self.upto]) / 2
        return np.asarray(np.einsum("ij,ij->i", beaten, weights[:, self.upper]))
