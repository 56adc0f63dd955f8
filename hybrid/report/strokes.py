"""The strokes that drawings are made of.

Takes places and texts, gives SVG elements. Style classes are in ``style.css``.
"""

from __future__ import annotations

from collections.abc import Sequence

from hybrid.report import words
from hybrid.report.markup import Attribute, Markup, element
from hybrid.report.scale import text_width

SIZE = 13.0  # of letters
SMALL = 12.0
NARROW = 560.0  # below it a drawing is for a phone
_LONGEST_NAME = 60


def svg(width: float, height: float, *, title: str, description: str, parts: Sequence[Markup]) -> Markup:
    """Return a drawing with its title and what it shows in words."""
    size: dict[str, Attribute] = {"width": width, "height": height, "viewBox": f"0 0 {width:g} {height:g}"}
    # title and desc as children name a drawing in every screen reader that knows role=img; no ids to clash
    named: dict[str, Attribute] = {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "aria-label": title}
    heads = (element("title", None, title), element("desc", None, description))
    return element("svg", named | size | {"class": "plot"}, *heads, *parts)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """Return a straight line; ``kind`` is its style class."""
    return element("line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "class": kind})


def rect(left: float, top: float, right: float, bottom: float, kind: str) -> Markup:
    """Return a filled rectangle, empty where its sides are crossed."""
    size: dict[str, Attribute] = {"width": max(0.0, right - left), "height": max(0.0, bottom - top)}
    return element("rect", {"x": left, "y": top} | size | {"class": kind})


def letters(x: float, y: float, text: str, kind: str, anchor: str, *, full: str = "") -> Markup:
    """Return a text, anchored at its start, middle or end; ``full`` is shown where it was shortened."""
    where: dict[str, Attribute] = {"x": x, "y": y, "class": kind, "text-anchor": anchor}
    hint = [element("title", None, full)] if full and full != text else []
    return element("text", where, *hint, text)


def named(x: float, y: float, name: str, room: float, anchor: str) -> Markup:
    """Return a name, shortened to the room that it has."""
    return letters(x, y, fitted(name, room), "name", anchor, full=name)


def fitted(name: str, room: float) -> str:
    """Return a name, shortened as far as the room wants it."""
    lengths = range(min(len(name), _LONGEST_NAME), 3, -1)
    fitting = (short for n in lengths if text_width(short := words.shortened(name, n), SIZE) <= room)
    return next(fitting, words.shortened(name, 3))


def tick_points(share: float, *, signed: bool = False) -> str:
    """Return the label of a tick in points, without needless decimals."""
    text = words.points(share, signed=signed)
    return text.removesuffix(".0")
