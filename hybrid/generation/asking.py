"""What a question asks for: its form, the kind of thing, the names and amounts in it (question analysis)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from hybrid.text.dates import MONTHS
from hybrid.text.identifiers import QUARTER, identifiers
from hybrid.text.numbers import SMALL_NUMBERS, Quantity, quantities
from hybrid.text.words import content_words, is_english, language_of, stem, word_set
from hybrid.types import Span


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
        r"\bhow (?:do|can|could|should|would|may|must) (?:i|we|you|one|customers|users|employees"
        r"|somebody|staff)\b"
        r"|\bhow (?:is|are) .{1,80} (?:done|made|carried out)\b|\bhow to\b"
        r"|\b(?:what|which|give me the)(?: \w+ the| \w+)? steps\b"
        r"|\bwhat (?:has|have|needs?|is) to be done\b"
        r"|\bwhat (?:do|must|should) (?:i|we|you) (?:have to )?do\b"
        r"|^(?:wie|auf welche weise) (?:kann|muss|soll|mache?|stelle?|richte?|beantrage)\b"
        r"|\bprocedure (?:for|to)\b",
    ),
    (
        Form.CAUSE,
        r"^(?:and |but |so )?why\b|\b(?:what|which) (?:was |is |were )?(?:the )?(?:root )?(?:cause"
        r"|reason)s?\b"
        r"|\bwhat (?:caused|led to|went wrong)\b|^(?:warum|wieso|weshalb)\b|\bhow come\b",
    ),
    (
        Form.COMPARISON,
        r"\bdifferences? (?:in .{1,80} )?between\b|\bcompare\b|\b(?:versus|vs\.?)\b|\bunterschied\b"
        r"|\b(?:which|who|what)\b.{1,80}?\b(?:\w{2,20}er|more|less|better|worse|most|least)\b.{1,80}\bor\b"
        r"|\bor\b.{1,40}[,:–-] ?(?:which|who|what)\b.{1,40}\b(?:\w{2,20}er|more|less|better|worse)\b"
        r"|^(?:is|are|was|were|do|does|did|has|have)\b.{1,60}\b(?:\w{2,20}er|more|less|better|worse)\b"
        r".{0,40}\bthan (?!\d)",
    ),
    (
        Form.POLAR,
        r"^(?:and |but |so |hi,? |hello,? |(?!what|which|who|when|where|why|how).{1,60}[,:] )?"
        r"(?:is|are|was|were|am|do|does|did|can|could|may|might|must"
        r"|should|shall|will|would|has|have"
        r"|had|isn't|aren't|don't|doesn't|can't|need i|ist|sind|war|darf|kann|muss|hat|haben|gibt)\b",
    ),
)
_AMONG = re.compile("|".join(f"(?P<{form}>{pattern})" for form, pattern in _FORMS))

# "more than one", "one of", "one can" count nothing
_ONE = r"(?<!more than )(?<!no )one(?! (?:of|or|another|can|could|may|might|must|should|would|has|is)\b)"
_SPOKEN = "|".join(
    (_ONE, *SMALL_NUMBERS[2:13], "twenty", "thirty", "forty", "fifty", "sixty", "ninety", "hundred")
)
COUNT = rf"(?:\d[\d.,]*|\b(?:{_SPOKEN})\b)"
_TIME = (
    rf"{COUNT}[\s-]*(?:\w+\s)?(?:seconds?|minutes?|min\b|hours?|h\b|days?|weeks?|months?|years?"
    rf"|tage?n?|wochen?|monate?n?|jahre?n?|stunden?|minuten?)"
)
_MONEY = (
    r"(?:[$€£¥]\s?\d|\d[\d.,]*\s*(?:[$€£¥]|eur\b|euros?\b|usd\b|dollars?\b|gbp\b|pounds?\b|chf\b"
    r"|francs?\b|cents?\b))"
)
_DATE = (
    rf"\b(?:{'|'.join(MONTHS)})\b|\b(?:19|20)\d\d\b|\b\d{{1,2}}[.:]\d\d\b|\b(?:mon|tues|wednes|thurs"
    rf"|fri|satur|sun)days?\b"
    rf"|\b(?:noon|midnight|daily|weekly|monthly|annually|yearly|today|tomorrow)\b|\b\d{{1,2}}(?:st|nd"
    rf"|rd|th)\b|{_TIME}"
)
_NAME = rf"(?<!^)(?<![.!?:] )\b(?!(?:{'|'.join(MONTHS)})\b|\w+days?\b)(?-i:[A-Z][a-z]+)|\b(?-i:[A-Z]{{2,}})\b"
_PERSON = (
    rf"(?-i:\b[A-Z][\w'’-]+ (?:[A-Z]\. )?[A-Z][\w'’-]+)|\S@\S|\b(?:manager|head|lead(?:er)?|director"
    rf"|department|office"
    r"|officer|team|chair\w*|president|secretary|treasurer|board|support|desk|administrator|supervisor"
    r"|committee"
    rf"|coordinator|owner|author|nurse|doctor|librarian|staff)\b|{_NAME}"
)
# What is asked for, and what a sentence that has it looks like; the first that fits counts.
_KINDS = (
    (r"\b(?:which|what)(?: \w+)? ports?\b", r"\b\d{2,5}\b"),
    (
        r"\bdefaults?\b|\bout of the box\b|\bout-of-the-box\b",
        r"(?s)\A(?=.*\bdefaults?\b)(?=.*(?:\d|\b(?:on|off|true|false|none|empty"
        r"|disabled|enabled|zero|one|two)\b))",
    ),
    (
        r"\bhow often\b|\bwie oft\b",
        rf"\b(?:once|twice|daily|weekly|monthly|yearly|annually|every|each|per|interval\w*|always|never)\b"
        rf"|\b(?:{_SPOKEN}|\d+) times\b",
    ),
    (
        r"\bhow (?:many|much) (?:time)\b|\bhow (?:long|soon|quickly|old)\b|\b(?:period|duration"
        r"|deadline|time limit|interval|longer|shorter)\b"
        r"|\bwie (?:lange|alt)\b|frist\b",
        _TIME + r"|\b(?:once|twice|daily|weekly|monthly|yearly|annually|every)\b",
    ),
    (
        r"\bhow (?:heavy|much (?:does|do) .* weigh)\b|\bweighs?\b|\bweight\b|\bheav(?:y|ier|iest)\b",
        rf"{COUNT}\s*(?:kg|g|mg|lbs?|pounds?|tonnes?|t|oz|grams?|kilograms?)\b",
    ),
    (
        r"\bhow much\b.*\b(?:costs?|charged?|pay|paid|fee|price|fine|lose|lost|earn|refund\w*|rent)\b"
        r"|\bhow much (?:is|are|was|were)\b"
        r"|\b(?:price|cost|costs|fee|fees|fine|rent|revenue|salary|budget|charge)\b|\b(?:was"
        r"|wie ?viel) kostet\b",
        _MONEY + rf"|{COUNT}",
    ),
    (
        r"\bhow (?:far|tall|high|wide|deep|thick|thin|long is the \w+ cable)\b"
        r"|\b(?:distance|height|width|depth|length)\b",
        rf"{COUNT}\s*(?:m|cm|mm|km|feet|ft|inch(?:es)?|miles?|met(?:re|er)s?)\b",
    ),
    (
        r"\b(?:fast(?:er|est)?|quick(?:er|est)|speed)\b",
        rf"{COUNT}\s*(?:knots|km/h|mph|m/s|[a-z]bit/s)|\bper (?:second|minute|hour)\b",
    ),
    (r"\b(?:capacity|volume)\b|\bhow (?:big|large)\b", rf"{COUNT}"),
    (
        r"\bwhen\b|\bwhat (?:date|day|time|year)\b|\bwhich (?:date|day|year|month)\b|\bsince when\b"
        r"|\bwann\b|\bopening hours\b",
        _DATE,
    ),
    (
        r"\bhow (?:many|much)\b|\b(?:number|percentage|percent|share|rate|amount|maximum|minimum|limit"
        r"|size|age|port|default value)\b"
        r"|\bwie ?viele?\b",
        COUNT + r"|\b(?:half|twice|once|double|none|no(?! one))\b",
    ),
    (
        r"\b(?:which|what|latest|newest|current|recent)\b(?: \w+)?"
        r" (?:version|firmware|release|update|revision)\b",
        r"\d+\.\d+",
    ),
    (
        r"\b(?:which|what|in which|under which) (?:section|clause|paragraph|chapter|article|rule|part)\b",
        r"^(?:§|section|clause|paragraph|chapter|article|rule|part)?\s?(?:\d+(?:\.\d+)*"
        r"|(?-i:[IVX]+))[.):]?\s",
    ),
    (r"\b(?:e-?mail|address)\b.*\?|\bwrite to\b", r"\S@\S|\b\d{4,5}\b|street|road|https?:"),
    (r"\b(?:phone|telephone|extension|call)\b.*\?", r"\d{3,}"),
    (r"\b(?:who|whom|whose)\b|\bwer\b|\bwen\b|\bwem\b", _PERSON),
    (
        r"\bwhere\b|\bwo\b|\bwhich (?:person|city|country|team|company|room)\b",
        _NAME + r"|\bin(?:to)? (?:the )?\w+|/\w"
        r"|\b(?:at|on|under|behind|beside|above|below|next to|outside|inside)\b",
    ),
    (
        r"\b(?:which|what)\b.*\b(?:option|file|parameter|setting|keyword|command|directory|function"
        r"|catalog|view|program|tool"
        r"|variable|syntax|pattern|privilege|lock|class|method|flag)\b",
        r"(?-i:\b\w+_\w+|\B--?\w|\w\.\w|/\w|[A-Z]{2,})",
    ),
)
_ASKS = [(re.compile(asks), re.compile(found, re.IGNORECASE)) for asks, found in _KINDS]
# What columns are called that hold it.
_COLUMNS = (
    (r"\bhow much\b|\bprice\b|\bcosts?\b|kostet\b", "price cost fee amount"),
    (r"\bhow often\b|\bwie oft\b", "interval frequency cycle every"),
    (r"\bhow (?:long|soon|quickly)\b|\blonger\b|\bshorter\b|\bwie lange\b", "duration time period"),
    (r"\bhow heavy\b|\bweigh", "weight"),
    (r"\bwhat time\b", "time hours from until"),
    (r"\bwhen\b|\bwhat (?:day|date)\b|\bwann\b", "date when day time due"),
    (r"\bwho\b|\bwhom\b|\bwer\b", "who name owner responsible contact person"),
    (r"\bwhere\b|\bwo\b", "where place location room address"),
)
# "How many WEEKS": what is counted must be said, not only a number.
_COUNTED = re.compile(r"\bhow many ((?!is|are|was|does|do|did|of|time|it|will|can|can|i\b)[^\W\d_]+)")

_LATEST = re.compile(r"\b(?:latest|newest|most recent|(?:last|past|previous) year(?:'s)?|neuste[rns]?)\b")
_THING = re.compile(r"\b(?:which|what) ([^\W\d_]{4,})\b")
# A number behind one of these names a thing.
_NUMBERED = re.compile(
    r"\b(?:annex|appendix|article|building|chapter|class|edition|form|gate|grade|level|line|part|phase"
    r"|platform|room|section|stage|step|table|tier|unit|version|volume|zone) \d+(?:\.\d+)*\b",
    re.IGNORECASE,
)
# No year, and an abbreviation as 2FA, which is no quantity.
_PIECES = re.compile(r"\b(?:19|20)\d\d(?=\s?(?:pieces|units|eur|€|\$))", re.IGNORECASE)
_UNIT = re.compile(r"(?<=\d)\s?(?:°\s?[CF]\b|[a-zµ]{1,2}[²³])")
_SHORT = re.compile(r"\b\d[A-Z]{2,3}\b")
_CAPITAL = re.compile(r"(?<![.!?] )(?<!^)(?<![\w-])(?!I\b|I['’])[A-Z][\w'’-]*")

# Words that every question has and no answer needs.
_EMPTY = word_set(
    "tell please know want like get give need find many much long often mean kind exactly happen must"
)
_MODAL = "must|can|may|should|shall|could|would|will|do|does|did|has|have|need|needs|if|when"
# Between a question and the follow-up to it; white space that nobody types.
FOLLOWED = "\u2028"
# A follow-up of nothing else asks the same again.
_AGAIN = word_set("one sure certain really right true correct sicher wirklich")
# "they've" is no "ve"
_SHORT_FOR = re.compile(
    r"\b(?:i|you|we|they|he|she|it|that|there|who|what)['’](?:ve|m|re|ll|d|s)\b", re.IGNORECASE
)
# "one" is no number there
_ONESELF = re.compile(rf"\b(?:{_MODAL}) one\b|\bone(?= (?:{_MODAL})\b)|\bones?(?=\W*$)", re.IGNORECASE)


# Who pastes a document does not ask with all of it.
_LONGEST_READ = 2_000


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
        thing: the stem of what is asked for by name, of "which edition" that of edition.
        sides: the things that are compared.
        last: the last question of several, behind the one that it follows.
        earlier: words that only the question has which a follow-up stands behind; it was answered before.
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
    def with_columns(self) -> str:
        """Return the question and what columns are called that hold what it asks for."""
        return f"{self.text} {self.columns}"

    @property
    def lists(self) -> bool:
        """Tell whether it asks for all things of a kind: which methods, what documents."""
        return bool(
            re.match(
                r"(?:which|what|name|list|welche)\b (?!happens|means|needs)"
                r"(?:\w+ ){0,2}?(?:\w{3,}[^s\W]s|\w+en)\b",
                self.text.lower(),
            )
        )

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


def shortened(question: str) -> str:
    """Return the beginning and the end of a question of more than 2,000 characters, any other as it is."""
    half = _LONGEST_READ // 2
    return question if len(question) <= _LONGEST_READ else question[:half] + question[-half:]


def read_question(question: str) -> Asked:
    """Return what a question asks for; of a very long one its beginning and its end are read."""
    question = shortened(question)
    # a follow-up stands behind the question that it follows: the last one is what is asked
    last = [part for part in re.split(rf"{FOLLOWED}|(?<=\?)\s+", question.strip()) if part][-1:] or [question]
    lowered = " ".join(last[0].lower().replace("’", "'").split())
    found = _AMONG.search(lowered)
    form = Form(next(name for name, text in found.groupdict().items() if text)) if found else Form.FACT
    wanted = next((kind for asks, kind in _ASKS if asks.search(lowered)), None)
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
    told = [
        one
        for one in quantities(question)
        if (one.units or not one.weak) and not any(_holds(code, one.span, question) for code in codes)
    ]
    words, own = _words(question, codes), frozenset(content_words(last[0])) - _EMPTY - _AGAIN
    if FOLLOWED in question and not own:
        words = tuple(word for word in words if word not in _AGAIN)
    return Asked(
        question,
        form,
        wanted,
        stem(counted[1]) if counted else "",
        tuple(dict.fromkeys((*codes, *named))),
        frozenset(codes),
        tuple(told),
        words,
        next((names for asks, names in _COLUMNS if re.search(asks, lowered)), ""),
        stem(thing[1]) if (thing := _THING.search(lowered)) else "",
        _sides(lowered) if form is Form.COMPARISON else (),
        last[0],
        frozenset(words if FOLLOWED in question and own else ()) - frozenset(content_words(last[0])),
    )


def _sides(lowered: str) -> tuple[str, ...]:
    """Return the two things that a question compares, without articles."""
    for pattern in _SIDES:
        if found := pattern.search(lowered):
            return found["one"].strip(), found["other"].strip()
    return ()


_ARTICLE = r"(?:the |an? |der |die |das |ein(?:e|er|em|en)? )?"
_SIDES = (
    re.compile(
        rf"^(?:is|are|was|were|do|does|did|has|have) {_ARTICLE}(?P<one>.+?)(?: \w+)?"
        rf" (?:\w{{2,20}}er|more|less|better|worse)\b"
        rf".{{0,40}}?\bthan {_ARTICLE}(?P<other>[^,:]+?)\W*$"
    ),
    re.compile(rf"^{_ARTICLE}(?P<one>[^,:]+?) or {_ARTICLE}(?P<other>[^,:]+?)[,:–-] ?(?:which|who|what)\b"),
    re.compile(rf"\b(?:between|zwischen) {_ARTICLE}(?P<one>.+?) (?:and|und) {_ARTICLE}(?P<other>.+?)\W*$"),
    re.compile(
        rf"(?:[,:–-]|\bcompare|\bthan) {_ARTICLE}(?P<one>[^,:]+?) (?:or|and|with|to|versus|vs\.?"
        rf"|oder) {_ARTICLE}(?P<other>[^,:]+?)\W*$"
    ),
    re.compile(
        rf"(?P<one>[\w-]+(?: [\w-]+)?) (?:or|versus|vs\.?|oder) {_ARTICLE}(?P<other>[\w-]+(?: [\w-]+)?)\W*$"
    ),
)


def _words(question: str, codes: Sequence[str]) -> tuple[str, ...]:
    """Return the stems of a question without its codes, which are looked for as a whole."""
    bare = QUARTER.sub(" ", question) if any(code not in question.lower() for code in codes) else question
    for code in codes:
        bare = re.sub(re.escape(code), " ", bare, flags=re.IGNORECASE)
    bare = _ONESELF.sub(" ", _SHORT_FOR.sub(" ", bare))
    found = [word for word in content_words(bare) if word not in _EMPTY] or content_words(question)
    return tuple(dict.fromkeys(found))


_GERMAN = re.compile(r"\b(?:wie|was|wer|wo|wann|welche[rsn]?|warum|der|die|das|ich|ist|nach)\b")


def _holds(code: str, span: Span, question: str) -> bool:
    start = question.lower().find(code)
    return start <= span.start < start + len(code)
