"""What is added to a model and cannot be merged into it: virtual tokens, bottleneck adapters, their fusion.

It hangs on a model by hooks, so without them the model is the base bit for bit; training and serving use the
same hooks. A virtual token is a negative number among the tokens of a row: −1 is the first. Its place is an
ordinary one to masks, positions and caches, so rows of different lengths are decoded together as ever.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import Module, ModuleList, Parameter, ParameterList, functional

from hybrid.errors import AdapterError
from hybrid.models.adapters import CONFIG, MAKE_AGAIN, WEIGHTS, require_same_keys

Handle = Any  # of torch: a hook that can be removed


class Addition(Module):
    """What is added to a model; its parameters alone are what an adapter of its kind holds."""

    kind: ClassVar[str]
    # how many virtual tokens stand before a prompt
    virtual_tokens: int = 0
    # what it does is multiplied by; None where that has no meaning
    strength: float | None = 1.0
    # the modules that it hangs on, by name
    places: Sequence[Any] = ()

    def switch_on(self, model: Module) -> list[Handle]:
        """Hang it on a model; return the hooks, for ``remove``."""
        raise NotImplementedError

    @property
    def layout(self) -> dict[str, Any]:
        """Return what its configuration says beside its kind."""
        return {"places": self.places} if self.places else {}


class _VirtualTokens(Addition):
    """Rows that name no virtual token get them before their first token; logits are of the other tokens."""

    strength = None
    # −1 where a place is a real token, else the number of its virtual token; None if there are only real ones
    _numbers: Tensor | None = None
    _inserted = False

    def switch_on(self, model: Module) -> list[Handle]:
        """Hang it on a model; return the hooks."""
        enter = model.register_forward_pre_hook(self._enter, with_kwargs=True)
        return [enter, model.register_forward_hook(self._leave, with_kwargs=True)]

    def _enter(self, _: Module, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        named = dict(named)
        ids = given[0] if given else named["input_ids"]
        self._inserted = named.get("past_key_values") is None and not bool((ids < 0).any())
        if self._inserted:
            ids = self._insert(ids, named)
        virtual = ids < 0
        self._numbers = torch.where(virtual, -ids - 1, -1) if bool(virtual.any()) else None
        named["input_ids"] = ids.clamp(min=0)
        return (), named

    def _insert(self, ids: Tensor, named: dict[str, Any]) -> Tensor:
        """Put the virtual tokens between the padding on the left and the first token of every row."""
        count = self.virtual_tokens
        mask = named.get("attention_mask")
        mask = torch.ones_like(ids) if mask is None else mask
        first = mask.argmax(-1, keepdim=True)
        place = torch.arange(ids.shape[1] + count, device=ids.device) - first
        virtual = (place >= 0) & (place < count)
        named["attention_mask"] = functional.pad(mask, (count, 0)) | virtual.to(mask.dtype)
        if named.get("position_ids") is not None:
            named["position_ids"] = (named["attention_mask"].cumsum(-1) - 1).clamp(min=0)
        if isinstance(kept := named.get("logits_to_keep"), Tensor):
            named["logits_to_keep"] = kept + count
        return torch.where(virtual, -place - 1, functional.pad(ids, (count, 0)))

    def _leave(self, _: Module, given: tuple[Any, ...], named: dict[str, Any], output: Any) -> Any:
        if self._inserted and "logits_to_keep" not in named:
            output.logits = output.logits[:, self.virtual_tokens :]
        self._numbers = None
        return output

    def _put(self, table: Tensor, output: Tensor) -> Tensor:
        """Return what a layer gave with rows of a table at the places of the virtual tokens."""
        if self._numbers is None:
            return output
        chosen = functional.embedding(self._numbers.clamp(min=0), table.to(output.dtype))
        return torch.where((self._numbers >= 0)[..., None], chosen, output)


class Prompt(_VirtualTokens):
    """Embeddings of virtual tokens before every prompt (Lester et al. 2021).

    ``embeddings`` are of shape (virtual tokens, hidden).
    """

    kind = "PROMPT_TUNING"

    def __init__(self, embeddings: Tensor) -> None:
        super().__init__()
        self.prompt_embeddings = Parameter(embeddings)
        self.virtual_tokens = len(embeddings)

    def switch_on(self, model: Module) -> list[Handle]:
        """Hang it on a model; return the hooks."""
        embedding: Module = model.get_input_embeddings()  # type: ignore[operator]
        put = embedding.register_forward_hook(lambda *told: self._put(self.prompt_embeddings, told[-1]))
        return [*super().switch_on(model), put]


class Prefix(_VirtualTokens):
    """Keys and values of virtual tokens in every layer (Li and Liang 2021), before position is put into them.

    ``places`` are for each layer the modules that give keys and values; one module that gives queries, keys
    and values side by side is named twice. ``keys`` and ``values`` are for each layer of shape (virtual
    tokens, heads of keys * their size).
    """

    kind = "PREFIX"

    def __init__(
        self, places: Sequence[tuple[str, str]], keys: Sequence[Tensor], values: Sequence[Tensor]
    ) -> None:
        super().__init__()
        self.places = [(key, value) for key, value in places]
        self.keys, self.values = ParameterList(keys), ParameterList(values)
        self.virtual_tokens = len(keys[0])

    def switch_on(self, model: Module) -> list[Handle]:
        """Hang it on a model; return the hooks."""
        modules, handles = dict(model.named_modules()), super().switch_on(model)
        for (key, value), k, v in zip(self.places, self.keys, self.values, strict=True):
            if key == value:
                handles.append(modules[key].register_forward_hook(self._beside(k, v)))
                continue
            for name, table in ((key, k), (value, v)):
                handles.append(modules[name].register_forward_hook(self._instead(table)))
        return handles

    def _instead(self, table: Tensor) -> Callable[..., Tensor]:
        return lambda *told: self._put(table, told[-1])

    def _beside(self, key: Tensor, value: Tensor) -> Callable[..., Tensor]:
        def put(*told: Any) -> Tensor:
            queries = told[-1][..., : told[-1].shape[-1] - key.shape[-1] - value.shape[-1]]
            rest = told[-1][..., queries.shape[-1] :]
            return torch.cat([queries, self._put(torch.cat([key, value], -1), rest)], -1)

        return put


class Bottleneck(Module):
    """x ↦ U·swish(D·x + d) + u, beside a sublayer (Houlsby et al. 2019); with U = 0 it does nothing."""

    def __init__(self, down: Tensor, bias: Tensor, up: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.down, self.bias, self.up, self.shift = map(Parameter, (down, bias, up, shift))

    def forward(self, x: Tensor) -> Tensor:
        """Return what is added to x."""
        down, bias, up, shift = (p.to(x.dtype) for p in (self.down, self.bias, self.up, self.shift))
        return functional.linear(functional.silu(functional.linear(x, down, bias)), up, shift)


class _AtPlaces(Addition):
    """Something is added to what each of some modules gives, or to the first of what it gives."""

    def __init__(self, places: Sequence[str]) -> None:
        super().__init__()
        self.places = list(places)

    def switch_on(self, model: Module) -> list[Handle]:
        """Hang it on a model; return the hooks."""
        modules = dict(model.named_modules())
        return [
            modules[place].register_forward_hook(self._adds(number))
            for number, place in enumerate(self.places)
        ]

    def _adds(self, number: int) -> Callable[..., Any]:
        def add(*told: Any) -> Any:
            output = told[-1]
            x: Tensor = output[0] if isinstance(output, tuple) else output
            x = x + self.added(number, x) * (self.strength or 0.0)
            return (x, *output[1:]) if isinstance(output, tuple) else x

        return add

    def added(self, number: int, x: Tensor) -> Tensor:
        """Return what is added at the place of a number."""
        raise NotImplementedError


class Bottlenecks(_AtPlaces):
    """A bottleneck adapter behind every place."""

    kind = "BOTTLENECK"

    def __init__(self, places: Sequence[str], layers: Sequence[Bottleneck]) -> None:
        super().__init__(places)
        self.layers = ModuleList(layers)

    def added(self, number: int, x: Tensor) -> Tensor:
        """Return what is added at the place of a number."""
        found: Tensor = self.layers[number](x)
        return found


class Mixed(_AtPlaces):
    """AdapterFusion (Pfeiffer et al. 2021): at every place and token the bottleneck adapters are weighed.

    The weights are a softmax over xᵀQᵀK·(what an adapter gives), with a Q and a K of low rank; the paper's V
    is the identity, where the paper starts and to which it is held. ``members`` have the same places;
    ``queries`` and ``keys`` are for each place of shape (rank, hidden).
    """

    kind = "FUSION"

    def __init__(
        self, members: Sequence[Bottlenecks], queries: Sequence[Tensor], keys: Sequence[Tensor]
    ) -> None:
        super().__init__(members[0].places)
        self.members = ModuleList(members)
        self.queries, self.keys = ParameterList(queries), ParameterList(keys)

    @property
    def layout(self) -> dict[str, Any]:
        """Return what its configuration says beside its kind."""
        return super().layout | {"members": len(self.members)}

    def added(self, number: int, x: Tensor) -> Tensor:
        """Return what is added at the place of a number."""
        told = [member.added(number, x) for member in self.members]  # type: ignore[operator]
        given = torch.stack(told, -2)
        query = functional.linear(x, self.queries[number].to(x.dtype))
        keys = functional.linear(given, self.keys[number].to(x.dtype))
        weights = (keys @ query[..., None]).softmax(-2)
        mixed: Tensor = (weights * given).sum(-2)
        return mixed


_TENSORS = ("down", "bias", "up", "shift")
KINDS: Mapping[str, type[Addition]] = {kind.kind: kind for kind in (Prompt, Prefix, Bottlenecks, Mixed)}


def load_addition(model: Any, folder: Path, *, strength: float = 1.0) -> Addition:
    """Return what a folder adds to a model, in the number format of the model and not switched on.

    Raises:
        AdapterError: it does not fit the model, or a strength where that has no meaning.
    """
    from safetensors.torch import load_file

    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    tensors = load_file(folder / WEIGHTS)
    try:
        made = _made(config, tensors)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise AdapterError(
            f"the weights in {folder} are not those that {CONFIG} tells: {error}", hint=MAKE_AGAIN
        ) from error
    require_same_keys(dict(made.named_parameters()), tensors, folder)
    modules = {name for name, _ in model.named_modules()}
    named = [name for place in made.places for name in ([place] if isinstance(place, str) else place)]
    require_same_keys({*named} & modules, named, folder)
    if strength != 1 and made.strength is None:
        raise AdapterError(
            f"{folder.name} has no strength: virtual tokens are there or not ({made.kind})",
            hint="leave the strength at 1, or tune again with more rehearsal or a lower learning rate",
        )
    made.strength = strength if made.strength is not None else None
    parameter = next(model.parameters())
    return made.to(device=parameter.device, dtype=parameter.dtype).eval().requires_grad_(False)


def save_addition(added: Addition, out: Path) -> None:
    """Write the weights and what tells how to read them; a prompt as PEFT does is the caller's."""
    from hybrid.files import write_json, write_tensors

    write_tensors(out / WEIGHTS, dict(added.named_parameters()))
    write_json(out / CONFIG, {"peft_type": added.kind} | added.layout)


def _made(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Addition:
    kind = config["peft_type"]
    if kind == Prompt.kind:
        return Prompt(tensors["prompt_embeddings"])
    places = config["places"]
    if kind == Prefix.kind:
        numbers = range(len(places))
        keys, values = ([tensors[f"{part}.{n}"] for n in numbers] for part in ("keys", "values"))
        return Prefix([(str(key), str(value)) for key, value in places], keys, values)
    if kind == Bottlenecks.kind:
        return _bottlenecks(places, tensors)
    members = [_bottlenecks(places, tensors, f"members.{number}.") for number in range(config["members"])]
    queries, keys = ([tensors[f"{part}.{n}"] for n in range(len(places))] for part in ("queries", "keys"))
    return Mixed(members, queries, keys)


def _bottlenecks(places: Sequence[str], tensors: Mapping[str, Tensor], before: str = "") -> Bottlenecks:
    layers = [
        Bottleneck(*(tensors[f"{before}layers.{number}.{name}"] for name in _TENSORS))
        for number in range(len(places))
    ]
    return Bottlenecks(places, layers)


class Attached(Module):
    """A model that is trained with what is added to it; that alone is trainable.

    The base is frozen; what is added is switched on.
    """

    def __init__(self, base: Module, added: Addition) -> None:
        super().__init__()
        base.requires_grad_(False)
        self.base, self.added = base, added
        self._hooks = added.switch_on(base)

    def forward(self, **inputs: Any) -> Any:
        """Return what the model gives with it."""
        return self.base(**inputs)

    def get_base_model(self) -> Module:
        """Return the model itself."""
        return self.base

    @contextlib.contextmanager
    def disable_adapter(self) -> Iterator[None]:
        """Switch it off, unless it is off."""
        hooks, self._hooks = self._hooks, []
        for hook in hooks:
            hook.remove()
        try:
            yield
        finally:
            if hooks:
                self._hooks = self.added.switch_on(self.base)
