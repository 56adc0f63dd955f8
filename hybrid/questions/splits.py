"""Splits by document (hold-out), and the slices of a question set that a report looks at on their own."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from hybrid.errors import UsageError
from hybrid.files import hash_text
from hybrid.text.numbers import lone_quantity
from hybrid.types import TokenCounter

_T = TypeVar("_T")

FRESH = "fresh"
_DIGITS = 13  # of the digest: 52 bits, all of which a float holds exactly


def held_out(source: str, *, share: float, seed: int) -> bool:
    """Tell whether a document is held out from training.

    The rule depends on nothing but its arguments, so that question making, which labels questions of such
    documents as fresh, and training agree without a file between them. A document that is added moves no
    other, and what is held out at a smaller share is held out at a larger one too. Every row of a table is a
    document of its own. ``share`` is from 0, none, to 1, all; another ``seed`` holds out other documents.

    Raises:
        UsageError: a share outside of 0 to 1.
    """
    if not 0 <= share <= 1:
        raise UsageError(
            f"the share of documents to hold out is {share}, expected 0 to 1", hint="for example 0.2"
        )
    return unit_hash("held out", str(seed), source) < share


def unit_hash(*parts: str) -> float:
    """Return a number from 0 to below 1 that is fixed by the parts and else as good as random."""
    return float(int(hash_text(*parts)[:_DIGITS], 16) / 16**_DIGITS)


def in_turns(sources: Iterable[str], read: Callable[[str], Iterator[_T]], *, seed: int) -> Iterator[_T]:
    """Yield one item of each document, then a second one of each, and so on.

    Documents are visited in an order fixed by the seed and read when it is their turn, so that a small set
    from a large corpus does not read all of it.
    """
    unread = map(read, sorted(sources, key=lambda source: unit_hash("order", str(seed), source)))
    waiting: deque[Iterator[_T]] = deque()
    while left := next(unread, None) or (waiting.popleft() if waiting else None):
        for item in islice(left, 1):
            yield item
            waiting.append(left)


# A file of rows is asked about so many of them: each is a document, and there may be thousands.
_OF_A_FILE = 12


def file_of(source: str) -> str:
    """Return the file of a document, which may be a row of it: ``prices.csv`` of ``prices.csv#12``."""
    return re.sub(r"#\d+\Z", "", source)


def few_of_a_file(sources: Iterable[str], *, seed: int) -> list[str]:
    """Return sources with at most so many rows of each file, drawn by the seed."""
    files: dict[str, list[str]] = {}
    for source in sources:
        files.setdefault(file_of(source), []).append(source)
    return [
        source
        for own in files.values()
        for source in sorted(own, key=lambda one: unit_hash("row", str(seed), one))[:_OF_A_FILE]
    ]


NUMERIC = "numeric"
UNANSWERABLE = "unanswerable"
JARGON = "jargon"
HARD_TO_FIND = "hard to find"
QUOTING = "quotes its evidence"
KNOWN = "known without the corpus"

_DIGIT = re.compile(r"\d")
_WORD = re.compile(r"[^\W\d_][\w.-]*")
# Plain English has 1.0 to 1.3 pieces a word; a third of a text in names and codes doubles that.
_JARGON_PIECES = 1.7


def numeric(answers: Sequence[str]) -> bool:
    """Tell whether every gold answer is a number in digits, with or without a unit or what it counts."""
    return bool(answers) and all(map(_is_numeral, answers))


def jargon(texts: Sequence[str], counter: TokenCounter) -> list[bool]:
    """Tell which texts are full of words that the embedder's vocabulary does not hold.

    A subword tokeniser keeps what was frequent in its training text whole and breaks the rest:
    ``checkpoint_timeout`` becomes four pieces or more. The rule: words (a letter, then letters, digits,
    ``_ . -``) have on average at least 1.7 pieces. Each word is counted alone, so that the punctuation
    between words does not count.
    """
    words = [_WORD.findall(text) for text in texts]
    counts = iter(counter.count_tokens([word for group in words for word in group]))
    means = [sum(next(counts) for _ in group) / max(len(group), 1) for group in words]
    return [mean >= _JARGON_PIECES for mean in means]


def _is_numeral(answer: str) -> bool:
    return bool(_DIGIT.search(answer)) and lone_quantity(answer, counting=True) is not None
