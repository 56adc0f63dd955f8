import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.generation.prompts import Passage
from hybrid.generation.support import best_support, content_words, share_supported
from hybrid.types import Span


def passage(text, number=1, start=0):
    return Passage(number, "a.txt", "Title", text, Span(start, start + len(text)))


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


def test_the_shortest_supporting_stretch_is_named_by_offsets_in_the_document():
    text = "Cats sleep. The port is 5432. Dogs bark."
    found = best_support("The port is 5432.", [passage("Nothing here."), passage(text, 2, start=100)])
    assert found is not None
    assert found.passage.number == 2
    assert text[found.span.start - 100 : found.span.end - 100] == "The port is 5432."


def test_two_sentences_are_taken_when_only_both_support():
    text = "The server listens on a port. Its default is 5432. Dogs bark."
    found = best_support("The server listens on port 5432.", [passage(text)])
    assert found is not None
    assert text[found.span.start : found.span.end] == "The server listens on a port. Its default is 5432."


@given(st.text(max_size=80), st.text(max_size=200))
def test_a_share_is_between_zero_and_one(sentence, text):
    assert 0.0 <= share_supported(sentence, text) <= 1.0
