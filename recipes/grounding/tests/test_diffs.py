import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.grounding.sets import diff_spans

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


@pytest.mark.slow
@given(original=WORDS, edited=WORDS)
def test_spans_are_words_of_the_edited_text_in_order(original, edited):
    spans = diff_spans(original, edited)
    # what diffs read as a word, letters and digits, and the original has not
    assert spans or set(re.findall(r"\w+", edited)) <= set(re.findall(r"\w+", original))
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
