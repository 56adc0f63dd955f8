import pytest

from hybrid.adaptation.examples.quotes import QUOTE_TOKENS, find_quote
from hybrid.testing import HashEmbedder
from hybrid.types import Chunk, Document, Evidence, Question, Span

COUNTER = HashEmbedder()
TEXT = (
    "The listener waits for clients. It uses port 5432 unless told otherwise. Cats sleep all day.\n\n"
    "Name | Size | Use\nsmall | 10 kB | notes\nlarge | 90 MB | films\n"
)


def quote(question, answers, text=TEXT, span=None, chunks=None, quoted=None):
    span = span or Span(0, len(text))
    evidence = Evidence("a.txt", quoted or text[span.start : span.end], None if quoted else span)
    asked = Question("q", question, tuple(answers), evidence=(evidence,))
    chunks = chunks or [Chunk("a.txt", 0, 0, len(text), text, ("Manual",))]
    return find_quote(asked, Document("a.txt", text), chunks, COUNTER, support=0.6)


def test_the_sentence_that_answers_is_quoted():
    found = quote("Which port does the listener use?", ["5432"])
    assert "It uses port 5432" in found.evidence.quote
    assert "Cats" not in found.evidence.quote
    assert found.answer == "5432"
    span = found.evidence.span
    assert TEXT[span.start : span.end] == found.evidence.quote


def test_of_a_table_the_row_is_quoted():
    found = quote("What is the size of large?", ["90 MB"])
    assert found.evidence.quote == "large | 90 MB | films"


def test_the_first_answer_that_stands_in_the_quote_is_the_answer():
    assert quote("Which port?", ["port number 5432", "5432"]).answer == "5432"


def test_an_answer_in_other_words_needs_their_support():
    assert quote("Who waits?", ["a listener for waiting clients"]).answer == "a listener for waiting clients"
    assert quote("Who waits?", ["elephants"]) is None


def test_a_heading_may_be_the_answer():
    assert quote("Under which heading does it say this?", ["Manual"]).answer == "Manual"


def test_evidence_without_offsets_is_looked_up():
    found = quote("Which port?", ["5432"], quoted="It uses port 5432\nunless told otherwise.")
    assert TEXT[found.evidence.span.start :].startswith("It uses port 5432")
    assert quote("Which port?", ["5432"], quoted="It stands nowhere, 5432.") is None


def test_a_quote_lies_in_one_chunk():
    first = TEXT.index("It uses")
    chunks = [Chunk("a.txt", 0, 0, first, TEXT[:first]), Chunk("a.txt", 1, first, 60, TEXT[first:60])]
    assert quote("Which port?", ["5432"], chunks=chunks) is None
    chunks[1] = Chunk("a.txt", 1, first, len(TEXT), TEXT[first:])
    found = quote("Which port does the listener use?", ["5432"], chunks=chunks)
    assert found.chunk is chunks[1]
    assert found.evidence.span.start >= first


@pytest.mark.parametrize("before", [0, 30, 200])
def test_a_long_sentence_is_cut_around_the_answer(before):
    text = f"{'word ' * before}the port is 5432 {'more ' * 200}and that was all."
    found = quote("Which port?", ["5432"], text=text)
    assert "5432" in found.evidence.quote
    assert COUNTER.count_tokens([found.evidence.quote])[0] <= QUOTE_TOKENS + 1
    assert found.evidence.quote in text


def test_a_question_without_evidence_has_no_quote():
    asked = Question("q", "Which port?", ("5432",))
    assert find_quote(asked, Document("a.txt", TEXT), [], COUNTER, support=0.6) is None
