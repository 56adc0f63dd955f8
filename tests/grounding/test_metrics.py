import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from hybrid.errors import UsageError
from hybrid.grounding.metrics import choose_threshold, resampled_aurocs
from hybrid.statistics import Estimate, source_places, source_weights

# few values, so that ties are common
levels = st.sampled_from([-2.0, -0.5, 0.0, 0.1, 3.0])
items = st.lists(st.tuples(levels, st.booleans()), min_size=1, max_size=16)
of_both = items.filter(lambda rows: 0 < sum(flag for _, flag in rows) < len(rows))


def split(rows):
    return [score for score, _ in rows], [flag for _, flag in rows]


# --- by hand ------------------------------------------------------------------------------------------------


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


def test_what_makes_no_sense_is_an_error():
    with pytest.raises(UsageError, match="one label for each score"):
        choose_threshold([1.0], [True, False])
    with pytest.raises(UsageError, match="score 1 of 2 is not a number"):
        choose_threshold([1.0, math.nan], [True, False])


@pytest.mark.parametrize("flags", [[True, True], [False, False]])
def test_a_threshold_needs_both_kinds(flags):
    with pytest.raises(UsageError, match="all 2 labels are alike"):
        choose_threshold([1.0, 2.0], flags)


# --- laws ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@given(of_both, st.data())
def test_no_threshold_is_better_than_the_chosen_one(rows, data):
    scores, flags = split(rows)
    chosen = choose_threshold(scores, flags)
    best = balanced_accuracy_score(flags, np.array(scores) >= chosen)
    for other in [*scores, *(score + 0.01 for score in scores)]:
        assert best >= balanced_accuracy_score(flags, np.array(scores) >= other) - 1e-12
    assert choose_threshold(*split(data.draw(st.permutations(rows)))) == chosen


@pytest.mark.slow
@given(of_both)
def test_a_chosen_threshold_is_never_worse_than_chance(rows):
    scores, flags = split(rows)
    assert balanced_accuracy_score(flags, np.array(scores) >= choose_threshold(scores, flags)) >= 0.5


def drawn(count, sources, *, seed=0, digits=1, reach=(1.0, 0.3)):
    """Return scores of two scorers, labels and sources; few digits make ties."""
    generator = np.random.default_rng(seed)
    flags = generator.random(count) < 0.4
    scores = generator.normal(size=(len(reach), count)) + flags * np.array(reach)[:, None]
    names = [f"s{place}" for place in generator.integers(sources, size=count)]
    return np.round(scores, digits), flags, names


def test_values_draws_and_jackknife_are_those_of_the_items_themselves():
    scores, flags, names = drawn(60, 12)
    found = resampled_aurocs(scores, flags, names, replicates=40)
    assert found.values == pytest.approx([roc_auc_score(flags, row) for row in scores])
    weights = np.concatenate(list(source_weights(len(set(names)), replicates=40, seed=0)))
    places = source_places(names)
    for replicate in (0, 7, 39):
        items = np.repeat(np.arange(60), weights[replicate][places].astype(int))
        assert found.drawn[replicate] == pytest.approx(
            [roc_auc_score(flags[items], row[items]) for row in scores]
        )
    without = [
        [roc_auc_score(flags[places != place], row[places != place]) for row in scores] for place in range(12)
    ]
    assert found.pulls[0] == pytest.approx(np.mean(without, axis=0) - without)


def test_the_interval_holds_the_value_and_a_difference_is_paired():
    scores, flags, names = drawn(400, 80, reach=(1.0, 1.0))
    scores[1] = scores[0] + np.random.default_rng(5).normal(size=400) * 0.1
    found = resampled_aurocs(scores, flags, names)
    one, other, gap = (found.interval(by) for by in ([1, 0], [0, 1], [1, -1]))
    for each in (one, other, gap):
        assert each.low < each.value < each.high
    assert gap.value == pytest.approx(one.value - other.value)
    # the same sources for both: far tighter than either
    assert gap.high - gap.low < 0.5 * (one.high - one.low)


def test_a_scorer_differs_from_itself_by_nothing():
    scores, flags, names = drawn(200, 50)
    gap = resampled_aurocs(scores[[0, 0]], flags, names).interval([1, -1])
    assert gap.value == 0.0 and gap.low < 0 < gap.high


def test_sources_that_move_together_widen_the_interval():
    generator = np.random.default_rng(2)
    flags = np.repeat(generator.random(60) < 0.5, 8)
    scores = np.repeat(generator.normal(size=60), 8) + flags
    together = resampled_aurocs([scores], flags, [str(place // 8) for place in range(480)]).interval([1])
    alone = resampled_aurocs([scores], flags, [str(place) for place in range(480)]).interval([1])
    assert together.high - together.low > 2 * (alone.high - alone.low)


@pytest.mark.parametrize("sources", [2, 5, 200])
def test_a_perfect_scorer_is_not_certain(sources):
    flags = np.arange(200) % 2 == 0
    found = resampled_aurocs([flags * 1.0], flags, [str(place % sources) for place in range(200)]).interval(
        [1]
    )
    assert found.value == found.high == 1.0
    assert 0.0 <= found.low < 1.0


def test_one_source_has_no_interval():
    found = resampled_aurocs([[1.0, 0.0, 2.0]], [True, False, True], ["a"] * 3)
    assert found.interval([1]) == Estimate(1.0)


def test_labels_of_one_kind_have_no_auroc():
    assert resampled_aurocs([[1.0, 2.0]], [True, True], ["a", "b"]) is None
    assert resampled_aurocs([[]], [], []) is None


def test_sources_of_one_label_each_leave_draws_without_one():
    found = resampled_aurocs([[1.0, 0.0]], [True, False], ["a", "b"], replicates=50)
    assert (found.drawn == 1.0).all() and len(found.drawn) == 50


def test_the_same_seed_gives_the_same_interval():
    table = drawn(200, 40)
    one, other, third = (resampled_aurocs(*table, seed=seed).interval([1, 0]) for seed in (0, 0, 1))
    assert one == other != third


def test_a_score_that_is_not_a_number_is_an_error():
    with pytest.raises(UsageError, match="not a number"):
        resampled_aurocs([[np.nan, 1.0]], [True, False], ["a", "b"])


@pytest.mark.slow
def test_the_interval_covers_the_truth():
    # two normals one apart: the true AUROC is Phi(1 / sqrt(2))
    truth, inside = 0.7602, 0
    for seed in range(300):
        scores, flags, names = drawn(150, 50, seed=seed, digits=6)
        found = resampled_aurocs(scores[:1], flags, names, replicates=400, seed=seed).interval([1])
        inside += found.low <= truth <= found.high
    assert 0.92 <= inside / 300 <= 0.98


@pytest.mark.slow
def test_two_thousand_draws_of_four_thousand_items_take_less_than_three_seconds():
    table = drawn(4_000, 1_500)
    begun = time.process_time()
    resampled_aurocs(*table, replicates=2_000)
    assert time.process_time() - begun < 3.0
