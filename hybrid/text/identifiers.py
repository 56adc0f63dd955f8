"""Exact strings of a text: codes, versions, years, quarters, what no word tells, and what holds them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from itertools import chain

from hybrid.text.dates import dates
from hybrid.text.folding import UNSPACED, fold, typed
from hybrid.types import Chunk

# AB/12-34.6, P-017, a UUID, K300, NGINX_1, 2.4.1, v2.4: letters and figures, or figures in three parts
# and 2026-0417, but not 2019-2020
_CODE = (
    r"(?=[\w./-]*\d)(?=[\w./-]*[^\W\d_])\w+(?:[./-]\w+)*|\d+(?:[./-]\d+){2,}"
    r"|(?:19|20)\d\d[-/](?!(?:19|20)\d\d(?!\d))\d{3,}"
)
_VERSION = r"(?:(?<=version )|(?<=release )|(?<=firmware ))\d+(?:\.\d+)*"
_YEAR = r"(?:19|20)\d\d"
_NAMED = re.compile(
    rf"(?<![\w./-])(?:(?P<version>{_VERSION}|v\d+(?:\.\d+)+)|(?P<code>{_CODE})|(?P<year>{_YEAR}))"
    r"(?!\w|[.,]\d)"
)
# a quantity, an ordinal, a decade, an age, a word that begins with a number
_MEASURED = re.compile(
    r"\d+(?:st|nd|rd|th|s|[a-z]{1,3})?|\d+(?:\.\d+)?-?[a-z]{2,}(?:-[a-z]+)*|\d+(?:[.,]\d+)?%?"
)
_V = re.compile(r"^v(?=[\d.]+$)")
# where letters meet figures: PX-7718 is also written px7718 and PX 7718
_SEAM = re.compile(r"(?<=[^\W\d_])[-/ ]?(?=\d)|(?<=\d)[-/ ]?(?=[^\W\d_])")
QUARTERS = ("first", "second", "third", "fourth")
QUARTER = re.compile(rf"\b({'|'.join(QUARTERS)}) quarter\b")
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
_LEADING_V = re.compile(r"v(?=\d)")
# looked for first: most texts have no date, and to read one takes ten times as long
_DATED = re.compile(r"\d[/.-]\d\d?[/.-]\d\d|\b(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)")
# the number of an account or a card: DE89 3704 0044 0532 0130 00
_GROUPED = re.compile(r"(?<!\w)(?:[A-Z]{2}\d\d|\d{4})(?: ?[\dA-Z]{4}){3,7}(?: ?[\dA-Z]{1,3})?(?!\w)")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})


def identifiers(text: str) -> tuple[str, ...]:
    """Return what a text names letter by letter, in small letters, each once: ``p-017``, ``2.4.1``, ``2019``.

    The second quarter is ``q2``. A quantity such as ``40mm`` or ``3rd`` names nothing.
    """
    told = _told(text)
    found = [f"q{QUARTERS.index(match[1]) + 1}" for match in QUARTER.finditer(told)]
    for match in _NAMED.finditer(told):
        name = match.group()
        # a bare number is a version where it is called so
        called = match["year"] or match["version"]
        if called or not _MEASURED.fullmatch(name):
            found.append(_V.sub("", name))
    return tuple(dict.fromkeys(found))


def identifiers_held(names: Collection[str], text: str) -> frozenset[str]:
    """Return the names that stand in a text as a whole: ``k300`` is not in ``K300-EW``, nor 2.4 in 2.4.1."""
    told = _told(text) if names else ""
    return frozenset(name for name in names if _pattern(name).search(told))


def identifiers_of_chunk(names: Collection[str], chunk: Chunk) -> frozenset[str]:
    """Return the names that a passage holds, or what stands above it, or what its document is called."""
    above = (chunk.source, *chunk.headings, chunk.caption, *chunk.columns)
    return identifiers_held(names, "\n".join((*above, chunk.text)))


def as_written(name: str) -> str:
    """Return a pattern for a name in any of its writings: ``px7718`` also for ``px-7718`` and ``px 7718``."""
    # a single letter before a blank is as soon a word or a column
    sign = "[-/ ]?" if name[:2].isalpha() else "[-/]?"
    return sign.join(map(re.escape, _SEAM.split(name)))


def parts_of(name: str) -> list[str]:
    """Return the runs of letters and of figures of a name: ``px-7718`` and ``px7718`` are px and 7718."""
    return _SEAM.split(name)


def _told(text: str) -> str:
    return text.lower() if text.isascii() else fold(typed(text))


@lru_cache(maxsize=1 << 10)
def _pattern(name: str) -> re.Pattern[str]:
    if re.fullmatch(r"q[1-4]", name):
        quarter = f"(?:{name}|{QUARTERS[int(name[1]) - 1]} quarter)"
        return re.compile(rf"(?<!\w){quarter}(?!\w)")
    if re.fullmatch(_YEAR, name):  # also of a fiscal year, a date and the name of a file
        return re.compile(rf"(?<![\d.,]){name}(?![\d]|[.,]\d)")
    behind = r"[./-](?!(?:pdf|md|txt|html?|docx|csv)\b)[a-z0-9]"
    return re.compile(rf"(?<![a-z0-9])v?(?<!\w[.-])(?<!\d){as_written(name)}(?:'?s)?(?![a-z0-9]|{behind})")


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
    parts = {_LEADING_V.sub("", part) for part in (joined, *_PARTS.split(joined))}
    yield from sorted(part[:_LONGEST_FORM] for part in parts if _JOINED.fullmatch(part))
