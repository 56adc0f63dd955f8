import time

import numpy as np
import pytest

from hybrid.errors import UsageError
from hybrid.grounding.metrics import auroc, mean_over, resampled_aurocs
from hybrid.statistics import Estimate, source_places, source_weights


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
    assert found.values == pytest.approx([auroc(row, flags) for row in scores])
    weights = np.concatenate(list(source_weights(len(set(names)), replicates=40, seed=0)))
    places = source_places(names)
    for replicate in (0, 7, 39):
        items = np.repeat(np.arange(60), weights[replicate][places].astype(int))
        assert found.drawn[replicate] == pytest.approx([auroc(row[items], flags[items]) for row in scores])
    without = [[auroc(row[places != place], flags[places != place]) for row in scores] for place in range(12)]
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


def test_the_mean_over_sets_counts_them_alike():
    parts = [
        resampled_aurocs(*drawn(count, 40, seed=seed), seed=seed) for seed, count in enumerate((100, 1_000))
    ]
    mean = mean_over(parts)
    assert mean.values == pytest.approx((parts[0].values + parts[1].values) / 2)
    wide, tight, both = (each.interval([1, 0]) for each in (*parts, mean))
    expected = np.hypot(wide.high - wide.low, tight.high - tight.low) / 2
    assert both.high - both.low == pytest.approx(expected, rel=0.2)


def test_a_mean_over_few_sources_in_each_set_still_has_an_interval():
    parts = [resampled_aurocs(*drawn(30, 3, seed=seed), seed=seed) for seed in range(3)]
    found = mean_over(parts).interval([1, -1])
    assert -1 <= found.low < found.value < found.high <= 1


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


def test_two_thousand_draws_of_four_thousand_items_take_less_than_three_seconds():
    table = drawn(4_000, 1_500)
    begun = time.process_time()
    resampled_aurocs(*table, replicates=2_000)
    assert time.process_time() - begun < 3.0
