"""Which examples are judged by what was learned from the others? Folds that never part a source.

Takes labels and sources, gives a fold for each example. Knows nothing about what is learned.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hybrid.errors import UsageError
from hybrid.statistics import source_places

FOLDS = 5


def grouped_folds(
    supported: ArrayLike, sources: Sequence[str], *, folds: int = FOLDS, seed: int = 0
) -> NDArray[np.int64]:
    """Return the fold of each example, from 0; all examples of a source are in one.

    The largest sources are dealt first, each to the fold that has least of its labels, so that the folds are
    about alike in size and in their share of supported examples. There are as many folds as sources if these
    are fewer.

    Raises:
        UsageError: there are fewer than two sources, or not one for each example.
    """
    flags = np.asarray(supported, dtype=np.bool_)
    if len(flags) != len(sources):
        raise UsageError(f"{len(sources)} sources and {len(flags)} labels: expected a source for each label")
    places = source_places(sources)
    held = np.stack([np.bincount(places, weights=kind) for kind in (flags, ~flags)])
    count = held.shape[1]
    if count < 2:
        raise UsageError(
            f"{len(flags)} examples of {count} source cannot be parted: they depend on each other",
            hint="give examples from two documents at least, and say in each which it is from",
        )
    folds = min(folds, count)
    order = np.random.default_rng(seed).permutation(count)
    order = order[np.argsort(-held.sum(axis=0)[order], kind="stable")]
    whole = np.maximum(held.sum(axis=1), 1.0)
    dealt = np.zeros((2, folds))
    of_source = np.zeros(count, dtype=np.int64)
    for source in order:
        own = held[:, source] / whole
        # of folds that hold as much of these labels, the one that holds least at all: none stays empty
        fold = int(np.lexsort((dealt.sum(axis=0), own @ dealt))[0])
        of_source[source] = fold
        dealt[:, fold] += own
    return of_source[places]
