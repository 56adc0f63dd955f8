"""Tests of query-passage pairs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.adaptation.data.examples import Sieve
from hybrid.adaptation.data.material import Split, split_sources
from hybrid.adaptation.data.pairs import (
    ACRONYM,
    CLAIM,
    CLOZE,
    DEFINITION,
    HEADING,
    QUESTION,
    ROUND_TRIP,
    PairSettings,
    draft_queries,
    held_out_pairs,
    make_pairs,
)
from hybrid.errors import UsageError
from hybrid.questions.sets import deep_search
from hybrid.types import Chunk, Document, Question

_SETTINGS = PairSettings(count=60, validation=20, negatives=3)
_ABSTRACT = (
    "The write-ahead log (WAL) is a file that records every change before it is made to a table. "
    "Many servers keep several of these files in one folder of their own for a long time. "
    "Checkpoints decide how many segments of the log have to be kept at any moment of the day. "
    "Our results show that larger segments of the log reduce the load of the disk by a third. "
    "Small segments of the WAL were recycled far more often than large ones in every single run."
)


def _split(retriever, **shares):
    given = {"hold_out": 0.25, "validation": 0.2, "seed": 0} | shares
    return split_sources(retriever.index.sources(), **given)


@pytest.mark.slow
def test_pairs_never_come_from_held_out_documents_not_even_as_negatives(tools):
    split = _split(tools)
    assert split.held_out
    made = make_pairs(tools, split, _SETTINGS)
    assert {pair.source for pair in made.train} <= split.training
    assert {pair.source for pair in made.validation} <= split.validation
    names = [source.removesuffix(".md").capitalize() for source in split.held_out]
    texts = [
        t for pair in (*made.train, *made.validation) for t in (pair.query, pair.passage, *pair.negatives)
    ]
    assert any(pair.negatives for pair in made.train)
    assert not [text for text in texts for name in names if text.startswith(name)]


@pytest.mark.slow
def test_several_rules_take_turns(tools):
    rules = {pair.made for pair in make_pairs(tools, _split(tools), _SETTINGS).train}
    assert rules <= {HEADING, QUESTION, DEFINITION, ACRONYM, CLAIM, CLOZE}
    assert len(rules) >= 3


@pytest.mark.slow
def test_every_query_brings_its_document_back(tools):
    made = make_pairs(tools, _split(tools), _SETTINGS)
    found = deep_search(tools, depth=40)([pair.query for pair in made.train])
    assert made.train
    for pair, hits in zip(made.train, found, strict=True):
        assert pair.source in {hit.chunk.source for hit in hits[:ROUND_TRIP]}


@pytest.mark.slow
def test_negatives_are_confused_with_the_passage_and_no_answers(tools):
    made = make_pairs(tools, _split(tools), _SETTINGS)
    found = deep_search(tools, depth=40)([pair.query for pair in made.train])
    assert any(pair.negatives for pair in made.train)
    for pair, hits in zip(made.train, found, strict=True):
        own = next(hit for hit in hits if hit.chunk.source == pair.source)
        there = {hit.chunk.embedded_text: hit for hit in hits}
        assert len(pair.negatives) <= 3
        for text in pair.negatives:
            hit = there[text]
            assert hit.chunk.source != pair.source
            assert hit.dense < 0.95 * own.dense
            assert hit.score < own.score


def _weather(number, word):
    return (
        f"# The same heading for all\n\nPage {number} tells of the weather and of {word} in spring. "
        f"It is a {word} of the mildest kind, number {number} of all that were seen near the old mill.\n"
    )


_WORDS = ("rain", "wind", "snow", "fog", "hail", "sun", "ice", "dew", "mist", "heat", "frost")


@pytest.mark.slow
def test_a_namesake_of_the_passage_is_no_negative(retriever_over):
    pages = {f"{n}.md": _weather(n, word) for n, word in enumerate(_WORDS)}
    copies = {f"copy{n}.md": pages["3.md"] for n in range(3)}
    retriever = retriever_over(pages | copies)
    split = Split(frozenset(retriever.index.sources()), frozenset(), frozenset())
    pairs = make_pairs(retriever, split, _SETTINGS).train
    assert any(pair.negatives for pair in pairs)
    for pair in pairs:
        if "fog" in pair.passage:
            assert not any("fog" in text for text in pair.negatives)


@pytest.mark.slow
def test_duplicates_are_counted(retriever_over):
    retriever = retriever_over({f"{n}.md": _weather(n, word) for n, word in enumerate(_WORDS)})
    split = Split(frozenset(retriever.index.sources()), frozenset(), frozenset())
    made = make_pairs(retriever, split, _SETTINGS)
    reasons = {part.reason.partition(":")[0]: part.count for part in made.left_out}
    assert reasons["duplicate"] >= 9
    queries = [pair.query for pair in made.train]
    assert len(set(queries)) == len(queries)


@pytest.mark.slow
def test_what_a_question_set_asks_is_left_out(tools):
    split = _split(tools)
    free = make_pairs(tools, split, _SETTINGS)
    asked = free.train[0].query
    sieve = Sieve([Question("q1", asked, ("x",))])
    made = make_pairs(tools, split, _SETTINGS, sieve=sieve)
    assert asked not in {pair.query for pair in made.train}
    assert any(part.reason.startswith("leak") for part in made.left_out)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_pairs_and_another_one_others(tools):
    split = _split(tools)
    assert make_pairs(tools, split, _SETTINGS) == make_pairs(tools, split, _SETTINGS)
    few = PairSettings(count=10, validation=4, seed=0)
    other = PairSettings(count=10, validation=4, seed=1)
    assert make_pairs(tools, split, few).train != make_pairs(tools, split, other).train
    assert len(make_pairs(tools, split, few).train) == 10


@pytest.mark.slow
def test_too_little_to_train_on_is_an_error(retriever_over):
    retriever = retriever_over(
        {"a.md": "# A short page\n\nOnly this one sentence is said here about nothing.\n"}
    )
    split = Split(frozenset(["a.md"]), frozenset(), frozenset())
    with pytest.raises(UsageError, match="query-passage pairs, expected 8 or more") as caught:
        make_pairs(retriever, split, _SETTINGS)
    assert "--data" in caught.value.hint


@pytest.mark.slow
def test_held_out_pairs_are_of_the_given_documents_alone(tools):
    split = _split(tools)
    pairs = held_out_pairs(tools, split.held_out, count=12, seed=0)
    assert pairs
    assert {pair.source for pair in pairs} <= split.held_out
    assert not any(pair.negatives for pair in pairs)
    assert held_out_pairs(tools, frozenset(), count=12, seed=0) == []


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


@pytest.mark.slow
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
