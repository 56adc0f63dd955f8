"""How a verdict would look with judgements by people, held against what such judgements then do to it."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.decision.planning import prospect
from hybrid.decision.values import Hypothesis, Policy
from hybrid.decision.verdict import decide
from hybrid.decision.wording import outlook
from hybrid.evaluation.scores import ScoreTable

_POLICY = Policy(margin=0.02, replicates=500)


def table(scores, judged=(), gold=None, *, each=2):
    count = len(scores)
    names = tuple(f"q{n}" for n in range(count))
    sources = tuple(f"s{n // each}" for n in range(count))
    return ScoreTable("correct", ("base", "rag"), names, sources, scores, (), judged, gold)


def verdict(scores, *rest, policy=_POLICY):
    return decide(table(scores, *rest), costs={}, measures={}, policy=policy)


def drawn(low, high, count=400, seed=0):
    return (np.random.default_rng(seed).random((count, 2)) < [low, high]).astype(float)


def parted(for_rag, for_base, count=400):
    """Return scores that differ in so many questions, in an order drawn at random."""
    rows = np.zeros((count, 2))
    rows[:for_rag, 1] = rows[for_rag : for_rag + for_base, 0] = 1.0
    return np.random.default_rng(0).permutation(rows)


def width(decision):
    (effect,) = decision.effects
    return (effect.interval.high - effect.interval.low) / 2


@pytest.mark.parametrize("judged", [50, 100, 300])
def test_it_foresees_how_wide_the_interval_is_once_people_have_judged(judged):
    scores, chance = drawn(0.5, 0.8), np.random.default_rng(1)
    people = np.where(chance.random(scores.shape) < 0.08, 1 - scores, scores)
    rows = tuple(sorted(map(int, chance.choice(len(scores), judged, replace=False))))
    foreseen = prospect(verdict(scores), judgements=judged, disagreement=0.16)
    assert foreseen.half_width == pytest.approx(width(verdict(scores, rows, people[list(rows)])), rel=0.2)


def test_with_all_of_them_judged_nothing_is_added():
    found = verdict(drawn(0.5, 0.8))
    seen = prospect(found, judgements=400, disagreement=0.16)
    assert seen.half_width == pytest.approx(width(found))
    (effect,) = found.effects
    assert effect.claim is Hypothesis.BETTER
    assert seen.gives_way == pytest.approx(effect.interval.low - 0.02)
    assert seen.turns == pytest.approx(effect.interval.high)


@given(st.integers(50, 399), st.floats(0.01, 1))
def test_more_judgements_leave_less_in_doubt(judgements, disagreement):
    few = prospect(_DECIDED, judgements=judgements, disagreement=disagreement)
    more = prospect(_DECIDED, judgements=judgements + 1, disagreement=disagreement)
    assert more.half_width < few.half_width
    assert more.gives_way > few.gives_way and more.turns < few.turns


def test_a_verdict_that_judgements_would_keep_says_how_far_it_bends():
    text = outlook(_DECIDED, 174, 0.16, 0.03)
    seen = prospect(_DECIDED, judgements=174, disagreement=0.16)
    assert f"would then reach {100 * seen.half_width:.1f} points to either side" in text
    assert f"the verdict would stand unless people see rag {100 * seen.gives_way:.1f} points worse" in text
    assert f"from {100 * seen.turns:.1f} points worse on base would be shown to be better" in text
    assert text.endswith("the verdict would stand.")


def test_a_verdict_that_they_would_leave_open_says_so():
    found = verdict(parted(60, 20))
    assert found.arm == "rag"
    text = outlook(found, 50, 0.16, 0.03)
    assert "the verdict would be lost unless people see rag" in text and "points better there" in text


def test_an_open_verdict_says_what_would_reach_it():
    found = verdict(parted(40, 32))
    assert found.arm is None
    seen = prospect(found, judgements=174, disagreement=0.16)
    text = outlook(found, 174, 0.16, 0.03)
    assert (
        f"would be {found.interim} if people see {found.interim} {-100 * seen.gives_way:.1f} points" in text
    )
    assert text.endswith("the verdict would stay open.")
    near = dataclasses.replace(found, policy=dataclasses.replace(found.policy, margin=0.07))
    assert outlook(near, 174, 0.16, 0.2).endswith("the verdict could be reached.")


def test_without_an_arm_to_run_there_is_nothing_to_foresee():
    nobody = dataclasses.replace(_DECIDED, arm=None, interim=None)
    assert prospect(nobody, judgements=100, disagreement=0.16) is None
    assert outlook(nobody, 100, 0.16, 0.03) == ""


def test_of_several_claims_the_one_that_is_least_sure_is_named():
    (effect,) = _DECIDED.effects
    loose = dataclasses.replace(effect, other="adapter", claim=Hypothesis.NOT_WORSE)
    seen = prospect(dataclasses.replace(_DECIDED, effects=(loose, effect)), judgements=200, disagreement=0.16)
    assert seen.effect.other == "base"
    assert math.isfinite(seen.half_width)


_DECIDED = verdict(drawn(0.5, 0.8))
