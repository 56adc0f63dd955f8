"""What all benchmarks share: steps in fresh processes, peak memory, medians, tables, verdicts.

A benchmark is a script with steps. Each step is a function from a dictionary to a dictionary; it runs
in a process of its own, so that no system profits from what another one loaded. A script calls
``serve_steps`` first: started by ``run_step`` it runs that step, started by a person it goes on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

# recipes, which some import, are run from a checkout: nothing installs them
sys.path.insert(0, str(Path(__file__).parents[2]))

Values = dict[str, Any]
Step = Callable[[Values], Values]

# Looked at so often, and less often the longer it lasts: to look at all processes takes a millisecond or two.
_POLL_SECONDS, _POLL_SHARE, _POLL_MOST = 0.05, 0.005, 1.0
# The same for every system that is measured: no spinning threads, no network, no bars, UTF-8 files.
_ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "PYTHONUTF8": "1",
    "PYTHONWARNINGS": "ignore::DeprecationWarning",
}


@dataclass(frozen=True, slots=True)
class Run:
    """A step that ended: its result, its wall time with start and end, its highest memory.

    ``peak_mb`` is the highest sum over the process and its children (sampled; pages that processes
    share count once for each), ``own_peak_mb`` that of the process alone, from the kernel.
    """

    result: Values
    seconds: float
    peak_mb: float
    own_peak_mb: float


@dataclass(frozen=True, slots=True)
class Target:
    """A promise and what was measured: ``at_least`` or at most the limit."""

    name: str
    measured: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Tell whether the promise holds."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    def row(self) -> tuple[str, str, str, str]:
        """Return the line of the table of verdicts."""
        sign = ">=" if self.at_least else "<="
        return self.name, f"{self.measured:,.3g}", f"{sign} {self.limit:,g}", "met" if self.met else "MISSED"


def serve_steps(steps: Mapping[str, Step]) -> None:
    """Run the step named on the command line and leave, if one is named."""
    if sys.argv[1:2] != ["--step"]:
        return
    name, arguments, answer = sys.argv[2:5]
    result = steps[name](json.loads(arguments))
    Path(answer).write_text(json.dumps({"result": result, "own_peak_mb": _own_peak_mb()}), encoding="utf-8")
    sys.exit(0)


def run_step(script: Path, step: str, arguments: Values, *, python: str = sys.executable) -> Run:
    """Run a step of a script in a fresh process, away from any settings file."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        command = [python, str(script.resolve()), "--step", step, json.dumps(arguments), str(answer)]
        begun = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=sys.stderr)
        memory = _PeakMemory(process.pid)
        memory.start()
        code = process.wait()
        seconds = time.perf_counter() - begun
        peak = memory.stop()
        if code != 0:
            raise SystemExit(f"the step {step!r} of {script.name} ended with code {code}")
        value = json.loads(answer.read_text(encoding="utf-8"))
    return Run(value["result"], seconds, max(peak, value["own_peak_mb"]), value["own_peak_mb"])


def environment() -> dict[str, str]:
    """Return the environment of everything that is measured, which keeps bytecode as an install does."""
    own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return own | _ENVIRONMENT


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def median_ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """Return the median of the ratios of runs made in the same round."""
    return median(a / b for a, b in zip(above, below, strict=True))


def note(text: str) -> None:
    """Say on stderr what is going on."""
    print(text, file=sys.stderr, flush=True)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns, the first to the left and the others to the right."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(header))]
    for number, line in enumerate(lines):
        cells = [
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))
    print()


def print_verdicts(targets: Sequence[Target]) -> None:
    """Print every promise with what was measured."""
    print_table(("target", "measured", "limit", "verdict"), [target.row() for target in targets])


def print_json(values: Values) -> None:
    """Print the whole result as one line."""
    print(json.dumps(values, ensure_ascii=False))


def _own_peak_mb() -> float:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) / (1024 * 1024 if sys.platform == "darwin" else 1024)


class _PeakMemory(threading.Thread):
    """Sample the memory of a process and all its children until told to stop."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._done = threading.Event()
        self._peak = 0

    def run(self) -> None:
        import psutil

        try:
            root = psutil.Process(self._pid)
        except psutil.NoSuchProcess:
            return
        begun = time.monotonic()
        while not self._done.wait(
            min(max(_POLL_SECONDS, _POLL_SHARE * (time.monotonic() - begun)), _POLL_MOST)
        ):
            total = 0
            try:
                for process in (root, *root.children(recursive=True)):
                    try:
                        total += process.memory_info().rss
                    except psutil.NoSuchProcess:
                        continue
            except psutil.NoSuchProcess:
                return
            self._peak = max(self._peak, total)

    def stop(self) -> float:
        self._done.set()
        self.join()
        return self._peak / (1024 * 1024)
