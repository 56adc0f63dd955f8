import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.evaluation.citing import CitationScores, citation_scores
from hybrid.evaluation.grounding import NgramOverlap
from hybrid.types import Citation


class Letters:
    """A claim is supported where the passage holds all of its words of one letter."""

    name = "letters"
    threshold = 0.5

    def score(self, pairs):
        return [float(all(word in p.split() for word in self.wanted(c))) for c, p in pairs]

    def wanted(self, claim):
        return [word for word in claim.replace(".", "").split() if len(word) == 1]


def cite(*texts):
    return [Citation(number, "a.md", 0, 1, text) for number, text in enumerate(texts, start=1)]


@pytest.mark.parametrize(
    ("text", "citations", "recall", "precision"),
    [
        # one that supports
        ("Holds x [1].", cite("x"), 1.0, 1.0),
        # one that does not
        ("Holds x [1].", cite("y"), 0.0, 0.0),
        # two, both of which are needed
        ("Holds x y [1, 2].", cite("x", "y"), 1.0, 1.0),
        # two, each enough alone
        ("Holds x [1][2].", cite("x", "x"), 1.0, 1.0),
        # the second neither supports nor is needed
        ("Holds x [1][2].", cite("x", "z"), 1.0, 0.5),
        # alone it does not support, and the other two do without it
        ("Holds x y [1][2][3].", cite("x", "y", "x"), 1.0, 1 / 3),
        # not supported together: all are wrong
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
        ("", cite("x"), None, None),
        ("What holds y?", [], None, None),
    ],
)
def test_a_table_by_hand(text, citations, recall, precision):
    assert citation_scores(text, citations, Letters()) == CitationScores(recall, precision)


def test_support_at_the_threshold_is_enough():
    model = NgramOverlap(size=1, threshold=0.5)
    assert citation_scores("Cats sleep [1].", cite("cats bark"), model).recall == 1.0
    assert citation_scores("Cats sleep [1].", cite("dogs bark"), model).recall == 0.0


def test_joint_support_is_that_of_the_texts_together():
    # half of the words each: together all, so both are needed
    model = NgramOverlap(size=1, threshold=0.9)
    scores = citation_scores("Cats sleep [1][2].", cite("cats", "sleep"), model)
    assert scores == CitationScores(1.0, 1.0)


parts = [
    "Holds x here [1].",
    "Holds y here [2].",
    "Holds z here.",
    "Why x here [1]?",
    "Holds x y here [1, 2] [9].",
]
sentences = st.lists(st.sampled_from(parts), max_size=5)


@given(sentences)
def test_both_stay_in_range_and_do_not_mind_the_order_of_sentences(parts):
    scores = citation_scores(" ".join(parts), cite("x", "y"), Letters())
    assert scores == citation_scores(" ".join(parts[::-1]), cite("x", "y"), Letters())
    for value in (scores.recall, scores.precision):
        assert value is None or 0.0 <= value <= 1.0


@given(st.text(max_size=60))
def test_any_text_is_scored_without_an_error(text):
    citation_scores(text, cite("x"), NgramOverlap())
