import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import brier_score_loss

from hybrid.confidence import (
    AbstentionScores,
    CurvePoint,
    abstention,
    aurc,
    brier,
    calibration_error,
    excess_aurc,
    reliability,
    risk_coverage,
)
from hybrid.errors import UsageError

# few values, so that ties are common
levels = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
answers = st.lists(st.tuples(levels, levels), min_size=1, max_size=12)


def split(rows):
    return [one for one, _ in rows], [other for _, other in rows]


def test_a_curve_by_hand():
    # sorted: .9 right, .8 wrong, .6 right, .6 wrong (a tie), .1 wrong
    sure, lost = [0.6, 0.9, 0.1, 0.8, 0.6], [0.0, 0.0, 1.0, 1.0, 1.0]
    assert risk_coverage(sure, lost) == [
        CurvePoint(0.2, 0.0, 0.9),
        CurvePoint(0.4, 0.5, 0.8),
        CurvePoint(0.8, 0.5, 0.6),
        CurvePoint(1.0, pytest.approx(0.6), 0.1),
    ]
    # risks at 1 … 5 kept: 0, 1/2, 1.5/3 (half of the tie), 2/4, 3/5
    area = (0 + 1 / 2 + 1.5 / 3 + 2 / 4 + 3 / 5) / 5
    assert aurc(sure, lost) == pytest.approx(area)
    # the best order has both right ones first: 0, 0, 1/3, 2/4, 3/5
    assert excess_aurc(sure, lost) == pytest.approx(area - (0 + 0 + 1 / 3 + 2 / 4 + 3 / 5) / 5)


def test_a_right_order_beats_a_wrong_one():
    assert aurc([0.9, 0.8, 0.2], [0, 0, 1]) < aurc([0.2, 0.8, 0.9], [0, 0, 1])
    assert excess_aurc([0.9, 0.8, 0.2], [0, 0, 1]) == 0.0
    assert excess_aurc([0.2, 0.8, 0.9], [0, 0, 1]) > 0.3


def test_minus_infinity_comes_last():
    assert aurc([-math.inf, 0.0], [1, 0]) == aurc([0.1, 0.9], [1, 0]) == 0.25


def test_nothing_is_none():
    assert aurc([], []) is None and excess_aurc([], []) is None
    assert brier([], []) is None and calibration_error([], []) is None
    assert risk_coverage([], []) == []


def test_brier_by_hand():
    # (0.9 − 1)² + (0.6 − 0)² + (0 − 0)², over 3
    assert brier([0.9, 0.6, 0.0], [1, 0, 0]) == pytest.approx((0.01 + 0.36) / 3)


@pytest.mark.slow
@given(st.lists(st.tuples(levels, st.integers(0, 1)), min_size=1, max_size=12))
def test_brier_is_that_of_sklearn(rows):
    sure, right = split(rows)
    assert brier(sure, right) == pytest.approx(brier_score_loss(right, sure, labels=[0, 1]))


def perfect(count, seed):
    generator = np.random.default_rng(seed)
    chances = generator.random(count)
    return chances, generator.random(count) < chances


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


@pytest.mark.slow
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


def test_the_null_value_is_the_same_at_every_run():
    chances, flags = perfect(200, 3)
    assert calibration_error(chances, flags) == calibration_error(chances, flags)
    assert calibration_error(chances, flags).null != calibration_error(chances, flags, seed=1).null


@pytest.mark.slow
@given(st.lists(st.tuples(levels, st.booleans()), min_size=1, max_size=30), st.data())
def test_the_calibration_error_depends_on_no_order_and_stays_in_range(rows, data):
    both = split(rows), split(data.draw(st.permutations(rows)))
    first, second = (calibration_error(*each, simulations=5) for each in both)
    assert (first.error, first.plain, first.null) == pytest.approx((second.error, second.plain, second.null))
    assert 0 <= first.error <= first.plain <= 1 and 0 <= first.null <= first.null_high <= 1


def test_scores_between_right_and_wrong_vary_by_what_they_are():
    # the mean of a group is half, whether all are half right or half of them are right
    sure = [0.8] * 10
    even, mixed = calibration_error(sure, [0.5] * 10), calibration_error(sure, [0.0, 1.0] * 5)
    assert even.plain == mixed.plain == pytest.approx(0.3)
    assert even.error == pytest.approx(0.3)
    assert mixed.error < 0.3


@pytest.mark.slow
@given(answers)
def test_the_plain_error_of_one_group_is_that_of_the_means(rows):
    sure, right = split(rows)
    expected = abs(np.mean(sure) - np.mean(right))
    assert calibration_error(sure, right, bins=1, simulations=1).plain == pytest.approx(expected)


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from([0.1, 0.5]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=6))
def test_the_area_is_the_mean_over_all_orders_of_ties(rows):
    areas = []
    for order in itertools.permutations(rows):
        if all(one[0] >= other[0] for one, other in itertools.pairwise(order)):
            losses = [loss for _, loss in order]
            areas.append(np.mean([np.mean(losses[: kept + 1]) for kept in range(len(losses))]))
    assert aurc(*split(rows)) == pytest.approx(np.mean(areas))


@pytest.mark.slow
@given(answers, st.data())
def test_no_figure_depends_on_the_order_and_all_stay_in_range(rows, data):
    other = data.draw(st.permutations(rows))
    for metric in (aurc, excess_aurc, brier):
        value = metric(*split(rows))
        assert 0.0 <= value <= 1.0
        assert metric(*split(other)) == pytest.approx(value)


@pytest.mark.slow
@given(answers)
def test_the_curve_ends_at_the_mean_loss_of_all(rows):
    sure, lost = split(rows)
    curve = risk_coverage(sure, lost)
    assert curve[-1].coverage == 1.0
    assert curve[-1].risk == pytest.approx(np.mean(lost))
    assert all(one.coverage < other.coverage for one, other in itertools.pairwise(curve))
    assert all(one.confidence > other.confidence for one, other in itertools.pairwise(curve))


@pytest.mark.slow
@given(answers)
def test_perfect_confidence_has_no_excess_and_no_brier(rows):
    _, lost = split(rows)
    assert excess_aurc([1 - loss for loss in lost], lost) == pytest.approx(0.0)
    assert brier([1 - loss for loss in lost], [1 - loss for loss in lost]) == 0.0


@pytest.mark.parametrize("metric", [brier, calibration_error])
@pytest.mark.parametrize("bad", [-0.1, 1.1, math.nan, math.inf])
def test_a_confidence_out_of_range_is_an_error_and_not_dropped(metric, bad):
    with pytest.raises(UsageError, match="confidence of"):
        metric([0.5, bad], [1, 1])


@pytest.mark.parametrize("metric", [brier, calibration_error, aurc, excess_aurc, risk_coverage])
def test_lists_of_different_lengths_are_an_error(metric):
    with pytest.raises(UsageError):
        metric([0.5], [])


def test_a_nan_cannot_be_ranked():
    with pytest.raises(UsageError):
        aurc([math.nan], [0])
    with pytest.raises(UsageError):
        aurc([0.5], [math.nan])


def test_abstention_by_hand():
    answerable = [True, True, True, True, False, False]
    abstained = [True, False, False, False, True, True]
    assert abstention(answerable, abstained) == AbstentionScores(0.25, 1.0, 2 / 3)
    assert abstention(answerable, [False] * 6) == AbstentionScores(0.0, 0.0, None)
    assert abstention([True], [True]) == AbstentionScores(1.0, None, 0.0)
    assert abstention([], []) == AbstentionScores(None, None, None)


@pytest.mark.slow
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=60))
def test_the_reliability_table_is_that_of_the_calibration_error(rows):
    sure, right = split(rows)
    table = reliability(sure, right)
    assert sum(one.items for one in table) == len(rows)
    gaps = [one.items * abs(one.score - one.confidence) for one in table]
    assert sum(gaps) / len(rows) == pytest.approx(calibration_error(sure, right).plain, abs=1e-9)
    assert [one.confidence for one in table] == sorted(one.confidence for one in table)


def test_nothing_has_no_reliability():
    assert reliability([], []) == ()
