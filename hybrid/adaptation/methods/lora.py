"""Weights that are changed: LoRA and its kin, bases in 4 bits, IA3, all weights; LoRA layers in one pass."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MethodType
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import Module

from hybrid.adaptation.methods import AdapterPlan
from hybrid.config import AdaptationSettings, Method, Targets
from hybrid.errors import ExtraMissing, UsageError
from hybrid.files import storage_errors, write_tensors
from hybrid.models.adapters import FULL_WEIGHTS, read_adapter, read_config
from hybrid.models.device import Placement
from hybrid.models.pretrained import load_causal
from hybrid.models.switched import Attached

if TYPE_CHECKING:
    from torch import Tensor

_LAYER = re.compile(r"\.(\d+)\.")
_ATTENTION = re.compile(r"attn|attention", re.IGNORECASE)
# Names of what makes queries and values, or keys and values, in the families of transformers.
_FUSED = ("c_attn", "qkv_proj", "query_key_value", "Wqkv", "qkv")
_QV = frozenset({"q_proj", "v_proj", "query", "value", "q_lin", "v_lin", *_FUSED})
_KV = frozenset({"k_proj", "v_proj", "key", "value", "k_lin", "v_lin", *_FUSED})
# PiSSA: steps of the randomised singular value decomposition.
_PISSA_STEPS = 4


def load_base(folder: Path, method: Method, placement: Placement) -> Any:
    """Return the model of a folder in the number format that the method trains in."""
    # small steps vanish in bf16
    dtype = torch.float32 if method is Method.FULL else placement.torch_dtype()
    quantisation = _four_bits(placement) if method is Method.QLORA else None
    model = load_causal(folder, dtype=dtype, quantisation=quantisation)
    return _differentiable(model) if method is Method.QLORA else model.to(placement.device)


def _differentiable(model: Any) -> Any:
    """Keep a base in 4 bits from being packed for a kernel of the CPU that has no gradient.

    bitsandbytes packs the weights at the first look without training, and from then on the gradient stops at
    every layer, with a warning at most.
    """
    from bitsandbytes.nn.modules import Linear4bit

    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False
    return model


class LowRank:
    """LoRA and its kin: rsLoRA, DoRA, PiSSA, and LoRA on a base in 4 bits."""

    def attach(self, model: Any, plan: AdapterPlan, settings: AdaptationSettings) -> Any:
        """Return the model with low-rank layers."""
        targets = target_modules(model, settings.targets)
        return attach_lora(
            model, plan, dropout=settings.dropout, layers=settings.layers, task="CAUSAL_LM", targets=targets
        )

    def save(self, tuned: Any, name: str, out: Path) -> None:
        """Write it in PEFT's format."""
        save_lora(tuned, name, out)

    def neutral(self, tuned: Any) -> Mapping[str, Tensor]:
        """Return zeros for the outer factor; none for DoRA, which rescales the weights."""
        if tuned.peft_config["default"].use_dora:
            return {}
        return {name: torch.zeros_like(p) for name, p in tuned.named_parameters() if "lora_B" in name}


class Rescaling(LowRank):
    """IA3 (Liu et al. 2022): keys, values and what feed-forward outputs are made of are scaled."""

    def attach(self, model: Any, plan: AdapterPlan, settings: AdaptationSettings) -> Any:
        """Return the model with scales of 1."""
        from peft import IA3Config, get_peft_model

        feed = _feed_forward_outputs(model)
        targets = target_modules(model, settings.targets)
        if settings.targets is Targets.ALL:
            kept = [name for name in targets if name.rpartition(".")[2] in _KV]
            targets = sorted({*kept, *feed})
        elif settings.targets is Targets.MLP:
            targets = feed
        top = top_layers(model, settings.layers)
        config = IA3Config(
            task_type="CAUSAL_LM",
            target_modules=targets,
            feedforward_modules=[name for name in targets if name in feed],
            exclude_modules=None if top is None else _below(model, top),
            fan_in_fan_out=_is_transposed(model),
        )
        return get_peft_model(model, config)

    def neutral(self, tuned: Any) -> Mapping[str, Tensor]:
        """Return scales of 1."""
        return {name: torch.ones_like(p) for name, p in tuned.named_parameters() if ".ia3_l." in name}


class _Whole(Module):
    """A model of which weights themselves are trained, and what they were before."""

    def __init__(self, base: Module) -> None:
        super().__init__()
        self.base = base
        self.own = {name: p.detach().clone() for name, p in base.named_parameters() if p.requires_grad}

    def forward(self, **inputs: Any) -> Any:
        """Return what the model gives."""
        return self.base(**inputs)

    def get_base_model(self) -> Module:
        """Return the model itself."""
        return self.base

    @contextlib.contextmanager
    def disable_adapter(self) -> Iterator[None]:
        """Show the weights as they were."""
        parameters = dict(self.base.named_parameters())
        tuned = {name: parameters[name].data for name in self.own}
        try:
            for name, value in self.own.items():
                parameters[name].data = value
            yield
        finally:
            for name, value in tuned.items():
                parameters[name].data = value


class AllWeights:
    """All weights, or those of the upper blocks or of some modules."""

    def attach(self, model: Any, plan: AdapterPlan, settings: AdaptationSettings) -> Any:
        """Return the model, its weights trainable."""
        wanted = top_layers(model, settings.layers)
        names = None if settings.targets is Targets.ALL else target_modules(model, settings.targets)
        for name, parameter in model.named_parameters():
            found = _LAYER.search(name)
            upper = bool(wanted is None or (found and int(found[1]) in wanted))
            chosen = names is None or any(f".{part}." in name for part in names)
            parameter.requires_grad_(upper and chosen)
        return _Whole(model)

    def save(self, tuned: Any, name: str, out: Path) -> None:
        """Write the tuned tensors as a model has them."""
        kept = {name: p for name, p in tuned.base.named_parameters() if p.requires_grad}
        write_tensors(out / FULL_WEIGHTS, kept)

    def neutral(self, tuned: Any) -> Mapping[str, Tensor]:
        """Return the weights as they were."""
        return {f"base.{name}": value for name, value in tuned.own.items()}


def attach_lora(
    model: Any,
    plan: AdapterPlan,
    *,
    dropout: float,
    layers: float,
    task: str | None,
    targets: list[str] | None = None,
) -> Any:
    """Return the model with LoRA at its linear layers, which alone is trainable.

    ``layers``: share of the blocks that have one, the upper ones. ``task``: as PEFT names it, None for the
    bare model. ``targets``: names of the modules; None takes all linear layers of the blocks.
    """
    from peft import LoraConfig, get_peft_model

    # PiSSA has a second half, which holds what the first one began with
    halves = 2 if plan.method is Method.PISSA else 1
    config = LoraConfig(
        task_type=task,
        r=halves * plan.rank,
        lora_alpha=halves * plan.alpha,
        lora_dropout=dropout,
        target_modules=targets or target_modules(model, Targets.ALL),
        fan_in_fan_out=_is_transposed(model),
        layers_to_transform=top_layers(model, layers),
        use_rslora=plan.method is Method.RSLORA,
        use_dora=plan.method is Method.DORA,
    )
    tuned = get_peft_model(model, config)
    if plan.method is Method.PISSA:
        for layer in lora_layers(tuned).values():
            _start_at_principal(layer, plan.rank)
    fuse(tuned)
    return tuned


def _start_at_principal(layer: Any, rank: int) -> None:
    """Begin with the principal singular directions of a layer's weights (PiSSA, Meng et al. 2024).

    The paper takes them out of the weights and puts them back when it saves. Here a second half of the
    factors, which is not trained, subtracts them: the base stays as it is, switched off it is the base, and
    what is saved is a LoRA of twice the rank.
    """
    weight = layer.get_base_layer().weight.detach().float()
    weight = weight.t() if layer.fan_in_fan_out else weight
    with torch.random.fork_rng():
        torch.manual_seed(0)  # of the directions that the decomposition begins with
        left, sizes, right = torch.svd_lowrank(weight, min(2 * rank, *weight.shape), niter=_PISSA_STEPS)
    kept = min(rank, len(sizes))
    root = (sizes[:kept] / layer.scaling["default"]).sqrt()
    down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    with torch.no_grad():
        down.zero_()
        up.zero_()
        for first, sign in ((0, 1.0), (rank, -1.0)):
            down[first : first + kept] = root[:, None] * right[:, :kept].t()
            up[:, first : first + kept] = sign * left[:, :kept] * root
    below = (torch.arange(2 * rank, device=down.device) < rank).to(down.dtype)
    down.register_hook(lambda gradient: gradient * below[:, None])
    up.register_hook(lambda gradient: gradient * below)


def resume_lora(model: Any, folder: Path, base_digest: str) -> Any:
    """Return the model with an adapter that is trained on."""
    from peft import PeftModel

    files = read_adapter(folder, base_digest, base=folder.name)
    kind = "" if files.full else read_config(folder).get("peft_type")
    if kind != "LORA":
        raise UsageError(
            f"{folder.name} is {kind or 'one of all weights'}, and training begins with a LoRA",
            hint="name one that was made with --method lora",
        )
    tuned = PeftModel.from_pretrained(model, folder, is_trainable=True, trust_remote_code=False)
    fuse(tuned)
    return tuned


def save_lora(tuned: Any, name: str, out: Path) -> None:
    """Write an adapter in PEFT's format.

    The base is named as people know it, so that the folder can be moved.
    """
    tuned.peft_config["default"].base_model_name_or_path = name
    with storage_errors(str(out)):
        out.mkdir(parents=True, exist_ok=True)
        # the vocabulary is never changed; left to find out, PEFT would ask the hub
        tuned.save_pretrained(out, safe_serialization=True, save_embedding_layers=False)
    (out / "README.md").unlink(missing_ok=True)  # an empty model card; ours is card.json


def precision(module: Module, placement: Placement) -> Callable[[], contextlib.AbstractContextManager[Any]]:
    """Return what computes layers whose weights are of another format than the base's in that of the base."""
    if placement.dtype == "float32" or fused(module) or isinstance(module, Attached):
        return contextlib.nullcontext
    return functools.partial(torch.autocast, placement.device.partition(":")[0], placement.torch_dtype())


def target_modules(model: Module, targets: Targets) -> list[str]:
    """Return the names of linear layers inside the numbered blocks, as PEFT takes them: ``q_proj``."""
    paths = _linear_layers(model)
    if targets is Targets.ALL:
        names = {path.rpartition(".")[2] for path in paths}
    elif targets is Targets.MLP:
        names = {_with_parent(path) for path in paths if not _ATTENTION.search(path)}
    else:
        names = {_with_parent(path) for path in paths if path.rpartition(".")[2] in _QV}
    if not names:
        raise UsageError(
            f"the model has no linear layers in numbered blocks for targets = {targets}, which is where "
            "adapters go",
            hint="use --targets all, or --method full",
        )
    return sorted(names)


def _linear_layers(model: Module) -> dict[str, Module]:
    return {
        name: module
        for name, module in model.named_modules()
        if _LAYER.search(name) and ("Linear" in type(module).__name__ or _is_conv(module))
    }


def _with_parent(path: str) -> str:
    # what goes out of attention and of the feed-forward part has one name in some families
    return ".".join(path.split(".")[-2:])


def _feed_forward_outputs(model: Module) -> list[str]:
    """Return the names of what leads back from the wide middle of the feed-forward part."""
    names = set()
    for path, module in _linear_layers(model).items():
        rows, columns = module.weight.shape  # type: ignore[misc]
        given, got = (rows, columns) if _is_conv(module) else (columns, rows)
        if not _ATTENTION.search(path) and given > got:
            names.add(_with_parent(path))
    return sorted(names)


def _is_conv(module: Module) -> bool:
    """Tell whether a linear layer keeps its weights transposed, as GPT-2's do."""
    return type(module).__name__ == "Conv1D"


def _is_transposed(model: Module) -> bool:
    return any(map(_is_conv, _linear_layers(model).values()))


def _below(model: Module, top: list[int]) -> list[str]:
    """Return the paths of all linear layers that are not in the upper blocks."""
    paths = [(path, _LAYER.search(path)) for path in _linear_layers(model)]
    return [path for path, found in paths if found and int(found[1]) not in top]


def top_layers(model: Module, share: float) -> list[int] | None:
    """Return the numbers of the upper blocks, or None for all of them."""
    if share >= 1:
        return None
    numbers = [layer_of(name) for name, _ in model.named_parameters()]
    count = max((number for number in numbers if number is not None), default=-1) + 1
    return list(range(count - max(1, round(share * count)), count))


def layer_of(name: str) -> int | None:
    """Return the number of the block that a parameter is in, None outside of them."""
    found = _LAYER.search(name)
    return int(found[1]) if found else None


def _four_bits(placement: Placement) -> Any:
    from importlib.util import find_spec

    if find_spec("bitsandbytes") is None:
        raise ExtraMissing(
            "a base in 4 bits needs: bitsandbytes", hint="pip install 'hybrid-assistant[quantised]'"
        )
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=placement.torch_dtype(),
    )


def fuse(module: Module) -> None:
    """Compute every LoRA layer as y + s·(x Aᵀ) Bᵀ in one pass over y, if all of them can be.

    In PEFT scaling and sum are passes of their own, and on a CPU with matrix instructions these passes cost
    more than the matrix product of the layer itself: a training step takes twice as long. Layers with dropout
    or with weights that are decomposed (DoRA) cannot; then all stay as they are.
    """
    layers = lora_layers(module).values()
    if all(map(_plain, layers)):
        for layer in layers:
            layer.forward = MethodType(_forward, layer)


def fused(module: Module) -> bool:
    """Tell whether the LoRA layers of a model are computed in one pass."""
    layers = lora_layers(module).values()
    return bool(layers) and all("forward" in vars(layer) for layer in layers)


def lora_layers(module: Module) -> dict[str, Any]:
    """Return the layers with LoRA by their names in the base."""
    from peft.tuners.lora import LoraLayer

    return {
        name.removeprefix("base_model.model."): layer
        for name, layer in module.named_modules()
        if isinstance(layer, LoraLayer)
    }


def _plain(layer: Any) -> bool:
    names = list(layer.lora_A)
    dropouts = all(isinstance(layer.lora_dropout[name], torch.nn.Identity) for name in names)
    linear = all(isinstance(layer.lora_A[name], torch.nn.Linear) for name in names)
    return len(names) == 1 and dropouts and linear and not any(layer.use_dora.values())


def _forward(self: Any, x: Tensor) -> Tensor:
    base: Tensor = self.base_layer(x)
    if self.disable_adapters or self.merged:
        return base
    (name,) = self.lora_A
    down, up = self.lora_A[name].weight, self.lora_B[name].weight
    if type(self.base_layer) is not torch.nn.Linear:
        # what a quantised layer gives may not be written into
        added: Tensor = (x @ down.to(x.dtype).t()) @ up.to(x.dtype).t()
        beside: Tensor = base + added.to(base.dtype) * self.scaling[name]
        return beside
    changed: Tensor = _OnePass.apply(  # type: ignore[no-untyped-call]
        base, x, down.to(x.dtype), up.to(x.dtype), self.scaling[name]
    )
    return changed


class _OnePass(torch.autograd.Function):
    """y + s·(x Aᵀ) Bᵀ, in place of y."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, x: Tensor, down: Tensor, up: Tensor, scale: float) -> Tensor:
        flat = x.reshape(-1, x.shape[-1])
        inner = flat @ down.t()
        y.view(-1, y.shape[-1]).addmm_(inner, up.t(), alpha=scale)
        ctx.save_for_backward(flat, inner, down, up)
        ctx.scale, ctx.shape = scale, x.shape
        ctx.mark_dirty(y)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        flat, inner, down, up = ctx.saved_tensors
        g = gradient.reshape(-1, gradient.shape[-1])
        behind = (g @ up) * ctx.scale
        to_x = (behind @ down).view(ctx.shape) if ctx.needs_input_grad[1] else None
        return gradient, to_x, behind.t() @ flat, (g.t() @ inner) * ctx.scale, None
