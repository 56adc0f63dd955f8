"""Numbers with their units as they stand in a text.

Takes a text, gives quantities with their places, and tells whether one is another said differently. Reads
numerals (``1,234.5``), words (``twenty-one``, ``two hundred``), magnitudes (``1.2 million``), ordinals,
versions, percent, money and common units. What is a part of a name (``COVID-19``, ``B12``, ``5G``) is no
quantity.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass

from hybrid.grounding.units import UNITS, Unit
from hybrid.types import Span

_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_VALUES = {word: value for value, word in enumerate(_SMALL)}
_VALUES |= {word: 10 * value for value, word in enumerate(_TENS, start=2)}
_VALUES |= {word: value for value, word in enumerate(_ORDINALS, start=1)}
_MAGNITUDES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_SHORT_MAGNITUDES = {"k": 1e3, "m": 1e6, "mn": 1e6, "bn": 1e9, "b": 1e9, "tn": 1e12}
# "One of the", "second only to", "a third", "several hundred", and what a reader counts by himself: where a
# supported claim has such a word, the evidence lacks it as often as where a claim is not supported.
_WEAK = {"zero", "one", "two", "three", *_ORDINALS, *_MAGNITUDES}
# What says a number without being a numeral; taken from evidence only.
_IMPLIED: dict[str, tuple[float, ...]] = {
    **dict.fromkeys(
        ("both", "pair", "couple", "twin", "twins", "duo", "dual", "twice", "double", "doubled"), (2.0,)
    ),
    **dict.fromkeys(("a", "an", "single", "once", "sole", "only"), (1.0,)),
    **dict.fromkeys(("triple", "tripled", "trio", "thrice"), (3.0,)),
    **dict.fromkeys(("no", "none", "never"), (0.0,)),
    "half": (0.5, 50.0),
    "quarter": (0.25, 25.0),
    "dozen": (12.0,),
    "decade": (10.0,),
    "century": (100.0,),
    "centenary": (100.0,),
    "all": (100.0,),
    **{name: (size,) for name, size in _MAGNITUDES.items()},
}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as it was written.

    ``value`` is None for a version such as 1.2.3, which is only compared as written; ``step`` is what its
    last digit counts. ``units`` are those of its unit, several for "pound", none without. ``weak`` marks
    words that often count nothing, such as "one"; ``loose`` a number behind "about" or "more than".
    """

    span: Span
    written: str
    value: float | None
    step: float = 1.0
    units: tuple[Unit, ...] = ()
    weak: bool = False
    loose: bool = False


_UNIT = "|".join(sorted((re.escape(name) for name in UNITS), key=len, reverse=True))
_MAGNITUDE = "|".join(_MAGNITUDES)
_NUMBER_WORD = "|".join(sorted((*_VALUES, *_MAGNITUDES), key=len, reverse=True))
# What no quantity begins with is passed over at once: most characters of a text are.
_BEGINS = rf"(?=[\d.$€£¥]|\b[{''.join(sorted({word[0] for word in (*_VALUES, *_MAGNITUDES)}))}])"
_QUANTITY = re.compile(
    rf"{_BEGINS}(?:(?P<version>(?<![\w.])\d+(?:\.\d+){{2,}}(?![\w.]*\d))"
    r"|(?:(?P<money>[$€£¥])\s?)?(?<![\w.,])(?<![^\W\d_]-)"
    r"(?P<numeral>(?:\d{1,3}(?:[,\u00a0\u2009\u202f]\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)(?!\d|\.\d)"
    r"(?:(?P<ordinal>st|nd|rd|th)\b|(?P<powers>(?:[\s-]?\b(?:"
    + _MAGNITUDE
    + r")\b)+|(?:\s?(?:bn|mn|tn|k)|(?<=\d)[mb])\b)?)"
    rf"|\b(?P<words>(?:{_NUMBER_WORD})(?:(?:[\s-]|\sand\s)(?:{_NUMBER_WORD}))*)\b)"
    rf"(?:[\s-]?(?P<unit>{_UNIT})(?P<plural>s)?(?![^\W\d_]))?",
    re.IGNORECASE,
)
_LOOSE = re.compile(
    r"(?:about|around|approximately|approx\.?|roughly|nearly|almost|over|more than|less than|fewer than"
    r"|at least|at most|up to|some|under|below|above|exceed(?:s|ed|ing)?|estimated|close to|just|circa|c\."
    r"|[~≈<>≤≥])\s*(?:US)?$",
    re.IGNORECASE,
)
_LOOSELY = 0.15
_REACH = 24


def quantities(text: str) -> list[Quantity]:
    """Return every quantity in the order of the text."""
    return [found for match in _QUANTITY.finditer(text) for found in _quantity(text, match)]


def implied_numbers(words: Set[str]) -> frozenset[float]:
    """Return the numbers that lower-case words say without a numeral: "both", "half", "a dozen"."""
    return frozenset(value for word in words & _IMPLIED.keys() for value in _IMPLIED[word])


def same_number(claimed: Quantity, found: Quantity) -> bool:
    """Tell whether a number is another as written, or rounded to the digits of the claimed one."""
    if claimed.value is None or found.value is None:
        return claimed.written == found.written
    return _is_close(claimed, claimed.value, found.value, claimed.step if found.step < claimed.step else 0.0)


def same_quantity(claimed: Quantity, found: Quantity) -> bool:
    """Tell whether numbers and units agree; a missing unit agrees with any, units of a kind are converted."""
    if not claimed.units or not found.units or claimed.value is None or found.value is None:
        return same_number(claimed, found)
    return any(
        _is_close(claimed, claimed.value * mine.size, found.value * theirs.size, claimed.step * mine.size)
        for mine in claimed.units
        for theirs in found.units
        if mine.kind == theirs.kind
        if mine.size != theirs.size or same_number(claimed, found)
    )


def _is_close(claimed: Quantity, one: float, other: float, step: float) -> bool:
    # 127 and 128 are two settings: without a rounded digit only the error of a conversion is forgiven
    allowed = max(step / 2, 1e-9 * abs(other), _LOOSELY * abs(other) * claimed.loose)
    return math.isfinite(one) and math.isfinite(other) and abs(one - other) <= allowed * (1 + 1e-9)


def _quantity(text: str, match: re.Match[str]) -> Iterator[Quantity]:
    name = (match["unit"] or match["money"] or "").lower()
    end = match.end()
    if match["unit"] and ((len(name) == 1 and match["unit"].isupper()) or _follows_letters(text, match)):
        name, end = "", match.start("unit")
    units = UNITS.get(name, ())
    start = _start(match)
    loose = _LOOSE.search(text, max(start - _REACH, 0), start) is not None
    if match["version"]:
        yield Quantity(Span(*match.span("version")), match["version"], None)
    elif match["words"]:
        words = re.findall(r"[a-z]+", match["words"].lower())
        weak = len(words) == 1 and words[0] in _WEAK
        yield Quantity(Span(start, end), match["words"].lower(), _spoken(words), 1.0, units, weak, loose)
    elif not text[end : end + 1].isalpha():
        numeral = re.sub(r"[^\d.]", "", match["numeral"])
        size = _power(match["powers"] or "")
        value = float(numeral) * size
        step = size * 10.0 ** -len(numeral.partition(".")[2])
        if math.isfinite(value):
            yield Quantity(Span(start, end), numeral, value, step, units, False, loose)


def _start(match: re.Match[str]) -> int:
    group = next(name for name in ("version", "money", "numeral", "words") if match[name])
    return match.start(group)


def _follows_letters(text: str, match: re.Match[str]) -> bool:
    """Tell whether what was read as a unit is the beginning of a hyphenated word or of a name."""
    return text[match.end() : match.end() + 1] in ("'", "’")


def _power(powers: str) -> float:
    size = 1.0
    for word in re.findall(r"[a-z]+", powers.lower()):
        size *= _MAGNITUDES.get(word) or _SHORT_MAGNITUDES.get(word, 1.0)
    return size


def _spoken(words: list[str]) -> float:
    total = current = 0.0
    for word in words:
        if word in _VALUES:
            current += _VALUES[word]
        elif word == "hundred":
            current = max(current, 1.0) * 100
        elif word in _MAGNITUDES:
            total += max(current, 1.0) * _MAGNITUDES[word]
            current = 0.0
    return total + current
