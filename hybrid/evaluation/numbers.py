"""Read numbers with their units out of texts, and tell whether an answer states the gold one.

Takes texts, gives quantities. Knows numerals (``1,234.5``, ``1.234,5``, ``1 234`` with a narrow space,
``-3``, ``2e-3``, ``1.5×10^6``), words up to twelve, magnitudes (``2 million``, ``10k``) and the units that
checks of answers know, with b and d, which are units where an answer is short. Dates, times of day, versions
and names such as SHA-256 are not quantities. A unit that is not known counts as none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hybrid.evaluation.metrics import contains_gold
from hybrid.grounding.units import UNITS, Unit

# 127 and 128, one step apart where settings are powers of two, are further apart than this.
TOLERANCE = 0.005

_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
_WORDS += ["eleven", "twelve"]
_MAGNITUDES = {"hundred": 1e2, "thousand": 1e3, "k": 1e3, "million": 1e6, "billion": 1e9, "bn": 1e9}
_MAGNITUDES |= {"trillion": 1e12}
_UNITS = UNITS | {"b": (Unit("byte", 1.0),), "d": (Unit("second", 86_400.0),)}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as it was written, and what it counts.

    ``magnitude`` is that of a word such as million, else 1. ``units`` are the meanings of its unit: two of a
    kB, which is 1000 bytes to some and 1024 to others, none where it has no unit.
    """

    number: float
    magnitude: float = 1.0
    units: tuple[Unit, ...] = ()

    @property
    def value(self) -> float:
        """Return how many of its unit it is."""
        return self.number * self.magnitude


_UNIT = "|".join(sorted((re.escape(name) for name in _UNITS), key=len, reverse=True))
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
    r"(?:(?P<minus>(?<![\w)])[-−]|\b(?:minus|negative)\s)|(?<![\w)])\+)?\s?(?P<money>[$€£¥])?\s?"
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
    if not (one.units and gold.units):
        return _same_as_written(one, gold, tolerance)
    return any(
        _same_as_written(one, gold, tolerance)
        if mine == theirs
        else _close(one.value * mine.size, gold.value * theirs.size, tolerance)
        for mine in one.units
        for theirs in gold.units
        if mine.kind == theirs.kind
    )


def _same_as_written(one: Quantity, gold: Quantity, tolerance: float) -> bool:
    whole = one.number.is_integer() and gold.number.is_integer()
    if whole and one.magnitude == gold.magnitude:
        return one.number == gold.number
    return _close(one.value, gold.value, tolerance)


def _close(one: float, gold: float, tolerance: float) -> bool:
    # the least share is that of a conversion between units, which must not fail by rounding
    return math.isfinite(one) and math.isfinite(gold) and abs(one - gold) <= max(tolerance, 1e-9) * abs(gold)


def _found(plain: str) -> Iterator[tuple[Quantity, tuple[int, int]]]:
    for match in _QUANTITY.finditer(plain):
        number = _number(match)
        if number is not None and math.isfinite(number):
            units = _UNITS.get((match["unit"] or match["money"] or "").lower(), ())
            magnitude = _MAGNITUDES[match["magnitude"].lower()] if match["magnitude"] else 1.0
            yield Quantity(number, magnitude, units), match.span()


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
