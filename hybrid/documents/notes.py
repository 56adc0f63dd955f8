"""What is written for another program and read by people: notebooks, JSON, Org, subtitles, settings, logs."""

from __future__ import annotations

import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape, unescape
from itertools import pairwise
from typing import Any

from hybrid.config import DocumentSettings
from hybrid.documents.builder import TextBuilder
from hybrid.documents.html import add_markup
from hybrid.documents.markdown import add_markdown
from hybrid.documents.source import SourceFile, Unreadable, is_rule, rule_of
from hybrid.documents.text import decode, lines_of
from hybrid.types import BlockKind, Document

# --- notebooks and JSON ----------------------------------------------------------------------------------


def _json(file: SourceFile) -> Any:
    try:
        # numbers stay as they are written: 19.90, and those of more digits than a number here may have
        return json.loads(
            decode(file.path.read_bytes()), parse_float=str, parse_int=str, object_pairs_hook=_held
        )
    except json.JSONDecodeError as error:
        raise Unreadable(f"not JSON: {error.msg} at line {error.lineno}, character {error.colno}") from error


def _held(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the fields of an object; one that is said more than once keeps all that it says."""
    held: dict[str, Any] = dict(pairs)
    if len(held) < len(pairs):
        many = Counter(name for name, _ in pairs)
        if any(is_rule(name) for name in many if many[name] > 1):
            raise Unreadable("more than one field says who may read it; keep one")
        held |= {name: [one for key, one in pairs if key == name] for name in many if many[name] > 1}
    return held


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
        level = str(cell.get("level")) if cell["cell_type"] == "heading" else ""
        marks = "#" * min(int(level), 6) + " " if re.fullmatch("[1-9]", level) else ""
        add_markdown(builder, marks + text)
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
    top = held if isinstance(held, dict) else {}
    title = top.get("title")
    rule = rule_of(top.items())
    yield builder.document(file.source, title=title if isinstance(title, str) else "", principals=rule)


def _add_value(builder: TextBuilder, name: str, value: object, level: int) -> None:
    """Append a value below its name: single ones first, so that none stands below the heading of another."""
    builder.add(BlockKind.HEADING, name, level=min(level - 1, 6))
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        _add_records(builder, value, level)
        return
    pairs = list(value.items()) if isinstance(value, dict) else [("", one) for one in _many(value)]
    if any(map(is_rule, dict(pairs))):
        if level > 1:
            raise Unreadable("a part of it says who may read it; write it as JSON lines, a row a document")
        pairs = [(key, one) for key, one in pairs if not is_rule(key)]
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
    if any(map(is_rule, columns)):
        raise Unreadable("its rows say who may read them; write them as JSON lines, a row a document")
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

_ORG_RAW = re.compile(r"^[ \t]*#\+begin_(?:src|example|export)\b.*\n", re.IGNORECASE | re.MULTILINE)
_ORG_END = re.compile(r"^[ \t]*#\+end_\w+", re.IGNORECASE | re.MULTILINE)
_ORG_UNSHOWN = re.compile(
    r"^[ \t]*(?:#\+(?!caption|subtitle|date|begin|end)[\w-]+:(?P<setting>.*)|#(?P<comment>(?: .*)?$)"
    r"|:[\w-]+:(?P<property>.*))",
    re.IGNORECASE | re.MULTILINE,
)
# what a blank line, or the end, follows
_ORG_TABLE = re.compile(r"^[ \t]*\|.*\n(?:[ \t]*\|.*\n)*(?=[ \t]*(?:\n|\Z))", re.MULTILINE)
_ORG_MARKS = (
    (re.compile(r"^[ \t]*#\+\w+:?[ \t]*", re.MULTILINE), ""),
    (re.compile(r"(?<=-)\+(?=-[-+|]*$)", re.MULTILINE), "|"),
    (re.compile(r"\[\[(?:[^\[\]]*\]\[)?([^\[\]]+)\]\]"), r"\1"),
    (re.compile(r"(?<![\w/:])/(?=[^\s/])([^/\n]{1,300}?)(?<=\S)/(?![\w/])"), r"\1"),
    (re.compile(r"(?<![\w=~])([=~])(?=\S)([^=~\n]{1,300}?)(?<=\S)\1(?![\w=~])"), r"`\2`"),
    (re.compile(r"(?<![\w+])\+(?=\S)([^+\n]{1,300}?)(?<=\S)\+(?![\w+])"), r"~~\1~~"),
)


def read_org(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of an Org file, by way of Markdown of as many lines."""
    builder = TextBuilder(settings.max_characters)
    parts = _parted(decode(file.path.read_bytes()) + "\n")
    said = {name.lower(): text for name, text in re.findall(r"^#\+(\w+):[ \t]*(.*)", parts[0], re.MULTILINE)}
    parts[::2] = (_org(part, builder) for part in parts[::2])
    parts[1::2] = (f"```\n{part}```" for part in parts[1::2])
    add_markdown(builder, "".join(parts), first_line=1)
    metadata = {"author": said.get("author", "")}
    yield builder.document(file.source, title=said.get("title", ""), metadata=metadata)


def _parted(text: str) -> list[str]:
    """Return what is Org and what is quoted as it stands, in turn; each line is looked at once."""
    parts, at = list[str](), 0
    for begin in _ORG_RAW.finditer(text):
        if begin.start() < at:
            continue
        if (end := _ORG_END.search(text, begin.end())) is None:
            break
        parts += (text[at : begin.start()], text[begin.end() : end.start()])
        at = end.end()
    return [*parts, text[at:]]


def _without_heads(found: re.Match[str]) -> str:
    """Return a table that has no rule below its first row as HTML: Markdown has none without."""
    lines = found[0].rstrip().split("\n")
    if any(re.match(r"[ \t]*\|-", line) for line in lines):
        return found[0]
    cells = (line.strip().removeprefix("|").removesuffix("|").split("|") for line in lines)
    rows = ("".join(f"<td>{escape(cell.strip())}</td>" for cell in row) for row in cells)
    return "<table>" + "\n".join(f"<tr>{row}</tr>" for row in rows) + "</table>\n"


def _org(text: str, builder: TextBuilder) -> str:
    """Return a stretch of Org as Markdown; what stands below a heading is set in no further than it."""

    def unshown(found: re.Match[str]) -> str:
        kind = next(kind for kind, said in found.groupdict().items() if said is not None)
        builder.leave_out(kind, len(found[0]))
        return ""

    text = _ORG_UNSHOWN.sub(unshown, text)
    for pattern, left in _ORG_MARKS:
        text = pattern.sub(left, text)
    text = _ORG_TABLE.sub(_without_heads, text)
    before, *sections = re.split(r"^(\*+)(?= )", text, flags=re.MULTILINE)
    parts = [textwrap.dedent(before)]
    for stars, section in zip(sections[::2], sections[1::2], strict=True):
        title, end, below = section.partition("\n")
        parts.append("#" * min(len(stars), 6) + title + end + textwrap.dedent(below))
    return "".join(parts)


# --- subtitles -------------------------------------------------------------------------------------------

_CUE = re.compile(r"\s*(?:\d+:)?\d{1,2}:\d\d[.,]\d{1,3}\s*-->.*")
_ASIDE = re.compile(r"\ufeff?WEBVTT\b|(?:NOTE|STYLE|REGION)\b")
_SPEAKER = re.compile(r"<v[.\w]*\s+([^<>]{1,80})>")
# what sets a text or says when it is said; `a < 5 and b > 7` is no tag
_SET = re.compile(
    r"</?(?:b|i|u|s|c|v|font|ruby|rt|lang)(?:[.\s][^<>]*)?/?>|<[\d:.]+>|\{\\[^{}]*\}", re.IGNORECASE
)
_LONG_SPEECH = 500


def read_subtitles(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of subtitles: what is said as paragraphs, without the times of the cues."""
    builder = TextBuilder(settings.max_characters)
    lines = ["", *decode(file.path.read_bytes()).split("\n"), ""]
    said, begin, is_aside, is_vtt = "", 0, False, file.path.suffix.lower() == ".vtt"
    for number, (above, line, below) in enumerate(zip(lines, lines[1:], lines[2:], strict=False), start=1):
        is_aside = bool(line.strip()) and (is_aside or (not above.strip() and bool(_ASIDE.match(line))))
        named = line.strip().isdigit() or (is_vtt and line.strip() and not above.strip())
        kind = "time of a cue" if _CUE.fullmatch(line) else ""
        kind = "number of a cue" if named and _CUE.fullmatch(below) else kind
        if kind or is_aside:
            builder.leave_out(kind or "setting", len(line.strip()))
            continue
        shown = unescape(_SET.sub("", _SPEAKER.sub(r"\1: ", line))).strip()
        is_ended = said.endswith((".", "?", "!", "…", "。")) and len(said) > _LONG_SPEECH
        if is_ended or _SPEAKER.search(line) or shown.startswith(("- ", "– ", ">>")):
            builder.add(BlockKind.PARAGRAPH, said, line=begin)
            said = ""
        begin = begin if said else number
        said = f"{said} {shown}".strip()
    builder.add(BlockKind.PARAGRAPH, said, line=begin)
    yield builder.document(file.source)


# --- settings and logs -----------------------------------------------------------------------------------

_SECTION_NAME = re.compile(r"\s*\[{1,2}([\w.:/ \"'-]{1,100})\]{1,2}\s*(?:[#;].*)?")
# A part of YAML with a name of its own, which tells what is below it where there is much of that.
_NAMED_PART = re.compile(r"""\s*(?:- +)*(?P<name>(?:"[^"]+"|'[^']+'|[^\s"'#-][^:#]{0,80}):(?: .*)?)""")
_WRITTEN_OUT = re.compile(r":\s*[|>][+\-\d]*\s*(?:#.*)?$")
_LONG_PART, _DEEPEST = 400, 12


def read_entries(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of settings or of a log."""
    builder = TextBuilder(settings.max_characters)
    lines, _ = lines_of(builder, file)
    if file.path.suffix.lower() in (".yaml", ".yml"):
        _add_yaml(builder, lines)
    else:
        for begin, part in _parts(lines, 1):
            if section := _SECTION_NAME.fullmatch(part[0]):
                level = min(section[1].count(".") + 1, 6)
                builder.add(BlockKind.HEADING, section[1], level=level, line=begin)
            rest = part[section is not None :]
            builder.add(BlockKind.LIST, "\n".join(rest), line=begin + len(part) - len(rest))
    yield builder.document(file.source, title=file.path.stem)


_Part = tuple[int, list[str]]


def _parts(lines: Sequence[str], first: int, *, with_remarks: bool = False) -> Iterator[_Part]:
    """Yield entries and where they begin: what is set in belongs to the line above, remarks to that below."""
    # what follows a blank line set in still belongs to the line above, and so does what closes a list
    set_in = [line[:1].isspace() or line[:1] in ("]", "}", ")") for line in lines]
    for at in range(len(lines) - 2, -1, -1):
        set_in[at] = set_in[at] if lines[at].strip() else set_in[at + 1]
    held: list[str] = []
    for number, (line, goes_on) in enumerate([*zip(lines, set_in, strict=True), ("", False)], start=first):
        is_told = with_remarks and bool(held) and held[-1][:1] == "#" and bool(line.strip())
        if held and (goes_on or is_told):
            held.append(line)
            continue
        if held:
            yield number - len(held), held
        held = [line] if line.strip() else []


def _yaml_parts(lines: Sequence[str], first: int) -> list[_Part]:
    """Return the entries, the short ones first, so that none stands below the heading of a long one."""
    return sorted(_parts(lines, first, with_remarks=True), key=lambda part: _is_long_part(part[1]))


def _add_yaml(builder: TextBuilder, lines: Sequence[str]) -> None:
    """Append the documents of a file; of several each has its first entry for a heading."""
    marks = [at for at, line in enumerate(lines) if line.rstrip() in ("---", "...")]
    spans = pairwise([-1, *marks, len(lines)])
    held = [_yaml_parts(lines[begin + 1 : stop], begin + 2) for begin, stop in spans]
    # remarks alone, such as a licence, are no document
    says = [any(line[:1] != "#" for _, part in parts for line in part) for parts in held]
    for parts, is_document in zip(held, says, strict=True):
        level = 1
        if is_document and sum(says) > 1:
            (begin, (*head,)), *parts = parts
            builder.add(BlockKind.HEADING, head.pop(at := _named_at(head)), level=1, line=begin + at)
            builder.add(BlockKind.LIST, "\n".join(head), line=begin)
            level = 2
        _add_parts(builder, parts, level)


def _add_parts(builder: TextBuilder, parts: Sequence[_Part], level: int) -> None:
    for begin, part in parts:
        if not _is_long_part(part) or level > _DEEPEST:
            builder.add(BlockKind.LIST, "\n".join(part), line=begin)
            continue
        at = _named_at(part)
        found = _NAMED_PART.fullmatch(part[at])
        name = found["name"] if found else part[at]
        builder.add(BlockKind.HEADING, name.removesuffix(":"), level=min(level, 6), line=begin + at)
        builder.add(BlockKind.LIST, "\n".join(part[:at]), line=begin)
        below = textwrap.dedent("\n".join(part[at + 1 :]))
        if _WRITTEN_OUT.search(part[at]):
            line = begin + at + 1
            for paragraph in re.split(r"(\n{2,})", below):
                builder.add(BlockKind.PARAGRAPH, paragraph, line=line)
                line += paragraph.count("\n")
        else:
            _add_parts(builder, _yaml_parts(below.split("\n"), begin + at + 1), level + 1)


def _named_at(part: Sequence[str]) -> int:
    return next((at for at, line in enumerate(part) if line[:1] != "#"), 0)


def _is_long_part(part: Sequence[str]) -> bool:
    at = _named_at(part)
    is_named = _NAMED_PART.fullmatch(part[at]) is not None and len(part) > at + 1
    return is_named and sum(map(len, part)) > _LONG_PART
