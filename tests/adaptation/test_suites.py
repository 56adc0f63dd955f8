"""Tests of benchmark suites."""

import json
from dataclasses import replace

import pytest

from hybrid.adaptation.methods.holding import instructions
from hybrid.adaptation.suites import (
    Choice,
    MinimalPair,
    Probe,
    Suite,
    SuitePassage,
    choice_of,
    load_suite,
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
    assert suite.passages
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
    assert suite.digest != replace(suite, pairs=suite.pairs[1:]).digest
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


def jsonl(rows):
    return "\n".join(json.dumps(row) for row in rows) + "\n"


def pair(number):
    return {
        "sentence_good": f"The cats number {number} sleep.",
        "sentence_bad": f"The cats number {number} sleeps.",
        "UID": "agreement",
        "linguistics_term": "subject_verb_agreement",
    }


def listed(number, right=2):
    return {
        "instruction": f"Please choose the correct answer to the question: What is {number}?\n\n"
        "Answer1: a dog Answer2: a cat. Answer3: none\n\nAnswer format: answer1/answer2/answer3",
        "output": f"the correct answer is answer{right}",
        "answer": f"answer{right}",
    }


def from_hub(number):
    return {
        "question": f"What is {number}?",
        "choices": {"text": ["a dog", "a cat", "a bird"], "label": ["A", "B", "C"]},
        "answerKey": "C",
    }


_ARTICLES = "".join(
    f" = Article {n} = \n \n The {n}th article begins . {'It goes on and on . ' * 40}\n\n"
    " = = Part = = \n\n It ends .\n\n"
    for n in range(12)
)


@pytest.fixture
def folder(tmp_path, write_files):
    return write_files(
        tmp_path / "public",
        {
            "blimp/pairs.jsonl": jsonl(pair(n) for n in range(12)),
            "arc/test.json": json.dumps([listed(n) for n in range(11)]),
            "arc/hub.jsonl": jsonl(from_hub(n) for n in range(4)),
            "wiki/valid.txt": _ARTICLES,
            "README.md": "what this is",
            "LICENSE": "free",
            ".hidden": "x",
        },
    )


def test_a_folder_is_known_by_what_is_in_its_files(folder):
    suite = load_suite(folder)
    assert len(suite.pairs) == 12
    assert suite.pairs[0].phenomenon == "subject_verb_agreement"
    assert suite.pairs[0].id == "public/blimp/pairs.jsonl:1"
    assert len(suite.choices) == 15
    assert suite.name == "public"
    assert not suite.probes


def test_options_are_taken_out_of_the_instruction(folder):
    choice = load_suite(folder / "arc" / "test.json").choices[3]
    assert choice.question == "What is 3?"
    assert set(choice.options) == {"a dog", "a cat.", "none"}
    assert choice.options[choice.right] == "a cat."


def test_options_of_the_hub_are_read(folder, tmp_path, write_files):
    file = write_files(tmp_path / "h", {"x.json": json.dumps([from_hub(n) for n in range(10)])}) / "x.json"
    choice = load_suite(file).choices[0]
    assert choice.options[choice.right] == "a bird"


def test_articles_are_documents_and_their_parts_passages(folder):
    passages = load_suite(folder / "wiki").passages
    assert len({passage.source for passage in passages}) == 12
    assert passages[0].source == "wiki/valid.txt: Article 0"
    assert passages[0].text.startswith("The 0th article begins .")
    assert len({passage.id for passage in passages}) == len(passages)
    # the headings of parts stay in the text
    assert "= = Part = =" in passages[0].text


def test_long_texts_become_several_passages_of_one_document(tmp_path, write_files):
    text = "\n\n".join(f"Paragraph {n}. " + "Words follow words here. " * 20 for n in range(30))
    folder = write_files(tmp_path / "t", {f"{n}.txt": text for n in range(10)})
    passages = load_suite(folder).passages
    assert len({passage.source for passage in passages}) == 10
    assert len(passages) > 50
    assert max(len(passage.text) for passage in passages) < 2_000


def test_several_paths_make_one_suite(folder):
    suite = load_suite(folder / "blimp", folder / "arc" / "test.json")
    assert (len(suite.pairs), len(suite.choices), len(suite.passages)) == (12, 11, 0)
    assert suite.name == "blimp, test.json"


def test_a_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        load_suite(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.csv", "x", "files that end in .csv"),
        ("a", "x", "files that end in nothing"),
        ("a.jsonl", '{"premise": "x"}\n', "a.jsonl:1 is nothing that a suite understands: the keys premise"),
        ("a.jsonl", "{}\n", "the keys of an empty object"),
        ("a.jsonl", '{"sentence_good"\n', "line 1: not JSON"),
        ("a.json", "[1, 2]", "a.json:1 is nothing that a suite understands: int"),
        ("a.json", "7", "int instead of an object"),
        ("a.txt", b"\xff\xfe\x00x", "cannot be read"),
        (
            "a.jsonl",
            jsonl([pair(1) | {"sentence_bad": "The cats number 1 sleep."}]),
            "two different sentences",
        ),
        ("a.jsonl", jsonl([listed(1, right=9)]), "answer 9 of 3 options"),
        ("a.jsonl", jsonl([from_hub(1) | {"answerKey": "D"}]), "of 3 options"),
        (
            "a.jsonl",
            jsonl([from_hub(1) | {"choices": {"text": ["a", "a"], "label": ["A", "C"]}}]),
            "different options",
        ),
    ],
)
def test_what_is_not_understood_names_file_line_and_what_is(tmp_path, write_files, name, text, found):
    folder = write_files(tmp_path / "s", {name: text})
    with pytest.raises(UsageError, match=found.replace(".", r"\.")):
        load_suite(folder)


def test_a_folder_without_data_is_refused(tmp_path, write_files):
    with pytest.raises(UsageError, match="has no items"):
        load_suite(write_files(tmp_path / "s", {"README": "nothing"}))


def test_too_few_items_of_a_kind_are_refused(tmp_path, write_files):
    with pytest.raises(UsageError, match="9 minimal pairs, expected 10 or more"):
        load_suite(write_files(tmp_path / "s", {"a.jsonl": jsonl(pair(n) for n in range(9))}))
    with pytest.raises(UsageError, match="1 documents"):
        load_suite(write_files(tmp_path / "t", {"a.txt": "Words follow words. " * 500}))
