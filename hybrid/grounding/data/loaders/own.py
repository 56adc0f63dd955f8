"""A user's own labelled claims, JSON lines.

Takes rows of a claim (or an answer), its evidence (or passages) and a label, gives a dataset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hybrid.errors import UsageError
from hybrid.grounding.data.loaders.reading import Row, checked_rows, document_name
from hybrid.grounding.data.values import Dataset, Example, Label
from hybrid.grounding.spans import merged_spans
from hybrid.types import Span

_WORDS = {
    Label.SUPPORTED: ("supported", "support", "supports", "faithful", "consistent", "true", "yes", "1"),
    Label.REFUTED: (
        "refuted",
        "refute",
        "refutes",
        "contradicted",
        "contradict",
        "contradicts",
        "contradiction",
    ),
    Label.NEUTRAL: ("neutral", "not in evidence", "irrelevant", "not enough info"),
    Label.UNSUPPORTED: ("unsupported", "not supported", "hallucinated", "inconsistent", "false", "no", "0"),
}
_LABELS = {word: label for label, words in _WORDS.items() for word in words}


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the claim, in characters."""

    start: int
    end: int


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
    question: str = ""
    licence: str = ""
    unsupported_spans: tuple[Stretch, ...] | None = None


def load_own(paths: Sequence[Path]) -> Dataset:
    """Read rows; without a source, rows with the same passages count as one document.

    A label is true or false, 1 or 0, or a word: supported, refuted, neutral ("not in evidence"), or
    unsupported where it is not known which of the last two.

    Raises:
        UsageError: a row without a claim, evidence or a label that is known; the message names the line.
    """
    examples = tuple(_example(path, row) for path in paths for row in checked_rows(path, Labelled))
    optional = ("source", "domain", "task", "kind", "licence")
    unknown = tuple(name for name in optional if not any(_given(example, name) for example in examples))
    return Dataset(paths[0].stem if paths else "", examples, unknown)


def _given(example: Example, name: str) -> bool:
    value: str = getattr(example, name)
    return bool(value) and not (name == "source" and value == document_name("\n".join(example.evidence)))


def _example(path: Path, row: Row[Labelled]) -> Example:
    value = row.value
    claim = value.claim or value.answer
    found = value.evidence or value.passages
    passages = (found,) if isinstance(found, str) else tuple(found)
    label = _LABELS.get(" ".join(str(value.label).lower().replace("_", " ").split()))
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
        marked = (Span(stretch.start, stretch.end) for stretch in value.unsupported_spans)
        spans = merged_spans(marked, length=len(claim))
    return Example(
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
        question=value.question,
    )
