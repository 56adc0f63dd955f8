"""What a tuned embedder finds in its domain and elsewhere, in nDCG@10: paired changes of dense retrieval.

What words find does not change by tuning, so retrieval is dense alone.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from hybrid.adaptation.forgetting.collection import JudgedQuery, RetrievalSet
from hybrid.adaptation.forgetting.pairing import paired_change
from hybrid.adaptation.values import Change, QueryPair
from hybrid.chunking import chunk_document
from hybrid.config import ChunkSettings
from hybrid.index import Index
from hybrid.models import Embedder, Vectors
from hybrid.ranking import ndcg

_K = 10
# Chunks that are looked at for the ten best documents.
_DEPTH = 120
_UNIT = "nDCG"

Rank: TypeAlias = Callable[[Sequence[str]], list[list[str]]]


@dataclass(frozen=True, slots=True)
class Side:
    """An embedder and the index that it built."""

    index: Index
    embedder: Embedder


def made_change(before: Side, after: Side, pairs: Sequence[QueryPair], *, seed: int = 0) -> Change:
    """Return the change of nDCG@10 on made queries of held-out documents.

    The document that a query was made from stands in the index with the words of the query in it, which no
    reader's question has. So it is represented by the passage of the pair, from which they were taken.

    Args:
        before: base embedder and index.
        after: tuned embedder and index.
        pairs: of documents that training never saw.
        seed: of the resampling.
    """
    columns = [_made_scores(side, pairs) for side in (before, after)]
    return _change("dense retrieval, made queries of held-out documents", columns, _units(pairs), seed)


def general_changes(
    before: Embedder, after: Embedder, sets: Sequence[RetrievalSet], *, seed: int = 0
) -> tuple[Change, ...]:
    """Return the change of nDCG@10 on collections from elsewhere, each embedded here and now."""
    found = []
    for collection in sets:
        queries = collection.queries
        columns = [_scores(rank_over(collection, embedder), queries) for embedder in (before, after)]
        units = [query.unit for query in queries]
        found.append(_change(f"dense retrieval, {collection.name}", columns, units, seed))
    return tuple(found)


def rank_over(collection: RetrievalSet, embedder: Embedder) -> Rank:
    """Return a dense search over documents in memory; a document ranks where its best chunk does."""
    texts, sources = [], []
    for document in collection.documents:
        for sized in chunk_document(document, embedder, ChunkSettings(), max_tokens=embedder.max_tokens):
            texts.append(sized.chunk.embedded_text)
            sources.append(document.source)
    vectors = embedder.embed_documents(texts)

    def rank(queries: Sequence[str]) -> list[list[str]]:
        return [
            _best([sources[place] for place in _top(vectors @ query, _DEPTH)])
            for query in embedder.embed_queries(queries)
        ]

    return rank


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


def _scores(rank: Rank, queries: Sequence[JudgedQuery]) -> list[float]:
    rankings = rank([query.text for query in queries])
    return [ndcg(ranking, query.grades, _K) for ranking, query in zip(rankings, queries, strict=True)]


def _best(sources: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(sources))[:_K]


def _top(scores: Vectors, count: int) -> Sequence[int]:
    return [int(place) for place in np.argsort(-scores, kind="stable")[:count]]


def _units(pairs: Sequence[QueryPair]) -> list[str]:
    return [pair.source for pair in pairs]


def _change(measure: str, columns: Sequence[Sequence[float]], units: Sequence[str], seed: int) -> Change:
    before, after = columns
    change = paired_change(measure, before, after, units, unit=_UNIT, higher_is_better=True, seed=seed)
    return dataclasses.replace(change, measure=f"{measure}: nDCG@10")
