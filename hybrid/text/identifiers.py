"""Exact names of a question, codes, versions, years, quarters, and what holds them (entity matching)."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

from hybrid.text.folding import fold, typed
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
