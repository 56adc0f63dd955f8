"""From contenders and questions to a decision on disk, with contenders that need no model."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from hybrid.comparison import Judges, compare, policy_from, write
from hybrid.config import load_settings
from hybrid.decision.replay import read_table
from hybrid.decision.values import Bound, Gate, Verdict
from hybrid.decision.verdict import decide
from hybrid.errors import ModelError, UsageError
from hybrid.grounding.calibration import UNCALIBRATED
from hybrid.grounding.judge import Grounder
from hybrid.grounding.scorers.names import NgramOverlap
from hybrid.questions.files import load_questions
from hybrid.types import Answer, Arm, Question

_SETTINGS = load_settings({"decision": {"replicates": 1000, "alone": 0}}, environment={})
_JUDGES = Judges(Grounder(NgramOverlap(), UNCALIBRATED))
_QUESTIONS = [
    Question(f"q{n}", f"What is {n}?", answers=(f"answer {n}",), source=f"page {n // 2}", slices=("all",))
    for n in range(80)
]


class Knows:
    """Answer the first so many questions rightly, the others wrongly."""

    def __init__(self, name, known, *, fails=()):
        self.name, self.identity, self.asked = name, {"arm": name, "known": str(known)}, 0
        self._known, self._fails = known, fails

    def prepare(self, questions):
        pass

    def answer_all(self, questions):
        if any(question.id in self._fails for question in questions):
            raise ValueError("out of order")
        self.asked += len(questions)
        return [self._answer(question) for question in questions]

    def _answer(self, question):
        number = int(question.id[1:])
        # right answers are spread over the sources
        right = number * 37 % 80 < self._known
        text = f"It is answer {number}." if right else "It is something else."
        return Answer(question.text, text, Arm.RAG, "fake")


def go(tmp_path, contenders, questions=_QUESTIONS, **options):
    gates = options.pop("gates", ())
    return compare(
        contenders,
        questions,
        tmp_path / "manual" / "experiments",
        settings=_SETTINGS,
        policy=policy_from(_SETTINGS, gates),
        judges=_JUDGES,
        **options,
    )


@pytest.mark.slow
def test_arms_are_asked_scored_and_decided(tmp_path):
    found = go(tmp_path, [Knows("base", 20), Knows("rag", 70)])
    assert found.decision.arm == "rag"
    assert [result.mean for result in found.decision.arms] == [20 / 80, 70 / 80]
    assert (found.decision.questions, found.decision.sources) == (80, 40)
    assert [part.name for part in found.decision.slices] == ["all"]
    assert found.costs["rag"].money is not None


@pytest.mark.slow
def test_the_report_says_how_adapters_were_measured(tmp_path):
    plain = go(tmp_path, [Knows("base", 20), Knows("rag", 70)])
    tuned = Knows("adapter", 70)
    tuned.identity |= {"adapter": "generator-001"}
    found = go(tmp_path, [Knows("base", 20), tuned])
    assert "adapters" not in plain.material.settings
    assert "merged into the weights" in found.material.settings["adapters"]


@pytest.mark.slow
def test_arms_unlike_those_that_people_judged_ask_for_judgements(tmp_path):
    plain = go(tmp_path, [Knows("base", 20), Knows("rag", 70)])
    assert plain.caution == "" and "caution" not in plain.material.settings
    assert plain.told() == {} and plain.document()["caution"] == ""
    long = [
        dataclasses.replace(q, answers=(f"{q.answers[0]} because the pump of the heater was cold",))
        for q in _QUESTIONS
    ]
    found = go(tmp_path, [Knows("base", 20), Knows("rag", 70)], long)
    assert "the gold answers have 10 words. Judge 80 answers of each arm" in found.caution
    assert "The interval of rag against base would then reach" in found.caution
    assert found.material.settings["caution"] == found.caution == found.document()["caution"]
    write(found, title="manual")
    told = json.loads((found.folder / "decision.json").read_text())
    assert told["caution"] == found.caution
    assert told["judging"]["judgements"] == 80
    assert told["judging"]["prospect"]["effect"]["other"] == "base"
    assert told["judging"]["prospect"]["gives_way"] > 0.03 and "the verdict would stand." in found.caution


@pytest.mark.slow
def test_questions_of_no_known_document_are_told_beside_the_verdict(tmp_path):
    unknown = [dataclasses.replace(q, source="", evidence=()) for q in _QUESTIONS]
    found = go(tmp_path, [Knows("base", 20), Knows("rag", 70)], [*unknown[:8], *_QUESTIONS[8:]])
    assert found.caution.startswith("8 of 80 questions are of no known document")
    assert found.document()["caution"] == found.caution
    twice = dataclasses.replace(found, questions=(*_QUESTIONS, _QUESTIONS[3]))
    assert twice.caution.startswith("1 of 81 questions ask what another asks")


def test_one_arm_is_measured_without_a_decision(tmp_path):
    found = go(tmp_path, [Knows("rag", 70)])
    assert found.decision is None
    assert found.summaries[0].mean("correct").mean == 70 / 80
    with pytest.raises(UsageError, match="one arm"):
        write(found, title="manual")


@pytest.mark.slow
def test_a_second_comparison_asks_nothing_again(tmp_path):
    go(tmp_path, [Knows("base", 20), Knows("rag", 70)])
    again = [Knows("base", 20), Knows("rag", 70), Knows("rag:k=3", 60)]
    go(tmp_path, again)
    assert [contender.asked for contender in again] == [0, 0, 80]


@pytest.mark.slow
def test_what_is_written_is_the_decision_and_can_be_replayed(tmp_path):
    found = go(tmp_path, [Knows("base", 20), Knows("rag", 70)])
    page = write(found, title="manual")
    assert "Run rag" in page.read_text(encoding="utf-8")
    assert json.loads((found.folder / "decision.json").read_text())["arm"] == "rag"
    table = read_table(found.folder / "outcomes.csv")
    replayed = decide(table, costs=found.costs, measures={}, policy=policy_from(_SETTINGS))
    assert replayed.sentence == found.decision.sentence
    assert replayed.effects == found.decision.effects


@pytest.mark.slow
def test_the_report_names_what_judged_this_time(tmp_path):
    found = go(tmp_path, [Knows("base", 20), Knows("rag", 70)])
    assert found.judge == found.material.settings["judge"] == "2-gram overlap"
    again = compare(
        [Knows("base", 20), Knows("rag", 70)],
        _QUESTIONS,
        found.folder.parent,
        settings=_SETTINGS,
        policy=policy_from(_SETTINGS),
        judges=Judges(Grounder(NgramOverlap(size=1), UNCALIBRATED)),
    )
    assert again.folder == found.folder
    assert "1-gram overlap" in write(again, title="manual").read_text(encoding="utf-8")


def test_a_clear_case_takes_a_fraction_of_the_answers(tmp_path):
    base, rag = Knows("base", 5), Knows("rag", 75)
    found = go(tmp_path, [base, rag], budget=160)
    assert found.decision.arm == "rag"
    assert base.asked + rag.asked <= 80
    assert found.decision.looks[-1].answers == base.asked + rag.asked
    assert found.table is None
    assert write(found, title="manual").is_file()


def test_failed_answers_score_as_failures_and_are_counted(tmp_path):
    most = [question.id for question in _QUESTIONS[1:]]
    found = go(tmp_path, [Knows("base", 40), Knows("rag", 70, fails=most)])
    assert found.decision.arm == "base"
    assert [summary.failed for summary in found.summaries] == [0, 79]
    assert found.decision.arms[1].mean <= 1 / 80


@pytest.mark.parametrize("budget", [None, 120])
def test_an_arm_without_a_single_answer_is_not_decided_against(tmp_path, budget):
    every = [question.id for question in _QUESTIONS]
    with pytest.raises(
        ModelError, match=r"rag answered none of \d+ questions: ValueError: out of order"
    ) as error:
        go(tmp_path, [Knows("base", 40), Knows("rag", 70, fails=every)], budget=budget)
    assert "--retry" in error.value.hint


@pytest.mark.slow
def test_gates_are_held_against_metrics_and_costs(tmp_path):
    gate = Gate("exact_match", Bound.AT_LEAST, 0.5)
    found = go(tmp_path, [Knows("base", 20), Knows("rag", 70)], gates=[gate])
    assert found.decision.order == ()
    assert found.decision.verdict is Verdict.UNDECIDED
    assert found.decision.ungated == "rag"
    free = Gate("money", Bound.AT_LEAST, 0.0)
    assert go(tmp_path, [Knows("base", 20), Knows("rag", 70)], gates=[free]).decision.arm == "rag"


@pytest.mark.slow
def test_guessing_is_told_where_all_questions_have_options(tmp_path):
    options = ("answer 0", "answer 1")
    labels = [dataclasses.replace(q, options=(*q.answers, "other")) for q in _QUESTIONS]
    assert go(tmp_path, [Knows("base", 20), Knows("rag", 70)], labels).decision.guessing == 0.5
    mixed = [dataclasses.replace(_QUESTIONS[0], options=options), *_QUESTIONS[1:]]
    assert go(tmp_path, [Knows("base", 20), Knows("rag", 70)], mixed).decision.guessing is None


def test_questions_without_gold_are_refused_before_anything_is_asked(tmp_path):
    base = Knows("base", 20)
    bare = [*_QUESTIONS[:-1], dataclasses.replace(_QUESTIONS[-1], answers=())]
    with pytest.raises(UsageError, match="no gold answer"):
        go(tmp_path, [base, Knows("rag", 70)], bare)
    assert base.asked == 0


def test_an_unknown_metric_is_refused_before_anything_is_asked(tmp_path):
    base = Knows("base", 20)
    with pytest.raises(UsageError, match="no metric 'nonsense'"):
        compare(
            [base, Knows("rag", 70)],
            _QUESTIONS,
            tmp_path,
            settings=_SETTINGS,
            policy=dataclasses.replace(policy_from(_SETTINGS), metric="nonsense"),
            judges=_JUDGES,
        )
    assert base.asked == 0


@pytest.mark.slow
def test_synthetic_questions_are_counted(tmp_path):
    made = [dataclasses.replace(question, made="list") for question in _QUESTIONS[:30]] + _QUESTIONS[30:]
    assert go(tmp_path, [Knows("base", 20), Knows("rag", 70)], made).decision.synthetic == 30


@pytest.mark.slow
def test_damaged_settings_say_what_to_do_and_the_next_run_mends_them(tmp_path):
    found = go(tmp_path, [Knows("base", 20), Knows("rag", 70)])
    (found.folder / "settings.json").write_text("{")
    with pytest.raises(UsageError, match=r"settings\.json cannot be read") as error:
        write(found, title="manual")
    assert "remove it" in error.value.hint
    (found.folder / "settings.json").unlink()
    arms = [Knows("base", 20), Knows("rag", 70)]
    assert write(go(tmp_path, arms), title="manual").is_file()
    assert [arm.asked for arm in arms] == [0, 0]


_OLD = Path(__file__).parent / "golden" / "experiment"


def test_an_experiment_of_an_older_version_is_resumed_and_decided_as_it_was(tmp_path):
    (old,) = _OLD.iterdir()
    shutil.copytree(old, tmp_path / old.name)
    settings = load_settings({"decision": {"replicates": 1000, "alone": 1}}, environment={})
    arms = [Knows("base", 3), Knows("rag", 9)]
    questions = load_questions(old / "questions.jsonl")
    again = compare(
        arms, questions, tmp_path, settings=settings, policy=policy_from(settings), judges=_JUDGES, name="old"
    )
    assert again.folder == tmp_path / old.name
    assert [arm.asked for arm in arms] == [0, 0]
    assert len(again.outcomes) == 24
    assert [outcome.question for outcome in again.outcomes if outcome.error] == ["q11", "q11"]
    write(again, title="old")
    for name in ("decision.json", "outcomes.csv", "settings.json", "meters.json"):
        assert (again.folder / name).read_text() == (old / name).read_text(), name
