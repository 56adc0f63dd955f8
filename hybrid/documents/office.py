"""Word documents (DOCX), and presentations (PPTX), whose slides are pages."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Any

from hybrid.config import DocumentSettings
from hybrid.documents.builder import TextBuilder
from hybrid.documents.source import SourceFile, Unreadable, check_pages, open_zip
from hybrid.types import BlockKind, Document

_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_LIST = re.compile(r"list\b(?: (?:bullet|number))?(?: (\d))?", re.IGNORECASE)
# The container that Office uses for files with a password, and used before 2007.
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a DOCX or a PPTX file."""
    builder = TextBuilder(settings.max_characters)
    if file.path.suffix.lower() == ".docx":
        library = _library(file, settings, "docx", part="word/document.xml", what="Word document")
        office = library.Document(str(file.path))
        _add_word(builder, office)
    else:
        library = _library(file, settings, "pptx", part="ppt/presentation.xml", what="presentation")
        office = library.Presentation(str(file.path))
        check_pages(len(office.slides), settings, what="slides")
        for slide in office.slides:
            _add_slide(builder, slide)
    title, author = office.core_properties.title or "", office.core_properties.author or ""
    # what PowerPoint writes where nobody gave a title
    title = "" if title == "PowerPoint Presentation" else title
    yield builder.document(file.source, title=title, metadata={"author": author})


def _library(file: SourceFile, settings: DocumentSettings, name: str, *, part: str, what: str) -> Any:
    """Return the library that reads a file, after the file was found to be one for it."""
    try:
        library = importlib.import_module(name)
    except ImportError as error:
        raise Unreadable(f"{name.upper()} needs the extra: pip install 'hybrid-assistant[office]'") from error
    with file.path.open("rb") as stream:
        if stream.read(8) == _OLD_OFFICE:
            raise Unreadable(
                "encrypted, or from Office before 2007; save it in the new format, without a password"
            )
    with open_zip(file.path, settings) as archive:
        if part not in archive.namelist():
            raise Unreadable(f"damaged: no {what} inside of the archive")
    return library


def _add_word(builder: TextBuilder, word: Any) -> None:
    items: list[str] = []
    for block in word.iter_inner_content():
        item = "" if hasattr(block, "rows") else _list_item(block)
        if item:
            items.append(item)
            continue
        _end_list(builder, items)
        if hasattr(block, "rows"):
            builder.add(BlockKind.TABLE, _table_text(block.rows))
        else:
            level = _level(block)
            text = " ".join(block.text.split()) if level else block.text
            builder.add(BlockKind.HEADING if level else BlockKind.PARAGRAPH, text, level=level)
    _end_list(builder, items)


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


def _level(paragraph: Any) -> int:
    name = _style_name(paragraph)
    if name.lower() == "title":
        return 1
    match = _HEADING.match(name)
    return int(match[1]) or 1 if match else 0


def _style_name(paragraph: Any) -> str:
    style = paragraph.style
    return (style.name or "") if style is not None else ""


def _add_slide(builder: TextBuilder, slide: Any) -> None:
    builder.start_page()
    title = slide.shapes.title
    if title is not None and title.has_text_frame:
        builder.add(BlockKind.HEADING, " ".join(title.text_frame.text.split()), level=1)
    for shape in _leaves(slide.shapes):
        if title is not None and shape.shape_id == title.shape_id:
            continue
        if getattr(shape, "has_table", False):
            builder.add(BlockKind.TABLE, _table_text(shape.table.rows))
        elif shape.has_text_frame:
            _add_lines(builder, shape.text_frame)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        _add_lines(builder, slide.notes_slide.notes_text_frame)


def _leaves(shapes: Any) -> Iterator[Any]:
    """Yield the shapes, those inside of groups included."""
    pending = list(reversed(list(shapes)))
    while pending:
        shape = pending.pop()
        if hasattr(shape, "shapes"):
            pending.extend(reversed(list(shape.shapes)))
        else:
            yield shape


def _add_lines(builder: TextBuilder, frame: Any) -> None:
    lines = [(paragraph.level, " ".join(paragraph.text.split())) for paragraph in frame.paragraphs]
    lines = [(level, text) for level, text in lines if text]
    if len(lines) == 1:
        builder.add(BlockKind.PARAGRAPH, lines[0][1])
    else:
        builder.add(BlockKind.LIST, "\n".join("  " * level + "- " + text for level, text in lines))


def _table_text(rows: Any) -> str:
    """Return the rows of a table, a line each; a merged cell counts once."""
    lines: list[str] = []
    for row in rows:
        cells: list[str] = []
        previous = None
        for cell in row.cells:
            element = getattr(cell, "_tc", None)
            if element is None or element is not previous:
                nested = " ".join(_table_text(table.rows) for table in getattr(cell, "tables", ()))
                cells.append(" ".join(f"{cell.text} {nested}".split()))
            previous = element
        if any(cells):
            lines.append(" | ".join(cells))
    return "\n".join(lines)
