"""`hybrid serve` as a process: it says where it is, answers, and stops when it is told to."""

import json
import os
import signal
import subprocess
import sys

import httpx2
import pytest

from hybrid.cli.app import run


@pytest.mark.slow
@pytest.mark.parametrize(("told", "workers"), [(signal.SIGTERM, "2"), (signal.SIGINT, "1")])
def test_it_says_where_it_is_and_stops_when_it_is_told_to(open_domains, told, workers):
    indexes = open_domains().indexes
    command = [sys.executable, "-m", "hybrid", "serve", "--port", "0", "--json", "--indexes", str(indexes)]
    command += ["--workers", workers]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")
            assert said["domains"] == ["kitchen", "manual"]
            assert httpx2.get(f"{said['url']}/healthz", timeout=60).json()["status"] == "ok"
        finally:
            process.send_signal(told)
            notes = process.communicate(timeout=60)[1]
    assert process.returncode == 0 and "Traceback" not in notes and "stopped" in notes


@pytest.mark.slow
def test_beyond_loopback_it_wants_a_token(open_domains, capsys, monkeypatch):
    monkeypatch.setenv("HYBRID_INDEXES", str(open_domains({"manual": {"port.txt": "5432"}}).indexes))
    assert run(["serve", "--host", "0.0.0.0", "--port", "0"]) == 3
    assert "HYBRID_TOKEN" in capsys.readouterr().err
    assert "HYBRID_TOKEN" not in os.environ


def test_a_folder_may_not_say_that_others_reach_it(tmp_path, capsys):
    (tmp_path / "hybrid.toml").write_text('[serve]\nhost = "0.0.0.0"\n')
    assert run(["serve"]) == 3
    assert "`serve.host`" in capsys.readouterr().err
