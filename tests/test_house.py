"""The ratchet: files, lines, names with two meanings and dead names may only become fewer."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import hybrid

PACKAGE = Path(__file__).resolve().parents[1] / "hybrid"
# The present values. What fell is written here; what would rise says why in the changelog, and here.
AT_MOST = {
    "files": 261,
    "lines": 73_560,
    "lines of the command": 3_956,
    "lines of the report": 1_282,
    "class names with two meanings": 0,
    "dead names": 0,
}
# what may lie between a value and its limit before the limit has to follow
_SLACK = {"lines": 250, "lines of the command": 60, "lines of the report": 60}
_LONGEST_LINE = 110
# asked for from outside of the package: by users, by torch, by markdown-it
_ASKED_OUTSIDE = frozenset({"reset_parameters", "validateLink", "normalizeLinkText"})


@dataclass(frozen=True, slots=True)
class Defined:
    """A class or a function, and the module that defines it, relative to the package."""

    name: str
    module: str

    @property
    def room(self) -> str:
        """Return the folder or module directly below the package."""
        return self.module.split("/")[0]


def modules() -> dict[str, str]:
    """Return the text of every module of the package by its path in it."""
    return {
        path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def lines(below: str = "", suffixes: tuple[str, ...] = (".py",)) -> int:
    """Return how many lines the files below a folder of the package have."""
    paths = [path for path in (PACKAGE / below).rglob("*") if path.suffix in suffixes]
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def double_names() -> dict[str, list[str]]:
    """Return class names with two or more meanings, a leading underscore aside, and the modules of each."""
    found: dict[str, list[Defined]] = defaultdict(list)
    for module, text in modules().items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                found[node.name.lstrip("_")].append(Defined(node.name, module))
    return {name: [one.module for one in places] for name, places in sorted(found.items()) if len(places) > 1}


def dead_names(public: frozenset[str]) -> list[Defined]:
    """Return public functions, classes and methods that nothing in the package asks for.

    Args:
        public: names that users import from the package itself.

    A decorated function counts as asked for (a command, a property); so does a name that stands in a string
    or in a template, and a method of what is public.
    """
    defined: list[Defined] = []
    templates = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.j2"))
    used = Counter(re.findall(r"\w+", templates))
    for module, text in modules().items():
        tree = ast.parse(text)
        defined += [Defined(name, module) for name in _public(tree, public)]
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                used[node.id] += 1
            elif isinstance(node, ast.Attribute):
                used[node.attr] += 1
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                used[node.value] += 1
    # whole rooms for others: the fakes, and the methods that LangChain calls
    return [
        one
        for one in defined
        if not used[one.name] and one.name not in public and one.room not in ("testing.py", "langchain")
    ]


def _public(tree: ast.Module, public: frozenset[str]) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name not in public:
            yield from (
                inner.name
                for inner in node.body
                if isinstance(inner, ast.FunctionDef) and not inner.decorator_list and inner.name[0] != "_"
            )
        if (
            isinstance(node, ast.FunctionDef | ast.ClassDef)
            and node.name[0] != "_"
            and not node.decorator_list
        ):
            yield node.name


@cache
def measured() -> dict[str, int]:
    """Return what the ratchet holds against its limits."""
    return {
        "files": len(modules()),
        "lines": lines(),
        "lines of the command": lines("cli"),
        "lines of the report": lines("report"),
        "class names with two meanings": len(double_names()),
        "dead names": len(dead_names(frozenset(hybrid.__all__) | _ASKED_OUTSIDE)),
    }


@pytest.mark.slow
@pytest.mark.parametrize("what", AT_MOST)
def test_the_house_only_becomes_smaller(what):
    found = measured()[what]
    assert found <= AT_MOST[what]
    assert found >= AT_MOST[what] - _SLACK.get(what, 0), f"{what}: fell to {found}: write that into AT_MOST"


def test_no_line_is_longer_than_a_screen():
    long = [
        module
        for module, text in modules().items()
        if max(map(len, text.splitlines()), default=0) > _LONGEST_LINE
    ]
    assert not long


def test_a_name_that_is_said_twice_is_found(monkeypatch, tmp_path):
    (tmp_path / "one.py").write_text("class Claim: ...\ndef lost(): ...\ndef kept(): ...\nkept()\n")
    (tmp_path / "two.py").write_text("class _Claim: ...\nclass Other: ...\nOther()\n")
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path)
    assert double_names() == {"Claim": ["one.py", "two.py"]}
    assert [one.name for one in dead_names(frozenset({"Claim"}))] == ["lost"]
