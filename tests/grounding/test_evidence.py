import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.grounding.evidence import SearchedPassage
from hybrid.text.words import word_spans
from hybrid.types import Span

PASSAGE = (
    "The harbour opened in 1990. It has two piers. The first pier is made of oak. "
    "Ferries leave every hour. The ticket office sells maps. Dogs are not allowed on board. "
    "A café stands beside the office. Its owner is called Ada."
)


def texts(passage, claim, *, max_words=200):
    found = SearchedPassage(passage, max_words=max_words).candidates(claim)
    return [evidence.text for evidence in found]


def best(passage, claim, count=3):
    return [passage[s.start : s.end] for s in SearchedPassage(passage, max_words=200).best(claim, count)]


def test_the_sentence_that_says_it_comes_first():
    assert best(PASSAGE, "Ferries depart every hour.")[0] == "Ferries leave every hour."


def test_several_sentences_are_chosen_to_cover_a_claim_together():
    passage = "Ada built boats in Rome. Ada built boats in Paris. Ada sold maps. It rained."
    assert "Ada sold maps." in best(passage, "Ada built boats in Rome and sold maps.", 2)


@pytest.mark.parametrize(
    ("claim", "passage", "says"),
    [
        ("The pier is long.", "Today it rains, the pier is long; the oak is old.", True),
        ("200 people live there.", "In all, 200 people live there.", True),
        ("200 people live there.", "1,200 people live there.", False),
        ("The fine is 5.", "The fine is 5.50 euros.", False),
        ("5 degrees were measured.", "-5 degrees were measured.", False),
        ("The pier is long.", "They said the pier is long.", False),
    ],
)
def test_a_clause_is_said_word_by_word_but_no_part_of_a_number(claim, passage, says):
    searched = SearchedPassage(passage, max_words=200)
    assert bool(searched.saying(claim)) is says


def test_a_rare_word_counts_for_more_than_a_frequent_one():
    passage = "The pier is old. The pier is long. The pier is red. The oak is old."
    assert best(passage, "the pier of oak", 1) == ["The oak is old."]


def test_there_are_sentences_windows_and_one_joined_selection():
    claim = "The first pier is of oak, and Ada owns the café beside the office."
    found = texts(PASSAGE, claim, max_words=25)
    assert "The first pier is made of oak." in found
    assert "A café stands beside the office. Its owner is called Ada." in found
    (joined,) = [text for text in found if "oak" in text and "Ada" in text]
    assert joined.index("oak") < joined.index("café") < joined.index("Ada")
    assert len(found) <= 6


def test_a_passage_that_fits_is_a_candidate_itself():
    assert PASSAGE in texts(PASSAGE, "Ferries leave every hour.")
    assert texts(PASSAGE, "Nothing matches whatsoever.") == [PASSAGE]


def test_a_passage_without_a_matching_word_still_has_a_candidate():
    (only,) = texts(PASSAGE, "Nothing matches whatsoever.", max_words=12)
    assert only.startswith("The harbour opened")


def test_a_passage_without_a_word_has_none():
    assert texts("", "claim") == texts(" \n ", "claim") == []


def test_a_sentence_too_long_is_cut_into_stretches_that_overlap():
    words = [f"word{number}" for number in range(100)]
    passage = SearchedPassage(" ".join(words), max_words=20)
    stretches = [passage.text[unit.start : unit.end].split() for unit in passage.units]
    assert all(len(stretch) <= 20 for stretch in stretches)
    assert set(itertools.chain(*stretches)) == set(words)
    # what stands together in the text stands together in a stretch, up to half its length
    for first in range(90):
        assert any(words[first : first + 10] == s[i : i + 10] for s in stretches for i in range(len(s)))


@pytest.mark.slow
def test_evidence_is_found_anywhere_in_a_long_passage():
    names = [f"n{number}" for number in range(5_000)]
    sentences = [
        f"The {name} of house {place % 7} is {place * 37 % 991} metres tall."
        for place, name in enumerate(names)
    ]
    passage = SearchedPassage(" ".join(sentences), max_words=60)
    for place in (0, 1, 2_500, 4_321, 4_999):
        found = passage.candidates(sentences[place])
        assert sentences[place] in [evidence.text for evidence in found]


words = st.sampled_from(["the", "cat", "sat", "on", "mat", "red", "42", "Ada", "港口"])
lines = st.lists(words, min_size=1, max_size=7).map(lambda found: " ".join(found).capitalize() + ".")
passages = st.lists(lines, max_size=12).map(" ".join)
claims = st.lists(words, min_size=1, max_size=6).map(" ".join)


@pytest.mark.slow
@given(st.lists(lines, min_size=1, max_size=30), st.data())
def test_a_claim_copied_from_a_passage_has_its_sentence(sentences, data):
    passage = SearchedPassage(" ".join(sentences), max_words=8)
    unit = data.draw(st.sampled_from(passage.units))
    claim = passage.text[unit.start : unit.end]
    assert claim in [evidence.text for evidence in passage.candidates(claim)]


@pytest.mark.slow
@given(passages, claims, st.integers(1, 30), st.integers(0, 4))
def test_candidates_stand_in_the_passage_and_are_no_longer_than_a_scorer_reads(
    text, claim, max_words, number
):
    found = SearchedPassage(text, max_words=max_words).candidates(claim, number)
    assert bool(found) == any(character.isalnum() for character in text)
    assert len(found) <= 6
    assert len({evidence.spans for evidence in found}) == len(found)
    for evidence in found:
        assert evidence.passage == number
        assert evidence.text == " ".join(text[span.start : span.end] for span in evidence.spans)
        assert all(one.end <= other.start for one, other in itertools.pairwise(evidence.spans))
        assert len(word_spans(evidence.text, Span(0, len(evidence.text)))) <= max_words


@pytest.mark.slow
@given(passages, claims)
def test_the_same_is_proposed_again(text, claim):
    passage = SearchedPassage(text, max_words=20)
    assert passage.candidates(claim) == passage.candidates(claim)
    assert passage.candidates(claim) == SearchedPassage(text, max_words=20).candidates(claim)


@pytest.mark.slow
@given(st.text(max_size=60), st.text(max_size=30), st.integers(-1, 5))
def test_any_text_is_searched(text, claim, max_words):
    found = SearchedPassage(f"{text}\n\nFerries leave every hour.", max_words=max_words).candidates(claim)
    assert found
    for evidence in found:
        assert evidence.text.strip()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("a" * 100_000, (1, 3)),
        ("!" * 100_000, (0, 0)),
        ("a " * 50_000, (1, 1)),
        ("\n" * 9_999, (0, 0)),
        ("港" * 20_000, (1, 3)),
        ("\ud800" * 999, (0, 0)),
    ],
)
def test_odd_texts_are_searched_in_time(text, counts, within):
    with within(2):
        passage = SearchedPassage(text, max_words=50)
        assert (len(passage.candidates("a claim")), len(passage.candidates(text))) == counts
