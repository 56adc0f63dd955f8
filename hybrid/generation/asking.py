"""What a question asks for: its form, the kind of thing, the names and amounts in it (question analysis)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from hybrid.generation.matching import also, expressions
from hybrid.text.dates import MONTHS, days_in
from hybrid.text.identifiers import QUARTER, identifiers
from hybrid.text.numbers import LETTERS, SMALL_NUMBERS, Quantity, quantities
from hybrid.text.words import (
    content_words,
    either,
    is_english,
    language_of,
    listed,
    properties,
    stem,
    word_set,
)
from hybrid.types import Span


class Form(StrEnum):
    """The form that an answer takes."""

    FACT = "fact"
    POLAR = "polar"
    PROCEDURE = "procedure"
    CAUSE = "cause"
    COMPARISON = "comparison"


# "more than one", "one of", "one can" count nothing
_ONE = r"(?<!more than )(?<!no )one(?! (?:of|or|another|can|could|may|might|must|should|would|has|is)\b)"
_SPOKEN = "|".join(
    (_ONE, *SMALL_NUMBERS[2:13], "twenty", "thirty", "forty", "fifty", "sixty", "ninety", "hundred")
)
# all of a number or nothing: a row of digits is looked through once
COUNT = rf"(?:(?<!\d)\d[\d.,]*+|\b(?:{_SPOKEN})\b)"


@lru_cache(maxsize=1)
def _asks() -> tuple[
    re.Pattern[str], dict[str, list[tuple[re.Pattern[str], re.Pattern[str]]]], list[tuple[str, str]]
]:
    """Return how forms of answers are asked for, what kinds of things are and look like, and columns."""
    table = listed("generation")
    parts = {"spoken": _SPOKEN, "count": COUNT, "months": "|".join(MONTHS)}
    for name, own in table["parts"].items():
        parts = {name: either(own, parts), **parts}
    forms = "|".join(f"(?P<{one['form']}>{either(one['asks'], {})})" for one in table["forms"])
    kinds = {
        name: [
            (re.compile(either(one["asks"], parts)), re.compile(either(one["found"], parts), re.IGNORECASE))
            for one in table[name]
        ]
        for name in ("kinds", "needed")
    }
    return re.compile(forms), kinds, [(either(one["asks"], parts), one["names"]) for one in table["columns"]]


# What each is for stands beside it.
_TOLD = expressions("asking")
_COUNTED, _BOTH, _ASKING, _LATEST, _THING, _LISTS, _NUMBERED, _PIECES, _UNIT, _SHORT = _TOLD[:10]
_CAPITAL, _SHORT_FOR, _ONESELF, _GERMAN, _HOUR, _NAMING, _INSTEAD, _LED = _TOLD[10:]

_ANY = re.compile("")

# Words that every question has and no answer needs.
_EMPTY = word_set(
    "tell please know want like get give need find many much mean kind exactly happen must",
    "go went come came take took put got make made let say said",
)
# A long lesson is one of a kind, how long it is is asked for.
_HOW = re.compile(r"\bhow (?:long|often)\b", re.IGNORECASE)
# Between a question and the follow-up to it; white space that nobody types.
FOLLOWED = "\u2028"
# A follow-up of nothing else asks the same again.
_AGAIN = word_set("one sure certain really right true correct sicher wirklich")
# What asks for steps is not in them.
_STEPS = word_set("step procedur proces instruction checklist")


# Who pastes a document does not ask with all of it.
_LONGEST_READ = 2_000
_LEANS = re.compile(r"\b(?:it|its|they|them|this|he|him|his|she|her)\b", re.IGNORECASE)
# "Where and when does it open" is one.
_OPEN = re.compile(
    r"\b(?:what|when|where|how|who|whom|whose|which|why|about|at|by|for|in|of|on|to|with)\W*\Z", re.IGNORECASE
)
# "Get my shares back" is to get back.
_THEIRS = "my|our|your|his|her|their|its|the|an?|this|that|these|those"
_OBJECT = rf"(?:it|them|him|me|us|(?:{_THEIRS})(?: [^\W\d_]+){{1,2}}?)"
_MONEY = re.compile(
    r"\b(?:money|fees?|deposits?|payments?|prices?|contributions?|shares?|loans?)\b", re.IGNORECASE
)
_PERSON = re.compile(
    r"(?:\b(?:I|we|you|he|she|they|who|(?:some|any|no|every)(?:body|one)|pe(?:rson|ople)|child(?:ren)?|kids?|"
    r"team|crew|staff|(?:member|guest|pupil|student|patient|player|volunteer|participant|customer|teacher|"
    r"tenant|worker|employee|colleague|trainer|visitor|friend|son|daughter)s?)|"
    r"(?<!the )(?<!^)\b(?-i:[A-Z][a-z]+))"
    r"(?: (?:ca|can|could|do|does|did|is|are|was|were|has|have|wo|will|would|may|might|shall|should|must))*"
    r"\s*\Z",
    re.IGNORECASE,
)
_COMES_UP = re.compile(r"come\s+(?:up|out|back|in|with|from)\b", re.IGNORECASE)
# So many questions at once are answered one by one.
_MOST_PARTS = 6


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question asks for.

    Attributes:
        text: the question.
        form: of the answer.
        wanted: what a sentence that has the thing asked for looks like; None where that is not known.
        needed: what nothing without is an answer; None where that is not sure.
        counted: the stem of what is counted, of "how many weeks" that of weeks.
        names: what is named in it: codes, versions, years, and words with a capital.
        amounts: what is told in it, such as "after 7 years".
        words: the stems of its content words.
        columns: what columns may be called that hold the thing asked for.
        thing: the stem of what is asked for by name, of "which edition" that of edition.
        sides: the things that are compared.
        last: the last question of several, behind the one that it follows.
        earlier: words that only the question has which a follow-up stands behind; it was answered before.
    """

    text: str
    form: Form
    wanted: re.Pattern[str] | None
    needed: re.Pattern[str] | None
    counted: str
    names: tuple[str, ...]
    codes: frozenset[str]
    amounts: tuple[Quantity, ...]
    words: tuple[str, ...]
    columns: str
    thing: str
    sides: tuple[str, ...] = ()
    last: str = ""
    earlier: frozenset[str] = frozenset()

    @property
    def unnamed(self) -> list[str]:
        """Return the question without the names that tell which document is meant, if more is asked."""
        if self.earlier or not self.names:
            return []
        bare = re.sub(rf"\b(?:{'|'.join(map(re.escape, self.names))})\b", " ", self.text)
        return [" ".join(bare.split())] if len(content_words(bare)) > 1 else []

    @property
    def plain_names(self) -> list[str]:
        """Return the names, "2.3" alone for "version 2.3", which a list of changes writes so."""
        return [name for name in self.names if " " not in name or name.split()[-1] not in self.codes]

    @property
    def measures(self) -> frozenset[str]:
        """Return the stems of its amounts that have a unit, such as those of "7 m" or "12 days"."""
        found: set[str] = set()
        for one in self.amounts:
            behind = next(iter(self.text[one.span.end :].split()), "").strip(".,?!")
            if one.units or behind in LETTERS:
                unit = "" if one.units else behind
                found.update(content_words(f"{self.text[one.span.start : one.span.end]} {unit}"))
        return frozenset(found)

    @property
    def with_columns(self) -> str:
        """Return the question and what columns are called that hold what it asks for."""
        return f"{self.text} {self.columns}"

    def of_columns(self, cells: Iterable[tuple[str, str]]) -> str:
        """Return the question, and what its column may be called where it names none with such a thing."""
        own = set(content_words(self.last))
        for words in (own, frozenset(self.words).union(*map(also, own))):
            named = [(name, cell) for name, cell in cells if words & set(content_words(name))]
            kind = self.wanted or (_ANY if self.form is Form.COMPARISON else None)
            if kind and any(kind.search(f"{cell} {name}") for name, cell in named):
                # of alike words only one column's is surely meant
                alike = self.with_columns if len(named) > 1 else f"{self.text} {named[0][0]}"
                return self.text if words == own else alike
        return self.with_columns

    @property
    def lists(self) -> bool:
        """Tell whether it asks for all things of a kind: which methods, what documents."""
        return bool(_LISTS.search(self.text.lower()))

    @property
    def latest(self) -> bool:
        """Tell whether it asks for the newest of several, or for the last year."""
        return bool(_LATEST.search(self.last.lower()))

    @property
    def several(self) -> bool:
        """Tell whether it asks for two things at once."""
        return FOLLOWED not in self.text and bool(
            re.search(r"\band (?:what|when|where|how|who|which|why)\b|\?.*\?", self.text.lower())
        )


def parts_of(question: str) -> list[str]:
    """Return the questions that are asked at once, each by itself: "When is supper, and what is it?".

    One that leans on what was asked before it ("and what is it") stands behind that.
    """
    before, _, last = question.rpartition(FOLLOWED)
    if before and _NAMING.fullmatch(last.strip()):  # "How many are open? Which ones?": the rows were counted
        return [before]
    if FOLLOWED in question or len(question) > _LONGEST_READ:
        return [question]
    parts, whole = [question.strip()], ""
    while len(parts) < _MOST_PARTS and len(found := _BOTH.split(parts[-1], maxsplit=1)) == 2:
        one, other = found
        told = set(content_words(other)) - _EMPTY or _LEANS.search(other) or one.endswith("?")
        if (
            not all(_ASKING.match(part) for part in found)
            or not content_words(one)
            or _OPEN.search(one)
            or not told
        ):
            break
        parts[-1:] = found
    if len(parts) == 1:
        return [question]
    apart = []
    for part in parts:
        leans = whole and (len(set(content_words(part)) - _EMPTY) < 2 or _LEANS.search(part))
        whole = whole if leans else part
        apart.append(f"{whole}{FOLLOWED}{part}" if leans else part)
    return apart


def exchanged(question: str, columns: Iterable[Sequence[str]]) -> str:
    """Return a follow-up as the question before it, with the cell it names for one of its column.

    "And for a rabbit?" behind what the neutering of a cat costs asks for that of a rabbit.
    """
    topic, _, last = question.rpartition(FOLLOWED)
    found = _INSTEAD.fullmatch(last.strip())
    thing, there = set(content_words(found["thing"] if found else "")), set(content_words(topic))
    gone: set[str] = set()
    for cells in columns if thing else ():
        told = [set(content_words(cell)) for cell in cells]
        if not gone and any(thing <= one for one in told):
            gone = max((one for one in told if one <= there and not thing <= one), key=len, default=gone)
    if not found or not gone:
        return question
    new = iter([found["thing"]])
    return re.sub(r"\w+", lambda word: next(new, "") if gone & {*content_words(word[0])} else word[0], topic)


def sides_of(question: str) -> list[str]:
    """Return what to look for besides where a question compares two things: each by itself; else nothing."""
    sides = read_question(question).sides
    if any(len(content_words(side)) > 3 for side in sides):
        return []
    if told := properties(question):
        return [f"{side} {told}" for side in sides]
    return [re.sub(re.escape(other), " ", question, flags=re.IGNORECASE) for other in reversed(sides)]


def shortened(question: str) -> str:
    """Return the beginning and the end of a question of more than 2,000 characters, any other as it is."""
    half = _LONGEST_READ // 2
    return question if len(question) <= _LONGEST_READ else question[:half] + question[-half:]


@lru_cache(maxsize=1)
def _phrases() -> tuple[re.Pattern[str], dict[str, str]]:
    lines = (
        line.partition(": ") for line in listed("generation", "words.toml")["phrases"].strip().split("\n")
    )
    table = {stem(said.split()[0]) + said[len(said.split()[0]) :]: word for said, _, word in lines}
    verbs = "|".join(
        rf"{re.escape(said.split()[0])}\w{{0,4}}(?: {_OBJECT})? {' '.join(said.split()[1:])}"
        for said in table
    )
    verbs = verbs.replace("not\\w{0,4}", "(?:not|(?<=\\w)n['’]t)")  # "couldn't come"
    return re.compile(rf"(?:\b|(?=n['’]t))(?:{verbs})\b", re.IGNORECASE), table


def _stays_away(question: str, found: re.Match[str]) -> bool:
    """Tell whether it is a person who does not come, and not up with something."""
    comes_up = _COMES_UP.match(question, found.end() - len("come"))
    return bool(_PERSON.search(question[: found.start()])) and not comes_up


def _plain(question: str) -> str:
    """Return a question with one word for what is said in two: reject for "turned down", also around it."""
    pattern, table = _phrases()

    def told(found: re.Match[str]) -> str:
        whole = re.sub(r"^n['’]t", " not", found.group(), flags=re.IGNORECASE)
        for said, word in table.items():
            verb, _, rest = said.partition(" ")
            if whole.lower().strip().startswith(verb) and whole.lower().endswith(f" {rest}"):
                thing = whole.strip()[: -len(rest)].partition(" ")[2].strip()
                if word == "refund" and not _MONEY.search(thing):  # of "get my coat back"
                    return found.group()
                if word == "absent" and not _stays_away(question, found):
                    return found.group()
                return f"{' ' * whole.startswith(' ')}{word} {thing}".rstrip()
        return whole

    return pattern.sub(told, question)


def _is_day(name: str, question: str) -> bool:
    """Tell whether a name is a day of the week and no part of one: "Sunday", not "Sunday Market"."""
    if not days_in(f"on {name}") or not name.isalpha():
        return False
    beside = rf"(?<!\w){name}\s+[A-Z]\w|(?<=\w\s)[A-Z]\w*\s+{name}\b"
    return not re.search(beside, question)


def _in_24_hours(told: re.Match[str]) -> str:
    hour = int(told["hour"]) % 12 + 12 * (told["half"].lower() == "p")
    return f"{hour}:{told['minute'] or '00'}"


def read_question(question: str) -> Asked:
    """Return what a question asks for; of a very long one its beginning and its end are read."""
    question = _HOUR.sub(_in_24_hours, shortened(question))
    # a follow-up stands behind the question that it follows: the last one is what is asked
    last = [part for part in re.split(rf"{FOLLOWED}|(?<=\?)\s+", question.strip()) if part][-1:] or [question]
    lowered = " ".join(_plain(last[0]).lower().replace("’", "'").split())
    forms, kinds, columns = _asks()
    found = forms.search(lowered)
    form = Form(next(name for name, text in found.groupdict().items() if text)) if found else Form.FACT
    wanted = next((kind for asks, kind in kinds["kinds"] if asks.search(lowered)), None)
    begun = _LED.sub("", lowered, count=1)
    needed = next((kind for asks, kind in kinds["needed"] if asks.match(begun)), None)
    counted = _COUNTED.search(lowered)
    named_in = _UNIT.sub(" ", question)
    codes = [
        *identifiers(_PIECES.sub(" ", named_in)),
        *(found.lower() for found in _NUMBERED.findall(question)),
    ]
    codes += [name for name in _SHORT.findall(question) if not any(one.units for one in quantities(name))]
    # in German every noun has a capital, and "was" is a word of English as well
    german = language_of(question) == "de" or (_GERMAN.search(lowered) and not is_english(question))
    capitals = [] if german else _CAPITAL.findall(named_in)
    named = [
        name for name in capitals if not any(name.lower() in code or code in name.lower() for code in codes)
    ]
    if form is Form.POLAR:  # what is open from Monday to Friday tells of a Sunday as well
        named = [name for name in named if not _is_day(name, question)]
    told = [
        one
        for one in quantities(question)
        if (one.units or not one.weak) and not any(_holds(code, one.span, question) for code in codes)
    ]
    words, own = (
        _words(_plain(question), codes),
        frozenset(content_words(_HOW.sub(" ", last[0]))) - _EMPTY - _AGAIN,
    )
    empty = _STEPS if form is Form.PROCEDURE else _AGAIN if FOLLOWED in question and not own else frozenset()
    words = tuple(word for word in words if word not in empty) or words
    return Asked(
        question,
        form,
        wanted,
        needed,
        stem(counted[1]) if counted else "",
        tuple(dict.fromkeys((*codes, *named))),
        frozenset(codes),
        tuple(told),
        words,
        next((names for asks, names in columns if re.search(asks, lowered)), ""),
        stem(thing[1]) if (thing := _THING.search(lowered)) else "",
        _sides(lowered) if form is Form.COMPARISON else (),
        last[0],
        frozenset(words if FOLLOWED in question and own else ()) - frozenset(content_words(last[0])),
    )


def _sides(lowered: str) -> tuple[str, ...]:
    """Return the two things that a question compares, without articles."""
    table = listed("generation")["sides"]
    for way in table["ways"]:
        if found := re.search(way.replace("{article}", table["article"]), lowered):
            return found["one"].strip(), found["other"].strip()
    return ()


def _words(question: str, codes: Sequence[str]) -> tuple[str, ...]:
    """Return the stems of a question without its codes, which are looked for as a whole."""
    bare = QUARTER.sub(" ", question) if any(code not in question.lower() for code in codes) else question
    for code in codes:
        bare = re.sub(re.escape(code), " ", bare, flags=re.IGNORECASE)
    bare = _HOW.sub(" ", _ONESELF.sub(" ", _SHORT_FOR.sub(" ", bare)))
    found = [word for word in content_words(bare) if word not in _EMPTY] or content_words(question)
    return tuple(dict.fromkeys(found))


def _holds(code: str, span: Span, question: str) -> bool:
    start = question.lower().find(code)
    return start <= span.start < start + len(code)
