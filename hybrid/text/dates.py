"""Dates in a text, with as much of year, month and day as was written (temporal expressions)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hybrid.types import Span

MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october"),
    *("november", "december"),
)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class Date:
    """What was written of a date; a decade or a century goes from ``year`` to ``until``, inclusive."""

    span: Span
    year: int | None = None
    until: int | None = None
    month: int | None = None
    day: int | None = None
    last_day: int | None = None


_NUMBER_OF = {name: number for number, name in enumerate(MONTHS, start=1)}
_NUMBER_OF |= {name[:3]: number for name, number in _NUMBER_OF.items()} | {"sept": 9}
# with a capital, for "may" and "march" are words; shouted in headlines
_NAMES = [
    form
    for name in (*MONTHS, *(name[:3] for name in MONTHS), "sept")
    for form in (name.title(), name.upper())
]
_MONTH = rf"(?:{'|'.join(sorted(_NAMES, key=len, reverse=True))})\b\.?"
_DAY = r"\d{1,2}"
_TH = r"(?:st|nd|rd|th)?"
_YEAR = r"(?:1\d{3}|20\d{2})"
# What no date begins with is passed over at once: most characters of a text are.
_BEGINS = rf"(?=[\d{''.join(sorted({name[0] for name in _NAMES}))}])"
_DATE = re.compile(
    rf"{_BEGINS}(?:\b(?P<iso_year>{_YEAR})-(?P<iso_month>\d\d)-(?P<iso_day>\d\d)(?!\d)"
    rf"|(?<![\w/.-])(?P<one>{_DAY})(?P<mark>[/.-])(?P<two>{_DAY})(?P=mark)(?P<short_year>{_YEAR}|\d\d)"
    r"(?![\w/-])"
    rf"|\b(?P<month>{_MONTH})\s(?P<day>{_DAY}){_TH}(?:\s?[-–—]\s?(?P<last>{_DAY}){_TH})?(?![\w:%]|[.,]\d)"
    rf"(?:,?\s(?P<day_year>{_YEAR})\b)?"
    rf"|\b(?P<day_first>{_DAY}){_TH}(?:\s?[-–—]\s?(?P<last_first>{_DAY}){_TH})?\s(?:of\s)?"
    rf"(?P<month_second>{_MONTH})"
    rf"(?:,?\s(?P<second_year>{_YEAR})\b)?"
    rf"|\b(?P<month_only>{_MONTH})(?:,?\s(?:of\s)?(?P<only_year>{_YEAR})\b)?"
    r"|\b(?P<century>\d{1,2})(?:st|nd|rd|th)[\s-]century\b"
    rf"|\b(?P<decade>1\d\d|20\d)0['’]?s\b"
    rf"|(?<![\w$€£¥.,/])(?P<year>{_YEAR})(?:[-–—/](?P<until>{_YEAR}|\d\d))?(?![\w%°]|[.,:]\d|[-/]\d))"
)
# A bare month is one where a preposition says so; else "May" and "March" may be names and verbs.
_WHEN = re.compile(
    r"\b(?:in|of|since|until|by|from|through|during|late|early|mid|last|next|and|to|between)[\s-]$", re.I
)
_CENTURIES = ("sixteenth", "seventeenth", "eighteenth", "nineteenth", "twentieth", "twenty-first")
_FIRST_SPOKEN = 16
_SPOKEN_CENTURY = re.compile(rf"\b(?P<which>{'|'.join(_CENTURIES)})[\s-]century\b", re.IGNORECASE)


def dates(text: str) -> list[Date]:
    """Return every date in the order of the text.

    Read are ``2021-03-05``, ``March 5, 2021``, ``5th of March``, ``Mar. 2021``, ``3/5/2021``, ``2003–04``,
    ``1990s``, ``20th century`` and ``1984``, not "last Monday".
    """
    found = [date for match in _DATE.finditer(text) for date in _date(text, match)]
    found += [
        _century(Span(*match.span()), _FIRST_SPOKEN + _CENTURIES.index(match["which"].lower()))
        for match in _SPOKEN_CENTURY.finditer(text)
    ]
    return sorted(found, key=lambda date: date.span.start)


def _date(text: str, match: re.Match[str]) -> Iterator[Date]:
    span = Span(*match.span())
    if match["iso_year"]:
        yield from _checked(span, int(match["iso_year"]), int(match["iso_month"]), int(match["iso_day"]))
    elif match["mark"]:
        # both orders, since nobody says which
        year = int(match["short_year"])
        year += 0 if year > 99 else 2000 if year < 50 else 1900
        one, two = int(match["one"]), int(match["two"])
        yield from _checked(span, year, one, two)
        if one != two:
            yield from _checked(span, year, two, one)
    elif match["month"]:
        yield from _checked(
            span, match["day_year"], _NUMBER_OF[_name(match["month"])], match["day"], match["last"]
        )
    elif match["month_second"]:
        month = _NUMBER_OF[_name(match["month_second"])]
        yield from _checked(span, match["second_year"], month, match["day_first"], match["last_first"])
    elif match["month_only"]:
        if match["only_year"] or _WHEN.search(text, max(span.start - 12, 0), span.start):
            yield from _checked(span, match["only_year"], _NUMBER_OF[_name(match["month_only"])], None)
    elif match["century"]:
        yield _century(span, int(match["century"]))
    elif match["decade"]:
        yield Date(span, int(match["decade"]) * 10, int(match["decade"]) * 10 + 9)
    else:
        yield from _years(span, match)


def _years(span: Span, match: re.Match[str]) -> Iterator[Date]:
    first = int(match["year"])
    yield Date(span, first, first)
    if match["until"]:
        until = int(match["until"])
        until += 0 if until > 99 else first - first % 100
        yield Date(span, until, until)


def _checked(
    span: Span, year: str | int | None, month: int, day: str | int | None, last: str | int | None = None
) -> Iterator[Date]:
    first, final = int(day or 0), int(last or day or 0)
    if 1 <= month <= 12 and first <= 31 and final <= 31:
        number = int(year) if year else None
        yield Date(span, number, number, month, first or None, final or None)


def _century(span: Span, number: int) -> Date:
    return Date(span, 100 * (number - 1), 100 * number)


def _name(month: str) -> str:
    return month.rstrip(".").lower()


_MONTHS_FROM = re.compile(
    rf"\b(?P<first>{_MONTH})\s?(?:to|until|through|till|bis|[-–—])\s?(?P<last>{_MONTH})(?!\w)"
)


def months_between(text: str) -> frozenset[str]:
    """Return the months of ranges such as "November to March", in small letters."""
    found: set[str] = set()
    for match in _MONTHS_FROM.finditer(text):
        first, last = (_NUMBER_OF[match[end].lower().rstrip(".")] for end in ("first", "last"))
        found.update(MONTHS[(first - 1 + step) % 12] for step in range((last - first) % 12 + 1))
    return frozenset(found)


# "Mon", "Thurs" and "Sundays"; short ones with a capital and as a day stands, for "Sun cream" is of none.
_LONG_DAY = rf"(?i:(?:{'|'.join(DAYS)})s?)"
_SHORT_DAY = r"(?:Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun)\b\.?"
_ANY_DAY = rf"(?:{_LONG_DAY}|(?i:{_SHORT_DAY}))"
_AS_DAY = (
    r"(?=\s*(?:\Z|[-–—,.;:/()|&\n]|\d|(?:from|at|until|till) \d|(?:morning|afternoon|evening|night)s?\b"
    rf"|(?:and|or) (?:{_LONG_DAY}|{_SHORT_DAY})|{_LONG_DAY}|{_SHORT_DAY}))"
)
_DAY_NAME = rf"(?:{_LONG_DAY}|{_SHORT_DAY}{_AS_DAY}|(?<=\b[Oo]n\s){_SHORT_DAY}|{_SHORT_DAY}(?<=\.))"
_TWO_LETTERS = {"mo": 0, "tu": 1, "di": 1, "we": 2, "mi": 2, "th": 3, "do": 3, "fr": 4}
_TWO_LETTERS |= {"sa": 5, "su": 6, "so": 6}
_TWO = rf"(?:{'|'.join(name.title() for name in _TWO_LETTERS)})\b\.?"
_DAYS_FROM = re.compile(
    rf"\b(?:(?P<low>{_ANY_DAY})\s*(?:\b(?i:to|until|through|till|bis)\b|[-–—])\s*(?P<high>{_ANY_DAY})"
    rf"|(?i:between)\s+(?P<one>{_ANY_DAY})\s+and\s+(?P<other>{_ANY_DAY})"
    rf"|(?P<from>{_TWO})\s?[-–—]\s?(?P<till>{_TWO})|(?P<day>{_DAY_NAME}))(?!\w)"
)
_EXCEPTED = rf"(?:{_ANY_DAY}(?:\s*(?:\b(?i:to|until|through|till)\b|[-–—])\s*{_ANY_DAY})?)(?!\w)"
_ALL_BUT = re.compile(
    rf"\b(?:but|except(?: for)?)(?: on| from)?\s+"
    rf"(?P<days>{_EXCEPTED}(?:(?:,\s*{_EXCEPTED})*,?\s+(?:and|or|&)\s+{_EXCEPTED})?)"
)
_GROUPS = (
    (re.compile(r"\b(?:weekdays|(?:on|all|every) (?:working|business) days?)\b", re.IGNORECASE), DAYS[:5]),
    (re.compile(r"\bweekends?\b", re.IGNORECASE), DAYS[5:]),
    (re.compile(r"\b(?:daily|every ?day|(?:seven|7) days a week)\b", re.IGNORECASE), DAYS),
)


def days_in(text: str) -> frozenset[str]:
    """Return the days of the week that a text tells, in small letters: "Mon to Fri", "weekends", "Tue"."""
    found = {day for group, days in _GROUPS if group.search(text) for day in days}
    excepted = {day for match in _ALL_BUT.finditer(text) for day in _named_days(match["days"])}
    return frozenset((found | _named_days(_ALL_BUT.sub(" ", text))) - excepted)


def _named_days(text: str) -> set[str]:
    found: set[str] = set()
    for match in _DAYS_FROM.finditer(text):
        ends = [_day(name) for name in match.groups() if name]
        found.update(DAYS[(ends[0] + step) % 7] for step in range((ends[-1] - ends[0]) % 7 + 1))
    return found


def _day(name: str) -> int:
    short = name[:3].lower()
    two = _TWO_LETTERS.get(short.rstrip("."))
    return next(place for place, day in enumerate(DAYS) if day[:3] == short) if two is None else two
