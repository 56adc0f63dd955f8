"""HTML pages and books of them (EPUB): the text with its structure, without navigation."""

from __future__ import annotations

import codecs
import html
import posixpath
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from email import message_from_bytes
from urllib.parse import unquote

from lxml import etree

from hybrid.config import DocumentSettings
from hybrid.documents.builder import CJK, RawBlock, TextBuilder, one_line
from hybrid.documents.encoding import declared_codecs
from hybrid.documents.markup import (
    BORDERS,
    HEADINGS,
    Boilerplate,
    Element,
    Grid,
    is_table_name,
    is_unit,
    machinery_kind,
    own_rows,
    tags,
)
from hybrid.documents.office import Package
from hybrid.documents.signs import formula, is_script, local, lowered, numeral, raised, speaks
from hybrid.documents.source import SourceFile, Unreadable, check_pages, open_zip
from hybrid.documents.text import decode
from hybrid.types import BlockKind, Document

_LISTS = tags("ul ol dl menu dir")
_SILENT = tags("head style annotation annotation-xml embed rp datalist")
_NOT_IN_TABLES = tags("table pre form textarea").union(HEADINGS)
_TYPED = tags("text email number date tel url month week time datetime-local range search")
# A list is cut between its items once it is this long: it need not stay whole.
_LONG_LIST = 1_000
_MAX_DEPTH = 20
_LONG_SCRIPT = 24
# Prose in a cell of a table without heads says that the table is there for the layout.
_LONG_CELL = 600
_NUMERALS = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
# What is drawn apart from the words around it, though it is no block.
_APART = tags("label meter progress output iframe object video audio canvas")
_APART_ROLES = tags("tab button option menuitem link gridcell cell columnheader rowheader")
_MARKED = {"q": '""', "rt": "()", "s": ("~~", "~~"), "strike": ("~~", "~~")}
_BREAK, _BLANK = "\0", "\1"
# libxml2 counts no further.
_MAX_LINE = 65_535
_BOXES = re.compile(r"(?:\[[ x]\]\s*)*")


class PageWalk:
    """Collects the blocks below an element and what is left out, of the kind that ``kind`` says.

    ``flat`` is for the cells of a table: their lists have no bullets. ``own`` is for HTML that a reader
    wrote of a format that draws its own bullets: it says them as ``data-marker``.
    """

    def __init__(
        self, top: Element, kind: Callable[[Element], str], *, flat: bool = False, own: bool = False
    ) -> None:
        self._kind = kind
        self._flat, self._own = flat, own
        self._pieces: list[RawBlock] = []
        self._left: list[tuple[str, int]] = []
        self._inline: list[str] = []
        self._lists: list[Element] = []
        self._counts: list[int] = []
        self._scripts: list[tuple[Element, int]] = []
        self._heading: Element | None = None
        self._bullet = ""
        self._lines: list[str] = []
        # of the source: where the walk is, and where the block and the list begin that are being collected
        self._at = self._line_of_block = self._line_of_list = 0
        self._walk(top)

    @property
    def words(self) -> int:
        """Return the number of words that were found."""
        cells = (cell or "" for piece in self._pieces for row in piece.rows for cell in row)
        return sum(len(text.split()) for text in (*(piece.text for piece in self._pieces), *cells))

    def line(self) -> str:
        """Return all that was found on one line."""
        return " ".join(" ".join(piece.text for piece in self._pieces).split())

    def blocks(self, builder: TextBuilder, *, with_lines: bool = False) -> list[RawBlock]:
        """Return what was found, and tell the builder what was left out; ``with_lines`` of the source."""
        for kind, characters in self._left:
            builder.leave_out(kind, characters)
        return self._pieces if with_lines else [replace(piece, line=0) for piece in self._pieces]

    def _walk(self, top: Element) -> None:
        steps = etree.iterwalk(top, events=("start", "end"))
        passed_over: set[Element] = set()
        for event, element in steps:
            if event == "end":
                if element in passed_over:
                    passed_over.discard(element)
                else:
                    self._leave(element)
                if element is not top and element.tail:
                    self._say(element.tail)
                continue
            self._at = element.sourceline if 0 < (element.sourceline or 0) < _MAX_LINE else self._at
            if (element is not top and self._leaves_out(element)) or self._takes_whole(element):
                passed_over.add(element)
                steps.skip_subtree()
                self._at += "".join(element.itertext()).count("\n")
            else:
                self._enter(element)
        self._end_list()

    def _say(self, text: str) -> None:
        if not self._line_of_block and (said := text.lstrip()):
            self._line_of_block = self._at + text[: len(text) - len(said)].count("\n")
        self._at += text.count("\n")
        self._inline.append(text)

    def _leaves_out(self, element: Element) -> bool:
        kind = self._kind(element)
        if element.tag == "iframe" and (inner := element.get("srcdoc")):
            self._left.append(("inner page", len(inner)))
        if kind and element.tag not in _SILENT:
            characters = _data_length(element) if kind == "script" else _length(element)
            if characters > 1 or (kind == "script" and element.text):
                self._left.append((kind, characters))
        return bool(kind)

    def _takes_whole(self, element: Element) -> bool:
        """Take a listing, a table, a formula or a choice at once; return whether it was one."""
        tag = element.tag
        if tag.endswith("math") and local(element) == "math":
            self._inline.append(formula(element))
        elif tag == "select":
            self._choose(element)
        elif self._heading is None and not self._flat and tag == "pre":
            self._end_list()
            text = self._raw_text(element)
            before = text[: len(text) - len(text.lstrip())].count("\n")
            self._pieces.append(RawBlock(BlockKind.CODE, text, line=self._at + before))
        elif self._heading is None and not self._flat and tag == "table" and _is_data(element):
            self._end_list()
            self._table(element)
        else:
            return False
        return True

    def _enter(self, element: Element) -> None:
        tag = element.tag
        if self._heading is not None:
            self._inline.append(" " if tag in BORDERS else "")
        elif tag in BORDERS or tag == "button":
            self._end_line()
            self._open(element)
        if tag in ("br", "hr"):
            self._inline.append(_BREAK)
        elif _stands_apart(element):
            self._inline.append(" ")
        elif tag == "img":
            self._picture(element)
        elif tag == "input":
            self._inline.append(_typed(element))
        elif len(self._scripts) < 3 and (is_script(element) or _marks_note(element, self._inline[-4:])):
            self._scripts.append((element, len(self._inline)))
        elif tag in _MARKED:
            self._inline.append(_MARKED[tag][0])
        if element.text:
            kept = "white-space:pre" in element.get("style", "")
            text = element.text.replace("\n", _BREAK) if tag == "textarea" else element.text
            self._say(text.replace(" ", _BLANK) if kept else text)

    def _open(self, element: Element) -> None:
        tag = element.tag
        if tag in HEADINGS:
            self._end_list()
            self._heading = element
        elif tag in _LISTS:
            self._lists.append(element)
            turned = element.get("reversed") is not None
            first = _number(element, "start", sum(one.tag == "li" for one in element) if turned else 1)
            self._counts.append(first + 1 if turned else first - 1)
        elif tag in ("li", "dt"):
            self._start_item(element)

    def _leave(self, element: Element) -> None:
        tag = element.tag
        if _stands_apart(element):
            self._inline.append(" ")
        if self._scripts and self._scripts[-1][0] is element:
            self._raise(*self._scripts.pop())
        elif tag in _MARKED:
            is_empty = self._inline[-1:] == ["~~"]
            self._inline[len(self._inline) - is_empty :] = [] if is_empty else [_MARKED[tag][1]]
        if self._heading is element:
            self._heading = None
            text, line = self._take_inline()
            self._pieces.append(RawBlock(BlockKind.HEADING, text.replace("\n", " "), HEADINGS[tag], line))
        elif self._heading is not None:
            self._inline.append(" " if tag in BORDERS else "")
        elif tag in BORDERS or tag == "button":
            self._end_line()
        if tag in _LISTS and self._lists and self._lists[-1] is element:
            self._lists.pop()
            self._counts.pop()
            self._bullet = ""
            if not self._lists:
                self._end_list()

    def _raise(self, script: Element, start: int) -> None:
        """Write what is raised or lowered so that it changes no number: ``10^6``, ``note [12]``."""
        parts = self._inline[start:]
        text = "".join(parts).strip()
        if len(parts) > _LONG_SCRIPT or not text:
            return
        before = "".join(self._inline[max(0, start - 4) : start])[-20:]
        below = script.getprevious()
        if script.tag == "sub":
            shown = lowered(before, text, script.tail or "")
        elif below is not None and below.tag == "sub" and not below.tail and text.isalnum():
            shown = f"^{text}"
        else:
            is_link = "a" in (script.tag, script.getparent().tag) or next(script.iter("a"), None) is not None
            shown = raised(before, text, script.tail or "", is_link=is_link)
            # "[1] 5 years"
            outer = script.getparent() if script.getnext() is None and not script.tail else script
            shown += " " if is_link and shown.endswith("]") and (outer.tail or "")[:1].isalnum() else ""
        self._inline[start:] = [shown]

    def _picture(self, image: Element) -> None:
        text = one_line(image.get("alt", ""))
        parent = image.getparent()
        alone = not (parent.text or "").strip() and image.getprevious() is None and image.getnext() is None
        if speaks(text) or (speaks(text, names=True) and alone and parent.tag in _NAMED_BY_PICTURE):
            self._inline.append(f" {text} ")
        else:
            self._left.append(("image", len(text)))

    def _choose(self, select: Element) -> None:
        options = select.xpath("option | optgroup/option")
        chosen = [option for option in options if option.get("selected") is not None]
        if not chosen and select.get("multiple") is None:
            # a browser shows the first one, unless it is "please choose"
            chosen = [option for option in options[:1] if option.get("value") != ""]
        beside = (select.text, *(option.tail for option in options))
        texts = [one_line("".join(filter(None, beside)))]
        texts += [one_line("".join(option.itertext())) for option in chosen]
        self._inline.append(f" {', '.join(filter(None, texts))} ")
        taken = set(chosen)
        for option in options:
            if option not in taken:
                self._left.append(("option not chosen", _length(option)))

    def _start_item(self, item: Element) -> None:
        tag = item.tag
        outermost = len(self._lists) <= 1
        shares = tag == "dt" and (above := item.getprevious()) is not None and above.tag == "dt"
        if outermost and ((tag == "dt" and not shares) or sum(map(len, self._lines)) > _LONG_LIST):
            self._end_list()
        if tag == "dt" or self._flat:
            self._bullet = ""
        elif self._own and (marker := item.get("data-marker")) is not None:
            self._bullet = f"{marker} ".lstrip()
        elif self._lists and self._lists[-1].tag == "ol":
            step = -1 if self._lists[-1].get("reversed") is not None else 1
            self._counts[-1] = _number(item, "value", self._counts[-1] + step)
            self._bullet = f"{numeral(self._counts[-1], _NUMERALS.get(self._lists[-1].get('type'), ''))}. "
        else:
            self._bullet = "- "

    def _end_line(self) -> None:
        text, line = self._take_inline()
        if _BOXES.fullmatch(text):
            return  # nothing, or boxes without a word
        if not (self._lists or self._bullet):
            self._put_list()
            self._pieces.append(RawBlock(BlockKind.PARAGRAPH, text, line=line))
            return
        self._line_of_list = self._line_of_list or line
        bullet, self._bullet = self._bullet, ""
        goes_on = not bullet and bool(self._lists) and self._lists[-1].tag != "dl"
        depth = 2 * (min(len(self._lists) - 1, _MAX_DEPTH) + goes_on)
        first, *others = text.split("\n")
        self._lines.append(" " * depth + bullet + first)
        self._lines.extend(" " * (depth + len(bullet)) + line for line in others)

    def _end_list(self) -> None:
        """Close the lines of a list that were collected; the list itself may go on."""
        self._end_line()
        self._put_list()

    def _put_list(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            text = textwrap.dedent("\n".join(lines))
            self._pieces.append(RawBlock(BlockKind.LIST, text, line=self._line_of_list))
        self._line_of_list = 0

    def _take_inline(self) -> tuple[str, int]:
        """Return the text since the last border, and its line in the source."""
        parts, self._inline = self._inline, []
        line, self._line_of_block = self._line_of_block, 0
        self._scripts.clear()
        # between letters of scripts without blanks the end of a line in the source is none
        lines = (" ".join(_WRAPPED.sub("", part).split()) for part in "".join(parts).split(_BREAK))
        return "\n".join(lines).strip().replace(_BLANK, " "), line

    def _table(self, table: Element) -> None:
        grid = Grid(table, self._line)
        caption = [self._line(element) for element in table.iter("caption")]
        named = self._named_above() if not caption else ""
        for text in (*caption, *grid.titles):
            self._pieces.append(RawBlock(BlockKind.PARAGRAPH, text, line=self._at))
        name = " ".join(filter(None, (named, *caption, *grid.titles)))
        table_block = RawBlock(BlockKind.TABLE, "", 0, self._at, grid.rows, grid.heads, name)
        self._pieces.append(table_block)

    def _named_above(self) -> str:
        """Return the lines right above that name a table, such as "Table 3: Sales" or "(in millions)"."""
        names: list[str] = []
        for piece in reversed(self._pieces[-2:]):
            names_table = is_table_name(piece.text) or is_unit(piece.text)
            if piece.kind is not BlockKind.PARAGRAPH or not names_table:
                break
            names.insert(0, piece.text)
        return " ".join(names)

    def _line(self, element: Element) -> str:
        if not len(element):
            return one_line(element.text or "")
        walk = PageWalk(element, self._kind, flat=True)
        self._left += walk._left
        return walk.line() or one_line(" ".join(image.get("alt", "") for image in element.iter("img")))

    def _raw_text(self, top: Element) -> str:
        parts: list[str] = []
        steps = etree.iterwalk(top, events=("start", "end"))
        for event, element in steps:
            if event == "end":
                parts.append((element.tail or "") if element is not top else "")
            elif element is not top and self._leaves_out(element):
                steps.skip_subtree()
            else:
                parts += ("\n" if element.tag == "br" else "", element.text or "")
        return "".join(parts)


_NAMED_BY_PICTURE = tags("td th").union(HEADINGS)


def _stands_apart(element: Element) -> bool:
    return element.tag in _APART or element.get("role") in _APART_ROLES


def _is_data(table: Element) -> bool:
    """Return whether a table holds data; the others are there for the layout."""
    if table.get("role") in ("presentation", "none"):
        return False
    names = {element.tag for element in table.iter("*")} - {"table"}
    if next((inner for inner in table.iter("table") if inner is not table), None) is not None:
        own = [cell for row in own_rows(table) for cell in row]
        return any(cell.tag == "th" for cell in own) and not any(map(_is_prose, own))
    if names & {"th", "caption", "thead"}:
        return True
    if not any(sum(cell.tag in ("td", "th") for cell in row) > 1 for row in table.iter("tr")):
        return False
    return not names & _NOT_IN_TABLES and not any(map(_is_prose, table.iter("td")))


def _is_prose(cell: Element) -> bool:
    return sum(part.tag in ("p", "ul", "ol", "dl", "div") for part in cell) > 2 or _length(cell) > _LONG_CELL


def _length(element: Element) -> int:
    """Return how many characters of text are in an element."""
    read = (part for one in element.iter("*") for part in _texts(one, is_top=one is element))
    return len(one_line("".join(read)))


def _texts(element: Element, *, is_top: bool) -> tuple[str, str]:
    text = "" if element.tag in _UNREAD else element.text
    return text or "", "" if is_top else element.tail or ""


_UNREAD = tags("script style")


def _data_length(script: Element) -> int:
    """Return how many characters of data, which may say what the page does not, are in a script."""
    return len(one_line(script.text or "")) if "json" in script.get("type", "") else 0


def _number(element: Element, name: str, default: int) -> int:
    value = element.get(name, "").strip()
    return int(value) if value.isdecimal() and len(value) < 10 else default


def _marks_note(element: Element, before: Sequence[str]) -> bool:
    """Tell whether a link within a page is the mark of a note: a number at one, or before a text."""
    if element.tag != "a" or not element.get("href", "").startswith("#"):
        return False
    said, after = "".join(before), (element.tail or "")[:1]
    leads = said[-1:].isdigit() or after.isdigit() or (not said.strip() and after.isalpha())
    return (leads or element.get("role") == "doc-backlink") and "".join(element.itertext()).strip().isdigit()


def _typed(field: Element) -> str:
    """Return what a field of a form holds."""
    kind = field.get("type", "text").lower()
    if kind in ("checkbox", "radio"):
        return " [x] " if field.get("checked") is not None else " [ ] "
    return f" {field.get('value', '')} " if kind in _TYPED else ""


_VOID = "area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr"
_SELF_CLOSED = re.compile(rf"<(?!(?:{_VOID})[\s/])([A-Za-z][\w:\-]*)((?:\s[^<>]*)?)/>", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
# what the page itself gives a name: plain text only, so that it cannot grow without end
_SUBSET = re.compile(r"(<!DOCTYPE[^<>\[]*)\[(.*?)\]\s*>", re.DOTALL | re.IGNORECASE)
_WRAPPED = re.compile(f"(?<={CJK})[^\\S\n]*+\n\\s*+(?={CJK})")
_NAMED_TEXT = re.compile(r"""<!ENTITY\s+([\w.\-]+)\s+["']([^"'<&%]{0,200})["']\s*>""")
_OLD_REFERENCE = re.compile(r"&#(?:(1[2-5]\d)|[xX]([89][0-9a-fA-F]));?")
# Under this share of the words of a page, leaving out navigation has left out the page.
_MIN_SHARE = 0.1
_MIN_WORDS = 40
_MAX_DAMAGE = 0.02


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a page."""
    builder = TextBuilder(settings.max_characters)
    title = add_page(builder, parse(builder, file.path.read_bytes()))
    yield builder.document(file.source, title=title)


def add_page(builder: TextBuilder, root: Element, *, in_book: bool = False, is_contents: bool = False) -> str:
    """Append the blocks of a page and return its title; a mere table of contents is left out."""
    page = Boilerplate(root, in_book=in_book)
    if is_contents and not page.has_sentences:
        builder.leave_out("navigation", _length(root))
        return page.title
    walk = PageWalk(next(root.iter("body"), root), page.kind)
    if walk.words < min(_MIN_WORDS, _MIN_SHARE * page.words):
        # a page that is all links: better its navigation than nothing
        walk = PageWalk(root, machinery_kind)
    builder.add_all(walk.blocks(builder))
    for script in root.xpath("//head//script"):
        if length := _data_length(script):
            builder.leave_out("script", length)
    return page.title


def add_markup(builder: TextBuilder, text: str, *, with_lines: bool = True, own: bool = False) -> None:
    """Append the blocks of HTML that was written from another format, with its lines, and none left out."""
    if text.strip():
        walk = PageWalk(next(_tree(text).iter("body")), machinery_kind, own=own)
        builder.add_all(walk.blocks(builder, with_lines=with_lines))


def inserted(builder: TextBuilder, data: bytes) -> list[RawBlock]:
    """Return the blocks of a page inside of another document, as HTML or with its parts (MHTML)."""
    if b"mime-version" in data[:1000].lower():
        pages = (part for part in message_from_bytes(data).walk() if part.get_content_type() == "text/html")
        data = next((bytes(page.get_payload(decode=True)) for page in pages), b"")
    root = parse(builder, data)
    return PageWalk(next(root.iter("body"), root), machinery_kind).blocks(builder)


def parse(builder: TextBuilder, data: bytes) -> Element:
    """Return the root element of a page; what of its bytes cannot be decoded is told to the builder.

    Raises:
        Unreadable: there is no page in the bytes.
    """
    text = _decode(builder, data)
    if "<?xml" in text[:200] or "xhtml" in text[:1000].lower():
        text = _SELF_CLOSED.sub(r"<\1\2></\1>", _XML_DECLARATION.sub("", text))
        text = _CDATA.sub(lambda found: html.escape(found[1], quote=False), text)
        if subset := _SUBSET.search(text[:20_000]):
            named = dict(_NAMED_TEXT.findall(subset[2]))
            text = re.sub(r"&([\w.\-]+);", lambda one: named.get(one[1], one[0]), text[subset.end() :])
    # browsers read these as Windows-1252, whatever the page is written in
    return _tree(_OLD_REFERENCE.sub(_modern_reference, text))


def _tree(text: str) -> Element:
    # without `huge_tree`, a long listing ends the text without an error
    parser = etree.HTMLParser(
        encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True, huge_tree=True
    )
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable(f"no HTML in it: {error.msg}") from error
    if any(entry.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for entry in parser.error_log):
        raise Unreadable("hostile or damaged: its elements are nested more than 2,048 deep")
    if root is None:
        raise Unreadable("no HTML in it")
    return root


def _modern_reference(match: re.Match[str]) -> str:
    code = int(match[1]) if match[1] else int(match[2], 16)
    return bytes([code]).decode("cp1252", "ignore") if 0x80 <= code <= 0x9F else match[0]


def _decode(builder: TextBuilder, data: bytes) -> str:
    """Return the bytes as text: by their mark, by what the page declares, else as any text is read."""
    if b"\0" in data or data.startswith(codecs.BOM_UTF8):
        return decode(data)
    declared = declared_codecs(data)
    # text in a single byte for each character is never UTF-8 by accident, in two it may be
    order = declared if declared[1:] or declared == ("gb18030",) else ("utf-8", *declared)
    for codec in order:
        try:
            return data.decode(codec)
        except UnicodeDecodeError:
            continue
    if declared:
        text = data.decode(declared[0], "replace")
        damage = text.count("\ufffd")
        if damage <= max(1, _MAX_DAMAGE * len(data.translate(None, bytes(range(128))))):
            return text
        builder.leave_out("declared encoding that does not fit")
    return decode(data)


_PAGE_TYPE = re.compile(r".*(?:html|/xml|oeb1|dtbook|svg)", re.IGNORECASE)
_HREF = re.compile(rb"""href\s*=\s*["']([^"'#]+)""", re.IGNORECASE)


def read_book(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of an EPUB file: the pages of the archive in the order of its spine."""
    builder = TextBuilder(settings.max_characters)
    with open_zip(file.path, settings) as archive:
        package = Package(archive, builder)
        container = package.root("META-INF/container.xml")
        named = () if container is None else container.iter("{*}rootfile")
        name = next((str(one.get("full-path")) for one in named if one.get("full-path")), "")
        contents = package.root(name)
        if contents is None:
            raise Unreadable(f"damaged: {name or 'what says where the contents are'} is missing or no XML")
        book = _Book(package, contents, posixpath.dirname(name))
        check_pages(len(book.spine), settings, what="chapters")
        book.refuse_encrypted()
        book.add()
    metadata = {"author": _named(contents, "creator"), "language": _named(contents, "language")}
    yield builder.document(file.source, title=_named(contents, "title"), metadata=metadata)


class _Book:
    """The pages of a book: each of its spine once, then those that only links lead to."""

    def __init__(self, package: Package, contents: Element, folder: str) -> None:
        self._package = package
        self._builder = package.builder
        self._pages: dict[str, str] = {}
        self._contents: set[str] = set()
        self._linked: set[str] = set()
        for item in contents.iter("{*}item"):
            if item.get("href") and _PAGE_TYPE.match(item.get("media-type") or ""):
                name = self._pages[item.get("id") or ""] = _resolved(folder, item.get("href"))
                if "nav" in (item.get("properties") or "").split():
                    self._contents.add(name)
        wanted = [one.get("idref") or "" for one in contents.iter("{*}itemref")]
        # what is read twice stands in the text once; what the list lacks is a page that nobody finds
        self.spine = dict.fromkeys(self._pages.get(name, f"no page {name}") for name in wanted)

    def add(self) -> None:
        """Append the pages, and say which of them cannot be read."""
        read = sum(map(self._add, self.spine))
        if self.spine and not read:
            raise Unreadable(f"damaged: none of its {len(self.spine)} chapters can be read")
        others = dict.fromkeys(name for name in self._pages.values() if name not in self.spine)
        for name in (name for name in others if not name.endswith(".svg")):
            if name in self._linked:
                self._add(name)
            elif name not in self._contents:
                self._builder.leave_out("page outside of the reading order")

    def refuse_encrypted(self) -> None:
        """Refuse a book whose pages are encrypted; fonts may be obfuscated in any."""
        found = self._package.root("META-INF/encryption.xml")
        encrypted = () if found is None else found.iter("{*}CipherReference")
        if {unquote(one.get("URI", "")) for one in encrypted} & self.spine.keys():
            raise Unreadable("encrypted: the book is protected (DRM); use a copy without protection")

    def _add(self, name: str) -> bool:
        data = self._package.data(name)
        try:
            root = parse(self._builder, data or b"")
        except Unreadable:
            self._builder.leave_out("chapter that cannot be read", lost=True)
            return False
        folder = posixpath.dirname(name)
        self._linked |= {
            _resolved(folder, match[1].decode("utf-8", "replace")) for match in _HREF.finditer(data or b"")
        }
        add_page(self._builder, root, in_book=True, is_contents=name in self._contents)
        return True


def _resolved(folder: str, address: str) -> str:
    return posixpath.normpath(posixpath.join(folder, unquote(address.partition("#")[0])))


def _named(package: Element, name: str) -> str:
    """Return what the package says about the book: all of its authors, the first of its titles."""
    found = package.iter(f"{{http://purl.org/dc/elements/1.1/}}{name}")
    texts = list(filter(None, ("".join(one.itertext()).strip() for one in found)))
    return ", ".join(texts if name == "creator" else texts[:1])
