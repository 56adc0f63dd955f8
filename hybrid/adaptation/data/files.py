"""Training data as JSON lines: a user's own, and the examples that were made."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar, get_type_hints

from pydantic import StringConstraints, TypeAdapter, ValidationError

from hybrid.adaptation.values import Example, ExampleKind, QueryPair
from hybrid.errors import UsageError
from hybrid.files import read_jsonl, write_atomic
from hybrid.generation.prompts import Prompts
from hybrid.questions.files import question_of
from hybrid.types import Message, MessageRole, Question

# Less is learned by heart and says nothing about anything else.
LEAST_EXAMPLES = 8

_KINDS = "`question` and `answers`, `prompt` and `completion`, `messages`, `text`, or `query` and `passage`"

_Row = TypeVar("_Row")
# Blank is not said.
Said: TypeAlias = Annotated[str, StringConstraints(pattern=r"\S")]

_EXPECTED: Mapping[Any, str] = {
    str: "a text",
    tuple[str, ...]: "a list of texts",
    tuple[float, ...]: "a list of numbers",
    tuple[Message, ...]: "turns with `role` and `content`",
    ExampleKind: f"one of {', '.join(ExampleKind)}",
}


@dataclass(frozen=True, slots=True)
class Given:
    """A user's data: questions, which become examples of several kinds, and what is an example or a pair."""

    questions: tuple[Question, ...] = ()
    examples: tuple[Example, ...] = ()
    pairs: tuple[QueryPair, ...] = ()


def load_given(path: Path, prompts: Prompts) -> Given:
    """Read a user's data; the lines of a file may be of several kinds.

    - ``question`` and ``answers``, with ``options`` for labels, ``evidence`` and all else of a question set;
    - ``prompt`` and ``completion``, with ``options`` for labels and ``source``;
    - ``messages``, turns with ``role`` and ``content``, the last one of the ``assistant``;
    - ``text``, for continued pre-training;
    - ``query`` and ``passage``, with ``negatives``, for an embedder.

    Args:
        path: of the file.
        prompts: of the language that is served; a ``prompt`` is what a user says to the arm ``adapter``.

    Raises:
        UsageError: the file is missing or empty, or a line is none of these; the message names the line.
    """
    questions: list[Question] = []
    examples: list[Example] = []
    pairs: list[QueryPair] = []
    for line in _lines(path):
        if "question" in line.value:
            questions.append(_answered(line))
        elif "query" in line.value:
            pairs.append(_pair(line))
        else:
            examples.append(_given_example(line, prompts))
    if not questions and not examples and not pairs:
        raise UsageError(f"{path} holds no line", hint=f"a line is an object with {_KINDS}")
    return Given(tuple(questions), tuple(examples), tuple(pairs))


def require_examples(examples: Sequence[Example], *, made_from: str) -> None:
    """Refuse what nothing can be learned from.

    Args:
        examples: to train on.
        made_from: what to name in the message, a file or a domain.

    Raises:
        UsageError: there are fewer than ``LEAST_EXAMPLES``, or they all have the same label.
    """
    if len(examples) < LEAST_EXAMPLES:
        raise UsageError(
            f"{made_from} gives {len(examples)} examples to train on, expected {LEAST_EXAMPLES} or more",
            hint="add examples or documents; some hundreds are a sensible beginning",
        )
    labels = {example.completion for example in examples if example.options}
    if len(labels) == 1 and all(example.options for example in examples):
        raise UsageError(
            f"all {len(examples)} examples of {made_from} have the same label {next(iter(labels))!r}: "
            "there is nothing to tell apart",
            hint="add examples of the other options",
        )


def save_examples(path: Path, examples: Sequence[Example]) -> None:
    """Write examples atomically, one a line; what is empty is left out."""
    rows = []
    for example in examples:
        values = dataclasses.asdict(example)
        empty = [key for key in ("prompt", "source", "options") if not values[key]]
        rows.append({key: value for key, value in values.items() if key not in empty})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def load_examples(path: Path) -> list[Example]:
    """Read what ``save_examples`` wrote.

    Raises:
        UsageError: the file is missing, or a line is no such example; the message names the line.
    """
    lines = _lines(path)
    return [dataclasses.replace(line, value={"prompt": ()} | line.value).read(Example) for line in lines]


@dataclass(frozen=True, slots=True)
class _Completion:
    prompt: Said
    completion: Said
    source: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Talk:
    messages: tuple[Message, ...]
    source: str = ""


@dataclass(frozen=True, slots=True)
class _Text:
    text: Said
    source: str = ""


@dataclass(frozen=True, slots=True)
class _Line:
    """The object on a line of a file."""

    path: Path
    number: int
    value: Any

    def error(self, expected: str) -> UsageError:
        """Return an error that names the place and shows what stands there."""
        found = json.dumps(self.value, ensure_ascii=False)
        shown = found if len(found) <= 120 else f"{found[:120]}…"
        return UsageError(f"{self.path}, line {self.number}: {expected}, found {shown}")

    def read(self, kind: Callable[..., _Row]) -> _Row:
        """Return the object as a value of this class; what is missing or of another kind is an error."""
        try:
            row: _Row = _adapter(kind).validate_python(self.value)
        except ValidationError as error:
            field = str(error.errors()[0]["loc"][0])
            raise self.error(f"expected {_EXPECTED[get_type_hints(kind)[field]]} as `{field}`") from None
        return row


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _lines(path: Path) -> list[_Line]:
    if not path.is_file():
        raise UsageError(f"there is no file {path}", hint="name training data, JSON lines")
    try:
        lines = [_Line(path, number, value) for number, value in read_jsonl(path)]
    except ValueError as error:
        raise UsageError(str(error)) from error
    for line in lines:
        if not isinstance(line.value, dict):
            raise line.error("expected an object")
    return lines


def _answered(line: _Line) -> Question:
    question = question_of(line.value, line.number, line.path)
    for key in ("answers", "options"):
        if not isinstance(line.value.get(key, []), list):
            raise line.error(f"expected a list as `{key}`")
    if question.answerable and not any(answer.strip() for answer in question.answers):
        raise line.error("expected `answers`, or `answerable` as false")
    if question.options and not set(question.answers) & set(question.options):
        raise line.error("expected an answer that is one of the `options`")
    return question


def _given_example(line: _Line, prompts: Prompts) -> Example:
    if "completion" in line.value:
        asked = line.read(_Completion)
        if asked.options and asked.completion not in asked.options:
            raise line.error("expected a `completion` that is one of the `options`")
        kind = ExampleKind.LABEL if asked.options else ExampleKind.INSTRUCTION
        prompt = prompts.base(asked.prompt)
        return Example(kind, prompt, asked.completion, asked.source, options=asked.options)
    if "messages" in line.value:
        talk = line.read(_Talk)
        *turns, last = talk.messages or (None,)
        if not turns or last is None or last.role is not MessageRole.ASSISTANT or not last.content.strip():
            raise line.error("expected two turns or more in `messages`, the last one of the assistant")
        return Example(ExampleKind.INSTRUCTION, talk.messages[:-1], last.content, talk.source)
    if "text" in line.value:
        plain = line.read(_Text)
        return Example(ExampleKind.TEXT, (), plain.text, plain.source)
    raise line.error(f"expected {_KINDS}")


def _pair(line: _Line) -> QueryPair:
    pair = line.read(QueryPair)
    for key, said in (("query", pair.query), ("passage", pair.passage)):
        if not said.strip():
            raise line.error(f"expected a text as `{key}`")
    return pair
