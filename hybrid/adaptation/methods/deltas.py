"""What adapters change, ΔW of each layer: merged, taken apart, and how far it moves a model.

Merging (linear, concatenated, TIES: arXiv:2306.01708, DARE: arXiv:2311.03099) works on ΔW, as in the papers,
and not on its factors, whose products would mix. What comes of it is LoRA again, of the nearest rank.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hybrid.adaptation.methods.encoding import TokenStretch, pieces
from hybrid.adaptation.methods.lora import layer_of
from hybrid.adaptation.values import Merging, silent
from hybrid.errors import AdapterError, UsageError
from hybrid.files import write_json, write_tensors
from hybrid.models.adapters import CONFIG, WEIGHTS, read_config
from hybrid.models.generator import TransformersGenerator

_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"
_PREFIX = "base_model.model."
# What power iterations find of a matrix that is not of low rank; the same in every process.
_ITERATIONS, _BEYOND = 4, 8
# Tried for each adapter in turn, the others as they are.
_GRID = (0.0, 0.3, 0.6, 1.0)
# Thirds of the blocks are left out in turn.
_PARTS = 3
# So many directions hold most of what varies between tokens.
DIRECTIONS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Delta:
    """ΔW = ``up`` (out, r) times ``down`` (r, in), with the scale of the adapter in it."""

    up: Tensor
    down: Tensor

    @property
    def dense(self) -> Tensor:
        """Return ΔW, (out, in)."""
        return self.up @ self.down

    def rotated(self) -> tuple[Delta, Tensor]:
        """Return the same with singular directions as columns, the largest first, and the singular values."""
        (q, r), (p, s) = torch.linalg.qr(self.up), torch.linalg.qr(self.down.t())
        left, values, right = torch.linalg.svd(r @ s.t(), full_matrices=False)
        return Delta(q @ left * values, right @ p.t()), values


# The changes of an adapter by the names of the layers in the base.
Deltas = Mapping[str, Delta]


def nearest(matrix: Tensor, rank: int) -> Delta:
    """Return the nearest matrix of a rank (by power iterations, to about a thousandth of what is left)."""
    rank = min(rank, *matrix.shape)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        wide = min(rank + _BEYOND, *matrix.shape)
        left, values, right = torch.svd_lowrank(matrix, q=wide, niter=_ITERATIONS)
    return Delta(left[:, :rank] * values[:rank], right[:, :rank].t())


def read_deltas(folder: Path) -> dict[str, Delta]:
    """Return what the adapter of a folder changes; ``read_adapter`` has to have found it safe."""
    from peft.utils.other import get_pattern_key
    from safetensors.torch import load_file

    config = read_config(folder)
    tensors = load_file(folder / WEIGHTS)
    names = sorted(name.removesuffix(_DOWN) for name in tensors if name.endswith(_DOWN))
    beside = sorted(tensors.keys() - {name + end for name in names for end in (_DOWN, _UP)})
    beside += sorted(path.name for path in folder.glob("head.*"))  # of labels, for these weights alone
    if config.get("peft_type") != "LORA" or config.get("use_dora") or beside or not names:
        found = "DoRA" if config.get("use_dora") else ", ".join(beside[:3]) or str(config.get("peft_type"))
        raise AdapterError(
            f"{folder.name} is no adapter whose changes can be taken apart or added: it has {found}",
            hint="expected LoRA or rsLoRA, as `hybrid adapt generator --method lora` makes it",
        )
    alphas = config.get("alpha_pattern") or {}
    deltas: dict[str, Delta] = {}
    for name in names:
        down, up = tensors[name + _DOWN].float(), tensors[name + _UP].float()
        own = name.removeprefix(_PREFIX)
        alpha = float(alphas.get(get_pattern_key(list(alphas), own), config["lora_alpha"]))
        rank = len(down)
        deltas[own] = Delta(up * (alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)), down)
    return deltas


def write_deltas(out: Path, deltas: Deltas, like: Sequence[Mapping[str, Any]]) -> Path:
    """Write changes as an adapter in PEFT's format, without card; return the folder.

    ``like``: the settings of the adapters that it comes from; the first names the base.
    """
    rank = max(len(delta.down) for delta in deltas.values())
    places = ("target_modules", "layers_to_transform", "layers_pattern")
    first, *others = [[json.dumps(_sorted(config.get(key))) for key in places] for config in like]
    own = dict.fromkeys(places) | {"target_modules": sorted(deltas)}
    if all(other == first for other in others):
        own = {key: like[0].get(key) for key in places}
    fresh = {"rank_pattern": {}, "alpha_pattern": {}, "use_rslora": False, "lora_dropout": 0.0}
    config = {**like[0], **own, **fresh, "r": rank, "lora_alpha": rank, "init_lora_weights": True}
    tensors: dict[str, Tensor] = {}
    for name, delta in deltas.items():
        up, down = torch.zeros(len(delta.up), rank), torch.zeros(rank, delta.down.shape[1])
        up[:, : len(delta.down)], down[: len(delta.down)] = delta.up, delta.down
        tensors |= {f"{_PREFIX}{name}{_UP}": up, f"{_PREFIX}{name}{_DOWN}": down}
    write_tensors(out / WEIGHTS, tensors)
    write_json(out / CONFIG, config)
    return out


def _sorted(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value


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
    """Return one adapter's changes from those of several, of any ranks and layers."""
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
    """Return the weights of the least loss, adapter by adapter over a small grid, until none gets better."""
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
    progress: Callable[[Worth], None] = silent,
) -> Ablation:
    """Return what the whole and each part of an adapter bring and cost.

    ``losses``: the loss in the domain and of general text with some changes, None for the base.
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


@dataclass(frozen=True, slots=True)
class BlockDrift:
    """A block of the model.

    ``domain`` and ``general`` are the mean angles in degrees (0 to 90) between the main directions of what
    the block gives with and without the adapter, on text of both kinds. ``change`` is ‖ΔW‖ / ‖W‖ of the
    layers that changed, ``rank`` their mean effective rank; both are 0 where none did.
    """

    block: int
    domain: float
    general: float
    change: float
    rank: float


def measure_drift(
    base: TransformersGenerator,
    adapted: TransformersGenerator,
    folder: Path,
    domain: Sequence[str],
    general: Sequence[str],
) -> tuple[BlockDrift, ...]:
    """Return how far each block moved."""
    turned = [_angles(base, adapted, texts) for texts in (domain, general)]
    sizes = _changes(base, adapted, folder)
    return tuple(
        BlockDrift(block, near, far, *sizes.get(block, (0.0, 0.0)))
        for block, (near, far) in enumerate(zip(*turned, strict=True))
    )


def principal_angles(first: Tensor, second: Tensor, directions: int = DIRECTIONS) -> list[float]:
    """Return the angles in degrees, the largest first, between the main directions of two clouds (d, d)."""
    from scipy.linalg import subspace_angles

    main = [torch.linalg.eigh(each)[1][:, -directions:].numpy() for each in (first, second)]
    found: list[float] = np.degrees(subspace_angles(*main)).tolist()
    return found


def effective_rank(values: Tensor) -> float:
    """Return the exponential of the entropy of singular values: how many count, as if all alike."""
    shares = values / values.sum()
    return float(torch.special.entr(shares).sum().exp())


def _angles(base: TransformersGenerator, adapted: TransformersGenerator, texts: Sequence[str]) -> list[float]:
    stretches = [stretch for text in texts for stretch in pieces(base, text)]
    spread = [_covariances(subject, stretches) for subject in (base, adapted)]
    return [float(np.mean(principal_angles(one, other))) for one, other in zip(*spread, strict=True)]


def _covariances(subject: TransformersGenerator, stretches: Sequence[TokenStretch]) -> list[Tensor]:
    """Return the covariance of what each block gives, over all tokens but the first of a text.

    The first token is a sink of attention: hundreds of times as long as any other, it would be the only
    direction that is seen.
    """
    sums: list[Tensor] = []
    count = 0
    for stretch in stretches:
        with subject.lent() as module, torch.inference_mode():
            ids = torch.tensor([stretch.ids], device=next(module.parameters()).device)
            states = module(input_ids=ids, output_hidden_states=True, use_cache=False).hidden_states[1:]
        rows = [state[0, 1:].double().cpu() for state in states]
        # a column of ones gives the sums beside the products
        wide = [torch.cat([row, torch.ones(len(row), 1)], 1) for row in rows]
        products = [row.t() @ row for row in wide]
        sums = [a + b for a, b in zip(sums, products, strict=True)] if sums else products
        count += len(rows[0])
    means = [total[:-1, -1] / count for total in sums]
    return [total[:-1, :-1] / count - torch.outer(m, m) for total, m in zip(sums, means, strict=True)]


def _changes(
    base: TransformersGenerator, adapted: TransformersGenerator, folder: Path
) -> dict[int, tuple[float, float]]:
    """Return ‖ΔW‖ / ‖W‖ and the mean effective rank of each block that changed."""
    try:
        deltas = read_deltas(folder)
    except AdapterError:  # not of low rank: what it does to the weights is looked at instead
        deltas = {}
    with base.lent() as module:
        before = {name: value for name, value in module.named_parameters() if value.dim() == 2}
    with adapted.lent() as module:
        after = dict(module.named_parameters())
    found: dict[int, list[tuple[float, float, float]]] = {}
    for name, weight in before.items():
        block, delta = layer_of(name), deltas.get(name.removesuffix(".weight"))
        if block is None or (delta is None and after[name] is weight):
            continue
        change = (after[name].detach() - weight.detach()).float()
        values = torch.linalg.svdvals(change) if delta is None else delta.rotated()[1]
        if values.any():
            square, whole = float(values.square().sum()), float(weight.detach().float().square().sum())
            found.setdefault(block, []).append((square, whole, effective_rank(values)))
    sums = {block: (*map(sum, zip(*rows, strict=True)), len(rows)) for block, rows in found.items()}
    return {block: ((square / whole) ** 0.5, ranks / n) for block, (square, whole, ranks, n) in sums.items()}
