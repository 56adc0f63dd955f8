"""A made-up comparison of four arms on 60 questions, decided or not, with everything that can go wrong."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest

from hybrid.decision.values import (
    ArmResult,
    Bound,
    Decision,
    Effect,
    Gate,
    GateResult,
    Hypothesis,
    Policy,
    SliceResult,
    Verdict,
)
from hybrid.evaluation.outcomes import ArmCost, Outcome, Retrieved
from hybrid.evaluation.scores import Scores, ScoreTable
from hybrid.report import ReportMaterial
from hybrid.statistics import Interval
from hybrid.types import Citation, Evidence, Question, Span

ARMS = ("base", "rag", "adapter", "both")
_SKILL = (0.0, 0.70, 0.55, 0.74)  # base fails everything
_COSTS = (
    ArmCost(0.4, 0.52, 0.9, 60, 90, 820, None, 0, 0.011),
    ArmCost(0.9, 1.1, 2.4, 640, 85, 1430, None, 0, 0.025),
    ArmCost(),  # nobody measured it
    ArmCost(0.95, 1.2, 2.6, 655, 60, 1490, None, 38, 0.0257, 0.07),
)
_GATES = (
    Gate("groundedness", Bound.AT_LEAST, 0.8),
    Gate("hallucinated", Bound.AT_MOST, 0.1),
)
_FOUND = ((None, 0.0), (0.93, 0.04), (0.41, 0.33), (0.9, 0.07))
_TEXT = (
    "The checkpointer writes all dirty pages to disk at a checkpoint. A checkpoint is begun every "
    "checkpoint_timeout seconds, or if max_wal_size is about to be exceeded, whichever comes first. The "
    "default settings are 5 minutes and 1 GB, respectively. If no WAL has been written since the previous "
    "checkpoint, new checkpoints will be skipped even if checkpoint_timeout has passed. Reducing "
    "checkpoint_timeout and/or max_wal_size causes checkpoints to occur more often. This allows faster "
    "after-crash recovery, since less work will need to be redone."
)
_OTHER = "checkpoint_timeout (integer): maximum time between automatic WAL checkpoints, in seconds."
_QUOTE = "The default settings are 5 minutes and 1 GB, respectively."


@dataclass(frozen=True)
class Compared:
    """What a report is made from."""

    decision: Decision
    table: ScoreTable
    material: ReportMaterial


def make_comparison(*, decided=True, questions=60):
    generator = np.random.default_rng(7)
    asked = tuple(_question(place) for place in range(questions))
    values = np.round(np.clip(generator.normal(_SKILL, 0.35, (questions, 4)), 0, 1), 1)
    values[:, 1][values[:, 1] > 0.6] = 1
    values[:, 3][values[:, 3] > 0.6] = 1
    values[:, 0] = 0
    table = ScoreTable(
        metric="correct",
        arms=ARMS,
        questions=tuple(question.id for question in asked),
        sources=tuple(question.unit for question in asked),
        values=values,
        slices=tuple(question.slices for question in asked),
    )
    outcomes = tuple(_outcome(question, arm) for question in asked for arm in ARMS)
    scores = tuple(
        _scores(values[row, column], arm, declined=arm == "rag" and not asked[row].answerable)
        for row in range(questions)
        for column, arm in enumerate(ARMS)
    )
    settings = {
        "settings.retrieval.k": "6",
        "settings.generation.reader": "generator",
        "models.generator": "HuggingFaceTB/SmolLM2-135M-Instruct",
        "models.generator.digest": "sha256:" + "3f9ac0d1" * 8,
        "index.generation": "20250214-081530-4be1",
        "seed": "0",
        "version": "0.1.0",
    }
    return Compared(
        make_decision(values, decided=decided), table, ReportMaterial(asked, outcomes, scores, settings)
    )


def make_decision(values, *, decided):
    means = values.mean(axis=0)
    results = tuple(
        ArmResult(
            arm,
            float(means[place]),
            Interval(max(0.0, means[place] - 0.09), min(1.0, means[place] + 0.08), 0.95),
            _COSTS[place],
            tuple(
                GateResult(
                    arm,
                    gate,
                    value,
                    value is not None
                    and (value >= gate.limit if gate.comparison is Bound.AT_LEAST else value <= gate.limit),
                )
                for gate, value in zip(_GATES, _FOUND[place], strict=True)
            ),
            eligible=arm in {"rag", "both"},
        )
        for place, arm in enumerate(ARMS)
    )
    gap = float(means[1] - means[3])
    wide = 0.015 if decided else 0.062
    effects = (
        Effect(
            "rag",
            "both",
            gap,
            Interval(gap - wide, gap + wide, 0.95),
            Hypothesis.NOT_WORSE,
            0.031,
            0.44,
            decided,
        ),
        Effect(
            "rag",
            "base",
            float(means[1]),
            Interval(0.61, 0.79, 0.95),
            Hypothesis.BETTER,
            0.0001,
            0.0001,
            True,
        ),
    )
    slices = tuple(
        SliceResult(
            name,
            count,
            sources,
            tuple(float(m) for m in shift),
            "both",
            0.18,
            Interval(0.04, 0.31, 0.99),
            bad,
            ARMS,
        )
        for name, count, sources, shift, bad in (
            ("fresh", 21, 12, (0.0, 0.74, 0.2, 0.73), False),
            ("jargon-heavy", 18, 11, (0.0, 0.55, 0.61, 0.73), True),
            ("numeric", 30, 14, (0.0, 0.71, 0.42, 0.7), False),
            ("unanswerable", 10, 10, (0.0, 0.9, 0.3, 0.8), False),
        )
    )
    decision = Decision(
        verdict=Verdict.DECIDED,
        arm="rag",
        sentence=(
            "Run rag: it scores 70.1 of 100, and the closest dearer arm, both, scores +0.9 "
            "points (95 % interval −0.6 to +2.4), within the margin of 2.0; it costs 0.025 per 1,000 answers "
            "and 1.1 s an answer."
        ),
        interim="rag",
        reasons=(
            "60 questions from 14 sources, metric `correct`; whole sources were resampled.",
            "20 of the 60 questions were made by a rule, not by people.",
            "rag against both: −0.9 points (95 % interval −2.4 to +0.6); it had to lose less than 2.0: shown "
            "(p = 0.031).",
            "base fails a gate: groundedness was not measured, wanted >= 0.8.",
            "adapter fails a gate: hallucinated is 0.33, wanted <= 0.1.",
        ),
        flips=(
            "A margin under 1.3 points: then rag would not be shown to be as good as both.",
            "A domain that is mostly `jargon-heavy` questions: both is better there.",
        ),
        arms=results,
        order=("rag", "both"),
        rivals=("rag", "both"),
        ungated=None,
        effects=effects,
        slices=slices,
        questions_needed=0,
        margin_needed=None,
        detectable=0.061,
        questions=len(values),
        sources=14,
        synthetic=20,
        guessing=None,
        policy=Policy(gates=_GATES),
    )
    if decided:
        return decision
    return dataclasses.replace(
        decision,
        verdict=Verdict.UNDECIDED,
        arm=None,
        sentence=(
            "Undecided between rag and both (rag against both: −0.9 points, 95 % interval −7.1 to +5.3): "
            "ask about 430 more questions; until then run rag, the cheapest of those that may be right."
        ),
        questions_needed=430,
    )


def _question(place):
    answerable = place % 6 != 5
    return Question(
        id=f"q{place:03}",
        text=(
            f"How often does the server begin a checkpoint if nothing else forces one, and which setting "
            f"changes that? (variant {place})"
        ),
        answers=("5 minutes", "every five minutes") if answerable else (),
        answerable=answerable,
        evidence=(Evidence("wal-configuration.html", _QUOTE),) if answerable else (),
        slices=("numeric", "fresh") if place % 2 else ("jargon-heavy",),
        source=f"page-{place % 14}.html",
        made=("gold", "gold", "cloze: definition")[place % 3],
    )


def _outcome(question, arm):
    if arm == "base":
        return Outcome(
            f"k-{arm}-{question.id}", arm, question.id, "", error="the generator ran out of memory"
        )
    if arm == "adapter":
        said = (
            "Checkpoints are written every ten minutes, as the pages on the write-ahead log say at length: "
            * 3
        )
        return Outcome(f"k-{arm}-{question.id}", arm, question.id, said, seconds=0.4)
    start = 1_000
    low = start + _TEXT.index(_QUOTE)
    passages = (
        Retrieved("wal-configuration.html", Span(start, start + len(_TEXT)), _TEXT, 0.91),
        Retrieved("runtime-config-wal.html", Span(0, len(_OTHER)), _OTHER, 0.62),
    )
    if not question.answerable and arm == "rag":
        return Outcome("k", arm, question.id, "The documents do not say.", abstained=True, passages=passages)
    citation = Citation(1, "wal-configuration.html", low, low + len(_QUOTE), _QUOTE)
    return Outcome(
        f"k-{arm}-{question.id}",
        arm,
        question.id,
        "Every five minutes by default; checkpoint_timeout changes it. [1]"
        if arm == "rag"
        else "5 minutes [1]",
        citations=(citation,),
        passages=passages,
        seconds=0.9,
    )


def _scores(value, arm, *, declined=False):
    correct = float(value)
    return Scores(
        correct=correct,
        exact_match=correct,
        contains_gold=correct,
        token_f1=correct,
        rouge_l=correct,
        numeric=None,
        similarity=None,
        crag=2 * correct - 1,
        abstained=float(declined),
        failed=float(arm == "base"),
        groundedness=None if arm == "base" else 0.9,
        hallucinated=None if arm == "base" else 0.05,
        citation_precision=None,
        citation_recall=None,
        recall=None if arm in {"base", "adapter"} else 0.8,
        ndcg=None,
        reciprocal_rank=None,
        context_precision=None,
        context_utilisation=None,
    )


@pytest.fixture(scope="session")
def decided():
    return make_comparison(decided=True)


@pytest.fixture(scope="session")
def undecided():
    return make_comparison(decided=False)
