import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.text.words import (
    are_opposite,
    contains,
    content_words,
    overlaps,
    share_supported,
    terms,
    tokens,
    word_set,
    word_spans,
)
from hybrid.types import Span


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("orchestral music", ["orche", "music"]),
        ("The ports are 5432 and 1,000.", ["port", "5432", "1,000"]),
        ("2021-03-05", ["2021", "march", "5"]),
        ("5 Mar 2021", ["5", "march", "2021"]),
        ("Sept. 2019", ["septe", "2019"]),
        ("2021-13-05", ["2021", "13", "5"]),
        ("港口是", ["港口", "口是"]),
        ("港", ["港"]),
        ("", []),
    ],
)
def test_terms(text, expected):
    assert terms(text) == expected


def test_a_date_has_the_same_terms_however_it_is_written():
    assert set(terms("2021-09-05")) == set(terms("5 September 2021")) == set(terms("Sept. 5, 2021"))


def test_a_word_is_short_whatever_stands_in_the_text():
    text = "a" * 50 + " bc 港口"
    spans = word_spans(text, Span(0, len(text)))
    assert [text[s.start : s.end] for s in spans] == ["a" * 20, "a" * 20, "a" * 10, "bc", "港", "口"]


def test_lists_of_words_are_written_as_text():
    assert word_set("a b", "c\nd") == {"a", "b", "c", "d"}


def test_stop_words_and_endings_do_not_count():
    assert content_words("The servers are listening on the ports") == ["server", "listen", "port"]


def test_a_sentence_supports_itself():
    assert share_supported("The port is 5432.", "By default the port is 5432, not more.") == 1.0


def test_a_number_that_is_nowhere_is_not_supported():
    assert share_supported("The port is 5433.", "The port is 5432.") == 0.0


def test_an_invented_name_lowers_the_share():
    share = share_supported("Alice wrote the report", "Bob wrote the report")
    assert share == pytest.approx(2 / 3)


def test_an_empty_sentence_is_not_supported():
    assert share_supported("", "anything") == 0.0
    assert share_supported("is it the", "is it the") == 0.0


@given(st.text(max_size=80), st.text(max_size=200))
def test_a_share_is_between_zero_and_one(sentence, text):
    assert 0.0 <= share_supported(sentence, text) <= 1.0


@pytest.mark.parametrize(
    ("text", "words", "there"),
    [
        ("The Port  is\n5432.", "port is", True),
        ("the reports", "port", False),
        ("port_number", "port", False),
        ("C++ (and C)", "c++", True),
        ("a.b", "a b", False),
        ("anything", "", False),
    ],
)
def test_words_stand_in_a_text_between_borders(text, words, there):
    assert contains(text, words) is there


def test_a_rare_word_of_a_question_counts_for_more():
    common, rare, none = overlaps("Which port is the default?", ["the default", "the port", "nothing"])
    assert rare == common and none == 0
    first, second, _ = overlaps("Which port is the default?", ["the default", "the port", "a default"])
    assert second > first
    assert overlaps("Which port?", ["the port"]) == [1.0]


@pytest.mark.parametrize(
    ("one", "other", "opposed"),
    [
        ("increases", "decreased", True),
        ("stable", "unstable", True),
        ("port", "report", False),
        ("in", "im", False),
    ],
)
def test_opposites_are_listed_or_stand_behind_a_prefix(one, other, opposed):
    assert are_opposite(one, other) is are_opposite(other, one) is opposed


@given(st.text(st.characters(), max_size=80))
def test_tokens_are_in_small_letters(text):
    assert all(token == token.lower() for token in tokens(text) if token.isascii())
    assert tokens(text) == tokens(text.lower())
