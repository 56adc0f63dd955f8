"""LoRA layers that cost little more than the layers below them.

Takes a PEFT model, makes its LoRA layers compute y + s·(x Aᵀ) Bᵀ in one pass over y. In PEFT scaling
and sum are passes of their own, and on a CPU with matrix instructions these passes cost more than the
matrix product of the layer itself: a training step takes twice as long. Knows nothing about training.
"""

from __future__ import annotations

from types import MethodType
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


def fuse(module: Module) -> None:
    """Compute every LoRA layer in one pass, if all of them can be.

    Layers with dropout or with weights that are decomposed (DoRA) cannot; then all stay as they are.
    """
    layers = _layers(module)
    if all(map(_plain, layers)):
        for layer in layers:
            layer.forward = MethodType(_forward, layer)


def fused(module: Module) -> bool:
    """Tell whether the LoRA layers of a model are computed in one pass."""
    layers = _layers(module)
    return bool(layers) and all("forward" in vars(layer) for layer in layers)


def _layers(module: Module) -> list[Any]:
    from peft.tuners.lora import LoraLayer

    return [layer for layer in module.modules() if isinstance(layer, LoraLayer)]


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
