"""Classifiers of tokens by name."""

import numpy as np
import pytest

from hybrid.errors import ModelError, ModelMissing, UsageError
from hybrid.grounding.evidence import cut_pair
from hybrid.grounding.scorers.classifier import ClassifierScorer, Head
from hybrid.grounding.scorers.labels import KNOWN, Labels, Relation
from hybrid.grounding.values import Pair

BLANK = ("LABEL_0", "LABEL_1")
PAIRS = [known.pair for known in KNOWN]
CARRIED = np.array([known.relation is Relation.CARRIED for known in KNOWN])


def scorer(folder, cpu, **options):
    return ClassifierScorer(folder, Head.TOKENS, name="m", placement=cpu, **options)


@pytest.fixture(scope="module", params=["bert-tokens", "modernbert-tokens"])
def made(request, taught, cpu):
    return scorer(taught(request.param, *BLANK), cpu)


@pytest.mark.slow
def test_a_claim_is_as_well_supported_as_its_worst_word(made):
    found = made.score(PAIRS)
    assert found.support.dtype == np.float32
    assert found.against is None
    assert ((found.support > 0) == CARRIED).all()


def test_the_order_of_the_labels_does_not_matter(taught, relabelled, cpu):
    folder = taught("bert-tokens", *BLANK)
    first, other = scorer(folder, cpu), scorer(relabelled(folder, order=(1, 0), names=BLANK), cpu)
    assert (first.labels, other.labels) == (Labels(0), Labels(1))
    assert other.score(PAIRS).support == pytest.approx(first.score(PAIRS).support, abs=1e-5)


def test_labels_that_lie_are_refused_and_can_be_overruled(taught, relabelled, cpu):
    lying = relabelled(taught("bert-tokens", *BLANK), names=("hallucinated", "supported"))
    with pytest.raises(ModelError, match="names mean supported = supported, its answers mean hallucinated"):
        scorer(lying, cpu)
    assert ((scorer(lying, cpu, labels=Labels(0)).score(PAIRS).support > 0) == CARRIED).all()


@pytest.mark.slow
def test_a_model_that_knows_nothing_and_one_with_three_outputs_are_refused(taught, relabelled, cpu):
    with pytest.raises(ModelError, match="does not tell"):
        scorer(relabelled(taught("bert-tokens", *BLANK), sign=0.0), cpu)
    with pytest.raises(ModelError, match="has 3 outputs"):
        scorer(taught("bert-tokens", "O", "B", "I"), cpu)


@pytest.mark.slow
def test_a_classifier_of_pairs_is_refused(taught, cpu):
    # its weights would fit
    with pytest.raises(ModelMissing, match="is a BertForSequenceClassification, expected a token") as caught:
        scorer(taught("bert", *BLANK), cpu)
    assert "hf:" in caught.value.hint


def filler(count):
    return " ".join(["the river house was green and the lamp was not seven"] * (count // 11))


def test_a_token_counts_as_its_best_window_says(made):
    fact = PAIRS[2]
    long = Pair(f"{filler(150)} {fact.evidence} {filler(150)}", fact.claim)
    parts = cut_pair(long, made._checkpoint.length, 96)
    assert len(parts) > 2
    together, alone = made.score([long]).support[0], made.score(parts).support
    # each token by the window that supports it most: together they do no worse than the best one
    assert alone.min() < alone.max() <= together + 1e-4


def test_a_claim_beyond_the_limit_is_refused(made):
    with pytest.raises(UsageError, match="of the 96 tokens"):
        made.score([Pair("the lamp", filler(200))])


def test_a_claim_without_words_has_a_number(made):
    pairs = [Pair("the lamp", ""), Pair("the lamp", "?!"), Pair("", "")]
    assert np.isfinite(made.score(pairs).support).all()
    assert made.score(pairs).support[0] == 0
