"""Workers answer the questions of an experiment as one process does; what dies is an error of its batch."""

import dataclasses
import functools
import json

import pytest

from hybrid.assistant import Assistant
from hybrid.cli.app import run
from hybrid.cli.options import Context
from hybrid.config import load_settings
from hybrid.distributed.executors import SERIAL, ProcessExecutor, ThreadExecutor
from hybrid.errors import ModelError
from hybrid.evaluation import experiment
from hybrid.evaluation.experiment import AskingWorkers, begin, opened
from hybrid.questions.files import save_questions
from hybrid.testing import HashEmbedder
from hybrid.types import Question
from tests.distributed.faults import Parrot

_QUESTIONS = [Question(f"q{number}", f"What is {number}?", answers=("1", "one")) for number in range(14)]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(experiment, "_BATCH", 3)


def _asked(tmp_path, name, contender, executor=None, opens=None, **options):
    settings = load_settings({}, environment={})
    folder = begin([contender], _QUESTIONS, tmp_path / name, settings=settings, clock=lambda: 0.0)
    workers = executor and AskingWorkers(
        executor, {contender.name: opens or functools.partial(_same, contender)}
    )
    told = []
    with opened(folder, [contender], _QUESTIONS, workers=workers, **options) as one:
        outcomes = one.ask([contender.name], _QUESTIONS, alone=2, progress=lambda *now: told.append(now[1]))
    assert told[-1] == len(_QUESTIONS)
    assert told == sorted(told)
    assert not (folder / "plans").exists()
    return [dataclasses.replace(outcome, seconds=0.0, alone=None) for outcome in outcomes], one


def _same(contender):
    return contender


@pytest.mark.slow
@pytest.mark.parametrize("executor", [SERIAL, ThreadExecutor(2)], ids=["serial", "threads"])
def test_workers_give_the_outcomes_that_one_process_gives(tmp_path, executor):
    alone, _ = _asked(tmp_path, "alone", Parrot(tmp_path))
    spread, found = _asked(tmp_path, "spread", Parrot(tmp_path), executor)
    assert spread == alone
    assert found.meters["parrot"].reading.answers == len(_QUESTIONS) - 2


def test_a_worker_with_another_arm_is_refused_and_nothing_is_written(tmp_path):
    other = functools.partial(Parrot, tmp_path, identity="another index")
    with pytest.raises(ModelError, match="a worker's arm parrot is"):
        _asked(tmp_path, "spread", Parrot(tmp_path), SERIAL, other)


@pytest.mark.slow
def test_what_a_killed_run_had_asked_is_not_asked_again(tmp_path, monkeypatch):
    class Stop(BaseException):
        pass

    class Stopping:
        def run(self, job, batches):
            for ended in SERIAL.run(job, batches):
                yield ended
                if ended.number == 1:
                    raise Stop

    with pytest.raises(Stop):
        _asked(tmp_path, "spread", Parrot(tmp_path), Stopping())
    again = Parrot(tmp_path)
    outcomes, _ = _asked(tmp_path, "spread", again, SERIAL)
    alone, _ = _asked(tmp_path, "alone", Parrot(tmp_path))
    assert outcomes == alone
    assert len(again.heard) == len(_QUESTIONS) - 2 * 3


@pytest.mark.slow
def test_questions_of_a_batch_that_kills_its_worker_twice_fail_and_the_rest_is_answered(tmp_path):
    deadly = Parrot(tmp_path, deadly="What is 7?", deaths=9)
    outcomes, _ = _asked(tmp_path, "spread", deadly, ProcessExecutor(2))
    failed = [outcome for outcome in outcomes if outcome.error]
    assert len(failed) == 3
    assert "q7" in {outcome.question for outcome in failed}
    assert "its worker was ended by SIGKILL, 2 times" in failed[0].error
    mended, _ = _asked(tmp_path, "spread", Parrot(tmp_path), ProcessExecutor(1), retry=True)
    assert not any(outcome.error for outcome in mended)


def _commanded(tmp_path, monkeypatch, domain, *arguments):
    """Return the outcomes of a command on six questions, and how many were not asked one by one."""
    folder, numbers = tmp_path / f"docs of {domain}", range(6)
    folder.mkdir()
    for number in numbers:
        (folder / f"{number}.txt").write_text(f"The valve {number} closes at {number * 7} bar.")
    settings = load_settings(
        {"indexes": str(tmp_path), "documents": {"workers": 1}, "grounding": {"scorer": "overlap"}}
    )
    assistant = Assistant(domain, settings=settings, embedder=HashEmbedder(64))
    assistant.index(folder)
    asked = tmp_path / "asked.jsonl"
    closes = "At what pressure does the valve {} close?"
    save_questions(asked, [Question(f"q{n}", closes.format(n), (f"{n * 7} bar",)) for n in numbers])
    monkeypatch.setattr(Context, "assistant", lambda self, settings=None, indexed=True: assistant)
    assert run([arguments[0], str(asked), *arguments[1:]]) == 0
    (written,) = assistant.folder.glob("experiments/*/outcomes.jsonl")
    rows = [json.loads(line) for line in written.read_text().splitlines()]
    found = sorted((row["arm"], row["question"], row["answer"], row.get("error", "")) for row in rows)
    return found, sum(row.get("alone") is None for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("command", [("evaluate",), ("compare", "--arms", "rag,rag:k=2")])
def test_the_commands_ask_by_processes_as_without(tmp_path, monkeypatch, command):
    alone, _ = _commanded(tmp_path, monkeypatch, "alone", *command)
    spread, sent = _commanded(tmp_path, monkeypatch, "spread", *command, "--executor", "processes:2")
    assert spread == alone
    assert sent == len(spread) * 2 / 3
    assert {error for *_, error in alone} == {""}
