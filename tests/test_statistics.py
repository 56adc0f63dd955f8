"""Estimates, intervals and tests: against hand counts, other libraries, and simulations with known truth."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from hybrid.statistics import (
    decimal,
    detectable_effect,
    holm,
    least_sources,
    questions_for,
    resample,
    source_weights,
)

UNEQUAL = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.5]])
OF_UNEQUAL = ("a", "b", "b", "b")


def contrast_of(differences, sources=None, *, replicates=1_000, seed=0):
    """Return the mean of differences as a contrast; every one its own source unless told otherwise."""
    column = np.asarray(differences, dtype=float)[:, None]
    names = sources if sources is not None else [f"{place:05d}" for place in range(len(column))]
    return resample(column, [str(name) for name in names], replicates=replicates, seed=seed).contrast([1.0])


def clustered(generator, *, sources, size, together):
    """Draw wins, ties and losses of two equal arms; ``together`` is how often a source moves as one."""
    belongs = np.repeat(np.arange(sources), size)
    shared = generator.normal(size=sources)[belongs] * math.sqrt(together)
    own = generator.normal(size=sources * size) * math.sqrt(1 - together)
    return np.where(shared + own > 1, 1.0, np.where(shared + own < -1, -1.0, 0.0)), belongs


# --- by hand --------------------------------------------------------------------------------------------


def test_means_are_over_questions_and_the_jackknife_leaves_out_whole_sources():
    resampling = resample(UNEQUAL, OF_UNEQUAL, replicates=10, seed=0)
    assert resampling.sources == 2
    assert resampling.means == pytest.approx([3 / 4, 1.5 / 4])
    assert resampling.jackknife == pytest.approx(np.array([[2 / 3, 1.5 / 3], [1.0, 0.0]]))


def test_a_bootstrap_replicate_draws_whole_sources():
    resampling = resample(UNEQUAL, OF_UNEQUAL, replicates=500, seed=0)
    # a twice, b twice, or one of each: nothing between
    possible = {(1.0, 0.0), (round(2 / 3, 9), 0.5), (0.75, 0.375)}
    assert {tuple(np.round(row, 9).tolist()) for row in resampling.bootstrap} == possible


def test_as_many_sources_are_drawn_as_there_are_and_the_width_of_blocks_changes_no_draw():
    together = np.concatenate(list(source_weights(7, replicates=50, seed=3)))
    apart = list(source_weights(7, replicates=50, seed=3, width=500_000))
    assert together.shape == (50, 7) and len(apart) == 7
    assert (together.sum(axis=1) == 7).all() and (together == np.concatenate(apart)).all()
    assert (together != np.concatenate(list(source_weights(7, replicates=50, seed=4)))).any()


def test_the_standard_error_is_that_of_the_jackknife_plus_one_undecided_unit():
    contrast = resample(UNEQUAL, OF_UNEQUAL, replicates=10, seed=0).contrast([1.0, 0.0])
    # without either source the mean is 2/3 or 1, and 4 questions of sources of 1 and 3 are worth 16 / 10
    variance = ((2 / 3 - 3 / 4) ** 2 + (1 - 3 / 4) ** 2) / 2 + 1 / 3.6**2
    assert contrast.standard_error == pytest.approx(math.sqrt(variance))
    assert contrast.effective == pytest.approx(1.6)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


# --- against other implementations ----------------------------------------------------------------------


def test_the_interval_is_that_of_scipy_at_the_widened_level():
    values = np.random.default_rng(1).gamma(1.5, size=40)
    contrast = contrast_of(values, replicates=20_000)
    for level in (0.025, 0.05, 0.2):
        widened = special.ndtr(math.sqrt(40 / 39) * special.stdtrit(39, level))
        theirs = stats.bootstrap(
            (values,),
            np.mean,
            n_resamples=20_000,
            confidence_level=1 - 2 * widened,
            method="BCa",
            rng=np.random.default_rng(2),
        ).confidence_interval
        # three Monte Carlo errors of a quantile in the tail, in standard errors of the mean
        tolerance = 0.06 * values.std() / math.sqrt(40)
        assert contrast.bound(level, rare=False) == pytest.approx(theirs.low, abs=tolerance)
        assert contrast.bound(1 - level, rare=False) == pytest.approx(theirs.high, abs=tolerance)


def test_the_sign_flip_test_is_its_enumeration():
    values = np.array([0.3, 0.1, -0.2, 0.4, 0.25, 0.05])
    sums = [values @ signs for signs in itertools.product((-1, 1), repeat=len(values))]
    above = np.mean([total >= values.sum() - 1e-9 for total in sums])
    beyond = np.mean([abs(total) >= abs(values.sum()) - 1e-9 for total in sums])
    # drawn, and all of them
    contrast, whole = contrast_of(values, replicates=63), contrast_of(values, replicates=64)
    assert whole.flip_p() == pytest.approx(above)
    assert whole.flip_p(two_sided=True) == pytest.approx(beyond)
    assert contrast.flip_p() == pytest.approx(above, abs=0.15)
    contrast = whole
    assert contrast.flip_p(two_sided=True) == pytest.approx(beyond, abs=0.006)
    shifted = [(values - 0.1) @ signs for signs in itertools.product((-1, 1), repeat=len(values))]
    exact = np.mean([total >= (values - 0.1).sum() - 1e-9 for total in shifted])
    assert contrast.flip_p(0.1) == pytest.approx(exact, abs=0.006)


def test_equal_sums_of_the_sign_flip_test_count_in_spite_of_rounding():
    # 0.1 + 0.2 - 0.3 is not 0 in floating point; 5 of 8 sums are at least 0
    assert contrast_of([0.1, 0.2, -0.3], replicates=20_000).flip_p() == pytest.approx(5 / 8, abs=0.015)


def test_without_any_loss_the_bound_is_wilsons():
    level, count = 0.05, 120
    reach = special.stdtrit(count - 1, level) ** 2
    assert contrast_of([0.0] * count).bound(level) == pytest.approx(-reach / (count + reach))
    assert contrast_of([1.0] * count).bound(level) == pytest.approx(count / (count + reach))


def test_the_p_value_and_the_bound_of_rare_losses_are_one_test():
    contrast = contrast_of([0.0] * 150 + [1.0] * 2 + [-1.0] * 4)
    for level in (0.01, 0.05, 0.2):
        low = contrast.bound(level)
        assert stats.t.cdf((low - contrast.estimate) / contrast.error_at(low), 155) == pytest.approx(level)


def test_the_p_value_inverts_the_bound():
    values = np.random.default_rng(3).gamma(2.0, size=60) - 1.4
    contrast = contrast_of(values, replicates=20_000)
    for level in (0.02, 0.05, 0.2):
        # the sign-flip test may be more cautious, never less
        assert level * 0.9 <= contrast.p_above(contrast.bound(level)) <= level * 1.5


# --- formulas -------------------------------------------------------------------------------------------


def test_the_detectable_effect_is_the_sum_of_two_quantiles():
    quantiles = stats.t.ppf(0.95, 39) + stats.t.ppf(0.8, 39)
    assert detectable_effect(0.03, sources=40, level=0.05) == pytest.approx(quantiles * 0.03)
    many = detectable_effect(0.03, sources=100_000, level=0.05)
    assert many == pytest.approx((1.645 + 0.842) * 0.03, abs=1e-4)
    assert detectable_effect(0.03, sources=1, level=0.05) > many


def test_as_many_sources_are_needed_as_have_one_chance_in_twenty_to_be_all_alike():
    assert [least_sources(level) for level in (0.5, 0.1, 0.05, 1 / 32)] == [1, 4, 5, 5]
    assert least_sources(0.05, claims=3) == 6
    won = [contrast_of([1.0] * count).p_above(0.01) for count in (4, 5)]
    assert won[1] <= 0.05 < won[0]


def test_further_questions_follow_from_the_square_root():
    assert questions_for(0.05, 0.03, questions=100, level=0.05) == pytest.approx(
        100 * ((1.64485 + 0.84162) * 0.03 / 0.05) ** 2, rel=1e-4
    )
    assert questions_for(0.0, 0.03, questions=100, level=0.05) == math.inf
    assert questions_for(-0.1, 0.03, questions=100, level=0.05) == math.inf


def power_at(effect, count, *, spread, level, draws):
    """Return how often a true effect is shown on that many questions."""
    generator = np.random.default_rng(5)
    lost, won = (spread**2 + effect**2 - effect) / 2, (spread**2 + effect**2 + effect) / 2
    shown = 0
    for draw in range(draws):
        values = generator.choice([-1.0, 0.0, 1.0], size=count, p=[lost, 1 - lost - won, won])
        shown += contrast_of(values, replicates=500, seed=draw).p_above(0.0) <= level
    return shown / draws


@pytest.mark.slow
def test_the_power_is_that_of_the_formulas():
    effect, spread, level, draws = 0.12, 0.5, 0.05, 800
    count = round(questions_for(effect, spread / 10, questions=100, level=level))
    # three Monte Carlo errors, and a little for three tests that must agree
    near = 3 * math.sqrt(0.8 * 0.2 / draws) + 0.03
    assert power_at(effect, count, spread=spread, level=level, draws=draws) == pytest.approx(0.8, abs=near)
    assert power_at(effect, count // 4, spread=spread, level=level, draws=200) < 0.5
    seen = detectable_effect(spread / math.sqrt(90), sources=90, level=level)
    assert power_at(seen, 90, spread=spread, level=level, draws=draws) == pytest.approx(0.8, abs=near)


# --- simulations under the null -------------------------------------------------------------------------


def coverage(*, by_source, draws=400, level=0.025):
    """Return how often the interval for two equal arms holds 0, on questions of 40 sources."""
    generator = np.random.default_rng(11)
    held = 0
    for draw in range(draws):
        values, belongs = clustered(generator, sources=40, size=5, together=0.6)
        contrast = contrast_of(values, belongs if by_source else None, replicates=600, seed=draw)
        held += contrast.bound(level) <= 0 <= contrast.bound(1 - level)
    return held / draws


@pytest.mark.slow
def test_the_interval_of_clustered_questions_covers_95_percent():
    assert coverage(by_source=True) == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / 400))


@pytest.mark.slow
def test_resampling_question_by_question_covers_too_little():
    assert coverage(by_source=False) < 0.95 - 6 * math.sqrt(0.95 * 0.05 / 400)


# wins, losses: the truth is at the margin of 2 points, or arms are equal
@pytest.mark.slow
@pytest.mark.parametrize("count", [13, 25, 60, 160])
@pytest.mark.parametrize(
    ("value", "lost", "won"),
    [
        (-0.02, 0.02, 0.00),
        (-0.02, 0.03, 0.01),
        (-0.02, 0.07, 0.05),
        (-0.02, 0.17, 0.15),
        (0.0, 0.03, 0.03),
        (0.0, 0.1, 0.1),
    ],
)
def test_claims_hold_their_level_also_where_arms_seldom_differ(value, lost, won, count):
    generator = np.random.default_rng(17)
    draws = 250
    found = []
    for draw in range(draws):
        values = generator.choice([-1.0, 0.0, 1.0], size=count, p=[lost, 1 - lost - won, won])
        found.append(contrast_of(values, replicates=500, seed=draw).p_above(value))
    for level in (0.05, 0.01):
        limit = stats.binom.ppf(0.999, draws, level * 1.1) / draws
        assert np.mean(np.array(found) <= level) <= limit


def test_no_loss_in_a_few_questions_does_not_show_that_losses_are_rare():
    # 81 questions without a loss are seen in every fifth domain that loses 2 in 100
    assert pytest.approx(0.195, abs=0.001) == 0.98**81
    assert contrast_of([0.0] * 81).p_above(-0.02) > 0.05
    assert contrast_of([0.0] * 300).p_above(-0.02) < 0.01


# --- laws -----------------------------------------------------------------------------------------------


@st.composite
def columns(draw):
    """Draw scores of three arms from 0 to 1, and the source of every question."""
    count = draw(st.integers(1, 30))
    score = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1, allow_subnormal=False))
    values = draw(st.lists(st.tuples(score, score, score), min_size=count, max_size=count))
    sources = draw(st.lists(st.integers(0, 25), min_size=count, max_size=count))
    return np.array(values), [f"s{source:02d}" for source in sources]


@pytest.mark.slow
@given(columns(), st.randoms(use_true_random=False))
def test_the_order_of_questions_and_the_names_of_sources_mean_nothing(table, random):
    values, sources = table
    order = random.sample(range(len(values)), len(values))
    one = resample(values, sources, replicates=100, seed=0).contrast([1, -1, 0])
    other = resample(
        values[order], [f"document-{sources[row]}" for row in order], replicates=100, seed=0
    ).contrast([1, -1, 0])
    for level in (0.05, 0.95):
        assert other.bound(level) == pytest.approx(one.bound(level), abs=1e-9)
    assert other.p_above(-0.02) == pytest.approx(one.p_above(-0.02), abs=1e-9)


@pytest.mark.slow
@given(columns())
def test_swapping_two_arms_turns_the_signs(table):
    values, sources = table
    resampling = resample(values, sources, replicates=100, seed=0)
    one, other = resampling.contrast([1, -1, 0]), resampling.contrast([-1, 1, 0])
    assert one.estimate == pytest.approx(-other.estimate)
    assert one.bound(0.05) == pytest.approx(-other.bound(0.95), abs=1e-9)
    assert one.flip_p(two_sided=True) == pytest.approx(other.flip_p(two_sided=True), abs=1e-9)


@pytest.mark.slow
@given(columns(), st.floats(0, 1))
def test_a_question_that_all_arms_answer_alike_turns_no_sign(table, score):
    values, sources = table
    longer = np.vstack([values, np.full((1, 3), score)])
    before = resample(values, sources, replicates=10, seed=0).contrast([1, -1, 0]).estimate
    after = resample(longer, [*sources, "new"], replicates=10, seed=0).contrast([1, -1, 0]).estimate
    assert after == pytest.approx(before * len(values) / len(longer), abs=1e-12)


@pytest.mark.slow
@given(columns())
def test_two_arms_that_are_the_same_differ_by_0_within_an_interval_of_some_width(table):
    values, sources = table
    contrast = resample(values[:, [0, 0]], sources, replicates=100, seed=0).contrast([1, -1])
    assert contrast.estimate == 0
    assert contrast.bound(0.05) < 0 < contrast.bound(0.95)
    assert contrast.flip_p(two_sided=True) == 1


@pytest.mark.slow
@given(columns(), st.sampled_from([(1, -1, 0), (1, 0, 0), (0, -1, 1)]), st.floats(0.001, 0.499))
def test_everything_is_a_number_and_the_interval_is_in_order(table, weights, level):
    values, sources = table
    contrast = resample(values, sources, replicates=100, seed=0).contrast(weights)
    low, high = contrast.bound(level), contrast.bound(1 - level)
    assert -1 <= low <= high <= 1
    assert contrast.standard_error > 0
    for value in (-0.02, 0.0, 0.3):
        assert 0 < contrast.p_above(value) <= 1


@pytest.mark.slow
@given(columns())
def test_a_larger_value_is_harder_to_exceed(table):
    values, sources = table
    contrast = resample(values, sources, replicates=200, seed=0).contrast([1, -1, 0])
    assert contrast.flip_p(-0.5) <= contrast.flip_p(0.5)
    assert contrast.p_above(-0.5) <= contrast.p_above(0.5) + 1e-9
    assert contrast.bound(0.01) <= contrast.bound(0.1)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_between_the_plain_and_the_bonferroni_value_and_keeps_the_order(found):
    adjusted = holm(found)
    for plain, corrected in zip(found, adjusted, strict=True):
        assert plain <= corrected <= min(1.0, plain * len(found)) + 1e-12
    order = np.argsort(found, kind="stable")
    assert np.all(np.diff(np.array(adjusted)[order]) >= 0)


def test_the_same_seed_is_the_same_resampling_and_another_one_is_not():
    values = np.random.default_rng(0).random((50, 2))
    sources = [str(place % 17) for place in range(50)]
    first, same, other = (resample(values, sources, replicates=50, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.bootstrap, same.bootstrap)
    assert np.array_equal(first.flips, same.flips)
    assert not np.array_equal(first.bootstrap, other.bootstrap)


@pytest.mark.slow
def test_many_sources_are_resampled_in_blocks_without_a_seam():
    count = 5_000
    values = np.random.default_rng(0).random((count, 1))
    resampling = resample(values, [str(place) for place in range(count)], replicates=2_000, seed=0)
    spread = values.std() / math.sqrt(count)
    assert resampling.bootstrap.std() == pytest.approx(spread, rel=0.1)
    assert resampling.bootstrap.mean() == pytest.approx(values.mean(), abs=spread / 10)
    assert resampling.flips[:, 1].std() == pytest.approx(math.sqrt(count), rel=0.1)


@given(st.floats(-1e6, 1e6), st.integers(0, 4), st.booleans())
def test_a_number_reads_as_it_is_and_has_a_sign_only_where_it_is_not_zero(value, digits, signed):
    text = decimal(value, digits, signed=signed)
    read = float(text.replace("\u2212", "-").replace(",", ""))
    assert read == float(f"{value:.{digits}f}")
    assert text[0] == ("\u2212" if read < 0 else "+" if read > 0 and signed else text[0])
    assert text[0].isdigit() or read
