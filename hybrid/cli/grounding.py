"""Commands on what judges answers: grounding evaluate, grounding calibrate."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.cli import console
from hybrid.cli.options import Config, Domain, Indexes, Json, Offline, existing_domain, settings_from
from hybrid.errors import EXIT_GATE_FAILED, UsageError

if TYPE_CHECKING:
    from hybrid.config import Settings
    from hybrid.grounding.cards import CalibrationCard
    from hybrid.grounding.figures import Fitted, MeanResult, MetaEvaluation
    from hybrid.grounding.labelled import LabelledClaim, Scores

app = typer.Typer(
    help="What judges whether an answer is carried by its passages: measure it, fit it to your data.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

DEFAULT = "trained"
# The rows of a page where none is named.
COMPARED = ("overlap", "align", DEFAULT)
_TOLD_EVERY_SECONDS = 5.0

Data = Annotated[Path, typer.Argument(help="Labelled claims: a file or a folder.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="At most so many claims, whole documents.")]


@app.command("evaluate")
def evaluate(
    data: Annotated[list[Path], typer.Argument(help="Labelled claims: files or folders.")],
    scorer: Annotated[
        list[str] | None, typer.Option("--scorer", help="A scorer by name; may be repeated.")
    ] = None,
    threshold_from: Annotated[
        Path | None,
        typer.Option("--threshold-from", help="Fit calibration and threshold on these labelled claims."),
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option("--calibration", help="A file of `hybrid grounding calibrate`.")
    ] = None,
    limit: Limit = None,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Write a page in Markdown.")] = False,
    as_json: Json = False,
    config: Config = None,
    offline: Offline = False,
) -> None:
    """Measure scorers on labelled claims, beside the floors that they have to beat."""
    from hybrid.grounding.labelled import labels_of
    from hybrid.grounding.meta import evaluate, fit, mean_over_sets

    if as_json and as_markdown:
        raise UsageError("--json and --markdown exclude each other")
    if threshold_from is not None and calibration is not None:
        raise UsageError("--threshold-from and --calibration exclude each other")
    settings = settings_from(config, offline=offline)
    names = tuple(dict.fromkeys(scorer or COMPARED))
    sets = {}
    for path in data:
        name, claims = _claims(path, limit)
        if name in sets:
            raise UsageError(
                f"two sets are called {name!r}: {path} is the second", hint="name each of them once"
            )
        sets[name] = claims
    others = [] if threshold_from is None else _apart(threshold_from, sets.values())
    fitted = {} if calibration is None else _kept(calibration, names)
    *judged, learned = _scores(settings, names, [*sets.values(), others])
    if others:
        fitted |= {each.name: fit(each.logits, labels_of(others)) for each in learned}
    found = [
        evaluate(claims, scores, name=name, fitted=fitted, seed=place)
        for place, ((name, claims), scores) in enumerate(zip(sets.items(), judged, strict=True))
    ]
    means = mean_over_sets(found) if len(found) > 1 else ()
    if as_json:
        console.json_document(_document(found, means))
    elif as_markdown:
        from hybrid.grounding.rendering import markdown

        console.piece(markdown(found, means))
    else:
        _show(found, means)


@app.command("calibrate")
def calibrate(
    data: Data,
    scorer: Annotated[str, typer.Option("--scorer", help="The scorer by name.")] = DEFAULT,
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write; default: in the folder of the domain.")
    ] = None,
    limit: Limit = None,
    domain: Domain = None,
    as_json: Json = False,
    config: Config = None,
    indexes: Indexes = None,
    offline: Offline = False,
) -> int:
    """Fit a scorer's probabilities to your labels; ends with 7, and keeps nothing, if that gains nothing."""
    from hybrid.grounding.calibration import UNCALIBRATED
    from hybrid.grounding.cards import calibrated, card_path, write_card
    from hybrid.grounding.loading import fitted_for

    settings = settings_from(config, indexes=indexes, offline=offline)
    # before the work, which takes its time
    path = out or card_path(Path(settings.indexes) / existing_domain(settings, domain), scorer)
    # what ships, not what these or other labels made of it
    shipped = fitted_for(scorer)
    name, claims = _claims(data, limit)
    ((scores,),) = _scores(settings, (scorer,), [claims])
    card = calibrated(
        claims,
        scores,
        before=UNCALIBRATED if shipped is None else shipped.calibration,
        data=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    if card.better:
        write_card(path, card)
    if as_json:
        stored = str(path) if card.better else None
        console.json_document({"scorer": scorer, "better": card.better, "stored": stored, "card": card})
    else:
        _tell(card)
        console.data(f"stored    {path}" if card.better else "not stored: the Brier score is not better")
    return 0 if card.better else EXIT_GATE_FAILED


def _claims(path: Path, limit: int | None) -> tuple[str, list[LabelledClaim]]:
    """Return the name of a labelled set and its claims."""
    from hybrid.grounding.examples import load_labelled
    from hybrid.grounding.labelled import labelled, limited

    dataset = load_labelled(path)
    name = dataset.name or path.stem
    claims = labelled(dataset.examples)
    if not claims:
        raise UsageError(f"{path} holds no labelled claims")
    return name, claims if limit is None else limited(claims, limit)


def _scores(
    settings: Settings, names: Sequence[str], sets: Sequence[Sequence[LabelledClaim]]
) -> list[list[Scores]]:
    """Return what each scorer says of each set; it is let go before the next one is loaded."""
    from hybrid.grounding.measuring import measured
    from hybrid.grounding.scorers.naming import scorer_for

    found: list[list[Scores]] = [[] for _ in sets]
    for name in names:
        scorer = scorer_for(name, settings.models)
        for own, claims in zip(found, sets, strict=True):
            own.append(measured(name, scorer, claims, progress=_Progress(name)))
    return found


def _apart(path: Path, judged: Iterable[Sequence[LabelledClaim]]) -> list[LabelledClaim]:
    """Return the claims to fit on: those of documents that are not judged."""
    name, claims = _claims(path, None)
    sources = {claim.source for each in judged for claim in each if claim.source}
    apart = [claim for claim in claims if claim.source not in sources]
    if shared := len(claims) - len(apart):
        console.note(f"{name}: {shared} claims of documents that are judged are left out of the fitting")
    if not apart:
        raise UsageError(
            f"all documents of {path} are judged too: a threshold is fixed on other data",
            hint="leave --threshold-from away: then each fold of documents is judged by the others",
        )
    return apart


def _kept(path: Path, names: Sequence[str]) -> dict[str, Fitted]:
    """Return the calibration of a file, by its scorer."""
    from hybrid.grounding.cards import read_card

    card = read_card(path)
    if card.scorer not in names:
        raise UsageError(f"{path} is of the scorer {card.scorer}", hint=f"add --scorer {card.scorer}")
    return {card.scorer: card.fitted}


class _Progress:
    """Tell how far a scorer is: at its end, and every few seconds until then."""

    def __init__(self, scorer: str) -> None:
        self._scorer = scorer
        self._shown = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - self._shown >= _TOLD_EVERY_SECONDS:
            self._shown = now
            console.note(f"{console.one_line(self._scorer, 60)}: {done} of {total} claims")


def _document(found: Sequence[MetaEvaluation], means: Sequence[MeanResult]) -> dict[str, object]:
    """Return one set as it is, with the figures of its only scorer at the top; several below each other."""
    from hybrid.grounding.rendering import mean_values, result_values, set_values

    if len(found) > 1:
        return {"sets": [set_values(each) for each in found], "mean": mean_values(means)}
    scorers = [result for result in found[0].results if not result.floor]
    only = result_values(scorers[0]) if len(scorers) == 1 else {}
    return only | set_values(found[0])


def _show(found: Sequence[MetaEvaluation], means: Sequence[MeanResult]) -> None:
    from hybrid.grounding.figures import Dimension
    from hybrid.grounding.rendering import HEADER, by_part, over_sets, overview, told

    for each in found:
        console.data(f"{console.one_line(each.name, 60)}: {told(each)}")
        _table([HEADER, *overview(each)])
        for dimension in Dimension:
            _table(by_part(each, dimension))
    if means:
        console.data(f"mean over {len(found)} sets")
        _table(over_sets(means))
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
