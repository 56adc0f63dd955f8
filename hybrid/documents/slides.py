"""Presentations (PPTX): each slide is a page, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hybrid.config import DocumentSettings
from hybrid.documents.builder import one_line
from hybrid.documents.markup import count_heads
from hybrid.documents.office import (
    Element,
    Package,
    PartLink,
    RunText,
    child,
    chosen,
    equation,
    finish,
    graphic,
    local,
    number,
    open_package,
    picture,
    raw_text,
    relation,
    symbols,
    value,
)
from hybrid.documents.signs import numeral
from hybrid.documents.source import SourceFile, check_pages
from hybrid.types import BlockKind, Document

_TITLES = ("title", "ctrTitle")
# what is filled in anew on every page, and the picture of the slide on the page of its notes
_MACHINE = ("sldNum", "sldImg", "hdr", "dt")
_NUMERALS = {
    "arabic": "decimal",
    "alphaLc": "lowerLetter",
    "alphaUc": "upperLetter",
    "romanLc": "lowerRoman",
    "romanUc": "upperRoman",
}


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a presentation; hidden slides are read, and named in its metadata."""
    with open_package(file, settings, root="presentation", what="presentation") as (package, name, root):
        relations = package.relations(name)
        targets = [relations.get(relation(one)) for one in root.iter("{*}sldId")]
        check_pages(len(targets), settings, what="slides")
        deck = Drawings(package)
        for target in targets:
            deck.add_slide(target.target if target else "")
        yield finish(package, file.source, {"hidden_slides": ", ".join(deck.hidden)})


class Drawings:
    """The slides added so far, or what is drawn on sheets, and the lines and parts that many share."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._builder = package.builder
        self._slides = 0
        self._shared: set[str] = set()
        self.hidden: list[str] = []

    def add_slide(self, name: str) -> None:
        """Append the title of a slide, its shapes from back to front, its notes, and what its layout says."""
        self._slides += 1
        self._builder.start_page()
        root = self._package.root(name, "page")
        if root is None:
            return
        if value(root, "show") in ("0", "false"):
            self.hidden.append(str(self._slides))
        relations = self._package.relations(name)
        self._add_shapes(list(_shapes(root)), relations)
        for target in relations.values():
            if target.type == "notesSlide":
                self._add_notes(target.target)
            elif target.type == "comments":
                self.leave_out_comments(target.target)
            elif target.type == "slideLayout":
                self._add_layout(target.target)

    def _add_shapes(self, shapes: list[Element], relations: dict[str, PartLink]) -> None:
        before = self._builder.length
        title = next((one for one in shapes if _placeholder(one) in _TITLES and _paragraphs(one)), None)
        if title is not None:
            text = " ".join(paragraph.text for paragraph in _paragraphs(title))
            self._builder.add(BlockKind.HEADING, text, level=1)
        for shape in shapes:
            if shape is not title:
                self._add_shape(shape, relations)
        if self._builder.length == before and any(local(one) == "pic" for one in shapes):
            self._builder.leave_out("page without text", lost=True)

    def _add_shape(self, shape: Element, relations: dict[str, PartLink]) -> None:
        kind = _placeholder(shape)
        if local(shape) == "pic":
            self._builder.add(BlockKind.PARAGRAPH, picture(self._builder, shape))
        elif kind == "ftr":
            self._add_once(shape)
        elif kind not in _MACHINE:
            self._add_text(shape, is_list=kind in ("body", "obj"))
        for one in shape.iter("{*}tbl", "{*}chart", "{*}relIds", "{*}oleObj"):
            match local(one):
                case "tbl":
                    rows = _rows(one)
                    self._builder.add_table(rows, heads=count_heads(rows))
                case "oleObj":
                    self._builder.leave_out("embedded object", lost=True)
                case _:
                    self._builder.add_all(graphic(self._package, one, relations))
            return

    def _add_text(self, shape: Element, *, is_list: bool) -> None:
        paragraphs = _paragraphs(shape)
        if len(paragraphs) > 1 and (is_list or any(paragraph.bullet for paragraph in paragraphs)):
            lines = [paragraph.line(usual="- " if is_list else "") for paragraph in paragraphs]
            self._builder.add(BlockKind.LIST, "\n".join(lines))
        else:
            self._builder.add(BlockKind.PARAGRAPH, "\n".join(paragraph.text for paragraph in paragraphs))

    def _add_notes(self, name: str) -> None:
        notes = self._package.root(name, "notes")
        for shape in () if notes is None else _shapes(notes):
            if _placeholder(shape) not in (*_MACHINE, "ftr"):
                self._add_text(shape, is_list=False)

    def _add_layout(self, name: str) -> None:
        """Append once what a layout and its master show on every slide: no prompts of placeholders."""
        if name in self._shared:
            return
        self._shared.add(name)
        layout = self._package.root(name)
        for shape in () if layout is None else _shapes(layout):
            if not _placeholder(shape):
                self._add_once(shape)
        for target in self._package.relations(name).values():
            if target.type == "slideMaster":
                self._add_layout(target.target)

    def _add_once(self, shape: Element) -> None:
        text = "\n".join(paragraph.text for paragraph in _paragraphs(shape))
        if text not in self._shared:
            self._shared.add(text)
            self._builder.add(BlockKind.PARAGRAPH, text)

    def add_drawing(self, name: str) -> None:
        """Append the boxes, charts and pictures that lie on a sheet."""
        root = self._package.root(name, "drawings")
        for anchor in () if root is None else root:
            for shape in _shapes(anchor):
                self._add_shape(shape, self._package.relations(name))

    def leave_out_comments(self, name: str) -> None:
        """Tell that comments are left out."""
        comments = self._package.root(name, "comments")
        for comment in () if comments is None else comments.iter("{*}cm", "{*}comment"):
            texts = comment.iter("{*}text", "{*}t")
            self._builder.leave_out("comment", sum(len(raw_text(one)) for one in texts))


@dataclass(frozen=True, slots=True)
class _Paragraph:
    """A paragraph of a shape; ``bullet`` is None where the layout decides."""

    text: str
    depth: int
    bullet: str | None

    def line(self, *, usual: str) -> str:
        return "  " * self.depth + (usual if self.bullet is None else self.bullet) + self.text


def _shapes(parent: Element) -> Iterator[Element]:
    """Yield the shapes that hold text, those inside of groups included."""
    for one in parent:
        name = local(one)
        if name in ("sp", "graphicFrame", "cxnSp", "pic"):
            yield one
        elif name == "AlternateContent":
            yield from _shapes(chosen(one))
        elif name in ("cSld", "spTree", "grpSp"):
            yield from _shapes(one)


def _placeholder(shape: Element) -> str:
    """Return the kind of a placeholder, "" for other shapes."""
    place = next((found for one in shape if (found := child(one, "nvPr", "ph")) is not None), None)
    return "" if place is None else value(place, "type") or "obj"


def _paragraphs(shape: Element) -> list[_Paragraph]:
    """Return the paragraphs of a shape or of a cell that are not blank."""
    found: list[_Paragraph] = []
    counts: dict[int, int] = {}
    line = RunText()
    for paragraph in () if (body := child(shape, "txBody")) is None else body:
        _add_runs(line, paragraph)
        text = one_line(line.take())
        if local(paragraph) != "p" or not text:
            continue
        properties = child(paragraph, "pPr")
        depth = min(number(value(properties, "lvl")), 8)
        bullet = None
        if child(properties, "buNone") is not None:
            bullet = ""
        elif child(properties, "buChar") is not None:
            bullet = "- "
        elif (numbered := child(properties, "buAutoNum")) is not None:
            start = number(value(numbered, "startAt"), 1)
            counts = {level: count for level, count in counts.items() if level <= depth}
            counts[depth] = counts.get(depth, start - 1) + 1
            bullet = _numbered(value(numbered, "type"), counts[depth])
        found.append(_Paragraph(text, depth, bullet))
    return found


def _numbered(kind: str, count: int) -> str:
    stem = next((stem for stem in _NUMERALS if kind.startswith(stem)), "arabic")
    end = "." if kind.endswith("Period") else ")" if "Paren" in kind else ""
    return f"{'(' if kind.endswith('Both') else ''}{numeral(count, _NUMERALS[stem])}{end} "


def _add_runs(line: RunText, parent: Element) -> None:
    """Append the text of a paragraph, run by run."""
    for one in parent:
        match local(one):
            case "t":
                properties = child(parent, "rPr")
                fonts = (value(child(properties, name), "typeface") for name in ("sym", "latin"))
                text = symbols(raw_text(one), next(filter(None, fonts), ""))
                base = number(value(properties, "baseline").rstrip("%"))
                struck = value(properties, "strike") in ("sngStrike", "dblStrike")
                line.add(text, shift=(base > 0) - (base < 0), struck=struck)
            case "br":
                line.add("\n")
            case "AlternateContent":
                _add_runs(line, chosen(one))
            case "m" | "oMath" | "oMathPara":
                line.add(equation(one))
            case "fld" if value(one, "type") == "slidenum":
                pass
            case name if not name.endswith("Pr"):
                _add_runs(line, one)


def _rows(table: Element) -> list[list[str | None]]:
    """Return the cells of a table by row; what spans rows is repeated, what another cell covers is None."""
    rows: list[list[str | None]] = []
    for row in table.iterchildren("{*}tr"):
        above = rows[-1] if rows else []
        cells: list[str | None] = []
        for at, cell in enumerate(row.iterchildren("{*}tc")):
            text: str | None = " ".join(paragraph.text for paragraph in _paragraphs(cell))
            if not text and value(cell, "hMerge") in ("1", "true"):
                text = None
            elif not text and value(cell, "vMerge") in ("1", "true") and at < len(above):
                text = above[at]
            cells.append(text)
        rows.append(cells)
    return rows
