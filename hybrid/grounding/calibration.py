"""Calibration of a scorer's logits: Platt's sigmoid, a temperature, or an isotonic curve."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hybrid.errors import UsageError

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

# Of the file: a reader of another version says so instead of guessing.
SCHEMA_VERSION = 1
# Its name beside the weights that it belongs to.
CALIBRATION = "calibration.json"
FOLDS = 5
LEAST_LABELS = 10
PLATT_LABELS = 50
ISOTONIC_LABELS = 500
# Beyond it a logit says no more, and products with it stay finite.
_GREATEST = 1e6
# How far the sigmoid of a domain lies from that of others, as standard deviations: of the slope as a share of
# the known one, and of the intercept in log-odds. Over nine domains of labelled claims, slopes were .4 to 2.9
# times that of the others. Of spreads from .1 to 1.2 these were among the best after 100 labels, and others
# near them as good.
_SLOPE_SPREAD = 0.4
_SHIFT_SPREAD = 0.8


class CurveKind(StrEnum):
    """What kind of curve it is; ``none`` takes the scorer at its word."""

    NONE = "none"
    TEMPERATURE = "temperature"
    PLATT = "platt"
    ISOTONIC = "isotonic"


@dataclass(frozen=True, slots=True)
class Knot:
    """A point of an isotonic curve."""

    logit: float
    probability: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """A curve from logits to probabilities that never falls.

    It is the sigmoid of ``slope`` · logit + ``intercept``; with ``knots``, straight lines between them.
    ``labels`` is how many it was fitted on.

    Raises:
        UsageError: the numbers are no such curve.
    """

    method: CurveKind = CurveKind.NONE
    slope: float = 1.0
    intercept: float = 0.0
    knots: tuple[Knot, ...] = ()
    labels: int = 0

    def __post_init__(self) -> None:
        logits = [knot.logit for knot in self.knots]
        heights = [knot.probability for knot in self.knots]
        numbers = [self.slope, self.intercept, *logits, *heights]
        falls = any(one > other for row in (logits, heights) for one, other in itertools.pairwise(row))
        outside = any(not 0.0 <= height <= 1.0 for height in heights)
        bare = (self.method is CurveKind.ISOTONIC) != bool(self.knots)
        if not all(map(math.isfinite, numbers)) or self.slope < 0 or falls or outside or bare:
            raise UsageError(
                f"this is no {self.method} calibration: expected a slope from 0 upwards, and for an isotonic "
                "one knots whose logits and probabilities never fall",
                hint="fit it again with `hybrid grounding calibrate`",
            )

    def probabilities(self, logits: ArrayLike) -> Array:
        """Return the probability that each claim is supported, from 0 to 1; it never falls as logits rise.

        Raises:
            UsageError: a logit is not a number.
        """
        values = np.asarray(logits, dtype=np.float64)
        if np.isnan(values).any():
            raise UsageError("a logit is not a number: scorers give finite logits for every text")
        values = np.clip(values, -_GREATEST, _GREATEST)
        if self.knots:
            places = [knot.logit for knot in self.knots]
            return np.asarray(np.interp(values, places, [knot.probability for knot in self.knots]))
        return _expit(self.slope * values + self.intercept)


UNCALIBRATED = Calibration()


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a scorer's logits become: probabilities, and supported what reaches the threshold."""

    calibration: Calibration
    threshold: float
    scorer: str = ""


def card_path(folder: Path, scorer: str) -> Path:
    """Return where the calibration of a scorer is kept below the folder of a domain."""
    return folder / "grounding" / card_file(scorer)


def card_file(scorer: str) -> str:
    """Return the name of the file of a scorer's calibration."""
    return f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', scorer).strip('.-') or 'scorer'}.json"


def read_fitted(path: Path) -> Fitted:
    """Return what judges by the calibration card in a file; what else it tells is for people.

    Raises:
        UsageError: there is none, or it is damaged or of another version.
    """
    from hybrid.files import checked

    hint = "make one with: hybrid grounding calibrate DATA"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as a calibration: {error}", hint=hint) from error
    if not isinstance(values, dict) or values.get("schema_version") != SCHEMA_VERSION:
        raise UsageError(f"{path} is no calibration of format {SCHEMA_VERSION}", hint=hint)
    return checked(Fitted, values, f"the calibration {path}", hint=hint)


def fit_calibration(
    logits: ArrayLike,
    supported: ArrayLike,
    *,
    method: CurveKind | None = None,
    prior: Calibration = UNCALIBRATED,
) -> Calibration:
    """Return the curve for labelled claims; the kind follows from the number of labels unless it is given.

    Above 500 labels it is isotonic, which is not better than Platt's with fewer (Niculescu-Mizil & Caruana
    2005). Labels are smoothed as Platt (1999) did, so that those which a threshold separates give no
    probability of 0 or 1. Where higher logits do not go with more support, the slope is 0 and the probability
    the same for all, but for few labels whose curve starts from a prior. ``prior`` is a sigmoid of Platt's
    that other data gave, from which one of few labels starts; any other curve is no such start.

    Raises:
        UsageError: fewer than 10 labels, all labels are alike, or a logit is not finite.
    """
    values, flags = _checked(logits, supported)
    method = method or method_for(len(flags), prior)
    if method is CurveKind.NONE:
        return UNCALIBRATED
    targets = _smoothed(flags)
    if method is CurveKind.ISOTONIC:
        return Calibration(method, knots=_isotonic(values, targets), labels=len(flags))
    if method is CurveKind.PLATT and _is_start(prior):
        slope, intercept = _moved(values, targets, prior)
    else:
        slope, intercept = _sigmoid(values, targets, shifted=method is CurveKind.PLATT)
    return Calibration(method, slope, intercept, labels=len(flags))


def method_for(labels: int, prior: Calibration = UNCALIBRATED) -> CurveKind:
    """Return the kind of curve that so many labels can carry; from a prior two numbers need few."""
    if labels < PLATT_LABELS and not _is_start(prior):
        return CurveKind.TEMPERATURE
    return CurveKind.PLATT if labels <= ISOTONIC_LABELS else CurveKind.ISOTONIC


def _is_start(prior: Calibration) -> bool:
    return prior.method is CurveKind.PLATT and prior.slope > 0


def cross_fitted(
    logits: ArrayLike,
    supported: ArrayLike,
    sources: Sequence[str],
    *,
    method: CurveKind | None = None,
    prior: Calibration = UNCALIBRATED,
    folds: int = FOLDS,
    seed: int = 0,
) -> Array:
    """Return the probability of each claim by a curve that saw no claim of its source.

    It is what a calibration on all of them is worth on new documents. All curves are of one kind, that which
    the number of all labels gives unless it is given; see ``fit_calibration`` for the prior.

    Raises:
        UsageError: as ``fit_calibration``, for the claims left when one fold is held out; or one source.
    """
    values, flags = _checked(logits, supported)
    fold_of = grouped_folds(flags, sources, folds=folds, seed=seed)
    method = method or method_for(len(flags), prior)
    found = np.empty(len(values))
    for fold in range(int(fold_of.max()) + 1):
        held = fold_of == fold
        curve = fit_calibration(values[~held], flags[~held], method=method, prior=prior)
        found[held] = curve.probabilities(values[held])
    return found


def grouped_folds(
    supported: ArrayLike, sources: Sequence[str], *, folds: int = FOLDS, seed: int = 0
) -> NDArray[np.int64]:
    """Return the fold of each example, from 0; all examples of a source are in one.

    The folds are about alike in size and in their share of supported examples. There are as many folds as
    sources if these are fewer.

    Raises:
        UsageError: there are fewer than two sources, or not one for each example.
    """
    flags = np.asarray(supported, dtype=np.bool_)
    if len(flags) != len(sources):
        raise UsageError(f"{len(sources)} sources and {len(flags)} labels: expected a source for each label")
    names, places = np.unique(np.asarray(sources), return_inverse=True)
    if len(names) < 2:
        raise UsageError(
            f"{len(flags)} examples of {len(names)} source cannot be parted: they depend on each other",
            hint="give examples from two documents at least, and say in each which it is from",
        )
    from sklearn.model_selection import StratifiedGroupKFold

    folds = min(folds, len(names))
    # too few of one label cannot be dealt out
    kinds = flags if min(flags.sum(), (~flags).sum()) >= folds else np.zeros_like(flags)
    dealt = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(flags, kinds, places)
    fold_of = np.empty(len(flags), dtype=np.int64)
    for fold, (_, held) in enumerate(dealt):
        fold_of[held] = fold
    return fold_of


def _checked(logits: ArrayLike, supported: ArrayLike) -> tuple[Array, Flags]:
    values, flags = np.asarray(logits, dtype=np.float64), np.asarray(supported, dtype=np.bool_)
    if len(values) != len(flags):
        raise UsageError(f"{len(values)} logits and {len(flags)} labels: expected one label for each logit")
    if not np.isfinite(values).all():
        count = int((~np.isfinite(values)).sum())
        raise UsageError(
            f"{count} of {len(values)} logits are not finite: a scorer gives a number for every text"
        )
    if len(flags) < LEAST_LABELS:
        raise UsageError(
            f"{len(flags)} labels are too few to calibrate on: expected {LEAST_LABELS} or more",
            hint="label more claims; from 50 on the curve has two numbers, above 500 it is free",
        )
    if flags.all() or not flags.any():
        kind = "supported" if flags.all() else "unsupported"
        raise UsageError(
            f"all {len(flags)} labels say {kind}: a calibration needs both kinds",
            hint="add labelled claims of the other kind",
        )
    return np.clip(values, -_GREATEST, _GREATEST), flags


def _smoothed(flags: Flags) -> Array:
    """Return the targets of Platt: as if one more of each kind had been seen."""
    positives = int(flags.sum())
    negatives = len(flags) - positives
    return np.where(flags, (positives + 1) / (positives + 2), 1 / (negatives + 2))


def _sigmoid(values: Array, targets: Array, *, shifted: bool) -> tuple[float, float]:
    """Return slope and intercept of the greatest likelihood with a slope from 0 upwards."""
    centre = float(values.mean()) if shifted else 0.0
    spread = float(np.sqrt(np.mean((values - centre) ** 2)))
    level = float(np.log(targets.mean() / (1 - targets.mean()))) if shifted else 0.0
    if spread < 1e-12:
        return 0.0, level
    scaled = (values - centre) / spread
    design = np.column_stack([scaled, np.ones_like(scaled)]) if shifted else scaled[:, None]
    weights = _newton(design, targets)
    slope = float(weights[0]) / spread
    if slope <= 0:
        return 0.0, level
    return slope, (float(weights[1]) - slope * centre if shifted else 0.0)


def _moved(values: Array, targets: Array, prior: Calibration) -> tuple[float, float]:
    """Return the likeliest slope and intercept where those of the prior are what is expected."""
    expected = np.array([1.0, prior.intercept])
    pull = 1 / np.array([_SLOPE_SPREAD, _SHIFT_SPREAD]) ** 2 / len(values)
    weights = _newton(np.column_stack([prior.slope * values, np.ones_like(values)]), targets, expected, pull)
    if weights[0] > 0:
        return float(weights[0]) * prior.slope, float(weights[1])
    return 0.0, float(_newton(np.ones((len(values), 1)), targets, expected[1:], pull[1:])[0])


def _newton(design: Array, targets: Array, expected: Array | None = None, pull: Array | None = None) -> Array:
    """Minimise the cross entropy; the targets are inside (0, 1).

    Weights that are expected pull with so much of a squared distance each.
    """
    from scipy.optimize import minimize

    start = np.zeros(design.shape[1]) if expected is None else expected
    ties = np.zeros_like(start) if pull is None else pull
    count = len(targets)

    def loss(weights: Array) -> float:
        sums = design @ weights
        entropy = np.mean(np.logaddexp(0.0, sums) - targets * sums)
        return float(entropy + ties @ (weights - start) ** 2 / 2)

    def slope(weights: Array) -> Array:
        return np.asarray(design.T @ (_expit(design @ weights) - targets) / count + ties * (weights - start))

    def curvature(weights: Array) -> Array:
        chances = _expit(design @ weights)
        return np.asarray((design * (chances * (1 - chances))[:, None]).T @ design / count + np.diag(ties))

    found = minimize(loss, start, jac=slope, hess=curvature, method="trust-exact", options={"gtol": 1e-10})
    return np.asarray(found.x)


def _isotonic(values: Array, targets: Array) -> tuple[Knot, ...]:
    """Pool adjacent violators (Ayer et al. 1955): each block of logits has the mean of its targets."""
    from sklearn.isotonic import IsotonicRegression

    curve = IsotonicRegression(y_min=0.0, y_max=1.0).fit(values, targets)
    return tuple(
        Knot(float(logit), float(height))
        for logit, height in zip(curve.X_thresholds_, curve.y_thresholds_, strict=True)
    )


def _expit(values: Array) -> Array:
    # scipy's would take as long to import as the rest of a judge that only reads a curve
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-values)), dtype=np.float64)
