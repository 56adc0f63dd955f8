"""What `hybrid monitor` sees: drifts of real questions, rates that rise, and how often it cries wolf.

    python tests/benchmarks/drift.py [--runs 100] [--json]

Questions: a calibration window of questions on databases, reports and open text, and as many later ones, a
share of which is from elsewhere (Git, Haystack, Debian's policy), each as the 16 signs that a trace keeps.
Rates: 200 answers of which 10 % fail, and later ones of which more fail.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from measure import note, print_json, print_table
from numpy.typing import NDArray

from hybrid import load_settings
from hybrid.models.loading import load_embedder
from hybrid.operations.drift import risk_at_least, risk_at_most, told_apart
from hybrid.tracing.spans import sides

ROOT = Path(__file__).parents[2]
KNOWN = (
    "examples/postgres/questions.jsonl",
    "examples/reports/questions.jsonl",
    "tests/benchmarks/report_questions.jsonl",
    "tests/benchmarks/made_questions.jsonl",
)
OTHER = ("tests/benchmarks/routing_questions.jsonl",)
LEVEL, TOLERANCE = 0.05, 0.05
SHARES = (0.0, 0.2, 0.35, 0.5)
RATES = (0.10, 0.20, 0.30, 0.45)


def questions(files: Sequence[str]) -> list[str]:
    """Read the questions of these files."""
    rows = [json.loads(line) for name in files for line in (ROOT / name).read_text("utf-8").splitlines()]
    return [row.get("question") or row["text"] for row in rows]


def drifted(
    known: NDArray[np.float64], other: NDArray[np.float64], size: int, share: float, run: int
) -> bool:
    """Draw two windows, a share of the later one from elsewhere, and tell whether they are told apart."""
    generator = np.random.default_rng([run, 11])
    drawn, elsewhere = generator.permutation(len(known)), generator.permutation(len(other))
    new = round(share * size)
    later = np.concatenate([known[drawn[size : 2 * size - new]], other[elsewhere[:new]]])
    return told_apart(known[drawn[:size]], later, seed=run).p <= LEVEL


def risen(rate: float, run: int, count: int) -> bool:
    """Draw failures before and after, and tell whether the bound ever crosses what is allowed."""
    generator = np.random.default_rng([run, 12])
    allowed = risk_at_most(list(generator.random(200) < RATES[0]), LEVEL / 2) + TOLERANCE
    return bool((risk_at_least(list(generator.random(count) < rate), LEVEL / 2) > allowed).any())


def main() -> None:
    """Print both tables: shares of the runs with an alarm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    embedder = load_embedder(load_settings({"models": {"offline": True}}).models)
    known, other = (
        sides(embedder.embed_queries(questions(files))).astype(np.float64) for files in (KNOWN, OTHER)
    )
    found: dict[str, dict[str, float]] = {}
    for size in (100, 180):
        note(f"questions, windows of {size}")
        alarms = [
            sum(drifted(known, other, size, share, run) for run in range(given.runs)) for share in SHARES
        ]
        shown = {f"{share:.0%} new": count / given.runs for share, count in zip(SHARES, alarms, strict=True)}
        found[f"windows of {size}"] = shown
    print_table(("questions", *found["windows of 100"]), [(name, *_row(row)) for name, row in found.items()])
    rates: dict[str, dict[str, float]] = {}
    for count in (200, 1_000):
        note(f"rates, {count} answers")
        alarms = [sum(risen(rate, run, count) for run in range(given.runs)) for rate in RATES]
        shown = {f"{rate:.0%} fail": alarm / given.runs for rate, alarm in zip(RATES, alarms, strict=True)}
        rates[f"within {count} answers"] = shown
    print_table(
        ("failures", *rates["within 200 answers"]), [(name, *_row(row)) for name, row in rates.items()]
    )
    if given.json:
        print_json(found | rates)


def _row(shares: dict[str, float]) -> tuple[str, ...]:
    return tuple(f"{100 * share:.0f} %" for share in shares.values())


if __name__ == "__main__":
    main()
