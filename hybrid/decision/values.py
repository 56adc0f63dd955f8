"""The values of a decision; effects and margins are differences of mean scores, from −1 to 1."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from hybrid.errors import UsageError, did_you_mean
from hybrid.evaluation.outcomes import ArmCost
from hybrid.evaluation.scores import METRICS
from hybrid.statistics import Interval

_GATE = re.compile(r"\s*([a-z][a-z0-9_]*)\s*(>=|<=)\s*([-+0-9.eE]+)\s*")
_ARM = "arm="
_DECIDED = "decided"


class Verdict(StrEnum):
    """Whether the evidence carries a choice."""

    DECIDED = "decided"
    UNDECIDED = "undecided"


class Bound(StrEnum):
    """Which side of its limit a gate wants."""

    AT_LEAST = ">="
    AT_MOST = "<="


@dataclass(frozen=True, slots=True)
class Gate:
    """A condition that an arm must meet to be chosen, such as ``hallucination <= 0.1``."""

    measure: str
    comparison: Bound
    limit: float


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user wants: how much worse is still as good, how sure, and which gates.

    ``margin`` is the non-inferiority margin, ``level`` the accepted chance of a wrong verdict: claims are
    one-sided tests at that level, and intervals have these bounds as their ends, so that they hold the
    truth with a chance of 1 − 2 × level. ``metric`` is the score that decides.
    """

    margin: float = 0.01
    level: float = 0.05
    metric: str = "correct"
    gates: tuple[Gate, ...] = ()
    replicates: int = 10_000
    seed: int = 0
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class ArmResult:
    """One arm: its mean score with interval, its price, its gates, and whether it can be chosen."""

    arm: str
    mean: float
    interval: Interval
    cost: ArmCost
    gates: tuple[GateResult, ...]
    eligible: bool


@dataclass(frozen=True, slots=True)
class GateResult:
    """What a gate found; ``value`` is None where the measure was not taken, which fails the gate."""

    arm: str
    gate: Gate
    value: float | None
    passed: bool


class Hypothesis(StrEnum):
    """What an effect has to show: better by more than the margin, or not worse by more than it."""

    BETTER = "better"
    NOT_WORSE = "not worse"


@dataclass(frozen=True, slots=True)
class Effect:
    """The difference of two arms on the same questions, ``arm`` minus ``other``.

    ``claim`` is what the verdict for ``arm`` needs, ``p`` its one-sided p-value (Holm-adjusted over the
    comparisons of that verdict), ``permutation_p`` the two-sided sign-flip p-value of no difference.
    """

    arm: str
    other: str
    difference: float
    interval: Interval
    claim: Hypothesis
    p: float
    permutation_p: float
    shown: bool


@dataclass(frozen=True, slots=True)
class SliceResult:
    """A part of the questions: means of all arms there, and whether it contradicts the verdict.

    ``exception`` is true where another eligible arm is better there with its interval above 0, at a
    level shared out among all slices and arms. ``arms`` names those that the means belong to: a
    sequential decision knows the slices only of the arms that were left.
    """

    name: str
    questions: int
    sources: int
    means: tuple[float, ...]
    best: str
    difference: float
    interval: Interval
    exception: bool
    arms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """One look of a sequential decision: what had been asked by then, and which arms were left."""

    questions: int
    answers: int
    arms: tuple[str, ...]
    level: float


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict and all that stands behind it.

    ``arm`` is None when undecided; ``interim`` is then what to run until more is known: the arm whose
    largest plausible loss is smallest, None if no arm passes its gates. ``questions_needed`` is the number
    of further questions that would settle it with a power of 80 %, if effects are as they look now and
    dearer arms that look better by about the margin are in truth no better; 0 when decided, None where no
    number would (no arm passes). They have to come from ``sources_needed`` further sources, 0 where
    questions of the same ones do as well; ``blocking`` is the comparison that needs them. ``margin_needed``
    is the margin at which ``interim`` would be chosen on these questions, None where decided or where none
    would do. ``detectable`` is the smallest effect that these questions show with a power of 80 %. ``flips``
    say what would change the verdict. ``order`` has the arms that may be chosen, from cheap to dear;
    ``rivals`` those of them that no other arm was shown to be better than. ``ungated`` is what would have
    been chosen without the gates. ``guessing`` is what answers drawn at random would score, known where
    every question has options. ``looks`` are those of a sequential decision.
    """

    verdict: Verdict
    arm: str | None
    sentence: str
    interim: str | None
    reasons: tuple[str, ...]
    flips: tuple[str, ...]
    arms: tuple[ArmResult, ...]
    order: tuple[str, ...]
    rivals: tuple[str, ...]
    ungated: str | None
    effects: tuple[Effect, ...]
    slices: tuple[SliceResult, ...]
    questions_needed: int | None
    margin_needed: float | None
    detectable: float
    questions: int
    sources: int
    synthetic: int
    guessing: float | None
    policy: Policy
    looks: tuple[Look, ...] = ()
    sources_needed: int = 0
    blocking: Effect | None = None


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
            gates.append(Gate(match[1], Bound(match[2]), _number(match[3], text)))
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
    """Raise a UsageError for a gate on something that no experiment measures."""
    known = [card.name for card in METRICS] + [entry.name for entry in dataclasses.fields(ArmCost)]
    for gate in gates:
        if gate.measure not in known:
            hint = did_you_mean(gate.measure, known, f"measures: {', '.join(known)}")
            raise UsageError(f"nothing measures {gate.measure!r}", hint=hint)


def _number(digits: str, text: str) -> float:
    try:
        value = float(digits)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"--require {text!r}: {digits!r} is not a number")
    return value
