"""Paired changes: nothing for the same values, right signs and units, honest about few items."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.adaptation.forgetting.pairing import paired_change


def _change(before, after, sources=None, **options):
    names = sources or [f"s{place}" for place in range(len(before))]
    return paired_change("m", before, after, names, unit="nats", higher_is_better=False, **options)


@given(st.lists(st.floats(0, 9), min_size=2, max_size=40))
def test_what_did_not_change_changed_by_exactly_nothing(values):
    change = _change(values, values)
    assert (change.change, change.low, change.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("count", [5, 60])
def test_the_interval_holds_the_change_and_scales(count):
    generator = np.random.default_rng(0)
    before = generator.normal(3, 1, count)
    after = before + generator.normal(0.1, 0.05, count)
    change, points = _change(before, after), _change(before, after, scale=100)
    assert 0 < change.low < change.change < change.high < 0.3
    assert points.high == pytest.approx(100 * change.high)
    assert change.after - change.before == pytest.approx(change.change)


def test_small_changes_of_losses_have_small_intervals():
    # the smoothing that rights and wrongs need would drown a change of a hundredth of a nat
    generator = np.random.default_rng(1)
    before = generator.normal(3, 1, 80)
    change = _change(before, before + generator.normal(0.01, 0.004, 80))
    assert change.high - change.low < 0.003


def test_rights_and_wrongs_that_never_differed_may_still_differ():
    change = _change([1.0] * 30, [1.0] * 30, bounded=True)
    assert change.change == 0.0
    assert change.low < 0 < change.high


def test_one_source_says_nothing_about_others():
    change = _change([1.0, 2.0], [1.5, 2.6], sources=["one", "one"])
    assert change.high == math.inf and change.low == -math.inf


def test_items_of_one_source_are_not_independent():
    generator = np.random.default_rng(2)
    before = generator.normal(3, 1, 60)
    after = before + np.repeat(generator.normal(0.1, 0.3, 12), 5)
    together = _change(before, after, sources=[f"s{place // 5}" for place in range(60)])
    apart = _change(before, after)
    assert together.high - together.low > 1.5 * (apart.high - apart.low)
