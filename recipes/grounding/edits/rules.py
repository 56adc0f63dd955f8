"""Tables of phrases and what replaces them, read from lines.

A line is ``phrase => option | option``, then notes apart by ";": ``prev:`` and ``next:`` list words that
must not stand right before or behind it, ``from:`` and ``then:`` are patterns of what must. Phrases are
patterns too; ``#`` stands for a number, ``@`` for a plural noun. Where a phrase begins the sentence only
the first option is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from hybrid.grounding.examples import Label
from recipes.grounding.edits.english import cased_like
from recipes.grounding.edits.values import Candidate, Replacement

_NUMBER = r"(?:[$€£]?\d|two|three|four|five|six|seven|eight|nine|ten|half|a third|a quarter)"
_PLURAL = r"(?:people|children|women|men|individuals|patients|cases|[a-z]{2,}[a-hj-rtv-z]s)\b"
_LAST_WORD = re.compile(r"[\w'’]+(?=\W*$)")
_NEXT_WORD = re.compile(r"\W*([\w'’]+)")
_ENDS = re.compile(r"[.!?;:,]\W*$")


@dataclass(frozen=True, slots=True)
class Rule:
    """A phrase, what may stand for it, and where it may not."""

    phrase: re.Pattern[str]
    options: tuple[str, ...]
    label: Label
    prev: frozenset[str]
    next: frozenset[str]
    behind: re.Pattern[str] | None
    ahead: re.Pattern[str] | None

    def matches(self, text: str) -> Iterator[re.Match[str]]:
        """Yield where the phrase stands and may be replaced."""
        for match in self.phrase.finditer(text):
            before, after = text[: match.start()], text[match.end() :]
            last, following = _LAST_WORD.search(before), _NEXT_WORD.match(after)
            if last and last.group().lower() in self.prev and not _ENDS.search(before):
                continue
            if following and following[1].lower() in self.next:
                continue
            if (self.behind and not self.behind.search(before)) or (
                self.ahead and not self.ahead.match(after)
            ):
                continue
            yield match


def read_rules(lines: str, label: Label) -> tuple[Rule, ...]:
    """Return the rules of a table."""
    return tuple(_rule(line.strip(), label) for line in lines.strip().split("\n"))


def _rule(line: str, label: Label) -> Rule:
    head, *notes = line.replace("#", _NUMBER).replace("@", _PLURAL).split("; ")
    phrase, _, options = head.partition(" => ")
    noted = {name: value for name, _, value in (note.partition(": ") for note in notes)}
    return Rule(
        phrase=re.compile(rf"\b(?:{phrase.strip()})(?!\w)", re.IGNORECASE),
        options=tuple(options.strip().split(" | ")),
        label=label,
        prev=frozenset(noted.get("prev", "").split()),
        next=frozenset(noted.get("next", "").split()),
        behind=re.compile(rf"(?:{noted['from']})\s*$", re.IGNORECASE) if "from" in noted else None,
        ahead=re.compile(rf"\s*(?:{noted['then']})", re.IGNORECASE) if "then" in noted else None,
    )


def by_rules(rules: Iterable[Rule], text: str, generator: np.random.Generator) -> Iterator[Candidate]:
    """Yield a candidate for every place where a rule of a table applies."""
    for rule in rules:
        for match in rule.matches(text):
            chosen = int(generator.integers(len(rule.options))) if match.start() else 0
            new = cased_like(rule.options[chosen], match.group())
            yield Candidate((Replacement(match.start(), match.end(), new),), rule.label)
