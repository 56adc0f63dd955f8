"""How numbers read: points, seconds, money, counts.

Takes numbers, gives short texts with a real minus sign; a number that is none reads "not known".
Knows nothing about HTML.
"""

from __future__ import annotations

import math

from hybrid.decision import wording
from hybrid.decision.values import Gate, Side
from hybrid.statistics import Interval

NOT_MEASURED = "not measured"
NOT_KNOWN = "not known"
_MINUS = "\u2212"
_THIN = "\u00a0"


def points(share: float | None, *, signed: bool = False) -> str:
    """Return a share as points of 100: 0.713 reads 71.3."""
    if share is None or not math.isfinite(share):
        return NOT_KNOWN
    return wording.points(share, sign=signed)


def span(interval: Interval, *, signed: bool = False) -> str:
    """Return the ends of an interval in points."""
    return f"{points(interval.low, signed=signed)} to {points(interval.high, signed=signed)}"


def percent(share: float) -> str:
    """Return a share as per cent, one decimal where it needs one."""
    return f"{round(100 * share, 1):g}{_THIN}%" if math.isfinite(share) else NOT_KNOWN


def probability(p: float) -> str:
    """Return a p-value with three decimals."""
    if not math.isfinite(p):
        return NOT_KNOWN
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def plain(value: float | None) -> str:
    """Return a number of any size with about three significant digits."""
    if value is None or not math.isfinite(value):
        return NOT_MEASURED if value is None else NOT_KNOWN
    if value == 0:
        return "0"
    size = abs(value)
    decimals = 0 if size >= 100 else min(12, 2 - math.floor(math.log10(size)))
    text = f"{value:,.{decimals}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", _MINUS)


def money(value: float | None, currency: str) -> str:
    """Return an amount: two decimals from 1 on, two significant digits below."""
    if value is None or not math.isfinite(value) or value == 0:
        return f"0 {currency}" if value == 0 else plain(value)
    text = (
        f"{value:,.2f}" if abs(value) >= 1 else f"{value:.{min(12, 1 - math.floor(math.log10(abs(value))))}f}"
    )
    return f"{text.replace('-', _MINUS)}{_THIN}{currency}"


def seconds(value: float | None) -> str:
    """Return a time: milliseconds below a second, minutes from two on."""
    if value is None or not math.isfinite(value):
        return plain(value)
    if value < 0.9995:
        return (
            f"{1000 * value:.0f}{_THIN}ms" if value >= 0.001 or value == 0 else f"{1000 * value:.2g}{_THIN}ms"
        )
    if value < 120:
        return f"{value:.{1 if value < 10 else 0}f}{_THIN}s"
    return f"{value / 60:.1f}{_THIN}min"


def megabytes(value: float | None) -> str:
    """Return a size of memory."""
    if value is None or not math.isfinite(value):
        return plain(value)
    return f"{value / 1024:.1f}{_THIN}GB" if value >= 1024 else f"{value:.0f}{_THIN}MB"


def joules(value: float | None) -> str:
    """Return an energy."""
    return plain(value) if value is None or not math.isfinite(value) else f"{plain(value)}{_THIN}J"


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: 1 question, 1,200 questions."""
    return f"{count:,} {noun if count == 1 else noun + 's'}"


def gate_rule(gate: Gate) -> str:
    """Return a gate as it is read: hallucinated ≤ 0.1."""
    sign = "≥" if gate.comparison is Side.AT_LEAST else "≤"
    return f"{gate.measure} {sign} {plain(gate.limit)}"


def shortened(text: str, length: int) -> str:
    """Return text of at most so many characters, the middle taken out: both ends of a name tell it apart."""
    if len(text) <= length:
        return text
    tail = max(0, (length - 1) // 3)
    return f"{text[: max(1, length - 1 - tail)]}…{text[len(text) - tail :] if tail else ''}"
