"""Short forms, code names and what they stand for: where a text says so, and where a question has one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from hybrid.text.words import STOP_WORDS, stem, tokens, word_set

_BRACKETS = re.compile(r"\(([^()]{2,80})\)")
_BEFORE = re.compile(r"[^\s(),;:]+(?:\s+[^\s(),;:]+)*\s*$")
_SHORT = range(2, 11)
# An ordinary word in brackets is no abbreviation.
_MARKED = re.compile(r"[A-Z].*[A-Z]|[A-Z]\d|\d[A-Z]|^[a-z]{1,2}[A-Z]")
_REACH = 200
# "OSA stands for obstructive sleep apnea", and lines of a list or table: "OSA: ...", "OSA | ...".
_SAID = re.compile(
    r"(?<!\w)([\w/+&-]{2,10}),? (?:is (?:an? )?)?"
    r"(?:stands for|short for|(?:abbreviation|acronym) (?:for|of)) (?:the )?([^.,;:()\n]{3,80})"
)
_LISTED = re.compile(r"^[-*• ]*([\w/+&-]{2,10}) *(?:[:=|\t]|[-–—] ) *([^|.,;()\n]{3,80})", re.MULTILINE)
_NAME = r"[A-Z][\w-]*(?: (?:(?:of|the) )?[A-Z0-9][\w-]*){0,4}"
_ALSO_NAMED = re.compile(
    rf"(?:(?<![\w-])({_NAME}),? \(?(?:formerly|previously|now|also known as|a\.k\.a\.|aka)|"
    rf"\b[Tt]he ((?:[\w-]+ ){{0,3}}[\w-]+),? \(?code[- ]?named?:?)"
    rf"(?: known as| called| named)? [\"“'‘]?({_NAME})"
)
_LIST = re.compile(
    r"^(?:(?:list|glossary) of )?(?:abbreviations|acronyms|code ?names)(?: [\w ]{1,30})?\n"
    r"((?:\n?[^\n]{1,40}?(?: *[:=|\t]| [-–—] )[^\n]{2,80}(?:\n|\Z))+)",
    re.MULTILINE | re.IGNORECASE,
)
_LINE = re.compile(r"^[-*• ]*([^\n|:=]{2,40}?)(?: *[:=|\t]| [-–—] ) *([^|.;\n]{2,80})", re.MULTILINE)
_WORD = re.compile(r"\w+")
# What the head of a table of names says.
_HEADS = word_set("meaning meanings description explanation definition name term expansion")
# So many words of a question are looked up, and so many together.
_ASKED, _LONGEST = 64, 10
# So many things a form may stand for; and what is written small has so many letters.
_MEANINGS, _SMALL_LETTERS = 2, 3
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

    A short form stands in brackets behind its long form, or the other way round, or is said to stand for it,
    or begins a line of a list or table that explains it. Its letters are found in the long form from right to
    left, wherever in a word.
    """
    listed = (
        Abbreviation(found[1], long)
        for pattern in (_SAID, _LISTED)
        for found in pattern.finditer(text)
        if _is_short(found[1]) and (long := _begun(found[1], found[2].split()))
    )
    return list(dict.fromkeys((*_explained(text), *listed)))


def find_names(text: str) -> list[Abbreviation]:
    """Return the names that a text says to be those of one thing, each pair once; letters decide nothing.

    A name is said to be a code name, or what something was called before, or it begins a line below the
    heading "Code names" or "Abbreviations"; such a list is also what a user writes to explain words to the
    index.
    """
    said = [(found[1] or found[2], found[3]) for found in _ALSO_NAMED.finditer(text)]
    for block in _LIST.finditer(text):
        said += [pair for pair in _LINE.findall(block[1]) if _HEADS.isdisjoint(pair[1].lower().split())]
    pairs = ((" ".join(one.split()), " ".join(other.split())) for one, other in said)
    return list(
        dict.fromkeys(Abbreviation(*pair) for pair in pairs if form_key(pair[0]) != form_key(pair[1]))
    )


@lru_cache(maxsize=1 << 15)  # texts repeat their words
def _root(word: str) -> str:
    while (bare := stem(word)) != word:
        word = bare
    return word


def form_key(form: str) -> str:
    """Return what a form is looked up by, alike in any case, number and punctuation."""
    return " ".join(map(_root, tokens(form)))


@dataclass(frozen=True, slots=True)
class Meaning:
    """What some words stand for, and how many documents say so."""

    form: str
    meaning: str
    documents: int


@dataclass(frozen=True, slots=True)
class Explained:
    """Words of a question, from ``start`` to ``end``, and what they stand for, most said first."""

    start: int
    end: int
    meanings: tuple[Meaning, ...]


def keys_of(question: str) -> list[tuple[str, int, int]]:
    """Return all runs of words of a question by which a form may be looked up, the longest first."""
    words = list(islice(_WORD.finditer(question), _ASKED))
    roots = [_root(word.group().lower()) for word in words]
    return [
        (" ".join(roots[at : at + count]), words[at].start(), words[at + count - 1].end())
        for count in range(min(_LONGEST, len(words)), 0, -1)
        for at in range(len(words) - count + 1)
    ]


def explained(question: str, known: Iterable[Meaning]) -> list[Explained]:
    """Return the words of a question that stand for others which it does not have itself, in its order.

    A form of one word is another one in other case, unless the whole question is written small. ``known`` is
    what forms stand for, those that most documents explain so first.
    """
    meanings: dict[str, list[Meaning]] = {}
    for one in known:
        meanings.setdefault(form_key(one.form), []).append(one)
    small, asked = question == question.lower(), f" {form_key(question)} "
    found: list[Explained] = []
    for key, start, end in keys_of(question):
        typed = question[start:end]
        if key not in meanings or any(start < one.end and one.start < end for one in found):
            continue
        other: dict[str, Meaning] = {}
        for one in meanings[key]:
            if " " in key or _same_word(typed, one.form, small):
                other.setdefault(form_key(one.meaning), one)
        if any(f" {meant} " in asked for meant in other):
            found.append(Explained(start, end, ()))
        elif other:
            found.append(Explained(start, end, tuple(other.values())[:_MEANINGS]))
    return sorted((one for one in found if one.meanings), key=lambda one: one.start)


def reworded(question: str, parts: Sequence[Explained]) -> str:
    """Return a question with what its words stand for in their place."""
    for part in reversed(parts):
        question = question[: part.start] + part.meanings[0].meaning + question[part.end :]
    return question


def _same_word(typed: str, form: str, small: bool) -> bool:
    if typed.removesuffix("s") == form.removesuffix("s"):
        return True
    return small and len(typed) >= _SMALL_LETTERS and typed not in STOP_WORDS


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
            if long and long == inner:
                yield Abbreviation(words[-1], long)


def _begun(short: str, words: Sequence[str]) -> str:
    """Return the first words that have the letters of a short form; nothing if there are none."""
    for count in range(2, min(len(words), 2 * len(short), len(short) + 5) + 1):
        if _by_letters(short, long := " ".join(words[:count])) == long:
            return long
    return ""


def _is_short(text: str) -> bool:
    return (
        len(text) in _SHORT
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
