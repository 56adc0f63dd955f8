import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.grounding.examples import Label, LabelledClaim, limited
from hybrid.grounding.metrics import WORD_OVERLAP, best_passage, measured, word_overlap
from hybrid.grounding.values import Logits


def said(supported):
    return Label.SUPPORTED if supported else Label.UNSUPPORTED


def claim(
    place, *, supported, text="The port is open.", evidence=("The port is open.",), task="", sources=40
):
    return LabelledClaim(str(place), text, evidence, said(supported), f"d{place % sources}", task=task)


def test_word_overlap_is_the_share_of_words_of_the_claim():
    claims = [
        claim(0, supported=True, text="ports open", evidence=("The port is", "opened by default")),
        claim(1, supported=False, text="ports open", evidence=("The port is shut",)),
        claim(2, supported=False, text="ports open", evidence=()),
        claim(3, supported=False, text="", evidence=("anything",)),
    ]
    logits = word_overlap(claims).logits
    assert logits[0] > 4 and logits[1] == pytest.approx(0.0) and (logits[2:] < -4).all()


odd = st.sampled_from(["", " ", "\ud800", "🙂" * 50, "אבג", "?!", "a" * 1_000, "Ein Satz."])


@settings(max_examples=40)
@given(st.lists(st.tuples(odd, st.lists(odd, max_size=2), st.booleans(), st.sampled_from("abc")), min_size=1))
def test_odd_texts_get_finite_scores(rows):
    claims = [
        LabelledClaim(str(place), text, tuple(evidence), said(supported), source, task=source)
        for place, (text, evidence, supported, source) in enumerate(rows)
    ]
    found = word_overlap(claims)
    assert (found.name, found.floor, found.megabytes) == (WORD_OVERLAP, True, 0.0)
    assert len(found.logits) == len(claims) and np.isfinite(found.logits).all()


def test_a_limit_draws_whole_sources_and_keeps_the_order():
    claims = [claim(place, supported=True, sources=10) for place in range(100)]
    kept = limited(claims, 30)
    assert len(kept) == 30 and len({each.source for each in kept}) == 3
    assert [int(each.id) for each in kept] == sorted(int(each.id) for each in kept)
    assert limited(claims, 20) == [each for each in kept if each in limited(claims, 20)]
    assert limited(claims, 500) == claims


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
    return [
        LabelledClaim(str(place), "a b c", texts, Label.SUPPORTED) for place, texts in enumerate(evidence)
    ]


def test_the_best_passage_counts_whatever_their_order():
    found = best_passage(Counting(), claims(("a", "a b", "x"), (), ("x", "a b", "a"), ("",)))
    assert found.tolist() == [2.0, -20.0, 2.0, 0.0]
    assert best_passage(Counting(), claims((), ())).tolist() == [-20.0] * 2
    assert best_passage(Counting(), []).tolist() == []


def test_speed_is_of_the_pairs_that_were_judged(monkeypatch):
    told = []
    ticks = itertools.count(0.0, 2.0)
    monkeypatch.setattr("hybrid.grounding.metrics.time.perf_counter", lambda: next(ticks))
    found = measured(
        "mine",
        Counting(),
        claims(*[("a", "b")] * 70),
        progress=lambda done, total: told.append((done, total)),
    )
    assert (found.name, found.pairs_per_second, found.megabytes) == ("mine", 70.0, None)
    assert told == [(32, 70), (64, 70), (70, 70)]
    assert len(found.logits) == 70


def test_weights_are_told_by_those_who_know():
    assert measured("mine", Heavy(), claims(("a",))).megabytes == 5.5


@pytest.mark.parametrize("count", [0, 1, 32, 33])
def test_blocks_change_nothing(count):
    found = measured("mine", Counting(), claims(*[("a b",)] * count))
    assert found.logits.tolist() == [2.0] * count
