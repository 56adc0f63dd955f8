"""Votes become questions, preferences become pairs, and what is doubtful waits until somebody looked."""

import io
import json

import pytest

from hybrid import Assistant, load_settings
from hybrid.adaptation.data.examples import load_given
from hybrid.cli.app import run
from hybrid.generation.prompts import load_prompts
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
    # people judged it, and it is the text of an arm
    assert (one.synthetic, one.slices) == (False, ("answered-by:rag",))
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
        ("down", ("voted down", "answered-by:rag")),
        ("denied", ("unsure", "answered-by:rag")),
        ("declined", ("declined", "answered-by:rag")),
        ("unsure", ("unsure", "answered-by:rag")),
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
    # the corrected one is no longer the text of an arm
    assert (right.slices, none.slices) == (("voted down",), ("declined", "answered-by:rag"))
    outcomes = {one.kept.id: one.outcome for one in store.rated() if one.outcome}
    assert outcomes == {"down": "corrected", "declined": "accepted", "denied": "rejected"}
    # what was rejected is no question, even if somebody votes for it later
    store.vote("denied", 1)
    assert [one.id for one in liked_questions(store.rated())] == ["liked"]


def test_a_question_that_was_asked_often_is_looked_at_once(store, keep, manual):
    for name, confidence in (("one", 0.4), ("two", 0.2), ("three", 0.3)):
        keep(name, "Which  port?" if name == "one" else "which port?", confidence=confidence)
    keep("sure")
    queue = ReviewQueue(store, manual.folder)
    (waiting,) = queue.open_questions()
    assert waiting.id == "two"
    queue.drop(waiting)
    assert queue.open_questions() == []
    assert [one.kept.id for one in store.rated() if one.outcome is None] == ["sure"]


def test_a_preference_is_a_pair_for_tuning(store, keep):
    keep("one", text="It is 5432. [1]", variant="rag")
    keep("two", text="No idea.", variant="base")
    store.prefer("one", ["two", "one"])
    assert list(preference_rows(store.preferences(domain="manual"))) == [
        {
            "prompt": "Which port?",
            "chosen": "It is 5432. [1]",
            "rejected": "No idea.",
            "meta": {
                "domain": "manual",
                "chosen_arm": "rag",
                "rejected_arm": "base",
                "chosen_place": 1,
                "rejected_place": 0,
            },
        }
    ]


def test_preferences_are_read_as_training_data(store, keep, tmp_path):
    for name, text in (("one", "It is 5432. [1]"), ("two", "No idea."), ("three", "It is 5432. [1]")):
        keep(name, text=text)
    store.prefer("one", ["one", "two", "three"])
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in preference_rows(store.preferences())))
    (pair,) = load_given([path], load_prompts("en")).preferences
    # two of the same words are no pair
    assert len(store.preferences()) == 2
    assert (pair.chosen, pair.rejected) == ("It is 5432. [1]", "No idea.")


def test_from_the_command_line(store, keep, manual, capsys, monkeypatch, tmp_path):
    keep("one", vote=1, variant="rag")
    keep("two", "Down?", vote=-1, variant="base")
    keep("three", vote=0, text="No idea.")
    store.prefer("one", ["one", "three"])
    pairs = tmp_path / "pairs.jsonl"
    assert run(["questions", "from-feedback", "--pairs", str(pairs), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {key: found[key] for key in ("new", "answered_by", "waiting", "preferences")} == {
        "new": 1,
        "answered_by": {"rag": 1},
        "waiting": 1,
        "preferences": 1,
    }
    assert json.loads(pairs.read_text())["prompt"] == "Which port?"
    assert run(["questions", "review", "--list"]) == 0
    assert capsys.readouterr().out == "two  voted down, answered-by:base  Down?\n"
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


def test_whose_text_the_golds_are_is_told(keep, manual, capsys):
    keep("one", vote=1, variant="rag:k=3")
    assert run(["questions", "from-feedback"]) == 0
    assert "the text of the arm that answered (1 rag:k=3)" in capsys.readouterr().err
    assert run(["questions", "from-feedback"]) == 0
    assert "the text of the arm" not in capsys.readouterr().err


def test_what_the_router_declined_waits_until_somebody_looked(store, keep, manual):
    keep("one", domain="", text="No domain covers it.", citations=(), abstained=True, confidence=None)
    keep("two", "Hello?", vote=-1, domain="")
    queue = ReviewQueue(store, manual.folder)
    (waiting,) = queue.open_questions()
    assert (waiting.id, waiting.slices, waiting.answerable, len(queue)) == (
        "one",
        ("in no domain",),
        False,
        1,
    )
    queue.accept(edited(waiting, text="", answers=["5432"]))
    assert load_questions(queue.path)[0].answers == ("5432",)
    assert ReviewQueue(store, manual.folder.parent / "kitchen").open_questions() == []


@pytest.mark.parametrize(("answer", "left"), [("5432", 1), ("the default port", 1), ("5433", 0)])
def test_a_corrected_answer_loses_the_quotes_that_it_does_not_stand_in(
    keep, manual, capsys, monkeypatch, answer, left
):
    keep("one", vote=-1)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"e\n\n{answer}\na\n"))
    assert run(["questions", "review"]) == 0
    (question,) = load_questions(manual.questions.folder / "feedback.jsonl")
    assert len(question.evidence) == left
    assert ("1 of 1 quotes dropped" in capsys.readouterr().err) is (left == 0)
