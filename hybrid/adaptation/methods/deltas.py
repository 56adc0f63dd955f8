"""What a LoRA adapter changes, as low-rank matrices by layer: read from its folder, written as another."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hybrid.errors import AdapterError
from hybrid.files import storage_errors, write_json
from hybrid.models.adapters import CONFIG, WEIGHTS

_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"
_PREFIX = "base_model.model."
# What power iterations find of a matrix that is not of low rank; the same in every process.
_ITERATIONS, _BEYOND = 4, 8


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
    """Return what the adapter of a folder changes; ``read_adapter`` has to have found it safe.

    Raises:
        AdapterError: it is no LoRA whose changes can be added (DoRA, whole layers, other methods).
    """
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

    Args:
        out: an empty folder, or none yet.
        deltas: smaller ranks are filled up with nothing.
        like: the settings of the adapters that it comes from; the first names the base.
    """
    from safetensors.torch import save_file

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
    with storage_errors(str(out)):
        out.mkdir(parents=True, exist_ok=True)
        save_file(tensors, out / WEIGHTS)
    write_json(out / CONFIG, config)
    return out


def read_config(folder: Path) -> dict[str, Any]:
    """Return the settings of an adapter as PEFT keeps them; none where all weights were tuned."""
    path = folder / CONFIG
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return config


def _sorted(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value
