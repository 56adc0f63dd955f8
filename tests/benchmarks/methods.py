"""Every method on two domains in one table: gain, forgetting, refusal, cost; with a sweep of targets.

    python tests/benchmarks/methods.py WORK [--only NAME ...] [--seeds 0] [--train 96] [--table]

Labels are those of ``examples/contracts``, learned by likelihood like everything else here; reading is made
from the pages of ``examples/postgres``. Both are split by document. A cell (row, domain, seed) is a line of
``WORK/cells.jsonl``: a run that was stopped goes on, and more seeds are added to it. Gain is on held-out
examples, paired: the loss in nats a token, and the labels right, in points. General text is the suite that
ships, in nats a token. Refusal is of general questions: those that nobody can answer and that are declined,
and those that anybody can answer and that are declined all the same, in points, after tuning. Seconds are of
the processor that trained. A row is a ``Row``: settings that differ from the usual ones of this table.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forgetting import losses_of, made, rights_of
from measure import note, print_table
from pydantic import TypeAdapter

from hybrid.adaptation.forgetting import changes as changes_of
from hybrid.adaptation.forgetting import general_questions, measure, refusal_changes
from hybrid.adaptation.methods.encoding import encode, paired_change
from hybrid.adaptation.methods.generator import Base, tune_generator
from hybrid.adaptation.methods.holding import rehearsal_examples
from hybrid.adaptation.store import write_card
from hybrid.adaptation.suites import probe_texts, shipped_suite
from hybrid.adaptation.values import (
    NATS,
    RIGHTS,
    AdapterKind,
    Card,
    Data,
    Declining,
    Example,
    ExampleKind,
    Examples,
    Measure,
)
from hybrid.config import AdaptationSettings, ModelSettings
from hybrid.files import append_jsonl, read_jsonl
from hybrid.generation.prompts import load_prompts
from hybrid.models.device import choose_placement
from hybrid.models.loading import generator_folder, load_generator
from hybrid.models.resolve import cache_folder

_DOMAINS = ("contracts", "postgres")
_PASSAGES, _QUESTIONS = 24, 16


@dataclass(frozen=True)
class Row:
    """A line of the table; ``members`` is how many bottleneck adapters a fusion is over."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    members: int = 0


def _row(method: str, **settings: Any) -> Row:
    return Row(" ".join([method, *map(str, settings.values())]), {"method": method, **settings})


# Add a row here: any settings of adaptation.
ROWS = (
    _row("lora"),
    _row("rslora"),
    _row("pissa"),
    _row("ia3"),
    _row("prompt"),
    _row("prefix"),
    _row("bottleneck"),
    _row("bottleneck", targets="mlp"),
    Row("fusion", {"method": "fusion"}, members=2),
    _row("dora"),
    _row("full"),
    _row("lora", targets="qv"),
    _row("lora", targets="mlp"),
    _row("qlora"),
)


class Bench:
    """One domain: its examples, what the base says of them, and the cells that are measured on it."""

    def __init__(self, domain: str, options: argparse.Namespace) -> None:
        self.domain, self._work = domain, options.work
        self._generator: Any = load_generator(ModelSettings(offline=True))
        # an example that reads is five times as long
        share = 1 if domain == "contracts" else 0.5
        self._examples = made(domain, train=round(share * options.train), held_out=options.held_out)
        name = ModelSettings().generator
        self._base = Base(generator_folder(name, offline=True), name)
        self._usual = AdaptationSettings(layers=options.layers, epochs=options.epochs)
        limit = self._usual.max_tokens
        self._held = encode(self._examples.validation, self._generator.dialogue, max_tokens=limit).encoded
        self._before = (losses_of(self._generator, self._held), rights_of(self._generator, self._held))
        suite = shipped_suite().sample(_PASSAGES)
        self._asked = general_questions(suite.sample(_QUESTIONS), load_prompts("en"))
        self._suite = dataclasses.replace(suite, pairs=(), choices=(), probes=())
        tokens = encode(self._examples.train, self._generator.dialogue, max_tokens=limit).tokens
        with self._generator.lent() as module:
            self._kept = rehearsal_examples(
                module,
                self._generator.dialogue,
                digest=self._generator.base_weights,
                tokens=max(2_000, tokens // 8),
                seed=0,
                cache=cache_folder(),
            )
        self._probe = [Example(ExampleKind.TEXT, (), text, made="general") for text in probe_texts()]

    def cell(self, row: Row, seed: int) -> dict[str, Any]:
        """Train and measure."""
        out = self._work / "adapters" / f"{self.domain}-{row.name}-{seed}".replace(" ", "-")
        shutil.rmtree(out, ignore_errors=True)
        begun = time.process_time()
        members = self._members(row, seed, out)
        self._tune(row.settings, seed, out, over=members)
        seconds = time.process_time() - begun
        adapted = self._generator.adapted(out)
        groups = [item.example.source for item in self._held]
        losses, rights = self._before
        gain = paired_change(
            "loss of held-out examples", losses, losses_of(adapted, self._held), groups, NATS
        )
        right = rights and paired_change(
            "labels right", rights, rights_of(adapted, self._held), groups, RIGHTS
        )
        changes = [
            *changes_of(measure(self._generator, adapted, self._suite)),
            *refusal_changes(self._generator, adapted, self._asked),
        ]
        megabytes = sum(path.stat().st_size for path in out.glob("*.safetensors")) / 1e6
        return {
            "row": row.name,
            "domain": self.domain,
            "seed": seed,
            "gain": dataclasses.asdict(gain),
            "right": dataclasses.asdict(right) if right else None,
            "changes": {str(change.measure): dataclasses.asdict(change) for change in changes},
            "seconds": seconds,
            "megabytes": megabytes,
        }

    def _members(self, row: Row, seed: int, out: Path) -> list[Path]:
        """Train the adapters that a fusion is over, each on its share of the examples."""
        folders = []
        size = len(self._examples.train) // max(1, row.members)
        for number in range(row.members):
            folders.append(out.with_name(f"{out.name}-{number}"))
            shutil.rmtree(folders[-1], ignore_errors=True)
            some = self._examples.train[number * size : (number + 1) * size]
            self._tune({"method": "bottleneck", "targets": "mlp"}, seed, folders[-1], some=some)
        return folders

    def _tune(
        self,
        settings: Mapping[str, Any],
        seed: int,
        out: Path,
        *,
        some: Sequence[Example] = (),
        over: Sequence[Path] = (),
    ) -> None:
        chosen = TypeAdapter(AdaptationSettings).validate_python(
            dataclasses.asdict(self._usual) | dict(settings) | {"seed": seed}
        )
        tune_generator(
            self._base,
            Examples(tuple(some) or self._examples.train, ()),
            chosen,
            out=out,
            placement=choose_placement(),
            rehearsal=self._kept,
            probe=self._probe,
            over=over,
        )
        data = Data("", "", {"examples": len(self._examples.train)})
        base = (self._base.name, self._base.digest)
        write_card(out, Card("", AdapterKind.GENERATOR, *base, method=chosen.method, data=data))


def _show(change: Mapping[str, Any], digits: int) -> str:
    # better is up in every column
    sign = 1 if change["higher_is_better"] else -1
    middle, low, high = (sign * change[key] for key in ("change", "low", "high"))
    low, high = sorted((low, high))
    return f"{middle:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})".replace("-", "\u2212")


def _table(cells: Sequence[Mapping[str, Any]]) -> None:
    for domain in _DOMAINS:
        rows = []
        for row in ROWS:
            for cell in cells:
                if (cell["row"], cell["domain"]) != (row.name, domain):
                    continue
                changes = cell["changes"]
                refused = (
                    f"{changes[name]['before']:.0f} → {changes[name]['after']:.0f}"
                    for name in (Declining.GENERAL_RIGHTLY, Declining.GENERAL_WRONGLY)
                )
                rows.append(
                    (
                        row.name,
                        str(cell["seed"]),
                        _show(cell["gain"], 3),
                        _show(cell["right"], 1) if cell["right"] else "",
                        _show(changes[Measure.TEXT], 3),
                        *refused,
                        f"{cell['seconds']:.0f}",
                        f"{cell['megabytes']:.2f}",
                    )
                )
        print(f"\n{domain}\n")
        print_table(
            (
                "",
                "seed",
                "its own, nats better",
                "labels right, points",
                "general text, nats better",
                "declined rightly",
                "wrongly",
                "CPU s",
                "MB",
            ),
            rows,
        )


def main() -> None:
    """Measure what lacks, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path)
    parser.add_argument("--only", nargs="*", default=[], help="names of rows")
    parser.add_argument("--domains", nargs="*", default=list(_DOMAINS))
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--train", type=int, default=96)
    parser.add_argument("--held-out", type=int, default=96)
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--layers", type=float, default=0.5)
    parser.add_argument("--table", action="store_true", help="only print what was measured")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    path = options.work / "cells.jsonl"
    cells = [cell for _, cell in read_jsonl(path)] if path.is_file() else []
    there = {(cell["row"], cell["domain"], cell["seed"]) for cell in cells}
    for domain in () if options.table else options.domains:
        bench: Bench | None = None
        for seed in map(int, options.seeds.split(",")):
            for row in ROWS:
                if (row.name, domain, seed) in there or row.name not in (options.only or [row.name]):
                    continue
                bench = bench or Bench(domain, options)
                cell = bench.cell(row, seed)
                append_jsonl(path, [cell])
                cells.append(cell)
                note(f"{domain}, {row.name}, seed {seed}: {_show(cell['gain'], 2)}, {cell['seconds']:.0f} s")
    _table(cells)


if __name__ == "__main__":
    main()
