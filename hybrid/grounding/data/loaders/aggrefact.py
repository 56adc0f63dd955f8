"""LLM-AggreFact: eleven sets of claims of language models against documents, in one format.

Takes its rows as JSON lines or CSV, gives a dataset (Tang et al. 2024, arXiv:2404.10774; CC BY-ND 4.0, for
evaluation only: its authors ask not to train on it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hybrid.grounding.data.loaders.reading import checked_rows, document_name
from hybrid.grounding.data.values import Dataset, Example, Label


@dataclass(frozen=True, slots=True)
class Claim:
    """A row; label 1 is supported, and ``dataset`` names the set that it comes from."""

    dataset: str
    doc: str
    claim: str
    label: int


def load_aggrefact(paths: Sequence[Path]) -> Dataset:
    """Read the rows; each of the sets is a domain, and the published metric is the mean over them."""
    examples = tuple(
        Example(
            id=f"aggrefact-{path.stem}-{row.number}",
            claim=row.value.claim,
            evidence=(row.value.doc,),
            label=Label.SUPPORTED if row.value.label else Label.UNSUPPORTED,
            source=document_name(row.value.doc),
            domain=row.value.dataset,
            task="fact-check",
            unsupported_spans=() if row.value.label else None,
            licence="CC BY-ND 4.0",
        )
        for path in paths
        for row in checked_rows(path, Claim)
    )
    return Dataset("LLM-AggreFact", examples, ("kind", "generator"))
