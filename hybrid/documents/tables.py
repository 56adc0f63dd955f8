"""Files whose rows are documents, streamed: CSV, TSV, JSON lines."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby, islice, repeat
from typing import Any, NamedTuple, TextIO

from hybrid.config import DocumentSettings
from hybrid.documents.builder import TextBuilder
from hybrid.documents.encoding import encoding_of
from hybrid.documents.source import SourceFile, Unreadable, is_rule, rule_of
from hybrid.types import BlockKind, Document, Rejected

_ID_FIELDS = ("_id", "id")
_LONG_VALUE = 200
_NAMES_SHOWN = 12
_MAX_COLUMNS = 10_000
# Where a file shows how it is written, and where its table begins at the latest.
_SAMPLE_LINES, _SAMPLE_CHARACTERS = 200, 1 << 18
_LINES_BEFORE_HEADER = 20
# A cell between quotes goes on so far at most; then its quote was never closed.
_LINES_A_ROW, _ROW_CHARACTERS = 1_000, 1 << 22
_SEPARATORS, _NO_SEPARATOR = "\t,;|", "\x1f"
_SAID_SEPARATOR = re.compile(r'"?sep=([^"\r\n])"?\s*', re.IGNORECASE)
# A comma of a number or of a sentence is rather none between cells.
_OTHER_COMMA = re.compile(r"(?<=\d),(?=\d)|, ")
# What is drawn below names.
_RULE = re.compile(r":?[-=]{2,}:?")
_SINGLY = re.compile(r"(?:^|[\t,;|]) *'(?:[^'\n\\]|''|\\.)*+'[ \r]*(?=[\t,;|]|$)", re.MULTILINE)
_DOUBLY = re.compile(r'(?:^|[\t,;|]) *"', re.MULTILINE)
_MONEY = "$€£¥"
_NUMBER = re.compile(rf"[-+(]*[{_MONEY}]?\s?[-+]?\.?\d[\d.,'\s]*(?:e[-+]?\d+)?\s?[%{_MONEY})]*")
_UNIT = re.compile(r"[\[(].{0,12}[\])]|-?")
_YEAR = re.compile(r"(?:1[5-9]|20)\d\d")
_ADDRESS = re.compile(r"\S+(?:@|://)\S+")
_LETTERS, _DIGITS = re.compile(r"[^\W\d_]+"), re.compile(r"\d+")
_NOTHING = frozenset({"", "-", "–", "—", "n/a", "na", "null", "none", "nan", "?"})
_TRUTHS = frozenset({"true", "false", "yes", "no"})
# A column is of the kind that so many of its cells are of.
_MOST = 0.8
_LONGEST_NAME = 100


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document | Rejected]:
    """Yield one document or one reason a row.

    Its source is ``path#number``: the line for JSON lines, the row below the header for CSV, from 1. What
    stands above the table is ``path#0``. Of a CSV all cells are in the text, with the names of their columns
    but for the column of the text; of JSON lines the other fields are metadata only, or, where none is the
    text, cells as well.
    """
    rows = _read_json_lines if file.path.suffix.lower() in (".jsonl", ".ndjson") else _read_delimited
    empty = True
    for item in rows(file, settings):
        empty = False
        yield item
    if empty:
        raise Unreadable("no rows in it: nothing to index")


@dataclass(frozen=True, slots=True)
class _TextLine:
    """A line of the file, by its number from 1; what is too long has a ``length`` and no text."""

    number: int
    text: str
    length: int = 0


def _lines(stream: TextIO, longest: int) -> Iterator[_TextLine]:
    number = 0
    while text := stream.readline(longest):
        number += 1
        length, rest = len(text), text
        while len(rest) == longest and not rest.endswith("\n"):
            rest = stream.readline(longest)
            length += len(rest)
        yield _TextLine(number, text) if length == len(text) else _TextLine(number, "", length)


def _too_long(line: _TextLine, settings: DocumentSettings) -> str:
    return (
        f"line {line.number} has {line.length:,} characters, at most {settings.max_characters:,} are read; "
        "split it or raise documents.max_characters"
    )


# --- JSON lines ----------------------------------------------------------------------------------------


def _read_json_lines(file: SourceFile, settings: DocumentSettings) -> Iterator[Document | Rejected]:
    with file.path.open(encoding=encoding_of(file.path), errors="replace", newline="\n") as stream:
        for line in _lines(stream, settings.max_characters):
            source = f"{file.source}#{line.number}"
            if line.length:
                yield Rejected(source, _too_long(line, settings))
            elif line.text.strip():
                if line.text.strip() in ("[", "{", "[{"):
                    raise Unreadable(
                        f"line {line.number} begins JSON over several lines, expected one object a line; "
                        f"write it so, for instance with `jq -c '.[]?' {file.path.name}`"
                    )
                try:
                    yield _json_document(source, line, settings)
                except Unreadable as error:
                    yield Rejected(source, str(error))


def _json_document(source: str, line: _TextLine, settings: DocumentSettings) -> Document:
    try:
        row = json.loads(line.text)
    except json.JSONDecodeError as error:
        raise Unreadable(f"not JSON: {error.msg} at character {error.pos + 1}") from error
    except (RecursionError, ValueError) as error:
        raise Unreadable(f"not readable JSON: {error}") from error
    if not isinstance(row, dict):
        raise Unreadable(f"expected a JSON object on the line, found {_kind(row)}")
    builder = TextBuilder(settings.max_characters)
    if row and settings.text_field == DocumentSettings().text_field and settings.text_field not in row:
        # nobody said which field is the text: a record, as those of a CSV are
        return _record(source, dict(_fields(row)), line.number, rule_of(row.items()), builder, settings)
    text, rest = _taken(row, settings.text_field)
    text = builder.without_embedded(text)
    values = {key: builder.without_embedded(_plain(value)) for key, value in rest.items() if not is_rule(key)}
    title = values.pop("title", "")
    _add_text(builder, title, text, line.number)
    rule = rule_of(row.items())
    return builder.document(source, title=title, metadata=_with_id(values), principals=rule)


def _taken(row: Mapping[str, Any], field: str) -> tuple[str, dict[str, Any]]:
    """Return the text of a field, which may be a path such as ``body.text``, and the row without it."""
    name, _, below = (field, "", "") if field in row else field.partition(".")
    if name not in row:
        raise Unreadable(f"no field `{field}`, found {_names(row)}; set documents.text_field to one of them")
    found, rest = row[name], {key: value for key, value in row.items() if key != name}
    if below and isinstance(found, dict):
        text, left = _taken(found, below)
        return text, {**rest, name: left}
    if isinstance(found, list) and not below and found and all(map(_said, found)):  # a conversation
        found = "\n\n".join(map(_said, found))
    if below or not isinstance(found, str):
        wanted = "an object" if below else "a string"
        raise Unreadable(f"the field `{name}` is {_kind(found)}, expected {wanted}")
    return found, rest


def _fields(row: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Yield the names and values of a row as a table would show them: "address city", "egg, milk"."""
    for name, value in row.items():
        if isinstance(value, dict) and value:
            yield from _fields(value, f"{above}{name} ")
        elif isinstance(value, list) and not any(isinstance(one, dict | list) for one in value):
            yield f"{above}{name}", ", ".join(map(_plain, value))
        else:
            yield f"{above}{name}", _plain(value)


def _said(turn: object) -> str:
    """Return what is said in a turn of a conversation, and who says it; nothing of what is none."""
    turn = turn if isinstance(turn, dict) else {}
    text = next((turn[key] for key in ("content", "text", "value") if isinstance(turn.get(key), str)), "")
    who = turn.get("role") or turn.get("from")
    return f"{who}: {text}" if text and isinstance(who, str) else text


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None or value in ({}, []):
        return ""
    return json.dumps(value, ensure_ascii=False)


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "a truth value", type(None): "null"}
    return kinds.get(type(value), "a number")


def _names(row: Mapping[str, Any]) -> str:
    names = ", ".join(f"`{name[:40]}`" for name in list(row)[:_NAMES_SHOWN])
    return names + (", …" if len(row) > _NAMES_SHOWN else "") if names else "none"


# --- CSV -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _CellRow:
    """The cells of a row and the line on which it begins; ``damage`` says what is wrong with it."""

    line: int
    cells: tuple[str, ...]
    damage: str = ""

    @property
    def filled(self) -> int:
        """Return how many cells hold something."""
        return sum(1 for cell in self.cells if cell.strip())

    @property
    def is_drawn(self) -> bool:
        """Return whether it is a line below names."""
        return bool(self.filled) and all(_RULE.fullmatch(cell.strip()) for cell in self.cells if cell.strip())


class _Marks(NamedTuple):
    """What parts cells, and what they may stand between."""

    separator: str
    quote: str

    def cut(self, lines: Iterable[str], *, strict: bool = False) -> Iterator[list[str]]:
        """Yield the cells of each row."""
        return csv.reader(
            lines, delimiter=self.separator, quotechar=self.quote, strict=strict, skipinitialspace=True
        )

    def with_quotes_doubled(self, line: _TextLine) -> _TextLine:
        """Return a line with the quotes of its cells as most programs write them."""
        return replace(line, text=line.text.replace(f"\\{self.quote}", 2 * self.quote))


def _read_delimited(file: SourceFile, settings: DocumentSettings) -> Iterator[Document | Rejected]:
    csv.field_size_limit(min(settings.max_characters, sys.maxsize))
    with file.path.open(encoding=encoding_of(file.path), errors="replace", newline="") as stream:
        lines = _lines(stream, settings.max_characters)
        said, sample = _sample(lines)
        is_tabbed = file.path.suffix.lower() == ".tsv" and any("\t" in line.text for line in sample)
        known = said or ("\t" if is_tabbed else "")
        quote = _quote(sample)
        marks = _Marks(known, quote) if known else _marks(sample, quote, settings)
        shown = list(_rows(sample, marks, settings))
        if any(f"\\{quote}" in line.text for line in sample):
            doubled = list(map(marks.with_quotes_doubled, sample))
            again = list(_rows(doubled, marks, settings))
            if _agreeing(again) > _agreeing(shown) or quote == "'":
                sample, shown, lines = doubled, again, map(marks.with_quotes_doubled, lines)
        head, named = _head(shown, settings)
        low = _second_head(head, shown, settings)
        if len(head.cells) > _MAX_COLUMNS:
            raise Unreadable(f"{len(head.cells):,} columns; at most {_MAX_COLUMNS:,} are read")
        cells = _joined(head.cells, low.cells) if low else head.cells
        names = _column_names(cells if named or low else ("",) * len(cells))
        wanted = settings.text_field
        if wanted != DocumentSettings().text_field and wanted not in names:
            raise Unreadable(f"no column `{wanted}`, found {', '.join(names[:_NAMES_SHOWN])}")
        before = [row for row in shown if row.line < head.line and row.filled]
        if text := "\n".join(
            marks.separator.join(row.cells).strip(f"{marks.separator} ") for row in before
        ).strip():
            builder = TextBuilder(settings.max_characters)
            builder.add(BlockKind.PARAGRAPH, text, line=before[0].line)
            # where rows say who may read them, nothing says it of what stands above them
            rule = () if any(map(is_rule, head.cells)) else None
            yield builder.document(f"{file.source}#0", title=text.split("\n")[0], principals=rule)
        rows = _rows(chain(sample, lines), marks, settings, columns=len(head.cells))
        begin = low.line + 1 if low else head.line + named
        below = (row for row in rows if row.line > begin or (row.line == begin and not row.is_drawn))
        for number, row in enumerate(below, start=1):
            source = f"{file.source}#{number}"
            if row.filled:
                try:
                    yield _delimited_document(source, names, row, settings)
                except Unreadable as error:
                    yield Rejected(source, str(error))
            if row.damage:
                yield Rejected(source, row.damage)


def _sample(lines: Iterator[_TextLine]) -> tuple[str, list[_TextLine]]:
    """Return the separator that the first line may say, and the lines that show how the file is written."""
    said, size = "", 0
    sample: list[_TextLine] = []
    for line in islice(lines, _SAMPLE_LINES):
        if not sample and not said and (match := _SAID_SEPARATOR.fullmatch(line.text)):
            said = match[1]
            continue
        sample.append(line)
        size += len(line.text)
        if size > _SAMPLE_CHARACTERS:
            break
    return said, sample


def _rows(
    lines: Iterable[_TextLine], marks: _Marks, settings: DocumentSettings, *, columns: int = 0
) -> Iterator[_CellRow]:
    """Yield the rows; a quote that is never closed costs its own line and no other.

    Args:
        lines: of the file.
        marks: of the cells.
        settings: how long a line may be.
        columns: a row of another width in which lines of this width stand is none: its quote was not closed.
    """
    coming, held = iter(lines), deque[_TextLine]()
    while True:
        taken: list[_TextLine] = []
        wrong = ""
        try:
            cells = next(marks.cut(_fed(coming, held, taken), strict=True), [])
        except csv.Error as error:
            wrong = str(error)
        if not taken:
            return
        first, *rest = taken
        if rest and not wrong and len(cells) != columns:
            wrong = "rows in a cell" if any(_width(line, marks) == columns for line in rest) else ""
        if first.length:
            yield _CellRow(first.number, (), _too_long(first, settings))
        elif not wrong:
            yield _CellRow(first.number, tuple(map(_written, cells)))
        else:
            held.extendleft(reversed(rest))
            unclosed = bool(rest) or wrong.endswith("end of data")
            yield _damaged(first, marks, columns, unclosed=unclosed)


def _written(cell: str) -> str:
    """Return what a cell says; ``="007"`` is what Excel was to take for text."""
    return cell[2:-1] if cell[:2] == '="' and cell.find('"', 2) == len(cell) - 1 else cell


def _fed(coming: Iterator[_TextLine], held: deque[_TextLine], taken: list[_TextLine]) -> Iterator[str]:
    """Yield the lines of one row, as far as it may go, and remember them."""
    size = 0
    while line := held.popleft() if held else next(coming, None):
        size += len(line.text)
        if taken and (line.length or len(taken) == _LINES_A_ROW or size > _ROW_CHARACTERS):
            held.appendleft(line)
            return
        taken.append(line)
        yield line.text


def _damaged(line: _TextLine, marks: _Marks, columns: int, *, unclosed: bool) -> _CellRow:
    """Return the cells of a line whose quotes are wrong, as well as they can be told."""
    try:
        (cells,) = marks.cut([line.text])
        (literal,) = csv.reader([line.text], delimiter=marks.separator, quoting=csv.QUOTE_NONE)
    except csv.Error as error:
        return _CellRow(line.number, (), f"line {line.number}: {error}")
    if unclosed:
        reason = f"a quote that opens in line {line.number} is never closed: the line is read as it stands"
        return _CellRow(line.number, tuple(literal), reason)
    if len(cells) == columns or not columns:
        # a quote inside a cell that parts nothing is one of the text
        kept = literal if len(literal) == len(cells) else cells
        return _CellRow(line.number, tuple(map(_as_it_stands, cells, kept, repeat(marks.quote))))
    reason = f"quotes in line {line.number} stand where none can: its cells may be cut in the wrong place"
    return _CellRow(line.number, tuple(literal if len(literal) == columns else cells), reason)


def _as_it_stands(cell: str, literal: str, quote: str) -> str:
    inner = literal.strip()
    is_quoted = len(inner) > 1 and inner[0] == inner[-1] == quote
    return cell if is_quoted or quote not in inner else inner


def _width(line: _TextLine, marks: _Marks) -> int:
    return len(next(marks.cut([line.text]), ()))


def _quote(sample: Sequence[_TextLine]) -> str:
    """Return what cells stand between: the apostrophe only where none stands for anything else."""
    text = "".join(line.text for line in sample)
    rest, count = _SINGLY.subn("", text)
    return "'" if count > 1 and "'" not in rest and not _DOUBLY.search(text) else '"'


def _marks(sample: Sequence[_TextLine], quote: str, settings: DocumentSettings) -> _Marks:
    """Return what cuts most rows into as many cells as each other; a sign of no use if nothing does."""
    best, best_rank = _Marks(_NO_SEPARATOR, quote), (False, 0.5, 0.0, 0, 0)
    whole = "".join(line.text for line in sample)
    for separator in _SEPARATORS:
        rows = [row for row in _rows(sample, _Marks(separator, quote), settings) if row.filled]
        widths = Counter(len(row.cells) for row in rows if len(row.cells) > 1)
        if not widths:
            continue
        alone = len(rows[0].cells) == 1
        if alone and (_is_known(rows[0], settings) or whole.count(separator) == whole.count(f"{separator} ")):
            continue  # one column of prose
        width = widths.most_common(1)[0][0]
        good = [
            len(row.cells) == width and not any(cell.count('"') % 2 for cell in row.cells) for row in rows
        ]
        since = sum(good) / (len(good) - good.index(True)) if any(good) else 0.0
        other = separator == "," and whole.count(",") == len(_OTHER_COMMA.findall(whole))
        # of two that cut all rows alike the one with fewer cells stands in the cells of the other
        rank = (not alone and _is_known(rows[0], settings), sum(good) / len(rows), since, -other, width)
        if rank > best_rank or (best.separator == _NO_SEPARATOR and not alone):
            best, best_rank = _Marks(separator, quote), rank
    return best


def _agreeing(rows: Sequence[_CellRow]) -> float:
    """Return the share of the rows that have as many cells as the first."""
    return sum(len(row.cells) == len(rows[0].cells) for row in rows) / len(rows) if rows else 0.0


def _is_known(row: _CellRow, settings: DocumentSettings) -> bool:
    """Tell whether a row names what this reader knows the meaning of, so that it is a header."""
    names = [cell.strip() for cell in row.cells]
    known = {*_ID_FIELDS, "title", settings.text_field}
    return any(is_rule(name) or name.casefold() in known or name in known for name in names)


def _head(shown: Sequence[_CellRow], settings: DocumentSettings) -> tuple[_CellRow, bool]:
    """Return the first row of the table, and whether it names the columns.

    Raises:
        Unreadable: there is no row.
    """
    filled = [row for row in shown if row.filled]
    if not filled:
        raise Unreadable(next((row.damage for row in shown), "") or "no rows in it: nothing to index")
    early = [place for place, row in enumerate(shown[:_LINES_BEFORE_HEADER]) if row.filled]
    for place in early:
        if any(map(is_rule, shown[place].cells)):
            return shown[place], True
    widths = Counter(len(row.cells) for row in filled)
    usual = max(widths, key=lambda width: (widths[width], width))
    least = max(min(usual, 2), usual // 2)
    begun = [place for place in early if not _stands_before(shown[place], least)]
    start = begun[0] if begun else early[0] if early else shown.index(filled[0])
    best = _evidence(shown[start], shown[start + 1 :], settings)
    for place in begun[1:]:
        # a blank line, or less cells than the table has, and below it names: what stood above was no table
        is_wider = len(shown[start].cells) < usual <= len(shown[place].cells)
        if (is_wider or not shown[place - 1].filled) and len(shown) > place + 1:
            found = _evidence(shown[place], shown[place + 1 :], settings)
            if found > max(best, 0):
                start, best = place, found
    return shown[start], best > 0 or (best == 0 and _may_name(shown[start], shown[start + 1 :]))


def _second_head(head: _CellRow, shown: Sequence[_CellRow], settings: DocumentSettings) -> _CellRow | None:
    """Return the second line of a head: names below cells that span them, or units below names."""
    place = next(place for place, row in enumerate(shown) if row is head)
    if len(shown) < place + 3:
        return None
    row, below = shown[place + 1], shown[place + 2 :]
    spans = not all(map(str.strip, head.cells)) and row.filled == len(row.cells)
    units = not "".join(row.cells[:1]).strip() or all(_UNIT.fullmatch(cell.strip()) for cell in row.cells)
    units = units and head.filled == len(head.cells)
    names = all(_type_of(cell) not in ("number", "year") for cell in row.cells)
    fits = (spans or units) and names and len(row.cells) == len(head.cells)
    return row if fits and _evidence(row, below, settings) > 1 else None


def _joined(above: Sequence[str], below: Sequence[str]) -> list[str]:
    """Return the names of columns over two lines; a cell above with none behind it spans what follows."""
    spanning, names = "", []
    for high, low in zip(above, below, strict=True):
        spanning = high.strip() or spanning
        names.append(", ".join(filter(None, (spanning, low.strip()))))
    return names


def _stands_before(row: _CellRow, least: int) -> bool:
    """Tell whether a row is a title or a remark above a table; the names of one may lack the first."""
    first = row.cells[0].strip()
    return first.startswith("##") or (row.filled < least and bool(first))


def _evidence(row: _CellRow, below: Sequence[_CellRow], settings: DocumentSettings) -> int:
    """Return how many columns say that a row names them, less those that say it is of their kind."""
    if _is_known(row, settings):
        return _MAX_COLUMNS
    cells = [_type_of(cell) for cell in row.cells]
    counts = [int(cell) for cell in row.cells if cell.strip().isdecimal() and len(cell) < 6]
    if len(counts) > 2 and counts in (list(range(len(counts))), list(range(1, len(counts) + 1))):
        cells = ["text" if cell in ("number", "year") else cell for cell in cells]
    found = 0
    for place, kind in enumerate(cells):
        kinds = Counter(_type_of(other.cells[place]) for other in below if place < len(other.cells))
        del kinds[""]
        if kinds["number"]:
            kinds["number"] += kinds.pop("year", 0)
        if not kinds or not kind:
            continue
        usual, count = kinds.most_common(1)[0]
        if usual == "text" or count < _MOST * kinds.total():
            continue
        found += -1 if kind == usual or (kind, usual) == ("number", "year") else 1
    return found


def _may_name(row: _CellRow, below: Sequence[_CellRow]) -> bool:
    """Tell whether a row may be names where no column speaks for or against it: no numbers, no prose."""
    for place, cell in enumerate(row.cells):
        prose = len(cell) > _LONGEST_NAME or (len(cell) > _LONGEST_NAME // 4 and cell.rstrip().endswith("."))
        if prose or _type_of(cell) not in ("", "text", "truth"):
            return False
        if cell.strip() and any(place < len(other.cells) and other.cells[place] == cell for other in below):
            return False
    return True


def _type_of(cell: str) -> str:
    """Return what a cell looks like: nothing, a year, a number, text, or the shape of a code or a date."""
    value = cell.strip().casefold()[:_LONGEST_NAME]
    if value in _NOTHING:
        return ""
    if _YEAR.fullmatch(value):
        return "year"
    if _NUMBER.fullmatch(value):
        return "number"
    if value in _TRUTHS:
        return "truth"
    if _ADDRESS.fullmatch(value):
        return "address"
    if len(value) > _LONGEST_NAME // 4 or not any(letter.isdigit() for letter in value):
        return "text"
    return _LETTERS.sub("a", _DIGITS.sub("9", value))


def _column_names(cells: Sequence[str]) -> tuple[str, ...]:
    """Return a name for each column; two columns of one name are two columns, two rules stay two rules."""
    names: list[str] = []
    taken: set[str] = set()
    for place, cell in enumerate(cells, start=1):
        name = cell.strip() or f"column {place}"
        while name in taken and not is_rule(name):
            name = f"{name} ({place})"
        taken.add(name)
        names.append(name)
    return tuple(names)


def _delimited_document(
    source: str, names: tuple[str, ...], row: _CellRow, settings: DocumentSettings
) -> Document:
    if len(row.cells) > _MAX_COLUMNS:
        raise Unreadable(f"line {row.line} has {len(row.cells):,} cells; at most {_MAX_COLUMNS:,} are read")
    if len(row.cells) > len(names):
        names = _column_names((*names, *[""] * (len(row.cells) - len(names))))
    # a row may end before the column: then it names nobody
    rule = rule_of(zip(names, chain(row.cells, repeat("")), strict=False))
    cells = {name: cell.strip() for name, cell in zip(names, row.cells, strict=False)}
    return _record(source, cells, row.line, rule, TextBuilder(settings.max_characters), settings)


def _record(
    source: str,
    cells: Mapping[str, str],
    line: int,
    rule: tuple[str, ...] | None,
    builder: TextBuilder,
    settings: DocumentSettings,
) -> Document:
    """Return a row as a document of its cells with their names."""
    values = {
        name: builder.without_embedded(cell) for name, cell in cells.items() if cell and not is_rule(name)
    }
    title = values.get("title", "")
    text = values.pop(settings.text_field, "")
    key = _key(values)
    if text:
        _add_text(builder, values.pop("title", ""), text, line)
    _add_fields(builder, values, line)
    # a long cell is in the text already; as a filter it would be useless
    metadata = {name: value for name, value in values.items() if len(value) <= _LONG_VALUE}
    return builder.document(source, title=title or key, metadata=_with_id(metadata), principals=rule)


def _key(values: Mapping[str, str]) -> str:
    """Return what tells a row from the others, for a title: its identity or its first cell, unless long."""
    name = next((name for name in values if name.casefold() in _ID_FIELDS), next(iter(values), ""))
    value = values.get(name, "")
    if len(value) > _LONG_VALUE:
        return ""
    return value if any(map(str.isalpha, value)) or not value else f"{name}: {value}"


def _add_text(builder: TextBuilder, title: str, text: str, line: int) -> None:
    builder.add(BlockKind.HEADING, " ".join(title.split()), level=1, line=line)
    for paragraph in text.replace("\r\n", "\n").split("\n\n"):
        builder.add(BlockKind.PARAGRAPH, paragraph, line=line)


def _add_fields(builder: TextBuilder, values: Mapping[str, str], line: int) -> None:
    """Append the cells with the names of their columns; one that is long is a paragraph of its own."""
    for is_long, group in groupby(values.items(), key=lambda item: len(item[1]) > _LONG_VALUE):
        kind = BlockKind.PARAGRAPH if is_long else BlockKind.LIST
        parts = [f"{name}: {value}" for name, value in group]
        for part in parts if is_long else ["\n".join(parts)]:
            builder.add(kind, part, line=line)


def _with_id(metadata: dict[str, str]) -> dict[str, str]:
    found = next((name for name in _ID_FIELDS if metadata.get(name)), None)
    return (
        metadata
        if found is None
        else {"id": metadata[found], **{k: v for k, v in metadata.items() if k != found}}
    )
