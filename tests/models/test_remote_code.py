"""Nothing that lies in a folder of a model is run: every call that could do it says so."""

import ast
from pathlib import Path

import pytest

import hybrid

# `maker` is any of them, where one function makes them all.
_LIBRARIES = ("SentenceTransformer", "CrossEncoder", "SparseEncoder", "maker")
_MAKERS = ("from_pretrained", "from_config", "pipeline")
# A tokenizer of its own library is data; a configuration of ours is no model.
_DATA = ("Tokenizer",)


def _calls():
    for path in sorted(Path(hybrid.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _loads(node.func):
                yield path, node


def _loads(called):
    if isinstance(called, ast.Attribute):
        return called.attr in _MAKERS and getattr(called.value, "id", "") not in _DATA
    return isinstance(called, ast.Name) and called.id in (*_LIBRARIES, *_MAKERS)


@pytest.mark.slow
def test_every_call_that_loads_a_model_is_found():
    found = {path.name for path, _ in _calls()}
    assert {"pretrained.py", "embedder.py", "adapters.py", "classifier.py"} <= found


@pytest.mark.parametrize(
    ("path", "call"), [pytest.param(p, c, id=f"{p.stem}-{c.lineno}") for p, c in _calls()]
)
def test_every_call_that_loads_a_model_runs_no_code_of_the_folder(path, call):
    given = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    assert "trust_remote_code" in given, f"{path}:{call.lineno} says nothing of trust_remote_code"
    value = given["trust_remote_code"]
    assert isinstance(value, ast.Constant) and value.value is False


@pytest.mark.slow
def test_nobody_can_make_it_true():
    given = []
    for path in Path(hybrid.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.arg) and node.arg == "trust_remote_code"), path
            if isinstance(node, ast.keyword) and node.arg == "trust_remote_code":
                given.append(getattr(node.value, "value", path))
    assert set(given) == {False}
