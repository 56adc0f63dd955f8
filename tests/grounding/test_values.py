from hypothesis import given
from hypothesis import strategies as st

from hybrid.grounding.values import merged_spans
from hybrid.types import Span


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
