"""Which passages the arms saw for a question, and which stretches of them were cited or are gold.

Takes a question and its outcomes, gives passages cut into marked stretches. Knows nothing about HTML.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from hybrid.evaluation.outcomes import Outcome, Retrieved
from hybrid.types import Question, Span

SHOWN_PASSAGES = 8
# A passage is as long as a chunk; a longer one is cut to this around what is marked.
_LONGEST = 2_400
_BEFORE = 300


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a passage: ``cited`` names who cites it, such as ``rag [1]``."""

    text: str
    cited: tuple[str, ...] = ()
    gold: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A passage as it is shown: ``seen`` says which arm had it at which rank."""

    source: str
    span: Span
    seen: tuple[str, ...]
    stretches: tuple[Stretch, ...]

    @property
    def telling(self) -> bool:
        """Tell whether anything in it is cited or gold."""
        return any(stretch.cited or stretch.gold for stretch in self.stretches)


@dataclass(slots=True)
class _Found:
    passage: Retrieved
    rank: int
    seen: list[str] = field(default_factory=list)


def shown_passages(question: Question | None, outcomes: Sequence[Outcome]) -> tuple[Shown, ...]:
    """Return every passage once: those with marks first, then by the best rank that an arm gave it."""
    found: dict[tuple[str, int, int], _Found] = {}
    for outcome in outcomes:
        for rank, passage in enumerate(outcome.passages, start=1):
            place = (passage.source, passage.span.start, passage.span.end)
            entry = found.setdefault(place, _Found(passage, rank))
            entry.rank = min(entry.rank, rank)
            entry.seen.append(f"{outcome.arm} #{rank}")
    ranked = sorted(found.values(), key=lambda entry: entry.rank)
    shown = [_shown(entry, question, outcomes) for entry in ranked]
    return tuple(sorted(shown, key=lambda passage: not passage.telling))


def missed_evidence(question: Question | None, shown: Sequence[Shown]) -> tuple[int, ...]:
    """Return which pieces of gold evidence (by place) stand in no passage that an arm saw."""
    if question is None:
        return ()
    return tuple(
        place
        for place, evidence in enumerate(question.evidence)
        if not any(
            passage.source == evidence.source and any(stretch.gold for stretch in passage.stretches)
            for passage in shown
        )
    )


def _shown(entry: _Found, question: Question | None, outcomes: Sequence[Outcome]) -> Shown:
    passage = entry.passage
    cited = [
        (start, end, f"{outcome.arm} [{citation.number}]")
        for outcome in outcomes
        for citation in outcome.citations
        if citation.source == passage.source
        for start, end in _within(passage, citation.start, citation.end)
    ]
    gold = _gold(passage, question)
    stretches = _cut(passage.text, cited, gold)
    return Shown(passage.source, passage.span, tuple(entry.seen), stretches)


def _within(passage: Retrieved, start: int, end: int) -> list[tuple[int, int]]:
    """Return the part of a stretch of the document that lies in the passage, as offsets into its text."""
    low = max(0, start - passage.span.start)
    high = min(len(passage.text), end - passage.span.start)
    return [(low, high)] if low < high else []


def _gold(passage: Retrieved, question: Question | None) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for evidence in question.evidence if question else ():
        if evidence.source != passage.source:
            continue
        if evidence.span is not None:
            found += _within(passage, evidence.span.start, evidence.span.end)
        elif evidence.quote and (start := passage.text.find(evidence.quote)) >= 0:
            found.append((start, start + len(evidence.quote)))
    return found


def _cut(
    text: str, cited: Sequence[tuple[int, int, str]], gold: Sequence[tuple[int, int]]
) -> tuple[Stretch, ...]:
    marks = [*((start, end) for start, end, _ in cited), *gold]
    first, last = _window(text, min((start for start, _ in marks), default=0))
    edges = sorted({first, last, *(min(max(edge, first), last) for mark in marks for edge in mark)})
    stretches = [
        Stretch(
            text[start:end],
            tuple(dict.fromkeys(who for low, high, who in cited if low <= start and end <= high)),
            any(low <= start and end <= high for low, high in gold),
        )
        for start, end in pairwise(edges)
    ]
    before = [Stretch("… ")] if first > 0 else []
    after = [Stretch(f" … ({len(text) - last:,} more characters)")] if last < len(text) else []
    return (*before, *stretches, *after)


def _window(text: str, mark: int) -> tuple[int, int]:
    if len(text) <= _LONGEST:
        return 0, len(text)
    first = max(0, min(mark - _BEFORE, len(text) - _LONGEST))
    return first, first + _LONGEST
