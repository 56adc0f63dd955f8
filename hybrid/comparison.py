"""Compare arms on questions and decide: ties experiment, scores, decision and report together.

Takes contenders, questions and a folder, gives a ``Comparison``, and writes it down: the decision as
JSON, the scores as a table that can be replayed, the report as one HTML file.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hybrid.config import Settings
from hybrid.decision.requirements import cost_measures
from hybrid.decision.sequential import Contest, decide_sequentially
from hybrid.decision.values import Decision, Gate, Policy
from hybrid.decision.verdict import decide
from hybrid.errors import UsageError
from hybrid.evaluation.arms import Contender
from hybrid.evaluation.costs import ArmCost, with_training
from hybrid.evaluation.experiment import Progress, begin, run, silent
from hybrid.evaluation.outcomes import Outcome
from hybrid.evaluation.record import arm_costs
from hybrid.evaluation.scores import Scores, ScoreTable
from hybrid.evaluation.scoring import automatic_slices, deciding_card, require_gold, score_all, table
from hybrid.evaluation.summary import ArmSummary, summarise
from hybrid.files import write_atomic, write_json
from hybrid.grounding.judging import Grounder
from hybrid.models import Embedder
from hybrid.report import ReportMaterial, report_html, report_json
from hybrid.types import Question

REPORT = "report.html"
_DECISION = "decision.json"
_TABLE = "outcomes.csv"
_RIGHT_OR_WRONG = ("correct", "exact_match", "contains_gold")


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """What was asked, answered, scored and decided.

    ``judge`` is the name of the scorer that judged claims and citations, with what decides its numbers;
    ``decision`` is None for a single arm.
    """

    folder: Path
    questions: tuple[Question, ...]
    outcomes: tuple[Outcome, ...]
    scores: tuple[Scores, ...]
    summaries: tuple[ArmSummary, ...]
    costs: Mapping[str, ArmCost]
    judge: str
    table: ScoreTable | None
    decision: Decision | None

    @property
    def material(self) -> ReportMaterial:
        """Return what the report shows beside the decision."""
        # the folder keeps the settings that the experiment began with; scores are taken anew at every run
        settings = _run_settings(self.folder) | {"judge": self.judge}
        return ReportMaterial(self.questions, self.outcomes, self.scores, settings)


@dataclass(frozen=True, slots=True)
class Judges:
    """What scores answers: a grounder, and an embedder for similarity if there is one."""

    grounder: Grounder
    embedder: Embedder | None = None


def policy_from(settings: Settings, gates: Sequence[Gate] = ()) -> Policy:
    """Return the policy that the settings describe."""
    chosen = settings.decision
    return Policy(
        margin=chosen.margin,
        level=chosen.level,
        metric=chosen.metric,
        gates=tuple(gates),
        replicates=chosen.replicates,
        seed=chosen.seed,
        currency=settings.prices.currency,
    )


def compare(
    contenders: Sequence[Contender],
    questions: Sequence[Question],
    experiments: Path,
    *,
    settings: Settings,
    policy: Policy,
    judges: Judges,
    name: str = "questions",
    budget: int | None = None,
    retry: bool = False,
    progress: Progress = silent,
    training: Mapping[str, float] | None = None,
) -> Comparison:
    """Ask the arms, score, and decide if there are several.

    Args:
        contenders: the arms.
        questions: with gold answers.
        experiments: where the domain keeps its experiments.
        settings: of the run; prices and how many questions are asked alone come from them.
        policy: margin, level, metric, gates.
        judges: what scores answers.
        name: of the question set.
        budget: ask in growing batches and at most so many answers, and stop when it is settled.
        retry: ask again what failed before.
        progress: told after every batch.
        training: by the names of arms, how many minutes the making of their adapters took.

    Raises:
        UsageError: a question without gold, or a metric that does not apply.
        ModelError: a model cannot be loaded; nothing was asked then.
    """
    for question in questions:
        require_gold(question)
    deciding_card(policy.metric)
    folder = begin(contenders, questions, experiments, settings=settings, name=name)
    work = _Work(contenders, questions, folder, settings, policy, judges, retry, progress, training or {})
    if budget is not None and len(contenders) > 1:
        decision = decide_sequentially(
            work.contest(),
            policy=policy,
            budget=budget,
            guessing=_guessing(questions, policy.metric),
        )
        return work.comparison(None, decision)
    work.ask([contender.name for contender in contenders], range(len(questions)))
    if len(contenders) < 2:
        return work.comparison(None, None)
    scores = work.table([contender.name for contender in contenders], questions)
    decision = decide(
        scores,
        costs=work.costs(),
        measures=work.measures(),
        policy=policy,
        guessing=_guessing(questions, policy.metric),
    )
    return work.comparison(scores, decision)


def write(comparison: Comparison, *, title: str) -> Path:
    """Write decision, table and report into the folder of the experiment; return the report's path."""
    folder, decision = comparison.folder, comparison.decision
    if decision is None:
        raise UsageError("there is nothing to report: one arm was run", hint="compare two arms or more")
    write_json(folder / _DECISION, report_json(decision))
    if comparison.table is not None:
        write_atomic(folder / _TABLE, _csv(comparison.table))
    else:  # that of an earlier run would not be what this decision rests on
        (folder / _TABLE).unlink(missing_ok=True)
    page = report_html(decision, table=comparison.table, material=comparison.material, title=title)
    write_atomic(folder / REPORT, page)
    return folder / REPORT


class _Work:
    """An experiment while it grows."""

    def __init__(
        self,
        contenders: Sequence[Contender],
        questions: Sequence[Question],
        folder: Path,
        settings: Settings,
        policy: Policy,
        judges: Judges,
        retry: bool,
        progress: Progress,
        training: Mapping[str, float],
    ) -> None:
        self._contenders = {contender.name: contender for contender in contenders}
        self._questions = questions
        self._folder, self._settings, self._policy = folder, settings, policy
        self._judges, self._retry, self._progress = judges, retry, progress
        self._training = training
        self._outcomes: dict[tuple[str, str], Outcome] = {}
        self._scores: dict[tuple[str, str], Scores] = {}

    def ask(self, arms: Sequence[str], rows: Sequence[int]) -> None:
        """Have questions answered by arms, and score the answers."""
        asked = [self._questions[row] for row in rows]
        outcomes = run(
            [self._contenders[arm] for arm in arms],
            asked,
            self._folder,
            alone=self._alone(len(rows)),
            seed=self._settings.decision.seed,
            retry=self._retry,
            progress=self._progress,
        )
        scores = score_all(asked, outcomes, grounder=self._judges.grounder, embedder=self._judges.embedder)
        for outcome, score in zip(outcomes, scores, strict=True):
            self._outcomes[outcome.arm, outcome.question] = outcome
            self._scores[outcome.arm, outcome.question] = score

    def _alone(self, asked: int) -> int:
        """Return how many are asked one at a time: of the first batch, and never most of it."""
        return 0 if self._outcomes else min(self._settings.decision.alone, math.ceil(asked / 3))

    def table(self, arms: Sequence[str], questions: Sequence[Question]) -> ScoreTable:
        """Return the deciding score of what was answered."""
        outcomes, scores = list(self._outcomes.values()), list(self._scores.values())
        return table(questions, outcomes, scores, metric=self._policy.metric, arms=arms)

    def contest(self) -> Contest:
        """Return the questions as a contest whose answers are made when they are asked for."""
        arms = tuple(self._contenders)
        frame = ScoreTable(
            metric=self._policy.metric,
            arms=arms,
            questions=tuple(question.id for question in self._questions),
            sources=tuple(question.unit for question in self._questions),
            values=np.zeros((len(self._questions), len(arms))),
            slices=tuple(automatic_slices(question) for question in self._questions),
        )
        return Contest(frame, self._answer, self.costs, self.measures)

    def _answer(self, arms: Sequence[str], rows: Sequence[int]) -> NDArray[np.float64]:
        self.ask(arms, rows)
        asked = [self._questions[row] for row in rows]
        values = self.table(arms, asked).values
        if len(values) < len(rows):
            raise UsageError(
                f"the metric {self._policy.metric!r} does not apply to all questions",
                hint="decide by another metric, or without --budget",
            )
        return values

    def costs(self) -> dict[str, ArmCost]:
        """Return what each arm cost so far."""
        prices = self._settings.prices
        costs = arm_costs(list(self._outcomes.values()), self._folder, prices)
        return {arm: with_training(cost, self._training.get(arm, 0.0), prices) for arm, cost in costs.items()}

    def measures(self) -> dict[str, dict[str, float]]:
        """Return all that gates can be held against: the means of all metrics, and the costs."""
        costs = self.costs()
        measures = {}
        for summary in self._summaries():
            means = {mean.metric: mean.mean for mean in summary.means if mean.mean is not None}
            measures[summary.arm] = cost_measures(costs.get(summary.arm, ArmCost())) | means
        return measures

    def comparison(self, scores: ScoreTable | None, decision: Decision | None) -> Comparison:
        """Return all of it."""
        return Comparison(
            folder=self._folder,
            questions=tuple(self._questions),
            outcomes=tuple(self._outcomes.values()),
            scores=tuple(self._scores.values()),
            summaries=self._summaries(),
            costs=self.costs(),
            judge=self._judges.grounder.scorer.name,
            table=scores,
            decision=decision,
        )

    def _summaries(self) -> tuple[ArmSummary, ...]:
        return summarise(self._questions, list(self._outcomes.values()), list(self._scores.values()))


def _guessing(questions: Sequence[Question], metric: str) -> float | None:
    """Return what an option drawn at random scores on average; None if a question or the metric has none."""
    if metric not in _RIGHT_OR_WRONG:
        return None
    shares = [
        len(set(question.answers) & set(question.options)) / len(question.options)
        for question in questions
        if question.options
    ]
    return sum(shares) / len(shares) if shares and len(shares) == len(questions) else None


def _csv(scores: ScoreTable) -> str:
    """Return the table as ``hybrid decide --from`` reads it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["question", "source", "slices", *scores.arms])
    for row, question in enumerate(scores.questions):
        values = [f"{value:.6g}" for value in scores.values[row]]
        writer.writerow([question, scores.sources[row], "|".join(scores.slices[row]), *values])
    return text.getvalue()


def _run_settings(folder: Path) -> dict[str, str]:
    """Return the settings of the experiment as lines for the report."""
    content = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    return dict(_flat("", content))


def _flat(prefix: str, value: object) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in _flat(f"{prefix}{key}.", inner)]
    if isinstance(value, list):
        return [pair for place, inner in enumerate(value, 1) for pair in _flat(f"{prefix}{place}.", inner)]
    return [(prefix.rstrip("."), str(value))]
