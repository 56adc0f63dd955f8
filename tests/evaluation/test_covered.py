import pytest

from hybrid.evaluation.covered import uncovered
from hybrid.evaluation.outcomes import Outcome
from hybrid.evaluation.scoring import score_all, summarise
from hybrid.grounding.calibration import UNCALIBRATED
from hybrid.grounding.judge import Grounder
from hybrid.grounding.scorers.baselines import NgramOverlap
from hybrid.types import Question

JUDGE = Grounder(NgramOverlap(), UNCALIBRATED)


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
