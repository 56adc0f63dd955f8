"""What the README and the pages say is what there is."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
_PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
]


@pytest.mark.slow
@pytest.mark.real_model
def test_the_python_example_runs(tmp_path, capsys):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "port.md").write_text("# Connections\n\nThe default port of the server is 5432.\n")
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.count("5432") >= 2


@pytest.mark.slow
def test_the_page_of_commands_is_what_the_commands_say(tmp_path):
    page = tmp_path / "commands.md"
    command = ["-m", "typer", "hybrid.cli.app", "utils", "docs", "--name", "hybrid", "--title", "Commands"]
    subprocess.run([sys.executable, *command, "--output", str(page)], check=True, capture_output=True)
    written = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    assert page.read_text(encoding="utf-8") == written, "CONTRIBUTING.md says how it is written"


def test_the_page_of_arithmetic_is_what_is_reckoned():
    script = runpy.run_path(str(ROOT / "tests" / "benchmarks" / "arithmetic.py"))
    reckoned = script["page"](json.loads(script["SCALE"].read_text(encoding="utf-8"))["sizes"])
    assert reckoned.count("|") > 100
    assert reckoned in (ROOT / "docs" / "how-to" / "scale.md").read_text(encoding="utf-8")


def test_the_tree_of_contributing_is_the_tree():
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (tree,) = re.findall(r"```\nhybrid/\n(.*?)\nrecipes/", contributing, flags=re.DOTALL)
    named = re.findall(r"^  ([\w.]+)/? ", tree, flags=re.MULTILINE)
    there = {path.name for path in (ROOT / "hybrid").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert sorted(named) == sorted(there - {"__init__.py", "__main__.py", "__pycache__"})


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 250


@pytest.mark.parametrize("page", _PAGES)
def test_every_link_to_a_file_leads_somewhere(page):
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link and link[0] != "#"]
    missing = [link for link in links if not (ROOT / page).parent.joinpath(link.partition("#")[0]).exists()]
    assert missing == []


@pytest.mark.parametrize("page", _PAGES)
def test_every_command_that_is_shown_is_there(page):
    commands = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    headings = re.findall(r"^#+ `hybrid ([\w ]+)`", commands, flags=re.MULTILINE)
    there = {tuple(heading.split()) for heading in headings}
    assert ("ask",) in there
    text = (ROOT / page).read_text(encoding="utf-8")
    shown = re.findall(r"(?:^|`|\$ |=\S+ )hybrid ((?:[a-z]+ ?){1,2})", text, flags=re.MULTILINE)
    unknown = [words for words in shown if not {tuple(words.split()[:n]) for n in (1, 2)} & there]
    assert unknown == []
