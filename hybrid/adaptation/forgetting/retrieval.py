"""Paired changes of dense retrieval in nDCG@10, in the domain and on collections in BEIR's format."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from hybrid.adaptation.forgetting.measure import paired_change
from hybrid.adaptation.values import Change, QueryPair
from hybrid.chunking import chunk_document
from hybrid.config import ChunkSettings
from hybrid.errors import UsageError
from hybrid.files import read_jsonl
from hybrid.index import Index
from hybrid.models import Embedder, Vectors
from hybrid.questions.files import load_beir
from hybrid.ranking import ndcg
from hybrid.types import Document

_K = 10
# Chunks that are looked at for the ten best documents.
_DEPTH = 120


@dataclass(frozen=True, slots=True)
class Side:
    """An embedder and the index that it built."""

    index: Index
    embedder: Embedder


def made_change(before: Side, after: Side, pairs: Sequence[QueryPair], *, seed: int = 0) -> Change:
    """Return the change of nDCG@10 on made queries of held-out documents.

    Retrieval is dense alone, since what words find does not change by tuning.

    The document that a query was made from stands in the index with the words of the query in it, which no
    reader's question has. So it is represented by the passage of the pair, from which they were taken.

    Args:
        before: base embedder and index.
        after: tuned embedder and index.
        pairs: of documents that training never saw.
        seed: of the resampling.
    """
    columns = [_made_scores(side, pairs) for side in (before, after)]
    return _change(
        "dense retrieval, made queries of held-out documents", columns, [pair.source for pair in pairs], seed
    )


def general_changes(
    before: Embedder, after: Embedder, sets: Sequence[RetrievalSet], *, seed: int = 0
) -> tuple[Change, ...]:
    """Return the change of nDCG@10 on collections from elsewhere, each embedded here and now."""
    found = []
    for collection in sets:
        columns = [_scores(collection, embedder) for embedder in (before, after)]
        units = [query.unit for query in collection.queries]
        found.append(_change(f"dense retrieval, {collection.name}", columns, units, seed))
    return tuple(found)


def pool_scores(
    queries: Vectors, passages: Vectors, own: Sequence[int], sources: Sequence[str]
) -> list[float]:
    """Return for each query the nDCG@10 of its own passage among those of other documents.

    Args:
        queries: unit vectors.
        passages: unit vectors.
        own: for each query the place of its passage.
        sources: of the passages; others of the same source are nobody's rivals.
    """
    scores = queries @ passages.T
    names = np.array(sources)
    return [
        _gain(len(set(names[(row > row[place]) & (names != names[place])])))
        for row, place in zip(scores, own, strict=True)
    ]


def _made_scores(side: Side, pairs: Sequence[QueryPair]) -> list[float]:
    queries = side.embedder.embed_queries([pair.query for pair in pairs])
    passages = side.embedder.embed_documents([pair.passage for pair in pairs])
    found = []
    for pair, query, passage in zip(pairs, queries, passages, strict=True):
        own = float(query @ passage)
        hits = [scored for scored in side.index.search_dense(query, _DEPTH) if scored.score > own]
        sources = {chunk.source for chunk in side.index.chunks([scored.position for scored in hits])}
        found.append(_gain(len(sources - {pair.source})))
    return found


def _gain(better: int) -> float:
    """Return the nDCG of the only relevant document below so many others."""
    return 1.0 / math.log2(better + 2) if better < _K else 0.0


def _scores(collection: RetrievalSet, embedder: Embedder) -> list[float]:
    """Return the nDCG@10 of each query by a search in memory; a document ranks where its best chunk does."""
    texts, sources = [], []
    for document in collection.documents:
        for sized in chunk_document(document, embedder, ChunkSettings(), max_tokens=embedder.max_tokens):
            texts.append(sized.chunk.embedded_text)
            sources.append(document.source)
    vectors = embedder.embed_documents(texts)
    found = []
    asked = embedder.embed_queries([query.text for query in collection.queries])
    for query, vector in zip(collection.queries, asked, strict=True):
        nearest = np.argsort(-(vectors @ vector), kind="stable")[:_DEPTH]
        ranking = list(dict.fromkeys(sources[place] for place in nearest))[:_K]
        found.append(ndcg(ranking, query.grades, _K))
    return found


def _change(measure: str, columns: Sequence[Sequence[float]], units: Sequence[str], seed: int) -> Change:
    before, after = columns
    named = f"{measure}: nDCG@10"
    return paired_change(named, before, after, units, unit="nDCG", higher_is_better=True, seed=seed)


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
        return read_collection(folder, name="general")


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
