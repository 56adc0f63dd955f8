"""Who does what to whom, exchanged.

Takes a sentence, gives candidates: two names of one kind around a verb, two values of a list with
"respectively", the two ends of "from … to …", and the two sides of a comparison or of a short statement of
cause. What means the same both ways round (between, and, with) is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from recipes.grounding.edits.english import base_form, lower_first, third_person, upper_first, word_set
from recipes.grounding.edits.names import find_names, is_replaceable
from recipes.grounding.edits.surroundings import Surroundings
from recipes.grounding.edits.tables import MONTHS
from recipes.grounding.edits.values import Candidate, Replacement, shuffled
from recipes.grounding.edits.verbs import THIRD

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
