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
from hybrid.domains import Assistants
from hybrid.errors import UsageError
from hybrid.langchain.chat import history_of, question_of
from hybrid.routing.followups import standalone

WHICH_ARM = "Which arm answers questions of this domain best?"
WHICH_DOMAIN = "Which domain does this question belong to?"
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
    - ``Choice(instructions=WHICH_DOMAIN, criteria={"manual": ..., "none_of_the_above": ...})`` on a question
      or the messages that end with it, of several domains: what the router says. ``NONE_OF_THESE`` stands for
      all that is no label; without it the probabilities are those of a question that is of one of the labels.

    Args:
        assistant: the domain; for ``WHICH_DOMAIN`` several.
        as_user: who asks ``WHICH_DOMAIN``, and the groups of that user.

    Example:
        >>> asked = {"which": Choice(instructions=WHICH_ARM, criteria={"rag": None, "base": None})}
        >>> decisions = HybridDecisionModel(assistant=Assistant("manual"))  # doctest: +SKIP
        >>> decisions.invoke({"state": "", "questions": asked}).choices["which"].choice  # doctest: +SKIP
        'rag'
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    assistant: Assistant | Assistants
    model: str = "hybrid"
    as_user: str | list[str] | None = None

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
        if isinstance(question, Choice) and question.instructions == WHICH_DOMAIN:
            return self._domain(list(question.criteria), state)
        raise UsageError(
            f"nothing is known that would answer the {getattr(question, 'type', 'unknown')} question "
            f"{getattr(question, 'instructions', question)!r}",
            hint="ask WHICH_ARM or WHICH_DOMAIN as a Choice, or IS_CARRIED as a Noul without criteria",
        )

    @property
    def _one(self) -> Assistant:
        if isinstance(self.assistant, Assistant):
            return self.assistant
        raise UsageError("the question is about one domain", hint="give one of them: assistants['manual']")

    def _domain(self, labels: Sequence[str], state: object) -> ChoiceAnswer:
        if isinstance(self.assistant, Assistant):
            raise UsageError("the question is about several domains", hint="give them: Assistants('indexes')")
        asked = standalone(question_of(state), history_of(state))
        found = self.assistant.route(asked, as_user=self.as_user)
        chances = {chance.domain: chance.probability for chance in found.chances if chance.domain}
        named = [label for label in labels if label != NONE_OF_THESE]
        if unknown := [label for label in named if label not in chances]:
            raise UsageError(
                f"no domain {', '.join(unknown)}", hint=f"there are: {', '.join(sorted(chances))}"
            )
        total = sum(chances[label] for label in named)
        whole = 1.0 if NONE_OF_THESE in labels else total
        if whole <= 0:
            raise UsageError(
                "the question is of none of the labels", hint=f"put {NONE_OF_THESE!r} among them"
            )
        shares = {
            label: chances[label] / whole if label in chances else max(1 - total, 0.0) for label in labels
        }
        choice = max(shares, key=lambda label: shares[label])
        return ChoiceAnswer(
            type="choice", choice=choice, probabilities=shares, confidence=min(shares[choice], 1.0)
        )

    def _carried(self, claim: str, passages: Sequence[str]) -> float:
        verdicts = self._one.grounder.ground(claim, passages).verdicts
        supports = [verdict.support for verdict in verdicts if verdict.support is not None]
        if not supports:
            found = ", ".join(sorted({verdict.status for verdict in verdicts})) or "empty"
            raise UsageError(f"the claim {claim[:80]!r} cannot be judged: {found}", hint="assert something")
        return min(supports)

    def _arm(self, labels: Sequence[str]) -> ChoiceAnswer:
        assistant = self._one
        decided, settings = assistant.decided, assistant.settings
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
