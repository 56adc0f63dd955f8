"""A test that cannot fail is found by reading it: what is said of nothing is not asserted."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# what gives as many values as it takes, and calls that fail by themselves
_SAME = {
    "dict",
    "enumerate",
    "list",
    "map",
    "pairwise",
    "product",
    "reversed",
    "set",
    "sorted",
    "tuple",
    "zip",
}
_FAILING = frozenset(("fail", "raises", "warns", "within"))
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def findings(source: str) -> dict[str, str]:
    """Return the tests of a module that cannot fail, each with why."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, _Function)]
    failing = _FAILING
    while more := {each.name for each in functions if _fails(each, failing)} - failing:
        failing |= more
    tests = [each for each in functions if each.name.startswith("test_")]
    early = {each.name: "returns early" for each in tests if _returns(each.body)}
    return {
        each.name: "asserts only of what may be empty" for each in tests if not _fails(each, failing)
    } | early


def _returns(nodes: Iterable[ast.AST]) -> bool:
    own = [node for node in nodes if not isinstance(node, _Function | ast.ClassDef | ast.Lambda)]
    return any(isinstance(node, ast.Return) or _returns(ast.iter_child_nodes(node)) for node in own)


def _fails(function: _Function, failing: frozenset[str]) -> bool:
    """Return whether something is asserted whatever the code under test gives."""
    taken = function.args
    return _block(function.body, {each.arg for each in (*taken.args, *taken.kwonlyargs)}, failing)


def _block(body: Sequence[ast.stmt], full: set[str], failing: frozenset[str]) -> bool:
    found = [
        _statement(each, full, failing) for each in body
    ]  # each of them: what is full is learned on the way
    return any(found)


def _statement(node: ast.stmt, full: set[str], failing: frozenset[str]) -> bool:
    match node:
        case ast.Assert():
            return _demands(node.test, full)
        case ast.For() | ast.AsyncFor():
            if not _full(node.iter, full):
                return _calls(node.iter, failing)
            full |= _names(node.target)
            return _block(node.body, full, failing)
        case ast.If():
            return _block(node.body, full, failing) and _block(node.orelse, full, failing)
        case ast.With() | ast.AsyncWith():
            called = any(_calls(item.context_expr, failing) for item in node.items)
            return _block(node.body, full, failing) or called
        case ast.Try():
            otherwise = all(_block(each.body, full, failing) for each in node.handlers)
            return _block([*node.body, *node.finalbody], full, failing) or (
                otherwise and _block(node.orelse, full, failing)
            )
        case ast.Expr(ast.Call(ast.Name("assume"))):
            full |= _names(node)
        case ast.Assign() if _full(node.value, full):
            full |= {name for target in node.targets for name in _names(target)}
    return isinstance(node, ast.Expr | ast.Assign | ast.Return) and _calls(node, failing)


def _demands(test: ast.expr, full: set[str]) -> bool:
    match test:
        case ast.BoolOp(ast.And(), values):
            return any(_demands(each, full) for each in values)
        case ast.UnaryOp(ast.Not(), ast.Call(ast.Name("any"), [values])) | ast.Call(
            ast.Name("all"), [values]
        ):
            return _full(values, full)
    return True


def _full(node: ast.expr, full: set[str]) -> bool:
    """Return whether a value has something in it as it is written, or was given to the test."""
    match node:
        case ast.List() | ast.Tuple() | ast.Set():
            return any(not isinstance(each, ast.Starred) or _full(each.value, full) for each in node.elts)
        case ast.Dict() | ast.Constant():
            return bool(node.keys if isinstance(node, ast.Dict) else node.value)
        case ast.Name(name):
            return name in full or name.lstrip("_")[:1].isupper()
        case ast.Attribute(_, name):
            return name.lstrip("_")[:1].isupper()
        case ast.BinOp(left, _, right):
            return _full(left, full) or _full(right, full)
        case ast.GeneratorExp() | ast.ListComp() | ast.SetComp() | ast.DictComp():
            return all(not each.ifs and _full(each.iter, full) for each in node.generators)
        case ast.Call(ast.Name("range"), values):
            return all(isinstance(each, ast.Constant) for each in values)
        case ast.Call(ast.Name(name), values) if name in _SAME:
            return any(_full(each, full) for each in values)
        case ast.Subscript(value) | ast.Call(ast.Attribute(value, "items" | "keys" | "values" | "split")):
            return _full(value, full)
    return False


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _calls(node: ast.AST, failing: frozenset[str]) -> bool:
    calls = [each for each in ast.walk(node) if isinstance(each, ast.Call)]
    named = {getattr(call.func, "attr", getattr(call.func, "id", "")) for call in calls}
    return bool(named & failing) or any(each.arg == "check" for call in calls for each in call.keywords)


@pytest.mark.slow
def test_every_test_can_fail():
    paths = [path for folder in ("tests", "recipes") for path in sorted((ROOT / folder).rglob("test_*.py"))]
    assert len(paths) > 100
    found = {path.relative_to(ROOT).as_posix(): findings(path.read_text("utf-8")) for path in paths}
    assert {path: tests for path, tests in found.items() if tests} == {}


@pytest.mark.parametrize(
    ("body", "fails"),
    [
        ("f()", False),
        ("for x in f(): assert x", False),
        ("assert all(f())", False),
        ("assert not any(x for x in f())", False),
        ("if f():\n  return\n assert g", False),
        ("if f(): assert g", False),
        ("helper()", True),
        ("async def ask():\n  return f()\n run(ask())", False),
        ("async def ask():\n  assert f()\n run(ask())", True),
        ("async def ask():\n  async with f() as x: assert x\n run(ask())", True),
        ("for x in (1, 2): assert x", True),
        ("for x in given: assert x", True),
        ("x = f()\n assert x and all(x)", True),
        ("x = f()\n assume(x)\n for y in x: assert y", True),
        ("with pytest.raises(ValueError): f()", True),
        ("subprocess.run(f(), check=True)", True),
        ("if f(): assert g\n else: assert h", True),
    ],
)
def test_what_can_fail_is_told_from_what_cannot(body, fails):
    source = f"def helper():\n assert h\ndef test_it(given):\n {body}\n"
    assert bool(findings(source)) is not fails
