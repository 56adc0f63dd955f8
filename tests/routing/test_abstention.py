"""Abstention with a guarantee: the threshold and its promise."""

import dataclasses
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hybrid.errors import UsageError
from hybrid.routing.abstention import Graded, Risk, certify, choose


def rows(scores, right):
    """One question a source."""
    return [
        Graded(score, bool(good), f"s{number}")
        for number, (score, good) in enumerate(zip(scores, right, strict=True))
    ]


def drawn(generator, sources, *, most=4, share=0.85):
    """Questions that are alike within a source; the higher the score, the more often right."""
    items = []
    for source in range(sources):
        ease = generator.normal(0, 0.15)
        for _ in range(int(generator.integers(1, most + 1))):
            score = float(generator.random())
            chance = min(max(share * (0.5 + 0.6 * score) + ease, 0.0), 1.0)
            items.append(Graded(score, bool(generator.random() < chance), f"s{source}"))
    return items


_RATES = st.floats(0.02, 0.6)
_ITEMS = st.lists(
    st.tuples(st.integers(0, 10_000), st.booleans(), st.integers(0, 80)),
    max_size=120,
    unique_by=lambda one: one[0],
).map(lambda found: [Graded(score / 10_000, right, f"s{source}") for score, right, source in found])


def test_as_many_sources_as_it_takes_and_one_less():
    assert certify(rows(np.linspace(0.1, 1, 45), [True] * 45), alpha=0.05).threshold == pytest.approx(0.1)
    short = certify(rows(np.linspace(0.1, 1, 44), [True] * 44), alpha=0.05)
    assert (short.threshold, short.bound, short.answered, short.needed, short.given) == (
        None,
        None,
        0,
        45,
        44,
    )
    assert "it takes 45 answers of different sources without a mistake, and there are 44" in short.sentence


def test_questions_of_one_source_count_once():
    items = [Graded(0.5 + number / 1_000, True, f"s{number % 10}") for number in range(200)]
    found = certify(items, alpha=0.05)
    assert (found.units, found.threshold) == (10, None)


def test_what_was_not_given_is_no_answer():
    items = [*rows(np.linspace(0, 1, 60), [True] * 60), *(Graded(None, False, f"n{n}") for n in range(60))]
    found = certify(items, alpha=0.05)
    assert (found.units, found.given, found.answered) == (120, 60, 0.5)


def test_equal_scores_are_answered_together():
    items = rows([0.9] * 60 + [0.5] * 60, [True] * 60 + [False] * 60)
    found = certify(items, alpha=0.05)
    assert (found.threshold, found.answered) == (0.9, 0.5)


def test_the_share_of_all_questions_by_hand():
    # with 19 sources without a mistake the conformal bound is 1/20
    fine = certify(rows(np.linspace(0, 1, 19), [True] * 19), alpha=0.05, risk=Risk.ALL)
    assert (fine.threshold, fine.answered, fine.bound) == (0.0, 1.0, pytest.approx(0.05))
    assert certify(rows(np.linspace(0, 1, 18), [True] * 18), alpha=0.05, risk=Risk.ALL).threshold is None
    # 39 sources, the lowest three wrong: one of them may be answered
    some = certify(rows(range(39), [False] * 3 + [True] * 36), alpha=0.05, risk=Risk.ALL)
    assert (some.threshold, some.bound) == (2, pytest.approx(2 / 40))


@pytest.mark.slow
@given(_ITEMS, _RATES, st.sampled_from(Risk), st.randoms())
def test_the_order_of_the_items_changes_nothing(items, alpha, risk, random):
    other = list(items)
    random.shuffle(other)
    assert certify(other, alpha=alpha, risk=risk) == certify(items, alpha=alpha, risk=risk)


@pytest.mark.slow
@given(_ITEMS, _RATES, st.sampled_from(Risk), st.integers(0, 200))
def test_one_more_mistake_never_lets_more_be_answered(items, alpha, risk, place):
    assume(items)
    worse = list(items)
    worse[place % len(items)] = dataclasses.replace(worse[place % len(items)], right=False)
    assert certify(worse, alpha=alpha, risk=risk).answered <= certify(items, alpha=alpha, risk=risk).answered


@pytest.mark.slow
@given(_ITEMS, _RATES, _RATES, st.sampled_from(Risk))
def test_a_looser_risk_never_lets_less_be_answered(items, one, other, risk):
    strict, loose = sorted((one, other))
    assert certify(items, alpha=strict, risk=risk).answered <= certify(items, alpha=loose, risk=risk).answered


@pytest.mark.slow
@given(_ITEMS, _RATES, st.sampled_from(Risk))
def test_the_bound_that_was_reached_is_within_the_risk(items, alpha, risk):
    found = certify(items, alpha=alpha, risk=risk)
    assert (found.bound is None) == (found.threshold is None)
    assert (found.bound or 0.0) <= alpha + 1e-9


@pytest.mark.slow
@given(_ITEMS, _RATES, st.floats(0.5, 3), st.sampled_from(Risk))
def test_only_the_order_of_the_scores_counts(items, alpha, power, risk):
    bent = [dataclasses.replace(item, score=(1 + item.score) ** power) for item in items]
    assert certify(bent, alpha=alpha, risk=risk).answered == certify(items, alpha=alpha, risk=risk).answered


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.15, 0.25])
def test_the_bound_holds_as_often_as_it_says(alpha):
    generator = np.random.default_rng(7)
    risk = _risk(drawn(generator, 20_000, share=0.95))
    bounds = [
        certify(drawn(generator, 120, share=0.95), alpha=alpha, delta=0.1, seed=seed) for seed in range(400)
    ]
    found = [bound.threshold for bound in bounds if bound.threshold is not None]
    assert len(found) > 100
    assert sum(risk(one) > alpha for one in found) / 400 <= 0.1 + 2 * math.sqrt(0.1 * 0.9 / 400)


@pytest.mark.slow
def test_the_mean_share_of_wrong_answers_holds():
    generator = np.random.default_rng(8)
    shares = []
    for seed in range(400):
        bound = certify(drawn(generator, 60), alpha=0.1, risk=Risk.ALL, seed=seed)
        fresh = drawn(generator, 20)
        assert bound.threshold is not None
        shares.append(np.mean([not one.right and one.score >= bound.threshold for one in fresh]))
    assert 0.05 < np.mean(shares) <= 0.1 + 2 * np.std(shares) / 20


def _risk(items):
    """Return by threshold the chance that an answer to a question drawn from a random source is wrong."""
    sizes = Counter(item.source for item in items)
    weights = np.array([1 / sizes[item.source] for item in items])
    scores, right = np.array([item.score for item in items]), np.array([item.right for item in items])

    def risk(threshold):
        kept = weights * (scores >= threshold)
        return (kept * ~right).sum() / kept.sum()

    return risk


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_threshold_is_that_of_mapie():
    control = pytest.importorskip("mapie.risk_control", reason="the oracle, of the extra [test]")
    wrong_if_answered = control.BinaryRisk(
        risk_occurrence=lambda truth, answered: (truth == 0).ravel(),
        risk_condition=lambda truth, answered: answered.ravel() == 1,
        higher_is_better=False,
    )
    shares = []
    for seed in range(30):
        generator = np.random.default_rng(seed)
        items = [
            Graded(score, bool(generator.random() < 0.55 + 0.45 * score), f"s{number}")
            for number, score in enumerate(generator.permutation(150) / 150)
        ]
        scores, right = np.array([i.score for i in items]), np.array([i.right for i in items])
        ours = certify(items, alpha=0.2, delta=0.1)
        walked = np.sort(scores)[::-1][49:]  # a third of them, and then one after the other
        wrong = [np.mean(~right[scores >= one]) for one in walked]
        if np.mean(np.diff(wrong)) <= 0:
            continue  # MAPIE walks the other way there
        controller = control.BinaryClassificationController(
            lambda x: np.column_stack([1 - x[:, 0], x[:, 0]]),
            risk=wrong_if_answered,
            target_level=0.2,
            confidence_level=0.9,
            best_predict_param_choice="recall",
            list_predict_params=walked,
            fwer_method="fixed_sequence",
        ).calibrate(scores[:, None], right.astype(int))
        valid = controller.valid_predict_params
        # where n times the mean of the mistakes is not exact, it counts one more
        theirs = np.mean(scores >= min(valid)) if len(valid) else 0.0
        assert theirs <= ours.answered
        shares.append((ours.answered, theirs))
    assert len(shares) > 20
    assert sum(ours == theirs for ours, theirs in shares) >= 0.8 * len(shares)
    assert sum(theirs for _, theirs in shares) >= 0.9 * sum(ours for ours, _ in shares) > 0


def test_the_score_that_ranks_is_chosen_on_other_sources():
    generator = np.random.default_rng(3)
    good, noise = [], []
    for number in range(300):
        score = float(generator.random())
        right = bool(generator.random() < 0.6 + 0.4 * score)
        good.append(Graded(score, right, f"s{number}"))
        noise.append(Graded(float(generator.random()), right, f"s{number}"))
    name, bound = choose({"noise": noise, "good": good}, alpha=0.15)
    assert (name, bound.units) == ("good", 150)
    assert bound.threshold is not None
    assert choose({"good": good}, alpha=0.15)[1].units == 300
    with pytest.raises(UsageError, match="no score"):
        choose({}, alpha=0.1)


@pytest.mark.parametrize(("alpha", "delta"), [(0, 0.1), (1, 0.1), (0.1, 0), (0.1, 1), (math.nan, 0.1)])
def test_a_number_out_of_range_is_refused(alpha, delta):
    with pytest.raises(UsageError, match="between 0 and 1") as error:
        certify([], alpha=alpha, delta=delta)
    assert error.value.exit_code == 2


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(UsageError, match="not finite"):
        certify([Graded(math.nan, True, "a")], alpha=0.1)
