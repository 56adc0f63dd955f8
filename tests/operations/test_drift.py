"""Drift tests and bounds: against MAPIE, against simulations whose truth is known, and by their laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.operations.drift import LEAST, risk_at_least, risk_at_most, shifted, told_apart

RUNS = 200
LEVEL = 0.05


def questions(generator, rows, *, moved=0.0):
    """Rows of signs on 16 axes, four of which lean elsewhere by ``moved`` standard deviations."""
    shift = moved * (np.arange(16) < 4)
    return np.sign(generator.normal(size=(rows, 16)) + 0.2 + shift)


class TestToldApart:
    def test_it_finds_questions_that_moved(self):
        generator = np.random.default_rng(1)
        found = told_apart(questions(generator, 150), questions(generator, 150, moved=1.0))
        assert found.p <= 0.002
        assert 0.2 < found.effect < 0.9
        assert (found.reference, found.current) == (150, 150)

    def test_alike_windows_are_not_told_apart(self):
        generator = np.random.default_rng(2)
        found = told_apart(questions(generator, 100), questions(generator, 60))
        assert found.p > LEVEL
        assert found.effect < 0.3

    def test_rows_that_are_all_alike_show_nothing(self):
        rows = np.ones((LEAST, 3))
        assert told_apart(rows, rows).p > 0.5

    def test_the_same_seed_finds_the_same(self):
        generator = np.random.default_rng(3)
        one, other = questions(generator, 40), questions(generator, 40, moved=0.3)
        assert told_apart(one, other, seed=5) == told_apart(one, other, seed=5)

    @pytest.mark.slow
    def test_a_long_window_is_looked_at_in_parts(self):
        generator = np.random.default_rng(4)
        found = told_apart(generator.normal(size=(30, 1)), generator.normal(size=(9_000, 1)))
        assert found.current == 2_000

    @pytest.mark.slow
    def test_false_alarms_stay_at_the_level_and_a_drift_is_seen(self):
        def alarms(moved):
            return sum(
                told_apart(
                    questions(np.random.default_rng([run, 0]), 100),
                    questions(np.random.default_rng([run, 1]), 100, moved=moved),
                    seed=run,
                ).p
                <= LEVEL
                for run in range(RUNS)
            )

        assert alarms(0.0) <= LEVEL * RUNS
        assert alarms(0.7) >= 0.9 * RUNS


class TestShifted:
    def test_it_sees_scores_that_fell(self):
        generator = np.random.default_rng(1)
        found = shifted(generator.beta(8, 3, size=80), generator.beta(5, 4, size=80))
        assert found.p < 0.01
        assert found.effect > 0.2

    def test_the_same_scores_have_no_distance(self):
        found = shifted(np.arange(30.0), np.arange(30.0))
        assert (found.effect, found.p) == (0.0, 1.0)


losses = st.lists(st.floats(0, 1), min_size=1, max_size=60)


class TestRiskAtMost:
    @pytest.mark.slow
    @given(losses, st.floats(0.001, 0.4))
    def test_it_lies_between_the_mean_and_hoeffdings_bound(self, values, level):
        from mapie.exchangeability_testing.bounds import hoeffding_bound

        bound = risk_at_most(values, level)
        assert np.mean(values) - 1e-9 <= bound <= min(hoeffding_bound(values, level), 1.0) + 1e-9

    def test_no_loss_in_many_is_bounded_as_by_the_rule_of_three(self):
        assert risk_at_most([0.0] * 100, 0.05) == pytest.approx(1 - 0.05**0.01)

    def test_nothing_but_losses_is_bounded_by_1(self):
        assert risk_at_most([1.0] * 5, 0.05) == 1.0


class TestRiskAtLeast:
    @pytest.mark.slow
    @given(losses, st.floats(0.01, 0.2))
    def test_it_is_the_bound_of_mapie(self, values, level):
        from mapie.exchangeability_testing.bounds import conjugate_mixture_empirical_bernstein_bound

        # MAPIE halves the level of a one-sided bound
        theirs = conjugate_mixture_empirical_bernstein_bound(
            values, v_opt=10, alpha=2 * level, bound_side="lower"
        )
        assert risk_at_least(values, level) == pytest.approx(theirs, abs=1e-9)

    @pytest.mark.slow
    @given(losses)
    def test_it_never_falls_and_never_exceeds_the_mean_of_what_came(self, values):
        bounds = risk_at_least(values, 0.05)
        assert (np.diff(bounds) >= 0).all()
        means = np.cumsum(values) / np.arange(1, len(values) + 1)
        assert (bounds <= np.maximum.accumulate(means) + 1e-12).all()

    @pytest.mark.slow
    def test_it_comes_near_the_mean_of_many(self):
        values = np.random.default_rng(1).random(20_000) < 0.2
        assert 0.18 < risk_at_least(values, 0.05)[-1] < 0.2

    @pytest.mark.slow
    def test_one_may_look_at_any_time(self):
        def exceeds(run):
            values = np.random.default_rng(run).random(500) < 0.15
            return (risk_at_least(values, LEVEL) > 0.15).any()

        assert sum(map(exceeds, range(RUNS))) <= LEVEL * RUNS
