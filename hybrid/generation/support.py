"""Does a passage say what a sentence says? By words and numbers, without a model.

Takes two texts, gives the share of the first one's content words that stand in the second. This is
token overlap and named as such: it sees invented names and numbers, it does not see a negation
turned around. The trained grounding evaluator stands above this package layer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from hybrid.chunking import sentence_spans
from hybrid.generation.prompts import Passage
from hybrid.types import Span

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*|\w+")
_STOP_WORDS = """
a about above after again all also am an and any are as at be because been before being below
between both but by can could did do does doing down during each few for from further had has have
having he her here hers him his how i if in into is it its itself just me more most my no nor not
now of off on once only or other our out over own same she should so some such than that the their
them then there these they this those through to too under until up use used uses using very was we
were what when where which while who whom why will with would you your
"""
_STOP = frozenset(_STOP_WORDS.split())
# A longer stretch is not a citation any more.
_WINDOW = 3


@dataclass(frozen=True, slots=True)
class Support:
    """The stretch of a passage that supports a sentence best; ``share`` is from 0 to 1."""

    passage: Passage
    span: Span
    share: float


def content_words(text: str) -> list[str]:
    """Return the words that carry meaning, lower case, with the commonest endings taken off."""
    words = [match.group().lower() for match in _WORD.finditer(text)]
    return [stem(word) for word in words if word not in _STOP]


@lru_cache(maxsize=1 << 15)  # texts repeat their words
def stem(word: str) -> str:
    """Take off a plural or verb ending; crude, and alike for both sides of a comparison."""
    for ending in ("ies", "ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


def share_supported(sentence: str, text: str) -> float:
    """Return the share of content words of the sentence that stand in the text; a foreign number is 0."""
    words = content_words(sentence)
    if not words:
        return 0.0
    there = set(content_words(text))
    if any(word[0].isdigit() and word not in there for word in words):
        return 0.0
    return sum(word in there for word in words) / len(words)


def best_support(sentence: str, passages: Sequence[Passage]) -> Support | None:
    """Return the shortest stretch of whole sentences that supports the sentence best."""
    best: Support | None = None
    for passage in passages:
        spans = sentence_spans(passage.text)
        for length in range(1, _WINDOW + 1):
            for first in range(len(spans) - length + 1):
                inner = Span(spans[first].start, spans[first + length - 1].end)
                share = share_supported(sentence, passage.text[inner.start : inner.end])
                # shorter stretches and better passages come first, so only a real gain replaces them
                if share > 0 and (best is None or share > best.share + 0.05 * (length > 1)):
                    offset = passage.span.start
                    best = Support(passage, Span(offset + inner.start, offset + inner.end), share)
    return best
