"""What a document lets one search it with."""

from hypothesis import given
from hypothesis import strategies as st

from hybrid.adaptation.queries.questions import (
    ACRONYM,
    CLAIM,
    CLOZE,
    DEFINITION,
    HEADING,
    QUESTION,
    draft_queries,
)
from hybrid.types import Chunk, Document

_ABSTRACT = (
    "The write-ahead log (WAL) is a file that records every change before it is made to a table. "
    "Many servers keep several of these files in one folder of their own for a long time. "
    "Checkpoints decide how many segments of the log have to be kept at any moment of the day. "
    "Our results show that larger segments of the log reduce the load of the disk by a third. "
    "Small segments of the WAL were recycled far more often than large ones in every single run."
)


def _one(text=_ABSTRACT, headings=("Tuning the write-ahead log of a busy server",), source="a.txt"):
    document = Document(source, text, title=headings[0] if headings else "")
    return document, [Chunk(source, 0, 0, len(text), text, tuple(headings))]


def _by_rule(drafts):
    found = {}
    for draft in drafts:
        found.setdefault(draft.made, []).append(draft)
    return found


def test_a_heading_finds_its_passage_without_it():
    (draft,) = _by_rule(draft_queries(*_one(), seed=0))[HEADING]
    assert draft.query == "Tuning the write-ahead log of a busy server"
    assert draft.passage == _ABSTRACT


def test_a_text_that_repeats_its_title_is_shown_without_it():
    title = "Tuning the write-ahead log of a busy server"
    drafts = draft_queries(*_one(f"{title.lower()} . {_ABSTRACT}"), seed=0)
    (draft,) = _by_rule(drafts)[HEADING]
    assert draft.passage.startswith("The write-ahead log (WAL) is")


def test_a_short_heading_is_named_with_the_one_above():
    (draft,) = _by_rule(draft_queries(*_one(headings=("The Manual", "Write-Ahead Log", "Size")), seed=0))[
        HEADING
    ]
    assert draft.query == "Write-Ahead Log: Size"
    assert draft.passage.startswith("The Manual > Write-Ahead Log\nThe write-ahead")


def test_sentences_find_the_rest_of_their_passage():
    drafts = _by_rule(draft_queries(*_one(), seed=0))
    asked = [*drafts[CLOZE], *drafts[CLAIM]]
    assert len(asked) >= 4
    held = [draft for draft in asked if len(draft.passage) > len(_ABSTRACT)]
    assert len(held) <= 1, "a sentence stays in one of ten passages"
    for draft in drafts[CLOZE]:
        if draft not in held:
            assert draft.query[:30] not in draft.passage
            assert draft.passage.startswith("Tuning the write-ahead log of a busy server\n")


def test_a_claim_says_what_was_found_and_not_that_it_was_found():
    drafts = _by_rule(draft_queries(*_one(), seed=0))
    words = set("Larger segments of the log reduce the load of the disk by a third".lower().split())
    claims = [set(draft.query.lower().split()) for draft in drafts[CLAIM]]
    assert any(claim < words and len(claim) >= 4 for claim in claims)
    assert not any("results" in claim for claim in claims)


def test_terms_and_abbreviations_are_asked_for():
    drafts = _by_rule(draft_queries(*_one(), seed=0))
    assert QUESTION in drafts
    assert any("write-ahead log" in draft.query for draft in drafts[DEFINITION])
    swapped = [draft.query for draft in drafts[ACRONYM]]
    assert any("WAL" in query and "write-ahead" not in query.lower() for query in swapped)


def test_no_query_is_there_twice_and_the_same_seed_gives_the_same():
    first = draft_queries(*_one(), seed=3)
    assert first == draft_queries(*_one(), seed=3)
    queries = [draft.query.casefold() for draft in first]
    assert len(set(queries)) == len(queries)
    assert first != draft_queries(*_one(), seed=4)


def test_listings_tables_and_scraps_are_no_queries():
    text = "def run(x): return {x: 1} if x == 2 else call(x, y=3) and then some more words here.\n" * 3
    assert not [d for d in draft_queries(*_one(text), seed=0) if d.made in (CLOZE, CLAIM)]
    assert draft_queries(Document("a", ""), [], seed=0) == []
    assert draft_queries(*_one("Too short."), seed=0) == []


@given(st.text(max_size=400), st.lists(st.text(max_size=30), max_size=3))
def test_any_document_is_read(text, headings):
    known = _one()[0].text
    whole = f"{text}\n\n{known}"
    document = Document("a", whole, title="t")
    chunks = [
        Chunk("a", 0, 0, len(text), text, tuple(headings)),
        Chunk("a", 1, len(text) + 2, len(whole), known),
    ]
    drafts = draft_queries(document, chunks, seed=0)
    assert drafts
    for draft in drafts:
        assert draft.query.strip()
        assert draft.passage.strip()
