"""What keeps a tuned generator what it was: rehearsal, divergence from the base, strength, in one table.

A domain's texts are learned in every way named below, each with the same examples (continued pre-training,
for it gains and forgets within minutes). What is learned is the fall of the loss on documents that no
training saw, what is forgotten is measured on the suite that ships or on a larger one. A row holds means over
seeds, with items resampled. Target: among the rows that gain nearly as much as `none` (nine tenths of it),
the greatest loss of the best (of text, pairs or choices, in shares of the budget) is at most half that of
`none`.

    python tests/benchmarks/forgetting.py CORPUS.jsonl [--seeds 0,1,2] [--examples 240] [--held-out 80]
        [--suite PATH ...] [--html FILE] [--json FILE]

CORPUS.jsonl holds one document a line with ``_id`` and ``text``, as in BEIR's format.
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

from measure import Target, note, print_table, print_verdicts

from hybrid.adaptation.data.examples import text_examples
from hybrid.adaptation.data.rehearsal import rehearsal_examples
from hybrid.adaptation.forgetting.likelihood import Subject, TokenStretch, log_likelihoods
from hybrid.adaptation.forgetting.measure import COUNTINGS, Item, Measure, changes, measure, paired_change
from hybrid.adaptation.forgetting.suites import Suite, load_suite, shipped_suite
from hybrid.adaptation.gate import Budget, judge
from hybrid.adaptation.store import AdapterStore
from hybrid.adaptation.training.encoding import Encoded, encode
from hybrid.adaptation.training.generator import Base, tune_generator
from hybrid.adaptation.values import AdapterKind, Card, Change, Data, Example, Examples
from hybrid.config import AdaptationSettings, ModelSettings
from hybrid.files import read_jsonl
from hybrid.models.device import choose_placement
from hybrid.models.generator import TransformersGenerator
from hybrid.models.loading import generator_folder, load_generator
from hybrid.models.resolve import cache_folder
from hybrid.questions.splits import unit_hash
from hybrid.report import Tried, pareto_front, pareto_html
from hybrid.types import Document

_NONE = "none"
_STRENGTHS = (0.75, 0.5, 0.25)
_AS_GOOD = 0.9
_WINDOW = 256


@dataclass(frozen=True)
class Way:
    """One way to train, by the settings that differ."""

    name: str
    rehearsal: float = 0.0
    divergence: float = 0.0


@dataclass(frozen=True)
class Run:
    """One seed of a row: the loss of each held-out text, and the general items."""

    losses: list[float]
    items: tuple[Item, ...]
    seconds: float


_WAYS = (
    Way(_NONE),
    Way("rehearsal 10 %", rehearsal=0.1),
    Way("rehearsal 20 %", rehearsal=0.2),
    Way("rehearsal 50 %", rehearsal=0.5),
    Way("divergence, 20 %", rehearsal=0.2, divergence=1.0),
)


def read_texts(path: Path, generator: TransformersGenerator, *, train: int, held_out: int) -> Examples:
    """Return windows of documents to train on, and of others to measure on, drawn by their names."""
    documents = [Document(str(row["_id"]), str(row["text"])) for _, row in read_jsonl(path)]
    documents.sort(key=lambda document: unit_hash("forgetting", document.source))

    def count(texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in generator.dialogue.tokens(texts)]

    found = list(text_examples(documents, count, max_tokens=_WINDOW))
    apart = set(dict.fromkeys(example.source for example in found[: held_out * 2]))
    kept = [example for example in found if example.source in apart][:held_out]
    taught = [example for example in found if example.source not in apart][:train]
    return Examples(tuple(taught), tuple(kept))


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


def _losses_of(subject: Subject, texts: Sequence[Encoded]) -> list[float]:
    sums = log_likelihoods(subject, [TokenStretch(item.ids, item.start) for item in texts])
    return [-value / item.completion_tokens for value, item in zip(sums, texts, strict=True)]


def _tuned(
    base: Base, taught: Examples, mixed: Sequence[Example], settings: AdaptationSettings, work: Path
) -> tuple[Path, float]:
    begun = time.perf_counter()
    made = tune_generator(
        base,
        taught,
        settings,
        out=work / "built",
        placement=choose_placement("auto", "auto"),
        rehearsal=mixed,
    )
    seconds = time.perf_counter() - begun
    card = Card(
        name="",
        kind=AdapterKind.GENERATOR,
        base=base.name,
        base_digest=base.digest,
        method=settings.method,
        data=Data("", "", {"text": len(taught.train)}),
    )
    store = AdapterStore(work)
    store.add("tuned", made.folder, card)
    return store.folder("tuned"), seconds


def _rows(
    generator: TransformersGenerator,
    examples: Examples,
    texts: Sequence[Encoded],
    suite: Suite,
    chosen: AdaptationSettings,
) -> dict[str, Run]:
    """Train in every way with one seed, and measure; strengths are those of `none`."""
    name = ModelSettings().generator
    base = Base(generator_folder(name, offline=True), name)
    mixed = _rehearsal(generator, examples.train)
    rows: dict[str, Run] = {}
    for way in _WAYS:
        settings = dataclasses.replace(chosen, rehearsal=way.rehearsal, divergence=way.divergence)
        with tempfile.TemporaryDirectory() as work:
            # without validation no run ends before the others, nor is any weakened
            taught = Examples(examples.train, ())
            folder, seconds = _tuned(base, taught, mixed, settings, Path(work))
            for strength in (1.0, *(_STRENGTHS if way.name == _NONE else ())):
                row = way.name if strength == 1 else f"strength {strength:g}"
                adapted = generator.adapted(folder, strength=strength)
                begun = time.perf_counter()
                lost = measure(generator, adapted, suite)
                rows[row] = Run(_losses_of(adapted, texts), lost.items, seconds)
                took = time.perf_counter() - begun
                note(f"seed {chosen.seed}, {row}: trained in {seconds:.0f} s, measured in {took:.0f} s")
    return rows


def _mean(values: Sequence[Sequence[float]]) -> list[float]:
    return [sum(each) / len(each) for each in zip(*values, strict=True)]


def _gain(runs: Sequence[Run], before: Sequence[float], texts: Sequence[Encoded]) -> Change:
    return paired_change(
        "loss of held-out documents",
        before,
        _mean([run.losses for run in runs]),
        [item.example.source for item in texts],
        unit="nats",
        higher_is_better=False,
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
    header = ("", "loss of the domain's texts", "interval", *shown, "in the budget")
    rows = []
    for name, gain in gains.items():
        found = {change.measure: change for change in losses[name]}
        cells = [_interval(found[one]) if one in found else "-" for one in shown]
        passed = "yes" if judge(losses[name], budget).passed else "no"
        rows.append((name, f"{gain.change:+.3f}", f"{gain.low:+.3f} to {gain.high:+.3f}", *cells, passed))
    print_table(header, rows)


def _interval(change: Change) -> str:
    digits = 3 if change.unit == "nats" else 1
    return f"{change.change:+.{digits}f} ({change.low:+.{digits}f} to {change.high:+.{digits}f})"


def _text(found: Sequence[Change]) -> Change:
    return next(change for change in found if change.measure == Measure.TEXT)


def _worst(found: Sequence[Change], budget: Budget) -> float:
    """Return the greatest loss as a share of the budget; formats are too few to tell rows apart."""
    losses = {change.measure: change.after - change.before for change in found}
    return max(
        losses[Measure.TEXT] / budget.nats,
        -losses[Measure.PAIRS] / budget.points,
        -losses[Measure.CHOICES] / budget.points,
    )


def _target(gains: dict[str, Change], losses: dict[str, tuple[Change, ...]], budget: Budget) -> Target:
    """Return the greatest loss of the best row of equal gain as a share of that of `none`."""
    least = _AS_GOOD * -gains[_NONE].change
    equal = [name for name in gains if name != _NONE and -gains[name].change >= least]
    none = _worst(losses[_NONE], budget)
    best = min((_worst(losses[name], budget) for name in equal), default=none)
    return Target("greatest general loss of the best at equal gain, share of that of none", best / none, 0.5)


def main() -> None:
    """Print the table and the target."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path, help="documents as JSONL")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--examples", type=int, default=240)
    parser.add_argument("--held-out", type=int, default=80)
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--rate", type=float, default=1e-3)
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
    examples = read_texts(options.corpus, generator, train=options.examples, held_out=options.held_out)
    texts = encode(
        examples.validation, generator.dialogue, max_tokens=AdaptationSettings().max_tokens
    ).encoded
    before = _losses_of(generator, texts)
    runs: dict[str, list[Run]] = {}
    for seed in map(int, options.seeds.split(",")):
        settings = AdaptationSettings(epochs=options.epochs, learning_rate=options.rate, seed=seed)
        for name, run in _rows(generator, examples, texts, suite, settings).items():
            runs.setdefault(name, []).append(run)
    gains = {name: _gain(each, before, texts) for name, each in runs.items()}
    losses = {name: _losses(each) for name, each in runs.items()}
    budget = Budget()
    print(f"{len(examples.train)} texts, {len(texts)} held out, seeds {options.seeds}, suite {suite.name}\n")
    _print(gains, losses, budget)
    print_verdicts([_target(gains, losses, budget)])
    if options.html:
        tried = [Tried(name, gains[name], _text(losses[name])) for name in gains]
        options.html.write_text(pareto_html(pareto_front(tried, budget=budget.nats)), encoding="utf-8")
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
