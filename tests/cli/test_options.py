"""The options that every command shares."""

import pytest

from hybrid.cli.app import run

_SHARED = ("--domain", "--json", "--config", "--indexes", "--effort", "--offline")
# Those that work on a domain; the others have the options that mean something to them.
_ON_A_DOMAIN = [
    *("index", "search", "ask", "chat", "evaluate", "compare", "decide", "status", "rollback", "remove"),
    *("questions make", "questions check", "questions review", "grounding calibrate"),
]
_OTHERS = {
    "doctor": ("--domain", "--json", "--config", "--indexes", "--offline"),
    "completion": ("--json",),
    "models list": ("--json", "--config", "--offline"),
    "models get": ("--json", "--config", "--offline"),
    "config show": ("--json", "--config", "--effort"),
    "config check": ("--json", "--config"),
    "config schema": ("--json",),
    "grounding evaluate": ("--json", "--config", "--offline"),
    "bench retrieval": ("--json", "--config", "--effort", "--offline"),
}


@pytest.mark.slow
@pytest.mark.parametrize("command", _ON_A_DOMAIN)
def test_a_command_on_a_domain_lists_all_of_them(command, capsys):
    assert run([*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert [option for option in _SHARED if option not in shown] == []
    assert "-d" in shown and "The domain; default: the only one there is." in shown


@pytest.mark.slow
@pytest.mark.parametrize("command", _OTHERS)
def test_another_command_lists_those_that_mean_something_to_it(command, capsys):
    assert run([*command.split(), "--help"]) == 0
    words = capsys.readouterr().out.split()
    assert [option for option in _SHARED if option in words] == [
        option for option in _SHARED if option in _OTHERS[command]
    ]


def test_a_domain_that_is_mistyped_is_named(tmp_path, capsys):
    (tmp_path / "Manuals").mkdir()
    (tmp_path / "Manuals" / "CURRENT").write_text("000001")
    assert run(["search", "x", "-d", "manual", "--indexes", str(tmp_path)]) == 4
    assert "did you mean 'Manuals'?" in capsys.readouterr().err


def test_they_stand_before_or_after_what_the_command_takes(capsys):
    for arguments in (["x", "--domain", "nobody"], ["-d", "nobody", "x"], ["--domain=nobody", "x", "--json"]):
        assert run(["search", *arguments]) == 4
        assert "there is no domain 'nobody'" in capsys.readouterr().err
