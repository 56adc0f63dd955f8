"""Which words of its evidence answer a question: the quote that a reader is to learn to give.

Takes a question with evidence and its document, gives a stretch of whole sentences, few enough to be
quoted, and the answer that it bears out. Knows nothing about passages or retrieval.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from hybrid.generation.quoting import bears_out, locate
from hybrid.text.sentences import pieces
from hybrid.text.words import contains, overlaps
from hybrid.types import Chunk, Document, Evidence, Question, Span, TokenCounter

# A quote is what one reads at a glance: so many tokens of several sentences, or one sentence with a few more.
QUOTE_TOKENS = 40
_WHOLE_SENTENCE = 56
# How many of the question's words a token more has to bring, as a share.
_TOKEN_WORTH = 0.004
_SENTENCES = 3
# Stands between the cells of a table.
_CELLS = " | "


@dataclass(frozen=True, slots=True)
class Quote:
    """A question, the stretch that answers it, the chunk that holds it, and the answer in short."""

    question: Question
    evidence: Evidence
    chunk: Chunk
    answer: str


def find_quote(
    question: Question, document: Document, chunks: Sequence[Chunk], counter: TokenCounter, *, support: float
) -> Quote | None:
    """Return the quote that shares most with the question; None where no stretch bears an answer out.

    Args:
        question: with evidence.
        document: that the evidence is from.
        chunks: of the document; a quote lies in one of them.
        counter: counts the tokens of a quote.
        support: the share of its content words that an answer must find in the quote.
    """
    for evidence in question.evidence:
        span = evidence.span or locate(evidence.quote, document.text)
        if evidence.source != document.source or span is None:
            continue
        for stretch in _stretches(question, document.text, span, counter):
            quote = document.text[stretch.start : stretch.end]
            chunk = next((c for c in chunks if c.start <= stretch.start and stretch.end <= c.end), None)
            answer = chunk and _answer(question, quote, chunk, support)
            if chunk and answer:
                return Quote(question, Evidence(document.source, quote, stretch), chunk, answer)
    return None


def _answer(question: Question, quote: str, chunk: Chunk, support: float) -> str:
    """Return the first answer that stands in the quote, or is borne out by it; empty if none is."""
    whole = [answer for answer in question.answers if contains(quote, answer)]
    parts = [answer for answer in question.answers if answer and answer in quote]
    title = " ".join(chunk.headings)
    others = [a for a in question.answers if bears_out(f"{title}\n{quote}", a, threshold=support)]
    return next(iter((*whole, *parts, *others)), "")


def _stretches(question: Question, text: str, span: Span, counter: TokenCounter) -> Iterator[Span]:
    """Yield runs of sentences of the evidence that are short enough, those with an answer first."""
    inner = text[span.start : span.end]
    rows = [row for piece in pieces(inner) for row in _rows(inner, piece)]
    own = [Span(span.start + row.start, span.start + row.end) for row in rows]
    counts = counter.count_tokens([text[piece.start : piece.end] for piece in own]) if own else []
    runs: list[tuple[Span, int]] = []
    for first, piece in enumerate(own):
        if counts[first] > _WHOLE_SENTENCE:
            runs.append((_cut(question, text, piece, counter), QUOTE_TOKENS))
            continue
        runs.append((piece, counts[first]))
        tokens = counts[first]
        for last in range(first + 1, min(first + _SENTENCES, len(own))):
            tokens += counts[last]
            # a row of a table is quoted alone
            if tokens > QUOTE_TOKENS or _CELLS in text[piece.start : own[last].end]:
                break
            runs.append((Span(piece.start, own[last].end), tokens))
    texts = [text[run.start : run.end] for run, _ in runs]
    shares = overlaps(question.text, texts)
    worth = [
        any(contains(quote, answer) for answer in question.answers) + share - _TOKEN_WORTH * tokens
        for quote, share, (_, tokens) in zip(texts, shares, runs, strict=True)
    ]
    for place in sorted(range(len(runs)), key=lambda place: -worth[place]):
        yield runs[place][0]


def _rows(text: str, piece: Span) -> list[Span]:
    """Return the rows of a table, each of which says something alone; of anything else the whole."""
    lines = text[piece.start : piece.end].split("\n")
    if len(lines) < 2 or not all(_CELLS in line for line in lines):
        return [piece]
    starts = list(accumulate((len(line) + 1 for line in lines), initial=piece.start))
    return [Span(start, start + len(line)) for start, line in zip(starts, lines, strict=False)]


def _cut(question: Question, text: str, piece: Span, counter: TokenCounter) -> Span:
    """Return the part of a long sentence that ends with an answer, or begins the sentence."""
    inner = text[piece.start : piece.end]
    tokens = counter.token_spans(inner)
    ends = [inner.find(answer) + len(answer) for answer in question.answers if answer in inner]
    end = min(ends, default=0)
    # whole words, and some of what follows the answer: it may be the half that tells what is meant
    last = next((n for n, token in enumerate(tokens) if token.end >= end), 0)
    first = max(0, min(last - QUOTE_TOKENS // 2, len(tokens) - QUOTE_TOKENS))
    first = 0 if last < QUOTE_TOKENS else first
    begin = _word_start(inner, tokens[first].start)
    stop = _word_start(inner, tokens[min(first + QUOTE_TOKENS, len(tokens)) - 1].end)
    return Span(piece.start + begin, piece.start + max(stop, min(end, len(inner)), begin + 1))


def _word_start(text: str, place: int) -> int:
    """Return the nearest border of a word at or before a place."""
    while 0 < place < len(text) and not text[place - 1].isspace() and not text[place].isspace():
        place -= 1
    return place
