"""Another year, month, day of the week or season.

Takes a sentence, gives candidates: years of the same document or shifted ones. Years in references stay, and
so do ranges; bounds ("since 1990") move only to where they are no longer implied.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from recipes.grounding.edits.english import cased_like
from recipes.grounding.edits.surroundings import Surroundings
from recipes.grounding.edits.tables import DAYS, MONTHS
from recipes.grounding.edits.values import Candidate, Replacement, shuffled

_YEAR = re.compile(
    r"(?<![\w.,/:\-–(\[$#])(?P<year>1[5-9]\d\d|20[0-4]\d)(?P<decade>s)?(?![\w/:%\])–'’-]|[.,]\d)"
    # "a subset of 1672 patients"
    r"(?! (?!was|is|has)[a-z]+s\b)"
)
_BEFORE_YEAR = re.compile(
    r"\b(?P<word>in|since|until|by|before|after|during|of|early|late|mid|the|around|spring|summer|autumn|fall|"
    rf"winter|\d{{1,2}},|{'|'.join(MONTHS)})\s+$",
    re.IGNORECASE,
)
_RANGE = re.compile(r"\s?(?:–|—|-|to|and|or|through)\s?(?:\d|early|late|mid|the)|,? (?:and|to) \d")
_RANGE_BEFORE = re.compile(
    r"(?:\d\s?(?:–|—|-|to|and|or|through)|\b(?:between|from))\s+(?:early |late |mid |the )?$", re.IGNORECASE
)
_MONTH = re.compile(rf"\b(?P<month>{'|'.join(MONTHS)})\b")
_MONTH_CUE = re.compile(
    r"\b(?:in|of|since|until|by|on|early|late|mid|last|next|this|during|every|each|\d{1,2}(?:st|nd|rd|th)?)\s+$",
    re.IGNORECASE,
)
_MONTH_AFTER = re.compile(r"\s+(?:\d{1,2}(?:st|nd|rd|th)?\b|(?:1[5-9]|20)\d\d)")
_DAY = re.compile(rf"\b(?P<day>{'|'.join(DAYS)})(?P<plural>s?)\b(?!['’]s|-)")
_SWAPS = {
    "yesterday": "last week",
    "tomorrow": "next week",
    "summer": "winter",
    "winter": "summer",
    "morning": "evening",
    "last year": "last month",
    "next year": "next month",
    "last week": "last month",
    "last month": "last year",
    "next week": "next month",
    "next month": "next year",
    "weekdays": "weekends",
    "weekends": "weekdays",
}
_SWAP = re.compile(rf"\b(?:{'|'.join(_SWAPS)})\b", re.IGNORECASE)
# later years are implied by these, or earlier ones
_ONLY_EARLIER = frozenset(("since", "before", "by"))
_ONLY_LATER = frozenset(("after", "until"))
_SHIFTS = (-12, -8, -5, -3, -2, 2, 3, 5, 8, 12)
_LAST_YEAR = 2029


def dates(text: str, around: Surroundings, generator: np.random.Generator) -> Iterator[Candidate]:
    """Yield candidates, in half of the cases first one of the document's own years."""
    yield from shuffled([*_years(text, around, generator), *_names(text, generator)], generator)


def _years(text: str, around: Surroundings, generator: np.random.Generator) -> Iterator[Candidate]:
    own = {int(match["year"]) for match in _YEAR.finditer(around.text)}
    taken = {int(match["year"]) for match in _YEAR.finditer(text)}
    for match in _YEAR.finditer(text):
        before = text[: match.start()]
        cue = _BEFORE_YEAR.search(before)
        if cue is None or _RANGE.match(text[match.end() :]) or _RANGE_BEFORE.search(before):
            continue
        year, word = int(match["year"]), cue["word"].lower()
        step = 10 if match["decade"] else 1
        shifted = [year + shift * step for shift in _SHIFTS if year + shift * step <= _LAST_YEAR]
        same = sorted(
            other for other in own - taken if (other % 10 == 0 or step == 1) and abs(other - year) <= 60
        )
        options = same if same and generator.random() < 0.5 else shifted
        fit = [
            other
            for other in options
            if other not in taken
            and not (word in _ONLY_EARLIER and other > year)
            and not (word in _ONLY_LATER and other < year)
            and (step == 1 or other % 10 == 0)
        ]
        if fit:
            new = str(fit[int(generator.integers(len(fit)))])
            yield Candidate((Replacement(match.start("year"), match.end("year"), new),))


def _names(text: str, generator: np.random.Generator) -> Iterator[Candidate]:
    for match in _MONTH.finditer(text):
        before, behind = text[: match.start()], text[match.end() :]
        if (_MONTH_CUE.search(before) or _MONTH_AFTER.match(behind)) and not _RANGE.match(behind):
            yield _other(match, "month", MONTHS, text, generator)
    for match in _DAY.finditer(text):
        yield _other(match, "day", DAYS, text, generator)
    for match in _SWAP.finditer(text):
        new = _SWAPS[match.group().lower()]
        if new not in text.lower():
            yield Candidate((Replacement(match.start(), match.end(), cased_like(new, match.group())),))


def _other(
    match: re.Match[str], group: str, names: tuple[str, ...], text: str, generator: np.random.Generator
) -> Candidate:
    options = [name for name in names if name not in text]
    new = options[int(generator.integers(len(options)))] if options else match[group]
    return Candidate((Replacement(match.start(group), match.end(group), new),))
