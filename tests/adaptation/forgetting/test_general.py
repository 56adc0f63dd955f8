"""The suite that ships: complete, clean, its training texts apart from the measured ones."""

import pytest

from hybrid.adaptation.examples.rehearsal import instructions
from hybrid.adaptation.forgetting.general import (
    Choice,
    MinimalPair,
    Probe,
    Suite,
    SuitePassage,
    choice_of,
    probe_texts,
    shipped_suite,
)
from hybrid.errors import UsageError


@pytest.fixture(scope="module")
def suite():
    return shipped_suite()


def test_there_is_enough_of_every_kind(suite):
    assert len(suite.passages) >= 75
    assert len({passage.source for passage in suite.passages}) == len(suite.passages)
    assert len(suite.pairs) >= 400
    assert len({pair.phenomenon for pair in suite.pairs}) >= 10
    assert len(suite.choices) >= 120
    assert len(suite.probes) >= 30


def test_every_item_has_a_name_of_its_own(suite):
    for items in (suite.passages, suite.pairs, suite.choices, suite.probes):
        assert len({item.id for item in items}) == len(items)


def test_texts_for_training_are_of_other_documents(suite):
    texts = probe_texts()
    assert 12 <= len(texts) <= 20
    assert not set(texts) & {passage.text for passage in suite.passages}


def test_texts_are_short_and_clean(suite):
    for text in (*probe_texts(), *(passage.text for passage in suite.passages)):
        assert 150 <= len(text) <= 700
        assert text == text.strip()
        assert "  " not in text
        assert "\t" not in text


def test_the_right_option_stands_anywhere(suite):
    places = [choice.right for choice in suite.choices]
    assert all(places.count(place) > len(places) / 8 for place in range(4))
    for choice in suite.choices:
        assert len(choice.options) == 4
        assert list(choice.options) == sorted(choice.options)


def test_no_instruction_is_rehearsed_and_measured(suite):
    assert not {text.lower() for text in instructions()} & {probe.prompt.lower() for probe in suite.probes}


@pytest.mark.parametrize(
    ("prompt", "good", "bad"),
    [
        ("Repeat this sentence: I like green tea.", '"I like green tea."', "You like green tea."),
        ("Do cats have wings? Answer yes or no.", "No, they have not.", "Cats have no wings."),
        ("Write a numbered list of four colors.", "1. Red\n2. Blue\n3.", "Red, blue, green"),
        ("What is 2 + 2?", "The answer is 4.", "The answer is 44."),
        ("Write a Python function called greet.", "```python\ndef greet(name):", "print('hello')"),
        (
            'Write a JSON object with the key "age" and the value 30.',
            '```json\n{\n  "age": 30',
            "The age is 30.",
        ),
    ],
)
def test_a_form_is_told_by_its_pattern(suite, prompt, good, bad):
    probe = next(each for each in suite.probes if each.prompt == prompt)
    assert probe.followed(good)
    assert not probe.followed(bad)
    assert not probe.followed("")


def test_the_digest_tells_suites_apart(suite):
    assert suite.digest == shipped_suite().digest
    assert suite.digest != shipped_suite(pairs_each=2).digest
    assert suite.digest != suite.sample(20).digest


def test_a_sample_is_drawn_by_the_seed_and_keeps_the_order(suite):
    part = suite.sample(15, seed=4)
    assert part == suite.sample(15, seed=4)
    assert part != suite.sample(15, seed=5)
    assert [len(items) for items in (part.passages, part.pairs, part.choices, part.probes)] == [15] * 4
    places = [suite.pairs.index(pair) for pair in part.pairs]
    assert places == sorted(places)
    assert suite.sample(10**6) == suite


def test_too_small_a_sample_is_refused(suite):
    with pytest.raises(UsageError, match="9 items of a kind are too few"):
        suite.sample(9)


def test_options_must_differ():
    with pytest.raises(UsageError, match="different options"):
        choice_of("Which?", "a", ["b", "b"])
    with pytest.raises(UsageError, match="different options"):
        choice_of("Which?", "a", [])
    assert choice_of("Which?", "b", ["a", "c"]) == Choice("Which?", "Which?", ("a", "b", "c"), 1)


def test_an_empty_suite_has_a_digest_too():
    one = Suite("x", passages=(SuitePassage("a", "", "text", "a"),))
    other = Suite("x", pairs=(MinimalPair("a", "", "text", "a"),))
    assert len({Suite("x").digest, one.digest, other.digest}) == 3
    assert not Probe("a", "", "say a", "^a$").followed("b")
