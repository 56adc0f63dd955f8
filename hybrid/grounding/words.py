"""Sentences and terms of a text, whatever is in it.

Takes a text, gives stretches of it and what two texts are compared by. Knows nothing about claims.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain

from hybrid.chunking import sentence_spans
from hybrid.generation.sentences import pieces
from hybrid.generation.support import content_words
from hybrid.types import Span

# Scripts without spaces between words: every character counts as a word, two neighbours are a term.
_DENSE = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# What has no end of its own, such as a long hash or a line of dashes, is not one word to a model.
_WORD = re.compile(rf"[{_DENSE}]|[^\s{_DENSE}]{{1,20}}")
_DENSE_RUN = re.compile(rf"[{_DENSE}]+")
_TOKEN = re.compile(r"\w+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ISO_DATE = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)")


MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_SHORT_MONTHS = {name[:3]: name for name in MONTHS} | {"sept": "september"}
# So many letters of a word are compared: it finds "orchestr-al" in "orchestr-a" where endings do not.
_PREFIX = 5
# Texts repeat what stands between spaces: so many are looked up rather than read again, none of them longer.
_KNOWN = 1 << 14
_LONGEST = 40


def word_set(*lines: str) -> frozenset[str]:
    """Return the words of a list that is written as text."""
    return frozenset(word for line in lines for word in line.split())


def sentences(text: str) -> list[Span]:
    """Return the sentences of a text, without the white space around them; of lone surrogates too."""
    return sentence_spans(_without_surrogates(text))


def reading_units(text: str) -> list[Span]:
    """Return sentences, and the lines of what is too long for one, such as a table."""
    return pieces(_without_surrogates(text))


def word_spans(text: str, within: Span) -> list[Span]:
    """Return where the words of a stretch stand; a word has 20 characters at the most."""
    return [Span(match.start(), match.end()) for match in _WORD.finditer(text, within.start, within.end)]


def count_words(text: str, within: Span) -> int:
    """Return how many words a stretch has."""
    return len(_WORD.findall(text, within.start, within.end))


def tokens(text: str) -> list[str]:
    """Return all words of a text in lower case, without punctuation."""
    return _TOKEN.findall(text.lower())


def terms(text: str) -> list[str]:
    """Return what two texts are compared by: beginnings of content words, numbers, names of months.

    ``2021-03-05`` gives the same terms as ``5 March 2021``. Of scripts without spaces each pair of
    neighbouring characters is a term.
    """
    # no term reaches over white space
    parts = text.split()
    read = _known_terms if max(map(len, parts), default=0) <= _LONGEST else _terms
    return list(chain.from_iterable(map(read, parts)))


@lru_cache(maxsize=_KNOWN)
def _known_terms(part: str) -> tuple[str, ...]:
    return tuple(_terms(part))


def _terms(part: str) -> Iterator[str]:
    for word in content_words(_ISO_DATE.sub(_spelled, part)):
        if _DENSE_RUN.search(word):
            yield from (word[place : place + 2] for place in range(max(len(word) - 1, 1)))
        else:
            word = _SHORT_MONTHS.get(word, word)
            yield word if word[0].isdigit() else word[:_PREFIX]


def _spelled(match: re.Match[str]) -> str:
    month = int(match[2])
    name = MONTHS[month - 1] if 1 <= month <= len(MONTHS) else match[2]
    return f"{match[1]} {name} {int(match[3])}"


def _without_surrogates(text: str) -> str:
    # half a character, of which a splitter that speaks UTF-8 wants to know nothing; offsets stay
    return _SURROGATE.sub("\ufffd", text)
