"""What is known of an adapter: examples, measures, its card; and the gate that it must pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from hybrid.config import AdaptationSettings, Method, Reader
from hybrid.types import Message

Setting: TypeAlias = bool | int | float | str
# Told what is done; and how far training is: the step, how many there are, and its loss.
Note: TypeAlias = Callable[[str], None]
Steps: TypeAlias = Callable[[int, int, float], None]


def silent(*said: object) -> None:
    """Say nothing."""


class ExampleKind(StrEnum):
    """What an example teaches a generator."""

    LABEL = "label"
    READING = "reading"
    ABSTENTION = "abstention"
    INSTRUCTION = "instruction"
    TEXT = "text"
    REHEARSAL = "rehearsal"


class Destination(StrEnum):
    """Who takes an adapter that leaves: PEFT, whoever loads models, llama.cpp, vLLM, Ollama."""

    PEFT = "peft"
    MERGED = "merged"
    GGUF = "gguf"
    VLLM = "vllm"
    OLLAMA = "ollama"


@dataclass(frozen=True, slots=True)
class Example:
    """What a generator is to write after a conversation; loss falls on the completion alone.

    ``prompt`` is empty for plain text, all of which is completion. ``options`` are the labels to choose from;
    the completion of a label example is one of them. ``source`` is the document that it was made from: what
    is split by document is split by it. ``made`` names the rule, or is "given". ``asked`` is the question as
    it stands in the last turn, without what stands around it; empty if that is not known.
    """

    kind: ExampleKind
    prompt: tuple[Message, ...]
    completion: str
    source: str = ""
    made: str = "given"
    options: tuple[str, ...] = ()
    asked: str = ""


@dataclass(frozen=True, slots=True)
class QueryPair:
    """A query and a passage that answers it, for an embedder.

    ``negatives`` are passages that retrieval confuses with it.
    """

    query: str
    passage: str
    source: str = ""
    made: str = "given"
    negatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """Two answers to a conversation, and which one is better."""

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    source: str = ""
    made: str = "given"


@dataclass(frozen=True, slots=True)
class Sifted:
    """How many examples were left out for a reason."""

    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Examples:
    """A training set and a validation set that share no document, and what was left out of both.

    ``preferences`` are for training, ``checks`` for validation.
    """

    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    left_out: tuple[Sifted, ...] = ()
    preferences: tuple[PreferencePair, ...] = ()
    checks: tuple[PreferencePair, ...] = ()


@dataclass(frozen=True, slots=True)
class Pairs:
    """The same for an embedder."""

    train: tuple[QueryPair, ...]
    validation: tuple[QueryPair, ...]
    left_out: tuple[Sifted, ...] = ()


@dataclass(frozen=True, slots=True)
class LossPoint:
    """What validation said at a step; lower is better. ``general`` is None where it was not measured."""

    step: int
    domain: float
    general: float | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A measure before and after tuning, paired by item.

    ``change`` is after − before; ``low`` and ``high`` are its one-sided 95 % bounds (a 90 % interval). A
    bound that is not known is not a number, and passes no gate. ``unit`` is what it is counted in: "nats",
    "points", "nDCG".
    """

    measure: str
    before: float
    after: float
    change: float
    low: float
    high: float
    unit: str
    items: int
    higher_is_better: bool

    @property
    def upwards(self) -> tuple[float, float, float]:
        """Return the change and its bounds so that more is better."""
        if self.higher_is_better:
            return self.change, self.low, self.high
        return -self.change, -self.high, -self.low


@dataclass(frozen=True, slots=True)
class Counting:
    """How a measure counts: its unit, which direction is good, and whether it knows only right and wrong.

    Values from 0 to 1 are told as points of 100. Of rights and wrongs rare differences may not have been seen
    yet; of all else the spread is what was seen.
    """

    unit: str
    higher_is_better: bool
    bounded: bool = False


POINTS = Counting("points", higher_is_better=True)
RIGHTS = Counting("points", higher_is_better=True, bounded=True)
WRONGS = Counting("points", higher_is_better=False, bounded=True)
NATS = Counting("nats", higher_is_better=False)
NDCG = Counting("nDCG", higher_is_better=True)


@dataclass(frozen=True, slots=True)
class Data:
    """What an adapter was trained on: a digest over all examples, a licence, and how many of each kind.

    ``left_out`` says how many were not, by the reason.
    """

    digest: str
    licence: str
    counts: Mapping[str, int]
    left_out: Mapping[str, int] = field(default_factory=dict)


class Measure(StrEnum):
    """What is measured; the names that reports show."""

    TEXT = "general text"
    DIVERGENCE = "divergence from the base"
    PAIRS = "minimal pairs"
    PAIRS_RIGHT = "minimal pairs right"
    CHOICES = "multiple choice"
    CHOICES_RIGHT = "multiple choice right"
    FORMATS = "formats followed"


class Declining(StrEnum):
    """What is measured of declining; ``LOST`` are the answers that only the base has, told and not judged."""

    RIGHTLY = "declined rightly"
    WRONGLY = "declined wrongly"
    ANSWERED = "answered from the passage"
    LOST = "answers lost"
    GENERAL_RIGHTLY = "declined rightly, in general"
    GENERAL_WRONGLY = "declined wrongly, in general"


COUNTINGS: Mapping[str, Counting] = {
    Measure.TEXT: NATS,
    Measure.DIVERGENCE: NATS,
    Measure.PAIRS: POINTS,
    Measure.PAIRS_RIGHT: RIGHTS,
    Measure.CHOICES: POINTS,
    Measure.CHOICES_RIGHT: RIGHTS,
    Measure.FORMATS: RIGHTS,
    Declining.RIGHTLY: RIGHTS,
    Declining.WRONGLY: WRONGS,
    Declining.ANSWERED: RIGHTS,
    Declining.LOST: WRONGS,
    Declining.GENERAL_RIGHTLY: RIGHTS,
    Declining.GENERAL_WRONGLY: WRONGS,
}


class AdapterKind(StrEnum):
    """What an adapter changes."""

    GENERATOR = "generator"
    EMBEDDER = "embedder"


class Merging(StrEnum):
    """How changes become one.

    ``cat`` is their weighted sum, exactly, of the sum of their ranks; ``linear`` the nearest to it of the
    largest of their ranks. ``ties`` keeps the largest entries of each change, and of those the ones with the
    sign that weighs more; ``dare`` drops entries by chance and makes up for them.
    """

    LINEAR = "linear"
    CAT = "cat"
    TIES = "ties"
    DARE_LINEAR = "dare_linear"
    DARE_TIES = "dare_ties"


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of an adapter.

    ``base`` is the name of the model that it was trained on and ``base_digest`` the digest of that model's
    weights; ``weights`` is the digest of the adapter's own. ``strength`` is what its change was multiplied by
    after training, already part of the weights. ``reader`` is who answers from passages in the arm ``both``,
    None for an embedder. ``gain`` is on held-out documents, ``forgetting`` on general text and tasks; None
    and empty mean that it was not measured. ``seconds`` is the time of training, ``created`` a time in ISO
    8601, ``parent`` the adapter or adapters that it was made from, ``versions`` those of the libraries.
    """

    name: str
    kind: AdapterKind
    base: str
    base_digest: str
    method: Method
    data: Data
    settings: Mapping[str, Setting] = field(default_factory=dict)
    curve: tuple[LossPoint, ...] = ()
    strength: float = 1.0
    reader: Reader | None = None
    gain: Change | None = None
    forgetting: tuple[Change, ...] = ()
    created: str = ""
    seconds: float = 0.0
    parent: str = ""
    seed: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    weights: str = ""

    @property
    def chooses(self) -> bool:
        """Tell whether it was trained on labels alone: it chooses among options and declines nothing."""
        return self.settings.get("objectives") == ExampleKind.LABEL

    @property
    def measures_refusal(self) -> bool:
        """Tell whether it was measured what it declines, where it can decline anything."""
        answers = self.kind is AdapterKind.GENERATOR and not self.chooses
        return not answers or any(change.measure in list(Declining) for change in self.forgetting)

    @property
    def general_loss(self) -> Change | None:
        """Return the change of general text, or the first that was measured elsewhere."""
        text = [change for change in self.forgetting if change.measure == Measure.TEXT]
        return next(iter([*text, *self.forgetting]), None)


# What must be shown to be small, not just not shown to be large.
STRICT = frozenset({Measure.TEXT, Measure.PAIRS, Measure.CHOICES})
_NOT_JUDGED = frozenset({Measure.DIVERGENCE, Declining.LOST})
_MANY = 100_000
_NOTHING = "measure on a suite with general text, minimal pairs or multiple choice: nothing here is a proof"


@dataclass(frozen=True, slots=True)
class Budget:
    """How much may be forgotten: of general text in nats a token, of general tasks in points of 100.

    ``refusal`` is for what is declined rightly and wrongly, and answered from the passage, in points too.
    """

    nats: float = 0.05
    points: float = 1.0
    refusal: float = 5.0

    def limit(self, measure: str, unit: str) -> float | None:
        """Return what a loss of a measure in this unit may be, None where there is no budget for it."""
        if measure in list(Declining):
            return self.refusal
        return {"nats": self.nats, "points": self.points}.get(unit)


@dataclass(frozen=True, slots=True)
class Breach:
    """A measure whose loss is not inside the budget.

    ``low`` and ``high`` are the bounds of the loss. ``forgot`` tells that it is shown to be above the limit;
    else it is not shown to be below, and ``items`` is about how many would show it if the loss is what it
    looks like, None where none would.
    """

    measure: str
    unit: str
    loss: float
    low: float
    high: float
    limit: float
    forgot: bool
    items: int | None


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """Whether what was forgotten is inside the budget, what is not, and what to do about that."""

    passed: bool
    breaches: tuple[Breach, ...]
    advice: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reasons:
    """What stands against an adapter, and what to do about it; both are empty if nothing does."""

    against: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()


# Held-out items below which little but a large gain can be shown.
_FEW = 50


def reasons(card: Card, budget: Budget) -> Reasons:
    """Return what stands against an adapter, by the gate of its kind."""
    gain = _of_gain(card.gain)
    if card.kind is AdapterKind.EMBEDDER:
        return Reasons((*gain, *_of_retrieval(card.forgetting, budget)))
    verdict = judge(card.forgetting, budget)
    forgot = tuple(describe(breach) for breach in verdict.breaches)
    if not verdict.passed and not forgot:
        forgot = ("what it forgot was not measured",)
    advice = (*_to_show(card), *verdict.advice) if gain or forgot else ()
    return Reasons((*gain, *forgot), advice)


def budget_of(settings: AdaptationSettings) -> Budget:
    """Return how much may be forgotten, by the settings."""
    return Budget(settings.budget_nats, settings.budget_points, settings.budget_refusal)


def judge(changes: Sequence[Change], budget: Budget) -> GateVerdict:
    """Return whether the losses stay inside the budget; a larger budget never refuses more.

    What can be measured finely enough must be *shown* to stay inside the budget: the upper one-sided 95 %
    bound of the loss counts, of general text in nats a token, of minimal pairs and multiple choice in points
    of their soft score. All of them must pass, so no correction for several tests is needed. What knows only
    right and wrong (the hard scores, formats, refusal, tasks of the harness) would need thousands of items
    for that; there an adapter is refused if the loss is shown to be above the budget, by its lower bound.

    Nothing that must be shown to be small was measured: that is no proof, and refused.
    """
    breaches = tuple(found for change in changes if (found := _breach(change, budget)) is not None)
    if not any(change.measure in STRICT for change in changes):
        return GateVerdict(passed=False, breaches=breaches, advice=(_NOTHING,))
    return GateVerdict(passed=not breaches, breaches=breaches, advice=_advice(breaches))


def describe(breach: Breach) -> str:
    """Return a breach in one sentence."""
    digits = 3 if breach.unit == "nats" else 1
    # scipy comes with it, which no answer needs
    from hybrid.statistics import decimal

    loss, low, high = (decimal(value, digits) for value in (breach.loss, breach.low, breach.high))
    found = "lost more than it may" if breach.forgot else "not shown to stay inside the budget"
    return (
        f"{breach.measure}: {found}: a loss of {loss} {breach.unit} (90 % interval {low} to {high}), "
        f"allowed {breach.limit:g}"
    )


def _breach(change: Change, budget: Budget) -> Breach | None:
    limit = budget.limit(change.measure, change.unit)
    if limit is None or change.measure in _NOT_JUDGED:
        return None
    gain, least, most = change.upwards
    loss, low, high = -gain, -most, -least
    forgot = low > limit
    known = not any(map(math.isnan, (loss, low, high)))
    if known and (high <= limit if change.measure in STRICT else not forgot):
        return None
    items = None if forgot else _items(change.items, loss, high, limit)
    return Breach(change.measure, change.unit, loss, low, high, limit, forgot, items)


def _items(items: int, loss: float, high: float, limit: float) -> int | None:
    """Return how many items make the interval narrow enough: it shrinks with the root of their number."""
    if not loss < limit or not math.isfinite(high):
        return None
    needed = items * ((high - loss) / (limit - loss)) ** 2
    return math.ceil(needed) if needed < _MANY else None


def _advice(breaches: Sequence[Breach]) -> tuple[str, ...]:
    """Return what to turn, cheapest first."""
    lines = [
        f"{breach.measure}: about {breach.items:,} items would show it, if the loss is what it looks like: "
        f"take a larger suite with --suite FOLDER"
        for breach in breaches
        if breach.items is not None
    ]
    if any(breach.items is None for breach in breaches):
        lines += [
            "a smaller strength: `hybrid adapters repair` tries some without training",
            "more rehearsal: tune with a larger --rehearsal, which `repair` tries next",
            "hold it to the base: tune with a larger --divergence",
            "a smaller step: tune with a lower --learning-rate or fewer --epochs",
            "fewer layers: tune with --layers 0.34",
        ]
    if any(breach.measure in list(Declining) for breach in breaches):
        lines.append("to decline where it should, and only there: tune with --learn preference")
    return tuple(lines)


def _of_gain(gain: Change | None) -> tuple[str, ...]:
    if gain is None:
        return ("its gain was not measured: there was nothing held out to measure it on",)
    if gain.upwards[1] > 0:
        return ()
    return (f"{gain.measure}: no gain is shown: {_interval(gain)}",)


def _to_show(card: Card) -> tuple[str, ...]:
    """Return what to do where too little was held out to show any gain but a large one."""
    gain = card.gain
    if gain is None or gain.upwards[1] > 0 or gain.items >= _FEW:
        return ()
    return (
        f"{gain.items} held-out items can show a large gain alone: give more examples, or ask it questions "
        f"of your own: hybrid decide QUESTIONS --arms base,adapter:generator_adapter={card.name}",
    )


def _of_retrieval(general: Sequence[Change], budget: Budget) -> tuple[str, ...]:
    """Return what an embedder may have lost elsewhere, by the bound on that side; a point is 0.01 of nDCG."""
    if not general:
        return ("what it lost elsewhere was not measured",)
    limit = budget.points / 100
    return tuple(
        f"{change.measure}: it may have lost more than {limit:g}: {_interval(change)}"
        for change in general
        if not change.low >= -limit
    )


def _interval(change: Change) -> str:
    bounds = f"{change.low:+.3g} to {change.high:+.3g}"
    return f"{change.change:+.3g} {change.unit} (90 % interval {bounds})"
