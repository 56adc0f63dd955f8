"""An adapter that plain PEFT wrote (axolotl, unsloth, TRL), read with suspicion and made one of ours."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hybrid.adaptation.store import write_card
from hybrid.adaptation.values import AdapterKind, Card, Data
from hybrid.config import Method, Reader
from hybrid.errors import AdapterError, UsageError
from hybrid.files import storage_errors, write_json
from hybrid.models.adapters import CONFIG, WEIGHTS

_PREFIX = "base_model.model."
_PICKLED = "adapter_model.bin"
_CONVERT = (
    'convert it where you trust it: python -c "import torch, safetensors.torch as s; '
    "s.save_file({{k: v.contiguous() for k, v in torch.load('{0}', weights_only=True).items()}}, "
    "'{1}')\""
)
_MERGE = (
    "merge it with its own base by PEFT (merge_and_unload), and name the merged folder as models.generator"
)
# What decides what LoRA does and is taken over, beside the modules, which the weights themselves name.
_TAKEN = ("lora_alpha", "use_rslora", "use_dora", "fan_in_fan_out", "bias", "modules_to_save")
# What says where weights are, which training they had, or who wrote them.
_WITHOUT_EFFECT = frozenset(
    {
        *("peft_type", "task_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision"),
        *(
            "inference_mode",
            "r",
            "target_modules",
            "exclude_modules",
            "layers_to_transform",
            "layers_pattern",
        ),
        *(
            "rank_pattern",
            "alpha_pattern",
            "lora_dropout",
            "megatron_core",
            "loftq_config",
            "qalora_group_size",
        ),
        *("runtime_config", "eva_config", "lora_ga_config", "ensure_weight_tying", "init_lora_weights"),
    }
)
# Trained on a base that was changed first: on the base as it is they do something else.
_CHANGED_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
_PLAIN = re.compile(r"[\w.-]+")
# What quantised copies and mirrors put around the name of a model.
_COPY = re.compile(r"[-_.](?:unsloth|bnb|nf4|4bit|8bit|bf16|fp16|gguf|gptq|awq|hf)\b")


@dataclass(frozen=True, slots=True)
class BaseModel:
    """The model that an adapter shall serve with here."""

    kind: AdapterKind
    name: str
    digest: str


def kind_of(folder: Path) -> AdapterKind:
    """Return what an adapter changes, by its configuration.

    Raises:
        AdapterError: the folder is no adapter that plain PEFT wrote, or is pickled; with what to do.
    """
    embeds = _config(folder).get("task_type") == "FEATURE_EXTRACTION"
    return AdapterKind.EMBEDDER if embeds else AdapterKind.GENERATOR


def take_in(folder: Path, base: BaseModel, out: Path) -> tuple[Card, tuple[str, ...]]:
    """Write what a folder holds as an adapter of ours; return its card, and what is not known for sure.

    The configuration is written anew: modules are those that have weights, so no pattern is run; what else
    decides what the adapter does is taken over or refused. Nothing but it and the weights is copied.

    Args:
        folder: with adapter_config.json and adapter_model.safetensors.
        base: to serve with. Whether the adapter fits it is seen when it is loaded.
        out: an empty folder for the result.

    Raises:
        AdapterError: it is pickled, damaged, or of a kind that cannot be served here; with what to do.
    """
    config = _config(folder)
    shapes = _shapes(folder / WEIGHTS)
    ranks = {
        name.removeprefix(_PREFIX).partition(".lora_")[0]: shape[0]
        for name, shape in shapes.items()
        if ".lora_A" in name or ".lora_embedding_A" in name
    }
    if not ranks:
        raise AdapterError(
            f"{folder / WEIGHTS} has no LoRA weights: {', '.join(list(shapes)[:3])}", hint=_MERGE
        )
    rank = Counter(ranks.values()).most_common(1)[0][0]
    written = {
        "peft_type": "LORA",
        "r": rank,
        "target_modules": sorted(ranks),
        "rank_pattern": {name: own for name, own in ranks.items() if own != rank},
        "alpha_pattern": config.get("alpha_pattern") or {},
        **{key: config[key] for key in _TAKEN if config.get(key) is not None},
    }
    with storage_errors(str(out)):
        out.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / WEIGHTS, out / WEIGHTS)
        write_json(out / CONFIG, written)
    named = str(config.get("base_model_name_or_path") or "")
    card = Card(
        name="",
        kind=base.kind,
        base=base.name,
        base_digest=base.digest,
        method=_method(config),
        data=Data("", "not stated", {}),
        settings={"rank": rank, "alpha": config["lora_alpha"], "base named by its maker": named},
        reader=Reader.GENERATOR if base.kind is AdapterKind.GENERATOR else None,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions={"peft": str(config.get("peft_version") or "not stated")},
    )
    write_card(out, card)
    notes = ["its data, licence, gain and cost are not known"]
    if _plain_name(named) != _plain_name(base.name):
        notes.append(
            f"it names {named or 'no model'} as its base, and shall serve with {base.name}: that its weights "
            "fit and have an effect is shown, that it was trained on these weights is not"
        )
    return card, tuple(notes)


def _config(folder: Path) -> dict[str, Any]:
    """Return the configuration of a LoRA adapter that can be served; everything else is refused."""
    path = folder / CONFIG
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", hint=f"name a folder with {CONFIG} and {WEIGHTS}")
    if not path.is_file():
        inner = sorted(found.parent for found in folder.glob(f"*/{CONFIG}"))
        whole = (folder / "config.json").is_file()
        raise AdapterError(
            f"{folder} is no adapter: it has no {CONFIG}",
            hint=f"there is one in {inner[-1]}"
            if inner
            else "it is a whole model: name it as models.generator"
            if whole
            else f"name a folder with {CONFIG} and {WEIGHTS}",
        )
    if not (folder / WEIGHTS).is_file():
        if (folder / _PICKLED).is_file():
            raise AdapterError(
                f"{folder / _PICKLED} is pickled, which can run any code when it is read",
                hint=_CONVERT.format(folder / _PICKLED, folder / WEIGHTS),
            )
        raise AdapterError(f"{folder} has no {WEIGHTS}", hint="save the adapter as safetensors")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AdapterError(f"{path} is not JSON: {error}", hint="fetch the adapter again") from error
    if not isinstance(config, dict):
        raise AdapterError(f"{path} is not a JSON object", hint="fetch the adapter again")
    _refuse_unfit(config, path)
    return config


def _refuse_unfit(config: Mapping[str, Any], path: Path) -> None:
    kind = config.get("peft_type")
    if kind != "LORA":
        raise AdapterError(f"{path}: adapters of the kind {kind!r} are not taken in, only LoRA", hint=_MERGE)
    begun = str(config.get("init_lora_weights")).lower()
    if begun.startswith(_CHANGED_BASE):
        raise AdapterError(
            f"{path}: `init_lora_weights` is {begun!r}: it was trained on a base that was changed before, "
            "and does something else on the base as it is",
            hint="save it anew with path_initial_model_for_weight_conversion of PEFT, or merge it there",
        )
    unknown = sorted(key for key, value in config.items() if value and key not in {*_TAKEN, *_WITHOUT_EFFECT})
    if unknown:
        raise AdapterError(
            f"{path}: {', '.join(f'`{key}`' for key in unknown)} cannot be served here", hint=_MERGE
        )
    if not isinstance(config.get("lora_alpha"), int | float):
        raise AdapterError(f"{path}: expected a number as `lora_alpha`", hint="fetch the adapter again")
    patterns = [*(config.get("alpha_pattern") or {}), *(config.get("modules_to_save") or [])]
    for name in patterns:
        if not _PLAIN.fullmatch(str(name)):
            raise AdapterError(
                f"{path}: {str(name)[:60]!r} is a pattern, and patterns of others are not run",
                hint="list the plain names of the modules that it matches",
            )


def _shapes(path: Path) -> dict[str, list[int]]:
    """Return the shape of every tensor; nothing else is read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 - no dict
    except (OSError, SafetensorError) as error:
        raise AdapterError(f"{path} is damaged: {error}", hint="fetch the adapter again") from error


def _method(config: Mapping[str, Any]) -> Method:
    if config.get("use_dora"):
        return Method.DORA
    return Method.RSLORA if config.get("use_rslora") else Method.LORA


def _plain_name(name: str) -> str:
    """Return the last part of a model's name, without what tells a copy in another number format."""
    return _COPY.sub("", name.rstrip("/").rpartition("/")[2].lower())
