"""Score one answer against gold.

Takes texts, gives numbers from 0 to 1, higher is better. An empty answer scores 0.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """Return lower case text without punctuation, articles and extra space (SQuAD, Rajpurkar et al. 2016)."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def contains_gold(answer: str, golds: Sequence[str]) -> float:
    """Return 1 if a gold answer stands in the answer as whole words, in any case and spacing, else 0."""
    there = " ".join(answer.lower().split())
    for gold in golds:
        wanted = " ".join(gold.lower().split())
        if wanted and re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", there):
            return 1.0
    return 0.0


def exact_match(answer: str, golds: Sequence[str]) -> float:
    """Return 1 if the normalised answer is a normalised gold answer, else 0 (SQuAD)."""
    return float(any(normalise(answer) == normalise(gold) for gold in golds))


def token_f1(answer: str, golds: Sequence[str]) -> float:
    """Return the best harmonic mean of token precision and recall over the gold answers (SQuAD)."""
    return max((_f1(normalise(answer).split(), normalise(gold).split()) for gold in golds), default=0.0)


def _f1(answer: list[str], gold: list[str]) -> float:
    common = sum((Counter(answer) & Counter(gold)).values())
    return 2 * common / (len(answer) + len(gold)) if common else 0.0
