import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.grounding.claims import clause_spans
from hybrid.types import Span


def clauses(text):
    return [text[span.start : span.end] for span in clause_spans(text, Span(0, len(text)))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The port is 5432, and the host is local.", ["The port is 5432", "the host is local."]),
        ("The cat sat still; the dog was out.", ["The cat sat still; the dog was out."]),
        ("The cat is red; the dog was out.", ["The cat is red", "the dog was out."]),
        ("The cat is red, but the dog is blue.", ["The cat is red", "the dog is blue."]),
        ("The cat is red while the dog is blue.", ["The cat is red", "the dog is blue."]),
        (
            "The cat is red, and the dog is blue, but the fox is grey.",
            ["The cat is red", "the dog is blue", "the fox is grey."],
        ),
        (
            "Joe invites Luke, but Luke informs him it is late.",
            ["Joe invites Luke", "Luke informs him it is late."],
        ),
    ],
)
def test_clauses_that_stand_alone_are_split(text, expected):
    assert clauses(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Apples, pears, and the plum are red.",
        "It costs 1,000 and is red.",
        "It costs 1,000, and 2,000 is too much.",
        "He said the cat is red, and the dog is blue.",
        "If the cat is red, and the dog is blue, all is well.",
        "The cat is red, and it is old.",
        "The cat is red, and is old.",
        "The cat (which is red, and the dog is blue) sleeps.",
        'She has "a cat, and the dog is blue" on the wall.',
        "The report is about the language, and the conditions under which it was made.",
        "The first Familymart, and Lawson stores opened then.",
        "The cat, the dog, and the fox.",
        "The port is 5432.",
        "",
    ],
)
def test_what_may_be_one_stays_whole(text):
    assert clauses(text) == [text]


words = st.sampled_from(
    ["the", "cat", "is", "red", ", and ", ", but ", "; ", " while ", "1,000", "said", "(", ")", '"']
)


@given(st.one_of(st.lists(words, max_size=14).map(" ".join), st.text(max_size=40)))
def test_clauses_are_in_order_and_apart(text):
    spans = clause_spans(text, Span(0, len(text)))
    assert spans[0].start == 0 and spans[-1].end == len(text)
    assert all(one.end < other.start for one, other in itertools.pairwise(spans))
