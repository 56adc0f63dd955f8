"""The examples for other frameworks, each run with its framework."""

import importlib
import importlib.util
import sys
from pathlib import Path

import pytest

_EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def example(monkeypatch):
    """example("name") -> the module examples/name.py."""

    def call(name):
        spec = importlib.util.spec_from_file_location(name, _EXAMPLES / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return call


@pytest.mark.parametrize("path", sorted(_EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_read_at_a_glance(path):
    # the deployment is a program with options
    assert len(path.read_text().splitlines()) <= (80 if path.stem == "ray_serve" else 40)


@pytest.mark.slow
def test_the_graph_shows_what_is_carried_and_declines_the_rest(manual, example):
    graph = example("langgraph_node").graph(manual)
    assert "5432" in graph.invoke({"question": "What is the default port of the server?"})["text"]
    declined = graph.invoke({"question": "Who painted the ceiling of the chapel?"})
    assert declined["text"] == "The documents do not say."
    assert graph.invoke({"question": "When does the server restart?"})["text"] != declined["text"]


@pytest.mark.slow
def test_llamaindex_finds_and_answers_what_the_domain_does(manual, example):
    module, asked = example("llamaindex_retriever"), "What is the default port of the server?"
    found = module.DomainRetriever(manual, k=2).retrieve(asked)
    assert [one.node.metadata["source"] for one in found] == ["port.txt", "night.txt"]
    response = module.DomainQueryEngine(assistant=manual).query(asked)
    assert str(response) == manual.ask(asked).text and response.source_nodes[0].text == found[0].text


@pytest.mark.slow
def test_haystack_finds_and_answers_what_the_domain_does(manual, example, monkeypatch):
    monkeypatch.setenv("HAYSTACK_TELEMETRY_ENABLED", "False")
    module, asked = example("haystack_components"), "What is the default port of the server?"
    found = module.DomainRetriever(manual).run(asked, top_k=2)["documents"]
    assert [one.meta["source"] for one in found] == ["port.txt", "night.txt"]
    steps = importlib.import_module("haystack").Pipeline()
    steps.add_component("answerer", module.DomainAnswerer(manual))
    answers = steps.run({"answerer": {"query": asked}})["answerer"]["answers"]
    assert [one.data for one in answers] == [manual.ask(asked).text]
    assert answers[0].meta == {"arm": "rag", "abstained": False}
