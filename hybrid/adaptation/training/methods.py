"""Which weights are tuned, and how: LoRA in its kinds, 4-bit bases, or all weights.

Takes a model folder and settings, gives a model whose trainable parameters are those of the method. A further
method of PEFT is one more case here. Knows nothing about data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid.config import AdaptationSettings, Method
from hybrid.errors import ExtraMissing, UsageError
from hybrid.models.device import Placement
from hybrid.models.pretrained import load_causal

if TYPE_CHECKING:
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
    import torch

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
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    from hybrid.adaptation.training.fused import fuse

    if plan.method is Method.QLORA:
        model = prepare_model_for_kbit_training(  # type: ignore[no-untyped-call]
            model, use_gradient_checkpointing=False
        )
    names = linear_layers(model)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=plan.rank,
        lora_alpha=plan.alpha,
        lora_dropout=settings.dropout,
        target_modules=names,
        layers_to_transform=top_layers(model, settings.layers),
        use_rslora=plan.method is Method.RSLORA,
        use_dora=plan.method is Method.DORA,
        init_lora_weights=True,
    )
    tuned = get_peft_model(model, config)
    fuse(tuned)
    return tuned


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
    count = _blocks(model)
    return list(range(count - max(1, round(share * count)), count))


def _blocks(model: Module) -> int:
    numbers = [int(found[1]) for name, _ in model.named_parameters() if (found := _LAYER.search(name))]
    return max(numbers, default=-1) + 1


def _tune_layers(model: Any, share: float) -> Any:
    wanted = top_layers(model, share)
    for name, parameter in model.named_parameters():
        found = _LAYER.search(name)
        parameter.requires_grad_(bool(wanted is None or (found and int(found[1]) in wanted)))
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
