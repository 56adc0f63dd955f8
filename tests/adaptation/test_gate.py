"""The gate: what must be shown to be small, what must not be shown to be large."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.adaptation.gate import Budget, describe, judge
from hybrid.adaptation.values import Measure
from hybrid.adaptation.values import Change


def text(change, reach=0.01):
    """A change of general text, in nats: more is worse."""
    return Change(Measure.TEXT, 3.0, 3.0 + change, change, change - reach, change + reach, "nats", 80, False)


def points(measure, change, reach=0.3):
    """A change in points: less is worse."""
    return Change(measure, 80.0, 80.0 + change, change, change - reach, change + reach, "points", 400, True)


def test_small_losses_pass():
    verdict = judge([text(0.02), points(Measure.PAIRS, -0.4), points(Measure.CHOICES, -0.6)], Budget())
    assert verdict.passed
    assert verdict.breaches == ()
    assert verdict.advice == ()


def test_gains_pass():
    assert judge([text(-0.3), points(Measure.PAIRS, 5.0)], Budget()).passed


def test_a_loss_shown_to_be_large_is_forgotten_and_the_knobs_are_named():
    verdict = judge([text(0.2), points(Measure.PAIRS, 0.0)], Budget())
    assert not verdict.passed
    (breach,) = verdict.breaches
    assert breach.forgot
    assert breach.items is None
    assert (
        "lost more than it may: a loss of 0.200 nats (90 % interval 0.190 to 0.210), allowed 0.05"
        in describe(breach)
    )
    told = " ".join(verdict.advice)
    for knob in ("strength", "rehearsal", "--divergence", "--learning-rate", "--layers"):
        assert knob in told


def test_an_interval_that_is_too_wide_asks_for_more_items():
    verdict = judge([text(0.0), points(Measure.PAIRS, -0.5, reach=1.0)], Budget())
    (breach,) = verdict.breaches
    assert not breach.forgot
    # four times as many halve the reach
    assert breach.items == 1600
    assert "not shown" in describe(breach)
    assert verdict.advice == (
        "minimal pairs: about 1,600 items would show it, if the loss is what it looks like: "
        "take a larger suite with --suite FOLDER",
    )


def test_a_loss_over_the_budget_that_is_not_certain_names_the_knobs():
    verdict = judge([text(0.06, reach=0.02)], Budget())
    (breach,) = verdict.breaches
    assert not breach.forgot
    assert breach.items is None
    assert any("strength" in line for line in verdict.advice)


@pytest.mark.parametrize("measure", [Measure.FORMATS, Measure.CHOICES_RIGHT, Measure.PAIRS_RIGHT, "arc: acc"])
def test_rights_and_wrongs_are_refused_only_when_shown_to_be_lost(measure):
    assert judge([text(0.0), points(measure, -0.9, reach=5.0)], Budget()).passed
    assert judge([text(0.0), points(measure, -6.0, reach=5.1)], Budget()).passed
    verdict = judge([text(0.0), points(measure, -6.0, reach=4.0)], Budget())
    assert [breach.measure for breach in verdict.breaches] == [measure]
    assert verdict.breaches[0].forgot


def test_divergence_and_bytes_are_told_and_not_judged():
    far = dataclasses.replace(text(9.0), measure=Measure.DIVERGENCE)
    large = dataclasses.replace(text(9.0), measure=Measure.BYTES, unit="bits")
    assert judge([text(0.0), far, large], Budget()).passed


@pytest.mark.parametrize("changes", [[], [points(Measure.FORMATS, 0.0)]])
def test_nothing_measured_is_no_proof(changes):
    verdict = judge(changes, Budget())
    assert not verdict.passed
    assert "nothing here is a proof" in verdict.advice[0]


@pytest.mark.parametrize("field", ["change", "low", "high"])
def test_what_is_no_number_never_passes(field):
    whole = (
        {"change": math.nan, "low": math.nan, "high": math.nan} if field == "change" else {field: math.nan}
    )
    assert not judge([dataclasses.replace(text(0.0), **whole)], Budget()).passed


def test_an_endless_interval_does_not_pass():
    verdict = judge([dataclasses.replace(text(0.0), high=math.inf)], Budget())
    assert not verdict.passed
    assert verdict.breaches[0].items is None


@given(
    st.floats(-0.2, 0.2),
    st.floats(0, 0.1),
    st.floats(-5, 5),
    st.floats(0, 3),
    st.floats(0.001, 1),
    st.floats(0.001, 9),
)
def test_a_larger_budget_never_refuses_more(nats, nats_reach, lost, reach, more_nats, more_points):
    changes = [
        text(nats, nats_reach),
        points(Measure.PAIRS, lost, reach),
        points(Measure.FORMATS, lost, 3 * reach),
    ]
    small = judge(changes, Budget())
    large = judge(changes, Budget(0.05 + more_nats, 1.0 + more_points))
    assert large.passed or not small.passed
    assert {breach.measure for breach in large.breaches} <= {breach.measure for breach in small.breaches}


@given(st.floats(-2, 2), st.floats(0, 1))
def test_what_is_passed_has_its_upper_bound_inside(change, reach):
    verdict = judge([points(Measure.CHOICES, change, reach)], Budget())
    assert verdict.passed == (-(change - reach) <= 1.0)
