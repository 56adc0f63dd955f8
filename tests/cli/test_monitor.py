"""hybrid monitor: what is counted, a calibration window, alerts as exit code, JSON and webhook."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from hybrid.cli.app import run
from hybrid.errors import EXIT_GATE_FAILED, EXIT_PARTIAL
from hybrid.tracing import names
from hybrid.tracing.spans import TraceSpan
from hybrid.tracing.store import TraceStore

NOW = time.time()


def asked(number, at, generator, *, moved=0.0, wrong=0.05, failed="error"):
    question = np.sign(generator.normal(size=16) + 0.2 + moved * (np.arange(16) < 4))
    told = {
        names.DOMAIN: "docs",
        names.ARM: "rag",
        names.OUTCOME: failed if generator.random() < wrong else "answered",
        names.TOP_SCORE: float(generator.beta(8, 3)),
        names.QUESTION_VECTOR: question.tolist(),
        names.INDEX_GENERATION: "7",
        names.PROMPT_DIGEST: "abcdefghijk",
        names.GROUNDEDNESS: 0.9,
    }
    begun = int(at * 1e9)
    trace = f"{begun // 1_000_000:012x}{number:020x}"
    return TraceSpan(trace, f"{number:016x}", "", names.ASK, "CHAIN", begun, begun + 10**8, "", told)


def keep(first, count, **given):
    """Keep traces of so many questions, one a second from this one on; three hours ago is 0."""
    generator = np.random.default_rng(first + 1)
    with TraceStore(Path("indexes/traces.sqlite")) as store:
        store.add([asked(at, NOW - 10_800 + at, generator, **given) for at in range(first, first + count)])


@pytest.fixture
def domain():
    folder = Path("indexes/docs")
    folder.mkdir(parents=True)
    (folder / "CURRENT").write_text("one")
    keep(0, 120)


@pytest.fixture
def webhook(monkeypatch):
    received = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(500 if self.path == "/broken" else 204)
            self.end_headers()

        def log_message(self, *_):
            pass

    @contextmanager
    def listening(path="/hook"):
        server = HTTPServer(("127.0.0.1", 0), Hook)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("HYBRID_MONITOR__WEBHOOK", f"http://127.0.0.1:{server.server_port}{path}")
        try:
            yield received
        finally:
            server.shutdown()
            server.server_close()

    return listening


def out(capsys, *arguments, code=0):
    assert run(["monitor", *arguments]) == code
    return capsys.readouterr()


def test_what_was_asked_is_counted(domain, capsys):
    said = out(capsys)
    header, row = said.out.splitlines()
    assert header.split()[:5] == ["domain", "arm", "asked", "p50", "p95"]
    assert row.split()[:5] == ["docs", "rag", "120", "0.10", "s"]
    assert "no calibration window: docs" in said.err
    (found,) = json.loads(out(capsys, "--by", "version", "--by", "arm", "--json").out)["usage"]
    assert found["group"] == ["7/abcdefgh", "rag"]
    assert found["groundedness"] == pytest.approx(0.9)
    assert json.loads(out(capsys, "--hours", "1", "--json").out)["usage"] == []


def test_what_no_domain_took_is_counted_as_of_none(capsys):
    Path("indexes").mkdir()
    told = {names.DOMAIN: "", names.ARM: "", names.OUTCOME: "declined"}
    begun = int(NOW * 1e9)
    with TraceStore(Path("indexes/traces.sqlite")) as store:
        store.add([TraceSpan("0" * 32, "1" * 16, "", names.ASK, "CHAIN", begun, begun + 1, "", told)])
    assert run(["monitor"]) == 0
    _, row = capsys.readouterr().out.splitlines()
    assert row.split()[:3] == ["none", "none", "1"]


def test_without_traces_it_says_what_to_do(capsys):
    assert "no traces" in out(capsys, code=2).err


def test_a_window_is_kept_and_nothing_new_is_no_alert(domain, capsys):
    (made,) = json.loads(out(capsys, "--calibrate", "--json").out)["calibrated"]
    assert (made["domain"], made["questions"], made["scores"]) == ("docs", 120, 120)
    keep(120, 120)
    found = json.loads(out(capsys, "--json").out)
    assert [one["of"] for one in found["shifts"]] == ["questions", "retrieval scores"]
    assert [one["loss"] for one in found["risks"]] == ["failed", "unsupported"]
    assert found["alerts"] == []


def test_too_few_are_no_window(domain, capsys):
    assert "0 conversations" in out(capsys, "--calibrate", "--hours", "1", code=2).err


def test_a_domain_with_too_few_is_left_out_and_named(domain, capsys):
    folder = Path("indexes/quiet")
    folder.mkdir()
    (folder / "CURRENT").write_text("one")
    said = out(capsys, "--calibrate", "--json", code=EXIT_PARTIAL)
    found = json.loads(said.out)
    assert [one["domain"] for one in found["calibrated"]] == ["docs"] and list(found["left_out"]) == ["quiet"]
    assert "quiet: 0 conversations" in said.err and "--calibrate --domain quiet" in said.err
    assert Path("indexes/docs/monitor.json").is_file() and not (folder / "monitor.json").exists()
    assert "--domain NAME" in out(capsys, "--calibrate", "--hours", "1", code=2).err


@pytest.mark.slow
def test_a_change_is_an_exit_code_a_line_and_a_message(domain, capsys, webhook):
    out(capsys, "--calibrate")
    keep(120, 150, moved=1.5, wrong=0.8)
    with webhook() as received:
        said = out(capsys, code=EXIT_GATE_FAILED)
    alerts = [line for line in said.out.splitlines() if line.startswith("ALERT")]
    assert len(alerts) == 2 and "questions differ" in alerts[0] and "failed" in alerts[1]
    (message,) = received
    assert [f"ALERT  {one}" for one in message["alerts"]] == alerts
    assert message["text"] == "\n".join(message["alerts"])


def test_what_clients_ask_wrongly_is_no_alert(domain, capsys):
    out(capsys, "--calibrate")
    keep(120, 150, wrong=0.8, failed="refused")
    assert "ALERT" not in out(capsys).out


@pytest.mark.slow
def test_a_webhook_that_fails_changes_no_exit_code(domain, capsys, webhook):
    out(capsys, "--calibrate")
    keep(120, 150, wrong=0.8)
    with webhook("/broken"):
        assert "HTTPStatusError at the webhook 127.0.0.1" in out(capsys, code=EXIT_GATE_FAILED).err


def test_offline_sends_nothing_to_another_machine(domain, capsys, monkeypatch):
    monkeypatch.setenv("HYBRID_MONITOR__WEBHOOK", "http://hooks.example/x")
    out(capsys, "--calibrate")
    keep(120, 150, wrong=0.8)
    assert "keeps to this one" in out(capsys, "--offline", code=EXIT_GATE_FAILED).err


def test_the_file_of_a_folder_names_no_webhook(domain, capsys):
    Path("hybrid.toml").write_text('[monitor]\nwebhook = "http://127.0.0.1:1/x"\n')
    assert "`monitor.webhook`" in out(capsys, code=3).err


def test_a_window_older_than_the_traces_is_told(domain, capsys, monkeypatch):
    out(capsys, "--calibrate")
    monkeypatch.setenv("HYBRID_TRACING__DAYS", "0.01")
    assert "the bounds begin later" in out(capsys).err
