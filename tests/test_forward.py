"""What was judged of answers counts for its set, and only of answers that are in the sheet."""

import importlib
import json
from pathlib import Path

import pytest

_BENCHMARKS = Path(__file__).parent / "benchmarks"


def _rows(name):
    return list(map(json.loads, (_BENCHMARKS / name).read_text(encoding="utf-8").splitlines()))


@pytest.fixture
def forward(monkeypatch):
    monkeypatch.syspath_prepend(_BENCHMARKS)
    return importlib.import_module("forward")


def test_a_judgement_counts_for_its_set_and_declined_answers_have_no_length(forward):
    said = {"question": "How long?", "answer": "Two weeks. [1]", "places": []}
    sheet = [
        {"id": "a", "set": "town"} | said,
        {"id": "b", "set": "town"} | said | {"declined": True, "answer": "I don't know."},
        {"id": "c", "set": "postgres"} | said,
    ]
    judged = [
        {"id": "a", "forward": True, "right": True},
        {"id": "b", "forward": False, "right": False},
        {"id": "c", "right": True},
    ]
    assert forward.shares(sheet, judged) == [
        ["town", "2", "0.50", "2", "0.50", "2.0"],
        ["postgres", "0", "-", "1", "1.00", "2.0"],
        ["all", "2", "0.50", "3", "0.67", "2.0"],
    ]


def test_a_judgement_of_what_is_not_in_the_sheet_is_an_error(forward):
    with pytest.raises(SystemExit, match="not in the sheet: x"):
        forward.shares([], [{"id": "x", "right": True}])


def test_two_readers_agree_by_more_than_chance(forward):
    one = [{"id": str(n), "forward": n < 6} for n in range(10)]
    other = [{"id": str(n), "forward": n < 5} for n in range(10)]
    assert forward.agreement(one, other, "forward") == pytest.approx((0.9, 0.8))
    with pytest.raises(SystemExit, match="the same answers"):
        forward.agreement(one, other[1:], "forward")


@pytest.mark.parametrize("name", ["forward_judged.jsonl", "forward_judged_again.jsonl"])
def test_every_answer_of_the_sheet_was_judged_and_what_one_forwards_is_right(name):
    judged = _rows(name)
    assert [row["id"] for row in judged] == [row["id"] for row in _rows("forward_sheet.jsonl")]
    assert sum("forward" in row for row in judged) == 100
    assert all(row["right"] for row in judged if row.get("forward"))
