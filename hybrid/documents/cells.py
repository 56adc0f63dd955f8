"""Rows of text on a page become tables: columns, heads, cells of several lines (table structure)."""

from __future__ import annotations

import math
import re
from bisect import bisect, bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

_VALUE = re.compile(
    r"(?:US|C|A)?\W{0,4}\d[\d.,’' ]*(?:%|x|bps|pts|[a-zA-Z]{1,2})?\W{0,4}|[-–—−*]+|N/?[AM]\*?|n\.?[am]\.?|nil"
)
_YEAR = re.compile(r"(?:FY\s?)?(?:19|20)\d\d[A-Z*]?")
CAPTION = re.compile(r"(?:table|exhibit|schedule|figure|chart|tabelle|tableau)\s+[\w.-]+", re.IGNORECASE)
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
# In sizes of the text: how far pieces of one line may stand off.
_SAME_LINE = 0.35
# Lines that are drawn no further apart, in points, are one.
_ONE_LINE = 6
# Cells of a table are short; so many words make one of prose.
_CELL_WORDS = 7
# In sizes of the text: lines of one cell are no further apart.
_CELL_STEP = 1.6
# In sizes of the text: closer lines stand beside one another.
_OVERLAP = 0.85


class Stroke(NamedTuple):
    """A line or rectangle drawn on a page, in points from its lower left corner."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def area(self) -> float:
        """Return how large it is, in square points."""
        return (self.right - self.left) * (self.top - self.bottom)

    @property
    def is_upright(self) -> bool:
        """Return whether it is a vertical line."""
        return self.right - self.left < 3 and self.top - self.bottom > 4

    def turned(self, degrees: int) -> Stroke:
        """Return the box on a page turned back by so many degrees."""
        cos, sin = round(math.cos(math.radians(degrees)), 9), round(math.sin(math.radians(degrees)), 9)
        xs = [x * cos + y * sin for x in (self.left, self.right) for y in (self.bottom, self.top)]
        ys = [y * cos - x * sin for x in (self.left, self.right) for y in (self.bottom, self.top)]
        return Stroke(min(xs), min(ys), max(xs), max(ys))


class TextRun(NamedTuple):
    """A stretch of text: from where to where, on which height, how it looks, and if a wide gap parts it."""

    text: str
    x: float
    end: float
    y: float
    size: float
    bold: bool = False
    monospaced: bool = False
    table: Table | None = None
    parted: bool = False

    @property
    def is_value(self) -> bool:
        """Return whether it is a number, or what stands for one in a table, but no year."""
        if len(self.text) > 30 or (len(self.text) > 5 and self.text[:4].isalpha()):
            return False
        return bool(_VALUE.fullmatch(self.text)) and not _YEAR.fullmatch(self.text)


class Table(NamedTuple):
    """Rows of cells, the names of the columns (none where no row names them), and lines that name it.

    The lines of a cell are still apart.
    """

    rows: list[list[str]]
    columns: tuple[str, ...]
    caption: list[str]

    def goes_on_in(self, other: Table) -> bool:
        """Return whether another table has rows of the same kind."""
        return len(self.rows[-1]) == len(other.rows[-1]) and other.columns in ((), self.columns)


Row = list[TextRun]
_X, _Y = attrgetter("x"), attrgetter("y")


class Cell(NamedTuple):
    """Text in the columns ``first`` to ``last`` of a row."""

    first: int
    last: int
    text: str
    bold: bool
    is_value: bool
    end: float


Line = list[Cell]


class Area(NamedTuple):
    """A part of a page between horizontal lines of the same length."""

    left: float
    right: float
    levels: list[float]

    def holds(self, piece: TextRun) -> bool:
        """Return whether a piece stands in it."""
        middle = (piece.x + piece.end) / 2
        height = piece.y + 0.3 * piece.size
        return self.left - 2 < middle < self.right + 2 and self.levels[-1] < height < self.levels[0]

    def band(self, piece: TextRun) -> int:
        """Return how many lines are above a piece."""
        height = piece.y + 0.3 * piece.size
        return sum([level > height for level in self.levels])


def words_in(text: str) -> float:
    """Return how many words a text has, about."""
    words = text.count(" ") + 1
    # Chinese and Japanese have no blanks
    return words if text.isascii() else max(words, sum(character > "\u2e80" for character in text) / 2)


def tables_of(rows: list[Row], area: Area | None = None, *, headed: bool = False) -> list[Table]:
    """Return the rows as tables, one below the other; none where they are no table.

    ``headed`` ones begin below bold heads, and their cells may be prose of several lines.
    """
    if not rows or any(piece.table or piece.monospaced for row in rows for piece in row):
        return []
    columns = columns_of(rows)
    lines = _lines(rows, columns, area, headed=headed)
    if sum(len(line) > 1 for line in lines) < 2:
        return []
    body = [cell for line in lines for cell in line if cell.first]
    short = sum(cell.is_value or words_in(cell.text) <= _CELL_WORDS for cell in body)
    if not area and ((short < 0.7 * len(body) and not headed) or not _has_aligned_column(rows, columns)):
        return []
    labels = [line[0].text for line in lines if not line[0].first]
    if sum(text.endswith(":") for text in labels) > 0.6 * len(labels) and len(columns) % 2 == 0:
        return [_form(lines, len(columns))]
    heads = [n for n in range(len(lines)) if n == 0 or _starts_anew(lines, n)]
    return [
        _with_heads(lines[start:stop], len(columns), ruled=area is not None)
        for start, stop in pairwise([*heads, len(lines)])
    ]


def rows_of(pieces: list[TextRun]) -> list[Row]:
    """Return the pieces that stand on one height, from left to right, the highest first."""
    if len(pieces) == 1:
        return [pieces[:]]
    rows: list[Row] = []
    for piece in sorted(sorted(pieces, key=_X), key=_Y, reverse=True):
        first = rows[-1][0] if rows else piece
        step = first.y - piece.y
        if rows and step <= _SAME_LINE * piece.size and step <= _SAME_LINE * first.size:
            rows[-1].append(piece)
        else:
            rows.append([piece])
    for row in rows:
        if len(row) > 1:
            row.sort(key=_X)
    return rows


def join_row(row: Row) -> TextRun:
    """Return the pieces of a row as one."""
    if len(row) == 1:
        return row[0]
    texts = [piece.text for piece in row]
    if RIGHT_TO_LEFT.search(texts[0]) and RIGHT_TO_LEFT.search(texts[-1]):
        texts.reverse()
    large = max(row, key=lambda piece: len(piece.text))
    return large._replace(
        text=" ".join(texts),
        x=row[0].x,
        end=max(piece.end for piece in row),
        bold=all(p.bold for p in row),
        parted=True,
    )


def framed_tables(pieces: list[TextRun], boxes: list[Stroke], area: Area) -> list[Table]:
    """Return the tables of an area where lines frame each cell; what spans rows is in each of them."""
    lines = _without_empty(_framed(pieces, boxes, area))
    if sum(cell.text.endswith(":") for line in lines for cell in line[:1]) > 0.5 * len(lines):
        return []  # a form
    heads = [n for n in range(len(lines)) if n == 0 or _starts_anew(lines, n)]
    width = 1 + max((cell.last for line in lines for cell in line), default=0)
    return [
        _with_heads(lines[a:b], width, ruled=True) for a, b in pairwise([*heads, len(lines)]) if width > 1
    ]


def _framed(pieces: list[TextRun], boxes: list[Stroke], area: Area) -> list[Line]:
    near = [box for box in boxes if box.left > area.left - 5 and box.right < area.right + 5]
    near = [box for box in near if box.bottom > area.levels[-1] - 5 and box.top < area.levels[0] + 5]
    uprights = [(x, box) for box in near if box.top - box.bottom > 4 for x in _sides(box.left, box.right)]
    flats = [(-y, box) for box in near if box.right - box.left > 8 for y in _sides(box.bottom, box.top)]
    xs, ys = _apart(x for x, _ in uprights), _apart(y for y, _ in flats)
    height = area.levels[0] - area.levels[-1]
    drawn: dict[float, float] = defaultdict(float)
    for x, box in uprights:
        drawn[xs[_nearest(xs, x)]] += min(box.top - box.bottom, height)
    if len(xs) < 3 or len(ys) < 3 or min(drawn.values()) < 0.6 * height:
        return []
    middles, heights = ([(a + b) / 2 for a, b in pairwise(sides)] for sides in (xs, ys))
    walls = {
        (row, at)
        for x, box in uprights
        for at in (_nearest(xs, x),)
        for row in range(bisect(heights, -box.top), bisect_left(heights, -box.bottom))
    }
    floors = {
        (at, column)
        for y, box in flats
        for at in (_nearest(ys, y),)
        for column in range(bisect(middles, box.left), bisect_left(middles, box.right))
    }
    held: dict[tuple[int, int], list[TextRun]] = {}
    for piece in pieces:
        row = min(max(bisect(ys, -piece.y - 0.3 * piece.size) - 1, 0), len(heights) - 1)
        column = min(max(bisect(xs, (piece.x + piece.end) / 2) - 1, 0), len(middles) - 1)
        if any(piece.x < x - 2 and piece.end > x + 2 for n, x in enumerate(xs) if (row, n) in walls):
            return []  # it runs over a line
        held.setdefault(_corner(row, column, walls, floors), []).append(piece)
    rows = {place: rows_of(cell) for place, cell in held.items()}
    odd = sum(any(map(_has_gap, cell)) or _is_several(cell) for cell in rows.values())
    if odd > 0.05 * len(rows):
        return []  # a frame around rows or columns that no line parts
    lines: list[Line] = []
    for row in range(len(heights)):
        starts = [n for n in range(len(middles)) if not n or (row, n) in walls]
        line = []
        for first, stop in pairwise([*starts, len(middles)]):
            if cell := rows.get(_corner(row, first, walls, floors)):
                text = "\n".join(join_row(inner).text for inner in cell)
                bold = all(piece.bold for inner in cell for piece in inner)
                is_value = len(cell) == 1 and join_row(cell[0]).is_value
                line.append(Cell(first, stop - 1, text, bold, is_value, cell[0][-1].end))
        lines += [line] if line else []
    return lines


def _without_empty(lines: list[Line]) -> list[Line]:
    """Return the rows without columns that hold no cell of their own, as between two lines of a border."""
    begun = sorted({cell.first for line in lines for cell in line})
    return [
        [cell._replace(first=begun.index(cell.first), last=bisect(begun, cell.last) - 1) for cell in line]
        for line in lines
    ]


def _corner(
    row: int, column: int, walls: set[tuple[int, int]], floors: set[tuple[int, int]]
) -> tuple[int, int]:
    """Return the first place of the cell that a place belongs to."""
    while column and (row, column) not in walls:
        column -= 1
    while row and (row, column) not in floors:
        row -= 1
    return row, column


def _sides(low: float, high: float) -> list[float]:
    return [(low + high) / 2] if high - low < 0.5 * _ONE_LINE else [low, high]


def _apart(places: Iterable[float]) -> list[float]:
    kept: list[float] = []
    for place in sorted(places):
        if not kept or place - kept[-1] > _ONE_LINE:
            kept.append(place)
    return kept


def _nearest(places: list[float], place: float) -> int:
    after = min(bisect(places, place), len(places) - 1)
    return after - (after > 0 and place - places[after - 1] <= places[after] - place)


def _has_gap(row: Row) -> bool:
    return any(right.x - left.end > 1.5 * left.size for left, right in pairwise(row))


def _is_several(rows: list[Row]) -> bool:
    """Return whether lines that nothing parts are values, or labels, of several rows."""
    if len(rows) < 2:
        return False
    values = [len(row) == 1 and row[0].is_value for row in rows]
    # a number before a word may be one cell, such as 24 months
    return values[-1]


def columns_of(rows: list[Row]) -> list[tuple[float, float]]:
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


def _has_aligned_column(rows: list[Row], columns: list[tuple[float, float]]) -> bool:
    """Return whether the cells of a column but the first begin, end or are centred at one place."""
    for left, right in columns[1:]:
        cells = [piece for row in rows for piece in row if left <= piece.x and piece.end <= right]
        for places in zip(*((p.x, p.end, (p.x + p.end) / 2) for p in cells), strict=True):
            middle = sorted(places)[len(places) // 2]
            near = sum(abs(place - middle) < 0.4 * cells[0].size for place in places)
            if near > 1 and near >= 0.6 * len(places):
                return True
    return False


def _cells(row: Row, columns: list[tuple[float, float]]) -> Line:
    cells: Line = []
    for piece in row:
        touched = [n for n, (left, right) in enumerate(columns) if left < piece.end and right > piece.x]
        first, last = (touched[0], touched[-1]) if touched else (0, 0)
        cells.append(Cell(first, last, piece.text, piece.bold, piece.is_value, piece.end))
    return cells


def _lines(
    rows: list[Row], columns: list[tuple[float, float]], area: Area | None, *, headed: bool
) -> list[Line]:
    """Return the rows of cells; a cell of several lines is one."""
    all_cells = [_cells(row, columns) for row in rows]
    bands = [area.band(row[0]) if area else -1 for row in rows]
    single = _single_bands(bands, all_cells)
    steps = sorted(above[0].y - row[0].y for above, row in pairwise(rows) if len(above) > 1 and len(row) > 1)
    usual = steps[len(steps) // 2] if steps else math.inf
    joined_by_step = _joined_by_step(rows, headed=headed) if not area else [None] * len(rows)
    lines: list[Line] = []
    has_data, label = False, math.inf
    for number, (row, cells) in enumerate(zip(rows, all_cells, strict=True)):
        joins = False
        if number and bands[number] == bands[number - 1]:
            step = (rows[number - 1][0].y - row[0].y) / row[0].size
            above = lines[-1]
            if (told := joined_by_step[number]) is not None:
                joins = told
            elif bands[number] in single:
                # the lines of a label follow one another
                joins = cells[0].first > 0 or math.isinf(label) or label - row[0].y < _CELL_STEP * row[0].size
            elif step > _CELL_STEP:
                joins = False
            elif len(above) == 1 and not above[0].first and not cells[0].first:
                near = rows[number - 1][0].y - row[0].y < 0.93 * usual
                joins = near or row[0].text[:1].islower()
            elif has_data or cells[0].first:
                joins = _continues(above, cells)
        if joins:
            lines[-1] = _stacked(lines[-1], cells)
        else:
            lines.append(cells)
            label = math.inf
        if not cells[0].first:
            label = row[0].y
        has_data |= _is_data(cells)
    return lines


def _joined_by_step(rows: list[Row], *, headed: bool) -> list[bool | None]:
    """Return of each row whether it goes on with the one above, None where their step does not tell."""
    steps = [math.inf, *(above[0].y - row[0].y for above, row in pairwise(rows)), math.inf]
    # where lines overlap, cells of one row are centred beside one of several lines
    near = [step < _OVERLAP * row[0].size for step, row in zip(steps, rows, strict=False)] + [False]
    if any(near):
        return [near[n] if near[n] or near[n + 1] else None for n in range(len(rows))]
    inner = steps[1:-1]
    # cells of several lines, whose rows stand further apart
    if headed and max(inner) > 1.2 * min(inner):
        return [step < 1.1 * min(inner) for step in steps[:-1]]
    return [None] * len(rows)


def _single_bands(bands: list[int], all_cells: list[Line]) -> set[int]:
    """Return the bands between two lines that are one row: no column has two numbers in it."""
    values = Counter(
        (band, cell.first)
        for band, cells in zip(bands, all_cells, strict=True)
        for cell in cells
        if cell.is_value
    )
    return set(bands) - {-1} - {band for (band, _), count in values.items() if count > 1}


def _continues(line: Line, cells: Line) -> bool:
    """Return whether a row goes on with the cells of the row above it."""
    if any(cell.is_value for cell in cells):
        return False
    if not cells[0].first:
        return len(cells) == 1 and cells[0].text[:1].islower()
    spans = {(cell.first, cell.last): cell.is_value for cell in line}
    return all(not spans.get((cell.first, cell.last), True) for cell in cells)


def _stacked(above: Line, below: Line) -> Line:
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


def _is_data(line: Line) -> bool:
    return any(cell.is_value and cell.first for cell in line)


def _starts_anew(lines: list[Line], number: int) -> bool:
    """Return whether a row of heads stands within the rows: another table begins."""
    line = lines[number]
    if len(line) == 1 and CAPTION.match(line[0].text):
        return True
    if len(line) < 2 or any(cell.is_value for cell in line) or not any(map(_is_data, lines[:number])):
        return False
    is_set_off = all(cell.bold for cell in line) and not any(cell.bold for cell in lines[number - 1])
    below = lines[number + 1 : number + 3]
    return (is_set_off or line[0].first > 0) and any(map(_is_data, below))


def _with_heads(lines: list[Line], width: int, *, ruled: bool) -> Table:
    # dashes alone tell no names from what is named
    counted = any(any(map(str.isdigit, cell.text)) for line in lines for cell in line if cell.is_value)
    data = next((n for n, line in enumerate(lines) if counted and _is_data(line)), len(lines))
    bold = [all(cell.bold for cell in line) for line in lines]
    leading = next((n for n, is_bold in enumerate(bold) if not is_bold), 0)
    if 0 < data < leading < 4:
        data = leading  # 10–99 and 100+ may be heads
    # nothing need stand above the labels
    full = [len(line) == width or (len(line) == width - 1 > 1 and line[0].first > 0) for line in lines]
    start = full.index(True) if any(full) else 0
    named = start < 3 and full[start] and bold[start] and not all(bold[start:])
    if data == len(lines):
        count = start + 1 if named or (full[start] and lines[start][0].first > 0 == start) else 0
    else:
        count = max((n + 1 for n in range(data) if any(cell.first for cell in lines[n])), default=0)
    plain = [line for line, set_bold in zip(lines[:count], bold, strict=False) if not set_bold]
    plain = [line for line in plain if len(line) == width]
    if len(plain) > 1:  # rows of a list without heads, as of labels and what they hold
        count = 0 if any(character.isdigit() for cell in plain[0][1:] for character in cell.text) else 1
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
                wide = any(
                    c.first <= column <= c.last and c.first < c.last for c in heads[number - 1][:] if number
                )
                if names[column] != cell.text:  # of two rows of heads, where it is one cell of both
                    names[column] += (", " if wide else "\n") * bool(names[column]) + cell.text.removesuffix(
                        ","
                    )
    rows = [_texts(line, width) for line in body]
    return Table(rows, tuple(names) if any(names) else (), caption)


def _texts(line: Line, width: int) -> list[str]:
    texts = [""] * width
    for cell in line:
        texts[cell.first] += "\n" * bool(texts[cell.first]) + cell.text
    return texts


def _form(lines: list[Line], width: int) -> Table:
    """Return the pairs of label and value, a row each."""
    pairs = []
    for line in lines:
        texts = _texts(line, width)
        for label, value in zip(texts[::2], texts[1::2], strict=True):
            if label or value:
                pairs.append([f"{label}\n{value}".strip()])
    return Table(pairs, (), [])
