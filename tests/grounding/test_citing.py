import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.grounding.calibration import UNCALIBRATED, Calibration, CurveKind
from hybrid.grounding.citing import CitationScores, CitedAnswer, CitedSupport, citation_scores, judged_sets
from hybrid.grounding.judge import Grounder
from hybrid.grounding.scorers.names import NgramOverlap
from hybrid.grounding.values import Logits, Thresholds
from hybrid.types import Citation


class Letters:
    """A claim is carried where the evidence holds all of its words of one letter."""

    name = "letters"
    max_words = 100

    def __init__(self):
        self.calls = 0

    def score(self, pairs):
        self.calls += 1
        carried = [all(word in p.evidence.split() for word in self.wanted(p.claim)) for p in pairs]
        return Logits(np.array([5.0 if one else -5.0 for one in carried], dtype=np.float32))

    def wanted(self, claim):
        return [word for word in claim.replace(".", "").split() if len(word) == 1]


def cite(*texts):
    return tuple(Citation(number, "a.md", 0, 1, text) for number, text in enumerate(texts, start=1))


def scores(text, citations, scorer=None):
    (found,) = citation_scores(
        [CitedAnswer(text, tuple(citations))], Grounder(scorer or Letters(), UNCALIBRATED)
    )
    return found


@pytest.mark.parametrize(
    ("text", "citations", "recall", "precision"),
    [
        # one that carries
        ("Holds x [1].", cite("x"), 1.0, 1.0),
        # one that does not
        ("Holds x [1].", cite("y"), 0.0, 0.0),
        # two, both of which are needed
        ("Holds x y [1, 2].", cite("x", "y"), 1.0, 1.0),
        # two, each enough alone
        ("Holds x [1][2].", cite("x", "x"), 1.0, 1.0),
        # the second neither carries nor is needed
        ("Holds x [1][2].", cite("x", "z"), 1.0, 0.5),
        # alone it does not carry, and the other two do without it
        ("Holds x y [1][2][3].", cite("x", "y", "x"), 1.0, 1 / 3),
        # not carried together: all are wrong
        ("Holds x y w [1][2].", cite("x", "y"), 0.0, 0.0),
        # a marker that points nowhere is wrong, the other one is not
        ("Holds x [1][7].", cite("x"), 1.0, 0.5),
        ("Holds x [7].", cite("x"), 0.0, 0.0),
        # no marker
        ("Holds x.", cite("x"), 0.0, None),
        # one sentence of two
        ("Holds x [1]. Holds y.", cite("x"), 0.5, 1.0),
        # said twice is one marker
        ("Holds x [1] [1].", cite("x"), 1.0, 1.0),
        # a question is no claim, and its marker carries nothing
        ("Holds x [1]. What holds y [1]?", cite("x"), 1.0, 0.5),
        # a sentence of two claims is carried by what carries both, and each marker is needed
        ("The box is x, and the bag is y [1][2].", cite("x", "y"), 1.0, 1.0),
        ("The box is x, and the bag is y [1].", cite("x"), 0.0, 0.0),
        ("The box is x, and the bag is y [1][2].", cite("x y", "z"), 1.0, 0.5),
        ("", cite("x"), None, None),
        ("What holds y?", [], None, None),
        ("[1]", cite("x"), None, 0.0),
    ],
)
def test_a_table_by_hand(text, citations, recall, precision):
    assert scores(text, citations) == CitationScores(recall, precision)


def test_each_set_is_asked_about_once():
    assert judged_sets(0) == []
    assert judged_sets(1) == [{0}]
    assert judged_sets(2) == [{0}, {1}, {0, 1}]
    assert judged_sets(3) == [{0}, {1}, {2}, {0, 1, 2}, {1, 2}, {0, 2}, {0, 1}]


def test_what_carries_alone_carries_beside_others():
    # a scorer that loses the claim in the longer text
    confused = CitedSupport(2, frozenset({frozenset({0})}))
    assert confused.is_carried([0, 1]) and not confused.is_carried([1]) and not confused.is_carried([])
    assert confused.right_markers() == [True, False]


def test_support_at_the_threshold_is_enough():
    likely = Calibration(CurveKind.PLATT, 0.0, 0.0, labels=60)  # one half of whatever a scorer says
    found = citation_scores([CitedAnswer("Holds x [1].", cite("y"))], Grounder(Letters(), likely))
    assert found == [CitationScores(1.0, 1.0)]


def test_all_answers_are_scored_in_one_call():
    scorer = Letters()
    answers = [CitedAnswer("Holds x [1].", cite("x")), CitedAnswer("Holds y [1].", cite("x"))]
    found = citation_scores(answers, Grounder(scorer, UNCALIBRATED))
    assert scorer.calls == 1
    assert found == [CitationScores(1.0, 1.0), CitationScores(0.0, 0.0)]
    assert citation_scores([], Grounder(scorer, UNCALIBRATED)) == []


def test_a_sentence_in_a_language_that_the_judge_does_not_know_is_not_counted():
    german = "Der Server hört immer auf den Anschluss mit der Nummer 5432 [2]."
    assert scores(german, cite("x", "y")) == CitationScores(None, None)
    assert scores(german, cite("x")) == CitationScores(None, 0.0)
    assert scores(f"Holds x [1]. {german}", cite("x", "y")) == CitationScores(1.0, 1.0)


def test_a_number_that_no_citation_has_is_not_carried():
    sure = Grounder(NgramOverlap(size=1, even=0.1), UNCALIBRATED, Thresholds())
    answers = [CitedAnswer("The port is 5433 [1].", cite("The port is 5432."))]
    assert citation_scores(answers, sure) == [CitationScores(0.0, 0.0)]


parts = [
    "Holds x here [1].",
    "Holds y here [2].",
    "Holds z here.",
    "Why x here [1]?",
    "Holds x y here [1, 2] [9].",
]
sentences = st.lists(st.sampled_from(parts), max_size=5)


@pytest.mark.slow
@given(sentences)
def test_both_stay_in_range_and_do_not_mind_the_order_of_sentences(chosen):
    found = scores(" ".join(chosen), cite("x", "y"))
    assert found == scores(" ".join(chosen[::-1]), cite("x", "y"))
    for value in (found.recall, found.precision):
        assert value is None or 0.0 <= value <= 1.0


@pytest.mark.slow
@given(st.text(max_size=60))
def test_any_text_is_scored_without_an_error(text):
    found = scores(f"{text}\n\nThe port is x [1].", cite("The port is x."), NgramOverlap())
    assert 0 < found.recall <= 1 and 0 < found.precision <= 1
