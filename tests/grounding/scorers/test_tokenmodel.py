"""Classifiers of tokens by name."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from hybrid.errors import ModelError, ModelMissing, UsageError
from hybrid.grounding.evidence import cut_pair
from hybrid.grounding.scorers.classifier import TokenScorer
from hybrid.grounding.scorers.labels import KNOWN, Labels, Relation
from hybrid.grounding.values import Pair
from hybrid.types import Span

BLANK = ("LABEL_0", "LABEL_1")
PAIRS = [known.pair for known in KNOWN]
CARRIED = np.array([known.relation is Relation.CARRIED for known in KNOWN])
SALE = PAIRS[6]


def scorer(folder, cpu, **options):
    return TokenScorer(folder, name="m", placement=cpu, **options)


@pytest.fixture(scope="module", params=["bert-tokens", "modernbert-tokens"])
def made(request, taught, cpu):
    return scorer(taught(request.param, *BLANK), cpu)


def words(pair, spans):
    return [pair.claim[span.start : span.end] for span in spans]


def test_a_claim_is_as_well_supported_as_its_worst_word(made):
    found = made.score(PAIRS)
    assert found.support.dtype == np.float32
    assert found.against is None
    assert ((found.support > 0) == CARRIED).all()


def test_the_unsupported_words_are_marked(made):
    assert SALE.claim == "The company did not sell its factory in Norway."
    assert words(SALE, made.unsupported(SALE)) == ["did not sell"]
    assert made.unsupported(PAIRS[0]) == ()


def test_the_threshold_is_a_probability(made):
    whole = made.unsupported(SALE, threshold=1.0)
    assert words(SALE, whole) == ["The company did not sell its factory in Norway"]
    assert made.unsupported(SALE, threshold=0.0) == ()


def test_the_order_of_the_labels_does_not_matter(taught, relabelled, cpu):
    folder = taught("bert-tokens", *BLANK)
    first, other = scorer(folder, cpu), scorer(relabelled(folder, order=(1, 0), names=BLANK), cpu)
    assert (first.labels, other.labels) == (Labels(0), Labels(1))
    assert other.score(PAIRS).support == pytest.approx(first.score(PAIRS).support, abs=1e-5)
    assert other.unsupported(SALE) == first.unsupported(SALE)


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
    ((spans, together),), alone = made._judge([long]), made._judge(parts)
    assert spans == alone[0][0]
    best = np.max([support for _, support in alone], axis=0)
    assert together == pytest.approx(best, abs=1e-4)
    # a window without the evidence doubts what the one with it supports
    assert min(support.min() for _, support in alone) < together.min()


def test_a_claim_beyond_the_limit_is_refused(made):
    with pytest.raises(UsageError, match="of the 96 tokens"):
        made.score([Pair("the lamp", filler(200))])


def test_a_claim_without_words_has_a_number_and_no_spans(made):
    pairs = [Pair("the lamp", ""), Pair("the lamp", "?!"), Pair("", "")]
    assert np.isfinite(made.score(pairs).support).all()
    assert made.score(pairs).support[0] == 0
    assert [made.unsupported(pair) for pair in pairs] == [(), (), ()]


@pytest.mark.slow
@settings(max_examples=40)
@given(claim=st.text(max_size=60), threshold=st.floats(0, 1))
def test_spans_are_whole_words_of_the_claim_in_order_and_apart(made, claim, threshold):
    claim = f"the lamp is seven {claim}"
    pair = Pair("The company sold its factory in Norway.", claim)
    assert made.unsupported(pair, threshold=1.0)[0].start == 0  # nothing is as sure as that
    spans = made.unsupported(pair, threshold=threshold)
    ends = 0
    for span in spans:
        assert isinstance(span, Span)
        assert ends <= span.start < span.end <= len(claim)
        assert claim[span.start : span.end].strip()
        ends = span.end + 1
