"""Execute the notebooks; the full dial writes the .ipynb, the quick one its numbers into quick.json.

    python examples/notebooks/run.py                    # all of them, as they are committed
    python examples/notebooks/run.py 01_chatbot         # one
    python examples/notebooks/run.py --dial quick       # the quick dial only

What was indexed, tuned and asked before lies in ``work`` and is not made again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
QUICK_NUMBERS = HERE / "quick.json"
DIALS = ("quick", "full")
# of one cell: the longest one trains an adapter
_PATIENCE = 2 * 60 * 60
_ABOUT = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def read(source: Path) -> Any:
    """Return the notebook of a source in py:percent, not yet executed."""
    import jupytext

    notebook = jupytext.read(source)
    notebook.metadata = _ABOUT
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"  # not a random one, so that a run changes only what came out differently
        cell.metadata.pop("lines_to_next_cell", None)
    return notebook


def executed(source: Path, *, dial: str, work: Path) -> Any:
    """Return the notebook of a source after a run.

    Args:
        source: a file in py:percent.
        dial: quick or full.
        work: the folder of indexes, adapters and answers; what is there is not made again.

    Raises:
        CellExecutionError: a cell failed.
    """
    from nbclient import NotebookClient

    # the kernel of this environment, whatever the user has
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    notebook = read(source)
    environment = {**os.environ, "NOTEBOOK": dial, "NOTEBOOK_WORK": str(work)}
    # set by whoever runs tests, and the figures would be lost
    environment.pop("MPLBACKEND", None)
    client = NotebookClient(notebook, timeout=_PATIENCE, resources={"metadata": {"path": str(HERE)}})
    client.execute(env=environment)
    notebook.metadata = _ABOUT
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran
    return notebook


def numbers(notebook: Any) -> dict[str, dict[str, Any]]:
    """Return what the cell with the tag ``check`` printed."""
    (cell,) = [cell for cell in notebook["cells"] if "check" in cell["metadata"].get("tags", ())]
    found: dict[str, dict[str, Any]] = json.loads("".join("".join(part["text"]) for part in cell["outputs"]))
    return found


def committed_numbers(name: str, dial: str) -> dict[str, dict[str, Any]]:
    """Return what a notebook printed when it was committed."""
    if dial == "full":
        return numbers(json.loads((HERE / f"{name}.ipynb").read_text(encoding="utf-8")))
    return _quick_numbers()[name]


def _quick_numbers() -> dict[str, dict[str, dict[str, Any]]]:
    return json.loads(QUICK_NUMBERS.read_text(encoding="utf-8")) if QUICK_NUMBERS.exists() else {}


def main() -> None:
    """Run what is named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="such as 01_chatbot; default: all")
    parser.add_argument("--dial", choices=DIALS, action="append", help="one of them only")
    options = parser.parse_args()
    import nbformat

    for source in sorted(HERE.glob("[0-9]*_*.py")):
        if options.names and source.stem not in options.names:
            continue
        for dial in options.dial or DIALS:
            begun = time.perf_counter()
            notebook = executed(source, dial=dial, work=HERE / "work")
            print(f"{source.stem}, {dial}: {time.perf_counter() - begun:.0f} s", file=sys.stderr)
            if dial == "full":
                nbformat.write(notebook, source.with_suffix(".ipynb"))
                continue
            found = _quick_numbers() | {source.stem: numbers(notebook)}
            text = json.dumps(dict(sorted(found.items())), indent=1, ensure_ascii=False)
            QUICK_NUMBERS.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
