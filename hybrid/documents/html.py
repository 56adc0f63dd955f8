"""HTML pages: the main text with its structure, without navigation (boilerplate removal)."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from lxml import etree

from hybrid.config import DocumentSettings
from hybrid.documents.builder import TextBuilder, one_line
from hybrid.documents.encoding import refuse_binary
from hybrid.documents.source import SourceFile, Unreadable
from hybrid.types import BlockKind, Document

Element = Any  # lxml has no types


def tags(names: str) -> frozenset[str]:
    """Return a set of names that are separated by blanks."""
    return frozenset(names.split())


MACHINERY = tags(
    "head script style noscript template iframe object embed applet canvas audio video button input select "
    "option textarea datalist svg map annotation annotation-xml"
)
_OUTSIDE_MAIN = frozenset(("header", "aside"))
_ROLES = tags("navigation banner contentinfo search menu menubar complementary dialog alertdialog")
_KEEP = frozenset(("html", "body", "main", "article"))
_NAME = re.compile(
    r"(?:[a-z0-9]+[-_])*"
    r"(?:nav|navbar|navigation|navheader|navfooter|menu|menubar|sidebar|sidenav|breadcrumbs?|footer|toc"
    r"|pagination|pager|cookies?|skiplink|skip-link|related|share|social|advert|ads|searchbox|linenos?"
    r"|editsection)"
    r"(?:[-_](?:wrapper|container|list|bar|box|inner|links?|area|items?|menu))?"
)
_HIDDEN_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)")
_LINK_MARKS = frozenset(("¶", "#", "§", "🔗", "⚓"))
# What holds more of a page than this is the page, whatever its class says.
_MAX_SHARE = 0.5
# A main element with less of the page than this was marked by mistake.
_MIN_MAIN_SHARE = 0.3


class Boilerplate:
    """Says which elements of a page are to be left out, and which one is the page."""

    def __init__(self, root: Element) -> None:
        self._root = root
        self._words: dict[Element, int] = {}
        # children come before their parents: each adds what it holds to the one above it
        for element in reversed(list(root.iter("*"))):
            below = self._words.get(element, 0) + _count(element.text)
            self._words[element] = below if element.tag not in MACHINERY else 0
            parent = element.getparent()
            if parent is not None:
                held = self._words[element] + _count(element.tail)
                self._words[parent] = self._words.get(parent, 0) + held
        self._main = self._find_main()

    @property
    def main(self) -> Element:
        """Return the element that holds the text of the page."""
        return self._main

    @property
    def words(self) -> int:
        """Return the number of words of the whole page."""
        return self._words[self._root]

    def covers(self, element: Element) -> bool:
        """Return whether the element is to be left out with all that is in it."""
        tag = element.tag
        if tag in MACHINERY or tag in _KEEP:
            return tag in MACHINERY
        if tag == "a":
            return len(element) == 0 and (element.text or "").strip() in _LINK_MARKS
        if tag == "nav" or _is_hidden(element):
            return True
        named = tag == "footer" or (tag in _OUTSIDE_MAIN and self._main.tag == "body")
        if named or element.get("role", "").lower() in _ROLES or _has_name(element):
            return self._words.get(element, 0) <= _MAX_SHARE * self._words[self._main]
        return False

    def _find_main(self) -> Element:
        body = next(self._root.iter("body"), self._root)
        marked = self._root.xpath("//main | //*[@role='main']") or self._root.xpath("//article")
        if not marked:
            return body
        best = max(marked, key=lambda element: self._words.get(element, 0))
        return best if self._words.get(best, 0) >= _MIN_MAIN_SHARE * self.words else body


def _count(text: str | None) -> int:
    return len(text.split()) if text else 0


def _is_hidden(element: Element) -> bool:
    if element.get("role") == "tabpanel":
        return False  # one of several tabs is always hidden, and is text all the same
    return (
        element.get("hidden") is not None
        or element.get("aria-hidden") == "true"
        or _HIDDEN_STYLE.search(element.get("style", "").lower()) is not None
    )


def _has_name(element: Element) -> bool:
    names = [*element.get("class", "").split(), element.get("id", "")]
    return any(_NAME.fullmatch(name.lower()) for name in names if name)


_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_LISTS = frozenset(("ul", "ol", "dl", "menu", "dir"))
_BORDERS = tags(
    "address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hr legend li main nav ol p pre section summary table tbody td "
    "tfoot th thead tr ul menu dir title"
)
_NOT_IN_TABLES = ("table", "pre", *_HEADINGS)
_FILE_NAME = re.compile(r"\S+\.(?:png|jpe?g|gif|svg|webp|bmp|avif)", re.IGNORECASE)
# A list is cut between its items once it is this long: it need not stay whole.
_LONG_LIST = 1_000
_BREAK = "\0"


class _Piece(NamedTuple):
    kind: BlockKind
    text: str
    level: int = 0
    rows: Sequence[Sequence[str]] = ()


class PageWalk:
    """Collects the blocks below an element, without what ``leave_out`` covers."""

    def __init__(self, top: Element, leave_out: Callable[[Element], bool]) -> None:
        self._leave_out = leave_out
        self._pieces: list[_Piece] = []
        self._inline: list[str] = []
        self._lists: list[Element] = []
        self._counts: list[int] = []
        self._bullet = ""
        self._lines: list[str] = []
        self._walk(top)

    @property
    def words(self) -> int:
        """Return the number of words that were found."""
        return sum(
            len(text.split())
            for piece in self._pieces
            for text in (piece.text, *(cell for row in piece.rows for cell in row))
        )

    def add_to(self, builder: TextBuilder) -> None:
        """Append what was found."""
        for piece in self._pieces:
            if piece.kind is BlockKind.TABLE:
                builder.add(BlockKind.PARAGRAPH, piece.text)
                builder.add_table(piece.rows, caption=piece.text)
            else:
                builder.add(piece.kind, piece.text, level=piece.level)

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
                    self._inline.append(element.tail)
            elif (element is not top and self._leave_out(element)) or self._takes_whole(element):
                passed_over.add(element)
                steps.skip_subtree()
            else:
                self._enter(element)
        self._end_list()

    def _takes_whole(self, element: Element) -> bool:
        """Take a listing or a table at once; return whether it was one."""
        if element.tag == "pre":
            self._end_list()
            self._pieces.append(_Piece(BlockKind.CODE, _raw_text(element)))
            return True
        if element.tag == "table" and _is_data(element):
            self._end_list()
            self._pieces.append(self._table(element))
            return True
        return False

    def _enter(self, element: Element) -> None:
        tag = element.tag
        if tag in _BORDERS:
            self._end_line()
        if tag in _HEADINGS:
            self._end_list()
        elif tag in _LISTS:
            self._lists.append(element)
            self._counts.append(0)
        elif tag in ("li", "dt"):
            self._start_item(tag)
        elif tag == "br":
            self._inline.append(_BREAK)
        elif tag == "img":
            self._inline.append(_spoken(element))
        if element.text:
            self._inline.append(element.text)

    def _leave(self, element: Element) -> None:
        tag = element.tag
        if tag in _HEADINGS:
            text = self._take_inline().replace("\n", " ")
            self._pieces.append(_Piece(BlockKind.HEADING, text, _HEADINGS[tag]))
        elif tag in _BORDERS:
            self._end_line()
        if tag in _LISTS and self._lists:
            self._lists.pop()
            self._counts.pop()
            self._bullet = ""
            if not self._lists:
                self._end_list()

    def _start_item(self, tag: str) -> None:
        outermost = len(self._lists) <= 1
        if outermost and (tag == "dt" or sum(map(len, self._lines)) > _LONG_LIST):
            self._end_list()
        if tag == "dt":
            self._bullet = ""
        elif self._lists and self._lists[-1].tag == "ol":
            self._counts[-1] += 1
            self._bullet = f"{self._counts[-1]}. "
        else:
            self._bullet = "- "

    def _end_line(self) -> None:
        text = self._take_inline()
        if not text:
            return
        if not (self._lists or self._bullet):
            self._pieces.append(_Piece(BlockKind.PARAGRAPH, text))
            return
        depth = 2 * (len(self._lists) - 1)
        bullet, self._bullet = self._bullet, ""
        first, *others = text.split("\n")
        self._lines.append(" " * depth + bullet + first)
        self._lines.extend(" " * (depth + len(bullet)) + line for line in others)

    def _end_list(self) -> None:
        """Close the lines of a list that were collected; the list itself may go on."""
        self._end_line()
        lines, self._lines = self._lines, []
        if lines:
            self._pieces.append(_Piece(BlockKind.LIST, "\n".join(lines)))

    def _take_inline(self) -> str:
        parts, self._inline = self._inline, []
        return _collapsed("".join(parts))

    def _table(self, table: Element) -> _Piece:
        caption = " ".join(self._flat(caption) for caption in table.iter("caption"))
        rows = [[self._flat(cell) for cell in row if cell.tag in ("td", "th")] for row in table.iter("tr")]
        return _Piece(BlockKind.TABLE, caption, rows=rows)

    def _flat(self, top: Element) -> str:
        """Return all text below an element on one line."""
        parts: list[str] = []
        steps = etree.iterwalk(top, events=("start", "end"))
        for event, element in steps:
            parts.append(" " if element.tag in _BORDERS or element.tag == "br" else "")
            if event == "end":
                parts.append((element.tail or "") if element is not top else "")
            elif element is not top and self._leave_out(element):
                steps.skip_subtree()
            else:
                parts.append(_spoken(element) if element.tag == "img" else element.text or "")
        return " ".join("".join(parts).split())


def _is_data(table: Element) -> bool:
    """Return whether a table holds data; the others are there for the layout."""
    if table.get("role") in ("presentation", "none"):
        return False
    if next((inner for inner in table.iter(*_NOT_IN_TABLES) if inner is not table), None) is not None:
        return False
    return any(sum(cell.tag in ("td", "th") for cell in row) > 1 for row in table.iter("tr"))


def _raw_text(element: Element) -> str:
    for line_break in element.iter("br"):
        line_break.tail = "\n" + (line_break.tail or "")
    return "".join(element.itertext())


def _spoken(image: Element) -> str:
    text = image.get("alt", "").strip()
    return "" if not text or _FILE_NAME.fullmatch(text) else f" {text} "


def _collapsed(text: str) -> str:
    return "\n".join(" ".join(line.split()) for line in text.split(_BREAK)).strip()


_CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:\-]+)""", re.IGNORECASE)
_VOID = "area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr"
_SELF_CLOSED = re.compile(rf"<(?!(?:{_VOID})[\s/])([A-Za-z][\w:\-]*)((?:\s[^<>]*)?)/>", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
# Under this share of the words of a page, leaving out navigation has left out the page.
_MIN_SHARE = 0.1
_MIN_WORDS = 40


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a page."""
    builder = TextBuilder(settings.max_characters)
    title = add_page(builder, file.path.read_bytes())
    yield builder.document(file.source, title=title)


def add_page(builder: TextBuilder, data: bytes) -> str:
    """Append the blocks of a page and return its title.

    Raises:
        Unreadable: there is no page in the bytes.
    """
    root = parse(data)
    title = one_line("".join(root.xpath("string(//title)")))
    boilerplate = Boilerplate(root)
    walk = PageWalk(boilerplate.main, boilerplate.covers)
    if walk.words < min(_MIN_WORDS, _MIN_SHARE * boilerplate.words):
        # a page that is all links: better its navigation than nothing
        walk = PageWalk(root, lambda element: element.tag in MACHINERY)
    walk.add_to(builder)
    return title


def parse(data: bytes) -> Element:
    """Return the root element of a page."""
    text = decode_page(data)
    if "<?xml" in text[:200] or "xhtml" in text[:1000].lower():
        text = _SELF_CLOSED.sub(r"<\1\2></\1>", _XML_DECLARATION.sub("", text))
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


def decode_page(data: bytes) -> str:
    """Return the bytes as text: by their mark, as UTF-8, by what the page declares, or as Windows-1252."""
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    refuse_binary(data)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    declared = _CHARSET.search(data[:4096])
    try:
        return data.decode(declared[1].decode("ascii") if declared else "cp1252", "replace")
    except LookupError:
        return data.decode("cp1252", "replace")
