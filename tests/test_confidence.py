import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score

from hybrid.confidence import (
    AbstentionScores,
    CurvePoint,
    abstention,
    augrc,
    aurc,
    brier,
    calibration_error,
    excess_aurc,
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


def test_the_generalised_area_by_hand():
    # cumulated losses over 4: 0, 0, 1/4, 1/4, 2/4 at coverages 0, 1/4, … 1, joined by straight lines
    assert augrc([0.9, 0.8, 0.7, 0.6], [0, 1, 0, 1]) == pytest.approx((0 + 0.125 + 0.25 + 0.375) / 4)


@given(st.lists(st.tuples(levels, st.integers(0, 1)), min_size=2, max_size=12))
def test_the_generalised_area_is_that_of_the_auroc(rows):
    sure, lost = split(rows)
    error = sum(lost) / len(lost)
    ranked = 0.5 if error in (0, 1) else roc_auc_score([1 - loss for loss in lost], sure)
    assert augrc(sure, lost) == pytest.approx((1 - ranked) * error * (1 - error) + error**2 / 2)


def test_a_right_order_beats_a_wrong_one():
    assert aurc([0.9, 0.8, 0.2], [0, 0, 1]) < aurc([0.2, 0.8, 0.9], [0, 0, 1])
    assert excess_aurc([0.9, 0.8, 0.2], [0, 0, 1]) == 0.0
    assert excess_aurc([0.2, 0.8, 0.9], [0, 0, 1]) > 0.3


def test_minus_infinity_comes_last():
    assert aurc([-math.inf, 0.0], [1, 0]) == aurc([0.1, 0.9], [1, 0]) == 0.25


def test_nothing_is_none():
    assert aurc([], []) is None and augrc([], []) is None and excess_aurc([], []) is None
    assert brier([], []) is None and calibration_error([], []) is None
    assert risk_coverage([], []) == []


def test_brier_by_hand():
    # (0.9 − 1)² + (0.6 − 0)² + (0 − 0)², over 3
    assert brier([0.9, 0.6, 0.0], [1, 0, 0]) == pytest.approx((0.01 + 0.36) / 3)


@given(st.lists(st.tuples(levels, st.integers(0, 1)), min_size=1, max_size=12))
def test_brier_is_that_of_sklearn(rows):
    sure, right = split(rows)
    assert brier(sure, right) == pytest.approx(brier_score_loss(right, sure, labels=[0, 1]))


def test_calibration_error_by_hand():
    # two bins of two: (1.0, 0.8) with scores (1, 0): |.5 − .9|; (0.2, 0.0) with (0, 1): |.5 − .1|
    assert calibration_error([0.0, 1.0, 0.2, 0.8], [1, 1, 0, 0], bins=2) == pytest.approx(0.4)
    # one bin: |2/4 − 2/4|
    assert calibration_error([0.0, 1.0, 0.2, 0.8], [1, 1, 0, 0], bins=1) == pytest.approx(0.0)
    # more bins than items: each by itself, also the confidence of 0
    assert calibration_error([0.0, 1.0], [1, 1], bins=10) == pytest.approx(0.5)
    assert calibration_error([0.0], [1]) == 1.0
    # equal confidences are one group, however they are cut
    assert calibration_error([0.5] * 4, [1, 1, 0, 0], bins=4) == pytest.approx(0.0)


@given(answers)
def test_calibration_with_as_many_bins_as_items_is_that_of_the_groups(rows):
    sure, right = split(rows)
    groups = {level: [score for other, score in rows if other == level] for level in sure}
    expected = sum(len(g) * abs(np.mean(g) - level) for level, g in groups.items()) / len(rows)
    assert calibration_error(sure, right, bins=len(rows)) == pytest.approx(expected)


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.5]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=6))
def test_the_area_is_the_mean_over_all_orders_of_ties(rows):
    areas = []
    for order in itertools.permutations(rows):
        if all(one[0] >= other[0] for one, other in itertools.pairwise(order)):
            losses = [loss for _, loss in order]
            areas.append(np.mean([np.mean(losses[: kept + 1]) for kept in range(len(losses))]))
    assert aurc(*split(rows)) == pytest.approx(np.mean(areas))


@given(answers, st.data())
def test_no_figure_depends_on_the_order_and_all_stay_in_range(rows, data):
    other = data.draw(st.permutations(rows))
    for metric in (aurc, augrc, excess_aurc, brier, calibration_error):
        value = metric(*split(rows))
        assert 0.0 <= value <= 1.0
        assert metric(*split(other)) == pytest.approx(value)


@given(answers)
def test_the_curve_ends_at_the_mean_loss_of_all(rows):
    sure, lost = split(rows)
    curve = risk_coverage(sure, lost)
    assert curve[-1].coverage == 1.0
    assert curve[-1].risk == pytest.approx(np.mean(lost))
    assert all(one.coverage < other.coverage for one, other in itertools.pairwise(curve))
    assert all(one.confidence > other.confidence for one, other in itertools.pairwise(curve))


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


@pytest.mark.parametrize("metric", [brier, calibration_error, aurc, augrc, excess_aurc, risk_coverage])
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
