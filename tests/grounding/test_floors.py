import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from hybrid.grounding.examples import Example, Label, limited
from hybrid.grounding.metrics import WORD_OVERLAP, best_passage, floors, measured
from hybrid.grounding.values import Logits

NAMES = [WORD_OVERLAP, "claim words", "claim length", "evidence length", "task prior"]


def said(supported):
    return Label.SUPPORTED if supported else Label.UNSUPPORTED


def claim(
    place, *, supported, text="The port is open.", evidence=("The port is open.",), task="", sources=40
):
    return Example(str(place), text, evidence, said(supported), f"d{place % sources}", task=task)


def values(claims, name):
    (found,) = [each for each in floors(claims) if each.name == name]
    return found.logits


def auroc_of(claims, name):
    return roc_auc_score([each.supported for each in claims], values(claims, name))


def test_the_floors_come_in_their_order_and_know_that_they_are_floors():
    found = floors([claim(place, supported=place % 2 == 0) for place in range(40)])
    assert [each.name for each in found] == NAMES
    assert all(each.floor and each.megabytes == 0.0 for each in found)


def test_word_overlap_is_the_share_of_words_of_the_claim():
    claims = [
        claim(0, supported=True, text="ports open", evidence=("The port is", "opened by default")),
        claim(1, supported=False, text="ports open", evidence=("The port is shut",)),
        claim(2, supported=False, text="ports open", evidence=()),
        claim(3, supported=False, text="", evidence=("anything",)),
    ]
    logits = values(claims, WORD_OVERLAP)
    assert logits[0] > 4 and logits[1] == pytest.approx(0.0) and (logits[2:] < -4).all()


def test_a_task_that_is_mostly_unsupported_is_told_by_the_prior_alone():
    claims = [
        claim(place, supported=place % 10 < (8 if place % 2 else 2), task="qa" if place % 2 else "data")
        for place in range(400)
    ]
    assert auroc_of(claims, "task prior") > 0.7
    # one task says nothing, whatever the shares of the folds are
    assert auroc_of([dataclasses.replace(each, task="qa") for each in claims], "task prior") == 0.5


def test_a_word_that_gives_the_label_away_is_found_on_other_documents():
    claims = [
        claim(place, supported=place % 2 == 0, text="it is so" if place % 2 == 0 else "it is not so")
        for place in range(100)
    ]
    assert auroc_of(claims, "claim words") == 1.0
    assert auroc_of(claims, "claim length") == 1.0


@pytest.mark.parametrize("longer", [True, False])
def test_lengths_count_whichever_way_they_point(longer):
    claims = [
        claim(
            place, supported=place % 2 == 0, evidence=("word " * (5 + place % 3 + 4 * (place % 2 == longer)),)
        )
        for place in range(100)
    ]
    assert auroc_of(claims, "evidence length") > 0.9


def test_labels_of_a_source_are_not_used_on_it():
    # each source has its own word and its own label: known only from itself
    claims = [
        claim(place, supported=place % 20 < 10, text=f"w{place % 20}", sources=20) for place in range(200)
    ]
    assert auroc_of(claims, "claim words") == 0.5


def test_one_source_leaves_the_floor_that_learns_nothing():
    claims = [claim(place, supported=place % 2 == 0, sources=1) for place in range(20)]
    assert [each.name for each in floors(claims)] == [WORD_OVERLAP]


odd = st.sampled_from(["", " ", "\ud800", "🙂" * 50, "אבג", "?!", "a" * 1_000, "Ein Satz."])


@settings(max_examples=40)
@given(st.lists(st.tuples(odd, st.lists(odd, max_size=2), st.booleans(), st.sampled_from("abc")), min_size=1))
def test_odd_texts_get_finite_scores(rows):
    claims = [
        Example(str(place), text, tuple(evidence), said(supported), source, task=source)
        for place, (text, evidence, supported, source) in enumerate(rows)
    ]
    found = floors(claims)
    assert WORD_OVERLAP in [each.name for each in found]
    for each in found:
        assert len(each.logits) == len(claims) and np.isfinite(each.logits).all()


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
    return [Example(str(place), "a b c", texts, Label.SUPPORTED) for place, texts in enumerate(evidence)]


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
