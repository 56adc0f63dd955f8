import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from hybrid.errors import UsageError
from hybrid.grounding.metrics import (
    auroc,
    average_precision,
    balanced_accuracy,
    choose_threshold,
    f1,
    tpr_at_fpr,
)

# few values, so that ties are common
levels = st.sampled_from([-2.0, -0.5, 0.0, 0.1, 3.0])
items = st.lists(st.tuples(levels, st.booleans()), min_size=1, max_size=16)
of_both = items.filter(lambda rows: 0 < sum(flag for _, flag in rows) < len(rows))
RANKED = (auroc, average_precision, tpr_at_fpr)


def split(rows):
    return [score for score, _ in rows], [flag for _, flag in rows]


# --- by hand ------------------------------------------------------------------------------------------------

# from the top: right, wrong, (right, wrong) tied, wrong, right
SCORES = [0.9, 0.8, 0.5, 0.5, 0.2, 0.1]
FLAGS = [True, False, True, False, False, True]


def test_the_ranked_figures_by_hand():
    # pairs won of 9: the first positive 3, the second 1 + a half, the third 0
    assert auroc(SCORES, FLAGS) == pytest.approx(4.5 / 9)
    # recall gained 1/3 at precision 1, 1/3 at 2/4 (the tie is taken whole), 1/3 at 3/6
    assert average_precision(SCORES, FLAGS) == pytest.approx((1 + 2 / 4 + 3 / 6) / 3)
    # without any negative only the first positive is found
    assert tpr_at_fpr(SCORES, FLAGS, 0.05) == pytest.approx(1 / 3)
    # one of three negatives
    assert tpr_at_fpr(SCORES, FLAGS, 1 / 3) == pytest.approx(1 / 3)
    # two of three: the tie as well
    assert tpr_at_fpr(SCORES, FLAGS, 2 / 3) == pytest.approx(2 / 3)


def test_the_decided_figures_by_hand():
    decided = [True, True, True, False, False, False]
    # 2 of 3 positives and 2 of 3 negatives are right
    assert balanced_accuracy(decided, FLAGS) == pytest.approx(2 / 3)
    assert f1(decided, FLAGS) == pytest.approx(2 * 2 / (3 + 3))
    assert f1([True] * 4, [True, False, False, False]) == pytest.approx(2 / 5)


@pytest.mark.parametrize(
    ("scores", "flags", "threshold"),
    [
        ([0.0, 1.0], [False, True], 0.5),
        # as good at 0.5 and at 2.5: the lower of two middles
        ([0.0, 1.0, 2.0, 3.0], [False, True, False, True], 2.5),
        # as good at 0.5, 2.5 and 4.5: the one in the middle
        ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [False, True, False, True, False, True], 2.5),
        # the wrong way round: as bad as taking all
        ([0.0, 1.0], [True, False], 0.0),
        # nothing can be told
        ([7.0, 7.0, 7.0], [True, False, True], 7.0),
        # nothing fits between
        ([1.0, math.nextafter(1.0, 2.0)], [False, True], math.nextafter(1.0, 2.0)),
        ([-1.7e308, 1.7e308], [False, True], 0.0),
    ],
)
def test_a_threshold_by_hand(scores, flags, threshold):
    assert choose_threshold(scores, flags) == threshold


def test_what_cannot_be_measured_is_none():
    for metric in RANKED:
        assert metric([], []) is None
    assert auroc([1.0], [True]) is None and auroc([1.0], [False]) is None
    assert average_precision([1.0], [False]) is None and average_precision([1.0], [True]) == 1.0
    assert tpr_at_fpr([1.0], [True]) is None and tpr_at_fpr([1.0], [False]) is None
    assert balanced_accuracy([True], [True]) is None and balanced_accuracy([], []) is None
    assert f1([False], [False]) is None and f1([False], [True]) == 0.0


@pytest.mark.parametrize("metric", [*RANKED, choose_threshold])
def test_what_makes_no_sense_is_an_error(metric):
    with pytest.raises(UsageError, match="one label for each score"):
        metric([1.0], [True, False])
    with pytest.raises(UsageError, match="score 1 of 2 is not a number"):
        metric([1.0, math.nan], [True, False])


@pytest.mark.parametrize("metric", [balanced_accuracy, f1])
def test_decisions_and_labels_are_as_many(metric):
    with pytest.raises(UsageError, match="one label for each"):
        metric([True], [True, False])


@pytest.mark.parametrize("flags", [[True, True], [False, False]])
def test_a_threshold_needs_both_kinds(flags):
    with pytest.raises(UsageError, match="all 2 labels are alike"):
        choose_threshold([1.0, 2.0], flags)


def test_infinite_scores_are_ranked():
    assert auroc([-math.inf, 0.0, math.inf], [False, False, True]) == 1.0


# --- against another implementation -------------------------------------------------------------------------


@given(of_both)
def test_the_ranked_figures_are_those_of_sklearn(rows):
    scores, flags = split(rows)
    assert auroc(scores, flags) == pytest.approx(reference.roc_auc_score(flags, scores))
    assert average_precision(scores, flags) == pytest.approx(reference.average_precision_score(flags, scores))
    false, true, _ = reference.roc_curve(flags, scores, drop_intermediate=False)
    for rate in (0.0, 0.05, 0.3, 1.0):
        assert tpr_at_fpr(scores, flags, rate) == pytest.approx(true[false <= rate + 1e-9].max())


@given(of_both, st.data())
def test_the_decided_figures_are_those_of_sklearn(rows, data):
    scores, flags = split(rows)
    decided = np.array(scores) >= data.draw(levels)
    assert balanced_accuracy(decided, flags) == pytest.approx(
        reference.balanced_accuracy_score(flags, decided)
    )
    assert f1(decided, flags) == pytest.approx(reference.f1_score(flags, decided))


# --- laws ---------------------------------------------------------------------------------------------------


@given(items, st.data())
def test_no_figure_depends_on_the_order_and_all_stay_in_range(rows, data):
    other = data.draw(st.permutations(rows))
    for metric in RANKED:
        value = metric(*split(rows))
        assert value is None or 0.0 <= value <= 1.0
        assert metric(*split(other)) == (None if value is None else pytest.approx(value))


@given(items)
def test_the_complement_turns_the_auroc_around(rows):
    scores, flags = split(rows)
    value = auroc(scores, flags)
    negated = [-score for score in scores]
    assert auroc(negated, flags) == (None if value is None else pytest.approx(1 - value))
    assert auroc(negated, [not flag for flag in flags]) == (None if value is None else pytest.approx(value))


@given(items)
def test_ranks_alone_count(rows):
    scores, flags = split(rows)
    for metric in RANKED:
        assert metric([math.exp(score) * 3 - 40 for score in scores], flags) == metric(scores, flags)


@given(of_both, st.data())
def test_no_threshold_is_better_than_the_chosen_one(rows, data):
    scores, flags = split(rows)
    chosen = choose_threshold(scores, flags)
    best = balanced_accuracy(np.array(scores) >= chosen, flags)
    for other in [*scores, *(score + 0.01 for score in scores)]:
        assert best >= balanced_accuracy(np.array(scores) >= other, flags) - 1e-12
    assert choose_threshold(*split(data.draw(st.permutations(rows)))) == chosen


@given(of_both)
def test_a_chosen_threshold_is_never_worse_than_chance(rows):
    scores, flags = split(rows)
    assert balanced_accuracy(np.array(scores) >= choose_threshold(scores, flags), flags) >= 0.5
