"""Effective units: between questions and sources, without a cliff, and right where the truth is known."""

import importlib.util
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hybrid.clustered import Clustered, pooled

SIZES = np.array([45, 50, 120, 48, 52, 47, 46, 49, 55, 45, 45, 50, 46, 48, 50, 45, 47, 49, 47, 50])
LEVEL = 0.05


@pytest.fixture(scope="module")
def alike():
    """The simulator, a module that a benchmark imports too."""
    name = "alike_differences"
    path = Path(__file__).parent / "decision" / "alike.py"
    specification = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def two_arms(lost, won=(), *, sizes=SIZES, pool=None):
    """Return a comparison in which the first sources have so many questions lost and won."""
    down, up = (np.pad(np.array(each, float), (0, len(sizes) - len(each))) for each in (lost, won))
    return Clustered(np.array(sizes, float), up - down, up + down, pool)


def half_width(found):
    return float(found.bound(1 - LEVEL) - found.bound(LEVEL)) / 2


# --- cases ----------------------------------------------------------------------------------------------


def test_34_scattered_differences_of_1034_questions_are_known_to_3_points():
    found = two_arms((5, 4, 3, 2, 2, 2, 1, 1, 1, 0), (3, 1, 1, 2, 1, 1, 2, 0, 0, 2))
    assert int(SIZES.sum()) == 1_034
    assert 100 * found.estimate == pytest.approx(-0.77, abs=0.01)
    assert half_width(found) <= 0.03
    assert found.bound(LEVEL) < -0.017
    assert found.bound(1 - LEVEL) > 0.003


def test_losses_of_one_source_stay_wide_also_where_other_arms_scatter():
    pool = two_arms([3] * 20, [2] * 20)
    assert half_width(two_arms([8])) > 0.1
    assert half_width(two_arms([8], pool=pool.correlation)) > 0.1
    assert half_width(two_arms([40])) > 0.1


def test_no_difference_at_all_is_worth_as_many_units_as_sources():
    equal = two_arms([], sizes=[60] * 20)
    assert equal.correlation_limit == 1
    assert equal.effective == pytest.approx(20)
    assert two_arms([], sizes=[1] * 20).effective == pytest.approx(20)


def test_rare_differences_borrow_from_those_of_other_arms():
    alone, pool = two_arms([1, 1]), two_arms([3] * 20, [2] * 20).correlation
    assert two_arms([1, 1], pool=pool).effective > 3 * alone.effective
    # one that has seen enough itself does not change
    seen = two_arms([3] * 20, [2] * 20)
    assert two_arms([3] * 20, [2] * 20, pool=two_arms([8]).correlation).effective == seen.effective


def test_what_quantities_show_together_is_as_sure_as_the_surest():
    much, nothing = two_arms([3] * 20, [2] * 20), two_arms([1])
    found = pooled([much, nothing])
    assert found.sources == much.correlation.sources == 8
    assert found.value == pytest.approx(much.correlation.value)


def test_there_is_no_cliff_where_one_more_source_differs():
    # 3 losses and 2 wins in each source that differs at all
    widths = [half_width(two_arms([3] * count, [2] * count, sizes=[50] * 20)) for count in range(1, 21)]
    steps = [wider / narrower for wider, narrower in itertools.pairwise(widths)]
    assert max(steps) < 1.8 and min(steps) > 0.85
    assert max(steps[7:11]) < 1.15


def test_whole_sources_count_once_and_scattered_questions_nearly_each():
    whole = two_arms([50, 50, 0, 0], [0, 0, 50, 50], sizes=[50] * 20)
    scattered = two_arms([10] * 20, [10] * 20, sizes=[50] * 20)
    assert whole.effective == pytest.approx(20, rel=0.05)
    assert 80 < scattered.effective < 1_000
    # the error itself is that of the sources, and here they hardly differ
    assert scattered.standard_error < whole.standard_error / 5


# --- laws -----------------------------------------------------------------------------------------------

_COUNTS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 90)).filter(sum), min_size=2, max_size=12
)


@pytest.mark.slow
@given(_COUNTS, st.floats(0.005, 0.45))
def test_the_p_value_inverts_the_bound(counts, level):
    lost, won, rest = np.array(counts).T
    found = two_arms(lost, won, sizes=lost + won + rest)
    low, high = float(found.bound(level)), float(found.bound(1 - level))
    assert -1 <= low <= found.estimate <= high <= 1
    if low > -1:
        assert found.p_above(low) == pytest.approx(level, abs=1e-6)


@pytest.mark.slow
@given(_COUNTS)
def test_units_lie_between_sources_and_questions(counts):
    lost, won, rest = np.array(counts).T
    sizes = lost + won + rest
    found = two_arms(lost, won, sizes=sizes)
    assert sizes.sum() ** 2 / (sizes @ sizes) - 1e-9 <= found.effective <= sizes.sum() + 1e-9
    assert 0 <= found.correlation.value <= found.correlation_limit <= 1
    assert found.standard_error > 0


def test_samples_are_worked_out_at_once_as_they_are_alone():
    lost, won = np.array([[5.0, 0, 1], [0, 0, 0]]), np.array([[1.0, 2, 1], [0, 3, 0]])
    together = Clustered(np.array([10.0, 20, 30]), won - lost, won + lost)
    for row in range(2):
        alone = Clustered(np.array([10.0, 20, 30]), won[row] - lost[row], won[row] + lost[row])
        assert together.bound(LEVEL)[row] == alone.bound(LEVEL)
        assert together.p_above(-0.1)[row] == alone.p_above(-0.1)


# --- where the truth is known; tests/benchmarks/coverage.py has the whole table ---------------------------


@pytest.mark.slow
@pytest.mark.parametrize("sources", [5, 20, 60])
def test_intervals_hold_the_truth_whatever_is_alike(alike, sources):
    draws = 300
    # in three ways in every cell; what is taken over by single questions cannot always be seen
    cells = [
        cell
        for cell in alike.grid((sources,), (5, 120, "1 to 120"), (0, 0.2, 0.8, 1), (0, 0.01, 0.15), (0, 0.2))
        if cell.way != "taken over"
    ]
    assert len(cells) > 80
    for cell in cells:
        found = alike.measure(cell, draws=draws, margin=0.01, level=LEVEL, seed=1)
        assert found.held >= stats.binom.ppf(1e-4, draws, 0.88), cell
        assert found.wrong <= stats.binom.isf(1e-4, draws, LEVEL), cell


def test_a_simulated_cell_has_the_truth_that_it_says(alike):
    cell = alike.Cell("rates", 50, 20, 0.2, 0.3, 0.1)
    found = alike.measure(cell, draws=200, margin=0.01, level=LEVEL, seed=0)
    assert cell.truth == pytest.approx(-0.2)
    assert found.held > 160 and found.wrong == 0 and 0.03 < found.half_width < 0.2
