"""Map values to places on a drawing, and labels to places where they hide nothing.

Takes numbers and boxes, gives numbers and boxes. Knows nothing about SVG.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_LOG_STEPS = (1.0, 2.0, 5.0)
# Widths of letters in a bold sans serif, as a share of the size; guessed generously to keep labels apart.
_LETTER, _SLIM, _BROAD, _CAPITAL, _SQUARE = 0.65, 0.4, 1.1, 0.8, 1.1
_SLIM_LETTERS = frozenset("ijlftI.,:;!|'()[] ")
_BROAD_LETTERS = frozenset("mwMW@%")
_RADII = (0, 12, 26, 42, 60, 80, 104)


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis: values ``low`` to ``high`` on places ``start`` to ``end``, evenly or by their logarithm."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of a value; what lies outside comes to the edge."""
        low, high, inner = self.low, self.high, min(max(value, self.low), self.high)
        if self.logarithmic:
            low, high, inner = math.log(low), math.log(high), math.log(inner)
        return self.start + (inner - low) / (high - low) * (self.end - self.start)

    def ticks(self, wanted: int) -> list[float]:
        """Return about so many round values inside the axis, at least one where it has one."""
        return _log_ticks(self.low, self.high) if self.logarithmic else _ticks(self.low, self.high, wanted)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on the drawing."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Tell whether two boxes share a place."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def inside(self, other: Box) -> bool:
        """Tell whether this box lies within the other one."""
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.top >= other.top
            and self.bottom <= other.bottom
        )


def text_width(text: str, size: float) -> float:
    """Return a guess at the width of a text, on the wide side."""
    return sum(map(_letter_width, text)) * size


def place_labels(
    anchors: Sequence[tuple[float, float]],
    widths: Sequence[float],
    *,
    height: float,
    area: Box,
    obstacles: Sequence[Box],
) -> list[Box]:
    """Return a box for each label: near its anchor, in the area, on no obstacle and on no other label."""
    taken: list[Box] = []
    for (x, y), width in zip(anchors, widths, strict=True):
        candidates = [box for box in _around(x, y, width, height) if box.inside(area)]
        free = [box for box in candidates if not any(box.meets(other) for other in taken)]
        clear = (box for box in free if not any(box.meets(other) for other in obstacles))
        taken.append(next(clear, None) or next(iter(free), None) or _below(taken, area, width, height))
    return taken


def _letter_width(letter: str) -> float:
    if ord(letter) > 0x2E7F:
        return _SQUARE
    if letter in _SLIM_LETTERS:
        return _SLIM
    if letter in _BROAD_LETTERS:
        return _BROAD
    return _CAPITAL if letter.isupper() else _LETTER


def _around(x: float, y: float, width: float, height: float) -> Iterator[Box]:
    gap = 12.0
    for radius in _RADII:
        for across, down in ((1, 0), (-1, 0), (1, -1), (-1, -1), (1, 1), (-1, 1), (0, -1), (0, 1)):
            left = {1: x + gap + radius / 3, -1: x - gap - radius / 3 - width, 0: x - width / 2}[across]
            middle = y + down * (radius + (gap + height / 2 if across == 0 else 0))
            yield Box(left, middle - height / 2, left + width, middle + height / 2)


def _below(taken: Sequence[Box], area: Box, width: float, height: float) -> Box:
    """Return a place under everything else: crowded, but nothing is on top of anything."""
    top = max([area.bottom, *(box.bottom for box in taken)])
    return Box(area.left, top, area.left + width, top + height)


def _ticks(low: float, high: float, wanted: int) -> list[float]:
    raw = (high - low) / max(1, wanted)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * step for step in _STEPS if power * step >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(place * step, 12) + 0.0 for place in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = [10.0**power * step for power in powers for step in _LOG_STEPS]
    inside = [value for value in every if low <= value <= high]
    decades = [value for value in inside if math.isclose(math.log10(value) % 1, 0, abs_tol=1e-9)]
    return decades if len(decades) >= 3 else inside
