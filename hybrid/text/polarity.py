"""What a sentence denies or says the opposite of, by word lists and position (negation detection)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from hybrid.text.folding import fold
from hybrid.text.words import NEGATORS, all_opposites, are_opposite, opposites_of, stem, word_set
from hybrid.types import Span

# of a sentence that may deny: "don't" is one
DENYING_WORD = re.compile(r"\w+(?:['’]\w+)*")
# it adds, and denies nothing
_NOT_ONLY = re.compile(r"\bnot\s+(?:only|just|merely|solely)\b", re.IGNORECASE)
_NEGATORS = NEGATORS | word_set(
    "rarely seldom barely infrequently nowhere",
    # as they are typed in haste
    "aint isnt arent wasnt werent doesnt dont didnt cant couldnt wont wouldnt shouldnt hasnt havent",
)
# They deny as well, but not always the word behind them: where one is, nothing can be said for certain.
_MURKY = re.compile(
    r"lack\w*|deficien\w*|absen\w+|fail\w*|refus\w+|knockout|null|depleti?\w*|loss|few|little|rare"
    r"|unlikely|prevent\w*"
)
# Words between a negator and what it denies.
_LIGHT = word_set(
    "a an the any to be been being is are was were have has had do does did yet also even very much more so",
    "that it its their his her of in for by with significant significantly evidence effect longer ever only",
    "just really able there",
)
_REACH = 4
# So near to a word and to its opposite the same word must stand, or they speak of two things.
_NEAR = 4
# Texts repeat their words: so many are looked up rather than read again.
_KNOWN = 1 << 15


@dataclass(frozen=True, slots=True)
class _Word:
    """A word in lower case, its stem, where it stands, and whether it is denied."""

    text: str
    stem: str
    span: Span
    denied: bool


def turned_around(claim: str, sentence: str) -> list[Span]:
    """Return the words of a claim that a sentence about the same denies, or says the opposite of.

    By word lists and position, English only, and on the safe side: where both deny something, or where it is
    not certain what is denied, nothing is found. Of judged claims, 1 in 1,000 that are supported has such a
    word, and 4 to 6 in 100 that are refuted (SciFact, COVID-Fact): what is found can be relied on, and mostly
    nothing is.
    """
    said, there = _read(claim), _read(sentence)
    found = denials(claim), denials(sentence)
    if _murky(said) and _murky(said) == _murky(there):  # "it failed", "it did not fail"
        found = _negators(said), _negators(there)
    if not any(found):
        turned = _opposed(said, there)
    else:
        # with a denial on both sides, or one that reaches nobody knows where, they may well agree
        turned = _denied(said, there) if 0 in found and None not in found else []
    return [word.span for word in turned]


@lru_cache(maxsize=1 << 12)  # a claim is compared with many texts, and their candidates share sentences
def stems(text: str) -> frozenset[str]:
    """Return the stems of the words of weight."""
    return frozenset(map(stem_of, DENYING_WORD.findall(text))) - {""}


@lru_cache(maxsize=1 << 12)
def opposite_stems(text: str) -> Mapping[str, frozenset[str]]:
    """Return the stems of the words of weight, with those of their opposites."""
    words = [fold(written) for written in DENYING_WORD.findall(text)]
    return {_stem(word): frozenset(map(_stem, all_opposites(word))) for word in words if _is_content(word)}


@lru_cache(maxsize=_KNOWN)
def stem_of(written: str) -> str:
    """Return the stem of a word of weight, nothing of another one."""
    word = fold(written)
    return _stem(word) if _is_content(word) else ""


def denials(text: str) -> int | None:
    """Return how many negators there are; None if what is denied is not certain."""
    words = _read(text)
    return None if _murky(words) else _negators(words)


def _murky(words: Sequence[_Word]) -> list[str]:
    return [word.stem for word in words if _MURKY.fullmatch(word.text)]


def _negators(words: Sequence[_Word]) -> int:
    return sum(_is_negator(word.text) for word in words)


def _denied(said: Sequence[_Word], nearest: Sequence[_Word]) -> list[_Word]:
    """Return the words of the claim that are denied throughout on one side and never on the other."""
    mine, theirs = _denial_of_stems(said), _denial_of_stems(nearest)
    return [
        word
        for word in said
        if _is_content(word.text)
        and mine[word.stem] in ({True}, {False})
        and theirs.get(word.stem) == {not word.denied}
    ]


def _denial_of_stems(words: Sequence[_Word]) -> dict[str, set[bool]]:
    stems: dict[str, set[bool]] = {}
    for word in words:
        stems.setdefault(word.stem, set()).add(word.denied)
    return stems


def _opposed(said: Sequence[_Word], nearest: Sequence[_Word]) -> list[_Word]:
    """Return the words of the claim that the other side lacks, where an opposite stands in their place."""
    mine, theirs = ({word.stem for word in words} for words in (said, nearest))
    # "it is safe", "it is unsafe": there is nothing else that they could speak of
    bare = all(sum(_is_content(word.text) for word in words) == 1 for words in (said, nearest))
    return [
        word
        for place, word in enumerate(said)
        if word.stem not in theirs
        and not any(opposites_of(word.text) & opposites_of(other.text) for other in nearest)
        and any(
            other.stem not in mine
            and are_opposite(word.text, other.text)
            and (bare or _around(said, place) & _around(nearest, at))
            for at, other in enumerate(nearest)
        )
    ]


def _around(words: Sequence[_Word], place: int) -> set[str]:
    near = (*words[max(place - _NEAR, 0) : place], *words[place + 1 : place + _NEAR + 1])
    return {word.stem for word in near if _is_content(word.text)}


def _is_content(word: str) -> bool:
    return bool(opposites_of(word)) or (len(word) > 2 and word not in _LIGHT and word not in _NEGATORS)


@lru_cache(maxsize=512)  # a claim is compared with many sentences
def _read(text: str) -> tuple[_Word, ...]:
    """Return the words of a text; what stands behind a negator with light words between is denied."""
    words: list[_Word] = []
    reach = end = 0
    for match in DENYING_WORD.finditer(_NOT_ONLY.sub(lambda found: " " * len(found.group()), text)):
        if ";" in text[end : match.start()]:
            reach = 0
        end = match.end()
        word = fold(match.group())
        negates = _is_negator(word)
        words.append(_Word(word, _stem(word), Span(*match.span()), denied=reach > 0 and not negates))
        if negates:
            reach = _REACH
            continue
        # the first word of weight behind a negator is what it denies
        reach = reach - 1 if word in _LIGHT and reach else 0
    return tuple(words)


def _stem(word: str) -> str:
    found = word if _is_negator(word) else stem(word)
    # "cure" as "cures"
    return found.removesuffix("e") if len(found) == len("cure") else found


def _is_negator(word: str) -> bool:
    return word in _NEGATORS or word.endswith("n't")
