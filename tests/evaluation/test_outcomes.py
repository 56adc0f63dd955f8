"""Outcomes as lines: what is written comes back, and what is not an outcome is told by its line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.errors import UsageError
from hybrid.evaluation.outcomes import (
    Outcome,
    Retrieved,
    append_outcomes,
    load_outcomes,
    replace_outcomes,
)
from hybrid.types import Citation, Span

_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
_SECONDS = st.floats(0, 1e6)
_OUTCOMES = st.builds(
    Outcome,
    key=_TEXT,
    arm=_TEXT,
    question=_TEXT,
    answer=_TEXT,
    abstained=st.booleans(),
    error=_TEXT,
    citations=st.lists(
        st.builds(Citation, st.integers(1, 9), _TEXT, st.integers(0, 9), st.integers(9, 99), _TEXT),
        max_size=2,
    ).map(tuple),
    passages=st.lists(
        st.builds(
            Retrieved, _TEXT, st.builds(Span, st.integers(0, 9), st.integers(9, 99)), _TEXT, st.floats(-1, 1)
        ),
        max_size=2,
    ).map(tuple),
    confidence=st.none() | st.floats(0, 1),
    prompt_tokens=st.integers(0, 9999),
    seconds=_SECONDS,
    alone=st.none() | _SECONDS,
)


@given(outcomes=st.lists(_OUTCOMES, max_size=4))
def test_what_is_written_comes_back(tmp_path_factory, outcomes):
    path = tmp_path_factory.mktemp("outcomes") / "outcomes.jsonl"
    append_outcomes(path, outcomes[:2])
    append_outcomes(path, outcomes[2:])
    assert load_outcomes(path) == outcomes
    replace_outcomes(path, outcomes[::-1])
    assert load_outcomes(path) == outcomes[::-1]


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_line_that_a_kill_cut_short_is_left_out_and_written_over(tmp_path, cut):
    path = tmp_path / "outcomes.jsonl"
    first, second = Outcome("k1", "rag", "q1", "one"), Outcome("k2", "rag", "q2", "two")
    append_outcomes(path, [first, second])
    path.write_bytes(path.read_bytes()[:-cut])
    assert load_outcomes(path) == [first]
    append_outcomes(path, [second])
    assert load_outcomes(path) == [first, second]


_LINE = {"key": "k", "arm": "rag", "question": "q", "answer": "a"}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{}", "`key`"),
        ("not json", "not an outcome"),
        ("[1, 2]", "not an outcome"),
        (json.dumps(_LINE | {"seconds": "fast"}), "`seconds`"),
        (json.dumps(_LINE | {"seconds": float("nan")}), "not finite"),
        (json.dumps(_LINE | {"alone": float("inf")}), "not finite"),
        (json.dumps(_LINE | {"abstained": "no"}), "`abstained`"),
        (json.dumps(_LINE | {"passages": [{"source": "a"}]}), "`passages.0"),
    ],
)
def test_what_is_not_an_outcome_is_told_by_its_line(tmp_path, line, problem):
    path = tmp_path / "outcomes.jsonl"
    path.write_text(f"{json.dumps(_LINE)}\n{line}\n")
    with pytest.raises(UsageError, match=r"line 2.*") as caught:
        load_outcomes(path)
    assert problem in str(caught.value)


def test_no_file_is_an_error_that_says_how_to_make_one(tmp_path):
    with pytest.raises(UsageError) as caught:
        load_outcomes(tmp_path / "outcomes.jsonl")
    assert "hybrid compare" in caught.value.hint


@pytest.mark.parametrize(
    ("answer", "error", "failed"), [("", "", True), (" \n", "", True), ("x", "e", True), ("x", "", False)]
)
def test_nothing_to_score_is_a_failure(answer, error, failed):
    assert Outcome("k", "rag", "q", answer, error=error).failed is failed
