"""Word documents (DOCX).

Takes a DOCX file, gives one document with headings, lists and tables in their order. Knows nothing
about layout, headers or footers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hybrid.config import DocumentSettings
from hybrid.documents.builder import TextBuilder
from hybrid.documents.limits import Unreadable, open_zip
from hybrid.documents.source import SourceFile
from hybrid.types import BlockKind, Document

_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_LIST = re.compile(r"list\b(?: (?:bullet|number))?(?: (\d))?", re.IGNORECASE)


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a DOCX file."""
    word = _open(file, settings)
    builder = TextBuilder(settings.max_characters)
    items: list[str] = []
    for block in word.iter_inner_content():
        item = "" if hasattr(block, "rows") else _list_item(block)
        if item:
            items.append(item)
            continue
        _end_list(builder, items)
        if hasattr(block, "rows"):
            builder.add(BlockKind.TABLE, table_text(block.rows))
        else:
            _add_paragraph(builder, block)
    _end_list(builder, items)
    properties = word.core_properties
    yield builder.document(
        file.source, title=properties.title or "", metadata={"author": properties.author or ""}
    )


def table_text(rows: Any) -> str:
    """Return the rows of a table, a line each; a merged cell counts once."""
    lines: list[str] = []
    for row in rows:
        cells: list[str] = []
        previous = None
        for cell in row.cells:
            element = getattr(cell, "_tc", None)
            if element is None or element is not previous:
                cells.append(" ".join(cell_text(cell).split()))
            previous = element
        if any(cells):
            lines.append(" | ".join(cells))
    return "\n".join(lines)


def cell_text(cell: Any) -> str:
    """Return the text of a cell, with that of tables inside of it."""
    nested = " ".join(table_text(table.rows) for table in getattr(cell, "tables", ()))
    return f"{cell.text} {nested}"


def _open(file: SourceFile, settings: DocumentSettings) -> Any:
    try:
        import docx
    except ImportError as error:
        raise Unreadable("DOCX needs the extra: pip install 'hybrid-assistant[office]'") from error
    refuse_old_office(file)
    with open_zip(file.path, settings) as archive:
        if "word/document.xml" not in archive.namelist():
            raise Unreadable("damaged: no Word document inside of the archive")
    return docx.Document(str(file.path))


def refuse_old_office(file: SourceFile) -> None:
    """Refuse the container that Office uses for files with a password, and used before 2007."""
    with file.path.open("rb") as stream:
        if stream.read(8) == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
            raise Unreadable(
                "encrypted, or from Office before 2007; save it in the new format, without a password"
            )


def _end_list(builder: TextBuilder, items: list[str]) -> None:
    builder.add(BlockKind.LIST, "\n".join(items))
    items.clear()


def _list_item(paragraph: Any) -> str:
    """Return the paragraph as a line of a list, or nothing where it is none."""
    text = " ".join(paragraph.text.split())
    properties = paragraph._p.pPr
    numbering = properties.numPr if properties is not None else None
    style = _LIST.match(_style_name(paragraph))
    if not text or (numbering is None and style is None) or _level(paragraph):
        return ""
    if numbering is not None and numbering.ilvl is not None:
        depth = int(numbering.ilvl.val)
    else:
        depth = int(style[1] or 1) - 1 if style else 0
    return "  " * min(depth, 8) + "- " + text


def _add_paragraph(builder: TextBuilder, paragraph: Any) -> None:
    level = _level(paragraph)
    if level:
        builder.add(BlockKind.HEADING, " ".join(paragraph.text.split()), level=level)
    else:
        builder.add(BlockKind.PARAGRAPH, paragraph.text)


def _level(paragraph: Any) -> int:
    name = _style_name(paragraph)
    if name.lower() == "title":
        return 1
    match = _HEADING.match(name)
    return int(match[1]) or 1 if match else 0


def _style_name(paragraph: Any) -> str:
    style = paragraph.style
    return (style.name or "") if style is not None else ""
