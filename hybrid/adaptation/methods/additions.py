"""What is added to a model and switched on per call: virtual tokens, bottleneck adapters, their fusion."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from hybrid.adaptation.methods import AdapterPlan
from hybrid.adaptation.methods.lora import top_layers
from hybrid.config import AdaptationSettings, Targets
from hybrid.errors import UsageError
from hybrid.files import storage_errors, write_tensors
from hybrid.models.adapters import WEIGHTS
from hybrid.models.switched import (
    Attached,
    Bottleneck,
    Bottlenecks,
    Mixed,
    Prefix,
    Prompt,
    load_addition,
    save_addition,
)

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# What gives keys and values, beside each other or in one module behind the queries, in numbered blocks.
_KEYS = re.compile(r"(.*\.\d+\.(?:.*\.)?)k_proj")
_SIDE_BY_SIDE = re.compile(r".*\.\d+\.(?:.*\.)?(?:c_attn|qkv_proj)")
_SUBLAYERS = {
    Targets.QV: frozenset({"self_attn", "attn", "attention", "self_attention"}),
    Targets.MLP: frozenset({"mlp", "feed_forward", "ffn", "fc2", "block_sparse_moe"}),
}
# Of Q and K in a fusion: the paper's have the width of the model, 30 million parameters here.
_FUSION_RANK = 16
_SPREAD = 0.02


class _Added:
    """What is kept beside the weights, and is there or not: it has no strength."""

    def save(self, tuned: Any, name: str, out: Path) -> None:
        """Write what is added and where it goes."""
        save_addition(tuned.added, out)

    def neutral(self, tuned: Any) -> Mapping[str, Tensor]:
        """Return nothing."""
        return {}


class PromptTuning(_Added):
    """Embeddings of virtual tokens before every prompt (Lester et al. 2021)."""

    def attach(self, model: Any, plan: AdapterPlan, settings: AdaptationSettings) -> Any:
        """Return the model with virtual tokens, which begin as words of its vocabulary."""
        with torch.no_grad():
            begun = model.get_input_embeddings()(_words(model, plan.rank))
        return Attached(model, Prompt(begun.detach().float()))

    def save(self, tuned: Any, name: str, out: Path) -> None:
        """Write it in PEFT's format."""
        from peft import PromptTuningConfig

        table = tuned.added.prompt_embeddings
        told = tuned.base.config.get_text_config()
        config = PromptTuningConfig(
            task_type="CAUSAL_LM",
            num_virtual_tokens=len(table),
            token_dim=table.shape[1],
            num_transformer_submodules=1,
            num_attention_heads=told.num_attention_heads,
            num_layers=told.num_hidden_layers,
            base_model_name_or_path=name,
            inference_mode=True,
        )
        write_tensors(out / WEIGHTS, {"prompt_embeddings": table})
        with storage_errors(str(out)):
            config.save_pretrained(str(out))


class PrefixTuning(_Added):
    """Keys and values of virtual tokens in every layer (Li and Liang 2021).

    They are learned before position is put into them, by a hook where a layer makes its own, so grouped
    heads, rotated positions and sliding windows are the model's business; PEFT puts them into the cache
    instead, which neither batches of several lengths with a window nor training without a cache allow.
    """

    def attach(self, model: Any, plan: AdapterPlan, settings: AdaptationSettings) -> Any:
        """Return the model with a prefix, which begins as that of words of its vocabulary."""
        places = _places(model)
        given: dict[str, Tensor] = {}

        def keep(name: str) -> Any:
            return lambda *told: given.__setitem__(name, told[-1][0].detach().float())

        modules: dict[str, Module] = dict(model.named_modules())
        hooks = [modules[name].register_forward_hook(keep(name)) for name in {*sum(places, ())}]
        with torch.no_grad():
            model(input_ids=_words(model, plan.rank)[None])
        for hook in hooks:
            hook.remove()
        told = model.config.get_text_config()
        heads = getattr(told, "num_key_value_heads", None) or told.num_attention_heads
        wide = heads * (getattr(told, "head_dim", None) or told.hidden_size // told.num_attention_heads)
        keys, values = [], []
        for key, value in places:
            beside = key == value
            keys.append(given[key][:, -2 * wide : -wide].clone() if beside else given[key])
            values.append(given[value][:, -wide:].clone() if beside else given[value])
        return Attached(model, Prefix(places, keys, values))


def _places(model: Module) -> list[tuple[str, str]]:
    names = [name for name, _ in model.named_modules()]
    apart = [(name, f"{found[1]}v_proj") for name in names if (found := _KEYS.fullmatch(name))]
    together = [(name, name) for name in names if _SIDE_BY_SIDE.fullmatch(name)]
    if not (apart or together) or not {value for _, value in apart} <= set(names):
        raise UsageError(
            f"{type(model).__name__} makes its keys and values in a way that is not known here",
            hint="use --method prompt, or one of LoRA's kin",
        )
    return apart or together


def _words(model: Any, count: int) -> Tensor:
    """Return tokens to begin with, drawn from the vocabulary."""
    device = model.get_input_embeddings().weight.device
    return torch.randint(model.config.get_text_config().vocab_size, (count,)).to(device)


class BottleneckTuning(_Added):
    """Two small matrices and a bend behind each sublayer, before what went in is added (Houlsby et al. 2019).

    ``targets`` mlp is the variant of Pfeiffer et al. (2021), behind the feed-forward part alone; qv is behind
    attention alone.
    """

    def attach(self, model: Any, plan: AdapterPlan, settings: AdaptationSettings) -> Any:
        """Return the model with bottlenecks that do nothing yet."""
        places = _sublayers(model, settings)
        wide = model.config.get_text_config().hidden_size
        device = next(model.parameters()).device
        layers = []
        for _ in places:
            down = torch.nn.init.kaiming_uniform_(torch.empty(plan.rank, wide), a=5**0.5)
            bias, up, shift = torch.zeros(plan.rank), torch.zeros(wide, plan.rank), torch.zeros(wide)
            layers.append(Bottleneck(*(part.to(device) for part in (down, bias, up, shift))))
        return Attached(model, Bottlenecks(places, layers))

    def neutral(self, tuned: Any) -> Mapping[str, Tensor]:
        """Return zeros for what leads out of the bottlenecks."""
        outer = (".up", ".shift")
        return {name: torch.zeros_like(p) for name, p in tuned.named_parameters() if name.endswith(outer)}


class FusionTuning(_Added):
    """AdapterFusion (Pfeiffer et al. 2021): which stored bottleneck adapter has a say, token by token.

    It is saved whole, and needs none of them any more.
    """

    def attach(self, model: Any, plan: AdapterPlan, settings: AdaptationSettings) -> Any:
        """Return the model with the adapters of ``plan.over``, whose weighing alone is trainable."""
        members = [load_addition(model, folder) for folder in plan.over]
        alike = [m for m in members if isinstance(m, Bottlenecks) and m.places == members[0].layout["places"]]
        if len(alike) < max(2, len(members)):
            raise UsageError(
                f"{', '.join(folder.name for folder in plan.over)}: a fusion is over two or more bottleneck "
                "adapters behind the same sublayers",
                hint="make them with --method bottleneck, the same --targets and --layers",
            )
        device, wide = next(model.parameters()).device, model.config.get_text_config().hidden_size
        queries, keys = (
            [torch.randn(_FUSION_RANK, wide, device=device) * _SPREAD for _ in alike[0].places] for _ in "qk"
        )
        mixed = Mixed(alike, queries, keys)
        mixed.members.requires_grad_(False)
        return Attached(model, mixed)


def _sublayers(model: Module, settings: AdaptationSettings) -> list[str]:
    both = _SUBLAYERS[Targets.QV] | _SUBLAYERS[Targets.MLP]
    wanted = _SUBLAYERS.get(settings.targets, both)
    top = top_layers(model, settings.layers)
    found = []
    for name, _ in model.named_modules():
        number, last = ["", "", *name.split(".")][-2:]
        if last in wanted and number.isdigit() and (top is None or int(number) in top):
            found.append(name)
    if not found:
        raise UsageError(
            f"{type(model).__name__} has no sublayers in numbered blocks that are known here",
            hint="use --method lora",
        )
    return found
