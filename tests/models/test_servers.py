"""Who lists models on this machine, and which of them may write."""

import json

import pytest

from hybrid.models.resolve import is_small
from hybrid.models.servers import ModelServer, ask_server, find_servers
from hybrid.trust import Endpoint, Secret
from tests.scripted_server import Reply, ScriptedServer


def test_servers_on_the_ports_are_found_with_their_models_and_get_no_key(monkeypatch):
    monkeypatch.setenv("HYBRID_API_KEY", "sk-secret-123")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with ScriptedServer(models=["nomic-embed-text", "qwen2.5:0.5b", "llama3.1:8b"]) as server:
        (found,) = find_servers({server.port: "Ollama", 1: "nobody"})
        assert (found.kind, found.endpoint, found.locked) == ("Ollama", server.url, False)
        assert found.writers == ("llama3.1:8b", "qwen2.5:0.5b")
        assert server.asked_for == [("/v1/models", None)]


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b"{}", b'{"data": null}', b'{"data": [1]}', b" " * (1 << 21)]
)
def test_what_lists_no_models_is_none(body):
    with ScriptedServer(listing=Reply(body=body)) as server:
        assert ask_server(Endpoint(server.url)) is None


def test_a_server_that_wants_a_key_is_told_and_gets_it_where_it_is_given():
    with ScriptedServer(listing=Reply(status=401, body=b"{}")) as server:
        assert ask_server(Endpoint(server.url), key=Secret("sk-secret-123")) == ModelServer(
            "server", Endpoint(server.url), (), locked=True
        )
        assert server.asked_for == [("/v1/models", "Bearer sk-secret-123")]


def test_a_list_of_no_models_is_a_server():
    with ScriptedServer(listing=Reply(body=json.dumps({"data": []}).encode())) as server:
        found = ask_server(Endpoint(server.url))
        assert found is not None
        assert found.writers == ()


@pytest.mark.parametrize(
    "name", ["qwen2.5:0.5b", "HuggingFaceTB/SmolLM2-135M-Instruct", "gemma-3-270m-it", "smollm2:360m-q8_0"]
)
def test_a_small_model_says_so_in_its_name(name):
    assert is_small(name)


@pytest.mark.parametrize(
    "name", ["llama3.1", "llama3.2:1b", "Qwen/Qwen2.5-7B-Instruct", "mixtral-8x7b", "phi3:3.8b", "model-4bit"]
)
def test_a_large_model_or_one_of_which_nothing_is_known_is_not_small(name):
    assert not is_small(name)
