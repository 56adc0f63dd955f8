"""Training data as JSON lines: a user's own, and the examples that were made.

Takes paths, gives questions, examples and pairs, or an error that names file and line. Knows nothing about
what will be trained.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

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
    for number, value in _rows(path):
        line = _Line(value, path, number)
        if "question" in line:
            questions.append(_answered(question_of(value, number, path), line))
        elif "query" in line:
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
    _save(path, [_example_row(example) for example in examples])


def load_examples(path: Path) -> list[Example]:
    """Read what ``save_examples`` wrote.

    Raises:
        UsageError: the file is missing, or a line is no such example; the message names the line.
    """
    return _load(path, _example)


class _Line:
    """The object on a line, asked for its fields; what is missing or of another kind is an error."""

    def __init__(self, value: Any, path: Path, number: int) -> None:
        self._value, self._path, self._number = value, path, number
        if not isinstance(value, dict):
            raise self.error("expected an object")

    def __contains__(self, key: str) -> bool:
        return key in self._value

    def error(self, expected: str) -> UsageError:
        """Return an error that names the place and shows what stands there."""
        found = json.dumps(self._value, ensure_ascii=False)
        shown = found if len(found) <= 120 else f"{found[:120]}…"
        return UsageError(f"{self._path}, line {self._number}: {expected}, found {shown}")

    def text(self, key: str, *, default: str | None = None) -> str:
        """Return a text, which may be empty only where there is a default."""
        value = self._value.get(key, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise self.error(f"expected a text as `{key}`")
        return value

    def items(self, key: str) -> list[Any]:
        """Return a list of anything; without the key none."""
        value = self._value.get(key, [])
        if not isinstance(value, list):
            raise self.error(f"expected a list as `{key}`")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; without the key none."""
        items = self.items(key)
        if not all(isinstance(item, str) for item in items):
            raise self.error(f"expected a list of texts as `{key}`")
        return tuple(items)

    def numbers(self, key: str) -> tuple[float, ...]:
        """Return a list of numbers; without the key none."""
        items = self.items(key)
        if not all(type(item) in (int, float) for item in items):
            raise self.error(f"expected a list of numbers as `{key}`")
        return tuple(float(item) for item in items)

    def turns(self, key: str) -> tuple[Message, ...]:
        """Return a list of turns; without the key none."""
        turns = self.items(key)
        for turn in turns:
            if not isinstance(turn, dict) or not isinstance(turn.get("content"), str):
                raise self.error(f"expected turns with `role` and `content` as `{key}`")
            if turn.get("role") not in list(MessageRole):
                raise self.error(f"expected a `role` of {', '.join(MessageRole)} in `{key}`")
        return tuple(Message(MessageRole(turn["role"]), turn["content"]) for turn in turns)


def _rows(path: Path) -> list[tuple[int, Any]]:
    if not path.is_file():
        raise UsageError(f"there is no file {path}", hint="name training data, JSON lines")
    try:
        return list(read_jsonl(path))
    except ValueError as error:
        raise UsageError(str(error)) from error


def _answered(question: Question, line: _Line) -> Question:
    for key in ("answers", "options"):
        line.items(key)
    if question.answerable and not any(answer.strip() for answer in question.answers):
        raise line.error("expected `answers`, or `answerable` as false")
    if question.options and not set(question.answers) & set(question.options):
        raise line.error("expected an answer that is one of the `options`")
    return question


def _given_example(line: _Line, prompts: Prompts) -> Example:
    if "completion" in line:
        options = line.texts("options")
        said = line.text("completion")
        if options and said not in options:
            raise line.error("expected a `completion` that is one of the `options`")
        kind = ExampleKind.LABEL if options else ExampleKind.INSTRUCTION
        source = line.text("source", default="")
        return Example(kind, prompts.base(line.text("prompt")), said, source, options=options)
    if "messages" in line:
        turns = line.turns("messages")
        if len(turns) < 2 or turns[-1].role is not MessageRole.ASSISTANT or not turns[-1].content.strip():
            raise line.error("expected two turns or more in `messages`, the last one of the assistant")
        return Example(
            ExampleKind.INSTRUCTION, turns[:-1], turns[-1].content, line.text("source", default="")
        )
    if "text" in line:
        return Example(ExampleKind.TEXT, (), line.text("text"), line.text("source", default=""))
    raise line.error(f"expected {_KINDS}")


def _example(line: _Line) -> Example:
    kind = line.text("kind")
    if kind not in list(ExampleKind):
        raise line.error(f"expected a `kind` of {', '.join(ExampleKind)}")
    return Example(
        ExampleKind(kind),
        line.turns("prompt"),
        line.text("completion", default="" if "completion" in line else None),
        line.text("source", default=""),
        line.text("made", default="given"),
        line.texts("options"),
    )


def _example_row(example: Example) -> dict[str, Any]:
    optional: dict[str, Any] = {
        "prompt": [{"role": str(turn.role), "content": turn.content} for turn in example.prompt],
        "source": example.source,
        "options": list(example.options),
    }
    row: dict[str, Any] = {"kind": str(example.kind)} | {
        key: value for key, value in optional.items() if value
    }
    return row | {"completion": example.completion, "made": example.made}


def _pair(line: _Line) -> QueryPair:
    return QueryPair(
        line.text("query"),
        line.text("passage"),
        line.text("source", default=""),
        line.text("made", default="given"),
        line.texts("negatives"),
        line.numbers("margins"),
    )


def _save(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _load(path: Path, read: Callable[[_Line], _Row]) -> list[_Row]:
    return [read(_Line(value, path, number)) for number, value in _rows(path)]
