"""Question sets: JSON lines with gold answers and evidence, and folders in BEIR's format.

Takes paths, gives questions or a test collection. Knows nothing about who will answer.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybrid.errors import UsageError
from hybrid.files import read_jsonl
from hybrid.types import Evidence, Question


@dataclass(frozen=True, slots=True)
class Collection:
    """A test collection: queries and, for each, the grade of the documents that were judged."""

    corpus: Path
    queries: Mapping[str, str]
    qrels: Mapping[str, Mapping[str, int]]


def load_questions(path: Path) -> list[Question]:
    """Read a question set.

    Each line is an object with ``question``, and optionally ``id``, ``answers`` (strings, several
    are alternatives), ``answerable``, ``evidence`` (objects with ``source`` and ``quote``) and ``slices``.

    Raises:
        UsageError: the file is missing or a line is not such an object; the message names the line.
    """
    if not path.is_file():
        raise UsageError(f"there is no question set {path}")
    questions: list[Question] = []
    try:
        for number, value in read_jsonl(path):
            questions.append(_question(value, number, path))
    except ValueError as error:
        raise UsageError(str(error)) from error
    if not questions:
        raise UsageError(f"{path} holds no questions")
    return questions


def load_beir(folder: Path, *, split: str = "test") -> Collection:
    """Read a folder with ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/<split>.tsv``.

    ``split`` may name several, joined by ``+``. A single ``qrels.tsv`` serves where there is no folder
    of splits. Grades below 1 count as not relevant.

    Raises:
        UsageError: a file is missing or not in the format.
    """
    corpus = folder / "corpus.jsonl"
    for path in (corpus, folder / "queries.jsonl"):
        if not path.is_file():
            raise UsageError(
                f"{path} is missing", hint="a BEIR folder has corpus.jsonl, queries.jsonl and qrels"
            )
    qrels: dict[str, dict[str, int]] = {}
    for path in _qrel_files(folder, split):
        for query, document, grade in _qrels(path):
            qrels.setdefault(query, {})[document] = grade
    try:
        texts = {str(row["_id"]): str(row["text"]) for _, row in read_jsonl(folder / "queries.jsonl")}
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{folder / 'queries.jsonl'} is not in BEIR's format: {error}") from error
    judged = {query: texts[query] for query in qrels if query in texts}
    if not judged:
        raise UsageError(f"no query of {folder / 'queries.jsonl'} has a judgement in the split {split!r}")
    return Collection(corpus, judged, qrels)


def _question(value: Any, number: int, path: Path) -> Question:
    try:
        answers = tuple(str(answer) for answer in value.get("answers", ()))
        return Question(
            id=str(value.get("id", number)),
            text=str(value["question"]),
            answers=answers,
            answerable=bool(value.get("answerable", True)),
            evidence=tuple(Evidence(str(e["source"]), str(e["quote"])) for e in value.get("evidence", ())),
            slices=tuple(str(name) for name in value.get("slices", ())),
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path}, line {number}: expected an object with `question`, found {json.dumps(value)[:80]}"
        ) from error


def _qrel_files(folder: Path, split: str) -> list[Path]:
    files = [folder / "qrels" / f"{name}.tsv" for name in split.split("+")]
    if not (folder / "qrels").is_dir():
        files = [folder / "qrels.tsv"]
    for path in files:
        if not path.is_file():
            there = ", ".join(sorted(found.stem for found in path.parent.glob("*.tsv"))) or "none"
            raise UsageError(f"{path} is missing", hint=f"judgements that are there: {there}")
    return files


def _qrels(path: Path) -> list[tuple[str, str, int]]:
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.reader(stream, delimiter="\t") if row]
    try:
        return [(row[0], row[1], int(float(row[2]))) for row in rows if row[2] != "score"]
    except (IndexError, ValueError) as error:
        raise UsageError(f"{path} is not in BEIR's format (query-id, corpus-id, score): {error}") from error
