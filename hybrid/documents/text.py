"""Plain text, and the headings that reStructuredText and AsciiDoc draw with punctuation."""

from __future__ import annotations

import codecs
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from hybrid.config import DocumentSettings
from hybrid.documents.builder import TextBuilder, clean
from hybrid.documents.source import SourceFile, Unreadable
from hybrid.types import BlockKind, Document

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_RULE = re.compile(r"([=\-~^\"'*#+.`:_])\1{2,}")
_ATX = re.compile(r"(={1,6})\s+(\S.*?)(?:\s+=+)?")
_ITEM = re.compile(r"\s*(?:[*\-+•‣◦]|\.{1,5}|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+\S")
_TABLE = re.compile(r"\s*(?:\||\+[-=+]{3,})")
_FENCE = re.compile(r"-{4,}|\.{4,}")
_TITLE_LENGTH = 160


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a text file."""
    builder = TextBuilder(settings.max_characters)
    add_text(builder, decode(file.path.read_bytes()))
    yield builder.document(file.source)


def decode(data: bytes) -> str:
    """Return the bytes as text: by their byte order mark, as UTF-8, or else as Windows-1252.

    Raises:
        Unreadable: the bytes are no text.
    """
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return clean(data.decode(encoding, "replace"))
    refuse_binary(data)
    try:
        return clean(data.decode("utf-8"))
    except UnicodeDecodeError:
        return clean(data.decode("cp1252", "replace"))


def encoding_of(path: Path) -> str:
    """Return the encoding of a file too large to hold, read in pieces.

    Raises:
        Unreadable: the bytes are no text.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    encoding = "utf-8-sig"
    with path.open("rb") as stream:
        start = stream.read(4)
        for mark, marked in BOMS:
            if start.startswith(mark):
                return marked
        stream.seek(0)
        while piece := stream.read(1 << 20):
            refuse_binary(piece)
            if encoding == "utf-8-sig":
                try:
                    decoder.decode(piece)
                except UnicodeDecodeError:
                    encoding = "cp1252"
    return encoding


def refuse_binary(data: bytes) -> None:
    """Refuse bytes that no text holds."""
    if b"\0" in data:
        raise Unreadable("binary: it holds NUL bytes, though its suffix says text")


def add_text(builder: TextBuilder, text: str) -> None:
    """Append the blocks of a plain text."""
    _Splitter(builder, text.split("\n")).run()


class _Splitter:
    """Walks over the lines once; ``stretch`` holds the lines since the last border."""

    def __init__(self, builder: TextBuilder, lines: list[str]) -> None:
        self._builder = builder
        self._lines = [line.rstrip() for line in lines]
        self._stretch: list[str] = []
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
            self._builder.add(BlockKind.HEADING, line.strip(), level=level)
            return index + 2
        if not self._stretch and (match := _ATX.fullmatch(line)):
            self._builder.add(BlockKind.HEADING, match[2], level=len(match[1]))
            return index + 1
        if below and self._opens_fence(line, index):
            return self._fence(index)
        if line:
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
        self._builder.add(BlockKind.CODE, textwrap.dedent("\n".join(self._lines[index + 1 : end])))
        return end + 1

    def _flush(self) -> None:
        lines, self._stretch = self._stretch, []
        text = textwrap.dedent("\n".join(lines))
        if not any(character.isalnum() for character in text):
            return  # a rule, an overline or a delimiter
        if len(lines) > 1 and all(_TABLE.match(line) for line in lines):
            self._builder.add(BlockKind.TABLE, text)
        elif _ITEM.match(lines[0]):
            self._builder.add(BlockKind.LIST, text)
        else:
            self._builder.add(BlockKind.PARAGRAPH, text)


def _is_underlined(line: str, below: str) -> bool:
    return bool(
        0 < len(line) <= _TITLE_LENGTH
        and abs(len(below) - len(line)) <= 2
        and _RULE.fullmatch(below)
        and not _RULE.fullmatch(line)
        and any(character.isalnum() for character in line)
    )
