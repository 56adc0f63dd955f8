"""The walk over the tree of a page, in reading order.

Takes the element that holds the text, gives blocks. Knows nothing about files or navigation beyond
the test that it is handed. It never recurses, so no depth of nesting can exhaust the stack.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from lxml import etree

from hybrid.documents.boilerplate import Element, tags
from hybrid.documents.builder import TextBuilder
from hybrid.types import BlockKind

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_LISTS = frozenset(("ul", "ol", "dl", "menu", "dir"))
_BORDERS = tags(
    "address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hr legend li main nav ol p pre section summary table tbody td "
    "tfoot th thead tr ul menu dir title"
)
_NOT_IN_TABLES = ("table", "pre", *_HEADINGS)
_FILE_NAME = re.compile(r"\S+\.(?:png|jpe?g|gif|svg|webp|bmp|avif)", re.IGNORECASE)
# A list is cut between its items once it is this long: it need not stay whole.
_LONG_LIST = 1_000
_BREAK = "\0"


class _Piece(NamedTuple):
    kind: BlockKind
    text: str
    level: int = 0


class PageWalk:
    """Collects the blocks below an element, without what ``leave_out`` covers."""

    def __init__(self, top: Element, leave_out: Callable[[Element], bool]) -> None:
        self._leave_out = leave_out
        self._pieces: list[_Piece] = []
        self._inline: list[str] = []
        self._lists: list[Element] = []
        self._counts: list[int] = []
        self._bullet = ""
        self._lines: list[str] = []
        self._walk(top)

    @property
    def words(self) -> int:
        """Return the number of words that were found."""
        return sum(len(piece.text.split()) for piece in self._pieces)

    def add_to(self, builder: TextBuilder) -> None:
        """Append what was found."""
        for piece in self._pieces:
            builder.add(piece.kind, piece.text, level=piece.level)

    def _walk(self, top: Element) -> None:
        steps = etree.iterwalk(top, events=("start", "end"))
        passed_over: set[Element] = set()
        for event, element in steps:
            if event == "end":
                if element in passed_over:
                    passed_over.discard(element)
                else:
                    self._leave(element)
                if element is not top and element.tail:
                    self._inline.append(element.tail)
            elif (element is not top and self._leave_out(element)) or self._takes_whole(element):
                passed_over.add(element)
                steps.skip_subtree()
            else:
                self._enter(element)
        self._end_list()

    def _takes_whole(self, element: Element) -> bool:
        """Take a listing or a table at once; return whether it was one."""
        if element.tag == "pre":
            self._end_list()
            self._pieces.append(_Piece(BlockKind.CODE, _raw_text(element)))
            return True
        if element.tag == "table" and _is_data(element):
            self._end_list()
            self._pieces.append(_Piece(BlockKind.TABLE, "\n".join(self._rows(element))))
            return True
        return False

    def _enter(self, element: Element) -> None:
        tag = element.tag
        if tag in _BORDERS:
            self._end_line()
        if tag in _HEADINGS:
            self._end_list()
        elif tag in _LISTS:
            self._lists.append(element)
            self._counts.append(0)
        elif tag in ("li", "dt"):
            self._start_item(tag)
        elif tag == "br":
            self._inline.append(_BREAK)
        elif tag == "img":
            self._inline.append(_spoken(element))
        if element.text:
            self._inline.append(element.text)

    def _leave(self, element: Element) -> None:
        tag = element.tag
        if tag in _HEADINGS:
            text = self._take_inline().replace("\n", " ")
            self._pieces.append(_Piece(BlockKind.HEADING, text, _HEADINGS[tag]))
        elif tag in _BORDERS:
            self._end_line()
        if tag in _LISTS and self._lists:
            self._lists.pop()
            self._counts.pop()
            self._bullet = ""
            if not self._lists:
                self._end_list()

    def _start_item(self, tag: str) -> None:
        outermost = len(self._lists) <= 1
        if outermost and (tag == "dt" or sum(map(len, self._lines)) > _LONG_LIST):
            self._end_list()
        if tag == "dt":
            self._bullet = ""
        elif self._lists and self._lists[-1].tag == "ol":
            self._counts[-1] += 1
            self._bullet = f"{self._counts[-1]}. "
        else:
            self._bullet = "- "

    def _end_line(self) -> None:
        text = self._take_inline()
        if not text:
            return
        if not (self._lists or self._bullet):
            self._pieces.append(_Piece(BlockKind.PARAGRAPH, text))
            return
        depth = 2 * (len(self._lists) - 1)
        bullet, self._bullet = self._bullet, ""
        first, *others = text.split("\n")
        self._lines.append(" " * depth + bullet + first)
        self._lines.extend(" " * (depth + len(bullet)) + line for line in others)

    def _end_list(self) -> None:
        """Close the lines of a list that were collected; the list itself may go on."""
        self._end_line()
        lines, self._lines = self._lines, []
        if lines:
            self._pieces.append(_Piece(BlockKind.LIST, "\n".join(lines)))

    def _take_inline(self) -> str:
        parts, self._inline = self._inline, []
        return _collapsed("".join(parts))

    def _rows(self, table: Element) -> list[str]:
        rows = [self._flat(caption) for caption in table.iter("caption")]
        for row in table.iter("tr"):
            cells = [self._flat(cell) for cell in row if cell.tag in ("td", "th")]
            if any(cells):
                rows.append(" | ".join(cells))
        return rows

    def _flat(self, top: Element) -> str:
        """Return all text below an element on one line."""
        parts: list[str] = []
        steps = etree.iterwalk(top, events=("start", "end"))
        for event, element in steps:
            parts.append(" " if element.tag in _BORDERS or element.tag == "br" else "")
            if event == "end":
                parts.append((element.tail or "") if element is not top else "")
            elif element is not top and self._leave_out(element):
                steps.skip_subtree()
            else:
                parts.append(_spoken(element) if element.tag == "img" else element.text or "")
        return " ".join("".join(parts).split())


def _is_data(table: Element) -> bool:
    """Return whether a table holds data; the others are there for the layout."""
    if table.get("role") in ("presentation", "none"):
        return False
    if next((inner for inner in table.iter(*_NOT_IN_TABLES) if inner is not table), None) is not None:
        return False
    return any(sum(cell.tag in ("td", "th") for cell in row) > 1 for row in table.iter("tr"))


def _raw_text(element: Element) -> str:
    for line_break in element.iter("br"):
        line_break.tail = "\n" + (line_break.tail or "")
    return "".join(element.itertext())


def _spoken(image: Element) -> str:
    text = image.get("alt", "").strip()
    return "" if not text or _FILE_NAME.fullmatch(text) else f" {text} "


def _collapsed(text: str) -> str:
    return "\n".join(" ".join(line.split()) for line in text.split(_BREAK)).strip()
