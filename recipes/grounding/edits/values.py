"""What an edit is (a stretch changed so that its document no longer carries it), and what stands around it.

``apply`` is the one place where a text is changed, so that spans are exact by construction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from hybrid.grounding.examples import Label
from hybrid.types import Span
from recipes.grounding.edits.english import stems

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


# A sentence that holds so much of an edited claim may carry it.
_CARRIES = 0.7
LONGEST = 2_000
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Surroundings:
    """Sentences of the document that the claim is from, and sentences of other documents.

    What is longer than any sentence is left out: rules would take minutes over it, and lend nothing from it.
    """

    sentences: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Leave out what is no sentence."""
        for name, texts in (("sentences", self.sentences), ("elsewhere", self.elsewhere)):
            if any(len(text) > LONGEST for text in texts):
                object.__setattr__(self, name, tuple(text for text in texts if len(text) <= LONGEST))

    @cached_property
    def text(self) -> str:
        """Return the document as one text."""
        return " ".join(self.sentences)

    @cached_property
    def _stems(self) -> list[frozenset[str]]:
        return [stems(sentence) for sentence in self.sentences]

    @cached_property
    def stems(self) -> frozenset[str]:
        """Return the stems of all words of the document."""
        return frozenset(stem for sentence in self._stems for stem in sentence)

    def stems_near(self, place: int, distance: int) -> frozenset[str]:
        """Return the stems of a sentence and of so many before and behind it."""
        return frozenset[str]().union(*self._stems[max(place - distance, 0) : place + distance + 1])

    @cached_property
    def words(self) -> frozenset[str]:
        """Return all words of the document as they are written."""
        return frozenset(_WORD.findall(self.text))

    def share_held(self, claim: str) -> float:
        """Return the share of a claim's stems that stand anywhere in the document; 1 if it has none."""
        wanted = stems(claim)
        return len(wanted & self.stems) / len(wanted) if wanted else 1.0

    def may_carry(self, claim: str, new: Sequence[str] = ()) -> bool:
        """Tell whether some sentence holds all the new words and most of the other words of a claim."""
        wanted = stems(" ".join(new))
        rest = stems(claim) - wanted
        return any(
            wanted <= there and len(rest & there) >= _CARRIES * len(rest) for there in self._stems if there
        )
