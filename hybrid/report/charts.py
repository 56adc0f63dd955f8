"""Where things stand on a drawing: scales, labels that hide nothing, and named spots between two axes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from hybrid.decision.values import ArmResult, Decision, Effect, Hypothesis
from hybrid.report import words
from hybrid.report.pareto import Pareto, signed

NARROW = 560.0  # below it a drawing is for a phone
SIZE, SMALL = 13.0, 12.0  # of letters
_LABEL, _LONGEST_NAME = 130.0, 60  # room for a name, and its most letters
_NEAR = 8.0  # margins from no difference: farther effects need no axis of their own
_STEPS, _LOG_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0), (1.0, 2.0, 5.0)
_DODGE = 14.0  # to the side, where marks would cover each other
_RADII = (0, 12, 26, 42, 60, 80, 104)
# Widths of letters in a bold sans serif, as a share of the size; guessed generously to keep labels apart.
_LETTER, _SLIM, _BROAD, _CAPITAL, _SQUARE = 0.65, 0.4, 1.1, 0.8, 1.1


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a drawing."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Tell whether two boxes share a place."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def inside(self, other: Box) -> bool:
        """Tell whether this box lies within the other one."""
        across = self.left >= other.left and self.right <= other.right
        return across and self.top >= other.top and self.bottom <= other.bottom


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
        if self.logarithmic:
            return self._decades()
        raw = (self.high - self.low) / max(1, wanted)
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(power * step for step in _STEPS if power * step >= raw * 0.999)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(place * step, 12) + 0.0 for place in range(first, last + 1)]

    def _decades(self) -> list[float]:
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        every = [10.0**power * step for power in powers for step in _LOG_STEPS]
        inside = [value for value in every if self.low <= value <= self.high]
        decades = [value for value in inside if math.isclose(math.log10(value) % 1, 0, abs_tol=1e-9)]
        return decades if len(decades) >= 3 else inside


class Standing(StrEnum):
    """What became of an arm or a setting; each is drawn as a shape of its own."""

    CHOSEN = "chosen"
    INTERIM = "interim"
    ELIGIBLE = "eligible"
    BARRED = "barred"


# an axis beside a number
STRIP = Scale(0.0, 1.0, 4.0, 116.0)


@dataclass(frozen=True, slots=True)
class Spot:
    """A named mark, the bars through it (upper and lower, left and right end), and the anchor of its name."""

    name: str
    x: float
    y: float
    standing: Standing
    tall: tuple[float, float]
    broad: tuple[float, float] | None = None
    name_x: float = 0.0
    name_y: float = 0.0
    anchor: str = "start"


@dataclass(frozen=True, slots=True)
class Scatter:
    """Named spots between two axes, all in places of the drawing.

    Ticks are places with their labels, "" where one would run into the one before. ``limit`` is a broken line
    of a style, ``strip`` the middle of the room beside the frame, ``path`` the corners of a line.
    """

    title: str
    told: tuple[str, ...]
    width: float
    height: float
    frame: Box
    across: str
    up: str
    across_ticks: tuple[tuple[float, str], ...]
    up_ticks: tuple[tuple[float, str], ...]
    spots: tuple[Spot, ...]
    limit: tuple[float, str] | None = None
    strip: float | None = None
    path: tuple[tuple[float, float], ...] = ()


def standing(decision: Decision, result: ArmResult) -> Standing:
    """Return what became of an arm."""
    if result.arm == decision.arm:
        return Standing.CHOSEN
    if not result.eligible:
        return Standing.BARRED
    interim = decision.arm is None and result.arm == decision.interim
    return Standing.INTERIM if interim else Standing.ELIGIBLE


def effect_scale(effects: Sequence[Effect], margin: float, left: float, right: float) -> Scale:
    """Return an axis on which the margin can be seen: effects far from it may lie outside."""

    def reach(of: Sequence[Effect]) -> tuple[float, float]:
        low = min([-2 * margin, *(e.interval.low for e in of if math.isfinite(e.interval.low))])
        return low, max([margin, *(e.interval.high for e in of if math.isfinite(e.interval.high))])

    low, high = reach(effects)
    near = [e for e in effects if e.interval.low < _NEAR * margin and e.interval.high > -_NEAR * margin]
    lowest, highest = reach(near)
    if near and (high - low) > 2 * (highest - lowest):
        low, high = lowest, highest
    pad = 0.05 * (high - low)
    return Scale(low - pad, high + pad, left, right)


def effects_told(effects: Sequence[Effect]) -> list[str]:
    """Return effects in words."""
    return [
        f"{effect.arm} minus {effect.other}: {words.points(effect.difference, signed=True)} points, "
        f"{words.percent(effect.interval.confidence)} interval {words.span(effect.interval, signed=True)}; "
        f"{'shown' if effect.shown else 'not shown'} to be "
        f"{'better' if effect.claim is Hypothesis.BETTER else 'not worse'} by more than the margin."
        for effect in effects
    ]


def cost_scatter(decision: Decision, axis: str, costs: Sequence[float | None], *, width: float) -> Scatter:
    """Return arms by price (to the right: dearer) and mean score (up: better).

    Arms whose price was not measured (None) stand in a strip of their own; ``axis`` is what the price is,
    with its unit.
    """
    results, known = decision.arms, [cost for cost in costs if cost is not None]
    right, height = width - (12.0 if len(known) == len(costs) else 110.0), _height(width)
    frame = Box(44.0, 30.0, right, height - 56.0)
    floor = mean_floor(decision)
    across, up = _cost_scale(known, frame), _mean_scale(results, floor, frame)
    strip = right + (width - 8 - right) / 2
    spots, told = [], []
    for result, cost in zip(results, costs, strict=True):
        own, x = standing(decision, result), strip if cost is None else across(cost)
        tall = up(result.interval.high), up(result.interval.low)
        spots.append(Spot(result.arm, x, up(result.mean), own, tall))
        price = "price not measured" if cost is None else f"{words.plain(cost)} ({axis})"
        told.append(f"{result.arm}, {own.value}: mean {words.points(result.mean)}, {price}.")
    placed, bottom = _labelled(_dodged(spots), frame, width)
    return Scatter(
        title="Mean score of each arm against its price",
        told=tuple(told),
        width=width,
        height=max(height, bottom + 4),
        frame=frame,
        across=axis,
        up="mean score",
        across_ticks=_ticks(across, 5 if right - frame.left > 400 else 3, frame) if known else (),
        up_ticks=tuple((up(tick), words.tick(tick)) for tick in up.ticks(6)),
        spots=placed,
        limit=None if floor is None else (up(floor), "floor"),
        strip=None if len(known) == len(costs) else strip,
    )


def mean_floor(decision: Decision) -> float | None:
    """Return the best mean of those that may be chosen, less the margin."""
    best = max((result.mean for result in decision.arms if result.eligible), default=None)
    return None if best is None else best - decision.policy.margin


def pareto_scatter(found: Pareto, *, width: float) -> Scatter:
    """Return settings by gain (to the right: more) and loss (up: more), with the front and the budget."""
    height = _height(width)
    frame = Box(52.0, 30.0, width - 12.0, height - 56.0)
    gains = [value for p in found.points for value in (p.gain_low, p.gain, p.gain_high)]
    losses = [value for p in found.points for value in (p.loss_low, p.loss, p.loss_high)]
    across = _whole_scale([0.0, *gains], frame.left + 12, frame.right - 12)
    up = _whole_scale([0.0, 1.25 * found.budget, *losses], frame.bottom - 4, frame.top)
    spots, told = [], []
    for p in found.points:
        standings = (Standing.CHOSEN, Standing.INTERIM) if p.front else (Standing.ELIGIBLE, Standing.BARRED)
        tall, broad = (up(p.loss_high), up(p.loss_low)), (across(p.gain_low), across(p.gain_high))
        spots.append(Spot(p.name, across(p.gain), up(p.loss), standings[not p.inside], tall, broad))
        told.append(
            f"{p.name}, {'on' if p.front else 'off'} the front: gain {signed(p.gain)} {found.gain_unit}, "
            f"loss {signed(p.loss)} {found.loss_unit}, "
            f"{'inside the budget' if p.inside else 'not shown to be inside the budget'}."
        )
    front = sorted((point.gain, point.loss) for point in found.points if point.front)
    placed, bottom = _labelled(spots, frame, width)
    return Scatter(
        title="Domain gain of each setting against its general loss",
        told=tuple(told),
        width=width,
        height=max(height, bottom + 4),
        frame=frame,
        across=f"domain gain, {found.gain_unit}",
        up=f"general loss, {found.loss_unit}",
        across_ticks=_ticks(across, 5, frame),
        up_ticks=tuple((up(tick), words.plain(tick)) for tick in up.ticks(6)),
        spots=placed,
        limit=(up(found.budget), "margin"),
        path=tuple((across(gain), up(loss)) for gain, loss in front),
    )


def fitted(name: str, room: float = _LABEL) -> str:
    """Return a name, shortened as far as the room wants it."""
    lengths = range(min(len(name), _LONGEST_NAME), 3, -1)
    fitting = (short for n in lengths if text_width(short := words.shortened(name, n), SIZE) <= room)
    return next(fitting, words.shortened(name, 3))


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
        # under everything else it is crowded, but nothing is on top of anything
        top = max([area.bottom, *(box.bottom for box in taken)])
        under = Box(area.left, top, area.left + width, top + height)
        taken.append(next(clear, None) or next(iter(free), under))
    return taken


def _letter_width(letter: str) -> float:
    if ord(letter) > 0x2E7F:
        return _SQUARE
    if letter in "ijlftI.,:;!|'()[] ":
        return _SLIM
    if letter in "mwMW@%":
        return _BROAD
    return _CAPITAL if letter.isupper() else _LETTER


def _around(x: float, y: float, width: float, height: float) -> Iterator[Box]:
    gap = 12.0
    for radius in _RADII:
        for across, down in ((1, 0), (-1, 0), (1, -1), (-1, -1), (1, 1), (-1, 1), (0, -1), (0, 1)):
            left = {1: x + gap + radius / 3, -1: x - gap - radius / 3 - width, 0: x - width / 2}[across]
            middle = y + down * (radius + (gap + height / 2 if across == 0 else 0))
            yield Box(left, middle - height / 2, left + width, middle + height / 2)


def _labelled(spots: Sequence[Spot], frame: Box, width: float) -> tuple[tuple[Spot, ...], float]:
    """Return spots whose names hide nothing, and where the lowest name ends."""
    obstacles = [Box(spot.x - 9, spot.y - 9, spot.x + 9, spot.y + 9) for spot in spots]
    for spot in spots:
        obstacles.append(Box(spot.x - 3, spot.tall[0], spot.x + 3, spot.tall[1]))
        if spot.broad is not None:
            obstacles.append(Box(spot.broad[0], spot.y - 3, spot.broad[1], spot.y + 3))
    boxes = place_labels(
        [(spot.x, spot.y) for spot in spots],
        [text_width(fitted(spot.name), SIZE) for spot in spots],
        height=16.0,
        area=Box(frame.left + 2, 20.0, width - 2, frame.bottom - 2),
        obstacles=obstacles,
    )
    named = tuple(_named(spot, box) for spot, box in zip(spots, boxes, strict=True))
    return named, max(box.bottom for box in boxes)


def _named(spot: Spot, box: Box) -> Spot:
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    near = box.left if box.left > spot.x else box.right if box.right < spot.x else x
    anchor = {box.left: "start", box.right: "end"}.get(near, "middle")
    return replace(spot, name_x=near, name_y=y, anchor=anchor)


def _dodged(spots: Sequence[Spot]) -> list[Spot]:
    """Return spots side by side where marks and their bars would cover each other."""
    done: list[Spot] = []
    for spot in spots:
        moves = (sign * _DODGE * count for count in range(len(spots)) for sign in (1, -1))
        places = (replace(spot, x=spot.x + move) for move in moves)
        free = (moved for moved in places if not any(_covers(moved, other) for other in done))
        done.append(next(free, spot))
    return done


def _covers(one: Spot, other: Spot) -> bool:
    apart = one.tall[0] > other.tall[1] + 8 or other.tall[0] > one.tall[1] + 8
    return abs(one.x - other.x) < 13 and not apart


def _height(width: float) -> float:
    return 340.0 if width < NARROW else 400.0


def _ticks(across: Scale, wanted: int, frame: Box) -> tuple[tuple[float, str], ...]:
    found = []
    room = frame.left - 8
    for tick in across.ticks(wanted):
        x, text = across(tick), words.plain(tick)
        half = text_width(text, SMALL) / 2
        fits = x - half > room  # else the text would run into the one before
        found.append((x, text if fits else ""))
        room = x + half + 4 if fits else room
    return tuple(found)


def _cost_scale(costs: Sequence[float], frame: Box) -> Scale:
    low, high = min(costs, default=0.0), max(costs, default=1.0)
    start, end = frame.left + 22, frame.right - 22
    if low > 0 and high / low > 20:
        return Scale(low * 0.9, high * 1.1, start, end, logarithmic=True)
    # from 0 on: half the price shall look like half the price
    return Scale(0.0, high * 1.04 if high > 0 else 1.0, start, end)


def _mean_scale(results: Sequence[ArmResult], floor: float | None, frame: Box) -> Scale:
    marks = [value for each in results for value in (each.interval.low, each.mean, each.interval.high)]
    marks += [] if floor is None else [floor]
    pad = max(0.02, 0.06 * (max(marks) - min(marks)))
    return Scale(max(-0.03, min(marks) - pad), min(1.015, max(marks) + pad), frame.bottom, frame.top)


def _whole_scale(values: Sequence[float], start: float, end: float) -> Scale:
    """Return an axis on which all that is finite can be seen."""
    finite = [value for value in values if math.isfinite(value)]
    pad = 0.05 * (max(finite) - min(finite)) or 1.0
    return Scale(min(finite) - pad, max(finite) + pad, start, end)
