"""What an embedder is taught: query-passage pairs, and the fused ranking as a teacher of the dense one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import nn
from torch.nn import functional

from hybrid.adaptation.values import QueryPair
from hybrid.index.lexical import terms_of
from hybrid.models import Vectors
from hybrid.models.layout import prefixes

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

Array = NDArray[np.float32]
Places = NDArray[np.int64]
# As deep as each side of a fusion is asked.
_DEPTH = 200
_BLOCK = 256
# BM25 as the lexical index counts it.
_SATURATION, _LENGTH = 1.2, 0.75
_LEAST_DENSE = 0.1


class VectorModel(nn.Module):
    """A sentence-transformers model whose forward pass gives unit vectors with gradients.

    ``prompts`` are put before queries and passages instead of what the model names; empty is its own.
    """

    def __init__(
        self, model: SentenceTransformer, *, max_tokens: int, prompts: tuple[str, str] = ("", "")
    ) -> None:
        super().__init__()
        self.model = model
        own = prefixes(model.prompts or {}, model.default_prompt_name)
        self.query_prompt, self.passage_prompt = prompts[0] or own[0], prompts[1] or own[1]
        model.max_seq_length = min(max_tokens, int(model.max_seq_length or max_tokens))

    def forward(self, groups: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """Return the vectors of each group of texts."""
        # a model that was told to truncate does so only when it encodes
        width = self.model.get_embedding_dimension()
        return [
            functional.normalize(self.model(dict(group))["sentence_embedding"].float()[:, :width], dim=-1)
            for group in groups
        ]

    def train(self, mode: bool = True) -> VectorModel:
        """Train only what is new: dropout in the base would drown the small differences that are taught."""
        super().train(mode)
        self.model.eval()
        for name, module in self.model.named_modules():
            if name.endswith("lora_dropout"):
                module.train(mode)
        return self

    def tokens(self, texts: Sequence[str], prompt: str) -> dict[str, Any]:
        """Return texts as the model takes them."""
        found = self.model.preprocess(list(texts), prompt=prompt)
        return {
            name: value.to(self.model.device) if isinstance(value, torch.Tensor) else value
            for name, value in found.items()
        }

    def encode(self, texts: Sequence[str], prompt: str) -> Vectors:
        """Return the vectors of texts, without gradients."""
        if not texts:
            return np.zeros((0, int(self.model.get_embedding_dimension() or 0)), dtype=np.float32)
        found = self.model.encode(
            list(texts), prompt=prompt, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(found, dtype=np.float32)


class Lesson:
    """Pairs with all that is compared: a pool of passages, the base's vectors, and what the teacher says."""

    def __init__(
        self, pairs: Sequence[QueryPair], encoder: VectorModel, *, dense_weight: float, listed: int
    ) -> None:
        self.pairs = tuple(pairs)
        negatives = [text for pair in pairs for text in pair.negatives]
        texts = dict.fromkeys([*(pair.passage for pair in pairs), *negatives])
        self.texts = tuple(texts)
        places = {text: place for place, text in enumerate(self.texts)}
        self.own = [places[pair.passage] for pair in pairs]
        self.queries = encoder.encode([pair.query for pair in pairs], encoder.query_prompt)
        self.passages = encoder.encode(self.texts, encoder.passage_prompt)
        asked = [pair.query for pair in pairs]
        self.teacher = Teacher(asked, self.texts, self.queries, self.passages, dense_weight=dense_weight)
        of: dict[str, set[int]] = {}
        for row, place in enumerate(self.own):
            of.setdefault(self._unit(row), set()).add(place)
        same_source = [sorted(of[self._unit(row)]) for row in range(len(self.pairs))]
        self.listed: Listed = self.teacher.best(listed, same_source)

    @cached_property
    def rows_of(self) -> Mapping[int, tuple[int, ...]]:
        """Return the pairs of each passage."""
        found: dict[int, list[int]] = {}
        for row, place in enumerate(self.own):
            found.setdefault(place, []).append(row)
        return {place: tuple(rows) for place, rows in found.items()}

    def batches(self, size: int, neighbours: int, *, seed: int, epoch: int) -> list[tuple[int, ...]]:
        """Return the pairs in batches of neighbours, no document and no passage twice in one.

        What does not fill a last batch is left for another epoch, unless there is no other.
        """
        order = np.random.default_rng([seed, epoch]).permutation(len(self.pairs))
        left = dict.fromkeys(int(row) for row in order)
        batches: list[tuple[int, ...]] = []
        current: dict[str, int] = {}
        for row in order:
            for near in self._group(int(row), left, neighbours):
                unit = self._unit(near)
                if unit in current or self.own[near] in {self.own[other] for other in current.values()}:
                    continue
                current[unit] = near
                if len(current) == size:
                    batches.append(tuple(current.values()))
                    current = {}
        return batches or [tuple(current.values())]

    def _group(self, row: int, left: dict[int, None], size: int) -> Iterator[int]:
        """Yield a pair that is left and those left whose passages its teacher ranks first; take them."""
        if row not in left:
            return
        del left[row]
        yield row
        taken, units = 1, {self._unit(row)}
        for place in self.listed.places[row]:
            for near in self.rows_of.get(int(place), ()):
                if taken < size and near in left and self._unit(near) not in units:
                    del left[near]
                    units.add(self._unit(near))
                    taken += 1
                    yield near

    def _unit(self, row: int) -> str:
        return self.pairs[row].source or f"pair {row}"


@dataclass(frozen=True, slots=True, eq=False)
class Listed:
    """For each query the passages that the teacher ranks first: places and similarities, (queries, k).

    Where there are fewer, the place is −1.
    """

    places: Places
    similarities: Array


class Bm25:
    """BM25 over passages in memory."""

    def __init__(self, passages: Sequence[str]) -> None:
        from sklearn.feature_extraction.text import CountVectorizer

        self._counter = CountVectorizer(analyzer=list, dtype=np.float32)
        # a text with an empty term, and away again: a vocabulary without any is an error
        counts = self._counter.fit_transform([*terms_of(passages), [""]])[:-1]
        lengths, held = np.asarray(counts.sum(axis=1)).ravel(), counts.getnnz(axis=0)
        rarity = np.log1p((len(passages) - held + 0.5) / (held + 0.5))
        share = lengths / max(float(lengths.mean()) if len(lengths) else 0.0, 1.0)
        worn = np.repeat(_SATURATION * (1 - _LENGTH + _LENGTH * share), np.diff(counts.indptr))
        counts.data *= (_SATURATION + 1) / (counts.data + worn)
        self._weights = sparse.csr_matrix(counts.multiply(rarity), dtype=np.float32)

    def asked(self, queries: Sequence[str]) -> sparse.csr_matrix:
        """Return the terms of queries, as ``scores`` takes them; unknown words are ignored."""
        return self._counter.transform(terms_of(queries)).sign()

    def scores(self, asked: sparse.csr_matrix, places: Places | None = None) -> Array:
        """Return BM25 scores of shape (queries, passages), of some passages or of all."""
        chosen = self._weights if places is None else self._weights[places]
        return np.asarray((asked @ chosen.T).toarray(), dtype=np.float32)


class Teacher:
    """Says how similar queries and passages should be: the base's own cosine, plus what the words say on top.

    Fusion adds two scores that are scaled to one width. Here the lexical one is scaled to the width of the
    dense one instead, which ranks alike, and where words tell nothing the teacher says what the base says: a
    student learns what it lacks and keeps the rest. Scaled to any other width, most of what it learns is that
    scale. No cross-encoder and no labels are needed. ``dense_weight`` is the share of the dense side in the
    fusion, as in retrieval.
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
        self._words = Bm25(passages)
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

        ``own``: for each query the places that are left out, such as those of its own document.
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
