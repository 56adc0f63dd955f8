"""LangChain's decision model: the questions that a domain has evidence for, no others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from langchain_core.decisions import Answer as AnyAnswer
from langchain_core.decisions import (
    BaseDecisionModel,
    Choice,
    ChoiceAnswer,
    ClassifierResponse,
    Noul,
    NoulAnswer,
)
from pydantic import ConfigDict

from hybrid.arms import parse_arm
from hybrid.assistant import Assistant
from hybrid.errors import UsageError

WHICH_ARM = "Which arm answers questions of this domain best?"
IS_CARRIED = "Is this claim carried by these passages?"
NONE_OF_THESE = "none_of_the_above"


class HybridDecisionModel(BaseDecisionModel):
    """Answer the questions that the project has evidence for, and refuse all others.

    - ``Noul(instructions=IS_CARRIED)`` on the state ``{"claim": ..., "passages": [...]}``: the calibrated
      probability that the passages carry the claim; of a text that makes several claims, the least of theirs.
    - ``Choice(instructions=WHICH_ARM, criteria={"rag": ..., "adapter": ...})``: the arm that was decided on
      for the domain, whatever the state. Its probability is 1 minus the level of ``settings.decision``, the
      accepted chance of a wrong verdict; the others share the rest. With ``NONE_OF_THESE`` among the labels
      that is chosen where the decided arm is not among them.

    Args:
        assistant: the domain.

    Example:
        >>> asked = {"which": Choice(instructions=WHICH_ARM, criteria={"rag": None, "base": None})}
        >>> decisions = HybridDecisionModel(assistant=Assistant("manual"))  # doctest: +SKIP
        >>> decisions.invoke({"state": "", "questions": asked}).choices["which"].choice  # doctest: +SKIP
        'rag'
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    assistant: Assistant
    model: str = "hybrid"

    @property
    def _provider(self) -> str:
        return "hybrid"

    def _classify(self, state: object, questions: Mapping[str, object]) -> ClassifierResponse:
        answers: dict[str, AnyAnswer] = {
            name: self._decide(question, state) for name, question in questions.items()
        }
        return ClassifierResponse(model=self.model, answers=answers)

    def _decide(self, question: object, state: object) -> AnyAnswer:
        if isinstance(question, Noul) and question.instructions == IS_CARRIED and not question.criteria:
            return NoulAnswer(type="noul", noul=self._carried(*_claim_and_passages(state)))
        if isinstance(question, Choice) and question.instructions == WHICH_ARM:
            return self._arm(list(question.criteria))
        raise UsageError(
            f"nothing is known that would answer the {getattr(question, 'type', 'unknown')} question "
            f"{getattr(question, 'instructions', question)!r}",
            hint="ask hybrid.langchain.WHICH_ARM as a Choice, or IS_CARRIED as a Noul without criteria",
        )

    def _carried(self, claim: str, passages: Sequence[str]) -> float:
        verdicts = self.assistant.grounder.ground(claim, passages).verdicts
        supports = [verdict.support for verdict in verdicts if verdict.support is not None]
        if not supports:
            found = ", ".join(sorted({verdict.status for verdict in verdicts})) or "empty"
            raise UsageError(f"the claim {claim[:80]!r} cannot be judged: {found}", hint="assert something")
        return min(supports)

    def _arm(self, labels: Sequence[str]) -> ChoiceAnswer:
        decided, settings = self.assistant.decided, self.assistant.settings
        if decided is None:
            raise UsageError(
                f"no arm was decided on for the domain {self.assistant.domain!r}",
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
        shares = {label: sure if label == chosen else rest for label in labels}
        return ChoiceAnswer(type="choice", choice=chosen, probabilities=shares, confidence=sure)


def _claim_and_passages(state: object) -> tuple[str, list[str]]:
    match state:
        case {"claim": str(claim), "passages": [*passages]} if all(isinstance(one, str) for one in passages):
            return claim, passages
    raise UsageError(
        "the state of this question is not a claim with its passages",
        hint='give {"claim": "...", "passages": ["...", "..."]}',
    )
