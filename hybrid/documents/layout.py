"""Pieces of text on pages in reading order, as headings, paragraphs, lists, tables and listings.

First a page (page segmentation): words, rows, columns of prose and tables. Then the lines of all pages
(layout analysis): running heads go, paragraphs run over columns and pages, hyphens are mended.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from hybrid.documents.builder import TextBuilder
from hybrid.documents.cells import (
    CAPTION,
    RIGHT_TO_LEFT,
    Area,
    Row,
    Stroke,
    Table,
    TextRun,
    columns_of,
    framed_tables,
    join_row,
    rows_of,
    tables_of,
    words_in,
)
from hybrid.types import CELLS, BlockKind

_BULLET = re.compile(r"[•◦▪‣∙·●○■–—*-]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)]|\[\d{1,3}\]")
_CURRENCY = re.compile(r"(?:US|C|A)?[$€£¥]|(?:USD|EUR|GBP|CHF)")
_CLOSING = re.compile(r"[)%]+|%\s*\)")
_LED_OFF = re.compile(r"\s*(?:\.\s?){4,}$|\s*(?:\.\s){3,}$")
_LED = re.compile(r"(.*?\S)\s*(?:\.\s?){4,}(\S.*)")
_PAGE = re.compile(r"[A-Z]?-?\d{1,4}|[ivxlc]+", re.IGNORECASE)
# In sizes of the text: how far words of one piece may stand off, numbers of one column,
# what is between two columns, and rows of one table.
_MERGE_GAP = 0.9
NUMBER_GAP = 0.5
_GUTTER = 0.5
_FAR = 3.5
# What ends a number, and what begins one.
NUMBER_SIGNS = ("0123456789)%", "0123456789($-")
# Cells of a table are short; the lines of a column of prose are not.
_PROSE_WORDS = 3.6
_CELL_WORDS = 8
_BAND_WORDS = 20
# what no list begins with: a number other than one, a capital other than A and I
_LATER_ITEM = re.compile(r"(?!1[.)])\d{1,3}[.)]\s|(?![AI])[A-Z]\.\s")
_ITEM = re.compile(r"(?:[•◦▪‣∙·●○■–—*-]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)]|\[\d{1,3}\])\s+\S")
_NUMBERED = re.compile(
    r"(?:chapter|section|appendix|annex|part)\b|(?:[A-Z]|\d{1,3})(?:\.\d{1,3})*\.?\s+\S", re.I
)
_LEADER = re.compile(r"\s*(?:\.\s?){4,}|\s*(?:\.\s?){3}(?=\d+$)")
_NUMBERS = re.compile(r"\d+|(?<![^\W\d_])[ivxlc]{1,7}(?![^\W\d_])", re.IGNORECASE)
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_BROKEN = re.compile(r"(\S*\w)-$")
# what stands before a hyphen that stays, also at the end of a line
_COMPOUND = re.compile(
    r"\w|.*[-\d].*|[A-Z]+"
    r"|(?i:well|self|non|long|short|high|low|half|cross|ex|full|part|mid|two|three|four|five|year)"
)
_TWO_WORDS = re.compile(r"(?:and|or|to|und|oder|bis|et|y)\b")
_CJK = "[\u2e80-\u2fdf\u3001-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\uff01-\uff60]"
_CJK_BLANK = re.compile(f"(?<={_CJK})[ \u3000](?={_CJK})")
_SCALE = re.compile(r"\b(?:thousand|million|billion|percent|dollar|euro|unaudited|except)", re.I)
_SENTENCE_END = (".", "!", "?", ":", ";", "。", "”", ")")
# A text at the edge of so many pages is a running head (they differ on left and right pages).
_MIN_REPEATS = 3
_EDGE = 0.15
_EDGE_ROWS = 4
_LOOSE_STEP = 1.25
_HEADING_STEP = 1.4
_HEADING_SIZE = 1.12
_HEADING_LENGTH = 200
_BOLD_HEADING_LENGTH = 100
_CAPTION_LENGTH = 300
_LEVELS = 6
# characters: a line of fewer ends before the end of its column
_SHORT = 30


class Page(NamedTuple):
    """What stands on a page: text, lines and rectangles, its frame, how many characters of comments.

    ``by_ocr`` says that the text was read from a picture, ``pictured`` that one fills half of the page, and
    little else is on it.
    """

    pieces: list[TextRun]
    boxes: list[Stroke]
    frame: Stroke = Stroke(0, 0, 0, 0)
    comments: int = 0
    by_ocr: bool = False
    pictured: bool = False


@dataclass(slots=True)
class _Group:
    """Lines that belong together; ``turns`` holds the line numbers at which a page begins."""

    lines: list[TextRun] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    step_before: float = 0.0


def add_pages(builder: TextBuilder, pages: list[Page]) -> int:
    """Append the blocks of all pages, and mark where each page begins; return how many have no text.

    A picture of a page has none, whatever running head was put on it.
    """
    kept = _without_edges(builder, pages)
    textless = sum(
        not rest.pieces and (page.pictured or not page.pieces) for page, rest in zip(pages, kept, strict=True)
    )
    lines = [arrange(page.pieces, page.boxes) for page in kept]
    if any(lines):
        _Layout(builder, [line for page in lines for line in page if not line.table]).run(lines)
    return textless


class _Layout:
    def __init__(self, builder: TextBuilder, lines: list[TextRun]) -> None:
        self._builder = builder
        sizes: Counter[float] = Counter()
        for line in lines:
            sizes[round(line.size, 1)] += len(line.text)
        self._body = sizes.most_common(1)[0][0] if sizes else 1.0
        self._steps = _usual_steps(lines)
        self._leading = self._steps.get(round(self._body), 1.2 * self._body)
        self._words = Counter(word for line in lines for word in _WORD.findall(line.text.lower()))
        large = sorted({round(s) for s in sizes if s >= _HEADING_SIZE * self._body}, reverse=True)
        self._levels = {size: min(rank, _LEVELS) for rank, size in enumerate(large, start=1)}
        self._above = ""
        self._table: Table | None = None

    def run(self, pages: list[list[TextRun]]) -> None:
        group = _Group()
        waiting = 0
        for page in pages:
            waiting += 1
            for line in page:
                if line.table:
                    self._add(group)
                    group = _Group()
                    waiting = self._add_table(line.table, waiting)
                    continue
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

    def _add_table(self, table: Table, waiting: int) -> int:
        """Append a table, to that of the page before where it goes on; return the pages still to begin."""
        table = table._replace(
            rows=[[self._mended(cell.split("\n")) for cell in row] for row in table.rows],
            columns=tuple(self._mended(name.split("\n")) for name in table.columns),
            caption=[self._mended(line.split("\n")) for line in table.caption],
        )
        before, self._table = self._table, table
        goes_on = waiting and before and not table.caption and not self._above
        rows = "\n".join(CELLS.join(row) for row in table.rows)
        if goes_on and before and before.goes_on_in(table):
            if table.columns:
                self._builder.leave_out("repeated table head", len(CELLS.join(table.columns)))
            for _ in range(waiting):
                self._builder.start_page(inside=1)
            self._builder.extend(rows, glue="\n")
            self._table = table._replace(columns=before.columns)
            return 0
        self._start_pages(waiting)
        for line in table.caption:
            self._builder.add(BlockKind.PARAGRAPH, line)
        caption = " ".join([self._above, *table.caption]).strip()
        text = "\n".join([CELLS.join(table.columns), rows]).strip("\n")
        self._builder.add(BlockKind.TABLE, text, caption=caption, columns=table.columns)
        self._above = ""
        return 0

    def _is_border(self, group: _Group, line: TextRun, *, new_page: bool) -> bool:
        # where the step down is larger than usual, size or weight changes, a line is indented, or an item
        # begins; a paragraph may run over the end of a column or a page
        last = group.lines[-1]
        if abs(line.size - last.size) > 0.08 * last.size:
            return True
        if (line.bold, line.monospaced) != (last.bold, last.monospaced):
            return True
        has_leader, follows_one = _has_leader(line.text), _has_leader(last.text)
        if line.monospaced or has_leader or follows_one:
            return new_page or has_leader != follows_one
        step, leading = last.y - line.y, self._steps.get(round(line.size), 1.2 * line.size)
        if _ITEM.match(line.text):
            in_step = 0 < step < _LOOSE_STEP * leading
            return not (in_step and _goes_on_with_a_number(group.lines[0], last, line))
        if new_page or step < -0.5 * leading or step > 4 * leading:
            # the next column or page: the same paragraph only if the sentence plainly goes on
            if step > 0 and not new_page and len(last.text) < _SHORT:
                return True
            return last.text.endswith(_SENTENCE_END) or not (
                line.text[0].islower()
                or _BROKEN.search(last.text[-40:])
                or _goes_on_in_cjk(last.text, line.text)
            )
        shift, far = line.x - last.x, 0.8 * line.size
        if shift > far and not _ITEM.match(group.lines[0].text):
            return True
        ends_early = len(last.text) < _SHORT and last.text.endswith(_SENTENCE_END[:4])
        return step > _LOOSE_STEP * leading or ends_early or (shift < -far and len(group.lines) > 1)

    def _add(self, group: _Group) -> None:
        if not group.lines:
            return
        self._table = None
        has_leader = _has_leader(group.lines[0].text)
        level = 0 if has_leader else self._heading_level(group)
        # a word or two alone, as where a term is defined
        is_term = len(group.lines) == 1 and len(group.lines[0].text.split()) <= 3
        if level:
            self._add_text(BlockKind.HEADING, group, level=level)
        elif has_leader:
            self._builder.add(
                BlockKind.LIST, "\n".join(_LEADER.sub(" … ", line.text) for line in group.lines)
            )
        elif group.lines[0].monospaced and not is_term:
            self._builder.add(BlockKind.CODE, "\n".join(_indented(group.lines)))
        else:
            kind = BlockKind.LIST if _ITEM.match(group.lines[0].text) else BlockKind.PARAGRAPH
            self._add_text(kind, group)
        text = " ".join(line.text for line in group.lines)
        self._above = _caption_in(text, is_heading=level > 0, before=self._above)

    def _heading_level(self, group: _Group) -> int:
        first = group.lines[0]
        text = " ".join(line.text for line in group.lines)
        if len(text) > _HEADING_LENGTH or sum(map(str.isalpha, text)) < 3:
            return 0
        if level := self._levels.get(round(first.size), 0):
            return level if first.size >= _HEADING_SIZE * self._body else 0
        stands_off = group.step_before > _HEADING_STEP * self._leading or group.step_before <= 0
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
        texts = [line.text for line in group.lines]
        starts = [0, *sorted(set(group.turns)), len(texts)]
        for start, stop in pairwise(starts):
            text = self._mended(texts[start:stop])
            if start:
                kept, glue = self._seam(texts[start - 1], texts[start])
                text = glue + text
            if stop < len(texts):  # the hyphen before the end of a page goes with it
                kept, _ = self._seam(texts[stop - 1], texts[stop])
                text = text[: len(text) - len(texts[stop - 1]) + kept]
            yield group.turns.count(start), text

    def _mended(self, lines: list[str]) -> str:
        """Return the lines as one text."""
        parts = []
        for last, line in pairwise([*lines, ""]):
            kept, glue = self._seam(last, line)
            parts += [last[:kept], glue] if line else [last]
        text = "".join(parts)
        return text if text.isascii() else _CJK_BLANK.sub("", text)

    def _seam(self, last: str, line: str) -> tuple[int, str]:
        """Return how many characters of a line stay before the next one, and what stands between them."""
        if _goes_on_in_cjk(last, line):
            return len(last), ""
        broken = _BROKEN.search(last[-40:]) if last[-1:] == "-" else None
        if not broken or _TWO_WORDS.match(line):
            return len(last), " "
        return len(last) - self._is_one_word(broken[1], line), ""

    def _is_one_word(self, start: str, rest: str) -> bool:
        """Return whether the hyphen goes: it stays where the text has the word only with it."""
        match = _WORD.match(rest)
        if not match or not rest[0].islower():
            return False
        end, start = match[0].lower(), re.sub(r"^\W+", "", start)
        if self._words[start.lower() + end]:
            return True
        # words of their own, more often than here
        are_two = self._words[start.lower()] > 1 and self._words[end] > 1
        return not (are_two or self._words[f"{start.lower()}-{end}"] or _COMPOUND.fullmatch(start))


def _has_leader(text: str) -> bool:
    return (".." in text or ". ." in text) and _LEADER.search(text) is not None


def _goes_on_in_cjk(last: str, line: str) -> bool:
    return last[-1:] > "\u2e80" and bool(re.match(_CJK, last[-1]) and re.match(_CJK, line[:1]))


def _caption_in(text: str, *, is_heading: bool, before: str) -> str:
    """Return what of the text above a table names it."""
    text = " ".join(text.split())
    if _SCALE.search(text) and len(text) < 80 and before:
        return f"{before} {text}"
    if is_heading or CAPTION.match(text):
        return text[:_CAPTION_LENGTH]
    if text.endswith(":") or len(text) < 120:
        return re.split(r"(?<=[.!?])\s", text)[-1][-_CAPTION_LENGTH:]
    return ""


def _goes_on_with_a_number(first: TextRun, last: TextRun, line: TextRun) -> bool:
    """Tell whether a line that begins like an item, with ``220.`` or ``B.``, is only the rest of a sentence.

    No list begins with these; in a list, its items would stand where the first one does.
    """
    if not _LATER_ITEM.match(line.text) or last.text.endswith(_SENTENCE_END) or len(last.text) < _SHORT:
        return False
    near = 0.5 * line.size
    return abs(line.x - last.x) < near and not (_ITEM.match(first.text) and abs(line.x - first.x) < near)


def _usual_steps(lines: list[TextRun]) -> dict[int, float]:
    """Return the most frequent step from line to line for each size of text."""
    steps: dict[int, Counter[float]] = defaultdict(Counter)
    for last, line in pairwise(lines):
        step = last.y - line.y
        if 0 < step < 2 * max(line.size, 1.0) and abs(line.size - last.size) < 0.5:
            steps[round(line.size)][round(step * 2) / 2] += len(line.text)
    return {size: counts.most_common(1)[0][0] for size, counts in steps.items()}


def _indented(lines: list[TextRun]) -> Iterator[str]:
    left = min(line.x for line in lines)
    for line in lines:
        # a glyph of a monospaced font is 0.6 of its size wide
        blanks = round((line.x - left) / (0.6 * line.size)) if line.size else 0
        yield " " * min(max(blanks, 0), 80) + line.text


class _Edge(NamedTuple):
    """A piece of the outermost row of a page at its top or bottom."""

    page: int
    piece: TextRun
    pattern: str
    numbers: tuple[int, ...]
    height: int


def _without_edges(builder: TextBuilder, pages: list[Page]) -> list[Page]:
    """Leave out what returns at the top or the bottom of the pages, and numbers that count them."""
    rows = [rows_of(page.pieces) for page in pages]
    # what stands elsewhere on the pages, too, is a heading and no running head
    inner = Counter(piece.text for page in rows for row in page[_EDGE_ROWS:-_EDGE_ROWS] for piece in row)
    for top in (True, False):
        active = list(range(len(pages)))
        for _ in range(_EDGE_ROWS):
            edges = [edge for page in active for edge in _edges(page, pages[page], rows[page], top=top)]
            active = []
            for edge in _repeated(edges, inner):
                builder.leave_out("running head", len(edge.piece.text))
                row = rows[edge.page][0 if top else -1]
                row.remove(edge.piece)
                if not row:
                    rows[edge.page].remove(row)
                    rest = rows[edge.page]
                    if rest and abs(rest[0 if top else -1][0].y - edge.piece.y) < 3 * edge.piece.size:
                        active.append(edge.page)
    kept = [[piece for row in rest for piece in row] for rest in rows]
    # a document that repeats itself on every page has no edges but the text itself
    return (
        [page._replace(pieces=rest) for page, rest in zip(pages, kept, strict=True)] if any(kept) else pages
    )


def _edges(number: int, page: Page, rows: list[Row], *, top: bool) -> Iterator[_Edge]:
    row, inner = (rows if top else rows[::-1])[:2] if len(rows) > 1 else (*rows, [], [])[:2]
    if 1 < len(row) <= len(inner) and abs(row[0].y - inner[0].y) < 2.2 * row[0].size:
        return  # the heads of a table
    for piece in row:
        height = page.frame.top - piece.y if top else piece.y - page.frame.bottom
        if height < _EDGE * (page.frame.top - page.frame.bottom):
            numbers = tuple(map(_number, _NUMBERS.findall(piece.text)))
            yield _Edge(number, piece, _NUMBERS.sub("#", piece.text), numbers, round(height / 4))


def _number(text: str) -> int:
    if text.isdigit():
        return int(text[:9])
    values = [*(_ROMAN[letter] for letter in text.lower()), 0]
    return sum(-value if value < after else value for value, after in pairwise(values))


def _repeated(edges: list[_Edge], inner: Counter[str]) -> list[_Edge]:
    """Return the edges whose text is on others, too, or would be but for a number that counts the pages."""
    groups: dict[tuple[object, ...], list[_Edge]] = defaultdict(list)
    for edge in edges:
        if inner[edge.piece.text] < 2:
            groups[edge.pattern, edge.numbers, edge.height].append(edge)
        for place, value in enumerate(edge.numbers):
            rest = edge.numbers[:place] + edge.numbers[place + 1 :]
            groups[edge.pattern, rest, place, value - edge.page].append(edge)
    found: dict[tuple[int, TextRun], _Edge] = {}
    for key, group in groups.items():
        on = {edge.page for edge in group}
        if len(on) >= (_MIN_REPEATS if len(key) == 3 or group[0].pattern == "#" else _MIN_REPEATS - 1):
            found |= {(edge.page, edge.piece): edge for edge in group}
    return list(found.values())


# --- one page --------------------------------------------------------------------------------


class _Gutter(NamedTuple):
    """A gap between pieces from row ``first`` to row ``last``; ``both`` counts rows with text beside it."""

    left: float
    right: float
    first: int
    last: int
    both: int

    def with_row(self, row: Row, number: int) -> _Gutter | None:
        """Return the gutter with one more row, None where a piece of it is in the way."""
        least = _GUTTER * row[0].size
        best, inner = (0.0, least), False
        for index, (left, right) in enumerate(_free(row)):
            left, right = max(left, self.left), min(right, self.right)
            if right - left >= max(least, best[1] - best[0]):
                best, inner = (left, right), 0 < index < len(row)
        if best == (0.0, least):
            return None
        return _Gutter(*best, min(self.first, number), max(self.last, number), self.both + inner)


def arrange(pieces: list[TextRun], boxes: list[Stroke]) -> list[TextRun]:
    """Return the lines of a page in reading order; a table is a piece of its own."""
    for outer in _areas(boxes):
        # from below, so that none takes the rows of the next for its own
        for area in reversed(list(_tabular(outer, [piece for piece in pieces if outer.holds(piece)]))):
            if len(area.levels) < 3:
                continue
            inside = [piece for piece in pieces if area.holds(piece)]
            area = _lengthened(area, inside, pieces)
            inside = [piece for piece in pieces if area.holds(piece)]
            tables = framed_tables(inside, boxes, area) or tables_of(rows_of(inside), area)
            if tables and not _has_labels_outside(tables[0], inside, pieces, area):
                pieces = [piece for piece in pieces if not area.holds(piece)]
                step = (area.levels[0] - area.levels[-1]) / len(tables)
                for number, table in enumerate(tables):
                    y = area.levels[0] - inside[0].size - number * step
                    pieces.append(TextRun("", area.left, area.right, y, inside[0].size, table=table))
    return _ordered(rows_of(pieces))


def _tabular(area: Area, pieces: list[TextRun]) -> Iterator[Area]:
    """Yield the parts of an area without the prose and headings between its lines."""
    area = area._replace(levels=list(_with_prose_apart(area, rows_of(pieces))))
    bands: dict[int, Row] = {}
    for piece in pieces:
        bands.setdefault(area.band(piece), []).append(piece)
    usual = sorted(piece.size for piece in pieces)[len(pieces) // 2] if pieces else 0.0
    levels = area.levels[:1]
    for number, (top, bottom) in enumerate(pairwise(area.levels), start=1):
        band = bands.get(number, [])
        alone = not band or max(piece.x for piece in band) < min(piece.end for piece in band)
        is_title = len(band) == 1 and (band[0].size > 1.08 * usual or CAPTION.match(band[0].text))
        words = sum(words_in(piece.text) for piece in band)
        if (alone and (is_title or words > _BAND_WORDS)) or (not band and top - bottom > _FAR * usual):
            yield area._replace(levels=levels)
            levels = []
        levels.append(bottom)
    yield area._replace(levels=levels)


def _with_prose_apart(area: Area, rows: list[Row]) -> Iterator[float]:
    """Yield the levels of an area, with one more where prose follows a row that has no line below it."""
    width = area.right - area.left
    for top, bottom in pairwise([*area.levels, -math.inf]):
        yield top
        cells: Row = []
        for first, *others in (row for row in rows if top > row[0].y > bottom):
            is_wide = first.end - first.x > 0.6 * width and first.x < area.left + 0.1 * width
            if others:
                cells = [first, *others]
            elif cells and is_wide and words_in(first.text) > _CELL_WORDS:
                yield cells[0].y - 0.5 * cells[0].size
                break


def _lengthened(area: Area, inside: list[TextRun], pieces: list[TextRun]) -> Area:
    """Return the area with the row below it that has no line at its end."""
    columns = columns_of(rows_of(inside))
    last, low = min((piece for piece in inside), key=lambda p: p.y, default=None), area.levels[-1]
    if last is None or len(columns) < 2:
        return area
    touched: set[int] = set()
    for piece in sorted(pieces, key=lambda piece: -piece.y):
        if piece.y > area.levels[-1] or piece.x > area.right or piece.end < area.left:
            continue
        on = [n for n, (left, right) in enumerate(columns) if left < piece.end and right > piece.x]
        far = (2.2 if touched else 5) * piece.size  # a value may stand in the middle of a high cell
        is_other = piece.table or CAPTION.match(piece.text) or abs(piece.size - last.size) > 0.5
        if is_other or len(on) != 1 or low - piece.y > far:
            break
        touched.update(on)
        low = piece.y
    return area._replace(levels=[*area.levels, low - 1]) if 2 * len(touched) >= max(len(columns), 4) else area


def whole(pieces: list[TextRun], boxes: list[Stroke]) -> list[TextRun]:
    """Return the pieces of a page with those joined that belong together."""
    uprights = [box for box in boxes if box.is_upright]
    return [piece for row in rows_of(pieces) for piece in _merged(row, uprights)]


def _merged(row: Row, uprights: list[Stroke]) -> Row:
    """Join what belongs together: words, a bullet and its item, a sign and its number, dots that lead."""
    row = [part for piece in row for part in _led(piece, alone=len(row) == 1)]
    merged = row[:1]
    for number, piece in enumerate(row[1:], start=1):
        last = merged[-1]
        if not _is_one(last, piece, row[number:], uprights, first=len(merged) == 1):
            merged.append(piece)
            continue
        signs = _CURRENCY.fullmatch(last.text) or _CLOSING.fullmatch(piece.text)
        tight = signs or piece.x - last.end < 0.17 * max(piece.size, last.size)
        pair = [last.text, piece.text]
        if RIGHT_TO_LEFT.search(last.text) and RIGHT_TO_LEFT.search(piece.text):
            pair.reverse()
        larger = last if len(last.text) >= len(piece.text) else piece
        merged[-1] = larger._replace(
            text=("" if tight else " ").join(pair),
            x=last.x,
            end=max(piece.end, last.end),
            bold=last.bold and piece.bold,
        )
    if len(merged) == 1:
        return merged
    # dots lead to the values of a row
    return [p._replace(text=_LED_OFF.sub("", p.text) or p.text) if p.text[-1] == "." else p for p in merged]


def _is_one(last: TextRun, piece: TextRun, rest: Row, uprights: list[Stroke], *, first: bool) -> bool:
    """Return whether two neighbours in a row belong together; ``rest`` is the row from the second on."""
    gap = (piece.x - last.end) / max(piece.size, last.size)
    if len(last.text) < 6:
        if _CURRENCY.fullmatch(last.text) and gap < 15:
            return True
        if first and gap < 5 and _BULLET.fullmatch(last.text):
            return True
    if len(piece.text) < 4:
        if _CURRENCY.fullmatch(piece.text) and len(rest) > 1 and rest[1].is_value:
            return False
        if _CLOSING.fullmatch(piece.text) and gap < 3:
            return True
    if last.text[-1] == "." and len(rest) == 1 and _LED_OFF.search(last.text) and _PAGE.fullmatch(piece.text):
        return True
    least = 0.2 if piece.text[0] == "$" else NUMBER_GAP
    if gap > least and last.text[-1] in NUMBER_SIGNS[0] and piece.text[0] in NUMBER_SIGNS[1]:
        return False
    return (gap <= _MERGE_GAP or (piece.text[0] == "." and bool(_LED_OFF.match(piece.text)))) and not any(
        last.end - 2 <= box.left <= piece.x + 2 and box.bottom < piece.y < box.top for box in uprights
    )


def _led(piece: TextRun, *, alone: bool) -> Row:
    """Return a label and the value that dots lead to, but not to the number of a page, as two pieces."""
    has_dots = ".." in piece.text or ". ." in piece.text
    match = _LED.fullmatch(piece.text) if has_dots else None
    if not match or (alone and _PAGE.fullmatch(match[2])):
        return [piece]
    width = (piece.end - piece.x) / len(piece.text)
    start = piece.end - width * len(match[2])
    label = piece._replace(text=match[1], end=piece.x + width * len(match[1]))
    return [label, piece._replace(text=match[2], x=start)]


def _free(row: Row) -> Iterator[tuple[float, float]]:
    left = -math.inf
    for piece in row:
        yield left, piece.x
        left = max(left, piece.end)
    yield left, math.inf


def _gutters(rows: list[Row]) -> list[_Gutter]:
    closed: list[_Gutter] = []
    open_: list[_Gutter] = []
    for number, row in enumerate(rows):
        going: list[_Gutter] = []
        for gutter in open_:
            longer = gutter.with_row(row, number)
            (going if longer else closed).append(longer or gutter)
        open_ = going
        # columns whose lines stand on other heights have no row in common
        near = number and rows[number - 1][0].y - row[0].y < 0.9 * row[0].size
        both = sorted(rows[number - 1] + row, key=lambda piece: piece.x) if near else row
        for left, right in list(_free(both))[1:-1]:
            if right - left < _GUTTER * row[0].size or any(
                gutter.left < right and left < gutter.right for gutter in open_
            ):
                continue
            new: _Gutter | None = _Gutter(left, right, number, number, 0).with_row(row, number)
            for above in range(number - 1, -1, -1):
                longer = new and new.with_row(rows[above], above)
                if not longer:
                    break
                new = longer
            if new:
                open_.append(new)
    return closed + open_


def _ordered(rows: list[Row]) -> list[TextRun]:
    """Read columns of prose one after the other, and rows of a table as rows."""
    if all(len(row) == 1 for row in rows) and not any(
        above[0].y - row[0].y < 0.9 * row[0].size for above, row in pairwise(rows)
    ):
        return [row[0] for row in rows]
    gutters = _gutters(rows)
    prose = [gutter for gutter in gutters if _parts_prose(rows, gutter)]
    if prose:
        gutter = max(prose, key=lambda gutter: (gutter.both + 1) * (gutter.last - gutter.first + 1))
        middle = (gutter.left + gutter.right) / 2
        inside = rows[gutter.first : gutter.last + 1]
        left = [[piece for piece in row if piece.end <= middle] for row in inside]
        right = [[piece for piece in row if piece.end > middle] for row in inside]
        return [
            *_ordered(rows[: gutter.first]),
            *_ordered([row for row in left if row]),
            *_ordered([row for row in right if row]),
            *_ordered(rows[gutter.last + 1 :]),
        ]
    items: list[TextRun] = []
    done = 0
    for first, last in _zones(rows, gutters):
        tables = tables_of(rows[first : last + 1])
        if tables:
            items += _lines(rows[done:first])
            top = rows[first][0]
            items += [top._replace(text="", table=table) for table in tables]
            done = last + 1
    return [*items, *_lines(rows[done:])]


def _lines(rows: list[Row]) -> Iterator[TextRun]:
    for row in rows:
        if text := [piece for piece in row if not piece.table]:
            yield join_row(text)
        yield from (piece for piece in row if piece.table)


def _parts_prose(rows: list[Row], gutter: _Gutter) -> bool:
    """Return whether text runs down on both sides, and not from cell to cell."""
    sides: tuple[Row, Row] = ([], [])
    for row in rows[gutter.first : gutter.last + 1]:
        left = [piece for piece in row if piece.end <= gutter.left + 1]
        right = [piece for piece in row if piece.x >= gutter.right - 1]
        sides[0].extend(left[-1:])
        sides[1].extend(right[:1])
    least = 1 if gutter.both else 3
    # the rows of a table have cells on both sides
    count = gutter.last - gutter.first + 1
    usual = _PROSE_WORDS if count < 6 or gutter.both > 0.4 * count else 0.75 * _PROSE_WORDS
    for side in sides:
        words = sum(usual if piece.table else words_in(piece.text) for piece in side)
        odd = sum(piece.is_value or piece.text.endswith(":") or piece.monospaced for piece in side)
        if len(side) < least or words < usual * len(side) or odd > 0.25 * len(side):
            return False
    return True


def _zones(rows: list[Row], gutters: list[_Gutter]) -> Iterator[tuple[int, int]]:
    """Yield from which row to which one gutters part cells."""
    edges = {
        number
        for number, (above, row) in enumerate(pairwise(rows), start=1)
        if above[0].y - row[0].y > _FAR * max(row[0].size, above[0].size)
    }
    zones: list[list[int]] = []
    for gutter in sorted((g for g in gutters if g.both > 1), key=lambda gutter: gutter.first):
        inner = [
            number
            for number in range(gutter.first, gutter.last + 1)
            if len(rows[number]) > 1 and any(p.end <= gutter.left + 1 for p in rows[number])
        ]
        first, last = inner[0], inner[-1]
        if zones and first <= zones[-1][1] + 1:
            zones[-1][1] = max(zones[-1][1], last)
        else:
            zones.append([first, last])
    for first, last in zones:
        # heads that stand above all columns but the first, and lines of a cell that go on
        left = min((row[0] for row in rows[first : last + 1]), key=lambda piece: piece.x)
        right = max(row[-1].end for row in rows[first : last + 1])
        while first and first not in edges and _heads(rows[first - 1], left, right):
            first -= 1
        while last + 1 < len(rows) and last + 1 not in edges and _goes_on(rows[last], rows[last + 1], left):
            last += 1
        start = first
        for number in range(first + 1, last + 1):
            if number in edges:
                yield start, number - 1
                start = number
        yield start, last


def _heads(row: Row, left: TextRun, right: float) -> bool:
    """Return whether a row stands above the columns but the first, and not above the whole table."""
    middle = (row[0].x + row[-1].end) / 2
    of_values, of_all = (left.end + right) / 2, (left.x + right) / 2
    return row[0].x > left.end and not row[0].table and abs(middle - of_values) < abs(middle - of_all)


def _goes_on(row: Row, below: Row, left: TextRun) -> bool:
    near = row[0].y - below[0].y < 1.5 * below[0].size and not below[0].table
    return near and (below[0].x > left.end or (len(below) == 1 and below[0].text[:1].islower()))


def _areas(boxes: Iterable[Stroke]) -> list[Area]:
    """Return where at least three lines or edges of the same length stand above one another."""
    edges: list[tuple[float, float, float]] = []
    for box in boxes:
        if box.right - box.left > 12:
            thin = box.top - box.bottom < 8
            heights = [(box.top + box.bottom) / 2] if thin else [box.top, box.bottom]
            edges += [(-height, box.left, box.right) for height in heights]
    edges.sort()
    levels: list[list[tuple[float, float, float]]] = []
    for edge in edges:
        if levels and edge[0] - levels[-1][0][0] < 3:
            levels[-1].append(edge)
        else:
            levels.append([edge])
    groups: dict[tuple[int, int], list[tuple[float, float, float]]] = {}
    for level in levels:
        left, right = level[0][1:]
        for _, start, stop in [*sorted(level, key=lambda edge: edge[1]), (0.0, math.inf, math.inf)]:
            if start > right + 12:
                if right - left > 60:
                    key = next(
                        (k for k in groups if abs(k[0] - left) < 8 and abs(k[1] - right) < 8),
                        (round(left), round(right)),
                    )
                    groups.setdefault(key, []).append((-level[0][0], left, right))
                left, right = start, stop
            left, right = min(left, start), max(right, stop)
    return [
        Area(min(e[1] for e in group), max(e[2] for e in group), [e[0] for e in group])
        for group in sorted(groups.values(), key=lambda group: group[0][1] - group[0][2])
        if len(group) > 2
    ]


def _has_labels_outside(table: Table, inside: list[TextRun], pieces: list[TextRun], area: Area) -> bool:
    """Return whether only the numbers stand between the lines, as with those drawn below sums."""
    if any(row[0] and row[0][-1] not in NUMBER_SIGNS[0] for row in table.rows):
        return False
    heights = {round(piece.y) for piece in inside}
    beside = sum(piece.end <= area.left + 2 and round(piece.y) in heights for piece in pieces)
    return beside > 0.5 * len(heights)
