"""Long evidence in stretches, none of it lost."""

from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from hybrid.errors import UsageError
from hybrid.grounding.evidence import cut_pair, windows
from hybrid.grounding.values import Pair


def words(text):
    return len(text.split())


def letters(text):
    return len(text)


@given(st.text(alphabet="ab \n\u0300😀", max_size=400), st.integers(1, 60), st.sampled_from([words, letters]))
def test_windows_cover_the_text_in_order_and_each_fits(text, room, length):
    spans = windows(text, length, room)
    assert spans[0].start == 0
    assert spans[-1].end == len(text)
    assert all(after.start <= before.end for before, after in pairwise(spans))
    assert all(0 <= span.start <= span.end <= len(text) for span in spans)
    assert all(length(text[span.start : span.end]) <= room for span in spans)


def test_what_fits_is_one_window():
    assert [(span.start, span.end) for span in windows("a few words", words, 3)] == [(0, 11)]


def test_windows_overlap_so_that_a_short_sentence_stands_whole_in_one():
    text = " ".join(f"w{place}" for place in range(1_000))
    parts = [text[span.start : span.end] for span in windows(text, words, 100)]
    for place in range(0, 990):
        assert any(" ".join(f"w{p}" for p in range(place, place + 8)) in part for part in parts)
    assert len(parts) < 25
    assert all(word.startswith("w") for part in parts for word in part.split())


def test_a_letter_that_is_longer_than_the_room_is_kept():
    assert len(windows("😀😀😀", lambda text: 5 * len(text), 2)) == 3


def test_one_letter_a_hundred_thousand_times_is_cut_quickly():
    text = "x" * 100_000
    spans = windows(text, letters, 500)
    assert spans[-1].end == len(text)
    assert len(spans) < 500


def pair_length(pair):
    return words(pair.evidence) + words(pair.claim) + 3


def test_a_pair_is_cut_beside_its_whole_claim():
    pair = Pair("so many words " * 100, "a claim of five words")
    parts = cut_pair(pair, pair_length, 40)
    assert all(part.claim == pair.claim and pair_length(part) <= 40 for part in parts)
    assert cut_pair(Pair("short", "claim"), pair_length, 40) == [Pair("short", "claim")]


def test_a_claim_without_room_for_evidence_is_refused():
    with pytest.raises(UsageError, match=r"takes 38 of the 40 tokens") as caught:
        cut_pair(Pair("evidence " * 50, "claim " * 35), pair_length, 40)
    assert "split the claim" in caught.value.hint
