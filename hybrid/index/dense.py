"""The dense side of an index: FAISS."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid.errors import IndexCorrupt
from hybrid.files import REPAIR, storage_errors, verify_checksum
from hybrid.models import Vectors

# Measured on two cores with 384 dimensions: one exact query takes 0.18 ms a thousand vectors.
EXACT_UP_TO = 20_000
GRAPH_UP_TO = 500_000
RECALL_TARGET = 0.95
# Questions find two points less in lists than the midpoints that stand in for them (measured at a million).
_TARGET_OF_LISTS = 0.97

_LINKS = 24
_BUILD_EFFORT = 100
_EFFORTS = (64, 128, 256, 512, 1024)
_LISTS_SEARCHED = (8, 16, 32, 64, 128, 256, 384, 512, 768, 1024)
_PROBES = 200
_MEASURED_AT = 10
# FAISS asks for 39 vectors a centroid; they are drawn by chance, so a few more.
_TRAIN_A_LIST = 40
# Vectors that a shard has: what a worker fills, and what is held in memory beside the whole.
_SHARD = 250_000


class DenseKind(StrEnum):
    """How the vectors are searched."""

    EXACT = "exact"
    HNSW = "hnsw"
    IVF = "ivf"


@dataclass(frozen=True, slots=True)
class Scored:
    """A position and its score, higher is better."""

    position: int
    score: float


@dataclass(frozen=True, slots=True)
class DenseReport:
    """What was built: ``effort`` is efSearch or nprobe, ``recall_at_10`` is against exact search."""

    kind: DenseKind
    dimension: int
    vectors: int
    effort: int
    recall_at_10: float


def kind_for(vectors: int) -> DenseKind:
    """Return the type that fits the number of vectors.

    Exact while that is fast, then a graph (HNSW, Malkov & Yashunin 2018), then inverted lists with scalar
    quantisation (Jégou et al. 2011).
    """
    if vectors <= EXACT_UP_TO:
        return DenseKind.EXACT
    return DenseKind.HNSW if vectors <= GRAPH_UP_TO else DenseKind.IVF


def build_dense(
    path: Path,
    blocks: Callable[[], Iterator[Vectors]],
    *,
    dimension: int,
    vectors: int,
    kind: DenseKind | None = None,
    seed: int = 0,
) -> DenseReport:
    """Build and write an index; vectors are streamed, twice where recall has to be measured.

    Args:
        path: where the index is written.
        blocks: gives the vectors anew at every call.
        dimension: of a vector.
        vectors: how many there will be.
        kind: instead of the one that fits the size.
        seed: of the sample on which recall is measured.
    """
    import faiss

    kind = kind or kind_for(vectors)
    index = _empty(kind, dimension, vectors)
    if kind is DenseKind.IVF:
        index.train(_sample(blocks(), vectors, _TRAIN_A_LIST * index.nlist, seed))
        merge_shards(index, _shards(index, _checked(blocks(), dimension)))
        index.set_direct_map_type(faiss.DirectMap.Array)
    else:
        for block in _checked(blocks(), dimension):
            index.add(block)
    report = DenseReport(kind, dimension, vectors, 0, 1.0)
    if kind is not DenseKind.EXACT:
        report = _raise_effort(index, kind, blocks, vectors, seed)
    with storage_errors(str(path)):
        try:
            faiss.write_index(index, str(path))
        except RuntimeError as error:  # how FAISS reports a failed write
            if "write" in str(error) or "space" in str(error):
                raise OSError(errno.ENOSPC, str(error)) from error
            raise
    return report


def merge_shards(index: Any, shards: Iterable[Any]) -> None:
    """Put shards, filled from id 0 on by copies of a trained index, into it one after the other.

    Each gets the ids behind those that are there. Without that offset FAISS keeps the ids of the shards, and
    every vector of a later one comes back as one of the first.

    Raises:
        IndexCorrupt: a shard was filled by an index that was trained otherwise.
    """
    import faiss

    centres = index.quantizer.reconstruct_n(0, index.nlist)
    for shard in shards:
        # lists are merged by their numbers, whatever lies in them
        trained_alike = (
            shard.nlist == index.nlist
            and np.array_equal(shard.quantizer.reconstruct_n(0, shard.nlist), centres)
            and np.array_equal(*(faiss.vector_to_array(one.sq.trained) for one in (shard, index)))
        )
        if not trained_alike:
            raise IndexCorrupt("a shard of the vectors was filled by another index", hint=REPAIR)
        index.merge_from(shard, index.ntotal)


class DenseIndex:
    """A finished index, mapped into memory."""

    def __init__(self, path: Path, report: DenseReport, *, checksum: str) -> None:
        """Open the file after its checksum was found right: FAISS must not read a foreign file.

        Raises:
            IndexCorrupt: the file is missing or changed, or is not what the report says.
        """
        import faiss

        verify_checksum(path, checksum)
        try:
            self._index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except (RuntimeError, MemoryError) as error:
            found = str(error).strip().splitlines()[-1:]
            raise IndexCorrupt(f"{path} cannot be read by FAISS: {found}", hint=REPAIR) from error
        kinds = {
            DenseKind.EXACT: faiss.IndexFlat,
            DenseKind.HNSW: faiss.IndexHNSW,
            DenseKind.IVF: faiss.IndexIVF,
        }
        expected = (report.dimension, report.vectors, faiss.METRIC_INNER_PRODUCT)
        built = (self._index.d, self._index.ntotal, self._index.metric_type)
        if built != expected or not isinstance(self._index, kinds[report.kind]):
            raise IndexCorrupt(
                f"{path} holds {built[1]} vectors of {built[0]} dimensions ({type(self._index).__name__}), "
                f"the manifest says {expected[1]} of {expected[0]} ({report.kind})",
                hint=REPAIR,
            )
        self._report = report

    def search(self, vector: Vectors, k: int, *, among: Sequence[int] | None = None) -> list[Scored]:
        """Return the k nearest positions with their cosines, best first.

        Args:
            vector: the query, shape (dimension,).
            k: how many at the most.
            among: only these positions.
        """
        k = min(k, self._report.vectors if among is None else len(among))
        if k < 1:
            return []
        if among is not None:
            return self._search_among(vector, k, np.asarray(among, dtype=np.int64))
        if self._report.kind is DenseKind.IVF:
            return self._search_lists(vector, k, self._report.effort, None)
        return self._found(self._index, vector, k, _parameters(self._report.kind, self._report.effort, k))

    def _search_among(self, vector: Vectors, k: int, among: NDArray[np.int64]) -> list[Scored]:
        import faiss

        allowed = np.zeros(self._report.vectors, dtype=np.bool_)
        allowed[among] = True
        only = faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
        if self._report.kind is DenseKind.IVF:
            # as many that are allowed are compared as without a filter
            lists = self._report.effort * self._report.vectors // len(among)
            return self._search_lists(vector, k, lists, only)
        # a graph walked for allowed positions alone gets lost between them; to compare them all is exact
        exact = self._index if self._report.kind is DenseKind.EXACT else self._index.storage
        return self._found(exact, vector, k, faiss.SearchParameters(sel=only))

    def _search_lists(self, vector: Vectors, k: int, lists: int, only: Any) -> list[Scored]:
        """Search so many of the lists, and all of them where that does not fill k."""
        import faiss

        for count in (min(lists, self._index.nlist), self._index.nlist):
            parameters = faiss.SearchParametersIVF(nprobe=count, sel=only)
            found = self._found(self._index, vector, k, parameters)
            if len(found) == k:
                break
        return found

    def _found(self, index: Any, vector: Vectors, k: int, parameters: Any) -> list[Scored]:
        scores, found = index.search(vector[None, :], k, params=parameters)
        hits = zip(found[0].tolist(), scores[0].tolist(), strict=True)
        return [Scored(position, score) for position, score in hits if position >= 0]

    def vectors(self, positions: Sequence[int]) -> Vectors:
        """Return stored vectors; approximate where the index compresses."""
        if not positions:
            return np.empty((0, self._report.dimension), dtype=np.float32)
        found: Vectors = self._index.reconstruct_batch(np.asarray(positions, dtype=np.int64))
        return found


def _empty(kind: DenseKind, dimension: int, vectors: int) -> Any:
    import faiss

    metric = faiss.METRIC_INNER_PRODUCT
    if kind is DenseKind.EXACT:
        return faiss.IndexFlatIP(dimension)
    if kind is DenseKind.HNSW:
        index = faiss.IndexHNSWFlat(dimension, _LINKS, metric)
        index.hnsw.efConstruction = _BUILD_EFFORT
        return index
    lists = max(1, min(int(4 * vectors**0.5), vectors // 40))
    return faiss.index_factory(dimension, f"IVF{lists},SQ8", metric)


def _shards(trained: Any, blocks: Iterator[Vectors]) -> Iterator[Any]:
    """Yield indexes of so many vectors each, the ids of each from 0 on."""
    import faiss

    # of what is empty now: the shards may be merged into the one that was given
    empty = faiss.clone_index(trained)
    shard = faiss.clone_index(empty)
    for block in blocks:
        shard.add(block)
        if shard.ntotal >= _SHARD:
            yield shard
            shard = faiss.clone_index(empty)
    yield shard


def _checked(blocks: Iterator[Vectors], dimension: int) -> Iterator[Vectors]:
    for block in blocks:
        if block.shape[1] != dimension:
            raise IndexCorrupt(
                f"the stored vectors have {block.shape[1]} dimensions, expected {dimension}", hint=REPAIR
            )
        yield block


def _parameters(kind: DenseKind, effort: int, k: int) -> Any:
    import faiss

    if kind is DenseKind.HNSW:
        return faiss.SearchParametersHNSW(efSearch=max(effort, k))
    if kind is DenseKind.IVF:
        return faiss.SearchParametersIVF(nprobe=effort)
    return faiss.SearchParameters()


def _raise_effort(
    index: Any, kind: DenseKind, blocks: Callable[[], Iterator[Vectors]], vectors: int, seed: int
) -> DenseReport:
    """Measure recall@10 at rising effort until it reaches the target or the effort ends."""
    queries = _queries(blocks(), vectors, seed)
    exact = _exact_neighbours(blocks(), queries)
    report = DenseReport(kind, queries.shape[1], vectors, 0, 0.0)
    lists = kind is DenseKind.IVF
    efforts, target = (_LISTS_SEARCHED, _TARGET_OF_LISTS) if lists else (_EFFORTS, RECALL_TARGET)
    for effort in efforts:
        _, found = index.search(queries, _MEASURED_AT, params=_parameters(kind, effort, _MEASURED_AT))
        hits = [len(set(a.tolist()) & set(b.tolist())) for a, b in zip(exact, found, strict=True)]
        recall = float(np.mean(hits)) / exact.shape[1]
        report = DenseReport(kind, queries.shape[1], vectors, effort, round(recall, 4))
        if recall >= target:
            break
    return report


def _sample(blocks: Iterator[Vectors], vectors: int, size: int, seed: int) -> Vectors:
    """Draw about ``size`` rows evenly over the stream, so that memory does not grow with it."""
    generator = np.random.default_rng(seed)
    share = min(1.0, size / vectors)
    return np.concatenate([block[generator.random(len(block)) < share] for block in blocks])


def _queries(blocks: Iterator[Vectors], vectors: int, seed: int) -> Vectors:
    """Return stand-ins for questions: midpoints of two chunks, as far from any of them as questions are."""
    generator = np.random.default_rng(seed)
    wanted = np.sort(generator.choice(vectors, size=min(2 * _PROBES, vectors), replace=False))
    rows, offset = [], 0
    for block in blocks:
        inside = wanted[(wanted >= offset) & (wanted < offset + len(block))] - offset
        rows.append(block[inside])
        offset += len(block)
    drawn = generator.permutation(np.concatenate(rows))
    middle = drawn[: len(drawn) // 2] + drawn[len(drawn) - len(drawn) // 2 :]
    return np.ascontiguousarray(middle / np.linalg.norm(middle, axis=1, keepdims=True), dtype=np.float32)


def _exact_neighbours(blocks: Iterator[Vectors], queries: Vectors) -> Any:
    """Return the exact nearest positions, block by block, so that memory stays flat."""
    import faiss

    best = faiss.ResultHeap(len(queries), _MEASURED_AT, keep_max=True)
    offset = 0
    for block in blocks:
        flat = faiss.IndexFlatIP(block.shape[1])
        flat.add(block)
        scores, found = flat.search(queries, min(_MEASURED_AT, len(block)))
        best.add_result(scores, found + offset)
        offset += len(block)
    best.finalize()
    return best.I
