"""What the README shows is what happens."""

import re
from pathlib import Path

import pytest

from hybrid.cli.app import run

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.mark.real_model
def test_the_python_example_runs(tmp_path, capsys):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "port.md").write_text("# Connections\n\nThe default port of the server is 5432.\n")
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.count("5432") >= 2


def test_the_table_of_commands_names_every_command(capsys):
    (table,) = re.findall(r"\| command \| does \|\n\|---\|---\|\n((?:\|.*\n)+)", README)
    cells = [re.split(r"(?<!\\)\|", row)[1] for row in table.splitlines()]
    named = {
        text.removeprefix("hybrid ").split()[0] for cell in cells for text in re.findall(r"`([^`]+)`", cell)
    }
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out.partition("Commands:")[2]
    assert named == set(re.findall(r"^  (\w+) ", shown, flags=re.MULTILINE))


def test_the_tree_of_the_readme_is_the_tree():
    root = Path(__file__).parents[1] / "hybrid"
    (tree,) = re.findall(r"```\nhybrid/\n(.*?)\nindexes/", README, flags=re.DOTALL)
    named = set(re.findall(r"^  ([\w.]+)/? ", tree, flags=re.MULTILINE))
    there = {path.name for path in root.iterdir() if path.suffix == ".py" or path.is_dir()}
    there -= {"__init__.py", "__main__.py", "__pycache__"}
    assert named == there
