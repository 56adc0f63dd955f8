"""Fill the context of a generator: by rank, whole chunks first.

Takes hits and a way to measure a prompt, gives numbered passages. Knows nothing about what the
prompt says. A chunk that does not fit as a whole is left to the end, and then cut after a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hybrid.generation.prompts import Passage
from hybrid.text.sentences import sentence_spans
from hybrid.types import Hit, Span

Measure = Callable[[Sequence[Passage]], int]


def pack(hits: Sequence[Hit], measure: Measure, budget: int) -> list[Passage]:
    """Return the passages that fit, numbered in the order of their rank.

    Args:
        hits: best first.
        measure: the length of the whole prompt with these passages, in tokens.
        budget: what it may be at the most.
    """
    chosen: list[Hit] = []
    left_out: list[Hit] = []
    for hit in hits:
        fits = measure(_number([*chosen, hit])) <= budget
        (chosen if fits else left_out).append(hit)
    passages = _number(chosen)
    if left_out:
        passages = _with_a_part(passages, left_out[0], measure, budget)
    return passages


def passage_of(number: int, hit: Hit) -> Passage:
    """Return a whole chunk as a passage."""
    chunk = hit.chunk
    title = chunk.headings[-1] if chunk.headings else chunk.source
    return Passage(number, chunk.source, title, chunk.text, Span(chunk.start, chunk.end), chunk.page)


def _number(hits: Sequence[Hit]) -> list[Passage]:
    return [passage_of(number, hit) for number, hit in enumerate(hits, start=1)]


def _with_a_part(passages: list[Passage], hit: Hit, measure: Measure, budget: int) -> list[Passage]:
    """Add as many first sentences of the chunk as fit."""
    whole = passage_of(len(passages) + 1, hit)
    for sentence in reversed(sentence_spans(whole.text)):
        start = whole.span.start
        part = Passage(
            whole.number,
            whole.source,
            whole.title,
            whole.text[: sentence.end],
            Span(start, start + sentence.end),
            whole.page,
        )
        if measure([*passages, part]) <= budget:
            return [*passages, part]
    return passages
