"""How soon there is something to see: the import, the command, the first and the second answer.

``import hybrid`` and ``hybrid --help`` are timed in fresh processes. Then a small folder is indexed,
and in a fresh process two different questions are asked: the second must load nothing again, neither
a module of a heavy library nor a model. Targets: import < 0.3 s without torch, help < 0.6 s.

    python tests/benchmarks/startup.py [FOLDER]
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from measure import (
    Target,
    Values,
    environment,
    note,
    print_json,
    print_table,
    print_verdicts,
    run_step,
    serve_steps,
)

_DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / "examples" / "postgres" / "pages"
_IMPORT_SECONDS = 0.3
_HELP_SECONDS = 0.6
_IMPORT = """
import sys, time
begun = time.perf_counter()
import hybrid
package, torch = time.perf_counter() - begun, "torch" in sys.modules
from hybrid import Assistant
print(package, torch, time.perf_counter() - begun)
"""


def _index(arguments: Values) -> Values:
    from hybrid import Assistant, load_settings

    assistant = Assistant("benchmark", settings=load_settings({"indexes": arguments["indexes"]}))
    report = assistant.index(arguments["folder"])
    return {"files": report.manifest.counts.files, "chunks": report.manifest.counts.chunks}


def _ask(arguments: Values) -> Values:
    from hybrid import Assistant, load_settings

    flags = {"indexes": arguments["indexes"], "generation": {"reader": arguments["reader"]}}
    assistant = Assistant("benchmark", settings=load_settings(flags))
    asked = []
    for question in arguments["questions"]:
        modules = set(sys.modules)
        begun = time.perf_counter()
        answer = assistant.ask(question)
        seconds = time.perf_counter() - begun
        new = sorted(set(sys.modules) - modules)
        asked.append(
            {
                "seconds": seconds,
                "models": _models(),
                "new_modules": len(new),
                "names": new[:10],
                "abstained": answer.abstained,
            }
        )
    return {"asked": asked}


def _models() -> list[int]:
    """Return the identities of all models that live in this process."""
    import torch

    # identities stay valid: as long as the assistant lives, so do its models
    modules = [found for found in gc.get_objects() if issubclass(type(found), torch.nn.Module)]
    inner = {id(child) for module in modules for child in module.children()}
    outermost = [module for module in modules if id(module) not in inner]
    return sorted(id(module) for module in outermost if next(module.parameters(), None) is not None)


def _import_once() -> tuple[float, bool, float]:
    """Return the seconds of the import, whether it loaded torch, and the seconds with the façade."""
    command = [sys.executable, "-c", _IMPORT]
    done = subprocess.run(command, env=environment(), check=True, capture_output=True, text=True)
    seconds, torch, facade = done.stdout.split()
    return float(seconds), torch == "True", float(facade)


def _help(rounds: int) -> list[float]:
    """Return the times of the command beside this interpreter; none if it is not there or fails."""
    command = Path(sys.executable).with_name("hybrid")
    if not command.is_file():
        note(f"there is no {command}: `hybrid --help` is not measured")
        return []
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        done = subprocess.run([str(command), "--help"], env=environment(), capture_output=True, text=True)
        times.append(time.perf_counter() - begun)
        if done.returncode != 0:
            last = done.stderr.strip().rpartition("\n")[2]
            note(f"`hybrid --help` ended with code {done.returncode} and is not measured: {last}")
            return []
    return times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=_DEFAULT_FOLDER)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--reader", choices=("extractive", "generator"), default="extractive")
    parser.add_argument(
        "--question",
        action="append",
        help="give it at least twice; two about the example corpus are asked otherwise",
    )
    arguments = parser.parse_args()

    questions = arguments.question or [
        "Which option sets the number of parallel jobs of reindexdb?",
        "How large is a uuid value?",
        "What does autovacuum do?",
    ]
    imports = [_import_once() for _ in range(arguments.rounds)]
    package = median(seconds for seconds, _, _ in imports)
    torch = any(loaded for _, loaded, _ in imports)
    facade = median(seconds for _, _, seconds in imports)
    rows = [
        ("import hybrid", f"{package:.3f}", "torch" if torch else "-"),
        ("from hybrid import Assistant", f"{facade:.3f}", ""),
    ]
    targets = [
        Target("import hybrid, s", package, _IMPORT_SECONDS),
        Target("import hybrid, loads torch", float(torch), 0),
    ]
    if helped := _help(arguments.rounds):
        rows.append(("hybrid --help", f"{median(helped):.3f}", "-"))
        targets.append(Target("hybrid --help, s", median(helped), _HELP_SECONDS))

    with tempfile.TemporaryDirectory() as indexes:
        values = {"indexes": indexes, "folder": str(arguments.folder.resolve())}
        indexed = run_step(Path(__file__), "index", values).result
        note(f"{indexed['files']} files, {indexed['chunks']:,} chunks")
        wanted = {"indexes": indexes, "questions": questions, "reader": arguments.reader}
        asked = run_step(Path(__file__), "ask", wanted).result["asked"]
    for number, one in enumerate(asked, start=1):
        loaded = f"{one['new_modules']} modules, {len(one['models'])} models live"
        rows.append((f"ask {number}, {arguments.reader}", f"{one['seconds']:.3f}", loaded))
    first, second = asked[0], asked[1]
    targets.append(Target("second ask, modules loaded", second["new_modules"], 0))
    targets.append(Target("second ask, models loaded", len(set(second["models"]) - set(first["models"])), 0))

    print_table(("what", "s", "loads"), rows)
    print_verdicts(targets)
    print_json(
        {
            "benchmark": "startup",
            "import": [seconds for seconds, _, _ in imports],
            "help": helped,
            "asked": [one | {"models": len(one["models"])} for one in asked],
            "targets": [dataclasses.asdict(target) | {"met": target.met} for target in targets],
        }
    )


if __name__ == "__main__":
    serve_steps({"index": _index, "ask": _ask})
    main()
