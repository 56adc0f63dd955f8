"""Whether an adapter may be used: a gain that is shown, and nothing forgotten beyond the budget."""

import dataclasses

from hybrid.adaptation.gate import Budget
from hybrid.adaptation.values import AdapterKind
from hybrid.adaptation.gate import gained, reasons
from hybrid.adaptation.values import Change


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


def test_a_gain_is_shown_by_the_bound_on_its_good_side(gain):
    assert gained(gain)
    falls = dataclasses.replace(gain, change=-0.3, low=-0.5, high=-0.1, higher_is_better=False)
    assert gained(falls)
    assert not gained(dataclasses.replace(falls, high=0.1))
    assert not gained(dataclasses.replace(gain, low=float("nan")))


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
