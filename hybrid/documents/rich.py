"""Rich Text Format: one walk over its control words, with headings, tables, notes and code pages."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise, takewhile
from typing import NamedTuple

from hybrid.config import DocumentSettings
from hybrid.documents.builder import RawBlock, TextBuilder, one_line
from hybrid.documents.markup import tags
from hybrid.documents.office import RunText, symbols
from hybrid.documents.source import SourceFile, Unreadable
from hybrid.documents.styles import (
    BOXES,
    CAPTION_STYLE,
    CONTENTS_STYLE,
    PAGE,
    PAGE_FIELDS,
    block_of,
    named,
    named_level,
    running_text,
    table_blocks,
)
from hybrid.text.words import listed
from hybrid.types import BlockKind, Document

_TOKEN = re.compile(
    r"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})? ?|\\'(?P<byte>[0-9a-fA-F]{2})|\\(?P<sign>[^a-zA-Z])"
    r"|(?P<brace>[{}])|(?P<text>[^\\{}\r\n]+)"
)
_SIGNS = {
    **{"tab": "\t", "line": "\n", "emspace": " ", "enspace": " "},
    **{"emdash": "—", "endash": "–", "bullet": "•"},
    **{"lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”"},
}
_ESCAPED = {"~": " ", "_": "-", "{": "{", "}": "}", "\\": "\\"}
# Groups whose text is none of the page; of those with a star only what is known is read.
_SILENT = tags(
    "silent colortbl filetbl revtbl atnid atnauthor sp shprslt nonshppict xe tc bkmkstart bkmkend upr"
)
_TOLD = {
    **{"pict": "image", "NeXTGraphic": "image", "annotation": "comment"},
    **{"objdata": "embedded object", "moMath": "formula"},
}
_LOST = ("objdata", "moMath")
# What hangs on a paragraph, and follows it.
_HANGING = tags("footnote shptxt dptxbxtext")
_APART = tags("fonttbl stylesheet info title author listtext pntext fldinst ffl") | _HANGING | set(_TOLD)
_EDGES = tags("header headerl headerr headerf footer footerl footerr footerf")
_STARRED = tags("shpinst shppict do nesttableprops ud")
_ENDS = tags("par sect page column cell row nestcell nestrow")
_ENCODINGS = listed("documents", "encodings.toml")
_FAMILIES: dict[str, str] = _ENCODINGS["families"]
_SYMBOLS = 2  # a font of signs
# An item as programs write it that know no lists: its sign and a tab.
_TYPED_ITEM = re.compile(r"([•·◦▪–-]|\(?\w{1,3}[.)])\t\s*")
# In twentieths of a point: sides of cells that are no further apart are one.
_ONE_SIDE, _NOWHERE = 40, -(10**10)
_MAX_DEPTH, _MAX_CELLS = 8, 1_000_000
_UNSAID = 25  # in a box of a form: what it holds without being touched


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
    """What holds within a group; ``into`` says where its text goes, into ``said`` unless to the page."""

    into: str = ""
    said: list[str] = field(default_factory=list)
    font: int = -1
    skipped: int = 1
    shift: int = 0
    struck: bool = False
    gone: str = ""
    style: int = 0
    level: int = 0
    depth: int = 0
    hangs: bool = False
    in_table: bool = False
    nested: bool = False


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
    "nesttableprops": lambda state, _: replace(state, nested=True),
}
# The same of words that are for paragraphs of the page alone: a label or a note has its own.
_OF_PARAGRAPHS: dict[str, Callable[[_RichState, int], _RichState]] = {
    "pard": lambda state, _: replace(
        state, style=0, level=0, depth=0, hangs=False, in_table=False, nested=False
    ),
    "intbl": lambda state, _: replace(state, in_table=True),
    "itap": lambda state, value: replace(state, nested=value > 1),
    "ilvl": lambda state, value: replace(state, depth=min(max(value, 0), _MAX_DEPTH)),
    "fi": lambda state, value: replace(state, hangs=value < 0),
    "outlinelevel": lambda state, value: replace(state, level=value + 1 if value < 9 else 0),
}


class _RichCell(NamedTuple):
    """A cell of a row: its text, where it ends, and if it goes on with the one above or to its left."""

    text: str
    end: int
    joined: str


class _RichRow(NamedTuple):
    """A row of a table, where it begins, and whether it is a head."""

    cells: list[_RichCell]
    left: int
    is_head: bool


@dataclass(slots=True)
class _RichTable:
    """A table under construction; ``sides`` are where the cells of the row at hand end."""

    rows: list[_RichRow] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    sides: list[tuple[int, str]] = field(default_factory=list)
    left: int = 0
    is_head: bool = False
    joined: str = ""

    def define(self, word: str, value: int) -> None:
        """Take a word that says how the row at hand is made."""
        match word:
            case "trowd":
                self.sides, self.left, self.is_head, self.joined = [], 0, False, ""
            case "trleft":
                self.left = value
            case "trhdr":
                self.is_head = value != 0
            case "clvmrg" | "clmrg":
                self.joined = word
            case "cellx":
                self.sides.append((value, self.joined))
                self.joined = ""

    def end_row(self) -> None:
        """Put the texts into cells: where too few sides are told they stand one after the other."""
        texts, self.texts = self.texts, []
        sides = self.sides if len(self.sides) == len(texts) else [(_NOWHERE, "")] * len(texts)
        if texts:
            cells = [_RichCell(text, *side) for text, side in zip(texts, sides, strict=True)]
            self.rows.append(_RichRow(cells, self.left, self.is_head))

    def take(self) -> list[RawBlock]:
        """Return the table as blocks, and begin anew; one of a single column is there for the layout."""
        self.end_row()
        rows, self.rows = self.rows, []
        if max((len(row.cells) for row in rows), default=0) < 2:
            texts = (cell.text for row in rows for cell in row.cells)
            return [RawBlock(BlockKind.PARAGRAPH, text) for text in filter(None, texts)]
        ends = sorted({cell.end for row in rows for cell in row.cells})
        sides = pairwise((ends[0] - 2 * _ONE_SIDE, *ends))
        columns = [end for before, end in sides if end - before > _ONE_SIDE]
        is_told = ends[0] != _NOWHERE and len(columns) > 1 and len(columns) * len(rows) < _MAX_CELLS
        grid: list[tuple[str | None, ...]] = [tuple(cell.text for cell in row.cells) for row in rows]
        heads = sum(1 for _ in takewhile(lambda row: row.is_head, rows))
        return list(table_blocks(list(_spanned(rows, columns)) if is_told else grid, heads))


def _spanned(rows: list[_RichRow], columns: list[int]) -> Iterator[tuple[str | None, ...]]:
    """Yield the rows with a cell for each column; what goes on from above is repeated."""
    above: list[str | None] = []
    for row in rows:
        line: list[str | None] = [""] * bisect(columns, row.left + _ONE_SIDE)
        for cell in row.cells:
            at = len(line)
            wide = max(bisect(columns, cell.end + _ONE_SIDE) - at, 1)
            goes_on = cell.joined == "clvmrg" and at < len(above) and not cell.text
            text = above[at] if goes_on else cell.text
            line += [None if cell.joined == "clmrg" and at and not text else text, *[None] * (wide - 1)]
        yield tuple(line)
        above = line


class _RichWalk:
    """Takes the tokens one after the other; text waits in a line until its paragraph ends."""

    def __init__(self, builder: TextBuilder) -> None:
        self.builder = builder
        self.said = {"title": "", "author": ""}
        self._state, self._above = _RichState(), list[_RichState]()
        self._starred = False
        self._line = RunText()
        self._bytes, self._skip = bytearray(), 0
        self._codec, self._font = "cp1252", 0
        # of fonts, what their bytes stand for, and what those of signs are called; of styles, name and level
        self._codecs, self._signs = dict[int, str](), dict[int, str]()
        self._styles, self._style = dict[int, tuple[str, int]](), 0
        self._bullet = ""
        self._instruction, self._form, self._entries = "", dict[str, int](), list[str]()
        self._table, self._inner = _RichTable(), _RichTable()
        self._in_cell, self._after = list[str](), list[RawBlock]()
        self._blocks, self._edges = list[RawBlock](), dict[str, None]()
        self._hanging = list[list[str]]()
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
        self.builder.add_all(named(self._blocks, self.builder))
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
                self._control("par", None)
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
            # what `ud` says goes on with the group around `upr`, whose end is yet to come
            is_lent = bool(self._above) and ended.said is self._above[-1].said
            if (ended.said is not self._state.said and not is_lent) or ended.into == "stylesheet":
                self._end_apart(ended)

    def _control(self, word: str, number: str | None) -> None:
        value = int(number) if number else 1
        if self._starred:
            self._starred = False
            word = word if word in _STARRED | _APART | _EDGES else "silent"
        if word == "u":
            self._settle()
            self._say(chr(value % 0x10000))
            self._skip = self._state.skipped
        elif word in _ENDS:
            self._say("\n") if self._state.into else self._end(word)
        elif word in _SIGNS:
            self._say(_SIGNS[word])
        elif word in ("chpgn", "fldrslt"):
            self._say_page(is_field=word == "fldrslt")
        elif word in _SILENT or word in _APART or word in _EDGES:
            self._begin_apart(word)
        else:
            self._set(word, value)

    def _begin_apart(self, word: str) -> None:
        self._settle()
        inner = self._state.into
        is_edge = inner in _EDGES
        # what stands within something silent is silent, titles are of the file only, a box of a head is of it
        holds = inner in ("", "info") or inner in _HANGING or (is_edge and word not in _HANGING)
        holds = holds or (word == "upr" and inner != "silent")
        if not holds and (inner, word) not in (("fldinst", "ffl"), ("fonttbl", "silent")):
            return
        said = list[str]()
        if word in _HANGING:
            self._hanging.append(said)
        self._state = replace(self._state, into="silent" if word in _SILENT else word, said=said)

    def _say_page(self, *, is_field: bool) -> None:
        """Mark the number of a page in what stands at its edge; it is counted and not written."""
        if self._state.into in _EDGES and (not is_field or self._instruction in PAGE_FIELDS):
            self._say(PAGE)
            self._state = replace(self._state, into="silent", said=[]) if is_field else self._state
        self._instruction = ""

    def _set(self, word: str, value: int) -> None:
        """Take a control word that changes how what follows is read."""
        self._settle()
        into = self._state.into
        if into == "fonttbl" and word in ("f", "fcharset", "cpg"):
            self._font = value if word == "f" else self._font
            known = _ENCODINGS["charsets"].get(str(value), "") if word == "fcharset" else ""
            self._codecs[self._font] = _code_page(value) if word == "cpg" else known
            if (word, value) == ("fcharset", _SYMBOLS):
                self._signs[self._font] = ""
        elif into == "fldinst":
            self._form[word] = value
        elif word in _CHANGES:
            self._state = _CHANGES[word](self._state, value)
        elif word in _FAMILIES or word == "ansicpg":
            self._codec = _FAMILIES.get(word) or _code_page(value)
        elif word == "ud" and len(self._above) > 1:  # the letters of which all else in `upr` are a fallback
            self._state = replace(self._state, into=self._above[-2].into, said=self._above[-2].said)
        elif word == "chftn":
            self._count += into == ""
            self._say(f"[{self._count}]")
        elif into in ("", "stylesheet"):
            self._set_paragraph(word, value)

    def _set_paragraph(self, word: str, value: int) -> None:
        if word in _OF_PARAGRAPHS:
            self._state = _OF_PARAGRAPHS[word](self._state, value)
        elif word == "s":
            self._style = value
            self._state = replace(self._state, style=value, level=self._styles.get(value, ("", 0))[1])
        else:
            (self._inner if self._state.nested else self._table).define(word, value)

    def _say_bytes(self, data: bytes) -> None:
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        self._bytes += data[skipped:]

    def _settle(self) -> None:
        """Say the bytes that were collected, in the code page of their font."""
        if self._bytes:
            data, self._bytes = bytes(self._bytes), bytearray()
            codec = self._codecs.get(self._state.font) or self._codec
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
        if state.into == "fonttbl" and self._font in self._signs:
            self._signs[self._font] += text
        text = symbols(text, self._signs.get(state.font, "").strip())
        if state.into:
            state.said.append(text)
        elif state.gone:
            self.builder.leave_out(state.gone, len(text))
        else:
            self._line.add(text, shift=state.shift, struck=state.struck)

    def _end_apart(self, ended: _RichState) -> None:
        """Take what a group held that is no part of the line."""
        into, text = ended.into, _paired("".join(ended.said))
        said = one_line(text)
        if into == "stylesheet":
            name = said.rstrip(";")
            self._styles[self._style] = name, named_level(name) or ended.level
            self._style = -1
            ended.said.clear()
        elif into in self.said:
            self.said[into] = said
        elif into in ("listtext", "pntext"):
            self._bullet = said
        elif into == "ffl":
            self._entries.append(said)
        elif into == "fldinst":
            self._end_instruction(said)
        elif into in _EDGES and (shown := running_text(text)):
            self._edges[shown] = None
        elif into in _TOLD:
            kind = _TOLD[into]
            self.builder.leave_out(kind, len(said) if kind == "comment" else 0, lost=into in _LOST)

    def _end_instruction(self, said: str) -> None:
        """Remember what a field is, and say what is ticked or chosen in one of a form."""
        self._instruction = said.upper().partition(" ")[0]
        form, self._form, entries, self._entries = self._form, {}, self._entries, []
        chosen = form.get("ffres", _UNSAID)
        chosen = form.get("ffdefres", 0) if chosen == _UNSAID else chosen
        if self._instruction == "FORMCHECKBOX":
            self._say("☒" if chosen else "☐")
        elif self._instruction == "FORMDROPDOWN" and 0 <= chosen < len(entries):
            self._say(entries[chosen])

    def _end(self, word: str) -> None:
        """End a paragraph, a cell or a row."""
        self._settle()
        if word in ("row", "nestrow"):
            (self._inner if word == "nestrow" else self._table).end_row()
            self._after += self._hung() if word == "row" else []
            return
        bullet, self._bullet = self._bullet, ""
        text = _paired(self._line.take())
        if word == "par" and self._state.in_table and self._state.nested:
            self._line.add(f"{bullet} {text}\n".lstrip(" "))
        elif word == "nestcell":
            self._inner.texts.append(one_line(f"{bullet} {text}"))
        elif word == "cell" or (word == "par" and self._state.in_table):
            self._in_cell.append(f"{bullet} {text}".strip())
            if word == "cell":
                self._table.texts.append("\n".join(self._in_cell))
                self._in_cell = []
                self._after += self._inner.take()
        else:
            self._end_paragraph(text, bullet)

    def _end_paragraph(self, text: str, bullet: str) -> None:
        if not self._table.texts:
            self._end_table()
        state = self._state
        style, level = self._styles.get(state.style, ("", 0))[0], state.level
        if not bullet and state.hangs and (typed := _TYPED_ITEM.match(text)):
            bullet, text = typed[1], text[typed.end() :]
        # an "o" of a font for programs is the bullet of the second level
        is_said = bullet in BOXES or (bullet != "o" and any(map(str.isalnum, bullet)))
        label = bullet and (bullet if is_said else "-")
        role = "contents" if CONTENTS_STYLE.match(style) else "caption" * bool(CAPTION_STYLE.match(style))
        if text.strip():
            text = text.strip() if label else text
            self._blocks.append(block_of(text, level=level, label=label, depth=state.depth, role=role))
        self._blocks += self._hung()

    def _end_table(self) -> None:
        if self._in_cell:
            self._table.texts.append("\n".join(self._in_cell))
            self._in_cell = []
        self._blocks += (*self._table.take(), *self._inner.take(), *self._after)
        self._after = []

    def _hung(self) -> list[RawBlock]:
        """Return the notes and boxes that hang on what ends here."""
        held, self._hanging = self._hanging, []
        texts = ("\n".join(map(one_line, _paired("".join(said)).strip().split("\n"))) for said in held)
        return [RawBlock(BlockKind.PARAGRAPH, text) for text in texts if text]


def _code_page(number: int) -> str:
    return str(_ENCODINGS["pages"].get(str(number), f"cp{number}"))


def _paired(text: str) -> str:
    """Return a text whose halves of characters beyond 16 bits were written one by one."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
