"""What keeps a tuned generator what it was: rehearsal, divergence from the base, strength, in one table.

Contract labels (CUAD) are learned in every way named below, each with the same examples; what is learned is
measured on clauses that no training saw, what is forgotten on the suite that ships or on a larger one. The
values of a row are means over seeds, with items resampled. Target: among the rows that gain as much as `none`
(at most two points less), the best loses at most half as much of general text as `none` does.

    python tests/benchmarks/forgetting.py DATA [--seeds 0,1,2] [--examples 600] [--questions 400]
        [--suite PATH ...] [--html FILE] [--json FILE]

DATA is a folder with ``cuad`` (clauses.jsonl, labels.jsonl, category_questions.json).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labels import answer, load, tuned
from measure import Target, note, print_table, print_verdicts

from hybrid.adaptation.examples.instructions import label_examples
from hybrid.adaptation.examples.rehearsal import rehearsal_examples
from hybrid.adaptation.forgetting.benchmark_files import load_suite
from hybrid.adaptation.forgetting.gate import Budget, judge
from hybrid.adaptation.forgetting.general import Suite, shipped_suite
from hybrid.adaptation.forgetting.measurement import COUNTINGS, Item, Measure, changes, measure
from hybrid.adaptation.forgetting.pairing import paired_change
from hybrid.adaptation.training.encoding import encode
from hybrid.adaptation.training.generator import Base
from hybrid.adaptation.values import Change, Example, Examples
from hybrid.config import AdaptationSettings, ModelSettings
from hybrid.generation.prompts import load_prompts
from hybrid.models.generator import TransformersGenerator
from hybrid.models.loading import generator_folder, load_generator
from hybrid.models.resolve import cache_folder
from hybrid.report.pareto import Tried, pareto, pareto_html
from hybrid.types import Question

_NONE = "none"
_STRENGTHS = (0.75, 0.5, 0.25)
_AS_GOOD = 2.0  # points of gain that count as equal: the seeds differ by as much


@dataclass(frozen=True)
class Way:
    """One way to train, by the settings that differ."""

    name: str
    rehearsal: float = 0.0
    divergence: float = 0.0


@dataclass(frozen=True)
class Run:
    """One seed of a row: right or wrong on each question, and the general items."""

    right: list[float]
    items: tuple[Item, ...]
    seconds: float


_WAYS = (
    Way(_NONE),
    Way("rehearsal 10 %", rehearsal=0.1),
    Way("rehearsal 20 %", rehearsal=0.2),
    Way("rehearsal 50 %", rehearsal=0.5),
    Way("divergence, 20 %", rehearsal=0.2, divergence=1.0),
)


def _rehearsal(generator: TransformersGenerator, train: Sequence[Example]) -> list[Example]:
    """Return enough for the largest share; training takes as much of it as it is told to."""
    share = max(way.rehearsal for way in _WAYS)
    tokens = encode(train, generator.dialogue, max_tokens=AdaptationSettings().max_tokens).tokens
    with generator.lent() as module:
        return rehearsal_examples(
            module,
            generator.dialogue,
            digest=generator.base_weights,
            tokens=round(tokens * share / (1 - share)),
            seed=0,
            cache=cache_folder(),
        )


def _rows(
    generator: TransformersGenerator, examples: Examples, test: Sequence[Question], suite: Suite, seed: int
) -> dict[str, Run]:
    """Train in every way with one seed, and measure; strengths are those of `none`."""
    name = ModelSettings().generator
    base = Base(generator_folder(name, offline=True), name)
    mixed = _rehearsal(generator, examples.train)
    rows: dict[str, Run] = {}
    for way in _WAYS:
        # the budget that stops a run early would be a way of its own
        settings = AdaptationSettings(
            epochs=1.0, rehearsal=way.rehearsal, divergence=way.divergence, seed=seed, budget_nats=10.0
        )
        with tempfile.TemporaryDirectory() as work:
            folder, seconds = tuned(base, examples, mixed, settings, Path(work))
            for strength in (1.0, *(_STRENGTHS if way.name == _NONE else ())):
                row = way.name if strength == 1 else f"strength {strength:g}"
                adapted = generator.adapted(folder, strength=strength)
                begun = time.perf_counter()
                lost = measure(generator, adapted, suite)
                rows[row] = Run(answer(adapted, test), lost.items, seconds)
                took = time.perf_counter() - begun
                note(f"seed {seed}, {row}: trained in {seconds:.0f} s, measured in {took:.0f} s")
    return rows


def _mean(values: Sequence[Sequence[float]]) -> list[float]:
    return [sum(each) / len(each) for each in zip(*values, strict=True)]


def _gain(runs: Sequence[Run], before: Sequence[float], test: Sequence[Question]) -> Change:
    return paired_change(
        "label accuracy",
        before,
        _mean([run.right for run in runs]),
        [question.source for question in test],
        unit="points",
        higher_is_better=True,
        scale=100,
        bounded=len(runs) == 1,
    )


def _losses(runs: Sequence[Run]) -> tuple[Change, ...]:
    """Return the general changes of the mean over seeds, item by item."""
    after = _mean([[item.after for item in run.items] for run in runs])
    items = [dataclasses.replace(item, after=value) for item, value in zip(runs[0].items, after, strict=True)]
    countings = COUNTINGS
    if len(runs) > 1:  # a mean of rights is no longer right or wrong
        countings = {name: dataclasses.replace(one, bounded=False) for name, one in COUNTINGS.items()}
    return changes(items, countings)


def _print(gains: dict[str, Change], losses: dict[str, tuple[Change, ...]], budget: Budget) -> None:
    shown = (Measure.TEXT, Measure.PAIRS, Measure.CHOICES, Measure.FORMATS)
    header = ("", "gain, points", "interval", *shown, "in the budget")
    rows = []
    for name, gain in gains.items():
        found = {change.measure: change for change in losses[name]}
        cells = [_interval(found[one]) if one in found else "-" for one in shown]
        passed = "yes" if judge(losses[name], budget).passed else "no"
        rows.append((name, f"{gain.change:+.1f}", f"{gain.low:+.1f} to {gain.high:+.1f}", *cells, passed))
    print_table(header, rows)


def _interval(change: Change) -> str:
    digits = 3 if change.unit == "nats" else 1
    return f"{change.change:+.{digits}f} ({change.low:+.{digits}f} to {change.high:+.{digits}f})"


def _text(found: Sequence[Change]) -> Change:
    return next(change for change in found if change.measure == Measure.TEXT)


def _target(gains: dict[str, Change], losses: dict[str, tuple[Change, ...]]) -> Target:
    """Return the loss of the best row of equal gain as a share of the loss of `none`."""
    equal = [name for name in gains if name != _NONE and gains[name].change >= gains[_NONE].change - _AS_GOOD]
    none = _text(losses[_NONE]).change
    best = min((_text(losses[name]).change for name in equal), default=none)
    return Target("general loss of the best at equal gain, share of that of none", best / none, 0.5)


def main() -> None:
    """Print the table and the target."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--examples", type=int, default=600)
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument(
        "--suite", type=Path, nargs="*", default=[], help="files or folders of a larger suite"
    )
    parser.add_argument("--items", type=int, default=500, help="of each kind of a larger suite")
    parser.add_argument("--html", type=Path, help="write the plot of gain against loss")
    parser.add_argument("--json", type=Path, help="write all changes")
    options = parser.parse_args()
    suite = load_suite(*options.suite).sample(options.items) if options.suite else shipped_suite()
    generator = load_generator(ModelSettings(offline=True))
    assert isinstance(generator, TransformersGenerator), "an adapter needs a model on this machine"
    test = load(options.data / "cuad").test[: options.questions]
    before = answer(generator, test)
    runs: dict[str, list[Run]] = {}
    prompts = load_prompts("en")
    for seed in map(int, options.seeds.split(",")):
        parts = load(options.data / "cuad", seed=seed)
        examples = Examples(
            tuple(label_examples(parts.train[: options.examples], prompts)),
            tuple(label_examples(parts.validation[:48], prompts)),
        )
        for name, run in _rows(generator, examples, test, suite, seed).items():
            runs.setdefault(name, []).append(run)
    gains = {name: _gain(each, before, test) for name, each in runs.items()}
    losses = {name: _losses(each) for name, each in runs.items()}
    budget = Budget()
    print(f"{options.examples} examples, {len(test)} questions, seeds {options.seeds}, suite {suite.name}\n")
    _print(gains, losses, budget)
    print_verdicts([_target(gains, losses)])
    if options.html:
        tried = [Tried(name, gains[name], _text(losses[name])) for name in gains]
        options.html.write_text(pareto_html(pareto(tried, budget=budget.nats)), encoding="utf-8")
    if options.json:
        rows = {
            name: {
                "gain": dataclasses.asdict(gains[name]),
                "general": [dataclasses.asdict(change) for change in losses[name]],
                "seconds": [run.seconds for run in runs[name]],
            }
            for name in gains
        }
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
