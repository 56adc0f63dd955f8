"""The card of a calibration: what it was fitted on, and what it gained by it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hybrid.confidence import CalibrationError, calibration_error
from hybrid.files import hash_text, write_json
from hybrid.grounding.calibration import (
    SCHEMA_VERSION,
    UNCALIBRATED,
    Calibration,
    CurveKind,
    Fitted,
    cross_fitted,
    fit_calibration,
)
from hybrid.grounding.labelled import LabelledClaim, ScorerLogits, labels_of, sources_of
from hybrid.grounding.metrics import LEVEL, REPLICATES, choose_threshold
from hybrid.statistics import Estimate, resample


@dataclass(frozen=True, slots=True)
class CalibrationCard:
    """A calibration and the threshold of one scorer, fitted on ``labels`` claims of ``sources`` documents.

    ``before`` is the calibration that it starts from and is held against. Brier scores and calibration errors
    are from 0 to 1, lower is better; those ``after`` are cross-fitted: no claim is judged by a curve that saw
    its source.
    ``gain`` is how much lower the Brier score is, with its interval by source. ``data`` is the name of the
    set and ``data_hash`` that of its claims and labels; ``created`` a time in ISO 8601.
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
    data_hash: str = ""
    created: str = ""
    before: Calibration = UNCALIBRATED

    @property
    def better(self) -> bool:
        """Tell whether the cross-fitted Brier score is lower than before: else it is not kept."""
        return self.brier_after < self.brier_before

    @property
    def fitted(self) -> Fitted:
        """Return what turns logits of the scorer into probabilities and decisions."""
        return Fitted(self.calibration, self.threshold, self.scorer)


def calibrated(
    claims: Sequence[LabelledClaim],
    scores: ScorerLogits,
    *,
    before: Calibration = UNCALIBRATED,
    method: CurveKind | None = None,
    threshold: float | None = None,
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
        threshold=choose_threshold(scores.logits, labels) if threshold is None else threshold,
        labels=len(claims),
        supported=float(labels.mean()),
        sources=len(set(sources)),
        brier_before=float(losses[:, 0].mean()),
        brier_after=float(losses[:, 1].mean()),
        gain=Estimate(gain.estimate, gain.interval((1 - LEVEL) / 2)),
        error_before=errors[0],
        error_after=errors[1],
        data=data,
        data_hash=hash_text(*(part for claim in claims for part in _parts(claim))),
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


def _parts(claim: LabelledClaim) -> tuple[str, ...]:
    return (claim.id, claim.claim, *claim.evidence, str(claim.supported), claim.source)
