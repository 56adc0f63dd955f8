"""What tuning bought and what it cost: domain gain against general loss, of every setting tried.

Takes named pairs of changes and a budget, gives a table, a drawing, one offline page, plain values. A
setting is on the front if no other one gains as much and loses as little. Knows nothing about how either was
measured.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hybrid.adaptation.values import Change
from hybrid.errors import UsageError
from hybrid.report import words
from hybrid.report.blocks import figure, paragraph, section, table
from hybrid.report.markup import Attribute, Markup, element, join, visible
from hybrid.report.page import page
from hybrid.report.scale import Box, Scale, place_labels, text_width
from hybrid.report.strokes import NARROW, SIZE, fitted, letters, line, svg

_LABEL = 130.0  # room for a name
_HEADER = ("setting", "domain gain", "interval", "general loss", "interval", "front", "budget")


@dataclass(frozen=True, slots=True)
class Tried:
    """One setting: what the adapter gained in the domain, and what it lost in general."""

    name: str
    gain: Change
    loss: Change


@dataclass(frozen=True, slots=True)
class Point:
    """The same as numbers whose directions are clear: more gain is better, more loss is worse."""

    name: str
    gain: float
    gain_low: float
    gain_high: float
    loss: float
    loss_low: float
    loss_high: float
    front: bool
    inside: bool


@dataclass(frozen=True, slots=True)
class Pareto:
    """All points in the order in which they were tried, with the units of both axes and the budget."""

    points: tuple[Point, ...]
    gained: str
    lost: str
    gain_unit: str
    loss_unit: str
    budget: float


def pareto(tried: Sequence[Tried], *, budget: float) -> Pareto:
    """Return the points with their front; inside the budget is whose upper bound of the loss is.

    Raises:
        UsageError: nothing was tried, or the settings were measured in different units.
    """
    if not tried:
        raise UsageError("no setting was tried, so there is nothing to compare")
    axes = {(each.gain.measure, each.gain.unit, each.loss.measure, each.loss.unit) for each in tried}
    if len(axes) > 1:
        raise UsageError(
            f"the settings were measured differently: {sorted(axes)}",
            hint="compare settings of one domain, measured on one suite",
        )
    rows = [(each.name, _better(each.gain), _worse(each.loss)) for each in tried]
    ((gained, gain_unit, lost, loss_unit),) = axes
    points = tuple(
        Point(
            name,
            *gain,
            *loss,
            front=not any(_dominates((more[0], less[0]), (gain[0], loss[0])) for _, more, less in rows),
            inside=loss[2] <= budget,
        )
        for name, gain, loss in rows
    )
    return Pareto(points, gained, lost, gain_unit, loss_unit, budget)


def pareto_text(found: Pareto) -> str:
    """Return the table for a terminal."""
    rows = [_HEADER, *_cells(found)]
    clean = [[" ".join(visible(cell).split()) for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in clean) for place in range(len(_HEADER))]
    head = f"Gain: {found.gained}, in {found.gain_unit}. Loss: {found.lost}, in {found.loss_unit}."
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in clean]
    return "\n".join([head, "", *(one.rstrip() for one in lines)])


def pareto_json(found: Pareto) -> dict[str, Any]:
    """Return plain values; what is no finite number is None."""
    values = dataclasses.asdict(found)
    values["points"] = [
        {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in point.items()
        }
        for point in values["points"]
    ]
    return values


def pareto_html(found: Pareto, *, title: str = "", made: str = "") -> str:
    """Return one page with the drawing and the table."""
    inside = [point for point in found.points if point.front and point.inside]
    best = max(inside, key=lambda point: point.gain, default=None)
    sentence = "No setting gains anything inside the budget."
    if best is not None and best.gain > 0:
        sentence = (
            f"Inside the budget, most is gained by {best.name}: {_signed(best.gain)} {found.gain_unit}, at a "
            f"general loss of {_signed(best.loss)} {found.loss_unit}."
        )
    head = words.shortened(title or "What tuning bought, and what it cost", 120)
    caption = (
        f"To the right: gain ({found.gained}, {found.gain_unit}). Up: loss ({found.lost}, "
        f"{found.loss_unit}). Bars end at the one-sided 95 % bounds. Filled diamonds are on the front and "
        "inside the budget, open diamonds on the front but not shown to be inside; circles are inside but "
        "off the front, crosses neither. The dashed line is the budget: a bar must end below it."
    )
    drawing = figure(lambda width: pareto_plot(found, width=width), caption)
    listing = table("Gain and loss of every setting", _HEADER, _cells(found))
    parts = [
        element("header", None, paragraph(head, "title"), element("h1", {"dir": "auto"}, sentence)),
        section("pareto", "Gain against loss", drawing),
        section("settings", "Every setting", listing),
    ]
    return page(head, *parts, made=made)


def pareto_plot(found: Pareto, *, width: float = 760.0) -> Markup:
    """Draw the settings by gain (to the right: more) and loss (up: more), with the front and the budget."""
    height = 340.0 if width < NARROW else 400.0
    frame = Box(52.0, 30.0, width - 12.0, height - 56.0)
    across, up = _scales(found, frame)
    parts = [letters(0.0, 14.0, f"general loss, {found.loss_unit}", "note", "start")]
    for tick in up.ticks(6):
        parts.append(line(frame.left, up(tick), frame.right, up(tick), "grid"))
        parts.append(letters(frame.left - 8, up(tick) + 4, words.plain(tick), "tick", "end"))
    for tick in across.ticks(5):
        parts.append(line(across(tick), frame.bottom, across(tick), frame.bottom + 5, "axis"))
        parts.append(letters(across(tick), frame.bottom + 18, words.plain(tick), "tick", "middle"))
    parts.append(line(frame.left, frame.bottom, frame.right, frame.bottom, "axis"))
    parts.append(line(frame.left, up(found.budget), frame.right, up(found.budget), "margin"))
    middle = (frame.left + frame.right) / 2
    parts.append(letters(middle, height - 12, f"domain gain, {found.gain_unit}", "note", "middle"))
    front = sorted((point.gain, point.loss) for point in found.points if point.front)
    for (gain, loss), (more, higher) in itertools.pairwise(front):
        parts.append(line(across(gain), up(loss), across(more), up(higher), "leader"))
    labels = _labels(found, across, up, Box(frame.left + 2, 20.0, width - 2, frame.bottom - 2))
    for point, box in zip(found.points, labels, strict=True):
        parts += _drawn(point, across, up, box)
    return svg(
        width,
        max([height, *(box.bottom + 4 for box in labels)]),
        title="Domain gain of each setting against its general loss",
        description=join([_sentence(point, found) for point in found.points], " "),
        parts=parts,
    )


def _better(change: Change) -> tuple[float, float, float]:
    """Return a change and its bounds so that more is better."""
    sign = 1.0 if change.higher_is_better else -1.0
    low, high = sorted((sign * change.low, sign * change.high))
    return sign * change.change, low, high


def _worse(change: Change) -> tuple[float, float, float]:
    value, low, high = _better(change)
    return -value, -high, -low


def _dominates(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Tell whether a (gain, loss) is as good in both and better in one."""
    return one[0] >= other[0] and one[1] <= other[1] and one != other


def _cells(found: Pareto) -> list[tuple[str, ...]]:
    return [
        (
            point.name,
            _signed(point.gain),
            f"{_signed(point.gain_low)} to {_signed(point.gain_high)}",
            _signed(point.loss),
            f"{_signed(point.loss_low)} to {_signed(point.loss_high)}",
            "yes" if point.front else "no",
            "inside" if point.inside else "not shown",
        )
        for point in found.points
    ]


def _signed(value: float) -> str:
    text = words.plain(value)
    return f"+{text}" if value > 0 else text


def _scales(found: Pareto, frame: Box) -> tuple[Scale, Scale]:
    """Return axes on which no difference, the budget, and all that is finite can be seen."""
    gains = [v for p in found.points for v in (p.gain_low, p.gain, p.gain_high) if math.isfinite(v)]
    losses = [v for p in found.points for v in (p.loss_low, p.loss, p.loss_high) if math.isfinite(v)]
    return (
        _scale([0.0, *gains], frame.left + 12, frame.right - 12),
        _scale([0.0, 1.25 * found.budget, *losses], frame.bottom - 4, frame.top),
    )


def _scale(values: Sequence[float], start: float, end: float) -> Scale:
    low, high = min(values), max(values)
    pad = 0.05 * (high - low) or 1.0
    return Scale(low - pad, high + pad, start, end)


def _labels(found: Pareto, across: Scale, up: Scale, area: Box) -> list[Box]:
    places = [(across(point.gain), up(point.loss)) for point in found.points]
    obstacles = [Box(x - 9, y - 9, x + 9, y + 9) for x, y in places]
    for point, (x, y) in zip(found.points, places, strict=True):
        obstacles.append(Box(x - 3, up(point.loss_high), x + 3, up(point.loss_low)))
        obstacles.append(Box(across(point.gain_low), y - 3, across(point.gain_high), y + 3))
    return place_labels(
        places,
        [text_width(fitted(point.name, _LABEL), SIZE) for point in found.points],
        height=16.0,
        area=area,
        obstacles=obstacles,
    )


def _drawn(point: Point, across: Scale, up: Scale, box: Box) -> list[Markup]:
    x, y = across(point.gain), up(point.loss)
    middle = (box.top + box.bottom) / 2
    near = box.left if box.left > x else box.right if box.right < x else (box.left + box.right) / 2
    anchor = "start" if near == box.left else "end" if near == box.right else "middle"
    far = abs(middle - y) > 20 or abs(near - x) > 14
    return [
        *([line(x, y, near, middle, "leader")] if far else []),
        line(across(point.gain_low), y, across(point.gain_high), y, "bar"),
        line(x, up(point.loss_low), x, up(point.loss_high), "bar"),
        _mark(x, y, point),
        letters(near, middle + 4.5, fitted(point.name, _LABEL), "name", anchor, full=point.name),
    ]


def _mark(x: float, y: float, point: Point) -> Markup:
    if point.front:
        kind = "mark" if point.inside else "mark open"
        return element("path", {"d": f"M{x:.2f} {y - 8:.2f}l8 8l-8 8l-8 -8z", "class": kind})
    if point.inside:
        place: dict[str, Attribute] = {"cx": x, "cy": y, "r": 5.5, "class": "mark open"}
        return element("circle", place)
    return element("path", {"d": f"M{x - 5:.2f} {y - 5:.2f}l10 10m0 -10l-10 10", "class": "cross"})


def _sentence(point: Point, found: Pareto) -> str:
    where = "on the front" if point.front else "off the front"
    return (
        f"{point.name}, {where}: gain {_signed(point.gain)} {found.gain_unit}, loss {_signed(point.loss)} "
        f"{found.loss_unit}, {'inside the budget' if point.inside else 'not shown to be inside the budget'}."
    )
