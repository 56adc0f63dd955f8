"""What an edit is: a claim with a stretch changed so that its document no longer carries it.

Frozen values; ``apply`` is the one place where a text is changed, so that spans are exact by construction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from hybrid.grounding.examples import Label
from hybrid.types import Span

_ARTICLE = re.compile(r"\b(an?)(?P<gap>\s+)$", re.IGNORECASE)
# Written with a vowel and said with a consonant, or the other way round.
_NO_VOWEL = re.compile(
    r"(?:eu|uni(?:[tvfoqclx]|sex|son)|us[aeu]|ut[ei]|ubi|one\b|once\b|ur[aeio])", re.IGNORECASE
)
_SILENT = re.compile(r"(?:hour|honest|honou?r|heir)", re.IGNORECASE)
_SPELLED = re.compile(r"[AEFHILMNORSX](?:[A-Z0-9]|\b)")
_EIGHT = re.compile(r"8|1[18](?:\b|,|\.|-)")


class Kind(StrEnum):
    """What an edit changes."""

    NUMBER = "number"
    DATE = "date"
    UNIT = "unit"
    ENTITY = "entity"
    NEGATION = "negation"
    ANTONYM = "antonym"
    QUANTIFIER = "quantifier"
    DIRECTION = "direction"
    ROLE = "role"
    RELATION = "relation"
    APPENDED = "appended"
    FUSION = "fusion"


@dataclass(frozen=True, slots=True)
class Replacement:
    """Put ``text`` in the place of the stretch from ``start`` to ``end``."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """Replacements that make one edit, and what becomes of the claim."""

    replacements: tuple[Replacement, ...]
    label: Label = Label.REFUTED


@dataclass(frozen=True, slots=True)
class Edit:
    """An edited claim; ``spans`` are the stretches of ``text`` that are new, all else is as it was."""

    kind: Kind
    text: str
    spans: tuple[Span, ...]
    label: Label


def shuffled(found: Iterable[Candidate], generator: np.random.Generator) -> Iterator[Candidate]:
    """Yield candidates in a random order."""
    listed = list(found)
    yield from (listed[int(place)] for place in generator.permutation(len(listed)))


def apply(text: str, replacements: Sequence[Replacement]) -> tuple[str, tuple[Span, ...]]:
    """Return the text with the replacements made, and where they stand in it.

    An article before a replacement follows its sound ("a rare" → "an uncommon") and belongs to it then.
    """
    parts: list[str] = []
    spans: list[Span] = []
    done = written = 0
    for replacement in sorted(replacements, key=lambda replacement: replacement.start):
        start, new = _with_article(text, replacement)
        if start < done:
            start, new = replacement.start, replacement.text
        kept = text[done:start]
        parts += [kept, new]
        written += len(kept)
        if new:
            spans.append(Span(written, written + len(new)))
        written += len(new)
        done = replacement.end
    parts.append(text[done:])
    return "".join(parts), tuple(spans)


def _with_article(text: str, replacement: Replacement) -> tuple[int, str]:
    article = _ARTICLE.search(text, 0, replacement.start)
    if article is None or not replacement.text[:1].isalnum():
        return replacement.start, replacement.text
    right = "an" if begins_with_vowel(replacement.text) else "a"
    if article[1].lower() == right:
        return replacement.start, replacement.text
    written = right.capitalize() if article[1][0].isupper() else right
    return article.start(), f"{written}{article['gap']}{replacement.text}"


def begins_with_vowel(text: str) -> bool:
    """Tell whether "an" stands before a text, by its sound as far as rules can tell."""
    if _SPELLED.match(text) and text[:2].upper() == text[:2] and len(text) > 1:
        return True
    if text[:1].isdigit():
        return _EIGHT.match(text) is not None
    if _SILENT.match(text):
        return True
    return text[:1].lower() in set("aeiou") and not _NO_VOWEL.match(text)
