"""Run a benchmark: retrieval over a BEIR folder, or the readers over a question set.

Takes a collection or questions and something that searches or answers, gives a table of means.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hybrid.config import (
    ChunkSettings,
    DocumentSettings,
    FusionMethod,
    Reader,
    RetrievalMode,
    RetrievalSettings,
)
from hybrid.evaluation.metrics import contains_gold, token_f1
from hybrid.evaluation.questions import Collection
from hybrid.evaluation.ranking import RankingScores, score_rankings
from hybrid.generation.answering import Answerer
from hybrid.generation.support import share_supported
from hybrid.index import Index
from hybrid.index.sync import Progress
from hybrid.ingestion import Ingestor
from hybrid.models import Embedder, Reranker
from hybrid.retrieval import Retriever
from hybrid.types import Answer, Arm, Document, Hit, Question

_DOCUMENTS = 100


@dataclass(frozen=True, slots=True)
class RetrievalRow:
    """One way to search and what it reached."""

    mode: str
    scores: RankingScores


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One arm with one reader and what it reached on a question set.

    ``contains_gold`` and ``token_f1`` are means over the answerable questions, an abstention counting
    0. ``abstained_right`` is the share of unanswerable questions that were declined,
    ``abstained_wrong`` that of answerable ones. ``citations`` counts those that were shown,
    ``citations_hold`` is the share whose text stands at its offsets and supports its sentence.
    """

    arm: str
    reader: str
    questions: int
    contains_gold: float
    token_f1: float
    abstained_right: float
    abstained_wrong: float
    citations: int
    citations_hold: float
    words: float
    seconds: float


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

    Args:
        collection: from ``load_beir``.
        folder: where the index is kept; an index that is there and unchanged is used again.
        embedder: for the dense side.
        chunks: how the documents are split.
        retrieval: the settings of the fusion; mode and depths are set here.
        reranker: adds a row with the fusion reranked.
        progress: told how far indexing is.
    """
    documents = DocumentSettings(text_field="text")
    Ingestor(folder, embedder, documents, chunks).ingest(collection.corpus, progress=progress)
    index = Index.open(folder)
    # a BEIR row is found by its number; its judged name is in the metadata
    deep = dataclasses.replace(retrieval, k=retrieval.candidates, duplicate_overlap=1.0, min_score=-1.0)
    variants: list[tuple[str, RetrievalSettings, Reranker | None]] = [
        ("dense", dataclasses.replace(deep, mode=RetrievalMode.DENSE), None),
        ("lexical", dataclasses.replace(deep, mode=RetrievalMode.LEXICAL), None),
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


def bench_answers(
    questions: Sequence[Question],
    *,
    retriever: Retriever,
    answerer: Answerer,
    arms: Sequence[tuple[Arm, Reader]],
    done: Callable[[AnswerRow], None] = lambda row: None,
) -> list[AnswerRow]:
    """Answer all questions by each arm and reader, and score the answers."""
    texts = [question.text for question in questions]
    hits = retriever.search_all(texts)
    rows = []
    for arm, reader in arms:
        settings = dataclasses.replace(answerer.settings, reader=reader)
        used = dataclasses.replace(answerer, settings=settings)
        answers = used.answer_all(texts, hits, arm=arm)
        rows.append(_answer_row(arm, reader, questions, answers, retriever.index.document))
        done(rows[-1])
    return rows


def citation_holds(sentence: str, text: str, document: Document | None, start: int, end: int) -> bool:
    """Tell whether a citation's text stands at its offsets and carries the sentence it is put behind."""
    there = document is not None and document.text[start:end] == text
    return there and share_supported(sentence, text) >= 0.5


def _fusion(settings: RetrievalSettings, method: FusionMethod) -> RetrievalSettings:
    return dataclasses.replace(settings, mode=RetrievalMode.FUSION, fusion=method)


def _documents(hits: Sequence[Hit]) -> list[str]:
    names = [hit.chunk.metadata.get("id", hit.chunk.source) for hit in hits]
    return list(dict.fromkeys(names))[:_DOCUMENTS]


def _answer_row(
    arm: Arm,
    reader: Reader,
    questions: Sequence[Question],
    answers: Sequence[Answer],
    document: Callable[[str], Document | None],
) -> AnswerRow:
    pairs = list(zip(questions, answers, strict=True))
    known = [(q, "" if a.abstained else a.text, a) for q, a in pairs if q.answerable]
    unknown = [a for q, a in pairs if not q.answerable]
    held = [
        citation_holds(_sentence_before(a.text, c.number), c.text, document(c.source), c.start, c.end)
        for a in answers
        for c in a.citations
    ]
    return AnswerRow(
        arm=str(arm),
        reader="generator" if arm is Arm.BASE else str(reader),
        questions=len(pairs),
        contains_gold=_mean([contains_gold(text, q.answers) for q, text, _ in known]),
        token_f1=_mean([token_f1(text, q.answers) for q, text, _ in known]),
        abstained_right=_mean([float(a.abstained) for a in unknown]),
        abstained_wrong=_mean([float(a.abstained) for _, _, a in known]),
        citations=len(held),
        citations_hold=_mean([float(value) for value in held]),
        words=_mean([float(len(a.text.split())) for a in answers if not a.abstained]),
        seconds=_mean([a.seconds for a in answers]),
    )


def _sentence_before(text: str, number: int) -> str:
    """Return what stands between the marker before and this one."""
    before = text.partition(f" [{number}]")[0]
    return before.rpartition("] ")[2]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
