"""SummEdits: consistent summaries, and the same with a fact edited.

Takes one file a domain, gives a dataset (Laban et al. 2023, arXiv:2305.14540; Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hybrid.grounding.data.diffs import diff_spans
from hybrid.grounding.data.loaders.reading import checked_rows, document_name
from hybrid.grounding.data.values import Dataset, Example, Label


@dataclass(frozen=True, slots=True)
class Summary:
    """A row; label 1 is consistent with the document."""

    id: str
    doc: str
    summary: str
    label: int
    original_summary: str
    edit_types: tuple[str, ...] = ()


def load_summedits(paths: Sequence[Path]) -> Dataset:
    """Read domains, each named like its file.

    The words that are not supported are those that differ from the consistent summary that was edited.
    """
    return Dataset(
        "SummEdits", tuple(_example(path, row.value) for path in paths for row in checked_rows(path, Summary))
    )


def _example(path: Path, row: Summary) -> Example:
    spans = () if row.label else diff_spans(row.original_summary, row.summary)
    return Example(
        id=f"summedits-{path.stem}-{row.id}",
        claim=row.summary,
        evidence=(row.doc,),
        label=Label.SUPPORTED if row.label else Label.UNSUPPORTED,
        source=document_name(row.doc),
        domain=path.stem,
        task="summary",
        kind=", ".join(row.edit_types),
        unsupported_spans=spans if spans or row.label else None,
        licence="Apache-2.0",
    )
