"""Elements of a page as they open and close, in Markdown or HTML, turned into blocks with their lines."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Callable

from hybrid.documents.builder import TextBuilder
from hybrid.documents.grid import repeat_above
from hybrid.documents.marks import lowered, raised
from hybrid.types import BlockKind


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A tag is looked for no further than this.
TAG_LENGTH = 2_000
_VOID = _names("area base br col embed hr img input link meta param source track wbr")
_LONE = _names(
    "br hr wbr p li dt dd td th tr thead tbody tfoot div section article center blockquote ul ol dl table "
    "h1 h2 h3 h4 h5 h6"
)
_BORDERS = _names(
    "address article aside blockquote body button center dd details dir div dl dt fieldset figcaption "
    "figure footer form head header hr html legend li main menu nav ol option p pre section select "
    "summary textarea title ul table thead tbody tfoot tr td th caption"
)
_NAMES = (
    _VOID
    | _LONE
    | _BORDERS
    | _names(
        "a abbr acronym audio b bdi bdo big canvas cite code colgroup data datalist del dfn em font h1 h2 "
        "h3 h4 h5 h6 i iframe ins kbd label map mark math meter nobr noscript object optgroup output "
        "picture progress q rp rt ruby s samp slot small span strike strong sub sup template time tt u var "
        "video"
    )
)
_TAG = re.compile(
    r"<(?P<end>/?)(?P<name>[A-Za-z][\w.:\-]*)"
    r"(?P<attributes>(?:[^<>{}\"']|\"[^\"]*+\"|'[^']*+'|\{(?:[^{}]|\{[^{}]*+\})*+\})*+)>"
    r"|<(?P<fragment>/?)>"
)
_ATTRIBUTES = re.compile(
    r"(?:\s+(?:[\w:@.\-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|\{.*\}|[^\s\"'=<>`{}]+)|\{\.\.\..*\}"
    r"|hidden|open|disabled|checked|selected|controls|async|defer|required|nowrap|noshade|reversed|compact"
    r"|multiple|readonly|autoplay|loop|muted|allowfullscreen|itemscope))*+\s*/?",
    re.IGNORECASE | re.DOTALL,
)
_VALUE = re.compile(r"""\b(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>{}]+))""")
_SPOKEN = frozenset(("alt", "label"))
_SPOKEN_OF_COMPONENTS = _SPOKEN | {"title", "description", "caption", "summary", "heading"}
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|\w{2,32});")
_UNSHOWN = re.compile(r"<!--.*?-->|<![A-Za-z][^>]*>|<(script|style|svg)\b.*?(?:</\1\s*>|\Z)", re.I | re.S)
_PRE_END = re.compile(r"</pre\s*>", re.IGNORECASE)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_LISTS = frozenset(("ul", "ol", "dl", "menu", "dir"))
_TABLE_TAGS = frozenset(("table", "tr", "td", "th", "caption", "thead", "tbody", "tfoot"))
_CAPTION = re.compile(
    r"(?:table|tab\.|tabelle|tableau|tabla|tabella|таблица|表)\s*\d[\w.\-]*\s*[:.–—\-]?\s*\S.*", re.I
)
_MAX_CAPTION = 300
_MAX_SPAN = 1_000
# A list is cut between its items once it is this long: it need not stay whole.
_LONG_LIST = 1_000


class Tags:
    """Tells the tags of a page from other things between angle brackets, as ``<path>`` in a manual.

    A tag has a name of HTML or attributes, and an end somewhere unless it needs none.
    """

    def __init__(self, text: str, *, components: bool) -> None:
        self._components = components
        self._ended = {name.lower() for name in re.findall(r"</([A-Za-z][\w.:\-]*)", text)}

    def match(self, text: str, place: int) -> re.Match[str] | None:
        """Return the tag that begins at the place."""
        found = _TAG.match(text, place, place + TAG_LENGTH)
        return found if found and self._is_tag(found) else None

    def is_component(self, name: str) -> bool:
        """Return whether it is the name of a component of MDX."""
        return self._components and name[:1].isupper()

    def _is_tag(self, found: re.Match[str]) -> bool:
        if found["name"] is None:
            return self._components
        name, attributes = found["name"].lower(), found["attributes"]
        is_component = self.is_component(found["name"])
        known = name in _NAMES or is_component
        if found["end"]:
            return known or "-" in name
        if not (is_component or _ATTRIBUTES.fullmatch(attributes)):
            return False
        if not known and "-" not in name:
            return False
        sure = attributes.endswith("/") or "=" in attributes or name in _LONE
        return sure or (name in self._ended and name not in _VOID)


class Flow:
    """Appends blocks to a builder; ``line`` is the line of the file that is being read."""

    def __init__(self, builder: TextBuilder, tags: Tags) -> None:
        self._builder = builder
        self._tags = tags
        self.line = 0
        self._inline: list[str] = []
        self._inline_line = 0
        self._is_soft = False
        self._raised_at = -1
        self._lowered_at = -1
        self._level = 0
        self._lists: list[tuple[str, int]] = []
        self._prefix = ""
        self._lines: list[str] = []
        self._lines_line = 0
        self._table: _Table | None = None
        self._last_paragraph = ""

    def text(self, text: str) -> None:
        """Continue the line with text."""
        if not text:
            return
        if self._is_soft and text[0].isalnum() and self._inline and self._inline[-1][-1:].isalnum():
            self._inline.append(" ")
        self._is_soft = False
        if not self._inline_line and not text.isspace():
            self._inline_line = self.line
        self._inline.append(text)

    def new_line(self) -> None:
        """Begin a line of the same block, on the next line of the file."""
        self._inline.append("\n")
        self.line += 1

    def code(self, text: str) -> None:
        """Append a listing."""
        self._end_table()
        self._end_line()
        self._end_list()
        self._add(BlockKind.CODE, textwrap.dedent(text), self.line)

    def leave_out(self, kind: str, text: str) -> None:
        """Say that something is left out."""
        self.line += text.count("\n")
        self._builder.leave_out(kind, len(text))

    def start_note(self, label: str) -> None:
        """Begin a footnote; without a label, end it."""
        self._end_line()
        self._end_list()
        self._prefix = f"[{label}] " if label else ""

    def html(self, source: str) -> None:
        """Continue with HTML; what is no tag in it is text."""
        place, last_comment = 0, source.rfind("-->")
        while place < len(source):
            start = source.find("<", place)
            self._html_text(source[place : start if start >= 0 else len(source)])
            if start < 0:
                return
            is_open = start > last_comment and source.startswith("<!--", start)
            if not is_open and (unshown := _UNSHOWN.match(source, start)):
                kind = (unshown[1] or ("comment" if unshown[0].startswith("<!--") else "declaration")).lower()
                self.leave_out(kind, unshown[0])
                place = unshown.end()
            elif found := self._tags.match(source, start):
                self._tag(found)
                self.line += found[0].count("\n")
                place = found.end()
                if (found["name"] or "").lower() == "pre" and not found["end"]:
                    finish = _PRE_END.search(source, place)
                    place = self._listing(source, place, finish.start() if finish else len(source))
            else:
                self.text("<")
                place = start + 1

    def open(self, tag: str, *, start: int = 1, whole: bool = False, spans: tuple[int, int] = (1, 1)) -> None:
        """Begin an element; ``whole`` for one of Markdown, which no open table of HTML can hold."""
        if whole:
            self._end_table()
            self._lists = []
        if tag == "sup":
            self._raised_at = len(self._inline)
        elif tag == "sub":
            self._lowered_at = len(self._inline)
        elif self._table is not None:
            self._in_table(tag, spans)
        elif tag == "br":
            self._inline.append("\n")
        elif tag in _BORDERS or tag in _HEADINGS:
            self._end_line()
            self._begin(tag, start)

    def close(self, tag: str) -> None:
        """End an element; one that never began is passed over."""
        if tag in ("sup", "sub"):
            self._end_script(tag)
        elif self._table is not None:
            self._close_in_table(self._table, tag)
        elif tag in _HEADINGS:
            self._end_line()
            self._level = 0
        elif tag in _BORDERS:
            self._end_line()
            if tag in _LISTS and self._lists:
                self._lists.pop()
                self._prefix = ""
                if not self._lists:
                    self._end_list()

    def end(self) -> None:
        """Append what is still open."""
        self._end_table()
        self._end_line()
        self._end_list()

    def _html_text(self, text: str) -> None:
        before = text[: len(text) - len(text.lstrip())].count("\n")
        self.line += before
        self.text(re.sub(r"\s+", " ", _ENTITY.sub(lambda found: html.unescape(found[0]), text)))
        self.line += text.count("\n") - before

    def _listing(self, source: str, start: int, end: int) -> int:
        text = re.sub(r"<br\s*/?>", "\n", source[start:end])
        text = re.sub(r"</?(?:code|span|b|i|em|strong|a)(?:\s[^<>]*)?>", "", text)
        self.code(_ENTITY.sub(lambda found: html.unescape(found[0]), text))
        self.line += source.count("\n", start, end)
        return end

    def _tag(self, found: re.Match[str]) -> None:
        if found["name"] is None:
            return
        name = found["name"].lower()
        is_component = self._tags.is_component(found["name"])
        values = {
            key.lower(): one or two or three for key, one, two, three in _VALUE.findall(found["attributes"])
        }
        if values.get("src", "").lstrip().startswith("data:"):
            self._builder.leave_out("embedded image", len(values["src"]))
        spoken = _SPOKEN_OF_COMPONENTS if is_component else _SPOKEN
        shown = " ".join(
            html.unescape(value) for key, value in values.items() if key in spoken and value.strip()
        )
        if is_component or name not in _NAMES:
            self._is_soft = True
        elif found["end"]:
            self.close(name)
        else:
            begin = int(values["start"]) if values.get("start", "").isdecimal() else 1
            self.open(name, start=begin, spans=(_span(values.get("colspan")), _span(values.get("rowspan"))))
        if shown:
            is_apart = not self._inline or self._inline[-1][-1:].isspace()
            self.text(shown if is_apart else f" {shown}")
            self._is_soft = True

    def _end_script(self, tag: str) -> None:
        start = self._raised_at if tag == "sup" else self._lowered_at
        if 0 <= start <= len(self._inline):
            before, text = (
                "".join(part) for part in (self._inline[max(0, start - 3) : start], self._inline[start:])
            )
            self._inline[start:] = [raised(before, text) if tag == "sup" else lowered(before, text)]
        self._raised_at = self._lowered_at = -1

    def _begin(self, tag: str, start: int) -> None:
        if tag not in ("div", "center"):
            self._level = 0  # a heading that was never ended
        if tag == "table" or tag in _HEADINGS:
            self._end_list()
            self._level = _HEADINGS.get(tag, 0)
            self._table = _Table(self.line) if tag == "table" else None
        elif tag in _LISTS:
            self._lists.append((tag, start))
        elif tag in ("li", "dt"):
            self._start_item(tag)

    def _start_item(self, tag: str) -> None:
        if len(self._lists) <= 1 and (tag == "dt" or sum(map(len, self._lines)) > _LONG_LIST):
            self._end_list()
        self._prefix = "" if tag == "dt" else "- "
        if tag == "li" and self._lists and self._lists[-1][0] == "ol":
            number = self._lists[-1][1]
            self._lists[-1] = ("ol", number + 1)
            self._prefix = f"{number}. "

    def _end_line(self) -> None:
        """Close the text since the last border: a heading, a paragraph, or lines of a list."""
        if self._table is not None:
            return
        lines = [line.strip() for line in "".join(self._inline).split("\n")]
        text = "\n".join(filter(None, lines))
        line, self._inline_line = self._inline_line, 0
        self._inline, self._is_soft, self._raised_at, self._lowered_at = [], False, -1, -1
        if not text:
            return
        prefix, self._prefix = self._prefix, ""
        if self._level:
            self._add(BlockKind.HEADING, prefix + " ".join(text.split()), line)
        elif self._lists or prefix == "- ":
            goes_on = not prefix and self._lists[-1][0] != "dl"
            indent = "  " * (len(self._lists) - 1 + goes_on)
            first, *others = text.split("\n")
            self._lines_line = self._lines_line or line
            self._lines.append(indent + prefix + first)
            self._lines.extend(f"{indent}  {other}" for other in others)
        else:
            self._end_list()
            self._add(BlockKind.PARAGRAPH, prefix + text, line)
            self._last_paragraph = text

    def _end_list(self) -> None:
        """Close the lines of a list that were collected; the list itself may go on."""
        lines, self._lines = self._lines, []
        line, self._lines_line = self._lines_line, 0
        if lines:
            self._add(BlockKind.LIST, "\n".join(lines), line)

    def _add(self, kind: BlockKind, text: str, line: int) -> None:
        self._last_paragraph = ""
        self._builder.add(kind, text, level=self._level if kind is BlockKind.HEADING else 0, line=line)

    def _in_table(self, tag: str, spans: tuple[int, int]) -> None:
        table = self._table
        assert table is not None
        if tag == "table":
            table.depth += 1
        if table.depth or tag not in _TABLE_TAGS:
            if tag in _BORDERS or tag == "br":
                self._inline.append(" ")
            return
        self._end_cell()
        table.start(tag, spans)

    def _close_in_table(self, table: _Table, tag: str) -> None:
        if tag == "table" and table.depth == 0:
            self._end_table()
        elif tag == "table":
            table.depth -= 1
        elif tag == "thead" and table.depth == 0:
            self._end_cell()
            table.start("tbody", (1, 1))
        if tag in _BORDERS:
            self._inline.append(" ")

    def _end_cell(self) -> None:
        if self._table is not None:
            self._table.put("".join(self._inline))
            self._inline, self._inline_line, self._raised_at, self._lowered_at = [], 0, -1, -1

    def _end_table(self) -> None:
        table = self._table
        if table is None:
            return
        self._end_cell()
        self._table = None
        caption = " ".join(" ".join(table.outside).split())
        if caption:
            self._add(BlockKind.PARAGRAPH, caption, table.line)
        elif len(self._last_paragraph) <= _MAX_CAPTION and _CAPTION.fullmatch(self._last_paragraph):
            caption = self._last_paragraph
        self._last_paragraph = ""
        if len(caption) > _MAX_CAPTION:
            caption = ""
        self._builder.add_table(table.filled(), caption=caption, heads=table.heads, line=table.line)


def _span(value: str | None) -> int:
    return min(int(value), _MAX_SPAN) if value and value.isdecimal() and len(value) < 9 else 1


class _Table:
    """The rows of a table under construction; ``heads`` counts the rows of heads on top."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.depth = 0
        self.heads = 0
        self.outside: list[str] = []
        self._rows: list[list[tuple[str, int, int]]] = []
        self._put: Callable[[str], None] = self.outside.append
        self._in_head = False

    def start(self, tag: str, spans: tuple[int, int]) -> None:
        """Begin a row, a cell or a part of the table."""
        self._put = self.outside.append
        if tag in ("thead", "tbody", "tfoot"):
            self._in_head = tag == "thead"
        elif tag == "tr" or (tag in ("td", "th") and not self._rows):
            self._rows.append([])
        if tag in ("td", "th"):
            row = self._rows[-1]
            is_head = tag == "th" or self._in_head
            if not row and is_head and self.heads == len(self._rows) - 1:
                self.heads += 1
            elif row and not is_head and self.heads == len(self._rows):
                self.heads -= 1
            self._put = lambda text: row.append((text, *spans))

    def put(self, text: str) -> None:
        """Take the text since the last border."""
        self._put(text)
        self._put = self.outside.append

    def filled(self) -> list[list[str | None]]:
        """Return the rows, cells that span rows repeated, None where one spans columns."""
        rows: list[list[str | None]] = []
        open_cells: dict[int, tuple[int, str | None]] = {}
        for cells in self._rows:
            row: list[str | None] = []
            for content, across, down in cells:
                repeat_above(row, open_cells)
                for offset in range(across if len(row) < _MAX_SPAN else 1):
                    shown = content if offset == 0 else None
                    if down > 1:
                        open_cells[len(row)] = (down - 1, shown)
                    row.append(shown)
            repeat_above(row, open_cells)
            rows.append(row)
        return rows
