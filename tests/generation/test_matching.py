"""How words and names of a question are found in texts."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from hybrid.generation.matching import inflected, matcher, names_held, respelled, slipped


@pytest.mark.parametrize(
    ("name", "text", "held"),
    [
        ("K300", "the K300's filter", True),
        ("K300", "the K300-EW", False),
        ("2.4", "version 2.4.1", False),
        ("2FA", "two-factor authentication", True),
        ("Germany", "hotels in the EU", True),
    ],
)
def test_a_name_is_held_as_a_whole(name, text, held):
    assert (name in names_held([name], text)) is held


def test_a_slip_is_mended_as_the_texts_write_it():
    assert respelled("the notise period", ["the notice period"]) == "the notice period"


@given(st.text(max_size=12), st.text(max_size=12))
def test_words_are_alike_both_ways(one, other):
    assert slipped(one, other) == slipped(other, one)
    assert inflected(one, other) == inflected(other, one)


@given(st.text(max_size=40), st.lists(st.text(max_size=40), max_size=3))
def test_a_share_is_a_share(question, texts):
    words = matcher(question.split(), texts)
    assert all(0.0 <= words.share(text) <= 1.0 + 1e-9 for text in texts)
