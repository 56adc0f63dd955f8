import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.errors import UsageError
from recipes.grounding.recipe import Group, fit_stack

_NAMES = ("good", "noise", "inverse")


def _data(seed, count=400):
    chance = np.random.default_rng(seed)
    supported = chance.random(count) < 0.5
    signals = np.column_stack(
        [supported + chance.normal(size=count), chance.normal(size=count), -1.0 * supported]
    )
    return signals, supported


def _fit(names, *groups):
    return fit_stack(names, [Group(signals, supported) for signals, supported in groups])


def test_a_signal_that_points_the_wrong_way_weighs_nothing():
    stack = _fit(_NAMES, _data(0))
    assert stack.weights[0] > 0.3 and stack.weights[2] == 0
    assert all(weight >= 0 for weight in stack.weights)


def test_of_one_group_the_logits_are_those_of_the_likeliest_probability():
    signals, supported = _data(1, 4_000)
    stack = _fit(("good",), (signals[:, :1], supported))
    found = 1 / (1 + np.exp(-stack.logits(signals[:, :1])))
    assert found.mean() == pytest.approx(0.5, abs=0.02)
    # two normal distributions one apart: the true slope is 1, less the pull to 0
    assert stack.weights[0] == pytest.approx(0.9, abs=0.15)


def test_a_group_that_a_signal_misleads_has_as_much_say_as_ten_that_it_serves():
    chance = np.random.default_rng(0)

    def group(helpful, useless):
        supported = chance.random(400) < 0.5
        signals = chance.normal(size=(400, 2))
        signals[:, helpful] += 2 * supported
        signals[:, useless] -= supported
        return signals, supported

    one = [group(0, 1)]
    many = [group(1, 0) for _ in range(10)]
    alone = _fit(("a", "b"), *one)
    both = _fit(("a", "b"), *one, *many)
    assert alone.weights[0] > 0.5 and alone.weights[1] == 0
    # the mean would forget the one
    assert both.weights[0] == pytest.approx(both.weights[1], rel=0.3)


def test_a_group_of_other_height_does_not_tilt_the_weights():
    signals, supported = _data(3)
    stack = _fit(_NAMES, (signals, supported), (signals, supported))
    shifted = np.where(supported, 0, 0)[:, None] + signals
    shifted[:, 1] += 5
    assert _fit(_NAMES, (signals, supported), (shifted, supported)).weights == pytest.approx(
        stack.weights, abs=0.1
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 2), st.floats(0, 10))
def test_more_of_any_signal_never_lowers_the_logit(seed, which, more):
    stack = _fit(_NAMES, _data(seed, 60))
    row = np.random.default_rng(seed).normal(size=(1, 3))
    raised = row.copy()
    raised[0, which] += more
    assert stack.logits(raised)[0] >= stack.logits(row)[0]


@pytest.mark.parametrize("supported", [np.ones(40, bool), np.zeros(40, bool), np.arange(6) % 2 == 0])
def test_too_little_to_learn_from_is_refused(supported):
    with pytest.raises(UsageError, match="of both"):
        _fit(("one",), (np.ones((len(supported), 1)), supported))
