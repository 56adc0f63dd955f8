"""Questions from tables: the cell of a row and a column, or the row that a cell describes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hybrid.questions.values import Candidate, Layout, Section, Topic
from hybrid.questions.wording import asked_in, lower_first, plain
from hybrid.text.words import contains
from hybrid.types import Span

_SEPARATOR = " | "
_RULER = re.compile(r"[\s|:-]+")
_LABEL_WIDTH, _CELL_WIDTH, _HEADER_WIDTH = 60, 60, 40
_HEADER_WORDS = 3
_DESCRIPTION_WORDS = range(5, 31)
_LETTER = re.compile(r"[^\W\d_]")
# Whose value is the name of a link.
_POINTER = re.compile(r"\b(?:links?|urls?|references?|homepage|website|see also)\b", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://|www\.")


@dataclass(frozen=True, slots=True)
class _Table:
    """``rows`` are without the header; a table of two columns, a name and a value, may have none."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def table_candidates(text: str, section: Section, topic: Topic) -> Iterator[Candidate]:
    """Yield questions for the tables of a section."""
    for piece in section.pieces:
        if piece.layout is Layout.TABLE:
            table = _read(text[piece.span.start : piece.span.end])
            if table:
                yield from _cells(table, piece.span, topic)


def _read(inner: str) -> _Table | None:
    kept = [line.strip().strip("|") for line in inner.split("\n") if not _RULER.fullmatch(line)]
    lines = [line.split(_SEPARATOR) for line in kept]
    if lines and len(lines[0]) == 1:  # a caption
        lines = lines[1:]
    if len(lines) < 3:
        return None
    header = tuple(plain(cell) for cell in lines[0])
    if len(header) == 2 and (_is_value(lines[0][1]) or len(header[0].split()) > _HEADER_WORDS):
        header, lines = (), [[], *lines]
    width = len(header) or 2
    rows = tuple(tuple(cell.strip() for cell in line) for line in lines[1:] if len(line) == width)
    labels = [row[0] for row in rows]
    named = all(_LETTER.search(name) and len(name) <= _HEADER_WIDTH for name in header)
    if not named or len(set(header)) < len(header) or len(set(labels)) < len(labels):
        return None
    return _Table(header, rows) if len(rows) > 1 else None


def _is_value(cell: str) -> bool:
    """Tell whether what stands in the first row is a value and no header."""
    return len(cell.split()) > _HEADER_WORDS or bool(re.search(r"[`:\d]", cell))


def _cells(table: _Table, span: Span, topic: Topic) -> Iterator[Candidate]:
    if not table.header:
        for label, cell in table.rows:
            yield from _value(label, cell, span, topic)
    for column in range(1, len(table.header)):
        values = [row[column] for row in table.rows]
        if len(set(values)) < 2:
            continue  # the same everywhere: nothing to look up
        for row in table.rows:
            yield from _cell(table, row, column, values, span, topic)


def _cell(
    table: _Table, row: tuple[str, ...], column: int, values: list[str], span: Span, topic: Topic
) -> Iterator[Candidate]:
    label, cell, header = row[0], row[column], table.header[column]
    if not _is_askable(label, cell):
        return
    answer = _bare(cell)
    if answer and not contains(header, answer) and not contains(label, answer):
        question = f"{_value_of(header)} {plain(label)}?"
        yield Candidate("table", asked_in(topic, question, answer=answer), (answer,), span)
    elif len(cell.split()) in _DESCRIPTION_WORDS and values.count(cell) == 1 and not contains(cell, label):
        answer = _bare(label)
        question = (
            f"which {_as_noun(table.header[0])} has the {_as_noun(header)} “{plain(cell).rstrip('.')}”?"
        )
        yield Candidate("table", asked_in(topic, question, answer=answer), (answer,), span)


def _value(label: str, cell: str, span: Span, topic: Topic) -> Iterator[Candidate]:
    answer = _bare(cell)
    if answer and _is_askable(label, cell):
        question = f"what does the table give for “{plain(label)}”?"
        yield Candidate("table", asked_in(topic, question, answer=answer), (answer,), span)


def _is_askable(label: str, cell: str) -> bool:
    short = 0 < len(label) <= _LABEL_WIDTH and bool(_LETTER.search(label))
    return short and not _POINTER.search(label) and bool(re.search(r"\w", cell)) and not _ADDRESS.search(cell)


def _bare(cell: str) -> str:
    """Return a short cell without the marks around it; nothing where marks are left inside."""
    bare = cell.strip("`* ")
    return bare if len(bare) <= _CELL_WIDTH and not re.search(r"[`\xa0]|\*\*", bare) else ""


def _value_of(header: str) -> str:
    if re.fullmatch(r"[A-Z]?[a-z]{2,}", header) and not header.endswith("s"):
        return f"what is the {header.lower()} of"
    return f"what does the table give as “{header}” for"


def _as_noun(header: str) -> str:
    return lower_first(header.rstrip(":?"))
