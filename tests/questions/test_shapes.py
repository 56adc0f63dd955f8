"""Question sets in the shapes that people have them in are read rightly or refused."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from hybrid.errors import UsageError
from hybrid.questions.files import load_questions


def load(tmp_path, *rows, name="q.jsonl"):
    path = tmp_path / name
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return load_questions(path)


@pytest.mark.parametrize(
    ("row", "answers", "answerable"),
    [
        ({"question": "q", "answers": "five years"}, ("five years",), True),
        ({"question": "q", "answers": ["yes", 14]}, ("yes", "14"), True),
        ({"question": "q", "answer": True}, ("yes",), True),
        (
            {"question": "q", "answers": {"text": ["a", "b", "a"], "answer_start": [1, 2]}},
            ("a", "b"),
            True,
        ),
        ({"question": "q", "answers": {"text": [], "answer_start": []}}, (), False),
        ({"question": "q", "answers": [{"text": "a", "answer_start": 3}]}, ("a",), True),
        ({"question": "q", "answers": [], "is_impossible": True}, (), False),
        ({"question": "q", "answer": ["a", "b"]}, ("a", "b"), True),
        ({"_id": "5a", "question": "q", "answer": "a", "type": "bridge"}, ("a",), True),
        ({"question": "q", "answer": {"value": "a", "aliases": ["A", "b"]}}, ("a", "A", "b"), True),
        ({"user_input": "q", "reference": "a", "retrieved_contexts": ["c"]}, ("a",), True),
        ({"question": "q", "ground_truth": "a", "contexts": []}, ("a",), True),
        ({"question": "q", "ground_truths": ["a"]}, ("a",), True),
        ({"input": "q", "expected_output": "a"}, ("a",), True),
        ({"id": 1, "inputs": {"question": "q"}, "outputs": {"answer": "a"}}, ("a",), True),
        ({"question": "q", "ground_truth": "a", "answer": "what a model said"}, ("a",), True),
        ({"inputs": {"input": "q"}, "outputs": {"output": "a"}}, ("a",), True),
        ({"question": "q", "answers": ["a", " "]}, ("a",), True),
        ({"question": "q", "answers": ["a"], "evidence": None}, ("a",), True),
        ({"question": "q"}, (), True),
        ({"question": "q", "answers": None}, (), True),
    ],
)
def test_common_shapes(tmp_path, row, answers, answerable):
    (question,) = load(tmp_path, row)
    assert (question.text, question.answers, question.answerable) == ("q", answers, answerable)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"question": "q", "answers": [None, "22 kg"]}, "found null"),
        ({"question": "q", "answers": ["a", False]}, "expected texts, found false"),
        ({"question": "q", "answers": [" "]}, "expected a text, found"),
        ({"question": " ", "answers": ["a"]}, "no text `question`"),
        ({"question": "\ud800", "answers": ["a"]}, "lone surrogate"),
        ({"question": "q", "choices": ["a", "b"], "answer": 1}, "`choices` is not read"),
        ({"question": "q", "options": ["a", "b"], "answer": "B"}, "one of the `options`"),
        ({"question": "q", "options": {"A": "a"}, "answer": "A"}, "`options`: expected a list"),
        ({"question": "q", "answers": ["a"], "evidence": ["x"]}, "`evidence`: expected objects"),
        (
            {"question": "q", "evidence": [{"source": "a", "quote": "q", "start": "x", "end": 1}]},
            "`evidence`: expected objects",
        ),
        ({"question": "q", "answers": {"start": [3]}}, "`answers`: expected texts"),
        (
            {"question": "q", "answers": ["nobody"], "answerable": "false"},
            "`answerable`: expected true",
        ),
        ({"question": "q", "answers": [], "is_impossible": 1}, "`is_impossible`"),
        ({"question": "q", "answers": ["yes"], "options": "yes,no"}, "`options`: expected a list of texts"),
        ({"question": "q", "slices": "hard"}, "`slices`: expected a list of texts"),
        ({"question": "q", "options": [1, 2]}, "`options`"),
        ({"question": "q", "answers": ["a"], "options": ["a"]}, "two or more `options` that differ"),
        (
            {"question": "q", "answers": ["a"], "options": ["a", "b", "a"]},
            "two or more `options` that differ",
        ),
        (
            {"question": "q", "answers": ["a"], "options": ["a", "b", " "]},
            "two or more `options` that differ",
        ),
        ({"question": "q", "answers": '["a", "b"]'}, "expected a text, found"),
        ({"question": "q", "answers": "['a', 'b']"}, "expected a text, found"),
        ({"id": 1, "question": "q", "answers": ["a"]}, "the id '1' stands on a line before, too"),
        ({"question": None, "answers": ["a"]}, "no text `question`"),
        ({"_id": "1", "text": "q"}, "a query without its gold"),
        (["q", "a"], "expected an object"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(tmp_path, row, said):
    with pytest.raises(UsageError, match=said) as error:
        load(tmp_path, {"question": "fine", "answers": ["a"]}, row)
    assert "line 2" in str(error.value) and error.value.hint


def test_a_file_of_squad_is_read_whole(tmp_path):
    asked = [
        {
            "id": "a",
            "question": "Who?",
            "answers": [{"text": "Anna", "answer_start": 0}],
            "is_impossible": False,
        },
        {"id": "b", "question": "Why?", "answers": [], "is_impossible": True},
    ]
    whole = {"version": "v2.0", "data": [{"title": "T", "paragraphs": [{"context": "Anna", "qas": asked}]}]}
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(whole, indent=1))
    found = load_questions(path)
    assert [(q.id, q.answers, q.answerable, q.slices) for q in found] == [
        ("a", ("Anna",), True, ("T",)),
        ("b", (), False, ("T",)),
    ]


def test_a_list_of_rows_is_read(tmp_path):
    path = tmp_path / "q.json"
    path.write_text(
        json.dumps([{"question": "q", "answer": "a"}, {"question": "r", "answer": "b"}], indent=2)
    )
    assert [question.answers for question in load_questions(path)] == [("a",), ("b",)]


def test_another_encoding_is_told_with_the_line(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_bytes(b'{"question": "q"}\n{"question": "Z\xfcrich?"}\n')
    with pytest.raises(UsageError, match=r"q\.jsonl, line 2: not UTF-8"):
        load_questions(path)


@pytest.mark.parametrize("name", ["q.csv", "q.tsv", "q.xlsx", "q.parquet", "q.jsonl.gz"])
def test_a_table_says_how_it_becomes_lines(tmp_path, name):
    (tmp_path / name).write_bytes(b"question,answers")
    with pytest.raises(UsageError, match="is not JSON lines") as caught:
        load_questions(tmp_path / name)
    assert caught.value.hint.startswith("convert it: ")


@pytest.mark.parametrize(("name", "comma"), [("q.csv", ","), ("q.tsv", "\t")])
def test_the_line_that_is_said_makes_a_question_set_of_a_table(tmp_path, name, comma):
    (tmp_path / name).write_text(f"\ufeffquestion{comma}answer\nWhich port?{comma}5432\n")
    with pytest.raises(UsageError) as caught:
        load_questions(tmp_path / name)
    said = caught.value.hint.removeprefix("convert it: ").replace("python", sys.executable, 1)
    subprocess.run(said, shell=True, cwd=tmp_path, check=True)
    (question,) = load_questions(tmp_path / "data.jsonl")
    assert (question.text, question.answers) == ("Which port?", ("5432",))


@pytest.mark.parametrize(("encoding", "named"), [("utf-16", "UTF-16"), ("utf-16-le", "UTF-16LE")])
def test_another_encoding_is_named(tmp_path, encoding, named):
    (tmp_path / "q.jsonl").write_bytes('{"question": "groß?"}'.encode(encoding))
    with pytest.raises(UsageError, match="not UTF-8") as caught:
        load_questions(tmp_path / "q.jsonl")
    assert f"-f {named} " in caught.value.hint
