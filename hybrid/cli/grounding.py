"""Commands on what judges answers: grounding evaluate, grounding calibrate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from hybrid.cli import console
from hybrid.cli.options import Context, group, verb
from hybrid.errors import EXIT_GATE_FAILED

if TYPE_CHECKING:
    from hybrid.grounding.measure import MetaEvaluation
    from hybrid.grounding.service import CalibrationCard

app = group("What judges whether an answer is carried by its passages: measure it, fit it to your data.")

Limit = Annotated[int | None, Option("--limit", min=1, help="At most so many claims, whole documents.")]


@verb(app, "evaluate", "as_json", "config", "offline")
def evaluate(
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
        _show(found)


@verb(app, "calibrate")
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
        _tell(card)
        console.data(f"stored    {stored}" if stored else "not stored: the Brier score is not better")
    return 0 if card.better else EXIT_GATE_FAILED


def _show(found: Sequence[MetaEvaluation]) -> None:
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


def _tell(card: CalibrationCard) -> None:
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
