"""Rows of a file, checked: JSON lines, one JSON document, or CSV.

Takes a path and the shape of a row, gives rows with the place where each stands. Knows no format.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from hybrid.errors import UsageError
from hybrid.files import hash_text

Shape = TypeVar("Shape")
_LONGEST_FIELD = 2**31 - 1
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Raw:
    """A row as it was found; ``number`` is its line, or its place in the list, from 1."""

    path: Path
    number: int
    value: Any

    @property
    def fields(self) -> frozenset[str]:
        """Return the names of its fields; none if it is no object."""
        return frozenset(self.value) if isinstance(self.value, dict) else frozenset()

    @property
    def where(self) -> str:
        """Return what a message calls the place."""
        return f"{self.path}, line {self.number}"


@dataclass(frozen=True, slots=True)
class Row(Generic[Shape]):
    """A row whose fields are what they should be."""

    number: int
    where: str
    value: Shape


def raw_rows(path: Path) -> Iterator[Raw]:
    """Yield the rows of a file: of JSON lines, of a JSON list, of its list ``samples``, or of a table (CSV).

    Raises:
        UsageError: it cannot be read as any of these; the message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as text: {error}") from error
    values = _table(text) if path.suffix.lower() == ".csv" else _objects(path, text)
    yield from (Raw(path, number, value) for number, value in values)


def checked_rows(path: Path, shape: type[Shape]) -> Iterator[Row[Shape]]:
    """Yield the rows of a file in a shape, a dataclass; fields that it does not name are passed over.

    Raises:
        UsageError: a field is missing or of another kind; the message names the line and the field.
    """
    from pydantic import TypeAdapter, ValidationError

    adapter = TypeAdapter(shape)
    for raw in raw_rows(path):
        try:
            yield Row(raw.number, raw.where, adapter.validate_python(raw.value))
        except ValidationError as error:
            wrong = [
                f"`{'.'.join(str(part) for part in found['loc']) or 'row'}`: {found['msg']}"
                for found in error.errors()[:_SHOWN]
            ]
            raise UsageError(
                f"{raw.where}: {'; '.join(wrong)}; found the fields {', '.join(sorted(raw.fields)) or 'none'}"
            ) from error


def document_name(text: str) -> str:
    """Return a name for a document of which only the text is known."""
    return f"text-{hash_text(text)[:12]}"


def _objects(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if text.lstrip()[:1] == "[" or len(lines) == 1 or (lines and not _is_json(lines[0][1])):
        yield from enumerate(_items(path, text), start=1)
        return
    for number, line in lines:
        try:
            yield number, json.loads(line)
        except json.JSONDecodeError as error:
            raise UsageError(f"{path}, line {number}: not JSON ({error.msg})") from error


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except json.JSONDecodeError:
        return False
    return True


def _items(path: Path, text: str) -> list[Any]:
    """Return what one JSON document holds: its items, those of its list ``samples``, or itself."""
    try:
        value: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from error
    items = value.get("samples", [value]) if isinstance(value, dict) else value
    return items if isinstance(items, list) else [items]


def _table(text: str) -> Iterator[tuple[int, Any]]:
    # whole documents stand in a field, more than the module allows by default
    limit = csv.field_size_limit(_LONGEST_FIELD)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""))
        rows = [(reader.line_num, row) for row in reader]
    finally:
        csv.field_size_limit(limit)
    yield from rows
