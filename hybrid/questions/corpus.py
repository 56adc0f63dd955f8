"""A domain as question making reads it: document after document, with their chunks, and a deep search.

Takes an open index or a retriever, gives documents, candidates and hits.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left, bisect_right

from hybrid.index import Index
from hybrid.questions.candidates import find_candidates
from hybrid.questions.making import ROUND_TRIP_DEPTH, Search
from hybrid.questions.values import Candidate
from hybrid.retrieval import Retriever
from hybrid.types import Chunk, Document

_WINDOW = 500


def read_candidates(index: Index, source: str) -> tuple[Document, list[Candidate]]:
    """Return a document of the index and what it lets one ask."""
    document = index.document(source)
    assert document is not None, "sources come from the same generation"
    return document, find_candidates(document, chunks_of(index, source))


def chunks_of(index: Index, source: str) -> list[Chunk]:
    """Return the chunks of a document, in order; they are found by bisection, for they are sorted."""

    def source_at(position: int) -> str:
        return index.chunks([position])[0].source

    positions = range(index.manifest.counts.chunks)
    first = bisect_left(positions, source, key=source_at)
    last = bisect_right(positions, source, lo=first, key=source_at)
    found: list[Chunk] = []
    for start in range(first, last, _WINDOW):
        found.extend(index.chunks(range(start, min(start + _WINDOW, last))))
    return found


def deep_search(retriever: Retriever, *, depth: int = ROUND_TRIP_DEPTH) -> Search:
    """Return a search of that depth which leaves out no near-duplicates and has no floor."""
    settings = dataclasses.replace(
        retriever.settings, k=max(depth, retriever.settings.k), duplicate_overlap=1.0, min_score=-1.0
    )
    return dataclasses.replace(retriever, settings=settings).search_all
