"""What 10 million chunks, 1,000 questions a second and 100 domains cost: arithmetic from measured numbers.

    python tests/benchmarks/arithmetic.py [--scale tests/benchmarks/measured/scale.json]

The numbers of a large index are read from what ``scale.py`` printed as JSON; the others stand below, each
with the command that measured it. It prints the tables of ``docs/how-to/scale.md``, which a test compares.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCALE = Path(__file__).parent / "measured" / "scale.json"


@dataclass(frozen=True, slots=True)
class Measured:
    """A number of docs/benchmarks.md, and the command that measured it."""

    value: float
    unit: str
    what: str
    command: str


EMBEDDED = Measured(
    40.3, "chunks/s", "embedded by a core (600 letters each, bf16)", "executors.py: embed, processes:1"
)
SHARE = Measured(0.91, "", "of that for each of two processes", "executors.py: embed, processes:2")
EXTRACTIVE = Measured(
    0.08, "s", "of a core for an answer of the extractive reader", "serving.py load: 32 clients"
)
# two cores were busy all the time
WRITTEN = Measured(
    8.0,
    "s",
    "of a core for an answer written with passages (135M)",
    "serving.py load --reader generator: 2 / 0.25",
)
SERVER_MB = Measured(444, "MB", "for a server that answers in one domain", "domains.py INDEXES")
DOMAIN_MB = Measured(5.5, "MB", "for each further small domain: (477 - 444) / 6", "domains.py INDEXES")
ROUTED_MS = Measured(0.46, "ms", "to route a question, for each domain: 3.2 / 7", "domains.py INDEXES")
CONSTANTS = (EMBEDDED, SHARE, EXTRACTIVE, WRITTEN, SERVER_MB, DOMAIN_MB, ROUTED_MS)

CHUNKS, QUESTIONS, DOMAINS = 10_000_000, 1_000, 100
# Assumed, not measured: of a machine, and how busy its cores may be so that nobody waits long.
CORES, MEMORY_GB, BUSY = 64, 256, 0.7


def rows(sizes: list[dict[str, Any]]) -> dict[str, list[tuple[str, str, str]]]:
    """Return by table what is needed, how much of it, and how that is reckoned."""
    large = sizes[-1]
    times = CHUNKS / large["chunks"]
    embedding = CHUNKS / EMBEDDED.value / 3_600
    machine_hours = embedding / (CORES * SHARE.value)
    seconds = large["cpu_seconds"]
    reading = seconds["reading"] * times / 3_600
    # lists grow with the root of the chunks, and every vector is compared with the middle of each
    building = (seconds["vectors"] * times**1.5 + (seconds["store"] + seconds["words"]) * times) / 3_600
    generation, cache = large["generation_mb"] * times / 1e3, large["cache_mb"] * times / 1e3
    search_gb = large["search_mb"] * times / 1e3
    parts = large["parts_ms"]
    # compared with the middles of the lists, and with what lies in some of them: both grow with the root
    dense = parts["dense"] * times**0.5
    search_ms = parts["embed"] + dense + parts["lexical"] * times + parts["cosines"] + parts["chunks"]
    added = search_ms - parts["embed"]

    def cores(core_seconds: float) -> float:
        return QUESTIONS * core_seconds / BUSY

    extractive = cores(EXTRACTIVE.value)
    large_extractive = cores(EXTRACTIVE.value + added / 1e3)
    routed = cores(EXTRACTIVE.value + ROUTED_MS.value * DOMAINS / 1e3)
    memory = (SERVER_MB.value + (DOMAINS - 1) * DOMAIN_MB.value) / 1e3
    return {
        f"{CHUNKS:,} chunks": [
            ("embedding, once", f"{embedding:,.0f} core hours", f"{CHUNKS:,} / {EMBEDDED.value} / 3,600"),
            (
                f"on one machine of {CORES} cores",
                f"{machine_hours:.1f} h",
                f"if each keeps {SHARE.value} of its rate",
            ),
            ("reading and staging, one process", f"{reading:.1f} h", f"{times:.0f} × what was measured"),
            (
                "building, one process",
                f"{building:.1f} h",
                f"vectors {times:.0f}^1.5 ×, store and words {times:.0f} ×",
            ),
            (
                "disk",
                f"{2 * generation + cache:,.0f} GB",
                f"two generations of {generation:,.0f} GB, {cache:,.0f} GB of vectors kept for the next",
            ),
            (
                "memory of a machine that searches",
                f"{search_gb:,.1f} GB at the most",
                f"{times:.0f} × what was resident; processes share what is mapped",
            ),
            (
                "a search",
                f"{search_ms:.0f} ms of a core",
                f"dense {times:.0f}^.5 ×, words {times:.0f} × at the most",
            ),
        ],
        f"{QUESTIONS:,} questions a second": [
            ("extractive reader, small index", *machines(extractive, f"{EXTRACTIVE.value} s an answer")),
            (
                f"the same over {CHUNKS:,} chunks",
                *machines(large_extractive, f"{added:.0f} ms of searching more"),
            ),
            (
                "a generator of 135M parameters on CPUs",
                *machines(cores(WRITTEN.value), f"{WRITTEN.value} s an answer: take cards and an endpoint"),
            ),
        ],
        f"{DOMAINS} domains in each process": [
            (
                "memory of a process",
                f"{memory:.1f} GB",
                f"{SERVER_MB.value:.0f} MB and {DOMAIN_MB.value} MB for each further one",
            ),
            (
                "routing",
                f"{ROUTED_MS.value * DOMAINS:.0f} ms a question",
                "if it grows with the domains as from none to seven",
            ),
            (f"{QUESTIONS:,} questions a second", *machines(routed, "an answer and its routing")),
            (
                f"a process for each core of {CORES}",
                f"{memory * CORES:,.0f} GB" + ("" if memory * CORES <= MEMORY_GB else ": too much"),
                f"a machine has {MEMORY_GB} GB",
            ),
        ],
    }


def machines(cores: float, why: str) -> tuple[str, str]:
    """Return cores with the machines that have as many, and why."""
    return f"{cores:,.0f} cores, {-(-cores // CORES):,.0f} machines", why


def page(sizes: list[dict[str, Any]]) -> str:
    """Return the tables as Markdown."""
    lines = ["| measured | | command |", "|---|---|---|"]
    lines += [f"| {one.what} | {one.value:g} {one.unit} | `{one.command}` |" for one in CONSTANTS]
    large = sizes[-1]
    at, disk = f"{large['chunks']:,} chunks", f"{large['generation_mb']:,.0f} + {large['cache_mb']:,.0f} MB"
    told = {
        "reading and staging, processor time": f"{large['cpu_seconds']['reading']:,.0f} s",
        "building store, vectors, words, processor time": " + ".join(
            f"{large['cpu_seconds'][step]:,.0f}" for step in ("store", "vectors", "words")
        )
        + " s",
        "disk of the index, of the kept vectors": disk,
        "resident while searching": f"{large['search_mb']:,.0f} MB",
        "a search: embedding, dense, words, the rest": " + ".join(
            f"{large['parts_ms'][part]:.1f}" for part in ("embed", "dense", "lexical")
        )
        + f" + {large['parts_ms']['cosines'] + large['parts_ms']['chunks']:.1f} ms",
    }
    lines += [f"| {what}, {at} | {value} | `scale.py` |" for what, value in told.items()]
    for title, table in rows(sizes).items():
        lines += ["", f"| {title} | needs | reckoned |", "|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in table]
    return "\n".join(lines)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scale", type=Path, default=SCALE, help="the JSON that scale.py printed")
    told = parser.parse_args()
    print(page(json.loads(told.scale.read_text(encoding="utf-8"))["sizes"]))


if __name__ == "__main__":
    main()
