"""Adapters in PEFT's format or ours: read with suspicion, merged once or switched on, swapped per call."""

from __future__ import annotations

import contextlib
import copy
import json
import re
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from hybrid.errors import AdapterError, AdapterMissing
from hybrid.files import hash_file, hash_text
from hybrid.models import Generator
from hybrid.models.labels import HEAD, HEAD_WEIGHTS
from hybrid.models.pretrained import LOADING, quiet, why_unreadable
from hybrid.models.resolve import weights_digest

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module, Parameter

    from hybrid.models.switched import Addition

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
# All weights, or those that changed: what tuning without an adapter leaves.
FULL_WEIGHTS = "model.safetensors"
MAKE_AGAIN = "make it again with `hybrid adapt`, or remove it with `hybrid adapters remove`"
_CARD = "card.json"
# What is not merged: see ``hybrid.models.switched``.
_SWITCHED = frozenset({"PROMPT_TUNING", "PREFIX", "BOTTLENECK", "FUSION"})
# Settings of PEFT that name modules; some it takes as regular expressions.
_NAMES = (
    *("target_modules", "exclude_modules", "modules_to_save", "feedforward_modules", "target_parameters"),
    *("layers_pattern", "rank_pattern", "alpha_pattern"),
)
_PLAIN = re.compile(r"[\w.-]+")
_SHOWN = 60
_UNSAFE = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"})
# Merged tensors are about as large as the model, so few are kept.
_KEPT = 2
_PROBE_TOKENS = 16
_SHOWN_KEYS = 4
_SHOWN_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class AdapterFiles:
    """An adapter whose files were checked; ``digest`` covers all that decides what it does.

    ``head`` tells whether labels are told by a head, which may stand alone: then ``changes`` is false.
    """

    folder: Path
    name: str
    digest: str
    full: bool
    head: bool = False

    @property
    def changes(self) -> bool:
        """Tell whether it changes weights of the base."""
        return self.full or (self.folder / WEIGHTS).exists()


@runtime_checkable
class Adaptable(Protocol):
    """A generator that can be served with an adapter."""

    def adapted(self, folder: Path, *, strength: float = 1.0) -> Generator:
        """Return the generator with the adapter of a folder."""


def with_adapter(generator: Generator, folder: Path) -> Generator:
    """Return a generator with an adapter.

    Raises:
        AdapterError: the generator takes none, or not this one.
    """
    if isinstance(generator, Adaptable):
        return generator.adapted(folder)
    raise AdapterMissing(
        f"the generator {generator.name!r} takes no adapter: its weights are not on this machine",
        hint="unset models.endpoint, or let the endpoint serve the adapter and use the arm base or rag",
    )


def read_adapter(folder: Path, base_digest: str, *, base: str = "this model") -> AdapterFiles:
    """Check the files of an adapter without loading its weights.

    ``base`` is the name of the model that it shall serve with, for the message, and ``base_digest`` that of
    its weights.

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
    head = (folder / HEAD).exists()
    full = not (folder / WEIGHTS).exists() and (folder / FULL_WEIGHTS).exists()
    if head:
        _require_readable(folder / HEAD_WEIGHTS)
    if full or not head or (folder / WEIGHTS).exists():
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
    return AdapterFiles(folder, folder.name, adapter_digest(folder), full, head)


def adapter_digest(folder: Path) -> str:
    """Return a digest of weights and configuration: all that decides what an adapter does."""
    config, head = folder / CONFIG, folder / HEAD
    told = [hash_file(head)] if head.is_file() else []
    return hash_text(weights_digest(folder), hash_file(config) if config.is_file() else "", *told)


def saved_digest(folder: Path) -> str:
    """Return what a card remembers: a digest of weights and configuration, whatever name the base has."""
    config = read_config(folder)
    told = {key: value for key, value in config.items() if key != "base_model_name_or_path"}
    head = [hash_file(folder / HEAD)] if (folder / HEAD).is_file() else []
    return hash_text(weights_digest(folder), json.dumps(told, sort_keys=True), *head)


def read_config(folder: Path) -> dict[str, Any]:
    """Return the settings of an adapter as PEFT keeps them; none where all weights were tuned."""
    return _read_object(folder / CONFIG) if (folder / CONFIG).is_file() else {}


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
        raise AdapterError(f"{path} is {why_unreadable(path, error)}", hint=MAKE_AGAIN) from error


def _lacks(path: Path) -> AdapterError:
    return AdapterError(
        f"{path.parent} is no adapter that can be served: it has no {path.name}", hint=MAKE_AGAIN
    )


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """The parameters that an adapter changes, by their names in the module, with the change in them."""

    parameters: Mapping[str, Parameter]

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """Return the same as plain tensors."""
        return {name: parameter.data for name, parameter in self.parameters.items()}


def merged_weights(module: Module, folder: Path, strength: float = 1.0) -> Merged:
    """Return the parameters that differ once the adapter is merged; the module stays as it is.

    The module shows its base weights; ``Swap.merged`` sees to that. ``strength`` is what the change of the
    weights is multiplied by.

    Raises:
        AdapterError: the adapter does not fit the module, cannot be merged, or changes nothing.
    """
    import torch

    with torch.inference_mode(False), torch.no_grad():
        if not (folder / WEIGHTS).exists() and (folder / FULL_WEIGHTS).exists():
            twin = _with_all_weights(module, folder)
        else:
            twin = _with_peft(module, folder)
        after = dict(twin.named_parameters(remove_duplicate=False))
        changed = {
            name: after[name].data
            for name, before in module.named_parameters(remove_duplicate=False)
            if not torch.equal(before, after[name])
        }
        if not changed:
            raise _inactive(folder)
        _require_effect(module, twin, changed, folder)
        if strength != 1:
            own = dict(module.named_parameters(remove_duplicate=False))
            changed = {name: _towards(own[name].data, value, strength) for name, value in changed.items()}
        return Merged(
            {name: torch.nn.Parameter(value, requires_grad=False) for name, value in changed.items()}
        )


# How a model shows an adapter: merged, or by what hangs on it and cannot be merged.
Shown: TypeAlias = "Merged | Addition"


class Swap:
    """The one owner of a module's parameters: shows the base's, or an adapter, one at a time.

    A module is not wrapped: its parameters are exchanged for the merged ones while a call runs and put back
    after it, so without an adapter it is the base bit for bit, and with one it is as fast as the base. What
    cannot be merged hangs on it by hooks for as long.

    Calls with different weights wait for each other. Whoever touches the module past this object sees
    whatever is shown just then. The tree of the model must not be changed afterwards.
    """

    def __init__(self, module: Module) -> None:
        self._module = module
        self._lock = threading.RLock()
        self._shown: Shown | None = None
        self._hooks: list[Any] = []
        self._kept: OrderedDict[tuple[str, float], Shown] = OrderedDict()
        places = {
            f"{path}.{name}" if path else name: (part._parameters, name)
            for path, part in module.named_modules(remove_duplicate=False)
            for name in part._parameters
        }
        self._places: Mapping[str, tuple[dict[str, Parameter | None], str]] = places
        self._own = {path: parameters[name] for path, (parameters, name) in places.items()}

    def merged(self, files: AdapterFiles, strength: float = 1.0) -> Merged:
        """Return the parameters with an adapter.

        Raises:
            AdapterError: it cannot be merged, or does not fit.
        """
        shown = self.adapter(files, strength)
        if not isinstance(shown, Merged):
            raise AdapterError(
                f"{files.name} cannot be merged: it adds to the model ({shown.kind}) and changes no weights",
                hint="serve it here, where it is switched on per call; or tune by a method of LoRA's kin",
            )
        return shown

    def adapter(self, files: AdapterFiles, strength: float = 1.0) -> Shown:
        """Return how an adapter is shown; the last few are kept, so coming back costs nothing.

        Raises:
            AdapterError: it does not fit, changes nothing, or has no strength.
        """
        key = (files.digest, strength)
        with LOADING, self.using(None):
            if key not in self._kept:
                self._kept[key] = _shown(self._module, files, strength)
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return self._kept[key]

    @contextlib.contextmanager
    def using(self, shown: Shown | None) -> Iterator[None]:
        """Show an adapter, or the base for None, as long as the block runs."""
        with self._lock:
            before = self._shown
            self._show(shown)
            try:
                yield
            finally:
                self._show(before)

    def _show(self, shown: Shown | None) -> None:
        if shown is self._shown:
            return
        if isinstance(self._shown, Merged):
            self._put({name: self._own[name] for name in self._shown.parameters})
        while self._hooks:
            self._hooks.pop().remove()
        if isinstance(shown, Merged):
            self._put(shown.parameters)
        elif shown is not None:
            self._hooks = shown.switch_on(self._module)
        self._shown = shown

    def _put(self, parameters: Mapping[str, Parameter | None]) -> None:
        for path, parameter in parameters.items():
            holder, name = self._places[path]
            holder[name] = parameter


def _shown(module: Module, files: AdapterFiles, strength: float) -> Shown:
    """Return how the adapter of a folder is shown: merged, or switched on."""
    folder = files.folder
    if files.full or _read_object(folder / CONFIG).get("peft_type") not in _SWITCHED:
        return merged_weights(module, folder, strength)
    import torch

    from hybrid.models.switched import load_addition

    def switched(**inputs: Any) -> Any:
        hooks = addition.switch_on(module)
        try:
            return module(**inputs)
        except (RuntimeError, IndexError) as error:
            raise AdapterError(
                f"{folder} does not fit the model: {_short(error)}", hint=MAKE_AGAIN
            ) from error
        finally:
            for hook in hooks:
                hook.remove()

    with torch.inference_mode(False), torch.no_grad():
        addition = load_addition(module, folder, strength=strength)
        _require_effect(module, switched, {}, folder)
    return addition


def _with_peft(module: Module, folder: Path) -> Any:
    """Return a copy of the module with the adapter merged by PEFT."""
    import torch

    quiet()
    from peft import PeftConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
    from safetensors.torch import load_file

    twin = copy.deepcopy(module).eval()
    # what is tied in the base may differ with the adapter: PEFT assigns to one of them only
    for part in twin.modules():
        for name, parameter in part._parameters.items():
            if parameter is not None:
                part._parameters[name] = torch.nn.Parameter(parameter.data, requires_grad=False)
    try:
        config = PeftConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        if config.is_prompt_learning:
            raise AdapterError(
                f"{folder} holds an adapter of the kind {config.peft_type}, which changes no weights",
                hint="expected LoRA or another method that can be merged",
            )
        config.inference_mode, config.task_type, config.base_model_name_or_path = True, None, None
        # the initial values are drawn, and then replaced: nobody else's random numbers may shift by it
        with torch.random.fork_rng():
            wrapped = get_peft_model(twin, config)
        expected = get_peft_model_state_dict(wrapped, save_embedding_layers=False).keys()
        own = wrapped.state_dict()
        # an adapter on the embeddings is saved together with those of the base
        weights = {
            name: value
            for name, value in load_file(folder / WEIGHTS).items()
            if name in expected or name not in own or not torch.equal(own[name], value)
        }
        require_same_keys(expected, weights.keys(), folder)
        result: Any = set_peft_model_state_dict(wrapped, weights)
        require_same_keys((), result.unexpected_keys, folder)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Input and output embeddings are no longer tied")
            return wrapped.merge_and_unload(safe_merge=True)
    except (TypeError, ValueError, KeyError, RuntimeError, AttributeError, NotImplementedError) as error:
        raise AdapterError(
            f"{folder} cannot be merged into the model: {_short(error)}", hint=MAKE_AGAIN
        ) from error


def _with_all_weights(module: Module, folder: Path) -> Any:
    """Return a copy of the module with the tensors of a file in the place of its own."""
    from safetensors.torch import load_file

    twin = copy.deepcopy(module).eval()
    places = dict(twin.named_parameters(remove_duplicate=False))
    for name, value in load_file(folder / FULL_WEIGHTS).items():
        if name not in places:
            require_same_keys((), [name], folder)
        if places[name].shape != value.shape:
            raise AdapterError(
                f"{folder / FULL_WEIGHTS}: {name} is {tuple(value.shape)}, "
                f"in the model it is {tuple(places[name].shape)}",
                hint=MAKE_AGAIN,
            )
        # what is tied stays tied
        places[name].data = value.to(places[name], copy=True)
    return twin


def require_same_keys(expected: Iterable[str], found: Iterable[str], folder: Path) -> None:
    """Raise an AdapterError for weights that lack what is expected, or have what is not."""
    missing, unknown = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    if missing or unknown:
        parts = [
            f"{len(keys)} {what} ({', '.join(keys[:_SHOWN_KEYS])}{', …' if len(keys) > _SHOWN_KEYS else ''})"
            for what, keys in (("missing", missing), ("unknown to the model", unknown))
            if keys
        ]
        raise AdapterError(
            f"the weights in {folder} do not cover the model: {'; '.join(parts)}", hint=MAKE_AGAIN
        )


def _require_effect(module: Module, twin: Any, changed: Mapping[str, Tensor], folder: Path) -> None:
    """Refuse an adapter that does nothing, or gives what is not a number."""
    import torch

    ids = _probe(module, changed)
    if ids is None:
        return
    with torch.inference_mode():
        mask = torch.ones_like(ids)
        before, after = (part(input_ids=ids, attention_mask=mask)[0] for part in (module, twin))
    if not torch.isfinite(after).all():
        raise AdapterError(
            f"with the adapter in {folder} the model gives what is not a number", hint=MAKE_AGAIN
        )
    if torch.equal(before, after):
        raise _inactive(folder)


def _inactive(folder: Path) -> AdapterError:
    return AdapterError(
        f"the adapter in {folder} changes nothing: with it the model says what the base says",
        hint="it was not trained, or its strength is 0; " + MAKE_AGAIN,
    )


def _probe(module: Any, changed: Mapping[str, Tensor]) -> Tensor | None:
    """Return some tokens from all over the vocabulary, first those whose embeddings changed."""
    import torch

    size = getattr(getattr(module, "config", None), "vocab_size", None)
    if not size:
        return None
    own = dict(module.named_parameters(remove_duplicate=False))
    rows = [
        (own[name] != value).any(-1).nonzero().flatten().cpu()
        for name, value in changed.items()
        if value.dim() == 2 and value.shape[0] == size
    ]
    spread = torch.arange(_PROBE_TOKENS) * (size // _PROBE_TOKENS)
    ids = torch.cat([*(part[:_SHOWN_KEYS] for part in rows), spread])[:_PROBE_TOKENS]
    return ids[None].to(next(iter(own.values())).device)


def _towards(before: Tensor, after: Tensor, strength: float) -> Tensor:
    """Return what lies between both at a strength of 0 to 1, and beyond from 1 on."""
    return (before.float() + strength * (after.float() - before.float())).to(before.dtype)


def _short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
