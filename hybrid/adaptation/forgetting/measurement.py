"""What general ability an adapter cost: the base and the same base with it, on the same items.

Takes two generators that lend their model, and a suite; gives values before and after for each item, and the
changes with their bounds. Knows nothing about budgets, which ``gate`` judges by, nor about domains.

Right or wrong is too coarse to see a loss of one point: of 500 pairs a handful change sides, in both
directions. So pairs and choices are also scored softly, by the probability that the model gives to the right
one when it has to choose, which moves with every item. It also rises when a model only becomes surer of
itself, so both are reported.

Items are resampled, a document of several passages as a whole. The phenomena of the minimal pairs are not:
they are what grammar means here, each with as many pairs as the others, and the pairs are the sample. The
bounds speak about further pairs of these phenomena, not about other phenomena.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from hybrid.adaptation.forgetting.general import Choice, Suite
from hybrid.adaptation.forgetting.likelihood import (
    Subject,
    TokenStretch,
    compare,
    continuation,
    log_likelihoods,
    number_format,
    pieces,
)
from hybrid.adaptation.forgetting.pairing import paired_change
from hybrid.adaptation.values import Change, Measure
from hybrid.errors import AdapterError, UsageError
from hybrid.files import hash_text, storage_errors, write_json
from hybrid.models import Generation
from hybrid.models.resolve import cache_folder
from hybrid.types import Message, MessageRole

_ANSWER_TOKENS = 20


@dataclass(frozen=True, slots=True)
class Counting:
    """How a measure counts: its unit, which direction is good, and whether it knows only right and wrong."""

    unit: str
    higher_is_better: bool
    bounded: bool = False

    @property
    def scale(self) -> float:
        """Return what item values are multiplied with."""
        return 100.0 if self.unit == "points" else 1.0


POINTS = Counting("points", higher_is_better=True)
RIGHTS = Counting("points", higher_is_better=True, bounded=True)
COUNTINGS: Mapping[str, Counting] = {
    Measure.TEXT: Counting("nats", higher_is_better=False),
    Measure.BYTES: Counting("bits", higher_is_better=False),
    Measure.DIVERGENCE: Counting("nats", higher_is_better=False),
    Measure.PAIRS: POINTS,
    Measure.PAIRS_RIGHT: RIGHTS,
    Measure.CHOICES: POINTS,
    Measure.CHOICES_RIGHT: RIGHTS,
    Measure.FORMATS: RIGHTS,
}


@dataclass(frozen=True, slots=True)
class Item:
    """One item before and after: a value for each unit of its weight, such as nats for each token."""

    measure: str
    id: str
    group: str
    source: str
    before: float
    after: float
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Answers:
    """What one model says to a suite, in the order of its items: what may be kept for the base."""

    margins: tuple[float, ...]
    options: tuple[tuple[float, ...], ...]
    followed: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Forgetting:
    """What was measured: changes over all items, those by kind of text and by phenomenon, and the items."""

    suite: str
    digest: str
    number_format: str
    changes: tuple[Change, ...]
    groups: tuple[Change, ...]
    items: tuple[Item, ...]


class Model(Subject, Protocol):
    """A generator that lends its model and answers: ``TransformersGenerator``, with and without adapter."""

    @property
    def digest(self) -> str:
        """Return what decides its words."""
        ...

    def generate(
        self, conversations: Sequence[Sequence[Message]], *, max_new_tokens: int, stop: Sequence[str] = ()
    ) -> list[Generation]:
        """Answer every conversation."""
        ...


def measure(
    base: Model,
    adapted: Model,
    suite: Suite,
    *,
    seed: int = 0,
    progress: Callable[[str], None] = lambda doing: None,
) -> Forgetting:
    """Return what the adapter changed; the base's answers are kept in the cache folder.

    Args:
        base: the generator without the adapter.
        adapted: the same with it.
        suite: what is asked.
        seed: of the resampling.
        progress: told what is being measured.

    Raises:
        UsageError: the suite is empty, or has an item that the model cannot read.
        AdapterError: the adapted model says something that is not a number.
    """
    if not (suite.passages or suite.pairs or suite.choices or suite.probes):
        raise UsageError(f"the suite {suite.name!r} has no items", hint="name a folder that has some")
    form = number_format(base)
    progress("general text")
    items = _texts(base, adapted, suite)
    progress("the base on pairs, choices and formats")
    before = _kept(base, suite, form)
    progress("the adapter on pairs, choices and formats")
    items += _answers(suite, before, answers(adapted, suite))
    _require_numbers(items)
    return Forgetting(
        suite=suite.name,
        digest=suite.digest,
        number_format=form,
        changes=changes(items, COUNTINGS, seed=seed),
        groups=by_group(items, seed=seed),
        items=tuple(items),
    )


def answers(model: Model, suite: Suite) -> Answers:
    """Return what a model says to pairs, choices and formats."""
    sentences = [continuation(model, "", text) for pair in suite.pairs for text in (pair.good, pair.bad)]
    asked = [stretch for choice in suite.choices for stretch in _options(model, choice)]
    values = log_likelihoods(model, [*sentences, *asked])
    good, bad = values[0 : len(sentences) : 2], values[1 : len(sentences) : 2]
    rest = iter(values[len(sentences) :])
    options = tuple(tuple(next(rest) for _ in choice.options) for choice in suite.choices)
    written = model.generate(
        [[Message(MessageRole.USER, probe.prompt)] for probe in suite.probes], max_new_tokens=_ANSWER_TOKENS
    )
    followed = (probe.followed(answer.text) for probe, answer in zip(suite.probes, written, strict=True))
    return Answers(tuple(one - other for one, other in zip(good, bad, strict=True)), options, tuple(followed))


def changes(items: Iterable[Item], countings: Mapping[str, Counting], *, seed: int = 0) -> tuple[Change, ...]:
    """Return the change of each measure over its items, in the order in which measures appear."""
    by_measure: dict[str, list[Item]] = {}
    for item in items:
        by_measure.setdefault(item.measure, []).append(item)
    return tuple(_change(name, found, countings[name], seed) for name, found in by_measure.items())


def by_group(items: Iterable[Item], *, seed: int = 0) -> tuple[Change, ...]:
    """Return the changes of general text by its kind, and of minimal pairs by phenomenon."""
    groups: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        if item.measure in (Measure.TEXT, Measure.PAIRS) and item.group:
            groups.setdefault((item.measure, item.group), []).append(item)
    return tuple(
        _change(f"{name}: {group}", found, COUNTINGS[name], seed) for (name, group), found in groups.items()
    )


def _change(name: str, items: Sequence[Item], counting: Counting, seed: int) -> Change:
    # weighted so that the mean over items is that over all tokens; how many these are is not drawn anew
    weights = np.array([item.weight for item in items])
    weights = weights / weights.mean()
    return paired_change(
        name,
        [item.before * weight for item, weight in zip(items, weights, strict=True)],
        [item.after * weight for item, weight in zip(items, weights, strict=True)],
        [item.source for item in items],
        unit=counting.unit,
        higher_is_better=counting.higher_is_better,
        scale=counting.scale,
        bounded=counting.bounded,
        seed=seed,
    )


def _texts(base: Model, adapted: Model, suite: Suite) -> list[Item]:
    """Return cross-entropy by token and by byte, and divergence, of each passage."""
    cut = [pieces(base, passage.text) for passage in suite.passages]
    apart = iter(compare(base, adapted, [stretch for stretches in cut for stretch in stretches]))
    items: dict[Measure, list[Item]] = {Measure.TEXT: [], Measure.BYTES: [], Measure.DIVERGENCE: []}
    for passage, stretches in zip(suite.passages, cut, strict=True):
        found = [next(apart) for _ in stretches]
        tokens = sum(stretch.judged for stretch in stretches)
        if not tokens:
            continue
        before, after = sum(each.before for each in found), sum(each.after for each in found)
        size = len(passage.text.encode("utf-8", "replace"))
        values = {
            Measure.TEXT: (before / tokens, after / tokens, tokens),
            Measure.BYTES: (before / math.log(2) / size, after / math.log(2) / size, size),
            Measure.DIVERGENCE: (0.0, sum(each.divergence for each in found) / tokens, tokens),
        }
        for measured, (one, other, weight) in values.items():
            items[measured].append(
                Item(measured, passage.id, passage.kind, passage.source, one, other, float(weight))
            )
    return [item for found in items.values() for item in found]


def _answers(suite: Suite, before: Answers, after: Answers) -> list[Item]:
    soft, hard = [], []
    for pair, one, other in zip(suite.pairs, before.margins, after.margins, strict=True):
        named = (pair.id, pair.phenomenon, pair.id)
        soft.append(Item(Measure.PAIRS, *named, _share((one, 0.0), 0), _share((other, 0.0), 0)))
        hard.append(Item(Measure.PAIRS_RIGHT, *named, float(one > 0), float(other > 0)))
    for choice, these, those in zip(suite.choices, before.options, after.options, strict=True):
        named, right = (choice.id, "", choice.id), choice.right
        soft.append(Item(Measure.CHOICES, *named, _share(these, right), _share(those, right)))
        hard.append(Item(Measure.CHOICES_RIGHT, *named, _first(these, right), _first(those, right)))
    for probe, was, now in zip(suite.probes, before.followed, after.followed, strict=True):
        hard.append(Item(Measure.FORMATS, probe.id, probe.kind, probe.id, float(was), float(now)))
    return [*soft, *hard]


def _options(model: Subject, choice: Choice) -> list[TokenStretch]:
    # the layout that base and instruct models of this size do best with, by the sum over tokens
    head = f"Question: {choice.question}\nAnswer:"
    return [continuation(model, head, f" {option}") for option in choice.options]


def _share(values: Sequence[float], place: int) -> float:
    """Return the probability of one of several options, given their log-likelihoods."""
    top = max(values)
    shares = [math.exp(value - top) for value in values]
    return shares[place] / sum(shares)


def _first(values: Sequence[float], place: int) -> float:
    return float(max(range(len(values)), key=values.__getitem__) == place)


def _kept(base: Model, suite: Suite, form: str) -> Answers:
    """Return the base's answers, from the cache if they are there."""
    import torch

    folder = cache_folder() / "general"
    key = hash_text(base.digest, suite.digest, form, torch.__version__, str(torch.get_num_threads()))
    path = folder / f"{key[:32]}.json"
    found = _read(path, suite)
    if found is None:
        found = answers(base, suite)
        with storage_errors(str(folder)):
            folder.mkdir(parents=True, exist_ok=True)
        write_json(path, dataclasses.asdict(found))
    return found


def _read(path: Path, suite: Suite) -> Answers | None:
    """Return what is kept, or None where it is missing or not what it should be: then it is measured anew."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        found = Answers(
            tuple(map(float, raw["margins"])),
            tuple(tuple(map(float, values)) for values in raw["options"]),
            tuple(map(bool, raw["followed"])),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    sizes = (len(found.margins), len(found.options), len(found.followed))
    return found if sizes == (len(suite.pairs), len(suite.choices), len(suite.probes)) else None


def _require_numbers(items: Iterable[Item]) -> None:
    for item in items:
        if not math.isfinite(item.before) or not math.isfinite(item.after):
            raise AdapterError(
                f"{item.measure}, item {item.id!r}: {item.before} before, {item.after} after, not numbers",
                hint="the weights are damaged or the learning rate was far too high: tune the adapter again",
            )
