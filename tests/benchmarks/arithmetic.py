"""What 10 million chunks, 1,000 questions a second and 100 domains cost: arithmetic from measured numbers.

    python tests/benchmarks/arithmetic.py [--scale tests/benchmarks/measured/scale.json]

The numbers of a large index are read from what ``scale.py`` printed as JSON; the others stand below, each
with the command that measured it. It prints the tables of ``docs/how-to/scale.md``, which a test compares.
"""

from __future__ import annotations

import argparse
import json
import math
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
    28.1, "chunks/s", "embedded by a core (600 letters each, bf16)", "executors.py: embed, processes:1"
)
SHARE = Measured(0.99, "", "of that for each of two processes", "executors.py: embed, processes:2")
EXTRACTIVE = Measured(
    0.023,
    "s",
    "of a core for an answer of the extractive reader to a question asked before",
    "serving.py load: 32 clients",
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
    small, large = sizes[0], sizes[-1]
    times = CHUNKS / large["chunks"]
    embedding = CHUNKS / EMBEDDED.value / 3_600
    spent = large["cpu_seconds"]
    staging = (spent["reading"] + spent["before building"] + spent["store"] + spent["words"]) * times / 3_600
    # lists grow with the root of the chunks, and every vector is compared with the middle of each
    building = spent["vectors"] * times**1.5 / 3_600
    texts = (large["disk_mb"]["store.sqlite"] + large["disk_mb"]["lexical"]) * times / 1e3
    vectors = large["disk_mb"]["dense.faiss"] * times / 1e3
    cache = large["cache_mb"] * times / 1e3
    parts = large["parts_ms"]
    grown = math.log(parts["lexical"] / small["parts_ms"]["lexical"]) / math.log(
        large["chunks"] / small["chunks"]
    )
    words = parts["lexical"] * times**grown
    # as many lists searched, each longer by the root, among more by the root
    dense = parts["dense"] * times**0.5
    added = words + dense + parts["chunks"] + parts["cosines"]

    def cores(core_seconds: float) -> float:
        return QUESTIONS * core_seconds / BUSY

    memory = (SERVER_MB.value + (DOMAINS - 1) * DOMAIN_MB.value) / 1e3
    many = memory * CORES
    return {
        f"{CHUNKS:,} chunks": [
            ("embedding, once", f"{embedding:,.0f} core hours", f"{CHUNKS:,} / {EMBEDDED.value} / 3,600"),
            (
                f"on one machine of {CORES} cores",
                f"{embedding / CORES / SHARE.value:.1f} h",
                f"if each keeps {SHARE.value} of its rate",
            ),
            (
                "staging, store and words, one process",
                f"{staging:.1f} h",
                f"{times:.0f} × {large['chunks']:,}, chunks given; what reads and splits files is not in it",
            ),
            (
                "index of vectors, one process",
                f"{building:.1f} h",
                f"{times:.0f}^1.5 × {spent['vectors']:,.0f} s: lists grow with the root, each vector is held "
                "against all",
            ),
            (
                "disk",
                f"{2 * (texts + vectors) + cache:.0f} GB",
                f"two generations of {texts:.1f} GB of text and words and {vectors:.1f} GB of vectors, and "
                f"{cache:.1f} GB of vectors that the next is made of",
            ),
            (
                "memory that a machine needs to search",
                f"{vectors + texts:.1f} GB",
                "all files in it, which all processes share; less where few texts are read",
            ),
            (
                "a search, beside embedding the question",
                f"{added:.0f} ms of a core",
                f"words {parts['lexical']:.1f} ms × {times:.0f}^{grown:.2f}, as they grew; vectors "
                f"{parts['dense']:.1f} ms × {times:.0f}^.5, as many lists searched",
            ),
        ],
        f"{QUESTIONS:,} questions a second": [
            (
                "extractive reader, small index",
                *machines(cores(EXTRACTIVE.value), f"{EXTRACTIVE.value} s an answer, cores {BUSY:.0%} busy"),
            ),
            (
                f"the same over {CHUNKS:,} chunks",
                *machines(cores(EXTRACTIVE.value + added / 1e3), f"{added:.0f} ms of searching more"),
            ),
            (
                "a generator of 135M parameters on CPUs",
                *machines(cores(WRITTEN.value), f"{WRITTEN.value:g} s an answer: take cards and an endpoint"),
            ),
        ],
        f"{DOMAINS} domains in each process": [
            (
                "memory of a process",
                f"{memory:.1f} GB",
                f"{SERVER_MB.value:g} MB and {DOMAIN_MB.value:g} MB for each further one",
            ),
            (
                "routing",
                f"{ROUTED_MS.value * DOMAINS:.0f} ms a question",
                "if it grows with the domains as from none to seven",
            ),
            (
                f"{QUESTIONS:,} questions a second",
                *machines(
                    cores(EXTRACTIVE.value + ROUTED_MS.value * DOMAINS / 1e3), "an answer and its routing"
                ),
            ),
            (
                f"memory of a machine, a process for each of {CORES} cores",
                f"{many:,.0f} GB" + ("" if many <= MEMORY_GB else ": too much"),
                f"of {MEMORY_GB}",
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
    for one in sizes:
        at, parts = f"{one['chunks']:,} chunks", one["parts_ms"]
        disk = [one["disk_mb"]["store.sqlite"], one["disk_mb"]["lexical"], one["cache_mb"]]
        searched = [parts["embed"], parts["dense"], parts["lexical"], parts["cosines"] + parts["chunks"]]
        told = {
            "staging; store, words (processor time)": (
                f"{one['cpu_seconds']['reading'] + one['cpu_seconds']['before building']:.1f}; "
                f"{one['cpu_seconds']['store']:.1f}, {one['cpu_seconds']['words']:.1f} s"
            ),
            "disk: store, words, kept vectors": ", ".join(f"{value:.1f}" for value in disk) + " MB",
            f"a search: embedding, vectors ({one['kind'].split()[0]}), words, the rest": ", ".join(
                f"{value:.1f}" for value in searched
            )
            + " ms",
        }
        lines += [f"| {at}: {what} | {value} | `scale.py` |" for what, value in told.items()]
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
