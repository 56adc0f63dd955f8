"""Which of two documents is the newer version, and where they say otherwise (document versions)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hybrid.generation.asking import Asked
from hybrid.generation.facts import Quotable, headings_of, title_of
from hybrid.generation.matching import names_held
from hybrid.generation.prompts import Passage
from hybrid.text.dates import MONTHS, dates
from hybrid.text.words import content_words

# Two facts are about one thing from so great a share of their words; smaller in versions of a document.
_ALIKE_WORDS = (0.6, 0.4)
_YEAR_MONTH = re.compile(r"(?<!\d)((?:19|20)\d\d)(?:[-_.](0[1-9]|1[0-2]))?(?!\d)")
_VALID = re.compile(
    r"\b(?:valid|effective|in force|as of|from|since|updated|revised|gültig"
    r"|stand)\b\D{0,30}?(?:\d{1,2} \w+ )?((?:19|20)\d\d)",
    re.IGNORECASE,
)
_EXTENSION = re.compile(r"\.\w{1,5}$")
_NUMBERS = re.compile(r"\d+(?:[.,:]\d+)*")
_INSTEAD = re.compile(r"\b(?:instead of|rather than|no longer) ((?:\w+ )?[\w.,:]*\w)")


def outdated(asked: Asked, facts: Sequence[Quotable]) -> list[bool]:
    """Tell for each fact whether a newer version of its document says something of the same thing.

    What the question names, such as an edition, is not outdated.
    """
    last = {fact.passage.source: fact.passage for fact in facts}
    ages = {source: dated(passage) for source, passage in last.items()}
    first = {fact.passage.source: fact.passage for fact in reversed(facts)}
    named = {source: names_held(asked.names, f"{source} {title_of(own)}") for source, own in first.items()}
    newer = {
        old: [
            new
            for new in ages
            if ages[old]
            and ages[new] > ages[old]
            and named[new] >= named[old]
            and sisters(first[old], first[new])
        ]
        for old in ages
    }
    return [
        any(
            _is_alike(fact, other)
            for other in facts
            if other.passage.source in newer[fact.passage.source] and not other.heading
        )
        for fact in facts
    ]


def contradicts(one: Quotable, other: Quotable) -> bool:
    """Tell whether two documents say the same with other numbers: versions of a rule, or a contradiction."""
    if one.passage.source == other.passage.source or one.heading or other.heading:
        return False
    if (one.row is None) != (other.row is None):
        return False
    if "#" in one.passage.source + other.passage.source:  # records of a table are different things
        return False
    numbers = [set(_NUMBERS.findall(fact.text)) for fact in (one, other)]
    return all(numbers) and not numbers[0] & numbers[1] and _is_alike(one, other)


def _is_alike(one: Quotable, other: Quotable) -> bool:
    """Tell whether two facts are about the same: the same row, or sentences of the same words."""
    if (one.row is None) != (other.row is None) or one.whole != other.whole:
        return False
    if one.row and other.row:
        return one.row.label == other.row.label and bool({*one.row.columns} & {*other.row.columns})
    if any(gone in other.text for gone in _INSTEAD.findall(one.text)):
        return True
    here, there = ({word for word in content_words(fact.text) if word.isalpha()} for fact in (one, other))
    alike = len(here & there) / max(min(len(here), len(there)), 1)
    return alike >= _ALIKE_WORDS[sisters(one.passage, other.passage)]


def sisters(one: Passage, other: Passage) -> bool:
    """Tell whether two documents are versions of one by their titles or names."""
    names = [
        {
            word
            for word in content_words(f"{title_of(own)} {_EXTENSION.sub('', own.source)}")
            if word.isalpha() and word not in MONTHS
        }
        for own in (one, other)
    ]
    # "Report 12" and "Report 13" are different things
    return len(names[0] & names[1]) > 1 and 2 * len(names[0] & names[1]) >= max(map(len, names))


def dated(passage: Passage) -> tuple[int, ...]:
    """Return the last date in the name, title or headings of a document, or the year it is valid from."""
    names = f"{passage.source.replace('_', ' ')} {headings_of(passage)}"
    numeric = [(int(year), int(month or 0)) for year, month in _YEAR_MONTH.findall(names)]
    told = [date for date in dates(names) if date.year]
    versions = [
        tuple(map(int, found.split(".")))
        for found in re.findall(r"(?:[Vv]ersion |\bv)(\d+(?:\.\d+)*)", names)
    ]
    valid = [(int(year), 0) for year in _VALID.findall(passage.text)]
    found = [*numeric, *((date.year or 0, date.month or 0) for date in told)]
    return max(found, default=()) or max(versions, default=()) or max(valid, default=())
