"""Measure judges on files of labelled claims, as JSON values and rows of tables; calibrate one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from hybrid.confidence import CalibrationError, calibration_error
from hybrid.config import ModelSettings
from hybrid.errors import UsageError
from hybrid.files import write_json
from hybrid.grounding.calibration import (
    SCHEMA_VERSION,
    UNCALIBRATED,
    Calibration,
    CurveKind,
    Fitted,
    cross_fitted,
    fit_calibration,
    read_fitted,
)
from hybrid.grounding.examples import LabelledClaim, labels_of, limited, load_labelled, sources_of
from hybrid.grounding.judge import fitted_for
from hybrid.grounding.measure import Dimension, Figures, MetaEvaluation, Result, evaluate
from hybrid.grounding.metrics import LEVEL, REPLICATES, WORD_OVERLAP, ScorerLogits, choose_threshold, measured
from hybrid.grounding.scorers.names import scorer_for
from hybrid.statistics import Estimate, resample

# Told a scorer, how many claims it has judged and how many there are.
Progress: TypeAlias = Callable[[str, int, int], None]

DEFAULT = "trained"
HEADER = (
    *("scorer", "AUROC", "interval", "gain", "bal. acc.", "AP", "F1", "Brier", "ECE", "null"),
    *("pairs/s", "MB"),
)
NOTHING = "-"
# Of the calibration error in JSON: "ece", "ece_null" and so on.
_ERRORS = ("", "_null", "_null_high", "_plain")
# What is compared where no scorer is named.
COMPARED = ("overlap", "align", DEFAULT)


@dataclass(frozen=True, slots=True)
class CalibrationCard:
    """A calibration and the threshold of one scorer, fitted on ``labels`` claims of ``sources`` documents.

    ``before`` is the calibration that it starts from and is held against. Brier scores and calibration errors
    are from 0 to 1, lower is better; those ``after`` are cross-fitted: no claim is judged by a curve that saw
    its source.
    ``gain`` is how much lower the Brier score is, with its interval by source. ``data`` is the name of the
    set, ``created`` a time in ISO 8601.
    """

    scorer: str
    calibration: Calibration
    threshold: float
    labels: int
    supported: float
    sources: int
    brier_before: float
    brier_after: float
    gain: Estimate
    error_before: CalibrationError
    error_after: CalibrationError
    data: str = ""
    created: str = ""
    before: Calibration = UNCALIBRATED

    @property
    def better(self) -> bool:
        """Tell whether the cross-fitted Brier score is lower than before: else it is not kept."""
        return self.brier_after < self.brier_before


def calibrated(
    claims: Sequence[LabelledClaim],
    scores: ScorerLogits,
    *,
    before: Calibration = UNCALIBRATED,
    method: CurveKind | None = None,
    data: str = "",
    created: str = "",
    seed: int = 0,
) -> CalibrationCard:
    """Fit a calibration on all claims, and measure by folds of sources what it gains.

    The curve starts from the calibration before it, see ``fit_calibration``; its kind follows from the number
    of labels unless it is given, and the threshold is that of the best balanced accuracy.

    Raises:
        UsageError: fewer than 10 labels, all alike, or all of one source, in all claims or in what is left
            of them when a fold is held out; or a logit is not finite.
    """
    labels, sources = labels_of(claims), sources_of(claims)
    curve = fit_calibration(scores.logits, labels, method=method, prior=before)
    old = before.probabilities(scores.logits)
    new = cross_fitted(scores.logits, labels, sources, method=method, prior=before, seed=seed)
    losses = np.column_stack([(old - labels) ** 2, (new - labels) ** 2])
    gain = resample(losses, sources, replicates=REPLICATES, seed=seed).difference(0, 1)
    errors = [calibration_error(chances, labels, seed=seed) for chances in (old, new)]
    assert errors[0] is not None and errors[1] is not None
    return CalibrationCard(
        scorer=scores.name,
        calibration=curve,
        threshold=choose_threshold(scores.logits, labels),
        labels=len(claims),
        supported=float(labels.mean()),
        sources=len(set(sources)),
        brier_before=float(losses[:, 0].mean()),
        brier_after=float(losses[:, 1].mean()),
        gain=Estimate(gain.estimate, gain.interval((1 - LEVEL) / 2)),
        error_before=errors[0],
        error_after=errors[1],
        data=data,
        created=created,
        before=before,
    )


def write_card(path: Path, card: CalibrationCard) -> None:
    """Write a card atomically, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, card_values(card))


def card_values(card: CalibrationCard) -> dict[str, Any]:
    """Return the card as plain JSON values."""
    return {"schema_version": SCHEMA_VERSION} | dataclasses.asdict(card) | {"gain": card.gain.flat()}


def measure_scorers(
    data: Sequence[Path],
    models: ModelSettings,
    *,
    scorers: Sequence[str] = COMPARED,
    calibration: Path | None = None,
    limit: int | None = None,
    progress: Progress = lambda scorer, done, total: None,
) -> list[MetaEvaluation]:
    """Return the figures of scorers on sets of labelled claims, beside word overlap, which has to be beaten.

    ``data`` are files or folders of labelled claims, each a set, of which ``limit`` takes so many at most,
    whole documents. Each scorer is let go before the next one is loaded. Calibration and threshold are those
    of ``calibration``, a file of ``calibrate_scorer``; without it each fold of documents is judged by the
    others.

    Raises:
        UsageError: a file holds no labelled claims, two sets have one name, or there is no such scorer.
        ModelMissing: the weights of a scorer are nowhere.
    """
    names = tuple(dict.fromkeys(scorers))
    sets: dict[str, list[LabelledClaim]] = {}
    for path in data:
        name, claims = _claims(path, limit)
        if name in sets:
            raise UsageError(
                f"two sets are called {name!r}: {path} is the second", hint="name each of them once"
            )
        sets[name] = claims
    fitted = {} if calibration is None else _kept(calibration, names)
    judged = _scores(names, [*sets.values()], models, progress)
    return [
        evaluate(claims, scores, name=name, fitted=fitted, seed=place)
        for place, ((name, claims), scores) in enumerate(zip(sets.items(), judged, strict=True))
    ]


@dataclass(frozen=True, slots=True)
class ScorerCalibrated:
    """What a calibration came to; ``path`` is where it is kept, None if it gained nothing."""

    card: CalibrationCard
    path: Path | None


def calibrate_scorer(
    data: Path,
    out: Path,
    models: ModelSettings,
    *,
    scorer: str = DEFAULT,
    limit: int | None = None,
    progress: Progress = lambda scorer, done, total: None,
) -> ScorerCalibrated:
    """Fit a scorer to labelled claims, and keep it in ``out`` only if that gains something.

    ``card_path`` is where a domain looks for it. ``limit`` takes so many claims at most, whole documents.

    Raises:
        UsageError: too few labels, all alike, or all of one source; or there is no such scorer.
        ModelMissing: its weights are nowhere.
    """
    # what ships, not what these or other labels made of it
    shipped = fitted_for(scorer)
    name, claims = _claims(data, limit)
    ((scores,),) = _scores((scorer,), [claims], models, progress)
    card = calibrated(
        claims,
        scores,
        before=UNCALIBRATED if shipped is None else shipped.calibration,
        data=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    if card.better:
        write_card(out, card)
    return ScorerCalibrated(card, out if card.better else None)


def _claims(path: Path, limit: int | None) -> tuple[str, list[LabelledClaim]]:
    """Return the name of a labelled set and its claims."""
    dataset = load_labelled(path)
    claims = list(dataset.examples)
    if not claims:
        raise UsageError(f"{path} holds no labelled claims")
    return dataset.name or path.stem, claims if limit is None else limited(claims, limit)


def _scores(
    names: Sequence[str], sets: Sequence[Sequence[LabelledClaim]], models: ModelSettings, progress: Progress
) -> list[list[ScorerLogits]]:
    """Return what each scorer says of each set; it is let go before the next one is loaded."""
    found: list[list[ScorerLogits]] = [[] for _ in sets]
    for name in names:
        scorer = scorer_for(name, models)

        def tell(done: int, total: int, name: str = name) -> None:
            progress(name, done, total)

        for own, claims in zip(found, sets, strict=True):
            own.append(measured(name, scorer, claims, progress=tell))
    return found


def _kept(path: Path, names: Sequence[str]) -> dict[str, Fitted]:
    """Return the calibration of a file, by its scorer."""
    fitted = read_fitted(path)
    if fitted.scorer not in names:
        raise UsageError(f"{path} is of the scorer {fitted.scorer}", hint=f"add --scorer {fitted.scorer}")
    return {fitted.scorer: fitted}


def document(found: Sequence[MetaEvaluation]) -> dict[str, Any]:
    """Return all sets as JSON values: of a single one the figures of its only scorer stand at the top."""
    if len(found) > 1:
        return {"sets": [_set_values(each) for each in found]}
    values = _set_values(found[0])
    scorers = list(values["scorers"].values())
    return (scorers[0] if len(scorers) == 1 else {}) | values


def _set_values(found: MetaEvaluation) -> dict[str, Any]:
    """Return a meta-evaluation as JSON values: ``scorers`` and ``floors`` by name, each with its figures."""
    return {
        "data": found.name,
        "n": found.n,
        "supported": found.supported,
        "sources": found.sources,
        "positive": "unsupported, for average_precision and f1",
        "scorers": {each.name: _result_values(each) for each in found.results if not each.floor},
        "floors": {each.name: _result_values(each) for each in found.results if each.floor},
    }


def _result_values(result: Result) -> dict[str, Any]:
    """Return one scorer as JSON values: its figures on all claims at the top, then those of the parts."""
    parts = {
        f"{dimension}s": {part.name: _figure_values(part.figures) for part in result.by(dimension)}
        for dimension in Dimension
    }
    own = {
        "gain": None if result.gain is None else result.gain.flat(),
        "fitted_on": result.fitted_on.value,
        "pairs_per_second": result.pairs_per_second,
        "megabytes": result.megabytes,
    }
    return {"name": result.name} | _figure_values(result.overall) | own | parts


def _figure_values(figures: Figures) -> dict[str, Any]:
    """Return figures as JSON values; the AUROC, its interval and the calibration error each by themselves."""
    plain = dataclasses.asdict(figures)
    risks, error = plain.pop("risks"), plain.pop("calibration") or {}
    del plain["auroc"]
    auroc = figures.auroc
    flat = {"auroc": auroc and auroc.value, "low": auroc and auroc.low, "high": auroc and auroc.high}
    errors = {f"ece{end}": error.get(end.lstrip("_") or "error") for end in _ERRORS}
    return flat | plain | errors | {"risk_coverage": risks}


def overview(found: MetaEvaluation) -> list[tuple[str, ...]]:
    """Return a row for each scorer under ``HEADER``: word overlap first, for that is to be beaten."""
    return [
        (
            _called(result),
            *_of_auroc(result.overall.auroc),
            _gained(result.gain),
            _number(result.overall.balanced_accuracy),
            _number(result.overall.average_precision),
            _number(result.overall.f1),
            _number(result.overall.brier),
            *_of_error(result.overall.calibration),
            _number(result.pairs_per_second, ".0f"),
            _number(result.megabytes, ".1f"),
        )
        for result in ordered(found.results)
    ]


def by_part(found: MetaEvaluation, dimension: Dimension) -> list[tuple[str, ...]]:
    """Return the AUROCs of the parts by a dimension under a header; nothing for fewer than two parts."""
    results = [each for each in ordered(found.results) if not each.floor or each.name == WORD_OVERLAP]
    parts = [result.by(dimension) for result in results]
    if len(parts[0]) < 2:
        return []
    header = (dimension.value, "n", "supported", *map(_called, results))
    rows = [
        (
            each[0].name,
            str(each[0].figures.n),
            f"{each[0].figures.supported:.2f}",
            *(_of_auroc(part.figures.auroc)[0] for part in each),
        )
        for each in zip(*parts, strict=True)
    ]
    return [header, *rows]


def ordered(results: Iterable[Result]) -> list[Result]:
    """Return the floors, word overlap first, then the scorers."""
    return sorted(results, key=lambda result: not result.floor)


def told(found: MetaEvaluation) -> str:
    """Return on one line what was measured on, and how calibration and threshold came about."""
    origins = dict.fromkeys(result.fitted_on.value for result in found.results if not result.floor)
    fitted = f"; calibration and threshold from {', '.join(origins)}" if origins else ""
    return f"{found.n} claims of {found.sources} sources, {found.supported:.0%} supported{fitted}"


def _called(result: Result) -> str:
    return f"{result.name} (floor)" if result.floor else result.name


def _of_auroc(auroc: Estimate | None) -> tuple[str, str]:
    return (NOTHING, NOTHING) if auroc is None else (_number(auroc.value), _span(auroc) or NOTHING)


def _of_error(found: CalibrationError | None) -> tuple[str, str]:
    return (NOTHING, NOTHING) if found is None else (f"{found.error:.3f}", f"{found.null:.3f}")


def _span(found: Estimate, sign: str = "") -> str:
    ends = found.interval
    return f"[{ends.low:{sign}.3f}, {ends.high:{sign}.3f}]" if ends else ""


def _gained(gain: Estimate | None) -> str:
    return f"{gain.value:+.3f} {_span(gain, '+')}".rstrip() if gain and gain.value else NOTHING


def _number(value: float | None, form: str = ".3f") -> str:
    return NOTHING if value is None else f"{value:{form}}"
