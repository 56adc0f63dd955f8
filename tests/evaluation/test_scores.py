"""Few judgements of people and many automatic scores: no bias, and narrower where the judge is good."""

import math

import numpy as np
import pytest

from hybrid.errors import UsageError
from hybrid.evaluation.scores import MIN_GOLD, power_weight, powered
from hybrid.statistics import resample

QUESTIONS, JUDGED = 400, 100


def judged_domain(generator, *, agreement, sources=120):
    """Draw what people would say of every question, what the judge says, and which rows people saw."""
    belongs = np.concatenate([np.arange(sources), generator.integers(sources, size=QUESTIONS - sources)])
    right = generator.random(QUESTIONS) < np.clip(0.6 + 0.2 * generator.normal(size=sources)[belongs], 0, 1)
    # the judge is lenient: it errs to the good side more often
    automatic = np.where(generator.random(QUESTIONS) < agreement, right, generator.random(QUESTIONS) < 0.8)
    rows = generator.choice(QUESTIONS, size=JUDGED, replace=False)
    return (
        right.astype(float)[:, None],
        automatic.astype(float)[:, None],
        rows,
        [f"s{one}" for one in belongs],
    )


def mean_of(resampling):
    return resampling.contrast([1.0])


def both_means(generator, *, agreement, replicates=300, seed=0):
    """Return the truth of the domain, and the mean of gold alone and the prediction-powered one."""
    gold, automatic, rows, sources = judged_domain(generator, agreement=agreement)
    classical = resample(gold[rows], [sources[row] for row in rows], replicates=replicates, seed=seed)
    joined = powered(automatic, gold[rows], rows, sources, replicates=replicates, seed=seed)
    return gold.mean(), mean_of(classical), mean_of(joined)


@pytest.mark.slow
@pytest.mark.parametrize("agreement", [0.0, 0.5, 0.95])
def test_the_mean_is_unbiased_and_never_much_wider_than_that_of_gold_alone(agreement):
    generator = np.random.default_rng(3)
    draws = [both_means(generator, agreement=agreement, replicates=10) for _ in range(300)]
    errors = [joined.estimate - truth for truth, _, joined in draws]
    assert np.mean(errors) == pytest.approx(0, abs=3 * np.std(errors) / math.sqrt(300))
    widths = [joined.standard_error / classical.standard_error for _, classical, joined in draws]
    assert np.mean(widths) < 1.02
    # what the judge alone says is far off
    biased = judged_domain(np.random.default_rng(4), agreement=agreement)
    assert agreement > 0.9 or biased[1].mean() - biased[0].mean() > 0.04


def test_a_good_judge_narrows_the_interval_by_a_third():
    generator = np.random.default_rng(5)
    ratios = []
    for draw in range(20):
        _, classical, joined = both_means(generator, agreement=0.95, replicates=1_000, seed=draw)
        ratios.append(
            (joined.bound(0.95) - joined.bound(0.05)) / (classical.bound(0.95) - classical.bound(0.05))
        )
    assert np.mean(ratios) < 0.67


@pytest.mark.slow
def test_the_interval_covers():
    generator = np.random.default_rng(6)
    # questions are drawn too: the truth is the share that they come from
    truth = np.clip(0.6 + 0.2 * generator.normal(size=1_000_000), 0, 1).mean()
    draws, held = 300, 0
    for draw in range(draws):
        _, _, joined = both_means(generator, agreement=0.8, replicates=500, seed=draw)
        held += joined.bound(0.05) <= truth <= joined.bound(0.95)
    assert held / draws == pytest.approx(0.9, abs=3 * math.sqrt(0.9 * 0.1 / draws))


def test_a_constant_judge_has_no_weight_and_leaves_the_mean_of_gold():
    gold = np.random.default_rng(0).random((60, 1))
    assert power_weight(gold[:, 0], np.ones(60)) == 0
    joined = powered(
        np.ones((200, 1)), gold, range(60), [str(row) for row in range(200)], replicates=10, seed=0
    )
    assert mean_of(joined).estimate == pytest.approx(gold.mean())


def test_a_judge_that_is_always_right_has_all_the_weight_and_gives_the_mean_of_all():
    right = np.random.default_rng(0).integers(2, size=200).astype(float)
    assert power_weight(right[:60], right[:60]) == pytest.approx(1)
    joined = powered(
        right[:, None], right[:60, None], range(60), [str(row) for row in range(200)], replicates=10, seed=0
    )
    assert mean_of(joined).estimate == pytest.approx(right.mean())


def test_a_judge_that_is_always_wrong_is_left_out():
    right = np.random.default_rng(0).integers(2, size=60).astype(float)
    assert power_weight(right, 1 - right) == 0


@pytest.mark.slow
def test_the_weight_has_the_least_error():
    generator = np.random.default_rng(8)
    gold, automatic, rows, _ = judged_domain(generator, agreement=0.6)
    chosen = power_weight(gold[rows, 0], automatic[rows, 0])
    assert 0.1 < chosen < 0.9
    errors = {}
    for weight in (chosen - 0.25, chosen, chosen + 0.25):
        found = []
        for _ in range(3_000):
            seen = generator.choice(QUESTIONS, size=JUDGED, replace=False)
            found.append(weight * automatic.mean() + (gold[seen] - weight * automatic[seen]).mean())
        errors[weight] = np.std(found)
    assert min(errors, key=errors.__getitem__) == chosen


def test_when_people_judged_everything_the_judge_changes_nothing():
    generator = np.random.default_rng(9)
    gold, automatic, _, sources = judged_domain(generator, agreement=0.7)
    joined = mean_of(powered(automatic, gold, range(QUESTIONS), sources, replicates=10, seed=0))
    classical = mean_of(resample(gold, sources, replicates=10, seed=0))
    assert joined.estimate == pytest.approx(classical.estimate)
    assert joined.standard_error == pytest.approx(classical.standard_error)


def test_a_handful_of_judgements_is_refused_with_what_to_do():
    few = MIN_GOLD - 1
    with pytest.raises(UsageError, match=f"{few} gold judgements, at least {MIN_GOLD}") as caught:
        powered(np.ones((200, 1)), np.ones((few, 1)), range(few), ["s"] * 200, replicates=10, seed=0)
    assert "at random" in caught.value.hint
