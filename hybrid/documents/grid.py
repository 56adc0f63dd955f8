"""The rows and header rows of an HTML table, with its spans."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from hybrid.documents.boilerplate import Element

# A table of more cells keeps them where they stand, without spans.
_MAX_CELLS = 300_000
_MAX_HEADS = 4
_LONG_HEAD = 200
# this share of the values below a name of two columns are amounts
_MOSTLY = 0.7
# what is a number in a head: a year, a day, a length of time, thousands
_PERIOD = re.compile(
    r"\b\d{1,2}[,.]?\s+(?:[a-z]{3,9}\.?,?\s+)?(?=(?:19|20)\d\d\b)|\b[a-z]{3,9}\.?\s*\d{1,2}\b,?"
    r"|(?:\d+\s*(?:[-–]|to)\s*)?\d+[\s-]*(?:weeks|days|months|years)|\b(?:fy?|[qh][1-4])?\s*(?:19|20)\d\d\b"
    r"|\b(?:fy?\d\d|q[1-4]|\d\d/\d\d)\b|['’]?000s?\b|\(\d\)",
    re.IGNORECASE,
)
_NOTHING = re.compile(r"[\s\-–—−.*]+|n/?[am]", re.IGNORECASE)
_UNIT = re.compile(
    r"\(.{1,80}\)|(?:amounts )?in (?:thousands|millions|billions|%|percent|euros?|dollars)\b.{0,60}",
    re.IGNORECASE,
)
_TABLE_NAME = re.compile(
    r"(?:table|tab\.|tabelle|tableau|tabla|tabell?a|tabela?|exhibit|таблица|表)\s*"
    r"(?:\d|(?-i:[A-Z](?=\d|\b)|[IVX]+\b))[\w.\-]*(?:\s*[:.–—(].*|[^.]*)",
    re.IGNORECASE,
)
_LONGEST_NAME = 300
_BEFORE = frozenset(("$", "€", "£", "¥", "(", "$(", "($", "-", "−"))
_BEHIND = frozenset((")", "%", ")%", "%)", "€"))
_Row = list[str | None]


def is_table_name(text: str) -> bool:
    """Return whether a line names the table beside it: ``Table 3: Sales``, and no sentence about one."""
    return len(text) <= _LONGEST_NAME and _TABLE_NAME.fullmatch(text) is not None


def is_unit(text: str) -> bool:
    """Return whether a line says only what the numbers below it count: ``(in millions)``."""
    return _UNIT.fullmatch(text) is not None


class Grid:
    """The rows of a table, how many of them are heads, and the rows above them that are its title."""

    def __init__(self, table: Element, text_of: Callable[[Element], str]) -> None:
        self._text_of = text_of
        self._lines = own_rows(table)
        self.rows = self._spanned()
        self.titles: list[str] = []
        for row in self.rows:
            _join_signs(row)
        width = max(map(len, self.rows), default=0)
        while len(self.rows) > 1 and len(self.titles) < _MAX_HEADS and _is_title(self.rows[0], width):
            self._take_title(0)
        self.heads = self._marked()
        if not self.heads and not any(cell.tag == "th" for line in self._lines[:1] for cell in line):
            self._guess()
        self._take_units()

    def _take_title(self, at: int) -> None:
        self.titles += filter(None, self.rows.pop(at))
        del self._lines[at]

    def _guess(self) -> None:
        """Find heads that nothing marks by where the numbers begin; lines above them are the title."""
        above = next((at for at, row in enumerate(self.rows[:_MAX_HEADS]) if any(row[1:])), 0)
        self.heads = count_heads(self.rows[above:])
        if self.heads:
            for _ in range(above):
                self._take_title(0)
        for row in self.rows[: max(0, self.heads - 1)]:
            _spread(row)

    def _spanned(self) -> list[_Row]:
        rows: list[_Row] = []
        open_cells: dict[int, tuple[int, str | None]] = {}
        total = 0
        part = None
        for line in self._lines:
            if line.getparent() is not part or total > _MAX_CELLS:
                part = line.getparent()
                open_cells.clear()
            row: _Row = []
            for cell in line.iterchildren("td", "th"):
                repeat_above(row, open_cells)
                wide, high = _span(cell, "colspan", 1_000), _span(cell, "rowspan", len(self._lines))
                if total + len(row) + wide * high > _MAX_CELLS:
                    wide = high = 1
                texts: _Row = [self._text_of(cell), *[None] * (wide - 1)]
                if high > 1:
                    open_cells |= {len(row) + at: (high - 1, text) for at, text in enumerate(texts)}
                row += texts
            for column in sorted(open_cells):
                if column >= len(row):
                    row += [""] * (column - len(row))
                    repeat_above(row, open_cells)
            total += len(row)
            rows.append(row)
        return rows

    def _take_units(self) -> None:
        """Put a row that is all "(in millions)" to the title."""
        for at in reversed(range(min(self.heads + 1, len(self.rows) - 1))):
            cells = list(filter(None, self.rows[at]))
            if self.heads > (at < self.heads) and len(cells) == 1 and is_unit(cells[0]):
                self.heads -= at < self.heads
                self._take_title(at)

    def _marked(self) -> int:
        """Return how many rows are marked as heads."""
        marked = 0
        for line in self._lines[:_MAX_HEADS]:
            cells = [cell.tag for cell in line.iterchildren("td", "th") if (cell.text or len(cell))]
            if line.getparent().tag != "thead" and not (cells and set(cells) == {"th"}):
                break
            marked += 1
        return marked


def repeat_above(row: list[str | None], open_cells: dict[int, tuple[int, str | None]]) -> None:
    """Append the cells of rows above that reach down to where a row goes on.

    Args:
        row: as far as it was read.
        open_cells: by column, in how many rows more a cell stands, and its text; None for a spanned column.
    """
    while (column := len(row)) in open_cells:
        rows, text = open_cells.pop(column)
        row.append(text)
        if rows > 1:
            open_cells[column] = (rows - 1, text)


def _span(cell: Element, name: str, most: int) -> int:
    value = cell.get(name, "1").strip()
    count = int(value) if value.isdecimal() and len(value) < 7 else 1
    return min(count or (most if name == "rowspan" else 1), most)


def _join_signs(row: _Row) -> None:
    """Put a currency or a bracket that has a cell of its own to its number."""
    for at in range(len(row) - 1):
        if row[at] in _BEFORE and (
            below := next((i for i in range(at + 1, min(at + 3, len(row))) if row[i]), 0)
        ):
            row[at], row[below] = "", f"{row[at]}{row[below]}"
    for at in range(len(row) - 1, 0, -1):
        if row[at] in _BEHIND and (above := next((i for i in (at - 1, at - 2) if i >= 0 and row[i]), None)):
            row[at], row[above] = "", f"{row[above]}{row[at]}"


def _is_title(row: _Row, width: int) -> bool:
    """Return whether a row has one cell for the whole width."""
    return 1 < width == len(row) and bool(row[0]) and set(row[1:]) == {None}


def own_rows(table: Element) -> list[Element]:
    """Return the rows of a table without those of tables inside of its cells."""
    rows = list(table.iter("tr"))
    if next(table.iterdescendants("table"), None) is None:
        return rows
    return [row for row in rows if next(row.iterancestors("table")) is table]


def count_heads(rows: Sequence[Sequence[str | None]]) -> int:
    """Return how many of the first rows of a table name its columns, by where the amounts begin.

    Of two columns, label and value as a rule, the first row does so only above amounts.
    """
    heads = 0
    filled, stub = False, ""
    for row in rows[:_MAX_HEADS]:
        names = [cell for cell in row[1:] if cell]
        is_other = names and row[0] and row[0] != stub  # no cell of the row above that reaches down
        if not names or any(map(_is_amount, names)) or (is_other and (stub or filled)):
            break
        heads += 1
        stub = row[0] or stub
        filled = not any(is_unit(name) for name in names) and len(names) >= len(row) - 1
    body = [cell for row in rows[heads:] for cell in row[1:] if cell]
    amounts = sum(map(_is_amount, body))
    if max(map(len, rows), default=0) < 3 and amounts < _MOSTLY * len(body):
        return 0
    if amounts:
        return heads
    # all text: a first row of short names over several columns
    return int(bool(heads) and len(rows) > 2 and len(rows[0]) > 2 and all(rows[0]))


def _is_amount(text: str) -> bool:
    text = text[:_LONG_HEAD]
    return any(map(str.isdigit, _PERIOD.sub("", text))) or _NOTHING.fullmatch(text) is not None


def _spread(row: _Row) -> None:
    """Let a head without spans stand over the columns to its right."""
    names = [at for at, cell in enumerate(row) if at and cell]
    if None in row or not names:
        return
    if len(names) == 1:
        row[1], row[names[0]] = row[names[0]], row[1]
        names = [1]
    for at in range(names[0] + 1, len(row)):
        row[at] = row[at] or None
