"""Draw effects with their intervals and the margin: a forest plot.

Takes effects, gives one ``<svg>`` at the width that it will be shown at, so that letters keep their
size. It says in words what it shows, and tells nothing by colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hybrid.decision.values import Effect, Hypothesis
from hybrid.report import words
from hybrid.report.markup import Attribute, Markup, element, join
from hybrid.report.scale import Scale, text_width
from hybrid.report.strokes import NARROW, SMALL, letters, line, named, rect, svg, tick_points

_NEAR = 8.0  # margins from no difference: farther effects need no axis of their own


def forest_plot(effects: Sequence[Effect], *, margin: float, width: float = 760.0) -> Markup:
    """Draw differences with their intervals, the line of no difference and the margin.

    Args:
        effects: one row each, in this order.
        margin: from 0 to 1; a bar must lie right of plus the margin to be better, of minus the margin to be
            not worse.
        width: of the drawing; below 560 labels stand above their bars.
    """
    narrow = width < NARROW
    row = 66.0 if narrow else 42.0
    left, right = (8.0, width - 8.0) if narrow else (0.27 * width, 0.69 * width)
    top = 44.0
    bottom = top + row * len(effects)
    scale = _effect_scale(effects, margin, left, right)
    parts: list[Markup] = []
    for place in range(len(effects)):
        end = top + row * (place + 1)
        # where labels stand over the bars, no line runs through them
        limit = margin if effects[place].claim is Hypothesis.BETTER else -margin
        parts += _band(scale, limit, end - 26 if narrow else end - row, end)
    parts += _guide(scale(0.0), 31.0, top, "no difference", "zero", width)
    for place, effect in enumerate(effects):
        parts += _forest_row(effect, scale, top + row * place, row, width)
    parts += _effect_ticks(scale, bottom)
    parts.append(letters((left + right) / 2, bottom + 40, "points, first arm minus second", "note", "middle"))
    return svg(
        width,
        bottom + 48,
        title="Differences between arms with their confidence intervals",
        description=join([_effect_sentence(effect) for effect in effects], " "),
        parts=parts,
    )


def _effect_scale(effects: Sequence[Effect], margin: float, left: float, right: float) -> Scale:
    """Return an axis on which the margin can be seen: effects far from it may lie outside."""
    low, high = _reach(effects, margin)
    near = [e for e in effects if e.interval.low < _NEAR * margin and e.interval.high > -_NEAR * margin]
    if near and (high - low) > 2 * (_reach(near, margin)[1] - _reach(near, margin)[0]):
        low, high = _reach(near, margin)
    pad = 0.05 * (high - low)
    return Scale(low - pad, high + pad, left, right)


def _reach(effects: Sequence[Effect], margin: float) -> tuple[float, float]:
    low = min([-2 * margin, *(e.interval.low for e in effects if math.isfinite(e.interval.low))])
    return low, max([margin, *(e.interval.high for e in effects if math.isfinite(e.interval.high))])


def _forest_row(effect: Effect, scale: Scale, top: float, row: float, width: float) -> list[Markup]:
    narrow = width < NARROW
    value = f"{words.points(effect.difference, signed=True)} ({words.span(effect.interval, signed=True)})"
    told = f"{effect.claim.value}: {'shown' if effect.shown else 'not shown'}"
    y = top + (row - 13 if narrow else row / 2)
    drawn = _effect_bar(effect, scale, y)
    if narrow:
        room = width - 16 - text_width(told, SMALL)
        return [
            line(8.0, top + 2, width - 8, top + 2, "rule"),
            named(8.0, top + 18, f"{effect.arm} − {effect.other}", room, "start"),
            letters(width - 8, top + 18, told, "small", "end"),
            letters(8.0, top + 34, value, "small", "start"),
            *drawn,
        ]
    return [
        line(0.0, top, width, top, "rule"),
        named(0.0, y - 2, effect.arm, scale.start - 12, "start"),
        named(0.0, y + 13, f"− {effect.other}", scale.start - 12, "start"),
        letters(scale.end + 14, y - 2, value, "value", "start"),
        letters(scale.end + 14, y + 13, told, "small", "start"),
        *drawn,
    ]


def _effect_bar(effect: Effect, scale: Scale, y: float) -> list[Markup]:
    low, high = effect.interval.low, effect.interval.high
    parts = [
        line(scale(low), y, scale(high), y, "bar"),
        _bar_end(low, scale, y),
        _bar_end(high, scale, y),
    ]
    if scale.low <= effect.difference <= scale.high:
        square: dict[str, Attribute] = {
            "x": scale(effect.difference) - 6,
            "y": y - 6,
            "width": 12,
            "height": 12,
        }
        parts.append(element("rect", square | {"class": "mark" if effect.shown else "mark open"}))
    elif not scale.low <= (low if effect.difference > 0 else high) <= scale.high:
        # nothing of it is on the drawing but the arrow, which then needs a shaft
        edge = scale(effect.difference)
        parts.append(line(edge, y, edge + (-22 if effect.difference > 0 else 22), y, "bar"))
    return parts


def _bar_end(value: float, scale: Scale, y: float) -> Markup:
    """Draw the end of an interval: a stroke, or an arrow head where the axis ends before it."""
    x = scale(value)
    if scale.low <= value <= scale.high:
        return line(x, y - 5, x, y + 5, "bar")
    back = 7 if value > scale.high else -7
    return element(
        "path",
        {"d": f"M{x - back:.2f} {y - 5:.2f}L{x:.2f} {y:.2f}L{x - back:.2f} {y + 5:.2f}", "class": "head"},
    )


def _guide(x: float, label: float, top: float, text: str, kind: str, width: float) -> list[Markup]:
    half = text_width(text, SMALL) / 2
    middle = min(max(x, half), width - half)
    return [line(x, label + 4, x, top, kind), letters(middle, label, text, "small", "middle")]


def _band(scale: Scale, limit: float, top: float, bottom: float) -> list[Markup]:
    grid = [line(scale(tick), top, scale(tick), bottom, "grid") for tick in _effect_tick_values(scale)]
    return [
        rect(scale.start, top, scale(limit), bottom, "worse"),
        *grid,
        line(scale(limit), top, scale(limit), bottom, "margin"),
        line(scale(0.0), top, scale(0.0), bottom, "zero"),
    ]


def _effect_ticks(scale: Scale, bottom: float) -> list[Markup]:
    return [
        letters(scale(tick), bottom + 18, tick_points(tick, signed=True), "tick", "middle")
        for tick in _effect_tick_values(scale)
    ]


def _effect_tick_values(scale: Scale) -> list[float]:
    return scale.ticks(6 if scale.end - scale.start > 300 else 5)


def _effect_sentence(effect: Effect) -> str:
    return (
        f"{effect.arm} minus {effect.other}: {words.points(effect.difference, signed=True)} points, "
        f"{words.percent(effect.interval.confidence)} interval {words.span(effect.interval, signed=True)}; "
        f"{'shown' if effect.shown else 'not shown'} to be {_claimed(effect.claim)}."
    )


def _claimed(claim: Hypothesis) -> str:
    return (
        "better by more than the margin"
        if claim is Hypothesis.BETTER
        else "not worse by more than the margin"
    )
