"""The building blocks of the page: sections, tables, folds, figures.

Takes headings, cells and markup, gives markup. Knows nothing about decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hybrid.report.markup import Attribute, Markup, element

WIDE = 760.0
NARROW = 344.0


def section(name: str, heading: str, *children: str) -> Markup:
    """Return a section that a link can point to."""
    return element("section", {"id": name}, element("h2", None, heading), *children)


def paragraph(text: str, kind: str = "") -> Markup:
    """Return a paragraph."""
    return element("p", {"class": kind} if kind else None, text)


def bullets(lines: Sequence[str], kind: str = "") -> Markup:
    """Return a list, nothing for no lines."""
    if not lines:
        return Markup("")
    items = [element("li", {"dir": "auto"}, line) for line in lines]
    return element("ul", {"class": kind} if kind else None, *items)


def fold(summary: str, *children: str, opened: bool = False, kind: str = "") -> Markup:
    """Return a part that the reader opens; printing opens it anyway."""
    attributes: dict[str, Attribute] = {"class": kind} if kind else {}
    if opened:
        attributes["open"] = "open"
    return element("details", attributes, element("summary", None, summary), *children)


def name(text: str) -> Markup:
    """Return the name of an arm, a file or another thing from outside, isolated from the text around it."""
    return element("bdi", {"class": "name"}, text)


def table(
    caption: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, cards: bool = False
) -> Markup:
    """Return a table whose first column names the row.

    Args:
        caption: what it shows; for those who cannot see it.
        header: one text a column.
        rows: cells in the order of the header.
        cards: on a narrow screen every row becomes a card; otherwise the table scrolls in its frame.
    """
    heads = [element("th", {"scope": "col", "role": "columnheader"}, text) for text in header]
    body = [
        element(
            "tr",
            {"role": "row"},
            element("th", {"scope": "row", "role": "rowheader"}, row[0]),
            *(
                element("td", {"role": "cell", "data-label": label}, element("span", None, cell))
                for label, cell in zip(header[1:], row[1:], strict=True)
            ),
        )
        for row in rows
    ]
    # the roles keep it a table for screen readers where the style makes cards of it
    inner = element(
        "table",
        {"role": "table"} | ({"class": "cards"} if cards else {}),
        element("caption", None, caption),
        element("thead", {"role": "rowgroup"}, element("tr", {"role": "row"}, *heads)),
        element("tbody", {"role": "rowgroup"}, *body),
    )
    frame: dict[str, Attribute] = {"class": "frame", "role": "region", "aria-label": caption, "tabindex": 0}
    return element("div", frame, inner)


def figure(draw: Callable[[float], Markup], *caption: str) -> Markup:
    """Return a drawing at two widths, of which the screen shows the one that fits, and its caption."""
    return element(
        "figure",
        None,
        element("div", {"class": "wide"}, draw(WIDE)),
        element("div", {"class": "narrow"}, draw(NARROW)),
        element("figcaption", None, *caption),
    )
