"""Outcomes in the shapes that people have: wide or long CSV, JSON lines of all or of one arm, nested JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybrid.errors import UsageError
from hybrid.evaluation.scores import METRICS
from hybrid.questions.files import text_of

SCORE = "score"
# measures of an answer that say nothing of whether it is right: they gate, and no verdict goes by them
GATED = frozenset(
    {"groundedness", "hallucination", "refusal", "refused", "seconds", "latency", "cost", "tokens"}
    | {card.name for card in METRICS if not card.higher_is_better}
)
_MEASURES = GATED | {SCORE, "accuracy", "em", "f1"} | {card.name for card in METRICS}
_KEYS = ("question", "source", "slices")
# how long tables and JSON name their columns; the first of each is ours
_QUESTION, _ARM = ("question", "question_id", "id"), ("arm", "system", "model")
# What a spreadsheet runs as a formula if a cell begins with it, and our own mark in front of that.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_SEPARATOR_LINE = re.compile(r'"?sep= ?(.)"?;*\r?\n', re.IGNORECASE)
# How data frames and spreadsheets head the column of row numbers that they write in front.
_NUMBERS = re.compile(r"|Unnamed: \d+|index|level_0")
# With a comma between columns too, what stands in quotes and cannot be thousands.
_DECIMAL_COMMA, _QUOTED_COMMA = re.compile(r"\s*-?\d*,\d+\s*%?"), re.compile(r"\s*(?:0?,\d+|1,00?)\s*%?")
_JSON = frozenset({".json", ".jsonl", ".ndjson"})


@dataclass(frozen=True, slots=True)
class ArmRow:
    """What an arm did with a question: scores and measures by name, as texts; ``place`` is line or key."""

    place: str
    arm: str
    question: str
    source: str | None
    slices: tuple[str, ...]
    values: Mapping[str, str]


def read_rows(path: Path) -> list[ArmRow]:
    """Return every question of every arm, whatever the shape of the file.

    It is CSV (comma, semicolon, tab or bar; a BOM, a line ``sep=;`` and numbers of the rows are read over)
    with a column an arm, or with the columns arm, question and scores; JSON lines or JSON of such rows, JSON
    of arms with their questions, whatever the ending of its name; or a folder with a file of JSON lines an
    arm.
    """
    if path.is_dir():
        files = sorted(path.glob("*.jsonl"))
        if not files:
            raise UsageError(f"{path} cannot be read: a folder without .jsonl files", hint="one file an arm")
        return [row for file in files for row in _rows(file, _json_lines(file, _text(file)), arm=file.stem)]
    text = _text(path)
    if path.suffix not in _JSON and not text.lstrip().startswith(("{", "[")):
        return list(_rows(path, _csv(path, text)))
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):  # lines, or not JSON at all, which is told by line
        whole = None
    if isinstance(whole, list) or (whole is not None and path.suffix == ".json"):
        return list(_nested(path, whole))
    return list(_rows(path, _json_lines(path, text)))


def defused(cell: str) -> str:
    """Return a text that no spreadsheet runs."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _plain(cell: str) -> str:
    """Return the text that ``defused`` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell, 1) else cell


def _text(path: Path) -> str:
    try:
        return text_of(path, table=True)
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}", hint="check --from") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


def _csv(path: Path, text: str) -> Iterator[tuple[str, dict[str, str]]]:
    if told := _SEPARATOR_LINE.match(text):
        text = text[told.end() :]
    first = text.partition("\n")[0]
    delimiter = told[1] if told else max(",;\t|", key=first.count)
    # lines end as files have it: other separators of Unicode belong to the cell that they stand in
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    shift = 1 if told else 0
    try:
        header = [_plain(name.strip()) for name in next(reader, [])]
        header = [name.lower() if name.lower() in _KEYS else name for name in header]
        asked = any(name in header for name in _QUESTION)
        numbers = [name for name in header[:2] if asked and _NUMBERS.fullmatch(name)]
        _check_header(path, header[len(numbers) :])
        empty = True
        for cells in reader:
            line = f"line {reader.line_num + shift}"
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise UsageError(
                    f"{path}, {line}: expected {len(header)} columns, found {len(cells)}",
                    hint=f"the first line names every column, here {', '.join(header)[:60]}; put text with "
                    "separators into quotes",
                )
            empty = False
            row = dict(zip(header, map(_plain, cells), strict=True))
            for name in numbers:
                del row[name]
            comma = _DECIMAL_COMMA if delimiter != "," else _QUOTED_COMMA
            yield line, {name: _decimal_point(name, cell, comma) for name, cell in row.items()}
        if empty:
            raise UsageError(f"{path} has a header and no rows")
    except csv.Error as error:
        raise UsageError(f"{path}, line {reader.line_num + shift}: not CSV ({error})") from error


def _decimal_point(name: str, cell: str, comma: re.Pattern[str]) -> str:
    return cell.replace(",", ".") if name not in _KEYS and comma.fullmatch(cell) else cell


def _check_header(path: Path, header: Sequence[str]) -> None:
    if not any(header):
        raise UsageError(f"{path} is empty", hint="the first line names the columns: question, source, arms")
    if "" in header or len(set(header)) < len(header):
        raise UsageError(
            f"{path}: a column has no name or that of another one: {', '.join(header)[:60]}",
            hint="the first line names every column: question, source (optional), and one per arm",
        )


def _json_lines(path: Path, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if not text.strip():
        raise UsageError(f"{path} is empty", hint="one JSON object a line: question, arm, score")
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise UsageError(
                    f"{path}, line {number}: not JSON ({error})", hint="one JSON object a line, or one list"
                ) from error
            yield f"line {number}", _object(path, f"line {number}", value)


def _object(path: Path, place: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{path}, {place}: expected a JSON object, found {str(value)[:40]!r}")
    return value


def _nested(path: Path, value: Any) -> Iterator[ArmRow]:
    """Yield the rows of a list, of a list in an object, of arms with lists, or of arms with questions."""
    if isinstance(value, dict) and len(value) == 1 and isinstance(inner := next(iter(value.values())), list):
        value = inner
    if isinstance(value, list):
        rows = [(f"row {number}", row) for number, row in enumerate(value, start=1)]
        yield from _rows(path, ((place, _object(path, place, row)) for place, row in rows))
        return
    for arm, part in _object(path, "top", value).items():
        if isinstance(part, list):
            rows = [(f"{arm}, row {number}", row) for number, row in enumerate(part, start=1)]
            yield from _rows(path, ((place, _object(path, place, row)) for place, row in rows), arm=arm)
        else:
            questions = _object(path, arm, part).items()
            named = [
                (f"{arm}, {question}", {"question": question} | _scored(found))
                for question, found in questions
            ]
            yield from _rows(path, iter(named), arm=arm)


def _scored(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {SCORE: found}


def _rows(
    path: Path, rows: Iterator[tuple[str, dict[str, Any]]], *, arm: str | None = None
) -> Iterator[ArmRow]:
    """Yield an item for each arm of each row: all are of one arm, or have a column for it, or one an arm."""
    place = path.name if arm is not None else str(path)
    for line, row in rows:
        where = f"{place}, {line}" if arm is not None else line
        long = arm is not None or (any(key in row for key in _ARM) and any(key in row for key in _QUESTION))
        asked = next((key for key in (_QUESTION if long else _QUESTION[:1]) if key in row), None)
        if asked is None:
            raise UsageError(
                f"{path} has no column `question`; found: {', '.join(row)}",
                hint="columns: question, source (optional), and one per arm with a score from 0 to 1; or "
                "question, arm and score",
            )
        question = _named(path, line, "question", row[asked])
        source = _named(path, line, "source", row["source"]) if "source" in row else None
        slices = _slices(row.get("slices"))
        values = {key: value for key, value in row.items() if key not in (*_KEYS, asked)}
        if arm is not None:
            yield ArmRow(where, arm, question, source, slices, _texts(values))
        elif long:
            named = next(key for key in _ARM if key in values)
            who = _named(path, line, named, values.pop(named))
            yield ArmRow(where, who, question, source, slices, _texts(values))
        else:
            for name, measured in _by_arm(values).items():
                yield ArmRow(where, name, question, source, slices, _texts(measured))


def _by_arm(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the columns of a wide row by arm: ``rag``, ``rag.refusal``, or an object of scores."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        arm, _, measure = name.rpartition(".")
        if arm and measure.lower() in _MEASURES:
            found.setdefault(arm, {})[measure] = value
        else:
            found.setdefault(name, {}).update(_scored(value))
    return found


def _named(path: Path, line: str, column: str, cell: Any) -> str:
    if cell is None or not str(cell).strip():
        raise UsageError(f"{path}, {line}: `{column}` is empty", hint="every row needs one")
    return str(cell).strip()


def _slices(cell: Any) -> tuple[str, ...]:
    parts = cell if isinstance(cell, list) else str(cell or "").split("|")
    return tuple(str(part).strip() for part in parts if str(part).strip())


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Return values as a table has them; what JSON calls null is empty."""
    return {key: "" if value is None else str(value) for key, value in values.items()}
