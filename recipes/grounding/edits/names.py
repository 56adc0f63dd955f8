"""Another name of the same kind, and who does what to whom exchanged.

Names are told by capitals and code, their kind by short lists and else by their shape, for there is no tagger
here: a name whose kind is unclear is only replaced by one that looks alike and stands behind the same sort of
word. What means the same both ways round (between, and, with) is not exchanged.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np

from hybrid.text.words import word_set
from recipes.grounding.edits import tables
from recipes.grounding.edits.english import THIRD, base_form, lower_first, third_person, upper_first
from recipes.grounding.edits.tables import MONTHS
from recipes.grounding.edits.values import Candidate, Replacement, Surroundings, shuffled

_PART = r"(?:[A-Z]\.(?=\s)|[A-Z][\w’'-]*\w|[A-Z])"
_LINKS = r"de|van|von|del|bin"
_NAME = re.compile(
    rf"(?<![\w.’'/@#$)(-])(?:Mc|Mac|de |van |von )?{_PART}(?: (?:{_PART}|{_LINKS})(?!\w))*"
    r"(?![\w’'@/()-]|\.\w)"
)
_NOT_CODE = r"(?!Methods?|Results?|Conclusions?|Background|Objectives?)"
_CODE = re.compile(
    r"`[^`\s]{3,40}`"
    rf"|(?<![\w./<`-])(?:[a-z]+_[a-z_]*[a-z]|{_NOT_CODE}[A-Z][a-z]+(?:[A-Z][a-z]+)+)(?![\w./`(-])"
)
_ACRONYM = re.compile(r"[A-Z][A-Z0-9]*(?:-?[A-Z0-9]+)+s?")
_FIRST_WORD = re.compile(r"[\"“'(]*\w")
# What stands behind or before a part of a longer name.
_FOLLOWS = re.compile(
    r"\.?\s\d|(?: of| and| &|, and|,)? [A-Z(]|\s?\((?=[A-Z])|-\w|['’]s [A-Z]"
    r"| (?:type|stage|level|score|test|scale|index|method|syndrome|disease)"
)
_PRECEDES = re.compile(r"(?:[A-Z][\w-]* (?:of|and|&|for) |[A-Z][\w-]*[,’'-]s? ?|\(|\b(?:and|or|&)\s|v\.? )$")
_SMALL = word_set(
    """
    the a an of in on at by for from with to as than via and or is are was were has have had can will may must
    should does do did that which who when while because if but not also
    """
)
_SMALL_BEFORE = re.compile(rf"\b(?:(?:{'|'.join(sorted(_SMALL))})\s+){{1,2}}$", re.IGNORECASE)
_WORD_BEFORE = re.compile(r"[\w’'-]+[.,;:]?\s+$")
_WORD_BEHIND = re.compile(r"[ ]([a-z]+)\b")
_WORD = re.compile(r"\w+")
_POSSESSIVE = re.compile(r"['’]s?$")
_OPENS = re.compile(r"(?:[:.?!]\s|[\"“‘'(])$")
_LINK_LAST = re.compile(rf"(?:^|\s)(?:{_LINKS})$")
_KNOWN = tables.COUNTRIES | tables.PLACES | tables.FIRST_NAMES | tables.TITLES
_MOST_TOKENS = 4
_LONGEST_ACRONYM = 4
_SHAPED = ("name", "acronym")
_INSIDE = 0.5


@dataclass(frozen=True, slots=True)
class Name:
    """A name in a text; ``sort`` is what may replace it."""

    start: int
    end: int
    text: str
    sort: str


def names(text: str, around: Surroundings, generator: np.random.Generator) -> Iterator[Candidate]:
    """Yield candidates, in half of the cases first another name of the document."""
    own, foreign = _pool(around.sentences), _pool(around.elsewhere)
    found = [name for name in find_names(text) if is_replaceable(text, name) and text.count(name.text) == 1]
    found = [name for name in found if not _is_shouted(name.text, around.words)]
    for place in generator.permutation(len(found)):
        name = found[int(place)]
        sort = own.sort_of(name)
        inside = [option for option in own.options.get(sort, ()) if _differs(option, name, text)]
        # what is told by its shape alone is nothing like a stranger of the same shape
        strangers = () if sort.startswith(_SHAPED) else foreign.options.get(sort, ())
        outside = [
            option
            for option in sorted({*_listed(sort), *strangers})
            if option not in around.text and _differs(option, name, text)
        ]
        for options in (inside, outside) if generator.random() < _INSIDE else (outside, inside):
            if options:
                new = options[int(generator.integers(len(options)))]
                yield Candidate((Replacement(name.start, name.end, new),))


def find_names(text: str) -> Iterator[Name]:
    """Yield names in order; a first word counts only if its shape or a list says that it is a name."""
    first = _FIRST_WORD.match(text)
    begins = first.end() - 1 if first else 0
    code = list(_CODE.finditer(text))
    for match in code:
        sort = _code_sort(match.group())
        if sort.split()[2] == "word":
            sort = f"{sort} {_place(text, match.start(), match.end())}"
        yield Name(match.start(), match.end(), match.group(), sort)
    for match in _NAME.finditer(text):
        if any(match.start() < other.end() and other.start() < match.end() for other in code):
            continue
        start, written = match.start(), match.group()
        if start == begins or _OPENS.search(text[:start]):
            start, written = _without_first(start, written)
        written = _POSSESSIVE.sub("", written)
        while written and (written.split(" ")[-1] in tables.NO_NAMES or _LINK_LAST.search(written)):
            written = written.rpartition(" ")[0]
        if written and _is_name(written):
            yield Name(start, start + len(written), written, _sort(text, start, written))


def _without_first(start: int, written: str) -> tuple[int, str]:
    """Drop the word that has its capital from the sentence."""
    first, _, rest = written.partition(" ")
    if first in _KNOWN or written in _KNOWN or _ACRONYM.fullmatch(first):
        return start, written
    if rest and first not in tables.NO_NAMES and not first.endswith(("ing", "ed", "ly", "s")):
        return start, written
    return start + len(first) + 1, rest


def _is_name(written: str) -> bool:
    tokens = [re.split("['’]", token)[0] for token in written.split(" ")]
    shouted = len(tokens) > 1 and tokens[0].isupper() and len(tokens[0]) > _LONGEST_ACRONYM
    if shouted or re.search(r"-[a-z]|_", written) or len(written) < 3 or len(tokens) > _MOST_TOKENS:
        return False
    return not any(token in tables.NO_NAMES or token in tables.MONTHS_AND_DAYS for token in tokens)


def _sort(text: str, start: int, written: str) -> str:
    tokens = written.split(" ")
    listed = _list_of(written)
    if listed:
        # "German" is a language or a people, "a German company" neither: the same list fits all of them
        return listed
    if _ACRONYM.fullmatch(written):
        digits = any(letter.isdigit() for letter in written)
        return f"acronym {digits} {written[-1] == 's'} {_place(text, start, start + len(written))}"
    if tokens[0] in tables.TITLES or tokens[0].rstrip(".") in tables.TITLES:
        return f"title {len(tokens)}"
    if tokens[0] in tables.FIRST_NAMES and len(tokens) <= 3:
        return f"person {min(len(tokens), 2)}"
    if tokens[-1].rstrip(".") in tables.HEADS:
        return f"head {tokens[-1]}"
    plural = written.endswith("s") and not written.endswith(("ss", "us", "is"))
    return f"name {min(len(tokens), 3)} {plural} {_place(text, start, start + len(written))}"


def _place(text: str, start: int, end: int) -> str:
    """Return the small words before a name, and whether a word follows that it belongs to."""
    before, behind = _SMALL_BEFORE.search(text, 0, start), _WORD_BEHIND.match(text, end)
    last = before or _WORD_BEFORE.search(text, 0, start)
    said = last.group().lower().strip() if last else "nothing"
    return f"{said} {behind is not None and behind[1] not in _SMALL}"


def _list_of(written: str) -> str:
    lists = (
        ("country", tables.COUNTRIES),
        ("nation", tables.NATIONS),
        ("place", tables.PLACES),
        ("region", tables.REGIONS),
    )
    return next((name for name, known in lists if written in known), "")


def _listed(sort: str) -> frozenset[str]:
    lists = {
        "country": tables.COUNTRIES,
        "nation": tables.NATIONS,
        "place": tables.PLACES,
        "region": tables.REGIONS,
        "person 1": tables.FIRST_NAMES,
    }
    return lists.get(sort, frozenset())


def _code_sort(written: str) -> str:
    """Tell code by how it is written, and classes by their last part: an embedder stands for an embedder."""
    inner = written.strip("`")
    quoted = written[0] == "`"
    if inner[:1].isupper() and inner.isalnum():
        return f"code {quoted} {re.findall('[A-Z][a-z0-9]*', inner)[-1]}"
    shape = "snake" if "_" in inner else "dashes" if "-" in inner else "word"
    marks = "".join(sorted(set(re.findall(r"[^\w-]", inner))))
    return f"code {quoted} {shape} {marks} {inner.isupper()}"


@dataclass(frozen=True, slots=True)
class _Pool:
    """The names of a document by their sort, and the last names of its people."""

    options: dict[str, tuple[str, ...]]
    surnames: frozenset[str]

    def sort_of(self, name: Name) -> str:
        return "surname" if name.text in self.surnames and name.sort.startswith("name 1") else name.sort


@lru_cache(maxsize=64)
def _pool(sentences: tuple[str, ...]) -> _Pool:
    document = frozenset(word for sentence in sentences for word in _WORD.findall(sentence))
    found = [
        name for sentence in sentences for name in find_names(sentence) if is_replaceable(sentence, name)
    ]
    surnames = frozenset(name.text.split(" ")[-1] for name in found if name.sort == "person 2")
    counts = Counter(name.text for name in found)
    empty = _Pool({}, surnames)
    options: dict[str, set[str]] = {}
    for name in found:
        sort = empty.sort_of(name)
        # one capital alone may be a slip or a heading
        if not _is_shouted(name.text, document) and (counts[name.text] > 1 or not sort.startswith("name")):
            options.setdefault(sort, set()).add(name.text)
    return _Pool({sort: tuple(sorted(names)) for sort, names in options.items()}, surnames)


def is_replaceable(text: str, name: Name) -> bool:
    """Tell whether a name stands alone: no part of a longer one, no abbreviation in brackets."""
    return not (_FOLLOWS.match(text, name.end) or _PRECEDES.search(text[: name.start]))


def _differs(option: str, name: Name, text: str) -> bool:
    """Tell whether an option is someone else, and nobody that the sentence speaks of anyway."""
    mine, other = set(re.findall(r"\w+", name.text.lower())), set(re.findall(r"\w+", option.lower()))
    if mine & other - {"the", "of"} and not name.sort.startswith(("head", "title", "code")):
        return False
    if mine <= other or other <= mine or option in text:
        return False
    shortened = _abbreviates(option, name.text) or _abbreviates(name.text, option)
    return not shortened and option[:4] != name.text[:4]


def _is_shouted(written: str, document: frozenset[str]) -> bool:
    """Tell whether a word has its capitals for emphasis: it stands in small letters too, or is long."""
    if not written.isalpha():
        return False
    return (written.isupper() and len(written) > _LONGEST_ACRONYM) or written.lower() in document


def _abbreviates(short: str, long: str) -> bool:
    initials = "".join(word[0] for word in re.findall(r"[A-Za-z]+", long))
    return len(initials) > 1 and short.upper().startswith(initials.upper())


_SYMMETRIC = re.compile(
    r"\b(?:and|or|with|between|versus|vs|against|both|either|neither|same|similar|differ\w*|interact\w*|"
    r"associat\w*|correlat\w*|link\w*|married|met|meets|meet|equal\w*|different|together|also known|"
    r"called|nor|"
    r"compared?|including|such as|like|as well as|i\.e|namely|unlike)\b|[;:()“”\"–—]",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(?:told|tells|asked|asks|gave|gives|invited|helped|called|sent|bought|sold|beat|defeated|acquired|founded|"
    r"created|wrote|leads?|led|praised|criticized|criticised|accused|warned|urged|replaced|succeeded|than|by|"
    r"from|to|of|for|before|after|over|into|[a-z]+ed|" + "|".join(sorted(THIRD)) + r")\b"
)
_ONE_OF = r"(?<![\w.,])[\w.,%$€£±]{0,12}\d[\w.,%±]{0,12}(?<![,.])(?: [a-zA-Z%]{1,8})?"
_RESPECTIVELY = re.compile(rf"(?P<one>{_ONE_OF}) and (?P<other>{_ONE_OF}),? respectively")
_PHRASE = r"(?:(?:the|a|an|its|your) )?[\w`'’-]+(?:[.]\d+)?`?%?(?: [\w`'’-]+)?"
_ENDS = r"(?:(?:the|a|an|its|your) [\w’-]+(?: [\w’-]+)?|`[^`]+`|[A-Z][\w’-]+(?: [A-Z][\w’-]+)*)"
_END = r"(?=[;)]|\.(?:\s|$)|$| (?:in|by|on|at|for|during|after|before|when|over|between|with|and)\b)"
_FROM_TO = re.compile(rf"\bfrom (?P<one>{_ENDS}) to (?P<other>{_ENDS}){_END}")
_VALUE = r"[$€£]?\d[\d.,]*\d?(?: ?%| (?:million|billion|percent|mg|kg|cm|mm|years|days|hours|minutes))?"
_GROWTH = re.compile(
    r"\b(?:increas|decreas|rose|fell|grew|reduc|dropp|declin|rais|lower|jump|improv|climb|"
    r"risen)\w*\b[^.;]{0,60}? "
    rf"from (?P<one>{_VALUE}) to (?P<other>{_VALUE}){_END}"
)
_YEAR = re.compile(r"(?:1[5-9]|20)\d\d")
# Both ends together name a whole, and the order of them says nothing.
_WHOLE = re.compile(
    r"(?:,|\b(?:ages?|range[sd]?|ranging|anywhere|varie[sd]|vary|aged|parts?|everything|all the way|"
    r"differ\w*|entire|far)"
    r"\b)[^.]{0,30}$"
)
_PLAIN_END = re.compile(
    r"\b(?:of|to|and|is|are|that|which|time|end|one|another|person|side|day|year|start|beginning|ones|new|old|back|"
    rf"according|being)$|^(?:{'|'.join(MONTHS)}|[A-Z][a-z]+day)\b",
    re.IGNORECASE,
)
_CAUSES = word_set(
    """
    cause lead result precede inhibit activate replace regulate control trigger produce contain include depend
    follow encode suppress induce
    """
)
_CAUSE = re.compile(
    rf"(?P<one>[A-Z][\w'’ -]{{2,50}}?) (?P<verb>(?:{'|'.join(sorted(_CAUSES))})s?(?: to| in| on)?) "
    r"(?P<other>[\w'’ -]{3,50})\.?"
)
_PLURALS = word_set("people children women men data bacteria")
_MOST_WORDS = 4
_FAR = 12
_PLAIN_CODE = ("code False snake", "code False word")
_LISTED_BEFORE = re.compile(r"(?:,|\band|\bor|&)\s*$")
_LISTED_AFTER = re.compile(r"\s*(?:,|and\b|or\b|&|['’]s|-)")
_NO_NOUN = re.compile(
    r"\b(?:that|which|who|is|are|was|were|has|have|can|may|will|not|and|or|but|by|because|when|if|also|often|it|they|"
    r"this|these|he|she|we|you|in|on|at|for|with|from|to|than|as|what|how|a|an|its|their|only|usually|both|also|most|"
    r"then|the|new|old|following|directly|sometimes|more|less|all|many|some|each|every|there|where)\b",
    re.IGNORECASE,
)
_THAN = re.compile(
    rf"(?P<one>{_PHRASE}) (?:is|are|was|were) (?:(?:much |far |slightly |significantly )?(?:more|"
    rf"less) [a-z]+|[a-z]+er) "
    rf"than (?P<other>{_PHRASE})(?=[.,;]|$)"
)
_NO_SIDE = re.compile(r"\d|\b(?:expected|usual|normal|thought|average)$")


def roles(text: str, around: Surroundings, generator: np.random.Generator) -> Iterator[Candidate]:
    """Yield candidates that exchange two stretches."""
    yield from shuffled(
        [*_names(text), *_respectively(text), *_ends(text), *_statement(text), *_sides(text)], generator
    )


def _exchange(text: str, one: tuple[int, int], other: tuple[int, int]) -> Candidate:
    first, second = text[slice(*one)], text[slice(*other)]
    if one[0] == 0:
        first, second = lower_first(first), upper_first(second)
    return Candidate((Replacement(*one, second), Replacement(*other, first)))


def _names(text: str) -> Iterator[Candidate]:
    # a name that comes twice would be two people then
    single = [name for name in find_names(text) if is_replaceable(text, name) and text.count(name.text) == 1]
    for one, other in combinations(single, 2):
        between = text[one.end : other.start]
        listed = _LISTED_BEFORE.search(text[: one.start]) or _LISTED_AFTER.match(text[other.end :])
        alike = one.sort == other.sort and not one.sort.startswith(_PLAIN_CODE)
        near = len(between.split()) <= _FAR and "," not in between
        if alike and near and not listed and _VERB.search(between) and not _SYMMETRIC.search(between):
            yield _exchange(text, (one.start, one.end), (other.start, other.end))


def _respectively(text: str) -> Iterator[Candidate]:
    for match in _RESPECTIVELY.finditer(text):
        if match["one"] != match["other"]:
            yield _exchange(text, match.span("one"), match.span("other"))


def _ends(text: str) -> Iterator[Candidate]:
    for match in _FROM_TO.finditer(text):
        one, other = match["one"], match["other"]
        # two places, two names or two pieces of code; "from bone marrow to participate" is none of these
        alike = one[0].islower() == other[0].islower() and (one[0] == "`") == (other[0] == "`")
        plain = _PLAIN_END.search(one) or _PLAIN_END.search(other)
        if alike and one.lower() != other.lower() and not plain and not _WHOLE.search(text[: match.start()]):
            yield _exchange(text, match.span("one"), match.span("other"))
    for match in _GROWTH.finditer(text):
        if match["one"] != match["other"] and not _YEAR.fullmatch(match["one"]):
            yield _exchange(text, match.span("one"), match.span("other"))


def _statement(text: str) -> Iterator[Candidate]:
    match = _CAUSE.fullmatch(text)
    if match is None:
        return
    one, other = match["one"], match["other"]
    long = max(len(side.split()) for side in (one, other)) > _MOST_WORDS
    first = lower_first(one)
    # a first word that keeps its capital must be a name
    unsure = first == one and not first[:2].isupper()
    if long or unsure or any(_NO_NOUN.search(side) for side in (one, other)):
        return
    verb, *rest = match["verb"].split(" ")
    base = verb if verb in _CAUSES else base_form(verb)
    verb = base if is_plural(other) else third_person(base)
    replacements = [
        Replacement(*match.span("one"), upper_first(other)),
        Replacement(*match.span("other"), first),
    ]
    said = " ".join([verb, *rest])
    if said != match["verb"]:
        replacements.append(Replacement(*match.span("verb"), said))
    yield Candidate(tuple(replacements))


def is_plural(phrase: str) -> bool:
    """Tell whether a phrase is plural, by its last word."""
    last = phrase.split()[-1].lower()
    return last in _PLURALS or (last.endswith("s") and not last.endswith(("ss", "us", "is")))


def _sides(text: str) -> Iterator[Candidate]:
    match = _THAN.match(text)
    if match is None or _NO_SIDE.search(match["other"]):
        return
    sides = (match["one"], match["other"])
    if not any(_NO_NOUN.search(side) for side in sides) and is_plural(sides[0]) == is_plural(sides[1]):
        yield _exchange(text, match.span("one"), match.span("other"))
