"""Word documents (DOCX): one walk over the XML, tracked changes in their final state."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from hybrid.config import DocumentSettings
from hybrid.documents.builder import RawBlock, one_line
from hybrid.documents.html import inserted
from hybrid.documents.office import (
    REMOVED,
    Element,
    Package,
    RunText,
    child,
    chosen,
    equation,
    finish,
    graphic,
    is_on,
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
from hybrid.documents.source import SourceFile, Unreadable
from hybrid.documents.styles import (
    BOXES,
    CAPTION_STYLE,
    CONTENTS_STYLE,
    LIST_STYLE,
    PAGE,
    PAGE_FIELDS,
    block_of,
    named,
    named_level,
    running_text,
    table_blocks,
)
from hybrid.types import CELLS, BlockKind, Document

_MAX_DEPTH = 8
_MAX_FIELDS = 100
# above this many cells a table is given as lines, which need not be of equal length
_MAX_CELLS = 2_000_000
_PAGES = (".htm", ".html", ".xhtml", ".mht", ".mhtml")
_WRITTEN = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "pgNum": PAGE}


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a Word file."""
    with open_package(file, settings, root="document", what="Word document") as (package, name, root):
        blocks = _WordWalk(package, name, root).blocks()
        package.builder.add_all(named(blocks, package.builder))
        yield finish(package, file.source)


class _Styles:
    """What styles are called and say, by way of those that they are based on."""

    def __init__(self, root: Element | None) -> None:
        self._styles = {value(style, "styleId"): style for style in _below(root, "style")}

    def chain(self, name: str) -> Iterator[Element]:
        """Yield a style and those that it is based on, the nearest first."""
        seen: set[str] = set()
        while name in self._styles and name not in seen:
            seen.add(name)
            yield self._styles[name]
            name = value(child(self._styles[name], "basedOn"))

    def find(self, name: str, *path: str) -> Element | None:
        """Return the nearest property on a path below a style."""
        return next((found for style in self.chain(name) if (found := child(style, *path)) is not None), None)

    def called(self, name: str, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Return how the name of the nearest style matches; its identifier counts where no style is known."""
        names = [value(child(style, "name")) for style in self.chain(name)] or [name]
        return next(filter(None, map(pattern.match, names)), None)

    def level(self, name: str) -> int:
        """Return the level of the headings of a style, 0 where it is none."""
        for style in self.chain(name):
            if (outline := child(style, "pPr", "outlineLvl")) is not None:
                return _outline(outline)
            name = value(child(style, "name"))
            if (level := named_level(name)) or name.lower() in ("author", "date"):
                return level
        return named_level(name) if name not in self._styles else 0


def _outline(element: Element) -> int:
    level = number(value(element), 9)
    return level + 1 if 0 <= level < 9 else 0


@dataclass(frozen=True, slots=True)
class _Level:
    """A level of a list: its element, and where its own count begins."""

    element: Element
    start: int
    restarts: bool

    def says(self, name: str) -> str:
        return value(child(self.element, name))


class _Numbering:
    """The labels of numbered paragraphs, counted in the order in which they are asked for."""

    def __init__(self, root: Element | None) -> None:
        kinds = {value(kind, "abstractNumId"): kind for kind in _below(root, "abstractNum")}
        linked = {
            value(link): kind for kind in kinds.values() if (link := child(kind, "styleLink")) is not None
        }
        self._kinds: dict[str, Element] = {}
        self._levels: dict[tuple[str, int], _Level] = {}
        self._counts: dict[Element, dict[int, int]] = {}
        self._begun: set[tuple[str, int]] = set()
        for one in _below(root, "num"):
            name = value(one, "numId")
            kind = kinds.get(value(child(one, "abstractNumId")))
            self._kinds[name] = kind = linked.get(value(child(kind, "numStyleLink")), kind)
            overrides = {value(own, "ilvl"): own for own in _below(one, "lvlOverride")}
            for level in _below(kind, "lvl"):
                depth = value(level, "ilvl")
                own = child(overrides.get(depth), "lvl")
                own = level if own is None else own
                start = child(overrides.get(depth), "startOverride")
                first = number(value(child(own, "start") if start is None else start))
                self._levels[name, number(depth)] = _Level(own, first, start is not None)

    def depth(self, name: str, style: str) -> int:
        """Return the level of a list that belongs to a style, 0 where none does."""
        levels = ((depth, self._levels.get((name, depth))) for depth in range(9))
        return next((depth for depth, level in levels if level and level.says("pStyle") == style), 0)

    def label(self, name: str, depth: int) -> str:
        """Count a paragraph of a list and return what stands before it, such as ``2.1``, ``a)`` or ``-``."""
        level = self._levels.get((name, depth))
        if level is None:
            return "-"
        counts = self._counts.setdefault(self._kinds[name], {})
        if level.restarts and (name, depth) not in self._begun:
            counts.pop(depth, None)
        self._begun.add((name, depth))
        counts[depth] = counts.get(depth, level.start - 1) + 1
        for deeper in [one for one in counts if one > depth]:
            del counts[deeper]
        if level.says("numFmt") == "bullet":
            return mark if (mark := level.says("lvlText")) in BOXES else "-"

        def shown(match: re.Match[str]) -> str:
            at = int(match[1]) - 1
            upper = self._levels.get((name, at), level)
            style = "decimal" if is_on(child(level.element, "isLgl")) else upper.says("numFmt")
            return numeral(counts.get(at, upper.start), style)

        return re.sub("%([1-9])", shown, level.says("lvlText")).strip()


@dataclass(slots=True)
class _Field:
    """A field that was begun: its instruction, and the words found before its result."""

    form: Element | None
    instruction: str = ""
    has_result: bool = False
    is_page: bool = False
    held: list[str] = field(default_factory=list)

    @property
    def words(self) -> list[str]:
        """Return the words of the instruction, of which the first says what the field is."""
        return self.instruction.upper().split()


class _WordWalk:
    """The blocks of a document, in the order of its XML."""

    def __init__(self, package: Package, name: str, root: Element) -> None:
        self._package = package
        self._builder = package.builder
        self._name = name
        self._root = root
        self._relations = package.relations(name)
        self._styles = _Styles(package.related(name, "styles"))
        self._numbering = _Numbering(package.related(name, "numbering"))
        self._notes = {
            (kind, value(note, "id")): note
            for kind in ("footnote", "endnote")
            for note in _below(package.related(name, f"{kind}s", f"{kind}s"), kind)
            if value(note, "type") in ("", "normal")
        }
        self._marks: dict[tuple[str, str], str] = {}
        self._gone: set[tuple[str, str]] = set()
        self._counts: Counter[str] = Counter()
        self._formats = {"footnote": "decimal", "endnote": "lowerRoman"}
        for kind in self._formats:
            for one in root.iter(f"{{*}}{kind}Pr"):
                self._formats[kind] = value(child(one, "numFmt")) or self._formats[kind]
        self._blocks: list[RawBlock] = []
        # the notes of the paragraph at hand, and those of the list that is not at its end yet
        self._new, self._waiting = list[RawBlock](), list[RawBlock]()
        # within a cell, a note or a header, paragraphs are lines of one text
        self._lines: list[str] | None = None
        self._inner: list[RawBlock] = []
        self._graphics: list[Element] = []
        self._line = RunText()
        self._shift, self._font, self._struck = 0, "", False
        self._fields: list[_Field] = []
        self._is_caption = self._in_header = False
        self._handlers: dict[str, Callable[[Element], None]] = {
            "r": self._run,
            "t": lambda one: self._say(symbols(raw_text(one), self._font)),
            "sym": self._symbol,
            "oMath": lambda one: self._say(equation(one)),
            "fldSimple": self._simple_field,
            "fldChar": self._field,
            "instrText": self._instruction,
            "footnoteReference": self._note,
            "endnoteReference": self._note,
            "AlternateContent": lambda one: self._inline(chosen(one)),
            "txbxContent": lambda one: self._graphics.append(one),
            "chart": lambda one: self._graphics.append(one),
            "relIds": lambda one: self._graphics.append(one),
            "pic": lambda one: self._say(picture(self._builder, one)),
            "imagedata": lambda _: self._builder.leave_out("image"),
            "textpath": lambda one: self._say(value(one, "string")),
            "OLEObject": lambda _: self._builder.leave_out("embedded object", lost=True),
            "rt": lambda one: self._drop(one, "reading aid above characters"),
        }

    def blocks(self) -> list[RawBlock]:
        """Return the headers, the body with its notes, and the footers."""
        headers, footers = self._running("header"), self._running("footer")
        self._walk(self._root)
        self._end_line()
        others = [note for key, note in self._notes.items() if key not in self._gone]
        notes = [RawBlock(BlockKind.PARAGRAPH, self._text(note)) for note in others]
        for comment in _below(self._package.related(self._name, "comments"), "comment"):
            self._builder.leave_out("comment", _length(comment))
        return [*headers, *self._blocks, *self._waiting, *notes, *footers]

    def _running(self, kind: str) -> list[RawBlock]:
        """Return each text of the headers or of the footers once, without the numbers of pages."""
        names = dict.fromkeys(relation(one) for one in self._root.iter(f"{{*}}{kind}Reference"))
        texts: dict[str, None] = {}
        self._in_header = True
        for name in names:
            found = self._relations.get(name)
            root = self._package.root(found.target if found else "", f"{kind}s")
            texts["" if root is None else running_text(self._text(root))] = None
        self._in_header = False
        return [RawBlock(BlockKind.PARAGRAPH, text) for text in texts]

    def _text(self, element: Element) -> str:
        """Return the text below an element: a line a paragraph, then its tables row by row."""
        text, tables = self._flat(element)
        return f"{text}\n{_as_lines(tables)}".strip()

    def _flat(self, element: Element) -> tuple[str, list[RawBlock]]:
        """Return the paragraphs below an element, a line each, and the tables between them."""
        outside = self._lines, self._inner, self._line, self._fields, self._shift, self._font, self._struck
        lines, inner = list[str](), list[RawBlock]()
        self._lines, self._inner, self._line, self._fields = lines, inner, RunText(), []
        self._shift, self._font, self._struck = 0, "", False
        self._walk(element)
        self._end_line()
        self._lines, self._inner, self._line, self._fields, self._shift, self._font, self._struck = outside
        return "\n".join(lines), inner

    # blocks

    def _walk(self, parent: Element) -> None:
        for one in parent:
            name = local(one)
            if name == "p":
                self._paragraph(one)
            elif name == "tbl":
                self._table(one)
            elif name == "AlternateContent":
                self._walk(chosen(one))
            elif name in self._handlers:
                self._inline((one,))
            elif not self._is_left_out(one, name):
                self._walk(one)

    def _is_left_out(self, one: Element, name: str) -> bool:
        """Return whether nothing of an element is read, after telling what it held."""
        if name.endswith("Pr") or name == "extLst":
            return True
        if name in REMOVED:
            self._drop(one, "deleted text")
        elif name == "sdt" and is_on(child(one, "sdtPr", "showingPlcHdr")):
            self._drop(one, "prompt of an empty field")
        elif name in ("altChunk", "subDoc"):
            self._insert(one)
        else:
            return False
        return True

    def _insert(self, one: Element) -> None:
        """Read a page that Word shows in this place; another document there is told as lost."""
        found = self._relations.get(relation(one))
        name = found.target.lower() if found else ""
        data = self._package.data(name) if name.endswith(_PAGES) else None
        self._end_line()
        try:
            for block in inserted(self._builder, data or b""):
                self._put(block)
        except Unreadable:
            self._builder.leave_out("inserted file", lost=True)

    def _drop(self, element: Element, kind: str) -> None:
        if length := _length(element):
            self._builder.leave_out(kind, length)
        for name in ("footnote", "endnote"):
            marks = element.iter(f"{{*}}{name}Reference")
            self._gone.update((name, value(mark, "id")) for mark in marks)

    def _paragraph(self, paragraph: Element) -> None:
        self._inline(paragraph)
        properties = child(paragraph, "pPr")
        if any(child(properties, "rPr", name) is not None for name in REMOVED):
            return  # its end was deleted: the next one goes on in it
        self._end_fields()
        self._end_paragraph(properties)

    def _end_line(self) -> None:
        """End a paragraph that nothing follows."""
        self._end_fields()
        self._end_paragraph(None)

    def _end_paragraph(self, properties: Element | None) -> None:
        text = self._line.take().strip(" \t\n")
        style = value(child(properties, "pStyle"))
        label, depth = self._label(properties, style)
        outline = child(properties, "outlineLvl")
        level = self._styles.level(style) if outline is None else _outline(outline)
        role = "contents" if self._styles.called(style, CONTENTS_STYLE) else ""
        role = role or "caption" * (self._is_caption or self._styles.called(style, CAPTION_STYLE) is not None)
        self._is_caption = False
        if text and self._lines is not None:
            self._lines.append(text if label in ("", "-") else f"{label} {one_line(text)}")
        elif text:
            self._put(block_of(text, level=level, label=label, depth=depth, role=role))
        self._settle()

    def _label(self, properties: Element | None, style: str) -> tuple[str, int]:
        """Return what stands before a paragraph of a list, and how deep it lies."""
        own = child(properties, "numPr")
        name = value(child(own, "numId")) or value(self._styles.find(style, "pPr", "numPr", "numId"))
        level = value(child(own, "ilvl")) or value(self._styles.find(style, "pPr", "numPr", "ilvl"))
        label, depth = "", 0
        if name and name != "0":
            depth = _between(0, level, _MAX_DEPTH) if level else self._numbering.depth(name, style)
            label = self._numbering.label(name, depth)
        # the lists of "List Bullet 2" lie below those of "List Bullet", though each has a single level
        listed = None if name == "0" else self._styles.called(style, LIST_STYLE)
        if not listed:
            return label, depth
        return label or "-", max(depth, int(listed[1] or 1) - 1)

    def _put(self, block: RawBlock) -> None:
        if self._lines is not None:
            if block.rows:
                self._inner.append(block)
            else:
                self._lines.append(block.text)
            return
        if block.kind is not BlockKind.LIST:
            self._blocks += self._waiting
            self._waiting.clear()
        self._blocks.append(block)

    def _settle(self) -> None:
        """Put what hangs on the last block behind it: its notes, text boxes and charts."""
        graphics, self._graphics = self._graphics, []
        boxes = [one for one in graphics if local(one) == "txbxContent"]
        shown = [one for one in graphics if local(one) != "txbxContent"]
        if self._lines is not None:
            self._graphics += shown
        else:
            self._waiting += self._new
            self._new.clear()
            if boxes or shown or (self._blocks and self._blocks[-1].kind is not BlockKind.LIST):
                self._blocks += self._waiting
                self._waiting.clear()
            for one in shown:
                self._blocks += graphic(self._package, one, self._relations)
        for box in boxes:
            self._walk(box)
            self._end_line()

    # tables

    def _table(self, table: Element) -> None:
        self._end_line()
        rows = [row for row in self._inside(table, "tr") if not self._is_removed(row, "trPr", "del")]
        cells = [
            [cell for cell in self._inside(row, "tc") if not self._is_removed(cell, "tcPr", "cellDel")]
            for row in rows
        ]
        if max(map(len, cells), default=0) <= 1 or (len(rows) == 1 and self._is_layout(cells[0])):
            for row in cells:
                for cell in row:
                    self._walk(cell)
                    self._end_line()
            return
        outside, self._inner = self._inner, []
        grid = self._grid(table, rows, cells)
        nested, self._inner = self._inner, outside
        marked = [is_on(child(row, "trPr", "tblHeader")) for row in rows]
        marked = marked if any(marked[:1]) else list(map(_is_bold, rows))
        heads = marked.index(False) if False in marked else 0
        is_large = len(grid) * max(map(len, grid)) > _MAX_CELLS
        for one in table_blocks(grid, heads):
            self._put(RawBlock(BlockKind.PARAGRAPH, _as_lines([one])) if is_large and one.rows else one)
        for one in nested:
            self._put(one)
        self._settle()

    def _grid(
        self, table: Element, rows: list[Element], cells: list[list[Element]]
    ) -> list[tuple[str | None, ...]]:
        """Return the texts of a table by row and column; tables inside of its cells are kept for later."""
        width = max(len(_below(child(table, "tblGrid"), "gridCol")), *map(len, cells))
        grid: list[tuple[str | None, ...]] = []
        above: dict[int, str] = {}
        for row, inside in zip(rows, cells, strict=True):
            skipped = _between(0, value(child(row, "trPr", "gridBefore")), width - len(inside))
            free = width - len(inside) - skipped
            line: list[str | None] = [""] * skipped
            for cell in inside:
                text, tables = self._flat(cell)
                self._inner += tables
                merge = child(cell, "tcPr", "vMerge")
                goes_on = merge is not None and value(merge) != "restart"
                text = one_line(text) or (above.get(len(line), "") if goes_on else "")
                above[len(line)] = text if merge is not None else ""
                more = _between(1, value(child(cell, "tcPr", "gridSpan")), free + 1) - 1
                free -= more
                line += [text, *[None] * more]
            grid.append(tuple(line))
        return grid

    def _is_layout(self, cells: list[Element]) -> bool:
        """Return whether the cells of a single row hold more than a line each."""
        held = [[one for one in cell if local(one) in ("p", "tbl", "sdt")] for cell in cells]
        return self._lines is not None or any(len(inside) > 1 for inside in held)

    def _is_removed(self, one: Element, *path: str) -> bool:
        """Return whether a tracked change took a row or a cell away, after telling what it held."""
        if child(one, *path) is None:
            return False
        self._drop(one, "deleted text")
        return True

    def _inside(self, parent: Element, wanted: str) -> Iterator[Element]:
        """Yield the rows of a table or the cells of a row, also those inside of controls."""
        for one in parent:
            name = local(one)
            if name == wanted:
                yield one
            elif name == "AlternateContent":
                yield from self._inside(chosen(one), wanted)
            elif name == "sdt" or not self._is_left_out(one, name):
                yield from self._inside(one, wanted)

    # within a paragraph

    def _inline(self, parent: Iterable[Element]) -> None:
        for one in parent:
            name = local(one)
            if name in _WRITTEN:
                self._say(_WRITTEN[name])
            elif name in self._handlers:
                self._handlers[name](one)
            elif not self._is_left_out(one, name):
                self._inline(one)

    def _say(self, text: str) -> None:
        """Append to the paragraph, unless it is part of an instruction or stands for the number of a page."""
        pending = next((one for one in self._fields if not one.has_result), None)
        if pending is not None:
            pending.held.append(text)
        elif not any(one.is_page for one in self._fields):
            self._line.add(text, shift=self._shift, struck=self._struck)

    def _run(self, run: Element) -> None:
        properties = child(run, "rPr")
        if properties is None:
            self._inline(run)
            return
        style = value(child(properties, "rStyle"))
        hidden, place, struck, struck_twice = (
            self._styles.find(style, "rPr", name) if (own := child(properties, name)) is None else own
            for name in ("vanish", "vertAlign", "strike", "dstrike")
        )
        if is_on(hidden):
            self._drop(run, "hidden text")
            return
        shift = {"superscript": 1, "subscript": -1}.get(value(place), 0)
        self._shift = shift or int(number(value(child(properties, "position"))) > 0)
        self._struck = is_on(struck) or is_on(struck_twice)
        self._font = value(child(properties, "rFonts"), "ascii")
        self._inline(run)
        self._shift, self._font, self._struck = 0, "", False

    def _symbol(self, one: Element) -> None:
        code = value(one, "char")
        if re.fullmatch("[0-9A-Fa-f]{1,4}", code):
            self._say(symbols(chr(int(code, 16)), value(one, "font")))

    def _note(self, one: Element) -> None:
        """Write the mark of a note; its text follows the paragraph."""
        kind = local(one).removesuffix("Reference")
        key = (kind, value(one, "id"))
        note = self._notes.pop(key, None)
        if note is None and key not in self._marks:
            self._builder.leave_out(f"{kind}s that cannot be read", lost=True)
        elif note is not None:
            mark = "" if value(one, "customMarkFollows") in ("1", "true", "on") else self._numeral(kind)
            self._marks[key] = mark
            self._new.append(RawBlock(BlockKind.PARAGRAPH, f"{mark} {self._text(note)}"))
        if mark := self._marks.get(key, ""):
            self._say(f" {mark}")

    def _numeral(self, kind: str) -> str:
        self._counts[kind] += 1
        return f"[{numeral(self._counts[kind], self._formats[kind])}]"

    def _simple_field(self, one: Element) -> None:
        begun = _Field(None, value(one, "instr"))
        self._fields.append(begun)
        self._begin_result(begun)
        self._inline(one)
        self._fields.remove(begun)

    def _field(self, one: Element) -> None:
        kind = value(one, "fldCharType")
        if kind == "begin" and len(self._fields) < _MAX_FIELDS:
            self._fields.append(_Field(child(one, "ffData")))
        elif self._fields and kind == "separate":
            self._begin_result(self._fields[-1])
        elif self._fields and kind == "end":
            ended = self._fields[-1]
            if not ended.has_result:
                self._begin_result(ended)
                if ended.words[:1] == ["EQ"]:
                    self._say(_equation_field(ended.instruction))
            self._fields.pop()
            self._say(_form_value(ended.form))

    def _begin_result(self, begun: _Field) -> None:
        begun.has_result = True
        begun.held.clear()
        word = begun.words[0] if begun.words else ""
        self._is_caption = self._is_caption or word == "SEQ"
        if self._in_header and word in PAGE_FIELDS:
            self._say(PAGE)
            begun.is_page = True

    def _instruction(self, one: Element) -> None:
        if self._fields and not self._fields[-1].has_result:
            self._fields[-1].instruction += raw_text(one)

    def _end_fields(self) -> None:
        """Take what a field without an end held for text, rather than lose what follows its beginning."""
        for one in self._fields:
            if not one.has_result:
                one.has_result = True
                self._line.add("".join(one.held))
        self._fields = [one for one in self._fields if not one.is_page]


def _is_bold(row: Element) -> bool:
    runs = [run for run in row.iter("{*}r") if next(run.iterchildren("{*}t"), None) is not None]
    return bool(runs) and all(is_on(child(run, "rPr", "b")) for run in runs)


def _below(parent: Element | None, name: str) -> list[Element]:
    return [] if parent is None else list(parent.iterchildren(f"{{*}}{name}"))


def _as_lines(tables: list[RawBlock]) -> str:
    return "\n".join(CELLS.join(filter(None, row)) for table in tables for row in table.rows)


def _between(low: int, text: str, high: int) -> int:
    return min(max(number(text, low), low), high)


def _length(element: Element) -> int:
    return sum(len(one.text or "") for one in element.iter("{*}t", "{*}delText"))


def _form_value(form: Element | None) -> str:
    """Return what is ticked or chosen in a field of a form; typed text is the result of its field."""
    if (box := child(form, "checkBox")) is not None:
        own = child(box, "checked")
        return "☒" if is_on(child(box, "default") if own is None else own) else "☐"
    choices = child(form, "ddList")
    own = child(choices, "result")
    chosen_one = number(value(child(choices, "default") if own is None else own))
    entries = _below(choices, "listEntry")
    return value(entries[chosen_one]) if 0 <= chosen_one < len(entries) else ""


def _equation_field(instruction: str) -> str:
    """Return an equation that was written as an instruction, of a fraction (1)/(2)."""
    text = re.sub(r"\\f\s*\(([^,;()]*)[,;]([^,;()]*)\)", r"(\1)/(\2)", instruction.strip()[2:])
    return re.sub(r"\\[a-z]+\d*\s?", "", text).strip()
