"""Rows of tables as sentences: label, name of the column, cell and scale (table verbalisation)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hybrid.text.sentences import pieces
from hybrid.text.words import content_words, expressions
from hybrid.types import CELLS, Span

_TOLD = expressions("text", "rows")
# What a text says above its tables, in brackets that end a line: "(Tabular amounts in millions, unless …)".
_DECLARED = re.compile(
    r"\((?!shares)(?:[A-Za-z]+ ){0,4}in (?:\w+ of |[$€£] ?|\w{3} )?(?:thousand|million|billion)s\b"
    r"[^()\n]*\)[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_FIGURE = re.compile(r"(?:[$€£¥]|[A-Z]{3}\b)?\s*[(−–-]?\s*[$€£¥]?\s*\d[\d,.\s]*\)?")
_DIGITS = re.compile(r"\d+")
_YEAR = re.compile(r"(?:19|20)\d\d")
# What says nothing without the name of its column.
YES, NO = ("yes", "ja", "true", "✓"), ("no", "none", "nein", "false", "–", "-")
_STATES = ("closed", "open", "always", "never", "free", "included", "sold out", "n/a", "geschlossen")
# The mark of a note behind a name.
_NOTED = re.compile(r"(?<=\S)\s*(?:\(\w{1,2}\)|\[\w{1,2}\]|[*†‡¹²³⁴]+)$")
# Words of a question that every column of years has.
_PERIODS = frozenset(content_words("years ended months quarter fiscal period date"))
_MONEY = re.compile(r"[$€£¥]")
# Where a group of rows ends.
_LABEL_WORDS = 6
_RECORD = re.compile(r"#\d+\Z")


def is_record(source: str) -> bool:
    """Tell whether a source is a record of a table or of lines of JSON, numbered behind its file."""
    return _RECORD.search(source) is not None


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of a table in a text: where it and its cells stand, and what stands above it.

    ``group`` is the row above without figures, such as "Revenue:", that a group of rows begins with, or what
    a row is about that has no cell for it. ``declared`` is what the text above says of all figures.
    """

    span: Span
    cells: tuple[str, ...]
    columns: tuple[str, ...]
    caption: str
    group: str = ""
    declared: str = ""

    @property
    def label(self) -> str:
        """Return what the row is about: its first cell, below its group."""
        if not self.cells or self._first < 0:
            return self.group.rstrip(":")
        first = self.cells[self._first]
        if self._first == 0 and first.isdigit() and not _YEAR.fullmatch(first):
            first = f"{_tidy(self.columns[self._first])} {first}".strip()
        grouped = self.group.endswith(":")
        return f"{self.group.rstrip(':')}, {first}" if grouped else first.rstrip(":")

    @property
    def named(self) -> list[tuple[str, str]]:
        """Return the names of all columns but the first one, each with its cell."""
        return list(zip(self.columns[1:], self.cells[1:], strict=False))

    @property
    def _first(self) -> int:
        """Return the place of the cell that the row is about, -1 where all are of one kind: a year each."""
        kinds = {_DIGITS.sub("", name) for name in self.columns[:2]}
        if (
            len(kinds) == 1 < len(self.cells)
            and _DIGITS.search(self.columns[0])
            and _TOLD["series"].match(self.cells[0])
        ):
            return -1
        return next((place for place, cell in enumerate(self.cells) if cell), 0)

    def sentence(self, places: Sequence[int] = (), *, with_cells: Sequence[int] = ()) -> str:
        """Return the row as a sentence: ``Total sales, 2019: $1,496.5 million``.

        ``places`` are of the cells to say, all of them by default: ``Total sales: 2019 $1; 2018 $2``;
        ``with_cells`` of those that say, beside the first one, which row it is.
        """
        first = self._first
        said = [place for place in places or range(first + 1, len(self.cells)) if self.cells[place]]
        beside = (self._told(place) for place in with_cells if place not in (first, *said))
        # "6–10" says nothing without "years of service"
        alone = said and self.label == self.cells[0] and not _YEAR.match(self.label)
        bare = alone and _TOLD["bare"].fullmatch(self.label)
        called = f"{_tidy(self.columns[0])} {self.label}".strip() if bare else self.label
        label = ", ".join(filter(None, dict.fromkeys([called, *beside])))
        if not said:
            name = self.columns[first]
            return f"{name}: {label}" if name and name != label else label
        if len(said) == 1:
            named = ", ".join(filter(None, (label, _tidy(self.columns[said[0]]))))
            return f"{named}: {self.valued(said[0])}"
        cells = (" ".join(filter(None, (_tidy(self.columns[p]), self.valued(p)))) for p in said)
        return f"{label}: {'; '.join(cells)}" if label else "; ".join(cells)

    def _told(self, place: int) -> str:
        """Return a cell that says which row it is; of a number, a range, yes or no also of what."""
        cell = self.cells[place]
        bare = _FIGURE.fullmatch(cell) or _TOLD["range"].match(cell) or cell.lower() in (*YES, *NO, *_STATES)
        return f"{_tidy(self.columns[place])} {cell}" if bare else cell

    def asked(self, question: str, *, without: Sequence[int] = (), named: Sequence[int] = ()) -> str:
        """Return the row as a sentence with the cells whose columns a question names, else with all.

        ``without`` are the places of cells that are not what is asked for, ``named`` of those that say which
        row it is.
        """
        told = {
            word for name in self.columns for one in _TOLD["per"].findall(name) for word in content_words(one)
        }
        words = set(content_words(question)) - (_PERIODS - told)
        first = self._first
        whole = [place for place in range(first + 1, len(self.cells)) if self.cells[place]]
        rest = [place for place in whole if place not in without] or whole
        names = {place: frozenset(content_words(self.columns[place])) for place in rest}
        common = frozenset.intersection(*names.values()) if len(names) > 1 else frozenset()
        shared = {place: (names[place] - common) & words for place in rest}
        most = max(map(len, shared.values()), default=0)
        best = [place for place in rest if most and len(shared[place]) == most]
        # of columns that share the same the shorter name is meant: "2019", not "2019 restated"
        least = {
            shared[place]: min(len(names[p]) for p in best if shared[p] == shared[place]) for place in best
        }
        best = [place for place in best if len(names[place]) == least[shared[place]]]
        heads = frozenset(word for name in self.columns for word in content_words(name))
        shown = best or (rest if rest != whole else [])
        held = {place: set(content_words(self.cells[place])) - heads for place in whole if place not in shown}
        with_cells = [place for place, own in held.items() if place in named or (own and own <= words)]
        return self.sentence(shown, with_cells=with_cells)

    def valued(self, place: int) -> str:
        """Return a cell with the scale that its table counts in."""
        cell, name = self.cells[place], self.columns[place]
        if not _FIGURE.fullmatch(cell) or _YEAR.fullmatch(cell):
            return cell
        own = _TOLD["own_unit"].search(f"{self.label} {name}") and not _MONEY.search(cell)
        scale = "" if own or _TOLD["each"].search(self.label) else self._scale(name)
        return f"{cell} {scale}" if scale else cell

    def _scale(self, name: str) -> str:
        for text in (self.label, name, self.columns[0], self.caption, self.declared):
            if found := _TOLD["scale"].search(text):
                if _TOLD["money_alone"].search(text) and not any("." in cell for cell in self.cells[1:]):
                    return ""
                word = next(filter(None, found.groups()))
                return "thousand" if word == "000" else word.lower()
        return ""


@dataclass(frozen=True, slots=True)
class Saying:
    """A sentence of a text, or a row of a table as one; ``span`` is where it stands."""

    span: Span
    text: str
    row: TableRow | None = None


def sayings(text: str, caption: str = "", columns: Sequence[str] = ()) -> list[Saying]:
    """Return the sentences of a text, the rows of its table among them, in their order.

    Lines of cells are apart by `` | ``; ``caption`` names their table, ``columns`` name the cells, and
    without them a row is said as it stands, but for pairs of a label and what it holds.
    """
    columns = columns or _pairs(text)
    found: list[Saying] = []
    start, group, declared = 0, "", ""
    for begin, end, cells in _table_lines(text, tuple(columns)):
        found += _prose(text, start, begin)
        for one in _DECLARED.finditer(text, start, begin):
            declared = one[0]
        start = end
        if above := _above(cells, columns):
            # units stand inside a group
            group = group if group and sum(map(bool, cells)) > 1 else _NOTED.sub("", above)
            found.append(Saying(Span(begin, end), above))
        elif cells != tuple(columns):
            # what is summed up ends with its sum
            group = "" if _TOLD["total"].match(cells[0]) else group
            row = TableRow(Span(begin, end), cells, tuple(columns), caption, group, declared)
            found.append(Saying(row.span, row.sentence(), row))
    return [*found, *_prose(text, start, len(text))]


def _above(cells: Sequence[str], columns: Sequence[str]) -> str:
    """Return what a row says that only names the rows below it, or tells what they are counted in."""
    said = [cell for cell in cells if cell]
    if len(said) == 1:
        return said[0] if not any(map(str.isdigit, _NOTED.sub("", said[0]))) else ""
    units = [_TOLD["unit"].fullmatch(cell) for cell in said[1:]]
    if not cells[0] or not all(units) or _TOLD["tells_unit"].search(f"{cells[0]} {columns[0]}"):
        return ""
    return cells[0] if len(units) > 1 or any(unit and unit["scale"] for unit in units) else ""


def _pairs(text: str) -> tuple[str, ...]:
    """Return two columns without names where all rows of a text have a short label and one cell more."""
    rows = [line.split(CELLS) for line in text.split("\n") if CELLS in line]
    paired = len(rows) > 1 and all(len(row) == 2 and all(row) for row in rows)
    named = paired and all(row[0][0].isalpha() and len(row[0].split()) <= _LABEL_WORDS for row in rows)
    return ("", "") if named else ()


def _table_lines(text: str, columns: tuple[str, ...]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Yield where each row of so many cells stands, and its cells."""
    if len(columns) < 2 or CELLS.strip() not in text:
        return
    start = 0
    for line in text.split("\n"):
        # a cell at an end of the line may be empty
        cells = tuple(" ".join(cell.split()) for cell in f" {line} ".split(CELLS))
        if len(cells) == len(columns):
            yield start, start + len(line), cells
        start += len(line) + 1


def heads(text: str) -> tuple[str, ...]:
    """Return the first row of a text that has a table, if it is one of names above rows with figures."""
    lines = [line for line in text.split("\n") if CELLS in line]
    rows = [tuple(" ".join(cell.split()) for cell in f" {line} ".split(CELLS)) for line in lines]
    if len(rows) < 3 or len({len(row) for row in rows}) > 1 or not text.lstrip().startswith(lines[0]):
        return ()
    figures = [any(map(str.isdigit, "".join(row))) for row in rows]
    return rows[0] if all(rows[0]) and not figures[0] and all(figures[1:]) else ()


def _prose(text: str, start: int, end: int) -> Iterator[Saying]:
    for span in pieces(text[start:end]):
        yield Saying(Span(start + span.start, start + span.end), text[start + span.start : start + span.end])


def _tidy(name: str) -> str:
    tidy = name.replace(",,", ",").strip(" ,:")
    return "" if tidy.lower() in ("value", "wert") else tidy


def markdown(text: str, caption: str = "", columns: Sequence[str] = ()) -> str:
    """Return a text whose table is one of Markdown: with its caption, its head and the line below it."""
    first = next(_table_lines(text, tuple(columns)), None)
    if first is None:
        return text
    begin, end, cells = first
    rule = "|".join(["---"] * len(columns))
    if cells == tuple(columns):
        return f"{text[:end]}\n{rule}{text[end:]}"
    above = [] if not caption or caption in text else [caption]
    return text[:begin] + "\n".join([*above, CELLS.join(columns), rule, text[begin:]])


@dataclass(frozen=True, slots=True)
class Spoken:
    """A text whose rows are sentences, and where each stretch of it comes from."""

    text: str
    parts: tuple[tuple[Span, Span], ...] = ()

    def origin(self, span: Span) -> Span:
        """Return the stretch that was read for one of the text; all of a row for a part of it."""
        if not self.parts:
            return span
        touched = [
            (here, there) for here, there in self.parts if here.start < span.end and span.start < here.end
        ]
        if not touched:
            return Span(0, 0)
        (here, first), (last_here, last) = touched[0], touched[-1]
        same = here.end - here.start == first.end - first.start
        start = first.start + max(span.start - here.start, 0) if same else first.start
        same = last_here.end - last_here.start == last.end - last.start
        return Span(start, last.end - max(last_here.end - span.end, 0) if same else last.end)


def spoken(text: str, caption: str = "", columns: Sequence[str] = ()) -> Spoken:
    """Return a text with its rows as sentences, for who reads sentences alone."""
    found = sayings(text, caption, columns)
    if not any(saying.row for saying in found):
        return Spoken(text)
    said, parts, length = [], [], 0
    for saying in found:
        ended = closed(saying.text) if saying.row else saying.text
        parts.append((Span(length, length + len(ended)), saying.span))
        said.append(ended)
        length += len(ended) + 1
    return Spoken("\n".join(said), tuple(parts))


def closed(text: str) -> str:
    """Return a sentence with a full stop, where it has no other end."""
    return text if text.endswith((".", "!", "?")) else f"{text}."
