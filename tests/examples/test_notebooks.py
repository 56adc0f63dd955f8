"""The notebooks show what their sources say, and the numbers come out again."""

import importlib.util
import json
import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_FOLDER = ROOT / "examples" / "notebooks"
_NAMES = ("01_chatbot", "02_side_by_side", "03_jargon", "04_several_domains")
_LONG = ("02_side_by_side", "04_several_domains")
# the dial that is run: quick in the suite; NOTEBOOK=full runs what is committed, which takes an hour
_DIAL = os.environ.get("NOTEBOOK", "quick")
_OF_A_MACHINE = re.compile(r"(?:^|[\s'\"(=])(?:/(?:home|root|tmp|Users|var|opt|mnt|private)/|[A-Z]:\\)")


@pytest.fixture(scope="session")
def runner():
    """examples/notebooks/run.py, the command that executes them."""
    spec = importlib.util.spec_from_file_location("notebook_runner", _FOLDER / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def work(tmp_path_factory):
    """A folder of indexes, adapters and answers that the notebooks share, as they do for a reader."""
    return tmp_path_factory.mktemp("notebooks")


def committed(name):
    return json.loads((_FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))


def outputs(notebook):
    return [output for cell in notebook["cells"] for output in cell.get("outputs", ())]


def texts(output):
    """All that a reader sees of an output but its pictures."""
    data = output.get("data", {})
    parts = [output.get("text", ""), *(data[kind] for kind in data if kind.startswith("text/"))]
    return "\n".join("".join(part) for part in parts)


def test_these_are_all_notebooks():
    assert sorted(path.stem for path in _FOLDER.glob("*.ipynb")) == list(_NAMES)
    assert sorted(json.loads((_FOLDER / "quick.json").read_text(encoding="utf-8"))) == list(_NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("name", _NAMES)
def test_source_and_notebook_are_in_step(name, runner):
    written = runner.read(_FOLDER / f"{name}.py")
    there = [
        (cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags", []))
        for cell in committed(name)["cells"]
    ]
    assert there == [(c.cell_type, c.source, c.metadata.get("tags", [])) for c in written.cells]


@pytest.mark.parametrize("name", _NAMES)
def test_a_notebook_was_executed_whole_and_shows_no_error_and_no_machine(name):
    notebook = committed(name)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    shown = outputs(notebook)
    assert {output["output_type"] for output in shown} <= {"display_data", "execute_result", "stream"}
    assert [output for output in shown if output.get("name") == "stderr"] == []
    said = "\n".join(map(texts, shown))
    assert _OF_A_MACHINE.findall(said) == [] and str(ROOT) not in said
    assert re.findall(r"\w*Warning\b.*|Traceback.*", said) == []
    assert any("image/png" in output.get("data", {}) for output in shown)
    assert (_FOLDER / f"{name}.ipynb").stat().st_size < 300_000


@pytest.mark.slow
@pytest.mark.real_model
@pytest.mark.timeout(7_200 if _DIAL == "full" else 900)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long if name in _LONG else ()) for name in _NAMES]
)
def test_the_numbers_come_out_again(name, runner, work):
    found = runner.numbers(runner.executed(_FOLDER / f"{name}.py", dial=_DIAL, work=work))
    expected = runner.committed_numbers(name, _DIAL)
    assert list(found) == list(expected)
    assert different(found, expected) == {}


def different(found, expected):
    """What is further apart than it may be: words must be equal, numbers within what stands beside them."""
    return {
        name: (found[name]["value"], value)
        for name, value in expected.items()
        if (
            abs(found[name]["value"] - value["value"]) > value["within"] + 1e-9
            if "within" in value
            else found[name]["value"] != value["value"]
        )
    }


def test_a_number_that_moved_is_told():
    expected = {"right": {"value": 66.7, "within": 3}, "arm": {"value": "rag"}}
    assert different({"right": {"value": 69.7, "within": 3}, "arm": {"value": "rag"}}, expected) == {}
    moved = different({"right": {"value": 69.8, "within": 3}, "arm": {"value": "both"}}, expected)
    assert sorted(moved) == ["arm", "right"]
