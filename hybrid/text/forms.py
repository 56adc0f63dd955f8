"""What the words of a text do not tell: exact strings, unspaced scripts, other spellings (tokenisation)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain

from hybrid.text.dates import dates
from hybrid.text.folding import UNSPACED, fold

# A part between blanks is looked up rather than read again, unless it is longer.
_KNOWN, _LONGEST = 1 << 15, 60
# The English analyser of the index drops a word of so many bytes, such as a hash.
_DROPPED = 40
# What a longer one says in its first letters is enough to find it.
_LONGEST_FORM = 200
_BEFORE, _BEHIND = "([{'\"", ".,;:!?)]}'\""
_RUN = re.compile(rf"[{UNSPACED}]+")
_WORD = re.compile(rf"[^\W_{UNSPACED}]+")
# 1.3.2, 10.0.0.1:80, 2021-03-05, 1,496.5, a::b, snake_case, R&D, os.path; but no well-known and no and/or.
# Begun where a word does: tried at each of its letters, a long one would take the square of its length.
_JOINED = re.compile(r"(?<![^\W_])[^\W_]+(?:(?:[.,:/&@_+~-]|::|__)[^\W_]+)+")
_TELLING = re.compile(r"\d|[a-z]\.[a-z]|[&@_]|::|:[a-z]|/.*/")
_PARTS = re.compile(r"[:/@+~]+")
# C++, g++, C#, F#; .NET, .gitignore
_SIGNED = re.compile(r"(?<![\w+#])[^\W\d_]{1,12}(?:\+\+|#)(?![+#])|(?<![\w.])\.[^\W\d_][\w-]*")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_VERSION = re.compile(r"v(?=\d)")
# looked for first: most texts have no date, and to read one takes ten times as long
_DATED = re.compile(r"\d[/.-]\d\d?[/.-]\d\d|\b(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)")
# the number of an account or a card: DE89 3704 0044 0532 0130 00
_GROUPED = re.compile(r"(?<!\w)(?:[A-Z]{2}\d\d|\d{4})(?: ?[\dA-Z]{4}){3,7}(?: ?[\dA-Z]{1,3})?(?!\w)")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})


def forms(text: str) -> list[str]:
    """Return the exact strings of a text, the pairs of its unspaced characters and its words respelled.

    Exact is what has signs or figures inside, as ``v1.3.2`` (without its v), ``10.0.0.1``, ``C++``,
    ``snake_case``, or is longer than a word; a day is ``2021-03-05`` however it is written, and the number of
    an account or a card has no blanks; respelled are words with accents, ligatures or wide letters, by
    plain ones, and by ``ue`` for ``ü``.
    """
    parts = text.split()
    read = _known if max(map(len, parts), default=0) <= _LONGEST else _read
    found = dates(text) if _DATED.search(text) else ()
    days = (f"{one.year}-{one.month:02}-{one.day:02}" for one in found if one.year and one.month and one.day)
    days = (day for day in days if day not in text)  # which is a form of its own
    grouped = (match.group().replace(" ", "").lower() for match in _GROUPED.finditer(text))
    return list(chain(chain.from_iterable(map(read, parts)), days, grouped))


def pairs(run: str) -> list[str]:
    """Return each pair of neighbours of a run of characters; of a single one itself."""
    return [run[place : place + 2] for place in range(max(len(run) - 1, 1))]


def is_unspaced(text: str) -> bool:
    """Tell whether a text has characters of a script that is written without blanks."""
    return not text.isascii() and _RUN.search(text) is not None


@lru_cache(maxsize=_KNOWN)
def _known(part: str) -> tuple[str, ...]:
    return tuple(_read(part))


def _read(part: str) -> Iterator[str]:
    if part.isascii() and len(part) < _DROPPED and part.lstrip(_BEFORE).rstrip(_BEHIND).isalpha():
        return  # most words
    for match in _JOINED.finditer(part):
        yield from _exact(match.group().lower())
    for match in _SIGNED.finditer(part):
        yield match.group().lower()
    folded = part if part.isascii() else fold(part)
    if runs := _RUN.findall(folded):
        yield from chain.from_iterable(map(pairs, runs))
        yield from _WORD.findall(folded)  # which no blank sets apart from them
    for word in _WORD.findall(part):
        if len(word.encode()) >= _DROPPED:
            yield word.lower()[:_LONGEST_FORM]
        if not word.isascii():
            lower = word.lower()
            yield from {fold(word), fold(lower.translate(_UMLAUTS))} - {lower}


def _exact(joined: str) -> Iterator[str]:
    if _THOUSANDS.fullmatch(joined):
        yield joined.replace(",", "")
        return
    if not _TELLING.search(joined):
        return
    parts = {_VERSION.sub("", part) for part in (joined, *_PARTS.split(joined))}
    yield from sorted(part[:_LONGEST_FORM] for part in parts if _JOINED.fullmatch(part))
