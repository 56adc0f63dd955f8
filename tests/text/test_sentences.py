import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.text.sentences import independent_sentences, pieces, sentence_spans, unwrapped
from hybrid.types import Span


def read(text, cut):
    return [text[span.start : span.end] for span in cut(text)]


def test_what_is_too_long_for_a_sentence_is_cut_into_lines():
    table = "\n".join(f"  row {number} | {'value ' * 10}" for number in range(8))
    assert read(table, pieces) == [line.strip() for line in table.split("\n")]
    assert len(sentence_spans(table)) == 1


FORM = "Make: Cessna\nSeats:\nMax Gross Wt.: 2450 lbs\nVisibility 10 Miles\nELT: Installed, not activated"
PROSE = "To whom it concerns: we ask you\nto come at once. Our aim: to\nlearn from it."


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"It was cold. It rained.\n{FORM}\n\nIt ended.", ["It was cold.", "It rained.", *FORM.split("\n")]),
        (PROSE, ["To whom it concerns: we ask you\nto come at once.", "Our aim: to\nlearn from it."]),
    ],
)
def test_the_entries_of_a_form_are_pieces_and_wrapped_lines_are_not(text, told):
    assert read(text, pieces)[: len(told)] == told


def test_half_a_character_is_no_reason_to_fail():
    assert read("One \ud800 here. Two there.", sentence_spans) == ["One \ud800 here.", "Two there."]


def test_prose_is_unwrapped_and_a_listing_is_not():
    assert unwrapped("It is\nwrapped.") == "It is wrapped."
    for listing in ("$ ls\nfile", "def f():\n    return 1", "a | b\nc | d"):
        assert unwrapped(listing) == listing


def test_sentences_that_lean_on_others_are_not_independent():
    text = "The server listens on one port only. It is 5432 by default and can be set. "
    text += "Clients of the port see this."
    whole = Span(0, len(text))
    strict, loose = (
        [text[s.start : s.end] for s in independent_sentences(text, whole, strict=strict)]
        for strict in (True, False)
    )
    assert strict == ["The server listens on one port only."]
    assert loose == [*strict, "Clients of the port see this."]


@pytest.mark.slow
@given(st.text(st.characters(), max_size=80))
def test_any_text_is_cut_without_losing_a_letter(text):
    for cut in (sentence_spans, pieces):
        spans = cut(text)
        assert all(0 <= span.start < span.end <= len(text) for span in spans)
        kept = "".join(text[span.start : span.end] for span in spans)
        assert [x for x in kept if not x.isspace()] == [x for x in text if not x.isspace()]


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit", ["\u201ca", "'", "\u2018a", "«a", "`", '"', "(", "e.g. ", "x", "\n", "a\u201d "]
)
def test_no_text_takes_long_however_it_is_made(unit):
    text = unit * (150_000 // len(unit))
    began = time.process_time()
    spans = sentence_spans(text)
    assert time.process_time() - began < 5
    kept = "".join(text[span.start : span.end] for span in spans)
    assert "".join(kept.split()) == "".join(text.split())


def test_a_long_text_is_cut_as_a_short_one():
    sentences = [f"The server said “it is {number}.5 today” to Mr. Miller. " for number in range(400)]
    text = "".join(sentences)
    assert len(text) > 10_000
    assert read(text, sentence_spans) == [sentence.strip() for sentence in sentences]
    assert read("Short. " + text, sentence_spans)[1:] == read(text, sentence_spans)


def test_what_is_longer_than_any_sentence_is_cut_between_words_where_marks_abound():
    assert read("word " * 3_000, sentence_spans) == [("word " * 3_000).strip()]
    found = read("“word " * 20_000, sentence_spans)
    assert len(found) > 1
    assert all(set(one.split()) == {"“word"} for one in found)
