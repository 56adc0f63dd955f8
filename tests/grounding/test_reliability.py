import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import log_loss as reference_loss

from hybrid.errors import UsageError
from hybrid.grounding.reliability import (
    calibration_error,
    log_loss,
    log_loss_skill,
)

levels = st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0])
rows = st.lists(st.tuples(levels, st.booleans()), min_size=1, max_size=30)


def split(found):
    return [chance for chance, _ in found], [flag for _, flag in found]


def perfect(count, seed):
    generator = np.random.default_rng(seed)
    chances = generator.random(count)
    return chances, generator.random(count) < chances


# --- by hand ------------------------------------------------------------------------------------------------


def test_the_error_by_hand():
    # ten claims make two groups of five: 1 of 5 at .0, 4 of 5 at .5
    chances = [0.0] * 5 + [0.5] * 5
    flags = [True] + [False] * 4 + [True] * 4 + [False]
    found = calibration_error(chances, flags)
    assert found.plain == pytest.approx((0.2 + 0.3) / 2)
    spread = math.sqrt(0.2 * 0.8 / 5)
    folded = [stats.foldnorm(gap / spread, scale=spread).mean() for gap in (0.2, 0.3)]
    assert found.error == pytest.approx(
        sum(2 * gap - fold for gap, fold in zip((0.2, 0.3), folded, strict=True)) / 2
    )


def test_a_probability_of_nothing_counts():
    # five certain mistakes among ten
    found = calibration_error([0.0] * 5 + [1.0] * 5, [True] * 5 + [True] * 5)
    assert (found.plain, found.error, found.null, found.null_high) == (0.5, 0.5, 0.0, 0.0)


def test_equal_probabilities_are_never_parted():
    found = calibration_error([0.5] * 40, [True, False] * 20)
    assert (found.plain, found.error) == (0.0, 0.0)


def test_the_loss_by_hand():
    assert log_loss([0.5, 0.9], [True, True]) == pytest.approx(-(math.log(0.5) + math.log(0.9)) / 2)
    # knowing only the share is no skill
    assert log_loss_skill([0.25] * 4, [True, False, False, False]) == pytest.approx(0.0)
    assert log_loss_skill([1.0, 0.0], [True, False]) == pytest.approx(1.0, abs=1e-4)
    assert log_loss_skill([0.9, 0.9, 0.9, 0.9], [True, False, False, False]) < 0


def test_a_certain_mistake_is_a_finite_loss():
    assert log_loss([0.0, 1.0], [True, False]) == pytest.approx(-math.log(1e-6))


def test_nothing_is_none():
    assert calibration_error([], []) is None
    assert log_loss([], []) is None and log_loss_skill([], []) is None
    assert log_loss_skill([0.5, 0.6], [True, True]) is None


@pytest.mark.parametrize("figure", [calibration_error, log_loss, log_loss_skill])
def test_what_is_no_probability_is_an_error_and_not_dropped(figure):
    for bad in (-0.1, 1.1, math.nan, math.inf):
        with pytest.raises(UsageError, match="expected from 0 to 1"):
            figure([0.5, bad], [True, False])
    with pytest.raises(UsageError, match="one label for each"):
        figure([0.5], [True, False])


# --- against the truth --------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [100, 400, 2_000])
def test_a_perfect_predictor_shows_its_null_value(count):
    found = [calibration_error(*perfect(count, seed), simulations=100) for seed in range(60)]
    mean = np.mean([each.error for each in found])
    assert mean == pytest.approx(np.mean([each.null for each in found]), rel=0.15)
    # far less than without the correction, and 95 % below the upper null value
    assert mean < 0.75 * np.mean([each.plain for each in found])
    assert np.mean([each.error <= each.null_high for each in found]) >= 0.85


def test_the_plain_null_of_a_hundred_labels_is_as_large_as_is_told():
    # reference/evaluation: 0.115 for 10 groups of equal width; of equal mass it is near that
    assert np.mean([calibration_error(*perfect(100, seed)).plain for seed in range(30)]) == pytest.approx(
        0.1, abs=0.02
    )


def test_a_wrong_calibration_is_seen_in_full():
    chances, flags = perfect(4_000, 1)
    found = calibration_error(chances * 0.5, flags)
    assert found.error == pytest.approx(0.25, abs=0.02)
    assert found.error > found.null_high


# --- laws ---------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(rows, st.data())
def test_no_figure_depends_on_the_order_and_all_stay_in_range(found, data):
    one, other = split(found), split(data.draw(st.permutations(found)))
    first, second = (calibration_error(*each, simulations=5) for each in (one, other))
    assert (first.error, first.plain, first.null) == pytest.approx((second.error, second.plain, second.null))
    assert 0 <= first.error <= first.plain <= 1 and 0 <= first.null <= first.null_high <= 1
    assert log_loss(*one) == pytest.approx(log_loss(*other))


@settings(max_examples=40)
@given(rows)
def test_the_loss_is_that_of_sklearn(found):
    chances, flags = split(found)
    clipped = np.clip(chances, 1e-6, 1 - 1e-6)
    assert log_loss(chances, flags) == pytest.approx(reference_loss(flags, clipped, labels=[False, True]))


def test_the_null_value_is_the_same_at_every_run():
    chances, flags = perfect(200, 3)
    assert calibration_error(chances, flags) == calibration_error(chances, flags)
    assert calibration_error(chances, flags).null != calibration_error(chances, flags, seed=1).null
