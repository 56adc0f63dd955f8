import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hybrid.grounding.scorers.baselines import NgramOverlap, logit_of
from hybrid.grounding.values import Pair


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


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_greater_share_has_a_greater_logit(one, other, even):
    assume(abs(one - other) > 1e-6)
    assert (one < other) == (logit_of(one, even) < logit_of(other, even))


def test_it_is_named_as_what_it_is():
    assert NgramOverlap().name == "2-gram overlap"
    assert NgramOverlap().score([]).against is None
