"""The commands for question sets as a user types them."""

import io
import json
from pathlib import Path

import pytest

from hybrid.cli.app import run

PORT = """# Connections

The maximum length of a host name is 63 bytes.

## Options

- `--port`: Specifies the TCP port of the listener. Defaults to `5432`.
- `--host`: Specifies the address of the network interface. Defaults to `localhost`.
"""
GOATS = """# Goats

A kid is a young goat of the mountain pastures.

| Breed | Weight |
|---|---|
| Saanen | 65 kg |
| Boer | 95 kg |
"""
ROWS = [
    {"id": "a", "question": "What is the default port?", "answers": ["5432"]},
    {"id": "b", "question": "Who sings?", "answers": [], "answerable": False},
    {"id": "c", "question": "Which goat is young?", "answers": ["kid"], "made": "list"},
]


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def questions(tmp_path):
    return written(tmp_path / "set.jsonl", ROWS)


def output(capsys, *arguments, code=0):
    assert run(["questions", *arguments]) == code
    return capsys.readouterr()


def reviewed(monkeypatch, capsys, questions, keys, *options):
    monkeypatch.setattr("sys.stdin", io.StringIO(keys))
    return output(capsys, "review", questions, *options)


def rows_of(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_a_good_set_passes(questions, capsys):
    shown = output(capsys, "check", questions)
    assert shown.out == ""
    assert "3 questions: 0 errors, 0 warnings" in shown.err


def test_a_check_tells_what_quotes_its_evidence_and_what_is_of_no_document(tmp_path, capsys):
    quote = {"source": "port.md", "quote": "The default port of the listener is 5432."}
    row = {**ROWS[0], "question": "What is the default port of the listener?", "evidence": [quote]}
    shown = output(capsys, "check", written(tmp_path / "set.jsonl", [row, ROWS[2]]))
    assert "1 of 1 with evidence quote it" in shown.err
    assert "1 are of no known document, and each counts as a source of its own" in shown.err


def test_errors_are_listed_with_advice_and_end_with_code_7(tmp_path, capsys):
    path = written(tmp_path / "bad.jsonl", [*ROWS, {**ROWS[0], "id": "again"}])
    shown = output(capsys, "check", path, code=7)
    assert "error: again: duplicate: 'a' asks the same" in shown.out
    assert "→ drop one of them" in shown.out
    report = json.loads(output(capsys, "check", path, "--json", code=7).out)
    assert report["errors"] == 1
    assert report["findings"]["findings"][0]["kind"] == "duplicate"


def test_a_warning_does_not_fail(tmp_path, capsys):
    path = written(tmp_path / "one.jsonl", ROWS[:1])
    assert "one question only" in output(capsys, "check", path).out


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Question: What is the default port?", "completion": "5432"},
        {"question": "what is the default port", "answers": ["5432"]},
        {"text": "Q: What is the default port? A: 5432"},
        {"messages": [{"role": "user", "content": "What is the default port?"}]},
    ],
)
def test_training_data_is_read_in_its_usual_forms(questions, tmp_path, capsys, row):
    trained = written(tmp_path / "trained.jsonl", [{"text": "nothing"}, row])
    assert "error: a: leak" in output(capsys, "check", questions, "--against", trained, code=7).out


@pytest.mark.parametrize("line", ['{"sentence": "x"}', "[1]", "not json"])
def test_training_data_in_another_form_is_refused_with_its_line(questions, tmp_path, capsys, line):
    path = tmp_path / "trained.jsonl"
    path.write_text('{"text": "fine"}\n' + line + "\n")
    assert "line 2" in output(capsys, "check", questions, "--against", str(path), code=2).err


def test_missing_files_are_named(tmp_path, capsys, questions):
    assert "there is no question set" in output(capsys, "check", "none.jsonl", code=2).err
    assert "there is no file" in output(capsys, "check", questions, "--against", "none.jsonl", code=2).err
    assert "there is no question set" in output(capsys, "review", "none.jsonl", code=2).err


def test_a_review_accepts_edits_drops_and_goes_on_where_it_stopped(questions, monkeypatch, capsys):
    shown = reviewed(monkeypatch, capsys, questions, "a\n")
    assert "What is the default port?" in shown.err
    assert rows_of(questions)[0]["made"] == "reviewed:gold"
    shown = reviewed(monkeypatch, capsys, questions, "d\ne\nWhich animal is young?\nkid | goat kid\na\n")
    assert "What is the default port?" not in shown.err
    first, second = rows_of(questions)
    assert (first["id"], second["id"]) == ("a", "c")
    assert second["question"] == "Which animal is young?"
    assert second["answers"] == ["kid", "goat kid"]
    assert second["made"] == "reviewed:list"
    report = json.loads(reviewed(monkeypatch, capsys, questions, "", "--json").out)
    assert (report["questions"], report["open"]) == (2, 0)


def test_a_review_that_ends_early_changes_nothing_more(questions, monkeypatch, capsys):
    before = rows_of(questions)
    shown = reviewed(monkeypatch, capsys, questions, "s\nwhat?\nq\n")
    assert "expected one of a, e, d, s, q" in shown.err
    assert rows_of(questions) == before
    reviewed(monkeypatch, capsys, questions, "e\n\n\n")  # the input ends before the edit is accepted
    assert rows_of(questions) == before


def test_an_edit_that_breaks_the_question_is_shown(tmp_path, monkeypatch, capsys):
    row = {**ROWS[0], "made": "list", "evidence": [{"source": "p", "quote": "the port is 5432"}]}
    path = written(tmp_path / "set.jsonl", [row])
    assert (
        "1 of 1 quotes dropped: the new answer is not in them"
        in reviewed(monkeypatch, capsys, path, "e\n\n80\nq\n").err
    )


@pytest.fixture
def indexed(tmp_path, capsys):
    docs = tmp_path / "manual"
    docs.mkdir()
    (docs / "port.md").write_text(PORT)
    (docs / "goats.md").write_text(GOATS)
    assert run(["index", str(docs)]) == 0
    capsys.readouterr()


@pytest.mark.slow
@pytest.mark.real_model
def test_a_set_is_made_beside_its_domain_and_passes_its_own_check(indexed, tmp_path, capsys):
    shown = output(capsys, "make", "--count", "8", "--unanswerable", "0.25", "--no-closed-book")
    path = tmp_path / "indexes" / "manual" / "questions" / "made.jsonl"
    assert shown.out.strip().endswith("manual/questions/made.jsonl")
    assert "withheld" in shown.err
    assert len(rows_of(path)) == 8
    assert "0 errors" in output(capsys, "check", str(path), "--domain", "manual").err
    before = path.read_bytes()
    assert "--force" in output(capsys, "make", "--no-closed-book", code=2).err
    made = output(
        capsys, "make", "--count", "8", "--unanswerable", "0.25", "--no-closed-book", "--force", "--json"
    )
    assert json.loads(made.out)["kinds"]["withheld"] == 2
    assert path.read_bytes() == before


@pytest.mark.slow
@pytest.mark.real_model
def test_a_corpus_without_anything_to_ask_is_a_clear_error(tmp_path, capsys):
    (tmp_path / "poem.txt").write_text("so much depends\nupon\n\na red wheel\nbarrow\n")
    assert run(["index", str(tmp_path / "poem.txt")]) == 0
    shown = output(capsys, "make", "--no-closed-book", code=2)
    assert "nothing that a question can be made of" in shown.err
    assert not (tmp_path / "indexes" / "poem" / "questions").exists()


def test_a_domain_that_is_not_there_and_sizes_out_of_range(capsys, questions):
    assert run(["questions", "make", "--domain", "none"]) == 4
    assert run(["questions", "make", "--count", "0"]) == 2
    assert run(["questions", "check", questions, "--domain", "none"]) == 4
