"""What keeps a tuned generator what it was, in one table for a domain: gain against what was forgotten.

A domain is learned in every way named below, each with the same examples: the labels of `examples/contracts`,
reading in `examples/postgres`, or the texts of a corpus (continued pre-training). What is learned is the fall
of the loss on documents that no training saw, what is forgotten is measured on the suite that ships, part of
it with --items, or a larger one. A row holds means over seeds, with items resampled. Target: among the rows
that gain nearly as much as `none` (nine tenths of it), the greatest loss of the best (of text, pairs or
choices, in shares of the budget) is at most half that of `none`.

    python tests/benchmarks/forgetting.py contracts|postgres|CORPUS.jsonl [--seeds 0,1,2] [--examples 240]
        [--held-out 80] [--items 100] [--only WAY ...] [--work FOLDER] [--suite PATH ...] [--ablate]
        [--penalties] [--drift FILE] [--html FILE] [--json FILE]

CORPUS.jsonl holds one document a line with ``_id`` and ``text``, as in BEIR's format. With --work, what was
measured is kept there row by row, and a run that was interrupted goes on.
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
from typing import Any

from measure import Target, note, print_table, print_verdicts
from pydantic import TypeAdapter

from hybrid import Assistant, load_settings
from hybrid.adaptation.data.examples import load_examples, save_examples, text_examples
from hybrid.adaptation.forgetting import Item, Measure, changes, measure
from hybrid.adaptation.methods import generator as training
from hybrid.adaptation.methods.deltas import (
    Deltas,
    Recipe,
    Worth,
    ablate_deltas,
    measure_drift,
    merge_deltas,
    read_deltas,
    write_deltas,
)
from hybrid.adaptation.methods.encoding import (
    Encoded,
    encode,
    log_likelihoods,
    paired_change,
    pieces,
    worth,
)
from hybrid.adaptation.methods.generator import Base, tune_generator
from hybrid.adaptation.methods.holding import FISHER_TOKENS, hold_weights, rehearsal_examples
from hybrid.adaptation.store import read_card, write_card
from hybrid.adaptation.suites import Suite, load_suite, probe_texts, shipped_suite
from hybrid.adaptation.values import (
    COUNTINGS,
    NATS,
    AdapterKind,
    Budget,
    Card,
    Change,
    Data,
    Example,
    ExampleKind,
    Examples,
    Merging,
    judge,
)
from hybrid.config import AdaptationSettings, Method, ModelSettings
from hybrid.files import read_jsonl, write_json
from hybrid.models.adapters import WEIGHTS, read_config
from hybrid.models.device import choose_placement
from hybrid.models.generator import TransformersGenerator
from hybrid.models.loading import generator_folder, load_generator
from hybrid.models.resolve import cache_folder
from hybrid.questions.splits import unit_hash
from hybrid.report import Tried, drift_picture, pareto_front, pareto_html
from hybrid.types import Document

_ROOT = Path(__file__).resolve().parents[2]
_NONE = "none"
_AS_GOOD = 0.9
_WINDOW = 256


@dataclass(frozen=True)
class Way:
    """One way: settings that differ, or adapters of other ways that are merged, with a strength."""

    name: str
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    merged: tuple[str, ...] = ()
    by: Merging = Merging.LINEAR
    strength: float = 1.0


@dataclass(frozen=True)
class Run:
    """One seed of a row: loss and right or wrong of each held-out example, and the general items."""

    losses: list[float]
    rights: list[float]
    items: tuple[Item, ...]
    seconds: float
    ended: str


_HELD = {"rehearsal": 0.2, "divergence": 1.0}
_WAYS = (
    Way(_NONE),
    *(Way(f"strength {strength:g}", merged=(_NONE,), strength=strength) for strength in (0.75, 0.5, 0.25)),
    Way("rehearsal 10 %", {"rehearsal": 0.1}),
    Way("rehearsal 20 %", {"rehearsal": 0.2}),
    Way("rehearsal 50 %", {"rehearsal": 0.5}),
    Way("divergence, 20 %", _HELD),
    Way("EWC 1", {"ewc": 1.0}),
    Way("EWC 100", {"ewc": 100.0}),
    Way("L2 0.01", {"l2": 0.01}),
    Way("L2 1", {"l2": 1.0}),
    Way("early stop at 0.02 nats", {"stop_nats": 0.02}),
    Way("upper third first", {"upper_first": 0.4}),
    Way("TIES: none, divergence", merged=(_NONE, "divergence, 20 %"), by=Merging.TIES),
    Way("mean: none, divergence", merged=(_NONE, "divergence, 20 %"), by=Merging.CAT),
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


def made(domain: str, *, train: int, held_out: int) -> Examples:
    """Return examples of a shipped domain, split by document as `hybrid adapt generator` does."""
    with tempfile.TemporaryDirectory() as folder:
        adaptation = {
            "examples": 2 * (train + held_out),
            "rehearsal": 0.0,
            "validation": 0.3,
            "hold_out": 0.0,
        }
        settings = load_settings({"indexes": folder, "adaptation": adaptation, "models": {"offline": True}})
        assistant = Assistant(domain, settings=settings)
        labels = _ROOT / "examples/contracts/tuning.jsonl"
        pages = {
            "contracts": _ROOT / "examples/contracts/corpus",
            "postgres": _ROOT / "examples/postgres/pages",
        }
        assistant.index(pages[domain])
        service = assistant.adaptation
        given = service.given([labels]) if domain == "contracts" else None
        learned = "label" if domain == "contracts" else "reading"
        found = service.material([learned], given=given).examples
    return Examples(found.train[:train], found.validation[:held_out])


def _rehearsal(
    generator: TransformersGenerator, train: Sequence[Example], ways: Sequence[Way]
) -> list[Example]:
    """Return enough for the largest share and for EWC; training takes as much of it as it is told to."""
    share = max(way.settings.get("rehearsal", 0.0) for way in ways)
    tokens = encode(train, generator.dialogue, max_tokens=AdaptationSettings().max_tokens).tokens
    with generator.lent() as module:
        return rehearsal_examples(
            module,
            generator.dialogue,
            digest=generator.base_weights,
            tokens=max(round(tokens * share / (1 - share)), FISHER_TOKENS),
            seed=0,
            cache=cache_folder(),
        )


def losses_of(subject: TransformersGenerator, texts: Sequence[Encoded]) -> list[float]:
    sums = log_likelihoods(subject, texts)
    return [-value / item.judged for value, item in zip(sums, texts, strict=True)]


def rights_of(subject: TransformersGenerator, texts: Sequence[Encoded]) -> list[float]:
    """Return for each label whether it is chosen; nothing where there are none."""
    if not any(item.example.options for item in texts):
        return []
    return worth(lambda some: losses_of(subject, some), texts, subject.dialogue)


class Domain:
    """Trains in every way and measures; what was measured is kept row by row."""

    def __init__(
        self,
        generator: TransformersGenerator,
        examples: Examples,
        suite: Suite,
        work: Path,
        ways: Sequence[Way],
    ) -> None:
        self._generator, self._examples, self._suite, self._work = generator, examples, suite, work
        name = ModelSettings().generator
        self._base = Base(generator_folder(name, offline=True), name)
        self._mixed = _rehearsal(generator, examples.train, ways)
        self._probe = [Example(ExampleKind.TEXT, (), text, made="general") for text in probe_texts()]
        limit = AdaptationSettings().max_tokens
        self.texts = encode(examples.validation, generator.dialogue, max_tokens=limit).encoded
        self.before = (losses_of(generator, self.texts), rights_of(generator, self.texts))

    def row(self, way: Way, chosen: AdaptationSettings) -> Run:
        """Return a row of one seed, from the folder of work if it is there."""
        path = self._folder(way.name, chosen.seed) / "row.json"
        if path.is_file():
            found: Run = TypeAdapter(Run).validate_json(path.read_bytes())
            return found
        run = self._measured(way, chosen)
        write_json(path, dataclasses.asdict(run))
        return run

    def picture(self, seed: int) -> str:
        """Return how far `none` moved each block, on held-out prompts and on general text."""
        folder = self._folder(_NONE, seed)
        own = [" ".join(turn.content for turn in item.example.prompt) for item in self.texts]
        own = [text or item.example.completion for text, item in zip(own, self.texts, strict=True)]
        general, base = probe_texts(), self._generator
        blocks = measure_drift(base, base.adapted(folder), folder, own[: len(general)], general)
        return drift_picture(
            blocks, f"Drift of an adapter that nothing holds, {len(self._examples.train)} examples"
        )

    def parts(self, seed: int) -> list[tuple[str, str, str]]:
        """Return what each part of `none` brings and costs, in nats a token."""
        folder = self._folder(_NONE, seed)
        config, card = read_config(folder), read_card(folder)
        passages = [piece for one in self._suite.passages for piece in pieces(self._generator, one.text)]
        judged = sum(piece.judged for piece in passages)

        def losses(some: Deltas | None) -> tuple[float, float]:
            subject = self._generator
            if some is not None:
                out = write_deltas(self._work / "part", some, [config])
                write_card(out, card)
                subject = subject.adapted(out)
            own = losses_of(subject, self.texts)
            return sum(own) / len(own), -sum(log_likelihoods(subject, passages)) / judged

        def told(worth: Worth) -> None:
            note(f"{worth.group.name}: brings {worth.brings:+.4f}, costs {worth.costs:+.4f}")

        found = ablate_deltas(read_deltas(folder), losses, told)
        return [
            (one.group.name, f"{one.brings:+.4f}", f"{one.costs:+.4f}") for one in (found.whole, *found.parts)
        ]

    def penalties(self, seed: int) -> list[tuple[str, str, str]]:
        """Return what EWC and L2 of weight 1 would ask for `none`, and the seconds of the CPU that takes."""
        from peft import set_peft_model_state_dict
        from safetensors.torch import load_file

        folder, placement = self._folder(_NONE, seed), choose_placement("auto", "auto")
        rank = int(read_config(folder)["r"])
        limit = AdaptationSettings().max_tokens
        texts = encode(self._mixed, self._generator.dialogue, max_tokens=limit).encoded
        rows = []
        for name in ("ewc", "l2"):
            chosen = dataclasses.replace(AdaptationSettings(rank=rank), **{name: 1.0})
            model = training.load_base(self._base.folder, Method.LORA, placement)
            model = training.attach(model, training.plan_for(chosen, tokens=1), chosen)
            hold = hold_weights(model, chosen, texts, self._base.digest, placement)
            set_peft_model_state_dict(model, load_file(folder / WEIGHTS))
            begun = time.process_time()
            asked = hold()
            asked.backward()
            rows.append((name, f"{float(asked.detach()):.4f}", f"{time.process_time() - begun:.3f}"))
        return rows

    def _folder(self, name: str, seed: int) -> Path:
        return self._work / f"{''.join(c if c.isalnum() else '-' for c in name)}-{seed}"

    def _measured(self, way: Way, chosen: AdaptationSettings) -> Run:
        folder, begun = self._folder(way.name, chosen.seed), time.process_time()
        ended = self._merged(way, folder, chosen.seed) if way.merged else self._tuned(way, folder, chosen)
        data = Data("", "", {"examples": len(self._examples.train)})
        base = (self._base.name, self._base.digest)
        write_card(folder, Card(way.name, AdapterKind.GENERATOR, *base, method=Method.LORA, data=data))
        seconds = time.process_time() - begun
        adapted = self._generator.adapted(folder, strength=way.strength)
        items = tuple(measure(self._generator, adapted, self._suite))
        run = Run(losses_of(adapted, self.texts), rights_of(adapted, self.texts), items, seconds, ended)
        took = time.process_time() - begun - seconds
        note(
            f"seed {chosen.seed}, {way.name}: {ended} in {seconds:.0f} s of the CPU, measured in {took:.0f} s"
        )
        return run

    def _tuned(self, way: Way, folder: Path, chosen: AdaptationSettings) -> str:
        # an early stop looks at general text; without it no run ends before the others, nor is any weakened
        probe = self._probe if "stop_nats" in way.settings else ()
        made = tune_generator(
            self._base,
            Examples(self._examples.train, ()),
            dataclasses.replace(chosen, **({"rehearsal": 0.0, "divergence": 0.0} | way.settings)),
            out=folder,
            placement=choose_placement("auto", "auto"),
            rehearsal=self._mixed,
            probe=probe,
        )
        return f"{made.fit.ended}, the best at step {made.fit.best} of {made.fit.steps}"

    def _merged(self, way: Way, folder: Path, seed: int) -> str:
        folders = [self._folder(name, seed) for name in way.merged]
        if len(folders) == 1:
            write_deltas(folder, read_deltas(folders[0]), [read_config(folders[0])])
            return "as it was"
        weights = [1.0 if way.by is Merging.TIES else 1 / len(folders)] * len(folders)
        found = merge_deltas([read_deltas(one) for one in folders], weights, Recipe(way.by, seed=seed))
        write_deltas(folder, found.deltas, [read_config(one) for one in folders])
        return f"merged, {found.kept:.3f} of the square kept"


def _mean(values: Sequence[Sequence[float]]) -> list[float]:
    return [sum(each) / len(each) for each in zip(*values, strict=True)]


def _gain(runs: Sequence[Run], domain: Domain) -> Change:
    return paired_change(
        "loss of held-out documents",
        domain.before[0],
        _mean([run.losses for run in runs]),
        [item.example.source for item in domain.texts],
        NATS,
    )


def _labels(runs: Sequence[Run], domain: Domain) -> str:
    """Return how many labels are right, before and after, in points; empty where there are none."""
    if not domain.before[1]:
        return "-"
    after = _mean([run.rights for run in runs])
    return f"{100 * sum(domain.before[1]) / len(after):.1f} → {100 * sum(after) / len(after):.1f}"


def _losses(runs: Sequence[Run]) -> tuple[Change, ...]:
    """Return the general changes of the mean over seeds, item by item."""
    after = _mean([[item.after for item in run.items] for run in runs])
    items = [dataclasses.replace(item, after=value) for item, value in zip(runs[0].items, after, strict=True)]
    countings = COUNTINGS
    if len(runs) > 1:  # a mean of rights is no longer right or wrong
        countings = {name: dataclasses.replace(one, bounded=False) for name, one in COUNTINGS.items()}
    return changes(items, countings)


def _print(
    runs: dict[str, list[Run]],
    gains: dict[str, Change],
    losses: dict[str, tuple[Change, ...]],
    domain: Domain,
) -> None:
    tried = [Tried(name, gains[name], _text(losses[name])) for name in gains]
    best = {point.name for point in pareto_front(tried, budget=Budget().nats).points if point.front}
    measured = {change.measure for change in losses[_NONE]}
    every = (Measure.TEXT, Measure.PAIRS, Measure.CHOICES, Measure.FORMATS)
    shown = [one for one in every if one in measured]
    header = ("", "its own loss, nats", "labels right", *shown, "CPU seconds", "front", "in the budget")
    rows = []
    for name, gain in gains.items():
        found = {change.measure: change for change in losses[name]}
        cells = [_interval(found[one]) for one in shown]
        passed = "yes" if judge(losses[name], Budget()).passed else "no"
        seconds = f"{_mean([[run.seconds] for run in runs[name]])[0]:.0f}"
        front = "yes" if name in best else ""
        rows.append((name, _interval(gain), _labels(runs[name], domain), *cells, seconds, front, passed))
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


def _examples(options: argparse.Namespace, generator: TransformersGenerator) -> Examples:
    """Return what is taught and what is held out, from the folder of work if it is there."""
    kept = [options.work / f"{part}.jsonl" for part in ("train", "held-out")] if options.work else []
    if kept and all(path.is_file() for path in kept):
        return Examples(*(tuple(load_examples(path)) for path in kept))
    sizes = {"train": options.examples, "held_out": options.held_out}
    if options.domain in ("contracts", "postgres"):
        examples = made(options.domain, **sizes)
    else:
        examples = read_texts(Path(options.domain), generator, **sizes)
    for path, part in zip(kept, (examples.train, examples.validation), strict=bool(kept)):
        save_examples(path, part)
    return examples


def main() -> None:
    """Print the table and the target."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("domain", help="contracts, postgres, or documents as JSONL")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--examples", type=int, default=240)
    parser.add_argument("--held-out", type=int, default=80)
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument(
        "--suite", type=Path, nargs="*", default=[], help="files or folders of a larger suite"
    )
    parser.add_argument("--items", type=int, help="of each kind of the suite, formats left out")
    parser.add_argument("--work", type=Path, help="a folder to go on from")
    parser.add_argument("--only", nargs="*", default=[], help="names of ways; none is needed")
    parser.add_argument("--ablate", action="store_true", help="take the adapter of none apart")
    parser.add_argument("--penalties", action="store_true", help="what EWC and L2 would ask for none")
    parser.add_argument("--drift", type=Path, help="write how far none moved each block, as SVG")
    parser.add_argument("--html", type=Path, help="write the plot of gain against loss")
    parser.add_argument("--json", type=Path, help="write all changes")
    options = parser.parse_args()
    suite = load_suite(*options.suite) if options.suite else shipped_suite()
    if options.items:
        suite = dataclasses.replace(suite.sample(options.items), probes=())
    generator = load_generator(ModelSettings(offline=True))
    assert isinstance(generator, TransformersGenerator), "an adapter needs a model on this machine"
    examples = _examples(options, generator)
    with tempfile.TemporaryDirectory() as folder:
        ways = [way for way in _WAYS if way.name in (options.only or [way.name])]
        domain = Domain(generator, examples, suite, options.work or Path(folder), ways)
        runs: dict[str, list[Run]] = {}
        for seed in map(int, options.seeds.split(",")):
            chosen = AdaptationSettings(epochs=options.epochs, learning_rate=options.rate, seed=seed)
            for way in ways:
                runs.setdefault(way.name, []).append(domain.row(way, chosen))
        gains = {name: _gain(each, domain) for name, each in runs.items()}
        losses = {name: _losses(each) for name, each in runs.items()}
        told = f"{len(examples.train)} examples, {len(domain.texts)} held out, seeds {options.seeds}"
        print(f"{options.domain}: {told}, suite {suite.name}\n")
        _print(runs, gains, losses, domain)
        print_verdicts([_target(gains, losses, Budget())])
        first = int(options.seeds.split(",")[0])
        if options.ablate:
            print_table(("part of none", "brings, nats", "costs, nats"), domain.parts(first))
        if options.penalties:
            print_table(("weight 1", "asked for none", "CPU seconds a step"), domain.penalties(first))
        if options.drift:
            options.drift.write_text(domain.picture(first), encoding="utf-8")
    if options.html:
        tried = [Tried(name, gains[name], _text(losses[name])) for name in gains]
        options.html.write_text(pareto_html(pareto_front(tried, budget=Budget().nats)), encoding="utf-8")
    if options.json:
        rows = {
            name: {
                "gain": dataclasses.asdict(gains[name]),
                "general": [dataclasses.asdict(change) for change in losses[name]],
                "seconds": [run.seconds for run in runs[name]],
                "ended": [run.ended for run in runs[name]],
            }
            for name in gains
        }
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
