"""Labelled claims in files: JSON lines, a JSON list or CSV, each row checked and named by its line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from hybrid.errors import UsageError
from hybrid.files import hash_text
from hybrid.questions.files import read_rows, text_of
from hybrid.questions.splits import unit_hash
from hybrid.types import Span

Shape = TypeVar("Shape")
_SUFFIXES = (".json", ".jsonl", ".csv")
_LONGEST_FIELD = 2**31 - 1
_SHOWN = 3
_PASSAGES = {"evidence", "passages"}
_EXPECTED = (
    "expected rows with `claim` or `answer`, `evidence` or `passages`, and `label`; public sets become such "
    "rows by `python -m recipes.grounding.sets SET` in a checkout of hybrid"
)


class Label(StrEnum):
    """What the evidence does to the claim.

    ``supported``: it carries all of it. ``refuted``: it says otherwise. ``neutral``: it does neither, the
    claim is not in it. ``unsupported``: one of the last two, or both in parts; the set does not say which.
    """

    SUPPORTED = "supported"
    REFUTED = "refuted"
    NEUTRAL = "neutral"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class LabelledClaim:
    """A claim, its evidence and a label.

    ``evidence`` are the texts of the passages. ``source`` is the document behind it: examples of one source
    are not independent, so they are split and resampled together; an empty one is a source of its own.
    ``domain`` is what the claim is about. ``task`` says what wrote the claim (qa,
    summary, dialogue, data-to-text, fact-check), ``kind`` what is wrong with it (the type of edit or of
    hallucination; "" if nothing is, or nobody said). ``unsupported_spans`` are the stretches of the claim
    that the evidence does not carry, in order and apart, () if there are none; None = unknown.

    Raises:
        UsageError: spans that are empty, overlap, are out of order or leave the claim.
    """

    id: str
    claim: str
    evidence: tuple[str, ...]
    label: Label
    source: str = ""
    domain: str = ""
    task: str = ""
    kind: str = ""
    unsupported_spans: tuple[Span, ...] | None = None
    licence: str = ""

    def __post_init__(self) -> None:
        """Refuse spans that are not stretches of the claim."""
        last = 0
        for span in self.unsupported_spans or ():
            if not last <= span.start < span.end <= len(self.claim):
                raise UsageError(
                    f"example {self.id}: the stretch {span.start}–{span.end} is empty, out of order, or "
                    f"leaves the claim of {len(self.claim)} characters"
                )
            last = span.end

    @property
    def supported(self) -> bool:
        """Tell whether all of the claim is carried: the binary view of every label."""
        return self.label is Label.SUPPORTED

    @property
    def against(self) -> str:
        """Return the contrast an unsupported claim is measured by; "" where the set does not tell."""
        return {Label.REFUTED: "refuted", Label.NEUTRAL: "not in evidence"}.get(self.label, "")


@dataclass(frozen=True, slots=True)
class Dataset:
    """Examples of one set."""

    name: str
    examples: tuple[LabelledClaim, ...]


_WORDS = {
    Label.SUPPORTED: "supported support supports faithful consistent true yes 1",
    Label.REFUTED: "refuted refute refutes contradicted contradict contradicts contradiction",
    Label.NEUTRAL: "neutral not_in_evidence irrelevant not_enough_info",
    Label.UNSUPPORTED: "unsupported not_supported hallucinated inconsistent false no 0",
}
_LABELS = {word: label for label, words in _WORDS.items() for word in words.split()}


@dataclass(frozen=True, slots=True)
class Labelled:
    """A row. One of ``claim`` and ``answer``, one of ``evidence`` and ``passages``, and ``label``."""

    label: bool | int | str
    claim: str = ""
    answer: str = ""
    evidence: str | tuple[str, ...] = ()
    passages: str | tuple[str, ...] = ()
    id: str | int = ""
    source: str = ""
    domain: str = ""
    task: str = ""
    kind: str = ""
    licence: str = ""
    unsupported_spans: tuple[Span, ...] | None = None


@dataclass(frozen=True, slots=True)
class CheckedRow(Generic[Shape]):
    """A row whose fields are what they should be."""

    number: int
    where: str
    value: Shape


def labels_of(claims: Sequence[LabelledClaim]) -> NDArray[np.bool_]:
    """Return whether each claim is supported."""
    return np.array([claim.supported for claim in claims], dtype=np.bool_)


def sources_of(claims: Sequence[LabelledClaim]) -> list[str]:
    """Return the source of each claim; one without a source is its own."""
    return [claim.source or f"\0{place}" for place, claim in enumerate(claims)]


def limited(claims: Sequence[LabelledClaim], count: int) -> list[LabelledClaim]:
    """Return at most so many claims in their order, of sources that are drawn by their name.

    All claims of a source come before the next source is drawn; the last one may be cut.
    """
    sources = sources_of(claims)
    order = sorted(range(len(claims)), key=lambda place: (unit_hash("limit", sources[place]), place))
    return [claims[place] for place in sorted(order[:count])]


def load_labelled(path: Path) -> Dataset:
    """Read a user's own labelled claims in a file, or in the files of a folder (not below it).

    Raises:
        UsageError: there are none, or a row is not as it should be; the message names what was found and what
            was expected.
    """
    if not path.exists():
        raise UsageError(f"there is no file or folder {path}", hint="name the file with the labelled claims")
    files = tables_in(path) if path.is_dir() else [path]
    if own := [file for file in files if is_own(fields_of(file))]:
        return load_own(own)
    raise UsageError(f"{path} holds no labelled claims: {told_of(path)}", hint=_EXPECTED)


def tables_in(folder: Path) -> list[Path]:
    """Return the files of a folder that may hold rows, by their names."""
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES and file.is_file())


def fields_of(path: Path) -> frozenset[str] | None:
    """Return the names of the fields of the first row of a file, none if that is no object; None without."""
    first = next(_rows(path), None)
    return first and _fields(first[1])


def is_own(fields: frozenset[str] | None) -> bool:
    """Tell whether a row with these fields is a labelled claim."""
    return bool(fields and "label" in fields and fields & {"claim", "answer"} and fields & _PASSAGES)


def told_of(path: Path) -> str:
    """Return what a message tells of a file or folder that holds nothing known."""
    if path.is_dir():
        return f"{len(tables_in(path))} files of JSON or CSV"
    fields = fields_of(path)
    if fields is None:
        return "it is empty"
    listed = f"the fields {', '.join(sorted(fields))}" if fields else "no fields"
    return f"its first row has {listed}"


def load_own(paths: Sequence[Path]) -> Dataset:
    """Read rows; without a source, rows with the same passages count as one document.

    A label is true or false, 1 or 0, or a word: supported, refuted, neutral ("not in evidence"), or
    unsupported where it is not known which of the last two.

    Raises:
        UsageError: a row without a claim, evidence or a label that is known; the message names the line.
    """
    examples = tuple(_example(path, row) for path in paths for row in checked_rows(path, Labelled))
    return Dataset(paths[0].stem if paths else "", examples)


def _example(path: Path, row: CheckedRow[Labelled]) -> LabelledClaim:
    value = row.value
    claim = value.claim or value.answer
    found = value.evidence or value.passages
    passages = (found,) if isinstance(found, str) else tuple(found)
    label = _LABELS.get("_".join(str(value.label).lower().replace("_", " ").split()))
    if not claim.strip():
        raise UsageError(f"{row.where}: there is no claim; expected a text in `claim` or `answer`")
    if not passages:
        raise UsageError(
            f"{row.where}: there is no evidence; expected a text or a list of texts in `evidence` or "
            f"`passages`"
        )
    if label is None:
        raise UsageError(
            f"{row.where}: the label is {value.label!r}, expected true or false, 1 or 0, or one of "
            f"{', '.join(label.value for label in Label)}"
        )
    spans: tuple[Span, ...] | None = None if label is not Label.SUPPORTED else ()
    if value.unsupported_spans is not None:
        spans = value.unsupported_spans
    return LabelledClaim(
        id=str(value.id) or f"{path.stem}-{row.number}",
        claim=claim,
        evidence=passages,
        label=label,
        source=value.source or document_name("\n".join(passages)),
        domain=value.domain,
        task=value.task,
        kind=value.kind,
        unsupported_spans=spans,
        licence=value.licence,
    )


def checked_rows(path: Path, shape: type[Shape]) -> Iterator[CheckedRow[Shape]]:
    """Yield the rows of a file in a shape, a dataclass; fields that it does not name are passed over.

    Raises:
        UsageError: a field is missing or of another kind; the message names the line and the field.
    """
    from pydantic import TypeAdapter, ValidationError

    adapter = TypeAdapter(shape)
    for number, value in _rows(path):
        where = f"{path}, line {number}"
        try:
            yield CheckedRow(number, where, adapter.validate_python(value))
        except ValidationError as error:
            wrong = [
                f"`{'.'.join(str(part) for part in found['loc']) or 'row'}`: {found['msg']}"
                for found in error.errors()[:_SHOWN]
            ]
            raise UsageError(
                f"{where}: {'; '.join(wrong)}; found the fields {', '.join(sorted(_fields(value))) or 'none'}"
            ) from error


def document_name(text: str) -> str:
    """Return a name for a document of which only the text is known."""
    return f"text-{hash_text(text)[:12]}"


def _fields(row: Any) -> frozenset[str]:
    return frozenset(row) if isinstance(row, dict) else frozenset()


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the rows of a file with their lines: of JSON lines, of a table, or items of a JSON list."""
    return _table(text_of(path, table=True)) if path.suffix.lower() == ".csv" else read_rows(path)


def _table(text: str) -> Iterator[tuple[int, Any]]:
    # whole documents stand in a field, more than the module allows by default
    limit = csv.field_size_limit(_LONGEST_FIELD)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""))
        rows = [(reader.line_num, row) for row in reader]
    finally:
        csv.field_size_limit(limit)
    yield from rows
