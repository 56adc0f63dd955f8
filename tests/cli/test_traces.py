"""The commands on traces: what was asked, the stages of an answer, lines for a collector."""

import json
import time
from pathlib import Path

import pytest

from hybrid.cli.app import run
from hybrid.tracing import names
from hybrid.tracing.names import SpanKind
from hybrid.tracing.spans import asking, sent_to, span
from hybrid.tracing.store import StoreSink, TraceStore


@pytest.fixture
def kept():
    """Two questions in the store, the second of which failed while something was generated."""
    Path("indexes").mkdir()
    sink = StoreSink(lambda: TraceStore(Path("indexes/traces.sqlite")), print)
    with sent_to([sink]):
        told = {
            names.DOMAIN: "manual",
            names.ARM: "rag",
            names.OUTCOME: "answered",
            names.ANSWER_ID: "answer-1",
        }
        with asking(1, told), span(names.RETRIEVE, SpanKind.RETRIEVER):
            time.sleep(0.002)
        with pytest.raises(ValueError), asking(1, {names.DOMAIN: "pets"}):  # noqa: SIM117
            with span(names.GENERATE, SpanKind.LLM):
                raise ValueError


def out(capsys, *arguments, code=0):
    assert run(["traces", *arguments]) == code
    return capsys.readouterr().out


@pytest.mark.slow
def test_questions_are_listed_the_latest_first(kept, capsys):
    header, latest, first = out(capsys, "list").splitlines()
    assert header.split() == ["when", "trace", "took", "domain", "arm", "outcome", "error"]
    assert ("pets" in latest, "ValueError" in latest) == (True, True)
    assert "answered" in first
    (only,) = json.loads(out(capsys, "list", "--domain", "manual", "--json"))
    assert only["attributes"]["hybrid.arm"] == "rag"
    assert json.loads(out(capsys, "list", "--outcome", "declined", "--json")) == []
    assert len(json.loads(out(capsys, "list", "-n", "1", "--json"))) == 1
    assert len(json.loads(out(capsys, "list", "--hours", "1", "--json"))) == 2


def test_a_trace_is_shown_as_a_waterfall(kept, capsys):
    head, asked, generated, *about = out(capsys, "show").splitlines()
    assert asked.startswith("ask  ")
    assert generated.startswith("  generate ")
    assert generated.endswith("llm  ValueError")
    assert "  hybrid.outcome: error" in about
    trace = head.split()[0]
    shown = json.loads(out(capsys, "show", trace, "--json"))
    assert [one["name"] for one in shown["spans"]] == ["ask", "generate"]
    assert out(capsys, "show", "nothing", code=2) == ""


def test_traces_are_exported_a_line_each(kept, capsys):
    lines = [json.loads(line) for line in out(capsys, "export").splitlines()]
    spans = [one for line in lines for one in line["resourceSpans"][0]["scopeSpans"][0]["spans"]]
    assert [one["name"] for one in spans] == ["ask", "retrieve", "ask", "generate"]
    assert len(lines) == 2


def test_where_nothing_was_asked_it_says_so(capsys):
    Path("indexes").mkdir()
    TraceStore(Path("indexes/traces.sqlite")).close()
    assert run(["traces", "list"]) == 0
    assert "no question was traced" in capsys.readouterr().err
    assert run(["traces", "show"]) == 2
    assert "no question was traced yet" in capsys.readouterr().err


def test_without_a_store_it_says_what_keeps_one(capsys):
    assert run(["traces", "list"]) == 2
    assert "tracing.store" in capsys.readouterr().err
