"""A domain as LangChain's chat model and decision model, and as a step of a chain or a graph."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.decisions import Answer as AnyAnswer
from langchain_core.decisions import (
    BaseDecisionModel,
    Choice,
    ChoiceAnswer,
    ClassifierResponse,
    Noul,
    NoulAnswer,
)
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    convert_to_messages,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import run_in_executor
from pydantic import ConfigDict

from hybrid.assistant import Assistant
from hybrid.domains import Assistants
from hybrid.errors import UsageError
from hybrid.langchain.documents import refuse
from hybrid.models.dialogue import cut_at_stop
from hybrid.operations.decisions import (
    IS_CARRIED,
    WHICH_ARM,
    WHICH_DOMAIN,
    ChosenLabel,
    carried,
    chosen_arm,
    chosen_domain,
)
from hybrid.types import Answer, Arm, Asker, Message, MessageRole


class ChatHybrid(BaseChatModel):
    """Answer the last question of a conversation with citations that hold, or decline.

    The text keeps its ``[n]``; ``response_metadata["citations"]`` says for each n the source, the offsets
    and the quoted text, and ``abstained`` whether it declined. A follow-up is understood with what a person
    and the model said before it, and ``standalone`` says how. What is read from passages comes in whole
    sentences, as they pass the check. How an answer is generated is said by the arm: ``temperature`` and its
    like have no effect at construction, and a call refuses them.

    Args:
        assistant: the domain, or several: ``response_metadata`` then holds ``domain`` and ``route``.
        model: an arm, such as ``"rag:k=3"``; empty, the one that was decided on. A call may name one.
        as_user: who asks, and the groups of that user; only what one of them may read is answered from.
        stop: where the text ends; with it, an answer is streamed as one piece.

    Example:
        >>> ChatHybrid(assistant=Assistant("manual"), model="rag").invoke("Which port?")  # doctest: +SKIP
    """

    assistant: Assistant | Assistants
    model: str = ""
    as_user: str | list[str] | None = None
    stop: list[str] | None = None

    @property
    def _llm_type(self) -> str:
        return "hybrid"

    @property
    def _identifying_params(self) -> Mapping[str, str]:
        own = self.assistant
        place = own.folder if isinstance(own, Assistant) else own.indexes
        return {"domain": str(place), "model": self.model}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        *,
        model: str | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        refuse(kwargs)
        asked, before, arm = question_of(messages), history_of(messages), self._arm(model)
        answer = self.assistant.ask(asked, arm=arm, history=before, as_user=self.as_user)
        text = cut_at_stop(answer.text, stop or self.stop or ())
        message = AIMessage(text, response_metadata=_about(answer), usage_metadata=_usage(answer))
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        *,
        model: str | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        refuse(kwargs)
        ends = stop or self.stop or ()
        asked, before, arm = question_of(messages), history_of(messages), self._arm(model)
        for part in self.assistant.stream(asked, arm=arm, history=before, as_user=self.as_user):
            if isinstance(part, Answer):
                chunk = AIMessageChunk(
                    content=cut_at_stop(part.text, ends) if ends else "",
                    response_metadata=_about(part),
                    usage_metadata=_usage(part),
                    chunk_position="last",
                )
            elif ends or not part:
                continue
            else:
                chunk = AIMessageChunk(content=part)
            piece = ChatGenerationChunk(message=chunk)
            if run_manager is not None:
                run_manager.on_llm_new_token(piece.text, chunk=piece)
            yield piece

    def _arm(self, named: str | None) -> str | None:
        return (self.model if named is None else named) or None


class HybridRunnable(Runnable[LanguageModelInput, Any]):
    """Ask a domain as a step of a chain or a graph: a question or a conversation in, an ``Answer`` out.

    ``batch`` asks in batches of the generator; ``stream`` gives pieces of text, and at last the ``Answer``.

    Args:
        assistant: the domain, or several.
        arm: such as ``"rag:k=3"``; without it the one that was decided on.
        as_user: who asks, and the groups of that user.

    Example:
        >>> (HybridRunnable(assistant) | (lambda answer: answer.text)).invoke("Which port?")  # doctest: +SKIP
    """

    def __init__(
        self, assistant: Assistant | Assistants, *, arm: Arm | str | None = None, as_user: Asker = None
    ) -> None:
        self.assistant, self.arm, self.as_user = assistant, arm, as_user

    def invoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Answer:
        """Answer a question."""
        answer: Answer = self._call_with_config(self._ask, input, config)
        return answer

    def batch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Answer]:
        """Answer several questions; where exceptions are to be returned, each by itself."""
        answers: list[Answer]
        if return_exceptions:
            answers = super().batch(inputs, config, return_exceptions=True)
        else:
            answers = self._batch_with_config(self._ask_all, inputs, config)
        return answers

    def stream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[str | Answer]:
        """Return the answer in pieces of text, and at last as an ``Answer``."""
        yield from self._transform_stream_with_config(iter([input]), self._pieces, config)

    async def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[str | Answer]:
        """Return the same from another thread."""
        pieces = self.stream(input, config)
        while (piece := await run_in_executor(config, next, pieces, None)) is not None:
            yield piece

    def _ask(self, asked: LanguageModelInput) -> Answer:
        question, before = question_of(asked), history_of(asked)
        return self.assistant.ask(question, arm=self.arm, history=before, as_user=self.as_user)

    def _ask_all(self, asked: list[LanguageModelInput]) -> list[Any]:
        if any(map(history_of, asked)):
            return list(map(self._ask, asked))
        return self.assistant.ask_all(list(map(question_of, asked)), arm=self.arm, as_user=self.as_user)

    def _pieces(self, given: Iterator[LanguageModelInput]) -> Iterator[str | Answer]:
        for asked in given:
            question, before = question_of(asked), history_of(asked)
            yield from self.assistant.stream(question, arm=self.arm, history=before, as_user=self.as_user)


def question_of(asked: object) -> str:
    """Return what is asked: a text, or in messages the last one of a person.

    Raises:
        UsageError: there is none, or it holds more than text.
    """
    if isinstance(asked, str):
        return asked
    messages = _messages(asked)
    last = next((message for message in reversed(messages) if _role(message) is MessageRole.USER), None)
    if last is None:
        raise UsageError("no message of a person in the conversation", hint="end it with a HumanMessage")
    kinds = {block["type"] for block in last.content_blocks} - {"text"}
    if kinds:
        raise UsageError(f"the question holds {', '.join(sorted(kinds))}", hint="only text is read")
    text: str = last.text
    return text


def history_of(asked: object) -> list[Message]:
    """Return what a person and a model said before the last question; a text has nothing before it."""
    messages = [] if isinstance(asked, str) else _messages(asked)
    roles = [_role(message) for message in messages]
    while roles and roles.pop() is not MessageRole.USER:
        pass
    return [Message(role, message.text) for role, message in zip(roles, messages, strict=False) if role]


def _messages(asked: object) -> list[BaseMessage]:
    """Return the messages of a conversation, or of one message.

    Raises:
        UsageError: it is none.
    """
    several = asked if isinstance(asked, Sequence | PromptValue) else [asked]
    try:
        return convert_to_messages(several)  # type: ignore[arg-type]
    except (NotImplementedError, ValueError) as error:
        found = f"found {type(asked).__name__}, expected a text or messages that end with one of a person"
        raise UsageError("no message of a person in the conversation", hint=found) from error


def _role(message: object) -> MessageRole | None:
    named = message.role if isinstance(message, ChatMessage) else ""
    if isinstance(message, HumanMessage) or named in ("human", "user"):
        return MessageRole.USER
    return MessageRole.ASSISTANT if isinstance(message, AIMessage) or named in ("ai", "assistant") else None


def _about(answer: Answer) -> dict[str, Any]:
    values = answer.to_dict()
    return {
        "model_name": answer.variant or answer.reader,
        "model_provider": "hybrid",
        "abstained": answer.abstained,
        "incomplete": answer.incomplete,
        "standalone": answer.standalone,
        "confidence": answer.confidence,
        "domain": answer.domain,
        "route": values["route"],
        "citations": values["citations"],
        "closest": values["closest"],
    }


def _usage(answer: Answer) -> Any:
    read, written = answer.prompt_tokens, answer.completion_tokens
    return {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}


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
