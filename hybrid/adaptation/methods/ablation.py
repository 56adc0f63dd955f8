"""An adapter taken apart: which layers, kinds of layers and singular directions carry gain or forgetting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from hybrid.adaptation.methods.deltas import Delta, Deltas
from hybrid.adaptation.methods.lora import layer_of

_PARTS = 3


@dataclass(frozen=True, slots=True)
class DeltaGroup:
    """Part of an adapter: layers by their names, and of each the directions ``first`` up to ``last``."""

    name: str
    layers: frozenset[str]
    first: int = 0
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Worth:
    """What a part brings and costs: the domain's loss rises without it by so much, and general loss falls.

    Both are in nats a token.
    """

    group: DeltaGroup
    brings: float
    costs: float

    @property
    def pays(self) -> bool:
        """Tell whether it brings as much as it costs."""
        return self.brings >= self.costs


@dataclass(frozen=True, slots=True)
class Ablation:
    """The whole adapter against the base, and each of its parts against the whole."""

    whole: Worth
    parts: tuple[Worth, ...]

    @property
    def unpaid(self) -> tuple[DeltaGroup, ...]:
        """Return the parts that cost more than they bring."""
        return tuple(part.group for part in self.parts if not part.pays)


def delta_groups(deltas: Deltas) -> tuple[DeltaGroup, ...]:
    """Return the parts of an adapter that are tried: thirds of the blocks, kinds, and directions by size."""
    numbers = sorted({layer for name in deltas if (layer := layer_of(f".{name}")) is not None})
    found: list[DeltaGroup] = []
    for place in range(_PARTS):
        some = numbers[len(numbers) * place // _PARTS : len(numbers) * (place + 1) // _PARTS]
        inside = frozenset(name for name in deltas if layer_of(f".{name}") in some)
        if inside:
            found.append(DeltaGroup(f"blocks {some[0]} to {some[-1]}", inside))
    attention = frozenset(name for name in deltas if "att" in name)
    found += [DeltaGroup("attention", attention), DeltaGroup("other layers", frozenset(deltas) - attention)]
    largest = max(len(delta.down) for delta in deltas.values())
    first = 0
    while first < largest:  # 1, 2, 3 to 4, 5 to 8 ...
        last = min(max(first * 2, 1), largest)
        name = f"direction {last}" if last == first + 1 else f"directions {first + 1} to {last}"
        found.append(DeltaGroup(name, frozenset(deltas), first, last))
        first = last
    whole = (frozenset(deltas), 0)
    return tuple(
        group
        for group in found
        if group.layers and ((group.layers, group.first) != whole or (group.last or largest) < largest)
    )


def without(deltas: Deltas, dropped: Sequence[DeltaGroup]) -> dict[str, Delta]:
    """Return the changes without some parts of them; where nothing is dropped, as they were."""
    found: dict[str, Delta] = {}
    for name, delta in deltas.items():
        groups = [group for group in dropped if name in group.layers]
        if not groups:
            found[name] = delta
            continue
        turned, values = delta.rotated()
        keeps = torch.ones_like(values)
        for group in groups:
            keeps[group.first : group.last] = 0
        found[name] = Delta(turned.up * keeps, turned.down)
    return found


def ablate_deltas(
    deltas: Deltas,
    losses: Callable[[Deltas | None], tuple[float, float]],
    progress: Callable[[Worth], None] = lambda worth: None,
) -> Ablation:
    """Return what the whole and each part of an adapter bring and cost.

    Args:
        deltas: of the adapter.
        losses: the loss in the domain and of general text with some changes, None for the base.
        progress: told each part.
    """

    def compared(group: DeltaGroup, left: Mapping[str, Delta] | None) -> Worth:
        domain, general = losses(left)
        worth = Worth(group, domain - own, kept - general)
        progress(worth)
        return worth

    own, kept = losses(deltas)
    whole = compared(DeltaGroup("the whole adapter", frozenset(deltas)), None)
    parts = [compared(group, without(deltas, [group])) for group in delta_groups(deltas)]
    return Ablation(whole, tuple(parts))
