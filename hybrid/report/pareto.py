"""What tuning bought against what it cost: the Pareto front of every setting tried, and the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hybrid.adaptation.values import Change
from hybrid.errors import UsageError
from hybrid.report import words

HEADER = ("setting", "domain gain", "interval", "general loss", "interval", "front", "budget")


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


def pareto_front(tried: Sequence[Tried], *, budget: float) -> Pareto:
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
    rows = [(each.name, each.gain.upwards, each.loss.upwards) for each in tried]
    ((gained, gain_unit, lost, loss_unit),) = axes
    points = []
    for name, (gain, gain_low, gain_high), (kept, low, high) in rows:
        others = [(more, less) for _, (more, _, _), (less, _, _) in rows if (more, less) != (gain, kept)]
        front = not any(more >= gain and less >= kept for more, less in others)
        points.append(Point(name, gain, gain_low, gain_high, -kept, -high, -low, front, -low <= budget))
    return Pareto(tuple(points), gained, lost, gain_unit, loss_unit, budget)


def headline(found: Pareto) -> str:
    """Return what to take, in one sentence."""
    inside = [point for point in found.points if point.front and point.inside]
    best = max(inside, key=lambda point: point.gain, default=None)
    if best is None or best.gain <= 0:
        return "No setting gains anything inside the budget."
    return (
        f"Inside the budget, most is gained by {best.name}: {signed(best.gain)} {found.gain_unit}, at a "
        f"general loss of {signed(best.loss)} {found.loss_unit}."
    )


def cells(found: Pareto) -> list[tuple[str, ...]]:
    """Return the rows of the table, in the order of its header."""
    return [
        (
            point.name,
            signed(point.gain),
            f"{signed(point.gain_low)} to {signed(point.gain_high)}",
            signed(point.loss),
            f"{signed(point.loss_low)} to {signed(point.loss_high)}",
            "yes" if point.front else "no",
            "inside" if point.inside else "not shown",
        )
        for point in found.points
    ]


def signed(value: float) -> str:
    """Return a gain or loss with its sign."""
    return words.plain(value, signed=True)
