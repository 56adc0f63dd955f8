"""Commands that measure parts of the whole: bench retrieval."""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from hybrid.cli import console
from hybrid.cli.options import (
    Config,
    EffortOption,
    Json,
    Offline,
    Reranker,
    settings_from,
)
from hybrid.models.loading import load_embedder, load_reranker

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
    from hybrid.questions.collections import load_beir

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
