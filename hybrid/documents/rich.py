"""Rich Text Format: one walk over its control words, with headings, tables, notes and code pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from hybrid.config import DocumentSettings
from hybrid.documents.builder import RawBlock, TextBuilder, one_line
from hybrid.documents.markup import count_heads, tags
from hybrid.documents.office import RunText
from hybrid.documents.source import SourceFile, Unreadable
from hybrid.documents.word import named_level
from hybrid.types import BlockKind, Document

_TOKEN = re.compile(
    r"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})? ?|\\'(?P<byte>[0-9a-fA-F]{2})|\\(?P<sign>[^a-zA-Z])"
    r"|(?P<brace>[{}])|(?P<text>[^\\{}\r\n]+)"
)
_SIGNS = {
    **{"tab": "\t", "line": "\n", "emspace": " ", "enspace": " ", "nestcell": "\t", "nestrow": "\n"},
    **{"emdash": "—", "endash": "–", "bullet": "•"},
    **{"lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”"},
}
_ESCAPED = {"~": " ", "_": "-", "{": "{", "}": "}", "\\": "\\"}
# Groups whose text is none of the page; of those with a star only what is known is read.
_SILENT = tags(
    "colortbl filetbl revtbl atnid atnauthor sp shprslt nonshppict xe tc fldinst bkmkstart bkmkend"
)
_TOLD = {"pict": "image", "annotation": "comment", "objdata": "embedded object"}
_APART = tags("fonttbl stylesheet info title author footnote listtext pntext") | set(_TOLD)
_EDGES = tags("header headerl headerr headerf footer footerl footerr footerf")
_STARRED = tags("shpinst shppict")
_ENDS = tags("par sect page cell row shptxt")
_CHARSETS = {
    **{77: "mac_roman", 128: "cp932", 129: "cp949", 134: "gb18030", 136: "cp950", 222: "cp874"},
    **{161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256"},
    **{186: "cp1257", 204: "cp1251", 238: "cp1250"},
}


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a file in Rich Text Format."""
    data = file.path.read_bytes()
    if not data.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"{\\rtf"):
        raise Unreadable("damaged: it does not begin as Rich Text Format does")
    walk = _RichWalk(TextBuilder(settings.max_characters))
    walk.run(data.decode("latin-1"))
    yield walk.builder.document(
        file.source, title=walk.said["title"], metadata={"author": walk.said["author"]}
    )


@dataclass(frozen=True, slots=True)
class _RichState:
    """What holds within a group; ``into`` says where its text goes: the page, nowhere, or apart."""

    into: str = ""
    font: int = -1
    skipped: int = 1
    shift: int = 0
    struck: bool = False
    gone: str = ""
    level: int = 0
    in_table: bool = False


# What a control word makes of the state; 0 turns off what another number, or none, turns on.
_CHANGES: dict[str, Callable[[_RichState, int], _RichState]] = {
    "f": lambda state, value: replace(state, font=value),
    "uc": lambda state, value: replace(state, skipped=value),
    "strike": lambda state, value: replace(state, struck=value != 0),
    "striked": lambda state, value: replace(state, struck=value != 0),
    "deleted": lambda state, value: replace(state, gone="deleted text" if value else ""),
    "v": lambda state, value: replace(state, gone="hidden text" if value else ""),
    "super": lambda state, value: replace(state, shift=int(value > 0)),
    "up": lambda state, value: replace(state, shift=int(value > 0)),
    "sub": lambda state, value: replace(state, shift=-int(value > 0)),
    "dn": lambda state, value: replace(state, shift=-int(value > 0)),
    "nosupersub": lambda state, _: replace(state, shift=0),
    "plain": lambda state, _: replace(state, shift=0, struck=False, gone=""),
}


class _RichWalk:
    """Takes the tokens one after the other; text waits in a line until its paragraph ends."""

    def __init__(self, builder: TextBuilder) -> None:
        self.builder = builder
        self.said = {"title": "", "author": ""}
        self._state, self._above = _RichState(), list[_RichState]()
        self._starred = False
        self._line = RunText()
        self._apart: dict[str, list[str]] = {}
        self._bytes, self._skip = bytearray(), 0
        self._codec, self._fonts, self._font = "cp1252", dict[int, str](), 0
        self._styles, self._style = dict[int, int](), 0
        self._bullet = ""
        self._cells, self._rows = list[str | None](), list[list[str | None]]()
        self._blocks, self._notes, self._edges = list[RawBlock](), list[str](), dict[str, None]()
        self._count = 0

    def run(self, text: str) -> None:
        """Walk over the whole file, and append what it holds."""
        at = 0
        while found := _TOKEN.search(text, at):
            at = found.end()
            if found["word"] == "bin":
                at += max(0, int(found["number"] or 0))
            self._take(found)
        if self._above or at > len(text):
            self.builder.leave_out("damaged stretch", max(0, len(text) - at), lost=True)
        while self._above:  # what the groups held that have no end
            self._brace("}")
        self._end("par")
        self._end_table()
        self.builder.add_all(self._blocks)
        for edge in self._edges:
            self.builder.add(BlockKind.PARAGRAPH, edge)

    def _take(self, found: re.Match[str]) -> None:
        if found["byte"]:
            self._say_bytes(bytes.fromhex(found["byte"]))
        elif found["text"]:
            self._say_bytes(found["text"].encode("latin-1"))
        elif found["brace"]:
            self._brace(found["brace"])
        elif found["sign"]:
            self._starred = found["sign"] == "*"
            self._say(_ESCAPED.get(found["sign"], ""))
            if found["sign"] in "\r\n":
                self._end("par")
        else:
            self._control(found["word"], found["number"])

    def _brace(self, brace: str) -> None:
        self._settle()
        self._skip = 0
        if brace == "{":
            self._above.append(self._state)
        elif self._above:
            if len(self._above) == 1:
                self._end("par")  # as it is set: the group above knows nothing of it
            ended, self._state = self._state, self._above.pop()
            if ended.into != self._state.into or ended.into == "stylesheet":
                self._end_apart(ended.into, ended.level)

    def _control(self, word: str, number: str | None) -> None:
        value = int(number) if number else 1
        if self._starred:
            self._starred = False
            if word not in _STARRED | _APART | _EDGES:
                word = "fldinst"
        if word == "u":
            self._settle()
            self._say(chr(value % 0x10000))
            self._skip = self._state.skipped
        elif word in _ENDS:
            self._say(" ") if self._state.into else self._end(word)
        elif word in _SIGNS:
            self._say(_SIGNS[word])
        elif word in _SILENT or word in _APART or word in _EDGES:
            self._begin_apart(word)
        else:
            self._set(word, value)

    def _begin_apart(self, word: str) -> None:
        self._settle()
        inner = self._state.into
        # what stands within something silent is silent, and titles are those of the file only
        if inner not in ("", "footnote") and inner != "info" and inner not in _EDGES:
            return
        self._state = replace(self._state, into="silent" if word in _SILENT else word)
        self._apart[self._state.into] = []

    def _set(self, word: str, value: int) -> None:
        """Take a control word that changes how what follows is read."""
        self._settle()
        if self._state.into == "fonttbl" and word in ("f", "fcharset"):
            self._font = value if word == "f" else self._font
            self._fonts[self._font] = _CHARSETS.get(value, "") if word == "fcharset" else ""
        elif word in _CHANGES:
            self._state = _CHANGES[word](self._state, value)
        match word:
            case "ansicpg":
                self._codec = f"cp{value}"
            case "chftn":
                self._count += self._state.into == ""
                self._say(f"[{self._count}]")
            case _ if self._state.into not in ("", "stylesheet"):
                pass  # a label or a note has paragraphs of its own
            case "pard":
                self._state = replace(self._state, level=0, in_table=False)
            case "intbl":
                self._state = replace(self._state, in_table=True)
            case "s":
                self._style = value
                self._state = replace(self._state, level=self._styles.get(value, 0))
            case "outlinelevel":
                self._state = replace(self._state, level=value + 1 if value < 9 else 0)

    def _say_bytes(self, data: bytes) -> None:
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        self._bytes += data[skipped:]

    def _settle(self) -> None:
        """Say the bytes that were collected, in the code page of their font."""
        if self._bytes:
            data, self._bytes = bytes(self._bytes), bytearray()
            codec = self._fonts.get(self._state.font) or self._codec
            try:
                text = data.decode(codec, "replace")
            except LookupError:
                text = data.decode("cp1252", "replace")
            self._put(text)

    def _say(self, text: str) -> None:
        self._settle()
        self._put(text)

    def _put(self, text: str) -> None:
        state = self._state
        if state.into:
            self._apart.setdefault(state.into, []).append(text)
        elif state.gone:
            self.builder.leave_out(state.gone, len(text))
        else:
            self._line.add(text, shift=state.shift, struck=state.struck)

    def _end_apart(self, into: str, level: int) -> None:
        """Take what a group held that is no part of the line."""
        text = "".join(self._apart.pop(into, []))
        said = one_line(_paired(text))
        if into == "stylesheet":
            self._styles[self._style] = named_level(said.rstrip(";")) or level
            self._style = -1
        elif into in self.said:
            self.said[into] = said
        elif into == "footnote" and said:
            self._notes.append(said)
        elif into in ("listtext", "pntext"):
            self._bullet = said
        elif into in _EDGES and said:
            self._edges[said] = None
        elif into in _TOLD:
            kind = _TOLD[into]
            self.builder.leave_out(kind, len(said) if kind == "comment" else 0, lost=into == "objdata")

    def _end(self, word: str) -> None:
        """End a paragraph, a cell or a row."""
        self._settle()
        if word == "row":
            self._rows.append(self._cells)
            self._cells = []
            return
        if word in ("par", "shptxt") and self._state.in_table:
            self._line.add("\n")
            return
        text = _paired(self._line.take())
        bullet, self._bullet = self._bullet, ""
        if word == "cell":
            self._cells.append(" ".join((f"{bullet} " if bullet else "", text)).strip())
            return
        if not self._cells:
            self._end_table()
        if text.strip():
            self._blocks.append(self._block(text, bullet))
        self._blocks += [RawBlock(BlockKind.PARAGRAPH, note) for note in self._notes]
        self._notes = []

    def _block(self, text: str, bullet: str) -> RawBlock:
        if self._state.level:
            return RawBlock(BlockKind.HEADING, one_line(f"{bullet} {text}"), self._state.level)
        if bullet:
            sign = bullet if any(map(str.isalnum, bullet)) else "-"
            return RawBlock(BlockKind.LIST, f"{sign} {text.strip()}", role="item")
        return RawBlock(BlockKind.PARAGRAPH, text)

    def _end_table(self) -> None:
        rows, self._rows = self._rows, []
        if self._cells:
            rows, self._cells = [*rows, self._cells], []
        if rows:
            heads = count_heads(rows)
            self._blocks.append(RawBlock(BlockKind.TABLE, "", rows=rows, heads=heads))


def _paired(text: str) -> str:
    """Return a text whose halves of characters beyond 16 bits were written one by one."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
