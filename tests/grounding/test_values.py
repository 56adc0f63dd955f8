import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hybrid.grounding.values import SupportMatrix, merged_spans
from hybrid.types import Span

MATRIX = SupportMatrix(np.array([[0.9, 0.2, 0.0], [0.4, 0.6, 0.0]]))


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


def test_the_best_passage_counts():
    assert MATRIX.best.tolist() == [0.9, 0.6]
    assert SupportMatrix(np.zeros((2, 0))).best.tolist() == [0.0, 0.0]
    assert SupportMatrix(np.zeros((0, 3))).best.tolist() == []


def test_several_claims_are_carried_as_well_as_the_worst_of_them():
    assert MATRIX.together([0, 1]).tolist() == [0.4, 0.2, 0.0]
    assert MATRIX.together([1]).tolist() == [0.4, 0.6, 0.0]
    assert MATRIX.together([]).tolist() == [0.0, 0.0, 0.0]
