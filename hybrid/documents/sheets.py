"""Workbooks (XLSX): what the cells of each sheet show, as tables with columns, and what is drawn on them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from itertools import pairwise

from lxml import etree

from hybrid.config import DocumentSettings
from hybrid.documents.builder import TextBuilder, one_line
from hybrid.documents.markup import count_heads
from hybrid.documents.office import (
    Element,
    Package,
    RunText,
    child,
    finish,
    formatted,
    is_on,
    local,
    number,
    open_package,
    raw_text,
    relation,
    value,
)
from hybrid.documents.slides import Drawings
from hybrid.documents.source import SourceFile, Unreadable, check_pages
from hybrid.types import BlockKind, Document

# what a program calls a sheet that nobody gave a name
_NO_NAME = re.compile(r"(?:sheet|tabelle|feuil|hoja|foglio|blad|planilha|arkusz|лист|工作表)\s?\d+", re.I)
# The formats that have a number and no code in the file.
_FORMATS = {1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 22: "yhh"}
_FORMATS |= dict.fromkeys((*range(14, 18), *range(27, 37), *range(50, 59)), "y")
_FORMATS |= dict.fromkeys((19, 21, 45, 47), "hs") | {18: "h", 20: "h", 46: "[h]s"}
_FORMATS |= dict.fromkeys((37, 38), "#,##0") | dict.fromkeys((39, 40), "#,##0.00")
_NUMBER = re.compile(r"[€$£¥]?-?\d[\d.,]*(?:%| ?\w{1,3})?")
MAX_CELLS, _MAX_MERGED, _MOST_HEADS = 2_000_000, 10_000, 3
# What stands in the head of a printed page for its sides, fonts, colours, and what counts or names.
_PRINT_CODE = re.compile(
    r"(?:\w{1,20}\s{0,3})?&P(?:\W{0,5}\w{0,20}\s{0,3}&N)?|"
    r'&(?:"[^"]*"|K[0-9A-F]{6}|K\d\d[+-]\d{3}|\d+|[A-Za-z])'
)
SheetRow = dict[int, str | None]
# the first row and column, and the last ones
_Area = tuple[int, int, int, int]


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a workbook; hidden sheets are read, and named in its metadata."""
    with open_package(file, settings, root="workbook", what="workbook") as (package, name, root):
        sheets = list(root.iter("{*}sheet"))
        check_pages(len(sheets), settings, what="sheets")
        book = _Workbook(package, name, starts_1904=_is_true(child(root, "workbookPr"), "date1904"))
        for sheet in sheets:
            found = package.relations(name).get(relation(sheet))
            book.add(value(sheet, "name"), found.target if found else "")
        hidden = (value(one, "name") for one in sheets if value(one, "state") not in ("", "visible"))
        unseen = {name: str(count) for name, count in (+book.unseen).items()}
        yield finish(package, file.source, {"hidden_sheets": ", ".join(hidden), **unseen})


@dataclass(slots=True)
class Sheet:
    """The filled cells by row and column, the rows that are all bold, and ranges that say something."""

    rows: dict[int, SheetRow] = field(default_factory=dict)
    bold: set[int] = field(default_factory=set)
    merged: list[_Area] = field(default_factory=list)
    heads: set[int] = field(default_factory=set)
    printed: list[str] = field(default_factory=list)
    unseen_rows: set[int] = field(default_factory=set)
    unseen_columns: list[range] = field(default_factory=list)
    last: int = 0

    def unseen(self) -> Counter[str]:
        """Return how many rows and columns with cells are not shown, as metadata name them."""
        columns = sorted(set().union(*self.rows.values())) if self.unseen_columns else []
        folded = sum(
            bisect_left(columns, one.stop) - bisect_left(columns, one.start) for one in self.unseen_columns
        )
        return Counter(hidden_rows=len(self.unseen_rows & self.rows.keys()), hidden_columns=folded)

    def add_to(self, builder: TextBuilder) -> None:
        """Append the tables of a sheet, which empty rows part, with the lines above that name them."""
        for area in self.merged:
            _merge(self.rows, area)
        places = sorted(self.rows)
        begins = [n for n, at in enumerate(places) if not n or at > places[n - 1] + 1]
        table, above, pending = list[SheetRow](), list[SheetRow](), list[str]()
        heads, caption, columns = 0, "", set[int]()
        for begin, stop in pairwise([*begins, len(places)]):
            part = places[begin:stop]
            first = next((n for n, at in enumerate(part) if _filled(self.rows[at]) > 1), len(part))
            names = [text for at in part[:first] for text in self.rows[at].values() if text]
            part = part[first:]
            rows = [self.rows[at] for at in part]
            if not rows:
                _put(builder, table, heads, caption)
                table, pending = [], names if len(names) < 3 else []
                builder.add(BlockKind.PARAGRAPH, "\n".join(names))
                continue
            if len(beside := _beside(rows)) > 1:
                _put(builder, table, heads, caption)
                builder.add(BlockKind.PARAGRAPH, "\n".join(names))
                table, pending, columns, names = [], [], set(), names or pending
                for one in beside:
                    first = next((n for n, row in enumerate(one) if _filled(row) > 1), 0)
                    own = [text for row in one[:first] for text in row.values() if text]
                    builder.add(BlockKind.PARAGRAPH, "\n".join(own))
                    is_named = all(any(map(str.isalpha, text)) for text in one[first].values() if text)
                    found = max(count_heads(_grid(one[first:][:40])), int(is_named))
                    _put(builder, one[first:], found, " ".join((own or names)[-2:]))
                continue
            bold = next((n for n, at in enumerate(part) if at not in self.bold), 0)
            marked = min(bold, _MOST_HEADS) if part[-1] not in self.bold else 0
            found = max(count_heads(_grid(rows[:40])), marked, part[0] in self.heads)
            # the same columns go on below an empty row, or below the name of a group
            goes_on = heads and not found and set().union(*rows) <= columns
            if table and goes_on and not names:
                table += rows
                continue
            _put(builder, table, heads, caption)
            table, heads = ([*above, *rows], heads) if goes_on else (rows, found)
            above, columns = table[:heads], set().union(*table)
            caption, pending = " ".join((names or pending)[-2:]), []
            for name in names:
                builder.add(BlockKind.PARAGRAPH, name)
        _put(builder, table, heads, caption)


class _Workbook:
    """The sheets added so far, and what they share: texts and formats."""

    def __init__(self, package: Package, name: str, *, starts_1904: bool) -> None:
        self._package, self._builder = package, package.builder
        self._drawings = Drawings(package)
        self._begin = datetime(1904, 1, 1) if starts_1904 else datetime(1899, 12, 30)
        strings = package.related(name, "sharedStrings", "texts of cells")
        self._strings = [] if strings is None else [_text(one) for one in strings.iter("{*}si")]
        styles = package.related(name, "styles")
        codes = {value(one, "numFmtId"): value(one, "formatCode") for one in _below(styles, "numFmts")}
        fonts = [(is_on(child(one, "b")), is_on(child(one, "strike"))) for one in _below(styles, "fonts")]
        # of each style a cell may have: how it shows a number, and whether it is bold or struck out
        self._codes, self._fonts = list[str](), list[tuple[bool, bool]]()
        for one in _below(styles, "cellXfs"):
            code, font = value(one, "numFmtId"), number(value(one, "fontId"))
            self._codes.append(codes.get(code, _FORMATS.get(number(code), "")))
            self._fonts.append(fonts[font] if 0 <= font < len(fonts) else (False, False))
        self._filled = 0
        self._printed = set[str]()
        self.unseen = Counter[str]()

    def add(self, name: str, part: str) -> None:
        """Append a sheet: its name, its tables from above, and what is drawn on it."""
        data = self._package.data(part)
        if data is None:
            self._builder.leave_out("sheet that cannot be read", lost=True)
            return
        self._builder.add(BlockKind.HEADING, sheet_name(name), level=1)
        sheet = self._read(data)
        self.unseen += sheet.unseen()
        sheet.add_to(self._builder)
        # most sheets of a workbook are printed with the same
        for text in filter(None, sheet.printed):
            if text not in self._printed:
                self._printed.add(text)
                self._builder.add(BlockKind.PARAGRAPH, text)
        for one in self._package.relations(part).values():
            if one.type == "drawing":
                self._drawings.add_drawing(one.target)
            elif one.type == "comments":
                self._drawings.leave_out_comments(one.target)
            elif one.type in ("oleObject", "package"):
                self._builder.leave_out("embedded object", lost=True)

    def _read(self, data: bytes) -> Sheet:
        sheet = Sheet()
        names = [f"{{*}}{name}" for name in ("row", "mergeCell", "autoFilter", "headerFooter", "col")]
        # a sheet may have a million rows: none is kept as XML
        steps = etree.iterparse(
            BytesIO(data), tag=names, resolve_entities=False, no_network=True, recover=True, huge_tree=True
        )
        for _, element in steps:
            if local(element) == "row":
                self._take_row(sheet, element)
            elif local(element) == "mergeCell":
                begin, _, end = value(element, "ref").partition(":")
                sheet.merged.append((*_corner(begin), *_corner(end)))
            elif local(element) == "col":
                ends = number(value(element, "min")), number(value(element, "max")) + 1
                sheet.unseen_columns += [range(*ends)] if _is_true(element, "hidden") else []
            elif local(element) == "headerFooter":
                sheet.printed += [_printed(raw_text(part)) for part in element]
            else:
                sheet.heads.add(_corner(value(element, "ref"))[0])
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
        if steps.error_log.filter_from_fatals():
            self._builder.leave_out("damaged stretch of XML", lost=True)
        return sheet

    def _take_row(self, sheet: Sheet, row: Element) -> None:
        at = sheet.last = number(row.get("r", "")) or sheet.last + 1
        cells: SheetRow = {}
        bold, column = True, 0
        for cell in row.iterchildren("{*}c"):
            column = _corner(cell.get("r", ""))[1] or column + 1
            style = number(cell.get("s", ""))
            if text := self._shown(cell, self._codes[style] if 0 <= style < len(self._codes) else ""):
                is_bold, is_struck = self._fonts[style] if 0 <= style < len(self._fonts) else (False, False)
                cells[column] = f"~~{text}~~" if is_struck else text
                bold = bold and is_bold
        if cells:
            sheet.rows[at] = cells
            sheet.bold |= {at} if bold else set()
            sheet.unseen_rows |= {at} if _is_true(row, "hidden") else set()
            self._filled += len(cells)
        if self._filled > MAX_CELLS:
            raise Unreadable(f"more than {MAX_CELLS:,} filled cells; split the workbook")

    def _shown(self, cell: Element, code: str) -> str:
        """Return what a cell shows."""
        kind = cell.get("t", "n")
        parts = {local(one): one for one in cell}
        if "is" in parts:
            return _text(parts["is"])
        # some writers leave the value empty; a formula may also give a text without letters
        if "v" not in parts or not (parts["v"].text or kind == "str"):
            if "f" not in parts:
                return ""
            self._builder.leave_out("formula whose value is not in the file", lost=True)
            return f"={raw_text(parts['f'])}"
        text = raw_text(parts["v"])
        match kind:
            case "s":
                at = number(text, -1)
                return self._strings[at] if 0 <= at < len(self._strings) else ""
            case "b":
                return "TRUE" if text == "1" else "FALSE"
            case "n" if not (code in ("", "General") and text.isdecimal() and len(text) < 16):
                return formatted(text, code, self._begin, rounded=True)
        return one_line(text)


def _put(builder: TextBuilder, rows: list[SheetRow], heads: int, caption: str) -> None:
    if max(map(_filled, rows), default=0) > 1:
        builder.add_table(_grid(rows), heads=heads, caption=caption)
    else:
        texts = (text for row in rows for text in row.values() if text)
        builder.add(BlockKind.PARAGRAPH, "\n".join(texts))


def sheet_name(name: str) -> str:
    """Return what somebody called a sheet, nothing where a program did."""
    return "" if _NO_NAME.fullmatch(name) else name


def _is_true(element: Element | None, name: str) -> bool:
    return value(element, name) in ("1", "true")


def _below(root: Element | None, name: str) -> list[Element]:
    held = child(root, name)
    return [] if held is None else list(held)


def _text(element: Element) -> str:
    """Return the text of a cell without the reading aids above its characters."""
    if len(element) == 1 and local(element[0]) == "t":  # most of them
        return one_line(raw_text(element[0]))
    line = RunText()
    for one in element.iter("{*}t"):
        run = one.getparent()
        properties = child(run, "rPr")
        if local(run) != "rPh":
            shift = {"superscript": 1, "subscript": -1}.get(value(child(properties, "vertAlign")), 0)
            line.add(raw_text(one), shift=shift, struck=is_on(child(properties, "strike")))
    return one_line(line.take())


def _filled(row: SheetRow) -> int:
    return sum(1 for text in row.values() if text)


def _beside(rows: list[SheetRow]) -> list[list[SheetRow]]:
    """Return the tables that stand beside one another, which a column without cells parts.

    Each has names in its first column, and numbers; without them tables of one height may be one.
    """
    columns = sorted({column for row in rows for column, text in row.items() if text})
    begins = [n for n, column in enumerate(columns) if not n or column > columns[n - 1] + 1]
    groups = [columns[begin:stop] for begin, stop in pairwise([*begins, len(columns)])]
    parts = [
        [cells for row in rows if any((cells := {at: row[at] for at in group if at in row}).values())]
        for group in groups
    ]
    for group, part in zip(groups, parts, strict=True):
        inside = [(at, text) for row in part[1:] for at, text in row.items() if text]
        named = all(any(map(str.isalpha, text)) for at, text in inside if at == group[0])
        counted = any(_NUMBER.fullmatch(text) for at, text in inside if at != group[0])
        if len(group) < 2 or not inside or not named or not (counted or len(set(map(len, parts))) > 1):
            return [rows]
    return parts


def _corner(place: str) -> tuple[int, int]:
    """Return the row and the column that a range begins with, such as ``B12:C14``; from 1, 0 for none."""
    found = re.match(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})", place)
    if not found:
        return 0, 0
    column = 0
    for letter in found[1]:
        column = 26 * column + ord(letter) - 64
    return int(found[2]), column


def _printed(text: str) -> str:
    """Return what the head or foot of a printed page says, nothing where it only counts or names."""
    said = one_line(_PRINT_CODE.sub(" ", text.replace("&&", "\0")).replace("\0", "&"))
    return said if any(map(str.isalpha, said)) else ""


def _merge(rows: dict[int, SheetRow], area: _Area) -> None:
    """Let a cell stand in all rows of its range; the cells to its right are its own."""
    top, left, bottom, right = area
    text = rows.get(top, {}).get(left)
    if not text or (bottom - top + 1) * (right - left + 1) > _MAX_MERGED:
        return
    for at in range(top, bottom + 1):
        if at in rows:
            rows[at] |= {left: text} | dict.fromkeys(range(left + 1, right + 1))
            rows[at] = dict(sorted(rows[at].items()))


def _grid(rows: Sequence[SheetRow]) -> list[list[str | None]]:
    columns = sorted({column for row in rows for column, text in row.items() if text})
    if len(columns) * len(rows) > MAX_CELLS:  # few cells far apart
        return [list(filter(None, row.values())) for row in rows]
    return [[row.get(column, "") for column in columns] for row in rows]
