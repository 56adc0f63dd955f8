"""Abbreviations and what they stand for, as a text itself explains them.

Takes a text, gives pairs. Knows nothing about what is done with them. The algorithm is that of Schwartz &
Hearst (2003, *A Simple Algorithm for Identifying Abbreviation Definitions in Biomedical Text*): a short form
in brackets behind its long form, or the other way round, whose letters are found from right to left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_BRACKETS = re.compile(r"\(([^()]{2,80})\)")
_BEFORE = re.compile(r"[^\s(),;:]+(?:\s+[^\s(),;:]+)*\s*$")
_WORDS = re.compile(r"\S+")
_SHORTEST, _LONGEST = 2, 10
# An ordinary word in brackets is no abbreviation.
_MARKED = re.compile(r"[A-Z].*[A-Z]|[A-Z]\d|\d[A-Z]|^[a-z]{1,2}[A-Z]")
_REACH = 200


@dataclass(frozen=True, slots=True)
class Acronym:
    """A short form and the long one that it stands for."""

    short: str
    long: str

    def swapped(self, text: str) -> str | None:
        """Return the text with the one form instead of the other; None if it has neither, or both."""
        forms = [
            re.compile(rf"(?<!\w){re.escape(form)}(?!\w)", flags)
            for form, flags in ((self.short, re.NOFLAG), (self.long, re.IGNORECASE))
        ]
        has_short, has_long = (form.search(text) is not None for form in forms)
        if has_short == has_long:
            return None
        return forms[has_long].sub(lambda _: self.short if has_long else self.long, text)


def find_acronyms(text: str) -> list[Acronym]:
    """Return the abbreviations that a text explains, each once, in the order of the text."""
    return list(dict.fromkeys(_explained(text)))


def _explained(text: str) -> Iterator[Acronym]:
    for found in _BRACKETS.finditer(text):
        inner = found[1].strip()
        before = _BEFORE.search(text[max(found.start() - _REACH, 0) : found.start()])
        if before is None:
            continue
        words = before[0].split()
        if _is_short(inner):
            reach = min(len(inner) + 5, 2 * len(inner))
            long = _spelled_out(inner, " ".join(words[-reach:]))
            if long:
                yield Acronym(inner, long)
        elif _is_short(words[-1]) and len(inner.split()) <= len(words[-1]) + 5:
            long = _spelled_out(words[-1], inner)
            if long == inner:
                yield Acronym(words[-1], long)


def _is_short(text: str) -> bool:
    return (
        _SHORTEST <= len(text) <= _LONGEST
        and len(text.split()) <= 2
        and text[0].isalnum()
        and _MARKED.search(text) is not None
    )


def _spelled_out(short: str, text: str) -> str:
    """Return the end of the text whose letters are the short form; nothing if there is none."""
    at = len(text)
    for place in range(len(short) - 1, -1, -1):
        letter = short[place].lower()
        if not letter.isalnum():
            continue
        at -= 1
        while at >= 0 and (text[at].lower() != letter or (place == 0 and at > 0 and text[at - 1].isalnum())):
            at -= 1
        if at < 0:
            return ""
    long = text[at:].strip()
    count = len(_WORDS.findall(long))
    # a long form of one word, or one that holds the short form, explains nothing
    return long if 1 < count <= 2 * len(short) and short.lower() not in long.lower().split() else ""
