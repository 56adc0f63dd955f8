"""Test collections for retrieval: folders in BEIR's format."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hybrid.errors import UsageError
from hybrid.files import read_jsonl


@dataclass(frozen=True, slots=True)
class Collection:
    """A test collection: queries and, for each, the grade of the documents that were judged."""

    corpus: Path
    queries: Mapping[str, str]
    qrels: Mapping[str, Mapping[str, int]]


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
