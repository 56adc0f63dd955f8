"""Sentences ranked by a question: those that an extractive reader quotes, and those that a model is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hybrid.generation.prompts import Passage
from hybrid.models import Embedder, Vectors
from hybrid.text.rows import sayings
from hybrid.text.sentences import SharedTerms
from hybrid.text.words import overlaps
from hybrid.types import Chunk, Evidence, Hit, Span, TokenCounter

# What the words count for beside the cosine; of .4 to .8 the best on XQuAD, TAT-QA and a manual together.
_WORDS = 0.8
# The best sentence of a window counts for more than several fair ones.
_SHARPNESS = 0.1


@dataclass(frozen=True, slots=True)
class Focus:
    """Numbered passages, best first, and how sure one can be that they are about the question (0 to 1)."""

    passages: tuple[Passage, ...]
    relevance: float


@dataclass(frozen=True, slots=True)
class _Piece:
    """A sentence of a chunk; ``place`` is the row of its vector."""

    span: Span
    text: str
    tokens: int
    place: int


@dataclass(frozen=True, slots=True)
class _Window:
    """A stretch of a chunk, by offsets into it, and what it is worth beside those of other chunks."""

    chunk: Chunk
    span: Span
    worth: float


def focus_all(
    questions: Sequence[str],
    hits: Sequence[Sequence[Hit]],
    embedder: Embedder,
    *,
    passages: int,
    tokens: int,
    holding: Sequence[Evidence | None] | None = None,
) -> list[Focus]:
    """Cut the hits of every question to what has most to do with it; all texts are embedded in one call.

    Of more hits than passages those are shown whose best sentence and whose score are highest: of the best 3
    of 6 hits it keeps the answer of about 2 questions in 100 more than of the first 3.

    Args:
        questions: in plain words.
        hits: for each question a ranking, best first.
        embedder: compares question and sentences, and counts the tokens.
        passages: how many at the most.
        tokens: how many a passage may have, in those of the embedder. One sentence that has more is cut.
        holding: for each question a stretch of a document, with its offsets, that the window of a chunk
            which holds it must cover as far as the budget goes; for training examples.
    """
    chunks = {_key(hit.chunk): hit.chunk for ranking in hits for hit in ranking}
    cut, texts = _cut(list(chunks.values()), embedder, tokens)
    split = dict(zip(chunks, cut, strict=True))
    vectors = embedder.embed_documents(texts) if texts else np.zeros((0, 1), dtype=np.float32)
    asked = embedder.embed_queries(list(questions)) if texts else np.zeros((len(questions), 1), np.float32)
    held = holding if holding is not None else [None] * len(questions)
    found: list[Focus] = []
    for question, ranking, vector, keep in zip(questions, hits, asked, held, strict=True):
        parts = [split[_key(hit.chunk)] for hit in ranking]
        windows, relevance = _windows(question, ranking, parts, vectors, vector, tokens, keep)
        found.append(Focus(_numbered(windows, passages), relevance))
    return found


def _key(chunk: Chunk) -> tuple[str, int, int]:
    return chunk.source, chunk.start, chunk.end


def _cut(chunks: Sequence[Chunk], counter: TokenCounter, tokens: int) -> tuple[list[list[_Piece]], list[str]]:
    """Return the sentences of each chunk, none above the budget, and all their texts, each once."""
    said = [sayings(chunk.text, chunk.caption, chunk.columns) for chunk in chunks]
    found = [saying.text for own in said for saying in own]
    counts = iter(counter.count_tokens(found) if found else [])
    places: dict[str, int] = {}
    cut: list[list[_Piece]] = []
    for chunk, own in zip(chunks, said, strict=True):
        cut.append([])
        for saying in own:
            count = next(counts)
            whole = count <= tokens
            parts = [(saying.span, count)] if whole else _parts(chunk.text, saying.span, counter, tokens)
            for part, size in parts:
                text = saying.text if whole else chunk.text[part.start : part.end]
                cut[-1].append(_Piece(part, text, size, places.setdefault(text, len(places))))
    return cut, list(places)


def _parts(text: str, span: Span, counter: TokenCounter, tokens: int) -> list[tuple[Span, int]]:
    """Cut a sentence that is longer than a passage may be."""
    inner = counter.token_spans(text[span.start : span.end])
    if len(inner) <= tokens:
        return [(span, max(len(inner), 1))]
    groups = [inner[first : first + tokens] for first in range(0, len(inner), tokens)]
    return [(Span(span.start + group[0].start, span.start + group[-1].end), len(group)) for group in groups]


def _windows(
    question: str,
    hits: Sequence[Hit],
    parts: Sequence[list[_Piece]],
    vectors: Vectors,
    asked: Vectors,
    tokens: int,
    keep: Evidence | None,
) -> tuple[list[_Window], float]:
    """Return the window of every hit that has one, and the relevance of them all."""
    titled = [
        f"{_title(hit.chunk)} {piece.text}" for hit, own in zip(hits, parts, strict=True) for piece in own
    ]
    if not titled:
        return [], 0.0
    cosines = vectors[[piece.place for own in parts for piece in own]] @ asked
    scores, relevance = by_question(question, titled, cosines)
    windows: list[_Window] = []
    begun = 0
    for hit, rank, own in zip(hits, ranks(hits), parts, strict=True):
        scored = scores[begun : begun + len(own)]
        begun += len(own)
        if own:
            first, last = _best(own, scored, tokens, _covering(hit.chunk, own, keep))
            span = Span(own[first].span.start, own[last].span.end)
            # the rank that retrieval gave counts where fewer passages are shown than there are hits
            windows.append(_Window(hit.chunk, span, float(scored[first : last + 1].max()) + rank))
    return windows, relevance


def _numbered(windows: Sequence[_Window], passages: int) -> tuple[Passage, ...]:
    """Return the best windows as passages, the best one first."""
    shown: list[Passage] = []
    for window in sorted(windows, key=lambda window: -window.worth):
        chunk = window.chunk
        span = Span(chunk.start + window.span.start, chunk.start + window.span.end)
        # chunks overlap: what stands in a better passage is not shown twice
        held = [passage.span for passage in shown if passage.source == chunk.source]
        if len(shown) == passages or any(s.start <= span.start and span.end <= s.end for s in held):
            continue
        text = chunk.text[window.span.start : window.span.end]
        shown.append(Passage(len(shown) + 1, chunk.source, _title(chunk), text, span, chunk.page, chunk))
    return tuple(shown)


def _covering(chunk: Chunk, own: Sequence[_Piece], keep: Evidence | None) -> range | None:
    """Return the sentences of a chunk that a stretch touches; None where it is not in the chunk."""
    if keep is None or keep.span is None or keep.source != chunk.source:
        return None
    start, end = keep.span.start - chunk.start, keep.span.end - chunk.start
    touched = [place for place, piece in enumerate(own) if piece.span.start < end and start < piece.span.end]
    return range(touched[0], touched[-1] + 1) if touched else None


def _best(own: Sequence[_Piece], scores: Vectors, tokens: int, covered: range | None) -> tuple[int, int]:
    """Return the first and the last sentence of the window that is worth most."""
    worth = np.exp((scores - scores.max()) / _SHARPNESS)
    best, chosen = -1.0, (0, 0)
    for first in range(len(own) if covered is None else covered.start + 1):
        last, size = first, own[first].tokens
        while last + 1 < len(own) and size + own[last + 1].tokens <= tokens:
            last += 1
            size += own[last].tokens
        # what must be covered and has no room begins the window
        covers = covered is None or last >= covered.stop - 1 or first == covered.start
        if covers and float(worth[first : last + 1].sum()) > best:
            best, chosen = float(worth[first : last + 1].sum()), (first, last)
    return chosen


def _title(chunk: Chunk) -> str:
    """Return the titles of document and section: without both, passages of sister documents look alike."""
    ends = chunk.headings[:1] + chunk.headings[-1:] if chunk.headings else (chunk.source,)
    return " > ".join(dict.fromkeys(ends))


def by_question(question: str, texts: Sequence[str], cosines: Vectors) -> tuple[Vectors, float]:
    """Return what each text is worth to a question, and how sure it is that one of them is about it.

    What counts is its cosine to the question, and what it shares with it, by the measure that finds evidence
    for claims; how sure it is follows from the share of the question's words.
    """
    words = np.array(overlaps(question, texts), dtype=np.float32)
    worth = cosines + _WORDS * SharedTerms(texts).shares(question).astype(np.float32)
    return worth, float(np.clip((cosines.max() + words.max()) / 2, 0.0, 1.0))


def ranks(hits: Sequence[Hit]) -> list[float]:
    """Return the score of each hit as a share of the best one."""
    best = max((hit.score for hit in hits), default=0.0)
    return [hit.score / best if best > 0 else 0.0 for hit in hits]
