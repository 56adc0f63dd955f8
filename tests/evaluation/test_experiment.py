"""Arms × questions: nothing is asked twice, nothing is lost, nothing stops it."""

import dataclasses
import importlib.util
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.config import PriceSettings, load_settings
from hybrid.errors import IndexLocked, ModelMissing, UsageError
from hybrid.evaluation.experiment import begin, opened
from hybrid.evaluation.outcomes import ask, load_outcomes, question_key
from hybrid.files import folder_lock
from hybrid.questions.files import load_questions
from hybrid.types import Answer, Arm, Chunk, Citation, Hit, Question, Span

_CHILD = Path(__file__).with_name("experiment_child.py")
_SETTINGS = load_settings({}, environment={})
_QUESTIONS = [Question(f"q{number}", f"What is {number}?") for number in range(12)]


class Fake:
    """A contender that remembers what it was asked, and fails on demand."""

    def __init__(self, name="rag", identity=None, *, fails=(), answer="{}!", error=ValueError):
        self.name = name
        self.identity = identity or {"arm": name}
        self.asked = []
        self.prepared = 0
        self._fails, self._answer, self._error = set(fails), answer, error

    def prepare(self, questions):
        self.prepared += 1

    def answer_all(self, questions):
        self.asked.append([question.id for question in questions])
        for question in questions:
            if question.id in self._fails:
                raise self._error(f"cannot answer {question.id}")
        return [Answer(q.text, self._answer.format(q.text), Arm.RAG, "fake") for q in questions]

    @property
    def count(self):
        return sum(len(batch) for batch in self.asked)


@pytest.fixture
def experiments(tmp_path):
    return tmp_path / "manual" / "experiments"


def go(experiments, contenders, questions=_QUESTIONS, *, name="questions", **options):
    folder = begin(contenders, questions, experiments, settings=_SETTINGS, name=name, clock=lambda: 0.0)
    return folder, run(contenders, questions, folder, **options)


def run(contenders, questions, folder, *, retry=False, **options):
    with opened(folder, contenders, questions, retry=retry) as experiment:
        return experiment.ask([contender.name for contender in contenders], questions, **options)


def costs(contenders, outcomes, folder):
    with opened(folder, contenders, _QUESTIONS) as experiment:
        return experiment.costs(outcomes, PriceSettings(), {})


def lines(folder):
    return load_outcomes(folder / "outcomes.jsonl")


def same(outcomes):
    """Return what a run decides, without what a clock decides."""
    return [dataclasses.replace(outcome, seconds=0, alone=None) for outcome in outcomes]


# --- asking ----------------------------------------------------------------------------------------


def test_every_arm_answers_every_question_in_order(experiments):
    one, two = Fake("base"), Fake("rag")
    folder, outcomes = go(experiments, [one, two], batch=5, alone=2)
    assert [(o.arm, o.question) for o in outcomes] == [
        (arm, q.id) for arm in ("base", "rag") for q in _QUESTIONS
    ]
    assert [o.answer for o in outcomes[:12]] == [f"{q.text}!" for q in _QUESTIONS]
    assert sorted(lines(folder), key=str) == sorted(outcomes, key=str)
    assert [len(batch) for batch in one.asked] == [5, 5, 1, 1]
    assert one.prepared == 1


def test_an_outcome_holds_what_the_answer_holds(experiments):
    chunk = Chunk("a.txt", 3, 10, 20, "0123456789")
    full = Answer(
        "?",
        "yes [1]",
        Arm.RAG,
        "x",
        (Citation(1, "a.txt", 10, 14, "0123", 2),),
        (Hit(chunk, 0.5),),
        False,
        (),
        0,
        0.75,
        11,
        22,
        99.0,
    )

    class Full(Fake):
        def answer_all(self, questions):
            return [full] * len(questions)

    _, (outcome,) = go(experiments, [Full()], _QUESTIONS[:1], alone=0)
    assert (outcome.answer, outcome.confidence, outcome.citations) == ("yes [1]", 0.75, full.citations)
    assert (outcome.prompt_tokens, outcome.completion_tokens, outcome.abstained) == (11, 22, False)
    (passage,) = outcome.passages
    assert (passage.source, passage.span, passage.text, passage.score) == (
        "a.txt",
        Span(10, 20),
        "0123456789",
        0.5,
    )
    assert 0 <= outcome.seconds < 99  # as measured, retrieval included


def test_so_many_questions_are_asked_alone_and_timed(experiments):
    fake = Fake()
    _, outcomes = go(experiments, [fake], batch=64, alone=4)
    timed = [o.question for o in outcomes if o.alone is not None]
    assert len(timed) == 4
    assert [batch for batch in fake.asked if len(batch) == 1] == [[name] for name in timed]
    assert fake.asked[0] not in fake.asked[1:]  # the batch comes first: then the models are warm
    assert all(o.alone > 0 for o in outcomes if o.alone is not None)
    _, other = go(experiments, [Fake("other")], batch=64, alone=4, seed=1)
    assert [o.question for o in other if o.alone is not None] != timed


def test_more_alone_than_questions_asks_each_once(experiments):
    fake = Fake()
    _, outcomes = go(experiments, [fake], alone=99)
    assert fake.count == len(_QUESTIONS)
    assert all(o.alone is not None for o in outcomes)


def test_progress_is_told_from_what_is_there_to_all(experiments):
    told = []
    go(experiments, [Fake()], batch=5, alone=1, progress=lambda *step: told.append(step))
    assert told == [("rag", done, 12) for done in (0, 5, 10, 11, 12)]


# --- failures --------------------------------------------------------------------------------------


def test_one_failure_costs_one_answer(experiments):
    fake = Fake(fails={"q3", "q7"})
    folder, outcomes = go(experiments, [fake, Fake("base")], batch=6, alone=0)
    failed = [o for o in outcomes if o.error]
    assert [(o.arm, o.question) for o in failed] == [("rag", "q3"), ("rag", "q7")]
    assert failed[0].error == "ValueError: cannot answer q3"
    assert all(o.failed and not o.answer and o.seconds > 0 for o in failed)
    assert len(lines(folder)) == 24


def test_too_few_answers_are_a_failure_and_not_a_shift(experiments):
    class Short(Fake):
        def answer_all(self, questions):
            return super().answer_all(questions)[:-1] if len(questions) > 1 else super().answer_all(questions)

    _, outcomes = go(experiments, [Short()], alone=0)
    assert [o.answer for o in outcomes] == [f"{q.text}!" for q in _QUESTIONS]


def test_an_interruption_passes_and_what_was_answered_stays(experiments):
    with pytest.raises(KeyboardInterrupt):
        go(experiments, [Fake(fails={"q8"}, error=KeyboardInterrupt)], batch=4, alone=0)
    fake = Fake()
    go(experiments, [fake], batch=4, alone=0)
    assert fake.asked == [["q8", "q9", "q10", "q11"]]


def test_a_model_that_cannot_be_loaded_is_an_error_before_anything_is_asked(experiments):
    class Missing(Fake):
        def prepare(self, questions):
            raise ModelMissing("no weights")

    first = Fake("base")
    with pytest.raises(ModelMissing):
        go(experiments, [first, Missing()])
    assert first.asked == []


def test_what_failed_is_asked_again_only_if_told_so(experiments):
    go(experiments, [Fake(fails={"q3"})])
    quiet = Fake()
    folder, outcomes = go(experiments, [quiet])
    assert quiet.asked == []
    assert [o.question for o in outcomes if o.error] == ["q3"]
    again = Fake()
    folder, outcomes = go(experiments, [again], retry=True)
    assert again.asked == [["q3"]]
    assert not any(o.error for o in outcomes)
    assert len(lines(folder)) == len(_QUESTIONS)


def test_a_failure_is_not_handed_to_another_experiment(experiments):
    go(experiments, [Fake(fails={"q3"})])
    fake = Fake()
    go(experiments, [fake], name="copy of the set")
    _, outcomes = go(experiments, [fake, Fake("base")])
    assert fake.asked == [["q3"]]
    assert not any(o.error for o in outcomes)


def test_one_experiment_is_run_by_one_process(experiments):
    folder, _ = go(experiments, [Fake()])
    with folder_lock(folder), pytest.raises(IndexLocked):
        run([Fake()], _QUESTIONS, folder)


def test_two_of_one_name_are_refused(experiments):
    with pytest.raises(UsageError, match="the arm 'rag' is there twice"):
        go(experiments, [Fake(), Fake(identity={"other": "one"})])
    with pytest.raises(UsageError, match="the question 'q0' is there twice"):
        go(experiments, [Fake()], [*_QUESTIONS, _QUESTIONS[0]])


# --- again -----------------------------------------------------------------------------------------


def test_the_same_experiment_is_asked_once(experiments):
    first, second = Fake(), Fake()
    folder, outcomes = go(experiments, [first])
    again, kept = go(experiments, [second])
    assert (again, kept, second.asked) == (folder, outcomes, [])


def test_an_arm_that_other_experiments_know_is_not_asked_again(experiments):
    folder, outcomes = go(experiments, [Fake()])
    fake, new = Fake(), Fake("base")
    other, both = go(experiments, [new, fake])
    assert other != folder
    assert fake.asked == []
    assert both[12:] == outcomes
    # in another order, under other ids, under another name: it is the same arm and the same question
    renamed = [Question(f"n{place}", q.text) for place, q in enumerate(_QUESTIONS[::-1])]
    alias = Fake("alias", {"arm": "rag"})
    _, told = go(experiments, [alias], renamed)
    assert alias.asked == []
    assert [(o.arm, o.question) for o in told] == [("alias", q.id) for q in renamed]
    assert [o.answer for o in told] == [o.answer for o in outcomes[::-1]]


@pytest.mark.parametrize(
    "change", [{"text": "Else?"}, {"options": ("a", "b")}, {"withheld": ("a.txt",)}], ids=str
)
def test_another_question_is_asked(experiments, change):
    go(experiments, [Fake()])
    fake = Fake()
    go(experiments, [fake], [dataclasses.replace(_QUESTIONS[0], **change), *_QUESTIONS[1:]])
    assert fake.asked == [["q0"]]


def test_another_gold_answer_is_the_same_question(experiments):
    go(experiments, [Fake()])
    fake = Fake()
    go(experiments, [fake], [dataclasses.replace(q, answers=("42",)) for q in _QUESTIONS])
    assert fake.asked == []


@pytest.mark.slow
def test_a_changed_arm_is_asked_again_and_its_old_lines_go(experiments):
    folder, _ = go(experiments, [Fake(), Fake("base")])
    changed = Fake(identity={"arm": "rag", "k": "2"}, answer="new {}")
    outcomes = run([changed], _QUESTIONS, folder)
    assert changed.count == len(_QUESTIONS)
    assert all(o.answer.startswith("new") for o in outcomes)
    assert len(lines(folder)) == 24  # the other arm stays


def test_growing_batches_ask_only_what_is_new(experiments):
    one, two = Fake("base"), Fake("rag")
    folder = begin([one, two], _QUESTIONS, experiments, settings=_SETTINGS)
    run([one, two], _QUESTIONS[:4], folder, alone=2)
    run([one, two], _QUESTIONS[:8], folder, alone=2)
    outcomes = run([two], _QUESTIONS, folder, alone=2)
    assert (one.count, two.count) == (8, 12)
    assert sum(o.alone is not None for o in outcomes) == 2
    assert len(lines(folder)) == 20


@pytest.mark.slow
def test_a_sibling_that_cannot_be_read_does_no_harm(experiments):
    folder, _ = go(experiments, [Fake()])
    (folder / "outcomes.jsonl").write_text("of another time\n")
    fake = Fake()
    go(experiments, [fake, Fake("base")])
    assert fake.count == len(_QUESTIONS)
    with pytest.raises(UsageError, match="line 1"):
        go(experiments, [Fake()])


@pytest.mark.slow
@given(
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3),
    st.lists(st.text(max_size=3), max_size=3),
    st.lists(st.text(max_size=3), max_size=3),
)
def test_a_key_tells_apart_what_is_different(identity, options, withheld):
    question = Question("1", "text", options=tuple(options), withheld=tuple(withheld))
    key = question_key(identity, question)
    assert key == question_key(dict(reversed(identity.items())), dataclasses.replace(question, id="2"))
    swapped = dataclasses.replace(question, options=tuple(withheld), withheld=tuple(options))
    assert (key == question_key(identity, swapped)) == (options == withheld)
    assert key != question_key(identity | {"more": ""}, question)


# --- what stands beside ----------------------------------------------------------------------------


def test_settings_say_what_was_run_and_stay(experiments):
    folder, _ = go(experiments, [Fake("rag:k=3"), Fake("base")], name="my set")
    assert folder.name.startswith("my-set-rag-k=3-base-")
    about = json.loads((folder / "settings.json").read_text())
    assert about["experiment"] == folder.name
    assert about["created"] == "1970-01-01T00:00:00Z"
    assert about["questions"]["count"] == 12
    assert [arm["name"] for arm in about["arms"]] == ["rag:k=3", "base"]
    assert about["arms"][0]["identity"] == {"arm": "rag:k=3"}
    assert {"python", "torch", "transformers"} <= about["versions"].keys()
    assert {"cores", "instructions", "memory"} <= about["machine"].keys()
    assert about["settings"]["retrieval"]["k"] == _SETTINGS.retrieval.k
    assert about["seed"] == 0
    assert load_questions(folder / "questions.jsonl") == _QUESTIONS
    before = (folder / "settings.json").read_bytes()
    begin(
        [Fake("rag:k=3"), Fake("base")],
        _QUESTIONS,
        experiments,
        settings=_SETTINGS,
        name="my set",
        clock=lambda: 9.0,
    )
    assert (folder / "settings.json").read_bytes() == before


def test_a_name_of_any_letters_is_a_folder(experiments):
    folder, _ = go(experiments, [Fake("rag:generator=a/b\\c:endpoint=http://x")], name="../../ü set?")
    assert folder.parent == experiments
    assert folder.is_dir()
    assert len(folder.name) < 100


def test_costs_come_from_outcomes_and_meters_and_survive_a_new_run(experiments):
    arms = [Fake(), Fake("base")]
    folder, outcomes = go(experiments, arms, batch=5, alone=3)
    cost = costs(arms, outcomes, folder)["rag"]
    assert cost.p50 > 0
    assert cost.megabytes > 10
    again, kept = go(experiments, arms)
    assert costs(arms, kept, again)["rag"] == cost
    # another experiment that only takes over what is known knows the costs too
    other, taken = go(experiments, [Fake()])
    assert costs([Fake()], taken, other)["rag"] == cost


def test_what_is_no_number_is_null_in_every_file_and_none_when_read(experiments):
    chunk = Chunk("a.txt", 0, 0, 1, "0")
    broken = Answer("?", "yes", Arm.RAG, "x", hits=(Hit(chunk, float("nan")),), confidence=float("nan"))

    class Broken(Fake):
        def answer_all(self, questions):
            return [broken] * len(questions)

    odd = dataclasses.replace(
        _SETTINGS, prices=dataclasses.replace(_SETTINGS.prices, machine_hour=float("nan"))
    )
    folder = begin([Broken()], _QUESTIONS, experiments, settings=odd)
    outcomes = run([Broken()], _QUESTIONS, folder)
    assert {(o.confidence, o.passages[0].score) for o in outcomes} == {(None, None)}
    assert sorted(lines(folder), key=str) == sorted(outcomes, key=str)
    assert json.loads((folder / "settings.json").read_text())["settings"]["prices"]["machine_hour"] is None
    assert not any("NaN" in path.read_text() for path in folder.glob("*.json*"))


def test_asking_one_question_writes_nothing_down(experiments):
    outcome = ask(Fake(), _QUESTIONS[0])
    assert (outcome.answer, outcome.alone) == ("What is 0?!", outcome.seconds)
    assert ask(Fake(fails={"q0"}), _QUESTIONS[0]).error == "ValueError: cannot answer q0"
    assert not experiments.exists()


# --- kill -9 ---------------------------------------------------------------------------------------


def _child_module():
    spec = importlib.util.spec_from_file_location("experiment_child", _CHILD)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _run_child(experiments, *, kill_after):
    """Run in a child, kill it so long after it began to ask; return True when it was done before."""
    command = [sys.executable, str(_CHILD), str(experiments), "0.03"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        child.stdout.readline()
        time.sleep(kill_after)
        child.kill()
        child.wait(timeout=60)
    assert child.returncode in (0, -9)
    return child.returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_run_that_is_killed_again_and_again_ends_as_if_nothing_had_been(tmp_path):
    child = _child_module()
    whole = child.main(tmp_path / "whole", 0.0)
    expected = sorted(same(lines(whole)), key=lambda o: (o.arm, o.question))
    assert len(expected) == 80

    chance = random.Random(5)
    killed = 0
    while not _run_child(tmp_path / "killed", kill_after=chance.uniform(0.0, 0.5)):
        killed += 1
        assert killed < 60
    assert killed >= 2
    found = lines(tmp_path / "killed" / whole.name)
    assert sorted(same(found), key=lambda o: (o.arm, o.question)) == expected
    # what was drawn to be asked alone is the same, however often it was interrupted
    timed = {(o.arm, o.question) for o in lines(whole) if o.alone is not None}
    assert {(o.arm, o.question) for o in found if o.alone is not None} == timed
