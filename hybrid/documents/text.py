"""Plain text, and the headings that reStructuredText and AsciiDoc draw with punctuation."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from hybrid.config import DocumentSettings
from hybrid.documents.builder import TextBuilder, clean
from hybrid.documents.encoding import detect
from hybrid.documents.source import SourceFile
from hybrid.types import BlockKind, Document

_RULE = re.compile(r"([=\-~^\"'*#+.`:_])\1{2,}")
_ATX = re.compile(r"(={1,6})\s+(\S.*?)(?:\s+=+)?")
_ITEM = re.compile(r"\s*(?:[*\-+•‣◦]|\.{1,5}|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+\S")
_TABLE = re.compile(r"\s*(?:\||\+[-=+]{3,})")
_GRID_RULE = re.compile(r"\+[-=+]+\+")
_BARS = re.compile(r"={2,}(?: +={2,})+")
_FENCE = re.compile(r"-{4,}|\.{4,}")
_TITLE_LENGTH = 160


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a text file."""
    builder = TextBuilder(settings.max_characters)
    add_text(builder, decode(file.path.read_bytes()))
    yield builder.document(file.source)


def decode(data: bytes) -> str:
    """Return the bytes as text; what is damaged in it is U+FFFD.

    Raises:
        Unreadable: the bytes are no text, or none in an encoding that can be told.
    """
    return clean(data.decode(detect(data), "replace"))


def add_text(builder: TextBuilder, text: str) -> None:
    """Append the blocks of a plain text."""
    _Splitter(builder, text.split("\n")).run()


class _Splitter:
    """Walks over the lines once; ``stretch`` holds the lines since the last border."""

    def __init__(self, builder: TextBuilder, lines: list[str]) -> None:
        self._builder = builder
        self._lines = [line.rstrip() for line in lines]
        self._stretch: list[str] = []
        self._stretch_line = 0
        # reStructuredText gives a level to each underline in the order in which they turn up
        self._levels: dict[str, int] = {}
        self._closing = {
            line: index for index, line in enumerate(self._lines) if _FENCE.fullmatch(line) or line == "|==="
        }

    def run(self) -> None:
        index = 0
        while index < len(self._lines):
            index = self._step(index)
        self._flush()

    def _step(self, index: int) -> int:
        """Take the line at the index; return the index of the next one."""
        line = self._lines[index]
        below = self._lines[index + 1] if index + 1 < len(self._lines) else ""
        at_border = not self._stretch or (len(self._stretch) == 1 and _RULE.fullmatch(self._stretch[0]))
        if at_border and _is_underlined(line, below):
            self._stretch.clear()
            level = self._levels.setdefault(below[0], len(self._levels) + 1)
            self._builder.add(BlockKind.HEADING, line.strip(), level=level, line=index + 1)
            return index + 2
        if not self._stretch and not _BARS.fullmatch(line) and (match := _ATX.fullmatch(line)):
            self._builder.add(BlockKind.HEADING, match[2], level=len(match[1]), line=index + 1)
            return index + 1
        if line == "|===" and self._closing.get(line, 0) > index:
            return self._cells(index)
        if below and self._opens_fence(line, index):
            return self._fence(index)
        if line:
            self._stretch_line = self._stretch_line if self._stretch else index + 1
            self._stretch.append(line)
        else:
            self._flush()
        return index + 1

    def _opens_fence(self, line: str, index: int) -> bool:
        attached = not self._stretch or self._stretch[-1] == "+" or self._stretch[-1].startswith("[")
        return attached and self._closing.get(line, 0) > index

    def _fence(self, index: int) -> int:
        """Take a listing of AsciiDoc whole, blank lines and all."""
        self._flush()
        end = self._lines.index(self._lines[index], index + 1)
        code = textwrap.dedent("\n".join(self._lines[index + 1 : end]))
        self._builder.add(BlockKind.CODE, code, line=index + 2)
        return end + 1

    def _cells(self, index: int) -> int:
        """Take a table of AsciiDoc whole: as many cells a row as its first line has."""
        above, self._stretch = self._stretch, []
        caption = next((line[1:] for line in above if re.match(r"\.\w", line)), "")
        self._builder.add(BlockKind.PARAGRAPH, caption, line=self._stretch_line)
        end = self._lines.index("|===", index + 1)
        first = next((at for at in range(index + 1, end) if self._lines[at]), end)
        width = max(1, self._lines[first].count("|"))
        cells = re.split(r"(?<!\\)\|", "\n".join(self._lines[first:end]))[1:]
        has_head = "header" in " ".join(above) or (first + 1 < end and not self._lines[first + 1])
        rows = [cells[at : at + width] for at in range(0, len(cells), width)]
        self._builder.add_table(rows, caption=caption, heads=int(has_head), line=index + 2)
        return end + 1

    def _flush(self) -> None:
        lines, self._stretch = self._stretch, []
        text = textwrap.dedent("\n".join(lines))
        if not any(character.isalnum() for character in text):
            return  # a rule, an overline or a delimiter
        drawn = text.split("\n")
        for rule in (_GRID_RULE, _BARS):
            if len(drawn) > 2 and rule.fullmatch(drawn[0]) and rule.fullmatch(drawn[-1]):
                self._add_drawn(drawn, is_grid=rule is _GRID_RULE)
                return
        kind = BlockKind.LIST if _ITEM.match(lines[0]) else BlockKind.PARAGRAPH
        if len(lines) > 1 and all(_TABLE.match(line) for line in lines):
            kind = BlockKind.TABLE
        self._builder.add(kind, text, line=self._stretch_line)

    def _add_drawn(self, lines: list[str], *, is_grid: bool) -> None:
        """Append a table of reStructuredText, whose columns begin where its first line says."""
        rule = _GRID_RULE if is_grid else _BARS
        borders = [match.start() for match in re.finditer(r"\+" if is_grid else "=+", lines[0])]
        borders += [] if is_grid else [max(map(len, lines)) + 1]
        rows: list[list[str]] = []
        heads, is_new = 0, True
        for number, line in enumerate(lines):
            if rule.fullmatch(line):
                is_new = True
                if 0 < number < len(lines) - 1 and "=" in line:
                    heads = len(rows)
                continue
            cells = _cut(line, borders, is_grid=is_grid)
            if is_new or not (is_grid or not cells[0]):
                rows.append(cells)
            else:
                rows[-1] = [f"{above} {cell}".strip() for above, cell in zip(rows[-1], cells, strict=True)]
            is_new = False
        self._builder.add_table(rows, heads=heads, line=self._stretch_line)


def _cut(line: str, borders: list[int], *, is_grid: bool) -> list[str]:
    """Return the cells of a line; one that goes on over a border has the text of both."""
    cells: list[str] = []
    begin = borders[0]
    for border in borders[1:]:
        ends = (
            line[border : border + 1] in ("|", "+", "") if is_grid else line[border - 1 : border] in (" ", "")
        )
        cells.append(line[begin:border].removeprefix("|" if is_grid else "").strip() if ends else "")
        begin = border if ends else begin
    if begin < borders[-1]:
        cells[-1] = line[begin:].removeprefix("|" if is_grid else "").strip()
    return cells


def _is_underlined(line: str, below: str) -> bool:
    return bool(
        0 < len(line) <= _TITLE_LENGTH
        and abs(len(below) - len(line)) <= 2
        and _RULE.fullmatch(below)
        and not _RULE.fullmatch(line)
        and any(character.isalnum() for character in line)
    )
