"""Plain text, and the headings that reStructuredText and AsciiDoc draw with punctuation."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from hybrid.config import DocumentSettings
from hybrid.documents.builder import TextBuilder, clean
from hybrid.documents.encoding import detect
from hybrid.documents.source import SourceFile
from hybrid.types import BlockKind, Document

_RULE = re.compile(r"([=\-~^\"'*#+.`:_])\1{2,}")
_ATX = re.compile(r"(={1,6})\s+(\S.*?)(?:\s+=+)?")
_ITEM = re.compile(r"\s*(?:[*\-+•‣◦]|\.{1,5}|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+\S")
_TABLE = re.compile(r"\s*(?:\||\+[-=+]{3,})")
_FENCE = re.compile(r"-{4,}|\.{4,}")
_TITLE_LENGTH = 160


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a text file."""
    builder = TextBuilder(settings.max_characters)
    add_text(builder, decode(file.path.read_bytes(), builder))
    yield builder.document(file.source)


def decode(data: bytes, builder: TextBuilder) -> str:
    """Return the bytes as text, and tell the builder of those that are damaged.

    Raises:
        Unreadable: the bytes are no text, or none in an encoding that can be told.
    """
    encoding = detect(data)
    text = data.decode(encoding, "replace")
    damaged = text.count("\ufffd") - (data.count(b"\xef\xbf\xbd") if encoding.startswith("utf-8") else 0)
    if damaged:
        builder.leave_out("damaged bytes", damaged)
    return clean(text)


def add_text(builder: TextBuilder, text: str) -> None:
    """Append the blocks of a plain text."""
    _Splitter(builder, text.split("\n")).run()


class _Splitter:
    """Walks over the lines once; ``stretch`` holds the lines since the last border."""

    def __init__(self, builder: TextBuilder, lines: list[str]) -> None:
        self._builder = builder
        self._lines = [line.rstrip() for line in lines]
        self._stretch: list[str] = []
        self._stretch_line = 0
        # reStructuredText gives a level to each underline in the order in which they turn up
        self._levels: dict[str, int] = {}
        self._closing = {line: index for index, line in enumerate(self._lines) if _FENCE.fullmatch(line)}

    def run(self) -> None:
        index = 0
        while index < len(self._lines):
            index = self._step(index)
        self._flush()

    def _step(self, index: int) -> int:
        """Take the line at the index; return the index of the next one."""
        line = self._lines[index]
        below = self._lines[index + 1] if index + 1 < len(self._lines) else ""
        at_border = not self._stretch or (len(self._stretch) == 1 and _RULE.fullmatch(self._stretch[0]))
        if at_border and _is_underlined(line, below):
            self._stretch.clear()
            level = self._levels.setdefault(below[0], len(self._levels) + 1)
            self._builder.add(BlockKind.HEADING, line.strip(), level=level, line=index + 1)
            return index + 2
        if not self._stretch and (match := _ATX.fullmatch(line)):
            self._builder.add(BlockKind.HEADING, match[2], level=len(match[1]), line=index + 1)
            return index + 1
        if below and self._opens_fence(line, index):
            return self._fence(index)
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

    def _flush(self) -> None:
        lines, self._stretch = self._stretch, []
        text = textwrap.dedent("\n".join(lines))
        if not any(character.isalnum() for character in text):
            return  # a rule, an overline or a delimiter
        kind = BlockKind.LIST if _ITEM.match(lines[0]) else BlockKind.PARAGRAPH
        if len(lines) > 1 and all(_TABLE.match(line) for line in lines):
            kind = BlockKind.TABLE
        self._builder.add(kind, text, line=self._stretch_line)


def _is_underlined(line: str, below: str) -> bool:
    return bool(
        0 < len(line) <= _TITLE_LENGTH
        and abs(len(below) - len(line)) <= 2
        and _RULE.fullmatch(below)
        and not _RULE.fullmatch(line)
        and any(character.isalnum() for character in line)
    )
