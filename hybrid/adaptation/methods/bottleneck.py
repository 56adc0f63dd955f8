"""Bottleneck adapters behind attention and feed-forward part (Houlsby, Pfeiffer), and their AdapterFusion."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from hybrid.adaptation.methods import AdapterPlan
from hybrid.adaptation.methods.lora import require_no, top_layers
from hybrid.config import AdaptationSettings, Targets
from hybrid.errors import UsageError
from hybrid.models.switched import Attached, Bottleneck, Bottlenecks, Mixed, load_addition, save_addition

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_SUBLAYERS = {
    Targets.QV: frozenset({"self_attn", "attn", "attention", "self_attention"}),
    Targets.MLP: frozenset({"mlp", "feed_forward", "ffn", "fc2", "block_sparse_moe"}),
}
# Of Q and K in a fusion: the paper's have the width of the model, 30 million parameters here.
_FUSION_RANK = 16
_SPREAD = 0.02


class BottleneckTuning:
    """Two small matrices and a bend behind each sublayer, before what went in is added (Houlsby et al. 2019).

    ``targets`` mlp is the variant of Pfeiffer et al. (2021), behind the feed-forward part alone; qv is behind
    attention alone.
    """

    def attach(self, model: Any, plan: AdapterPlan, settings: AdaptationSettings) -> Any:
        """Return the model with bottlenecks that do nothing yet."""
        require_no(settings, "dropout", 0.0, plan.method)
        places = _places(model, settings)
        wide = model.config.get_text_config().hidden_size
        device = next(model.parameters()).device
        layers = []
        for _ in places:
            down = torch.nn.init.kaiming_uniform_(torch.empty(plan.rank, wide), a=5**0.5)
            bias, up, shift = torch.zeros(plan.rank), torch.zeros(wide, plan.rank), torch.zeros(wide)
            layers.append(Bottleneck(*(part.to(device) for part in (down, bias, up, shift))))
        return Attached(model, Bottlenecks(places, layers))

    def save(self, tuned: Any, name: str, out: Path) -> None:
        """Write the bottlenecks and where they go."""
        save_addition(tuned.added, out)

    def neutral(self, tuned: Any) -> Mapping[str, Tensor]:
        """Return zeros for what leads out of the bottlenecks."""
        outer = (".up", ".shift")
        return {name: torch.zeros_like(p) for name, p in tuned.named_parameters() if name.endswith(outer)}


class FusionTuning:
    """AdapterFusion (Pfeiffer et al. 2021): which stored bottleneck adapter has a say, token by token."""

    def attach(self, model: Any, plan: AdapterPlan, settings: AdaptationSettings) -> Any:
        """Return the model with the adapters of ``plan.over``, whose weighing alone is trainable.

        Raises:
            UsageError: less than two adapters, or such as are no bottlenecks behind the same sublayers.
            AdapterError: an adapter does not fit the model.
        """
        require_no(settings, "dropout", 0.0, plan.method)
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

    def save(self, tuned: Any, name: str, out: Path) -> None:
        """Write the adapters with their weighing, whole: it needs none of them any more."""
        save_addition(tuned.added, out)

    def neutral(self, tuned: Any) -> Mapping[str, Tensor]:
        """Return nothing: what is tuned is who has a say, not how loud."""
        return {}


def _places(model: Module, settings: AdaptationSettings) -> list[str]:
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
