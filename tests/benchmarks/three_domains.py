"""Three domains, three verdicts: index, tune and decide by the command line, and what it took.

    python tests/benchmarks/three_domains.py [postgres contracts register] [--folder WORK] [--json FILE]

Prints for each domain the accuracy of every arm, the sentence of the verdict and the minutes of index,
adapter (with its gate) and decision. With a folder, what lies there is not made again, and its minutes are
those that it took then.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_EXAMPLES = Path("examples")
_GATE_REFUSED, _PARTIAL = 7, 6


@dataclass(frozen=True)
class Domain:
    """A domain of the examples: its pages, how its adapter is made, and what its arms are asked with."""

    name: str
    pages: str
    tuning: tuple[str, ...]
    options: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    deciding: tuple[str, ...] = ()

    @property
    def questions(self) -> str:
        return str(_EXAMPLES / self.name / "questions.jsonl")

    @property
    def arms(self) -> str:
        tuned = ":generator_adapter=tuned"
        return ",".join(("base", f"rag{self.options}", f"adapter{tuned}", f"both{tuned}{self.options}"))


DOMAINS = (
    Domain(
        "postgres",
        "pages",
        ("--effort", "quick", "--apart", "examples/postgres/questions.jsonl", "--licence", "PostgreSQL"),
        deciding=("--budget", "240"),
    ),
    Domain(
        "contracts",
        "corpus",
        ("--data", "examples/contracts/tuning.jsonl", "--licence", "CC BY 4.0"),
        options=":k=1",
        # an index has to be kept up, so passages are worth it if they bring five points
        deciding=("--margin", "0.05"),
    ),
    Domain(
        "register",
        "pages",
        (
            *("--data", "examples/register/tuning.jsonl"),
            *("--apart", "examples/register/questions.jsonl", "--licence", "CC BY 4.0"),
        ),
        settings={"HYBRID_RETRIEVAL__K": "1", "HYBRID_ADAPTATION__HOLD_OUT": "0"},
    ),
)


def called(*words: str, environment: dict[str, str], allowed: tuple[int, ...] = (0,)) -> tuple[str, float]:
    """Run a command of hybrid; return what it printed and its seconds."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "hybrid", *words],
        cwd=_ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode not in allowed:
        raise SystemExit(f"hybrid {' '.join(words)} ended with {done.returncode}")
    return done.stdout, time.perf_counter() - begun


def run(domain: Domain, folder: Path) -> dict[str, Any]:
    """Set up, tune and decide; return what the table shows."""
    environment = {"HYBRID_INDEXES": str(folder), "HF_HUB_OFFLINE": "1", **domain.settings}
    there = ("--domain", domain.name)
    # a run that was interrupted goes on, with the seconds of what was done before
    kept = folder / f"{domain.name}.seconds.json"
    seconds = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}

    def note(step: str, taken: float) -> None:
        seconds[step] = max(taken, seconds.get(step, 0.0))
        kept.write_text(json.dumps(seconds), encoding="utf-8")

    _, taken = called("index", str(_EXAMPLES / domain.name / domain.pages), *there, environment=environment)
    note("index", taken)
    passed = "kept from before"
    if not (folder / domain.name / "adapters" / "tuned").is_dir():
        said, taken = called(
            *("adapt", "generator", *there, *domain.tuning, "--name", "tuned", "--json"),
            environment=environment,
            allowed=(0, _GATE_REFUSED),
        )
        note("adapter", taken)
        passed = "passed" if json.loads(said).get("in_use") else "refused"
    said, taken = called(
        *("decide", domain.questions, *there, *domain.deciding, "--arms", domain.arms, "--json"),
        environment=environment,
        allowed=(0, _PARTIAL),
    )
    note("decision", taken)
    text, _ = called(
        *("decide", domain.questions, *there, *domain.deciding, "--arms", domain.arms),
        environment=environment,
        allowed=(0, _PARTIAL),
    )
    return {"domain": domain.name, "gate": passed, "seconds": seconds, "text": text, **json.loads(said)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("domains", nargs="*", help="default: all three")
    parser.add_argument("--folder", type=Path, help="where to keep indexes, adapters and answers")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        for domain in DOMAINS:
            if options.domains and domain.name not in options.domains:
                continue
            found.append(run(domain, folder))
            print(f"\n## {domain.name}\n\n{found[-1]['text']}", flush=True)
    print("| domain | base | rag | adapter | both | gate | index, adapter, decision: minutes |")
    print("|---|---|---|---|---|---|---|")
    for each in found:
        means = {one["arm"].partition(":")[0]: one["mean"] for one in each["intervals"]}
        scores = [
            f"{100 * means[arm]:.1f}" if arm in means else "–" for arm in ("base", "rag", "adapter", "both")
        ]
        minutes = " + ".join(f"{seconds / 60:.1f}" for seconds in each["seconds"].values())
        print(f"| {each['domain']} | {' | '.join(scores)} | {each['gate']} | {minutes} |")
    for each in found:
        print(f"\n**{each['domain']}: {each['verdict']}.** {each['sentence']}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
