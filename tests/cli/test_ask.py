"""What `hybrid ask` says of the sentences of an answer, with models that need no weights."""

import io
import json
import sys

import pytest

from hybrid import Assistant, load_settings
from hybrid.cli import console, options
from hybrid.cli.answers import lines, values
from hybrid.cli.app import run
from hybrid.models import Generation
from hybrid.testing import HashEmbedder, ScriptedGenerator
from hybrid.types import Answer, Arm, Chunk, Citation, Hit

PORT = "Connections are made here. The default port of the server is 5432 on every machine."
SETTINGS = load_settings(
    {
        "grounding": {"scorer": "overlap"},
        "generation": {"reader": "generator", "support": 0.3, "abstain_below": 0.0},
        "documents": {"workers": 1},
    },
    environment={},
)


def answered(text, **values):
    hit = Hit(Chunk("port.md", 0, 100, 100 + len(PORT), PORT, page=3), 1.0)
    return Answer("which port?", text, Arm.RAG, "generator", hits=(hit,), **values)


def told(text, **values):
    answer = answered(text, **values)
    assistant = Assistant("manual", settings=SETTINGS, embedder=HashEmbedder())
    return list(lines(answer, assistant.check(answer), why=True))


def test_what_is_carried_shows_its_evidence():
    first, second, third = told("The default port of the server is 5432.")
    assert first == '  supported (1.00): "The default port of the server is 5432."'
    assert second == "    port.md, page 3, characters 127-183"
    assert third == '    "The default port of the server is 5432 on every machine."'


def test_what_stands_there_word_by_word_is_not_said_twice():
    citation = Citation(1, "port.md", 100, 126, PORT[:26], 3)
    assert told("Connections are made here. [1]")[1] == "    port.md, page 3, characters 100-126"
    assert told("Connections are made here. [1]", citations=(citation,))[1] == "    [1]"


def test_what_is_not_carried_is_marked_in_words_where_there_is_no_terminal():
    first, doubt, _, against, other = told("The default port of the server is 5433. Cats sleep all day.")
    assert first.startswith("  contradicted (0.10): ")
    assert first.endswith(': "The default port of the server is 5433."')
    assert doubt == "    in doubt: number 5433"
    assert "5432" in against
    assert other.startswith("  not in the passages (0.0") and other.endswith(': "Cats sleep all day."')


def test_what_asserts_nothing_is_passed_over_and_another_language_is_named():
    assert told("Is it so? Hello!") == []
    (line,) = told("Der Server lauscht auf dem Port 5433 und nicht auf einem anderen.")
    assert line.startswith("  not checked, for its language: ")


@pytest.mark.parametrize(
    ("terminal", "variables", "expected"),
    [
        (True, {}, "\x1b[4mtext\x1b[24m"),
        (False, {}, "text"),
        (True, {"NO_COLOR": "1"}, "text"),
        (True, {"TERM": "dumb"}, "text"),
    ],
)
def test_a_terminal_that_takes_it_is_underlined(monkeypatch, terminal, variables, expected):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    assert console.underlined("text") == expected


def test_only_what_is_not_carried_is_underlined(monkeypatch):
    monkeypatch.setattr(console, "underlined", lambda text: f"_{text}_")
    shown = told("The default port of the server is 5432. Cats sleep all day.")
    assert [line for line in shown if "_" in line] == [shown[-1]]
    assert shown[-1].endswith('"_Cats sleep all day._"')


def test_an_answer_cannot_steer_the_terminal():
    shown = told("Cats \x1b[31m sleep all day.")
    assert any("Cats" in line for line in shown)
    assert not any("\x1b" in line for line in shown)


def test_json_values_have_claims_whose_offsets_hold():
    answer = answered("The default port of the server is 5433. [1]")
    assistant = Assistant("manual", settings=SETTINGS, embedder=HashEmbedder())
    found = json.loads(json.dumps(values(answer, assistant.check(answer))))
    (claim,) = found["claims"]
    assert (claim["status"], claim["text"]) == ("contradicted", "The default port of the server is 5433.")
    assert answer.text[claim["span"]["start"] : claim["span"]["end"]].startswith(claim["text"])
    evidence = claim["evidence"]
    assert (evidence["source"], evidence["passage"]) == ("port.md", 0)
    assert evidence["text"] == " ".join(PORT[one["start"] : one["end"]] for one in evidence["spans"])
    assert [(one["doubt"], one["text"]) for one in claim["findings"]] == [("number", "5433")]
    assert found["text"] == answer.text
    assert values(answer, None)["claims"] is None


@pytest.fixture
def asked(tmp_path, write_files, monkeypatch):
    """A domain whose questions are answered by a script; the list counts the checks."""
    write_files(tmp_path / "docs", {"port.md": PORT})
    generator = ScriptedGenerator(["The default port of the server is 5432 on Sundays."])
    checks = []

    class Scripted(Assistant):
        def __init__(self, domain, *, settings=None):
            super().__init__(domain, settings=SETTINGS, embedder=HashEmbedder(), generator=generator)

        def check(self, answer):
            checks.append(answer)
            return super().check(answer)

    Scripted("manual").index(tmp_path / "docs")
    monkeypatch.setattr(options, "Assistant", Scripted)
    return checks


@pytest.mark.slow
def test_ask_streams_then_cites_then_checks(asked, capsys):
    assert run(["ask", "Which port of the server?"]) == 0
    shown = capsys.readouterr().out
    assert shown.index("on Sundays.") < shown.index("\n\n  [1] ") < shown.index("port.md")
    assert "supported" not in shown
    assert len(asked) == 1
    assert run(["ask", "Which port of the server?", "--why"]) == 0
    shown = capsys.readouterr().out
    assert shown.index("port.md") < shown.index("  supported (")
    assert len(asked) == 2


@pytest.mark.slow
def test_no_check_leaves_it_out(asked, capsys):
    assert run(["ask", "Which port of the server?", "--no-check"]) == 0
    shown = capsys.readouterr().out
    assert "[1] line 1, port.md" in shown and "supported" not in shown
    assert run(["ask", "Which port of the server?", "--no-check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["claims"] is None
    assert asked == []


@pytest.mark.slow
def test_json_has_the_claims(asked, capsys, monkeypatch):
    assert run(["ask", "Which port of the server?", "--json"]) == 0
    (claim,) = json.loads(capsys.readouterr().out)["claims"]
    assert (claim["status"], claim["evidence"]["source"]) == ("supported", "port.md")
    monkeypatch.setattr(sys, "stdin", io.StringIO("Which port of the server?\n"))
    assert run(["chat", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["claims"] == [claim]


@pytest.mark.slow
@pytest.mark.parametrize("signs", ["?! ... --", "\u200b", "🙂", "%_*\"'();"])
def test_signs_are_declined_and_a_blank_line_stands_between_turns(asked, capsys, monkeypatch, signs):
    typed = f"\n{signs}\n  \nWhich port of the server?\n{signs}\n\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert run(["chat", "--json"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["abstained"] for answer in answers] == [True, False, True]
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert run(["chat", "--no-check"]) == 0
    first, said, cited, last, rest = capsys.readouterr().out.split("\n\n")
    assert first == last == answers[0]["text"] and "in words" in first
    assert (said, cited.strip()[:3], rest) == (answers[1]["text"], "[1]", "")


@pytest.mark.slow
def test_an_answer_from_memory_is_not_checked(asked, capsys):
    assert run(["ask", "Which port of the server?", "--arm", "base"]) == 0
    shown = capsys.readouterr()
    assert "supported" not in shown.out and "not in the passages" not in shown.out
    assert "from the model's memory" in shown.err


@pytest.mark.slow
def test_an_answer_that_was_cut_says_so(asked, capsys, monkeypatch):
    cut = Generation("The default port of", 9, 160, "cut at 160 tokens")
    monkeypatch.setattr(ScriptedGenerator, "_said", lambda self, *said: cut)
    assert run(["ask", "Which port of the server?", "--arm", "base"]) == 0
    assert "incomplete: cut at 160 tokens\n" in capsys.readouterr().err


@pytest.mark.slow
def test_an_answer_from_memory_is_held_against_its_samples(asked, capsys):
    ask = ["ask", "Which port of the server?", "--arm", "base", "--samples", "3"]
    assert run(ask) == 0
    shown = capsys.readouterr().out
    assert shown.endswith("on Sundays.\nagreement 1.00 over 3 samples (1 meaning, entropy 0.00)\n")
    assert run([*ask, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["claims"] is None
    assert found["uncertainty"]["samples"] == [found["text"]] * 3
    assert found["uncertainty"]["log_probability"] < 0


@pytest.mark.slow
def test_samples_do_not_go_with_passages(asked, capsys):
    assert run(["ask", "Which port of the server?", "--samples", "3"]) == 2
    assert "checked against their passages" in capsys.readouterr().err
    assert run(["ask", "Which port of the server?", "--arm", "base", "--samples", "0"]) == 2
    assert values(answered("Yes."), None)["uncertainty"] is None


@pytest.mark.slow
def test_ask_and_chat_obey_the_decision(asked, capsys, monkeypatch, tmp_path):
    (tmp_path / "indexes" / "manual" / "DECISION").write_text('{"arm": "rag:reader=extractive:k=1"}')
    assert run(["ask", "Which port of the server?", "--json"]) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert (found["variant"], found["reader"]) == ("rag:reader=extractive:k=1", "extractive")
    monkeypatch.setattr(sys, "stdin", io.StringIO("Which port of the server?\n"))
    assert run(["chat"]) == 0
    shown = capsys.readouterr()
    assert "on every machine. [1]" in shown.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "variant"),
    [
        (["--arm", "rag:k=2"], "rag:k=2"),
        (["--arm", "base"], "base"),
        (["--reader", "generator"], "rag"),
        (["-k", "2"], "rag"),
    ],
)
def test_what_is_named_wins_over_the_decision(asked, capsys, tmp_path, flags, variant):
    (tmp_path / "indexes" / "manual" / "DECISION").write_text('{"arm": "rag:reader=extractive"}')
    assert run(["ask", "Which port of the server?", "--no-check", "--json", *flags]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["variant"] == variant


@pytest.mark.slow
def test_an_endpoint_of_the_folder_is_refused_by_the_command(asked, capsys, tmp_path):
    arm = "rag:reader=generator:endpoint=http://127.0.0.1:8099/v1"
    (tmp_path / "indexes" / "manual" / "DECISION").write_text(json.dumps({"arm": arm}))
    assert run(["ask", "Which port of the server?"]) == 2
    shown = capsys.readouterr()
    assert "does not choose models or endpoints" in shown.err
    assert shown.out == ""


@pytest.mark.slow
def test_an_arm_that_there_is_not_is_named(asked, capsys):
    assert run(["ask", "Which port of the server?", "--arm", "ragg"]) == 2
    assert "there is no arm 'ragg', expected one of: base, rag, adapter, both" in capsys.readouterr().err


@pytest.mark.slow
def test_explain_shows_the_arm_and_its_reason_and_the_passages(asked, capsys, tmp_path):
    told = {"arm": "rag:reader=extractive:k=1", "experiment": "e1", "sentence": "Use rag, it is right."}
    (tmp_path / "indexes" / "manual" / "DECISION").write_text(json.dumps(told))
    assert run(["ask", "Which port of the server?", "--explain", "--no-check"]) == 0
    shown = capsys.readouterr().out.partition("how:\n")[2].splitlines()
    assert shown[0] == "  arm rag:reader=extractive:k=1: Use rag, it is right. (experiment e1)"
    assert shown[1].startswith("  1. ") and "port.md" in shown[1]
    assert len(shown) == 3


@pytest.fixture
def several(tmp_path, monkeypatch):
    """Two small domains in the current folder, with the small models."""
    monkeypatch.chdir(tmp_path)
    for name, text in (
        ("pumps", "The pump P7 weighs 40 kg. Its oil is changed each May."),
        ("tea", "Green tea is brewed at 70 degrees for two minutes."),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "page.md").write_text(f"# {name}\n\n{text}\n")
        assert run(["index", name, "--offline"]) == 0


@pytest.mark.slow
@pytest.mark.real_model
def test_with_several_domains_the_right_one_answers_or_none(several, capsys):
    capsys.readouterr()
    assert run(["ask", "How much does the pump P7 weigh?", "--json", "--no-check", "--offline"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["domain"], found["route"]["domain"]) == ("pumps", "pumps")
    assert "40 kg" in found["text"]
    assert run(["ask", "Who is the queen of Denmark?", "-d", "pumps,tea", "--explain", "--offline"]) == 0
    shown = capsys.readouterr()
    assert "None of these domains covers the question: pumps, tea." in shown.out
    assert "  domain none of the domains" in shown.out
    assert run(["search", "How hot is green tea brewed?", "--json", "--offline"]) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert (found["domain"], found["hits"][0]["chunk"]["source"]) == ("tea", "page.md")
    assert "domain: tea" in shown.err and "others: pumps" in shown.err
    assert run(["router", "route", "How hot is green tea brewed?", "--json", "--offline"]) == 0
    assert json.loads(capsys.readouterr().out)["domain"] == "tea"
    assert run(["router", "fit", "--offline"]) == 2
    assert "too few labelled questions" in capsys.readouterr().err
    assert run(["ask", "Where?", "-d", "pumps,moon", "--offline"]) == 4
    assert "there is no domain 'moon'" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.real_model
def test_a_chat_understands_a_follow_up(several, capsys, monkeypatch):
    capsys.readouterr()
    monkeypatch.setattr(
        sys, "stdin", io.StringIO("How much does the pump P7 weigh?\nand when is its oil changed?\n")
    )
    assert run(["chat", "-d", "pumps", "--json", "--no-check", "--offline"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["standalone"] == ""
    assert second["standalone"] == "How much does the pump P7 weigh? and when is its oil changed?"
    assert "May" in second["text"]
