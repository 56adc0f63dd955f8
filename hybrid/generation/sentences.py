"""Sentences of a passage, and how many words of a question they hold.

Takes texts, gives stretches and shares. Knows nothing about embeddings.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from hybrid.chunking import sentence_spans
from hybrid.generation.support import content_words
from hybrid.models import Vectors
from hybrid.types import Span

# Indented lines, comments, prompts, items and cells: on one line they would mean something else.
_LINES_MATTER = re.compile(r"\n(?=[ \t]|[#$>|*-]|.* \| )|^[#$>|].*\n|^.* \| .*\n", re.MULTILINE)
_LONGEST = 400


def pieces(text: str) -> list[Span]:
    """Return sentences; what is too long for one, such as a table, by lines."""
    found: list[Span] = []
    for span in sentence_spans(text):
        if span.end - span.start <= _LONGEST:
            found.append(span)
            continue
        start = span.start
        for line in text[span.start : span.end].split("\n"):
            if line.strip():
                lead = len(line) - len(line.lstrip())
                found.append(Span(start + lead, start + len(line.rstrip())))
            start += len(line) + 1
    return found


def overlaps(question: str, texts: Sequence[str]) -> Vectors:
    """Return the share of the question's words in each text; a rare word counts for more."""
    words = set(content_words(question))
    bags = [set(content_words(text)) & words for text in texts]
    frequency = Counter(word for bag in bags for word in bag)
    weight = {word: math.log(1 + len(bags) / (1 + frequency[word])) for word in words}
    total = sum(weight.values()) or 1.0
    return np.array([sum(weight[word] for word in bag) / total for bag in bags], dtype=np.float32)


def unwrapped(text: str) -> str:
    """Return prose on one line, which reads better; a listing as it is."""
    return text if _LINES_MATTER.search(text) else " ".join(text.split())
