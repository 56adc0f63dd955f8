"""LaTeX: the text that its page has, with headings, tables by cell, and formulas as they are written."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain

from hybrid.config import DocumentSettings
from hybrid.documents.builder import RawBlock, TextBuilder, one_line
from hybrid.documents.markup import count_heads
from hybrid.documents.source import SourceFile
from hybrid.documents.text import Mark, Splitter, lines_of, without_marks
from hybrid.types import BlockKind, Document

_GROUP = r"\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"
_OPTION = r"(?:\[[^\[\]]*\])?"
_QUOTED, _UNSAID = ("verbatim", "lstlisting", "minted"), ("comment", "document")
_WHOLE = re.compile(r"\\begin\{(verbatim|lstlisting|minted|comment)\}")
_WHOLE_END = re.compile(_WHOLE.pattern.replace("begin", "end"))
_TABULAR = re.compile(r"\\begin\{(tabular[*xy]?|tabu|longtable|supertabular)\}")
_WITH_WIDTH = ("tabular*", "tabularx", "tabulary")
# each is looked at once, whatever closes it or does not
_INNER = re.compile(_TABULAR.pattern + r"((?:(?!\\begin\{(?:tabu|longtable|supertab))[\s\S])*?)\\end\{\1\}")
_EDGE = re.compile(_TABULAR.pattern.replace("begin", "(begin|end)"))
_DEEPEST = 8
_VERBATIM = r"\\(?:verb|lstinline)\*?([^\w\s{\[*]).*?"
_COMMENT = re.compile(rf"(\\(?:url|href|path)\{{[^{{}}]*\}}|{_VERBATIM}\2|\\.)|%.*")
_VERB = re.compile(rf"{_VERBATIM}\1")
_MACHINERY = re.compile(
    r"\s*(?:\\(?:documentclass|usepackage|maketitle|tableofcontents|(?:new|clear)page|centering"
    r"|appendix|noindent|bibliographystyle|graphicspath|(?:begin|end)\{[\w*]+\}|\w{0,12}(?:rule|line))"
    r"(?:\[[^\[\]]*\])?(?:\{[^{}]*\})*\s*)+"
)
# what holds text and may stand on its line
_FLOAT = re.compile(
    r"\\(?:begin|end)\{(?:(?:side|wrap)?(?:table|figure)|center|abstract|quot(?:e|ation)|minipage)\*?\}"
    r"(?:\[[^\[\]]*\])*(?:\{[^{}]*\})*"
)
_IMAGE = re.compile(rf"\\includegraphics\*?{_OPTION}\{{[^{{}}]*\}}")
# what stands between the rows of a table, and what a cell holds of several lines, columns or rows
_ROW_END = re.compile(r"\\\\\*?(?:\[[^\[\]]*\])?|\\tabularnewline\b")
_BETWEEN = re.compile(
    r"\s*\\((?:[hc]|Xh|hdash|cdash)line|(?:top|mid|bottom|cmid|special)rule|addlinespace|rowcolor"
    r"|end(?:first)?head)\b(?:\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\})*"
)
_HEADS_END = ("midrule", "hline", "endhead", "endfirsthead")
_OF_PAGES = re.compile(r"(?<=\\endfirsthead).*\\end(?:head|foot|lastfoot)\b|\\end(?:last)?foot\b", re.DOTALL)
_STACKED = re.compile(rf"\\(?:makecell|shortstack|thead)\*?{_OPTION}{_GROUP}")
_WIDE = re.compile(rf"\s*\\multicolumn\{{(\d{{1,3}})\}}\{{(?:[^{{}}]|\{{[^{{}}]*\}})*\}}{_GROUP}\s*")
_HIGH = re.compile(rf"\\multirow{_OPTION}\{{(\d{{1,3}})\}}{_OPTION}\{{[^{{}}]*\}}{_OPTION}{_GROUP}")
_CAPTION = re.compile(rf"\\caption\*?{_OPTION}{_GROUP}")
_LABEL = re.compile(r"\\label\{[^{}]*\}")
_MOST_SPANNED = 200
_Place = tuple[int, int]  # a line, and where in it
_NEAR = 30  # lines: how far from a table its caption may stand
# only what is known to set text: in a formula the rest says how numbers stand to one another
_MARKS: tuple[Mark, ...] = (
    (re.compile(rf"^\s*\\(?:sub)?paragraph\*?{_GROUP}"), r"\1"),
    (
        re.compile(
            r"\\(?:text(?:bf|it|tt|sc|sf|rm|up|sl)|emph|underline|mbox|caption|author|date|keywords)"
            rf"\*?{_OPTION}{_GROUP}"
        ),
        r"\1",
    ),
    (re.compile(rf"\\href\{{[^{{}}]*\}}{_GROUP}"), r"\1"),
    (re.compile(r"\\(?:[a-z]{0,6}cite[a-z]{0,6}|[a-zA-Z]{0,4}ref)\*?(?:\[[^\[\]]*\])*\{([^{}]*)\}"), r"[\1]"),
    (re.compile(rf"\\(?:footnote|thanks)(?:text)?{_OPTION}{_GROUP}"), r" [\1]"),
    (re.compile(rf"\\bibitem{_OPTION}\{{([^{{}}]*)\}}"), r"[\1]"),
    (
        re.compile(
            r"\\(?:label|vspace|hspace)\*?\{[^{}]*\}|\\(?:begin|end)\{(?:itemize|enumerate|document)\}"
        ),
        "",
    ),
    (re.compile(r"\\item\b(?:\s*\[([^\[\]]*)\])?"), lambda found: f"- {found[1] or ''}".rstrip()),
    (re.compile(r"\s*\\and\b"), ","),
)
_LAST: tuple[Mark, ...] = (
    (re.compile(r"(\\url\{([^{}]*)\})|(?<!\\)~"), lambda found: found[2] if found[1] else " "),
    (re.compile(r"``"), "“"),
    (re.compile(r"(?<=[\w.,;:!?])''"), "”"),
    (re.compile(r"\\([%&#_$])|\\[,;]"), r"\1"),
)


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a file of LaTeX."""

    def plain(text: str) -> str:
        for _ in range(3):  # marks within marks
            text, before = without_marks(_MARKS, text), text
            if text == before:
                break
        return without_marks(_LAST, text)

    builder = TextBuilder(settings.max_characters, plain=plain)
    lines, heads = lines_of(builder, file)
    page = _TexPage(builder, lines)
    splitter = Splitter(builder, page.lines, frozenset(heads | page.nothing), page.tables)
    splitter.run()
    yield builder.document(file.source, title=splitter.title)


class _TexPage:
    """As many lines as the file has, which of them are nothing between two others, and tables by line."""

    def __init__(self, builder: TextBuilder, lines: list[str]) -> None:
        self._builder = builder
        self.lines: list[str] = []
        self.nothing: set[int] = set()
        self.tables: dict[int, list[RawBlock]] = {}
        quoted = self._take_comments(lines)
        self._take_tables(quoted)
        self.lines = [
            line if at in quoted else self._without_machinery(line) for at, line in enumerate(self.lines)
        ]

    def _take_comments(self, lines: list[str]) -> set[int]:
        """Take out what is no part of the page, and return which lines stand there as they are."""
        quoted, within = set[int](), ""
        ends_at = {name: at for at, line in enumerate(lines) for name in _WHOLE_END.findall(line)}
        for at, line in enumerate(lines):
            begins = None if within else _WHOLE.search(_said(_without_remark(line)))
            begins = begins if begins and ends_at.get(begins[1], -1) >= at else None
            ends = f"\\end{{{begins[1] if begins else within}}}" in line
            inside = "" if ends else within
            if inside in _QUOTED:
                quoted.add(at)
                text = line
            else:
                text = "" if inside else _without_remark(line)
            within = "" if ends else begins[1] if begins else within
            if len(text) < len(line.rstrip()):
                self._builder.leave_out("comment", len(line) - len(text))
                self.nothing |= {at} if not text else set()
            if not within and "\\end{document}" in _said(text):
                within = "document"
            self.lines.append(text)
        return quoted

    def _take_tables(self, quoted: set[int]) -> None:
        """Take out the tables, the last one first: what was found of the others stays where it is."""
        for (first, begin), (last, end) in reversed(self._spans(quoted)):
            before, behind = self.lines[first][:begin], self.lines[last][end:]
            whole = "\n".join([*self.lines[first:last], self.lines[last][:end]])[begin:]
            at = first + (last > first and bool(before.strip()))
            self.tables[at] = self._table(whole, first, last) + self.tables.get(at, [])
            self.lines[first : last + 1] = [before, *[""] * (last - first)]
            self.lines[last] += behind
            self.nothing |= {n for n in range(first, last + 1) if not self.lines[n].strip()}

    def _spans(self, quoted: set[int]) -> list[tuple[_Place, _Place]]:
        """Return where tables begin and end that stand in no other one; what has no end is none."""
        begun, spans = defaultdict[str, list[_Place]](list), list[tuple[_Place, _Place]]()
        for at, line in enumerate(self.lines):
            for found in () if at in quoted else _EDGE.finditer(_said(line)):
                if found[1] == "begin":
                    begun[found[2]].append((at, found.start()))
                elif begun[found[2]]:
                    spans.append((begun[found[2]].pop(), (at, found.end())))
        outer = list[tuple[_Place, _Place]]()
        for begin, end in sorted(spans):
            if not outer or begin >= outer[-1][1]:
                outer.append((begin, end))
        return outer

    def _table(self, whole: str, begin: int, stop: int) -> list[RawBlock]:
        kind, _, body = whole.removeprefix("\\begin{").partition("}")
        body = _flat(_without_columns(kind, body.removesuffix(f"\\end{{{kind}}}")))
        own = _CAPTION.search(body)
        above = "\n".join(self.lines[max(0, begin - _NEAR) : begin]).rpartition("\\begin{table")
        below = "\n".join(self.lines[stop + 1 : stop + 1 + _NEAR]).partition("\\end{table")
        beside = _CAPTION.search(f"{above[2]}\n{below[0]}") if above[1] and below[1] else None
        named = own or beside
        shown = [RawBlock(BlockKind.PARAGRAPH, own[1], line=begin + 1)] if own else []
        body = _OF_PAGES.sub("", _LABEL.sub("", _CAPTION.sub("", body)))
        rows, heads = _rows(body)
        caption = one_line(named[1]) if named else ""
        table = RawBlock(BlockKind.TABLE, "", line=begin + 1, rows=rows, heads=heads, caption=caption)
        return [*shown, table]

    def _without_machinery(self, line: str) -> str:
        """Return a line; one that only sets or arranges is told as left out, and so is a picture."""
        for _ in _IMAGE.finditer(line):
            self._builder.leave_out("image")
        line = _IMAGE.sub("", line)
        if not _MACHINERY.fullmatch(line):
            return _FLOAT.sub("", line)
        self._builder.leave_out("setting", len(line.strip()))
        return ""


def _without_remark(line: str) -> str:
    return _COMMENT.sub(lambda found: found[1] or "", line).rstrip()


def _said(line: str) -> str:
    """Return a line with blanks for what it quotes."""
    return _VERB.sub(lambda found: " " * len(found[0]), line)


def _without_columns(kind: str, body: str) -> str:
    """Return what a table holds without what says how wide it and its columns are."""
    head = re.match(_OPTION + rf"(?:\s*{_GROUP})" * (1 + (kind in _WITH_WIDTH)), body)
    return body[head.end() if head else 0 :]


def _flat(body: str) -> str:
    """Return what a table holds, with the words alone of the tables in its cells."""

    def words(found: re.Match[str]) -> str:
        return " ".join(filter(None, chain(*_rows(_without_columns(found[1], found[2]))[0])))

    for _ in range(_DEEPEST):
        body, count = _INNER.subn(words, body)
        if not count:
            break
    return body


def _rows(body: str) -> tuple[list[list[str | None]], int]:
    """Return the rows of a table, and how many of them are heads."""
    rows, heads = list[list[str | None]](), 0
    high: dict[int, tuple[int, str]] = {}
    for part in _ROW_END.split(_STACKED.sub(lambda found: found[1].replace("\\\\", " "), body)):
        while rule := _BETWEEN.match(part):
            part = part[rule.end() :]
            heads = heads or (len(rows) if rule[1] in _HEADS_END else 0)
        if part.strip():
            rows.append([])
            for cell in re.split(r"(?<!\\)&", part):
                rows[-1] += _cells(cell, len(rows[-1]), high)
    return rows, heads if 0 < heads < len(rows) else count_heads(rows)


def _cells(cell: str, at: int, high: dict[int, tuple[int, str]]) -> list[str | None]:
    """Return a cell with those that it covers; ``high`` has by column what reaches down, and how far."""
    wide = _WIDE.fullmatch(cell)
    text = one_line(wide[2] if wide else cell)
    rows, above = high.pop(at, (0, ""))
    if found := _HIGH.search(text):
        text = text[: found.start()] + found[2] + text[found.end() :]
        high[at] = int(found[1]) - 1, text
    elif rows and not text:
        text, high[at] = above, (rows - 1, above)
    covered = min(int(wide[1]), _MOST_SPANNED) - 1 if wide else 0
    return [text, *[None] * covered]
