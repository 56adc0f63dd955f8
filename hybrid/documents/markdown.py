"""Markdown and MDX: the text that a reader of the rendered page sees, with its structure."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Callable, Iterator
from itertools import takewhile

from hybrid.config import DocumentSettings
from hybrid.documents.builder import TextBuilder
from hybrid.documents.principals import is_rule, rule_of
from hybrid.documents.source import SourceFile, Unreadable
from hybrid.documents.text import decode
from hybrid.types import BlockKind, Document

# Tags are named, since `<path>` in a manual is a placeholder and not a tag.
_HTML_NAMES = (
    "a|abbr|article|aside|audio|b|big|blockquote|br|button|caption|center|cite|code|col|colgroup|dd|del"
    "|details|dfn|div|dl|dt|em|figcaption|figure|font|footer|form|h[1-6]|header|hr|i|iframe|img|input|ins"
    "|kbd|label|li|main|mark|nav|ol|p|picture|pre|q|s|samp|script|section|small|source|span"
    "|strike|strong|style|sub|summary|sup|svg|table|tbody|td|tfoot|th|thead|tr|tt|u|ul|var|video"
)
_ATTRIBUTES = r"""(?:[^<>{}"']|"[^"]*"|'[^']*'|\{(?:[^{}]|\{[^{}]*\})*\})*"""
_HTML_TAG = re.compile(rf"</?(?:{_HTML_NAMES})(?![\w.\-:@]){_ATTRIBUTES}>", re.IGNORECASE)
_COMPONENT_TAG = re.compile(rf"</?(?:[A-Z][\w.]*(?![\w.\-:@]){_ATTRIBUTES})?>")
_SPOKEN_ATTRIBUTE = re.compile(r"""\b(?:alt|label)=(?:"([^"]*)"|'([^']*)')""")
# A stretch without a blank line that is longer than this is data; marks in it are left alone, since
# looking for their ends takes time that grows with the square of the length.
_MAX_LENGTH = 50_000
_SPECIAL = re.compile(r"[*_\[<>\\&`]")
_CODE = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)

_HIDDEN = re.compile(r"\0(\d+)\0")
_IMAGE = re.compile(
    r"!\[([^\[\]]*)\](?:\([^()\s]*(?:\([^()]*\)[^()\s]*)*(?:\s+[\"'][^\"']*[\"'])?\)|\[[^\[\]]*\])"
)
_LINK = re.compile(
    r"(?<!!)\[([^\[\]]+)\](?:\([^()\s]*(?:\([^()]*\)[^()\s]*)*(?:\s+[\"'][^\"']*[\"'])?\)|\[[^\[\]]*\])"
)
_AUTOLINK = re.compile(r"<((?:https?|ftp|mailto):[^<>\s]+)>")
_STRONG = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_EMPHASIS = re.compile(r"(?<![\w*\\])\*(?=[^\s*])([^*\n]+?)(?<=[^\s*\\])\*(?![\w*])")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_CLEAN_UP = ((_IMAGE, r"\1"), (_LINK, r"\1"), (_AUTOLINK, r"\1"), (_STRONG, r"\2"), (_EMPHASIS, r"\1"))


def strip_tags(text: str, *, components: bool) -> str:
    """Return the text without HTML tags, and without components (``<Tabs>``) where that is asked.

    What a tag would show (``alt``, ``label``) stays.
    """

    def change(part: str) -> str:
        part = _HTML_TAG.sub(_spoken, part)
        return _COMPONENT_TAG.sub(_spoken, part) if components else part

    return _outside_code(text, change)


def plain_inline(text: str) -> str:
    """Return Markdown without its marks: links as their text, images as their description."""

    def change(part: str) -> str:
        for pattern, replacement in _CLEAN_UP:
            part = pattern.sub(replacement, part)
        return html.unescape(_ESCAPE.sub(r"\1", part))

    return _outside_code(text, change)


def _spoken(tag: re.Match[str]) -> str:
    return " ".join(double or single for double, single in _SPOKEN_ATTRIBUTE.findall(tag[0]))


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """Change a text around its code spans, which may stand inside of a link."""
    if len(text) > _MAX_LENGTH or not _SPECIAL.search(text):
        return text
    spans: list[str] = []

    def hide(match: re.Match[str]) -> str:
        spans.append(match[0])
        return f"\0{len(spans) - 1}\0"

    text = change(_CODE.sub(hide, text.replace("\0", "")))
    return _HIDDEN.sub(lambda match: spans[int(match[1])], text)


_FENCE = re.compile(r"(?P<indent>[ \t]*)(?P<marks>`{3,}|~{3,})(?P<info>[^`]*)")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*")
_RULE = re.compile(r" {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})")
_ITEM = re.compile(r"[ \t]*(?:[*+\-]|\d{1,9}[.)])(?:[ \t]+|$)")
_TABLE_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_CELL_BORDER = re.compile(r"(?<!\\)\|")
_QUOTE = re.compile(r"^(?: {0,3}>[ \t]?)+")
_ADMONITION = re.compile(r"[ \t]*:{3,}[ \t]*(?:\w+)?(?:\[(?P<title>[^\]]*)\])?[ \t]*(?P<rest>.*)")
_DEFINITION = re.compile(r" {0,3}\[[^\]]+\]:[ \t]*\S.*")
_MODULE = re.compile(r"(?:import|export)[ \t]")
_FIELD = re.compile(r"(?P<name>[A-Za-z_][\w\- ]*):(?:[ \t]+(?P<value>.*))?")
_COMMENT = re.compile(r"<!--.*?-->|\{/\*.*?\*/\}", re.DOTALL)
_OPEN = re.compile(r"<!--|\{/\*")
_CLOSE = re.compile(r"-->|\*/\}")
_METADATA_LENGTH = 500


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a Markdown file."""
    lines = decode(file.path.read_bytes()).split("\n")
    fields, rule, rest = front_matter(lines)
    builder = TextBuilder(settings.max_characters)
    _Parser(builder, is_mdx=file.path.suffix.lower() == ".mdx").run(rest)
    title = fields.pop("title", "")
    yield builder.document(file.source, title=title, metadata=fields, principals=rule)


def front_matter(lines: list[str]) -> tuple[dict[str, str], tuple[str, ...] | None, list[str]]:
    """Return the ``key: value`` lines between two ``---`` at the top, who may read it, and the rest."""
    if not lines or lines[0].rstrip() != "---":
        return {}, None, lines
    end = next((index for index, line in enumerate(lines) if index and line.rstrip() in ("---", "...")), 0)
    if not end and any(_rules(list(takewhile(str.strip, lines[1:])))):
        raise Unreadable("its front matter says who may read it and has no end; write --- below it")
    rule = rule_of(_rules(lines[1:end]))
    fields: dict[str, str] = {}
    for line in lines[1:end]:
        if (match := _FIELD.fullmatch(line.rstrip())) and (value := _unquoted(match["value"] or "")):
            fields[match["name"].strip()] = value[:_METADATA_LENGTH]
    fields = {name: value for name, value in fields.items() if not is_rule(name)}
    # a rule at the top of a page without front matter looks the same, but no fields follow it
    return (fields, rule, lines[end + 1 :]) if fields or rule is not None else ({}, None, lines)


def _rules(lines: list[str]) -> Iterator[tuple[str, object]]:
    """Yield the fields that say who may read the page, on one line or as a list below it."""
    for place, line in enumerate(lines):
        name, colon, value = line.partition(":")
        if colon and is_rule(name):
            below = takewhile(lambda item: item.lstrip().startswith("-"), lines[place + 1 :])
            yield name, value.strip() or [_unquoted(item.strip()[1:]) for item in below]


def _unquoted(value: str) -> str:
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return "" if value in ("|", ">", "|-", ">-") else value


class _Parser:
    """Cuts lines into blocks; ``stretch`` holds the lines since the last border, outside of fences."""

    def __init__(self, builder: TextBuilder, *, is_mdx: bool) -> None:
        self._builder = builder
        self._is_mdx = is_mdx
        self._stretch: list[str] = []
        self._open_comments = 0

    def run(self, lines: list[str]) -> None:
        index = 0
        while index < len(lines):
            line = lines[index]
            if (match := _FENCE.fullmatch(line)) and not (match["marks"][0] == "`" and "`" in match["info"]):
                self._flush()
                index = self._fence(lines, index, match)
                continue
            if not line.strip() and not self._goes_on(lines, index):
                self._flush()
            else:
                self._stretch.append(line)
                self._open_comments += len(_OPEN.findall(line)) - len(_CLOSE.findall(line))
            index += 1
        self._flush()

    def _goes_on(self, lines: list[str], index: int) -> bool:
        """Return whether a blank line is inside of something that it does not end."""
        if self._open_comments > 0:
            return True
        following = lines[index + 1] if index + 1 < len(lines) else ""
        in_list = bool(self._stretch) and _ITEM.match(self._stretch[0]) is not None
        return in_list and bool(_ITEM.match(following)) and _RULE.fullmatch(following) is None

    def _fence(self, lines: list[str], index: int, opening: re.Match[str]) -> int:
        """Take a fence whole; return the index behind it. One that is never closed runs to the end."""
        marks = opening["marks"]
        closing = re.compile(rf"[ \t]*{re.escape(marks[0])}{{{len(marks)},}}[ \t]*")
        end = index + 1
        while end < len(lines) and not closing.fullmatch(lines[end]):
            end += 1
        self._builder.add(BlockKind.CODE, textwrap.dedent("\n".join(lines[index + 1 : end])))
        return end + 1

    def _flush(self) -> None:
        if not self._stretch:
            return
        stretch, self._stretch, self._open_comments = self._stretch, [], 0
        if self._is_mdx and _MODULE.match(stretch[0]):
            return
        text = "\n".join(stretch)
        if _CLOSE.search(text):  # looking for an end that never comes is slow
            text = _COMMENT.sub("", text)
        if all(line.startswith(("    ", "\t")) or not line.strip() for line in stretch):
            self._add_indented(text)
            return
        lines = [_QUOTE.sub("", line) for line in strip_tags(text, components=self._is_mdx).split("\n")]
        self._add_lines([line for line in map(_without_admonition, lines) if line.strip()])

    def _add_indented(self, text: str) -> None:
        # four blanks are code, but below a list item they are its next paragraph: a word tells them apart
        text = textwrap.dedent(text)
        is_code = not self._is_mdx and not _ITEM.match(text)
        self._builder.add(
            BlockKind.CODE if is_code else BlockKind.PARAGRAPH, text if is_code else plain_inline(text)
        )

    def _add_lines(self, lines: list[str]) -> None:
        """Append the blocks of a stretch without blank lines."""
        while lines:
            taken = self._heading(lines) or self._table(lines) or self._list(lines) or self._paragraph(lines)
            lines = lines[taken:]

    def _heading(self, lines: list[str]) -> int:
        if match := _ATX.fullmatch(lines[0]):
            self._builder.add(BlockKind.HEADING, plain_inline(match[2] or ""), level=len(match[1]))
            return 1
        if len(lines) > 1 and not _ITEM.match(lines[0]) and (match := _SETEXT.fullmatch(lines[1])):
            self._builder.add(BlockKind.HEADING, plain_inline(lines[0]), level=1 if match[1][0] == "=" else 2)
            return 2
        return int(_RULE.fullmatch(lines[0]) is not None or _DEFINITION.fullmatch(lines[0]) is not None)

    def _table(self, lines: list[str]) -> int:
        if not self._starts_table(lines):
            return 0
        end = next((i for i, line in enumerate(lines) if i > 1 and "|" not in line), len(lines))
        rows = [lines[0], *lines[2:end]]
        self._builder.add(BlockKind.TABLE, "\n".join(filter(None, map(_table_row, rows))))
        return end

    def _list(self, lines: list[str]) -> int:
        if not _ITEM.match(lines[0]):
            return 0
        end = next((i for i, line in enumerate(lines) if i and _ATX.fullmatch(line)), len(lines))
        self._builder.add(BlockKind.LIST, "\n".join(plain_inline(line) for line in lines[:end]))
        return end

    def _paragraph(self, lines: list[str]) -> int:
        end = 1
        while end < len(lines) and not (self._is_border(lines[end]) or self._starts_table(lines[end:])):
            end += 1
        if end < len(lines) and _SETEXT.fullmatch(lines[end]) and end > 1:
            end -= 1  # the last line is the heading that is underlined
        self._builder.add(BlockKind.PARAGRAPH, plain_inline("\n".join(line.strip() for line in lines[:end])))
        return end

    def _is_border(self, line: str) -> bool:
        return any(pattern.fullmatch(line) for pattern in (_ATX, _SETEXT, _RULE)) or bool(_ITEM.match(line))

    def _starts_table(self, lines: list[str]) -> bool:
        return len(lines) > 1 and "|" in lines[0] and bool(_TABLE_RULE.fullmatch(lines[1]))


def _table_row(line: str) -> str:
    cells = _CELL_BORDER.split(line.strip().strip("|"))
    texts = [plain_inline(cell.replace(r"\|", "|")).strip() for cell in cells]
    return " | ".join(texts) if any(texts) else ""


def _without_admonition(line: str) -> str:
    if match := _ADMONITION.fullmatch(line):
        return match["title"] or match["rest"] or ""
    return line
