"""Tests of minimal pairs."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.adaptation.suites import shipped_suite
from recipes.suite.pairs import EACH, minimal_pairs, read_grammar


def test_what_ships_is_what_is_made():
    assert shipped_suite().pairs == minimal_pairs(EACH)


def test_every_paradigm_gives_as_many_different_pairs_as_wanted():
    pairs = minimal_pairs(30)
    counts = Counter(pair.id.rpartition("/")[0] for pair in pairs)
    assert len(counts) == len(read_grammar().paradigms)
    assert set(counts.values()) == {30}
    assert len({(pair.good, pair.bad) for pair in pairs}) == len(pairs)
    assert len({pair.id for pair in pairs}) == len(pairs)


@pytest.mark.slow
@given(st.integers(1, 6), st.integers(0, 3))
def test_more_pairs_begin_with_the_fewer_ones(each, seed):
    few, more = minimal_pairs(each, seed=seed), minimal_pairs(each + 1, seed=seed)
    assert set(few) <= set(more)
    assert few == minimal_pairs(each, seed=seed)


def test_another_seed_gives_other_pairs():
    assert minimal_pairs(5, seed=1) != minimal_pairs(5, seed=2)


def test_sentences_are_whole_and_differ():
    found = minimal_pairs(20)
    assert len(found) == 20 * len(read_grammar().paradigms) > 0
    for pair in found:
        assert pair.good != pair.bad
        for text in (pair.good, pair.bad):
            assert not re.search(r"[\[\]{}|]|  ", text), pair
            assert text[0].isupper()
            assert text[-1] in ".?"
        # what differs is a stretch in the middle, of a few words
        assert abs(len(pair.good.split()) - len(pair.bad.split())) <= 2


def test_slots_name_lists_and_forms_that_are_there():
    grammar = read_grammar()
    assert grammar.paradigms and all(paradigm.templates for paradigm in grammar.paradigms)
    for paradigm in grammar.paradigms:
        for template in paradigm.templates:
            for kind, form in re.findall(r"\{([a-z]+)\d*\.([a-z]+)\}", template):
                assert form in grammar.words[kind].forms, template
            assert template.count("[") == 1, template
    for words in grammar.words.values():
        assert words.list and all(len(word) == len(words.forms) for word in words.list)


@pytest.mark.parametrize("kind", ["person", "meet", "name"])
def test_two_slots_of_one_list_hold_different_words(kind):
    templates = [t for p in read_grammar().paradigms for t in p.templates if f"{kind}2." in t]
    assert templates
    first = {word[0] for word in read_grammar().words[kind].list}
    assert len(first) == len(read_grammar().words[kind].list)
