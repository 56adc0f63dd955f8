"""What scorers and floors say of labelled claims, the AUROC of it by source, and the best threshold."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hybrid.errors import UsageError
from hybrid.grounding.calibration import Array, Flags, grouped_folds
from hybrid.grounding.examples import Example, labels_of, sources_of
from hybrid.grounding.scorers.names import Scorer
from hybrid.grounding.values import Pair
from hybrid.statistics import MIN_SOURCES, Bootstrap, Estimate, Interval, source_places, source_weights
from hybrid.text.words import content_words, share_held, tokens

# Learns from the claims of the first flags, says something of those of the second.
_Learner: TypeAlias = Callable[[Flags, Flags], Array]
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
    take on disk; None if not measured. A ``floor`` is no scorer: it knows words, lengths or labels of other
    claims.
    """

    name: str
    logits: Array
    pairs_per_second: float | None = None
    megabytes: float | None = None
    floor: bool = False


def best_passage(scorer: Scorer, claims: Sequence[Example]) -> NDArray[np.float64]:
    """Return the greatest support of each claim over its passages; the order of these does not matter."""
    pairs = [Pair(text, claim.claim) for claim in claims for text in claim.evidence]
    found = scorer.score(pairs).support if pairs else np.zeros(0)
    ends = np.cumsum([len(claim.evidence) for claim in claims])
    parts = np.split(np.asarray(found, dtype=np.float64), ends)[: len(claims)]
    return np.array([part.max() if len(part) else _NO_EVIDENCE for part in parts], dtype=np.float64)


def measured(
    name: str, scorer: Scorer, claims: Sequence[Example], *, progress: Progress | None = None
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


def floors(claims: Sequence[Example], *, seed: int = 0) -> list[ScorerLogits]:
    """Return the floors, word overlap first; those that learn from labels need two sources.

    They learn on other sources than they are used on, and every fold's scores lie around 0: what a fold's
    share of supported claims is ranks none of them.
    """
    found = [(WORD_OVERLAP, np.array([_overlap(claim) for claim in claims], dtype=np.float64))]
    labels, sources = labels_of(claims), sources_of(claims)
    if len(set(sources)) > 1:
        fold_of = grouped_folds(labels, sources, seed=seed)
        said = [tokens(claim.claim) for claim in claims]
        there = [tokens(" ".join(claim.evidence)) for claim in claims]
        learners: dict[str, _Learner] = {
            "claim words": partial(_by_words, [frozenset(words) for words in said], labels),
            "claim length": partial(_by_length, np.log1p([len(words) for words in said]), labels),
            "evidence length": partial(_by_length, np.log1p([len(words) for words in there]), labels),
            "task prior": partial(_by_share, source_places([claim.task for claim in claims]), labels),
        }
        for name, learner in learners.items():
            logits = np.zeros(len(claims))
            for fold in range(int(fold_of.max()) + 1):
                logits[fold_of == fold] = learner(fold_of != fold, fold_of == fold)
            found.append((name, logits))
    return [ScorerLogits(name, logits, megabytes=0.0, floor=True) for name, logits in found]


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


def _checked(scores: ArrayLike, positive: ArrayLike) -> tuple[Array, Flags]:
    """Return scores and flags as arrays.

    Raises:
        UsageError: there are not as many of both, or a score is not a number.
    """
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


def _overlap(claim: Example) -> float:
    """Return the share of the claim's content words that stand in its evidence, as a logit."""
    said = content_words(claim.claim)
    there = {word for text in claim.evidence for word in content_words(text)}
    share = min(max(share_held(said, there), 0.01), 0.99)
    return math.log(share / (1 - share))


def _by_words(words: list[frozenset[str]], labels: Flags, known: Flags, asked: Flags) -> Array:
    """Naive Bayes over the words that a claim holds."""
    sides = (known & labels, known & ~labels)
    counts = [Counter(word for at in np.flatnonzero(side) for word in words[at]) for side in sides]
    sizes = [int(side.sum()) for side in sides]

    def weight(word: str) -> float:
        more, less = ((count[word] + 0.5) / (size + 1) for count, size in zip(counts, sizes, strict=True))
        return math.log(more / less)

    # in order, for the sum of floats depends on it
    return np.array([sum(map(weight, sorted(words[place]))) for place in np.flatnonzero(asked)])


def _by_length(lengths: Array, labels: Flags, known: Flags, asked: Flags) -> Array:
    """Linear discriminant over the logarithm of the number of words, whichever way it points."""
    upper, lower = lengths[known & labels], lengths[known & ~labels]
    spread = float(lengths[known].var())
    if not len(upper) or not len(lower) or spread < 1e-12:
        return np.zeros(int(asked.sum()))
    slope = (upper.mean() - lower.mean()) / spread
    return np.asarray(slope * (lengths[asked] - (upper.mean() + lower.mean()) / 2), dtype=np.float64)


def _by_share(tasks: NDArray[np.int64], labels: Flags, known: Flags, asked: Flags) -> Array:
    """Log-odds of support of the task, over those of all tasks."""
    size = int(tasks.max()) + 1
    right = np.bincount(tasks[known & labels], minlength=size)
    wrong = np.bincount(tasks[known & ~labels], minlength=size)
    whole = np.log((right.sum() + 1) / (wrong.sum() + 1))
    odds = np.where(right + wrong > 0, np.log((right + 1) / (wrong + 1)), whole) - whole
    return np.asarray(odds[tasks[asked]], dtype=np.float64)
