"""Distillation of the fused ranking into the dense one: the teacher, the student, batches of neighbours."""

from __future__ import annotations

from collections import Counter
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

_ENCODED = 32

Array = NDArray[np.float32]
Places = NDArray[np.int64]

# As deep as each side of a fusion is asked.
_DEPTH = 200
_BLOCK = 256
# BM25 as the lexical index counts it.
_SATURATION, _LENGTH = 1.2, 0.75
_LEAST_DENSE = 0.1


@dataclass(frozen=True, slots=True)
class EmbedderSettings:
    """What there is to choose beside what all adapters have.

    ``batch`` queries are compared at once, in groups of ``neighbours`` whose passages are alike; with
    ``listed`` further passages each. ``hold`` is what general texts staying where they are weighs beside
    the ranking. ``scale`` is what cosines are multiplied with before the softmax.
    ``max_tokens`` are those of a text that training sees. ``strengths`` are tried on validation.
    ``prompts`` stand before queries and passages; empty are those that the model names.
    """

    batch: int = 32
    neighbours: int = 4
    listed: int = 32
    hold: float = 1.0
    held_texts: int = 8
    dense_weight: float = 0.5
    scale: float = 20.0
    max_tokens: int = 192
    layers: float = 0.5
    warmup: float = 0.1
    looks: int = 4
    strengths: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0, 1.25)
    prompts: tuple[str, str] = ("", "")


class VectorModel(nn.Module):
    """A sentence-transformers model whose forward pass gives unit vectors with gradients.

    Args:
        model: of sentence-transformers.
        max_tokens: more of a text is not seen.
        prompts: what is put before queries and passages instead of what the model names; empty is its own.
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
        """Return the vectors of texts, without gradients; similar lengths share a batch."""
        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        width = int(self.model.get_embedding_dimension() or 0)
        vectors = np.zeros((len(texts), width), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(order), _ENCODED):
                places = order[start : start + _ENCODED]
                (found,) = self([self.tokens([texts[place] for place in places], prompt)])
                vectors[places] = found.cpu().numpy()
        return vectors


class Lesson:
    """Pairs with all that is compared: a pool of passages, the base's vectors, and what the teacher says.

    Args:
        pairs: whose queries are asked.
        encoder: before it is trained.
        settings: how much is listed.
    """

    def __init__(self, pairs: Sequence[QueryPair], encoder: VectorModel, settings: EmbedderSettings) -> None:
        self.pairs = tuple(pairs)
        negatives = [text for pair in pairs for text in pair.negatives]
        texts = dict.fromkeys([*(pair.passage for pair in pairs), *negatives])
        self.texts = tuple(texts)
        places = {text: place for place, text in enumerate(self.texts)}
        self.own = [places[pair.passage] for pair in pairs]
        self.queries = encoder.encode([pair.query for pair in pairs], encoder.query_prompt)
        self.passages = encoder.encode(self.texts, encoder.passage_prompt)
        self.teacher = Teacher(
            [pair.query for pair in pairs],
            self.texts,
            self.queries,
            self.passages,
            dense_weight=settings.dense_weight,
        )
        of: dict[str, set[int]] = {}
        for row, place in enumerate(self.own):
            of.setdefault(self._unit(row), set()).add(place)
        same_source = [sorted(of[self._unit(row)]) for row in range(len(self.pairs))]
        self.listed: Listed = self.teacher.best(settings.listed, same_source)

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
    """Says how similar queries and passages should be: the base's own cosine, plus what the words say on top.

    Fusion adds two scores that are scaled to one width. Here the lexical one is scaled to the width of the
    dense one instead, which ranks alike, and where words tell nothing the teacher says what the base says: a
    student learns what it lacks and keeps the rest. Scaled to any other width, most of what it learns is that
    scale. No cross-encoder and no labels are needed.

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
