"""What scorers and word overlap say of labelled claims, the AUROC of it by source, and the best threshold."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hybrid.errors import UsageError
from hybrid.grounding.calibration import Array, Flags
from hybrid.grounding.examples import LabelledClaim
from hybrid.grounding.scorers.names import Scorer
from hybrid.grounding.values import Pair
from hybrid.statistics import MIN_SOURCES, Bootstrap, Estimate, Interval, source_places, source_weights
from hybrid.text.words import content_words, share_held

# How many claims are done, of how many.
Progress: TypeAlias = Callable[[int, int], None]

WORD_OVERLAP = "word overlap"
REPLICATES = 1_000
LEVEL = 0.95
# What a claim without evidence gets: no scorer has to be asked.
_NO_EVIDENCE = -20.0
_BLOCK = 32
_BLOCK_CELLS = 4_000_000


@dataclass(frozen=True, eq=False, slots=True)
class ScorerLogits:
    """What a scorer said of claims, in their order: finite logits, higher where the evidence carries them.

    ``pairs_per_second`` is how many pairs of claim and evidence it judged, ``megabytes`` what its weights
    take on disk; None if not measured. A ``floor`` is no scorer: it counts words.
    """

    name: str
    logits: Array
    pairs_per_second: float | None = None
    megabytes: float | None = None
    floor: bool = False


def best_passage(scorer: Scorer, claims: Sequence[LabelledClaim]) -> NDArray[np.float64]:
    """Return the greatest support of each claim over its passages; the order of these does not matter."""
    pairs = [Pair(text, claim.claim) for claim in claims for text in claim.evidence]
    found = scorer.score(pairs).support if pairs else np.zeros(0)
    ends = np.cumsum([len(claim.evidence) for claim in claims])
    parts = np.split(np.asarray(found, dtype=np.float64), ends)[: len(claims)]
    return np.array([part.max() if len(part) else _NO_EVIDENCE for part in parts], dtype=np.float64)


def measured(
    name: str, scorer: Scorer, claims: Sequence[LabelledClaim], *, progress: Progress | None = None
) -> ScorerLogits:
    """Return what a scorer says of claims under this name, its pairs a second and the size of its weights.

    The size is the scorer's ``megabytes`` (10⁶ bytes on disk), None of one that has no such attribute.
    """
    blocks = [np.zeros(0)]
    begun = time.perf_counter()
    for first in range(0, len(claims), _BLOCK):
        block = claims[first : first + _BLOCK]
        blocks.append(best_passage(scorer, block))
        if progress is not None:
            progress(first + len(block), len(claims))
    spent, pairs = time.perf_counter() - begun, sum(len(claim.evidence) for claim in claims)
    return ScorerLogits(
        name,
        np.concatenate(blocks),
        pairs_per_second=pairs / spent if pairs and spent > 0 else None,
        megabytes=getattr(scorer, "megabytes", None),
    )


def word_overlap(claims: Sequence[LabelledClaim]) -> ScorerLogits:
    """Return the floor that has to be beaten: which share of a claim's content words the evidence has."""
    logits = np.array([_overlap(claim) for claim in claims], dtype=np.float64)
    return ScorerLogits(WORD_OVERLAP, logits, megabytes=0.0, floor=True)


def choose_threshold(scores: ArrayLike, positive: ArrayLike) -> float:
    """Return the threshold of the greatest balanced accuracy; of several as good, the one in the middle.

    Thresholds lie half way between two scores, so that items near them are decided with equal care. Choose it
    on other data than it is used on.

    Raises:
        UsageError: there are no positives, or no negatives.
    """
    values, flags = _checked(scores, positive)
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

    def interval(self, weights: Sequence[float]) -> Estimate:
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
        ends = (1 - LEVEL) / 2, (1 + LEVEL) / 2
        if min(len(together), differing) >= MIN_SOURCES:
            low, high = (found.bound(end) for end in ends)
        else:
            unseen = sum(1 / (len(pulls) * (len(part) + 2)) ** 2 for part in pulls)
            low, high = (found.student_bound(end, unseen=unseen) for end in ends)
        least, most = float(by[by < 0].sum()), float(by[by > 0].sum())
        return Estimate(
            value, Interval(float(np.clip(low, least, most)), float(np.clip(high, least, most)), LEVEL)
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
    rows = [_checked(row, positive)[0] for row in np.asarray(scores, dtype=np.float64)]
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


def _checked(scores: ArrayLike, positive: ArrayLike) -> tuple[Array, Flags]:
    """Return scores and flags as arrays."""
    values, flags = np.asarray(scores, dtype=np.float64), np.asarray(positive, dtype=np.bool_)
    if len(values) != len(flags):
        raise UsageError(f"{len(values)} scores and {len(flags)} labels: expected one label for each score")
    if np.isnan(values).any():
        place = int(np.flatnonzero(np.isnan(values))[0])
        raise UsageError(f"score {place} of {len(values)} is not a number: every item needs one")
    return values, flags


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


def _overlap(claim: LabelledClaim) -> float:
    """Return the share of the claim's content words that stand in its evidence, as a logit."""
    said = content_words(claim.claim)
    there = {word for text in claim.evidence for word in content_words(text)}
    share = min(max(share_held(said, there), 0.01), 0.99)
    return math.log(share / (1 - share))
