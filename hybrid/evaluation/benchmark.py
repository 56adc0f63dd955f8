"""Retrieval benchmarks in the format of BEIR."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from hybrid.config import (
    ChunkSettings,
    DocumentSettings,
    FusionMethod,
    RetrievalMode,
    RetrievalSettings,
    Settings,
)
from hybrid.index import Index
from hybrid.index.sync import Progress
from hybrid.ingestion import Ingestor
from hybrid.models import Embedder, Reranker
from hybrid.models.loading import load_embedder, load_reranker
from hybrid.questions.files import Collection, load_beir
from hybrid.ranking import RankingScores, score_rankings
from hybrid.retrieval import Retriever
from hybrid.types import Hit

_DOCUMENTS = 100


@dataclass(frozen=True, slots=True)
class RetrievalRow:
    """One way to search and what it reached."""

    mode: str
    scores: RankingScores


def bench_folder(
    folder: Path,
    settings: Settings,
    *,
    split: str = "test",
    keep: Path | None = None,
    progress: Progress | None = None,
) -> list[RetrievalRow]:
    """Score every mode of retrieval on a BEIR folder, with the models of the settings.

    ``split`` names the judgements; several are joined by +. The index stays in ``keep``, or is thrown away.

    Raises:
        UsageError: the folder is not in that format.
        ModelMissing: a model is nowhere.
    """
    collection = load_beir(folder, split=split)
    with nullcontext(str(keep)) if keep else tempfile.TemporaryDirectory(prefix="hybrid-bench-") as index:
        return bench_retrieval(
            collection,
            Path(index),
            embedder=load_embedder(settings.models),
            chunks=settings.chunks,
            retrieval=settings.retrieval,
            reranker=load_reranker(settings.models),
            progress=progress,
        )


def bench_retrieval(
    collection: Collection,
    folder: Path,
    *,
    embedder: Embedder,
    chunks: ChunkSettings,
    retrieval: RetrievalSettings,
    reranker: Reranker | None = None,
    progress: Progress | None = None,
) -> list[RetrievalRow]:
    """Index a BEIR corpus and score every mode of retrieval; a document ranks where its best chunk does.

    An index that is in the folder and unchanged is used again. Mode and depths of ``retrieval`` are set here;
    a ``reranker`` adds a row with the fusion reranked.
    """
    documents = DocumentSettings(text_field="text")
    Ingestor(folder, embedder, documents, chunks).ingest(collection.corpus, progress=progress)
    index = Index.open(folder)
    # a BEIR row is found by its number; its judged name is in the metadata
    deep = replace(retrieval, k=retrieval.candidates, duplicate_overlap=1.0, min_score=-1.0)
    variants: list[tuple[str, RetrievalSettings, Reranker | None]] = [
        ("dense", replace(deep, mode=RetrievalMode.DENSE), None),
        ("lexical", replace(deep, mode=RetrievalMode.LEXICAL), None),
        ("fusion, reciprocal rank", _fusion(deep, FusionMethod.RECIPROCAL_RANK), None),
        ("fusion, weighted", _fusion(deep, FusionMethod.WEIGHTED), None),
    ]
    if reranker is not None:
        variants.append(("fusion, reranked", _fusion(deep, retrieval.fusion), reranker))
    rows = []
    for name, settings, model in variants:
        retriever = Retriever(index, embedder, settings, model)
        found = retriever.search_all(list(collection.queries.values()))
        rankings = {query: _documents(hits) for query, hits in zip(collection.queries, found, strict=True)}
        rows.append(RetrievalRow(name, score_rankings(rankings, collection.qrels)))
    index.close()
    return rows


def _fusion(settings: RetrievalSettings, method: FusionMethod) -> RetrievalSettings:
    return replace(settings, mode=RetrievalMode.FUSION, fusion=method)


def _documents(hits: Sequence[Hit]) -> list[str]:
    names = [hit.chunk.metadata.get("id", hit.chunk.source) for hit in hits]
    return list(dict.fromkeys(names))[:_DOCUMENTS]
