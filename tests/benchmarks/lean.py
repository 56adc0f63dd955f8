"""What a cold start costs, and what many questions leave in memory: CPU seconds and resident megabytes.

Everything is measured in processes of its own, by what the kernel counts for them: the command that searches,
the command that asks (extractive, checked), and one process that asks many distinct questions.

    python tests/benchmarks/lean.py [FOLDER] [--questions FILE] [--count 701]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from measure import Target, environment, note, print_json, print_table, print_verdicts

_PAGES = Path(__file__).resolve().parents[2] / "examples" / "postgres" / "pages"
_QUESTION = "what does autovacuum do?"
_SEARCH_SECONDS, _ASK_SECONDS = 2.5, 4.0
_COLD_MB, _MANY_MB = 600, 900
# The kernel counts in these bytes.
_UNIT = 1 if sys.platform == "darwin" else 1_024
_MANY = """
import json, resource, sys
from hybrid import Assistant, load_settings
from hybrid.types import Arm
assistant = Assistant("lean", settings=load_settings({"indexes": sys.argv[1], "models": {"offline": True}}))
questions = json.load(open(sys.argv[2], encoding="utf-8"))
held = []
for number, question in enumerate(questions, start=1):
    assistant.check(assistant.ask(question, arm=Arm.RAG))
    if number % (len(questions) // 4) == 0:
        held.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
json.dump(held[:4], open(sys.argv[3], "w", encoding="utf-8"))
"""
# How much more may be held after all of many questions than after half of them.
_FLAT = 1.05


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds, user and system, and the highest resident memory of a process, in 2²⁰ bytes."""

    seconds: float
    megabytes: float


def cost_of(command: Sequence[str]) -> Cost:
    """Run a command to its end and return what it cost.

    Raises:
        RuntimeError: it failed.
    """
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=said)
        _, status, used = os.wait4(done.pid, 0)
        done.returncode = os.waitstatus_to_exitcode(status)
        if done.returncode:
            said.seek(0)
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {said.read()[-2_000:]}")
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss * _UNIT / 2**20)


def cold(verb: str, indexes: Path, *, rounds: int = 3) -> Cost:
    """Return the median cost of a command of a fresh process on a warm file cache."""
    command = [sys.executable, "-m", "hybrid", verb, _QUESTION, "--domain", "lean", "--offline"]
    costs = [cost_of([*command, "--indexes", str(indexes)]) for _ in range(rounds + 1)][1:]
    return Cost(median(cost.seconds for cost in costs), max(cost.megabytes for cost in costs))


def many(questions: Sequence[str], indexes: Path) -> tuple[Cost, list[float]]:
    """Return the cost of one process that answers and checks all questions, and its peaks, a quarter each."""
    with tempfile.TemporaryDirectory() as folder:
        asked, told = Path(folder) / "questions.json", Path(folder) / "held.json"
        asked.write_text(json.dumps(questions), encoding="utf-8")
        cost = cost_of([sys.executable, "-c", _MANY, str(indexes), str(asked), str(told)])
        return cost, [held * _UNIT / 2**20 for held in json.loads(told.read_text(encoding="utf-8"))]


def made_questions(folder: Path, count: int) -> list[str]:
    """Return so many distinct questions of many lengths, from the words of the pages."""
    words = " ".join(
        path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.iterdir())
    ).split()
    plain = [word.strip(".,;:()") for word in words if word.strip(".,;:()").isalpha()]
    step = max(1, len(plain) // (count + 1))
    return [
        f"What is meant by {' '.join(plain[place * step : place * step + 2 + place % 23])}, number {place}?"
        for place in range(count)
    ]


def indexed(folder: Path, indexes: Path) -> None:
    """Index a folder as the domain that is asked."""
    cost_of(
        [sys.executable, "-m", "hybrid", "index", str(folder), "--domain", "lean", "--indexes", str(indexes)]
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=_PAGES)
    parser.add_argument("--questions", type=Path, help="a JSON list, or JSON lines with `question`")
    parser.add_argument("--count", type=int, default=701)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        indexes = Path(folder)
        indexed(options.folder, indexes)
        note("indexed")
        searched, asked = (cold(verb, indexes, rounds=options.rounds) for verb in ("search", "ask"))
        note("asked once")
        after, held = many(_questions(options.questions, options.folder, options.count), indexes)
    rows = [
        ("cold search", f"{searched.seconds:.2f}", f"{searched.megabytes:.0f}"),
        ("cold ask, extractive and checked", f"{asked.seconds:.2f}", f"{asked.megabytes:.0f}"),
        (f"{options.count} questions, checked", f"{after.seconds:.0f}", f"{after.megabytes:.0f}"),
        ("the same, after each quarter", "", ", ".join(f"{one:.0f}" for one in held)),
    ]
    targets = [
        Target("cold search, CPU s", searched.seconds, _SEARCH_SECONDS),
        Target("cold ask, CPU s", asked.seconds, _ASK_SECONDS),
        Target("cold ask, MB", asked.megabytes, _COLD_MB),
        Target(f"after {options.count} questions, MB", after.megabytes, _MANY_MB),
        Target("after all against after half of them", held[-1] / held[1], _FLAT),
    ]
    print_table(("what", "CPU s", "MB"), rows)
    print_verdicts(targets)
    print_json(
        {
            "benchmark": "lean",
            "targets": [dataclasses.asdict(target) | {"met": target.met} for target in targets],
        }
    )


def _questions(path: Path | None, folder: Path, count: int) -> list[str]:
    if path is None:
        return made_questions(folder, count)
    text = path.read_text(encoding="utf-8")
    if text.lstrip().startswith("["):
        return list(dict.fromkeys(json.loads(text)))[:count]
    rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    return list(dict.fromkeys(str(row.get("question") or row["text"]) for row in rows))[:count]


if __name__ == "__main__":
    main()
