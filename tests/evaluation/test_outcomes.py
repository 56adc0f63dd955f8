"""Outcomes as lines: what is written comes back, and what is not an outcome is told by its line."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.config import PriceSettings
from hybrid.errors import UsageError
from hybrid.evaluation.outcomes import (
    ArmCost,
    Meter,
    Outcome,
    Reading,
    Retrieved,
    append_outcomes,
    arm_cost,
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


@pytest.mark.slow
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
        (json.dumps(_LINE | {"seconds": float("nan")}), "finite number"),
        (json.dumps(_LINE | {"alone": float("inf")}), "finite number"),
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


# --- What an arm costs: percentiles and money by hand, meters by what they are shown.


def outcome(seconds, alone=None, prompt=0, completion=0, error=""):
    return Outcome(
        "k",
        "rag",
        "q",
        "a",
        error=error,
        seconds=seconds,
        alone=alone,
        prompt_tokens=prompt,
        completion_tokens=completion,
    )


def test_costs_by_hand():
    outcomes = [
        outcome(2.0, prompt=100, completion=10),
        outcome(4.0, prompt=300, completion=30, error="failed, and took its time"),
        *(outcome(99.0, alone=alone, prompt=200, completion=20) for alone in (1.0, 2.0, 3.0, 5.0)),
    ]
    prices = PriceSettings(machine_hour=0.36, million_prompt_tokens=2.0, million_completion_tokens=10.0)
    cost = arm_cost(outcomes, Reading(2, 6.0, 512.0, 30.0), prices)
    assert cost.seconds == 3.0  # batches only
    assert (cost.p50, cost.p95) == (2.5, pytest.approx(4.7))
    assert (cost.prompt_tokens, cost.completion_tokens) == (200, 20)
    # 1,000 answers: 3,000 s of a machine at 0.0001 a second, 200,000 and 20,000 tokens
    assert cost.money == pytest.approx(0.30 + 0.40 + 0.20)
    assert (cost.megabytes, cost.joules) == (512.0, 15.0)


def test_what_was_not_measured_is_none():
    assert arm_cost([], Reading(), PriceSettings()) == ArmCost()
    cost = arm_cost([outcome(1.0)], Reading(), PriceSettings())
    assert (cost.p50, cost.p95, cost.megabytes, cost.joules) == (None, None, None, None)


def test_an_arm_that_was_asked_alone_only_is_priced_by_that():
    assert arm_cost([outcome(9.0, alone=2.0)], Reading(), PriceSettings()).seconds == 2.0


@pytest.mark.slow
@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=40))
def test_percentiles_lie_between_the_extremes_and_in_order(times):
    cost = arm_cost([outcome(t, alone=t) for t in times], Reading(), PriceSettings())
    tolerance = 1e-9 * (1 + max(times))
    assert min(times) - tolerance <= cost.p50 <= cost.p95 + tolerance <= max(times) + 2 * tolerance


def test_readings_add_up_and_an_unknown_energy_stays_unknown():
    one, other = Reading(2, 1.0, 100.0, 5.0), Reading(3, 2.0, 300.0, 7.0)
    assert one + other == Reading(5, 3.0, 300.0, 12.0)
    assert Reading() + one == one
    assert (one + Reading(1, 1.0, 50.0, None)).joules is None
    # a part without answers of its own says nothing about energy
    assert (one + Reading(0, 1.0, 200.0, None)) == Reading(2, 2.0, 200.0, 5.0)


@pytest.mark.slow
def test_a_meter_measures_time_and_the_peak_of_memory(tmp_path):
    with Meter(powercap=tmp_path) as meter:
        block = bytearray(64 * 2**20)
        block[::4096] = b"x" * len(block[::4096])
        time.sleep(0.5)
        del block
    reading = meter.reading(3)
    assert reading.answers == 3
    assert 0.1 < reading.seconds < 60
    # an allocator may keep what was given back, so there is nothing smaller to compare with
    assert reading.megabytes > 64
    assert reading.joules is None


def _zone(folder, name, energy, full=1000_000_000):
    folder.mkdir()
    (folder / "name").write_text(f"{name}\n")
    (folder / "energy_uj").write_text(f"{energy}\n")
    (folder / "max_energy_range_uj").write_text(f"{full}\n")


def test_energy_is_the_sum_of_the_packages_and_a_counter_that_began_again_counts(tmp_path):
    _zone(tmp_path / "intel-rapl:0", "package-0", 10_000_000)
    _zone(tmp_path / "intel-rapl:1", "package-1", 999_000_000)
    _zone(tmp_path / "intel-rapl:0:0", "core", 5_000_000)
    with Meter(powercap=tmp_path) as meter:
        (tmp_path / "intel-rapl:0" / "energy_uj").write_text("13000000\n")
        (tmp_path / "intel-rapl:1" / "energy_uj").write_text("1000000\n")
        (tmp_path / "intel-rapl:0:0" / "energy_uj").write_text("9000000\n")
    assert meter.reading(1).joules == pytest.approx(3.0 + 2.0)


def test_a_counter_that_may_not_be_read_is_no_energy(tmp_path):
    _zone(tmp_path / "intel-rapl:0", "package-0", "secret")
    with Meter(powercap=tmp_path) as meter:
        pass
    assert meter.reading(1).joules is None
