"""A weaker adapter without training: the change that it makes to the weights, times a strength.

Takes the folder of an adapter, writes another one whose weights have the strength in them, so that whatever
loads adapters serves it. Knows nothing about which strength is best.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid.errors import AdapterError, UsageError
from hybrid.files import storage_errors
from hybrid.models.adapters import CONFIG, FULL_WEIGHTS, WEIGHTS

if TYPE_CHECKING:
    from torch import Tensor

# Of LoRA: the change is their product with the other factor, so it is as linear in them as in a strength.
_OUTER_FACTORS = (".lora_B.", ".lora_embedding_B")


def scale(adapter: Path, strength: float, out: Path, *, base: Path | None = None) -> Path:
    """Write an adapter with a strength into a new folder, without card; return the folder.

    Args:
        adapter: its folder.
        strength: what its change is multiplied by; 1 leaves it as it is.
        out: an empty folder, or none yet.
        base: the folder of the model that it was made for; needed where all weights were tuned.

    Raises:
        AdapterError: the method is not linear in its weights, as DoRA is not.
        UsageError: a strength that makes no sense.
        StorageError: the disk is full.
    """
    from safetensors.torch import load_file, save_file

    if not 0 < strength <= 2:
        raise UsageError(f"a strength of {strength:g} makes no sense", hint="give one from 0 to 1")
    with storage_errors(str(out)):
        out.mkdir(parents=True, exist_ok=True)
        if (adapter / WEIGHTS).is_file():
            _require_linear(adapter)
            shutil.copyfile(adapter / CONFIG, out / CONFIG)
            tensors = load_file(adapter / WEIGHTS)
            save_file(
                {name: _scaled(name, value, strength) for name, value in tensors.items()}, out / WEIGHTS
            )
        else:
            if base is None:
                raise UsageError("an adapter of all weights is scaled towards its base", hint="name the base")
            save_file(_between(base, load_file(adapter / FULL_WEIGHTS), strength), out / FULL_WEIGHTS)
    return out


def _scaled(name: str, value: Tensor, strength: float) -> Tensor:
    return value * strength if any(factor in name for factor in _OUTER_FACTORS) else value


def _require_linear(adapter: Path) -> None:
    config: dict[str, Any] = json.loads((adapter / CONFIG).read_text(encoding="utf-8"))
    others = [key for key in ("use_dora", "modules_to_save", "trainable_token_indices") if config.get(key)]
    others += ["bias"] if config.get("bias", "none") != "none" else []
    if config.get("peft_type") != "LORA" or others:
        what = ", ".join(others) or config.get("peft_type", "its kind")
        raise AdapterError(
            f"{adapter.name} cannot be made weaker without training: {what} does not change the weights in "
            "proportion to its own",
            hint="tune again with more rehearsal or a lower learning rate",
        )


def _between(base: Path, tuned: Mapping[str, Tensor], strength: float) -> dict[str, Tensor]:
    """Return what lies between the tensors of the base and the tuned ones."""
    from safetensors import safe_open

    found: dict[str, Tensor] = {}
    for file in sorted(base.glob("*.safetensors")):
        with safe_open(file, framework="pt") as tensors:
            for name in set(tensors.keys()) & tuned.keys():
                own = tensors.get_tensor(name).float()
                found[name] = (own + strength * (tuned[name].float() - own)).to(tuned[name].dtype)
    if missing := sorted(tuned.keys() - found.keys()):
        raise AdapterError(
            f"{len(missing)} tensors are not in {base} ({missing[0]}, …)", hint="name the base of the adapter"
        )
    return found
