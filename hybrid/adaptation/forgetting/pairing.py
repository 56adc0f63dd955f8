"""A measure before and after tuning on the same items: how much it changed, and how surely."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hybrid.adaptation.values import Change
from hybrid.statistics import resample

_LEVEL = 0.95
_REPLICATES = 4_000


def paired_change(
    measure: str,
    before: Sequence[float],
    after: Sequence[float],
    sources: Sequence[str],
    *,
    unit: str,
    higher_is_better: bool,
    scale: float = 1.0,
    bounded: bool = False,
    seed: int = 0,
) -> Change:
    """Return means, their difference, and its one-sided 95 % bounds, resampled by source.

    Args:
        measure: its name.
        before: a value an item.
        after: the same items.
        sources: for each item what it was drawn with: items of one source are not independent.
        unit: what the result is counted in.
        higher_is_better: whether a fall is a loss.
        scale: what values are multiplied with, 100 for points.
        bounded: whether values are rights and wrongs from 0 to 1, whose rare differences may not have been
            seen yet; else their spread is what was seen.
        seed: of the resampling.
    """
    assert len(before) == len(after) == len(sources) > 0, "a change is measured on something"
    table = np.column_stack([np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)])
    resampling = resample(table, sources, replicates=_REPLICATES, seed=seed)
    contrast = resampling.difference(1, 0)
    ends = contrast.interval(1 - _LEVEL, rare=bounded)
    low, high = sorted((ends.low, ends.high))
    means = resampling.means
    return Change(
        measure=measure,
        before=float(means[0]) * scale,
        after=float(means[1]) * scale,
        change=contrast.estimate * scale,
        low=low * scale,
        high=high * scale,
        unit=unit,
        items=len(before),
        higher_is_better=higher_is_better,
    )
