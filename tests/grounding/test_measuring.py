import itertools

import numpy as np
import pytest

from hybrid.grounding.labelled import NO_EVIDENCE, LabelledClaim, best_passage, measured
from hybrid.grounding.values import Logits


class Counting:
    """Support is the number of words that both texts hold."""

    name = "counting"
    max_words = 100

    def score(self, pairs):
        found = [len(set(pair.evidence.split()) & set(pair.claim.split())) for pair in pairs]
        return Logits(np.array(found, dtype=np.float32))


class Heavy(Counting):
    megabytes = 5.5


def claims(*evidence):
    return [LabelledClaim(str(place), "a b c", texts, True) for place, texts in enumerate(evidence)]


def test_the_best_passage_counts_whatever_their_order():
    found = best_passage(Counting(), claims(("a", "a b", "x"), (), ("x", "a b", "a"), ("",)))
    assert found.tolist() == [2.0, NO_EVIDENCE, 2.0, 0.0]
    assert best_passage(Counting(), claims((), ())).tolist() == [NO_EVIDENCE] * 2
    assert best_passage(Counting(), []).tolist() == []


def test_speed_is_of_the_pairs_that_were_judged():
    told = []
    ticks = itertools.count(0.0, 2.0)
    found = measured(
        "mine",
        Counting(),
        claims(*[("a", "b")] * 70),
        progress=lambda done, total: told.append((done, total)),
        clock=lambda: next(ticks),
    )
    assert (found.name, found.pairs_per_second, found.megabytes) == ("mine", 70.0, None)
    assert told == [(32, 70), (64, 70), (70, 70)]
    assert len(found.logits) == 70


def test_weights_are_told_by_those_who_know():
    assert measured("mine", Heavy(), claims(("a",))).megabytes == 5.5


def test_another_way_to_judge_a_claim_is_handed_in():
    def last(scorer, block):
        assert (scorer.name, scorer.max_words) == ("counting", 100)
        return np.array([len(claim.evidence) for claim in block], dtype=np.float64)

    found = measured("mine", Counting(), claims((), ("a", "b")), support=last)
    assert found.logits.tolist() == [0.0, 2.0]
    assert found.pairs_per_second is None


@pytest.mark.parametrize("count", [0, 1, 32, 33])
def test_blocks_change_nothing(count):
    found = measured("mine", Counting(), claims(*[("a b",)] * count))
    assert found.logits.tolist() == [2.0] * count
