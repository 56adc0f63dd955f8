"""The facts of a gold answer, which of them an answer carries, and what it offers instead (fact matching)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from functools import cached_property, lru_cache

from hybrid.text.abbreviations import initials
from hybrid.text.dates import Date, dates
from hybrid.text.folding import fold, folded_words, typed
from hybrid.text.numbers import SMALL_NUMBERS, Quantity, lone_quantity, quantities, same_quantity
from hybrid.text.sentences import sentence_spans
from hybrid.text.words import NEGATORS, STOP_WORDS, are_opposite, opposites_of, stem, word_set
from hybrid.types import Span

_NUMERALS = {word: str(value) for value, word in enumerate(SMALL_NUMBERS)}
_ARTICLES = frozenset(("a", "an", "the"))
# Two words are one in another form from here on: of their letters, from the front, or by alignment.
_SAME_START = 4
_ALIKE = 0.8
# An inflected form, and a word of which another was made: "Iceland" and "Icelandic", "sharecroppers".
_FORM, _DERIVED = 0.95, 0.8
# What a date is worth of which only the year is right.
_OTHER_DAY = 0.3
_NAME = re.compile(r"[^\W\d_a-z][\w’'.-]*(?:\s+(?:(?:of|de|the|von|van|del|di)\s+)?[^\W\d_a-z][\w’'.-]*)*")
_CODE = re.compile(
    r"(?<![\w./-])(?:[A-Z][+#]{1,2}(?![+#])|\.[A-Z]{2,}|^[A-Z]$"  # C++, .NET, the label A
    r"|--?[^\W\d][\w=-]*|[\w%:.-]*[^\W_]_[\w%.-]+|[\w%:.-]*[^\W_](?:[/\\][\w%.-]+){2,}|/[\w%./-]+"
    r"|[^\W\d]\w*(?:\.[^\W\d_]\w+)+|[^\W\d_]+\d+(?:\w|\.\d)*|\d+[A-Z]+\d\w*)(?:\(\))?(?![\w/-])"
)
_INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]{2,}|(?:[^\W\d_]\.)+[^\W\d_]?")
_INITIAL = re.compile(r"(?<![^\W\d_])([^\W\d_a-z])\.")
_VERBS = word_set("is are was were do does did has have had could would should ca wo must need")
_ASKING = word_set("is are was were do does did has have had can could will would should may must am")
# Where a page ran words together, and a mark of a footnote into a year: "onFebruary 27, 20071".
_APART = re.compile(r"(?<=[a-z])(?=[A-Z\d])|(?<=\b(?:19|20)\d\d)(?=\d{1,2}\b(?![.,]?\d))")
_POLARITY = re.compile(r"\W*(yes|no)\b")


# What a table of opposites has under a commoner word.
_COMMONER = dict.fromkeys(("up", "grew", "grow", "grows", "growth", "grown", "climbed"), "increased")
_COMMONER |= dict.fromkeys(("down", "shrank", "shrunk", "shrink", "shrinks", "contracted"), "decreased")


class State(StrEnum):
    """What became of a fact in an answer."""

    CARRIED = "carried"
    MISSING = "missing"
    CONTRADICTED = "contradicted"


class FactKind(StrEnum):
    """What a fact of a gold answer is; a word is one that is neither part of a name nor a value.

    A code is what only a machine reads, letter by letter: an identifier, an option, a path, a file.
    """

    CODE = "code"
    NAME = "name"
    WORD = "word"
    NUMBER = "number"
    DATE = "date"
    POLARITY = "polarity"


@dataclass(frozen=True, slots=True)
class Fact:
    """A part of a gold answer that can be right or wrong by itself.

    ``carried`` is from 0 to 1: how surely the answer says it; a date of which the day is not said is carried
    in part. ``asked`` tells that the question says it already, so that saying it again shows nothing.
    """

    text: str
    kind: FactKind
    carried: float
    state: State
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an answer, its words and numbers."""

    text: str
    words: tuple[str, ...]
    stems: frozenset[str]
    quantities: tuple[Quantity, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A run of words with a capital, and where it stands."""

    text: str
    span: Span


class Said:
    """What an answer says, read once and held against every gold answer."""

    def __init__(self, question: str, text: str) -> None:
        self.question, self.text = question, text
        self.words = folded_words(text)
        self.stems = [reduced(word) for word in self.words]
        self.known = frozenset(self.stems)
        self.line = f" {' '.join(word for word in self.words if word not in _ARTICLES)} "
        self.letters = "".join(self.words)
        self.asked = frozenset(map(reduced, folded_words(question)))
        self.dates = dates(text)
        self.quantities = outside(quantities(text, terse=True), self.dates)
        apart = _APART.sub(" ", text)
        if apart != text:
            self.dates += dates(apart)
        self.asked_quantities = quantities(question)
        self.asked_years = {date.year for date in dates(question)}
        self.asked_words = folded_words(question)
        self.initials = frozenset(fold(letter) for letter in _INITIAL.findall(text))

    @cached_property
    def polarity(self) -> str:
        """Return yes or no where the answer begins so, or says it by denying or repeating what is asked."""
        if begins := _POLARITY.match(fold(self.text)):
            return begins[1]
        asked = {word for word in self.asked_words if word not in STOP_WORDS}
        if not asked or self.asked_words[0] not in _ASKING:
            return ""
        forms = set(map(reduced, asked))
        nearest = max(self.sentences, key=lambda one: len(one.stems & forms), default=None)
        if nearest is None:
            return ""
        against = bool(turned(asked, set(nearest.words)))
        if not against and len(nearest.stems & forms) < len(forms) / 2:
            return ""
        return "no" if denies(nearest.words) != against else "yes"

    @cached_property
    def sentences(self) -> list[Sentence]:
        """Return the sentences in their order."""
        return [_sentence(self.text[span.start : span.end]) for span in sentence_spans(self.text)]

    @cached_property
    def names(self) -> list[Named]:
        """Return the names of the answer that the question has not: runs of words with a capital."""
        return [
            Named(match.group(), Span(*match.span()))
            for match in _NAME.finditer(self.text)
            if not {reduced(word) for word in folded_words(match.group())} <= self.asked | STOP_WORDS
        ]

    def says(self, word: str) -> float:
        """Return from 0 to 1 how surely a reduced word is said, in this form or a near one."""
        if word in self.known:
            return 1.0
        best = max((alike(word, said) for said in self.known), default=0.0)
        # words that a page ran together: "byNick Bakay1"
        glued = len(word) > 3 and any(word in said for said in self.words if len(said) > len(word))
        return max(best, 0.9) if glued else best


def turned(words: Set[str], said: Set[str]) -> frozenset[str]:
    """Return the words of which the opposite is said; what either side also says in other words is none."""
    here, there = ({_COMMONER.get(word, word) for word in side} for side in (words, said))
    # "a rise, offset by a decline" has both sides, as has "an increase, offset by a decrease"
    alone = [word for word in here - there if not any(opposites_of(word) & opposites_of(x) for x in there)]
    against = [word for word in there - here if not any(opposites_of(word) & opposites_of(x) for x in here)]
    return frozenset(word for word in alone if any(are_opposite(word, other) for other in against))


def denies(words: Sequence[str]) -> bool:
    """Tell whether folded words are negated, an odd number of times."""
    return sum(word in NEGATORS or (word.endswith("nt") and word[:-2] in _VERBS) for word in words) % 2 == 1


def _sentence(text: str) -> Sentence:
    words = tuple(folded_words(text))
    return Sentence(text, words, frozenset(map(reduced, words)), tuple(quantities(text, terse=True)))


@lru_cache(maxsize=1 << 14)
def reduced(word: str) -> str:
    """Return a folded word as it is compared: without its ending, a number word as its number."""
    return _NUMERALS.get(word) or stem(word)


def outside(found: list[Quantity], apart: list[Date]) -> list[Quantity]:
    """Return the quantities that are no part of a date."""
    within = [date.span for date in apart]
    return [
        one for one in found if not any(one.span.start < d.end and d.start < one.span.end for d in within)
    ]


def facts_of(gold: str, reading: Said) -> list[Fact]:
    """Return the facts of a gold answer and whether the answer carries them, values first."""
    codes = [match for match in _CODE.finditer(gold) if not _INITIALS.fullmatch(match.group())]
    found = [_code(match.group(), reading) for match in codes]
    rest = list(gold)
    for match in codes:
        rest[match.start() : match.end()] = " " * len(match.group())
    plain = "".join(rest)
    when = dates(plain)
    counted = outside(quantities(plain, terse=True), when)
    found += [_date(gold, when, reading)] if when else []
    others = _others(counted, reading)
    found += [_number(one, gold, others, reading) for one in counted]
    for span in (*(date.span for date in when), *(one.span for one in counted)):
        rest[span.start : span.end] = " " * (span.end - span.start)
    begins = _POLARITY.match(fold(gold))
    if begins:
        found.append(_polarity(begins[1], reading))
        rest[: begins.end()] = " " * begins.end()
    words = "".join(rest).split()
    named = frozenset(
        word
        for place, piece in enumerate(words)
        if piece[:1].isupper() and (place or len(words) < 6)
        for word in folded_words(piece)
    )
    spoken = folded_words(" ".join(words))
    telling = [word for word in spoken if word not in STOP_WORDS] or ([] if found else spoken)
    short = is_short_for(gold, reading)
    return found + [_word(word, word in named, reading, said=short) for word in telling]


def _code(code: str, reading: Said) -> Fact:
    bare = re.escape(typed(code.removesuffix("()")))
    # a letter that is a label is one in its case
    flags = re.NOFLAG if len(code) == 1 else re.IGNORECASE
    place = re.compile(rf"(?<![\w.+#-]){bare}(?![\w+#-]|\.\w|/\w)", flags)
    said = place.search(typed(reading.text)) is not None
    state = State.CARRIED if said else State.MISSING
    return Fact(code, FactKind.CODE, float(said), state, place.search(typed(reading.question)) is not None)


def _word(word: str, named: bool, reading: Said, *, said: bool) -> Fact:
    form = reduced(word)
    carried = 1.0 if said else reading.says(form)
    if named and carried < _ALIKE and word[0] in reading.initials:
        carried = _ALIKE
    state = State.CARRIED if carried >= _ALIKE else State.MISSING
    kind = FactKind.NAME if named else FactKind.WORD
    return Fact(word, kind, carried, state, form in reading.asked)


def _polarity(wanted: str, reading: Said) -> Fact:
    if reading.polarity:
        state = State.CARRIED if reading.polarity == wanted else State.CONTRADICTED
        return Fact(wanted, FactKind.POLARITY, float(state is State.CARRIED), state)
    return Fact(wanted, FactKind.POLARITY, 0.5, State.MISSING)


def _others(golds: Sequence[Quantity], reading: Said) -> list[Quantity]:
    """Return the numbers of an answer that neither a gold answer nor the question has."""
    known = (*golds, *reading.asked_quantities)
    return [one for one in reading.quantities if not any(_is_same(one, gold) for gold in known)]


def _number(gold: Quantity, text: str, others: Sequence[Quantity], reading: Said) -> Fact:
    same = any(_is_same(gold, one) for one in reading.quantities)
    same = same or any(gold.value == date.year for date in reading.dates)
    kinds = {unit.kind for unit in gold.units}
    against = any(not kinds or not one.units or kinds & {unit.kind for unit in one.units} for one in others)
    state = State.CARRIED if same else State.CONTRADICTED if against else State.MISSING
    asked = any(same_quantity(gold, one) for one in reading.asked_quantities)
    return Fact(text[gold.span.start : gold.span.end], FactKind.NUMBER, float(same), state, asked)


def _is_same(one: Quantity, other: Quantity) -> bool:
    return same_quantity(one, other) or same_quantity(other, one)


def _date(gold: str, golds: list[Date], reading: Said) -> Fact:
    """Return the one fact that the dates of a gold are: of a day in two orders, one is enough."""
    text = gold[golds[0].span.start : golds[-1].span.end]
    asked = all(date.year in reading.asked_years and not date.month for date in golds)
    best = max((_agrees(wanted, said) for wanted in golds for said in reading.dates), default=None)
    if best is None:
        return Fact(text, FactKind.DATE, 0.0, State.MISSING, asked)
    # a year alone says less than a day, and nothing against it
    state = State.CARRIED if best >= 0.5 else State.MISSING if best > _OTHER_DAY else State.CONTRADICTED
    return Fact(text, FactKind.DATE, max(best, 0.0), state, asked)


def _agrees(wanted: Date, said: Date) -> float:
    """Return the share of a date's year, month and day that another one has; −1 where they differ."""
    if wanted.year is not None and said.year is not None:
        until, to = wanted.until or wanted.year, said.until or said.year
        if to < wanted.year or said.year > until:
            return -1.0
    pairs = ((wanted.year, said.year), (wanted.month, said.month), (wanted.day, said.day))
    if any(one and other and one != other for one, other in pairs[1:]):
        # the year may still be all that was asked for
        return _OTHER_DAY if wanted.year is not None and said.year is not None else -1.0
    parts = [(one, other) for one, other in pairs if one]
    return sum(other is not None for _, other in parts) / len(parts)


@lru_cache(maxsize=1 << 16)
def alike(one: str, other: str) -> float:
    """Return from 0 to 1 how near two reduced words are as forms or spellings of one; numbers never are."""
    if one == other:
        return 1.0
    shorter, longer = sorted((one, other), key=len)
    if len(shorter) < _SAME_START or one[0].isdigit():
        return 0.0
    common = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(shorter))
    if common >= max(_SAME_START, 0.7 * len(longer)):
        return _FORM
    if common > _SAME_START:
        return _DERIVED
    if common and len(shorter) > _SAME_START and len(longer) - len(shorter) <= 2:
        ratio = SequenceMatcher(None, one, other, autojunk=False).ratio()
        return ratio if ratio >= _ALIKE else 0.0
    return 0.0


def is_short_for(gold: str, reading: Said) -> bool:
    """Tell whether gold and answer are short and long form of one name: ``UN``, "the United Nations"."""
    words = folded_words(gold)
    short = initials(words).upper()
    if len(short) > 1 and gold[:1].isupper():
        spelled = r"\.?".join(map(re.escape, short))
        return re.search(rf"(?<!\w){spelled}(?!\w)", reading.text) is not None
    if len(words) != 1 or not gold.replace(".", "").isupper() or len(words[0]) < 2:
        return False
    return any(initials(folded_words(name)) == words[0] for name in _NAME.findall(reading.text))


_JOINED = re.compile(r"(?:\s*,)?\s+(?:or|and|as well as)\s+(?:the\s+)?|\s*/\s*|\s*,\s+")
_DENYING = re.compile(r"\b(?:not|rather than|instead of|other than|except|unlike|never)\s+(?:the\s+)?$", re.I)
# Two sentences that share so much but for a value say it of the same thing.
_SAME_FRAME = 0.75


def rivals_in(reading: Said, golds: Sequence[str]) -> tuple[str, ...]:
    """Return the values that an answer offers instead of one of the golds: of the gold that has most.

    Those are what it joins to the gold, where it first has that, by "or" or "and" and is of its kind, a name
    or a number, and the values of sentences that are alike but for the value. What another gold or the
    question says is none.
    """
    return max((_rivals(gold, reading, golds) for gold in golds if gold.strip()), key=len, default=())


def _rivals(gold: str, reading: Said, golds: Sequence[str]) -> tuple[str, ...]:
    forms = [frozenset(map(reduced, folded_words(one))) for one in golds]
    known = reading.asked.union(*forms)
    # golds that share no word are several answers, of which there may be more than were written down
    several = any(not forms[0] & other for other in forms[1:])
    found = [*_joined(gold, reading, several=several), *_in_the_same_frame(gold, reading)]
    return tuple(
        dict.fromkeys(one for one in found if not set(map(reduced, folded_words(one))) <= known | STOP_WORDS)
    )


def _joined(gold: str, reading: Said, *, several: bool) -> list[str]:
    """Return the other members of the list that the gold first stands in.

    One of a list has to be joined by "or", or by "and" where one answer is right.
    """
    found = _place(gold, reading)
    if found is None:
        return []
    value = lone_quantity(gold, counting=True)
    spans = [one.span for one in reading.names if value is None]
    spans += [one.span for one in reading.quantities if value is not None and _of_a_kind(value, one)]
    members: list[str] = []
    joints: list[str] = []
    start, end = found.start, found.end
    for span in sorted(spans, key=lambda span: span.start):
        if span.start >= end and (joint := _JOINED.fullmatch(reading.text, end, span.start)):
            members.append(reading.text[span.start : span.end].partition(". ")[0].rstrip("."))
            joints.append(joint.group())
            end = span.end
    for span in sorted(spans, key=lambda span: -span.end):
        if span.end <= start and (joint := _JOINED.fullmatch(reading.text, span.end, start)):
            members.append(reading.text[span.start : span.end].partition(". ")[0].rstrip("."))
            joints.append(joint.group())
            start = span.start
    joining = {joint.strip(" ,") for joint in joints} - ({"", "and", "as well as"} if several else {""})
    return members if joining else []


def is_denied(gold: str, reading: Said) -> bool:
    """Tell whether a gold is named to deny it: where it first stands, "not" or "rather than" is before it."""
    place = _place(gold, reading)
    return (
        place is not None and _DENYING.search(reading.text, max(place.start - 20, 0), place.start) is not None
    )


def _place(gold: str, reading: Said) -> Span | None:
    """Return where a gold first stands in an answer, a lone number in whatever notation."""
    if value := lone_quantity(gold, counting=True):
        return next((one.span for one in reading.quantities if same_quantity(value, one)), None)
    words = re.findall(r"\w+", gold)
    joined = r"\W{1,3}".join(map(re.escape, words))
    found = re.search(rf"(?<!\w){joined}(?!\w)", reading.text, re.IGNORECASE) if words else None
    return found and Span(*found.span())


def _of_a_kind(one: Quantity, other: Quantity) -> bool:
    kinds, others = ({unit.kind for unit in each.units} for each in (one, other))
    return not kinds or not others or bool(kinds & others)


def _in_the_same_frame(gold: str, reading: Said) -> Iterator[str]:
    """Yield the values of other sentences that say of the same thing what the one with the gold says."""
    value = lone_quantity(gold, counting=True)
    if value is None:
        return
    holding = [one for one in reading.sentences if any(same_quantity(value, x) for x in one.quantities)]
    for sentence in reading.sentences:
        rest = {word for word in sentence.stems if not word[0].isdigit()} - STOP_WORDS
        others = [one for one in sentence.quantities if _of_a_kind(value, one)]
        # what says it of another thing than the question asks of, such as another machine, is no rival
        alike_to = any(
            len(rest & one.stems) >= _SAME_FRAME * len(rest)
            and (one.stems & reading.asked) - STOP_WORDS <= sentence.stems
            for one in holding
            if rest
        )
        if sentence not in holding and others and alike_to:
            yield sentence.text[others[0].span.start : others[0].span.end]
