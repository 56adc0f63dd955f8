"""Pieces of text on a page become rows, columns of prose and tables, in reading order (page geometry)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

_BULLET = re.compile(r"[•◦▪‣∙·●○■–—*-]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)]|\[\d{1,3}\]")
_CURRENCY = re.compile(r"(?:US|C|A)?[$€£¥]|(?:USD|EUR|GBP|CHF)")
_CLOSING = re.compile(r"[)%]+|%\s*\)")
_LEADER = re.compile(r"\s*(?:\.\s?){4,}$|\s*(?:\.\s){3,}$")
_LED = re.compile(r"(.*?\S)\s*(?:\.\s?){4,}(\S.*)")
_PAGE = re.compile(r"[A-Z]?-?\d{1,4}|[ivxlc]+", re.IGNORECASE)
_VALUE = re.compile(
    r"[(\[]?\s?[-−–+~<>≤≥±]?\s?(?:US|C|A)?[$€£¥]?\s?[-−–+(]?\s?"
    r"(?:\d{1,3}(?:[,.’' ]\d{3})+(?:[.,]\d+)?|\d+[.,]?\d*|[.,]\d+)\s?(?:%|x|bps|pts|[a-zA-Z*†]{1,2})?\s?[)\]]?[%*†]*"
    r"|[-–—−*]+|N/?[AM]\*?|n\.?[am]\.?|nil",
)
_YEAR = re.compile(r"(?:FY\s?)?(?:19|20)\d\d[A-Z*]?")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_OPEN_END = re.compile(r"(?:\b(?:and|or|of|the|to|for|in|on|by|from|with|at|per|as|net|than|und|der|die|von)|[,&/(-])$", re.I)
CAPTION = re.compile(r"(?:table|exhibit|schedule|figure|chart|tabelle|tableau)\s+[\w.-]+", re.IGNORECASE)
_SAME_LINE = 0.35
_MERGE_GAP = 0.9
# Two numbers so far apart stand in two columns; the first set ends a number, the second begins one.
NUMBER_GAP = 0.5
NUMBER_SIGNS = ("0123456789)%", "0123456789($-")
_GUTTER = 0.5
_FAR = 3.5
# Cells of a table are short; the lines of a column of prose are not.
_PROSE_WORDS = 3.6
_CELL_WORDS = 7
_BAND_WORDS = 20


class Box(NamedTuple):
    """A line or rectangle drawn on a page, in points from its lower left corner."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def is_upright(self) -> bool:
        """Return whether it is a vertical line."""
        return self.right - self.left < 3 and self.top - self.bottom > 4

    def turned(self, degrees: int) -> Box:
        """Return the box on a page turned back by so many degrees."""
        cos, sin = round(math.cos(math.radians(degrees)), 9), round(math.sin(math.radians(degrees)), 9)
        xs = [x * cos + y * sin for x in (self.left, self.right) for y in (self.bottom, self.top)]
        ys = [y * cos - x * sin for x in (self.left, self.right) for y in (self.bottom, self.top)]
        return Box(min(xs), min(ys), max(xs), max(ys))


class Piece(NamedTuple):
    """A stretch of text without a wide gap: from where to where, on which height, and how it looks."""

    text: str
    x: float
    end: float
    y: float
    size: float
    bold: bool = False
    monospaced: bool = False
    table: Table | None = None

    @property
    def is_value(self) -> bool:
        """Return whether it is a number, or what stands for one in a table, but no year."""
        return bool(_VALUE.fullmatch(self.text)) and not _YEAR.fullmatch(self.text)


class Table(NamedTuple):
    """Rows of cells, the names of the columns (none where no row names them), and lines that name it.

    The lines of a cell are still apart.
    """

    rows: list[list[str]]
    columns: tuple[str, ...]
    caption: list[str]
    is_form: bool = False


Row = list[Piece]


class Cell(NamedTuple):
    """Text in the columns ``first`` to ``last`` of a row."""

    first: int
    last: int
    text: str
    bold: bool
    is_value: bool
    end: float


class _Area(NamedTuple):
    """A part of a page between horizontal lines of the same length."""

    left: float
    right: float
    levels: list[float]

    def holds(self, piece: Piece) -> bool:
        middle = (piece.x + piece.end) / 2
        height = piece.y + 0.3 * piece.size
        return self.left - 2 < middle < self.right + 2 and self.levels[-1] < height < self.levels[0]

    def band(self, piece: Piece) -> int:
        return sum(level > piece.y + 0.3 * piece.size for level in self.levels)


class _Gutter(NamedTuple):
    """A gap between pieces that goes down from row ``first`` to row ``last``, ``both`` with text beside it."""

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


def arrange(pieces: list[Piece], boxes: list[Box]) -> list[Piece]:
    """Return the lines of a page in reading order; a table is a piece of its own."""
    uprights = [box for box in boxes if box.is_upright]
    for outer in _areas(boxes):
        for area in _tabular(outer, [piece for piece in pieces if outer.holds(piece)]):
            inside = [piece for piece in pieces if area.holds(piece)]
            area = _lengthened(area, inside, pieces)  # noqa: PLW2901
            inside = [piece for piece in pieces if area.holds(piece)]
            tables = _tables(rows_of(inside, uprights), area)
            if tables and not _has_labels_outside(tables[0], inside, pieces, area):
                pieces = [piece for piece in pieces if not area.holds(piece)]
                step = (area.levels[0] - area.levels[-1]) / len(tables)
                for number, table in enumerate(tables):
                    y = area.levels[0] - inside[0].size - number * step
                    pieces.append(Piece("", area.left, area.right, y, inside[0].size, table=table))
    return _ordered(rows_of(pieces, uprights))


def _tabular(area: _Area, pieces: list[Piece]) -> Iterator[_Area]:
    """Yield the parts of an area without the prose and headings between its lines."""
    bands: dict[int, Row] = {}
    for piece in pieces:
        bands.setdefault(area.band(piece), []).append(piece)
    usual = sorted(piece.size for piece in pieces)[len(pieces) // 2] if pieces else 0.0
    levels: list[float] = []
    for number, (top, bottom) in enumerate(pairwise(area.levels), start=1):
        band = bands.get(number, [])
        rows = rows_of(band) if band else []
        alone = not band or max(piece.x for piece in band) < min(piece.end for piece in band)
        is_title = len(rows) == 1 and (band[0].size > 1.08 * usual or CAPTION.match(band[0].text))
        words = sum(_words(piece.text) for piece in band)
        if (alone and (is_title or words > _BAND_WORDS)) or (not band and top - bottom > _FAR * usual):
            if len(levels) > 2:
                yield area._replace(levels=levels)
            levels = [bottom]
        else:
            levels += [bottom] if levels else [top, bottom]
    if len(levels) > 2:
        yield area._replace(levels=levels)


def _lengthened(area: _Area, inside: list[Piece], pieces: list[Piece]) -> _Area:
    """Return the area with the row below it that has no line at its end."""
    columns = _columns(rows_of(inside))
    last, low = min((piece for piece in inside), key=lambda p: p.y, default=None), area.levels[-1]
    if last is None or len(columns) < 2:
        return area
    touched: set[int] = set()
    for piece in sorted(pieces, key=lambda piece: -piece.y):
        if piece.y > area.levels[-1] or piece.x > area.right or piece.end < area.left:
            continue
        on = [n for n, (left, right) in enumerate(columns) if left < piece.end and right > piece.x]
        if len(on) != 1 or low - piece.y > 2.2 * piece.size or abs(piece.size - last.size) > 0.5:
            break
        touched.update(on)
        low = piece.y
    return area._replace(levels=[*area.levels, low - 1]) if len(touched) > 1 else area


def rows_of(pieces: list[Piece], uprights: Sequence[Box] = ()) -> list[Row]:
    """Return the pieces that stand on one height, from left to right, the highest first."""
    rows: list[Row] = []
    for piece in sorted(pieces, key=lambda piece: (-piece.y, piece.x)):
        if rows and rows[-1][0].y - piece.y <= _SAME_LINE * min(piece.size, rows[-1][0].size):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return [_merged(sorted(row, key=lambda piece: piece.x), uprights) for row in rows]


def join_row(row: Row) -> Piece:
    """Return the pieces of a row as one."""
    if len(row) == 1:
        return row[0]
    texts = [piece.text for piece in row]
    if _RIGHT_TO_LEFT.search(texts[0]) and _RIGHT_TO_LEFT.search(texts[-1]):
        texts.reverse()
    large = max(row, key=lambda piece: len(piece.text))
    return large._replace(
        text=" ".join(texts), x=row[0].x, end=max(piece.end for piece in row), bold=all(p.bold for p in row)
    )


def _merged(row: Row, uprights: Sequence[Box]) -> Row:
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
        if _RIGHT_TO_LEFT.search(last.text) and _RIGHT_TO_LEFT.search(piece.text):
            pair.reverse()
        larger = last if len(last.text) >= len(piece.text) else piece
        merged[-1] = larger._replace(
            text=("" if tight else " ").join(pair),
            x=last.x,
            end=max(piece.end, last.end),
            bold=last.bold and piece.bold,
        )
    if len(merged) > 1:  # dots lead to the values of a row
        merged = [piece._replace(text=_LEADER.sub("", piece.text) or piece.text) for piece in merged]
    return merged


def _is_one(last: Piece, piece: Piece, rest: Row, uprights: Sequence[Box], *, first: bool) -> bool:
    """Return whether two neighbours in a row belong together, ``rest`` is the row from the second on."""
    if last.table or piece.table:
        return False
    gap = (piece.x - last.end) / max(piece.size, last.size)
    if _CURRENCY.fullmatch(last.text) and gap < 15:
        return True
    if _CURRENCY.fullmatch(piece.text) and len(rest) > 1 and rest[1].is_value:
        return False
    if _CLOSING.fullmatch(piece.text) and gap < 3:
        return True
    if first and _BULLET.fullmatch(last.text) and gap < 5:
        return True
    if _LEADER.search(last.text) and len(rest) == 1 and _PAGE.fullmatch(piece.text):
        return True
    least = 0.2 if piece.text[0] == "$" else NUMBER_GAP
    if gap > least and last.text[-1] in NUMBER_SIGNS[0] and piece.text[0] in NUMBER_SIGNS[1]:
        return False
    return (gap <= _MERGE_GAP or bool(_LEADER.match(piece.text))) and not any(
        last.end - 2 <= box.left <= piece.x + 2 and box.bottom < piece.y < box.top for box in uprights
    )


def _led(piece: Piece, *, alone: bool) -> Row:
    """Return a label and the value that dots lead to, but not to the number of a page, as two pieces."""
    match = _LED.fullmatch(piece.text)
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


def _ordered(rows: list[Row]) -> list[Piece]:
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
    items: list[Piece] = []
    done = 0
    for first, last in _zones(rows, gutters):
        tables = _tables(rows[first : last + 1])
        if tables:
            items += _lines(rows[done:first])
            top = rows[first][0]
            items += [top._replace(text="", table=table) for table in tables]
            done = last + 1
    return [*items, *_lines(rows[done:])]


def _lines(rows: list[Row]) -> Iterator[Piece]:
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
    usual = _PROSE_WORDS if count < 6 or gutter.both > 0.4 * count else _PROSE_WORDS / 2
    for side in sides:
        words = sum(usual if piece.table else _words(piece.text) for piece in side)
        odd = sum(piece.is_value or piece.text.endswith(":") or piece.monospaced for piece in side)
        if len(side) < least or words < usual * len(side) or odd > 0.25 * len(side):
            return False
    return True


def _words(text: str) -> float:
    words = text.count(" ") + 1
    # Chinese and Japanese have no blanks
    return words if text.isascii() else max(words, sum(character > "\u2e80" for character in text) / 2)


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


def _heads(row: Row, left: Piece, right: float) -> bool:
    """Return whether a row stands above the columns but the first, and not above the whole table."""
    middle = (row[0].x + row[-1].end) / 2
    of_values, of_all = (left.end + right) / 2, (left.x + right) / 2
    return row[0].x > left.end and not row[0].table and abs(middle - of_values) < abs(middle - of_all)


def _goes_on(row: Row, below: Row, left: Piece) -> bool:
    near = row[0].y - below[0].y < 1.5 * below[0].size and not below[0].table
    return near and (below[0].x > left.end or (len(below) == 1 and below[0].text[:1].islower()))


def _columns(rows: list[Row]) -> list[tuple[float, float]]:
    """Return from where to where the columns go: as the rows with the most cells have them."""
    columns: list[list[float]] = []
    for row in sorted(rows, key=len, reverse=True):
        for piece in row:
            touched = [column for column in columns if column[0] < piece.end and column[1] > piece.x]
            if not touched:
                columns.append([piece.x, piece.end, 0])
                touched = columns[-1:]
            if len(touched) == 1:
                touched[0][0] = min(touched[0][0], piece.x)
                touched[0][1] = max(touched[0][1], piece.end)
                touched[0][2] += 1
    columns.sort()
    kept: list[tuple[float, float]] = []
    for left, right, count in columns:
        if kept and count == 1 and len(rows) > 4:  # a wide blank within one cell
            kept[-1] = kept[-1][0], right
        else:
            kept.append((left, right))
    return kept


def _cells(row: Row, columns: list[tuple[float, float]]) -> list[Cell]:
    cells: list[Cell] = []
    for piece in row:
        touched = [n for n, (left, right) in enumerate(columns) if left < piece.end and right > piece.x]
        first, last = (touched[0], touched[-1]) if touched else (0, 0)
        cells.append(Cell(first, last, piece.text, piece.bold, piece.is_value, piece.end))
    return cells


def _tables(rows: list[Row], area: _Area | None = None) -> list[Table]:
    """Return the rows as tables, one below the other; none where they are no table."""
    if not rows or any(piece.table or piece.monospaced for row in rows for piece in row):
        return []
    columns = _columns(rows)
    if len(columns) < 2:
        return []
    lines = _logical(rows, columns, area)
    if sum(len(line) > 1 for line in lines) < 2:
        return []
    body = [cell for line in lines for cell in line if cell.first]
    short = sum(cell.is_value or _words(cell.text) <= _CELL_WORDS for cell in body)
    if not area and short < 0.7 * len(body):
        return []
    labels = [cell.text for line in lines for cell in line[:1] if not cell.first]
    if sum(text.endswith(":") for text in labels) > 0.6 * len(labels) and len(columns) % 2 == 0:
        return [_form(lines, len(columns))]
    heads = [n for n in range(len(lines)) if n == 0 or _starts_anew(lines, n)]
    return [
        _with_heads(lines[start:stop], len(columns), ruled=area is not None)
        for start, stop in pairwise([*heads, len(lines)])
    ]


def _logical(rows: list[Row], columns: list[tuple[float, float]], area: _Area | None) -> list[list[Cell]]:
    """Return the rows of cells; a cell of several lines is one."""
    bands = [area.band(row[0]) if area else -1 for row in rows]
    whole = set(bands) - {-1} if area else set()
    for band in list(whole):
        values: dict[int, int] = {}
        for row, of in zip(rows, bands, strict=True):
            if of == band:
                for cell in _cells(row, columns):
                    values[cell.first] = values.get(cell.first, 0) + cell.is_value
        if max(values.values(), default=0) > 1:
            whole.discard(band)
    steps = sorted(above[0].y - row[0].y for above, row in pairwise(rows) if len(above) > 1 and len(row) > 1)
    usual = steps[len(steps) // 2] if steps else math.inf
    lines: list[list[Cell]] = []
    has_data = False
    for number, row in enumerate(rows):
        cells = _cells(row, columns)
        joins = False
        if number and bands[number] == bands[number - 1]:
            step = rows[number - 1][0].y - row[0].y
            above = lines[-1]
            if bands[number] in whole:
                joins = step < 1.7 * row[0].size or cells[0].first > 0
            elif step > 1.6 * row[0].size:
                joins = False
            elif len(above) == 1 and not above[0].first and not cells[0].first:
                word = cells[0].text.split(" ", 1)[0]
                is_full = above[0].end + 0.5 * row[0].size * (len(word) + 1) > columns[0][1]
                # what is set off below is the rest of a label, or one of several rows below their head
                next_row = rows[number + 1] if number + 1 < len(rows) else []
                rest = len(next_row) < 2 or len(row) < 2 or abs(next_row[0].x - row[0].x) > 1
                hangs = row[0].x > rows[number - 1][0].x + 3 and rest and above[0].text[-1] != ":"
                joins = _runs_on(above[0], cells[0]) or (is_full and (step < 0.93 * usual or hangs))
            elif has_data or cells[0].first:
                joins = _continues(above, cells)
        if joins:
            lines[-1] = _stacked(lines[-1], cells)
        else:
            lines.append(cells)
        has_data |= any(cell.is_value and cell.first for cell in cells)
    return lines


def _runs_on(above: Cell, below: Cell) -> bool:
    if above.text.endswith(":"):
        return False
    return below.text[:1].islower() or bool(_OPEN_END.search(above.text))


def _continues(line: list[Cell], cells: list[Cell]) -> bool:
    """Return whether a row goes on with the cells of the row above it."""
    if any(cell.is_value for cell in cells):
        return False
    if not cells[0].first:
        return len(cells) == 1 and _runs_on(line[0], cells[0])
    spans = {(cell.first, cell.last): cell.is_value for cell in line}
    return all(not spans.get((cell.first, cell.last), True) for cell in cells)


def _stacked(above: list[Cell], below: list[Cell]) -> list[Cell]:
    cells = list(above)
    for cell in below:
        for number, other in enumerate(cells):
            if other.first <= cell.last and cell.first <= other.last:
                text = f"{other.text}\n{cell.text}"
                first, last = min(other.first, cell.first), max(other.last, cell.last)
                if (first, last) != (other.first, other.last) and len(cells) > 1:
                    first, last = other.first, other.last
                cells[number] = Cell(first, last, text, other.bold and cell.bold, False, cell.end)
                break
        else:
            cells.append(cell)
    return sorted(cells)


def _is_data(line: list[Cell]) -> bool:
    return any(cell.is_value and cell.first for cell in line)


def _starts_anew(lines: list[list[Cell]], number: int) -> bool:
    """Return whether a row of heads stands within the rows: another table begins."""
    line = lines[number]
    if len(line) == 1 and CAPTION.match(line[0].text):
        return True
    if len(line) < 2 or any(cell.is_value for cell in line) or not any(map(_is_data, lines[:number])):
        return False
    is_set_off = all(cell.bold for cell in line) and not any(cell.bold for cell in lines[number - 1])
    below = lines[number + 1 : number + 3]
    return (is_set_off or line[0].first > 0) and any(map(_is_data, below))


def _with_heads(lines: list[list[Cell]], width: int, *, ruled: bool) -> Table:
    data = next((n for n, line in enumerate(lines) if _is_data(line)), None)
    if data is None:
        full = [n for n, line in enumerate(lines) if len(line) == width]
        bold = [all(cell.bold for cell in line) for line in lines]
        start = full[0] if full else 0
        named = bool(full) and start + 1 < len(lines) and bold[start] and not all(bold[start:])
        count = start + 1 if named and start < 3 else 0
    else:
        count = max((n + 1 for n in range(data) if any(cell.first for cell in lines[n])), default=0)
    heads, body = lines[:count], lines[count:]
    caption = []
    while heads and len(heads[0]) == 1 and (ruled or heads[0][0].first == 0) and len(heads) > 1:
        cell = heads[0][0]
        centred = cell.first == width - 1 - cell.last and not heads[-1][0].first
        if cell.first and not centred:
            break
        caption.append(cell.text)
        heads = heads[1:]
    names: list[str] = [""] * width
    for number, line in enumerate(heads):
        for cell in line:
            for column in range(cell.first, cell.last + 1):
                wide = any(c.first <= column <= c.last and c.first < c.last for c in heads[number - 1][:] if number)
                names[column] += (", " if wide else "\n") * bool(names[column]) + cell.text.removesuffix(",")
    rows = [_texts(line, width) for line in body]
    return Table(rows, tuple(names) if any(names) else (), caption)


def _texts(line: list[Cell], width: int) -> list[str]:
    texts = [""] * width
    for cell in line:
        texts[cell.first] += "\n" * bool(texts[cell.first]) + cell.text
    return texts


def _form(lines: list[list[Cell]], width: int) -> Table:
    """Return the pairs of label and value, a row each."""
    pairs = []
    for line in lines:
        texts = _texts(line, width)
        for label, value in zip(texts[::2], texts[1::2], strict=True):
            if label or value:
                pairs.append([f"{label}\n{value}".strip()])
    return Table(pairs, (), [], is_form=True)


def _areas(boxes: Iterable[Box]) -> list[_Area]:
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
        _Area(min(e[1] for e in group), max(e[2] for e in group), [e[0] for e in group])
        for group in sorted(groups.values(), key=lambda group: group[0][1] - group[0][2])
        if len(group) > 2
    ]


def _has_labels_outside(table: Table, inside: list[Piece], pieces: list[Piece], area: _Area) -> bool:
    """Return whether only the numbers stand between the lines, as with those drawn below sums."""
    if not all(_VALUE.fullmatch(row[0]) or not row[0] for row in table.rows):
        return False
    heights = {round(piece.y) for piece in inside}
    beside = sum(piece.end <= area.left + 2 and round(piece.y) in heights for piece in pieces)
    return beside > 0.5 * len(heights)
