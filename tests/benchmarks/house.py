"""The size of the house and what an answer costs in it: every row beside its limit.

Files, lines and names are read from the source; calls are the frames of the package between `hybrid ask` and
the model; CPU seconds and resident memory are those of processes of their own. `--suite` runs the fast tests
too. About three minutes on two quiet cores, five with the tests.

    python tests/benchmarks/house.py [--suite]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from depth import depths
from lean import cold, indexed, made_questions, many
from measure import Target, environment, note, print_verdicts

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from test_house import AT_MOST, lines, measured

_ROOT = Path(__file__).resolve().parents[2]
_PAGES = _ROOT / "examples" / "postgres" / "pages"


def _source() -> list[Target]:
    found = measured()
    note(f"the report with its templates: {lines('report', ('.py', '.j2')):,} lines")
    return [Target(what, found[what], limit) for what, limit in AT_MOST.items()]


def _calls() -> list[Target]:
    with tempfile.TemporaryDirectory() as folder:
        deepest = max(depths(Path(folder)), key=lambda way: (way.calls, way.files))
    note("\n".join(f"  {frame}" for frame in deepest.frames))
    return [
        Target(f"calls from ask to the model ({deepest.way})", deepest.calls, 9),
        Target("files of these calls", deepest.files, 8),
    ]


def _costs() -> list[Target]:
    with tempfile.TemporaryDirectory() as folder:
        indexes = Path(folder)
        indexed(_PAGES, indexes)
        search, ask = cold("search", indexes), cold("ask", indexes)
        after, _ = many(made_questions(_PAGES, 701), indexes)
    return [
        Target("CPU s of a cold search", search.seconds, 2.5),
        Target("CPU s of a cold ask (extractive, checked)", ask.seconds, 4.0),
        Target("MB of that ask", ask.megabytes, 600),
        Target("MB after 701 distinct questions", after.megabytes, 900),
    ]


def _suite() -> list[Target]:
    begun = time.perf_counter()
    command = ["bash", "tests/run.sh", "--fast", "-q"]
    subprocess.run(command, cwd=_ROOT, env=environment(), check=True, stdout=sys.stderr)
    return [Target("fast suite, s", time.perf_counter() - begun, 120)]


def main() -> int:
    """Measure and print; 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--suite", action="store_true", help="run the fast tests too")
    options = parser.parse_args()
    targets = [*_source(), *_calls(), *_costs(), *(_suite() if options.suite else [])]
    print_verdicts(targets)
    return int(not all(target.met for target in targets))


if __name__ == "__main__":
    sys.exit(main())
