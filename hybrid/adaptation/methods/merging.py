"""Several adapters made one: linear, concatenated, TIES (arXiv:2306.01708), DARE (arXiv:2311.03099).

All of them work on what the adapters change, ΔW, as in the papers, and not on the factors of it, whose
products would mix. What comes of it is written as LoRA again, of the nearest rank.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hybrid.adaptation.methods.deltas import Delta, Deltas, nearest
from hybrid.adaptation.values import Merging
from hybrid.errors import UsageError

# Tried for each adapter in turn, the others as they are.
_GRID = (0.0, 0.3, 0.6, 1.0)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to merge: ``density`` is the share of entries that TIES and DARE keep, ``rank`` 0 the usual one."""

    by: Merging = Merging.TIES
    density: float = 0.5
    rank: int = 0
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class MergedDeltas:
    """What came of it, and the share of its square that the rank could keep."""

    deltas: Deltas
    kept: float


def merge_deltas(parts: Sequence[Deltas], weights: Sequence[float], recipe: Recipe) -> MergedDeltas:
    """Return one adapter's changes from those of several, of any ranks and layers.

    Raises:
        UsageError: fewer than two, not a weight for each, or a density that makes no sense.
    """
    if len(parts) < 2 or len(weights) != len(parts) or not any(weights):
        raise UsageError(
            f"{len(parts)} adapters and the weights {list(weights)}: expected two or more, a weight for each"
        )
    if not 0 < recipe.density <= 1:
        raise UsageError(f"a density of {recipe.density:g} makes no sense", hint="give one from 0.1 to 1")
    merged: dict[str, Delta] = {}
    whole = kept = 0.0
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        for name in sorted({name for part in parts for name in part}):
            some = [(part[name], weight) for part, weight in zip(parts, weights, strict=True) if name in part]
            merged[name], size = _one([delta for delta, _ in some], [weight for _, weight in some], recipe)
            whole += size
            kept += float(merged[name].rotated()[1].square().sum())
    return MergedDeltas(merged, kept / whole if whole else 1.0)


def _one(deltas: Sequence[Delta], weights: Sequence[float], recipe: Recipe) -> tuple[Delta, float]:
    """Return the merged change of one layer, and the square of what it would be at full rank."""
    ranks = [len(delta.down) for delta in deltas]
    if recipe.by in (Merging.LINEAR, Merging.CAT):
        ups = [delta.up * weight for delta, weight in zip(deltas, weights, strict=True)]
        exact = Delta(torch.cat(ups, 1), torch.cat([delta.down for delta in deltas]))
        turned, values = exact.rotated()
        rank = recipe.rank or (max(ranks) if recipe.by is Merging.LINEAR else sum(ranks))
        found = exact if rank >= sum(ranks) else Delta(turned.up[:, :rank], turned.down[:rank])
        return found, float(values.square().sum())
    dense = entrywise([delta.dense for delta in deltas], weights, recipe)
    return nearest(dense, recipe.rank or sum(ranks)), float(dense.square().sum())


def entrywise(changes: Sequence[Tensor], weights: Sequence[float], recipe: Recipe) -> Tensor:
    """Return changes merged entry by entry, by PEFT; entries are dropped by torch's own random numbers."""
    from peft.utils import merge_utils

    ways: dict[Merging, Callable[[list[Tensor], Tensor, float], Tensor]] = {
        Merging.TIES: merge_utils.ties,
        Merging.DARE_LINEAR: merge_utils.dare_linear,
        Merging.DARE_TIES: merge_utils.dare_ties,
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The density")  # at 1, that nothing is dropped
        return ways[recipe.by](list(changes), torch.tensor(weights, dtype=changes[0].dtype), recipe.density)


def search_weights(count: int, loss: Callable[[tuple[float, ...]], float]) -> tuple[float, ...]:
    """Return the weights of the least loss, adapter by adapter over a small grid, until none gets better.

    Args:
        count: of adapters.
        loss: of validation examples with these weights, lower is better.
    """
    best = (round(1 / count, 2),) * count
    known = {best: loss(best)}
    while True:
        before = best
        for place in range(count):
            for value in _GRID:
                tried = (*best[:place], value, *best[place + 1 :])
                if tried not in known and any(tried):
                    known[tried] = loss(tried)
            best = min(known, key=lambda weights: (known[weights], weights))
        if best == before:
            return best
