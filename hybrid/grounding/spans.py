"""Are the right stretches of a text marked? Precision and recall in characters or in words.

Takes what was marked and what should have been, gives counts, which are added over texts before any share is
taken of them. Offsets are code points, half-open.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybrid.errors import UsageError
from hybrid.types import Span

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much was marked, how much should have been, and how much of it is both: characters or words.

    Those of several texts are added, and the shares taken of the sum.
    """

    marked: int = 0
    gold: int = 0
    shared: int = 0

    def __add__(self, other: Overlap) -> Overlap:
        return Overlap(self.marked + other.marked, self.gold + other.gold, self.shared + other.shared)

    @property
    def precision(self) -> float | None:
        """Return the share of what was marked that should have been; None if nothing was."""
        return self.shared / self.marked if self.marked else None

    @property
    def recall(self) -> float | None:
        """Return the share of what should have been marked that was; None if there is nothing."""
        return self.shared / self.gold if self.gold else None

    @property
    def f1(self) -> float | None:
        """Return the harmonic mean of both; None if there is nothing on either side."""
        whole = self.marked + self.gold
        return 2 * self.shared / whole if whole else None


def merged_spans(spans: Iterable[Span], *, length: int, text: str = "") -> tuple[Span, ...]:
    """Return the same stretches in order, cut to the length, without overlaps and without empty ones.

    Args:
        spans: in any order.
        length: of the text that they point into.
        text: if given, stretches with nothing but white space between them are joined.
    """
    joined: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        start, end = max(span.start, 0), min(span.end, length)
        if start >= end:
            continue
        near = joined and (start <= joined[-1].end or (text and not text[joined[-1].end : start].strip()))
        if near:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, end))
        else:
            joined.append(Span(start, end))
    return tuple(joined)


def union(spans: Iterable[Span]) -> list[Span]:
    """Return the same stretches in order, with those that touch or overlap made one, without empty ones.

    Raises:
        UsageError: a span ends before it starts, or starts before the text.
    """
    joined: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        if not 0 <= span.start <= span.end:
            raise UsageError(f"{span} is no stretch of a text: expected 0 <= start <= end")
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        elif span.start < span.end:
            joined.append(span)
    return joined


def character_overlap(marked: Iterable[Span], gold: Iterable[Span]) -> Overlap:
    """Return how many characters were marked, should have been, and both.

    The union of each side is taken first, so that nothing counts twice where annotators or predictions
    overlap (a sum over pairs of spans may exceed what is there).
    """
    one, other = union(marked), union(gold)
    shared = place = 0
    for span in one:
        while place < len(other) and other[place].end <= span.start:
            place += 1
        ahead = place
        while ahead < len(other) and other[ahead].start < span.end:
            shared += min(span.end, other[ahead].end) - max(span.start, other[ahead].start)
            ahead += 1
    return Overlap(_length(one), _length(other), shared)


def word_overlap(text: str, marked: Iterable[Span], gold: Iterable[Span]) -> Overlap:
    """Return the same in words of the text; a word counts as marked if any character of it is."""
    spans = [Span(*match.span()) for match in _WORD.finditer(text)]
    one, other = _touched(spans, union(marked)), _touched(spans, union(gold))
    return Overlap(int(one.sum()), int(other.sum()), int((one & other).sum()))


def _touched(spans: Sequence[Span], marks: Sequence[Span]) -> NDArray[np.bool_]:
    starts = np.array([mark.start for mark in marks], dtype=np.int64)
    ends = np.array([mark.end for mark in marks], dtype=np.int64)
    # the first stretch that does not end before the word
    first = np.searchsorted(ends, [span.start for span in spans], side="right")
    reached = np.append(starts, np.iinfo(np.int64).max)[first]
    return np.asarray(reached < np.array([span.end for span in spans], dtype=np.int64))


def _length(spans: Iterable[Span]) -> int:
    return sum(span.end - span.start for span in spans)
