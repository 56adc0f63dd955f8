import json

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from hybrid.adaptation.data.files import (
    load_examples,
    load_given,
    require_examples,
    save_examples,
)
from hybrid.adaptation.values import Example, ExampleKind, QueryPair
from hybrid.errors import UsageError
from hybrid.generation.prompts import load_prompts
from hybrid.questions.files import load_texts
from hybrid.types import Message, MessageRole

PROMPTS = load_prompts("en")


def written(tmp_path, *rows):
    path = tmp_path / "data.jsonl"
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return path


def given_by(tmp_path, *rows):
    return load_given(written(tmp_path, *rows), PROMPTS)


def test_lines_of_all_kinds_are_read(tmp_path):
    turns = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good day."}]
    found = given_by(
        tmp_path,
        {"question": "Which port?", "answers": ["5432"], "source": "a.txt"},
        {"question": "Is it a goat?", "answers": ["yes"], "options": ["yes", "no"]},
        {"prompt": "Say hello", "completion": "Hello."},
        {"prompt": "Good or bad?", "completion": "good", "options": ["good", "bad"], "source": "b.txt"},
        {"messages": turns},
        {"text": "Goats climb."},
        {"query": "goats", "passage": "Goats climb.", "negatives": ["Cats sleep."]},
    )
    assert [question.text for question in found.questions] == ["Which port?", "Is it a goat?"]
    kinds = [ExampleKind.INSTRUCTION, ExampleKind.LABEL, ExampleKind.INSTRUCTION, ExampleKind.TEXT]
    assert [example.kind for example in found.examples] == kinds
    assert found.examples[0].prompt == PROMPTS.base("Say hello")
    assert found.examples[1].source == "b.txt"
    assert found.examples[2].prompt == PROMPTS.base("Hello")
    assert found.examples[2].completion == "Good day."
    assert found.examples[3].prompt == ()
    assert found.pairs == (QueryPair("goats", "Goats climb.", negatives=("Cats sleep.",)),)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{broken\n", "not JSON"),
        ("[1]\n", "expected an object"),
        ({}, "expected `question`"),
        ({"prompt": "x"}, "expected `question`"),
        ({"prompt": "x", "completion": ""}, "`completion`"),
        ({"completion": "x"}, "`prompt`"),
        ({"prompt": "x", "completion": 5}, "`completion`"),
        ({"prompt": "x", "completion": "c", "options": ["a", "b"]}, "one of the `options`"),
        ({"prompt": "x", "completion": "a", "options": "ab"}, "a list of texts as `options`"),
        ({"prompt": "x", "completion": "a", "options": ["a", 1]}, "a list of texts as `options`"),
        ({"question": "x"}, "`answers`"),
        ({"question": "x", "answers": "yes"}, "a list as `answers`"),
        ({"question": "x", "answers": ["maybe"], "options": ["a", "b"]}, "one of the `options`"),
        ({"messages": [{"role": "user", "content": "x"}]}, "of the assistant"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "`role`"),
        ({"messages": ["x"]}, "turns"),
        ({"messages": "x"}, "turns with `role` and `content` as `messages`"),
        ({"text": " "}, "`text`"),
        ({"query": "x"}, "`passage`"),
        ({"query": "x", "passage": "y", "margins": ["a"]}, "numbers"),
    ],
)
def test_an_error_names_file_and_line(tmp_path, row, message):
    with pytest.raises(UsageError, match=message) as caught:
        given_by(tmp_path, {"text": "fine"}, "\n", row)
    assert "data.jsonl, line 3" in str(caught.value)


def test_a_file_that_is_missing_or_empty_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="no file"):
        load_given(tmp_path / "none.jsonl", PROMPTS)
    with pytest.raises(UsageError, match="no line"):
        given_by(tmp_path, "\n")


def labelled(label, text="x"):
    return Example(ExampleKind.LABEL, PROMPTS.base(text), label, options=("yes", "no"))


def test_three_examples_are_too_few():
    with pytest.raises(UsageError, match=r"my\.jsonl gives 3 examples to train on, expected 8") as caught:
        require_examples([labelled("yes")] * 3, made_from="my.jsonl")
    assert caught.value.hint


def test_labels_that_are_all_equal_are_refused():
    with pytest.raises(UsageError, match="the same label 'yes'"):
        require_examples([labelled("yes")] * 9, made_from="my.jsonl")
    require_examples([labelled("yes")] * 8 + [labelled("no")], made_from="my.jsonl")
    text = Example(ExampleKind.TEXT, (), "text")
    require_examples([labelled("yes")] * 8 + [text], made_from="my.jsonl")


MESSAGES = st.builds(Message, st.sampled_from(MessageRole), st.text())
EXAMPLES = st.builds(
    Example,
    st.sampled_from(ExampleKind),
    st.lists(MESSAGES, max_size=3).map(tuple),
    st.text(),
    st.text(),
    st.text(),
    st.lists(st.text(), max_size=3).map(tuple),
)


@pytest.mark.slow
@settings(max_examples=50)  # as many files
@given(st.lists(EXAMPLES, max_size=5))
def test_what_is_saved_is_read_as_it_was(tmp_path_factory, examples):
    folder = tmp_path_factory.mktemp("saved")
    save_examples(folder / "more" / "examples.jsonl", examples)
    assert load_examples(folder / "more" / "examples.jsonl") == examples


def test_saved_examples_can_be_checked_against_a_question_set(tmp_path):
    save_examples(tmp_path / "examples.jsonl", [labelled("yes", "Is it a goat?")])
    (text,) = load_texts(tmp_path / "examples.jsonl")
    assert "Is it a goat?" in text
    assert "yes" in text


def test_an_example_of_an_unknown_kind_is_an_error(tmp_path):
    path = written(tmp_path, {"kind": "poem", "completion": "x"})
    with pytest.raises(UsageError, match=r"line 1: expected one of label, reading.* as `kind`"):
        load_examples(path)
    with pytest.raises(UsageError, match="`completion`"):
        load_examples(written(tmp_path, {"kind": "text"}))
