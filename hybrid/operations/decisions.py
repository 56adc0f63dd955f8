"""Decisions that domains have calibrated answers to: which domain, which arm, is this carried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hybrid.arms import parse_arm
from hybrid.assistant import Assistant
from hybrid.domains import Assistants
from hybrid.errors import UsageError
from hybrid.routing.followups import standalone
from hybrid.types import Message

WHICH_ARM = "Which arm answers questions of this domain best?"
WHICH_DOMAIN = "Which domain does this question belong to?"
IS_CARRIED = "Is this claim carried by these passages?"
NONE_OF_THESE = "none_of_the_above"


@dataclass(frozen=True, slots=True)
class ChosenLabel:
    """The label that was chosen, how surely from 0 to 1, and the probability of every label."""

    label: str
    confidence: float
    probabilities: Mapping[str, float]


def chosen_domain(
    assistants: Assistants,
    labels: Sequence[str],
    question: str,
    history: Sequence[Message] = (),
    *,
    as_user: str | Sequence[str] | None = None,
) -> ChosenLabel:
    """Return the domain that the router gives a question to.

    ``NONE_OF_THESE`` stands for all that is no label; without it the probabilities are those of a question
    that is of one of the labels.
    """
    found = assistants.route(standalone(question, history), as_user=as_user)
    chances = {chance.domain: chance.probability for chance in found.chances if chance.domain}
    named = [label for label in labels if label != NONE_OF_THESE]
    if unknown := [label for label in named if label not in chances]:
        raise UsageError(f"no domain {', '.join(unknown)}", hint=f"there are: {', '.join(sorted(chances))}")
    total = sum(chances[label] for label in named)
    whole = 1.0 if NONE_OF_THESE in labels else total
    if whole <= 0:
        raise UsageError("the question is of none of the labels", hint=f"put {NONE_OF_THESE!r} among them")
    shares = {label: chances[label] / whole if label in chances else max(1 - total, 0.0) for label in labels}
    choice = max(shares, key=lambda label: shares[label])
    return ChosenLabel(choice, min(shares[choice], 1.0), shares)


def chosen_arm(assistant: Assistant, labels: Sequence[str]) -> ChosenLabel:
    """Return the arm that was decided on for a domain.

    Its probability is 1 minus the level of ``settings.decision``, the accepted chance of a wrong verdict; the
    others share the rest. ``NONE_OF_THESE`` is chosen where the decided arm is not among the labels.
    """
    decided, settings = assistant.asked.decided, assistant.settings
    if decided is None:
        raise UsageError(
            f"no arm was decided on for the domain {assistant.domain!r}",
            hint="run `hybrid decide`, or Assistant.compare and Assistant.adopt",
        )
    arms = {label: parse_arm(label, settings) for label in labels if label != NONE_OF_THESE}
    same = (decided.arm, decided.settings)
    chosen = next((label for label, one in arms.items() if (one.arm, one.settings) == same), None)
    if chosen is None and NONE_OF_THESE not in labels:
        raise UsageError(
            f"the decided arm {decided.name!r} is none of {', '.join(labels)}",
            hint=f"put it, or {NONE_OF_THESE!r}, among the labels",
        )
    chosen = chosen or NONE_OF_THESE
    sure = 1.0 if len(labels) == 1 else 1.0 - settings.decision.level
    rest = (1.0 - sure) / max(len(labels) - 1, 1)
    return ChosenLabel(chosen, sure, {label: sure if label == chosen else rest for label in labels})


def carried(assistant: Assistant, state: object) -> float:
    """Return the probability that passages carry a claim; of one that makes several, the least of theirs.

    Args:
        assistant: whose judge is asked.
        state: ``{"claim": ..., "passages": [...]}``.
    """
    claim, passages = _claim_and_passages(state)
    verdicts = assistant.grounder.ground(claim, passages).verdicts
    supports = [verdict.support for verdict in verdicts if verdict.support is not None]
    if not supports:
        found = ", ".join(sorted({verdict.status for verdict in verdicts})) or "empty"
        raise UsageError(f"the claim {claim[:80]!r} cannot be judged: {found}", hint="assert something")
    return min(supports)


def _claim_and_passages(state: object) -> tuple[str, list[str]]:
    match state:
        case {"claim": str(claim), "passages": [*passages]} if all(isinstance(one, str) for one in passages):
            return claim, passages
    raise UsageError(
        "the state of this question is not a claim with its passages",
        hint='give {"claim": "...", "passages": ["...", "..."]}',
    )
