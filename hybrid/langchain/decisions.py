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

from hybrid.assistant import Assistant
from hybrid.domains import Assistants
from hybrid.errors import UsageError
from hybrid.langchain.chat import history_of, question_of
from hybrid.operations.decisions import (
    IS_CARRIED,
    WHICH_ARM,
    WHICH_DOMAIN,
    ChosenLabel,
    carried,
    chosen_arm,
    chosen_domain,
)


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
            return NoulAnswer(type="noul", noul=carried(self._one, state))
        if isinstance(question, Choice) and question.instructions == WHICH_ARM:
            return _choice(chosen_arm(self._one, list(question.criteria)))
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
        asked, before = question_of(state), history_of(state)
        return _choice(chosen_domain(self.assistant, labels, asked, before, as_user=self.as_user))


def _choice(chosen: ChosenLabel) -> ChoiceAnswer:
    return ChoiceAnswer(
        type="choice",
        choice=chosen.label,
        probabilities=dict(chosen.probabilities),
        confidence=chosen.confidence,
    )
