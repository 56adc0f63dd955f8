"""OpenDocument (ODT, ODS, ODP): texts and slides as the HTML that says the same, sheets as of workbooks."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from html import escape, unescape

from lxml import etree

from hybrid.config import DocumentSettings
from hybrid.documents.builder import TextBuilder, one_line
from hybrid.documents.html import PageWalk, add_markup, parse
from hybrid.documents.markup import machinery_kind, tags
from hybrid.documents.office import Element, Package, child, local, number, raw_text, value
from hybrid.documents.sheets import MAX_CELLS, Sheet, sheet_name
from hybrid.documents.signs import numeral, speaks
from hybrid.documents.source import SourceFile, Unreadable, check_pages, open_zip
from hybrid.documents.styles import PAGE, running_text
from hybrid.types import BlockKind, Document

_LEFT_OUT = {
    "annotation": "comment",
    "deletion": "deleted text",
    "table-of-content": "table of contents",
    "alphabetical-index": "table of contents",
    "illustration-index": "table of contents",
    "table-index": "table of contents",
    "covered-table-cell": "hidden text",
}
# what says nothing, or is said elsewhere: who changed what, samples of lists, where a page was broken
_SILENT = tags(
    "insertion format-change change-info sequence-decls forms event-listeners page-thumbnail "
    "annotation-end date-time"
)
_TAGS = {"ruby": "ruby", "ruby-text": "rt", "table-header-rows": "thead"}
_EDGE = re.compile("(header|footer)(-left|-first|-decl)?")
_VALUES = ("value", "string-value", "date-value", "time-value", "boolean-value")
_SHAPES = tags(
    "custom-shape rect ellipse circle polygon regular-polygon polyline line path connector caption text-box"
)
_NUMERALS = {"i": "lowerRoman", "I": "upperRoman", "a": "lowerLetter", "A": "upperLetter", "1": "decimal"}
_MACHINE = ("page-number", "date-time", "page")
_MOST_REPEATED = 1_000


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of an OpenDocument file: a text, the pages of a presentation, or sheets."""
    with open_zip(file.path, settings) as archive:
        package = Package(archive, TextBuilder(settings.max_characters))
        if b"encryption-data" in (package.data("META-INF/manifest.xml") or b""):
            raise Unreadable("encrypted: the file wants a password; save it without one")
        content = package.root("content.xml")
        body = child(content, "body")
        if body is None or not len(body):
            raise Unreadable("damaged: no OpenDocument inside of the archive")
        writing = _Writing(package, (content, package.root("styles.xml")))
        held = body[0]
        pages = [one for one in held if local(one) == "page"]
        check_pages(len(pages), settings)
        unseen = Counter[str]()
        if local(held) == "spreadsheet":
            unseen = _add_sheets(package.builder, writing, held)
        for page in pages:
            _add_page(package.builder, writing, page)
        if local(held) != "spreadsheet" and not pages:
            add_markup(package.builder, writing.whole(held), with_lines=False, own=True)
        writing.add_running()
        meta = child(package.root("meta.xml"), "meta")
        title, *authors = (
            one_line("" if (one := child(meta, name)) is None else raw_text(one))
            for name in ("title", "initial-creator", "creator")
        )
        sheets = (value(one, "name") for one in held if local(one) == "table" and writing.is_off(one))
        slides = (str(at) for at, page in enumerate(pages, start=1) if writing.is_off(page))
        metadata = {"author": next(filter(None, authors), ""), "hidden_sheets": ", ".join(sheets)}
        metadata |= {"hidden_slides": ", ".join(slides), **{name: str(unseen[name]) for name in +unseen}}
        yield package.builder.document(file.source, title=title, metadata=metadata)


def _add_page(builder: TextBuilder, writing: _Writing, page: Element) -> None:
    builder.start_page()
    before = builder.length
    frames = sorted(page, key=lambda one: value(one, "class") != "title")
    drawn = "".join(map(writing.shape, frames)) + writing.rest()
    add_markup(builder, drawn, with_lines=False, own=True)
    if builder.length == before and next(page.iter("{*}image"), None) is not None:
        builder.leave_out("page without text", lost=True)


def _add_sheets(builder: TextBuilder, writing: _Writing, held: Element) -> Counter[str]:
    """Append the sheets, and return how many rows and columns of them are not shown."""
    filled, unseen = 0, Counter[str]()
    for table in (one for one in held if local(one) == "table"):
        builder.add(BlockKind.HEADING, sheet_name(value(table, "name")), level=1)
        sheet = Sheet()
        for row in table.iter("{*}table-row"):
            filled += _take_row(sheet, row, writing)
            if filled > MAX_CELLS:
                raise Unreadable(f"more than {MAX_CELLS:,} filled cells; split the workbook")
        first = 1
        for column in table.iter("{*}table-column"):
            times = number(value(column, "number-columns-repeated"), 1)
            sheet.unseen_columns += [range(first, first + times)] if _is_folded(column) else []
            first += times
        unseen += sheet.unseen()
        sheet.add_to(builder)
        shapes = child(table, "shapes")
        drawn = "" if shapes is None else "".join(map(writing.shape, shapes))
        add_markup(builder, drawn + writing.rest(), with_lines=False, own=True)
    return unseen


def _is_folded(one: Element) -> bool:
    """Return whether a row or a column is not shown: hidden, filtered, or of a group that is folded."""
    groups = one.iterancestors("{*}table-row-group", "{*}table-column-group")
    return value(one, "visibility") in ("collapse", "filter") or any(
        value(group, "display") == "false" for group in groups
    )


def _take_row(sheet: Sheet, row: Element, writing: _Writing) -> int:
    """Put the filled cells of a row, which may stand for many, into a sheet; return how many there are."""
    cells: dict[int, str | None] = {}
    column, top, times = 0, sheet.last + 1, number(value(row, "number-rows-repeated"), 1)
    for cell in row:
        repeated = number(value(cell, "number-columns-repeated"), 1)
        if text := writing.cell(cell):
            wide, high = (number(value(cell, f"number-{name}-spanned"), 1) for name in ("columns", "rows"))
            if wide * high > 1:
                sheet.merged.append((top, column + 1, top + high - 1, column + wide))
            cells |= {column + 1 + at: text for at in writing.repeated((text,), repeated)}
        column += repeated
    if cells:
        rows = [top + at for at in writing.repeated(cells.values(), times)]
        sheet.rows |= {at: dict(cells) for at in rows}
        sheet.heads |= {top} if local(row.getparent()) == "table-header-rows" else set()
        sheet.unseen_rows |= set(rows) if _is_folded(row) else set()
        times = len(rows)
    sheet.last += times
    return len(cells) * times


class _Writing:
    """Elements as HTML; what hangs on a block waits for its end: notes, and boxes that stand in it."""

    def __init__(self, package: Package, roots: Iterable[Element | None]) -> None:
        self._package, self._builder = package, package.builder
        held = [one for root in roots if root is not None for one in root]

        def named(name: str, key: str = "name") -> dict[str, Element]:
            return {value(one, key): one for part in held for one in part.iter(f"{{*}}{name}")}

        self._styles = named("style")
        self._lists = {name: _levels(one) for name, one in named("list-style").items()}
        self._outline = _levels(named("outline-level-style", "level").values())
        self._fields = {value(one, "id"): one for form in named("form").values() for one in form}
        layouts = [one for page in named("master-page").values() for one in page]
        # a shape of a layout without a class is no place to be filled in
        fixed = ("frame", *_SHAPES)
        self._edges = [
            one
            for one in layouts
            if _EDGE.fullmatch(local(one)) or (local(one) in fixed and not value(one, "class"))
        ]
        self._edges += (*named("header-decl").values(), *named("footer-decl").values())
        self._written: dict[str, Callable[[Element], str]] = {
            "p": self._paragraph,
            "h": self._heading,
            "span": self._span,
            "list": self._list,
            "list-item": self._item,
            "list-header": lambda one: f'<li data-marker="">{self._inside(one)}</li>',
            "page-number": self._page_number,
            "page-count": self._page_number,
            "table": self._table,
            "table-row": self._row,
            "table-cell": self._cell,
            "note": self._note,
            "s": lambda one: " " * min(number(value(one, "c"), 1), 100),
            "tab": lambda _: "\t",
            "line-break": lambda _: "<br>",
            "frame": self._frame,
            "control": self._control,
            **dict.fromkeys(_SHAPES, self._box),
        }
        # of headings, of the list at hand, and of each list that another may go on with
        self._counts, self._items = dict[int, int](), dict[int, int]()
        self._ended = dict[str, dict[int, int]]()
        self._within, self._is_edge, self._is_cell = list[str](), False, False
        self._waiting: list[str] = []
        self._drawn, self._repeats = set[str](), 0

    def whole(self, element: Element) -> str:
        """Return the blocks below an element, each followed by what hangs on it."""
        return "".join(self.element(one) + self.rest() for one in element)

    def is_off(self, one: Element) -> bool:
        """Return whether a sheet or a page of a presentation is not shown."""
        return any(
            value(child(style, "table-properties"), "display") == "false"
            or value(child(style, "drawing-page-properties"), "visibility") == "hidden"
            for style in self._chain(one)
        )

    def cell(self, cell: Element) -> str:
        """Return what a cell of a sheet shows; some programs write its value only."""
        if local(cell) != "table-cell":
            self.element(cell)
            return ""
        values = (value(cell, name) for name in _VALUES)
        if text := one_line(self.line(cell)) or next(filter(None, values), ""):
            return text
        formula = value(cell, "formula")
        if formula and value(cell, "value-type") != "string":
            self._builder.leave_out("formula whose value is not in the file", lost=True)
            return re.sub(r"^[a-zA-Z]\w*:(?==)", "", formula)  # without the name of its language
        return ""

    def repeated(self, texts: Iterable[str | None], times: int) -> range:
        """Return how often something is read that is repeated, and tell what of it is not."""
        if times > _MOST_REPEATED and (length := sum(len(text or "") for text in texts)):
            self._builder.leave_out("repeated cells", (times - _MOST_REPEATED) * length)
        return range(min(times, _MOST_REPEATED))

    def rest(self) -> str:
        """Return what waits, and what waits for that."""
        found: list[str] = []
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            found += waiting
        return "".join(found)

    def shape(self, shape: Element) -> str:
        """Return what a page of a presentation shows by a shape, or what its notes say."""
        if value(shape, "class") in _MACHINE:
            return ""
        if value(shape, "class") == "title":
            text = " ".join(filter(None, map(self.line, shape.iter("{*}p"))))
            return f"<h1>{escape(text)}</h1>"
        if local(shape) in ("notes", "g", "a"):
            return "".join(map(self.shape, shape))
        drawn = self.element(shape)
        return drawn + self.rest()

    def line(self, element: Element) -> str:
        """Return the text of an element without its notes and comments."""
        text = self._inside(element)
        if text.count("<") > 2 or "<br>" in text:  # more than one paragraph
            page = parse(self._builder, f"<body>{text}</body>".encode("utf-8", "replace"))
            return PageWalk(next(page.iter("body")), machinery_kind, flat=True).line()
        return unescape(re.sub(r"<[^>]*>", "", text))

    def add_running(self) -> None:
        """Append the texts that stand at the edge of every page, each once."""
        self._is_edge = True
        drawn = (self.element(one) + self.rest() for one in self._edges)
        lines = (re.sub(r"<(?:/p|br)>", "\n", text) for text in drawn)
        texts = (running_text(unescape(re.sub(r"<[^>]*>", " ", text))) for text in lines)
        for text in dict.fromkeys(text for text in texts if re.search(r"[^\W\d_]{3}", text)):
            self._builder.add(BlockKind.PARAGRAPH, text)

    def element(self, element: Element) -> str:
        """Return an element as HTML; of one that is not known what it holds."""
        name = local(element)
        if name in _LEFT_OUT:
            return self._left_out(element, _LEFT_OUT[name])
        if value(element, "display") == "none" or value(element, "is-hidden") == "true":
            return self._left_out(element, "hidden text")
        if name in _SILENT or (name in ("title", "desc") and "svg" in element.tag):
            return ""
        if (write := self._written.get(name)) is not None:
            return write(element)
        tag = _TAGS.get(name)
        return f"<{tag}>{self._inside(element)}</{tag}>" if tag else self._inside(element)

    def _left_out(self, element: Element, kind: str) -> str:
        if text := one_line("".join(element.itertext())):
            self._builder.leave_out(kind, len(text))
        return ""

    def _page_number(self, one: Element) -> str:
        return PAGE if self._is_edge else escape("".join(one.itertext()))

    def _is_hidden(self, one: Element) -> bool:
        """Return whether the style of an element hides it, or what stands in its paragraph does."""
        return any(
            value(child(style, "text-properties"), "display") == "none" for style in self._chain(one)
        ) or any(local(each) == "hidden-paragraph" and value(each, "is-hidden") == "true" for each in one)

    def _as_often(self, text: str, times: int) -> str:
        """Return a row or a cell as often as it stands there."""
        times = len(self.repeated((re.sub(r"<[^>]*>|\s", "", text) if times > 1 else "",), times))
        self._repeats += (text.count("<t") + len(text) // 100) * (times - 1)
        if self._repeats > MAX_CELLS:
            raise Unreadable(f"more than {MAX_CELLS:,} cells are repeated in its tables")
        return text * times

    def _inside(self, element: Element) -> str:
        parts = [escape(element.text or "", quote=False)]
        for one in element:
            parts += (self.element(one), escape(one.tail or "", quote=False))
        return "".join(parts)

    def _chain(self, element: Element) -> Iterator[Element]:
        """Yield the style of an element and those that it is based on, the nearest first."""
        name, seen = value(element, "style-name"), set[str]()
        while name in self._styles and name not in seen:
            seen.add(name)
            yield self._styles[name]
            name = value(self._styles[name], "parent-style-name")

    def _paragraph(self, one: Element) -> str:
        if self._is_hidden(one):
            return self._left_out(one, "hidden text")
        names = (value(one, "style-name"), *(value(style, "parent-style-name") for style in self._chain(one)))
        tag = "h1" if "Title" in names else "p"
        return f"<{tag}>{self._inside(one)}</{tag}>"

    def _heading(self, one: Element) -> str:
        level = min(max(number(value(one, "outline-level"), 1), 1), 9)
        label = ""
        if value(one, "is-list-header") != "true":
            _count(self._counts, self._outline, level, one)
            label = _label(self._outline, self._counts, level)
            label = label or (self._marker() if _begins_item(one) else "")
        tag = f"h{min(level, 6)}"
        return f"<{tag}>{escape(f'{label} ' if label else '')}{self._inside(one)}</{tag}>"

    def _marker(self) -> str:
        """Return what is drawn before the item at hand, nothing outside of lists."""
        depth = len(self._within)
        return _label(self._lists.get(self._within[-1], {}), self._items, depth) if depth else ""

    def _span(self, one: Element) -> str:
        if self._is_hidden(one):
            return self._left_out(one, "hidden text")
        text = self._inside(one)
        for style in self._chain(one):
            says = child(style, "text-properties")
            place = value(says, "text-position")
            if place and not place.startswith("0%"):
                tag = "sub" if place.startswith(("sub", "-")) else "sup"
                text = f"<{tag}>{text}</{tag}>"
            if value(says, "text-line-through-style") not in ("", "none"):
                text = f"<s>{text}</s>"
        return text

    def _list(self, one: Element) -> str:
        """Write a list, which may go on with the one before of its style, or with one that it names."""
        name = value(one, "style-name") or (self._within[-1] if self._within else "")
        is_outer = not self._within
        self._within.append(name)
        before = value(one, "continue-list") or (name if value(one, "continue-numbering") == "true" else None)
        if is_outer:
            self._items = dict(self._ended.get(before, {})) if before is not None else {}
        elif before is None:
            self._items = {depth: count for depth, count in self._items.items() if depth < len(self._within)}
        inner = self._inside(one)
        self._within.pop()
        if is_outer:
            self._ended |= {name: self._items, value(one, "id"): self._items}
        return f"<ul>{inner}</ul>"

    def _item(self, one: Element) -> str:
        # one that only holds another list has no number of its own
        if any(local(each) in ("p", "h") for each in one):
            name = self._within[-1] if self._within else ""
            _count(self._items, self._lists.get(name, {}), len(self._within), one)
        marker, is_headed = self._marker(), any(map(_begins_item, one))
        # a heading has the number in its line
        drawn = f' data-marker="{"" if is_headed else escape(marker)}"' if marker else ""
        return f"<li{drawn}>{self._inside(one)}</li>"

    def _table(self, one: Element) -> str:
        """Write a table; one within a cell follows the outer one."""
        text = f"<table>{self._inside(one)}</table>"
        if not self._is_cell:
            return text
        self._waiting.append(text)
        return ""

    def _row(self, one: Element) -> str:
        text = f"<tr>{self._inside(one)}</tr>"
        return self._as_often(text, number(value(one, "number-rows-repeated"), 1))

    def _cell(self, one: Element) -> str:
        spans = "".join(
            f' {name}span="{value(one, f"number-{name}{s}-spanned")}"'
            for name, s in (("col", "umns"), ("row", "s"))
            if value(one, f"number-{name}{s}-spanned").isdecimal()
        )
        tag = "th" if local(one.getparent().getparent()) == "table-header-rows" else "td"
        outer, self._is_cell = self._is_cell, True
        text = f"<{tag}{spans}>{self._inside(one)}</{tag}>"
        self._is_cell = outer
        return self._as_often(text, number(value(one, "number-columns-repeated"), 1))

    def _note(self, one: Element) -> str:
        """Write the mark of a note; its text follows the block."""
        mark, body = child(one, "note-citation"), child(one, "note-body")
        sign = f"[{escape('*' if mark is None else self.line(mark))}]"
        if body is not None:
            self._waiting.append(f"<p>{sign} {escape(self.line(body))}</p>")
        return sign

    def _box(self, one: Element) -> str:
        at, outer, self._is_cell = len(self._waiting), self._is_cell, False
        text = "".join(self.element(each) for each in one)
        self._waiting.insert(at, text)  # before what hangs on it
        self._is_cell = outer
        return ""

    def _frame(self, one: Element) -> str:
        """Take what a frame shows: a text, a table, an object, or a picture and what is said of it."""
        kinds = {local(each): each for each in reversed(one)}
        if "text-box" in kinds or "table" in kinds:
            return self._box(one)
        said = (one_line(raw_text(kinds[name])) for name in ("title", "desc") if name in kinds)
        text = escape(" ".join(filter(speaks, said)))
        if "object" in kinds or "object-ole" in kinds:
            return self._object(kinds.get("object", one)) + text
        if not text and "image" in kinds:
            self._builder.leave_out("image")
        return text

    def _object(self, one: Element) -> str:
        """Return a formula in its line; the table of a chart waits; another object is told."""
        part = posixpath.normpath(value(one, "href") or ".")
        root = self._package.root(f"{part}/content.xml") if part != "." else None
        if root is not None and local(root) == "math":
            return str(etree.tostring(root, encoding="unicode"))
        if part in self._drawn:  # it may stand in itself
            root = None
        self._drawn.add(part)
        tables = [] if root is None else list(root.iter("{*}table"))
        titles = [] if root is None else [escape(self.line(each)) for each in root.iter("{*}title")]
        self._waiting += [*(f"<p>{text}</p>" for text in titles), *map(self.element, tables)]
        if not tables:
            self._builder.leave_out("embedded object", lost=True)
        return ""

    def _control(self, one: Element) -> str:
        field = self._fields.get(value(one, "control"))
        label = value(field, "label")
        said = value(field, "current-value") or value(field, "value") or label
        if field is not None and local(field) == "checkbox":
            is_set = "checked" in (value(field, "current-state"), value(field, "state"))
            said = f"[{'x' if is_set else ' '}] {label}"
        return escape(f" {said} ")


def _begins_item(one: Element) -> bool:
    """Return whether an element is a heading that an item of a list begins with."""
    before = (local(each) in ("p", "h") for each in one.itersiblings(preceding=True))
    return local(one) == "h" and local(one.getparent()) == "list-item" and not any(before)


def _levels(styles: Iterable[Element]) -> dict[int, Element]:
    return {number(value(one, "level")): one for one in styles}


def _count(counts: dict[int, int], styles: Mapping[int, Element], level: int, one: Element) -> None:
    """Count a heading or an item, from where it, or the first of its level, says that the numbers begin."""
    for deeper in [at for at in counts if at > level]:
        del counts[deeper]
    first = number(value(styles.get(level), "start-value"), 1)
    counts[level] = number(value(one, "start-value"), counts.get(level, first - 1) + 1)


def _label(styles: Mapping[int, Element], counts: Mapping[int, int], level: int) -> str:
    """Return the number that is drawn before a heading or an item, which is nowhere in its text."""
    style = styles.get(level)
    if not value(style, "num-format"):
        return ""
    first = max(level - number(value(style, "display-levels"), 1) + 1, 1)
    signs = {at: value(styles.get(at), "num-format") for at in range(first, level + 1)}
    parts = [numeral(counts.get(at, 1), _NUMERALS.get(sign, "")) for at, sign in signs.items() if sign]
    return f"{value(style, 'num-prefix')}{'.'.join(parts)}{value(style, 'num-suffix')}".strip()
