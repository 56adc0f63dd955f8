"""FaithBench: summaries of ten models, hard to judge, with stretches marked by several people.

Takes batches as they are published, or the binary rows made of them, gives datasets (Bao et al. 2025).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hybrid.grounding.data.loaders.reading import checked_rows, document_name
from hybrid.grounding.data.values import Dataset, Example, Label
from hybrid.grounding.spans import merged_spans
from hybrid.types import Span


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of a summary with the labels that one annotator gave it."""

    label: tuple[str, ...]
    summary_start: int
    summary_end: int


@dataclass(frozen=True, slots=True)
class Meta:
    """Who wrote the summary."""

    summarizer: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of a batch."""

    sample_id: int | str
    source: str
    summary: str
    annotations: tuple[Mark, ...] = ()
    metadata: Meta = Meta()


@dataclass(frozen=True, slots=True)
class Binary:
    """A sample with one label: 1 is consistent."""

    source: str
    summary: str
    label: int


def load_faithbench(paths: Sequence[Path]) -> Dataset:
    """Read batches.

    A summary is unsupported if anyone marked a stretch of it as unwanted: refuted if as intrinsic, neutral
    if only as extrinsic. What was only called questionable or benign stays supported, with that as its
    kind. (The script published with the data counts questionable as unsupported.)
    """
    examples: list[Example] = []
    for path in paths:
        for row in checked_rows(path, Sample):
            sample = row.value
            given = {label.lower() for mark in sample.annotations for label in mark.label}
            unwanted = [mark for mark in sample.annotations if any(map(_is_unwanted, mark.label))]
            spans = (Span(mark.summary_start, mark.summary_end) for mark in unwanted)
            examples.append(
                Example(
                    id=f"faithbench-{path.stem}-{sample.sample_id}",
                    claim=sample.summary,
                    evidence=(sample.source,),
                    label=_label(given),
                    source=document_name(sample.source),
                    domain="faithbench",
                    task="summary",
                    kind=", ".join(sorted(given)),
                    unsupported_spans=merged_spans(spans, length=len(sample.summary)),
                    generator=sample.metadata.summarizer,
                )
            )
    return Dataset("FaithBench", tuple(examples), ("licence",))


def load_binary(paths: Sequence[Path]) -> Dataset:
    """Read rows of source, summary and a label, 1 for consistent."""
    examples = tuple(
        Example(
            id=f"{path.stem}-{row.number}",
            claim=row.value.summary,
            evidence=(row.value.source,),
            label=Label.SUPPORTED if row.value.label else Label.UNSUPPORTED,
            source=document_name(row.value.source),
            domain=path.stem,
            task="summary",
            unsupported_spans=() if row.value.label else None,
        )
        for path in paths
        for row in checked_rows(path, Binary)
    )
    return Dataset("summaries with one label", examples, ("licence", "kind", "generator"))


def _is_unwanted(label: str) -> bool:
    return label.lower().startswith("unwanted")


def _label(given: set[str]) -> Label:
    unwanted = {label.partition(".")[2] for label in given if _is_unwanted(label)}
    if not unwanted:
        return Label.SUPPORTED
    # "instrinsic" stands in places of the published files
    if unwanted & {"intrinsic", "instrinsic"}:
        return Label.REFUTED
    return Label.NEUTRAL if "extrinsic" in unwanted else Label.UNSUPPORTED
