"""What goes wrong says what was found, what was expected and what to do; and with which code."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hybrid.cli import console
from hybrid.cli.app import run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["ask"], 2, "hybrid ask --help"),
        (["ask", "x", "--bogus"], 2, "--bogus"),
        (["nonsense"], 2, "nonsense"),
        (["index", "/does/not/exist"], 2, "/does/not/exist"),
        (["ask", "x"], 4, "hybrid index FOLDER"),
        (["ask", "x", "--domain", "none"], 4, "none"),
        (["ask", "x", "--domain", "../evil"], 4, "evil"),
        (["status"], 4, "no index"),
        (["rollback"], 4, "no index"),
        (["config", "show", "--config", "none.toml"], 3, "none.toml"),
        (["completion", "powershell"], 2, "zsh"),
        (["models", "get", "no/such-model", "--offline"], 5, "hf download no/such-model"),
        (["bench", "retrieval", "nowhere"], 2, "corpus.jsonl"),
    ],
)
def test_each_error_has_its_code_and_says_what_to_do(arguments, code, words, capsys):
    assert run(arguments) == code
    shown = capsys.readouterr()
    assert words in shown.err
    assert shown.out == ""
    assert "Traceback" not in shown.err


def test_an_unknown_setting_names_the_nearest(tmp_path, capsys):
    (tmp_path / "hybrid.toml").write_text("[retrieval]\nkk = 3\n")
    assert run(["config", "check"]) == 3
    shown = capsys.readouterr().err
    assert "retrieval.kk" in shown
    assert "did you mean 'retrieval.k'" in shown


def test_a_name_that_leaves_the_folder_is_no_domain(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("hello")
    assert run(["index", "a.txt", "--domain", "../evil"]) == 2
    assert "not a name" in capsys.readouterr().err


@pytest.mark.slow
def test_an_empty_folder_is_refused(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert run(["index", "empty"]) == 2
    assert "nothing to index" in capsys.readouterr().err


def test_a_bug_is_reported_as_one(capsys, monkeypatch):
    monkeypatch.setattr("hybrid.cli.options.Context.assistant", lambda *_: 1 / 0)
    assert run(["search", "x"]) == 1
    assert "this is a bug" in capsys.readouterr().err


def test_an_interrupt_has_its_code(capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("hybrid.cli.options.Context.assistant", interrupt)
    assert run(["search", "x"]) == 130


def test_control_characters_do_not_reach_the_terminal():
    assert console.printable("a\x1b[31mb\x07\nc") == "a\\x1b[31mb\\x07\nc"
    assert console.one_line("a\nb\x1b" + "c" * 50, 10) == "a b\\x1bcc…"


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error():
    command = f"{sys.executable} -m hybrid config schema | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_completion_script(shell, capsys):
    assert run(["completion", shell]) == 0
    assert "hybrid" in capsys.readouterr().out


def test_settings_and_schema_are_shown(capsys):
    assert run(["config", "show", "--json", "--effort", "thorough"]) == 0
    assert json.loads(capsys.readouterr().out)["retrieval"]["k"] == 10
    assert run(["config", "show"]) == 0
    assert "[retrieval]" in capsys.readouterr().out
    assert run(["config", "schema"]) == 0
    assert "properties" in json.loads(capsys.readouterr().out)


def test_models_are_listed_with_their_origin(capsys):
    assert run(["models", "list", "--json", "--offline"]) == 0
    models = json.loads(capsys.readouterr().out)["models"]
    assert [model["role"] for model in models] == ["embedder", "generator"]


def test_the_version_is_shown(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == "0.1.0"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["--help"],
        ["search", "--help"],
        ["documents", "show", "a.txt"],
        ["documents", "show", "a.txt", "--json"],
    ],
)
@pytest.mark.parametrize(
    ("where", "code", "words"), [("> /dev/full", 1, "No space left"), (">&-", 2, "is closed")]
)
def test_a_result_that_nobody_takes_is_an_error(tmp_path, arguments, where, code, words):
    (tmp_path / "a.txt").write_text("hello")
    command = shlex.join([sys.executable, "-m", "hybrid", *arguments])
    ended = subprocess.run(["sh", "-c", f"{command} {where}"], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == code
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr and "Exception ignored" not in ended.stderr


@pytest.mark.slow
def test_notes_that_nobody_takes_cost_no_result(tmp_path):
    (tmp_path / "a  b.txt").write_text("hello")
    command = shlex.join([sys.executable, "-m", "hybrid", "documents", "show", "."])
    ended = subprocess.run(["sh", "-c", f"{command} 2>&-"], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0
    assert ended.stdout.startswith("a  b.txt: ")
