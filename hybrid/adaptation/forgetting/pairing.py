"""A measure before and after tuning on the same items: how much it changed, and how surely.

Takes two columns of values, gives a ``Change``. Knows nothing about what is measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from hybrid.adaptation.values import Change
from hybrid.statistics import MIN_SOURCES, resample

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
    contrast = resampling.contrast([-1.0, 1.0])
    if bounded or min(resampling.sources, contrast.differing) >= MIN_SOURCES:
        low, high = contrast.bound(1 - _LEVEL), contrast.bound(_LEVEL)
    else:
        reach = _spread(table[:, 1] - table[:, 0], sources)
        low, high = contrast.estimate - reach, contrast.estimate + reach
    low, high = sorted((low, high))
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


def _spread(differences: np.ndarray, sources: Sequence[str]) -> float:
    """Return half the width of the t interval over sources; endless for a single one that differs."""
    names = sorted(set(sources))
    sums = dict.fromkeys(names, 0.0)
    sizes = dict.fromkeys(names, 0)
    for value, source in zip(differences, sources, strict=True):
        sums[source] += float(value)
        sizes[source] += 1
    mean = sum(sums.values()) / len(differences)
    residuals = [sums[name] - mean * sizes[name] for name in names]
    if not any(residuals) and len(names) > 1:
        return 0.0
    if len(names) < 2:
        return math.inf if mean else 0.0
    spread = math.sqrt(sum(r * r for r in residuals) * len(names) / (len(names) - 1)) / len(differences)
    return float(special.stdtrit(len(names) - 1, _LEVEL)) * spread
