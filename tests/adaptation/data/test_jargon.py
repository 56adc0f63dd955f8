"""Words of a domain and what an embedder makes of them."""

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hybrid.adaptation.data.jargon import Term, domain_terms, report_jargon
from hybrid.testing import HashEmbedder


class Letters(HashEmbedder):
    """Breaks a word into pieces of three letters."""

    def count_tokens(self, texts):
        return [-(-len(text) // 3) for text in texts]


class Turned(Letters):
    """Puts two words where others were."""

    def _embed(self, texts):
        swap = {"kernel": "mutex", "mutex": "kernel"}
        return super()._embed([swap.get(text, text) for text in texts])


_TEXTS = [
    "The kernel holds the mutex.",
    "Kernel and mutex; checkpointing the kernel",
    "mutex checkpointing",
] * 2


def test_words_are_counted_without_those_that_everybody_has():
    terms = domain_terms(_TEXTS, Letters(), common=["it holds the line"])
    assert terms == [Term("kernel", 6, 2), Term("mutex", 6, 2), Term("checkpointing", 4, 5)]


def test_rare_words_are_none():
    assert domain_terms(["zebra zebra", "it"], Letters()) == []


def test_pieces_are_weighted_by_how_often_a_word_occurs():
    report = report_jargon(domain_terms(_TEXTS, Letters(), common=["holds"]))
    assert report.words == 3
    assert report.pieces_per_word == (6 * 2 + 6 * 2 + 4 * 5) / 16
    assert report.broken == 4 / 16
    assert report.fragmented[0].word == "checkpointing"
    assert (report.moved, report.kept) == ((), 1.0)


def test_an_empty_domain_has_no_jargon():
    report = report_jargon(domain_terms([], Letters()), Letters(), Letters())
    assert (report.words, report.pieces_per_word, report.fragmented) == (0, 0.0, ())


def test_the_words_whose_neighbours_changed_come_first():
    words = ["kernel", "mutex", *(f"term{chr(97 + n)}" for n in range(20))]
    terms = [Term(word, 5, 2) for word in words]
    base = Letters(32)
    same = report_jargon(terms, base, Letters(32))
    assert same.kept == 1.0
    assert all(item.before == item.after for item in same.moved)
    changed = report_jargon(terms, base, Turned(32))
    assert {item.word for item in changed.moved[:2]} == {"kernel", "mutex"}
    assert changed.kept < 1
    assert len(changed.moved[0].before) == 10
    assert "kernel" not in next(item for item in changed.moved if item.word == "kernel").before


@given(st.lists(st.text(max_size=40), max_size=8))
def test_any_texts_give_a_report(texts):
    report = report_jargon(domain_terms(texts * 3, HashEmbedder()))
    assert report.words >= len(report.fragmented) >= min(report.words, 1)
    assert np.isfinite(dataclasses.astuple(report)[1])
