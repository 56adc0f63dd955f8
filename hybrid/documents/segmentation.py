"""A page in reading order (page segmentation): words, rows, columns of prose and tables."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from hybrid.documents.cells import (
    CAPTION,
    RIGHT_TO_LEFT,
    Area,
    Row,
    Stroke,
    TextRun,
    columns_of,
    framed_tables,
    join_row,
    rows_of,
    tables_of,
    words_in,
)

_BULLET = re.compile(r"[•◦▪‣∙·●○■–—*-]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)]|\[\d{1,3}\]")
_CURRENCY = re.compile(r"(?:US|C|A)?[$€£¥]|(?:USD|EUR|GBP|CHF)")
_CLOSING = re.compile(r"[)%]+|%\s*\)")
_LED_OFF = re.compile(r"\s*(?:\.\s?){4,}$|\s*(?:\.\s){3,}$")
_LED = re.compile(r"(.*?\S)\s*(?:\.\s?){4,}(\S.*)")
_PAGE = re.compile(r"[A-Z]?-?\d{1,4}|[ivxlc]+", re.IGNORECASE)
_SPAN = re.compile(r"(?:\w+\.? )?(?:19|20)\d\d ?[–-] ?(?:(?:\w+\.? )?(?:19|20)\d\d|\w+)")
# In sizes of the text: how far words of one piece may stand off, numbers of one column, other sizes,
# what is between two columns, and rows of one table.
_MERGE_GAP = 0.9
NUMBER_GAP = OTHER_GAP = 0.5
_GUTTER = 0.5
_ROWS_BELOW = 3
_FAR = 3.5
# What ends a number, and what begins one.
NUMBER_SIGNS = ("0123456789)%", "0123456789($-")
# Cells of a table are short; the lines of a column of prose are not.
_PROSE_WORDS = 3.6
_BAND_WORDS = 20
SENTENCE_END = (".", "!", "?", ":", ";", "。", "”", ")")


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
        parts = (
            part for one in _walled(outer, boxes) for part in _tabular(one, [*filter(one.holds, pieces)])
        )
        for area in reversed(list(parts)):
            if len(area.levels) < 3:
                continue
            columns = columns_of(rows_of([piece for piece in pieces if area.holds(piece)]))
            if len(columns) > 1:
                area = _lengthened(_with_row_of_heads(area, columns, pieces), columns, pieces)
            inside = [piece for piece in pieces if area.holds(piece)]
            tables = framed_tables(inside, boxes, area) or tables_of(rows_of(inside), area)
            if tables:
                pieces = [piece for piece in pieces if not area.holds(piece)]
                step = (area.levels[0] - area.levels[-1]) / len(tables)
                for number, table in enumerate(tables):
                    y = area.levels[0] - inside[0].size - number * step
                    pieces.append(TextRun("", area.left, area.right, y, inside[0].size, table=table))
    return _ordered(rows_of(pieces))


def _walled(area: Area, boxes: list[Stroke]) -> Iterator[Area]:
    """Yield the parts of an area that lines down its rows hold together; all of it where it has few of these.

    A title between two lines belongs to the table below it; what is higher than three rows parts two tables.
    """
    near = [box for box in boxes if box.is_upright and area.left - 5 < box.left < area.right + 5]
    bands = list(pairwise(area.levels))
    held = [any(box.top > bottom + 3 and box.bottom < top - 3 for box in near) for top, bottom in bands]
    heights = sorted(top - bottom for (top, bottom), is_held in zip(bands, held, strict=True) if is_held)
    if 2 * len(heights) < len(held):
        yield area
        return
    levels = area.levels[:1]
    for (top, bottom), is_held in zip(bands, held, strict=True):
        if not is_held and top - bottom > 2 * heights[len(heights) // 2]:
            yield area._replace(levels=levels)
            levels = []
        levels.append(bottom)
    yield area._replace(levels=levels)


def _tabular(area: Area, pieces: list[TextRun]) -> Iterator[Area]:
    """Yield the parts of an area without the prose and headings between its lines."""
    area = area._replace(levels=list(_with_prose_apart(area, rows_of(pieces))))
    bands: dict[int, Row] = {}
    for piece in pieces:
        bands.setdefault(area.band(piece), []).append(piece)
    usual = sorted(piece.size for piece in pieces)[len(pieces) // 2] if pieces else 0.0
    levels = area.levels[:1]
    for number, bottom in enumerate(area.levels[1:], start=1):
        band = bands.get(number, [])
        alone = not band or max(piece.x for piece in band) < min(piece.end for piece in band)
        is_title = len(band) == 1 and (band[0].size > 1.08 * usual or CAPTION.match(band[0].text))
        words = sum(words_in(piece.text) for piece in band)
        if alone and (is_title or words > _BAND_WORDS):
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
            elif cells and is_wide:
                yield cells[0].y - 0.5 * cells[0].size
                break


def _with_row_of_heads(area: Area, columns: list[tuple[float, float]], pieces: list[TextRun]) -> Area:
    """Return the area with the row above it, where its first line is drawn below the heads."""
    near = [p for p in pieces if area.left - 2 < p.x and p.end < area.right + 2 and p.y > area.levels[0] - 1]
    above = rows_of([piece for piece in near if piece.y < area.levels[0] + 1.5 * piece.size])
    if not above or len(above[-1]) < max(2, len(columns) - 1):
        return area
    head = above[-1][0]
    return area._replace(levels=[head.y + 1.2 * head.size, *area.levels])


def _lengthened(area: Area, columns: list[tuple[float, float]], pieces: list[TextRun]) -> Area:
    """Return the area with the row below it that has no line at its end."""
    low, touched = area.levels[-1], set[int]()
    for piece in sorted(pieces, key=lambda piece: -piece.y):
        if piece.y > area.levels[-1] or piece.x > area.right or piece.end < area.left:
            continue
        on = [n for n, (left, right) in enumerate(columns) if left < piece.end and right > piece.x]
        far = (2.2 if touched else 5) * piece.size  # a value may stand in the middle of a high cell
        if len(on) != 1 or low - piece.y > far:
            break
        touched.update(on)
        low = piece.y
    return area._replace(levels=[*area.levels, low - 1]) if 2 * len(touched) >= max(len(columns), 4) else area


def whole(pieces: list[TextRun], boxes: list[Stroke]) -> list[TextRun]:
    """Return the pieces of a page with those joined that belong together."""
    uprights = [box for box in boxes if box.is_upright]
    return [piece for row in rows_of(_with_initials(pieces)) for piece in _merged(row, uprights)]


def _with_initials(pieces: list[TextRun]) -> list[TextRun]:
    """Return the pieces with each large first letter (drop cap) before the line that it begins."""
    kept = pieces
    for letter in [piece for piece in pieces if len(piece.text) == 1 and piece.text.isupper()]:
        lines = [
            piece
            for piece in kept
            if piece.size < 0.6 * letter.size
            and abs(piece.x - letter.end) < piece.size
            and letter.y - piece.size < piece.y < letter.y + letter.size
        ]
        if lines and (first := max(lines, key=lambda line: line.y)).text[:1].isalpha():
            begun = first._replace(text=letter.text + first.text)
            kept = [begun if piece is first else piece for piece in kept if piece is not letter]
    return kept


def _merged(row: Row, uprights: list[Stroke]) -> Row:
    """Join what belongs together: words, a bullet and its item, a sign and its number, dots that lead."""
    row = [part for piece in row for part in _led(piece, alone=len(row) == 1)]
    merged = row[:1]
    line = "".join(piece.text for piece in row)
    turns = 2 * len(RIGHT_TO_LEFT.findall(line)) > sum(map(str.isalpha, line))
    kept = 0  # what runs to the right at the beginning of the piece, in a line that runs to the left
    for number, piece in enumerate(row[1:], start=1):
        last = merged[-1]
        if not _is_one(last, piece, row[number:], uprights, first=len(merged) == 1):
            merged.append(piece)
            kept = 0
            continue
        signs = _CURRENCY.fullmatch(last.text) or _CLOSING.fullmatch(piece.text)
        tight = signs or piece.x - last.end < 0.17 * max(piece.size, last.size)
        glue = "" if tight else " "
        text = f"{last.text}{glue}{piece.text}"
        if turns:
            kept = kept or (0 if RIGHT_TO_LEFT.search(last.text) else len(last.text))
            runs_right = RIGHT_TO_LEFT.search(piece.text) is None and any(map(str.isalnum, last.text[:kept]))
            before = f"{last.text[:kept]}{glue}" if runs_right else ""
            text = f"{before}{piece.text}{'' if runs_right else glue}{last.text[kept if runs_right else 0 :]}"
            kept = 0 if RIGHT_TO_LEFT.search(piece.text) else len(before) + len(piece.text)
        larger = last if len(last.text) >= len(piece.text) else piece
        merged[-1] = larger._replace(
            text=text,
            x=last.x,
            end=max(piece.end, last.end),
            bold=last.bold and piece.bold,
        )
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
    if gap > OTHER_GAP and min(piece.size, last.size) < 0.85 * max(piece.size, last.size):
        return False
    least = 0.2 if piece.text[0] == "$" else NUMBER_GAP
    if gap > least and last.text[-1] in NUMBER_SIGNS[0] and piece.text[0] in NUMBER_SIGNS[1]:
        return False
    return gap <= _MERGE_GAP and not any(
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
    for first in range(len(rows) - 1):
        stop = _end_below_heads(rows, first)
        if stop and (tables := tables_of(rows[first:stop], headed=True)):
            found = [rows[first][0]._replace(text="", table=table) for table in tables]
            return [*_ordered(rows[:first]), *found, *_ordered(rows[stop:])]
    gutters = _gutters(rows)
    prose = [gutter for gutter in gutters if _parts_prose(rows, gutter)]
    if prose:
        gutter = max(prose, key=lambda gutter: (gutter.both + 1) * (gutter.last - gutter.first + 1))
        middle = (gutter.left + gutter.right) / 2
        first = gutter.first
        # the end of a paragraph above the columns may be as short as a line of theirs
        while 0 < first < gutter.last and _goes_on_below([rows[first - 1][:1]], rows[first]):
            first += 1
        gutter = gutter._replace(first=first, last=_end_of_columns(rows, gutter))
        inside = rows[gutter.first : gutter.last + 1]
        left = [[piece for piece in row if piece.end <= middle] for row in inside]
        right = [[piece for piece in row if piece.end > middle] for row in inside]
        below = rows[gutter.last + 1 :]
        return [
            *_ordered(rows[: gutter.first]),
            *_ordered([row for row in left if row]),
            *_ordered([row for row in right if row]),
            *_ordered(below),
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


def _end_below_heads(rows: list[Row], first: int) -> int:
    """Return where the rows end whose cells begin below three or more bold heads; 0 where none begin so.

    So large is a table whose cells are prose of several lines, which else would be read as columns of prose.
    """
    heads = rows[first]
    if len(heads) < 3 or not all(head.bold for head in heads):
        return 0
    stop, last = first + 1, 0
    while stop < len(rows) and all(
        not piece.bold and any(abs(piece.x - head.x) < 2 for head in heads) for piece in rows[stop]
    ):
        stop += 1
        last = stop if len(rows[stop - 1]) > 1 else last
    begun = {
        n
        for row in rows[first + 1 : stop]
        for n, head in enumerate(heads)
        for piece in row
        if abs(piece.x - head.x) < 2
    }
    return stop if last and len(begun) == len(heads) else 0


def _goes_on_below(column: list[Row], row: Row) -> bool:
    last = column[-1][-1]
    near = 0 < last.y - row[0].y < 1.4 * last.size and abs(row[0].x - last.x) < 2
    return len(row) == 1 and near and not last.text.endswith(SENTENCE_END)


def _end_of_columns(rows: list[Row], gutter: _Gutter) -> int:
    """Return the last row of two columns: a heading below both, with what spans them below it, is in none.

    Where nothing spans them any more, one column is longer than the other.
    """
    if gutter.last + 1 == len(rows):
        return gutter.last
    sides = [{piece.end > gutter.left + 1 for piece in row} for row in rows[: gutter.last + 1]]
    number = gutter.last
    while number > gutter.first and sides[number] == sides[gutter.last] and len(sides[number]) == 1:
        row, above = rows[number][0], rows[number - 1][0]
        if row.size > 1.08 * above.size or (row.bold and not above.bold):
            return number - 1 if gutter.last - number < _ROWS_BELOW else gutter.last
        number -= 1
    return gutter.last


def _lines(rows: list[Row]) -> Iterator[TextRun]:
    for row in rows:
        if text := [piece for piece in row if not piece.table]:
            yield join_row(text)
        yield from (piece for piece in row if piece.table)


def _is_flush_right(side: Row) -> bool:
    """Return whether pieces end below one another and begin anywhere, as no lines of prose do."""
    ends, begins = [piece.end for piece in side], [piece.x for piece in side]
    apart = max(begins) - min(begins) > 2 * side[0].size
    return apart and max(ends) - min(ends) < 1.5 and not any(RIGHT_TO_LEFT.search(p.text) for p in side)


def _parts_prose(rows: list[Row], gutter: _Gutter) -> bool:
    """Return whether text runs down on both sides, and not from cell to cell."""
    sides: tuple[Row, Row] = ([], [])
    for row in rows[gutter.first : gutter.last + 1]:
        left = [piece for piece in row if piece.end <= gutter.left + 1]
        right = [piece for piece in row if piece.x >= gutter.right - 1]
        sides[0].extend(left[-1:])
        sides[1].extend(right[:1])
    if gutter.both > 1 and _is_flush_right(sides[1]):
        return False  # labels and their values
    least = 1 if gutter.both else 3
    count = gutter.last - gutter.first + 1
    if gutter.both <= count / 4 and all(map(_is_headed, sides)):
        return True  # short lines, as in the margin of a curriculum vitae
    # the rows of a table have cells on both sides
    usual = _PROSE_WORDS if count < 6 or gutter.both > 0.4 * count else 0.75 * _PROSE_WORDS
    for side in sides:
        words = sum(usual if piece.table else words_in(piece.text) for piece in side)
        odd = sum(
            piece.is_value
            or piece.text.endswith(":")
            or piece.monospaced
            or _SPAN.fullmatch(piece.text) is not None
            for piece in side
        )
        if len(side) < least or words < usual * len(side) or odd > 0.25 * len(side):
            return False
    return True


def _is_headed(side: Row) -> bool:
    """Return whether headings stand above some of the lines."""
    sizes = sorted(piece.size for piece in side)
    heads = sum(piece.size > 1.08 * sizes[len(sizes) // 2] for piece in side)
    return len(side) > 3 and 0 < heads <= len(side) // 2


def _zones(rows: list[Row], gutters: list[_Gutter]) -> Iterator[tuple[int, int]]:
    """Yield from which row to which one gutters part cells."""
    edges = {
        number
        for number, (above, row) in enumerate(pairwise(rows), start=1)
        if above[0].y - row[0].y > _FAR * max(row[0].size, above[0].size)
    }
    for number in range(1, len(rows) - 1):
        if len(rows[number]) == 1 and rows[number][0].size > 1.08 * max(
            piece.size for row in (rows[number - 1], rows[number + 1]) for piece in row
        ):
            edges |= {number, number + 1}  # a heading
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
    if row[-1].end > right + 2 * row[-1].size:
        return False
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
