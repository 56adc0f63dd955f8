"""What a meta-evaluation comes to: the figures of each scorer, and of each part of the claims.

Frozen values; a figure that cannot be measured is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hybrid.confidence import CalibrationError, CurvePoint
from hybrid.grounding.calibration import UNCALIBRATED, Calibration
from hybrid.grounding.intervals import Interval, Replicates


class FittedOn(StrEnum):
    """Where calibration and threshold come from."""

    OTHER_DATA = "other data"
    OTHER_SOURCES = "other sources of the same data"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Fitted:
    """What turns logits into probabilities and decisions: supported is what reaches the threshold."""

    calibration: Calibration = UNCALIBRATED
    threshold: float = 0.0


@dataclass(frozen=True, slots=True)
class Figures:
    """One scorer on some claims; each figure None where it cannot be measured.

    ``auroc`` is the same for either label. What is found is a claim that is not supported: of
    ``average_precision``, ``f1`` and ``tpr_at_fpr`` (at a false positive rate of 5 %) that is the positive
    class; those that end in ``_supported`` are of the other one. ``risks`` are the shares of wrong decisions
    among the surest 10 %, 20 % … of them.
    """

    n: int
    supported: float
    sources: int
    auroc: Interval | None
    balanced_accuracy: float | None
    average_precision: float | None
    average_precision_supported: float | None
    f1: float | None
    f1_supported: float | None
    tpr_at_fpr: float | None
    brier: float | None
    log_loss_skill: float | None
    calibration: CalibrationError | None
    aurc: float | None
    augrc: float | None
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
class Part:
    """Some of the claims, by a dimension, such as those of one task."""

    dimension: Dimension
    name: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Result:
    """One scorer, or floor.

    ``gain`` is its AUROC minus that of word overlap on the same claims; ``over_domains`` and
    ``gain_over_domains`` are means over the domains that have both labels, each counting alike.
    """

    name: str
    floor: bool
    fitted_on: FittedOn
    pairs_per_second: float | None
    megabytes: float | None
    overall: Figures
    parts: tuple[Part, ...]
    gain: Interval | None
    over_domains: Interval | None
    gain_over_domains: Interval | None

    def by(self, dimension: Dimension) -> list[Part]:
        """Return the parts by one dimension, in the order of their names."""
        return [part for part in self.parts if part.dimension is dimension]


@dataclass(frozen=True, eq=False, slots=True)
class MetaEvaluation:
    """All scorers and floors on one set of claims; ``replicates`` are those of their AUROCs, in order."""

    name: str
    n: int
    supported: float
    sources: int
    results: tuple[Result, ...]
    replicates: Replicates | None


@dataclass(frozen=True, slots=True)
class MeanResult:
    """The AUROC of a scorer, and its gain over word overlap, averaged over sets."""

    name: str
    floor: bool
    auroc: Interval
    gain: Interval
