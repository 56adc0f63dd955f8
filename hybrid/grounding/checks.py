"""Checks without a model: numbers, units, dates and names that evidence lacks, negations it turns around."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from hybrid.grounding.values import Doubt, Finding
from hybrid.text.dates import MONTHS, Date, dates
from hybrid.text.numbers import Quantity, implied_numbers, quantities, same_number, same_quantity
from hybrid.text.sentences import sentence_spans
from hybrid.text.words import (
    NEGATORS,
    are_opposite,
    content_words,
    initials,
    opposites_of,
    stem,
    terms,
    tokens,
    word_set,
)
from hybrid.types import Span

# What cannot be rounded or said in other words, so that its absence speaks against a claim by itself.
HARD = frozenset((Doubt.NUMBER, Doubt.UNIT, Doubt.DATE))
# So much of a claim a sentence must hold for its denial to be one of the claim.
ALIKE = 0.6
# As far as the longest word reaches.
_CONTEXT = 24
_LETTERS = re.compile(r"[^\W\d_]+")
_DIGITS = re.compile(r"\d+")
_WORD = re.compile(r"\w+")
_CAPITALISED = r"[^\W\d_a-z]\w*(?:[-.'’&]\w+)*"
_NAME = re.compile(
    rf"\b{_CAPITALISED}(?:\s+(?:(?:of|the|de|van|von|and|for|la|le)\s+){{0,2}}{_CAPITALISED})*"
)
_BEGINS = re.compile(r"(?:^|[.!?:;]\s|[\"“(*]\s?)\s*$")
_ACRONYM = re.compile(r"[A-Z]{2,6}s?")
# Capitals that name nobody: days, titles, what is said in many ways.
_NO_NAMES = word_set(
    *MONTHS,
    "monday tuesday wednesday thursday friday saturday sunday i mr mrs ms miss dr prof sir lord lady st",
    "president king queen prime minister senator professor doctor state university city county company",
    "the a an this that it he she they we in on at ad bc am pm usa us uk eu un english american british",
)
# of a sentence that may deny: "don't" is one
_DENYING_WORD = re.compile(r"\w+(?:['’]\w+)*")
# They deny as well, but not always the word behind them: where one is, nothing can be said for certain.
_MURKY = re.compile(
    r"lack\w*|deficien\w*|absen\w+|fail\w*|refus\w+|knockout|null|depleti?\w*|loss|few|little|rarely?"
    r"|unlikely|prevent\w*"
)
# Words between a negator and what it denies.
_LIGHT = word_set(
    "a an the any to be been being is are was were have has had do does did yet also even very much more so",
    "that it its their his her of in for by with significant significantly evidence effect longer ever only",
    "just really able",
)
_REACH = 4
# So near to a word and to its opposite the same word must stand, or they speak of two things.
_NEAR = 4
# A claim that repeats all of so many words is about the same, whatever else it says.
_REPEATED = 3
# Texts repeat their words: so many are looked up rather than read again.
_KNOWN = 1 << 15


@dataclass(frozen=True)
class TextFacts:
    """What a text states that can be looked up: compared with many claims, and each kind read once.

    A kind that no claim asks for is never read.
    """

    text: str

    @cached_property
    def words(self) -> frozenset[str]:
        """Return all words in lower case."""
        return frozenset(self._spoken)

    @cached_property
    def terms(self) -> frozenset[str]:
        """Return what texts are compared by."""
        return frozenset(terms(self.text))

    @cached_property
    def initials(self) -> str:
        """Return the first letters of the words that an abbreviation does not leave out."""
        return initials(self._spoken)

    @cached_property
    def digits(self) -> frozenset[str]:
        """Return all runs of digits."""
        return frozenset(_DIGITS.findall(self.text))

    @cached_property
    def numbers(self) -> tuple[Quantity, ...]:
        """Return all quantities."""
        return tuple(quantities(self.text))

    @cached_property
    def implied(self) -> frozenset[float]:
        """Return the numbers that are said without a numeral."""
        return implied_numbers(self.words)

    @cached_property
    def dates(self) -> tuple[Date, ...]:
        """Return all dates."""
        return tuple(dates(self.text))

    @cached_property
    def _spoken(self) -> list[str]:
        return tokens(self.text)


@dataclass(frozen=True, slots=True)
class _Stated:
    """What a claim states that can be looked up: its dates by where they stand, other numbers, and names.

    A date that can be read in two ways is there twice; of a name there are the words that tell it.
    """

    dates: dict[Span, list[Date]]
    numbers: tuple[Quantity, ...]
    names: dict[Span, tuple[str, ...]]


def in_order(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in the order of the claim."""
    return tuple(sorted(found, key=lambda finding: (finding.span.start, finding.span.end, finding.doubt)))


def denials(claim_text: str, evidence_text: str, *, alike: float = ALIKE) -> list[Finding]:
    """Return the words of a claim that the sentence of the evidence nearest to it turns around.

    Args:
        claim_text: a sentence.
        evidence_text: of any length.
        alike: the share of the claim's words that the sentence must hold.
    """
    near = nearest_sentence(claim_text, evidence_text, alike=alike)
    turned = turned_around(claim_text, near) if near else []
    return [_finding(Doubt.NEGATION, claim_text, span) for span in turned]


def contradictions(claim_text: str, evidence_text: str, *, alike: float) -> tuple[Finding, ...]:
    """Return what the sentence of the evidence nearest to a claim says otherwise.

    That is what it denies, and a number, unit or date of the claim where it has another one in its place:
    behind or before the same word. A sentence without any number does not contradict one.
    """
    near = nearest_sentence(claim_text, evidence_text, alike=alike)
    if not near:
        return ()
    others = [
        _context(near, finding.span)
        for finding in missing(near, TextFacts(claim_text))
        if finding.doubt in HARD
    ]
    # the same word before or behind both: "of 5 mg", "of 7"
    sides = [{context[side] for context in others} - {""} for side in (0, 1)]
    differing = [
        finding
        for finding in missing(claim_text, TextFacts(near))
        if finding.doubt in HARD
        and any(word in side for word, side in zip(_context(claim_text, finding.span), sides, strict=True))
    ]
    return in_order([*differing, *denials(claim_text, near, alike=alike)])


def _context(text: str, span: Span) -> tuple[str, str]:
    before = tokens(text[max(span.start - _CONTEXT, 0) : span.start])
    behind = _LETTERS.findall(text[span.start : span.end + _CONTEXT].lower())
    return (before[-1] if before else "", behind[0] if behind else "")


def missing(claim_text: str, facts: TextFacts) -> list[Finding]:
    """Return the numbers, units, dates and names of a claim that are nowhere among the facts."""
    stated = _stated(claim_text)
    found: dict[Span, Finding] = {}
    for span, readings in stated.dates.items():
        # a date that can be read in two ways is found if one of them is
        if not any(_has_year(date, facts) and _has_month(date, facts) for date in readings):
            found[span] = _finding(Doubt.DATE, claim_text, span)
    for quantity in stated.numbers:
        doubt = _number_doubt(quantity, facts)
        if doubt:
            found[quantity.span] = _finding(doubt, claim_text, quantity.span)
    for span, words in stated.names.items():
        if not _is_named(words, facts):
            found[span] = _finding(Doubt.NAME, claim_text, span)
    return list(found.values())


@lru_cache(maxsize=64)  # a claim is compared with one passage after the other
def _stated(text: str) -> _Stated:
    numbers = quantities(text)
    measured = {quantity.span.start for quantity in numbers if quantity.units}
    said: dict[Span, list[Date]] = {}
    for date in dates(text):
        is_bare_year = date.month is None and date.year == date.until
        if not (is_bare_year and date.span.start in measured):
            said.setdefault(date.span, []).append(date)
    return _Stated(
        said,
        tuple(
            number
            for number in numbers
            if not any(date.start < number.span.end and number.span.start < date.end for date in said)
        ),
        {span: _telling(text[span.start : span.end]) for span in _names(text)},
    )


def _finding(doubt: Doubt, text: str, span: Span) -> Finding:
    return Finding(doubt, span, text[span.start : span.end])


def _number_doubt(quantity: Quantity, facts: TextFacts) -> Doubt | None:
    if quantity.weak or any(same_quantity(quantity, other) for other in facts.numbers):
        return None
    if any(same_number(quantity, other) for other in facts.numbers):
        return Doubt.UNIT
    if quantity.value in facts.implied or quantity.written in facts.digits:
        return None
    return Doubt.NUMBER


def _has_year(date: Date, facts: TextFacts) -> bool:
    if date.year is None or date.until is None:
        return True
    known = [int(digits) for digits in facts.digits if len(digits) == 4]
    ranges = [(other.year, other.until) for other in facts.dates if other.year is not None]
    return any(date.year <= year <= date.until for year in known) or any(
        until is not None and year <= date.until and date.year <= until for year, until in ranges
    )


def _has_month(date: Date, facts: TextFacts) -> bool:
    if date.month is None:
        return True
    same = [other for other in facts.dates if other.month == date.month]
    if date.day is None:
        return bool(same) or MONTHS[date.month - 1] in facts.words
    return any(
        other.day is not None and other.last_day is not None and other.day <= date.day <= other.last_day
        for other in same
    )


def _names(text: str) -> Iterator[Span]:
    """Yield runs of words with capitals, without one that a sentence begins with unless it is seen again.

    Where only function words are in small letters it is a headline, in which capitals say nothing.
    """
    words = _WORD.findall(text)
    if not any(word[0].islower() and content_words(word) for word in words):
        return
    for match in _NAME.finditer(text):
        start = match.start()
        first = _WORD.match(text, start)
        if first and _BEGINS.search(text, max(start - 3, 0), start) and words.count(first.group()) == 1:
            following = re.compile(_CAPITALISED).search(text, first.end(), match.end())
            if following is None:
                continue
            start = following.start()
        # the scripts without capitals, and small letters with marks
        if text[start].isupper():
            yield Span(start, match.end())


def _telling(name: str) -> tuple[str, ...]:
    """Return the words of a name without those that name nobody."""
    return tuple(
        part
        for part in _WORD.findall(name)
        if part.lower() not in _NO_NAMES and len(part) > 1 and content_words(part)
    )


def _is_named(parts: Sequence[str], facts: TextFacts) -> bool:
    """Tell whether a word of a name is there, or its initials, or what the name abbreviates."""
    if not parts or any(
        part.lower() in facts.words or facts.terms.intersection(terms(part)) for part in parts
    ):
        return True
    initials = "".join(part[0] for part in parts).lower()
    if len(parts) > 1 and initials in facts.words:
        return True
    return all(_ACRONYM.fullmatch(part) and part.rstrip("s").lower() in facts.initials for part in parts)


@dataclass(frozen=True, slots=True)
class _Word:
    """A word in lower case, its stem, where it stands, and whether it is denied."""

    text: str
    stem: str
    span: Span
    denied: bool


def nearest_sentence(claim: str, evidence: str, *, alike: float) -> str:
    """Return the sentence of the evidence that holds most words of a claim; empty if not even that share.

    Args:
        claim: a sentence.
        evidence: a text.
        alike: the share of the claim's words, numbers apart, that the sentence must hold, from 0 to 1: what
            says something else altogether denies nothing.
    """
    said = _stems(claim)
    # numbers are compared elsewhere: "the port is 5433" is about the same as "the port is 5432"
    stems = frozenset(stem for stem in said if not stem[0].isdigit()) or said
    if not stems:
        return ""
    # no sentence ends within a word, so none holds more than all of them: mostly nothing is cut
    everything = _stems(evidence)
    if len(stems & everything) / len(stems) < alike and len(said & everything) < _REPEATED:
        return ""
    texts = [evidence[span.start : span.end] for span in sentence_spans(evidence)]
    held = [_stems(text) for text in texts]
    # what a claim adds to a sentence that it repeats whole must not hide what it denies
    whole = [len(there) >= _REPEATED and there <= said for there in held]
    shares = [max(len(stems & there) / len(stems), every) for there, every in zip(held, whole, strict=True)]
    place = max(range(len(texts)), key=lambda at: shares[at], default=-1)
    return texts[place] if texts and shares[place] >= alike else ""


def turned_around(claim: str, sentence: str) -> list[Span]:
    """Return the words of a claim that a sentence about the same denies, or says the opposite of.

    By word lists and position, English only, and on the safe side: where both deny something, or where it is
    not certain what is denied, nothing is found. Of judged claims, 1 in 1,000 that are supported has such a
    word, and 4 to 6 in 100 that are refuted (SciFact, COVID-Fact): what is found can be relied on, and mostly
    nothing is.
    """
    said, there = _read(claim), _read(sentence)
    denials = _denials(said), _denials(there)
    if not any(denials):
        turned = _opposed(said, there)
    else:
        # with a denial on both sides, or one that reaches nobody knows where, they may well agree
        turned = _denied(said, there) if 0 in denials and None not in denials else []
    return [word.span for word in turned]


@lru_cache(maxsize=512)  # a claim is compared with many texts, and their candidates share sentences
def _stems(text: str) -> frozenset[str]:
    """Return the stems of the words of weight."""
    return frozenset(map(_stem_of, _DENYING_WORD.findall(text))) - {""}


@lru_cache(maxsize=_KNOWN)
def _stem_of(written: str) -> str:
    """Return the stem of a word of weight, nothing of another one."""
    word = _normal(written)
    return _stem(word) if _is_content(word) else ""


def _denials(words: Sequence[_Word]) -> int | None:
    """Return how many negators there are; None if what is denied is not certain."""
    if any(_MURKY.fullmatch(word.text) for word in words):
        return None
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
    return [
        word
        for place, word in enumerate(said)
        if word.stem not in theirs
        and not any(opposites_of(word.text) & opposites_of(other.text) for other in nearest)
        and any(
            other.stem not in mine
            and are_opposite(word.text, other.text)
            and _around(said, place) & _around(nearest, at)
            for at, other in enumerate(nearest)
        )
    ]


def _around(words: Sequence[_Word], place: int) -> set[str]:
    near = (*words[max(place - _NEAR, 0) : place], *words[place + 1 : place + _NEAR + 1])
    return {word.stem for word in near if _is_content(word.text)}


def _is_content(word: str) -> bool:
    return bool(opposites_of(word)) or (len(word) > 2 and word not in _LIGHT and word not in NEGATORS)


@lru_cache(maxsize=512)  # a claim is compared with many sentences
def _read(text: str) -> tuple[_Word, ...]:
    """Return the words of a text; what stands behind a negator with light words between is denied."""
    words: list[_Word] = []
    reach = 0
    for match in _DENYING_WORD.finditer(text):
        word = _normal(match.group())
        negates = _is_negator(word)
        words.append(_Word(word, _stem(word), Span(*match.span()), denied=reach > 0 and not negates))
        if negates:
            reach = _REACH
            continue
        # the first word of weight behind a negator is what it denies
        reach = reach - 1 if word in _LIGHT and reach else 0
    return tuple(words)


def _normal(written: str) -> str:
    return written.lower().replace("’", "'")


def _stem(word: str) -> str:
    return word if _is_negator(word) else stem(word)


def _is_negator(word: str) -> bool:
    return word in NEGATORS or word.endswith("n't")
