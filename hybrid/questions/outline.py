"""The structure of a document as the index keeps it: sections and what their pieces look like.

Takes a document and its chunks, gives sections. Knows nothing about questions.

A stored document has no blocks any more. Its chunks still tell the structure: a heading is not part
of any chunk, so what no chunk covers are the headings, and each chunk names the path above it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hybrid.questions.values import Layout, Piece, Section
from hybrid.types import Chunk, Document, Span

_BLANK = re.compile(r"\n[ \t]*\n\s*")
_ITEM = re.compile(r"\s*(?:[-*•]|\d{1,2}[.)])\s+\S")
_ENTRY_END = re.compile(r"[.,;!?]$")
_TERM_WIDTH = 90


def outline(document: Document, chunks: Sequence[Chunk]) -> list[Section]:
    """Return the sections of a document; ``chunks`` are all of its chunks, in order."""
    sections: list[Section] = []
    start = end = 0
    heading: Span | None = None
    path: tuple[str, ...] = ()
    for chunk in chunks:
        gap = _heading_in(document.text, end, chunk.start)
        if end and (gap is not None or chunk.headings != path):
            sections.append(_section(document.text, path, heading, Span(start, end)))
            heading = None
        if gap is not None or not end or chunk.headings != path:
            start, path, heading = chunk.start, chunk.headings, gap
        end = max(end, chunk.end)
    if chunks:
        sections.append(_section(document.text, path, heading, Span(start, end)))
    return sections


def _heading_in(text: str, start: int, end: int) -> Span | None:
    """Return the last of the headings that stand between two chunks."""
    inner = text[start:end].rstrip()
    if not inner.strip():
        return None
    begun = start
    for blank in _BLANK.finditer(inner):
        begun = start + blank.end()
    begun += len(text[begun:end]) - len(text[begun:end].lstrip())
    return Span(begun, start + len(inner))


def _section(text: str, path: tuple[str, ...], heading: Span | None, body: Span) -> Section:
    return Section(path, heading, tuple(_pieces(text, body)))


def _pieces(text: str, body: Span) -> Iterator[Piece]:
    start = body.start
    for blank in [*_BLANK.finditer(text, body.start, body.end), None]:
        end = blank.start() if blank else body.end
        if text[start:end].strip():
            yield Piece(layout_of(text[start:end]), Span(start, end))
        start = blank.end() if blank else end


def layout_of(text: str) -> Layout:
    """Tell from the lines of a piece what it is."""
    lines = [line for line in text.split("\n") if line.strip()]
    cells = [line.count(" | ") for line in lines]
    if len(lines) > 2 and max(cells) > 0 and sum(count == cells[-1] > 0 for count in cells) >= len(lines) - 1:
        return Layout.TABLE
    if lines and _ITEM.match(lines[0]):
        return Layout.ITEMS
    if len(lines) > 1 and _is_term(lines[0]) and not _is_term(lines[-1]):
        return Layout.ENTRY
    return Layout.PROSE


def _is_term(line: str) -> bool:
    """Tell whether a line names something that the lines below explain."""
    bare = line.strip()
    return len(bare) <= _TERM_WIDTH and not _ENTRY_END.search(bare) and len(bare.split()) <= 8
