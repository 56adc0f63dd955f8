import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.grounding.words import reading_units, sentences, terms, tokens, word_set, word_spans
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


@given(st.text(st.characters(), max_size=80))
def test_any_text_is_cut_without_losing_a_letter(text):
    for cut in (sentences, reading_units):
        spans = cut(text)
        assert all(0 <= span.start < span.end <= len(text) for span in spans)
        kept = "".join(text[span.start : span.end] for span in spans)
        assert [x for x in kept if not x.isspace()] == [x for x in text if not x.isspace()]
    assert all(token == token.lower() for token in tokens(text) if token.isascii())
