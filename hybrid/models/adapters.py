"""Adapters on disk (PEFT's format), read with suspicion before anything is loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from hybrid.errors import AdapterError
from hybrid.files import hash_file, hash_text
from hybrid.models import Generator
from hybrid.models.resolve import weights_digest

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
# All weights, or those that changed: what tuning without an adapter leaves.
FULL_WEIGHTS = "model.safetensors"
MAKE_AGAIN = "make it again with `hybrid adapt`, or remove it with `hybrid adapters remove`"
_CARD = "card.json"
# Settings of PEFT that name modules; some it takes as regular expressions.
_NAMES = (
    "target_modules",
    "exclude_modules",
    "modules_to_save",
    "feedforward_modules",
    "target_parameters",
    "layers_pattern",
    "rank_pattern",
    "alpha_pattern",
)
_PLAIN = re.compile(r"[\w.-]+")
_SHOWN = 60
_UNSAFE = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"})


@dataclass(frozen=True, slots=True)
class AdapterFiles:
    """An adapter whose files were checked; ``digest`` covers all that decides what it does."""

    folder: Path
    name: str
    digest: str
    full: bool


@runtime_checkable
class Adaptable(Protocol):
    """A generator that can be served with an adapter."""

    def adapted(self, folder: Path, *, strength: float = 1.0) -> Generator:
        """Return the generator with the adapter of a folder."""
        ...


def with_adapter(generator: Generator, folder: Path) -> Generator:
    """Return a generator with an adapter.

    Raises:
        AdapterError: the generator takes none, or not this one.
    """
    if isinstance(generator, Adaptable):
        return generator.adapted(folder)
    raise AdapterError(
        f"the generator {generator.name!r} takes no adapter: its weights are not on this machine",
        hint="unset models.endpoint, or let the endpoint serve the adapter and use the arm base or rag",
    )


def read_adapter(folder: Path, base_digest: str, *, base: str = "this model") -> AdapterFiles:
    """Check the files of an adapter without loading its weights.

    Args:
        folder: with card, configuration and weights.
        base_digest: of the weights of the model that it shall serve with.
        base: the name of that model, for the message.

    Raises:
        AdapterError: a file is missing, pickled or damaged, or the adapter was made for another base.
    """
    if not folder.is_dir():
        raise AdapterError(
            f"there is no adapter in {folder}", hint="`hybrid adapters list` shows those that there are"
        )
    unsafe = sorted(path.name for path in folder.rglob("*") if path.suffix.lower() in _UNSAFE)
    if unsafe:
        raise AdapterError(
            f"{folder} holds pickled files ({', '.join(unsafe)}), which can run any code when they are read",
            hint=f"only {WEIGHTS} is read; save the adapter as safetensors and remove those files",
        )
    card = _read_object(folder / _CARD)
    made_for = str(card.get("base_digest", ""))
    if made_for != base_digest:
        raise AdapterError(
            f"the adapter {folder.name} was made for {card.get('base', 'another model')} "
            f"(weights {made_for[:12] or 'unknown'}…), and cannot serve with {base} "
            f"(weights {base_digest[:12]}…)",
            hint="load the model that it was made for, or make an adapter for this one with `hybrid adapt`",
        )
    full = not (folder / WEIGHTS).exists() and (folder / FULL_WEIGHTS).exists()
    if not full:
        _require_plain(_read_object(folder / CONFIG), folder)
    _require_readable(folder / (FULL_WEIGHTS if full else WEIGHTS))
    # cards made before the configuration was told too have the digest of the weights alone
    digest, weights = saved_digest(folder), weights_digest(folder)
    if card.get("weights") not in (digest, weights, "", None):
        raise AdapterError(
            f"weights and settings in {folder} are not those that were saved: their digest is "
            f"{digest[:12]}…, the card says {str(card['weights'])[:12]}…",
            hint=MAKE_AGAIN,
        )
    return AdapterFiles(folder, folder.name, adapter_digest(folder), full)


def adapter_digest(folder: Path) -> str:
    """Return a digest of weights and configuration: all that decides what an adapter does."""
    config = folder / CONFIG
    return hash_text(weights_digest(folder), hash_file(config) if config.is_file() else "")


def saved_digest(folder: Path) -> str:
    """Return what a card remembers: a digest of weights and configuration, whatever name the base has."""
    config = _read_object(folder / CONFIG) if (folder / CONFIG).is_file() else {}
    told = {key: value for key, value in config.items() if key != "base_model_name_or_path"}
    return hash_text(weights_digest(folder), json.dumps(told, sort_keys=True))


def _require_plain(config: Mapping[str, Any], folder: Path) -> None:
    """Refuse what PEFT would run: a pattern of a stranger over every name, or a module named by its path."""
    for key in _NAMES:
        value = config.get(key)
        names = value if isinstance(value, list) else list(value) if isinstance(value, dict) else [value]
        for name in names:
            if name is not None and not (isinstance(name, str | int) and _PLAIN.fullmatch(str(name))):
                raise AdapterError(
                    f"{folder / CONFIG}: `{key}` has {str(name)[:_SHOWN]!r}, expected plain names of modules",
                    hint="list the modules, such as q_proj and v_proj: patterns are not run",
                )
    if config.get("megatron_config") is not None:
        raise AdapterError(
            f"{folder / CONFIG} names code to run (`megatron_config`), which is not done", hint=MAKE_AGAIN
        )


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise _lacks(path) from error
    except (OSError, ValueError) as error:
        raise AdapterError(f"{path} is not JSON: {error}", hint=MAKE_AGAIN) from error
    if not isinstance(value, dict):
        raise AdapterError(f"{path} is not a JSON object", hint=MAKE_AGAIN)
    return value


def _require_readable(path: Path) -> None:
    """Check the header of a file of tensors against the size of the file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            pass
    except FileNotFoundError as error:
        raise _lacks(path) from error
    except (OSError, SafetensorError) as error:
        raise AdapterError(f"{path} is damaged: {error}", hint=MAKE_AGAIN) from error


def _lacks(path: Path) -> AdapterError:
    return AdapterError(
        f"{path.parent} is no adapter that can be served: it has no {path.name}", hint=MAKE_AGAIN
    )
