"""Another number, unit or date: one of the same document, or the same one scaled or shifted.

What a number only names (Table 2, IL-6, [3]) stays, as do ranges and years in references; a bound moves only
to where it is no longer implied ("at least 5" → "at least 8", never 3).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hybrid.text.words import word_set
from recipes.grounding.edits.english import cased_like, upper_first
from recipes.grounding.edits.tables import DAYS, MONTHS
from recipes.grounding.edits.values import Candidate, Replacement, Surroundings, shuffled

_DIGITS = r"\d{1,3}(?:,\d{3}){1,4}(?:\.\d{1,6})?|\d{1,12}(?:\.\d{1,6})?"
_NO_NUMBER_BEFORE = r"(?<![\w.,/:\-–—+=<>≤≥~^#(\[±*&@\\'’_])(?<!\) )"
_NO_NUMBER_AFTER = r"(?![\w/:^\]*=_–—'′’]|[.,]\d|-\d|\)|\.?$|\s?[+±×x=<>]|(?<!%)\s(?:of|out of) \d)"
_NUMBER = re.compile(
    rf"{_NO_NUMBER_BEFORE}(?P<sign>[$€£])?(?P<digits>{_DIGITS})"
    rf"(?P<percent>\s?%|\s(?:percent|per cent)\b)?{_NO_NUMBER_AFTER}"
)
_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_ANY_WORD = "|".join(_WORDS)
_WORD = re.compile(rf"(?<![\w-])(?P<word>{_ANY_WORD})(?!\w|-(?:{_ANY_WORD})|-\d)", re.IGNORECASE)
_ANY_MONTH = "|".join(MONTHS)
# A number behind one of these counts nothing, or is one end of a range.
_NAMED_BY = re.compile(
    r"\b(?:sections?|chapters?|tables?|figures?|figs?\.?|pages?|versions?|releases?|steps?|parts?|appendix|"
    r"items?|examples?|types?|stages?|grades?|phases?|classe?s?|levels?|groups?|trisomy|chromosomes?|vitamin|day|"
    r"week|rooms?|nos?\.?|numbers?|numbered|rule|option|line|port|rfc|iso|utf|factor|exons?|cohort|model|study|"
    r"grant|article|act|title|bit|season|episode|round|half|tier|code|hepatitis|ages?|aged|see|between|from|"
    r"or|in the|of the|between the|the|those|these|all|first|second|third|one|about one|"
    rf"(?:\d|weeks|days|hours|months|years|several|few|one|two|three|four|five|six) (?:to|and)|"
    rf"{_ANY_MONTH})\s+$",
    re.IGNORECASE,
)
_NAME_BEFORE = re.compile(r"(?<![.!?“\"(]\s)(?<!^)\b[A-Z][\w-]*\s+$")
_FREE_CAPITALS = word_set("In At About Of The Over Nearly Only Some More Than Almost Around Up By For With")
_RANGE_AFTER = re.compile(
    rf"\s?(?:–|—|-|to|or|and|through|until|plus|minus|\+/-)\s?(?:{_ANY_WORD}|[$€£]?\d)"
    rf"|,\s?(?:\d|and \d)|(?:st|nd|rd|th)?,? (?:of )?(?:{_ANY_MONTH})\b|-(?:to|or|and)\b"
    r"|\s?(?:%|percent)?\s?(?:CI\b|confidence|degrees? of freedom|of them\b)",
    re.IGNORECASE,
)
_NUMBER_LEAST = re.compile(
    r"\b(?:at least|more than|over|above|greater than|higher than|older than|longer than|larger than|"
    r"minimum of|no (?:less|fewer) than|not less than|exceed(?:s|ed|ing)?|beyond|starting at|after|"
    r"since)\s+(?:about\s+)?$",
    re.IGNORECASE,
)
_NUMBER_MOST = re.compile(
    r"\b(?:at most|less than|fewer than|under|below|lower than|younger than|shorter than|smaller than|up to|"
    r"no (?:more|later|longer) than|not more than|maximum of|within|limited to|before|until|"
    r"as (?:many|much) as)\s+(?:about\s+)?$",
    re.IGNORECASE,
)
_LEAST_AFTER = re.compile(
    r"\s?(?:[\w°%-]+\s){0,2}(?:or|and) (?:more|older|over|above|greater|higher|longer|up)\b"
)
_MOST_AFTER = re.compile(
    r"\s?(?:[\w°%-]+\s){0,2}(?:or|and) (?:less|fewer|younger|under|below|lower|earlier|shorter)\b"
)
_YEARS = range(1400, 2101)
_FACTORS = (0.25, 0.5, 0.5, 1.5, 2.0, 2.0, 3.0, 5.0)
_CHANGED = 0.2
_NEAR = 10.0
_NEIGHBOURS = 4
_ALL = 100
# From here on any other number is another fact.
_EXACT_FROM = 100
_COMMAS_FROM = 10_000
_CONTEXT = 40
_SPELLED = "in words"


@dataclass(frozen=True, slots=True)
class _Style:
    """How a number is written: in words, or with so many decimals, with commas, as money or per cent."""

    kind: str
    decimals: int = 0
    commas: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A number in a text; ``rises`` and ``falls`` say where it may move."""

    start: int
    end: int
    value: float
    style: _Style
    rises: bool
    falls: bool

    def written(self, value: float, like: str) -> str:
        """Return another value in the same style."""
        if self.style.kind == _SPELLED:
            word = _WORDS[round(value) - 2]
            return word.capitalize() if like[:1].isupper() else word
        commas = "," if self.style.commas or value >= _COMMAS_FROM else ""
        return f"{value:{commas}.{self.style.decimals}f}"


def numbers(text: str, around: Surroundings, generator: np.random.Generator) -> Iterator[Candidate]:
    """Yield candidates, in half of the cases first one of the document's own numbers."""
    found = list(find_numbers(text))
    taken = {number.value for number in found}
    # "2 mg" in one place and "5 mg" in another are the same kind of number
    others = _all_numbers(around.sentences)
    for place in generator.permutation(len(found)):
        number = found[int(place)]
        own = [other for other in others if _alike(number, other) and _moves(number, other.value)]
        values = [other.value for other in own if other.value not in taken]
        chosen = [float(values[int(generator.integers(len(values)))])] if values else []
        scaled = [value for value in _scaled(number, generator) if value not in taken]
        order = (chosen, scaled) if generator.random() < 0.5 else (scaled, chosen)
        for value in (value for options in order for value in options[:2]):
            new = number.written(value, text[number.start : number.end])
            if new != text[number.start : number.end]:
                yield Candidate((Replacement(number.start, number.end, new),))


@lru_cache(maxsize=64)
def _all_numbers(sentences: tuple[str, ...]) -> tuple[Found, ...]:
    return tuple(number for sentence in sentences for number in find_numbers(sentence))


def find_numbers(text: str) -> Iterator[Found]:
    """Yield the numbers of a text that say how much or how many."""
    for match in _NUMBER.finditer(text):
        digits = match["digits"]
        plain = match["sign"] is None and match["percent"] is None
        value = float(digits.replace(",", ""))
        year = plain and len(digits) == 4 and value in _YEARS
        single = value < 2 and "." not in digits
        padded = digits.startswith("0") and not digits.startswith("0.")
        if not (year or single or padded or _only_names(text, match.start(), match.end())):
            kind = f"{'$' if match['sign'] else ''}{'%' if match['percent'] else ''}"
            commas = "," in digits
            yield _found(
                text, match.span("digits"), match.end(), value, _Style(kind, _decimals(digits), commas)
            )
    for match in _WORD.finditer(text):
        if not _only_names(text, match.start(), match.end()):
            value = float(_WORDS.index(match["word"].lower()) + 2)
            yield _found(text, match.span(), match.end(), value, _Style(_SPELLED))


def _decimals(digits: str) -> int:
    return len(digits.partition(".")[2])


def _found(text: str, span: tuple[int, int], end: int, value: float, style: _Style) -> Found:
    before, behind = text[max(0, span[0] - _CONTEXT) : span[0]].rstrip("$€£"), text[end : end + _CONTEXT]
    least = _NUMBER_LEAST.search(before) is not None or _LEAST_AFTER.match(behind) is not None
    most = _NUMBER_MOST.search(before) is not None or _MOST_AFTER.match(behind) is not None
    return Found(*span, value, style, rises=not most, falls=not least)


def _only_names(text: str, start: int, end: int) -> bool:
    before = text[max(0, start - _CONTEXT) : start]
    if _NAMED_BY.search(before) or _RANGE_AFTER.match(text[end : end + 30]):
        return True
    name = _NAME_BEFORE.search(before)
    return name is not None and name.group().strip() not in _FREE_CAPITALS


def _alike(number: Found, other: Found) -> bool:
    same = (number.style.kind, number.style.decimals) == (other.style.kind, other.style.decimals)
    return same and number.value / _NEAR <= other.value <= number.value * _NEAR


def _moves(number: Found, value: float) -> bool:
    """Tell whether a value is far enough, on a side where the claim does not imply it."""
    exact = number.style.decimals == 0 and number.value >= _EXACT_FROM
    far = exact or abs(value - number.value) >= _CHANGED * number.value
    if not far or value == number.value or (number.style.kind == "%" and value >= _ALL):
        return False
    return number.rises if value > number.value else number.falls


def _scaled(number: Found, generator: np.random.Generator) -> list[float]:
    if number.style.kind == _SPELLED:
        values = [
            float(value) for value in range(2, len(_WORDS) + 2) if abs(value - number.value) <= _NEIGHBOURS
        ]
    else:
        values = [round(number.value * factor, number.style.decimals) for factor in _FACTORS]
    least = 0.01 if number.style.decimals else 2
    fit = [value for value in values if value >= least and _moves(number, value)]
    return [fit[int(place)] for place in generator.permutation(len(fit))]


# From small to large; a unit is replaced by a neighbour.
_LADDERS = (
    ("second", "minute", "hour", "day", "week", "month", "year"),
    ("milligram", "gram", "kilogram"),
    ("mm", "cm", "m", "km"),
    ("millimeter", "centimeter", "meter", "kilometer"),
    ("inch", "foot", "yard", "mile"),
    ("thousand", "million", "billion", "trillion"),
    ("mg", "g", "kg"),
    ("byte", "kilobyte", "megabyte", "gigabyte", "terabyte"),
    ("KB", "MB", "GB", "TB"),
    ("kB", "MB", "GB", "TB"),
    ("millisecond", "second", "minute"),
    ("ms", "s", "min"),
    ("ml", "l"),
    ("mL", "L"),
    ("milliliter", "liter"),
    ("pence", "pounds"),
    ("cents", "dollars", "euros"),
    ("ounce", "pound", "ton"),
    ("°C", "°F"),
    ("nM", "µM", "mM"),
)
_PLURALS = {"inch": "inches", "foot": "feet"}
_FIXED = word_set(
    """
    thousand million billion trillion pence pounds cents dollars euros mm cm m km mg g kg ms s min ml l mL L
    kB KB MB GB TB nM µM mM °C °F
    """
)
_COUNT = (
    r"(?:\d[\d,.]*|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|"
    r"fifty|sixty|several|few|a|an|one|half an)"
)
_RATES = {
    "per day": "per week", "per week": "per day", "per month": "per week", "per year": "per month",
    "a day": "a week", "a week": "a day", "a month": "a week", "a year": "a month", "every day": "every week",
    "every week": "every month", "every month": "every year", "every year": "every month",
    "each day": "each week", "each year": "each month", "each week": "each month", "each month": "each year",
    "per hour": "per day",
    "per minute": "per hour", "per second": "per minute", "daily": "weekly", "weekly": "monthly",
    "monthly": "weekly", "yearly": "monthly", "annually": "monthly", "annual": "monthly", "hourly": "daily",
}  # fmt: skip
_COUNTED = "times|once|twice|people|cases|deaths|doses?|tablets?|pills?|hours?|cups?|children|%|percent"
_NO_RATE = (
    "or|and|to|of|after|before|later|ago|earlier|jobs?|games?|meetings?|life|lives|living|activit(?:y|ies)|"
    "routines?|use|work|basis|standup"
)
_RATE = re.compile(
    rf"(?P<count>(?:\b(?:{_COUNTED})\s)?)\b(?P<rate>{'|'.join(_RATES)})\b(?![ -](?:{_NO_RATE})\b)",
    re.IGNORECASE,
)
_UNIT_LEAST = re.compile(
    r"\b(?:at least|more than|over|after|longer than|older than|minimum of|exceed\w*|"
    r"no less than) (?:about )?$",
    re.IGNORECASE,
)
_UNIT_MOST = re.compile(
    r"\b(?:at most|less than|fewer than|under|within|up to|no more than|shorter than|younger than|until|"
    r"before) (?:about )?$",
    re.IGNORECASE,
)


def _forms() -> dict[str, list[tuple[str, bool]]]:
    """Return for every written unit its neighbours, and whether each is larger."""
    found: dict[str, list[tuple[str, bool]]] = {}
    for ladder in _LADDERS:
        for place, unit in enumerate(ladder):
            near = [
                (ladder[other], other > place) for other in (place - 1, place + 1) if 0 <= other < len(ladder)
            ]
            found.setdefault(unit, []).extend(near)
            if unit not in _FIXED:
                plural = [(_plural(other), larger) for other, larger in near]
                found.setdefault(_plural(unit), []).extend(plural)
    return found


def _plural(unit: str) -> str:
    return _PLURALS.get(unit, f"{unit}s")


_UNIT_NEIGHBOURS = _forms()
_ANY_UNIT = "|".join(sorted(map(re.escape, _UNIT_NEIGHBOURS), key=len, reverse=True))
_UNIT = re.compile(
    rf"(?<![\w.,'’-])(?P<count>{_COUNT})(?:\s|-|(?=°))(?P<unit>{_ANY_UNIT})"
    rf"(?![\w/%²³]|-to| (?:a|per) (?:day|week))(?!\s?(?:–|—|to|or|and|,)\s?{_COUNT}\b)"
)
_ONE = word_set("a an one")
# "a second", "a foot": one of several, or no measure at all.
_NOT_ONE = word_set("second foot m s l g min")


def units(text: str, around: Surroundings, generator: np.random.Generator) -> Iterator[Candidate]:
    """Yield candidates for quantities and for rates ("twice a day")."""
    yield from shuffled([*_quantities(text, generator), *_rates(text)], generator)


def _quantities(text: str, generator: np.random.Generator) -> Iterator[Candidate]:
    for match in _UNIT.finditer(text):
        before, unit = text[: match.start()], match["unit"]
        least, most = _UNIT_LEAST.search(before) is not None, _UNIT_MOST.search(before) is not None
        if match["count"].lower() in _ONE and (not (least or most) or unit in _NOT_ONE):
            continue
        fit = [
            other
            for other, larger in _UNIT_NEIGHBOURS[unit]
            if not (most if larger else least) and not re.search(rf"\b{re.escape(other)}\b", text)
        ]
        if text[match.end() :].startswith("-old"):
            fit = [other for other in fit if other == "month"]
        if fit:
            new = fit[int(generator.integers(len(fit)))]
            yield Candidate((Replacement(*match.span("unit"), new),))


def _rates(text: str) -> Iterator[Candidate]:
    for match in _RATE.finditer(text):
        rate = match["rate"].lower()
        if rate.startswith("a ") and not match["count"]:
            continue
        new = _RATES[rate]
        if new not in text.lower():
            cased = upper_first(new) if match["rate"][0].isupper() else new
            yield Candidate((Replacement(*match.span("rate"), cased),))


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
