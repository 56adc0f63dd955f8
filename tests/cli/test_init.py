"""hybrid init: what is found is asked for once and written down, and nothing is lost of what stood there."""

import io
import json
import tomllib
from pathlib import Path

import pytest

from hybrid.cli.app import run
from hybrid.config import Reader, load_settings, write_settings
from hybrid.errors import ConfigError
from hybrid.models import servers as discovery
from tests.scripted_server import Reply, ScriptedServer

OWN = Path(".config") / "hybrid" / "hybrid.toml"


class _Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def found(monkeypatch):
    """Let a server with these models be the one that is found."""
    servers = []

    def serve(*models):
        server = ScriptedServer(Reply("It is 5432."), models=models).__enter__()
        servers.append(server)
        real = discovery.find_servers
        monkeypatch.setattr(discovery, "find_servers", lambda: real({server.port: "Ollama"}))
        return server

    yield serve
    for server in servers:
        server.__exit__()


def test_the_first_large_model_is_written_and_writes(found, capsys):
    server = found("nomic-embed-text", "qwen2.5:0.5b", "llama3.1:8b")
    assert run(["init", "--yes"]) == 0
    written = {"endpoint": server.url, "generator": "llama3.1:8b"}
    assert tomllib.loads(OWN.read_text()) == {"models": written, "generation": {"reader": "writer"}}
    assert "llama3.1:8b (Ollama" in capsys.readouterr().out
    settings = load_settings()
    assert (settings.models.generator, settings.generation.reader) == ("llama3.1:8b", Reader.WRITER)


@pytest.mark.parametrize(("said", "model"), [("\n", "a"), ("2\n", "b"), ("y\n", "a")])
def test_it_asks_once(found, monkeypatch, said, model, capsys):
    found("a", "b")
    monkeypatch.setattr("sys.stdin", _Terminal(said))
    assert run(["init"]) == 0
    assert tomllib.loads(OWN.read_text())["models"]["generator"] == model
    assert capsys.readouterr().err.count("Which one") == 1


@pytest.mark.parametrize("stdin", [_Terminal("n\n"), _Terminal("7\n"), io.StringIO("\n")])
def test_where_nobody_says_yes_nothing_is_written(found, monkeypatch, stdin, capsys):
    found("a", "b")
    monkeypatch.setattr("sys.stdin", stdin)
    assert run(["init"]) == 2
    assert not OWN.exists()


@pytest.mark.slow
def test_a_small_model_is_never_taken_unasked_and_by_its_name_all_the_same(found, capsys):
    found("qwen2.5:0.5b")
    assert run(["init", "--yes"]) == 5
    assert "no model of 1 billion parameters" in capsys.readouterr().err
    assert not OWN.exists()
    assert run(["init", "--model", "qwen2.5:0.5b"]) == 0
    assert run(["init", "--model", "other"]) == 2
    assert run(["config", "check"]) == 0
    assert "less than a billion parameters" in capsys.readouterr().err


def test_no_server_is_told_with_what_to_do(monkeypatch, capsys):
    monkeypatch.setattr(discovery, "find_servers", list)
    assert run(["init", "--yes"]) == 5
    told = capsys.readouterr().err
    assert "11434 (Ollama)" in told
    assert "ollama pull" in told


def test_a_server_that_is_named_is_asked_with_the_key_and_a_password_is_not_written(monkeypatch, capsys):
    monkeypatch.setenv("HYBRID_API_KEY", "sk-secret-123")
    with ScriptedServer(models=["m"]) as server:
        assert run(["init", "--endpoint", server.url, "--yes", "--config", "mine.toml", "--json"]) == 0
        assert server.asked_for == [("/v1/models", "Bearer sk-secret-123")]
        assert run(["init", "--endpoint", server.url.replace("//", "//me:secret@"), "--yes"]) == 3
    told = capsys.readouterr()
    assert json.loads(told.out)["settings"]["models"]["generator"] == "m"
    assert "sk-secret" not in Path("mine.toml").read_text() + told.out + told.err


def test_what_wins_over_what_was_written_is_told(found, monkeypatch, capsys):
    found("a")
    monkeypatch.setenv("HYBRID_MODELS__GENERATOR", "other")
    assert run(["init", "--yes"]) == 0
    assert "the environment sets models.generator" in capsys.readouterr().err


@pytest.mark.parametrize(
    "before",
    [
        "",
        'effort = "quick"\n',
        '[models]  # mine\n# keep\nembedder = "e"\nendpoint = "http://old/v1"\n\n[retrieval]\nk = 3\n',
        '[retrieval]\nk = 3\n\n[models]\nendpoint = "http://old/v1" # old',
    ],
)
def test_a_file_keeps_all_but_the_keys_that_are_set(before, tmp_path):
    path = tmp_path / "hybrid.toml"
    path.write_text(before)
    write_settings(path, {"models": {"endpoint": "http://new/v1"}})
    was, now = tomllib.loads(before), tomllib.loads(path.read_text())
    assert now == {**was, "models": {**was.get("models", {}), "endpoint": "http://new/v1"}}
    assert before.count("# keep") == path.read_text().count("# keep")
    once = path.read_text()
    write_settings(path, {"models": {"endpoint": "http://new/v1"}})
    assert path.read_text() == once


@pytest.mark.parametrize("before", ['models = {endpoint = "http://old/v1"}\n', 'models.embedder = "e"\n'])
def test_a_file_that_cannot_be_edited_by_lines_stays_as_it_is(before, tmp_path):
    path = tmp_path / "hybrid.toml"
    path.write_text(before)
    with pytest.raises(ConfigError, match="cannot be edited") as caught:
        write_settings(path, {"models": {"endpoint": "http://new/v1"}})
    assert "models.endpoint" in caught.value.hint
    assert path.read_text() == before
