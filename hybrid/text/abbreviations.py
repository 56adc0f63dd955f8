"""Abbreviations and what they stand for, as a text itself explains them (Schwartz & Hearst 2003)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hybrid.text.words import word_set

_BRACKETS = re.compile(r"\(([^()]{2,80})\)")
_BEFORE = re.compile(r"[^\s(),;:]+(?:\s+[^\s(),;:]+)*\s*$")
_SHORTEST, _LONGEST = 2, 10
# An ordinary word in brackets is no abbreviation.
_MARKED = re.compile(r"[A-Z].*[A-Z]|[A-Z]\d|\d[A-Z]|^[a-z]{1,2}[A-Z]")
_REACH = 200
# What an abbreviation leaves out; and what it may leave out where its long form is known.
_LEFT_OUT = word_set("and of the for in")
_SMALL = _LEFT_OUT | word_set("to a on with")


@dataclass(frozen=True, slots=True)
class Abbreviation:
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


def find_abbreviations(text: str) -> list[Abbreviation]:
    """Return the abbreviations that a text explains, each once, in the order of the text.

    A short form stands in brackets behind its long form, or the other way round, and its letters are found in
    the long form from right to left, wherever in a word.
    """
    return list(dict.fromkeys(_explained(text)))


def long_form(short: str, words: Sequence[str]) -> str:
    """Return the last words whose initials are the short form, or nothing: stricter than any letters.

    Small words such as "of" may be left out, and each part of a word with a hyphen counts.
    """
    for first, word in enumerate(words):
        parts = [part.lower() for chosen in words[first:] for part in chosen.split("-") if part]
        forms = ["".join(part[0] for part in parts if part not in out) for out in ((), _SMALL)]
        if word.lower() not in _SMALL and short.lower() in forms:
            return " ".join(words[first:])
    return ""


def initials(words: Iterable[str]) -> str:
    """Return the first letters of lower-case words, without those that an abbreviation leaves out."""
    return "".join(word[0] for word in words if word not in _LEFT_OUT)


def _explained(text: str) -> Iterator[Abbreviation]:
    for found in _BRACKETS.finditer(text):
        inner = found[1].strip()
        before = _BEFORE.search(text[max(found.start() - _REACH, 0) : found.start()])
        if before is None:
            continue
        words = before[0].split()
        if _is_short(inner):
            reach = min(len(inner) + 5, 2 * len(inner))
            long = _by_letters(inner, " ".join(words[-reach:]))
            if long:
                yield Abbreviation(inner, long)
        elif _is_short(words[-1]) and len(inner.split()) <= len(words[-1]) + 5:
            long = _by_letters(words[-1], inner)
            if long == inner:
                yield Abbreviation(words[-1], long)


def _is_short(text: str) -> bool:
    return (
        _SHORTEST <= len(text) <= _LONGEST
        and len(text.split()) <= 2
        and text[0].isalnum()
        and _MARKED.search(text) is not None
    )


def _by_letters(short: str, text: str) -> str:
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
    count = len(long.split())
    # a long form of one word, or one that holds the short form, explains nothing
    return long if 1 < count <= 2 * len(short) and short.lower() not in long.lower().split() else ""
