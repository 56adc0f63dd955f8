"""Read numbers with their units out of texts, and tell whether an answer states the gold one.

Takes texts, gives quantities. Knows numerals (``1,234.5``, ``1.234,5``, ``1 234`` with a narrow space,
``-3``, ``2e-3``, ``1.5×10^6``), words up to twelve, magnitudes (``2 million``, ``10k``) and units of data,
time, length, mass, frequency, money, temperature and percent. Dates, times of day, versions and names
such as SHA-256 are not quantities. A unit that is not known counts as none.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hybrid.evaluation.metrics import contains_gold

# 127 and 128, one step apart where settings are powers of two, are further apart than this.
TOLERANCE = 0.005

_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
_WORDS += ["eleven", "twelve"]
_MAGNITUDES = {"hundred": 1e2, "thousand": 1e3, "k": 1e3, "million": 1e6, "billion": 1e9, "bn": 1e9}
_MAGNITUDES |= {"trillion": 1e12}
_MONEY = {"$": "dollar", "€": "euro", "£": "pound"}
# For each base unit: the names and how many base units they are. A plural s is taken for granted.
_UNITS = {
    "percent": {"%": 1.0, "percent": 1.0, "per cent": 1.0, "pct": 1.0},
    "byte": {"b": 1.0, "byte": 1.0},
    "bit": {
        "bit": 1.0,
        "kbit": 1e3,
        "kilobit": 1e3,
        "mbit": 1e6,
        "megabit": 1e6,
        "gbit": 1e9,
        "gigabit": 1e9,
    },
    "second": {
        **{"ns": 1e-9, "nanosecond": 1e-9, "µs": 1e-6, "μs": 1e-6, "usec": 1e-6, "microsecond": 1e-6},
        **{"ms": 1e-3, "msec": 1e-3, "millisecond": 1e-3, "s": 1.0, "sec": 1.0, "second": 1.0},
        **{
            "min": 60.0,
            "minute": 60.0,
            "h": 3600.0,
            "hr": 3600.0,
            "hour": 3600.0,
            "d": 86_400.0,
            "day": 86_400.0,
        },
        **{"week": 604_800.0, "month": 2_629_800.0, "year": 31_557_600.0},
    },
    "metre": {
        **{
            "nm": 1e-9,
            "µm": 1e-6,
            "μm": 1e-6,
            "mm": 1e-3,
            "millimetre": 1e-3,
            "millimeter": 1e-3,
            "cm": 1e-2,
        },
        **{"centimetre": 1e-2, "centimeter": 1e-2, "metre": 1.0, "meter": 1.0, "km": 1e3, "kilometre": 1e3},
        **{
            "kilometer": 1e3,
            "inch": 0.0254,
            "inche": 0.0254,
            "foot": 0.3048,
            "feet": 0.3048,
            "mile": 1609.344,
        },
    },
    "kilogram": {
        "mg": 1e-6,
        "milligram": 1e-6,
        "g": 1e-3,
        "gram": 1e-3,
        "kg": 1.0,
        "kilogram": 1.0,
        "tonne": 1e3,
    },
    "hertz": {"hz": 1.0, "hertz": 1.0, "khz": 1e3, "mhz": 1e6, "ghz": 1e9},
    "celsius": {"°c": 1.0, "degrees celsius": 1.0},
    "fahrenheit": {"°f": 1.0, "degrees fahrenheit": 1.0},
    "dollar": {"dollar": 1.0, "usd": 1.0},
    "euro": {"euro": 1.0, "eur": 1.0},
    "pound": {"pound": 1.0, "gbp": 1.0},
}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as it was written, and what it counts.

    ``magnitude`` is that of a word such as million, else 1. ``unit`` is a base unit, empty for none.
    ``factors`` say how many base units the written one is: two readings for a kB, which is 1000 bytes to
    some and 1024 to others, else one.
    """

    number: float
    magnitude: float = 1.0
    unit: str = ""
    factors: tuple[float, ...] = (1.0,)


def _known_units() -> dict[str, tuple[str, tuple[float, ...]]]:
    known: dict[str, tuple[str, tuple[float, ...]]] = {
        name: (base, (size,)) for base, names in _UNITS.items() for name, size in names.items()
    }
    for power, (letter, decimal, binary) in enumerate(
        (("k", "kilo", "kibi"), ("m", "mega", "mebi"), ("g", "giga", "gibi"), ("t", "tera", "tebi")), start=1
    ):
        both: tuple[float, ...] = (1000.0**power, 1024.0**power)
        known |= {f"{letter}b": ("byte", both), f"{decimal}byte": ("byte", both)}
        known |= {f"{letter}ib": ("byte", both[1:]), f"{binary}byte": ("byte", both[1:])}
    return known


_KNOWN = _known_units()
_UNIT = "|".join(sorted((re.escape(name) for name in _KNOWN), key=len, reverse=True))
_NOT_A_QUANTITY = re.compile(
    r"\b\d+([-/.])\d+\1\d+(?:\1\d+)*\b(?!,\d)"  # 2020-05-12, 12/05/2020, 1.2.3
    r"|\b\d+:\d\d(?::\d\d)?\b"  # 10:30
    r"|\b0x[\da-f]+\b"
    r"|(?<!\w)[^\W\d]\w*?-?\d[\w.]*",  # sha256, SHA-256, v2.1
    re.IGNORECASE,
)
_POWER = re.compile(
    r"(?:(?<=\d)\s?[×x*·]\s?|(?<![\w.,])(?P<alone>))10(?:(?:\^|\*\*)(?P<plain>[-−]?\d+)|(?P<raised>⁻?[⁰¹²³⁴-⁹]+))"
)
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻−", "0123456789--")
_THOUSANDS_DOTTED = re.compile(r"\b\d{1,3}(?:\.\d{3}){2}\b(?![.\d])")
_QUANTITY = re.compile(
    r"(?:(?P<minus>(?<![\w)])[-−]|\b(?:minus|negative)\s)|(?<![\w)])\+)?\s?(?P<money>[$€£])?\s?"
    r"(?:(?<![\w.,])(?P<numeral>\d(?:[\d.,_'’\u00a0\u2009\u202f]*\d)?|\.\d+)(?:e(?P<power>[-+]?\d{1,3})(?!\d))?"
    rf"|\b(?P<word>{'|'.join(_WORDS)})\b(?!\s+of\b))"
    rf"(?:\s?(?P<magnitude>{'|'.join(_MAGNITUDES)})\b)?"
    rf"(?:[\s-]?(?P<unit>{_UNIT})s?(?![^\W\d_]))?",
    re.IGNORECASE,
)
# The forms of a numeral: what stands between its thousands, and its decimal mark.
_FORMS = (
    (re.compile(r"\d+"), "", "."),
    (re.compile(r"\d*\.\d+"), "", "."),
    (re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?"), ",", "."),
    (
        re.compile(r"\d{1,3}(?:([_'’\u00a0\u2009\u202f])\d{3})(?:\1\d{3})*(?:\.\d+)?"),
        "_'’\u00a0\u2009\u202f",
        ".",
    ),
    (re.compile(r"\d{1,3}(?:\.\d{3})+,\d+"), ".", ","),
    (re.compile(r"\d{1,3}(?:\.\d{3}){2}"), ".", ","),
    (re.compile(r"\d+,\d+"), "", ","),
)
_LONGER = re.compile(r"(?<!\w)[-−]?\d+[.,]\d[\d.,]*|(?<![\w)])[-−]\d+")
_ABOUT = re.compile(r"(?:about|approximately|approx|around|roughly|[\s.,;:!~≈\"'“”()])*", re.IGNORECASE)


def quantities(text: str) -> list[Quantity]:
    """Return every quantity in the order of the text."""
    return [quantity for quantity, _ in _found(_prepared(text))]


def lone_quantity(text: str) -> Quantity | None:
    """Return the quantity that the whole text is, but for an "about" and punctuation, else None."""
    plain = _prepared(text)
    found = list(_found(plain))
    if len(found) != 1:
        return None
    quantity, (start, end) = found[0]
    return quantity if _ABOUT.fullmatch(plain[:start] + plain[end:]) else None


def is_numeric(golds: Sequence[str]) -> bool:
    """Tell whether every gold answer is a quantity and nothing else; false if there are none."""
    return bool(golds) and all(lone_quantity(gold) is not None for gold in golds)


def numeric_match(answer: str, golds: Sequence[str], *, tolerance: float = TOLERANCE) -> float:
    """Return 1 if the answer states a gold quantity, else 0.

    An answer that gives several numbers matches if the gold one is among them. Units of one kind are
    converted; of two kinds they do not match; a unit that is missing on one side matches any, and the
    numbers are then compared as written. Golds that are not lone quantities are passed over.

    Args:
        answer: a text.
        golds: alternatives.
        tolerance: the accepted difference as a share of the gold value, at least 0. Whole numbers of the
            same unit and magnitude must be equal: a port, a year or a count is not "about right".
    """
    wanted = [quantity for gold in golds if (quantity := lone_quantity(gold)) is not None]
    given = quantities(answer)
    return float(any(_equal(one, gold, tolerance) for one in given for gold in wanted))


def contains_numeral(answer: str, golds: Sequence[str]) -> float:
    """Return 1 if a gold stands in the answer as whole words and not as a part of a longer numeral, else 0.

    It finds the year in a date and the number in a name, which are no quantities; 5 is not in 5.5 or −5.
    """
    return contains_gold(_LONGER.sub("#", answer), golds)


def _equal(one: Quantity, gold: Quantity, tolerance: float) -> bool:
    if one.unit and gold.unit and one.unit != gold.unit:
        return False
    converted = bool(one.unit and gold.unit) and one.factors != gold.factors
    if (
        not converted
        and one.magnitude == gold.magnitude
        and one.number.is_integer()
        and gold.number.is_integer()
    ):
        return one.number == gold.number
    pairs = itertools.product(one.factors, gold.factors) if converted else [(1.0, 1.0)]
    return any(
        _close(one.number * one.magnitude * mine, gold.number * gold.magnitude * theirs, tolerance)
        for mine, theirs in pairs
    )


def _close(one: float, gold: float, tolerance: float) -> bool:
    # the least share is that of a conversion between units, which must not fail by rounding
    return math.isfinite(one) and math.isfinite(gold) and abs(one - gold) <= max(tolerance, 1e-9) * abs(gold)


def _found(plain: str) -> Iterator[tuple[Quantity, tuple[int, int]]]:
    for match in _QUANTITY.finditer(plain):
        number = _number(match)
        if number is not None and math.isfinite(number):
            name = (match["unit"] or _MONEY.get(match["money"] or "", "")).lower()
            unit, factors = _KNOWN.get(name, ("", (1.0,)))
            magnitude = _MAGNITUDES[match["magnitude"].lower()] if match["magnitude"] else 1.0
            yield Quantity(number, magnitude, unit, factors), match.span()


def _prepared(text: str) -> str:
    """Write powers of ten with an e, dotted thousands without dots, and blank out what is no quantity."""
    text = _POWER.sub(_with_e, text)
    text = _THOUSANDS_DOTTED.sub(lambda match: match.group().replace(".", "_"), text)
    return _NOT_A_QUANTITY.sub(lambda match: "#" * len(match.group()), text)


def _with_e(match: re.Match[str]) -> str:
    power = (match["plain"] or match["raised"]).translate(_RAISED)
    return f"{'' if match['alone'] is None else '1'}e{power}"


def _number(match: re.Match[str]) -> float | None:
    sign = -1.0 if match["minus"] else 1.0
    if match["word"]:
        return sign * _WORDS.index(match["word"].lower())
    for form, separators, mark in _FORMS:
        if form.fullmatch(match["numeral"]):
            bare = match["numeral"].translate(dict.fromkeys(map(ord, separators))).replace(mark, ".")
            return sign * float(f"{bare}e{match['power'] or 0}")
    return None
