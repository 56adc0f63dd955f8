"""Plain text with the headings, lists and tables that punctuation draws."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, pairwise, product, takewhile
from typing import TypeAlias

from hybrid.config import DocumentSettings
from hybrid.documents.builder import RawBlock, TextBuilder, clean
from hybrid.documents.encoding import detect
from hybrid.documents.markup import count_heads
from hybrid.documents.signs import lowered, raised
from hybrid.documents.source import SourceFile
from hybrid.types import BlockKind, Document

_RULE = re.compile(r"([=\-~^\"'*#+.`:_])\1{2,}")
_ATX = re.compile(r"(={1,6})\s+(\S.*?)(?:\s+=+)?")
_TEX_HEAD = re.compile(
    r"\s*\\((?:sub)*)(section|chapter|title|part|paragraph)\*?(?:\[[^\[\]]*\])?\{(.+?)\}"
    r"(?:\s*\\label\{[^{}]*\})?"
)
_ITEM = re.compile(r"\s*(?:[*\-+•‣◦]|\.{1,5}|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+\S")
# a single dash in a cell is what it says
_BAR_SIGNS, _BAR_RULE = " |:+=-", re.compile("--|==|:-|-:")
_TABLE = re.compile(r"\s*(?:\||\+[-=+]{3,})")
_GRID_RULE = re.compile(r" *\+(?:[-=]{2,}\+)+")
_BARS = re.compile(r"={2,}(?: +={2,})+")
_DASHES = re.compile(r" *-{2,}(?: +-{2,})+")
_DRAWN = str.maketrans("│┃║─━═┌┬┐├┼┤└┴┘┏┳┓┣╋┫┗┻┛╔╦╗╠╬╣╚╩╝╒╤╕╞╪╡╘╧╛", "|||---" + "+" * 36)
# how a cell of AsciiDoc begins: how many columns or rows it spans, how it is set, the bar
_CELL = re.compile(r"(?<!\\)(?:(?<!\S)(?:(\d{0,3})(?:\.\d{1,3})?([+*]))?[<^>]?(?:\.[<^>])?[adehlmsv]?)?\|")
_LIST_TABLE = re.compile(r"( *)\.\. list-table::(.*)")
_ATTRIBUTES = re.compile(r"\[.*\]")
# colours and links of a terminal, and letters that a printer was to strike twice
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-B])")
_STRUCK = re.compile(r"[^\n\x08]\x08")
_LAST_NUMBER = re.compile(r"\d+(?=\D*$)")
_SECTION = re.compile(r"(?:appendix )?((?:\d+|[A-Z])(?:\.\d+)*)\.?\s+\S", re.IGNORECASE)
# A text is set in from its headings where so many of its lines are.
_MOSTLY_SET_IN, _LEAST_LINES = 0.6, 10
_CENTRED = re.compile(r" {8,}\S.*")
_HEADS_A_PAGE = 3
_FENCE = re.compile(r"-{4,}|\.{4,}")
_TITLE_LENGTH = 160
_MOST_SPANNED = 200


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a text file."""
    marks = _MARKS.get(file.path.suffix.lower(), ())
    builder = TextBuilder(settings.max_characters, plain=partial(without_marks, marks))
    lines, heads = lines_of(builder, file)
    splitter = Splitter(builder, lines, frozenset(heads))
    splitter.run()
    yield builder.document(file.source, title=splitter.title)


def lines_of(builder: TextBuilder, file: SourceFile) -> tuple[list[str], set[int]]:
    """Return the lines of a file, and which of them are no part of its text: the heads of its pages."""
    text = builder.without_embedded(_decoded(file.path.read_bytes()).replace("\r\n", "\n"))
    lines, heads = _paged(text) if text.count("\f") > 1 else (clean(text).split("\n"), {})
    for head in filter(None, heads.values()):
        builder.leave_out("running head", len(head))
    return lines, set(heads)


def without_marks(marks: Sequence[Mark], text: str) -> str:
    """Return a text without the marks inside its lines, but for what is quoted as it stands."""
    quoted = _LITERAL if marks is _ASCIIDOC else _QUOTED
    parts = quoted.split(text) if marks else [text]
    for at in range(0, len(parts), 2):
        for pattern, left in marks:
            parts[at] = pattern.sub(left, parts[at])
    return "".join(parts)


def _is_bar_rule(line: str) -> bool:
    """Tell whether a line of a table between bars only parts its rows."""
    return not line.strip(_BAR_SIGNS) and _BAR_RULE.search(line) is not None


def _set(found: re.Match[str]) -> str:
    """Return what is raised, lowered, or plays another role in its line."""
    name, text, whole = found["role"].lower(), found["text"], found.string
    before, after = whole[max(found.start() - 20, 0) : found.start()], whole[found.end() : found.end() + 2]
    if name in ("sup", "superscript", "^"):
        return raised(before, text, after)
    return lowered(before, text, after) if name in ("sub", "subscript", "~") else text


Mark: TypeAlias = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]
_REST: tuple[Mark, ...] = (
    (re.compile(r"\\ (?=[:`|*])|(?<=[`|*_])\\ "), ""),
    (re.compile(r":(?P<role>[a-zA-Z][\w.+:-]{0,40}):`[!~]?(?P<text>[^`<]{1,300}?)(?:\s?<[^`<>]*>)?`"), _set),
    (re.compile(r"(?<![`\w])`([^`<]{1,300}?)\s?<[^`<>]*>`__?"), r"\1"),
    (re.compile(r"(?<!\w)\[(#?[\w.-]+|[#*])\]_(?!\w)"), r"[\1]"),
)
_ASCIIDOC: tuple[Mark, ...] = (
    (re.compile(r"(?<=[\w)])(?P<role>[\^~])(?P<text>[^\s^~]{1,12})(?P=role)"), _set),
    (re.compile(r"footnote:\w*\[([^\[\]]+)\]"), r" [\1]"),
    (re.compile(r"<<[^<>,]{1,80},\s?([^<>]{1,300})>>"), r"\1"),
    (
        re.compile(r"(?<!\w)(?:link:|xref:|https?://)[^\s\[\]]{1,300}\[([^\[\],^]{1,300})[^\[\]]{0,100}\]"),
        r"\1",
    ),
)
_MARKS = {".rst": _REST, ".adoc": _ASCIIDOC, ".asciidoc": _ASCIIDOC}
# What stands between such is left alone; a role of reStructuredText has one sign on each side.
_QUOTED, _LITERAL = re.compile(r"(``.+?``(?!`))"), re.compile(r"(`+[^`\n]+`+)")


def decode(data: bytes) -> str:
    """Return the bytes as text; what is damaged in it is U+FFFD.

    Raises:
        Unreadable: the bytes are no text, or none in an encoding that can be told.
    """
    return clean(_decoded(data))


def _decoded(data: bytes) -> str:
    text = data.decode(detect(data), "replace")
    return _STRUCK.sub("", _ESCAPE.sub("", text)) if "\x1b" in text or "\x08" in text else text


def _paged(text: str) -> tuple[list[str], dict[int, str]]:
    """Return the lines of a text in pages, and which are no part of it: by their place, what they say.

    That is what most pages repeat, or count up in, as their first or last line, and the blank lines within
    a sentence that goes on over the end of a page.
    """
    lines: list[str] = []
    pages: list[range] = []
    for part in text.split("\f"):
        added = clean(part).split("\n")
        # a form feed stands on a line of its own, or at the end of one
        if lines and not lines[-1]:
            lines.pop()
            pages[-1] = pages[-1][:-1]
        pages.append(range(len(lines), len(lines) + len(added)))
        lines += added
    heads: dict[int, str] = {}
    for turn, step in product(range(_HEADS_A_PAGE), (1, -1)):
        forms: dict[int, set[str]] = {}
        for number, page in enumerate(pages):
            if (at := _edge(lines, page[::step], heads)) >= 0:
                line = " ".join(lines[at].split())
                forms[at] = {line, _counted_from(number, line)} if len(line) < _TITLE_LENGTH else set()
        counts = Counter(chain.from_iterable(forms.values()))
        least = max(2, len(forms) // 2) - (turn == 0)
        heads |= {at: lines[at] for at in forms if any(counts[form] > least for form in forms[at])}
    for page, following in pairwise(pages):
        above, below = _edge(lines, page[::-1], heads), _edge(lines, following, heads)
        ends = min(above, below) < 0 or lines[above].rstrip()[-1] in ".:;!?"
        if not ends and lines[below].strip()[0].islower():
            heads |= {at: heads.get(at, "") for at in range(above + 1, below)}
    return lines, heads


def _edge(lines: list[str], page: range, heads: dict[int, str]) -> int:
    """Return the first line of a page that says something, -1 where none does."""
    return next((at for at in page if lines[at].strip() and at not in heads), -1)


def _counted_from(page: int, line: str) -> str:
    """Return a line with the number of the page as it would be on the first one."""
    return _LAST_NUMBER.sub(lambda found: str(int(found[0][-9:]) - page), line)


class Splitter:
    """Walks over the lines once; ``tables`` are read already, and stand where they begin."""

    def __init__(
        self,
        builder: TextBuilder,
        lines: list[str],
        passed_over: frozenset[int] = frozenset(),
        tables: Mapping[int, Sequence[RawBlock]] | None = None,
    ) -> None:
        self._builder = builder
        self._lines = [line.rstrip() for line in lines]
        self._passed_over = passed_over
        self._tables = tables or {}
        filled = [line for at, line in enumerate(self._lines) if line and at not in passed_over]
        set_in = sum(line[:2] == "  " for line in filled)
        self._is_set_in = set_in > _MOSTLY_SET_IN * max(_LEAST_LINES, len(filled))
        # the sections of such a text have names, of which the first is none of the whole
        above = takewhile(lambda line: not _stands_out(line, ""), filled[:_LEAST_LINES])
        names = list(filter(_CENTRED.fullmatch, above)) or filled[:1]
        self.title = " ".join(names[0].split()) if self._is_set_in else ""
        self._stretch: list[str] = []
        self._stretch_line = 0
        # reStructuredText gives a level to each underline in the order in which they turn up
        self._levels: dict[str, int] = {}
        self._closing = {
            line: index for index, line in enumerate(self._lines) if _FENCE.fullmatch(line) or line == "|==="
        }

    def run(self) -> None:
        """Append the whole text."""
        index = 0
        while index < len(self._lines):
            if index in self._tables:
                self._flush()
                self._builder.add_all(self._tables[index])
            index = self._step(index)
        self._flush()

    def _step(self, index: int) -> int:
        """Take the line at the index; return the index of the next one."""
        if index in self._passed_over:
            return index + 1
        line = self._lines[index]
        below = self._lines[index + 1] if index + 1 < len(self._lines) else ""
        at_border = not self._stretch or (len(self._stretch) == 1 and _RULE.fullmatch(self._stretch[0]))
        if at_border and _is_underlined(line, below):
            self._stretch.clear()
            level = self._levels.setdefault(below[0], len(self._levels) + 1)
            self._builder.add(BlockKind.HEADING, line.strip(), level=level, line=index + 1)
            return index + 2
        if (not self._stretch or line.lstrip()[:1] == "\\") and (head := _headed(line)):
            self._flush()
            self._builder.add(BlockKind.HEADING, head[1], level=head[0], line=index + 1)
            return index + 1
        if self._is_set_in and not self._stretch and _stands_out(line, below):
            level = found[1].count(".") + 1 if (found := _SECTION.match(line)) else 1
            self._builder.add(BlockKind.HEADING, line, level=level, line=index + 1)
            return index + 1
        if found := _LIST_TABLE.fullmatch(line):
            return self._listed(index, found)
        if line == "|===" and self._closing.get(line, 0) > index:
            return self._cells(index)
        if below and self._opens_fence(line, index):
            return self._fence(index)
        last = self._stretch[-1] if self._stretch else ""
        if (last and bool(_GRID_RULE.fullmatch(last)) > (line.lstrip()[:1] in ("+", "|"))) or (
            last and bool(_GRID_RULE.fullmatch(line)) > (last.lstrip()[:1] in ("+", "|"))
        ):
            self._flush()
        if line:
            self._stretch_line = self._stretch_line if self._stretch else index + 1
            self._stretch.append(line)
        else:
            self._flush()
        return index + 1

    def _opens_fence(self, line: str, index: int) -> bool:
        attached = not self._stretch or self._stretch[-1] == "+" or self._stretch[-1].startswith("[")
        return attached and self._closing.get(line, 0) > index

    def _fence(self, index: int) -> int:
        """Take a listing of AsciiDoc whole, blank lines and all."""
        self._flush()
        end = self._lines.index(self._lines[index], index + 1)
        code = textwrap.dedent("\n".join(self._lines[index + 1 : end]))
        self._builder.add(BlockKind.CODE, code, line=index + 2)
        return end + 1

    def _cells(self, index: int) -> int:
        """Take a table of AsciiDoc whole: as many cells a row as its first line has."""
        above, self._stretch = self._stretch, []
        caption = next((line[1:] for line in above if re.match(r"\.\w", line)), "")
        self._builder.add(BlockKind.PARAGRAPH, caption, line=self._stretch_line)
        end = self._lines.index("|===", index + 1)
        first = next((at for at in range(index + 1, end) if self._lines[at]), end)
        marks = list(_CELL.finditer(body := "\n".join(self._lines[first:end])))
        cells: list[str | None] = []
        before = body[: marks[0].start()] if marks else body
        self._builder.add(BlockKind.PARAGRAPH, before, line=index + 2)
        for mark, stop in zip(marks, [*(mark.start() for mark in marks[1:]), len(body)], strict=False):
            cells.append(body[mark.end() : stop].replace("\\|", "|"))
            times = min(int(mark[1] or 1), _MOST_SPANNED) - 1 if mark[2] else 0
            cells += [None if mark[2] == "+" else cells[-1]] * times
        said = re.search(r"cols=(?:\"([^\"]*)\"|([^,\]]*))", " ".join(above))
        counts = [part.partition("*") for part in re.split("[,;]", (said[1] or said[2]))] if said else []
        width = sum(int(count[:3]) if sign and count.isdecimal() else 1 for count, sign, _ in counts)
        width = min(width, _MOST_SPANNED) or max(1, len(_CELL.findall(self._lines[first])))
        has_head = "header" in " ".join(above) or (first + 1 < end and not self._lines[first + 1])
        rows = [cells[at : at + width] for at in range(0, len(cells), width)]
        self._builder.add_table(rows, caption=caption, heads=int(has_head), line=index + 2)
        return end + 1

    def _listed(self, index: int, found: re.Match[str]) -> int:
        """Take a table of reStructuredText that is written as a list."""
        self._flush()
        end, set_in, caption = index + 1, len(found[1]) + 1, found[2].strip()
        self._builder.add(BlockKind.PARAGRAPH, caption, line=index + 1)
        while end < len(self._lines) and not self._lines[end][:set_in].strip():
            end += 1
        rows: list[list[str | None]] = []
        heads = 0
        for line in textwrap.dedent("\n".join(self._lines[index + 1 : end])).split("\n"):
            text = line.removeprefix("* ").strip()
            if not rows and line[:2] != "* ":  # an option
                heads = int(text[-1]) if re.fullmatch(r":header-rows: *\d", text) else heads
                self._builder.add(BlockKind.PARAGRAPH, text if text[:1] != ":" else "", line=index + 2)
            elif line[:2] == "* " or line[:4] == "  - ":
                rows += [[]] if line[:2] == "* " else []
                rows[-1].append(text.removeprefix("-").strip())
            elif text:
                rows[-1][-1] = f"{rows[-1][-1]} {text}".strip()
        self._builder.add_table(rows, caption=caption, heads=heads, line=index + 2)
        return end

    def _flush(self) -> None:
        lines, self._stretch = self._stretch, []
        text = textwrap.dedent("\n".join(lines))
        if not any(character.isalnum() for character in text):
            return  # a rule, an overline or a delimiter
        drawn = text.translate(_DRAWN).split("\n")
        if len(drawn) > 2 and _DASHES.fullmatch(drawn[1]) and "|" not in text:
            bars = drawn[1].replace("-", "=")
            drawn = [bars, drawn[0], bars, *drawn[2:], bars]
        for rule in (_GRID_RULE, _BARS):
            if len(drawn) > 2 and rule.fullmatch(drawn[0].strip()) and rule.fullmatch(drawn[-1].strip()):
                self._add_drawn(drawn, is_grid=rule is _GRID_RULE)
                return
        kind = BlockKind.LIST if _ITEM.match(lines[0]) else BlockKind.PARAGRAPH
        if len(lines) > 1 and all(_TABLE.match(line) for line in lines):
            if all(line.count("|") > 1 or _is_bar_rule(line) for line in lines):
                self._add_barred(lines)
                return
            kind = BlockKind.TABLE
        self._builder.add(kind, text, line=self._stretch_line)

    def _add_barred(self, lines: list[str]) -> None:
        """Append a table whose cells stand between bars; the first rule below a row ends its heads."""
        rows, heads = list[list[str | None]](), 0
        for line in lines:
            if not _is_bar_rule(line):
                cells = re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|"))
                if any(map(str.strip, cells)):
                    rows.append([cell.strip().replace("\\|", "|") for cell in cells])
            else:
                heads = heads or len(rows)
        heads = heads if 0 < heads < len(rows) else count_heads(rows)
        self._builder.add_table(rows, heads=heads, line=self._stretch_line)

    def _add_drawn(self, lines: list[str], *, is_grid: bool) -> None:
        """Append a table that is drawn, whose columns begin where its first line says."""
        rule = _GRID_RULE if is_grid else _BARS
        runs = [match.span() for match in re.finditer("[-=]+" if is_grid else "=+", lines[0])]
        parts: list[list[list[str | None]]] = [[]]
        heads = 0
        for number, line in enumerate(lines):
            if not rule.fullmatch(line.strip()):
                parts[-1].append(_cut(line, runs, is_grid=is_grid))
            elif parts[-1]:
                heads = len(parts) if 0 < number < len(lines) - 1 and "=" in line else heads
                parts.append([])
        # as databases draw it, without rules between the rows, unless a cell may go on in the next line
        if is_grid and len(parts) == 3 and all(all(row) if heads else row[0] for row in parts[1]):
            is_grid, heads = False, len(parts[0])
        rows: list[list[str | None]] = []
        for part in filter(None, parts):
            for place, cells in enumerate(part):
                if not place or not (is_grid or not cells[0]):
                    rows.append(cells)
                    continue
                both = zip(rows[-1], cells, strict=True)
                rows[-1] = [f"{above or ''} {cell or ''}".strip() for above, cell in both]
        self._builder.add_table(rows, heads=heads, line=self._stretch_line)


def _cut(line: str, runs: list[tuple[int, int]], *, is_grid: bool) -> list[str | None]:
    """Return the cells of a line; None for one that the cell to its left goes on over."""
    if is_grid and line.count("|") == len(runs) + 1:  # letters may be wider than one
        return [cell.strip() for cell in line.strip()[1:-1].split("|")]
    cells: list[str | None] = []
    begin = first = 0
    for place, (_, end) in enumerate(runs):
        stop = len(line)
        if place + 1 < len(runs) and len(line) > end:
            stop = line.find("|", end, end + 1) if is_grid else line.rfind(" ", end, runs[place + 1][0])
        if stop >= 0:
            cells += [line[begin:stop].strip("| " if is_grid else " "), *[None] * (place - first)]
            begin, first = stop, place + 1
    return cells


def _headed(line: str) -> tuple[int, str] | None:
    """Return the level and the text of a heading that a mark says to be one; None for other lines."""
    if (match := _ATX.fullmatch(line)) and not _BARS.fullmatch(line):
        return len(match[1]), match[2]
    match = _TEX_HEAD.fullmatch(line)
    return (len(match[1]) // 3 + (4 if match[2] == "paragraph" else 1), match[3]) if match else None


def _stands_out(line: str, below: str) -> bool:
    """Return whether a line begins further left than the text below, as the name of a section does."""
    if not line or line[0].isspace() or len(line) > _TITLE_LENGTH // 2 or "   " in line or line[-1] in ",;":
        return False
    is_section = _SECTION.match(line) is not None and not below
    return line[0].isalnum() and (not below or below[0].isspace()) and (is_section or not _ITEM.match(line))


def _is_underlined(line: str, below: str) -> bool:
    return bool(
        0 < len(line) <= _TITLE_LENGTH
        and abs(len(below) - len(line)) <= 2
        and _RULE.fullmatch(below)
        and not _RULE.fullmatch(line)
        and not (below == "====" and _ATTRIBUTES.fullmatch(line))
        and any(character.isalnum() for character in line)
    )
