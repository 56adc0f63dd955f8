"""Lines on pages become headings, paragraphs, lists and listings (layout analysis)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from hybrid.documents.builder import TextBuilder
from hybrid.types import BlockKind

_ITEM = re.compile(r"(?:[•◦▪‣∙·●○■–—*-]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)]|\[\d{1,3}\])\s+\S")
_NUMBERED = re.compile(
    r"(?:chapter|section|appendix|annex|part)\b|(?:[A-Z]|\d{1,3})(?:\.\d{1,3})*\.?\s+\S", re.I
)
_PAGE_NUMBER = re.compile(
    r"(?:page\s+)?[-–—]?\s*(?:\d{1,5}|[ivxlc]{1,8})\s*[-–—]?(?:\s*(?:of|/)\s*\d{1,5})?", re.IGNORECASE
)
_LEADER = re.compile(r"\s*(?:\.\s?){4,}")
_DIGITS = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_BROKEN_WORD = re.compile(r"([^\W\d_]+)[-\u00ad\u2010]$")
_SENTENCE_END = (".", "!", "?", ":", ";", "。", "”", ")")
# A text at the edge of so many pages is a header (they differ on left and right pages); so is a line
# far from the others at the same height of so many.
_MIN_REPEATS = 3
_TEXT_SHARE = 0.3
_HEIGHT_SHARE = 0.6
_LOOSE_STEP = 1.25
_HEADING_STEP = 1.4
_HEADING_SIZE = 1.12
_HEADING_LENGTH = 200
_BOLD_HEADING_LENGTH = 100
_LEVELS = 6


class Line(NamedTuple):
    """A line of text, how far right and how high it stands, and how it looks."""

    text: str
    x: float
    y: float
    size: float
    bold: bool = False
    monospaced: bool = False

    @property
    def has_leader(self) -> bool:
        """Return whether dots lead to a page number, as in a table of contents."""
        return _LEADER.search(self.text) is not None


@dataclass(slots=True)
class _Group:
    """Lines that belong together; ``turns`` holds the line numbers at which a page begins."""

    lines: list[Line] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    step_before: float = 0.0

    @property
    def is_term(self) -> bool:
        """Return whether a word or two stand alone, as where a term is defined."""
        return len(self.lines) == 1 and len(self.lines[0].text.split()) <= 3


def add_lines(builder: TextBuilder, pages: list[list[Line]]) -> None:
    """Append the blocks of all pages, and mark where each page begins."""
    pages = _without_edges(pages)
    lines = [line for page in pages for line in page]
    if lines:
        _Layout(builder, lines).run(pages)


class _Layout:
    def __init__(self, builder: TextBuilder, lines: list[Line]) -> None:
        self._builder = builder
        sizes: Counter[float] = Counter()
        for line in lines:
            sizes[round(line.size, 1)] += len(line.text)
        self._body = sizes.most_common(1)[0][0] or 1.0
        self._leading = _usual_step(lines)
        self._words = Counter(word for line in lines for word in _WORD.findall(line.text.lower()))
        large = sorted({round(s) for s in sizes if s >= _HEADING_SIZE * self._body}, reverse=True)
        self._levels = {size: min(rank, _LEVELS) for rank, size in enumerate(large, start=1)}

    def run(self, pages: list[list[Line]]) -> None:
        group = _Group()
        waiting = 0
        for page in pages:
            waiting += 1
            for line in page:
                if group.lines and self._is_border(group, line, new_page=waiting > 0):
                    step = group.lines[-1].y - line.y
                    self._add(group)
                    group = _Group(step_before=step)
                if waiting and not group.lines:
                    self._start_pages(waiting)
                elif waiting:
                    group.turns += [len(group.lines)] * waiting
                waiting = 0
                group.lines.append(line)
        self._add(group)
        self._start_pages(waiting)

    def _start_pages(self, count: int) -> None:
        for _ in range(count):
            self._builder.start_page()

    def _is_border(self, group: _Group, line: Line, *, new_page: bool) -> bool:
        # where the step down is larger than usual, size or weight changes, a line is indented, or an item
        # begins; a paragraph may run over the end of a column or a page
        last = group.lines[-1]
        if not new_page and abs(line.y - last.y) < 0.3 * last.size and line.x > last.x:
            return False  # one line in several pieces, or the cells of a row
        if abs(line.size - last.size) > 0.08 * last.size or line.monospaced != last.monospaced:
            return True
        if line.bold != last.bold and (last.bold or line.bold):
            return True
        if line.monospaced or line.has_leader or last.has_leader:
            return new_page or line.has_leader != last.has_leader
        if _ITEM.match(line.text):
            return True
        step = last.y - line.y
        if new_page or step < -0.5 * self._leading or step > 4 * self._leading:
            # the next column or page: the same paragraph only if the sentence plainly goes on
            return last.text.endswith(_SENTENCE_END) or not (
                line.text[0].islower() or _BROKEN_WORD.search(last.text)
            )
        return step > _LOOSE_STEP * self._leading or self._is_indented(group, line) or self._ends_early(last)

    def _is_indented(self, group: _Group, line: Line) -> bool:
        shift = line.x - group.lines[-1].x
        if _ITEM.match(group.lines[0].text):
            return shift < -0.8 * line.size and len(group.lines) > 1
        if shift > 0.8 * line.size:
            return True
        return shift < -0.8 * line.size and len(group.lines) > 1

    def _ends_early(self, line: Line) -> bool:
        return line.text.endswith(_SENTENCE_END[:4]) and len(line.text) < 30

    def _add(self, group: _Group) -> None:
        if not group.lines:
            return
        level = self._heading_level(group)
        if level:
            self._add_text(BlockKind.HEADING, group, level=level)
        elif group.lines[0].has_leader:
            self._builder.add(
                BlockKind.LIST, "\n".join(_LEADER.sub(" … ", line.text) for line in group.lines)
            )
        elif group.lines[0].monospaced and not group.is_term:
            self._builder.add(BlockKind.CODE, "\n".join(_indented(group.lines)))
        else:
            kind = BlockKind.LIST if _ITEM.match(group.lines[0].text) else BlockKind.PARAGRAPH
            self._add_text(kind, group)

    def _heading_level(self, group: _Group) -> int:
        first = group.lines[0]
        text = " ".join(line.text for line in group.lines)
        if len(text) > _HEADING_LENGTH or sum(character.isalpha() for character in text) < 3:
            return 0
        if level := self._levels.get(round(first.size), 0):
            return level if first.size >= _HEADING_SIZE * self._body else 0
        stands_off = group.step_before > _HEADING_STEP * self._leading or group.step_before < 0
        if not first.bold or len(text) > _BOLD_HEADING_LENGTH or text[-1] in ".,;:0123456789":
            return 0
        is_title = bool(_NUMBERED.match(text)) or (stands_off and first.text[:1].isupper())
        return min(len(self._levels) + 1, _LEVELS) if is_title and first.size >= 0.95 * self._body else 0

    def _add_text(self, kind: BlockKind, group: _Group, *, level: int = 0) -> None:
        parts = list(self._joined(group))
        self._builder.add(kind, parts[0][1], level=level)
        for pages, text in parts[1:]:
            glue, text = (" ", text[1:]) if text.startswith(" ") else ("", text)
            for _ in range(pages):
                self._builder.start_page(inside=len(glue))
            self._builder.extend(text, glue=glue)

    def _joined(self, group: _Group) -> Iterator[tuple[int, str]]:
        """Yield (pages that begin here, text up to the next page), word breaks mended."""
        pieces = [group.lines[0].text]
        pages = 0
        for index, (last, line) in enumerate(pairwise(group.lines), start=1):
            glue = " "
            broken = _BROKEN_WORD.search(last.text[-40:]) if line.text[:1].islower() else None
            if broken:
                glue = ""
                if self._is_one_word(broken[1], line.text):
                    pieces[-1] = pieces[-1][:-1]
            if turns := group.turns.count(index):
                yield pages, "".join(pieces)
                pages, pieces = turns, []
            pieces.append(glue + line.text)
        yield pages, "".join(pieces)

    def _is_one_word(self, start: str, rest: str) -> bool:
        """Return whether the hyphen goes: it stays where the text has the word only with it."""
        match = _WORD.match(rest)
        end = match[0].lower() if match else ""
        start = start.lower()
        return not self._words[f"{start}-{end}"] or self._words[start + end] > 0


def _usual_step(lines: list[Line]) -> float:
    steps: Counter[float] = Counter()
    for last, line in pairwise(lines):
        step = last.y - line.y
        if 0 < step < 3 * max(line.size, 1.0):
            steps[round(step * 2) / 2] += len(line.text)
    return steps.most_common(1)[0][0] if steps else 12.0


def _indented(lines: list[Line]) -> Iterator[str]:
    left = min(line.x for line in lines)
    for line in lines:
        # a glyph of a monospaced font is 0.6 of its size wide
        blanks = round((line.x - left) / (0.6 * line.size)) if line.size else 0
        yield " " * min(max(blanks, 0), 80) + line.text


def _without_edges(pages: list[list[Line]]) -> list[list[Line]]:
    """Remove what returns at the top or the bottom of the pages, and page numbers."""
    full = sum(bool(page) for page in pages)
    if full < _MIN_REPEATS - 1:
        return pages
    stripped = pages
    for is_second in (False, True):  # headers and footers have two lines at most
        for top in (True, False):
            stripped = _without_edge(stripped, full, top=top, careful=is_second)
    # a document that repeats itself on every page has no edges but the text itself
    return stripped if any(stripped) else pages


def _without_edge(pages: list[list[Line]], full: int, *, top: bool, careful: bool) -> list[list[Line]]:
    """Remove one line at the top or bottom of each page; the ``careful`` only where it stands off."""
    edges = [_edge(page, top=top) for page in pages]
    candidates = [
        edge if edge and (not careful or _stands_off(edge, page)) else None
        for edge, page in zip(edges, pages, strict=True)
    ]
    texts = Counter(_DIGITS.sub("#", edge.text) for edge in candidates if edge)
    heights = Counter(
        round(edge.y / 2)
        for edge, page in zip(candidates, pages, strict=True)
        if edge and _stands_off(edge, page)
    )

    def is_repeated(edge: Line, page: list[Line]) -> bool:
        if _PAGE_NUMBER.fullmatch(edge.text):
            return True
        if texts[_DIGITS.sub("#", edge.text)] >= max(_MIN_REPEATS, _TEXT_SHARE * full):
            return True
        near = sum(heights[round(edge.y / 2) + shift] for shift in (-1, 0, 1))
        return _stands_off(edge, page) and near >= max(_MIN_REPEATS, _HEIGHT_SHARE * full)

    return [
        [line for line in page if line is not edge] if edge and is_repeated(edge, page) else page
        for page, edge in zip(pages, candidates, strict=True)
    ]


def _edge(page: list[Line], *, top: bool) -> Line | None:
    if not page:
        return None
    return max(page, key=lambda line: line.y) if top else min(page, key=lambda line: line.y)


def _stands_off(edge: Line, page: list[Line]) -> bool:
    """Return whether the line is far from all others."""
    nearest = min((abs(line.y - edge.y) for line in page if line is not edge), default=0.0)
    return nearest > 1.8 * max(edge.size, 1.0)
