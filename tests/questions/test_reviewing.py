import pytest

from hybrid.errors import UsageError
from hybrid.questions.checking import Review, edited
from hybrid.questions.files import load_questions, save_questions
from hybrid.types import Question

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


def test_the_last_question_cannot_be_dropped(path):
    review = Review(path)
    review.drop(SET[0])
    review.drop(SET[1])
    with pytest.raises(UsageError, match="nothing would be left"):
        review.drop(SET[2])
    assert len(load_questions(path)) == 1


def test_ids_must_tell_the_questions_apart(path):
    save_questions(path, [SET[0], SET[0]])
    with pytest.raises(UsageError, match="more than once"):
        Review(path)
