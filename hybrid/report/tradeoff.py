"""Draw arms between price and quality, and the marks that tell what became of them.

Takes means, intervals and prices, gives one ``<svg>`` each, at the width that it will be shown at. It
says in words what it shows; every standing has a mark of its own shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from hybrid.report import words
from hybrid.report.markup import Attribute, Markup, element, join
from hybrid.report.scale import Box, Scale, place_labels, text_width
from hybrid.report.strokes import NARROW, SIZE, SMALL, fitted, letters, line, rect, svg, tick_points
from hybrid.statistics import Interval

_LABEL = 130.0  # room for a name


class Standing(StrEnum):
    """What became of an arm; each has a mark of its own shape."""

    CHOSEN = "chosen"
    INTERIM = "interim"
    ELIGIBLE = "eligible"
    BARRED = "barred"


@dataclass(frozen=True, slots=True)
class CostPoint:
    """An arm between price and quality; ``cost`` is None where it was not measured."""

    arm: str
    cost: float | None
    mean: float
    interval: Interval
    standing: Standing


def quality_cost_plot(
    points: Sequence[CostPoint], *, axis: str, floor: float | None = None, width: float = 760.0
) -> Markup:
    """Draw arms by price (to the right: dearer) and mean score (up: better).

    Args:
        points: the arms; those without a price stand in a strip of their own.
        axis: what the price is, with its unit.
        floor: a mean score to draw as a line: the best one less the margin.
        width: of the drawing.
    """
    height = 340.0 if width < NARROW else 400.0
    unknown = any(point.cost is None for point in points)
    frame = Box(44.0, 30.0, width - (110.0 if unknown else 12.0), height - 56.0)
    costs = [point.cost for point in points if point.cost is not None]
    across, up = _cost_scale(costs, frame), _mean_scale(points, floor, frame)
    strip = frame.right + (width - 8 - frame.right) / 2
    places = _dodged([(strip if p.cost is None else across(p.cost), p) for p in points], up)
    parts = [letters(0.0, 14.0, "mean score", "note", "start"), *_mean_grid(up, frame, width - 12)]
    parts += _cost_ticks(across if costs else None, frame)
    if unknown:
        parts.append(rect(frame.right + 14, frame.top, width - 8, frame.bottom, "unknown"))
        parts.append(letters(strip + 3, frame.bottom + 18, "not measured", "tick", "middle"))
    if floor is not None:
        parts.append(line(frame.left, up(floor), width - 12, up(floor), "floor"))
    parts.append(letters((frame.left + frame.right) / 2, height - 12, axis, "note", "middle"))
    whole = Box(frame.left + 2, 20.0, width - 2, frame.bottom - 2)
    labels = _labels(places, up, whole)
    for (x, point), box in zip(places, labels, strict=True):
        parts += _cost_mark(x, point, up, box)
    return svg(
        width,
        max([height, *(box.bottom + 4 for box in labels)]),
        title="Mean score of each arm against its price",
        description=join([_cost_sentence(point, axis) for point in points], " "),
        parts=parts,
    )


def interval_strip(mean: float, interval: Interval, *, width: float = 120.0) -> Markup:
    """Draw a mean and its interval on a line from 0 to 1; the numbers stand beside it."""
    scale = Scale(0.0, 1.0, 4.0, width - 4.0)
    parts = [
        line(4.0, 9.0, width - 4.0, 9.0, "grid"),
        line(4.0, 5.0, 4.0, 13.0, "grid"),
        line(width - 4.0, 5.0, width - 4.0, 13.0, "grid"),
        line(scale(interval.low), 9.0, scale(interval.high), 9.0, "bar"),
        element("circle", {"cx": scale(mean), "cy": 9.0, "r": 4.0, "class": "mark"}),
    ]
    size: dict[str, Attribute] = {"width": width, "height": 18, "viewBox": f"0 0 {width:g} 18"}
    return element("svg", {"class": "strip", "aria-hidden": "true", "focusable": "false"} | size, *parts)


def mark(standing: Standing) -> Markup:
    """Draw the mark of a standing alone, for a legend or beside a name."""
    size: dict[str, Attribute] = {"width": 18, "height": 18, "viewBox": "0 0 18 18"}
    return element(
        "svg",
        {"class": "key", "aria-hidden": "true", "focusable": "false"} | size,
        *_shape(9.0, 9.0, standing),
    )


def _cost_scale(costs: Sequence[float], frame: Box) -> Scale:
    low, high = min(costs, default=0.0), max(costs, default=1.0)
    start, end = frame.left + 22, frame.right - 22
    if low > 0 and high / low > 20:
        return Scale(low * 0.9, high * 1.1, start, end, logarithmic=True)
    # from 0 on: half the price shall look like half the price
    return Scale(0.0, high * 1.04 if high > 0 else 1.0, start, end)


def _mean_scale(points: Sequence[CostPoint], floor: float | None, frame: Box) -> Scale:
    marks = [floor] if floor is not None else []
    low = min([*marks, *(point.interval.low for point in points), *(point.mean for point in points)])
    high = max([*marks, *(point.interval.high for point in points), *(point.mean for point in points)])
    pad = max(0.02, 0.06 * (high - low))
    return Scale(max(-0.03, low - pad), min(1.015, high + pad), frame.bottom, frame.top)


def _dodged(
    places: Sequence[tuple[float, CostPoint]], up: Scale, *, step: float = 14.0
) -> list[tuple[float, CostPoint]]:
    """Return places side by side where marks and their intervals would cover each other."""
    done: list[tuple[float, CostPoint]] = []
    for x, point in places:
        moves = (sign * step * count for count in range(len(places)) for sign in (1, -1))
        free = (x + move for move in moves if not any(_covers(x + move, point, *other, up) for other in done))
        done.append((next(free, x), point))
    return done


def _covers(x: float, point: CostPoint, other_x: float, other: CostPoint, up: Scale) -> bool:
    apart = (
        up(point.interval.high) > up(other.interval.low) + 8
        or up(other.interval.high) > up(point.interval.low) + 8
    )
    return abs(x - other_x) < 13 and not apart


def _labels(places: Sequence[tuple[float, CostPoint]], up: Scale, area: Box) -> list[Box]:
    obstacles: list[Box] = []
    for x, point in places:
        y = up(point.mean)
        obstacles.append(Box(x - 9, y - 9, x + 9, y + 9))
        obstacles.append(Box(x - 3, up(point.interval.high), x + 3, up(point.interval.low)))
    return place_labels(
        [(x, up(point.mean)) for x, point in places],
        [text_width(fitted(point.arm, _LABEL), SIZE) for _, point in places],
        height=16.0,
        area=area,
        obstacles=obstacles,
    )


def _cost_mark(x: float, point: CostPoint, up: Scale, box: Box) -> list[Markup]:
    y, middle = up(point.mean), (box.top + box.bottom) / 2
    near = box.left if box.left > x else box.right if box.right < x else (box.left + box.right) / 2
    far = abs(middle - y) > 20 or abs(near - x) > 14
    leader = [line(x, y, near, middle, "leader")] if far else []
    whisker = line(x, up(point.interval.low), x, up(point.interval.high), "bar")
    anchor = "start" if near == box.left else "end" if near == box.right else "middle"
    name = letters(near, middle + 4.5, fitted(point.arm, _LABEL), "name", anchor, full=point.arm)
    return [*leader, whisker, *_shape(x, y, point.standing), name]


def _shape(x: float, y: float, standing: Standing) -> list[Markup]:
    if standing is Standing.CHOSEN:
        path = f"M{x:.2f} {y - 8:.2f}l8 8l-8 8l-8 -8z"
        return [element("path", {"d": path, "class": "mark"})]
    if standing is Standing.INTERIM:
        path = f"M{x:.2f} {y - 8:.2f}l8 8l-8 8l-8 -8z"
        return [element("path", {"d": path, "class": "mark open"})]
    if standing is Standing.ELIGIBLE:
        return [element("circle", {"cx": x, "cy": y, "r": 5.5, "class": "mark open"})]
    path = f"M{x - 5:.2f} {y - 5:.2f}l10 10m0 -10l-10 10"
    return [element("path", {"d": path, "class": "cross"})]


def _mean_grid(up: Scale, frame: Box, right: float) -> list[Markup]:
    parts: list[Markup] = []
    for tick in up.ticks(6):
        parts.append(line(frame.left, up(tick), right, up(tick), "grid"))
        parts.append(letters(frame.left - 8, up(tick) + 4, tick_points(tick), "tick", "end"))
    return parts


def _cost_ticks(across: Scale | None, frame: Box) -> list[Markup]:
    if across is None:
        return []
    parts: list[Markup] = []
    room = frame.left - 8
    for tick in across.ticks(5 if frame.right - frame.left > 400 else 3):
        x, text = across(tick), words.plain(tick)
        half = text_width(text, SMALL) / 2
        parts.append(line(x, frame.bottom, x, frame.bottom + 5, "axis"))
        if x - half > room:  # the text would run into the one before
            parts.append(letters(x, frame.bottom + 18, text, "tick", "middle"))
            room = x + half + 4
    return [*parts, line(frame.left, frame.bottom, frame.right, frame.bottom, "axis")]


def _cost_sentence(point: CostPoint, axis: str) -> str:
    price = "price not measured" if point.cost is None else f"{words.plain(point.cost)} ({axis})"
    return f"{point.arm}, {point.standing.value}: mean {words.points(point.mean)}, {price}."
