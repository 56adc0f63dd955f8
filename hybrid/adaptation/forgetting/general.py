"""What general ability is measured on: texts, minimal pairs, questions, formats.

Takes the files of ``suite/`` that ship, gives a suite of frozen values, each item with an id. Knows nothing
about models, nor about larger suites, which ``benchmark_files`` reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, TypeVar

import numpy as np

from hybrid.adaptation.forgetting.grammar import MinimalPair, minimal_pairs
from hybrid.errors import UsageError
from hybrid.files import hash_text

# So many pairs of each of the 38 paradigms.
PAIRS_EACH = 14
# Fewer say nothing about anything.
LEAST_ITEMS = 10

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class SuitePassage:
    """A text of a kind; passages of one source are not independent."""

    id: str
    kind: str
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A question with its options, of which one is right; options stand in alphabetical order."""

    id: str
    question: str
    options: tuple[str, ...]
    right: int


@dataclass(frozen=True, slots=True)
class Probe:
    """An instruction whose answer must have a form, which a regular expression tells, whatever the case."""

    id: str
    kind: str
    prompt: str
    pattern: str

    def followed(self, answer: str) -> bool:
        """Tell whether an answer, or its beginning, has the form."""
        return re.search(self.pattern, answer.strip(), re.IGNORECASE) is not None


@dataclass(frozen=True, slots=True)
class Suite:
    """Everything that one measurement asks; a kind may be empty."""

    name: str
    passages: tuple[SuitePassage, ...] = ()
    pairs: tuple[MinimalPair, ...] = ()
    choices: tuple[Choice, ...] = ()
    probes: tuple[Probe, ...] = ()

    @property
    def digest(self) -> str:
        """Return what tells two suites apart: a digest of all that is asked."""
        return hash_text(
            *(f"text:{item.id}:{item.text}" for item in self.passages),
            *(f"pair:{item.id}:{item.good}:{item.bad}" for item in self.pairs),
            *(f"choice:{item.id}:{item.options}:{item.right}" for item in self.choices),
            *(f"format:{item.prompt}:{item.pattern}" for item in self.probes),
        )

    def sample(self, items: int, *, seed: int = 0) -> Suite:
        """Return at most so many items of each kind, drawn by the seed, in their order.

        Raises:
            UsageError: fewer items than say anything.
        """
        if items < LEAST_ITEMS:
            raise UsageError(
                f"{items} items of a kind are too few, expected {LEAST_ITEMS} or more",
                hint="leave --items out to use the whole suite",
            )
        return replace(
            self,
            passages=_drawn(self.passages, items, seed),
            pairs=_drawn(self.pairs, items, seed),
            choices=_drawn(self.choices, items, seed),
            probes=_drawn(self.probes, items, seed),
        )


def shipped_suite(*, pairs_each: int = PAIRS_EACH) -> Suite:
    """Return the suite that ships: what adapters are judged by where no other is named.

    Args:
        pairs_each: minimal pairs of each paradigm; they are made by rule, so there may be more.
    """
    return Suite(
        name="general",
        passages=_passages("test"),
        pairs=minimal_pairs(pairs_each),
        choices=_choices(),
        probes=tuple(Probe(row["prompt"], **row) for row in _rows("formats.jsonl")),
    )


def probe_texts() -> tuple[str, ...]:
    """Return a few general texts to look at while training; the suite has none of their documents."""
    return tuple(passage.text for passage in _passages("probe"))


def choice_of(question: str, right: str, wrong: Sequence[str]) -> Choice:
    """Return a question whose options are in alphabetical order, so that no place is favoured.

    Raises:
        UsageError: two options are alike, or there is nothing to choose from.
    """
    options = tuple(sorted((right, *wrong)))
    if len(options) < 2 or len(set(options)) < len(options):
        raise UsageError(f"the question {question!r} needs two or more different options, found {options}")
    return Choice(question, question, options, options.index(right))


def _passages(split: str) -> tuple[SuitePassage, ...]:
    rows = [*_rows("excerpts.jsonl"), *_rows("prose.jsonl")]
    wanted = (row for row in rows if row["split"] == split)
    # each is from a document of its own
    return tuple(SuitePassage(row["id"], row["kind"], row["text"], row["id"]) for row in wanted)


def _choices() -> tuple[Choice, ...]:
    lines = [line for line in _text("choices.txt").splitlines() if not line.startswith("#")]
    cells = ([cell.strip() for cell in line.split("|")] for line in lines)
    return tuple(choice_of(question, right, wrong) for question, right, *wrong in cells)


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _text(name).splitlines()]


def _text(name: str) -> str:
    return resources.files("hybrid.adaptation").joinpath("suite", name).read_text(encoding="utf-8")


def _drawn(items: tuple[_Item, ...], count: int, seed: int) -> tuple[_Item, ...]:
    if len(items) <= count:
        return items
    places = np.random.default_rng(seed).permutation(len(items))[:count]
    return tuple(items[place] for place in sorted(places))
