"""What the scores of each arm come to: means with their counts, abstention, confidence, length.

Takes questions, outcomes and scores, gives one ``ArmSummary`` an arm. A mean says over how many answers
it is; None where there is none. Knows nothing about differences and whether they are shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hybrid.confidence import (
    AbstentionScores,
    abstention,
    aurc,
    brier,
    calibration_error,
    excess_aurc,
)
from hybrid.evaluation.outcomes import Outcome
from hybrid.evaluation.scores import METRICS, Scores
from hybrid.evaluation.scoring import answer_text
from hybrid.types import Question


@dataclass(frozen=True, slots=True)
class MetricMean:
    """The mean of a metric over the answers to which it applies: ``scored`` of ``total``."""

    metric: str
    mean: float | None
    scored: int
    total: int


@dataclass(frozen=True, slots=True)
class ConfidenceSummary:
    """How well an arm's confidences tell right from wrong; each None where none was given.

    ``aurc`` and ``excess_aurc`` are over all answers but abstentions; what failed or has no confidence
    is ranked last. ``brier`` and ``calibration_error`` are over the ``given`` answers with a confidence.
    """

    given: int
    aurc: float | None
    excess_aurc: float | None
    brier: float | None
    calibration_error: float | None


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """One arm. ``words`` is the mean length of the answers that neither failed nor abstained."""

    arm: str
    total: int
    failed: int
    declined: int
    means: tuple[MetricMean, ...]
    abstention: AbstentionScores
    confidence: ConfidenceSummary
    words: float | None

    def mean(self, metric: str) -> MetricMean:
        """Return the mean of one metric.

        Raises:
            KeyError: no such metric.
        """
        return {mean.metric: mean for mean in self.means}[metric]


def summarise(
    questions: Sequence[Question], outcomes: Sequence[Outcome], scores: Sequence[Scores]
) -> tuple[ArmSummary, ...]:
    """Summarise each arm, in the order in which they first appear; ``scores`` are those of the outcomes."""
    answerable = {question.id: question.answerable for question in questions}
    arms: dict[str, list[tuple[Outcome, Scores]]] = {}
    for outcome, score in zip(outcomes, scores, strict=True):
        arms.setdefault(outcome.arm, []).append((outcome, score))
    return tuple(_summary(arm, rows, answerable) for arm, rows in arms.items())


def _summary(arm: str, rows: Sequence[tuple[Outcome, Scores]], answerable: dict[str, bool]) -> ArmSummary:
    shown = [outcome for outcome, score in rows if not (score.failed or score.abstained)]
    return ArmSummary(
        arm=arm,
        total=len(rows),
        failed=sum(bool(score.failed) for _, score in rows),
        declined=sum(bool(score.abstained) for _, score in rows),
        means=tuple(_mean(card.name, [score for _, score in rows]) for card in METRICS),
        abstention=abstention(
            [answerable[outcome.question] for outcome, _ in rows],
            [bool(score.abstained) for _, score in rows],
        ),
        confidence=_confidence(rows),
        words=_average([len(answer_text(outcome).split()) for outcome in shown]),
    )


def _mean(metric: str, scores: Sequence[Scores]) -> MetricMean:
    values = [value for score in scores if (value := getattr(score, metric)) is not None]
    return MetricMean(metric, _average(values), len(values), len(scores))


def _average(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _confidence(rows: Sequence[tuple[Outcome, Scores]]) -> ConfidenceSummary:
    given = [
        (outcome.confidence, score.correct)
        for outcome, score in rows
        if outcome.confidence is not None and not (score.failed or score.abstained)
    ]
    if not given:
        return ConfidenceSummary(0, None, None, None, None)
    sure, right = [confidence for confidence, _ in given], [score for _, score in given]
    asserted = [(outcome, score) for outcome, score in rows if not score.abstained]
    order = [_rank(outcome, score) for outcome, score in asserted]
    losses = [1.0 - score.correct for _, score in asserted]
    return ConfidenceSummary(
        given=len(given),
        aurc=aurc(order, losses),
        excess_aurc=excess_aurc(order, losses),
        brier=brier(sure, right),
        calibration_error=calibration_error(sure, right),
    )


def _rank(outcome: Outcome, score: Scores) -> float:
    return -math.inf if score.failed or outcome.confidence is None else outcome.confidence
