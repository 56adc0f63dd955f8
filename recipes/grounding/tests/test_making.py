from collections import Counter

import pytest

from hybrid.errors import UsageError
from hybrid.grounding.examples import Label
from recipes.grounding.leaks import bigram_overlaps, require_fair
from recipes.grounding.making import DELETED, DISTRACTOR, KINDS, make_examples

TOWNS = ("Berlin", "Paris", "London", "Madrid", "Vienna", "Rome", "Prague", "Oslo", "Athens", "Lisbon")
THINGS = (
    "bridge",
    "museum",
    "library",
    "station",
    "harbour",
    "theatre",
    "market",
    "tower",
    "garden",
    "school",
)


def document(number):
    town, thing = TOWNS[number % 10], THINGS[number // 10 % 10]
    lines = (
        f"The {thing} in {town} was built in {1880 + number} after {number + 3} years of work by the "
        f"council.",
        f"Most visitors of the {thing} come in summer because the weather in {town} is usually good.",
        f"However, the old {thing} is closed for {number % 9 + 2} weeks before the winter, which helps "
        f"the staff.",
        "",
        f"In {1950 + number}, more than {number + 40} workers repaired the roof of the {thing} with new "
        f"stones.",
        f"If the weather is bad, the doors of the {thing} are closed at noon by the guards.",
        f"The costs of the {thing} increased from {number + 20} to {number + 90} million euros in several "
        f"steps.",
        f"Several shops near the {thing} sell maps, which are made by hand in small rooms.",
        f"Tickets are not sold on Monday, but all visitors are able to enter the yard of the {thing}.",
    )
    return f"{town}-{thing}-{number}", "\n".join(lines)


DOCUMENTS = [document(number) for number in range(40)]
MADE = make_examples(DOCUMENTS, count=240, seed=7, domain="towns", licence="CC0")


def test_half_are_supported_and_every_example_says_where_it_is_from():
    assert 120 < len(MADE) <= 240
    assert sum(not example.supported for example in MADE) * 2 == len(MADE)
    sources = {source for source, _ in DOCUMENTS}
    for example in MADE:
        assert example.source in sources
        assert (example.domain, example.task, example.licence) == ("towns", "made", "CC0")
        assert example.evidence
        assert all(example.evidence)
        assert (example.kind in KINDS) != example.supported


def test_ids_are_unique_and_name_the_pair():
    assert len({example.id for example in MADE}) == len(MADE)
    pairs = Counter(example.id.partition("/")[0] for example in MADE)
    assert set(pairs.values()) <= {1, 2}
    assert list(pairs.values()).count(2) > len(pairs) / 4


def test_unsupported_claims_say_which_stretch_it_is():
    for example in MADE:
        assert bool(example.unsupported_spans) != example.supported


def test_many_kinds_are_made():
    kinds = Counter(example.kind for example in MADE if example.kind)
    assert len(kinds) >= 8
    assert {DELETED, DISTRACTOR} <= set(kinds)
    assert max(kinds.values()) < len(MADE) / 4


def test_the_set_is_fair():
    leaks = require_fair(MADE)
    assert leaks.overlap < 0.7


def test_some_supported_claims_are_copies_and_some_are_not():
    overlaps = bigram_overlaps([example for example in MADE if example.supported])
    assert any(share == 1 for share in overlaps)
    assert any(share < 0.8 for share in overlaps)


def test_claims_without_their_evidence_are_not_in_it():
    found = [example for example in MADE if example.kind in (DELETED, DISTRACTOR)]
    assert {example.kind for example in found} == {DELETED, DISTRACTOR}
    for example in found:
        assert example.label is Label.NEUTRAL
        assert example.claim not in " ".join(example.evidence)


@pytest.mark.slow
def test_the_same_arguments_give_the_same_examples_and_another_seed_others():
    once, again, other = (make_examples(DOCUMENTS[:8], count=20, seed=seed) for seed in (7, 7, 8))
    assert once == again
    assert once != other


@pytest.mark.slow
def test_kinds_can_be_chosen():
    numbers = make_examples(DOCUMENTS, count=40, seed=0, kinds=("number",))
    assert {example.kind for example in numbers} == {"", "number"}
    bare = make_examples(DOCUMENTS, count=40, seed=0, kinds=(DELETED,))
    assert {example.kind for example in bare} == {"", DELETED}


@pytest.mark.parametrize(
    "documents",
    [
        [],
        [("empty", "")],
        [("german", "Das Haus wurde im Jahr 1900 von der Stadt gebaut. Es ist seit 1950 geschlossen.")],
        [("code", "def f(x):\n    return {x: [y for y in x]}\n")],
        [("odd", "\ud800" * 50), ("one", "A" * 100_000), ("rtl", "שלום עולם. " * 50)],
    ],
)
def test_documents_without_claims_give_nothing(documents):
    assert make_examples(documents, count=10, seed=0) == []


@pytest.mark.parametrize(
    ("count", "kinds", "share"), [(1, KINDS, 0.1), (10, ("nonsense",), 0.1), (10, (), 0.1), (10, KINDS, 1.5)]
)
def test_what_makes_no_sense_is_refused(count, kinds, share):
    with pytest.raises(UsageError, match="expected 2 or more"):
        make_examples(DOCUMENTS, count=count, seed=0, kinds=kinds, taken_away=share)
