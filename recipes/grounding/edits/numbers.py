"""Another number: one of the same document, or the same one scaled.

Takes a sentence, gives candidates. What a number only names (Table 2, type 2, IL-6, [3]) stays; a bound moves
only to where it is no longer implied ("at least 5" → "at least 8", never 3).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from recipes.grounding.edits.english import word_set
from recipes.grounding.edits.surroundings import Surroundings
from recipes.grounding.edits.tables import MONTHS
from recipes.grounding.edits.values import Candidate, Replacement

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
_LEAST = re.compile(
    r"\b(?:at least|more than|over|above|greater than|higher than|older than|longer than|larger than|"
    r"minimum of|no (?:less|fewer) than|not less than|exceed(?:s|ed|ing)?|beyond|starting at|after|"
    r"since)\s+(?:about\s+)?$",
    re.IGNORECASE,
)
_MOST = re.compile(
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
    least = _LEAST.search(before) is not None or _LEAST_AFTER.match(behind) is not None
    most = _MOST.search(before) is not None or _MOST_AFTER.match(behind) is not None
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
