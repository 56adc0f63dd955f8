"""Sets that retrieval is measured on: documents, queries, and which documents each of them should find.

Takes a folder in BEIR's format, or nothing for the general set that ships; gives a frozen value. Knows
nothing about who will search.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from hybrid.errors import UsageError
from hybrid.files import read_jsonl
from hybrid.questions.collections import load_beir
from hybrid.types import Document

GENERAL = "general"


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A query and the grades of the documents that it should find, by source; 0 and less are not relevant.

    Queries of one ``unit`` are not independent: it is the document that they were made from, or their own.
    """

    text: str
    grades: Mapping[str, int]
    unit: str


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    """A collection of documents with judged queries."""

    name: str
    documents: tuple[Document, ...]
    queries: tuple[JudgedQuery, ...]


def general_set() -> RetrievalSet:
    """Return the set that ships: 102 documents of five kinds, and sentences of their summaries as queries."""
    with resources.as_file(resources.files("hybrid.adaptation") / "suite" / "retrieval") as folder:
        return read_collection(folder, name=GENERAL)


def read_collection(folder: Path, *, split: str = "test", name: str = "") -> RetrievalSet:
    """Read a folder with ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/<split>.tsv`` or ``qrels.tsv``.

    Args:
        folder: in BEIR's format.
        split: one or several with +.
        name: of the set, else that of the folder.

    Raises:
        UsageError: a file is missing or not in the format.
    """
    collection = load_beir(folder, split=split)
    try:
        documents = tuple(
            Document(str(row["_id"]), str(row["text"]), str(row.get("title") or ""))
            for _, row in read_jsonl(collection.corpus)
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{collection.corpus} is not in BEIR's format: {error}") from error
    if not documents:
        raise UsageError(f"{collection.corpus} holds no document", hint="one JSON object a line: _id, text")
    judged = tuple(
        JudgedQuery(text, collection.qrels[query], _unit(query, collection.qrels[query]))
        for query, text in collection.queries.items()
    )
    return RetrievalSet(name or folder.name, documents, judged)


def _unit(query: str, grades: Mapping[str, int]) -> str:
    """Return the one document that a query should find, else the query itself."""
    relevant = [document for document, grade in grades.items() if grade > 0]
    return relevant[0] if len(relevant) == 1 else f"query {query}"
