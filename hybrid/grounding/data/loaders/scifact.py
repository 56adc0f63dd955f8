"""SciFact: claims by scientists against the abstracts that they cite.

Takes the claims and the corpus beside them, gives a dataset (Wadden et al. 2020, arXiv:2004.14974; claims
CC BY 4.0, abstracts ODC-By).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hybrid.errors import UsageError
from hybrid.grounding.data.loaders.reading import Row, checked_rows
from hybrid.grounding.data.values import Dataset, Example, Label

CORPUS = "corpus.jsonl"
_LABELS = {"SUPPORT": Label.SUPPORTED, "CONTRADICT": Label.REFUTED}


@dataclass(frozen=True, slots=True)
class Rationale:
    """Sentences of an abstract that decide; they are counted in a split of the abstract that is not there."""

    doc_id: str | int
    label: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim and the abstracts that were looked at."""

    id: str | int
    claim: str
    cited_doc_ids: tuple[str | int, ...]
    evidence: tuple[Rationale, ...]


@dataclass(frozen=True, slots=True)
class Abstract:
    """A row of the corpus."""

    _id: str | int
    title: str
    text: str


def load_scifact(claims: Path) -> Dataset:
    """Read claims; each abstract that a claim cites gives an example, neutral if nobody found evidence in it.

    Raises:
        UsageError: an abstract is not in the corpus beside the claims, or a label is none of the two.
    """
    corpus = claims.parent / CORPUS
    known = {str(row.value._id): row.value for row in checked_rows(corpus, Abstract)}
    examples = tuple(
        example for row in checked_rows(claims, Claim) for example in _examples(row, known, corpus)
    )
    return Dataset("SciFact", examples, ("unsupported_spans", "kind", "generator"))


def _examples(row: Row[Claim], known: dict[str, Abstract], corpus: Path) -> Iterator[Example]:
    labels = {str(rationale.doc_id): rationale.label for rationale in row.value.evidence}
    for name in dict.fromkeys([*map(str, row.value.cited_doc_ids), *labels]):
        abstract = known.get(name)
        if abstract is None:
            raise UsageError(f"{row.where}: abstract {name} is not in {corpus}")
        if labels.get(name, "SUPPORT") not in _LABELS:
            raise UsageError(f"{row.where}: the label is {labels[name]!r}, expected {' or '.join(_LABELS)}")
        label = _LABELS[labels[name]] if name in labels else Label.NEUTRAL
        yield Example(
            id=f"scifact-{row.value.id}-{name}",
            claim=row.value.claim,
            evidence=(f"{abstract.title}\n{abstract.text}",),
            label=label,
            source=name,
            domain="scifact",
            task="fact-check",
            unsupported_spans=() if label is Label.SUPPORTED else None,
            licence="CC BY 4.0 (claims), ODC-By (abstracts)",
        )
