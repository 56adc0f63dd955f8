"""A user's own training data, read from files of JSON lines, and examples written as such."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from hybrid.adaptation.data.formats import KINDS, GivenRow, read_row
from hybrid.adaptation.values import Example, PreferencePair, QueryPair, Sifted
from hybrid.errors import UsageError
from hybrid.files import write_atomic
from hybrid.generation.prompts import Prompts
from hybrid.models.dialogue import ENDS_OF_THOUGHTS
from hybrid.questions.files import read_rows
from hybrid.types import Question

# Less is learned by heart and says nothing about anything else.
LEAST_EXAMPLES = 8
MORE = "add examples or documents; some hundreds are a sensible beginning"


@dataclass(frozen=True, slots=True)
class Given:
    """A user's data: questions, which become examples of several kinds, examples, pairs, and preferences."""

    questions: tuple[Question, ...] = ()
    examples: tuple[Example, ...] = ()
    pairs: tuple[QueryPair, ...] = ()
    preferences: tuple[PreferencePair, ...] = ()
    thoughts: int = 0  # rows that think before they answer, of which the answer alone is taught


NOTHING = Given()


def load_given(paths: Sequence[Path], prompts: Prompts) -> Given:
    """Read a user's data, JSON lines or one JSON list; the rows of a file may be of several kinds.

    - ``question`` and ``answers``, with ``options`` for labels, ``evidence`` and all else of a question set;
    - ``prompt`` and ``completion``, texts or turns, with ``options`` for labels;
    - ``messages`` with ``role`` and ``content``, or ``conversations`` with ``from`` and ``value``: every turn
      of the assistant is taught but those of ``weight`` 0;
    - ``instruction``, ``input`` and ``output``, with ``system`` and ``history``;
    - ``chosen`` and ``rejected``, texts or turns, with ``prompt`` unless both begin with it;
    - ``text``, for continued pre-training;
    - ``query`` and ``passage``, with ``negatives``, for an embedder;
    - what ``save_examples`` wrote.

    What a model thinks before it answers (``<think>``) is left out, as it is where answers are served.
    ``id``, ``source`` (the document that it was made from) and ``meta`` may stand anywhere; any other key
    is an error.

    ``prompts``: of the language that is served; a ``prompt`` is what a user says to the arm ``adapter``.

    Raises:
        UsageError: a file is missing or empty, or a row is none of these; the message names the line.
    """
    rows: list[GivenRow] = []
    for path in paths:
        if not (found := _rows(path)):
            raise UsageError(f"{path} holds no line", hint=f"a line is an object with {KINDS}")
        rows += found
    taught = [one for row in rows for one in read_row(row, prompts)]
    return Given(
        tuple(one for one in taught if isinstance(one, Question)),
        tuple(one for one in taught if isinstance(one, Example)),
        tuple(one for one in taught if isinstance(one, QueryPair)),
        tuple(one for one in taught if isinstance(one, PreferencePair)),
        sum(any(end in str(row.value).lower() for end in ENDS_OF_THOUGHTS) for row in rows),
    )


def require_examples(
    examples: Sequence[Example],
    *,
    made_from: str,
    checked: int = 0,
    left_out: Sequence[Sifted] = (),
    hint: str = MORE,
) -> None:
    """Raise a UsageError for fewer than ``LEAST_EXAMPLES``, or such as all have the same label.

    ``made_from``: what to name in the message, a file or a domain.
    """
    if len(examples) + checked < LEAST_EXAMPLES:
        why = "; ".join(f"left out {left.count}, {left.reason}" for left in left_out)
        there = len(examples) + checked + sum(left.count for left in left_out)
        raise UsageError(
            f"{made_from} gives {len(examples)} examples to train on"
            + (f" of {there}" if there > len(examples) else "")
            + f", expected {LEAST_EXAMPLES} or more"
            + (f": {why}" if why else ""),
            hint=hint,
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
        values = asdict(example)
        empty = [key for key in ("prompt", "source", "options", "asked") if not values[key]]
        rows.append({key: value for key, value in values.items() if key not in empty})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def load_examples(path: Path) -> list[Example]:
    """Read what ``save_examples`` wrote.

    Raises:
        UsageError: the file is missing, or a line is no such example; the message names the line.
    """
    rows = _rows(path)
    return [replace(row, value={"prompt": ()} | row.value).read(Example) for row in rows]


def _rows(path: Path) -> list[GivenRow]:
    if not path.is_file():
        raise UsageError(f"there is no file {path}", hint="name training data, JSON lines")
    rows = [GivenRow(path, number, value) for number, value in read_rows(path)]
    for row in rows:
        if not isinstance(row.value, dict):
            raise row.error("expected an object")
    return rows
