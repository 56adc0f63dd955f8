import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.evaluation.metrics import contains_gold, exact_match, token_f1


@pytest.mark.parametrize(
    ("answer", "golds", "expected"),
    [
        ("The port is 5432 by default.", ["5432"], 1.0),
        ("The port is 15432.", ["5432"], 0.0),
        ("It is  SCRAM-SHA-256\nnow", ["scram-sha-256"], 1.0),
        ("use --globals-only here", ["-g", "--globals-only"], 1.0),
        ("", ["x"], 0.0),
        ("anything", [""], 0.0),
        ("anything", [], 0.0),
    ],
)
def test_contains_gold_takes_whole_words(answer, golds, expected):
    assert contains_gold(answer, golds) == expected


def test_exact_match_and_f1_by_hand():
    assert exact_match("The Port!", ["port"]) == 1.0
    assert exact_match("a port number", ["port"]) == 0.0
    # "port number 5" against "port 5": 2 common of 3 and 2 tokens
    assert token_f1("The port number 5", ["port 5", "x"]) == pytest.approx(0.8)
    assert token_f1("", ["x"]) == 0.0
    assert token_f1("x", []) == 0.0


@given(st.text(max_size=40), st.lists(st.text(max_size=20), max_size=3))
def test_scores_stay_in_range(answer, golds):
    for metric in (contains_gold, exact_match, token_f1):
        assert 0.0 <= metric(answer, golds) <= 1.0


@given(st.text(alphabet="abc ", min_size=1).filter(str.strip))
def test_an_answer_that_is_the_gold_contains_it(text):
    assert contains_gold(f"so: {text}.", [text]) == 1.0
