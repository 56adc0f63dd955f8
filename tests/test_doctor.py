"""What the machine lacks, told as values."""

import dataclasses

import pytest

from hybrid.assistant import Assistant
from hybrid.config import load_settings
from hybrid.doctor import Health, configured_models, diagnose
from hybrid.testing import HashEmbedder
from tests.scripted_server import Reply, ScriptedServer


def _named(found, name):
    (one,) = [each for each in found if each.name == name]
    return one


def test_a_model_that_is_nowhere_is_bad_and_says_how_to_get_it():
    settings = load_settings({"models": {"reranker": "nobody/nothing", "offline": True}}, environment={})
    model = configured_models(settings.models)[-1]
    assert (model.role, model.name, model.here, model.path) == ("reranker", "nobody/nothing", False, "")
    found = _named(diagnose(settings), "model nobody/nothing")
    assert found.verdict is Health.BAD
    assert "nobody/nothing" in found.mend


def test_the_generator_of_an_endpoint_is_looked_for_nowhere():
    settings = load_settings({"models": {"endpoint": "http://127.0.0.1:1/v1"}}, environment={})
    (generator,) = [one for one in configured_models(settings.models) if one.role == "generator"]
    assert (generator.origin, generator.path, generator.here) == ("endpoint", "http://127.0.0.1:1/v1", True)
    assert f"model {generator.name}" not in [each.name for each in diagnose(settings)]


@pytest.mark.slow
def test_every_index_is_checked_and_a_damaged_one_is_bad(tmp_path, write_files):
    settings = load_settings({"documents": {"workers": 1}}, environment={})
    assert _named(diagnose(settings), "indexes").verdict is Health.NOTE
    docs = write_files(tmp_path / "docs", {"a.txt": "The port is 5432."})
    for name in ("good", "spoilt"):
        Assistant(name, settings=settings, embedder=HashEmbedder()).index(docs)
    (store,) = (tmp_path / "indexes" / "spoilt").glob("generations/*/store.sqlite")
    store.write_bytes(store.read_bytes()[:-1] + b"?")
    found = diagnose(settings)
    assert _named(found, "index good").found == "1 chunks, every checksum right"
    assert _named(found, "index spoilt").verdict is Health.BAD


def test_values_are_plain():
    found = diagnose(load_settings(environment={}))
    assert found
    assert all(dataclasses.is_dataclass(each) and each.found for each in found)


def _told(server, **models):
    named = {"endpoint": server.url, "generator": "writer"} | models
    return diagnose(load_settings({"models": named}, environment={}))


@pytest.mark.slow
def test_an_endpoint_is_asked_whether_it_has_the_model():
    with ScriptedServer() as server:
        name = f"endpoint {server.url}"
        assert _named(_told(server), name).verdict is Health.OK
        found = _named(_told(server, generator="other"), name)
        assert (found.verdict, found.found) == (Health.NOTE, "lists no other, but: writer")
    assert _named(_told(server), name).found == "does not list its models"
    with ScriptedServer(listing=Reply(status=401, body=b"")) as server:
        assert _named(_told(server), f"endpoint {server.url}").verdict is Health.BAD


def test_a_small_model_is_no_writer_unless_an_adapter_makes_it_one():
    def reader(reader, **models):
        settings = load_settings({"models": models, "generation": {"reader": reader}}, environment={})
        return _named(diagnose(settings), "reader")

    assert reader("extractive").verdict is Health.OK
    small = reader("writer")
    assert small.verdict is Health.NOTE
    assert "hybrid init" in small.mend
    assert reader("writer", generator="Qwen/Qwen2.5-7B-Instruct").verdict is Health.OK
    assert reader("quoting", generator_adapter="generator-001").verdict is Health.OK
