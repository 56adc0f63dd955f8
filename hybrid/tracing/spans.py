"""Spans around the stages: nested, of one question or of several at once; and what they say of an answer."""

from __future__ import annotations

import dataclasses
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from hybrid.errors import AdapterMissing, IndexMissing, UsageError
from hybrid.tracing import names
from hybrid.tracing.names import SpanKind, TraceOutcome
from hybrid.types import Answer, Hit, Message, MessageRole

T = TypeVar("T")
SpanValue = str | int | float | bool | Sequence[float]
Attributes = Mapping[str, SpanValue]


@dataclass(frozen=True, slots=True)
class TraceSpan:
    """A stage that has ended; ``start`` and ``end`` are nanoseconds since 1970.

    ``trace`` is 32 hexadecimal digits that begin with the time, so that later traces sort behind earlier
    ones; ``id`` and ``parent`` are 16, and ``parent`` is empty for the first of a trace. ``error`` is the
    type of the exception that ended it, empty where none did.
    """

    trace: str
    id: str
    parent: str
    name: str
    kind: str
    start: int
    end: int
    error: str = ""
    attributes: Attributes = field(default_factory=dict)


class SpanSink(Protocol):
    """What takes the spans; it may be called from several threads, and never makes a stage wait or fail."""

    def add(self, spans: Sequence[TraceSpan]) -> None:
        """Take spans that have ended."""
        ...

    def close(self) -> None:
        """Hand on what was taken, and stop."""
        ...


@dataclass(slots=True)
class TracePlace:
    """Where something under way stands in the trace of one question."""

    trace: str
    id: str
    parent: str
    clock: int  # what turns the clock of this process into time since 1970, alike in the whole trace
    attributes: dict[str, SpanValue] = field(default_factory=dict)
    question: TracePlace | None = None  # the span ASK, or the first of the trace


# What ends a stage whose result nobody waits for any more, by the names of the exceptions.
_CANCELLED = frozenset({"CancelledError", "GeneratorExit", "GivenUp", "KeyboardInterrupt"})
_sinks: tuple[SpanSink, ...] = ()
_content = False
_questions = True
_here: ContextVar[tuple[TracePlace, ...]] = ContextVar("hybrid_trace", default=())


@contextmanager
def sent_to(sinks: Sequence[SpanSink], *, content: bool = False, questions: bool = True) -> Iterator[None]:
    """Send the spans of the whole process to these sinks until the block ends, and then close them.

    Args:
        sinks: what takes them.
        content: whether they may hold questions, answers and passages.
        questions: whether they may hold where questions lie, which shows that these drift.
    """
    global _sinks, _content, _questions
    before = _sinks, _content, _questions
    _sinks, _content, _questions = tuple(sinks), content, questions
    try:
        yield
    finally:
        _sinks, _content, _questions = before
        for sink in sinks:
            sink.close()


def is_traced() -> bool:
    """Tell whether anybody takes spans: for what it costs something to find out."""
    return bool(_sinks)


def is_captured() -> bool:
    """Tell whether spans may hold questions, answers and passages."""
    return _content and bool(_sinks)


def places_questions() -> bool:
    """Tell whether spans may hold where questions lie."""
    return _questions and bool(_sinks)


def outcome_of_error(error: BaseException, *, named: bool) -> TraceOutcome:
    """Return what became of a question that ended by an exception; refused is the fault of who asked.

    Args:
        error: what ended it.
        named: whether who asked chose the arm; that the usual one lacks its adapter is no fault of theirs.
    """
    if type(error).__name__ in _CANCELLED:
        return TraceOutcome.CANCELLED
    refused = isinstance(error, (UsageError, IndexMissing)) or (named and isinstance(error, AdapterMissing))
    return TraceOutcome.REFUSED if refused else TraceOutcome.ERROR


class OpenSpan:
    """A stage under way, in the trace of every question that it is done for.

    It is current in its block, or during each step of ``stream``: spans opened meanwhile are below it.
    """

    __slots__ = ("_begun", "_ended", "_kind", "_name", "_places", "_token")

    def __init__(self, name: str, kind: SpanKind, places: tuple[TracePlace, ...]) -> None:
        self._name, self._kind, self._places = name, kind, places
        self._begun = time.perf_counter_ns()
        self._token: Token[tuple[TracePlace, ...]] | None = None
        self._ended = False

    def set(self, attributes: Attributes) -> None:
        """Say something of the stage."""
        for place in self._places:
            place.attributes.update(attributes)

    def set_each(self, rows: Sequence[Attributes]) -> None:
        """Say something of the stage for each of the questions, in their order."""
        _update(self._places, rows)

    def __enter__(self) -> Self:
        """Make it current."""
        self._token = _here.set(self._places)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, by the exception if there is one."""
        assert self._token is not None, "it was entered"
        _here.reset(self._token)
        self.end(error)

    def stream(self, make: Callable[[], Iterator[T]]) -> Iterator[T]:
        """Return an iterator whose making and every step belong to the stage, which ends with it.

        What is between two steps is the caller's; they may be taken from different threads.
        """
        try:
            with within(self._places):
                parts = make()
        except BaseException as error:
            self.end(error)
            raise
        return self._steps(parts)

    def _steps(self, parts: Iterator[T]) -> Iterator[T]:
        done = object()
        try:
            while True:
                with within(self._places):
                    part = next(parts, done)
                if part is done:
                    break
                if isinstance(part, str) and part and names.FIRST_CHUNK not in self._places[0].attributes:
                    self.set({names.FIRST_CHUNK: (time.perf_counter_ns() - self._begun) / 1e9})
                yield part  # type: ignore[misc]
        except BaseException as error:
            close = getattr(parts, "close", None)
            if close is not None:
                with within(self._places):
                    close()
            self.end(error)
            raise
        self.end(None)

    def end(self, error: BaseException | None) -> None:
        """End it, by the exception if there is one; nothing happens to what has ended."""
        if self._ended:
            return
        self._ended = True
        end = time.perf_counter_ns()
        cancelled = type(error).__name__ in _CANCELLED
        failed = type(error).__qualname__ if error is not None and not cancelled else ""
        spans = []
        for place in self._places:
            if error is not None and self._name in (names.ASK, names.ASIDE):
                named = bool(place.attributes.get(names.ARM_NAMED))
                place.attributes[names.OUTCOME] = outcome_of_error(error, named=named)
            begun, ended = self._begun + place.clock, end + place.clock
            own = (place.trace, place.id, place.parent, self._name, self._kind, begun, ended)
            spans.append(TraceSpan(*own, failed, dict(place.attributes)))
        for sink in _sinks:
            sink.add(spans)


class _Nothing(OpenSpan):
    """A stage that nobody wants to know of, or one that whoever opened it ends."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def stream(self, make: Callable[[], Iterator[T]]) -> Iterator[T]:
        return make()

    def end(self, error: BaseException | None) -> None:
        return


_NOTHING = _Nothing("", SpanKind.CHAIN, ())


def span(name: str, kind: SpanKind = SpanKind.CHAIN, attributes: Attributes | None = None) -> OpenSpan:
    """Return the span of a stage, below the current one; nothing happens where nobody takes spans.

    Args:
        name: one of ``names``.
        kind: what the stage is.
        attributes: what is known of it at the beginning.
    """
    if not _sinks:
        return _NOTHING
    given = {**names.OF_KIND.get(kind, {}), **(attributes or {})}
    above = _here.get()
    if not above:
        return OpenSpan(name, kind, (_first(given),))
    if len(above) > 1:
        given[names.TOGETHER] = len(above)
    return OpenSpan(name, kind, tuple(_below(place, given) for place in above))


def asking(count: int, attributes: Attributes | None = None, *, aside: bool = False) -> OpenSpan:
    """Return the span of so many questions that are answered together, each in a trace of its own.

    If who asks has opened it already, that goes on, and is not ended here: so a server can open it with what
    it knows, and judge the answer in it too.

    Args:
        count: how many.
        attributes: what is known of all of them.
        aside: no person asked them, so they are not counted among what was asked.
    """
    if not _sinks:
        return _NOTHING
    given = {names.OPERATION: "invoke_workflow", names.AGENT: "hybrid", **(attributes or {})}
    above = _here.get()
    if len(above) == count and all(place.question is place for place in above):
        going = _Nothing(names.ASK, SpanKind.CHAIN, above)
        going.set(given)
        return going
    places = [_below(above[0], given) if len(above) == 1 else _first(given) for _ in range(count)]
    for place in places:
        place.question = place
    return OpenSpan(names.ASIDE if aside else names.ASK, SpanKind.CHAIN, tuple(places))


def tell(attributes: Attributes) -> None:
    """Say something of the question, or the questions, that are being answered, on their spans ASK."""
    for place in _here.get():
        (place.question or place).attributes.update(attributes)


def tell_each(rows: Sequence[Attributes]) -> None:
    """Say something of each of the questions that are being answered, in their order."""
    _update([place.question or place for place in _here.get()], rows)


def _update(places: Sequence[TracePlace], rows: Sequence[Attributes]) -> None:
    # a stage that is for other questions than those that were asked says nothing of single ones
    if len(rows) == len(places):
        for place, row in zip(places, rows, strict=True):
            place.attributes.update(row)


def here() -> tuple[TracePlace, ...]:
    """Return where the work under way stands, to go on with in another thread, or together with others."""
    return _here.get()


def resumed(trace: str) -> AbstractContextManager[None]:
    """Go on with a question that was answered before: what is opened in the block is done for it."""
    above = _here.get()
    if not trace or not _sinks or any(place.trace == trace for place in above):
        return within(above)
    clock = time.time_ns() - time.perf_counter_ns()
    return within([TracePlace(trace, _first_id(trace), "", clock)])


@contextmanager
def within(places: Sequence[TracePlace]) -> Iterator[None]:
    """Go on there: what is opened in the block is done for all of these questions."""
    token = _here.set(tuple(places))
    try:
        yield
    finally:
        _here.reset(token)


def only(places: Sequence[int], of: int) -> AbstractContextManager[None]:
    """Go on for some of so many questions: what is opened in the block is done for them alone."""
    above = _here.get()
    return within([above[place] for place in places] if len(above) == of else above)


def _first(attributes: Attributes) -> TracePlace:
    now = time.time_ns()
    trace = f"{now // 1_000_000:012x}{secrets.token_hex(10)}"
    return TracePlace(trace, _first_id(trace), "", now - time.perf_counter_ns(), dict(attributes))


def _first_id(trace: str) -> str:
    """Return the name of the first span of a trace, which what comes after its end is to be below."""
    return trace[-16:]


def _below(above: TracePlace, attributes: Attributes) -> TracePlace:
    question = above.question or above
    return TracePlace(above.trace, secrets.token_hex(8), above.id, above.clock, dict(attributes), question)


# On which side of so many random planes a question lies (Charikar 2002) is one of 65,536 cells: enough to see
# that questions drift, and many questions for each cell.
_PLANES = 16


def answered(answers: Sequence[Answer]) -> list[Answer]:
    """Say on the spans ASK what was answered, and return the answers with the traces that they are in."""
    places = here()
    if len(places) != len(answers):
        return list(answers)
    tell_each([_said(answer) for answer in answers])
    return [
        dataclasses.replace(answer, trace=place.trace) for answer, place in zip(answers, places, strict=True)
    ]


def _said(answer: Answer) -> dict[str, SpanValue]:
    said: dict[str, SpanValue] = {
        names.ARM: answer.variant,  # empty where no arm was asked
        names.READER: answer.reader,
        names.OUTCOME: outcome_of(answer),
        names.INPUT_TOKENS: answer.prompt_tokens,
        names.OUTPUT_TOKENS: answer.completion_tokens,
    }
    if answer.confidence is not None:
        said[names.CONFIDENCE] = answer.confidence
    if answer.hits:
        said[names.TOP_SCORE] = answer.hits[0].score
        said[names.TOP_COSINE] = max(hit.dense or 0.0 for hit in answer.hits)
    if is_captured():
        said |= {names.INPUT: answer.question, names.OUTPUT: answer.text}
    return said


def outcome_of(answer: Answer) -> TraceOutcome:
    """Return what became of a question that was not an error."""
    if answer.abstained:
        return TraceOutcome.DECLINED
    return TraceOutcome.INCOMPLETE if answer.incomplete else TraceOutcome.ANSWERED


def generated(asked: Sequence[Message], text: str, read: int, written: int) -> dict[str, SpanValue]:
    """Return what the span of a generation says of a text: its tokens; with content all of it."""
    said: dict[str, SpanValue] = {names.INPUT_TOKENS: read, names.OUTPUT_TOKENS: written}
    if is_captured():
        said[names.INPUT_MESSAGES] = _messages([(one.role, one.content) for one in asked])
        said[names.OUTPUT_MESSAGES] = _messages([(MessageRole.ASSISTANT, text)])
    return said


def _messages(turns: Sequence[tuple[str, str]]) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]} for role, text in turns])


def found(questions: Sequence[str], hits: Sequence[Sequence[Hit]]) -> list[dict[str, SpanValue]]:
    """Return what the span of a retrieval says of each question: the scores; with content all of it."""
    return [_found(question, ranking) for question, ranking in zip(questions, hits, strict=True)]


def _found(question: str, hits: Sequence[Hit]) -> dict[str, SpanValue]:
    said: dict[str, SpanValue] = {names.DOCUMENT_SCORE.format(i): hit.score for i, hit in enumerate(hits)}
    if is_captured():
        said[names.QUERY] = said[names.INPUT] = question
        for place, hit in enumerate(hits):
            said[names.DOCUMENT_ID.format(place)] = f"{hit.chunk.source}#{hit.chunk.ordinal}"
            said[names.DOCUMENT_CONTENT.format(place)] = hit.chunk.text
    return said


def tell_vectors(vectors: NDArray[np.float32]) -> None:
    """Say on the spans ASK where the questions lie, by their embeddings, one a row."""
    if places_questions() and len(here()) == len(vectors):
        tell_each([{names.QUESTION_VECTOR: tuple(row)} for row in sides(vectors).tolist()])


def sides(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return on which side of each random plane vectors lie, 1 or −1: shape (rows, planes)."""
    return np.where(vectors @ _planes(vectors.shape[1]) > 0, np.float32(1), np.float32(-1))


@cache
def _planes(dimension: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((dimension, _PLANES)).astype(np.float32)
