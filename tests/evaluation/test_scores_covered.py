from dataclasses import fields

import pytest

from hybrid.evaluation.outcomes import Outcome, Retrieved
from hybrid.evaluation.scores import Scores, uncovered
from hybrid.evaluation.scoring import score_all, summarise
from hybrid.grounding.calibration import UNCALIBRATED
from hybrid.grounding.judge import Grounder
from hybrid.grounding.scorers.names import NgramOverlap
from hybrid.types import Question, Span

JUDGE = Grounder(NgramOverlap(), UNCALIBRATED)


_RIGHT = Scores(
    **{field.name: None for field in fields(Scores)}
    | {"correct": 1.0, "crag": 1.0, "abstained": 0.0, "failed": 0.0}
)


def found(*words, gold="Ada Lovelace", margin=0.05, count=400, **fields):
    questions = [Question(f"q{n}", "Who?", (gold,), **fields) for n in range(count)]
    outcomes = [
        Outcome("k", f"arm{number}", question.id, " ".join(["word"] * length))
        for number, length in enumerate(words)
        for question in questions
    ]
    scores = score_all(questions, outcomes, grounder=JUDGE)
    return uncovered(summarise(questions, outcomes, scores), questions, margin)


@pytest.mark.slow
def test_answers_like_those_that_people_judged_are_covered():
    assert found(2, 20, 37) is None


@pytest.mark.slow
def test_longer_answers_and_golds_ask_for_judgements():
    long = found(20, 90)
    assert long.reasons == ("the answers of arm1 have 90 words",)
    # 1.645² · .16 / .05²
    assert long.judgements == 174
    gold = found(20, 20, gold="it fell because prices of raw material rose")
    assert gold.reasons == ("the gold answers have 8 words",)


@pytest.mark.slow
@pytest.mark.parametrize(("margin", "count", "judgements"), [(0.2, 400, 50), (0.05, 60, 60), (0.0, 80, 80)])
def test_no_more_than_there_are_and_no_fewer_than_can_be_used(margin, count, judgements):
    assert found(90, margin=margin, count=count).judgements == judgements


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields", [{"options": ("Ada Lovelace", "other")}, {"gold": "5432"}, {"gold": "yes"}]
)
def test_what_is_right_or_wrong_by_itself_needs_no_judge(fields):
    assert found(90, **fields) is None


_PAGE = "The bridge was built by Ada Lovelace in the spring of 1840, and it stands to this day."


def read(answers, *, sources=40):
    """Return what is uncovered about arms of these answers, all shown the same page."""
    questions = [Question(f"q{n}", "Who?", ("Ada Lovelace",), source=str(n % sources)) for n in range(200)]
    page = (Retrieved("a.md", Span(0, len(_PAGE)), _PAGE, None),)
    outcomes = [
        Outcome("k", arm, question.id, text, passages=page if arm != "base" else ())
        for arm, text in answers.items()
        for question in questions
    ]
    scores = [_RIGHT] * len(outcomes)
    return uncovered(summarise(questions, outcomes, scores), questions, 0.05)


def test_an_arm_that_quotes_beside_one_that_writes_is_uncovered():
    written = "It was Lovelace who had the bridge made, as far as one knows."
    found = read({"base": written, "rag": _PAGE})
    assert found.reasons == ("rag quotes what was retrieved and base does not",)
    assert found.judgements == 174
    # a clause of a page among words of one's own is still written
    assert read({"base": written, "rag": f"{written} built by Ada Lovelace in the spring"}) is None


def test_arms_that_read_alike_share_their_bias():
    assert read({"rag": _PAGE, "rag:k=3": f"{_PAGE} [1]"}) is None
    assert read({"base": "Ada Lovelace", "both": "Lovelace"}) is None


def test_an_arm_of_single_words_beside_one_that_quotes_is_uncovered():
    assert read({"rag": _PAGE, "both": "Lovelace"}).reasons == (
        "rag quotes what was retrieved and both does not",
    )


def test_where_judgements_of_some_cannot_be_joined_all_are_asked_for():
    assert read({"base": "It was somebody whom nobody knows.", "rag": _PAGE}, sources=19).judgements == 200
