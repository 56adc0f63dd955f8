"""What a report shows beside the decision: the experiment, and the questions worth reading.

Takes questions, outcomes and scores, gives the worst and the most contested questions, counts and
means. Knows nothing about HTML.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hybrid.decision.values import Decision
from hybrid.evaluation.outcomes import Outcome
from hybrid.evaluation.scores import METRICS, Scores, ScoreTable
from hybrid.evaluation.scoring import ArmSummary, summarise
from hybrid.types import Question

SHOWN_QUESTIONS = 20


@dataclass(frozen=True, slots=True)
class Material:
    """What an experiment left behind; every part may be empty, and the report then does without it.

    ``scores`` stand in the order of ``outcomes``. ``settings`` is what names the run: settings, digests
    of models and adapters, index generation, seeds, versions.
    """

    questions: tuple[Question, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    scores: tuple[Scores, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert len(self.outcomes) == len(self.scores), "every outcome has its scores"


@dataclass(frozen=True, slots=True)
class Row:
    """A question and the score of every arm, in the order of the decision; None where it was not asked."""

    question: str
    values: tuple[float | None, ...]

    @property
    def known(self) -> list[float]:
        """Return the scores of those that were asked."""
        return [value for value in self.values if value is not None]


@dataclass(frozen=True, slots=True)
class GroupMeans:
    """The means of a part of the answers, one an arm; None where an arm has no value there."""

    name: str
    count: int
    means: tuple[float | None, ...]


def rows_of(decision: Decision, table: ScoreTable | None, material: Material) -> tuple[Row, ...]:
    """Return the score that decides for every question: from the table, else from the scores."""
    arms = [result.arm for result in decision.arms]
    if table is not None:
        columns = [table.arms.index(arm) if arm in table.arms else None for arm in arms]
        return tuple(
            Row(question, tuple(None if c is None else float(table.values[place, c]) for c in columns))
            for place, question in enumerate(table.questions)
        )
    found = {
        (outcome.question, outcome.arm): _share(scores, decision.policy.metric)
        for outcome, scores in zip(material.outcomes, material.scores, strict=True)
    }
    rows = (Row(q.id, tuple(found.get((q.id, arm)) for arm in arms)) for q in material.questions)
    return tuple(row for row in rows if row.known)


def subject(decision: Decision) -> str | None:
    """Return the arm that the reader will want to see fail: chosen, else interim, else the best mean."""
    if named := decision.arm or decision.interim:
        return named
    return max(decision.arms, key=lambda result: result.mean).arm if decision.arms else None


def worst(rows: Sequence[Row], arm: int) -> tuple[Row, ...]:
    """Return the questions that an arm lost, lowest first; of equals those where another arm did better."""
    lost = [(value, row) for row in rows if (value := row.values[arm]) is not None and value < 1]
    lost.sort(key=lambda one: (one[0], -max(one[1].known), -statistics.fmean(one[1].known)))
    return tuple(row for _, row in lost[:SHOWN_QUESTIONS])


def contested(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Return the questions on which the arms differ most, by the variance of their scores."""
    split = [row for row in rows if row.known and max(row.known) > min(row.known)]
    split.sort(key=lambda row: -statistics.pvariance(row.known))
    return tuple(split[:SHOWN_QUESTIONS])


def summaries(material: Material) -> dict[str, ArmSummary]:
    """Return what the scores of each arm come to, by arm; empty without outcomes."""
    known = {question.id for question in material.questions}
    pairs = zip(material.outcomes, material.scores, strict=True)
    kept = [(outcome, scores) for outcome, scores in pairs if outcome.question in known]
    found = summarise(material.questions, [o for o, _ in kept], [s for _, s in kept])
    return {summary.arm: summary for summary in found}


def by_origin(rows: Sequence[Row], material: Material) -> tuple[GroupMeans, ...]:
    """Return means by how questions were made, gold first; empty unless gold and synthetic both exist."""
    origins = {question.id: _origin(question) for question in material.questions}
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.question in origins:
            groups.setdefault(origins[row.question], []).append(row)
    gold = groups.pop("", [])
    if not gold or not groups:
        return ()
    parts = [("gold, by people", gold), ("synthetic", [row for group in groups.values() for row in group])]
    if len(groups) > 1:
        parts += [(f"synthetic: {name}", groups[name]) for name in sorted(groups)]
    return tuple(_means(name, group) for name, group in parts)


def measures(decision: Decision, found: Mapping[str, ArmSummary]) -> tuple[GroupMeans, ...]:
    """Return every measure of the summaries that at least one arm has, over how many answers, by arm."""
    if not found:
        return ()
    own = [found.get(result.arm) for result in decision.arms]
    rows = [
        GroupMeans(
            card.name,
            max(summary.mean(card.name).scored for summary in own if summary),
            tuple(summary.mean(card.name).mean if summary else None for summary in own),
        )
        for card in METRICS
    ]
    rows += [
        GroupMeans(name, max(summary.total for summary in own if summary), values)
        for name, values in _other_measures(own).items()
    ]
    return tuple(row for row in rows if any(mean is not None for mean in row.means))


def by_people(question: Question) -> bool:
    """Tell whether people made a question, or looked at it and let it stand."""
    return not _origin(question)


def slice_arms(decision: Decision) -> tuple[str, ...]:
    """Return the arms that the means of slices belong to: all, or those that a sequential run left."""
    return decision.slices[0].arms if decision.slices else ()


def _origin(question: Question) -> str:
    """Return the rule that made a question, "" for people."""
    return question.made if question.synthetic else ""


def _share(scores: Scores, metric: str) -> float:
    """Return a score scaled so that 1 is best; where it does not apply, whether the answer is right."""
    card = next((card for card in METRICS if card.name == metric), METRICS[0])
    value: float | None = getattr(scores, card.name)
    if value is None:
        return scores.correct
    share = (value - card.low) / (card.high - card.low)
    return 1 - share if card.higher_is_better is False else share


def _means(name: str, rows: Sequence[Row]) -> GroupMeans:
    columns = [
        [v for v in column if v is not None] for column in zip(*(row.values for row in rows), strict=True)
    ]
    return GroupMeans(name, len(rows), tuple(statistics.fmean(c) if c else None for c in columns))


def _other_measures(own: Sequence[ArmSummary | None]) -> dict[str, tuple[float | None, ...]]:
    return {
        "declined of answerable": tuple(s.abstention.false_rate if s else None for s in own),
        "declined of unanswerable": tuple(s.abstention.recall if s else None for s in own),
        "unanswerable of declined": tuple(s.abstention.precision if s else None for s in own),
        "risk under coverage (AURC)": tuple(s.confidence.aurc if s else None for s in own),
        "excess AURC": tuple(s.confidence.excess_aurc if s else None for s in own),
        "Brier score": tuple(s.confidence.brier if s else None for s in own),
        "calibration error (ECE)": tuple(s.confidence.calibration_error if s else None for s in own),
        "words an answer": tuple(s.words if s else None for s in own),
    }
