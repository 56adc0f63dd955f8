import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import special
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from hybrid.errors import UsageError
from hybrid.grounding.calibration import (
    UNCALIBRATED,
    Calibration,
    CurveKind,
    Knot,
    cross_fitted,
    fit_calibration,
    grouped_folds,
    method_for,
)

logits = st.floats(allow_nan=False, allow_infinity=False, width=32)
labelled = st.lists(st.tuples(logits, st.booleans()), min_size=10, max_size=40).filter(
    lambda rows: 0 < sum(flag for _, flag in rows) < len(rows)
)


def drawn(count, *, slope=2.0, shift=-1.0, seed=0):
    """Return logits and labels whose true probability is the sigmoid of slope · logit + shift."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=count)
    return values, generator.random(count) < special.expit(slope * values + shift)


def smoothed(flags):
    above, below = sum(flags), len(flags) - sum(flags)
    return np.where(flags, (above + 1) / (above + 2), 1 / (below + 2))


def cross_entropy(targets, chances):
    return -np.mean(targets * np.log(chances) + (1 - targets) * np.log(1 - chances))


# --- which kind ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "method"),
    [
        (10, CurveKind.TEMPERATURE),
        (49, CurveKind.TEMPERATURE),
        (50, CurveKind.PLATT),
        (500, CurveKind.PLATT),
        (501, CurveKind.ISOTONIC),
    ],
)
def test_the_number_of_labels_decides_and_is_told(count, method):
    values, flags = drawn(count)
    fitted = fit_calibration(values, flags)
    assert method_for(count) == fitted.method == method
    assert fitted.labels == count


# --- from a curve that is known -----------------------------------------------------------------------------

_KNOWN = Calibration(CurveKind.PLATT, 1.5, -0.5, labels=5_000)


def test_few_labels_move_a_known_curve_little_and_many_do_not_feel_it():
    for count, most in ((20, 0.7), (20_000, 1.01)):
        values, flags = drawn(count, slope=3.0, shift=2.0)
        free = fit_calibration(values, flags, method=CurveKind.PLATT)
        held = fit_calibration(values, flags, prior=_KNOWN, method=CurveKind.PLATT)
        for own, alone, known in (
            (held.slope, free.slope, _KNOWN.slope),
            (held.intercept, free.intercept, _KNOWN.intercept),
        ):
            assert 0 < abs(own - known) < most * abs(alone - known)
            if count > 1_000:
                assert own == pytest.approx(alone, rel=0.02)


def test_where_logits_mean_nothing_the_base_rate_still_starts_from_the_known_one():
    values, flags = np.linspace(4.0, -4.0, 40), np.arange(40) >= 10
    held = fit_calibration(values, flags, prior=_KNOWN)
    assert held.slope == 0.0
    assert _KNOWN.intercept < held.intercept < special.logit(30 / 40)


def test_a_known_curve_makes_few_labels_enough_for_a_sigmoid():
    values, flags = drawn(20)
    assert fit_calibration(values, flags).method is CurveKind.TEMPERATURE
    assert fit_calibration(values, flags, prior=_KNOWN).method is CurveKind.PLATT


def test_after_few_labels_it_is_nearer_to_the_truth_than_labels_alone():
    truth = Calibration(CurveKind.PLATT, 1.2, 0.0)
    places = np.linspace(-3, 3, 61)
    errors = np.zeros(2)
    for seed in range(40):
        values, flags = drawn(40, slope=1.2, shift=0.0, seed=seed)
        for number, prior in enumerate((UNCALIBRATED, _KNOWN)):
            fitted = fit_calibration(values, flags, method=CurveKind.PLATT, prior=prior)
            errors[number] += np.abs(fitted.probabilities(places) - truth.probabilities(places)).mean()
    assert errors[1] < 0.8 * errors[0]


@pytest.mark.parametrize(
    "prior", [Calibration(CurveKind.TEMPERATURE, 9.0), Calibration(CurveKind.PLATT, 0.0)]
)
def test_another_kind_of_curve_is_no_start(prior):
    values, flags = drawn(100)
    assert fit_calibration(values, flags, prior=prior) == fit_calibration(values, flags)


# --- against the truth and other implementations ------------------------------------------------------------


@pytest.mark.parametrize("method", [CurveKind.PLATT, CurveKind.ISOTONIC])
def test_the_truth_is_found(method):
    values, flags = drawn(20_000)
    fitted = fit_calibration(values, flags, method=method)
    places = np.linspace(-1.5, 1.5, 7)
    assert fitted.probabilities(places) == pytest.approx(special.expit(2 * places - 1), abs=0.05)


def test_a_temperature_finds_a_slope_alone():
    values, flags = drawn(20_000, slope=0.4, shift=0.0)
    fitted = fit_calibration(values, flags, method=CurveKind.TEMPERATURE)
    assert (fitted.slope, fitted.intercept) == (pytest.approx(0.4, abs=0.04), 0.0)


def test_platt_is_the_logistic_regression_of_sklearn_on_his_targets():
    values, flags = drawn(200)
    targets = smoothed(flags)
    design = np.concatenate([values, values])[:, None]
    kinds = np.repeat([1, 0], len(values))
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(
        design, kinds, sample_weight=np.concatenate([targets, 1 - targets])
    )
    fitted = fit_calibration(values, flags)
    assert fitted.slope == pytest.approx(reference.coef_[0, 0], rel=1e-4)
    assert fitted.intercept == pytest.approx(reference.intercept_[0], rel=1e-4)


@pytest.mark.slow
@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.sampled_from([-3.0, -1.0, 0.0, 0.5, 2.0]), st.booleans()), min_size=10, max_size=30)
)
def test_isotonic_is_that_of_sklearn_on_the_same_targets(rows):
    values, flags = [value for value, _ in rows], [flag for _, flag in rows]
    assume(len(set(flags)) == 2)
    fitted = fit_calibration(values, flags, method=CurveKind.ISOTONIC)
    reference = IsotonicRegression(out_of_bounds="clip").fit(values, smoothed(flags))
    places = np.linspace(-4, 3, 29)
    assert fitted.probabilities(places) == pytest.approx(reference.predict(places))


def test_isotonic_by_hand():
    # targets 11/12 and 1/12; the three in the middle are out of order and pooled
    values = [0.0, 1.0, 2.0, 3.0, 4.0] * 4
    flags = [False, True, False, False, True] * 2 + [False, False, False, True, True] * 2
    low, high = 1 / (12 + 2), (8 + 1) / (8 + 2)
    fitted = fit_calibration(values, flags, method=CurveKind.ISOTONIC)
    pooled = (4 * high + 8 * low) / 12
    assert fitted.knots[0] == Knot(0.0, pytest.approx(low))
    assert fitted.knots[-1] == Knot(4.0, pytest.approx(high))
    # 1: 2 of 4; 2: 0 of 4; 3: 2 of 4 → 1 and 2 are pooled, 3 stays
    assert fitted.probabilities([1.0, 2.0]) == pytest.approx([(2 * high + 6 * low) / 8] * 2)
    assert fitted.probabilities([3.0, 3.5]) == pytest.approx(
        [(high + low) / 2, ((high + low) / 2 + high) / 2]
    )
    assert pooled < fitted.probabilities([3.0])[0]


# --- what is hard -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [CurveKind.TEMPERATURE, CurveKind.PLATT, CurveKind.ISOTONIC])
def test_labels_that_a_threshold_separates_give_no_certainty(method):
    values = np.arange(-20.0, 20.0)
    fitted = fit_calibration(values, values >= 0, method=method)
    chances = fitted.probabilities([-20.0, -0.5, 19.0])
    assert 0.0 < chances[0] < 0.1 < 0.9 < chances[2] < 1.0


@pytest.mark.parametrize("method", [CurveKind.TEMPERATURE, CurveKind.PLATT, CurveKind.ISOTONIC])
def test_a_scorer_that_points_the_wrong_way_is_worth_nothing(method):
    values, flags = drawn(100, slope=-3.0, shift=0.0)
    chances = fit_calibration(values, flags, method=method).probabilities([-3.0, 0.0, 3.0])
    assert chances == pytest.approx([chances[0]] * 3)
    assert chances[0] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("method", [CurveKind.TEMPERATURE, CurveKind.PLATT, CurveKind.ISOTONIC])
def test_logits_that_are_all_alike_say_nothing(method):
    flags = [True] * 30 + [False] * 10
    chance = fit_calibration([7.0] * 40, flags, method=method).probabilities([7.0])[0]
    assert chance == pytest.approx(
        0.5 if method is CurveKind.TEMPERATURE else smoothed(flags).mean(), abs=0.3
    )


def test_one_absurd_logit_does_not_break_the_rest():
    values, flags = drawn(200)
    values[0] = 1e300
    chances = fit_calibration(values, flags).probabilities([-1e308, -2.0, 2.0, 1e308, math.inf, -math.inf])
    assert np.isfinite(chances).all()
    assert (np.diff(chances[:4]) >= 0).all()


@pytest.mark.parametrize(
    ("values", "flags", "message"),
    [
        ([0.0] * 9, [True, False, True] * 3, "9 labels are too few"),
        ([], [], "0 labels are too few"),
        ([0.0] * 12, [True] * 12, "all 12 labels say supported"),
        ([0.0] * 12, [False] * 12, "all 12 labels say unsupported"),
        ([0.0] * 11 + [math.nan], [True, False] * 6, "1 of 12 logits are not finite"),
        ([math.inf] * 12, [True, False] * 6, "12 of 12 logits are not finite"),
        ([0.0] * 12, [True, False], "12 logits and 2 labels"),
    ],
)
def test_what_cannot_be_calibrated_says_why(values, flags, message):
    with pytest.raises(UsageError, match=message):
        fit_calibration(values, flags)


def test_a_logit_that_is_not_a_number_has_no_probability():
    with pytest.raises(UsageError, match="not a number"):
        UNCALIBRATED.probabilities([0.0, math.nan])


# --- laws ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=60)
@given(
    labelled, st.sampled_from([CurveKind.TEMPERATURE, CurveKind.PLATT, CurveKind.ISOTONIC]), st.lists(logits)
)
def test_probabilities_never_fall_and_stay_in_range(rows, method, places):
    fitted = fit_calibration([value for value, _ in rows], [flag for _, flag in rows], method=method)
    chances = fitted.probabilities(sorted(places))
    assert ((chances >= 0) & (chances <= 1)).all()
    assert (np.diff(chances) >= 0).all()


@pytest.mark.slow
@settings(max_examples=60)
@given(labelled)
def test_no_other_sigmoid_fits_better(rows):
    values, flags = np.clip([value for value, _ in rows], -50, 50), [flag for _, flag in rows]
    targets = smoothed(flags)
    fitted = fit_calibration(values, flags, method=CurveKind.PLATT)
    best = cross_entropy(targets, fitted.probabilities(values).clip(1e-300, 1 - 1e-16))
    for slope, intercept in ((0.0, special.logit(targets.mean())), (1.0, 0.0), (0.1, -0.5), (5.0, 1.0)):
        other = special.expit(slope * values + intercept).clip(1e-300, 1 - 1e-16)
        assert best <= cross_entropy(targets, other) + 1e-6


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        ((CurveKind.PLATT, -1.0), "never fall|slope from 0"),
        ((CurveKind.PLATT, math.nan), "this is no platt calibration"),
        ((CurveKind.ISOTONIC, 1.0), "this is no isotonic calibration"),
        ((CurveKind.ISOTONIC, 1.0, 0.0, (Knot(0.0, 0.5), Knot(1.0, 0.4))), "never fall"),
    ],
)
def test_numbers_that_are_no_curve_are_refused(curve, message):
    with pytest.raises(UsageError, match=message):
        Calibration(*curve)


# --- cross-fitting ------------------------------------------------------------------------------------------


def test_no_label_of_a_source_reaches_its_own_probabilities():
    values, flags = drawn(120)
    sources = [str(place // 4) for place in range(120)]
    before = cross_fitted(values, flags, sources)
    # turn the labels of one source around: its probabilities stay, others move
    turned = flags.copy()
    turned[8:12] = ~turned[8:12]
    folds = 30  # each source alone
    one = cross_fitted(values, flags, sources, folds=folds)
    other = cross_fitted(values, turned, sources, folds=folds)
    assert one[8:12] == pytest.approx(other[8:12], abs=1e-12)
    assert (np.abs(np.delete(one - other, slice(8, 12))) > 1e-12).all()
    assert ((before > 0) & (before < 1)).all()


def test_cross_fitting_needs_two_sources():
    values, flags = drawn(40)
    with pytest.raises(UsageError, match="cannot be parted"):
        cross_fitted(values, flags, ["a"] * 40)


@pytest.mark.slow
def test_a_calibration_is_read_with_numpy_alone():
    code = (
        "import sys, hybrid.grounding.calibration as c; "
        "c.Calibration(c.CurveKind.PLATT, 2.0).probabilities([0.5]); "
        "heavy = {'scipy', 'sklearn', 'torch', 'pydantic'} & set(sys.modules); "
        "rooms = {m for m in sys.modules if m.startswith('hybrid.')} - "
        "{'hybrid.errors', 'hybrid.grounding', 'hybrid.grounding.calibration'}; "
        "print(sorted(heavy | rooms))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


rows = st.lists(st.tuples(st.booleans(), st.sampled_from("abcdefg")), min_size=2, max_size=30).filter(
    lambda found: len({source for _, source in found}) > 1
)


def split(found):
    return [flag for flag, _ in found], [source for _, source in found]


@pytest.mark.slow
@given(rows)
def test_no_source_is_parted_and_no_fold_is_empty(found):
    flags, sources = split(found)
    folds = grouped_folds(flags, sources, folds=3)
    assert all(len(set(folds[[s == name for s in sources]])) == 1 for name in sources)
    assert set(folds) == set(range(min(3, len(set(sources)))))


def test_folds_are_alike_in_size_and_labels():
    flags = [place % 3 == 0 for place in range(300)]
    sources = [f"{place // 5}" for place in range(300)]
    folds = grouped_folds(flags, sources)
    sizes = np.bincount(folds)
    shares = np.bincount(folds, weights=flags) / sizes
    assert sizes.max() - sizes.min() <= 10
    assert shares.max() - shares.min() < 0.05


def test_a_seed_deals_otherwise_and_always_alike():
    flags, sources = [True, False] * 20, [str(place) for place in range(40)]
    first = grouped_folds(flags, sources, seed=1)
    assert (first == grouped_folds(flags, sources, seed=1)).all()
    assert (first != grouped_folds(flags, sources, seed=2)).any()


@pytest.mark.parametrize("count", [0, 1, 4])
def test_one_source_cannot_be_parted(count):
    with pytest.raises(UsageError, match="cannot be parted"):
        grouped_folds([True] * count, ["a"] * count)


def test_every_example_has_a_source():
    with pytest.raises(UsageError, match="a source for each"):
        grouped_folds([True, False], ["a"])
