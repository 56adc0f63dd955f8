"""The parts of passages that a reader is shown."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from hybrid.generation.ranking import focus_all
from hybrid.testing import HashEmbedder
from hybrid.types import Chunk, Evidence, Hit, Span

EMBEDDER = HashEmbedder(dimension=256)
FILLER = "Some other matter fills this sentence with words of no use. "
TEXT = FILLER * 6 + "The default port of the server is 5432. " + FILLER * 6


def hit(text, source="a.txt", start=0, score=1.0, headings=()):
    return Hit(Chunk(source, 0, start, start + len(text), text, headings), score)


def focus(question, hits, passages=3, tokens=30, holding=None):
    (found,) = focus_all(
        [question], [hits], EMBEDDER, passages=passages, tokens=tokens, holding=holding and [holding]
    )
    return found


def test_the_window_is_the_part_that_has_to_do_with_the_question():
    (passage,) = focus("What is the default port of the server?", [hit(TEXT, start=100)]).passages
    assert "5432" in passage.text
    assert EMBEDDER.count_tokens([passage.text])[0] <= 30
    assert passage.text == TEXT[passage.span.start - 100 : passage.span.end - 100]


def test_a_short_chunk_is_shown_whole():
    (passage,) = focus("port?", [hit("One sentence. Another one.")]).passages
    assert passage.text == "One sentence. Another one."


def test_the_best_of_the_hits_are_shown_best_first():
    weak, good = hit("Cats sleep all day.", "cats.txt"), hit("The port is 5432.", "port.txt", score=0.9)
    found = focus("Which port is it?", [weak, good], passages=1)
    assert [passage.source for passage in found.passages] == ["port.txt"]
    both = focus("Which port is it?", [weak, good])
    assert [(passage.number, passage.source) for passage in both.passages] == [
        (1, "port.txt"),
        (2, "cats.txt"),
    ]


def test_what_a_better_passage_shows_is_not_shown_again():
    text = "The port is 5432. It may be changed."
    first, again = hit(text), hit("It may be changed.", start=18, score=0.5)
    assert len(focus("Which port is it?", [first, again]).passages) == 1


def test_titles_of_document_and_section_are_told():
    (passage,) = focus("port?", [hit("The port.", headings=("Manual", "Network", "Ports"))]).passages
    assert passage.title == "Manual > Ports"
    (passage,) = focus("port?", [hit("The port.", headings=("Manual",))]).passages
    assert passage.title == "Manual"


def test_a_window_holds_what_it_must():
    place = Evidence("a.txt", "", Span(0, 20))
    (passage,) = focus("What is the default port of the server?", [hit(TEXT)], holding=place).passages
    assert passage.span.start == 0
    elsewhere = Evidence("b.txt", "", Span(0, 20))
    (passage,) = focus("What is the default port of the server?", [hit(TEXT)], holding=elsewhere).passages
    assert "5432" in passage.text


def test_a_sentence_above_the_budget_is_cut():
    text = "word " * 200 + "port."
    (passage,) = focus("port?", [hit(text)], tokens=50).passages
    assert EMBEDDER.count_tokens([passage.text])[0] <= 50


def test_relevance_tells_what_is_about_the_question():
    near = focus("What is the default port of the server?", [hit(TEXT)]).relevance
    far = focus("Sourdough oven temperature?", [hit(TEXT)]).relevance
    assert 1 >= near > 0.5 > far >= 0


@pytest.mark.parametrize("hits", [[], [hit("")], [hit("   ")]])
def test_nothing_to_show_is_no_passage(hits):
    found = focus("port?", hits)
    assert found.passages == ()
    assert found.relevance == 0


def test_no_question_is_no_work():
    assert focus_all([], [], EMBEDDER, passages=3, tokens=30) == []


SENTENCES = st.lists(
    st.sampled_from(["The port is 5432.", "Cats sleep.", FILLER.strip(), "x" * 30 + "."]), max_size=12
)


@pytest.mark.slow
@given(st.lists(SENTENCES, max_size=4), st.integers(1, 4), st.integers(4, 60), st.integers(0, 50))
def test_passages_are_stretches_of_their_chunks_within_the_budget(chunks, passages, tokens, start):
    hits = [hit(" ".join(part), f"{n}.txt", start) for n, part in enumerate(chunks)]
    found = focus("Which port is it?", hits, passages=passages, tokens=tokens).passages
    assert [passage.number for passage in found] == list(range(1, len(found) + 1))
    assert len(found) <= passages
    texts = {one.chunk.source: one.chunk.text for one in hits}
    for passage in found:
        own = texts[passage.source][passage.span.start - start : passage.span.end - start]
        assert passage.text == own
        assert EMBEDDER.count_tokens([own])[0] <= tokens


@pytest.mark.slow
@given(SENTENCES.filter(len), st.data())
def test_a_sentence_that_fits_is_held(sentences, data):
    text = " ".join(sentences)
    begin = data.draw(st.integers(0, len(text) - 1))
    place = Evidence("a.txt", "", Span(begin, begin + 1))
    (passage,) = focus("Which port is it?", [hit(text)], tokens=40, holding=place).passages
    # white space between two sentences belongs to neither
    assert text[begin].isspace() or passage.span.start <= begin < passage.span.end
