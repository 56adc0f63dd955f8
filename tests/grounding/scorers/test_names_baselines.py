import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hybrid.grounding.scorers.names import NgramOverlap, WordAlignment, logit_of
from hybrid.grounding.values import Pair
from hybrid.testing import HashEmbedder


@pytest.mark.parametrize(
    ("claim", "evidence", "size", "share"),
    [
        ("the port is 5432", "The port is 5432!", 2, 1.0),
        # the port, port is | is 9: 2 of 3
        ("the port is 9", "the port is 5432", 2, 2 / 3),
        ("the port is 9", "the port is 5432", 1, 3 / 4),
        ("is port the", "the port is", 2, 0.0),
        ("5432", "port 5432", 2, 1.0),
        ("5432", "port 15432", 2, 0.0),
        ("!", "!", 2, 0.0),
        ("a b", "", 2, 0.0),
    ],
)
def test_the_share_by_hand(claim, evidence, size, share):
    scorer = NgramOverlap(size=size)
    (logit,) = scorer.score([Pair(evidence, claim)]).support
    assert logit == pytest.approx(logit_of(share, scorer.even), abs=1e-5)


def test_the_even_share_has_a_logit_of_zero():
    (logit,) = NgramOverlap(size=1, even=0.5).score([Pair("a", "a b")]).support
    assert logit == pytest.approx(0.0, abs=1e-6)


@pytest.mark.slow
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_greater_share_has_a_greater_logit(one, other, even):
    assume(abs(one - other) > 1e-6)
    assert (one < other) == (logit_of(one, even) < logit_of(other, even))


def test_it_is_named_as_what_it_is():
    assert NgramOverlap().name == "2-gram overlap"
    assert NgramOverlap().score([]).against is None


class AxisEmbedder(HashEmbedder):
    """Words on axes; "feline" leans towards "cat" with a cosine of 0.6."""

    def embed_documents(self, texts):
        self.embedded += len(texts)
        rows = {"cat": [2.0, 0, 0], "feline": [0.6, 0.8, 0], "red": [0, 0, 1.0], "dog": [0, -1.0, 0]}
        return np.array([rows.get(text, [0, 0, 0]) for text in texts], dtype=np.float32)


@pytest.mark.parametrize(
    ("claim", "evidence", "mean"),
    [
        ("The cat", "a red cat", 1.0),
        ("The feline", "a red cat", 0.6),
        ("The red feline", "a red cat", 0.8),
        ("The dog", "a feline", 0.0),  # a negative cosine is no support
        ("unknown", "unknown", 1.0),  # without a vector, but the same word
        ("cats", "cat", 1.0),  # the same word with another ending
        ("cat 5", "cat", 0.5),  # that a number is missing is for the checks to say
        ("The", "cat", 0.0),
        ("cat", "", 0.0),
    ],
)
def test_the_mean_by_hand(claim, evidence, mean):
    scorer = WordAlignment(AxisEmbedder())
    (logit,) = scorer.score([Pair(evidence, claim)]).support
    assert logit == pytest.approx(logit_of(mean, scorer.even), abs=1e-5)


def test_a_word_is_embedded_once():
    embedder = AxisEmbedder()
    scorer = WordAlignment(embedder)
    scorer.score([Pair("cat dog", "red cat"), Pair("dog", "cat")])
    scorer.score([Pair("red", "dog")])
    assert embedder.embedded == 3


def test_it_is_named_with_its_embedder():
    assert WordAlignment(HashEmbedder(name="m")).name == "word alignment, m"
