"""Commands that measure: evaluate one arm, compare several, bench retrieval, and what judges answers."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from hybrid.cli import console
from hybrid.cli.options import Context, ExecutorName, Reranker, group, shared, verb
from hybrid.errors import EXIT_GATE_FAILED, EXIT_PARTIAL

if TYPE_CHECKING:
    from hybrid.comparison import Comparison
    from hybrid.evaluation.outcomes import Outcome
    from hybrid.grounding.measure import MetaEvaluation
    from hybrid.grounding.service import CalibrationCard

bench_app = group("Measure on questions with gold answers.")

Arms = Annotated[
    str, Option("--arms", help="With commas: ARM[:KEY=VALUE...], such as base,rag:reader=generator.")
]
ArmText = Annotated[str, Option("--arm", help="ARM[:KEY=VALUE...], such as rag:reader=generator:k=3.")]
Retry = Annotated[bool, Option("--retry", help="Ask again what failed before.")]

DEFAULT_ARMS = "base,rag"

_COLUMN = 38
_GAP = 3
_EVIDENCE_LETTERS = 300


@shared()
def evaluate(
    context: Context,
    questions: Annotated[str, Argument(help="A question set: a file, or a name in the domain.")],
    arm: ArmText = "rag",
    retry: Retry = False,
    executor: ExecutorName = "",
) -> int:
    """Ask one arm all questions of a set and show its metrics; what was asked before is not asked again."""
    assistant = context.assistant()
    counting = console.counting(10)
    found = assistant.compare(questions, arms=arm, retry=retry, progress=counting, executor=executor)
    return _finish(context, found)


@shared()
def compare(
    context: Context,
    questions: Annotated[str, Argument(help="A question set: a file, or a name; or one question.")],
    arms: Arms = DEFAULT_ARMS,
    retry: Retry = False,
    executor: ExecutorName = "",
) -> int:
    """Ask several arms all questions of a set, show metrics and verdict; or one question, side by side."""
    assistant = context.assistant()
    named = Path(questions).is_file() or questions.endswith(".jsonl")
    if not named and (len(questions.split()) > 1 or "?" in questions):
        text = questions.strip()
        outcomes = assistant.asked.side_by_side(text, arms)
        if context.as_json:
            console.json_document({"question": text, "arms": outcomes})
        else:
            show_side_by_side(outcomes, width=console.width())
        return EXIT_PARTIAL if any(outcome.error for outcome in outcomes) else 0
    counting = console.counting(10)
    comparison = assistant.compare(questions, arms=arms, retry=retry, progress=counting, executor=executor)
    if comparison.decision is not None:
        from hybrid.comparison import write

        console.note(f"report: {write(comparison, title=assistant.domain)}")
        if comparison.caution:
            console.note(comparison.caution)
    return _finish(context, comparison)


@verb(bench_app, "retrieval", "as_json", "config", "effort", "offline")
def retrieval(
    context: Context,
    folder: Annotated[Path, Argument(help="A folder in BEIR's format.")],
    split: Annotated[str, Option("--split", help="Which judgements; several joined by +.")] = "test",
    keep: Annotated[Path | None, Option("--keep", help="Keep the index in this folder.")] = None,
    reranker: Reranker = None,
) -> None:
    """Score dense, lexical and fused retrieval: nDCG@10, recall, MRR."""
    from hybrid.evaluation.benchmark import bench_retrieval

    settings = context.settings({"models": {"reranker": reranker}})
    with console.progress() as progress:
        rows = bench_retrieval(folder, settings, split=split, keep=keep, progress=progress)
    context.show_table(
        {"folder": str(folder), "split": split, "rows": rows},
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


def _finish(context: Context, comparison: Comparison) -> int:
    if context.as_json:
        console.json_document(comparison.document())
    else:
        header, *rows = comparison.figures()
        console.table([console.one_line(arm, 60) for arm in header], rows)
        if comparison.decision is not None:
            console.data(f"\n{comparison.decision.sentence}")
    console.note(f"outcomes: {comparison.folder}")
    return EXIT_PARTIAL if told_failures(comparison) else 0


def told_failures(comparison: Comparison) -> int:
    """Say how many answers failed or are incomplete, and why; return how many failed."""
    failed = [outcome for outcome in comparison.outcomes if outcome.failed]
    if failed:
        first = console.one_line(failed[0].error or failed[0].incomplete, 200)
        console.note(f"{len(failed)} answers failed and score as failures; the first: {first}")
        console.note("  → ask them again with --retry")
    cut = [outcome.incomplete for outcome in comparison.outcomes if outcome.incomplete and not outcome.failed]
    if cut:
        console.note(f"{len(cut)} answers are incomplete and score by what is there; the first: {cut[0]}")
        console.note("  → those cut at a limit end with a higher generation.max_new_tokens")
    return len(failed)


def show_side_by_side(outcomes: Sequence[Outcome], *, width: int) -> None:
    """Write the answers of several arms to one question: in columns, or below each other if it is narrow."""
    column = (width - _GAP * (len(outcomes) - 1)) // len(outcomes)
    if column < _COLUMN:
        for outcome in outcomes:
            console.data("\n".join([*_told(outcome, width), ""]))
        return
    for cells in zip_longest(*(_told(outcome, column) for outcome in outcomes), fillvalue=""):
        console.data((" " * _GAP).join(cell.ljust(column) for cell in cells).rstrip())


def _told(outcome: Outcome, width: int) -> list[str]:
    """Return an answer, its evidence and its time as lines."""
    said = f"failed: {outcome.error}" if outcome.error else outcome.answer
    parts = [outcome.arm, "-" * min(len(outcome.arm), width), said, ""]
    parts += [f"incomplete: {outcome.incomplete}"] if outcome.incomplete else []
    for citation in outcome.citations:
        said = console.one_line(citation.text, _EVIDENCE_LETTERS)
        parts += [f"[{citation.number}] {console.cited(citation)}: {said}"]
    if not outcome.citations:
        found = len(outcome.passages)
        parts += [f"no citation; {found} passages found" if found else "no passages"]
    sure = f", relevance or probability {outcome.confidence:.2f}" if outcome.confidence is not None else ""
    parts += ["", f"{outcome.seconds:.2f} s{sure}"]
    lines = [line for part in parts for line in console.printable(part).split("\n")]
    return [piece for line in lines for piece in textwrap.wrap(line, width) or [""]]


grounding_app = group(
    "What judges whether an answer is carried by its passages: measure it, fit it to your data."
)

Limit = Annotated[int | None, Option("--limit", min=1, help="At most so many claims, whole documents.")]


@verb(grounding_app, "evaluate", "as_json", "config", "offline")
def evaluate_scorers(
    context: Context,
    data: Annotated[list[Path], Argument(help="Labelled claims: files or folders.")],
    scorer: Annotated[list[str] | None, Option("--scorer", help="A scorer by name; may be repeated.")] = None,
    calibration: Annotated[
        Path | None, Option("--calibration", help="A file of `hybrid grounding calibrate`.")
    ] = None,
    limit: Limit = None,
) -> None:
    """Measure scorers on labelled claims, beside word overlap, which they have to beat."""
    from hybrid.grounding.service import COMPARED, measure_scorers

    found = measure_scorers(
        data,
        context.settings().models,
        scorers=scorer or COMPARED,
        calibration=calibration,
        limit=limit,
        progress=console.counting(5, "claims"),
    )
    if context.as_json:
        from hybrid.grounding.service import document

        console.json_document(document(found))
    else:
        _show_scorers(found)


@verb(grounding_app, "calibrate")
def calibrate(
    context: Context,
    data: Annotated[Path, Argument(help="Labelled claims: a file or a folder.")],
    scorer: Annotated[str, Option("--scorer", help="The scorer by name.")] = "trained",
    out: Annotated[
        Path | None, Option("--out", help="The file to write; default: in the folder of the domain.")
    ] = None,
    limit: Limit = None,
) -> int:
    """Fit a scorer's probabilities to your labels; ends with 7, and keeps nothing, if that gains nothing."""
    from hybrid.grounding.calibration import card_path
    from hybrid.grounding.service import calibrate_scorer, card_values

    settings = context.settings()
    # before the work, which takes its time: with --out no domain is needed
    kept = out or card_path(context.assistant(settings).folder, scorer)
    progress = console.counting(5, "claims")
    found = calibrate_scorer(data, kept, settings.models, scorer=scorer, limit=limit, progress=progress)
    card, stored = found.card, str(found.path) if found.path is not None else None
    if context.as_json:
        console.json_document(
            {"scorer": scorer, "better": card.better, "stored": stored, "card": card_values(card)}
        )
    else:
        _tell_card(card)
        console.data(f"stored    {stored}" if stored else "not stored: the Brier score is not better")
    return 0 if card.better else EXIT_GATE_FAILED


def _show_scorers(found: Sequence[MetaEvaluation]) -> None:
    from hybrid.grounding.measure import Dimension
    from hybrid.grounding.service import HEADER, by_part, overview, told

    for each in found:
        console.data(f"{console.one_line(each.name, 60)}: {told(each)}")
        _table([HEADER, *overview(each)])
        for dimension in Dimension:
            _table(by_part(each, dimension))
    console.note(
        "AP and F1 are of finding what is not supported; ECE is debiased, null is that of a perfect one"
    )


def _table(rows: Sequence[Sequence[str]]) -> None:
    if rows:
        header, *others = [[console.one_line(cell, 40) for cell in row] for row in rows]
        console.table(header, others)
        console.data("")


def _tell_card(card: CalibrationCard) -> None:
    bounds = f"{card.gain.low:+.3f} to {card.gain.high:+.3f}"
    before, after = card.error_before, card.error_after
    brier = f"{card.brier_before:.3f} → {card.brier_after:.3f}"
    lines = (
        ("scorer", console.one_line(card.scorer, 60)),
        ("fitted on", f"{card.labels} claims of {card.sources} sources, {card.supported:.0%} supported"),
        ("curve", f"{card.calibration.method}, threshold {card.threshold:.3f}"),
        ("Brier", f"{brier}, lower by {card.gain.value:+.3f} ({bounds})"),
        ("ECE", f"{before.error:.3f} → {after.error:.3f} (a perfect one: {after.null:.3f})"),
    )
    for label, text in lines:
        console.data(f"{label:<10}{text}")
