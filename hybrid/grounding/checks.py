"""Checks without a model: numbers, units, dates and names that evidence lacks, negations it turns around."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from hybrid.grounding.values import Doubt, DoubtedSpan
from hybrid.text.abbreviations import initials
from hybrid.text.dates import MONTHS, Date, dates
from hybrid.text.framing import Frame, Framed, Stance, framed, frames, without
from hybrid.text.limits import limits
from hybrid.text.numbers import Quantity, implied_numbers, quantities, same_number, same_quantity
from hybrid.text.polarity import denials, opposite_stems, stems, turned_around
from hybrid.text.sentences import sentence_spans
from hybrid.text.words import content_words, stem, terms, tokens, word_set
from hybrid.types import Span

# What cannot be rounded or said in other words, so that its absence speaks against a claim by itself.
HARD = frozenset((Doubt.NUMBER, Doubt.UNIT, Doubt.DATE, Doubt.LETTERS))
# What is shown as a contradiction. Of judged claims (SciFact, FactCheckGPT, COVID-Fact, SummEdits) 92 % of
# those with a denial were refuted or edited, 84 % with a number, all 5 with a unit; but 42 % with a date.
CONTRADICTING = frozenset((Doubt.NUMBER, Doubt.UNIT, Doubt.NEGATION))
# So much of a claim a sentence must hold for its denial to be one of the claim.
ALIKE = 0.6
# As far as the longest word reaches.
_CONTEXT = 24
_LETTERS = re.compile(r"[^\W\d_]+")
_DIGITS = re.compile(r"\d+(?:,\d{3}(?!\d)|\.\d+)*")
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
# A sentence that asserts a claim outweighs one that denies it unless that one holds so much more of it.
_FULLER = 0.15
_NO_FACT = {
    each: Doubt(each) for each in (Stance.ASKED, Stance.SUPPOSED, Stance.CONDITIONAL, Stance.REPORTED)
}
_PRESENT = word_set("is are has have does do will can may")
_VOWELS = re.compile("[aeiou]")
_PASSED = word_set("was were had did been")
# A claim that repeats all of so many words is about the same, whatever else it says.
_REPEATED = 2


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
        """Return all runs of digits; of 1,200 it is 1200, of 5.3 it is 5, of 10.0.0.1 each."""
        runs = [run.replace(",", "").split(".") for run in _DIGITS.findall(self.text)]
        return frozenset(part for run in runs for part in (run if len(run) > 2 else run[:1]))

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


def in_order(found: Iterable[DoubtedSpan]) -> tuple[DoubtedSpan, ...]:
    """Return findings in the order of the claim."""
    return tuple(sorted(found, key=lambda finding: (finding.span.start, finding.span.end, finding.doubt)))


def objections(
    claim_text: str, evidence: Sequence[Framed], *, alike: float = ALIKE
) -> tuple[DoubtedSpan, ...]:
    """Return what of a claim the sentences that say it deny, or do not state as a fact.

    What is asked, supposed, reported by somebody or over is no support, but contradicts nothing. Where
    another sentence states the claim about as fully, or claim and evidence put it alike, there is nothing.
    ``evidence`` is what is read together, ``alike`` the share of the claim's words that such a sentence must
    hold.
    """
    mine = frames(claim_text)
    shares = _shares(without(claim_text, mine), [one.core for one in evidence])
    found: tuple[DoubtedSpan, ...] = ()
    objecting = agreeing = 0.0
    for share, sentence in zip(shares, evidence, strict=True):
        if share < alike:
            continue
        against = _objections(claim_text, mine, sentence)
        if not against:
            agreeing = max(agreeing, share)
        elif share > objecting:
            objecting, found = share, in_order(against)
    return found if objecting > agreeing + _FULLER else ()


def _objections(claim: str, mine: Sequence[Frame], sentence: Framed) -> list[DoubtedSpan]:
    own, other = without(claim, mine), sentence.core
    shared = stems(own) & stems(other)
    ours = [one for one in mine if _is_about(one, own, shared)]
    theirs = [one for one in sentence.frames if _is_about(one, other, shared)]
    whole = Span(len(claim) - len(claim.lstrip()), max(len(claim.rstrip(" .!\n")), 1))
    turned = turned_around(own, other)
    # "it is not true that it is not open": two denials say nothing, and of one denied otherwise nobody knows
    if sum(one.stance is Stance.DENIED for one in (*ours, *theirs)) % 2:
        turned = [] if turned or denials(own) != denials(other) else [whole]
    limited = limits(own, other)
    if Stance.AFFIRMED in limited:  # closed on the day that is excepted from those on which it is open
        turned, limited = [], set()
    found = [_finding(Doubt.NEGATION, claim, span) for span in turned]
    found += [_finding(_NO_FACT.get(each, Doubt.NEGATION), claim, whole) for each in limited]
    put, said_so = {one.stance for one in theirs}, {one.stance for one in ours}
    found += [_finding(_NO_FACT[each], claim, whole) for each in put - said_so if each in _NO_FACT]
    past = [other[one.scope.start : one.scope.end] for one in theirs if one.stance is Stance.PAST]
    # "once it had 400, now it has 12"
    past = [text for text in past if not _numbers_in(own, other) - _numbers_in(own, text)]
    if Stance.PAST not in said_so and any(_is_present(own, text) for text in past):
        found.append(_finding(Doubt.PAST, claim, whole))
    if Stance.PAST in said_so - put and _is_present(other, own):
        found.append(_finding(Doubt.PAST, claim, whole))
    found += [
        _finding(_NO_FACT[one.stance], claim, one.marker)
        for one in ours
        if one.stance in _NO_FACT and one.stance not in put and one.stance is not Stance.CONDITIONAL
        if one.marker.start < one.marker.end
    ]
    return found


def _is_about(frame: Frame, text: str, shared: frozenset[str]) -> bool:
    """Tell whether a frame is about what two sentences share, and they don't share what it hangs on."""
    if frame.whose:
        own = stems(text[frame.whose.start : frame.whose.end])
        others = stems(text[: frame.whose.start] + " " + text[frame.whose.end :])
        if own and not own & (others | shared):
            return False
    inside = stems(text[frame.scope.start : frame.scope.end])
    outside = stems(text[: frame.scope.start] + " " + text[frame.scope.end :]) - inside
    if not shared or len(shared & inside) < ALIKE * len(shared):
        return False
    reach = len(shared & outside)
    return not (frame.stance is Stance.CONDITIONAL and reach and reach >= len(outside) / 2)


def _numbers_in(claim: str, text: str) -> frozenset[str]:
    """Return the numbers of a claim that a text has."""
    return frozenset(_DIGITS.findall(claim)).intersection(_DIGITS.findall(text))


def _is_present(text: str, past: str) -> bool:
    """Tell whether a text says in the present what another one says of the past."""
    words, others = set(tokens(text)), set(tokens(past))
    if (words - others) & _PRESENT:
        return True
    # "runs" and "ran" differ by their vowels
    ended = {_VOWELS.sub("", stem(word)) for word in others - words}
    verbs = {_VOWELS.sub("", stem(word)) for word in words - others if word.endswith("s")}
    return not words & _PASSED and bool(verbs & ended)


def contradictions(claim_text: str, evidence_text: str, *, alike: float) -> tuple[DoubtedSpan, ...]:
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
    denied = [
        one for one in objections(claim_text, framed([near]), alike=alike) if one.doubt is Doubt.NEGATION
    ]
    return in_order([*differing, *denied])


def _context(text: str, span: Span) -> tuple[str, str]:
    before = tokens(text[max(span.start - _CONTEXT, 0) : span.start])
    behind = _LETTERS.findall(text[span.start : span.end + _CONTEXT].lower())
    return (before[-1] if before else "", behind[0] if behind else "")


def missing(claim_text: str, facts: TextFacts) -> list[DoubtedSpan]:
    """Return the numbers, units, dates and names of a claim that are nowhere among the facts."""
    stated = _stated(claim_text)
    found: dict[Span, DoubtedSpan] = {}
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
    dated = {place for date in said for place in range(date.start, date.end)}
    return _Stated(
        said,
        tuple(one for one in numbers if dated.isdisjoint(range(one.span.start, one.span.end))),
        {span: _telling(text[span.start : span.end]) for span in _names(text)},
    )


def _finding(doubt: Doubt, text: str, span: Span) -> DoubtedSpan:
    return DoubtedSpan(doubt, span, text[span.start : span.end])


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


def nearest_sentence(claim: str, evidence: str, *, alike: float) -> str:
    """Return the sentence of the evidence that holds most words of a claim; empty if not even that share.

    ``alike`` is the share of the claim's words, numbers apart, that the sentence must hold, from 0 to 1: what
    says something else altogether denies nothing.
    """
    core = without(claim, frames(claim))
    # no sentence ends within a word, so none holds more than all of them: mostly nothing is cut
    if max(_shares(core, [evidence])) < alike and len(stems(core) & stems(evidence)) < _REPEATED:
        return ""
    texts = [evidence[span.start : span.end] for span in sentence_spans(evidence)]
    shares = _shares(core, texts)
    place = max(range(len(texts)), key=lambda at: shares[at], default=-1)
    return texts[place] if texts and shares[place] >= alike else ""


def _shares(claim: str, sentences: Sequence[str]) -> list[float]:
    """Return the share of a claim's words that each sentence holds; 1 of one that it repeats whole."""
    all_of_it = stems(claim)
    # numbers are compared elsewhere: "the port is 5433" is about the same as "the port is 5432"
    wanted = frozenset(each for each in all_of_it if not each[0].isdigit()) or all_of_it
    if not wanted:
        return [0.0] * len(sentences)
    opposite = opposite_stems(claim)
    found: list[float] = []
    for sentence in sentences:
        there = stems(sentence)
        # what a claim adds to a sentence that it repeats whole must not hide what it denies
        if there and there <= all_of_it and (len(there) >= _REPEATED or denials(sentence) != 0):
            found.append(1.0)
        else:
            held = wanted & there | {one for one in wanted & opposite.keys() if opposite[one] & there}
            found.append(len(held) / len(wanted))
    return found
