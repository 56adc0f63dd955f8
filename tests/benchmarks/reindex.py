"""What it costs to index a folder again that did not change.

Each run is a fresh process that calls ``Assistant.index``: first into nothing, then several times with
nothing changed, then with one file more. The wall time is that of the whole process, start of the
interpreter included. Targets: no embedding computed, and under 3 % of the time of the first run for a
folder of about 400 files.

    python tests/benchmarks/reindex.py FOLDER
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from measure import Run, Target, Values, print_json, print_table, print_verdicts, run_step, serve_steps

_DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / "examples" / "postgres" / "pages"
_SHARE = 0.03


def _index(arguments: Values) -> Values:
    begun = time.perf_counter()
    from hybrid import Assistant, load_settings

    assistant = Assistant("benchmark", settings=load_settings({"indexes": arguments["indexes"]}))
    report = assistant.index(arguments["folder"])
    plan = report.plan
    return {
        "seconds": time.perf_counter() - begun,
        "embedded": report.embedded,
        "files": report.manifest.counts.files,
        "chunks": report.manifest.counts.chunks,
        "added": len(plan.added),
        "changed": len(plan.changed),
        "kept": len(plan.kept),
        "loaded_torch": "torch" in sys.modules,
    }


def _row(name: str, runs: list[Run], first: float) -> tuple[str, ...]:
    seconds = median(run.seconds for run in runs)
    result = runs[0].result
    counts = [f"{result[key]:,}" for key in ("added", "changed", "kept", "embedded")]
    inside = f"{median(run.result['seconds'] for run in runs):.2f}"
    return name, f"{seconds:.2f}", inside, f"{seconds / first:.2%}", *counts, f"{runs[0].peak_mb:,.0f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=_DEFAULT_FOLDER)
    parser.add_argument("--rounds", type=int, default=5, help="runs with nothing changed")
    arguments = parser.parse_args()

    script = Path(__file__)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "folder"
        # a copy, which may be read-only like its original but for the folder itself
        shutil.copytree(arguments.folder, folder, copy_function=shutil.copyfile)
        folder.chmod(0o755)
        values = {"folder": str(folder), "indexes": str(Path(scratch) / "indexes")}
        first = run_step(script, "index", values)
        again = [run_step(script, "index", values) for _ in range(arguments.rounds)]
        # in a form that every reader takes for text
        (folder / "one-more-file.txt").write_text(
            "A paragraph which nobody has read before.\n", encoding="utf-8"
        )
        after = run_step(script, "index", values)

    header = ("run", "process s", "index s", "of first", "added", "changed", "kept", "embedded", "peak MB")
    print(f"{first.result['files']} files, {first.result['chunks']:,} chunks\n")
    print_table(
        header,
        [
            _row("first", [first], first.seconds),
            _row("unchanged", again, first.seconds),
            _row("one file more", [after], first.seconds),
        ],
    )
    targets = [
        Target(
            "unchanged, share of the first run", median(run.seconds for run in again) / first.seconds, _SHARE
        ),
        Target("unchanged, embeddings computed", max(run.result["embedded"] for run in again), 0),
    ]
    print_verdicts(targets)
    print_json(
        {
            "benchmark": "reindex",
            "first": first.result | {"process": first.seconds},
            "unchanged": [run.result | {"process": run.seconds} for run in again],
            "one_more": after.result | {"process": after.seconds},
            "targets": [dataclasses.asdict(target) | {"met": target.met} for target in targets],
        }
    )


if __name__ == "__main__":
    serve_steps({"index": _index})
    main()
