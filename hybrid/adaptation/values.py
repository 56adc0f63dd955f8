"""What adaptation works on: examples, pairs, curves, measured changes. Frozen, without behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hybrid.types import Message


class ExampleKind(StrEnum):
    """What an example teaches a generator."""

    LABEL = "label"
    READING = "reading"
    ABSTENTION = "abstention"
    INSTRUCTION = "instruction"
    TEXT = "text"
    REHEARSAL = "rehearsal"


@dataclass(frozen=True, slots=True)
class Example:
    """What a generator is to write after a conversation; loss falls on the completion alone.

    ``prompt`` is empty for plain text, all of which is completion. ``options`` are the labels to choose from;
    the completion of a label example is one of them. ``source`` is the document that it was made from: what
    is split by document is split by it. ``made`` names the rule, or is "given".
    """

    kind: ExampleKind
    prompt: tuple[Message, ...]
    completion: str
    source: str = ""
    made: str = "given"
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pair:
    """A query and a passage that answers it, for an embedder.

    ``negatives`` are passages that retrieval confuses with it. ``margins`` are how much better the teacher
    finds the passage than each of them, and empty where no teacher was asked.
    """

    query: str
    passage: str
    source: str = ""
    made: str = "given"
    negatives: tuple[str, ...] = ()
    margins: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many examples were left out for a reason."""

    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Examples:
    """A training set and a validation set that share no document, and what was left out of both."""

    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Pairs:
    """The same for an embedder."""

    train: tuple[Pair, ...]
    validation: tuple[Pair, ...]
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class LossPoint:
    """What validation said at a step; lower is better. ``general`` is None where it was not measured."""

    step: int
    domain: float
    general: float | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A measure before and after tuning, paired by item.

    ``change`` is after − before; ``low`` and ``high`` are its one-sided 95 % bounds (a 90 % interval).
    ``unit`` is what it is counted in: "nats", "points", "nDCG".
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


@dataclass(frozen=True, slots=True)
class Data:
    """What an adapter was trained on: a digest over all examples, a licence, and how many of each kind."""

    digest: str
    licence: str
    counts: Mapping[str, int]
