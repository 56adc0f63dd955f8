"""The fused ranking as a teacher of the dense one, over the passages of a training set.

Takes queries and passages with the vectors that the base gives them, gives similarities as they should be:
the base's own cosine, plus what the words say on top of it. Needs no cross-encoder and no labels. Knows
nothing about training.

Fusion adds two scores that are scaled to one width. Here the lexical one is scaled to the width of the dense
one instead, which ranks alike, and where words tell nothing the teacher says what the base says: a student
learns what it lacks and keeps the rest. Scaled to any other width, most of what it learns is that scale.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hybrid.index.lexical import terms_of
from hybrid.models import Vectors

Array = NDArray[np.float32]
Places = NDArray[np.int64]

# As deep as each side of a fusion is asked.
_DEPTH = 200
_BLOCK = 256
# BM25 as the lexical index counts it.
_SATURATION, _LENGTH = 1.2, 0.75
_LEAST_DENSE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Listed:
    """For each query the passages that the teacher ranks first: places and similarities, (queries, k).

    Where there are fewer, the place is −1.
    """

    places: Places
    similarities: Array


class Words:
    """BM25 over passages in memory.

    Args:
        passages: the texts that are searched.
    """

    def __init__(self, passages: Sequence[str]) -> None:
        counts = [Counter(terms) for terms in terms_of(passages)]
        self._numbers = {term: n for n, term in enumerate(sorted({t for count in counts for t in count}))}
        lengths = np.array([sum(count.values()) for count in counts], dtype=np.float32)
        held = Counter(term for count in counts for term in count)
        total = len(counts)
        rarity = {term: float(np.log1p((total - n + 0.5) / (n + 0.5))) for term, n in held.items()}
        mean = max(float(lengths.mean()), 1.0) if len(lengths) else 1.0
        rows, columns, weights = [], [], []
        for row, (count, length) in enumerate(zip(counts, lengths, strict=True)):
            for term, number in count.items():
                worn = number + _SATURATION * (1 - _LENGTH + _LENGTH * float(length) / mean)
                rows.append(row)
                columns.append(self._numbers[term])
                weights.append(rarity[term] * number * (_SATURATION + 1) / worn)
        shape = (len(counts), len(self._numbers))
        self._weights = sparse.csr_matrix((np.array(weights, np.float32), (rows, columns)), shape=shape)

    def asked(self, queries: Sequence[str]) -> sparse.csr_matrix:
        """Return the terms of queries, as ``scores`` takes them; unknown words are ignored."""
        rows, columns = [], []
        for row, terms in enumerate(terms_of(queries)):
            known = {self._numbers[term] for term in terms if term in self._numbers}
            rows += [row] * len(known)
            columns += sorted(known)
        ones = np.ones(len(rows), dtype=np.float32)
        return sparse.csr_matrix((ones, (rows, columns)), shape=(len(queries), len(self._numbers)))

    def scores(self, asked: sparse.csr_matrix, places: Places | None = None) -> Array:
        """Return BM25 scores of shape (queries, passages), of some passages or of all."""
        chosen = self._weights if places is None else self._weights[places]
        return np.asarray((asked @ chosen.T).toarray(), dtype=np.float32)


class Teacher:
    """Says how similar queries and passages should be.

    Args:
        queries: texts.
        passages: texts; the pool in which queries search.
        query_vectors: unit vectors of the base.
        passage_vectors: likewise.
        dense_weight: share of the dense side in the fusion, as in retrieval.
    """

    def __init__(
        self,
        queries: Sequence[str],
        passages: Sequence[str],
        query_vectors: Vectors,
        passage_vectors: Vectors,
        *,
        dense_weight: float,
    ) -> None:
        self._words = Words(passages)
        self._asked = self._words.asked(queries)
        self._queries, self._passages = query_vectors, passage_vectors
        weight = max(dense_weight, _LEAST_DENSE)
        self._ratio = (1 - weight) / weight

    def similarities(self, queries: Sequence[int], passages: Sequence[int]) -> Array:
        """Return the similarities of some queries and passages, in cosines of the base."""
        rows, columns = np.asarray(queries, dtype=np.int64), np.asarray(passages, dtype=np.int64)
        scores = self._words.scores(self._asked[rows], columns)
        return self._fused(rows, self._queries[rows] @ self._passages[columns].T, scores)

    def best(self, k: int, own: Sequence[Sequence[int]]) -> Listed:
        """Return for each query the k best passages.

        Args:
            k: how many.
            own: for each query the places that are left out, such as those of its own document.
        """
        count = len(self._queries)
        width = min(k, len(self._passages))
        places = np.full((count, width), -1, dtype=np.int64)
        found = np.zeros((count, width), dtype=np.float32)
        for rows, dense, lexical in self._blocks():
            fused = self._fused(rows, dense, lexical)
            for place, row in enumerate(rows):
                fused[place, list(own[row])] = -np.inf
                order = np.argsort(-fused[place], kind="stable")[:width]
                order = order[np.isfinite(fused[place, order])]
                places[row, : len(order)] = order
                found[row, : len(order)] = fused[place, order]
        return Listed(places, found)

    @cached_property
    def _scales(self) -> tuple[Array, Array]:
        """Return for each query the lexical score that counts as none, and what a point above it is worth."""
        count = len(self._queries)
        floors, worth = np.zeros(count, dtype=np.float32), np.zeros(count, dtype=np.float32)
        for rows, dense, lexical in self._blocks():
            depth = min(_DEPTH, dense.shape[1])
            near, said = _best_scores(dense, depth), _best_scores(lexical, depth)
            floors[rows] = said[:, 0]
            span = said[:, -1] - said[:, 0]
            width = near[:, -1] - near[:, 0]
            worth[rows] = np.where(span > 0, self._ratio * width / np.maximum(span, 1e-6), 0.0)
        return floors, worth

    def _fused(self, rows: Places, dense: Array, lexical: Array) -> Array:
        floors, worth = self._scales
        above = np.maximum(lexical - floors[rows][:, None], 0.0)
        return np.asarray(dense + worth[rows][:, None] * above, dtype=np.float32)

    def _blocks(self) -> Iterator[tuple[Places, Array, Array]]:
        for start in range(0, len(self._queries), _BLOCK):
            rows = np.arange(start, min(start + _BLOCK, len(self._queries)))
            yield rows, self._queries[rows] @ self._passages.T, self._words.scores(self._asked[rows])


def _best_scores(scores: Array, depth: int) -> Array:
    """Return the best scores of each row, worst first, shape (rows, depth)."""
    best = np.partition(scores, scores.shape[1] - depth, axis=1)[:, -depth:]
    return np.asarray(np.sort(best, axis=1))
