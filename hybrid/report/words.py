"""How numbers and outside texts read; a number that is none is "not known"."""

from __future__ import annotations

import math
import unicodedata

from hybrid.decision import wording
from hybrid.decision.values import Bound, Gate
from hybrid.statistics import Interval, decimal
from hybrid.types import counted as counted  # the templates say it too

NOT_MEASURED = "not measured"
NOT_KNOWN = "not known"
_SPACE = "\u00a0"  # which no line is broken at
# Unicode characters that turn the order of the text around them: a document could fake a sentence with them.
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def points(share: float | None, *, signed: bool = False) -> str:
    """Return a share as points of 100: 0.713 reads 71.3."""
    return NOT_KNOWN if share is None or not math.isfinite(share) else wording.points(share, sign=signed)


def tick(share: float, *, signed: bool = False) -> str:
    """Return points without needless decimals, as beside an axis."""
    return points(share, signed=signed).removesuffix(".0")


def span(interval: Interval, *, signed: bool = False) -> str:
    """Return the ends of an interval in points."""
    return f"{points(interval.low, signed=signed)} to {points(interval.high, signed=signed)}"


def share(value: float | None) -> str:
    """Return a mean of shares as it stands in a table of measures: 0.713."""
    return "–" if value is None else decimal(value, 3)


def place(value: float) -> str:
    """Return a place on a drawing, as short as an attribute needs it."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def percent(share: float) -> str:
    """Return a share as per cent, one decimal where it needs one."""
    return f"{round(100 * share, 1):g}{_SPACE}%" if math.isfinite(share) else NOT_KNOWN


def probability(p: float) -> str:
    """Return a p-value with three decimals."""
    return NOT_KNOWN if not math.isfinite(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def plain(value: float | None, *, signed: bool = False) -> str:
    """Return a number of any size with about three significant digits."""
    if value is None or not math.isfinite(value):
        return NOT_MEASURED if value is None else NOT_KNOWN
    if value == 0:
        return "0"
    size = abs(value)
    text = decimal(value, 0 if size >= 100 else min(12, 2 - math.floor(math.log10(size))), signed=signed)
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(value: float | None, currency: str) -> str:
    """Return an amount: two decimals from 1 on, two significant digits below."""
    if value is None or not math.isfinite(value) or value == 0:
        return f"0 {currency}" if value == 0 else plain(value)
    digits = 2 if abs(value) >= 1 else min(12, 1 - math.floor(math.log10(abs(value))))
    return f"{decimal(value, digits)}{_SPACE}{currency}"


def seconds(value: float | None) -> str:
    """Return a time: milliseconds below a second, minutes from two on."""
    if value is None or not math.isfinite(value):
        return plain(value)
    if value < 0.9995:
        return f"{1000 * value:{'.0f' if value >= 0.001 or value == 0 else '.2g'}}{_SPACE}ms"
    if value < 120:
        return f"{value:.{1 if value < 10 else 0}f}{_SPACE}s"
    return f"{value / 60:.1f}{_SPACE}min"


def megabytes(value: float | None) -> str:
    """Return a size of memory."""
    if value is None or not math.isfinite(value):
        return plain(value)
    return f"{value / 1024:.1f}{_SPACE}GB" if value >= 1024 else f"{value:.0f}{_SPACE}MB"


def joules(value: float | None) -> str:
    """Return an energy."""
    return plain(value) if value is None or not math.isfinite(value) else f"{plain(value)}{_SPACE}J"


def gate_rule(gate: Gate) -> str:
    """Return a gate as it is read: hallucinated ≤ 0.1."""
    return f"{gate.measure} {'≥' if gate.comparison is Bound.AT_LEAST else '≤'} {plain(gate.limit)}"


def shortened(text: str, length: int) -> str:
    """Return text of at most so many characters, the middle taken out: both ends of a name tell it apart."""
    if len(text) <= length:
        return text
    tail = max(0, (length - 1) // 3)
    return f"{text[: max(1, length - 1 - tail)]}…{text[len(text) - tail :] if tail else ''}"


def clipped(text: str, length: int) -> str:
    """Return the beginning of a text, and how much is left out."""
    return text if len(text) <= length else f"{text[:length]} … ({len(text) - length:,} more characters)"


def visible(text: str) -> str:
    """Return text in which what steers a display is written out: control and bidi characters."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c if c.isprintable() or c in "\n\t" else _written_out(c) for c in lines)


def _written_out(character: str) -> str:
    if character in "\u2028\u2029":
        return "\n"
    if character in _BIDI_CONTROLS or unicodedata.category(character) in {"Cc", "Cs", "Cn"}:
        return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"
    # spaces of any width, joiners and soft hyphens belong to writing; private characters do no harm
    return character
