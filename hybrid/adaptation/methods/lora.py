"""Parameter-efficient tuning: LoRA in its kinds, 4-bit bases, all weights; LoRA layers in one pass."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MethodType
from typing import TYPE_CHECKING, Any

import torch

from hybrid.config import AdaptationSettings, Method
from hybrid.errors import ExtraMissing, UsageError
from hybrid.files import storage_errors
from hybrid.models.adapters import read_adapter
from hybrid.models.device import Placement
from hybrid.models.pretrained import load_causal

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# By the tokens that are trained on: a rank that is not filled forgets and gains nothing.
_RANKS = ((20_000, 8), (200_000, 16))
_LARGEST_RANK = 32
# LoRA wants about ten times the rate of all weights.
_RATES = {Method.FULL: 5e-5}
_RATE = 5e-4
_LAYER = re.compile(r"\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class AdapterPlan:
    """What the settings leave open, chosen: rank and learning rate."""

    method: Method
    rank: int
    alpha: int
    learning_rate: float


def plan_for(settings: AdaptationSettings, *, tokens: int) -> AdapterPlan:
    """Return rank and learning rate for so many tokens of training data in all epochs."""
    rank = settings.rank or next((rank for limit, rank in _RANKS if tokens < limit), _LARGEST_RANK)
    rate = settings.learning_rate or _RATES.get(settings.method, _RATE)
    return AdapterPlan(settings.method, rank, 2 * rank, rate)


def load_base(folder: Path, method: Method, placement: Placement) -> Any:
    """Return the model of a folder in the number format that the method trains in.

    Raises:
        ExtraMissing: a base in 4 bits needs a package that is not installed.
        ModelMissing: the folder is no causal language model, or lacks weights.
    """
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


def attach(model: Any, plan: AdapterPlan, settings: AdaptationSettings) -> Any:
    """Return the model with the parameters of the method, which alone are trainable."""
    if plan.method is Method.FULL:
        return _tune_layers(model, settings.layers)
    if plan.method is Method.QLORA:
        from peft import prepare_model_for_kbit_training

        model = prepare_model_for_kbit_training(  # type: ignore[no-untyped-call]
            model, use_gradient_checkpointing=False
        )
    return attach_lora(model, plan, dropout=settings.dropout, layers=settings.layers, task="CAUSAL_LM")


def attach_lora(model: Any, plan: AdapterPlan, *, dropout: float, layers: float, task: str | None) -> Any:
    """Return the model with LoRA at its linear layers, which alone is trainable.

    Args:
        model: of transformers; what holds it has the adapter too.
        plan: kind and rank.
        dropout: on what goes into the adapter.
        layers: share of the blocks that have one, the upper ones.
        task: as PEFT names it, None for the bare model.
    """
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        task_type=task,
        r=plan.rank,
        lora_alpha=plan.alpha,
        lora_dropout=dropout,
        target_modules=linear_layers(model),
        layers_to_transform=top_layers(model, layers),
        use_rslora=plan.method is Method.RSLORA,
        use_dora=plan.method is Method.DORA,
    )
    tuned = get_peft_model(model, config)
    fuse(tuned)
    return tuned


def resume_lora(model: Any, folder: Path, base_digest: str) -> Any:
    """Return the model with an adapter that is trained on.

    Raises:
        AdapterError: it is unsafe, damaged, or made for another base.
        UsageError: it is no adapter in PEFT's format.
    """
    from peft import PeftModel

    read_adapter(folder, base_digest, base=folder.name)
    if not (folder / "adapter_config.json").is_file():
        raise UsageError(
            f"{folder.name} changes all weights, and training begins with an adapter of low rank only",
            hint="name one that was made with --method lora",
        )
    tuned = PeftModel.from_pretrained(model, folder, is_trainable=True)
    fuse(tuned)
    return tuned


def save_lora(tuned: Any, name: str, out: Path) -> None:
    """Write an adapter in PEFT's format.

    The base is named as people know it, so that the folder can be moved.

    Raises:
        StorageError: the disk is full.
    """
    tuned.peft_config["default"].base_model_name_or_path = name
    with storage_errors(str(out)):
        out.mkdir(parents=True, exist_ok=True)
        # the vocabulary is never changed; left to find out, PEFT would ask the hub
        tuned.save_pretrained(out, safe_serialization=True, save_embedding_layers=False)
    (out / "README.md").unlink(missing_ok=True)  # an empty model card; ours is card.json


def precision(module: Module, placement: Placement) -> Callable[[], contextlib.AbstractContextManager[Any]]:
    """Return what computes layers whose weights are of another format than the base's in that of the base."""
    if placement.dtype == "float32" or fused(module):
        return contextlib.nullcontext
    return functools.partial(torch.autocast, placement.device.partition(":")[0], placement.torch_dtype())


def linear_layers(model: Module) -> list[str]:
    """Return the names of the linear layers inside the numbered blocks, such as ``q_proj``.

    Raises:
        UsageError: there are none.
    """
    names = {
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if _LAYER.search(name) and "Linear" in type(module).__name__
    }
    if not names:
        raise UsageError(
            "the model has no linear layers in numbered blocks, which is where adapters go",
            hint="use --method full",
        )
    return sorted(names)


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


def _tune_layers(model: Any, share: float) -> Any:
    wanted = top_layers(model, share)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(wanted is None or layer_of(name) in wanted)
    return model


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
    layers = _layers(module)
    if all(map(_plain, layers)):
        for layer in layers:
            layer.forward = MethodType(_forward, layer)


def fused(module: Module) -> bool:
    """Tell whether the LoRA layers of a model are computed in one pass."""
    layers = _layers(module)
    return bool(layers) and all("forward" in vars(layer) for layer in layers)


def lora_layers(module: Module) -> dict[str, Any]:
    """Return the layers with LoRA by their names in the base."""
    from peft.tuners.lora import LoraLayer

    return {
        name.removeprefix("base_model.model."): layer
        for name, layer in module.named_modules()
        if isinstance(layer, LoraLayer)
    }


def _layers(module: Module) -> list[Any]:
    return list(lora_layers(module).values())


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
    changed: Tensor = _LowRank.apply(  # type: ignore[no-untyped-call]
        base, x, down.to(x.dtype), up.to(x.dtype), self.scaling[name]
    )
    return changed


class _LowRank(torch.autograd.Function):
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
