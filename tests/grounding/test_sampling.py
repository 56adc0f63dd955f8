"""Do sampled answers agree?"""

import dataclasses
import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from hybrid.grounding.sampling import (
    meanings,
    uncertainty,
)
from hybrid.grounding.values import Logits


class Table:
    """Judge by a function of evidence and claim; keep what was asked."""

    name = "fake/table"
    max_words = 100

    def __init__(self, support):
        self._support = support
        self.asked = []

    def score(self, pairs):
        self.asked.extend(pairs)
        return Logits(np.array([self._support(p.evidence, p.claim) for p in pairs], dtype=np.float32))


def by_letter(evidence, claim):
    """The first letter is the meaning."""
    return 3.0 if evidence[:1] == claim[:1] else -3.0


def of(samples, scorer):
    """What the samples say, held beside an answer that is one of them."""
    return uncertainty(samples[0], samples, scorer)


NONE = Table(lambda evidence, claim: -9.0)
ALL = Table(lambda evidence, claim: 9.0)
TEXTS = st.lists(st.text(alphabet="abc ", max_size=3), min_size=1, max_size=7)


def test_answers_that_carry_each_other_are_one_meaning():
    samples = ["paris", "pa", "rome", "p", "ravenna", "oslo"]
    assert meanings(samples, Table(by_letter)) == ((0, 1, 3), (2, 4), (5,))
    wanted = -sum(share * math.log(share) for share in (3 / 6, 2 / 6, 1 / 6))
    found = of(samples, Table(by_letter))
    assert found.entropy == pytest.approx(wanted)
    assert (found.consistency, found.agreement, found.meanings) == (0.5, 0.5, 3)


def test_both_directions_are_needed():
    # the longer answer carries the shorter one, not the other way round
    one_way = Table(lambda evidence, claim: 3.0 if evidence.startswith(claim) else -3.0)
    assert meanings(["paris in france", "paris"], one_way) == ((0,), (1,))


def test_a_chain_is_one_meaning_whatever_the_order():
    near = Table(lambda evidence, claim: 1.0 - abs(len(evidence) - len(claim)))
    samples = ["a", "aaa", "aa", "aaaaaaa"]
    assert meanings(samples, near) == ((0, 1, 2), (3,))
    assert meanings(samples[::-1], near) == ((1, 2, 3), (0,))


def test_the_even_chance_is_enough():
    assert of(["a", "b"], Table(lambda evidence, claim: 0.0)).consistency == 1.0
    assert of(["a", "b"], Table(lambda evidence, claim: -0.1)).consistency == 0.5


def test_equal_texts_are_asked_about_once_and_one_text_not_at_all():
    scorer = Table(by_letter)
    found = of(["a", "b", "a", "b", "a"], scorer)
    assert found.entropy == pytest.approx(-0.6 * math.log(0.6) - 0.4 * math.log(0.4))
    assert len(scorer.asked) == 2
    assert of(["a"] * 5, NONE).entropy == 0.0


@pytest.mark.slow
@given(TEXTS, st.randoms())
def test_the_order_of_samples_does_not_matter(samples, random):
    shuffled = random.sample(samples, len(samples))
    scorer = Table(by_letter)
    one, other = (uncertainty("a", drawn, scorer) for drawn in (samples, shuffled))
    assert dataclasses.replace(one, samples=()) == dataclasses.replace(other, samples=())


@pytest.mark.slow
@given(TEXTS, st.sampled_from([Table(by_letter), NONE, ALL]))
def test_entropy_and_consistency_have_their_bounds(samples, scorer):
    count = len(samples)
    found = of(samples, scorer)
    assert 0.0 <= found.entropy <= math.log(count)
    assert 1 / count <= found.agreement <= found.consistency <= 1.0
    places = [place for group in meanings(samples, scorer) for place in group]
    assert sorted(places) == list(range(count))


@given(st.text(max_size=5), st.integers(1, 9))
def test_samples_that_are_alike_have_no_entropy(text, count):
    found = of([text] * count, NONE)
    assert (found.entropy, found.consistency, found.agreement) == (0.0, 1.0, 1.0)


@pytest.mark.slow
@given(st.sets(st.text(max_size=4), min_size=1, max_size=9))
def test_samples_that_all_differ_have_the_most(texts):
    found = of(sorted(texts), NONE)
    assert found.entropy == pytest.approx(math.log(len(texts)))
    assert found.consistency == found.agreement == pytest.approx(1 / len(texts))
    assert of(sorted(texts), ALL).entropy == 0.0


def test_of_nothing_nothing_is_said():
    assert meanings([], ALL) == ()


def test_an_answer_is_compared_with_samples_and_counts_in_none_of_the_numbers():
    samples = ["paris", "pa", "rome", "p", "pau"]
    found = uncertainty("pavia it is", samples, Table(by_letter), log_probabilities=[-1.0, -3.0])
    assert (found.samples, found.agreement, found.meanings) == (tuple(samples), 0.8, 2)
    assert (found.consistency, found.entropy) == (0.8, pytest.approx(0.5, abs=0.001))
    assert (found.log_probability, found.least_log_probability, found.words) == (-2.0, -3.0, 3)


def test_an_answer_that_no_sample_repeats_has_no_agreement():
    found = uncertainty("oslo", ["paris", "pa"], Table(by_letter))
    assert (found.agreement, found.meanings, found.entropy) == (0.0, 1, 0.0)
    assert (found.log_probability, found.least_log_probability) == (None, None)


@given(TEXTS, st.text(alphabet="abc ", max_size=3))
def test_uncertainty_stays_within_its_bounds(samples, answer):
    for scorer in (NONE, ALL, Table(by_letter)):
        found = uncertainty(answer, samples, scorer)
        assert 0 <= found.agreement <= 1
        assert 1 <= found.meanings <= len(samples)
        assert 1 / len(samples) <= found.consistency <= 1
        assert 0 <= found.entropy <= math.log(len(samples))
