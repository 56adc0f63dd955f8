"""Votes become questions, preferences become pairs, and what is doubtful waits until somebody looked."""

import io
import json

import pytest

from hybrid import Assistant, load_settings
from hybrid.cli.app import run
from hybrid.grounding.values import Claim, ClaimVerdict, Status
from hybrid.operations.feedback import Feedback, TrialSide, kept_answer
from hybrid.operations.harvest import (
    ReviewQueue,
    add_questions,
    liked_questions,
    preference_rows,
    question_from,
)
from hybrid.questions.checking import edited
from hybrid.questions.files import load_questions
from hybrid.testing import HashEmbedder
from hybrid.types import Answer, Arm, Chunk, Document, Span

_CHUNK = Chunk("port.txt", 0, 0, 39, "The default port of the server is 5432.")


@pytest.fixture
def manual():
    assistant = Assistant("manual", settings=load_settings({}, environment={}), embedder=HashEmbedder(64))
    assistant.update([Document("port.txt", _CHUNK.text)])
    return assistant


@pytest.fixture
def store(manual):
    store = Feedback.of(manual.settings)
    yield store
    store.close()


@pytest.fixture
def keep(store):
    def call(name, question="Which port?", vote=0, *, domain="manual", verdicts=None, trial=None, **values):
        given = {"text": f"{_CHUNK.text} [1]", "citations": (_CHUNK.cited(1),), "confidence": 0.9} | values
        answer = Answer(question, arm=Arm.RAG, reader="extractive", domain=domain, **given)
        store.keep(kept_answer(name, answer, verdicts=verdicts, trial=trial))
        if vote:
            store.vote(name, vote)

    return call


def test_what_was_voted_for_becomes_a_question_with_what_it_cites(store, keep):
    keep("one", vote=1)
    keep("two", "and the port?", vote=1, standalone="Which port has the server by default?")
    keep("three", "Who?", vote=1, text="I do not know.", citations=(), abstained=True)
    keep("four", "Nobody voted?")
    keep("five", "Voted down?", vote=-1)
    keep("six", "In the shadow?", vote=1, trial=TrialSide("x", True, beside="one"))
    keep("seven", "A greeting?", vote=1, domain="")
    one, two, three = liked_questions(store.rated())
    assert (one.id, one.text, one.answers, one.source) == ("one", "Which port?", (_CHUNK.text,), "port.txt")
    (evidence,) = one.evidence
    assert (evidence.source, evidence.quote, evidence.span) == ("port.txt", _CHUNK.text, Span(0, 39))
    assert one.synthetic
    assert two.text == "Which port has the server by default?"
    assert (three.answerable, three.answers) == (False, ())


def test_the_best_answer_to_a_question_counts_and_none_where_people_disagree(store, keep):
    keep("one", vote=1, text="It is 5431.")
    keep("two", vote=1, text="It is 5432.")
    store.vote("two", 1, as_user="anna")
    keep("three", "When?", vote=1)
    keep("four", "when ?", vote=-1)
    (found,) = liked_questions(store.rated())
    assert (found.id, found.answers) == ("two", ("It is 5432.",))


def test_a_set_keeps_what_it_has(store, keep, manual):
    path = manual.questions.folder / "feedback.jsonl"
    keep("one", vote=1)
    assert [one.id for one in add_questions(path, liked_questions(store.rated()))] == ["one"]
    changed = path.read_text().replace("5432", "5433")
    path.write_text(changed)
    keep("two", vote=1, text="Another answer.")
    keep("three", "When?", vote=1)
    assert [one.id for one in add_questions(path, liked_questions(store.rated()))] == ["three"]
    assert path.read_text().startswith(changed)
    # it is a set like any other: checked against the documents, asked by an experiment
    (port, _) = load_questions(path)
    assert manual.questions.check([question_from(next(store.rated()))]).errors == 0
    assert port.source == "port.txt"


def test_doubtful_answers_wait_the_most_doubtful_first_until_somebody_looked(store, keep, manual):
    carried, denied = (
        (ClaimVerdict(Claim("x", Span(0, 1)), status),) for status in (Status.SUPPORTED, Status.CONTRADICTED)
    )
    keep("sure")
    keep("liked", "Liked?", vote=1, confidence=0.1)
    keep("unsure", "Unsure?", confidence=0.4)
    keep("denied", "Denied?", verdicts=denied)
    keep("carried", "Carried?", verdicts=carried)
    keep("declined", "Declined?", abstained=True, text="I do not know.", citations=(), confidence=0.2)
    keep("down", "Down?", vote=-1)
    keep("other", "Other?", vote=-1, domain="kitchen")
    queue = ReviewQueue(store, manual.folder)
    waiting = queue.open_questions()
    assert [(one.id, one.slices) for one in waiting] == [
        ("down", ("voted down",)),
        ("denied", ("unsure",)),
        ("declined", ("declined",)),
        ("unsure", ("unsure",)),
    ]
    assert len(queue) == 7
    assert len(ReviewQueue(store, manual.folder, below=0.0).open_questions()) == 2
    down, denied, declined, unsure = waiting
    queue.accept(edited(down, text="", answers=["It is 5432."]))
    queue.accept(declined)
    queue.drop(denied)
    assert queue.open_questions() == [unsure]
    right, none = load_questions(queue.path)
    assert (right.answers, right.reviewed, right.answerable) == (("It is 5432.",), True, True)
    assert (none.answers, none.reviewed, none.answerable) == ((), True, False)
    outcomes = {one.kept.id: one.outcome for one in store.rated() if one.outcome}
    assert outcomes == {"down": "corrected", "declined": "accepted", "denied": "rejected"}
    # what was rejected is no question, even if somebody votes for it later
    store.vote("denied", 1)
    assert [one.id for one in liked_questions(store.rated())] == ["liked"]


def test_a_preference_is_a_pair_for_tuning(store, keep):
    keep("one", text="It is 5432. [1]", variant="rag")
    keep("two", text="No idea.", variant="base")
    store.prefer("one", ["two", "one"])
    assert list(preference_rows(store.preferences(domain="manual"))) == [
        {
            "prompt": "Which port?",
            "chosen": "It is 5432. [1]",
            "rejected": "No idea.",
            "domain": "manual",
            "chosen_arm": "rag",
            "rejected_arm": "base",
            "chosen_place": 1,
            "rejected_place": 0,
        }
    ]


def test_from_the_command_line(store, keep, manual, capsys, monkeypatch, tmp_path):
    keep("one", vote=1, variant="rag")
    keep("two", "Down?", vote=-1, variant="base")
    keep("three", vote=0)
    store.prefer("one", ["one", "three"])
    pairs = tmp_path / "pairs.jsonl"
    assert run(["questions", "from-feedback", "--pairs", str(pairs), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {key: found[key] for key in ("new", "waiting", "preferences")} == {
        "new": 1,
        "waiting": 1,
        "preferences": 1,
    }
    assert json.loads(pairs.read_text())["prompt"] == "Which port?"
    assert run(["questions", "review", "--list"]) == 0
    assert capsys.readouterr().out == "two  voted down  Down?\n"
    monkeypatch.setattr("sys.stdin", io.StringIO("a\n"))
    assert run(["questions", "review"]) == 0
    assert "3 answers, 0 of them wait for the review" in capsys.readouterr().err
    assert [one.id for one in load_questions(manual.questions.folder / "feedback.jsonl")] == ["one", "two"]


def test_what_declined_wrongly_is_given_its_answer(store, keep, manual, capsys, monkeypatch):
    keep("one", text="I do not know.", citations=(), abstained=True)
    monkeypatch.setattr("sys.stdin", io.StringIO("e\n\n5432\na\n"))
    assert run(["questions", "review"]) == 0
    (question,) = load_questions(manual.questions.folder / "feedback.jsonl")
    assert (question.answerable, question.answers, question.made) == (True, ("5432",), "reviewed:feedback")
    assert "error" not in capsys.readouterr().err
    assert run(["questions", "review", "--list"]) == 0
    assert "nothing waits for the review" in capsys.readouterr().err
