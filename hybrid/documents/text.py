"""Plain text with the headings that punctuation draws; numerals, formulas, and what is raised or lowered."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from lxml import etree

from hybrid.config import DocumentSettings
from hybrid.documents.builder import TextBuilder, clean
from hybrid.documents.encoding import detect
from hybrid.documents.markup import MACHINERY, Element
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


_NOTES = re.compile(r"\d+(?:\s*[,;–-]\s*\d+)*|[a-z](?:\s*,\s*[a-z])*")
_NOTE_LETTERS = frozenset("bcdfgh")
_PRICE_BEFORE = re.compile(r"[$€£¥]\s?\d[\d,]*$")
_DIGIT_BEFORE = re.compile(r"\d\)?\s?$")
# what a raised number is a power of: a short number that stands alone and is no year, a unit or a letter,
# a term in brackets
_BASE_BEFORE = re.compile(
    r"(?<![\d.,])(?:\d{1,3}|(?!1[5-9]|20)\d{4})\)?$"
    r"|(?:^|[^\w])(?:[^\W\d_]|[kcmµnd]m|ft|in|yd|mi|kg|mol|min|sec|cd|sr|Hz|Pa)$|[)\]]$"
    r"|[=+−*/·×]\s*[a-zA-Z]{1,3}$|(?:^|[^\d.,])10\s$"
)
_RAISED = re.compile(r"vertical-align\s*:\s*(?:super|text-top)", re.IGNORECASE)
_LONG_NUMBER = re.compile(r"\d[\d.,]*\d\d$")
_AS_IT_IS = re.compile(r"st|nd|rd|th|e|er|re|o|a|°|®|™|\*+|[†‡§¶]+", re.IGNORECASE)
# a name of a file, or what a program says of a picture
_NO_WORDS = re.compile(
    r"\S+\.(?:png|jpe?g|gif|svg|webp|bmp|avif)|.*(?:automatically|ai.)generated.*", re.IGNORECASE | re.DOTALL
)
_JOINED = {("msup", 1): "^", ("msub", 1): "_", ("msubsup", 1): "_", ("msubsup", 2): "^", ("mfrac", 1): "/"}
_JOINED |= {("mover", 1): "^", ("munder", 1): "_", ("munderover", 1): "_", ("munderover", 2): "^"}


def local(element: Element) -> str:
    """Return the name of an element without its prefix, as in ``mml:math``."""
    return str(element.tag).rpartition(":")[2]


def is_script(element: Element) -> bool:
    """Return whether an element is raised or lowered, as the mark of a note is."""
    return (
        element.tag in ("sup", "sub")
        or (element.get("epub:type") or element.get("role")) in ("noteref", "doc-noteref")
        or _RAISED.search(element.get("style", "")) is not None
    )


def lowered(before: str, text: str) -> str:
    """Return what stands below the line so that it joins no number: ``10_2``, ``H2O``."""
    return f"_{text}" if before[-1:].isdigit() and text[:1].isdigit() else text


def raised(before: str, text: str, after: str = "", *, is_link: bool = False) -> str:
    """Return what stands above the line so that it joins no number: ``10^6``, ``note [12]``, ``25°C``."""
    text, after = text.strip(), after.lstrip()
    blank = "" if not before or before[-1].isspace() else " "
    if text.isdigit() and after[:1] in ("/", "⁄") and not is_link:
        return f"{blank if before[-1:].isdigit() else ''}{text}"
    if text.strip("[]()") != text:
        return f"{blank}{text}"
    is_degree = text in ("o", "º") or (text == "0" and re.match(r"[CF]\b", after))
    if is_degree and _DIGIT_BEFORE.search(before):
        return "°"
    if is_link:
        return f"{blank}[{text}]" if text.strip("*†‡§¶") else text
    return _power(text, before) or (f"{blank}[{text}]" if _NOTES.fullmatch(text) else text)


def _power(text: str, before: str) -> str:
    """Return what is raised as a power of what is before it, "" where it is the mark of a note."""
    if re.fullmatch(r"[-+−–]\w+|\d+[-+−–]", text):
        return f"^{text}"
    if _AS_IT_IS.fullmatch(text) and not (text == "a" and _LONG_NUMBER.search(before)):
        return text
    if _PRICE_BEFORE.search(before) and text.isdigit() and len(text) == 2:
        return f".{text}"
    if not _BASE_BEFORE.search(before) or text in _NOTE_LETTERS:
        return ""
    return f"^{text}" if text.isalnum() else f"^({text})"


def formula(math: Element) -> str:
    """Return a formula of MathML on one line: ``x^2 + (a + b)/c``."""
    parts: list[str] = []
    steps = etree.iterwalk(math, events=("start", "end"))
    for event, element in steps:
        tag = local(element)
        if tag in MACHINERY:
            steps.skip_subtree()
            continue
        above = element.getparent()
        before = element.getprevious()
        place = 0 if before is None else 1 if before.getprevious() is None else 2
        joined = _JOINED.get((local(above), place), "") if element is not math else ""
        wrapped = tag == "msqrt" or (len(element) > 1 and local(above) in ("mfrac", "msup"))
        if event == "start":
            parts += (joined, "√" if tag == "msqrt" else "", "(" if wrapped else "", element.text or "")
        else:
            parts += (")" if wrapped else "", " " if tag in ("mtd", "mtr", "mtext") else "")
            parts.append((element.tail or "").strip() if element is not math else "")
    return f" {' '.join(''.join(parts).split())} "


def speaks(text: str, *, names: bool = False) -> bool:
    """Return whether the text of a picture says something, or with ``names`` at least what it shows."""
    words = len(text.split())
    says = words > 2 or "=" in text or (words > 1 and any(map(str.isdigit, text)))
    return (says or (names and words > 0)) and not _NO_WORDS.fullmatch(text)


def numeral(count: int, style: str) -> str:
    """Return a number as lists count: ``3``, ``c``, ``III``, nothing for the style ``none``."""
    if style == "none":
        return ""
    text = f"{count:02}" if style == "decimalZero" else str(count)
    if style.endswith("Letter") and 0 < count <= 26 * 9:
        text = chr(ord("a") + (count - 1) % 26) * (1 + (count - 1) // 26)
    if style.endswith("Roman") and 0 < count < 4000:
        text = "".join(row[int(digit)] for row, digit in zip(_ROMAN, f"{count:04}", strict=True))
    return text.upper() if style.startswith("upper") else text


_ROMAN = (
    ("", "m", "mm", "mmm"),
    ("", "c", "cc", "ccc", "cd", "d", "dc", "dcc", "dccc", "cm"),
    ("", "x", "xx", "xxx", "xl", "l", "lx", "lxx", "lxxx", "xc"),
    ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix"),
)
