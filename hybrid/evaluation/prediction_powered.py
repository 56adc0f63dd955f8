"""Join a few judgements of people with many automatic scores: PPI++ (Angelopoulos et al. 2023).

The mean of the sums by source is the prediction-powered one; everything that is done with plain scores can be
done with them. A judge that agrees with people narrows the interval, one that does not is left out by its
weight; neither biases the estimate, as long as the questions for people were drawn at random.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hybrid.errors import UsageError
from hybrid.statistics import Array, Resampling, resample

# With fewer, the weight itself is too uncertain.
MIN_GOLD = 50
# Judgements of fewer sources say too little about how judgements differ between sources.
MIN_GOLD_SOURCES = 20


def power_weight(gold: Array, automatic: Array) -> float:
    """Return how much the automatic scores count, from 0 to 1: what minimises the variance of the mean.

    It is the slope of gold on automatic scores. The paper divides by 1 + judged / unjudged, for its
    automatic mean leaves the judged questions out; ours is over all of them, and that is the same estimate.

    Args:
        gold: scores by people, shape (judged,).
        automatic: automatic scores of the same questions.
    """
    spread = float(np.var(automatic))
    if spread == 0:
        return 0.0
    together = float(np.mean((gold - gold.mean()) * (automatic - automatic.mean())))
    return float(np.clip(together / spread, 0.0, 1.0))


def powered(
    automatic: Array,
    gold: Array,
    judged: Sequence[int],
    sources: Sequence[str],
    *,
    replicates: int,
    seed: int,
) -> Resampling:
    """Return the resampling of prediction-powered means.

    Each question counts its automatic score times the weight; a judged one also what people corrected,
    scaled up to all questions and taken about its mean, so that drawing more or fewer judged questions
    does not count as uncertainty of the correction.

    Args:
        automatic: shape (questions, arms).
        gold: shape (judged, arms).
        judged: the rows that gold is about.
        sources: of all questions.
        replicates: of the resampling.
        seed: of the resampling.

    Raises:
        UsageError: too few judgements, or of too few sources.
    """
    if len(judged) < MIN_GOLD:
        raise UsageError(
            f"{len(judged)} gold judgements, at least {MIN_GOLD} are needed",
            hint="judge more questions, drawn at random",
        )
    judged_sources = len({sources[row] for row in judged})
    if judged_sources < MIN_GOLD_SOURCES:
        raise UsageError(
            f"the gold judgements are of {judged_sources} sources, at least {MIN_GOLD_SOURCES} are needed",
            hint="draw the questions for people at random from all sources",
        )
    rows: NDArray[np.int64] = np.asarray(judged)
    scale = len(automatic) / len(rows)
    values = np.empty_like(automatic)
    for arm in range(automatic.shape[1]):
        weight = power_weight(gold[:, arm], automatic[rows, arm])
        corrections = gold[:, arm] - weight * automatic[rows, arm]
        values[:, arm] = weight * automatic[:, arm] + corrections.mean()
        values[rows, arm] += scale * (corrections - corrections.mean())
    return resample(values, sources, replicates=replicates, seed=seed)
