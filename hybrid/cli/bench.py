"""Commands that measure: bench retrieval, bench answers."""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from hybrid.cli import console
from hybrid.cli.options import (
    Config,
    Domain,
    EffortOption,
    Indexes,
    Json,
    Offline,
    Reranker,
    assistant_for,
    settings_from,
)
from hybrid.config import Reader
from hybrid.models.loading import load_embedder, load_reranker
from hybrid.types import Arm

app = typer.Typer(help="Measure on questions with gold answers.", no_args_is_help=True, rich_markup_mode=None)


@app.command("retrieval")
def retrieval(
    folder: Annotated[Path, typer.Argument(help="A folder in BEIR's format.")],
    split: Annotated[str, typer.Option("--split", help="Which judgements; several joined by +.")] = "test",
    keep: Annotated[Path | None, typer.Option("--keep", help="Keep the index in this folder.")] = None,
    reranker: Reranker = None,
    as_json: Json = False,
    config: Config = None,
    effort: EffortOption = None,
    offline: Offline = False,
) -> None:
    """Score dense, lexical and fused retrieval: nDCG@10, recall, MRR."""
    from hybrid.evaluation.benchmark import bench_retrieval
    from hybrid.evaluation.questions import load_beir

    settings = settings_from(config, effort=effort, offline=offline, models={"reranker": reranker})
    collection = load_beir(folder, split=split)
    place = nullcontext(str(keep)) if keep else tempfile.TemporaryDirectory(prefix="hybrid-bench-")
    with place as index, console.progress() as progress:
        rows = bench_retrieval(
            collection,
            Path(index),
            embedder=load_embedder(settings.models),
            chunks=settings.chunks,
            retrieval=settings.retrieval,
            reranker=load_reranker(settings.models),
            progress=progress,
        )
    if as_json:
        console.json_document({"folder": str(folder), "split": split, "rows": rows})
        return
    console.table(
        ("mode", "queries", "nDCG@10", "recall@10", "recall@100", "MRR"),
        [
            (
                row.mode,
                str(row.scores.queries),
                f"{row.scores.ndcg_at_10:.3f}",
                f"{row.scores.recall_at_10:.3f}",
                f"{row.scores.recall_at_100:.3f}",
                f"{row.scores.mrr:.3f}",
            )
            for row in rows
        ],
    )


@app.command("answers")
def answers(
    questions: Annotated[Path, typer.Argument(help="A question set, JSON lines.")],
    domain: Domain = None,
    reader: Annotated[Reader | None, typer.Option("--reader", help="Only rag with this reader.")] = None,
    as_json: Json = False,
    config: Config = None,
    indexes: Indexes = None,
    effort: EffortOption = None,
    offline: Offline = False,
) -> None:
    """Score base, rag with the generator and rag with the extractive reader on a question set."""
    from hybrid.evaluation.benchmark import bench_answers
    from hybrid.evaluation.questions import load_questions

    asked = load_questions(questions)
    assistant = assistant_for(settings_from(config, indexes=indexes, effort=effort, offline=offline), domain)
    arms = [(Arm.RAG, Reader.EXTRACTIVE), (Arm.RAG, Reader.GENERATOR), (Arm.BASE, Reader.GENERATOR)]
    if reader is not None:
        arms = [(Arm.RAG, reader)]
    rows = bench_answers(
        asked,
        retriever=assistant.retriever,
        answerer=assistant.answerer,
        arms=arms,
        done=lambda row: console.note(f"measured: {row.arm}, {row.reader}"),
    )
    if as_json:
        console.json_document({"questions": str(questions), "rows": rows})
        return
    console.table(
        (
            "arm",
            "reader",
            "contains gold",
            "F1",
            "declined right",
            "declined wrong",
            "citations",
            "hold",
            "words",
            "s",
        ),
        [
            (
                row.arm,
                row.reader,
                f"{row.contains_gold:.2f}",
                f"{row.token_f1:.2f}",
                f"{row.abstained_right:.2f}",
                f"{row.abstained_wrong:.2f}",
                str(row.citations),
                f"{row.citations_hold:.2f}" if row.citations else "-",
                f"{row.words:.0f}",
                f"{row.seconds:.2f}",
            )
            for row in rows
        ],
    )
