"""Passages that say something else: the answer in them exchanged for another one of its kind.

Takes quotes and passages, gives them with another answer. Who has learned such examples takes the answer from
the passage and not from memory. Knows nothing about prompts.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import numpy as np

from hybrid.adaptation.examples.quotes import Quote
from hybrid.generation.prompts import Passage
from hybrid.text.words import contains, content_words

# So often one of the same kind is looked for that fits.
_TRIES = 8


def other_answer(quote: Quote, quotes: Sequence[Quote], chance: np.random.Generator) -> str:
    """Return the answer to another question of the same kind; empty where none fits.

    Args:
        quote: whose answer is to be exchanged.
        quotes: to take another answer from.
        chance: picks one.
    """
    alike = [other for other in quotes if other.question.made == quote.question.made]
    if not _is_exchangeable(quote) or len(alike) < 2:
        return ""
    for place in chance.integers(0, len(alike), size=_TRIES):
        answer = alike[int(place)].answer
        apart = not set(content_words(answer)) & set(content_words(f"{quote.answer} {quote.question.text}"))
        if apart and _is_word(answer) == _is_word(quote.answer):
            return answer
    return ""


def swapped(passage: Passage, quote: Quote, answer: str) -> tuple[Passage, str]:
    """Return passage and quote with another answer in every place of the old one."""
    old = re.compile(rf"(?<![\w-]){re.escape(quote.answer)}(?!\w)")
    text = old.sub(lambda _: answer, passage.text)
    return dataclasses.replace(passage, text=text), old.sub(lambda _: answer, quote.evidence.quote)


def _is_exchangeable(quote: Quote) -> bool:
    """Tell whether the answer stands in the quote, and in nothing else that names the place."""
    named = f"{quote.question.text} {' '.join(quote.chunk.headings)}"
    there = re.search(rf"(?<![\w-]){re.escape(quote.answer)}(?!\w)", quote.evidence.quote)
    return there is not None and not contains(named, quote.answer)


def _is_word(answer: str) -> bool:
    """Tell words from numbers, so that one does not stand where the other is expected."""
    return answer[:1].isalpha()
