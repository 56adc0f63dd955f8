"""Query-passage pairs from a corpus without labels, for an embedder.

Takes a retriever over the domain and documents split into parts, gives pairs and how much was left out for
which reason. Queries come from the documents themselves; one is kept only if retrieval brings its document
back, so that what is learned is a search that can be won. Negatives are what retrieval confuses with the
passage; those that may answer the query too are left out (the relative margin of NV-Retriever, Moreira et al.
2024, arXiv:2407.15831). The teacher is the fused ranking: its margins say how much better the passage is than
each of them. Knows nothing about training.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from hybrid.adaptation.examples.material import Split
from hybrid.adaptation.examples.sifting import Sieve, counted
from hybrid.adaptation.queries.questions import (
    ACRONYM,
    CLAIM,
    CLOZE,
    DEFINITION,
    HEADING,
    QUESTION,
    Draft,
    draft_queries,
)
from hybrid.adaptation.values import Pairs, QueryPair
from hybrid.errors import UsageError
from hybrid.index import Index
from hybrid.questions.corpus import chunks_of, deep_search
from hybrid.questions.likeness import Seen, key_of
from hybrid.questions.making import Search
from hybrid.questions.splits import unit_hash
from hybrid.retrieval import Retriever
from hybrid.types import Hit, Question

MIN_PAIRS = 8
# A query whose document is not among so many hits is too vague to learn from.
ROUND_TRIP = 10
_DEPTH = 40
_BATCH = 64
# A passage that is nearly as near to the query as the right one may be right as well.
_RELATIVE_MARGIN = 0.05
# Which share of the pairs a rule may aim at.
_SHARES = {HEADING: 0.3, CLAIM: 0.3, QUESTION: 0.15, CLOZE: 0.15, ACRONYM: 0.05, DEFINITION: 0.05}

_TWICE = "duplicate: there already in nearly the same words"
_LOST = f"vague: its document is not among the first {ROUND_TRIP} hits"


@dataclass(frozen=True, slots=True)
class PairSettings:
    """How many pairs are made, and how many negatives each of them has at the most."""

    count: int = 2_000
    validation: int = 200
    negatives: int = 4
    seed: int = 0


def make_pairs(
    retriever: Retriever, split: Split, settings: PairSettings, *, sieve: Sieve | None = None
) -> Pairs:
    """Return pairs for training and for validation, which share no document.

    Args:
        retriever: over the domain, with the base embedder.
        split: of its documents; those that are held out are in no pair, not even as a negative.
        settings: how many.
        sieve: the question sets of the domain; queries that leak from them are left out.

    Raises:
        UsageError: there is too little to train on.
    """
    making = _Making(retriever, settings, sieve, split.held_out)
    train = making.pairs(split.training, settings.count)
    if len(train) < MIN_PAIRS:
        raise UsageError(
            f"the corpus gives {len(train)} query-passage pairs, expected {MIN_PAIRS} or more",
            hint="index more documents, or give pairs with --data FILE.jsonl",
        )
    validation = making.pairs(split.validation, settings.validation)
    return Pairs(tuple(train), tuple(validation), tuple(counted(making.left_out)))


def held_out_pairs(
    retriever: Retriever, sources: frozenset[str], *, count: int, seed: int, sieve: Sieve | None = None
) -> list[QueryPair]:
    """Return pairs of documents that no training saw, to measure a gain on; they have no negatives."""
    settings = PairSettings(count, 0, negatives=0, seed=seed)
    return _Making(retriever, settings, sieve, frozenset()).pairs(sources, count)


class _Making:
    """What was seen and left out so far."""

    def __init__(
        self, retriever: Retriever, settings: PairSettings, sieve: Sieve | None, apart: frozenset[str]
    ) -> None:
        self._index: Index = retriever.index
        self._search: Search = deep_search(retriever, depth=_DEPTH)
        self._settings, self._sieve, self._apart = settings, sieve, apart
        self._seen = Seen()
        self.left_out: list[str] = []

    def pairs(self, sources: frozenset[str], wanted: int) -> list[QueryPair]:
        """Return so many pairs of these documents, fewer where they give no more."""
        drafts = self._fresh(_spread(self._index, sources, seed=self._settings.seed))
        kept: list[QueryPair] = []
        while len(kept) < wanted and (batch := list(islice(drafts, min(_BATCH, wanted - len(kept))))):
            found = self._search([draft.query for draft in batch])
            for draft, hits in zip(batch, found, strict=True):
                if (pair := self._checked(draft, hits)) is not None:
                    kept.append(pair)
        return kept

    def _fresh(self, drafts: Iterator[Draft]) -> Iterator[Draft]:
        for draft in drafts:
            if self._seen.like(draft.query):
                self.left_out.append(_TWICE)
                continue
            if reason := self._leak(draft):
                self.left_out.append(reason)
                continue
            self._seen.add(draft.query, draft.chunk.source)
            yield draft

    def _leak(self, draft: Draft) -> str:
        if self._sieve is None:
            return ""
        return self._sieve.question(Question("", draft.query, source=draft.chunk.source))

    def _checked(self, draft: Draft, hits: Sequence[Hit]) -> QueryPair | None:
        source = draft.chunk.source
        own = next((hit for hit in hits[:ROUND_TRIP] if hit.chunk.source == source), None)
        if own is None:
            self.left_out.append(_LOST)
            return None
        confused = self._confused(own, hits)
        return QueryPair(
            query=draft.query,
            passage=draft.passage,
            source=source,
            made=draft.made,
            negatives=tuple(hit.chunk.embedded_text for hit in confused),
            margins=tuple(own.score - hit.score for hit in confused),
        )

    def _confused(self, own: Hit, hits: Sequence[Hit]) -> list[Hit]:
        """Return the best hits of other documents that are not as near to the query as the right one."""
        text, cosine = key_of(own.chunk.text), own.dense or 0.0
        rivals = (
            hit
            for hit in hits
            if hit.chunk.source != own.chunk.source
            and hit.chunk.source not in self._apart
            and hit.score < own.score
            and (hit.dense or 0.0) < (1 - _RELATIVE_MARGIN) * cosine
            and key_of(hit.chunk.text) != text
        )
        return list(islice(rivals, self._settings.negatives))


def _spread(index: Index, sources: frozenset[str], *, seed: int) -> Iterator[Draft]:
    """Yield one draft a document, then a second one of each, of the rule that was used least so far."""
    taken: Counter[str] = Counter()
    waiting: deque[_Left] = deque()
    for source in sorted(sources, key=lambda source: unit_hash("order", str(seed), source)):
        document = index.document(source)
        assert document is not None, "sources come from the same generation"
        left = _Left(draft_queries(document, chunks_of(index, source), seed=seed), seed=seed)
        if (draft := left.take(taken)) is not None:
            yield draft
            waiting.append(left)
    while waiting:
        left = waiting.popleft()
        if (draft := left.take(taken)) is not None:
            yield draft
            waiting.append(left)


class _Left:
    """The drafts of a document that were not taken yet, by rule."""

    def __init__(self, drafts: Sequence[Draft], *, seed: int) -> None:
        self._kinds: dict[str, list[Draft]] = {}
        for draft in sorted(drafts, key=lambda draft: unit_hash(str(seed), draft.chunk.source, draft.query)):
            self._kinds.setdefault(draft.made, []).append(draft)

    def take(self, taken: Counter[str]) -> Draft | None:
        """Take one of the rule that is furthest below its share; None when nothing is left."""
        if not self._kinds:
            return None
        made = min(self._kinds, key=lambda kind: (taken[kind] / _SHARES[kind], kind))
        draft = self._kinds[made].pop()
        if not self._kinds[made]:
            del self._kinds[made]
        taken[made] += 1
        return draft
