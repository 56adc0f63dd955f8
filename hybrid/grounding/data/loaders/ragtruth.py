"""RAGTruth: responses of six models with the stretches that people marked.

Takes its two files as they are published, gives a dataset (Niu et al. 2024, arXiv:2401.00396; MIT).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybrid.errors import UsageError
from hybrid.grounding.data.loaders.reading import checked_rows
from hybrid.grounding.data.values import Dataset, Example, Label
from hybrid.grounding.spans import merged_spans
from hybrid.types import Span

RESPONSES = "response.jsonl"
SOURCES = "source_info.jsonl"
_TASKS = {"QA": "qa", "Summary": "summary", "Data2txt": "data-to-text"}
_PASSAGE = re.compile(r"passage \d+:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of a response that an annotator marked."""

    start: int
    end: int
    label_type: str


@dataclass(frozen=True, slots=True)
class Response:
    """A row of ``response.jsonl``."""

    id: str | int
    source_id: str | int
    model: str
    labels: tuple[Mark, ...]
    quality: str
    response: str


@dataclass(frozen=True, slots=True)
class Source:
    """A row of ``source_info.jsonl``; ``source_info`` is a text, or an object for QA and data-to-text."""

    source_id: str | int
    task_type: str
    source: str
    source_info: Any


def load_ragtruth(folder: Path) -> Dataset:
    """Read both files of a folder.

    As in the published evaluation, a response with any marked stretch is unsupported, and only responses
    of good quality count. A conflict makes it refuted, baseless information alone neutral. A structured
    source becomes lines such as "hours, Monday: 9:0-22:30".

    Raises:
        UsageError: a row is no such row, or names a source that is not there.
    """
    known = {str(row.value.source_id): row.value for row in checked_rows(folder / SOURCES, Source)}
    examples: list[Example] = []
    left_out = 0
    for row in checked_rows(folder / RESPONSES, Response):
        source = known.get(str(row.value.source_id))
        if source is None:
            raise UsageError(f"{row.where}: source {row.value.source_id} is not in {folder / SOURCES}")
        if row.value.quality == "good":
            examples.append(_example(row.value, source))
        else:
            left_out += 1
    return Dataset("RAGTruth", tuple(examples), left_out=left_out)


def _example(response: Response, source: Source) -> Example:
    types = sorted(mark.label_type.lower() for mark in response.labels)
    spans = (Span(mark.start, mark.end) for mark in response.labels)
    info = source.source_info
    return Example(
        id=f"ragtruth-{response.id}",
        claim=response.response,
        evidence=_passages(info),
        label=_label(types),
        source=str(response.source_id),
        domain=source.source,
        task=_TASKS.get(source.task_type, source.task_type.lower()),
        kind=", ".join(dict.fromkeys(types)),
        unsupported_spans=merged_spans(spans, length=len(response.response)),
        licence="MIT",
        question=str(info.get("question", "")) if isinstance(info, dict) else "",
        generator=response.model,
    )


def _label(types: Iterable[str]) -> Label:
    conflicts = ["conflict" in name for name in types]
    if not conflicts:
        return Label.SUPPORTED
    return Label.REFUTED if any(conflicts) else Label.NEUTRAL


def _passages(info: Any) -> tuple[str, ...]:
    if isinstance(info, str):
        return (info,)
    if isinstance(info, dict) and isinstance(info.get("passages"), str):
        parts = (part.strip() for part in _PASSAGE.split(info["passages"]))
        return tuple(part for part in parts if part)
    return ("\n".join(_lines(info, "")),)


def _lines(value: Any, name: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _lines(inner, f"{name}, {key}" if name else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _lines(inner, name)
    else:
        yield f"{name.replace('_', ' ')}: {value if isinstance(value, str) else json.dumps(value)}"
