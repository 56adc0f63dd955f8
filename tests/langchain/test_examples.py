"""The examples for other frameworks, each run where its framework is installed."""

import importlib.util
import sys
from pathlib import Path

import pytest

pytest.importorskip("langchain_core")

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


def test_the_graph_shows_what_is_carried_and_declines_the_rest(manual, example):
    pytest.importorskip("langgraph")
    graph = example("langgraph_node").graph(manual)
    assert "5432" in graph.invoke({"question": "What is the default port of the server?"})["text"]
    declined = graph.invoke({"question": "Who painted the ceiling of the chapel?"})
    assert declined["text"] == "The documents do not say."
    assert graph.invoke({"question": "When does the server restart?"})["text"] != declined["text"]
