"""A bound in force: its file, and an assistant that keeps to it."""

import dataclasses
import json
import math

import pytest

from hybrid import Assistant, load_settings
from hybrid.cli.app import run
from hybrid.errors import UsageError
from hybrid.routing.abstention import AnswerScore, ArmBound, Graded, certify, load_bound, save_bound
from hybrid.testing import HashEmbedder, ScriptedGenerator
from hybrid.types import Question


def sure(count):
    """Answers of so many sources, all right."""
    return [Graded(float(number), True, f"s{number}") for number in range(count)]


def test_the_file_holds_all_of_it(tmp_path):
    made = ArmBound("rag", "digest", AnswerScore.JUDGE, certify(sure(45), alpha=0.05))
    assert load_bound(tmp_path) is None
    save_bound(tmp_path, made)
    assert load_bound(tmp_path) == made


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("schema", 2, "schema 2, expected 1"),
        ("score", "mood", "`score`"),
        ("bound", {}, "`bound.risk`"),
        ("bound", None, "`bound`"),
        ("bound.threshold", None, "`bound.threshold`"),
        ("bound.threshold", math.nan, "`bound.threshold`"),
    ],
)
def test_a_damaged_file_is_told(tmp_path, key, value, message):
    made = ArmBound("rag", "digest", AnswerScore.JUDGE, certify(sure(45), alpha=0.05))
    path = save_bound(tmp_path, made)
    content = json.loads(path.read_text())
    place, last = (content[key.split(".")[0]], key.split(".")[1]) if "." in key else (content, key)
    place[last] = value
    path.write_text(json.dumps(content))
    with pytest.raises(UsageError, match=message) as error:
        load_bound(tmp_path)
    assert "hybrid abstain" in error.value.hint


def test_a_file_that_was_cut_short_is_told(tmp_path):
    (tmp_path / "router").mkdir()
    (tmp_path / "router" / "abstention.json").write_text('{"schema": 1')
    with pytest.raises(UsageError, match="cannot be read"):
        load_bound(tmp_path)


@pytest.fixture
def assistant(tmp_path, write_files):
    """A domain of 60 pages about 60 things, each with a number of its own."""
    pages = {
        f"p{n}.txt": f"The default port of the machine called {_name(n)} is {5000 + n}." for n in range(60)
    }
    settings = load_settings({"documents": {"workers": 1}, "grounding": {"scorer": "align"}}, environment={})
    made = Assistant(
        "manual", settings=settings, embedder=HashEmbedder(256), generator=ScriptedGenerator(["It is 1."])
    )
    made.index(write_files(tmp_path / "docs", pages))
    return made


def _name(number):
    return "".join("abcdefghij"[int(digit)] for digit in f"{number:03}") + "quux"


def _questions():
    return [
        Question(
            f"q{n}",
            f"What is the default port of the machine called {_name(n)}?",
            answers=(str(5000 + n),),
            source=f"p{n}.txt",
        )
        for n in range(60)
    ]


@pytest.mark.slow
def test_an_assistant_keeps_to_its_bound(assistant, tmp_path, write_files):
    free = assistant.ask(_questions()[3].text)
    assert not free.abstained
    made = assistant.abstention(_questions(), alpha=0.05, score=AnswerScore.CONFIDENCE)
    assert made.bound.threshold is not None and made.bound.units == 60
    assert made == load_bound(assistant.folder)
    assert assistant.ask(_questions()[3].text).text == free.text
    # the same with a bar that nothing reaches
    save_bound(
        assistant.folder,
        dataclasses.replace(made, bound=dataclasses.replace(made.bound, threshold=1e6)),
    )
    silent = assistant.ask(_questions()[3].text)
    assert silent.abstained and not silent.citations
    assert "at most 5.0% of the answers given are answered wrongly" in silent.text
    *pieces, last = assistant.stream(_questions()[3].text)
    assert ("".join(pieces), last.abstained) == (silent.text, True)
    assert not assistant.ask(_questions()[3].text, arm="rag:k=3").abstained, "another arm is not held to it"
    (tmp_path / "docs" / "new.txt").write_text("The server restarts at two.")
    assistant.index(tmp_path / "docs")
    with pytest.raises(UsageError, match="made for another state of rag") as error:
        assistant.ask(_questions()[3].text)
    assert "hybrid abstain" in error.value.hint


@pytest.mark.slow
@pytest.mark.parametrize("score", AnswerScore)
def test_every_score_of_an_experiment_is_that_of_the_answer(assistant, score):
    made = assistant.abstention(_questions(), alpha=0.05, score=score)
    assert made.bound.threshold is not None
    answered = assistant.ask_all([question.text for question in _questions()])
    assert sum(not answer.abstained for answer in answered) == round(made.bound.answered * 60)


@pytest.mark.slow
def test_too_few_questions_change_nothing(assistant):
    made = assistant.abstention(_questions()[:20], alpha=0.05)
    assert made.bound.threshold is None
    assert load_bound(assistant.folder) is None


@pytest.mark.slow
def test_a_score_that_the_arm_does_not_have_is_told(assistant):
    with pytest.raises(UsageError, match="the arm base has no retrieval score"):
        assistant.abstention(_questions()[:5], alpha=0.5, arm="base", score=AnswerScore.RETRIEVAL)


@pytest.mark.slow
def test_the_command_says_what_is_missing(assistant, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("hybrid.cli.options.Context.assistant", lambda self: assistant)
    lines = [
        json.dumps({"id": q.id, "question": q.text, "answers": list(q.answers), "source": q.source})
        for q in _questions()
    ]
    path = tmp_path / "set.jsonl"
    path.write_text("\n".join(lines))
    assert run(["abstain", str(path), "--risk", "0.01", "--score", "confidence"]) == 7
    assert "it takes 230 answers of different sources" in capsys.readouterr().out
    assert run(["abstain", str(path), "--risk", "0.05", "--score", "confidence", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bound"]["units"] == 60
