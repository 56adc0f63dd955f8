"""Presentations (PPTX): a slide is a page.

Takes a PPTX file, gives one document; the title of a slide is a heading, its notes follow its
text. Knows nothing about pictures or animation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hybrid.config import DocumentSettings
from hybrid.documents.builder import TextBuilder
from hybrid.documents.limits import Unreadable, check_pages, open_zip
from hybrid.documents.source import SourceFile
from hybrid.documents.word import refuse_old_office, table_text
from hybrid.types import BlockKind, Document


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a PPTX file."""
    slides = _open(file, settings)
    check_pages(len(slides.slides), settings, what="slides")
    builder = TextBuilder(settings.max_characters)
    for slide in slides.slides:
        builder.start_page()
        title = slide.shapes.title
        if title is not None and title.has_text_frame:
            builder.add(BlockKind.HEADING, " ".join(title.text_frame.text.split()), level=1)
        for shape in _leaves(slide.shapes):
            if title is None or shape.shape_id != title.shape_id:
                _add_shape(builder, shape)
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            _add_lines(builder, slide.notes_slide.notes_text_frame)
    properties = slides.core_properties
    title_text = properties.title or ""
    # what PowerPoint writes where nobody gave a title
    yield builder.document(
        file.source,
        title="" if title_text == "PowerPoint Presentation" else title_text,
        metadata={"author": properties.author or ""},
    )


def _open(file: SourceFile, settings: DocumentSettings) -> Any:
    try:
        import pptx
    except ImportError as error:
        raise Unreadable("PPTX needs the extra: pip install 'hybrid-assistant[office]'") from error
    refuse_old_office(file)
    with open_zip(file.path, settings) as archive:
        if "ppt/presentation.xml" not in archive.namelist():
            raise Unreadable("damaged: no presentation inside of the archive")
    return pptx.Presentation(str(file.path))


def _leaves(shapes: Any) -> Iterator[Any]:
    """Yield the shapes, those inside of groups included."""
    pending = list(reversed(list(shapes)))
    while pending:
        shape = pending.pop()
        if hasattr(shape, "shapes"):
            pending.extend(reversed(list(shape.shapes)))
        else:
            yield shape


def _add_shape(builder: TextBuilder, shape: Any) -> None:
    if getattr(shape, "has_table", False):
        builder.add(BlockKind.TABLE, table_text(shape.table.rows))
    elif shape.has_text_frame:
        _add_lines(builder, shape.text_frame)


def _add_lines(builder: TextBuilder, frame: Any) -> None:
    lines = [(paragraph.level, " ".join(paragraph.text.split())) for paragraph in frame.paragraphs]
    lines = [(level, text) for level, text in lines if text]
    if len(lines) == 1:
        builder.add(BlockKind.PARAGRAPH, lines[0][1])
    else:
        builder.add(BlockKind.LIST, "\n".join("  " * level + "- " + text for level, text in lines))
