"""Figures of scorers as JSON values and as the rows of tables for people."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from hybrid.confidence import CalibrationError
from hybrid.grounding.measure import Dimension, Figures, MeanResult, MetaEvaluation, Result
from hybrid.grounding.metrics import WORD_OVERLAP
from hybrid.statistics import Estimate

HEADER = (
    *("scorer", "AUROC", "interval", "gain", "bal. acc.", "AP", "F1", "Brier", "ECE", "null"),
    *("pairs/s", "MB"),
)
NOTHING = "-"
# Of the calibration error in JSON: "ece", "ece_null" and so on.
_ERRORS = ("", "_null", "_null_high", "_plain")


def document(found: Sequence[MetaEvaluation], means: Sequence[MeanResult]) -> dict[str, Any]:
    """Return all sets as JSON values: of a single one the figures of its only scorer stand at the top."""
    if len(found) > 1:
        mean = {
            each.name: _flat_auroc(each.auroc) | {"gain": each.gain.flat(), "floor": each.floor}
            for each in means
        }
        return {"sets": [_set_values(each) for each in found], "mean": mean}
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
        "gain": _flat(result.gain),
        "fitted_on": result.fitted_on.value,
        "pairs_per_second": result.pairs_per_second,
        "megabytes": result.megabytes,
        "auroc_over_domains": _flat(result.over_domains),
        "gain_over_domains": _flat(result.gain_over_domains),
    }
    return {"name": result.name} | _figure_values(result.overall) | own | parts


def _figure_values(figures: Figures) -> dict[str, Any]:
    """Return figures as JSON values; the AUROC, its interval and the calibration error each by themselves."""
    plain = dataclasses.asdict(figures)
    risks, error = plain.pop("risks"), plain.pop("calibration") or {}
    del plain["auroc"]
    errors = {f"ece{end}": error.get(end.lstrip("_") or "error") for end in _ERRORS}
    return _flat_auroc(figures.auroc) | plain | errors | {"risk_coverage": risks}


def overview(found: MetaEvaluation) -> list[tuple[str, ...]]:
    """Return a row for each scorer under ``HEADER``: word overlap first, for that is to be beaten."""
    return [
        (
            _called(result),
            *_of_auroc(result.overall.auroc),
            NOTHING if result.gain is None or result.gain.value == 0 else _signed(result.gain),
            _number(result.overall.balanced_accuracy),
            _number(result.overall.average_precision),
            _number(result.overall.f1),
            _number(result.overall.brier),
            *_of_error(result.overall.calibration),
            NOTHING if result.pairs_per_second is None else f"{result.pairs_per_second:.0f}",
            NOTHING if result.megabytes is None else f"{result.megabytes:.1f}",
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
    means = [result.over_domains for result in results if result.over_domains is not None]
    if dimension is Dimension.DOMAIN and means:
        rows.append(("mean", "", "", *(f"{mean.value:.3f}" for mean in means)))
    return [header, *rows]


def over_sets(means: Sequence[MeanResult]) -> list[tuple[str, ...]]:
    """Return the means over sets under a header of its own."""
    first = [each for each in means if each.floor][:1]
    rest = [each for each in means if each not in first]
    rows = [
        (each.name, *_of_auroc(each.auroc), NOTHING if each in first else _signed(each.gain))
        for each in [*first, *rest]
    ]
    return [("scorer", "mean AUROC", "interval", "gain"), *rows]


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
    if auroc is None:
        return NOTHING, NOTHING
    return f"{auroc.value:.3f}", _span(auroc)


def _of_error(found: CalibrationError | None) -> tuple[str, str]:
    return (NOTHING, NOTHING) if found is None else (f"{found.error:.3f}", f"{found.null:.3f}")


def _span(found: Estimate, sign: str = "") -> str:
    if found.interval is None:
        return NOTHING
    return f"[{found.interval.low:{sign}.3f}, {found.interval.high:{sign}.3f}]"


def _signed(found: Estimate) -> str:
    span = _span(found, "+")
    return f"{found.value:+.3f}" + ("" if span == NOTHING else f" {span}")


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"


def _flat(estimate: Estimate | None) -> dict[str, Any] | None:
    return None if estimate is None else estimate.flat()


def _flat_auroc(auroc: Estimate | None) -> dict[str, Any]:
    found = auroc.flat() if auroc is not None else {"value": None, "low": None, "high": None}
    return {"auroc": found["value"], "low": found["low"], "high": found["high"]}
