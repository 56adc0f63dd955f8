"""How a model is changed and trained: one protocol, one file for each family of methods.

What LoRA's kin, IA3 and all weights save is merged when it is served; virtual tokens and bottleneck adapters
are switched on per call (``hybrid.models.switched``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hybrid.config import AdaptationSettings, Method
from hybrid.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

# By the tokens that are trained on: a rank that is not filled forgets and gains nothing.
_RANKS = ((20_000, 8), (200_000, 16))
_LARGEST_RANK = 32
# Where the size of what is added is no rank.
_SIZES = {Method.BOTTLENECK: 64, Method.PROMPT: 20, Method.PREFIX: 20}
# LoRA wants about ten times the rate of all weights; the fewer parameters, the higher.
_RATE = 5e-4
_RATES = {
    Method.FULL: 5e-5,
    Method.PISSA: 2e-4,
    Method.IA3: 1e-2,
    Method.PROMPT: 1e-2,
    Method.PREFIX: 1e-2,
    Method.BOTTLENECK: 1e-3,
    Method.FUSION: 1e-3,
}
# Methods that have no choice of modules, and those whose parameters no dropout falls on.
_EVERYWHERE = (Method.PROMPT, Method.PREFIX, Method.FUSION)
_WITHOUT_DROPOUT = (*_EVERYWHERE, Method.BOTTLENECK, Method.IA3)


@dataclass(frozen=True, slots=True)
class AdapterPlan:
    """What the settings leave open, chosen: rank and learning rate; ``over`` are folders of a fusion."""

    method: Method
    rank: int
    alpha: int
    learning_rate: float
    over: tuple[Path, ...] = ()


class Parametrisation(Protocol):
    """One way to change a model."""

    def attach(self, model: Any, plan: AdapterPlan, settings: AdaptationSettings) -> Any:
        """Return the model with the parameters of the method, which alone are trainable.

        It has ``disable_adapter()``, a context in which it is the base.
        """

    def save(self, tuned: Any, name: str, out: Path) -> None:
        """Write what was tuned, and nothing else, in PEFT's format where it has one.

        ``name``: of the base, as people know it, so that the folder can be moved.
        """

    def neutral(self, tuned: Any) -> Mapping[str, Tensor]:
        """Return values of parameters at which nothing is changed.

        The change is in proportion to how far they are from there: a strength goes along that line. Empty
        where it is not.
        """


def parametrisation(method: Method) -> Parametrisation:
    """Return the one that a method names."""
    from hybrid.adaptation.methods import additions, lora

    found: Mapping[Method, Parametrisation] = {
        Method.FULL: lora.AllWeights(),
        Method.IA3: lora.Rescaling(),
        Method.PROMPT: additions.PromptTuning(),
        Method.PREFIX: additions.PrefixTuning(),
        Method.BOTTLENECK: additions.BottleneckTuning(),
        Method.FUSION: additions.FusionTuning(),
    }
    return found.get(method, lora.LowRank())


def attach(model: Any, plan: AdapterPlan, settings: AdaptationSettings) -> Any:
    """Return the model with the parameters of the method of a plan."""
    return parametrisation(plan.method).attach(model, plan, settings)


def plan_for(settings: AdaptationSettings, *, tokens: int, over: Sequence[Path] = ()) -> AdapterPlan:
    """Return size and learning rate for so many tokens of training data in all epochs."""
    method = settings.method
    if method in _EVERYWHERE and settings.targets != "all":
        raise UsageError(
            f"{method} has no --targets {settings.targets}: it has no choice of modules",
            hint="leave --targets out, or choose a method of LoRA's kin, ia3 or bottleneck",
        )
    if method in _WITHOUT_DROPOUT and settings.dropout:
        raise UsageError(
            f"{method} has no dropout, and adaptation.dropout is {settings.dropout}", hint="leave it out"
        )
    if (method is Method.FUSION) != bool(over):
        raise UsageError(
            f"{len(over)} stored adapters are named for {method}",
            hint="--method fusion wants two or more bottleneck adapters, as --over one,two; others want none",
        )
    by_tokens = next((rank for limit, rank in _RANKS if tokens < limit), _LARGEST_RANK)
    rank = settings.rank or _SIZES.get(method, by_tokens)
    return AdapterPlan(
        method, rank, 2 * rank, settings.learning_rate or _RATES.get(method, _RATE), tuple(over)
    )
