"""What a user requires of a decision: gates that an arm must pass, and what the verdict must be.

Takes texts such as ``groundedness>=0.8``, ``decided`` or ``arm=rag``, gives gates and a check of the
finished decision, which a pipeline turns into an exit code.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from hybrid.decision.values import Comparison, Decision, Gate
from hybrid.errors import UsageError
from hybrid.evaluation.costs import ArmCost
from hybrid.evaluation.scores import METRICS

_GATE = re.compile(r"\s*([a-z][a-z0-9_]*)\s*(>=|<=)\s*([-+0-9.eE]+)\s*")
_ARM = "arm="
_DECIDED = "decided"


@dataclass(frozen=True, slots=True)
class Requirements:
    """Gates, and whether a certain arm or any verdict at all is wanted."""

    gates: tuple[Gate, ...] = ()
    arm: str | None = None
    any: bool = False

    def unmet(self, decision: Decision) -> list[str]:
        """Return what the decision lacks; without requirements nothing."""
        if not self.any:
            return []
        if decision.arm is None:
            return ["a verdict was required, and it is undecided"]
        if self.arm is not None and decision.arm != self.arm:
            return [f"the arm {self.arm} was required, and the verdict is {decision.arm}"]
        return []


def parse_requirements(texts: Sequence[str]) -> Requirements:
    """Read requirements; any of them also requires a verdict.

    Raises:
        UsageError: a text is none of ``MEASURE>=NUMBER``, ``MEASURE<=NUMBER``, ``decided``, ``arm=NAME``.
    """
    gates: list[Gate] = []
    arm: str | None = None
    for text in texts:
        if match := _GATE.fullmatch(text):
            gates.append(Gate(match[1], Comparison(match[2]), _number(match[3], text)))
        elif text.startswith(_ARM) and len(text) > len(_ARM):
            named = text.removeprefix(_ARM)
            if arm not in (None, named):
                raise UsageError(f"--require arm={arm} and arm={named} cannot both be met")
            arm = named
        elif text != _DECIDED:
            raise UsageError(
                f"--require {text!r} is not understood",
                hint="for example: --require 'groundedness>=0.8' --require 'p95<=2' --require decided",
            )
    return Requirements(tuple(gates), arm, bool(texts))


def refuse_unknown(gates: Sequence[Gate]) -> None:
    """Refuse a gate on something that no experiment measures.

    Raises:
        UsageError: with the nearest measure that there is.
    """
    known = [card.name for card in METRICS] + [entry.name for entry in dataclasses.fields(ArmCost)]
    for gate in gates:
        if gate.measure not in known:
            near = difflib.get_close_matches(gate.measure, known, n=1)
            raise UsageError(
                f"nothing measures {gate.measure!r}",
                hint=f"did you mean {near[0]!r}?" if near else f"measures: {', '.join(known)}",
            )


def cost_measures(cost: ArmCost) -> dict[str, float]:
    """Return what is known of a cost as measures that gates can be held against."""
    values = dataclasses.asdict(cost)
    return {name: float(value) for name, value in values.items() if value is not None}


def _number(digits: str, text: str) -> float:
    try:
        value = float(digits)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"--require {text!r}: {digits!r} is not a number")
    return value
