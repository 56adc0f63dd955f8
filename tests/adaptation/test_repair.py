"""Repair: smaller strength first, then more rehearsal, and the best that passes."""

from pathlib import Path

import pytest

from hybrid.adaptation.gate import Budget
from hybrid.adaptation.repair import Assessment, repair, tell
from hybrid.adaptation.values import Change, Measure
from hybrid.errors import UsageError

_FIRST = Path("first")


def assessed(gain, loss):
    gained = Change("label accuracy", 50.0, 50.0 + gain, gain, gain - 1, gain + 1, "points", 100, True)
    lost = Change(Measure.TEXT, 3.0, 3.0 + loss, loss, loss - 0.005, loss + 0.005, "nats", 80, False)
    return Assessment(gained, (lost,))


def linear(gain=20.0, loss=0.1):
    """Gain and loss fall with the strength, and with what was retrained they are smaller from the start."""
    asked = []

    def assess(folder, strength):
        asked.append((folder.name, strength))
        share = 1.0 if folder == _FIRST else float(folder.name)
        return assessed(
            gain * strength * (1 - 0.1 * share if folder != _FIRST else 1), loss * strength * share
        )

    return assess, asked


def test_an_adapter_that_passes_is_left_alone():
    assess, asked = linear(loss=0.03)
    found = repair(_FIRST, assess, budget=Budget())
    assert asked == [("first", 1.0)]
    assert found.best is found.attempts[0]
    assert found.best.name == "as tuned"
    assert found.best.kept == 1.0


def test_the_largest_strength_that_passes_is_chosen_and_nothing_else_is_tried():
    assess, asked = linear(loss=0.08)
    found = repair(_FIRST, assess, budget=Budget(), retrain=lambda share: pytest.fail("no need to train"))
    assert [strength for _, strength in asked] == [1.0, 0.75, 0.5]
    assert found.best.strength == 0.5
    assert found.best.kept == pytest.approx(0.5)


def test_more_rehearsal_is_tried_where_strength_would_cost_too_much():
    assess, asked = linear(loss=0.15)
    trained = []

    def retrain(share):
        trained.append(share)
        return Path("0.4" if share < 0.4 else "0.1")

    found = repair(_FIRST, assess, budget=Budget(), retrain=retrain, rehearsals=(0.3, 0.5))
    assert [strength for name, strength in asked if name == "first"] == [1.0, 0.75, 0.5, 0.25]
    # at a quarter of the strength it passes, but a quarter of the gain is not worth stopping for
    assert trained == [0.3]
    assert found.best.rehearsal == 0.3
    assert found.best.strength == 0.75
    assert found.best.name == "rehearsal 30 %, strength 0.75"
    assert found.best.assessment.gain.change > found.attempts[3].assessment.gain.change


def test_without_retraining_the_last_resort_is_better_than_nothing():
    assess, _ = linear(loss=0.15)
    found = repair(_FIRST, assess, budget=Budget())
    assert found.best.strength == 0.25


def test_where_nothing_passes_there_is_no_best():
    assess, asked = linear(loss=9.0)
    found = repair(_FIRST, assess, budget=Budget(), retrain=lambda share: Path("1"), rehearsals=(0.3,))
    assert found.best is None
    assert len(asked) == len(found.attempts) == 8


def test_what_passes_and_gains_nothing_is_no_repair():
    def assess(folder, strength):
        return assessed(10.0 if strength == 1 else -1.0, 0.2 * strength)

    assert repair(_FIRST, assess, budget=Budget()).best is None


def test_a_gain_in_nats_falls():
    def assess(folder, strength):
        fell = Change("loss", 2.0, 2.0 - strength, -strength, -strength, -strength, "nats", 50, False)
        return Assessment(fell, assessed(0, 0.08 * strength).general)

    found = repair(_FIRST, assess, budget=Budget())
    assert found.best.strength == 0.5
    assert found.best.kept == pytest.approx(0.5)
    assert "gain +0.5 nats" in tell(found.best)


def test_without_a_measured_gain_the_first_that_passes_is_chosen():
    def assess(folder, strength):
        return Assessment(None, assessed(0, 0.08 * strength).general)

    found = repair(_FIRST, assess, budget=Budget())
    assert found.best.strength == 0.5
    assert found.best.kept is None


def test_every_attempt_is_told():
    assess, _ = linear(loss=0.08)
    lines = []
    repair(_FIRST, assess, budget=Budget(), progress=lambda attempt: lines.append(tell(attempt)))
    assert lines[0] == (
        "as tuned: gain +20 points (100 % of the first); general text +0.080 nats, at most +0.085; "
        "refused for general text"
    )
    assert lines[-1].startswith("strength 0.5: gain +10 points (50 % of the first)")
    assert lines[-1].endswith("passes")


@pytest.mark.parametrize("strengths", [(0.5, 0.75), (1.0,), (0.0,)])
def test_strengths_must_fall_below_one(strengths):
    with pytest.raises(UsageError, match="falling numbers"):
        repair(_FIRST, linear()[0], budget=Budget(), strengths=strengths)


@pytest.mark.parametrize("rehearsals", [(0.5, 0.3), (1.0,)])
def test_rehearsals_must_rise(rehearsals):
    with pytest.raises(UsageError, match="rising shares"):
        repair(_FIRST, linear()[0], budget=Budget(), rehearsals=rehearsals)
