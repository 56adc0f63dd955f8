"""Training data as JSON lines: a user's own, and the examples that were made."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hybrid.adaptation.data.rows import KINDS, GivenRow, read_row
from hybrid.adaptation.values import Example, PreferencePair, QueryPair, Sifted
from hybrid.errors import UsageError
from hybrid.files import write_atomic
from hybrid.generation.prompts import Prompts
from hybrid.questions.files import read_rows
from hybrid.types import Question

# Less is learned by heart and says nothing about anything else.
LEAST_EXAMPLES = 8
MORE = "add examples or documents; some hundreds are a sensible beginning"

# What people keep data in that is not read, and what makes JSON lines of it.
_PANDAS = 'python -c \'import pandas; pandas.{0}.to_json("data.jsonl", orient="records", lines=True)\''
_OTHER_FILES = {
    ".csv": _PANDAS.format('read_csv("{0}")'),
    ".tsv": _PANDAS.format('read_table("{0}")'),
    ".xlsx": _PANDAS.format('read_excel("{0}")'),
    ".parquet": _PANDAS.format('read_parquet("{0}")'),
    ".gz": "gunzip -k {0}",
    ".zip": "unzip {0}",
}


@dataclass(frozen=True, slots=True)
class Given:
    """A user's data: questions, which become examples of several kinds, examples, pairs, and preferences."""

    questions: tuple[Question, ...] = ()
    examples: tuple[Example, ...] = ()
    pairs: tuple[QueryPair, ...] = ()
    preferences: tuple[PreferencePair, ...] = ()


def load_given(path: Path, prompts: Prompts) -> Given:
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

    ``id``, ``source`` (the document that it was made from) and ``meta`` may stand anywhere; any other key
    is an error.

    Args:
        path: of the file.
        prompts: of the language that is served; a ``prompt`` is what a user says to the arm ``adapter``.

    Raises:
        UsageError: the file is missing or empty, or a row is none of these; the message names the line.
    """
    taught = [one for row in _rows(path) for one in read_row(row, prompts)]
    if not taught:
        raise UsageError(f"{path} holds no line", hint=f"a line is an object with {KINDS}")
    return Given(
        tuple(one for one in taught if isinstance(one, Question)),
        tuple(one for one in taught if isinstance(one, Example)),
        tuple(one for one in taught if isinstance(one, QueryPair)),
        tuple(one for one in taught if isinstance(one, PreferencePair)),
    )


def require_examples(
    examples: Sequence[Example],
    *,
    made_from: str,
    checked: int = 0,
    left_out: Sequence[Sifted] = (),
    hint: str = MORE,
) -> None:
    """Refuse what nothing can be learned from.

    Args:
        examples: to train on.
        made_from: what to name in the message, a file or a domain.
        checked: how many more there are for validation.
        left_out: what else there was, and why it is left out.
        hint: what to do where they are too few.

    Raises:
        UsageError: there are fewer than ``LEAST_EXAMPLES``, or they all have the same label.
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
        values = dataclasses.asdict(example)
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
    return [dataclasses.replace(row, value={"prompt": ()} | row.value).read(Example) for row in rows]


def _rows(path: Path) -> list[GivenRow]:
    if not path.is_file():
        raise UsageError(f"there is no file {path}", hint="name training data, JSON lines")
    if how := _OTHER_FILES.get(path.suffix.lower()):
        raise UsageError(f"{path} is not JSON lines", hint=f"convert it: {how.format(path.name)}")
    rows = [GivenRow(path, number, value) for number, value in read_rows(path)]
    for row in rows:
        if not isinstance(row.value, dict):
            raise row.error("expected an object")
    return rows
