"""Retrieval benchmarks in the format of BEIR."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from hybrid.config import DocumentSettings, FusionMethod, RetrievalMode, RetrievalSettings, Settings
from hybrid.index import Index
from hybrid.index.sync import Progress
from hybrid.ingestion import Ingestor
from hybrid.models import Embedder, Reranker
from hybrid.models.loading import load_embedder, load_reranker
from hybrid.questions.files import load_beir
from hybrid.ranking import RankingScores, score_rankings
from hybrid.retrieval import Retriever
from hybrid.types import Hit

_DOCUMENTS = 100


@dataclass(frozen=True, slots=True)
class RetrievalRow:
    """One way to search and what it reached."""

    mode: str
    scores: RankingScores


def bench_retrieval(
    folder: Path,
    settings: Settings,
    *,
    split: str = "test",
    keep: Path | None = None,
    embedder: Embedder | None = None,
    reranker: Reranker | None = None,
    progress: Progress | None = None,
) -> list[RetrievalRow]:
    """Index a BEIR folder and score every mode of retrieval; a document ranks where its best chunk does.

    ``split`` names the judgements; several are joined by +. The index stays in ``keep``, where an unchanged
    one is used again, or is thrown away. Mode and depths of retrieval are set here; models that are not given
    are those of the settings, and a reranker adds a row with the fusion reranked.

    Raises:
        UsageError: the folder is not in that format.
        ModelMissing: a model is nowhere.
    """
    collection = load_beir(folder, split=split)
    embedder = embedder or load_embedder(settings.models)
    reranker = reranker or load_reranker(settings.models)
    retrieval = settings.retrieval
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
    with nullcontext(str(keep)) if keep else tempfile.TemporaryDirectory(prefix="hybrid-bench-") as place:
        ingestor = Ingestor(Path(place), embedder, DocumentSettings(text_field="text"), settings.chunks)
        ingestor.ingest(collection.corpus, progress=progress)
        with closing(Index.open(Path(place))) as index:
            for name, own, model in variants:
                found = Retriever(index, embedder, own, model).search_all([*collection.queries.values()])
                pairs = zip(collection.queries, found, strict=True)
                rankings = {query: _documents(hits) for query, hits in pairs}
                rows.append(RetrievalRow(name, score_rankings(rankings, collection.qrels)))
    return rows


def _fusion(settings: RetrievalSettings, method: FusionMethod) -> RetrievalSettings:
    return replace(settings, mode=RetrievalMode.FUSION, fusion=method)


def _documents(hits: Sequence[Hit]) -> list[str]:
    names = [hit.chunk.metadata.get("id", hit.chunk.source) for hit in hits]
    return list(dict.fromkeys(names))[:_DOCUMENTS]
