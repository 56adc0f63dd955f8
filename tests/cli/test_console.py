"""What is shown cannot steer the terminal, and what is JSON is JSON."""

import io
import json
import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.cli import console
from hybrid.cli.app import run

_HOSTILE = [
    "\x1b]0;owned\x07",
    "\x1b[2J",
    "\x9b31m",
    "\x7f",
    "a\rb",
    "\u202egnp.exe",
    "\u2066x",
    "\u200bx",
    "\u2028",
]
_HOSTILE += ["\ud800", "\U000e0041", "\ufeff", "\x00"]


def _steers(text):
    return [
        c
        for c in text
        if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") and c not in "\n\t\u200c\u200d"
    ]


class _Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("text", _HOSTILE)
@pytest.mark.parametrize(
    "write", [console.data, console.piece, console.note, console.prompt, console.json_line]
)
def test_no_text_steers_the_terminal(text, write, capsys):
    write(f"before {text} after")
    shown = capsys.readouterr()
    assert not _steers(shown.out + shown.err)
    assert "before " in shown.out + shown.err


@given(st.text())
def test_what_is_written_out_is_only_what_is_not_printable(text):
    shown = console.printable(text)
    assert not _steers(shown)
    if text.isprintable():
        assert shown == text


@pytest.mark.parametrize(
    "text", ["naïve – “quoted”", "a\u00a0b", "می\u200cخواهم", "क्\u200dष", "😀\ufe0f", "\tx\n"]
)
def test_every_script_stays_as_it_is(text):
    assert console.printable(text) == text


@given(st.text())
def test_json_says_the_same_text_without_steering(text):
    written = console._json({"text": text})
    assert json.loads(written) == {"text": text}
    assert not _steers(written)


def test_what_is_no_number_is_null_in_json(capsys):
    console.json_document({"a": [math.nan, (math.inf, -math.inf)], "b": 1.5, "c": {"d": math.nan}})
    found = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(name))
    assert found == {"a": [None, [None, None]], "b": 1.5, "c": {"d": None}}


def test_only_our_own_underline_reaches_a_terminal(monkeypatch):
    terminal = _Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    ours = console.underlined("a\x1b[31mb")
    console.data(f"{ours} \x1b]0;owned\x07")
    assert terminal.getvalue() == "\x1b[4ma\\x1b[31mb\x1b[24m \\x1b]0;owned\\x07\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["a\x1b]0;owned\x07", "a\nb", "a\u202eb", ".hidden", "a/b", "a\\b", "", " a", "a" * 300]
)
def test_a_name_that_could_steer_or_leave_is_no_domain(name, tmp_path, capsys):
    (tmp_path / "a.txt").write_text("hello")
    if name:
        assert run(["index", "a.txt", "--domain", name]) == 2
        assert "not a name" in capsys.readouterr().err
    assert not (tmp_path / "indexes").exists()


def test_a_bug_on_a_hostile_name_does_not_steer_either(capsys, monkeypatch):
    def fail(*_):
        raise RuntimeError("\x1b]0;owned\x07")

    monkeypatch.setattr("hybrid.cli.setup.settings_dict", fail)
    assert run(["config", "show"]) == 1
    shown = capsys.readouterr().err
    assert "RuntimeError" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_runs_nothing_of_the_current_folder(shell, tmp_path, capsys):
    for name in ("hybrid", "typer", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(f"open('PWNED_{name}', 'w').write('ran')")
    assert run(["completion", shell]) == 0
    assert "_HYBRID_COMPLETE" in capsys.readouterr().out
    assert not list(tmp_path.glob("PWNED*"))
