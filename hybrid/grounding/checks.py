"""What a claim states that its evidence lacks or turns around, found without a model.

Numbers, units, dates and names are looked for anywhere in the evidence; a negation is compared with the
sentence nearest to the claim.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cached_property, lru_cache

from hybrid.grounding.polarity import nearest_sentence, turned_around
from hybrid.grounding.values import Doubt, Finding
from hybrid.text.abbreviations import initials
from hybrid.text.dates import MONTHS, Date, dates
from hybrid.text.numbers import Quantity, implied_numbers, quantities, same_number, same_quantity
from hybrid.text.words import content_words, terms, tokens, word_set
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


def facts_of(text: str) -> TextFacts:
    """Return what a text states."""
    return TextFacts(text)


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
        for finding in missing(near, facts_of(claim_text))
        if finding.doubt in HARD
    ]
    before, behind = ({context[side] for context in others} - {""} for side in (0, 1))
    differing = [
        finding
        for finding in missing(claim_text, facts_of(near))
        if finding.doubt in HARD and _stands_alike(_context(claim_text, finding.span), before, behind)
    ]
    return in_order([*differing, *denials(claim_text, near, alike=alike)])


def _stands_alike(context: tuple[str, str], before: Set[str], behind: Set[str]) -> bool:
    """Tell whether the same word stands before or behind another stretch: "of 5 mg", "of 7"."""
    return context[0] in before or context[1] in behind


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
        if not any(_is_dated(date, facts) for date in readings):
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
        if not (_is_bare_year(date) and date.span.start in measured):
            said.setdefault(date.span, []).append(date)
    return _Stated(
        said,
        tuple(quantity for quantity in numbers if not _within(quantity.span, said)),
        {span: _telling(text[span.start : span.end]) for span in _names(text)},
    )


def _finding(doubt: Doubt, text: str, span: Span) -> Finding:
    return Finding(doubt, span, text[span.start : span.end])


def _within(span: Span, others: Iterable[Span]) -> bool:
    return any(other.start < span.end and span.start < other.end for other in others)


def _is_bare_year(date: Date) -> bool:
    return date.month is None and date.year == date.until


def _number_doubt(quantity: Quantity, facts: TextFacts) -> Doubt | None:
    if quantity.weak or any(same_quantity(quantity, other) for other in facts.numbers):
        return None
    if any(same_number(quantity, other) for other in facts.numbers):
        return Doubt.UNIT
    if quantity.value in facts.implied or quantity.written in facts.digits:
        return None
    return Doubt.NUMBER


def _is_dated(date: Date, facts: TextFacts) -> bool:
    return _has_year(date, facts) and _has_month(date, facts)


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
