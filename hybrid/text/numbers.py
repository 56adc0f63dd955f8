"""Numbers with their units as they stand in a text (quantity recognition and normalisation)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from decimal import Decimal

from hybrid.text.words import listed
from hybrid.types import Span

_ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
# The words from zero to nineteen, each at its value.
SMALL_NUMBERS = ("zero", *_ONES, *_TEENS)
_VALUES = {word: value for value, word in enumerate(SMALL_NUMBERS)}
_VALUES |= {word: 10 * value for value, word in enumerate(_TENS, start=2)}
_VALUES |= {word: value for value, word in enumerate(_ORDINALS, start=1)}
_MAGNITUDES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_SHORT_MAGNITUDES = {"k": 1e3, "m": 1e6, "mn": 1e6, "bn": 1e9, "b": 1e9, "tn": 1e12}
# "One of the", "second only to", "a third", "several hundred", and what a reader counts by himself: where a
# supported claim has such a word, the evidence lacks it as often as where a claim is not supported.
_WEAK = {"zero", "one", "two", "three", *_ORDINALS, *_MAGNITUDES}
# What says a number without being a numeral; taken from evidence only.
_IMPLIED = {name: (size,) for name, size in _MAGNITUDES.items()} | {
    word: tuple(map(float, sizes.split()))
    for sizes, words in (line.split("|") for line in listed("text", "words.toml")["implied"].split("\n"))
    for word in words.split()
}


@dataclass(frozen=True, slots=True)
class Unit:
    """One meaning of a unit: a kind, such as gram, and how many of it the unit is."""

    kind: str
    size: float


def _units() -> dict[str, tuple[Unit, ...]]:
    known: dict[str, tuple[Unit, ...]] = {}
    for line in listed("text", "words.toml")["units"].strip().split("\n"):
        kind, *names = line.split()
        for entry in names:
            name, size = entry.replace("_", " ").split("=")
            known[name] = (*known.get(name, ()), Unit(kind, float(size)))
    return known


def same_units() -> list[tuple[str, ...]]:
    """Return the names in one word that are of the same unit, and the letters that stand for one in heads."""
    names: dict[tuple[str, float], list[str]] = {}
    for name, meanings in _UNITS.items():
        if len(meanings) == 1 and name.isalpha():
            names.setdefault((meanings[0].kind, meanings[0].size), []).append(name)
    for letter, name in LETTERS.items():
        (unit,) = _UNITS[name]
        names[unit.kind, unit.size].append(letter.lower())
    return [tuple(own) for own in names.values() if len(own) > 1]


# The meanings of each name in lower case and without a plural s: several of "pound" and of "kB".
_UNITS = _units()
# What letters with other uses are in the head or in a cell of a table.
LETTERS = {"m": "metre", "l": "litre", "t": "tonne"}
_TERSE_UNITS = {"b": (Unit("byte", 1.0),), "d": (Unit("second", 86_400.0),)}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as it was written, and what it counts.

    ``number`` is NaN for a version such as 1.2.3, which is only compared as ``written``; ``magnitude`` is
    that of words such as million, else 1; ``step`` is what its last digit counts. ``units`` are the meanings
    of its unit, none without. ``weak`` marks words that often count nothing, such as "one"; ``loose`` a
    number behind "about" or "more than".
    """

    span: Span
    written: str
    number: float
    magnitude: float = 1.0
    step: float = 1.0
    units: tuple[Unit, ...] = ()
    weak: bool = False
    loose: bool = False

    @property
    def value(self) -> float | None:
        """Return how many of its unit it is; None for a version."""
        return None if math.isnan(self.number) else self.number * self.magnitude


@dataclass(frozen=True, slots=True)
class Figure:
    """What a cell of a table is that holds one number: its number as written, exact, and what is beside it.

    ``comma`` tells whether a comma parts the whole from the rest, and points the thousands, None where its
    writing does not say so.
    """

    before: str
    written: str
    unit: str
    value: Decimal
    comma: bool | None


_MAGNITUDE = rf"(?:{'|'.join(_MAGNITUDES)})"
# Below a hundred; then so many hundreds or thousands; then the whole: only behind a magnitude it goes on.
_BELOW = rf"(?:(?:{'|'.join(_TENS)})(?:[\s-](?:{'|'.join(_ONES)})\b|-(?:{'|'.join(_ORDINALS[:9])}))?"
_BELOW += rf"|{'|'.join(sorted((*SMALL_NUMBERS, *_ORDINALS), key=len, reverse=True))})\b"
_PART = rf"(?:{_BELOW}(?:[\s-]{_MAGNITUDE}\b)+|{_MAGNITUDE}\b(?:[\s-]{_MAGNITUDE}\b)*)"
_JOIN = r"(?:[\s-]|\sand\s)"
_MORE = rf"(?:[\s-]{_MAGNITUDE}\b)*(?:{_JOIN}{_PART})*(?:{_JOIN}{_BELOW})?"
_SPOKEN = rf"\b(?:{_BELOW}(?:[\s-]{_MAGNITUDE}\b{_MORE})?|{_MAGNITUDE}\b{_MORE})"
_GAPS = "_'’\u00a0\u2009\u202f"
_HEAD = r"[1-9]\d{0,2}"
# 1.234.567 and 1.234,5; with one point only, 1.234 is a decimal, and with three an address of a network is
# none: no part of it is above 255
_DOTTED = rf"{_HEAD}(?:(?:\.\d{{3}})+,\d+|(?:\.\d{{3}}){{2}}(?:(?<=[3-9]\d\d)(?:\.\d{{3}})+)?)(?!\.?\d)"
_NUMERAL = (
    rf"(?:(?P<grouped>{_HEAD}(?:,\d{{3}})+(?:\.\d+)?)"
    rf"|{_HEAD}(?P<gap>[{_GAPS}])\d{{3}}(?:(?P=gap)\d{{3}})*(?:\.\d+)?"
    rf"|(?P<dotted>{_DOTTED})|(?P<comma>\d+,\d+)|(?P<pointed>\d*\.\d+)|\d+)(?![.,_]?\d)"
)
_FIGURE = re.compile(
    r"(?P<before>(?:[$€£¥]|[A-Z]{3}\b)?)\s?"
    rf"(?P<written>[−–-]?(?P<numeral>{_NUMERAL}))\s?(?P<unit>\D{{0,20}})"
)
_POWER = (
    r"(?:e(?P<exponent>[-+]?\d{1,3})(?!\d)|(?:(?P<times>\s?[×x*·]\s?10)|(?<=\b10)(?<![.,]10))"
    r"(?:(?:\^|\*\*)(?P<plain>[-−]?\d{1,3})(?!\d)|(?P<raised>⁻?[⁰¹²³⁴-⁹]{1,3})))?"
)
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻−", "0123456789--")


_UNIT = "|".join(sorted(map(re.escape, (*_UNITS, *_TERSE_UNITS)), key=len, reverse=True))
# What no quantity begins with is passed over at once: most characters of a text are.
_WORD_BEGINS = "".join(
    f"[{''.join(sorted({word[at] for word in (*_VALUES, *_MAGNITUDES)}))}]" for at in range(3)
)
_QUANTITY = re.compile(
    rf"(?=[\d.$€£¥]|\b{_WORD_BEGINS})"
    rf"(?:(?P<version>(?<![\w.])(?!{_DOTTED})\d+(?:\.\d+){{2,}}(?![\w.]*\d))"
    r"|(?:(?P<money>[$€£¥])\s?)?"
    rf"(?P<said>(?<![\w.,])(?<![^\W\d_]-)(?P<numeral>{_NUMERAL}){_POWER}"
    rf"(?:(?P<ordinal>st|nd|rd|th)\b|(?P<powers>(?:[\s-]?{_MAGNITUDE}\b)+"
    rf"|(?:\s?(?:bn|mn|tn|k)|(?<=\d)[mb])\b)?)"
    rf"|(?P<words>{_SPOKEN})))"
    rf"(?:[\s-]?(?P<unit>{_UNIT})s?(?![^\W\d_]))?",
    re.IGNORECASE,
)
_LOOSE = re.compile(
    r"(?:about|around|approximately|approx\.?|roughly|nearly|almost|over|more than|less than|fewer than"
    r"|at least|at most|up to|some|under|below|above|exceed(?:s|ed|ing)?|estimated|close to|just|circa|c\."
    r"|[~≈<>≤≥])\s*(?:US)?$",
    re.IGNORECASE,
)
_SIGN = re.compile(r"(?:(?P<minus>(?<![\w)])[-−]|\b(?:minus|negative)\s)|(?<![\w)])\+)\s?$", re.IGNORECASE)
_LOOSELY = 0.15
_REACH = 24
# In an answer a date, a time of day, a version and a hexadecimal number count nothing.
_COMPOSED = re.compile(
    r"\b\d+([-/.])\d+\1\d+(?:\1\d+)*\b(?!,\d)|\b\d+:\d\d(?::\d\d)?\b|\b0x[\da-f]+\b", re.IGNORECASE
)
_ABOUT = re.compile(r"(?:about|approximately|approx|around|roughly|[\s.,;:!~≈\"'“”()])*", re.IGNORECASE)
_COUNTED = re.compile(r"\s?[^\W\d_]+")
_APOSTROPHES = ("'", "’")
_OF = re.compile(r"\s+of\b", re.IGNORECASE)


def quantities(text: str, *, terse: bool = False) -> list[Quantity]:
    """Return every quantity in the order of the text.

    Read are numerals (``1,234.5``, ``1.234,5``, ``1 234`` with a narrow space, ``2e-3``, ``1.5×10^6``), words
    (``twenty-one``), magnitudes (``1.2 million``, ``10k``), ordinals, versions, percent, money and common
    units. What is a part of a name (``COVID-19``, ``B12``, ``5G``) is no quantity. Read as ``terse``, as an
    answer, which is short and means what it counts, a dash before a number is a minus, ``5b`` are bytes and
    ``5d`` days, letters behind a number are a unit that is not known, and parts of dates and times, versions,
    ordinals in words and the one of "one of them" are no quantities. In prose a dash is a dash, ``5b`` are
    billions and ``5G`` is a name, and a part of a date is a number that evidence has.
    """
    matches: Iterator[re.Match[str]] = _QUANTITY.finditer(text)
    if terse:
        composed = {place for match in _COMPOSED.finditer(text) for place in range(*match.span())}
        matches = (
            match
            for match in matches
            if _is_counted(text, match)
            if match["dotted"] or composed.isdisjoint(range(*match.span()))
        )
    return [found for match in matches for found in _read(text, match, terse=terse)]


def lone_quantity(text: str, *, counting: bool = False) -> Quantity | None:
    """Return the quantity that a whole answer is, but for an "about" and punctuation, else None.

    ``counting`` lets one word behind the number say what is counted, such as "connections".
    """
    found = quantities(text, terse=True)
    if len(found) != 1:
        return None
    before, behind = text[: found[0].span.start], text[found[0].span.end :]
    counted = _COUNTED.match(behind) if counting else None
    return found[0] if _ABOUT.fullmatch(before + behind[counted.end() if counted else 0 :]) else None


def figure(cell: str) -> Figure | None:
    """Return the number that a whole cell is, with a sign of money or a unit, else None.

    Example:
        >>> figure("1.234,50 EUR").value, figure("1,234.5").value
        (Decimal('1234.50'), Decimal('1234.5'))
    """
    match = _FIGURE.fullmatch(cell.strip())
    if match is None:
        return None
    points = Decimal(("-" if match["written"] != match["numeral"] else "") + _with_point(match))
    comma = (
        True if match["dotted"] or match["comma"] else False if match["grouped"] or match["pointed"] else None
    )
    return Figure(match["before"], match["written"], match["unit"].strip(), points, comma)


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


def _read(text: str, match: re.Match[str], *, terse: bool) -> Iterator[Quantity]:
    begins = next(name for name in ("version", "money", "said") if match[name])
    start = match.start(begins)
    units, end = _unit_of(text, match, terse=terse)
    loose = _LOOSE.search(text, max(start - _REACH, 0), start) is not None
    signed = _SIGN.search(text, max(start - _REACH, 0), start) if terse else None
    sign = -1.0 if signed and signed["minus"] else 1.0
    start = signed.start() if signed else start
    if match["version"]:
        yield Quantity(Span(*match.span("version")), match["version"], math.nan)
    elif match["words"]:
        words = re.findall(r"[a-z]+", match["words"].lower())
        number, magnitude = _spoken(words)
        weak = len(words) == 1 and words[0] in _WEAK
        yield Quantity(
            Span(start, end), match["words"].lower(), sign * number, magnitude, 1.0, units, weak, loose
        )
    elif terse or not text[end : end + 1].isalpha():
        written, power = _as_float(match)
        magnitude = _magnitude(match["powers"] or "", terse=terse)
        number = sign * float(f"{written}e{power}")
        step = magnitude * float(f"1e{power - len(written.partition('.')[2])}")
        if math.isfinite(number * magnitude):
            yield Quantity(Span(start, end), written, number, magnitude, step, units, False, loose)


def _is_counted(text: str, match: re.Match[str]) -> bool:
    """Tell whether an answer counts something by a number: no version, no ordinal, no "one of them"."""
    words = (match["words"] or "").lower().replace("-", " ").split()
    picks = len(words) == 1 and _OF.match(text, match.end("words")) is not None
    return not (match["version"] or picks or any(word in _ORDINALS for word in words))


def _unit_of(text: str, match: re.Match[str], *, terse: bool) -> tuple[tuple[Unit, ...], int]:
    """Return the meanings of a quantity's unit, and where the quantity ends."""
    powers, unit = (match["powers"] or "").lower(), (match["unit"] or "").lower()
    if terse and powers == "b":
        return _TERSE_UNITS["b"], match.end("powers")
    if terse and (powers == "m" or match["ordinal"]):
        return (), match.start("powers" if powers else "ordinal")
    if unit in _TERSE_UNITS and not terse:
        return _UNITS.get(match["money"] or "", ()), match.end("said")
    is_letter = len(unit) == 1 and match["unit"].isupper()
    if unit and not terse and (is_letter or text.startswith(_APOSTROPHES, match.end())):
        # what was read as a unit is a name, or the beginning of one
        return (), match.start("unit")
    name = unit or match["money"] or ""
    return _UNITS.get(name, _TERSE_UNITS.get(name, ())), match.end()


def _with_point(match: re.Match[str]) -> str:
    """Return a numeral with a decimal point and without marks between thousands."""
    numeral: str = match["numeral"]
    if match["dotted"] or match["comma"]:
        numeral = numeral.replace(".", "").replace(",", ".")
    return re.sub(r"[^\d.]", "", numeral)


def _as_float(match: re.Match[str]) -> tuple[str, int]:
    """Return a numeral as ``float`` reads it, and its power of ten."""
    raised = match["plain"] or match["raised"]
    power = match["exponent"] or (raised or "0").translate(_RAISED)
    # a power of ten alone has no numeral of its own
    return "1" if raised and not match["times"] else _with_point(match), int(power)


def _magnitude(powers: str, *, terse: bool) -> float:
    size = 1.0
    for word in re.findall(r"[a-z]+", powers.lower()):
        known = _MAGNITUDES.get(word) or _SHORT_MAGNITUDES.get(word, 1.0)
        size *= 1.0 if terse and word in ("m", "b") else known
    return size


def _spoken(words: list[str]) -> tuple[float, float]:
    """Return the number that words say, and the magnitude that it ends with."""
    total = current = 0.0
    magnitude = 1.0
    for word in words:
        if word in _VALUES:
            current += _VALUES[word]
        elif word == "hundred":
            current = max(current, 1.0) * 100
        elif word in _MAGNITUDES:
            total += max(current, 1.0) * _MAGNITUDES[word]
            current = 0.0
        magnitude = magnitude * _MAGNITUDES[word] if word in _MAGNITUDES else 1.0
    return (total + current) / magnitude, magnitude
