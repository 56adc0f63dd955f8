"""How words and names of a question are found in texts."""

from __future__ import annotations

import importlib

import hypothesis.strategies as st
import pytest
from hypothesis import given

from hybrid.generation.matching import as_spelled, inflected, matcher, mended, names_held, slipped
from hybrid.text.words import listed


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


def never(word):
    return False


@pytest.mark.parametrize(
    ("question", "read"),
    [
        ("gas botle prise", "gas bottle price"),
        ("two botles", "two bottle"),
        ("hte gas", "hte gas"),
        ("gsa price", "gsa price"),
        ("the AB-botle", "the AB-botle"),
        ("what does Botle cost", "what does Botle cost"),
        ("prices", "prices"),
    ],
)
def test_one_slip_of_a_word_is_mended_where_no_text_has_the_word(question, read):
    assert mended(question, ["Gas bottle: the price is 4 EUR"], never) == read


def test_of_three_letters_one_that_is_missing_is_mended_in_a_question_in_english():
    assert mended("how long is a bok lent", ["A book is lent"], never) == "how long is a book lent"
    assert mended("how long is a bok lent", ["A book, a bolk"], never) == "how long is a bok lent"
    assert mended("wie lang", ["Never wipe it"], never) == "wie lang"
    assert mended("is the fouling old", ["four"], never) == "is the fouling old"


@pytest.mark.parametrize(
    ("question", "text", "read"),
    [
        ("the anti fouling of May", "Antifouling is renewed", "the antifouling of May"),
        ("the anti-fouling", "Antifouling is renewed", "the antifouling"),
        ("the antifouling", "Anti-fouling is renewed", "the anti fouling"),
        ("the carparks", "A car park", "the carparks"),
        ("the carpark", "A car park", "the car park"),
        ("the car park", "A car park or carpark", "the car park"),
        ("to day", "today", "to day"),
    ],
)
def test_words_are_one_or_two_as_the_texts_have_them(question, text, read):
    assert as_spelled(question, [text]) == read


def test_a_word_is_no_slip_of_another_one():
    assert mended("the rent", ["the rest"], lambda word: word == "rent") == "the rent"
    assert mended("the rnet", ["the rent"], lambda word: word == "rent") == "the rent"


def test_a_slip_is_mended_as_the_texts_write_it():
    assert mended("the notise period", ["the notice period"], never) == "the notice period"


@given(st.text(max_size=12), st.text(max_size=12))
def test_words_are_alike_both_ways(one, other):
    assert slipped(one, other) == slipped(other, one)
    assert inflected(one, other) == inflected(other, one)


@given(st.text(max_size=40), st.lists(st.text(max_size=40), max_size=3))
def test_a_share_is_a_share(question, texts):
    words = matcher(question.split(), texts)
    assert all(0.0 <= words.share(text) <= 1.0 + 1e-9 for text in texts)


@pytest.mark.parametrize(
    "module",
    [
        *(
            f"generation.{name}"
            for name in ["asking", "editions", "extracting", "facts", "reckoning", "shortening", "weighing"]
        ),
        *(f"questions.{name}" for name in ("listings", "statements", "wording")),
    ],
)
def test_expressions_are_taken_in_the_order_of_their_file(module):
    taken = vars(importlib.import_module(f"hybrid.{module}"))
    own = listed("generation")[module.partition(".")[2]]
    names = {key: key.upper() if key.upper() in taken else f"_{key.upper()}" for key in own}
    assert {key: taken[name].pattern for key, name in names.items()} == {
        key: "|".join(parts) for key, parts in own.items()
    }
