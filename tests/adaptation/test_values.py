"""The gate: a gain that is shown, what must be shown to be small, what must not be shown to be large."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.adaptation.values import AdapterKind, Budget, Change, Measure, describe, judge, reasons


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


def test_divergence_and_what_has_no_budget_are_told_and_not_judged():
    far = dataclasses.replace(text(9.0), measure=Measure.DIVERGENCE)
    # of a card that was written earlier
    large = dataclasses.replace(text(9.0), measure="general text by bytes", unit="bits")
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


# --- gain and loss together


def test_nothing_stands_against_a_gain_without_a_loss(make_card, loss):
    assert reasons(make_card(forgetting=(loss,)), Budget()).against == ()
    assert reasons(make_card(forgetting=(loss,)), Budget()).advice == ()


def test_what_was_not_measured_stands_against_it(make_card, loss):
    (line,) = reasons(make_card(gain=None, forgetting=(loss,)), Budget()).against
    assert "gain was not measured" in line
    (line,) = reasons(make_card(forgetting=()), Budget()).against
    assert "what it forgot was not measured" in line


def test_a_gain_that_may_be_none_stands_against_it(make_card, gain, loss):
    unsure = dataclasses.replace(gain, change=3.0, low=-1.0, high=7.0)
    (line,) = reasons(make_card(gain=unsure, forgetting=(loss,)), Budget()).against
    assert "no gain is shown: +3 points (90 % interval -1 to +7)" in line


def test_a_loss_beyond_the_budget_stands_against_it_with_advice(make_card, loss):
    card = make_card(forgetting=(dataclasses.replace(loss, change=0.2, low=0.15, high=0.25),))
    found = reasons(card, Budget())
    assert "general text: lost more than it may" in found.against[0]
    assert any("repair" in line for line in found.advice)
    assert reasons(card, Budget(nats=0.3)).against == ()


@pytest.mark.parametrize(("items", "advised"), [(7, True), (400, False)])
def test_too_few_items_for_a_gain_are_told_with_what_to_do(make_card, loss, items, advised):
    change = Change("label accuracy", 71.4, 42.9, -28.6, -100.0, 44.5, "points", items, True)
    found = reasons(make_card(gain=change, forgetting=(loss,)), Budget())
    assert "no gain is shown" in found.against[0]
    told = "".join(found.advice)
    assert ("7 held-out items" in told and "adapter:generator_adapter=generator-001" in told) is advised


def test_a_gain_is_shown_by_the_bound_on_its_good_side(gain):
    assert gain.upwards[1] > 0
    falls = dataclasses.replace(gain, change=-0.3, low=-0.5, high=-0.1, higher_is_better=False)
    assert falls.upwards[1] > 0
    assert not dataclasses.replace(falls, high=0.1).upwards[1] > 0
    assert not dataclasses.replace(gain, low=float("nan")).upwards[1] > 0


def test_an_embedder_is_judged_by_what_it_finds(make_card):
    def found(gain_low, loss):
        gain = Change("dense retrieval", 0.5, 0.55, 0.05, gain_low, 0.09, "nDCG", 60, True)
        general = Change(
            "dense retrieval, general", 0.5, 0.5 - loss, -loss, -loss - 0.005, 0.0, "nDCG", 90, True
        )
        return reasons(make_card(kind=AdapterKind.EMBEDDER, gain=gain, forgetting=(general,)), Budget())

    assert found(0.01, 0.002).against == ()
    assert "no gain is shown" in found(-0.01, 0.002).against[0]
    assert "lost more than 0.01" in found(0.01, 0.03).against[0]


def test_an_embedder_must_show_a_gain_and_a_loss_inside_the_budget(make_card, gain):
    def against(better, general, budget=None):
        card = make_card(kind=AdapterKind.EMBEDDER, gain=better, forgetting=tuple(general))
        return reasons(card, budget or Budget()).against

    better = dataclasses.replace(gain, unit="nDCG", change=0.03, low=0.01, high=0.05)
    kept = dataclasses.replace(gain, unit="nDCG", change=-0.003, low=-0.009, high=0.002)
    assert against(better, [kept]) == ()
    unsure = dataclasses.replace(better, low=-0.001)
    assert "no gain is shown" in against(unsure, [kept])[0]
    lost = dataclasses.replace(kept, change=-0.004, low=-0.011)
    assert "lost more than 0.01" in against(better, [kept, lost])[0]
    assert against(better, [lost], Budget(points=2)) == ()
    unknown = dataclasses.replace(kept, low=float("nan"))
    assert len(against(unsure, [unknown])) == 2
    assert len(against(None, [])) == 2
