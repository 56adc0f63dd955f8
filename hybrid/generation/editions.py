"""Which of two documents is the newer version, and where they say otherwise (document versions)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hybrid.generation.asking import Asked
from hybrid.generation.facts import Quotable, headings_of, section_of, title_of
from hybrid.generation.matching import Matcher, expressions, names_held
from hybrid.generation.prompts import Passage
from hybrid.text.dates import MONTHS, Date, dates
from hybrid.text.words import content_words, stem

# Two facts are about one thing from so great a share of their words; smaller in versions of a document.
_ALIKE_WORDS = (0.65, 0.4)
# Of fewer words than these a share says little, if not the same is counted: an open day, and the days on
# which a hall is open.
_FEW, _COUNTED = 4, re.compile(r"\d\s+([^\W\d_]+)")
# What each is for stands beside it.
(_YEAR_MONTH, _VALID, _TOLD, _EXTENSION, _NUMBERS, _REPLACES, _ENDED, _INSTEAD) = expressions("editions")
# The age of a document that says itself that it is in force no more.
_NO_MORE = (0,)


def outdated(asked: Asked, facts: Sequence[Quotable], words: Matcher) -> list[float]:
    """Return for each fact 1 if a newer version of its document says something of the same thing, else 0.

    It is 2 where the newer document says that it replaces another one, and has as much of the question, or
    where the latest is asked for. What the question names, such as an edition, is not outdated.
    """
    last = {fact.passage.source: fact.passage for fact in facts}
    ages = {source: dated(passage) for source, passage in last.items()}
    first = {fact.passage.source: fact.passage for fact in reversed(facts)}
    named = {source: names_held(asked.names, f"{source} {title_of(own)}") for source, own in first.items()}
    newer = {
        old: [
            new
            for new in ages
            if _is_older(ages[old], ages[new])
            and named[new] >= named[old]
            and sisters(first[old], first[new])
        ]
        for old in ages
    }
    replacing = {fact.passage.source for fact in facts if _REPLACES.search(fact.text)}
    # what another document tells to be so no longer: "in spring 2028 instead of autumn 2027"
    telling = [
        fact
        for fact in facts
        if any(" " in said and any(map(str.isdigit, said)) for said in _INSTEAD.findall(fact.text))
    ]
    held = [len(words.held(fact.wider)) for fact in facts]
    sections = (
        _earlier_sections(facts, asked.lists) if asked.latest and not asked.codes else [False] * len(facts)
    )
    found: list[float] = []
    for fact, size, earlier in zip(facts, held, sections, strict=True):
        than = newer[fact.passage.source]
        others = [
            (own, other)
            for own, other in zip(held, facts, strict=True)
            if other.passage.source in than and not other.heading
        ]
        replaced = any(3 * own >= size and other.passage.source in replacing for own, other in others)
        no_more = any(
            one.passage.source != fact.passage.source and _ends(one, fact, asked.names) for one in telling
        )
        if earlier or no_more or (size and replaced):
            found.append(2.0)
        else:
            found.append(float(any(_is_alike(fact, other) for _, other in others)))
    return found


def _earlier_sections(facts: Sequence[Quotable], changes: bool) -> list[bool]:
    """Tell for each fact whether its document has a section with a later version or date in its heading.

    Of ``changes`` nothing tells that stands in no such section, where there are some.
    """
    ages = [age_of(fact) for fact in facts]
    last: dict[str, tuple[int, ...]] = {}
    for fact, age in zip(facts, ages, strict=True):
        last[fact.passage.source] = max(age, last.get(fact.passage.source, ()))
    only = changes and any(ages)
    return [
        only if not age else age < last[fact.passage.source] for fact, age in zip(facts, ages, strict=True)
    ]


def age_of(fact: Quotable) -> tuple[int, ...]:
    """Return the version, or else the date, in the heading or the line above a fact; empty if none is."""
    heading = f"{section_of(fact.passage)} {fact.term}"
    if version := re.search(r"\d+(?:\.\d+)+", heading):
        return tuple(map(int, version.group().split(".")))
    return max(((one.year, one.month or 0, one.day or 0) for one in dates(heading) if one.year), default=())


def _is_older(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return other != _NO_MORE and (one == _NO_MORE or bool(one and other > one))


def newer_of(one: Passage, other: Passage) -> Passage | None:
    """Return the newer of two passages of versions of a document; None where nothing tells."""
    ages = dated(one), dated(other)
    return other if _is_older(*ages) else one if _is_older(ages[1], ages[0]) else None


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
        both = {*one.row.columns[1:]} & {*other.row.columns[1:]}  # seats of a hall are not its price
        return one.row.label == other.row.label and bool(both)
    if _ends(one, other):
        return True
    here, there = _said(one), _said(other)
    fewer = min(len(here), len(there))
    counted = [{stem(word) for word in _COUNTED.findall(fact.text.lower())} for fact in (one, other)]
    if here != there and fewer < _FEW and all(counted) and not counted[0] & counted[1]:
        return False
    alike = len(here & there) / max(fewer, 1)
    return alike >= _ALIKE_WORDS[sisters(one.passage, other.passage)]


def _ends(one: Quotable, other: Quotable, names: Sequence[str] = ()) -> bool:
    """Tell whether a fact says that what another one says of the same thing is so no longer.

    Both must speak of it: "the pool closes at 9 pm instead of 2 pm" says nothing of the gym.
    Of what the question names, both may say it in other words.
    """
    gone = [
        said
        for said in _INSTEAD.findall(one.text)
        if re.search(rf"(?<![\w.,]){re.escape(said)}(?!\w|[.,]\d)", other.text)
    ]
    own = content_words(" ".join(gone))
    told = [word for word in content_words(other.text) if word.isalpha() and word not in own]
    here = set(content_words(one.wider))
    if gone and names and all(names_held(names, fact.wider) for fact in (one, other)):
        return True
    alike = 3 * len(here.intersection(told)) >= 2 * len({*told})
    return bool(gone and told) and told[0] in here and alike


def _said(fact: Quotable) -> set[str]:
    return {word for word in content_words(fact.text) if word.isalpha()}


def same_words(asked: Asked, one: Quotable, other: Quotable) -> bool:
    """Tell whether two sentences of some words differ in numbers alone, and in none that is asked about."""
    named = set(_NUMBERS.findall(asked.text))
    numbers = [named & set(_NUMBERS.findall(fact.text)) for fact in (one, other)]
    said = _said(one)
    return numbers[0] == numbers[1] and len(said) > 1 and said == _said(other)


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
        for found in re.findall(r"(?:[Vv]ersion |\bv|\b(?=[\d.]+\.x\b))(\d+(?:\.\d+)*)", names)
    ]
    found = [*numeric, *((date.year or 0, date.month or 0) for date in told)]
    if _ENDED.search(passage.text):
        return _NO_MORE
    valid = ((date.year or 0, date.month or 0, date.day or 0) for date, _ in _told_dates(passage))
    return max(found, default=()) or max(versions, default=()) or max(valid, default=())


def named_with_date(passage: Passage) -> str:
    """Return the title of a document, with the date that it says it is from where that is in no name."""
    title = title_of(passage)
    named = dates(f"{passage.source} {headings_of(passage)}")
    told = [text for _, text in _told_dates(passage)]
    return title if named or not told else f"{title}, {told[-1]}"


def _told_dates(passage: Passage) -> list[tuple[Date, str]]:
    """Return the dates that a text says it is from, "issued 5 May 2025", and as it writes them, in order."""
    found = []
    for pattern in (_VALID, _TOLD):
        for match in pattern.finditer(passage.text):
            date = next(
                (one for one in dates(match[0]) if one.year and (one.month or pattern is _VALID)), None
            )
            if date:
                found.append((date, match[0][date.span.start : date.span.end]))
    return sorted(found, key=lambda one: (one[0].year or 0, one[0].month or 0, one[0].day or 0))
