"""What of an HTML page is no content, by what it holds and never by its name; rows and heads of tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from lxml import etree

Element = Any  # lxml has no types


def tags(names: str) -> frozenset[str]:
    """Return a set of names that are separated by blanks."""
    return frozenset(names.split())


HEADINGS = {f"h{level}": level for level in range(1, 7)}
BORDERS = tags(
    "address article aside blockquote body caption center dd desc details dialog dir div dl dt fieldset "
    "figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr legend li main menu nav ol optgroup p pre "
    "search section summary table tbody td text textarea tfoot th thead title tr ul"
)
_LONGEST_NUMBER = 12
MACHINERY = tags("head script style template datalist annotation annotation-xml embed rp del")
# what a browser shows where it cannot do what the page asks for
_FALLBACKS = tags("noscript object applet canvas audio video iframe svg")
_EXCUSE = re.compile(r"java ?script|\bbrowser\b|navigateur|navegador", re.IGNORECASE)
_KEEP = frozenset(("html", "body", "main", "article"))
_SECTIONS = tags("article section main figure blockquote li td")
_LANDMARKS = frozenset(("header", "footer", "aside", "nav"))
_ROLES = tags("navigation banner contentinfo search menu menubar complementary dialog alertdialog")
_NAME = re.compile(
    r"(?:[a-z0-9]+[-_])*"
    r"(?:nav|navbar|navigation|navheader|navfooter|menu|menubar|sidebar|sidenav|breadcrumbs?|footer|toc"
    r"|pagination|pager|cookies?|consent|skiplink|skip-link|related|share|social|advert|ads|searchbox"
    r"|editsection)"
    r"(?:[-_](?:wrapper|container|list|bar|box|inner|links?|area|menu|banner|notice|popup|left|right|top"
    r"|bottom|main))?"
)
_LINE_NUMBER = re.compile(r"(?:.*[-_])?(?:linenos?|line-?numbers?|linenodiv|gutter|lineno|blob-num)")
_HIDDEN_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)")
_LINK_MARKS = frozenset(("¶", "#", "§", "🔗", "⚓"))
_SKIP = re.compile(r"(?:skip|jump) (?:to|over|navigation)\b.{0,40}", re.IGNORECASE)
_PAGER = re.compile(r"[\W_]*(?:prev|previous|next|up|zurück|weiter|précédent|suivant)?[\W_]*", re.IGNORECASE)
_ACCEPT = re.compile(
    r"\s*(?:accept|agree|allow|got it|ok\b|alle|akzept|zustimm|accepter|aceptar)", re.IGNORECASE
)
_NOTICE = re.compile(
    r"\A\W*(?:created|generated|built|powered) (?:using|with|by)\b.{0,60}\Z"
    r"|©|\(c\)\s*\d{4}|\bcopyright\b|all rights reserved|alle rechte",
    re.IGNORECASE,
)
_PANEL_HEADS = tags("button dt label summary") | HEADINGS.keys()
_PANELS = tags("article div dl ol p section table ul")
_TOGGLES = ("aria-expanded", "aria-controls", "aria-selected", "data-toggle", "data-bs-toggle")
_SENTENCE_END = re.compile(r"[.!?。！？][\s\"'”’»)\]]*\Z")
_ORDINAL = re.compile(r"[\s(]*(?:\d{1,4}|[ivxlc]{1,6}|[a-z])(?:\.\d{1,4})*[.):\s]*", re.IGNORECASE)
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
# A few words without a verb: "Other pages".
_LABEL = 3
_LONG_LINK = 20
_LONG_NOTICE = 40
_LONG_PAGER = 60
# What holds more of a page than this is the page, whatever its class says.
_MAX_SHARE = 0.5
# Main elements with less of the page than this were marked by mistake.
_MIN_MAIN_SHARE = 0.3


class _Held:
    """What a stretch of the page holds, in words of its lines; a line ends where a block does."""

    __slots__ = (
        "consents", "cookies", "digits", "excuse", "headings", "inside", "is_heading", "label_lines",
        "labels", "links", "nested", "number", "pager", "parent", "prose", "region", "sentence", "words",
    )  # fmt: skip

    def __init__(self, parent: _Held | None, tag: str) -> None:
        self.parent = parent
        self.is_heading: bool = tag in HEADINGS or (parent is not None and parent.is_heading)
        self.nested: bool = parent is not None and (parent.nested or tag in _SECTIONS)
        self.words = self.digits = self.links = self.headings = 0
        self.labels = self.label_lines = 0
        self.prose = self.number = self.sentence = self.pager = False
        self.excuse = self.cookies = self.consents = False
        # in a region that a name or a landmark speaks of; in a main element, or on a page without one
        self.region = False
        self.inside = True

    @property
    def says_something(self) -> bool:
        return self.prose or self.number or self.headings > 0

    def take(self, other: _Held) -> None:
        for name in ("words", "digits", "labels", "label_lines", "links", "headings"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("prose", "number", "sentence", "pager", "excuse", "cookies", "consents"):
            setattr(self, name, getattr(self, name) or getattr(other, name))


class Boilerplate:
    """Says which elements of a page are to be left out, and as what.

    One pass counts what every block holds, a second one decides from above; both take time linear in the
    size of the page. A label of a few words in a head or a foot stays in a book, which has no site around it.
    """

    def __init__(self, root: Element, *, in_book: bool = False) -> None:
        self._in_book = in_book
        self._root = root
        self.title = _spaced(root.xpath("string((//title[not(ancestor::svg)])[1])"))
        self._held: dict[Element, _Held] = {}
        self._stack: list[_Held] = [_Held(None, "")]
        # headings that nothing but links may follow, and those that only links do
        self._headings: list[tuple[_Held, Element]] = []
        self._over_links: list[Element] = []
        self._names_page = False
        self._plain: list[str] = []
        self._linked: list[str] = []
        self._links = self._in_links = self._in_navs = 0
        self._count()
        self._kinds: dict[Element, str] = {}
        self._decide()

    @property
    def words(self) -> int:
        """Return the number of words of the whole page."""
        return self._stack[0].words

    @property
    def has_sentences(self) -> bool:
        """Return whether the page holds more than headings, links and labels."""
        return self._stack[0].prose or self._stack[0].number

    def kind(self, element: Element) -> str:
        """Return as what the element is to be left out with all that is in it, "" to keep it."""
        tag = element.tag
        if machinery := machinery_kind(element):
            return machinery
        if (element.get("epub:type") or element.get("role")) in ("pagebreak", "doc-pagebreak"):
            return "page number" if len("".join(element.itertext()).strip()) < _LONGEST_NUMBER else ""
        if tag == "a":
            text = (element.text or "").strip()
            skips = element.get("href", "").startswith("#") and _SKIP.fullmatch(text)
            return "navigation" if len(element) == 0 and (text in _LINK_MARKS or skips) else ""
        return self._kinds.get(element, "")

    def _count(self) -> None:
        steps = etree.iterwalk(self._root, events=("start", "end"))
        for event, element in steps:
            if event == "end":
                if element.tag not in MACHINERY:
                    self._close(element)
                self._text(element.tail)
            elif element.tag in MACHINERY:
                steps.skip_subtree()
            else:
                self._open(element)
                self._text(element.text)
        self._end_line()

    def _open(self, element: Element) -> None:
        tag = element.tag
        if tag == "a":
            self._in_links += 1
            self._links += 1
        if tag in BORDERS or tag in _FALLBACKS or tag in ("button", "html") or _hint(element):
            self._end_line()
            held = self._held[element] = _Held(self._stack[-1], tag)
            self._stack.append(held)
            self._in_navs += tag == "nav"
            if tag == "button":
                self._in_links += 1
        elif tag in ("br", "input", "select"):
            if tag == "br":
                self._end_line()
            else:
                self._headings.clear()

    def _text(self, text: str | None) -> None:
        if text:
            (self._linked if self._in_links else self._plain).append(text)

    def _close(self, element: Element) -> None:
        tag = element.tag
        if tag == "a":
            self._in_links -= 1
            text = element.text or ""
            held = self._stack[-1]
            if element.get("rel") in ("prev", "next") or (text.strip() and _PAGER.fullmatch(text)):
                held.pager = True
            held.consents = held.consents or _ACCEPT.match(text) is not None
        if element not in self._held:
            return
        held = self._held[element]
        self._end_line()
        self._stack.pop()
        above = self._stack[-1]
        if tag == "button":
            self._in_links -= 1
            above.consents = above.consents or _ACCEPT.match(element.text or "") is not None
            if not _is_panel_head(element, held):
                return
            held.labels = held.words
        self._in_navs -= tag == "nav"
        while self._headings and self._headings[-1][0] is held:
            self._headings.pop()
            held.headings += 1
        if tag == "h1" or (tag in HEADINGS and self._names_page):
            held.headings += held.words > 0
        elif tag in HEADINGS and held.words:
            # over links only, it is a part of the navigation
            self._headings.append((above, element))
        is_drawing = tag == "svg" and element.getparent().tag != "svg"
        is_said = tag not in _FALLBACKS or (held.says_something and not held.excuse)
        if held.words and is_said and not is_drawing:
            above.take(held)

    def _end_line(self) -> None:
        """Say of what kind the line is that ends here."""
        if not (self._plain or self._linked):
            return
        plain, linked, links = "".join(self._plain).strip(), "".join(self._linked).strip(), self._links
        self._plain, self._linked, self._links = [], [], 0
        if not plain and not linked:
            return
        held = self._stack[-1]
        own, of_links = _count(plain), _count(linked)
        held.words += own + of_links
        if held.is_heading:
            self._names_page = _spaced(f"{plain}{linked}") in self.title
            return
        held.links += links
        held.digits += sum(word.isdigit() for word in plain.split())
        held.excuse = held.excuse or _EXCUSE.search(plain) is not None
        held.cookies = held.cookies or "cookie" in plain.lower()
        if not _NOTICE.search(plain) or own + of_links > _LONG_NOTICE:
            self._classify(held, plain, linked, own, of_links, max(1, links))

    def _classify(self, held: _Held, plain: str, linked: str, own: int, of_links: int, links: int) -> None:
        ends = _SENTENCE_END.search(plain[-8:]) is not None
        has_digit = any(map(str.isdigit, plain))
        ordinal = _ORDINAL.fullmatch(plain) is not None
        if of_links and own <= max(2, of_links) and not ends and (ordinal or not has_digit):
            if of_links <= _LONG_LINK * links and not (of_links >= 5 and linked.endswith((".", "!", "。"))):
                self._over_links += [heading for _, heading in self._headings]
                self._headings.clear()
                return
            held.prose = True
        elif has_digit and not (ordinal and self._in_navs):
            held.number = True
        elif own > _LABEL or ends:
            held.prose = True
        else:
            held.labels += own
            held.label_lines += 1
        held.sentence = held.sentence or (ends and own + of_links > 4)
        for above, _ in self._headings:
            above.headings += 1
        self._headings.clear()

    def _decide(self) -> None:
        mains, above = self._find_mains()
        whole = self._stack[0]
        whole.inside = not mains
        for element, held in self._held.items():
            parent = held.parent or whole
            outside = not parent.inside and element not in above and element not in mains
            held.inside = parent.inside or element in mains
            named = _is_named(element)
            if kind := self._judge(element, held, parent, named=named, outside=outside):
                self._kinds[element] = kind
        for heading in self._over_links:
            if self._held[heading].region and self._kinds.get(heading.getnext()) == "navigation":
                self._kinds[heading] = "navigation"

    def _find_mains(self) -> tuple[frozenset[Element], frozenset[Element]]:
        """Return the main elements, or else the articles, and all that is above them."""
        marked = [one for one in self._held if one.tag == "main" or one.get("role") == "main"]
        marked = marked or [one for one in self._held if one.tag == "article"]
        share = sum(self._held[one].words for one in marked)
        if share < _MIN_MAIN_SHARE * self.words:
            marked = []
        above: set[Element] = set()
        for one in marked:
            parent = one.getparent()
            while parent is not None and parent not in above:
                above.add(parent)
                parent = parent.getparent()
        return frozenset(marked), frozenset(above)

    def _judge(self, element: Element, held: _Held, parent: _Held, *, named: bool, outside: bool) -> str:
        tag = element.tag
        if tag == "button":
            return "" if _is_panel_head(element, held) else "button"
        if tag in _FALLBACKS:
            kept = self.words == 0 or (held.says_something and not held.excuse)
            return "" if kept else "drawing" if tag == "svg" else "fallback"
        if tag in _KEEP:
            return ""
        if held.is_heading and "editsection" in element.get("class", "") and element.find(".//a") is not None:
            return "navigation"
        if _is_hidden(element) and not _is_panel(element, held):
            return "hidden"
        if _is_line_number(element) and held.digits == held.words:
            return "line numbers"
        if named and held.cookies and held.consents and held.words < self.words:
            return "cookie notice"
        is_nav = tag == "nav" or element.get("role") == "navigation"
        if not is_nav and held.words > _MAX_SHARE * self.words:
            return ""
        held.region = named or (tag in BORDERS and (parent.region or outside))
        leads = held.region and held.words and self._leads_elsewhere(held, parent, named=named, is_nav=is_nav)
        # inside of what stays, too, there may be lists of links
        held.region = held.region or parent.region
        return "navigation" if leads else ""

    def _leads_elsewhere(self, held: _Held, parent: _Held, *, named: bool, is_nav: bool) -> bool:
        if held.pager and not held.sentence and not held.headings and held.words <= _LONG_PAGER:
            return True
        if held.says_something:
            return False
        if is_nav:
            return True
        if not held.links:
            is_label = not self._in_book and held.labels <= _LABEL and held.label_lines <= 1
            is_notice = held.labels == 0 and parent.region
            return not held.is_heading and (
                is_notice or (named and is_label and not (parent.region or held.nested))
            )
        return held.labels <= max(_LABEL, held.links) and (named or held.links > 1)


def machinery_kind(element: Element) -> str:
    """Return as what an element is left out that no browser shows as it is, "" for the others."""
    return "deleted text" if element.tag == "del" else str(element.tag) if element.tag in MACHINERY else ""


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _count(text: str) -> int:
    """Return the number of words; two characters of a script without blanks are one."""
    return len(text.split()) + (0 if text.isascii() else len(_CJK.findall(text)) // 2)


def _is_hidden(element: Element) -> bool:
    return (
        element.get("hidden") is not None
        or element.get("aria-hidden") == "true"
        or _HIDDEN_STYLE.search(element.get("style", "").lower()) is not None
    )


def _is_named(element: Element) -> bool:
    """Return whether a landmark, a role or a name says that it may lead elsewhere."""
    tag, role = element.tag, element.get("role", "").lower()
    if element.get("epub:type") or role.startswith("doc-"):
        return bool(tag == "nav")
    names = [*element.get("class", "").split(), element.get("id", "")]
    return tag in _LANDMARKS or role in _ROLES or any(_NAME.fullmatch(name.lower()) for name in names if name)


def _is_line_number(element: Element) -> bool:
    return any(_LINE_NUMBER.fullmatch(name) for name in element.get("class", "").lower().split())


def _hint(element: Element) -> bool:
    return bool(element.attrib) and (_is_hidden(element) or _is_named(element) or _is_line_number(element))


def _is_panel(element: Element, held: _Held) -> bool:
    """Return whether what is hidden is text all the same: it opens with a click, or says something."""
    before = element.getprevious()
    if element.tag not in BORDERS:
        drawn = before is not None and (before.tag == "math" or (len(before) and before[0].tag == "math"))
        return held.prose and not drawn
    if held.says_something or held.labels > _LABEL:
        return True
    opens = element.get("role") == "tabpanel" or (
        before is not None and (before.tag in _PANEL_HEADS or before.get("role") in ("button", "tab"))
    )
    return opens and held.labels > 0


def _is_panel_head(button: Element, held: _Held) -> bool:
    """Return whether a button is a heading: it says something, or a panel opens with it."""
    below = button.getnext()
    return bool(
        held.says_something
        or held.is_heading
        or button.get("role") == "tab"
        or any(button.get(name) is not None for name in _TOGGLES)
        or (below is not None and below.tag in _PANELS)
    )


# --- tables --------------------------------------------------------------------------------

# A table of more cells keeps them where they stand, without spans.
_MAX_CELLS = 300_000
_MAX_HEADS = 4
_LONG_HEAD = 200
# this share of the values below a name of two columns are amounts
_MOSTLY = 0.7
# what is a number in a head: a year, a day, a length of time, thousands
_PERIOD = re.compile(
    r"\b\d{1,2}[,.]?\s+(?:[a-z]{3,9}\.?,?\s+)?(?=(?:19|20)\d\d\b)|\b[a-z]{3,9}\.?\s*\d{1,2}\b,?"
    r"|(?:\d+\s*(?:[-–]|to)\s*)?\d+[\s-]*(?:weeks|days|months|years)|\b(?:fy?|[qh][1-4])?\s*(?:19|20)\d\d\b"
    r"|\b(?:fy?\d\d|[qh][1-4]|kw\s?\d\d?|\d\d/\d\d)\b|['’]?000s?\b|\(\d\)",
    re.IGNORECASE,
)
_NOTHING = re.compile(r"[\s\-–—−.*]+|n/?[am]", re.IGNORECASE)
_UNIT = re.compile(
    r"\(.{1,80}\)|(?:amounts )?in (?:thousands|millions|billions|%|percent|euros?|dollars)\b.{0,60}",
    re.IGNORECASE,
)
_TABLE_NAME = re.compile(
    r"(?:table|tab\.|tabelle|tableau|tabla|tabell?a|tabela?|exhibit|таблица|表)\s*"
    r"(?:\d|(?-i:[A-Z](?=\d|\b)|[IVX]+\b))[\w.\-]*(?:\s*[:.–—(].*|[^.]*)",
    re.IGNORECASE,
)
_LONGEST_NAME = 300
_BEFORE = frozenset(("$", "€", "£", "¥", "(", "$(", "($", "-", "−"))
_BEHIND = frozenset((")", "%", ")%", "%)", "€"))
_Row = list[str | None]


def is_table_name(text: str) -> bool:
    """Return whether a line names the table beside it: ``Table 3: Sales``, and no sentence about one."""
    return len(text) <= _LONGEST_NAME and _TABLE_NAME.fullmatch(text) is not None


def is_unit(text: str) -> bool:
    """Return whether a line says only what the numbers below it count: ``(in millions)``."""
    return _UNIT.fullmatch(text) is not None


class Grid:
    """The rows of a table, how many of them are heads, and the rows above them that are its title."""

    def __init__(self, table: Element, text_of: Callable[[Element], str]) -> None:
        self._text_of = text_of
        self._lines = own_rows(table)
        self.rows = self._spanned()
        self.titles: list[str] = []
        for row in self.rows:
            _join_signs(row)
        width = max(map(len, self.rows), default=0)
        while len(self.rows) > 1 and len(self.titles) < _MAX_HEADS and _is_title(self.rows[0], width):
            self._take_title(0)
        self.heads = self._marked()
        if not self.heads and not any(cell.tag == "th" for line in self._lines[:1] for cell in line):
            self._guess()
        self._take_units()

    def _take_title(self, at: int) -> None:
        self.titles += filter(None, self.rows.pop(at))
        del self._lines[at]

    def _guess(self) -> None:
        """Find heads that nothing marks by where the numbers begin; lines above them are the title."""
        above = next((at for at, row in enumerate(self.rows[:_MAX_HEADS]) if any(row[1:])), 0)
        self.heads = count_heads(self.rows[above:])
        if self.heads:
            for _ in range(above):
                self._take_title(0)
        for row in self.rows[: max(0, self.heads - 1)]:
            _spread(row)

    def _spanned(self) -> list[_Row]:
        rows: list[_Row] = []
        open_cells: dict[int, tuple[int, str | None]] = {}
        total = 0
        part = None
        for line in self._lines:
            if line.getparent() is not part or total > _MAX_CELLS:
                part = line.getparent()
                open_cells.clear()
            row: _Row = []
            for cell in line.iterchildren("td", "th"):
                repeat_above(row, open_cells)
                wide, high = _span(cell, "colspan", 1_000), _span(cell, "rowspan", len(self._lines))
                if total + len(row) + wide * high > _MAX_CELLS:
                    wide = high = 1
                texts: _Row = [self._text_of(cell), *[None] * (wide - 1)]
                if high > 1:
                    open_cells |= {len(row) + at: (high - 1, text) for at, text in enumerate(texts)}
                row += texts
            for column in sorted(open_cells):
                if column >= len(row):
                    row += [""] * (column - len(row))
                    repeat_above(row, open_cells)
            total += len(row)
            rows.append(row)
        return rows

    def _take_units(self) -> None:
        """Put a row that is all "(in millions)" to the title."""
        for at in reversed(range(min(self.heads + 1, len(self.rows) - 1))):
            cells = list(filter(None, self.rows[at]))
            if self.heads > (at < self.heads) and len(cells) == 1 and is_unit(cells[0]):
                self.heads -= at < self.heads
                self._take_title(at)

    def _marked(self) -> int:
        """Return how many rows are marked as heads."""
        marked = 0
        for line in self._lines[:_MAX_HEADS]:
            cells = [cell.tag for cell in line.iterchildren("td", "th") if (cell.text or len(cell))]
            if line.getparent().tag != "thead" and not (cells and set(cells) == {"th"}):
                break
            marked += 1
        return marked


def repeat_above(row: list[str | None], open_cells: dict[int, tuple[int, str | None]]) -> None:
    """Append the cells of rows above that reach down to where a row goes on.

    Args:
        row: as far as it was read.
        open_cells: by column, in how many rows more a cell stands, and its text; None for a spanned column.
    """
    while (column := len(row)) in open_cells:
        rows, text = open_cells.pop(column)
        row.append(text)
        if rows > 1:
            open_cells[column] = (rows - 1, text)


def _span(cell: Element, name: str, most: int) -> int:
    value = cell.get(name, "1").strip()
    count = int(value) if value.isdecimal() and len(value) < 7 else 1
    return min(count or (most if name == "rowspan" else 1), most)


def _join_signs(row: _Row) -> None:
    """Put a currency or a bracket that has a cell of its own to its number."""
    for at in range(len(row) - 1):
        if row[at] in _BEFORE and (
            below := next((i for i in range(at + 1, min(at + 3, len(row))) if row[i]), 0)
        ):
            row[at], row[below] = "", f"{row[at]}{row[below]}"
    for at in range(len(row) - 1, 0, -1):
        if row[at] in _BEHIND and (above := next((i for i in (at - 1, at - 2) if i >= 0 and row[i]), None)):
            row[at], row[above] = "", f"{row[above]}{row[at]}"


def _is_title(row: _Row, width: int) -> bool:
    """Return whether a row has one cell for the whole width."""
    return 1 < width == len(row) and bool(row[0]) and set(row[1:]) == {None}


def own_rows(table: Element) -> list[Element]:
    """Return the rows of a table without those of tables inside of its cells."""
    rows = list(table.iter("tr"))
    if next(table.iterdescendants("table"), None) is None:
        return rows
    return [row for row in rows if next(row.iterancestors("table")) is table]


def count_heads(rows: Sequence[Sequence[str | None]]) -> int:
    """Return how many of the first rows of a table name its columns, by where the amounts begin.

    Of two columns, label and value as a rule, the first row does so only above amounts.
    """
    heads = 0
    if len(rows) > 1 and all((row[0] or "").endswith(":") for row in rows[:2] if row):
        return 0  # a form
    filled, stub = False, ""
    for row in rows[:_MAX_HEADS]:
        names = [cell for cell in row[1:] if cell]
        is_other = names and row[0] and row[0] != stub  # no cell of the row above that reaches down
        if not names or any(map(_is_amount, names)) or (is_other and (stub or filled)):
            break
        heads += 1
        stub = row[0] or stub
        filled = not any(is_unit(name) for name in names) and len(names) >= len(row) - 1
    body = [cell for row in rows[heads:] for cell in row[1:] if cell]
    amounts = sum(map(_is_amount, body))
    if max(map(len, rows), default=0) < 3 and amounts < _MOSTLY * len(body):
        return 0
    if amounts:
        return heads
    # all text: a first row of short names over several columns
    return int(bool(heads) and len(rows) > 2 and len(rows[0]) > 2 and all(rows[0]))


def _is_amount(text: str) -> bool:
    text = text[:_LONG_HEAD]
    return any(map(str.isdigit, _PERIOD.sub("", text))) or _NOTHING.fullmatch(text) is not None


def _spread(row: _Row) -> None:
    """Let a head without spans stand over the columns to its right."""
    names = [at for at, cell in enumerate(row) if at and cell]
    if None in row or not names:
        return
    if len(names) == 1:
        row[1], row[names[0]] = row[names[0]], row[1]
        names = [1]
    for at in range(names[0] + 1, len(row)):
        row[at] = row[at] or None
