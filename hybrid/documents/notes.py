"""What is written for another program and read by people: notebooks, JSON, Org, LaTeX, subtitles."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from html import escape, unescape
from typing import Any

from hybrid.config import DocumentSettings
from hybrid.documents.builder import TextBuilder, one_line
from hybrid.documents.html import add_markup
from hybrid.documents.markdown import add_markdown
from hybrid.documents.markup import count_heads, tags
from hybrid.documents.source import SourceFile, Unreadable
from hybrid.documents.text import decode
from hybrid.types import BlockKind, Document

# --- notebooks and JSON ----------------------------------------------------------------------------------


def _json(file: SourceFile) -> Any:
    try:
        return json.loads(decode(file.path.read_bytes()))
    except json.JSONDecodeError as error:
        raise Unreadable(f"not JSON: {error.msg} at line {error.lineno}, character {error.colno}") from error


def read_notebook(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a Jupyter notebook: its cells with what they wrote, without pictures."""
    notebook = _json(file)
    builder = TextBuilder(settings.max_characters)
    held = notebook if isinstance(notebook, dict) else {}
    sheets = [one for one in _list(held, "worksheets") if isinstance(one, dict)]  # before version 4
    for cell in [*_list(held, "cells"), *(cell for one in sheets for cell in _list(one, "cells"))]:
        _add_cell(builder, cell if isinstance(cell, dict) else {})
    yield builder.document(file.source)


def _list(held: Mapping[str, Any], name: str) -> list[Any]:
    found = held.get(name)
    return found if isinstance(found, list) else []


def _source(value: object) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else value if isinstance(value, str) else ""


def _add_cell(builder: TextBuilder, cell: Mapping[str, Any]) -> None:
    text = _source(cell.get("source", cell.get("input")))
    if cell.get("cell_type") in ("markdown", "heading"):
        level = cell.get("level") if cell["cell_type"] == "heading" else 0
        add_markdown(builder, "#" * level + f" {text}" if isinstance(level, int) and level else text)
    else:
        builder.add(BlockKind.CODE, builder.without_embedded(text))
    for output in (one for one in _list(cell, "outputs") if isinstance(one, dict)):
        _add_output(builder, output)


def _add_output(builder: TextBuilder, output: Mapping[str, Any]) -> None:
    held = output.get("data")
    data = held if isinstance(held, dict) else output
    kinds = {kind: _source(data.get(kind)) for kind in ("text/html", "text/markdown", "text/plain", "text")}
    if "<table" in kinds["text/html"]:
        add_markup(builder, kinds["text/html"], with_lines=False)
    elif kinds["text/markdown"]:
        add_markdown(builder, kinds["text/markdown"])
    elif shown := kinds["text/plain"] or kinds["text"]:
        builder.add(BlockKind.CODE, decode(shown.encode("utf-8", "replace")))
    elif any(str(kind).startswith(("image/", "png", "svg", "jpeg")) for kind in data):
        builder.leave_out("image")
    elif output.get("output_type") in ("error", "pyerr"):
        builder.add(BlockKind.CODE, f"{output.get('ename')}: {output.get('evalue')}")
    elif data:
        builder.leave_out("output that is no text", lost=True)


def read_json(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a JSON file: what is alike is a table, the rest lists below headings."""
    builder = TextBuilder(settings.max_characters)
    held = _json(file)
    _add_value(builder, "", held, 1)
    title = held.get("title") if isinstance(held, dict) else ""
    yield builder.document(file.source, title=title if isinstance(title, str) else "")


def _add_value(builder: TextBuilder, name: str, value: object, level: int) -> None:
    """Append a value below its name: single ones first, so that none stands below the heading of another."""
    builder.add(BlockKind.HEADING, name, level=min(level - 1, 6))
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        _add_records(builder, value, level)
        return
    pairs = list(value.items()) if isinstance(value, dict) else [("", one) for one in _many(value)]
    single = [(key, one) for key, one in pairs if not isinstance(one, (dict, list))]
    lines = (f"{key}: {_said(one)}" if key else f"- {_said(one)}" for key, one in single if _said(one))
    builder.add(BlockKind.LIST, builder.without_embedded("\n".join(lines)))
    for key, one in pairs:
        if isinstance(one, (dict, list)) and one:
            _add_value(builder, key, one, level + 1)


def _many(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _said(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _add_records(builder: TextBuilder, records: Sequence[dict[str, Any]], level: int) -> None:
    """Append objects as a table; long texts and what is nested follow, named by the first cell."""
    columns = list(dict.fromkeys(key for record in records for key in record))
    flat = [name for name in columns if not any(_is_long(record.get(name)) for record in records)]
    rows: list[list[str | None]] = [[_said(record.get(name)) for name in flat] for record in records]
    if len(flat) > 1 or not columns:
        builder.add_table([list(flat), *rows])
    for record, row in zip(records, rows, strict=True):
        rest = {name: record[name] for name in columns if name in record and name not in flat}
        rest = rest if len(flat) > 1 else record
        if rest:
            name = next((cell for cell in row if cell), "")
            _add_value(builder, name, rest, level + 1)


def _is_long(value: object) -> bool:
    return isinstance(value, (dict, list)) or (isinstance(value, str) and (len(value) > 200 or "\n" in value))


# --- Org -------------------------------------------------------------------------------------------------

_ORG_MARKS = (
    (re.compile(r"\[\[[^\[\]]*\]\[([^\[\]]+)\]\]"), r"\1"),
    (re.compile(r"\[\[([^\[\]]+)\]\]"), r"\1"),
    (re.compile(r"(?<![\w/:])/(?=[^\s/])([^/\n]{1,300}?)(?<=\S)/(?![\w/])"), r"\1"),
    (re.compile(r"(?<![\w=~])([=~])(?=\S)([^=~\n]{1,300}?)(?<=\S)\1(?![\w=~])"), r"`\2`"),
    (re.compile(r"(?<![\w+])\+(?=\S)([^+\n]{1,300}?)(?<=\S)\+(?![\w+])"), r"~~\1~~"),
)
_ORG_LINE = re.compile(
    r"(?P<stars>\*+)\s+(?P<heading>.+)|\s*#\+(?P<border>begin|end)_(?P<block>\w+).*"
    r"|\s*#\+(?P<name>[\w-]+):\s*(?P<said>.*)|(?P<comment>\s*#(?:\s.*)?)|\s*(?P<row>\|.*)"
    r"|(?P<drawer>\s*:[\w-]+:.*)",
    re.IGNORECASE,
)
_ORG_RAW, _ORG_SHOWN = ("src", "example", "export"), ("caption", "subtitle", "description", "date")


def read_org(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of an Org file, by way of Markdown of as many lines."""
    builder = TextBuilder(settings.max_characters)
    page = _OrgPage(builder)
    for line in [*decode(file.path.read_bytes()).split("\n"), ""]:
        page.take(line)
    add_markdown(builder, "\n".join(page.lines), first_line=1)
    yield builder.document(file.source, title=page.said["title"], metadata={"author": page.said["author"]})


class _OrgPage:
    """Takes lines of Org one after the other, and what they say of the page."""

    def __init__(self, builder: TextBuilder) -> None:
        self.said = {"title": "", "author": ""}
        self.lines: list[str] = []
        self._builder = builder
        self._is_raw = self._in_table = False
        self._indent = 0

    def take(self, line: str) -> None:
        """Add a line as Markdown."""
        shown = self._line(line)
        if self._in_table and not shown.startswith(("<t", "</t")):
            self._in_table = False
            self.lines[-1] += "</table>"
            if shown and self.lines[-2:-1] and self.lines[-2].startswith("<t"):
                # below HTML a blank line is wanted, and the lines are to stay where they are
                self.lines[-2:] = [self.lines[-2] + self.lines[-1], ""]
        self.lines.append(shown)

    def _line(self, line: str) -> str:
        found = _ORG_LINE.fullmatch(line)
        if found and found["border"]:
            was_raw, self._is_raw = self._is_raw, found["border"].lower() == "begin"
            self._is_raw = self._is_raw and found["block"].lower() in _ORG_RAW
            return "```" if was_raw or self._is_raw else ""
        if self._is_raw:
            return line
        if found and found["row"]:
            return self._row(found["row"].strip())
        return self._told(found) if found else self._text(line)

    def _told(self, found: re.Match[str]) -> str:
        if found["stars"]:
            self._indent = 0
            return "#" * min(len(found["stars"]), 6) + f" {self._text(found['heading'])}"
        name = (found["name"] or "").lower()
        if name in self.said:
            self.said[name] = found["said"]
        elif name in _ORG_SHOWN:
            return self._text(found["said"])
        else:
            kind = "setting" if name else "comment" if found["comment"] else "property"
            self._builder.leave_out(kind, len(found[0]))
        return ""

    def _row(self, row: str) -> str:
        """Return a row of a table; those above the first rule are its heads."""
        begin, self._in_table = "" if self._in_table else "<table>", True
        if re.fullmatch(r"\|[-+|]+", row):
            return f"{begin}<tbody>"
        cells = "".join(f"<td>{escape(_marked(cell.strip()))}</td>" for cell in row.strip("|").split("|"))
        return f"{begin}<tr>{cells}</tr>"

    def _text(self, line: str) -> str:
        """Return a line of text, set in no further than the first one of its list."""
        inner = line.lstrip()
        depth = len(line) - len(inner)
        if inner and (not self._indent or depth < self._indent):
            self._indent = depth
        return " " * max(0, depth - self._indent) + _marked(inner)


def _marked(text: str) -> str:
    for pattern, left in _ORG_MARKS:
        text = pattern.sub(left, text)
    return text


# --- LaTeX -----------------------------------------------------------------------------------------------

_TEX_RAW = "verbatim|Verbatim|lstlisting|minted|alltt"
_TEX_MATH = "equation|align|alignat|gather|multline|eqnarray|displaymath|math|flalign"
_TEX_TABLE = "tabular[xy]?|longtable|tabulary|tabu"
_TEX_BLOCK = re.compile(
    r"\\(?P<head>part|chapter|(?:sub){0,2}section|(?:sub)?paragraph)\*?\s*(?:\[[^\[\]]*\]\s*)?(?=\{)"
    rf"|\\begin\{{(?P<block>(?:{_TEX_RAW}|{_TEX_MATH}|{_TEX_TABLE})\*?)\}}"
    r"|\\(?P<border>begin|end)\{(?P<list>itemize|enumerate|description)\}(?:\[[^\[\]]*\])?"
    r"|(?P<item>\\item)\b[ \t]*(?:\[(?P<label>[^\[\]]*)\])?|\\(?:begin|end)\{[\w*]+\}|\n[ \t]*(?=\n)|\\par\b"
)
_TEX_LEVELS = ("part", "chapter", "section", "subsection", "subsubsection", "paragraph", "subparagraph")
_TEX_COMMENT = re.compile(rf"\\begin\{{({_TEX_RAW})\}}.*?\\end\{{\1\}}|(?<!\\)%[^\n]*", re.DOTALL)
_TEX_MACRO = re.compile(r"\\(?:re)?newcommand\*?\s*\{?\\([a-zA-Z]+)\}?\s*(?=\{)")
_TEX_FORMULA = re.compile(r"((?<!\\)\$\$?[^$]+\$\$?|\\\(.*?\\\)|\\\[.*?\\\])", re.DOTALL)
_TEX_COMMAND = re.compile(r"\\([a-zA-Z]+)\*?(?:\s*\[[^\[\]]*\])*\s*\{([^{}]*)\}")
_TEX_ACCENT = re.compile(r"\\(?:([`'^\"~=.])\s*\{?\\?([a-zA-Z])\}?|([uvHckr])\{([a-zA-Z])\})")
_TEX_ACCENTS = dict(
    zip(
        "`'^\"~=.uvHckr",
        "\u0300\u0301\u0302\u0308\u0303\u0304\u0307\u0306\u030c\u030b\u0327\u0328\u030a",
        strict=True,
    )
)
_TEX_WORDS = {
    "ldots": "…",
    "dots": "…",
    "ss": "ß",
    "o": "ø",
    "O": "Ø",
    "ae": "æ",
    "AE": "Æ",
    "aa": "å",
    "AA": "Å",
}
_TEX_WORDS |= {
    "l": "ł",
    "L": "Ł",
    "LaTeX": "LaTeX",
    "TeX": "TeX",
    "S": "§",
    "euro": "€",
    "textbackslash": "\\",
}
_TEX_SIGNS = (("---", "—"), ("--", "–"), ("``", "“"), ("''", "”"), ("~", " "), ("{", ""), ("}", ""))
_TEX_SILENT = tags(
    "label vspace hspace bibliographystyle usepackage documentclass setlength color pagestyle "
    "thispagestyle title author date graphicspath setcounter hypersetup"
)
_TEX_ELSEWHERE = ("input", "include", "bibliography", "subfile")


def read_tex(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a LaTeX file: formulas as they are written, what other files hold is told."""
    builder = TextBuilder(settings.max_characters)
    text = decode(file.path.read_bytes())

    def uncommented(found: re.Match[str]) -> str:
        if not found[1]:
            builder.leave_out("comment", len(found[0]))
        return found[0] if found[1] else ""

    text = _TEX_COMMENT.sub(uncommented, text)
    page = _TexPage(builder)
    before, begin, body = text.partition(r"\begin{document}")
    if begin:
        body = "\n" * before.count("\n") + body.partition(r"\end{document}")[0]
        macros = {found[1]: _argument(before, found.end())[0] for found in _TEX_MACRO.finditer(before)}
        names = "|".join(
            sorted((name for name, said in macros.items() if "#" not in said), key=len, reverse=True)
        )
        if names:
            body = re.sub(
                rf"\\({names})(?![a-zA-Z])(?:\{{\}})?", lambda found: one_line(macros[found[1]][:200]), body
            )
        builder.leave_out("preamble", len(before))
    said = {name: _of(text, name) for name in ("title", "author", "date")}
    titled = {name: one_line(page.plain(value)) for name, value in said.items() if value}
    builder.add(BlockKind.HEADING, titled.get("title", ""), level=1)
    builder.add(BlockKind.PARAGRAPH, "\n".join(titled[name] for name in ("author", "date") if name in titled))
    page.add(body or before)
    yield builder.document(
        file.source, title=titled.get("title", ""), metadata={"author": titled.get("author", "")}
    )


def _argument(text: str, at: int) -> tuple[str, int]:
    """Return what stands between the brace at a place and its end, and where that is."""
    depth = 0
    for found in re.compile(r"\\.|[{}]", re.DOTALL).finditer(text, at):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if depth == 0:
            return text[at + 1 : found.start()], found.end()
    return text[at + 1 :], len(text)


def _of(text: str, command: str) -> str:
    found = re.search(rf"\\{command}\s*(?:\[[^\[\]]*\]\s*)?(?=\{{)", text)
    return _argument(text, found.end())[0] if found else ""


class _TexPage:
    """Appends stretches of LaTeX, and the lists that they make up."""

    def __init__(self, builder: TextBuilder) -> None:
        self._builder = builder
        self._lists: list[str] = []
        self._items: list[str] = []
        self._counts: list[int] = []
        self._line_of_list = 0

    def add(self, body: str) -> None:
        """Append the blocks of a body."""
        at, line = 0, 1
        while found := _TEX_BLOCK.search(body, at):
            self._stretch(body[at : found.start()], line)
            line += body.count("\n", at, found.start())
            after = found.end()
            if found["head"]:
                title, after = _argument(body, found.end())
                self._end_list()
                level = max(1, _TEX_LEVELS.index(found["head"]) - 1)
                self._builder.add(BlockKind.HEADING, one_line(self.plain(title)), level=level, line=line)
            elif found["block"]:
                stop = body.find(rf"\end{{{found['block']}}}", after)
                stop = stop if stop >= 0 else len(body)
                self._block(found["block"].rstrip("*"), body[after:stop], line)
                after = stop + len(found["block"]) + 6
            elif found["border"] or found["item"]:
                self._list(found, line)
            line += body.count("\n", found.start(), after)
            at = after
        self._stretch(body[at:], line)
        self._end_list()

    def _list(self, found: re.Match[str], line: int) -> None:
        if found["border"] == "begin":
            self._lists.append(found["list"])
            self._counts.append(0)
            self._line_of_list = self._line_of_list or line
        elif found["item"] and self._lists:
            self._counts[-1] += 1
            sign = f"{self._counts[-1]}." if self._lists[-1] == "enumerate" else "-"
            label = f"{self.plain(found['label'])}: " if found["label"] else ""
            self._items.append(f"{'  ' * (len(self._lists) - 1)}{sign} {label}")
        elif found["border"] and self._lists:
            self._lists.pop()
            self._counts.pop()
            if not self._lists:
                self._end_list()

    def _end_list(self) -> None:
        self._builder.add(BlockKind.LIST, "\n".join(self._items), line=self._line_of_list)
        self._items, self._line_of_list = [], 0

    def _stretch(self, text: str, line: int) -> None:
        shown = one_line(self.plain(text))
        if shown and self._lists and self._items:
            self._items[-1] += ("" if self._items[-1].endswith(" ") else " ") + shown
        elif shown:
            self._builder.add(
                BlockKind.PARAGRAPH, shown, line=line + text[: len(text) - len(text.lstrip())].count("\n")
            )

    def _block(self, name: str, text: str, line: int) -> None:
        if re.fullmatch(_TEX_RAW, name):
            self._builder.add(BlockKind.CODE, text, line=line)
        elif re.fullmatch(_TEX_MATH, name):
            self._stretch(f"$${text}$$", line)
        else:
            text = re.sub(r"\A\s*(?:\[[^\[\]]*\])?(?:\{(?:[^{}]|\{[^{}]*\})*\})*", "", text)
            text = re.sub(
                r"\\(?:hline|toprule|midrule|bottomrule|c(?:mid|)(?:rule|line)\S*\{[^{}]*\})", "", text
            )
            lines = [one for one in re.split(r"\\\\(?:\[[^\[\]]*\])?|\\tabularnewline", text) if one.strip()]
            rows = [self._cells(one) for one in lines]
            self._builder.add_table(rows, heads=count_heads(rows), line=line)

    def _cells(self, line: str) -> list[str | None]:
        cells: list[str | None] = []
        for cell in re.split(r"(?<!\\)&", line):
            found = re.search(r"\\multicolumn\{(\d{1,2})\}\{[^{}]*\}", cell)
            cells.append(one_line(self.plain(cell.replace(found[0], "") if found else cell)))
            cells += [None] * (int(found[1]) - 1 if found else 0)
        return cells

    def plain(self, text: str) -> str:
        """Return a stretch without its commands; formulas stay."""
        parts = _TEX_FORMULA.split(text)
        parts[::2] = map(self._said, parts[::2])
        return "".join(parts)

    def _said(self, text: str) -> str:
        text = re.sub(r"\\href\s*\{[^{}]*\}", "", _TEX_ACCENT.sub(_accented, text))
        text = re.sub(r"\\([%$&#_{}])", lambda found: chr(0xE000 + ord(found[1])), text)
        text = re.sub(r"\\\\\*?(?:\[[^\[\]]*\])?|\\[ ,;:!/]", " ", text)
        for _ in range(20):
            text, count = _TEX_COMMAND.subn(self._command, text)
            if not count:
                break
        text = re.sub(
            r"\\([a-zA-Z]+)\*?(?:\[[^\[\]]*\])? ?", lambda found: _TEX_WORDS.get(found[1], ""), text
        )
        for sign, shown in _TEX_SIGNS:
            text = text.replace(sign, shown)
        return re.sub("[\ue000-\ue0ff]", lambda found: chr(ord(found[0]) - 0xE000), text)

    def _command(self, found: re.Match[str]) -> str:
        name, said = found[1], found[2]
        if name == "includegraphics":
            self._builder.leave_out("image")
        elif name in _TEX_ELSEWHERE:
            self._builder.leave_out("inserted file", lost=name != "bibliography")
        elif name == "footnote" or re.fullmatch(r"\w*cite\w*|\w{0,4}[rR]ef", name):
            return f"{' ' * (name == 'footnote')}[{said}]"
        elif name not in _TEX_SILENT:
            return _TEX_WORDS.get(name, "") + said
        return ""


def _accented(found: re.Match[str]) -> str:
    return unicodedata.normalize("NFC", (found[2] or found[4]) + _TEX_ACCENTS[found[1] or found[3]])


# --- subtitles -------------------------------------------------------------------------------------------

_CUE = re.compile(r"\s*(?:\d+:)?\d{1,2}:\d\d[.,]\d{1,3}\s*-->.*")
_SPEAKER = re.compile(r"<v[.\w]*\s+([^<>]{1,80})>")
_LONG_SPEECH = 500


def read_subtitles(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of subtitles: what is said as paragraphs, without the times of the cues."""
    builder = TextBuilder(settings.max_characters)
    lines = decode(file.path.read_bytes()).split("\n")
    said, begin, is_cue = "", 0, False
    for number, line in enumerate([*lines, ""], start=1):
        below = lines[number] if number < len(lines) else ""
        if _CUE.fullmatch(line):
            is_cue = True
            builder.leave_out("time of a cue", len(line.strip()))
        elif not line.strip():
            is_cue = False
        elif not is_cue and _CUE.fullmatch(below):
            builder.leave_out("number of a cue", len(line.strip()))
        elif not is_cue:
            builder.leave_out("setting", len(line.strip()))
        else:
            shown = unescape(re.sub(r"<[^<>]*>|\{\\[^{}]*\}", "", _SPEAKER.sub(r"\1: ", line))).strip()
            is_ended = said.endswith((".", "?", "!", "…", "。")) and len(said) > _LONG_SPEECH
            if is_ended or _SPEAKER.search(line) or shown.startswith(("- ", "– ", ">>")):
                builder.add(BlockKind.PARAGRAPH, said, line=begin)
                said = ""
            begin = begin if said else number
            said = f"{said} {shown}".strip()
    builder.add(BlockKind.PARAGRAPH, said, line=begin)
    yield builder.document(file.source)
