"""What is shown cannot steer the terminal, and what is JSON is JSON."""

import io
import json
import math
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.cli import console
from hybrid.cli.app import run
from hybrid.types import Citation

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


class _Terminal(io.StringIO):
    """What a terminal was sent."""

    def isatty(self):
        return True


def _on_terminal(monkeypatch, **variables):
    """Write to a terminal of 20 columns that says only this of itself."""
    told = ("NO_COLOR", "TERM", "TERM_PROGRAM", "VTE_VERSION", "FORCE_HYPERLINK", *console._FOLLOWING)
    for name in told:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(console, "width", lambda: 20)
    monkeypatch.setattr(sys, "stdout", _Terminal())
    return sys.stdout


def _wrapped(*pieces):
    text = console.Wrapped()
    for piece in pieces:
        text.write(piece)
    text.close()


def test_a_terminal_gets_whole_words_within_its_width(monkeypatch):
    screen = _on_terminal(monkeypatch)
    _wrapped("The default po", "rt of the ser", "ver is 5432. [1]\n\nAnd", " so on, 日本語日本語日本語")
    shown = screen.getvalue()
    assert shown == "The default port of\nthe server is 5432.\n[1]\n\nAnd so on,\n日本語日本語日本語\n"


@given(st.lists(st.text(alphabet="ab 日\n", max_size=30), max_size=5))
def test_wrapping_changes_nothing_but_blanks(pieces):
    with pytest.MonkeyPatch.context() as patched:
        written = _on_terminal(patched)
        _wrapped(*pieces)
    assert written.getvalue().split() == "".join(pieces).split()
    for line in written.getvalue().split("\n"):
        assert console.columns_of(line.rstrip()) <= 20 or " " not in line.strip()


def test_elsewhere_the_text_is_as_it_is(capsys):
    _wrapped("a " * 40, "b")
    assert capsys.readouterr().out == "a " * 40 + "b\n"


@pytest.mark.parametrize(
    ("variables", "linked"),
    [
        ({}, False),
        ({"TERM_PROGRAM": "WezTerm"}, True),
        ({"VTE_VERSION": "7006"}, True),
        ({"VTE_VERSION": "4900"}, False),
        ({"KITTY_WINDOW_ID": "1"}, True),
        ({"KITTY_WINDOW_ID": "1", "FORCE_HYPERLINK": "0"}, False),
        ({"FORCE_HYPERLINK": "1"}, True),
        ({"FORCE_HYPERLINK": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_HYPERLINK": "1", "TERM": "dumb"}, False),
    ],
)
def test_a_place_leads_to_its_file_in_terminals_that_follow_links(monkeypatch, tmp_path, variables, linked):
    screen = _on_terminal(monkeypatch, **variables)
    console.link("  [1] A › B, ", "a b.md", target=tmp_path / "a b.md")
    shown = screen.getvalue()
    target = f"\x1b]8;;{(tmp_path / 'a b.md').as_uri()}\x1b\\a b.md\x1b]8;;\x1b\\"
    assert shown == f"  [1] A › B, {target if linked else 'a b.md'}\n"


def test_what_is_no_terminal_gets_no_links(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("FORCE_HYPERLINK", "1")
    console.link("", "a b.md", target=tmp_path / "a b.md")
    assert capsys.readouterr().out == "a b.md\n"


def test_a_place_fits_its_room_and_cannot_steer_the_terminal(monkeypatch):
    citation = Citation(
        1, "a\x1b]8;;x.md", 0, 1, "x", 3, "A long title of a document", "Section \x1b[31m red"
    )
    assert console.cited_place(citation, 60) == "A long title of a document › Section \\x1b[31m red, page 3"
    assert len(console.cited_place(citation, 50)) <= 50
    assert console.cited_place(citation, 30) == "Section \\x1b[31m red, page 3"
    screen = _on_terminal(monkeypatch, FORCE_HYPERLINK="1")
    console.link("", citation.source, target=None)
    assert screen.getvalue().endswith(".md\n") and "\x1b" not in screen.getvalue()
