import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.errors import UsageError
from hybrid.grounding.spans import Overlap, character_overlap, union, word_overlap
from hybrid.types import Span

TEXT = "Der Preis stieg 2021 um 5 %, sagt 𝔸na."
places = st.integers(0, len(TEXT))
stretches = st.lists(st.tuples(places, places).map(lambda pair: Span(min(pair), max(pair))), max_size=6)


def covered(spans):
    return {place for span in spans for place in range(span.start, span.end)}


def test_a_union_by_hand():
    given_ = [Span(5, 9), Span(0, 2), Span(2, 3), Span(6, 7), Span(8, 12), Span(20, 20)]
    assert union(given_) == [Span(0, 3), Span(5, 12)]
    assert union([]) == []


def test_characters_by_hand():
    # two annotators mark 0–10 and 5–15, which is 15 characters and not 20
    found = character_overlap([Span(8, 20)], [Span(0, 10), Span(5, 15)])
    assert found == Overlap(marked=12, gold=15, shared=7)
    assert (found.precision, found.recall) == (7 / 12, 7 / 15)
    assert found.f1 == pytest.approx(2 * (7 / 12) * (7 / 15) / (7 / 12 + 7 / 15))


def test_one_long_stretch_meets_several():
    assert character_overlap([Span(0, 30)], [Span(1, 3), Span(5, 6), Span(29, 40)]).shared == 4
    assert character_overlap([Span(1, 3), Span(5, 6), Span(29, 40)], [Span(0, 30)]).shared == 4


def test_words_by_hand():
    # "reis" touches "Preis"; "2021 u" touches 2021 and um; the sign is no word
    found = word_overlap(TEXT, [Span(5, 9), Span(16, 22)], [Span(4, 9), Span(24, 28)])
    assert found == Overlap(marked=3, gold=2, shared=1)
    assert word_overlap("", [], []) == Overlap() and word_overlap("one two", [Span(3, 4)], []) == Overlap()


def test_texts_are_added_before_the_shares():
    whole = Overlap(1, 1, 1) + Overlap(9, 4, 0)
    assert whole == Overlap(10, 5, 1)
    assert (whole.precision, whole.recall, whole.f1) == (0.1, 0.2, pytest.approx(2 / 15))


def test_nothing_is_none():
    assert (Overlap().precision, Overlap().recall, Overlap().f1) == (None, None, None)
    assert (Overlap(3, 0, 0).precision, Overlap(3, 0, 0).recall, Overlap(3, 0, 0).f1) == (0.0, None, 0.0)


@pytest.mark.parametrize("span", [Span(3, 1), Span(-1, 2)])
def test_what_is_no_stretch_is_an_error(span):
    with pytest.raises(UsageError, match="no stretch of a text"):
        union([span])


@given(stretches, stretches)
def test_characters_are_those_of_the_sets(marked, gold):
    one, other = covered(marked), covered(gold)
    found = character_overlap(marked, gold)
    assert found == Overlap(len(one), len(other), len(one & other))
    assert character_overlap(gold, marked) == Overlap(found.gold, found.marked, found.shared)


@given(stretches)
def test_a_union_covers_the_same_and_is_its_own_union(spans):
    joined = union(spans)
    assert covered(joined) == covered(spans)
    assert union(joined) == joined
    assert all(one.end < other.start for one, other in itertools.pairwise(joined))


@given(stretches, stretches)
def test_words_are_those_that_are_touched(marked, gold):
    spans = [match.span() for match in re.finditer(r"\w+", TEXT)]
    one, other = ([bool(covered(side) & set(range(*span))) for span in spans] for side in (marked, gold))
    both = sum(a and b for a, b in zip(one, other, strict=True))
    assert word_overlap(TEXT, marked, gold) == Overlap(sum(one), sum(other), both)
