"""A reader without a generator: sentences of the passages, verbatim, so that nothing is invented."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hybrid.generation.citations import Cited, Support
from hybrid.generation.prompts import Passage
from hybrid.models import Embedder, Vectors
from hybrid.text.numbers import SMALL_NUMBERS
from hybrid.text.sentences import pieces, unwrapped
from hybrid.text.words import overlaps
from hybrid.types import Hit, Span

# Chosen on 400 XQuAD questions and on the example questions, where a broad plateau around them does
# equally well; `hybrid evaluate` shows what they reach.
_COSINE = 1.0
_WORDS = 0.4
_WORDS_BEFORE = 0.4
_PASSAGE = 0.7
_KIND = 0.5
# A sentence this much worse than the best is not worth the reader's time.
_NEAR_BEST = 0.6

_ASKS_NUMBER = re.compile(
    r"\bhow (many|much|long|often|old|far|large|big|high|tall|fast|deep)\b|\bwhen\b"
    r"|\b(year|percent|percentage|number|size|port|age|time|interval|date|amount|limit|maximum|minimum"
    r"|default value|longest|oldest|version)\b"
)
_ASKS_IDENTIFIER = re.compile(
    r"\b(which|what)\b.*\b(option|file|parameter|setting|keyword|command|directory|function|catalog|view"
    r"|program|tool|variable|syntax|pattern|privilege|lock|class|method|flag)\b"
)
_ASKS_NAME = re.compile(r"\b(who|whom|whose|where)\b|\bwhich (person|city|country|team|company)\b")
_NUMBER = re.compile(
    rf"\d|\b({'|'.join(SMALL_NUMBERS[:11])}|hundred|thousand|million|billion|half|twice|once|double)\b",
    re.IGNORECASE,
)
_IDENTIFIER = re.compile(r"\b\w+_\w+|\B--?\w|\w\.\w|/\w|[A-Z]{2,}")
_NAME = re.compile(r"(?<!^)(?<![.!?] )\b[A-Z][a-z]+")


@dataclass(frozen=True, slots=True)
class Extract:
    """Chosen sentences, best first, and how sure one can be that they are about the question (0 to 1)."""

    cited: tuple[Cited, ...]
    relevance: float


@dataclass(frozen=True, slots=True)
class _Candidate:
    passage: Passage
    span: Span
    text: str
    rank_score: float


def extract(
    question: str, hits: Sequence[Hit], passages: Sequence[Passage], embedder: Embedder, *, sentences: int
) -> Extract:
    """Choose the sentences that answer the question best.

    Args:
        question: in plain words.
        hits: best first, one a passage.
        passages: the same chunks, numbered.
        embedder: compares question and sentences.
        sentences: how many at the most.
    """
    candidates = _candidates(hits, passages)
    if not candidates:
        return Extract((), 0.0)
    wider = [_with_the_one_before(candidates, place) for place in range(len(candidates))]
    cosines = embedder.embed_documents(wider) @ embedder.embed_queries([question])[0]
    alone = np.array(
        overlaps(question, [f"{c.passage.title} {c.text}" for c in candidates]), dtype=np.float32
    )
    around = np.array(overlaps(question, wider), dtype=np.float32)
    scores = (
        _COSINE * cosines
        + _WORDS * alone
        + _WORDS_BEFORE * around
        + _PASSAGE * np.array([candidate.rank_score for candidate in candidates])
        + _KIND * _fits_kind(question, candidates)
    )
    order = np.argsort(-scores, kind="stable")[:sentences]
    chosen = [candidates[place] for place in order if scores[place] >= _NEAR_BEST * scores[order[0]]]
    relevance = float(np.clip((cosines.max() + around.max()) / 2, 0.0, 1.0))
    return Extract(tuple(_cited(candidate) for candidate in chosen), relevance)


def _candidates(hits: Sequence[Hit], passages: Sequence[Passage]) -> list[_Candidate]:
    best = max((hit.score for hit in hits), default=0.0)
    found: list[_Candidate] = []
    seen: set[tuple[str, int]] = set()
    for hit, passage in zip(hits, passages, strict=True):
        for span in pieces(passage.text):
            text = passage.text[span.start : span.end]
            place = Span(passage.span.start + span.start, passage.span.start + span.end)
            # chunks overlap: the same sentence may stand in two of them
            if (passage.source, place.start) in seen or not any(letter.isalpha() for letter in text):
                continue
            seen.add((passage.source, place.start))
            found.append(_Candidate(passage, place, text, hit.score / best if best > 0 else 0.0))
    return found


def _with_the_one_before(candidates: Sequence[_Candidate], place: int) -> str:
    """Return a sentence below its title and after its neighbour: "it" and "the default" refer to them."""
    candidate = candidates[place]
    before = candidates[place - 1] if place else None
    text = candidate.text
    if before is not None and before.passage is candidate.passage:
        text = f"{before.text} {text}"
    return f"{candidate.passage.title}: {text}"


def _fits_kind(question: str, candidates: Sequence[_Candidate]) -> Vectors:
    """Return 1 where the sentence holds the kind of thing that is asked for: number, identifier, name."""
    asked = question.lower()
    kinds = ((_ASKS_NUMBER, _NUMBER), (_ASKS_IDENTIFIER, _IDENTIFIER), (_ASKS_NAME, _NAME))
    wanted = next((kind for asks, kind in kinds if asks.search(asked)), None)
    found = [wanted is not None and bool(wanted.search(candidate.text)) for candidate in candidates]
    return np.array(found, dtype=np.float32)


def _cited(candidate: _Candidate) -> Cited:
    return Cited(unwrapped(candidate.text), Support(candidate.passage, candidate.span, 1.0))
