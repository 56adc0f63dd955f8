"""WiCE: sentences of Wikipedia against the pages that they cite.

Takes claims with the sentences that support them, or parts of claims with the words that nothing supports;
gives datasets (Kamoi et al. 2023, arXiv:2303.01432; annotations ODC-BY).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hybrid.errors import UsageError
from hybrid.grounding.data.loaders.reading import Row, checked_rows, document_name
from hybrid.grounding.data.values import Dataset, Example, Label
from hybrid.grounding.spans import merged_spans
from hybrid.grounding.values import Evidence
from hybrid.types import Span

_LABELS = {
    "supported": Label.SUPPORTED,
    "partially_supported": Label.UNSUPPORTED,
    "not_supported": Label.UNSUPPORTED,
}


@dataclass(frozen=True, slots=True)
class Meta:
    """Where the claim stands."""

    id: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim; ``supporting_sentences`` are alternative sets of places in ``evidence``."""

    label: str
    supporting_sentences: tuple[tuple[int, ...], ...]
    claim: str
    evidence: tuple[str, ...]
    meta: Meta


@dataclass(frozen=True, slots=True)
class MarkedClaim:
    """A claim with a flag a word: whether nothing supports it."""

    label: str
    supporting_sentences: tuple[tuple[int, ...], ...]
    claim: str
    evidence: tuple[str, ...]
    meta: Meta
    claim_tokens: tuple[str, ...]
    non_supported_spans: tuple[bool, ...]


def load_wice(paths: Sequence[Path]) -> Dataset:
    """Read claims; the page is one passage, a line a sentence.

    Raises:
        UsageError: a label that is none of the three, or a sentence that the page does not have.
    """
    examples = tuple(_example(row, row.value, None) for path in paths for row in checked_rows(path, Claim))
    return Dataset("WiCE", examples, ("generator",))


def load_marked_wice(paths: Sequence[Path]) -> Dataset:
    """Read claims whose words are marked.

    Raises:
        UsageError: as above, or words that are not those of the claim, in their order.
    """
    examples = tuple(
        _example(row, row.value, _marked(row)) for path in paths for row in checked_rows(path, MarkedClaim)
    )
    return Dataset("WiCE, marked words", examples, ("generator",))


def _example(
    row: Row[Claim] | Row[MarkedClaim], value: Claim | MarkedClaim, spans: tuple[Span, ...] | None
) -> Example:
    label = _LABELS.get(value.label)
    if label is None:
        raise UsageError(f"{row.where}: the label is {value.label!r}, expected {', '.join(_LABELS)}")
    page = "\n".join(value.evidence)
    return Example(
        id=f"wice-{value.meta.id}",
        claim=value.claim,
        evidence=(page,),
        label=label,
        source=document_name(page),
        domain="wice",
        task="fact-check",
        kind="" if label is Label.SUPPORTED else value.label.replace("_", " "),
        unsupported_spans=() if label is Label.SUPPORTED else spans,
        licence="ODC-BY",
        carried_by=tuple(_sets(row.where, value.evidence, value.supporting_sentences)),
    )


def _sets(where: str, sentences: Sequence[str], sets: Iterable[Sequence[int]]) -> Iterator[Evidence]:
    starts = [0]
    for sentence in sentences:
        starts.append(starts[-1] + len(sentence) + 1)
    for places in sets:
        if any(not 0 <= place < len(sentences) for place in places):
            raise UsageError(f"{where}: sentences {list(places)} of a page of {len(sentences)}")
        if places:
            spans = (Span(starts[place], starts[place] + len(sentences[place])) for place in places)
            yield Evidence(0, tuple(spans), " ".join(sentences[place] for place in places))


def _marked(row: Row[MarkedClaim]) -> tuple[Span, ...]:
    value, spans, end = row.value, [], 0
    if len(value.claim_tokens) != len(value.non_supported_spans):
        raise UsageError(
            f"{row.where}: {len(value.claim_tokens)} words and {len(value.non_supported_spans)} flags"
        )
    for word, lacking in zip(value.claim_tokens, value.non_supported_spans, strict=True):
        start = value.claim.find(word, end)
        if start < 0:
            raise UsageError(f"{row.where}: the word {word!r} does not stand in the claim at its place")
        end = start + len(word)
        if lacking:
            spans.append(Span(start, end))
    return merged_spans(spans, length=len(value.claim), text=value.claim)
