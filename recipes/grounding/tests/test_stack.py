import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.errors import UsageError
from hybrid.grounding.scorers.trained import stack_of
from recipes.grounding.recipe import fit_stack

_NAMES = ("good", "noise", "inverse")


def _data(seed, count=400):
    chance = np.random.default_rng(seed)
    supported = chance.random(count) < 0.5
    signals = np.column_stack(
        [supported + chance.normal(size=count), chance.normal(size=count), -1.0 * supported]
    )
    return signals, supported


def test_a_signal_that_points_the_wrong_way_weighs_nothing():
    stack = fit_stack(_NAMES, *_data(0))
    assert stack.weights[0] > 0.3 and stack.weights[2] == 0
    assert all(weight >= 0 for weight in stack.weights)


def test_the_logits_are_those_of_the_likeliest_probability():
    signals, supported = _data(1, 4_000)
    stack = fit_stack(("good",), signals[:, :1], supported)
    found = 1 / (1 + np.exp(-stack.logits(signals[:, :1])))
    assert found.mean() == pytest.approx(supported.mean(), abs=0.01)
    # two normal distributions one apart: the true slope is 1
    assert stack.weights[0] == pytest.approx(1.0, abs=0.15)


def test_weights_of_rows_count_as_repetition():
    signals, supported = _data(2, 200)
    twice = np.repeat(np.arange(200), np.where(np.arange(200) < 50, 2, 1))
    repeated = fit_stack(_NAMES, signals[twice], supported[twice])
    weighted = fit_stack(_NAMES, signals, supported, np.where(np.arange(200) < 50, 2.0, 1.0))
    assert weighted.weights == pytest.approx(repeated.weights, abs=0.05)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 2), st.floats(0, 10))
def test_more_of_any_signal_never_lowers_the_logit(seed, which, more):
    stack = fit_stack(_NAMES, *_data(seed, 60))
    row = np.random.default_rng(seed).normal(size=(1, 3))
    raised = row.copy()
    raised[0, which] += more
    assert stack.logits(raised)[0] >= stack.logits(row)[0]


def test_a_stack_survives_json():
    stack = fit_stack(_NAMES, *_data(3))
    assert stack_of(stack.as_json()) == stack


@pytest.mark.parametrize("supported", [np.ones(40, bool), np.zeros(40, bool), np.arange(6) % 2 == 0])
def test_too_little_to_learn_from_is_refused(supported):
    with pytest.raises(UsageError, match="of both"):
        fit_stack(("one",), np.ones((len(supported), 1)), supported)
