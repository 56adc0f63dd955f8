"""Compare arms on questions and decide: plan, ask, score, decide, and write it all down."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hybrid.arms import Contender
from hybrid.config import Settings
from hybrid.decision import wording
from hybrid.decision.planning import prospect
from hybrid.decision.replay import write_table
from hybrid.decision.sequential import Contest, decide_sequentially
from hybrid.decision.values import Decision, Gate, Policy
from hybrid.decision.verdict import Measures, decide
from hybrid.errors import ModelError, UsageError
from hybrid.evaluation.experiment import AskingWorkers, Experiment, Progress, begin, opened, silent
from hybrid.evaluation.outcomes import ArmCost, Outcome
from hybrid.evaluation.scores import (
    ANSWER_WORDS,
    BIAS,
    DISAGREEMENT,
    METRICS,
    Scores,
    ScoreTable,
    Uncovered,
    uncovered,
)
from hybrid.evaluation.scoring import (
    ArmSummary,
    MetricMean,
    automatic_slices,
    deciding_card,
    require_gold,
    score_all,
    summarise,
    table,
)
from hybrid.files import write_atomic, write_json
from hybrid.grounding.judge import Grounder
from hybrid.models import Embedder
from hybrid.questions.checking import key_of, without_source
from hybrid.report import ReportMaterial, report_html, report_json
from hybrid.statistics import Array
from hybrid.types import Question

REPORT = "report.html"
_DECISION = "decision.json"
_TABLE = "outcomes.csv"
# What a table for people has beside the metrics: its title, digits behind the point, and where it is found.
_SUMMED: tuple[tuple[str, int, Callable[[ArmSummary], float | None]], ...] = (
    ("declined, answerable", 2, lambda arm: arm.abstention.false_rate),
    ("declined, unanswerable", 2, lambda arm: arm.abstention.recall),
    ("aurc", 2, lambda arm: arm.confidence.aurc),
    ("calibration error", 2, lambda arm: arm.confidence.calibration_error),
    ("words", 0, lambda arm: arm.words),
    ("incomplete", 0, lambda arm: arm.incomplete or None),
)
_COSTS = (
    ("seconds, in batches", 2, "seconds"),
    ("seconds alone, p50", 2, "p50"),
    ("seconds alone, p95", 2, "p95"),
    ("prompt tokens", 0, "prompt_tokens"),
    ("completion tokens", 0, "completion_tokens"),
    ("peak MB", 0, "megabytes"),
    ("joules", 1, "joules"),
    ("money per 1,000", 4, "money"),
)
_JUDGED_BY_FACTS = ("correct", "crag")
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
        if any(name.endswith(".identity.adapter") and value for name, value in settings.items()):
            settings |= {"adapters": "merged into the weights while they were measured, as they serve"}
        if self.caution:
            settings |= {"caution": self.caution}
        return ReportMaterial(self.questions, self.outcomes, self.scores, settings)

    @property
    def caution(self) -> str:
        """Return what could turn the verdict: answers to judge, questions of no document; or nothing."""
        return " ".join(filter(None, (self._style(), self._alone(), self._repeated())))

    @property
    def warning(self) -> str:
        """Return the caution in one line, empty where there is none."""
        if not self.caution:
            return ""
        found, alone, repeated = self._uncovered, self._alone(), self._repeated()
        judged = f"judge {found.judgements} answers of each arm by hand" if found else ""
        told = (judged, alone.partition(",")[0], repeated.partition(",")[0])
        return f"caution: {'; '.join(filter(None, told))} (--explain says why)"

    def _repeated(self) -> str:
        asked = {(key_of(one.text) or one.text, one.withheld) for one in self.questions}
        if self.decision is None or len(asked) == len(self.questions):
            return ""
        return (
            f"{len(self.questions) - len(asked)} of {len(self.questions)} questions ask what another asks, "
            "and each counts as one more. `hybrid questions check` names them."
        )

    def _alone(self) -> str:
        alone = without_source(self.questions)
        if self.decision is None or not alone:
            return ""
        return (
            f"{len(alone)} of {len(self.questions)} questions are of no known document, and each counts as a "
            "source of its own: if several are about one, the intervals are too narrow. Add `source`."
        )

    @property
    def _uncovered(self) -> Uncovered | None:
        """Return how arms or golds are unlike those that the deciding measure was held against people on."""
        if self.decision is None or self.decision.policy.metric not in _JUDGED_BY_FACTS:
            return None
        return uncovered(self.summaries, self.questions, self.decision.policy.margin)

    def _style(self) -> str:
        found = self._uncovered
        if found is None or self.decision is None:
            return ""
        how = "to questions drawn at random, and decide again with --from and --gold"
        if found.judgements == len(self.questions):
            how = "which are all, and decide on that with --from"
        return (
            f"`correct` was held against people on answers of {ANSWER_WORDS[0]:.0f} to {ANSWER_WORDS[1]:.0f} "
            f"words of one's own and golds of a few; here {' and '.join(found.reasons)}. Judge "
            f"{found.judgements} answers of each arm by hand, {how}. "
            f"{wording.outlook(self.decision, found.judgements, DISAGREEMENT, BIAS)}"
        ).rstrip()

    def told(self) -> dict[str, object]:
        """Return for JSON what is told beside the decision: cautions, and what judgements would do to it."""
        told: dict[str, object] = {"caution": self.caution} if self.caution else {}
        found = self._uncovered
        if found is not None and self.decision is not None:
            then = prospect(self.decision, judgements=found.judgements, disagreement=DISAGREEMENT)
            told["judging"] = dataclasses.asdict(found) | {"prospect": then and dataclasses.asdict(then)}
        return told

    def figures(self) -> list[list[str]]:
        """Return a table for people: the names of the arms, then a row a metric or cost; ``-`` is unknown."""
        arms = self.summaries
        rows = [[card.name, *(_scored(arm.mean(card.name)) for arm in arms)] for card in METRICS]
        rows += [[title, *(_number(of(arm), digits) for arm in arms)] for title, digits, of in _SUMMED]
        cited = [sum(len(o.citations) for o in self.outcomes if o.arm == arm.arm) for arm in arms]
        rows += [["citations", *map(str, cited)]]
        costs = [dataclasses.asdict(self.costs[arm.arm]) for arm in arms]
        rows += [[title, *(_number(cost[name], digits) for cost in costs)] for title, digits, name in _COSTS]
        known = [row for row in rows if any(cell != "-" for cell in row[1:])]
        return [["", *(arm.arm for arm in arms)], *known]

    def document(self) -> dict[str, object]:
        """Return all figures, and the decision if there is one, as values for JSON."""
        arms = [{"arm": s.arm, "metrics": s, "cost": self.costs[s.arm]} for s in self.summaries]
        about = {"experiment": str(self.folder), "questions": len(self.questions), "judge": self.judge}
        decided: dict[str, object] = {}
        if self.decision is not None:
            decided = {"decision": report_json(self.decision), "caution": self.caution} | self.told()
        return about | {"arms": arms} | decided


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
    workers: AskingWorkers | None = None,
) -> Comparison:
    """Ask the arms, score, and decide if there are several.

    ``experiments`` is where the domain keeps its experiments; prices, and how many questions are asked alone,
    come from ``settings``. With a ``budget`` questions are asked in growing batches, at most so many answers,
    until it is settled; ``retry`` asks again what failed before. ``training`` tells by the names of arms how
    many minutes the making of their adapters took. ``workers`` ask instead of this process, which scores the
    answers.

    Raises:
        UsageError: a question without gold, or a metric that does not apply.
        ModelError: a model cannot be loaded, and nothing was asked then; or an arm answered nothing at all.
    """
    for question in questions:
        require_gold(question)
    deciding_card(policy.metric)
    folder = begin(contenders, questions, experiments, settings=settings, name=name)
    arms = tuple(contender.name for contender in contenders)
    with opened(folder, contenders, questions, retry=retry, workers=workers) as experiment:
        run = _OpenExperiment(experiment, arms, questions, settings, policy, judges, progress, training or {})
        whole, decision = run.settled(budget) if len(arms) > 1 else (None, None)
        if decision is None:
            run.ask(arms, questions)
        outcomes, scores = experiment.scored()
        if decision is not None:
            _require_answers(arms, outcomes)
        return Comparison(
            folder=folder,
            questions=tuple(questions),
            outcomes=tuple(outcomes),
            scores=tuple(scores),
            summaries=summarise(questions, outcomes, scores),
            costs=run.costs(),
            judge=judges.grounder.scorer.name,
            table=whole,
            decision=decision,
        )


@dataclass(frozen=True, eq=False, slots=True)
class _OpenExperiment:
    """An open experiment, and all that its questions are asked, scored and decided by."""

    experiment: Experiment
    arms: tuple[str, ...]
    questions: Sequence[Question]
    settings: Settings
    policy: Policy
    judges: Judges
    progress: Progress
    training: Mapping[str, float]

    def settled(self, budget: int | None) -> tuple[ScoreTable | None, Decision]:
        """Decide on all questions, with their table; with a budget on growing batches, then without one."""
        guessing = _guessing(self.questions, self.policy.metric)
        if budget is not None:
            frame = _frame(self.arms, self.questions, self.policy.metric)
            contest = Contest(frame, self.values, self.costs, self.measures)
            return None, decide_sequentially(contest, policy=self.policy, budget=budget, guessing=guessing)
        self.ask(self.arms, self.questions)
        whole = self.table(self.questions, self.arms)
        costs, measures = self.costs(), self.measures()
        return whole, decide(whole, costs=costs, measures=measures, policy=self.policy, guessing=guessing)

    def ask(self, arms: Sequence[str], questions: Sequence[Question]) -> None:
        """Have questions answered by arms, and score the answers."""
        chosen, experiment = self.settings.decision, self.experiment
        # one at a time are those of the first batch, and never most of it
        alone = 0 if experiment.scores else min(chosen.alone, math.ceil(len(questions) / 3))
        outcomes = experiment.ask(arms, questions, alone=alone, seed=chosen.seed, progress=self.progress)
        judges = self.judges
        scores = score_all(questions, outcomes, grounder=judges.grounder, embedder=judges.embedder)
        experiment.scores |= {(o.arm, o.question): score for o, score in zip(outcomes, scores, strict=True)}

    def values(self, arms: Sequence[str], rows: Sequence[int]) -> Array:
        """Ask arms the questions in these rows, and return what they score by the deciding metric."""
        asked = [self.questions[row] for row in rows]
        self.ask(arms, asked)
        values = self.table(asked, arms).values
        if len(values) < len(rows):
            raise UsageError(
                f"the metric {self.policy.metric!r} does not apply to all questions",
                hint="decide by another metric, or without --budget",
            )
        return values

    def table(self, questions: Sequence[Question], arms: Sequence[str]) -> ScoreTable:
        """Return what arms score on questions by the deciding metric."""
        return table(questions, *self.experiment.scored(), metric=self.policy.metric, arms=arms)

    def costs(self) -> dict[str, ArmCost]:
        """Return what the arms cost on what was asked so far."""
        return self.experiment.costs(self.experiment.scored()[0], self.settings.prices, self.training)

    def measures(self) -> Measures:
        """Return what gates may ask of the arms: their costs, and the means of all metrics."""
        spent = self.costs()
        return {
            one.arm: spent.get(one.arm, ArmCost()).measures()
            | {mean.metric: mean.mean for mean in one.means if mean.mean is not None}
            for one in summarise(self.questions, *self.experiment.scored())
        }


def _require_answers(arms: Sequence[str], outcomes: Sequence[Outcome]) -> None:
    """Raise a ModelError for an arm of which all that it was asked failed: it is broken, not worse."""
    for arm in arms:
        asked = [outcome for outcome in outcomes if outcome.arm == arm]
        if asked and all(outcome.failed for outcome in asked):
            why = asked[0].error or asked[0].incomplete or "it said nothing"
            raise ModelError(
                f"the arm {arm} answered none of {len(asked)} questions: {why}",
                hint="mend it and run again with --retry, which keeps what is answered, or leave it out",
            )


def write(comparison: Comparison, *, title: str) -> Path:
    """Write decision, table and report into the folder of the experiment; return the report's path."""
    folder, decision = comparison.folder, comparison.decision
    if decision is None:
        raise UsageError("there is nothing to report: one arm was run", hint="compare two arms or more")
    write_json(folder / _DECISION, report_json(decision) | comparison.told())
    if comparison.table is not None:
        write_table(folder / _TABLE, comparison.table)
    else:  # that of an earlier run would not be what this decision rests on
        (folder / _TABLE).unlink(missing_ok=True)
    page = report_html(decision, table=comparison.table, material=comparison.material, title=title)
    write_atomic(folder / REPORT, page)
    return folder / REPORT


def _frame(arms: tuple[str, ...], questions: Sequence[Question], metric: str) -> ScoreTable:
    """Return a table of the questions whose scores are still to come."""
    return ScoreTable(
        metric=metric,
        arms=arms,
        questions=tuple(question.id for question in questions),
        sources=tuple(question.unit for question in questions),
        values=np.zeros((len(questions), len(arms))),
        slices=tuple(automatic_slices(question) for question in questions),
    )


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


def _run_settings(folder: Path) -> dict[str, str]:
    """Return the settings of the experiment as lines for the report."""
    path = folder / "settings.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read: {error}", hint="remove it; the next run writes it again"
        ) from error
    return dict(_flat("", content))


def _flat(prefix: str, value: object) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in _flat(f"{prefix}{key}.", inner)]
    if isinstance(value, list):
        return [pair for place, inner in enumerate(value, 1) for pair in _flat(f"{prefix}{place}.", inner)]
    return [(prefix.rstrip("."), str(value))]


def _scored(mean: MetricMean) -> str:
    part = f" of {mean.scored}" if 0 < mean.scored < mean.total else ""
    return _number(mean.mean, 2) + part


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
