"""Figures of a scorer on labelled claims, beside word overlap (meta-evaluation)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from hybrid.confidence import CalibrationError, CurvePoint, aurc, brier, calibration_error, risk_coverage
from hybrid.errors import UsageError
from hybrid.grounding.calibration import (
    LEAST_LABELS,
    UNCALIBRATED,
    Array,
    Fitted,
    Flags,
    fit_calibration,
    grouped_folds,
    method_for,
)
from hybrid.grounding.examples import LabelledClaim, labels_of, sources_of
from hybrid.grounding.metrics import (
    REPLICATES,
    WORD_OVERLAP,
    Replicates,
    ScorerLogits,
    choose_threshold,
    resampled_aurocs,
    word_overlap,
)
from hybrid.statistics import Estimate

_COVERAGES = tuple(place / 10 for place in range(1, 11))


class FittedOn(StrEnum):
    """Where calibration and threshold come from."""

    OTHER_DATA = "other data"
    OTHER_SOURCES = "other sources of the same data"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Figures:
    """One scorer on some claims; each figure None where it cannot be measured.

    ``auroc`` is the same for either label. What is found is a claim that is not supported: of
    ``average_precision`` and ``f1`` that is the positive class. ``risks`` are the shares of wrong decisions
    among the surest 10 %, 20 % … of them.
    """

    n: int
    supported: float
    sources: int
    auroc: Estimate | None
    balanced_accuracy: float | None
    average_precision: float | None
    f1: float | None
    brier: float | None
    calibration: CalibrationError | None
    aurc: float | None
    risks: tuple[CurvePoint, ...]


class Dimension(StrEnum):
    """What claims are told apart by.

    A contrast is all supported claims against those that are refuted, or against those that are not in the
    evidence; a kind is all supported claims against those with one kind of mistake.
    """

    TASK = "task"
    DOMAIN = "domain"
    CONTRAST = "contrast"
    KIND = "kind"


@dataclass(frozen=True, slots=True)
class PartFigures:
    """Some of the claims, by a dimension, such as those of one task."""

    dimension: Dimension
    name: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Result:
    """One scorer, or floor.

    ``gain`` is its AUROC minus that of word overlap on the same claims.
    """

    name: str
    floor: bool
    fitted_on: FittedOn
    pairs_per_second: float | None
    megabytes: float | None
    overall: Figures
    parts: tuple[PartFigures, ...]
    gain: Estimate | None

    def by(self, dimension: Dimension) -> list[PartFigures]:
        """Return the parts by one dimension, in the order of their names."""
        return [part for part in self.parts if part.dimension is dimension]


@dataclass(frozen=True, slots=True)
class MetaEvaluation:
    """All scorers and floors on one set of claims."""

    name: str
    n: int
    supported: float
    sources: int
    results: tuple[Result, ...]


def evaluate(
    claims: Sequence[LabelledClaim],
    scores: Sequence[ScorerLogits],
    *,
    name: str = "",
    fitted: Mapping[str, Fitted] | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> MetaEvaluation:
    """Measure scorers beside word overlap on labelled claims; nothing fitted sees a label of its own source.

    Claims have both labels, and two sources at least if anything is to be fitted. ``fitted`` are calibration
    and threshold from other data, by scorer; where there is none, each fold of sources is judged by what was
    fitted on the others. ``replicates`` are of the bootstrap by source.

    Raises:
        UsageError: there are no claims, names of scorers repeat, or logits are missing or not finite.
    """
    labels, sources = labels_of(claims), sources_of(claims)
    everyone = [*scores, word_overlap(claims)]
    _check(everyone, len(claims))
    read = [_read(each, (fitted or {}).get(each.name), labels, sources, seed) for each in everyone]
    table = _Readings(claims, labels, sources, read, replicates, seed)
    whole = np.ones(len(claims), dtype=np.bool_)
    drawn = table.drawn(whole, seed)
    parts = table.parts()
    reference = [each.name for each in everyone].index(WORD_OVERLAP)
    results = tuple(
        Result(
            each.name,
            each.floor,
            how.fitted_on,
            each.pairs_per_second,
            each.megabytes,
            table.figures(place, whole, drawn),
            tuple(
                PartFigures(part.dimension, part.name, table.figures(place, part.held, part.replicates))
                for part in parts
            ),
            _contrast(drawn, place, reference),
        )
        for place, (each, how) in enumerate(zip(everyone, read, strict=True))
    )
    return MetaEvaluation(name, len(claims), float(labels.mean()), len(set(sources)), results)


@dataclass(frozen=True, eq=False, slots=True)
class _Judgements:
    """What is made of a scorer's logits."""

    logits: Array
    probabilities: Array
    decided: Flags
    fitted_on: FittedOn


def _read(
    scores: ScorerLogits, given: Fitted | None, labels: Flags, sources: Sequence[str], seed: int
) -> _Judgements:
    logits = np.asarray(scores.logits, dtype=np.float64)
    if given is not None:
        return _with(given, logits, FittedOn.OTHER_DATA)
    if len(set(sources)) < 2:
        return _with(Fitted(UNCALIBRATED, 0.0), logits, FittedOn.NOTHING)
    fold_of = grouped_folds(labels, sources, seed=seed)
    method = method_for(len(labels))
    probabilities, decided = np.empty(len(logits)), np.empty(len(logits), dtype=np.bool_)
    for fold in range(int(fold_of.max()) + 1):
        held = fold_of == fold
        known = labels[~held]
        if len(known) < LEAST_LABELS or known.all() or not known.any():
            return _with(Fitted(UNCALIBRATED, 0.0), logits, FittedOn.NOTHING)
        curve = fit_calibration(logits[~held], known, method=method)
        probabilities[held] = curve.probabilities(logits[held])
        decided[held] = logits[held] >= choose_threshold(logits[~held], known)
    return _Judgements(logits, probabilities, decided, FittedOn.OTHER_SOURCES)


def _with(fitted: Fitted, logits: Array, origin: FittedOn) -> _Judgements:
    return _Judgements(logits, fitted.calibration.probabilities(logits), logits >= fitted.threshold, origin)


@dataclass(frozen=True, eq=False, slots=True)
class _Slice:
    """The claims of a part, and the replicates of all scorers on them."""

    dimension: Dimension
    name: str
    held: Flags
    replicates: Replicates | None


@dataclass(frozen=True, eq=False, slots=True)
class _Readings:
    """All readings of all claims."""

    claims: Sequence[LabelledClaim]
    labels: Flags
    sources: Sequence[str]
    read: Sequence[_Judgements]
    replicates: int
    seed: int

    def parts(self) -> list[_Slice]:
        """Return the parts by all dimensions; claims without a name are in none."""
        names = {
            Dimension.TASK: [claim.task for claim in self.claims],
            Dimension.DOMAIN: [claim.domain for claim in self.claims],
            Dimension.CONTRAST: ["" if claim.supported else claim.against for claim in self.claims],
            Dimension.KIND: ["" if claim.supported else claim.kind for claim in self.claims],
        }
        found: list[_Slice] = []
        for dimension, own in names.items():
            for name in sorted(set(own) - {""}):
                held = np.array([each == name for each in own], dtype=np.bool_)
                if dimension in (Dimension.CONTRAST, Dimension.KIND):
                    held |= self.labels
                drawn = self.drawn(held, self.seed + len(found) + 1)
                found.append(_Slice(dimension, name, held, drawn))
        return found

    def drawn(self, held: Flags, seed: int) -> Replicates | None:
        """Return the replicates of the AUROCs of all scorers on some claims."""
        sources = [source for source, there in zip(self.sources, held, strict=True) if there]
        logits = np.stack([each.logits[held] for each in self.read])
        return resampled_aurocs(logits, self.labels[held], sources, replicates=self.replicates, seed=seed)

    def figures(self, place: int, held: Flags, drawn: Replicates | None) -> Figures:
        """Return the figures of one scorer on some claims."""
        from sklearn.metrics import average_precision_score, balanced_accuracy_score, f1_score

        read, labels = self.read[place], self.labels[held]
        logits, chances, decided = read.logits[held], read.probabilities[held], read.decided[held]
        good, bad = bool(labels.any()), not labels.all()
        sure = np.where(decided, chances, 1 - chances)
        losses = (decided != labels).astype(np.float64)
        listed = sure.tolist(), losses.tolist()
        curve = risk_coverage(*listed)
        # the first point at each coverage or beyond, each once
        risks = dict.fromkeys(next(p for p in curve if p.coverage >= at - 1e-9) for at in _COVERAGES)
        return Figures(
            n=len(labels),
            supported=float(labels.mean()),
            sources=len({source for source, there in zip(self.sources, held, strict=True) if there}),
            auroc=_contrast(drawn, place),
            balanced_accuracy=float(balanced_accuracy_score(labels, decided)) if good and bad else None,
            average_precision=float(average_precision_score(~labels, -logits)) if bad else None,
            f1=float(f1_score(~labels, ~decided)) if bad or not decided.all() else None,
            brier=brier(chances.tolist(), labels.astype(np.float64).tolist()),
            calibration=calibration_error(chances, labels, seed=self.seed),
            aurc=aurc(*listed),
            risks=tuple(risks),
        )


def _contrast(drawn: Replicates | None, place: int, minus: int | None = None) -> Estimate | None:
    if drawn is None:
        return None
    weights = np.zeros(len(drawn.values))
    weights[place] += 1.0
    if minus is not None:
        weights[minus] -= 1.0
    return drawn.interval(weights.tolist())


def _check(scores: Sequence[ScorerLogits], claims: int) -> None:
    if not claims:
        raise UsageError("there are no labelled claims to measure on", hint="give a file that holds some")
    names = [each.name for each in scores]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"several scorers are called {', '.join(twice)}", hint="name each of them once")
    for each in scores:
        if len(each.logits) != claims or not np.isfinite(each.logits).all():
            found = f"{each.name} gave {len(each.logits)} logits for {claims} claims"
            raise UsageError(f"{found}: expected a finite one for each")
