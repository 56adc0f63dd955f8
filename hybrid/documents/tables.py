"""Files whose rows are documents, streamed: CSV, TSV, JSON lines."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from hybrid.config import DocumentSettings
from hybrid.documents.builder import TextBuilder
from hybrid.documents.encoding import encoding_of
from hybrid.documents.principals import is_rule, rule_of
from hybrid.documents.source import SourceFile, Unreadable
from hybrid.types import BlockKind, Document, Rejected

_ID_FIELDS = ("_id", "id")
_LONG_VALUE = 200
_NAMES_SHOWN = 12


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document | Rejected]:
    """Yield one document or one reason a row.

    Its source is ``path#number``: the line for JSON lines, the row below the header for CSV.
    """
    rows = _read_json_lines if file.path.suffix.lower() in (".jsonl", ".ndjson") else _read_delimited
    empty = True
    for item in rows(file, settings):
        empty = False
        yield item
    if empty:
        raise Unreadable("no rows in it: nothing to index")


def _read_json_lines(file: SourceFile, settings: DocumentSettings) -> Iterator[Document | Rejected]:
    with file.path.open(encoding=encoding_of(file.path), errors="replace", newline="\n") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            source = f"{file.source}#{number}"
            try:
                yield _json_document(source, line, settings)
            except Unreadable as error:
                yield Rejected(source, str(error))


def _json_document(source: str, line: str, settings: DocumentSettings) -> Document:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise Unreadable(f"not JSON: {error.msg} at character {error.pos + 1}") from error
    except (RecursionError, ValueError) as error:
        raise Unreadable(f"not readable JSON: {error}") from error
    if not isinstance(row, dict):
        raise Unreadable(f"expected a JSON object on the line, found {_kind(row)}")
    name = settings.text_field
    if name not in row:
        raise Unreadable(f"no field `{name}`, found {_names(row)}; set documents.text_field to one of them")
    if not isinstance(row[name], str):
        raise Unreadable(f"the field `{name}` is {_kind(row[name])}, expected a string")
    values = {key: _plain(value) for key, value in row.items() if key != name and not is_rule(key)}
    return _row_document(source, row[name], values, settings, rule_of(row.items()))


def _read_delimited(file: SourceFile, settings: DocumentSettings) -> Iterator[Document | Rejected]:
    csv.field_size_limit(min(settings.max_characters, sys.maxsize))
    with file.path.open(encoding=encoding_of(file.path), errors="replace", newline="") as stream:
        delimiter = "\t" if file.path.suffix.lower() == ".tsv" else _delimiter(stream.readline(1 << 16))
        stream.seek(0)
        rows = csv.reader(stream, delimiter=delimiter)
        try:
            header = [name.strip() for name in next(rows, [])]
        except csv.Error as error:
            raise Unreadable(f"its header row is damaged: {error}") from error
        wanted = settings.text_field
        if wanted != DocumentSettings().text_field and wanted not in header:
            raise Unreadable(f"no column `{wanted}`, found {', '.join(header[:_NAMES_SHOWN])}")
        number = 0
        while True:
            number += 1
            source = f"{file.source}#{number}"
            try:
                row = next(rows, None)
                if row is None:
                    return
                if any(cell.strip() for cell in row):
                    yield _delimited_document(source, header, row, settings)
            except csv.Error as error:
                yield Rejected(source, f"damaged row: {error}")
            except Unreadable as error:
                yield Rejected(source, str(error))


def _delimited_document(
    source: str, header: list[str], row: list[str], settings: DocumentSettings
) -> Document:
    # a row may end before the column: then it names nobody
    rule = rule_of((name, row[place] if place < len(row) else "") for place, name in enumerate(header))
    names = [name or f"column {index}" for index, name in enumerate(header, start=1)]
    names += [f"column {index}" for index in range(len(names) + 1, len(row) + 1)]
    # two columns of one name are two columns: the second must not take the place of the first
    names = [
        name if names.index(name) == place else f"{name} ({place + 1})" for place, name in enumerate(names)
    ]
    values = {name: value for name, value in zip(names, row, strict=False) if not is_rule(name)}
    if settings.text_field in values:
        return _row_document(source, values.pop(settings.text_field), values, settings, rule)
    text = "\n".join(f"{name}: {value.strip()}" for name, value in values.items() if value.strip())
    builder = TextBuilder(settings.max_characters)
    builder.add(BlockKind.PARAGRAPH, text)
    # a long cell is in the text already; as a filter it would be useless
    metadata = {name: value for name, value in values.items() if len(value) <= _LONG_VALUE}
    return builder.document(
        source, title=values.get("title", ""), metadata=_with_id(metadata), principals=rule
    )


def _row_document(
    source: str,
    text: str,
    values: Mapping[str, str],
    settings: DocumentSettings,
    rule: tuple[str, ...] | None,
) -> Document:
    builder = TextBuilder(settings.max_characters)
    title = values.get("title", "")
    builder.add(BlockKind.HEADING, " ".join(title.split()), level=1)
    for paragraph in text.replace("\r\n", "\n").split("\n\n"):
        builder.add(BlockKind.PARAGRAPH, paragraph)
    metadata = {name: value for name, value in values.items() if name != "title"}
    return builder.document(source, title=title, metadata=_with_id(metadata), principals=rule)


def _with_id(metadata: dict[str, str]) -> dict[str, str]:
    found = next((name for name in _ID_FIELDS if metadata.get(name)), None)
    return (
        metadata
        if found is None
        else {"id": metadata[found], **{k: v for k, v in metadata.items() if k != found}}
    )


def _delimiter(header: str) -> str:
    """Return the separator that the header row has most of."""
    return max(",;\t|", key=header.count)


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
