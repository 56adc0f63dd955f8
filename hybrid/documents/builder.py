"""A text under construction and its blocks, whose offsets are right by construction."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from hybrid.documents.source import Unreadable
from hybrid.types import CELLS, Block, BlockKind, Document, LeftOut

SEPARATOR = "\n\n"
# Letters of scripts without blanks between words.
CJK = "[\u2e80-\u2fdf\u3001-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\uff01-\uff60]"
_TITLE_LENGTH = 300
_LONE_BAR = re.compile(r"(?<!\S)\|(?!\S)")
# A file within a text: as an address, or as lines of an e-mail; keys and certificates are shorter.
_EMBEDDED = re.compile(r"data:(\w*)[\w/.+\-]*(?:;[\w=.\-]+)*,[\w+/=%.~\-]{200,}")
_ENCODED = re.compile(
    r"^[ \t>]*([A-Za-z0-9+/]{60,})(?:\n[ \t>]*[A-Za-z0-9+/]{60,}){40,}(?:\n[ \t>]*[A-Za-z0-9+/]*={0,2}$)?",
    re.M,
)
_SURROGATES = re.compile("[\ud800-\udfff]")
# A table of more cells stays as it is where most of them would be empty.
_MAX_CELLS = 1_000_000
# The names of more columns have no room beside a row in what an embedder takes.
_MAX_COLUMNS = 32
_HTML_TAG = re.compile(
    r"</?(?:a|abbr|b|big|body|br|center|code|div|em|embed|font|form|h[1-6]|head|hr|html|i|iframe|img|input"
    r"|kbd|li|link|math|meta|object|ol|p|pre|s|script|small|span|strike|strong|style|sub|sup|svg|table|td|th"
    r"|tr|title|tt|u|ul|video)(?:[\s/][^<>]*)?>",
    re.IGNORECASE,
)


def _control_characters() -> dict[int, str | None]:
    # A terminal escape or a NUL in an answer is an attack or an accident, never content.
    unseen = (
        *range(32),
        *range(127, 160),
        0xAD,
        0x200B,
        0x200E,
        0x200F,
        *range(0x202A, 0x202F),
        0x2060,
        0xFEFF,
    )
    table: dict[int, str | None] = dict.fromkeys((*unseen, *range(0x2066, 0x206A)))
    for kept in "\t\n":
        del table[ord(kept)]
    for code in (0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029):
        table[code] = "\n"
    return table


_CONTROLS = _control_characters()


def clean(text: str) -> str:
    r"""Return the text in one normal form (NFC), lines ending in ``\n``, without what nobody can see.

    That is NULs, controls, soft hyphens, marks of direction and surrogates.
    """
    text = text.replace("\r\n", "\n").translate(_CONTROLS)
    return unicodedata.normalize("NFC", _SURROGATES.sub("\ufffd", text))


def one_line(text: str) -> str:
    """Return the text on one line with single spaces."""
    return " ".join(clean(text).split())


def plain_title(text: str) -> str:
    """Return a title as one line of plain text: without HTML tags, at most 300 characters."""
    title = one_line(_HTML_TAG.sub(" ", text))
    return title if len(title) <= _TITLE_LENGTH else title[: _TITLE_LENGTH - 1].rstrip() + "…"


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in clean(text).split("\n")).strip()


def _cell(text: str) -> str:
    return _LONE_BAR.sub("¦", one_line(text))


def _column_names(heads: Sequence[Sequence[str | None]], width: int) -> list[str]:
    """Return the name of each column: its heads from above, one that spans columns for each of them."""
    names: list[list[str]] = [[] for _ in range(width)]
    for row in heads:
        name = ""
        for column, cell in zip(names, row, strict=True):
            name = name if cell is None else _cell(cell)
            if name and name not in column:
                column.append(name)
    # "Years ended June 30," over "2019" has its comma already
    return [", ".join((*(name.rstrip(",") for name in column[:-1]), *column[-1:])) for column in names]


@dataclass(frozen=True, slots=True)
class RawBlock:
    """A block before it is added; a table has ``rows``, of which the first ``heads`` name the columns.

    None in a row is a cell that the one to its left covers. ``role`` tells an item from a list, a caption
    and a line of a table of contents from other paragraphs, and a chart from other tables.
    """

    kind: BlockKind
    text: str
    level: int = 0
    line: int = 0
    rows: Sequence[Sequence[str | None]] = ()
    heads: int = 0
    caption: str = ""
    role: str = ""


class TextBuilder:
    r"""Append blocks, get a document; blocks are separated by a blank line.

    >>> builder = TextBuilder(max_characters=1000)
    >>> builder.add(BlockKind.HEADING, "Goats", level=1)
    >>> builder.add(BlockKind.PARAGRAPH, "They climb.")
    >>> builder.document("goats.txt").text
    'Goats\n\nThey climb.'
    """

    def __init__(self, max_characters: int, *, plain: Callable[[str], str] = str) -> None:
        """Take how long the text may be, and what takes the marks of a format out of it but for code."""
        self._max_characters = max_characters
        self._plain = plain
        self._parts: list[str] = []
        self._blocks: list[Block] = []
        self._pages: list[int] = []
        self._left_out: dict[str, LeftOut] = {}
        self.length = 0
        self.first_heading = ""

    def add(
        self,
        kind: BlockKind,
        text: str,
        *,
        level: int = 0,
        caption: str = "",
        columns: tuple[str, ...] = (),
        line: int = 0,
    ) -> None:
        """Append a block; what is blank adds nothing."""
        text = _trimmed(text if kind is BlockKind.CODE else self._plain(text))
        if not text:
            return
        start = self._append(text)
        if damaged := text.count("\ufffd"):
            self.leave_out("damaged bytes", damaged)
        if kind is BlockKind.HEADING and not self.first_heading:
            self.first_heading = text
        caption, *names = (one_line(self._plain(name)) for name in (caption, *columns))
        self._blocks.append(Block(kind, start, start + len(text), level, caption, tuple(names), line))

    def add_table(
        self, rows: Sequence[Sequence[str | None]], *, caption: str = "", heads: int = 1, line: int = 0
    ) -> None:
        """Append a table, a line a row, its cells apart by `` | ``.

        None is a cell that the one to its left covers; what spans rows is repeated by the caller. The first
        ``heads`` rows become one, which is the first line and ``columns``: ``Item | 2019, Q1 | 2019, Q2``.
        With 0 there is neither. Every line has a cell for each column: a bar between blanks, or at an end of
        the line, parts cells; a bar that stood alone in a cell is ``¦``. Empty rows and columns go. The
        caption is only a name: a reader adds it to the text itself, before the table. Of a table with very
        many columns each row is a list of ``name: cell``.
        """
        width = max(map(len, rows), default=0)
        if width * len(rows) > max(_MAX_CELLS, 8 * sum(map(len, rows))):
            # one long row among thousands of short ones: no table, and it would take all memory
            lines = (CELLS.join(_cell(cell or "") for cell in row) for row in rows)
            self.add(BlockKind.TABLE, "\n".join(lines), caption=caption, line=line)
            return
        padded = [[*row, *[""] * (width - len(row))] for row in rows]
        table = [[_cell(cell or "") for cell in row] for row in padded]
        names = _column_names(padded[:heads], width)
        spread = {at for row in padded[:heads] for at in range(width - 1) if row[at] and row[at + 1] is None}
        held = [
            at
            for at in range(width)
            if any(row[at] for row in table[heads if at in spread and heads < len(table) else 0 :])
        ]
        kept = [[names[at] for at in held]] if any(names) else []
        kept += [[row[at] for at in held] for row in table[heads:] if any(row)]
        columns = tuple(kept[0]) if any(names) else ()
        if len(columns) > _MAX_COLUMNS:
            for place, row in enumerate(kept[1:]):
                told = [(at, cell) for at, cell in enumerate(row) if cell]
                text = "\n".join(f"{columns[at] or f'Column {at + 1}'}: {cell}" for at, cell in told)
                self.add(BlockKind.LIST, text, columns=columns, line=line and line + heads + 1 + place)
            return
        text = "\n".join(map(CELLS.join, kept))
        self.add(BlockKind.TABLE, text, caption=caption, columns=columns, line=line)

    def add_all(self, blocks: Iterable[RawBlock]) -> None:
        """Append blocks; items of a list that follow one another are one list."""
        for is_item, run in groupby(blocks, lambda block: block.role == "item"):
            if is_item:
                self.add(BlockKind.LIST, "\n".join(block.text for block in run))
                continue
            for block in run:
                if block.kind is BlockKind.TABLE:
                    self.add_table(block.rows, caption=block.caption, heads=block.heads, line=block.line)
                else:
                    self.add(block.kind, block.text, level=block.level, line=block.line)

    def leave_out(self, kind: str, characters: int = 0, *, lost: bool = False) -> None:
        """Count something of the file that is not added: of what kind, and how long where that is known."""
        part = LeftOut(kind, 1, characters, lost)
        self._left_out[kind] = self._left_out[kind] + part if kind in self._left_out else part

    def without_embedded(self, text: str, *, mark: str = "…") -> str:
        """Return the text with a mark for each file that is written out in it, which is told as left out."""

        def embedded(found: re.Match[str]) -> str:
            kind = "embedded image" if found[1] == "image" else "embedded file"
            self.leave_out(kind, len(found[0]))
            return mark

        def encoded(found: re.Match[str]) -> str:
            # sequences of genes and proteins are capitals, dumps are small letters
            if all(any(map(test, found[1])) for test in (str.isupper, str.islower, str.isdecimal)):
                return embedded(found) + "\n" * found[0].count("\n")
            return found[0]

        return _ENCODED.sub(encoded, _EMBEDDED.sub(embedded, text)) if len(text) > 200 else text

    def extend(self, text: str, *, glue: str = " ") -> None:
        """Continue the last block, for a paragraph that runs over the end of a page."""
        last = self._blocks.pop()
        text = glue + _trimmed(text)
        self._count(len(text))
        self._parts.append(text)
        self._blocks.append(replace(last, end=last.end + len(text)))

    def start_page(self, *, inside: int | None = None) -> None:
        """Begin a page at the next block, or ``inside`` characters behind the end of the last one."""
        if inside is not None:
            self._pages.append(self.length + inside)
        else:
            self._pages.append(self.length + len(SEPARATOR) if self._parts else 0)

    def document(
        self,
        source: str,
        *,
        title: str = "",
        metadata: Mapping[str, str] | None = None,
        principals: tuple[str, ...] | None = None,
    ) -> Document:
        """Return the document; the title is the first heading where none is given.

        Raises:
            Unreadable: nothing was added.
        """
        if not self._blocks:
            raise Unreadable("no text in it: nothing to index")
        told = ((one_line(key), one_line(value)) for key, value in (metadata or {}).items())
        return Document(
            source=source,
            text="".join(self._parts),
            title=plain_title(title) or plain_title(self.first_heading),
            blocks=tuple(self._blocks),
            pages=tuple(min(page, self.length) for page in self._pages),
            metadata={key: value for key, value in told if key and value},
            principals=principals,
            left_out=tuple(part.among(len(self._pages)) for part in self._left_out.values()),
        )

    def _append(self, text: str) -> int:
        separator = SEPARATOR if self._parts else ""
        self._count(len(separator) + len(text))
        self._parts += (separator, text)
        return self.length - len(text)

    def _count(self, characters: int) -> None:
        self.length += characters
        if self.length > self._max_characters:
            raise Unreadable(
                f"more than {self._max_characters:,} characters of text; "
                "split the file or raise documents.max_characters"
            )
