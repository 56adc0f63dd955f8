"""Planted faults are found, and nothing else is; a review keeps what was decided."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.errors import UsageError
from hybrid.questions.checking import (
    NEAR,
    Review,
    Seen,
    Severity,
    check_questions,
    edited,
    shared_run,
    shingles,
)
from hybrid.questions.files import load_questions, save_questions
from hybrid.types import Document, Evidence, Question, Span

TEXT = "The default port of the server is 5432. It listens on localhost only."
DOCUMENT = Document("port.md", TEXT, "Port")
PORT = Question(
    "port",
    "Which port does the server take by default?",
    ("5432",),
    evidence=(Evidence("port.md", TEXT[:39], Span(0, 39)),),
    source="port.md",
    made="cloze:number",
)
HOST = Question("host", "On which host does it listen for clients?", ("localhost",), source="port.md")
LONG = (
    "When the maintainer of a package uploads a new revision, which field of the control file has to change?"
)


def documents(source):
    return DOCUMENT if source == "port.md" else None


def kinds(questions, **options):
    options.setdefault("document", documents)
    return [(f.question, f.kind, str(f.severity)) for f in check_questions(questions, **options).findings]


def test_a_good_set_has_no_findings():
    unanswerable = Question("none", "Who painted the ceiling?", answerable=False, withheld=("port.md",))
    labels = Question("label", "Is this good or bad?", ("good",), options=("good", "bad"))
    assert kinds([PORT, HOST, unanswerable, labels]) == []


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"text": " ?! "}, "empty question"),
        ({"answers": ()}, "no gold"),
        ({"answers": ("5432", " ")}, "empty gold"),
        ({"answers": ("9999",)}, "gold not in its evidence"),
        ({"answerable": False, "evidence": ()}, "unanswerable with gold"),
        ({"answerable": False, "answers": ()}, "unanswerable with evidence"),
        ({"options": ("1234", "80")}, "gold not among the options"),
        ({"evidence": (Evidence("gone.md", "5432"),)}, "evidence without a document"),
        ({"evidence": (Evidence("port.md", "5432", Span(0, 4)),)}, "evidence not at its offsets"),
        ({"evidence": (Evidence("port.md", "the port is 5432"),)}, "evidence not in its document"),
    ],
)
def test_a_fault_of_one_question_is_an_error_with_advice(change, kind):
    findings = check_questions([dataclasses.replace(PORT, **change), HOST], document=documents)
    (finding,) = findings.findings
    assert (finding.question, finding.kind, finding.severity) == ("port", kind, Severity.ERROR)
    assert finding.advice
    assert (findings.errors, findings.warnings, findings.questions) == (1, 0, 2)


def test_what_may_be_right_is_a_warning():
    for made in ("gold", "feedback", "reviewed:feedback"):
        by_people = dataclasses.replace(PORT, answers=("five thousand",), made=made)
        assert kinds([by_people, HOST]) == [("port", "gold not in its evidence", "warning")]
    given_away = dataclasses.replace(PORT, text="Is it 5432 or another port?")
    assert kinds([given_away, HOST]) == [("port", "gold in the question", "warning")]
    stale = Question("none", "Who painted it?", answerable=False, withheld=("gone.md",))
    assert kinds([PORT, stale]) == [("none", "withheld without a document", "warning")]
    assert kinds([PORT]) == [("port", "one question only", "warning")]


def test_several_pieces_of_evidence_hold_the_answer_together():
    both = (*PORT.evidence, Evidence("port.md", "It listens on localhost only."))
    assert kinds([dataclasses.replace(PORT, evidence=both), HOST]) == []


def test_duplicates_are_told_from_contradictions():
    again = dataclasses.replace(PORT, id="again", text="which PORT does the server take, by default")
    other = dataclasses.replace(again, answers=("80",), evidence=())
    never = dataclasses.replace(again, answers=(), answerable=False, evidence=())
    assert kinds([PORT, again]) == [("again", "duplicate", "error")]
    assert kinds([PORT, other]) == [("again", "contradiction", "error")]
    assert kinds([PORT, never]) == [("again", "contradiction", "error")]
    on_purpose = dataclasses.replace(never, withheld=("port.md",))
    assert kinds([PORT, on_purpose]) == []


def test_nearly_the_same_words_are_a_warning():
    first = dataclasses.replace(HOST, id="a", text=LONG)
    second = dataclasses.replace(HOST, id="b", text=f"{LONG[:-1]} again?")
    assert kinds([first, second]) == [("b", "near-duplicate", "warning")]


@pytest.mark.parametrize("text", [f"Question: {PORT.text}\nAnswer: 5432", PORT.text.upper()])
def test_a_question_in_the_training_data_is_a_leak(text):
    assert kinds([PORT, HOST], seen=["something else", text]) == [("port", "leak", "error")]


def test_a_question_worded_nearly_as_in_the_training_data_is_a_leak():
    long = dataclasses.replace(HOST, text=LONG)
    assert kinds([PORT, long], seen=[f"{LONG[:-1]} again?"]) == [("host", "leak", "error")]


def test_shared_words_are_a_leak_only_where_the_document_was_held_out():
    passage = "A policy says: when the maintainer of a package uploads a new revision, things happen."
    long = dataclasses.replace(HOST, text=LONG)
    assert kinds([PORT, long], seen=[passage]) == [("host", "shared words", "warning")]
    fresh = dataclasses.replace(long, slices=("fresh",))
    assert kinds([PORT, fresh], seen=[passage]) == [("host", "leak", "error")]
    assert kinds([PORT, fresh], seen=["the maintainer of a package uploads"]) == []
    six = "In the end the maintainer of a package uploads nothing, and everybody goes home again."
    assert kinds([PORT, fresh], seen=[six]) == []


def test_questions_in_the_words_of_their_evidence_and_those_of_no_document_are_counted():
    said = Evidence("port.md", "If the server takes another port, clients must name it.")
    quoting = Question("q", "What happens if the server takes another port?", ("clients",), evidence=(said,))
    own = Question("o", "Where do clients learn of another port?", ("name it",), evidence=(said,))
    alone = Question("a", "Who sings?", ("nobody",))
    found = check_questions([quoting, own, alone])
    assert (found.evident, found.quoting, found.alone) == (2, 1, 1)
    assert check_questions([dataclasses.replace(alone, source="x")]).alone == 0
    assert check_questions([Question("n", "Who sings?", answerable=False)]).alone == 0


@pytest.mark.slow
@given(words=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=12), cut=st.integers(0, 12))
def test_a_shared_run_stands_in_both_texts(words, cut):
    other = words[cut:] + words[:cut]
    run = shared_run(" ".join(words), " ".join(other))
    assert f" {run} " in f" {' '.join(words)} " and f" {run} " in f" {' '.join(other)} "
    assert len(run.split()) >= (len(words) + 1) // 2


WORDS = st.lists(st.sampled_from("abcdef"), max_size=12).map(" ".join)


@pytest.mark.slow
@given(texts=st.lists(WORDS, max_size=6), text=WORDS)
def test_near_duplicates_are_those_of_a_comparison_pair_by_pair(texts, text):
    seen = Seen()
    for place, other in enumerate(texts):
        seen.add(other, str(place))
    own = shingles(text)
    near = [
        str(place)
        for place, other in enumerate(texts)
        if own & shingles(other) and len(own & shingles(other)) >= NEAR * len(own | shingles(other))
    ]
    assert seen.like(text) == (near[0] if near else None)


SET = [
    Question("a", "What is a?", ("1",), made="table"),
    Question("b", "What is b?", ("2",), made="list"),
    Question("c", "What is c?", answerable=False, made="withheld"),
]


@pytest.fixture
def path(tmp_path):
    save_questions(tmp_path / "set.jsonl", SET)
    return tmp_path / "set.jsonl"


def test_every_step_is_in_the_file_at_once_and_another_review_goes_on_there(path):
    review = Review(path)
    review.accept(SET[0])
    assert [question.made for question in load_questions(path)] == ["reviewed:table", "list", "withheld"]
    assert [question.id for question in Review(path).open_questions()] == ["b", "c"]
    review.drop(SET[1])
    assert [question.id for question in load_questions(path)] == ["a", "c"]
    review.accept(edited(SET[2], text="What is the sea?", answers=()))
    assert load_questions(path)[1].text == "What is the sea?"
    assert Review(path).open_questions() == []


def test_blanks_keep_what_was_there():
    assert edited(SET[0], text="  ", answers=["", " "]) == SET[0]
    changed = edited(SET[0], text="Why?", answers=[" x ", "y"])
    assert (changed.text, changed.answers) == ("Why?", ("x", "y"))


def test_a_corrected_answer_is_no_longer_the_text_of_an_arm():
    asked = dataclasses.replace(SET[0], slices=("numeric", "answered-by:rag"))
    assert edited(asked, text="Why?", answers=()).slices == asked.slices
    assert edited(asked, text="", answers=["2"]).slices == ("numeric",)


def test_of_the_evidence_what_has_another_answer_in_it_stays():
    parts = (Evidence("a.txt", "It is 5432."), Evidence("b.txt", "It is 5433."))
    asked = dataclasses.replace(SET[0], evidence=parts)
    assert edited(asked, text="Why?", answers=[*asked.answers]).evidence == parts
    assert edited(asked, text="", answers=["5433", "none"]).evidence == parts[1:]


def test_the_last_question_cannot_be_dropped(path):
    review = Review(path)
    review.drop(SET[0])
    review.drop(SET[1])
    with pytest.raises(UsageError, match="nothing would be left"):
        review.drop(SET[2])
    assert len(load_questions(path)) == 1


def test_ids_must_tell_the_questions_apart(path):
    save_questions(path, [SET[0], SET[0]])
    with pytest.raises(UsageError, match=r"the id .* stands on a line before"):
        Review(path)
