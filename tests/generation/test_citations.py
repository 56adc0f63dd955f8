import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.generation.citations import best_support, cite_generated, inert, markers, without_markers
from hybrid.generation.prompts import Passage
from hybrid.types import Span

QUESTION = "Which port, which backups?"
DOCUMENT = "Preface. The server listens on port 5432. Backups are made with pg_dump every night. The end."
PASSAGES = [
    Passage(1, "a.txt", "Ports", DOCUMENT[9:41], Span(9, 41)),
    Passage(2, "a.txt", "Backups", DOCUMENT[42:84], Span(42, 84), page=3),
]


def passage(text, number=1, start=0):
    return Passage(number, "a.txt", "Title", text, Span(start, start + len(text)))


def test_a_marker_becomes_offsets_in_the_document():
    cited = cite_generated(QUESTION, "The server listens on port 5432 [1].", PASSAGES, threshold=0.6)
    (citation,) = cited.citations
    assert DOCUMENT[citation.start : citation.end] == citation.text == "The server listens on port 5432."
    assert cited.text.endswith("[1]")


def test_a_missing_marker_is_put_in_and_a_wrong_one_corrected():
    cited = cite_generated(
        QUESTION,
        "Backups are made with pg_dump. The server listens on port 5432 [2].",
        PASSAGES,
        threshold=0.6,
    )
    assert [(c.number, c.page) for c in cited.citations] == [(1, 3), (2, None)]
    assert cited.text == "Backups are made with pg_dump. [1] The server listens on port 5432. [2]"


def test_a_marker_that_points_nowhere_is_removed_and_counted():
    cited = cite_generated(QUESTION, "The server listens on port 5432 [7].", PASSAGES, threshold=0.6)
    assert cited.dropped_markers == 1
    assert "[7]" not in cited.text
    assert len(cited.citations) == 1


def test_a_sentence_that_no_passage_supports_is_taken_out():
    cited = cite_generated(
        QUESTION,
        "The server listens on port 5432 [1]. Elephants invented Linux [2].",
        PASSAGES,
        threshold=0.6,
    )
    assert cited.dropped_sentences == ("Elephants invented Linux.",)
    assert "Elephants" not in cited.text


def test_a_repeated_sentence_is_shown_once():
    cited = cite_generated(QUESTION, "The server listens on port 5432. " * 3, PASSAGES, threshold=0.6)
    assert cited.text.count("5432") == 1


def test_a_marker_behind_the_full_stop_belongs_to_its_sentence():
    cited = cite_generated(
        QUESTION,
        "The server listens on port 5432. [1] Backups are made every night. [2]",
        PASSAGES,
        threshold=0.6,
    )
    assert [c.page for c in cited.citations] == [None, 3]
    assert cited.dropped_sentences == ()


def test_markers_may_stand_together():
    assert markers("so [1, 2] and [3] but not [x] or [1234]") == [1, 2, 3]


def test_markers_are_taken_out():
    assert without_markers("So it is [1], or [2, 3]; not x[a].") == "So it is, or; not x[a]."


@given(st.text(alphabet="ab. [12]\n", max_size=120))
def test_every_citation_shown_holds_whatever_was_written(text):
    cited = cite_generated(QUESTION, text, PASSAGES, threshold=0.6)
    assert set(markers(cited.text)) == {c.number for c in cited.citations}
    for citation in cited.citations:
        assert DOCUMENT[citation.start : citation.end] == citation.text


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


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("See ![seal](https://t.example/a.png?q=1).", "See ![seal] (https://t.example/a.png?q=1)."),
        ("[pay](javascript:alert(1))", "[pay] (javascript:alert(1))"),
        ("[pay](<//t.example>)", "[pay] (<//t.example>)"),
        ('<img src="https://t.example/a.png">', '< img src="https://t.example/a.png">'),
        ("<SVG onload=alert(1)>", "< SVG onload=alert(1)>"),
        ("<script>alert(1)</script>", "< script>alert(1)</script>"),
    ],
)
def test_what_a_client_would_load_or_link_is_shown_as_text(written, shown):
    assert inert(written) == shown == inert(shown)
    source = f"The seal is here: {written}"
    cited = cite_generated("Where is the seal?", f"{source} [1]", [passage(source)], threshold=0.6)
    assert shown in cited.text
    assert written not in cited.text


@pytest.mark.parametrize(
    "text",
    ["handlers[name](event)", "if a <b and c> d", "5 < 6 (see [3])", "a[0] (http://t.example)", "<b>x</b>"],
)
def test_code_and_signs_stay_as_they_are(text):
    assert inert(text) == text


def test_a_long_text_of_openings_is_read_once(within):
    with within(1):
        inert("<a " * 50_000 + "[](" * 50_000 + "<a" + " " * 50_000)
