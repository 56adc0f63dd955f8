"""Take candidates from many documents and of many kinds in turn.

Takes documents one after the other, gives their candidates in an order in which every beginning is
spread as evenly as the corpus allows. Knows nothing about retrieval.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hybrid.questions.splits import unit_hash
from hybrid.questions.values import Candidate
from hybrid.types import Document

# Which share of a set a kind may aim at: a heading is a poorer question than a definition.
_WEIGHTS = {"heading": 0.35}


@dataclass(frozen=True, slots=True)
class Placed:
    """A candidate and the document that it is from."""

    document: Document
    candidate: Candidate


def spread(
    sources: Sequence[str], read: Callable[[str], tuple[Document, Sequence[Candidate]]], *, seed: int
) -> Iterator[Placed]:
    """Yield one candidate a document, then a second one of each, and so on.

    Of the kinds that a document has left, the one that was taken least is next. Documents are visited in
    an order fixed by the seed and read when it is their turn, so that a small set from a large corpus
    does not read all of it.
    """
    taken: Counter[str] = Counter()
    order = sorted(sources, key=lambda source: unit_hash("order", str(seed), source))
    waiting: deque[_Left] = deque()
    for source in order:
        document, candidates = read(source)
        left = _Left(document, candidates, seed=seed)
        if placed := left.take(taken):
            yield placed
            waiting.append(left)
    while waiting:
        left = waiting.popleft()
        if placed := left.take(taken):
            yield placed
            waiting.append(left)


class _Left:
    """The candidates of a document that were not taken yet, by kind."""

    def __init__(self, document: Document, candidates: Sequence[Candidate], *, seed: int) -> None:
        self._document = document
        self._kinds: dict[str, list[Candidate]] = {}
        ordered = sorted(
            candidates, key=lambda candidate: unit_hash(str(seed), document.source, candidate.text)
        )
        for candidate in ordered:
            self._kinds.setdefault(candidate.made, []).append(candidate)

    def take(self, taken: Counter[str]) -> Placed | None:
        """Take one of the kind that was taken least so far; None when nothing is left."""
        if not self._kinds:
            return None
        made = min(self._kinds, key=lambda kind: (taken[kind] / _WEIGHTS.get(kind, 1.0), kind))
        candidate = self._kinds[made].pop()
        if not self._kinds[made]:
            del self._kinds[made]
        taken[made] += 1
        return Placed(self._document, candidate)
