"""Examples of plain text, for continued pre-training.

Takes documents and something that counts tokens, gives windows of whole sentences. Knows nothing about what
stands in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from hybrid.adaptation.values import Example, ExampleKind
from hybrid.text.sentences import sentence_spans
from hybrid.types import Document, Span

# Tokens of each text, as the generator counts them.
Count: TypeAlias = Callable[[Sequence[str]], list[int]]

# What is shorter says nothing of how a text of the domain goes on.
_LEAST_TOKENS = 24


def text_examples(documents: Iterable[Document], count: Count, *, max_tokens: int) -> Iterator[Example]:
    """Yield the text of documents in windows of at most so many tokens; together they are nearly all of it.

    Args:
        documents: those that may be trained on.
        count: counts the tokens of texts.
        max_tokens: of a window. A sentence with more is cut.
    """
    for document in documents:
        for window in windows(document.text, count, max_tokens=max_tokens):
            text = document.text[window.start : window.end]
            yield Example(ExampleKind.TEXT, (), text, source=document.source, made="text")


def windows(text: str, count: Count, *, max_tokens: int) -> Iterator[Span]:
    """Yield stretches of whole sentences that fill the budget, without those that are too short."""
    parts = sentence_spans(text)
    sized = list(_sized(text, parts, count, max_tokens))
    begun, size = 0, 0
    for place, (_, tokens) in enumerate(sized):
        if place > begun and size + tokens > max_tokens:
            if size >= _LEAST_TOKENS:
                yield Span(sized[begun][0].start, sized[place - 1][0].end)
            begun, size = place, 0
        # what stands between two sentences is a token at the most
        size += tokens + 1
    if size >= _LEAST_TOKENS:
        yield Span(sized[begun][0].start, sized[-1][0].end)


def _sized(text: str, parts: Sequence[Span], count: Count, max_tokens: int) -> Iterator[tuple[Span, int]]:
    """Yield stretches that fit, with their tokens: sentences, or halves of what is too long for one."""
    counts = count([text[part.start : part.end] for part in parts]) if parts else []
    for part, tokens in zip(parts, counts, strict=True):
        if tokens < max_tokens or part.end - part.start < 2:
            yield part, tokens
            continue
        middle = (part.start + part.end) // 2
        space = text.rfind(" ", part.start + 1, middle)
        middle = space if space > 0 else middle
        yield from _sized(text, [Span(part.start, middle), Span(middle, part.end)], count, max_tokens)
