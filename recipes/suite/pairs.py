"""Minimal pairs of English by rule (after BLiMP, Warstadt et al. 2020): the ones of the general suite.

python -m recipes.suite.pairs > hybrid/adaptation/suite/pairs.jsonl
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np

from hybrid.adaptation.suites import MinimalPair

# So many pairs of each of the 38 paradigms are shipped.
EACH = 14
_SLOT = re.compile(r"\{([a-z]+)(\d*)\.([a-z]+)\}")
_CHOICE = re.compile(r"\[([^|\]]*)\|([^|\]]*)\]")
# Draws that give a pair anew are dropped; a paradigm with fewer pairs than wanted gives those that it has.
_TRIES = 50


@dataclass(frozen=True, slots=True)
class WordList:
    """A list of words, each in the same forms."""

    forms: tuple[str, ...]
    list: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Paradigm:
    """One way to show a phenomenon; its templates hold slots and ``[right|wrong]``."""

    phenomenon: str
    name: str
    templates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grammar:
    """Everything that pairs are made from."""

    words: Mapping[str, WordList]
    paradigms: tuple[Paradigm, ...]


def minimal_pairs(each: int, *, seed: int = 0) -> tuple[MinimalPair, ...]:
    """Return so many different pairs for each of the paradigms (after BLiMP, Warstadt et al. 2020).

    The first pairs of a larger number are those of a smaller one, the same for the same seed. Templates take
    turns.
    """
    grammar = read_grammar()
    made: list[MinimalPair] = []
    for number, paradigm in enumerate(grammar.paradigms):
        generator = np.random.default_rng([seed, number])
        seen: set[tuple[str, str]] = set()
        for turn in range(each * _TRIES):
            template = paradigm.templates[turn % len(paradigm.templates)]
            pair = _fill(template, grammar.words, generator)
            if pair in seen:
                continue
            seen.add(pair)
            name = f"{paradigm.phenomenon}/{paradigm.name}/{len(seen)}"
            made.append(MinimalPair(name, paradigm.phenomenon, *pair))
            if len(seen) == each:
                break
    return tuple(made)


@cache
def read_grammar() -> Grammar:
    """Return the word lists and templates that ship."""
    raw = tomllib.loads((Path(__file__).parent / "grammar.toml").read_text(encoding="utf-8"))
    words = {
        name: WordList(tuple(entry["forms"].split()), tuple(tuple(word.split()) for word in entry["list"]))
        for name, entry in raw["words"].items()
    }
    paradigms = tuple(
        Paradigm(entry["phenomenon"], entry["paradigm"], tuple(entry["templates"])) for entry in raw["pairs"]
    )
    return Grammar(words, paradigms)


def _fill(template: str, words: Mapping[str, WordList], generator: np.random.Generator) -> tuple[str, str]:
    """Return the right and the wrong sentence of one draw."""
    drawn: dict[str, Sequence[str]] = {}
    for kind, number, _ in _SLOT.findall(template):
        if kind + number not in drawn:
            taken = [word for name, word in drawn.items() if name.rstrip("0123456789") == kind]
            free = [word for word in words[kind].list if word not in taken]
            drawn[kind + number] = free[int(generator.integers(len(free)))]

    def word(slot: re.Match[str]) -> str:
        kind, number, form = slot.groups()
        return drawn[kind + number][words[kind].forms.index(form)]

    filled = _SLOT.sub(word, template)
    return _CHOICE.sub(r"\1", filled), _CHOICE.sub(r"\2", filled)


if __name__ == "__main__":
    sys.stdout.writelines(json.dumps(asdict(pair), ensure_ascii=False) + "\n" for pair in minimal_pairs(EACH))
