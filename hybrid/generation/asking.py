"""What a question asks for: its form, the kind of thing, the names and amounts in it (question analysis)."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from hybrid.text.dates import MONTHS
from hybrid.text.folding import fold
from hybrid.text.numbers import SMALL_NUMBERS, Quantity, quantities
from hybrid.text.words import content_words, language_of, stem, word_set


class Form(StrEnum):
    """The form that an answer takes."""

    FACT = "fact"
    POLAR = "polar"
    PROCEDURE = "procedure"
    CAUSE = "cause"
    COMPARISON = "comparison"


_FORMS = (
    (
        Form.PROCEDURE,
        r"\bhow (?:do|can|could|should|would|may|must) (?:i|we|you|one|customers|users|employees|somebody|staff)\b"
        r"|\bhow (?:is|are) .+ (?:done|made|carried out)\b|\bhow to\b|\b(?:what|which|give me the) steps\b"
        r"|\bwhat (?:has|have|needs?|is) to be done\b"
        r"|\bwhat (?:do|must|should) (?:i|we|you) (?:have to )?do (?:to|if|when|before|after)\b"
        r"|^(?:wie|auf welche weise) (?:kann|muss|soll|mache?|stelle?|richte?|beantrage)\b|\bprocedure (?:for|to)\b",
    ),
    (Form.CAUSE, r"^(?:and |but |so )?why\b|\b(?:what|which) (?:was |is |were )?(?:the )?(?:root )?(?:cause|reason)s?\b"
        r"|\bwhat (?:caused|led to|went wrong)\b|^(?:warum|wieso|weshalb)\b|\bhow come\b"),
    (
        Form.COMPARISON,
        r"\bdifferences? (?:in .+ )?between\b|\bcompare\b|\b(?:versus|vs\.?)\b|\bunterschied\b"
        r"|\b(?:which|who|what)\b.*\b(?:\w{2,}er|more|less|better|worse|most|least)\b.*\bor\b",
    ),
    (
        Form.POLAR,
        r"^(?:and |but |so |hi,? |hello,? )?(?:is|are|was|were|am|do|does|did|can|could|may|might|must|should|shall|will|would|has|have"
        r"|had|isn't|aren't|don't|doesn't|can't|need i|ist|sind|war|darf|kann|muss|hat|haben|gibt)\b",
    ),
)
_AMONG = re.compile("|".join(f"(?P<{form}>{pattern})" for form, pattern in _FORMS))

_SPOKEN = "|".join((*SMALL_NUMBERS[1:13], "twenty", "thirty", "forty", "fifty", "sixty", "ninety", "hundred"))
_COUNT = rf"(?:\d[\d.,]*|\b(?:{_SPOKEN})\b)"
_TIME = rf"{_COUNT}[\s-]*(?:\w+\s)?(?:seconds?|minutes?|min\b|hours?|h\b|days?|weeks?|months?|years?|tage?n?|wochen?|monate?n?|jahre?n?|stunden?|minuten?)"
_MONEY = rf"(?:[$€£¥]\s?\d|\d[\d.,]*\s*(?:[$€£¥]|eur\b|euros?\b|usd\b|dollars?\b|gbp\b|pounds?\b|chf\b|francs?\b|cents?\b))"
_DATE = (
    rf"\b(?:{'|'.join(MONTHS)})\b|\b(?:19|20)\d\d\b|\b\d{{1,2}}[.:]\d\d\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b"
    rf"|\b(?:noon|midnight|daily|weekly|monthly|annually|yearly|today|tomorrow)\b|\b\d{{1,2}}(?:st|nd|rd|th)\b|{_TIME}"
)
_NAME = r"(?<!^)(?<![.!?:] )\b(?-i:[A-Z][a-z]+)|\b(?-i:[A-Z]{2,})\b"
_PERSON = (
    rf"(?-i:\b[A-Z][\w'’-]+ (?:[A-Z]\. )?[A-Z][\w'’-]+)|\S@\S|\b(?:manager|head|lead(?:er)?|director|department|office"
    r"|officer|team|chair\w*|president|secretary|treasurer|board|support|desk|administrator|supervisor|committee"
    rf"|coordinator|owner|author|nurse|doctor|librarian|staff)\b|{_NAME}"
)
# What is asked for, and what a sentence that has it looks like; the first that fits counts.
_KINDS = (
    (r"\bhow (?:many|much) (?:time)\b|\bhow (?:long|often|soon|quickly|old)\b|\b(?:period|duration|deadline|time limit|interval|longer|shorter)\b"
     r"|\bwie (?:lange|oft|alt)\b|frist\b", _TIME + r"|\b(?:once|twice|daily|weekly|monthly|yearly|annually|every)\b"),
    (r"\bhow (?:heavy|much (?:does|do) .* weigh)\b|\bweighs?\b|\bweight\b|\bheav(?:y|ier|iest)\b",
     rf"{_COUNT}\s*(?:kg|g|mg|lbs?|pounds?|tonnes?|t|oz|grams?|kilograms?)\b"),
    (r"\bhow much\b.*\b(?:costs?|charged?|pay|paid|fee|price|fine|lose|lost|earn|refund\w*|rent)\b|\bhow much (?:is|are|was|were)\b"
     r"|\b(?:price|cost|costs|fee|fees|fine|rent|revenue|salary|budget|charge)\b|\b(?:was|wie ?viel) kostet\b",
     _MONEY + rf"|{_COUNT}"),
    (r"\bhow (?:far|tall|high|wide|deep|long is the \w+ cable)\b|\b(?:distance|height|width|depth|length)\b",
     rf"{_COUNT}\s*(?:m|cm|mm|km|feet|ft|inch(?:es)?|miles?|met(?:re|er)s?)\b"),
    (r"\b(?:capacity|volume)\b|\bhow (?:big|large)\b", rf"{_COUNT}"),
    (r"\bwhen\b|\bwhat (?:date|day|time|year)\b|\bwhich (?:date|day|year|month)\b|\bsince when\b|\bwann\b|\bopening hours\b", _DATE),
    (r"\bhow (?:many|much)\b|\b(?:number|percentage|percent|share|rate|amount|maximum|minimum|limit|size|age|port|default value)\b"
     r"|\bwie ?viele?\b", _COUNT + r"|\b(?:half|twice|once|double|none|no)\b"),
    (r"\b(?:which|what)\b(?: \w+)? (?:version|firmware|release|update|revision)\b", r"\d+\.\d+"),
    (r"\b(?:which|what|in which|under which) (?:section|clause|paragraph|chapter|article|rule|part)\b",
     r"^(?:§|section|clause|paragraph|chapter|article|rule|part)?\s?(?:\d+(?:\.\d+)*|(?-i:[IVX]+))[.):]?\s"),
    (r"\b(?:e-?mail|address)\b.*\?|\bwrite to\b", r"\S@\S|\b\d{4,5}\b|street|road|https?:"),
    (r"\b(?:phone|telephone|extension|call)\b.*\?", r"\d{3,}"),
    (r"\b(?:who|whom|whose)\b|\bwer\b|\bwen\b|\bwem\b", _PERSON),
    (r"\bwhere\b|\bwo\b|\bwhich (?:person|city|country|team|company|room)\b", _NAME + r"|\bin (?:the )?\w+|\bat\b|\bon\b|/\w"),
    (r"\b(?:which|what)\b.*\b(?:option|file|parameter|setting|keyword|command|directory|function|catalog|view|program|tool"
     r"|variable|syntax|pattern|privilege|lock|class|method|flag)\b", r"(?-i:\b\w+_\w+|\B--?\w|\w\.\w|/\w|[A-Z]{2,})"),
)
_ASKS = [(re.compile(asks), re.compile(found, re.IGNORECASE)) for asks, found in _KINDS]
# What columns are called that hold it.
_COLUMNS = (
    (r"\bhow much\b|\bprice\b|\bcosts?\b|kostet\b", "price cost fee amount"),
    (r"\bhow (?:long|soon|quickly)\b|\blonger\b|\bshorter\b|\bwie lange\b", "duration time period"),
    (r"\bhow heavy\b|\bweigh", "weight"),
    (r"\bwhat time\b", "time hours from until"),
    (r"\bwhen\b|\bwhat (?:day|date)\b|\bwann\b", "date when day time due"),
    (r"\bwho\b|\bwhom\b|\bwer\b", "who name owner responsible contact person"),
    (r"\bwhere\b|\bwo\b", "where place location room address"),
)
# "How many WEEKS": what is counted must be said, not only a number.
_COUNTED = re.compile(r"\bhow (?:many|much) ((?!is|are|was|does|do|did|of|time|it|will|can|can|i\b)[^\W\d_]+)")

_CODE = r"(?=[\w.-]*\d)(?=[\w.-]*[A-Za-z])[A-Za-z0-9]+(?:[._/-][A-Za-z0-9]+)*|\d+(?:\.\d+){2,}|[A-Za-z]+-\d[\w-]*"
_VERSION = r"(?:(?<=version )|(?<=firmware )|(?<=release )|(?<=v))\d+(?:\.\d+)+"
_YEAR = r"\b(?:19|20)\d\d\b(?!\s?(?:pieces|units|eur|€|\$))"
_NAMED = re.compile(rf"(?<![\w.])(?:(?P<code>{_CODE}|{_VERSION})|(?P<year>{_YEAR}))(?!\w)")
_QUARTERS = ("first", "second", "third", "fourth")
_QUARTER = re.compile(rf"\b({'|'.join(_QUARTERS)}) quarter\b")
_MEASURED = re.compile(r"\d+(?:st|nd|rd|th|s|kg|g|cm|mm|m|km|l|ml|w|kw|h|eur|gb|mb|ghz|v|am|pm)?", re.IGNORECASE)
_CAPITAL = re.compile(r"(?<![.!?] )(?<!^)(?<![\w-])(?!I\b|I['’])[A-Z][\w'’-]*")

# What one asks with, and what documents say: words of one line stand for each other (everyday English).
_ALIKE = """
heavy heavier heaviest weigh weight
expensive cheap cheaper price cost fee charge rate fare
long longer length duration
old older age
tall high higher height elevation altitude
wide width
big bigger large larger size capacity volume
fast faster quick speed
money reimburse reimbursement refund repay expense
back return refund reimburse
salary pay wage
vacation holiday leave
sick ill illness sickness
boss manager supervisor lead leader
allow permit permission may
forbid prohibit ban
require mandatory must obligatory compulsory need necessary
fix repair solve resolve correct
break broken defective faulty fail failure damage
begin start commence
end finish stop terminate expire
buy purchase order acquire
deliver delivery ship shipping
phone telephone call
mail email
quit resign resignation terminate
delete remove erase
late delay overdue
guarantee warranty
fine penalty
lose loss lost
rule regulation policy
car vehicle
kid child children
doctor physician
happen occur
change amend modify
open opening
close closing closed
job work position
wash clean cleaning
member membership
join register registration enrol sign
meet meeting
"""
_TRIED, _SIMILAR, _SLIP = 5, 0.8, 0.8


def _alike() -> dict[str, frozenset[str]]:
    table: dict[str, set[str]] = {}
    for line in _ALIKE.strip().split("\n"):
        words = {stem(word) for word in line.split()}
        for word in words:
            table.setdefault(word, set()).update(words - {word})
    return {word: frozenset(others) for word, others in table.items()}


_ALSO = _alike()
# Words that every question has and no answer needs.
_EMPTY = word_set("tell please know want like get give need find many much long often mean kind exactly happen")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question asks for.

    Attributes:
        text: the question.
        form: of the answer.
        wanted: what a sentence that has the thing asked for looks like; None where that is not known.
        counted: the stem of what is counted, of "how many weeks" that of weeks.
        names: what is named in it: codes, versions, years, and words with a capital.
        amounts: what is told in it, such as "after 7 years".
        words: the stems of its content words.
        columns: what columns may be called that hold the thing asked for.
        sides: the things that are compared.
    """

    text: str
    form: Form
    wanted: re.Pattern[str] | None
    counted: str
    names: tuple[str, ...]
    codes: frozenset[str]
    amounts: tuple[Quantity, ...]
    words: tuple[str, ...]
    columns: str
    sides: tuple[str, ...] = ()

    @property
    def with_columns(self) -> str:
        """Return the question and what columns are called that hold what it asks for."""
        return f"{self.text} {self.columns}"

    @property
    def lists(self) -> bool:
        """Tell whether it asks for all things of a kind: which methods, what documents."""
        return bool(re.match(r"(?:which|what|name|list|welche)\b (?:\w+ ){0,2}?(?:\w{3,}[^s\W]s|\w+en)\b", self.text.lower()))

    @property
    def several(self) -> bool:
        """Tell whether it asks for two things at once."""
        return bool(re.search(r"\band (?:what|when|where|how|who|which|why)\b|\?.*\?", self.text.lower()))


def read_question(question: str) -> Asked:
    """Return what a question asks for."""
    lowered = " ".join(question.lower().replace("’", "'").split())
    found = _AMONG.search(lowered)
    form = Form(next(name for name, text in found.groupdict().items() if text)) if found else Form.FACT
    wanted = next((kind for asks, kind in _ASKS if asks.search(lowered)), None)
    counted = _COUNTED.search(lowered)
    codes = [f"Q{_QUARTERS.index(m[1]) + 1}" for m in _QUARTER.finditer(lowered)]
    codes += [m.group() for m in _NAMED.finditer(question) if not _MEASURED.fullmatch(m.group()) or m["year"]]
    # in German every noun has a capital
    capitals = _CAPITAL.findall(question) if language_of(question) != "de" and not _GERMAN.search(lowered) else []
    named = [name for name in capitals if not any(name in code or code in name for code in codes)]
    told = [one for one in quantities(question) if not any(_holds(code, one.span, question) for code in codes)]
    return Asked(
        question,
        form,
        wanted,
        stem(counted[1]) if counted else "",
        tuple(dict.fromkeys((*codes, *named))),
        frozenset(codes),
        tuple(told),
        _words(question, codes),
        next((names for asks, names in _COLUMNS if re.search(asks, lowered)), ""),
        _sides(lowered) if form is Form.COMPARISON else (),
    )


def _sides(lowered: str) -> tuple[str, ...]:
    """Return the two things that a question compares, without articles."""
    for pattern in _SIDES:
        if found := pattern.search(lowered):
            return found["one"].strip(), found["other"].strip()
    return ()


_ARTICLE = r"(?:the |an? |der |die |das |ein(?:e|er|em|en)? )?"
_SIDES = (
    re.compile(rf"\b(?:between|zwischen) {_ARTICLE}(?P<one>.+?) (?:and|und) {_ARTICLE}(?P<other>.+?)\W*$"),
    re.compile(rf"(?:[,:–-]|\bcompare|\bthan) {_ARTICLE}(?P<one>[^,:]+?) (?:or|and|with|to|versus|vs\.?|oder) {_ARTICLE}(?P<other>[^,:]+?)\W*$"),
    re.compile(rf"(?P<one>[\w-]+(?: [\w-]+)?) (?:or|versus|vs\.?|oder) {_ARTICLE}(?P<other>[\w-]+(?: [\w-]+)?)\W*$"),
)


def _words(question: str, codes: Sequence[str]) -> tuple[str, ...]:
    """Return the stems of a question without its codes, which are looked for as a whole."""
    bare = _QUARTER.sub(" ", question) if any(code not in question for code in codes) else question
    for code in codes:
        bare = bare.replace(code, " ")
    found = [word for word in content_words(bare) if word not in _EMPTY] or content_words(question)
    return tuple(dict.fromkeys(found))


_GERMAN = re.compile(r"\b(?:wie|was|wer|wo|wann|welche[rsn]?|warum|der|die|das|ich|ist|nach)\b")


def _holds(code: str, span: object, question: str) -> bool:
    start = question.find(code)
    return start <= span.start < start + len(code)  # type: ignore[attr-defined]


def names_held(names: Iterable[str], text: str) -> frozenset[str]:
    """Return the names that stand in a text as whole words, an abbreviation also by its long form.

    A genitive or plural s does not count, and ``K300-EW`` is another thing than ``K300``.
    """
    there = fold(text)
    return frozenset(name for name in names if _is_held(name, there))


def _is_held(name: str, folded: str) -> bool:
    if _name_pattern(name).search(folded):
        return True
    if also := _COUNTRIES.get(fold(name)):
        return any(_name_pattern(one).search(folded) for one in also)
    return bool(_SHORT.fullmatch(name)) and _long_form(name).search(folded) is not None


@lru_cache(maxsize=1 << 10)
def _name_pattern(name: str) -> re.Pattern[str]:
    """Return what finds a name as a word: of plain letters with any ending, else as it is."""
    folded = fold(name).removesuffix("'s")
    if folded.isalpha() and len(folded) >= _INFLECTED:
        return re.compile(rf"(?<![\w.]){re.escape(folded.removesuffix('s'))}[a-z]{{0,3}}(?!\w)")
    return re.compile(rf"(?<![\w.]){re.escape(folded)}(?:'?s)?(?!\w|\.\d|-[a-z0-9]{{1,3}}(?!\w))")


@lru_cache(maxsize=1 << 10)
def _long_form(short: str) -> re.Pattern[str]:
    """Return what finds words with the letters of an abbreviation as initials: two-factor authentication."""
    letters = [SMALL_NUMBERS[int(c)][0] if c.isdigit() else c.lower() for c in short]
    return re.compile(r"\b" + r"[\s-](?:and |of |the |for )?".join(rf"{re.escape(c)}[a-z]+" for c in letters) + r"\b")


_INFLECTED = 5
_SHORT = re.compile(r"[A-Z0-9]{2,5}")
# Countries are named by the regions that a rule is about.
_EU = (
    "austria belgium bulgaria croatia cyprus czechia denmark estonia finland france germany greece hungary ireland italy"
    " latvia lithuania luxembourg malta netherlands poland portugal romania slovakia slovenia spain sweden"
)
_COUNTRIES = {name: ("eu", "european union", "europe", "abroad") for name in _EU.split()} | {
    name: ("abroad", "outside eu", "outside the eu", "overseas") for name in (
        "switzerland", "norway", "uk", "usa", "us", "canada", "japan", "china", "india", "brazil", "australia", "turkey"
    )
}


def respelled(question: str, texts: Sequence[str]) -> str:
    """Return a question with its slips mended, and its abbreviations explained, as these texts write them."""
    there: dict[str, str] = {}
    for text in texts:
        for word in _SPELLED.findall(text):
            for own in content_words(word):
                there.setdefault(own, word)
    joined = fold(" ".join(texts))

    def mended(match: re.Match[str]) -> str:
        word = match.group()
        own = content_words(word)
        if _SHORT.fullmatch(word) and not word.isdigit() and not _name_pattern(word).search(joined):
            long = _long_form(word).search(joined)
            return f"{word} ({long.group()})" if long else word
        if len(own) != 1 or own[0] in there or any(inflected(own[0], other) for other in there):
            return word
        if word[:1].isupper() and match.start():
            return word
        return next((there[other] for other in there if slipped(own[0], other)), word)

    return _SPELLED.sub(mended, question)


_SPELLED = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Matcher:
    """How the words of a question are found in texts: as they are, inflected, misspelt, or by another word."""

    forms: tuple[dict[str, float], ...]
    weights: tuple[float, ...]

    def share(self, text: str) -> float:
        """Return the weighted share of the question's words in a text, from 0 to 1."""
        there = set(content_words(text))
        total = math.fsum(self.weights) or 1.0
        return math.fsum(w * _most(own, there) for own, w in zip(self.forms, self.weights, strict=True)) / total

    def held(self, text: str) -> frozenset[int]:
        """Return the places of the question's words that a text has."""
        there = set(content_words(text))
        return frozenset(place for place, own in enumerate(self.forms) if _most(own, there) > 0)


def _most(own: dict[str, float], there: set[str]) -> float:
    return max((own[word] for word in own.keys() & there), default=0.0)


def matcher(asked: Asked, texts: Sequence[str]) -> Matcher:
    """Return how the words of a question are found in these texts, a rare word counting for more."""
    bags = [set(content_words(text)) for text in texts]
    vocabulary = set().union(*bags) if bags else set()
    forms = [_forms(word, vocabulary) for word in asked.words]
    frequency = Counter[int]()
    for bag in bags:
        frequency.update(place for place, own in enumerate(forms) if own.keys() & bag)
    weights = [math.log(1 + len(bags) / (1 + frequency[place])) for place in range(len(forms))]
    return Matcher(tuple(forms), tuple(weights))


def _forms(word: str, vocabulary: set[str]) -> dict[str, float]:
    """Return the words that count as one of the question, and for how much each does."""
    found = {word: 1.0}
    for other in vocabulary:
        if inflected(word, other):
            found.setdefault(other, _SIMILAR)
    for also in _ALSO.get(word, ()):
        for other in vocabulary:
            if other == also or inflected(also, other):
                found.setdefault(other, _SIMILAR)
    if not found.keys() & vocabulary:
        found |= {other: _SLIP for other in vocabulary if slipped(word, other)}
    return found


def inflected(one: str, other: str) -> bool:
    """Tell whether two stems are forms of one word, as far as their beginnings tell."""
    short, long = sorted((one, other), key=len)
    if len(short) < 5 or len(long) - len(short) > 4 or any(map(str.isdigit, short)):
        return False
    return long.startswith(short[: max(len(short) - 1, 5)])


def slipped(one: str, other: str) -> bool:
    """Tell whether one stem is the other with a letter too many, missing, wrong, or two swapped."""
    if min(len(one), len(other)) < 4 or abs(len(one) - len(other)) > 1 or one[0] != other[0]:
        return False
    if any(map(str.isdigit, one + other)):
        return False
    same = next((at for at, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
    rest, others = one[same:], other[same:]
    return (
        rest[1:] == others
        or others[1:] == rest
        or rest[1:] == others[1:]
        or (rest[1::-1] + rest[2:] == others)
    )
