"""Tests of training data as people have it."""

import json
import shutil
import subprocess

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from hybrid.adaptation.data.examples import load_examples, load_given, require_examples, save_examples
from hybrid.adaptation.values import Example, ExampleKind, PreferencePair, QueryPair
from hybrid.errors import UsageError
from hybrid.generation.prompts import load_prompts
from hybrid.questions.files import load_texts
from hybrid.types import Message, MessageRole

PROMPTS = load_prompts("en")
ASKED, SAID = "Name the pump.", "It is the Marlow 300."
PAIR = PreferencePair(PROMPTS.base(ASKED), SAID, "A pump.")


def written(tmp_path, *rows):
    path = tmp_path / "data.jsonl"
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return path


def given_by(tmp_path, *rows):
    return load_given([written(tmp_path, *rows)], PROMPTS)


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
        ({"query": "x", "passage": "y", "margins": [1.0]}, "`margins` is not known"),
    ],
)
def test_an_error_names_file_and_line(tmp_path, row, message):
    with pytest.raises(UsageError, match=message) as caught:
        given_by(tmp_path, {"text": "fine"}, "\n", row)
    assert "data.jsonl, line 3" in str(caught.value)


def test_a_file_that_is_missing_or_empty_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="no file"):
        load_given([tmp_path / "none.jsonl"], PROMPTS)
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


def user(text=ASKED, **more):
    return {"role": "user", "content": text, **more}


def assistant(text=SAID, **more):
    return {"role": "assistant", "content": text, **more}


def given_rows(tmp_path, *rows, name="data.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_given([path], PROMPTS)


SAME = {
    "text": {"prompt": ASKED, "completion": SAID},
    "turns": {"prompt": [user()], "completion": [assistant()]},
    "turn and text": {"prompt": [user()], "completion": SAID},
    "openai": {"messages": [user(), assistant()]},
    "openai parts": {"messages": [user([{"type": "text", "text": ASKED}]), assistant()]},
    "openai weight": {"messages": [user(), assistant(weight=1)]},
    "sharegpt": {
        "id": "7",
        "conversations": [{"from": "human", "value": ASKED}, {"from": "gpt", "value": SAID}],
    },
    "sharegpt roles": {"conversations": [user(), assistant()]},
    "alpaca": {"instruction": ASKED, "input": "", "output": SAID},
    "alpaca text": {"instruction": ASKED, "output": SAID, "text": f"### Instruction:\n{ASKED}\n\n{SAID}"},
    "dolly": {"instruction": ASKED, "context": "", "response": SAID},
    "null is not there": {"prompt": ASKED, "completion": SAID, "label": None, "messages": None},
    "meta": {"prompt": ASKED, "completion": SAID, "meta": {"label": False}},
    "roles in capitals": {"messages": [user() | {"role": "User"}, assistant() | {"role": "Assistant"}]},
    "an empty system": {"messages": [{"role": "system", "content": ""}, user(), assistant()]},
    "openai's newer parts": {
        "messages": [
            user([{"type": "input_text", "text": ASKED}]),
            assistant([{"type": "output_text", "text": SAID}]),
        ]
    },
}
THOUGHT = {
    "thoughts": {"prompt": ASKED, "completion": f"<think>\nHm.\n</think>\n\n{SAID}"},
    "of a turn": {"messages": [user(), assistant(f"<think>Hm.</think>{SAID}")]},
    "begun by the template": {"messages": [user(), assistant(f"Hm.\n</think>\n\n{SAID}")]},
    "of Alpaca": {"instruction": ASKED, "output": f"<THINK>Hm.</THINK> {SAID}"},
    "none": {"prompt": ASKED, "completion": f"<think>\n\n</think>\n\n{SAID}"},
    "of gpt-oss": {
        "prompt": ASKED,
        "completion": f"<|channel|>analysis<|message|>Hm<|end|><|channel|>final<|message|>{SAID}",
    },
}


@pytest.mark.parametrize("row", SAME.values(), ids=SAME.keys())
def test_the_same_example_is_read_from_every_format(tmp_path, row):
    expected = Example(ExampleKind.INSTRUCTION, PROMPTS.base(ASKED), SAID)
    assert given_rows(tmp_path, row).examples == (expected,)


@pytest.mark.parametrize("row", THOUGHT.values(), ids=THOUGHT.keys())
def test_what_is_thought_before_an_answer_is_not_taught_and_counted(tmp_path, row):
    found = given_rows(tmp_path, row, SAME["text"])
    assert found.examples == (Example(ExampleKind.INSTRUCTION, PROMPTS.base(ASKED), SAID),) * 2
    assert found.thoughts == 1


def test_thoughts_are_no_answer_of_a_question_nor_preferred(tmp_path):
    thought = f"<think>Hm.</think>{SAID}"
    found = given_rows(
        tmp_path,
        {"question": ASKED, "answers": [thought]},
        {"prompt": ASKED, "chosen": thought, "rejected": "<think>No.</think>A pump."},
    )
    assert [question.answers for question in found.questions] == [(SAID,)]
    assert found.preferences == (PAIR,)


PREFERRED = {
    "texts": {"prompt": ASKED, "chosen": SAID, "rejected": "A pump."},
    "turns": {"prompt": [user()], "chosen": [assistant()], "rejected": [assistant("A pump.")]},
    "the prompt again": {
        "prompt": ASKED,
        "chosen": [user(), assistant()],
        "rejected": [user(), assistant("A pump.")],
    },
    "no prompt": {"chosen": [user(), assistant()], "rejected": [user(), assistant("A pump.")]},
    "sharegpt": {
        "conversations": [{"from": "human", "value": ASKED}],
        "chosen": {"from": "gpt", "value": SAID},
        "rejected": {"from": "gpt", "value": "A pump."},
    },
    "alpaca": {"instruction": ASKED, "input": "", "chosen": SAID, "rejected": "A pump."},
}


@pytest.mark.parametrize("row", PREFERRED.values(), ids=PREFERRED.keys())
def test_the_same_preference_is_read_from_every_format(tmp_path, row):
    found = given_rows(tmp_path, row)
    assert found.preferences == (PAIR,)
    assert found.examples == ()


def test_a_system_of_its_own_stays_and_stands_in_front(tmp_path):
    told = Message(MessageRole.SYSTEM, "Be brief.")
    rows = (
        {"messages": [{"role": "system", "content": "Be brief."}, user(), assistant()]},
        {"messages": [{"role": "developer", "content": "Be brief."}, user(), assistant()]},
        {"system": "Be brief.", "conversations": [user(), assistant()]},
        {"system": "Be brief.", "instruction": ASKED, "output": SAID},
    )
    prompts = [example.prompt for example in given_rows(tmp_path, *rows).examples]
    assert prompts == [(told, Message(MessageRole.USER, ASKED))] * 4


def test_every_turn_of_the_assistant_is_taught_but_those_of_weight_0(tmp_path):
    turns = [
        user("One?"),
        assistant("1."),
        user("Two?"),
        assistant("2.", weight=0),
        user("Three?"),
        assistant("3."),
    ]
    first, last = given_rows(tmp_path, {"messages": turns}).examples
    assert (first.completion, last.completion) == ("1.", "3.")
    assert first.prompt == PROMPTS.base("One?")
    assert [turn.content for turn in last.prompt[1:]] == ["One?", "1.", "Two?", "2.", "Three?"]
    # no half of a conversation tells when to stop learning the other half
    assert first.source == last.source == "data.jsonl:1"


def test_a_greeting_is_there_but_not_taught(tmp_path):
    (example,) = given_rows(tmp_path, {"messages": [assistant("Hi."), user(), assistant()]}).examples
    assert [turn.content for turn in example.prompt[1:]] == ["Hi.", ASKED]


def test_the_history_of_alpaca_is_there_but_not_taught(tmp_path):
    row = {"instruction": ASKED, "input": "In the cellar.", "output": SAID, "history": [["Hi.", "Hello."]]}
    (example,) = given_rows(tmp_path, row).examples
    assert [turn.content for turn in example.prompt[1:]] == ["Hi.", "Hello.", f"{ASKED}\n\nIn the cellar."]


def test_labels_are_asked_as_they_are_served(tmp_path):
    row = {"prompt": "Good or bad?", "completion": "good", "options": ["good", "bad"]}
    (example,) = given_rows(tmp_path, row).examples
    assert example.kind is ExampleKind.LABEL
    assert example.prompt == PROMPTS.choice("Good or bad?", ("good", "bad"))


def test_a_list_in_one_json_file_is_read(tmp_path):
    path = tmp_path / "alpaca.json"
    path.write_text(json.dumps([SAME["alpaca"], SAME["openai"]], indent=1))
    assert len(load_given([path], PROMPTS).examples) == 2


def test_what_was_made_before_can_be_given(tmp_path):
    examples = (
        Example(ExampleKind.READING, PROMPTS.base(ASKED), SAID, "a.md", "rule"),
        Example(ExampleKind.TEXT, (), "Plain text."),
    )
    save_examples(tmp_path / "made.jsonl", examples)
    assert load_given([tmp_path / "made.jsonl"], PROMPTS).examples == examples


CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]}


REFUSED = {
    "kto wrong": ({"prompt": ASKED, "completion": SAID, "label": False}, "`label` is not known", "select"),
    "kto right": ({"prompt": ASKED, "completion": SAID, "label": True}, "`label` is not known", "select"),
    "kto number": ({"prompt": ASKED, "completion": SAID, "label": 0}, "`label` is not known", "select"),
    "kto turns": ({"messages": [user(), assistant()], "label": False}, "`label` is not known", "select"),
    "kto alpaca": ({"instruction": "x", "output": "y", "label": False}, "`label` is not known", "select"),
    "kto question": ({"question": "x?", "answers": ["y"], "label": False}, "`label` is not known", "select"),
    "kto answer": ({"question": "x?", "answer": "y", "label": False}, "`answer`, `label`", "select"),
    "text and label": ({"text": "x", "label": "ham"}, "`label` is not known beside `text`", "options:"),
    "sentence": ({"sentence": "x", "label": 1}, "expected `question`", "options:"),
    "alpaca text": ({"instruction": "x", "output": "y", "text": "z"}, "`text` says something else", "del"),
    "note": ({"prompt": "x", "completion": "y", "note": "z"}, "`note` is not known", 'del(.["note"])'),
    "rating": ({"prompt": "x", "completion": "y", "rating": 1}, "`rating` is not known", "judged wrong"),
    "right": ({"question": "x?", "answers": ["y"], "is_correct": False}, "`is_correct`", "judged wrong"),
    "kto tag": ({"messages": [user(), assistant()], "kto_tag": False}, "`kto_tag`", "judged wrong"),
    "train": ({"messages": [user(), assistant(train=False)]}, "`train` is not known in a turn", "`weight` 0"),
    "rendered": (
        {"text": "<|im_start|>user\nx<|im_end|>"},
        "a conversation in a chat template",
        "`messages`",
    ),
    "text more": ({"text": "x", "output": "y"}, "`output` is not known beside `text`", "del"),
    "response": ({"prompt": "x", "response": "y"}, "expected `question`", "completion: .response"),
    "anchor": ({"anchor": "x", "positive": "y"}, "expected `question`", "query: .anchor"),
    "triplet": (
        {"query": "x", "positive": "y", "negative": "z"},
        "expected `question`",
        "negatives: ([.negative // empty] | flatten)",
    ),
    "many": ({"query": "x", "positives": ["y"], "negatives": ["z"]}, "expected `question`", ".positives[0]"),
    "bge": ({"query": "x", "pos": ["y"], "neg": []}, "expected `question`", "passage: .pos[0]"),
    "gemini": (
        {"contents": [{"role": "user", "parts": [{"text": "x"}]}]},
        "expected `question`",
        ".contents",
    ),
    "openai preferences": (
        {"input": {"messages": [user()]}, "preferred_output": [assistant()], "non_preferred_output": []},
        "expected `question`",
        "chosen: .preferred_output",
    ),
    "squad": ({"question": "x?", "answers": {"text": ["y"]}}, "a list as `answers`", ".answers.text"),
    "answer as text": ({"question": "x?", "answers": "y"}, "a list as `answers`", "[.answers]"),
    "tool call": (
        {"messages": [user(), CALL, {"role": "tool", "content": "7"}]},
        "a call of a tool",
        "leave",
    ),
    "tools": ({"messages": [user(), assistant()], "tools": []}, "`tools` is not known", "leave such rows"),
    "picture": (
        {"messages": [user([{"type": "image_url", "image_url": {"url": "a.png"}}]), assistant()]},
        "a text as `content`",
        "",
    ),
    "thoughts": (
        {"messages": [user(), assistant(reasoning_content="Hm.")]},
        "`reasoning_content` is not known in a turn",
        "del(.messages[]",
    ),
    "weight": ({"messages": [user(), assistant(weight=0.5)]}, "0 or 1 as `weight`", ""),
    "all of weight 0": ({"messages": [user(), assistant(weight=0)]}, "a turn of the assistant", ""),
    "late system": ({"messages": [user(), {"role": "system", "content": "x"}]}, "at the beginning", ""),
    "thoughts alone": ({"prompt": "x", "completion": "<think>Hm."}, "thoughts (<think>) that do not end", ""),
    "late thoughts": (
        {"messages": [user(), assistant("It is <think>hm</think> x.")]},
        "thoughts (<think>) that do not end, or stand inside",
        "",
    ),
    "the same behind thoughts": (
        {"prompt": "x", "chosen": "<think>a</think>y", "rejected": "<think>b</think>y"},
        "say the same",
        "",
    ),
    "the same but for blanks": ({"prompt": "x", "chosen": "a  b", "rejected": "a b\n"}, "say the same", ""),
    "thoughts as a part": (
        {
            "messages": [
                user(),
                assistant([{"type": "thinking", "text": "hm"}, {"type": "text", "text": "y"}]),
            ]
        },
        "a text as `content`",
        "",
    ),
    "parts in parts": ({"messages": [user([[{"text": "x"}]]), assistant()]}, "a text as `content`", ""),
    "end of a turn": (
        {"prompt": "x", "completion": "y<|im_end|>"},
        "in a chat template (<|im_end|>)",
        "marks",
    ),
    "end of a text": ({"messages": [user(), assistant("y</s>")]}, "in a chat template (</s>)", "marks"),
    "rendered prompt": ({"prompt": "[INST] x [/INST]", "completion": "y"}, "chat template ([INST])", "marks"),
    "deepseek": (
        {"prompt": "<｜User｜>x<｜Assistant｜>", "completion": "y"},
        "chat template (<｜User｜>)",
        "marks",
    ),
    "spelled out": (
        {"prompt": "Human: x\n\nAssistant:", "completion": "y"},
        "template (Assistant:)",
        "marks",
    ),
    "rendered chosen": (
        {"prompt": "x", "chosen": "y<end_of_turn>", "rejected": "z"},
        "chat template",
        "marks",
    ),
    "german roles": (
        {"messages": [user() | {"role": "Benutzer"}, assistant()]},
        "expected one of system, developer, user",
        "",
    ),
    "role of a list": (
        {"messages": [user() | {"role": ["user"]}, assistant()]},
        "expected one of system",
        "",
    ),
    "system alone": ({"messages": [{"role": "system", "content": "x"}]}, "a turn of the assistant", ""),
    "nothing to see": ({"prompt": "x", "completion": "\u200b\u00a0"}, "a text as `completion`", ""),
    "an option twice": (
        {"prompt": "x", "completion": "a", "options": ["a", "b", "a"]},
        "two or more `options`, all different",
        "",
    ),
    "question and response": (
        {"question": "x?", "response": "y"},
        "expected `answers`",
        "{prompt: .question, completion: .response}",
    ),
    "blank turn": ({"messages": [user(), assistant(" ")]}, "a text as `content` of every turn", ""),
    "two talks": ({"messages": [user(), assistant()], "conversations": []}, "expected one of", ""),
    "same twice": ({"prompt": "x", "chosen": "y", "rejected": "y "}, "say the same", ""),
    "one side": ({"prompt": "x", "chosen": "y"}, "expected `rejected`", ""),
    "hh": ({"chosen": "\n\nHuman: x\n\nAssistant: y", "rejected": "z"}, "expected `prompt`", '"chosen"'),
    "two prompts": ({"prompt": "x", "question": "x", "chosen": "y", "rejected": "z"}, "expected one of", ""),
    "number": ({"prompt": "x", "completion": 5}, "a text as `completion`", ""),
    "list of lists": ({"messages": [["user", "x"]]}, "turns with `role` and `content`", ""),
    "surrogate": ({"text": "\ud800"}, "half a character", "UTF-8"),
    "source": ({"text": "x", "source": 5}, "the name of a document as `source`", ""),
    "history": ({"instruction": "x", "output": "y", "history": [["x"]]}, "as `history`", ""),
    "both outputs": ({"instruction": "x", "output": "y", "response": "z"}, "not both", ""),
}


@pytest.mark.parametrize(("row", "message", "hint"), REFUSED.values(), ids=REFUSED.keys())
def test_what_would_be_taught_wrongly_is_refused_by_line_with_how_to_convert(tmp_path, row, message, hint):
    with pytest.raises(UsageError) as caught:
        given_rows(tmp_path, SAME["text"], row)
    assert "data.jsonl, line 2" in str(caught.value)
    assert message in str(caught.value)
    assert hint in (caught.value.hint or "")


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.parametrize(
    "name",
    ["response", "note", "anchor", "triplet", "many", "bge", "openai preferences", "kto right", "squad"],
)
def test_what_the_hint_converts_is_read(tmp_path, name):
    row = REFUSED[name][0]
    if name == "openai preferences":
        row = row | {"non_preferred_output": [assistant("A pump.")]}
    with pytest.raises(UsageError) as caught:
        given_rows(tmp_path, row)
    command = "jq " + caught.value.hint.partition("jq ")[2].partition(", or give")[0]
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True)
    (converted,) = [path for path in tmp_path.glob("*.jsonl") if path.name != "data.jsonl"]
    found = load_given([converted], PROMPTS)
    assert len(found.examples) + len(found.pairs) + len(found.preferences) + len(found.questions) == 1


@pytest.mark.parametrize(
    ("content", "line", "command"),
    [
        ('{"text": "a"}\n{"text": "M\u00e4rlow"}\n'.encode("latin-1"), 2, "iconv -f LATIN1"),
        ('{"text": "a"}\n'.encode("utf-16"), 1, "iconv -f UTF-16"),
        (b'{"text": "a"}\n' * 9_000 + b'{"text": "\xe4"}\n', 9_001, "iconv -f LATIN1"),
    ],
    ids=["latin-1", "utf-16", "far down"],
)
def test_another_encoding_is_an_error_with_file_and_line(tmp_path, content, line, command):
    (tmp_path / "other.jsonl").write_bytes(content)
    with pytest.raises(UsageError, match=rf"other\.jsonl, line {line}: not UTF-8") as caught:
        load_given([tmp_path / "other.jsonl"], PROMPTS)
    assert command in caught.value.hint


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("a.csv", "csv.DictReader"),
        ("a.parquet", "read_parquet"),
        ("a.jsonl.gz", "gunzip"),
        ("A.TSV", "delimiter"),
    ],
)
def test_another_kind_of_file_is_refused_with_how_to_convert_it(tmp_path, name, command):
    (tmp_path / name).write_bytes(b"prompt,completion\nx,y\n")
    with pytest.raises(UsageError, match="is not JSON lines") as caught:
        load_given([tmp_path / name], PROMPTS)
    assert command in caught.value.hint
    assert name in caught.value.hint


def test_formats_can_be_checked_against_a_question_set(tmp_path):
    rows = [SAME[name] for name in ("sharegpt", "alpaca", "turns")]
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    texts = list(load_texts(path))
    assert len(texts) == 3
    assert all(ASKED in text and SAID in text for text in texts)


@pytest.mark.parametrize(
    "line",
    [
        b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"text": ' + b"9" * 5_000 + b"}",
        b"{'text': 'x'}",
    ],
    ids=["deep", "a number of 5,000 digits", "single quotes"],
)
def test_what_json_readers_choke_on_is_an_error_with_the_line(tmp_path, line):
    (tmp_path / "odd.jsonl").write_bytes(b'{"text": "x"}\n' + line)
    with pytest.raises(UsageError, match=r"odd\.jsonl, line 2: not JSON"):
        load_given([tmp_path / "odd.jsonl"], PROMPTS)
