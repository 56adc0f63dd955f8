import dataclasses
import math

import numpy as np
import pytest
from sklearn import metrics as reference

from hybrid.errors import UsageError
from hybrid.grounding.calibration import UNCALIBRATED, Calibration, CurveKind, Fitted, Knot
from hybrid.grounding.examples import Label, LabelledClaim
from hybrid.grounding.measure import Dimension, FittedOn, evaluate
from hybrid.grounding.metrics import WORD_OVERLAP, ScorerLogits

FEW = 60


def of(found, name):
    (result,) = [each for each in found.results if each.name == name]
    return result


@pytest.mark.slow
def test_the_figures_are_those_of_the_metrics(labelled, scored):
    claims = labelled(300)
    scores = scored(claims, "good", 2.0)
    fitted = Fitted(Calibration(CurveKind.PLATT, 2.0, -1.0), threshold=0.8)
    found = evaluate(claims, [scores], name="set", fitted={"good": fitted}, replicates=FEW)
    labels = np.array([claim.supported for claim in claims])
    figures = of(found, "good").overall
    assert (found.name, found.n, found.sources) == ("set", 300, 40)
    assert figures.supported == pytest.approx(labels.mean())
    assert figures.auroc.value == pytest.approx(reference.roc_auc_score(labels, scores.logits))
    assert figures.auroc.low < figures.auroc.value < figures.auroc.high
    decided = scores.logits >= 0.8
    assert figures.balanced_accuracy == reference.balanced_accuracy_score(labels, decided)
    # what is found is what is not supported
    assert figures.f1 == reference.f1_score(~labels, ~decided)
    assert figures.average_precision == reference.average_precision_score(~labels, -scores.logits)
    chances = fitted.calibration.probabilities(scores.logits)
    assert figures.brier == pytest.approx(np.mean((chances - labels) ** 2))
    # the last point of the curve is the error rate
    assert figures.risks[-1].coverage == 1.0
    assert figures.risks[-1].risk == pytest.approx(np.mean(decided != labels))
    assert len(figures.risks) == 10


# from the top: right, wrong, (right, wrong) tied, wrong, right
SCORES = [0.9, 0.8, 0.5, 0.5, 0.2, 0.1]
FLAGS = [True, False, True, False, False, True]
# a scorer whose logits are probabilities
PLAIN = Calibration(CurveKind.ISOTONIC, knots=(Knot(0.0, 0.0), Knot(1.0, 1.0)))


def figures(scores, flags):
    claims = [
        LabelledClaim(str(place), "It is so.", ("It is.",), Label.SUPPORTED if flag else Label.REFUTED)
        for place, flag in enumerate(flags)
    ]
    logits = ScorerLogits("by hand", np.array(scores))
    found = evaluate(claims, [logits], fitted={"by hand": Fitted(PLAIN, 0.5)}, replicates=FEW)
    return of(found, "by hand").overall


def test_the_figures_by_hand():
    found = figures(SCORES, FLAGS)
    # pairs won of 9: the first positive 3, the second 1 + a half, the third 0
    assert found.auroc.value == pytest.approx(4.5 / 9)
    # from below: 1/3 at 1/2, at 2/4 and at 3/5
    assert found.average_precision == pytest.approx((1 / 2 + 2 / 4 + 3 / 5) / 3)
    # taken for supported are four, two of them rightly
    assert found.f1 == pytest.approx(2 * 1 / (2 + 3))
    assert found.balanced_accuracy == pytest.approx((2 / 3 + 1 / 3) / 2)


@pytest.mark.slow
def test_every_part_is_measured_with_what_it_is_told_apart_by(labelled, scored):
    claims = labelled(300)
    result = of(evaluate(claims, [scored(claims, "good", 2.0)], replicates=FEW), "good")
    names = {dimension: [part.name for part in result.by(dimension)] for dimension in Dimension}
    assert names == {
        Dimension.TASK: ["qa", "summary"],
        Dimension.DOMAIN: ["law", "news"],
        Dimension.CONTRAST: ["not in evidence", "refuted"],
        Dimension.KIND: ["appended", "number"],
    }
    supported = sum(claim.supported for claim in claims)
    assert sum(part.figures.n for part in result.by(Dimension.TASK)) == 300
    # supported claims are on one side of every contrast
    assert sum(part.figures.n for part in result.by(Dimension.CONTRAST)) == 300 + supported


@pytest.mark.slow
def test_a_good_scorer_gains_over_words_and_a_bad_one_does_not(labelled, scored):
    claims = labelled(600, sources=120)
    found = evaluate(
        claims, [scored(claims, "good", 2.0), scored(claims, "bad", 0.0, seed=1)], replicates=FEW
    )
    assert of(found, "good").gain.low > 0.2
    assert of(found, "bad").gain.low < 0 < of(found, "bad").gain.high
    assert of(found, WORD_OVERLAP).gain.value == 0.0
    assert [each.floor for each in found.results] == [False] * 2 + [True]


@pytest.mark.slow
def test_without_other_data_no_source_is_judged_by_its_own_labels(labelled):
    claims = labelled(200)
    # the logit is the source: all that is known is whose label it is
    places = np.array([float(claim.source[1:]) for claim in claims])
    labelled_by_source = [
        dataclasses.replace(each, label=Label.UNSUPPORTED if int(each.source[1:]) % 2 else Label.SUPPORTED)
        for each in claims
    ]
    result = of(evaluate(labelled_by_source, [ScorerLogits("source", places)], replicates=FEW), "source")
    assert result.fitted_on is FittedOn.OTHER_SOURCES
    assert result.overall.balanced_accuracy < 0.7


@pytest.mark.slow
def test_what_cannot_be_fitted_is_taken_at_its_word(labelled, scored):
    claims = [dataclasses.replace(claim, source="one") for claim in labelled(30)]
    scores = scored(claims, "good", 1.0)
    result = of(evaluate(claims, [scores], replicates=FEW), "good")
    assert result.fitted_on is FittedOn.NOTHING
    labels = [claim.supported for claim in claims]
    assert result.overall.balanced_accuracy == reference.balanced_accuracy_score(labels, scores.logits >= 0)
    assert result.overall.brier == pytest.approx(
        np.mean((UNCALIBRATED.probabilities(scores.logits) - labels) ** 2)
    )
    assert result.overall.auroc.low is None


@pytest.mark.slow
def test_labels_of_one_kind_have_no_auroc_and_no_nan(labelled, scored):
    claims = [dataclasses.replace(claim, label=Label.SUPPORTED, kind="") for claim in labelled(40)]
    found = evaluate(claims, [scored(claims, "good", 1.0)], replicates=FEW)
    result = of(found, "good")
    assert (result.overall.auroc, result.gain, result.overall.balanced_accuracy) == (None, None, None)
    numbers = [each for each in dataclasses.astuple(result.overall)[:14] if isinstance(each, float)]
    assert numbers and all(map(math.isfinite, numbers))


@pytest.mark.slow
def test_a_claim_without_a_source_is_a_source(labelled, scored, without_labels):
    claims = [dataclasses.replace(claim, source="") for claim in without_labels(labelled(60))]
    found = evaluate(claims, [scored(claims, "good", 1.0)], replicates=FEW)
    assert found.sources == 60
    assert of(found, "good").parts == ()


@pytest.mark.slow
def test_a_rerun_is_the_same(labelled, scored):
    claims = labelled(100)
    one, other = (evaluate(claims, [scored(claims, "good", 1.0)], replicates=FEW).results for _ in range(2))
    assert one == other


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([ScorerLogits("a", np.zeros(3))], "a gave 3 logits for 30 claims"),
        ([ScorerLogits("a", np.full(30, np.nan))], "expected a finite one"),
        ([ScorerLogits("a", np.zeros(30)), ScorerLogits("a", np.zeros(30))], "several scorers are called a"),
        ([ScorerLogits(WORD_OVERLAP, np.zeros(30))], "several scorers are called word overlap"),
    ],
)
def test_scores_that_do_not_fit_are_an_error(labelled, scores, message):
    with pytest.raises(UsageError, match=message):
        evaluate(labelled(30), scores, replicates=FEW)


def test_no_claims_are_an_error():
    with pytest.raises(UsageError, match="no labelled claims"):
        evaluate([], [])
