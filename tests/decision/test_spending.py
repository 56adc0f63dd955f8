"""Levels of several looks: against the multivariate normal and against a simulated Brownian motion."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from hybrid.decision.sequential import spend


def crossings(shares, levels, *, paths=200_000):
    """Return how many paths cross their bound first at each look, as a share."""
    steps = np.sqrt(np.diff([0.0, *shares]))
    values = np.cumsum(np.random.default_rng(0).normal(size=(paths, len(shares))) * steps, axis=1)
    above = values / np.sqrt(shares) > stats.norm.isf(levels)
    first = above & (np.cumsum(above, axis=1) == 1)
    return first.mean(axis=0)


@pytest.mark.parametrize("power", [1.0, 2.0, 3.0])
@pytest.mark.parametrize(
    "shares",
    [(1.0,), (0.5, 1.0), (0.2, 0.4, 0.6, 0.8, 1.0), (0.1, 0.12, 0.15, 0.6, 0.98, 1.0), (0.01, 0.99, 1.0)],
)
def test_all_looks_together_err_at_the_level_and_each_spends_its_share(shares, power):
    levels = spend(shares, level=0.05, power=power)
    found = crossings(shares, levels)
    spent = np.diff([0.0, *(0.05 * np.array(shares) ** power)])
    error = 3 * np.sqrt(0.05 * 0.95 / 200_000)
    assert found.sum() == pytest.approx(0.05, abs=error)
    assert found == pytest.approx(spent, abs=error)


def test_one_look_has_the_whole_level():
    assert spend([1.0], level=0.05, power=1.0) == pytest.approx([0.05])


def test_two_looks_by_the_bivariate_normal():
    first, second = spend([0.5, 1.0], level=0.05, power=1.0)
    assert first == pytest.approx(0.025)
    both = stats.multivariate_normal(cov=[[1.0, np.sqrt(0.5)], [np.sqrt(0.5), 1.0]])
    # below both bounds with chance 0.95
    bound = optimize.brentq(lambda z: both.cdf([stats.norm.isf(0.025), z]) - 0.95, 1.0, 3.0)
    assert second == pytest.approx(stats.norm.sf(bound), abs=1e-5)


def test_a_spending_that_is_even_has_bounds_that_are_nearly_so_as_pococks():
    levels = spend([0.2, 0.4, 0.6, 0.8, 1.0], level=0.025, power=1.0)
    # Pocock's constant for five looks at 5 % two-sided is 2.413, that is 0.0079 at every look
    assert min(levels) < 0.0079 < max(levels)
    assert max(levels) < 2 * min(levels) + 0.002


def test_a_late_spending_keeps_nearly_all_for_the_end():
    early, late = (spend([0.25, 0.5, 0.75, 1.0], level=0.05, power=power) for power in (1.0, 3.0))
    assert late[0] < early[0] / 10
    assert early[-1] < late[-1] < 0.05


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=8),
    st.floats(0.001, 0.2),
    st.floats(0.5, 4),
)
def test_no_look_has_more_than_all_together(parts, level, power):
    shares = np.cumsum(parts) / sum(parts)
    levels = spend(shares.tolist(), level=level, power=power)
    assert len(levels) == len(shares)
    assert all(0 <= one <= level + 1e-4 for one in levels)
    # by Bonferroni the looks together have at least the whole level
    assert sum(levels) >= level * 0.999 - 1e-6
