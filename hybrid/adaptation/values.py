"""What adaptation works on: examples, query-passage pairs, measured changes, the card of an adapter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from hybrid.config import Method, Reader
from hybrid.types import Message

Setting: TypeAlias = bool | int | float | str


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
    def general_loss(self) -> Change | None:
        """Return the change of general text, or the first that was measured elsewhere."""
        text = [change for change in self.forgetting if change.measure == Measure.TEXT]
        return next(iter([*text, *self.forgetting]), None)
