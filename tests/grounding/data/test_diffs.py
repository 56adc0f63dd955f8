import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.grounding.data.diffs import diff_spans
from hybrid.grounding.spans import merged_spans
from hybrid.types import Span

WORDS = st.lists(st.sampled_from(["a", "cat", "sat", "not", "5", "mats", "—", "👍"]), max_size=12).map(
    " ".join
)


def new_words(original, edited):
    return [edited[span.start : span.end] for span in diff_spans(original, edited)]


@pytest.mark.parametrize(
    ("original", "edited", "expected"),
    [
        ("The cat sat on the mat.", "The cat sat on the mat.", []),
        ("The cat sat on the mat.", "the  cat sat on the MAT", []),
        ("The cat sat on the mat.", "The dog sat on the mat.", ["dog"]),
        ("The cat sat on the mat.", "The big old cat sat on the mat.", ["big old"]),
        ("The cat sat on the mat.", "The dog sat on the rug.", ["dog", "rug"]),
        ("It is not hot today.", "It is hot today.", ["hot"]),
        ("It is hot today.", "It is hot", ["hot"]),
        ("It cost $5.50.", "It cost $6.50.", ["6.50"]),
        ("", "All new.", ["All new"]),
        ("All gone.", "", []),
        ("Don't go.", "Don't stay.", ["stay"]),
    ],
)
def test_new_words_are_found_where_they_stand(original, edited, expected):
    assert new_words(original, edited) == expected


@given(original=WORDS, edited=WORDS)
def test_spans_are_words_of_the_edited_text_in_order(original, edited):
    spans = diff_spans(original, edited)
    last = -1
    for span in spans:
        assert last < span.start < span.end <= len(edited)
        assert edited[span.start : span.end].strip() == edited[span.start : span.end]
        last = span.end


@given(text=st.text(max_size=60))
def test_a_text_does_not_differ_from_itself(text):
    assert diff_spans(text, text) == ()


def test_long_texts_without_anything_in_common_take_no_time():
    one, other = " ".join("ab" * 4_000), " ".join("ba" * 4_000)
    spans = diff_spans(one, other)
    assert spans[0].start == 0
    assert spans[-1].end == len(other)


@given(
    spans=st.lists(
        st.tuples(st.integers(-5, 30), st.integers(-5, 30)).map(lambda pair: Span(*pair)), max_size=6
    ),
    length=st.integers(0, 25),
)
def test_merged_spans_cover_the_same_characters_once(spans, length):
    merged = merged_spans(spans, length=length)
    covered = {place for span in spans for place in range(max(span.start, 0), min(span.end, length))}
    places = [place for span in merged for place in range(span.start, span.end)]
    assert sorted(places) == places == sorted(covered)


def test_spans_apart_by_white_space_only_are_joined_if_the_text_is_given():
    assert merged_spans([Span(4, 7), Span(0, 3)], length=11, text="one two, six") == (Span(0, 7),)
    assert merged_spans([Span(4, 7), Span(9, 12)], length=12, text="one two, six") == (
        Span(4, 7),
        Span(9, 12),
    )
