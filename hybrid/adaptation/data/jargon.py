"""Domain vocabulary: how a subword tokeniser breaks it, and which neighbours tuning changed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hybrid.models import Embedder, Vectors
from hybrid.text.words import LEANING, STOP_WORDS
from hybrid.types import TokenCounter

_WORD = re.compile(r"[^\W\d_][\w-]*[^\W_]")
_SHORTEST = 3
_OFTEN = 3
_NEIGHBOURS = 10
# So many terms are embedded; more would say the same.
_EMBEDDED = 600
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Term:
    """A word of the domain, how often it occurs, and into how many pieces the embedder breaks it."""

    word: str
    count: int
    pieces: int


@dataclass(frozen=True, slots=True)
class Moved:
    """A word whose neighbours changed: ``kept`` is the share of the ten nearest words that stayed.

    ``before`` and ``after`` are the nearest ones, nearest first.
    """

    word: str
    kept: float
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JargonReport:
    """What the words of a domain are to an embedder.

    ``pieces_per_word`` is weighted by how often a word occurs; ``broken`` is the share of occurrences of
    words of three pieces or more. ``fragmented`` are the words that break into most pieces, ``moved`` those
    whose neighbours changed most by tuning, and ``kept`` is the mean share of neighbours that stayed: none
    and 1 where there is no tuned embedder.
    """

    words: int
    pieces_per_word: float
    broken: float
    fragmented: tuple[Term, ...]
    moved: tuple[Moved, ...] = ()
    kept: float = 1.0


def domain_terms(texts: Iterable[str], counter: TokenCounter, *, common: Iterable[str] = ()) -> list[Term]:
    """Return the words of a domain, the most frequent first.

    A word counts that occurs three times or more and in no common text; case does not count.

    Args:
        texts: of the domain.
        counter: of the embedder.
        common: texts about anything, whose words are nobody's jargon.
    """
    known = {word for text in common for word in _words(text)} | STOP_WORDS | LEANING
    counts = Counter(word for text in texts for word in _words(text))
    words = sorted(
        (word for word, count in counts.items() if count >= _OFTEN and word not in known),
        key=lambda word: (-counts[word], word),
    )
    pieces = counter.count_tokens(words)
    return [Term(word, counts[word], number) for word, number in zip(words, pieces, strict=True)]


def report_jargon(
    terms: Sequence[Term], before: Embedder | None = None, after: Embedder | None = None
) -> JargonReport:
    """Return the report; with two embedders also what became of the neighbours of the words.

    A subword tokeniser keeps what was frequent in its training text whole and breaks the rest. A word that
    breaks into many pieces was rarely seen, and its vector is put together from pieces that mean something
    else: there a tuned embedder has most to gain.

    Args:
        terms: from ``domain_terms``.
        before: the base.
        after: the tuned one.
    """
    total = sum(term.count for term in terms)
    pieces = sum(term.count * term.pieces for term in terms)
    broken = sum(term.count for term in terms if term.pieces >= 3)
    fragmented = sorted(terms, key=lambda term: (-term.pieces, -term.count, term.word))[:_SHOWN]
    moved: list[Moved] = []
    # those that break are of interest, and those that are frequent
    chosen = sorted(terms, key=lambda term: (-term.count * (term.pieces - 0.5), term.word))[:_EMBEDDED]
    if before is not None and after is not None and len(chosen) > _NEIGHBOURS:
        moved = _moved([term.word for term in chosen], before, after)
    return JargonReport(
        words=len(terms),
        pieces_per_word=pieces / total if total else 0.0,
        broken=broken / total if total else 0.0,
        fragmented=tuple(fragmented),
        moved=tuple(moved[:_SHOWN]),
        kept=float(np.mean([item.kept for item in moved])) if moved else 1.0,
    )


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.lower()) if len(word) >= _SHORTEST]


def _moved(words: Sequence[str], before: Embedder, after: Embedder) -> list[Moved]:
    """Return all words, those that kept fewest neighbours first."""
    old, new = (_nearest(embedder.embed_queries(words)) for embedder in (before, after))
    items = [
        Moved(
            word,
            len(set(here) & set(there)) / _NEIGHBOURS,
            tuple(words[place] for place in here),
            tuple(words[place] for place in there),
        )
        for word, here, there in zip(words, old, new, strict=True)
    ]
    return sorted(items, key=lambda item: (item.kept, item.word))


def _nearest(vectors: Vectors) -> list[list[int]]:
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -np.inf)
    order = np.argsort(-alike, axis=1, kind="stable")[:, :_NEIGHBOURS]
    return [[int(place) for place in row] for row in order]
