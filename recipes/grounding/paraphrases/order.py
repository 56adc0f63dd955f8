"""The same in another order: clauses, adverbials, subject and object of a passive, the two of a pair.

Takes a sentence, gives it reordered where that changes nothing but the order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from recipes.grounding.edits.english import lower_first, past_form, third_person, upper_first
from recipes.grounding.edits.roles import is_plural
from recipes.grounding.edits.tables import DAYS, MONTHS
from recipes.grounding.edits.verbs import has_verb, parts_of

_CLAUSE_FIRST = re.compile(
    r"(?P<joint>If|When|Because|Although|Unless|Once|After|Before|While|Since|Whenever|Until|As soon as|"
    r"Even though) "
    r"(?P<clause>[^,;:()]{6,120}), (?:then )?(?P<main>[^,;:]{8,160})\."
)
_CLAUSE_LAST = re.compile(
    r"(?P<main>[^,;:]{8,140}[^,;: ]),? (?P<joint>if|when|because|although|unless|once|whenever|even though) "
    r"(?P<clause>[^,;:]{8,120})\."
)
# What points at something that would come after it then.
_PRONOUN = re.compile(
    r"(?:it|they|he|she|this|these|those|its|their|his|her|that|such|both|each|one|others?|some|there|doing|not|you|"
    r"your|we|our|instead|then|please)\b",
    re.IGNORECASE,
)
_NO_FRONTING = re.compile(
    r"\b(?:know|see|even|only|as|determine|just|especially|particularly|which|who|and|or|but|than|what|how|whether|"
    r"ask|shows?|is|are|was|were|sure|mainly|partly|mostly|unclear|decide|simply|except|used|such|told|added|"
    r"reported|believes?|thinks?|to)$"
    r"|\b(?:if|when|because|although|unless|once|until|after|before|not|never|that|said|says|while|so)\b|n['’]t\b"
)
_TIME = rf"(?:the |late |early |mid-)?(?:(?:{'|'.join(MONTHS)}) )?(?:1[5-9]|20)\d\d"
_PLACE_FIRST = re.compile(
    rf"(?P<place>In {_TIME}|In (?:the )?[A-Z][\w.]+(?: [A-Z][\w.]+)?|During (?:the )?[a-z]+(?: [a-z]+)?|"
    rf"On (?:{'|'.join(DAYS)})|Among [a-z]+(?: [a-z]+)?|By default|For most people|In (?:most|some|many|"
    rf"rare) cases), "
    r"(?P<main>[^,;:]{8,160})\."
)
_NOUNS = r"[\w’'-]+(?: [\w’'-]+){0,4}"
_ACTIVE_OF = {
    "caused": "cause", "produced": "produce", "controlled": "control", "regulated": "regulate",
    "carried": "carry", "triggered": "trigger", "encoded": "encode", "mediated": "mediate",
}  # fmt: skip
_VERBS = "cause produce control regulate encode affect define determine inhibit activate make"
_PASSIVE_OF = {form: past_form(verb) for verb in _VERBS.split() for form in (verb, third_person(verb))}
# Nouns, or something else, without an s.
_PASSIVE_OF |= {
    third_person(verb): past_form(verb)
    for verb in ("carry", "specify", "support", "return", "provide", "create", "use", "store", "remove")
}
_PASSIVE = re.compile(
    rf"(?P<object>{_NOUNS}) (?:is|are) (?P<verb>{'|'.join(_ACTIVE_OF)}) by (?P<subject>(?:an? |"
    rf"the )?{_NOUNS})\."
)
_ACTIVE = re.compile(
    rf"(?P<subject>{_NOUNS}) (?P<verb>{'|'.join(_PASSIVE_OF)}) (?P<object>(?:an? |the )?{_NOUNS})\."
)
_NOT_SIMPLE = re.compile(
    r"\b(?:and|or|by|that|which|who|in|for|from|with|to|as|not|often|usually|also|is|are|can|may|mainly|only)\b"
)
_PAIR = re.compile(r"\b(?P<before>of|in) (?P<one>[a-z]{4,}) and (?P<other>[a-z]{4,})(?=[.,]|$)")


def clause_last(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield "Y if X." for "If X, Y."."""
    match = _CLAUSE_FIRST.fullmatch(text)
    if match is None or _PRONOUN.match(match["main"]) or not has_verb(match["clause"]):
        return
    if parts_of(upper_first(match["main"])) is not None:
        yield f"{upper_first(match['main'])} {match['joint'].lower()} {match['clause']}."


def clause_first(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield "If X, Y." for "Y if X."."""
    match = _CLAUSE_LAST.fullmatch(text)
    if match is None or _NO_FRONTING.search(match["main"]) or _PRONOUN.match(match["clause"]):
        return
    main = _lowered(match["main"])
    if main and parts_of(text) is not None:
        yield f"{upper_first(match['joint'])} {match['clause']}, {main}."


def place_last(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield "Y in 2010." for "In 2010, Y."."""
    match = _PLACE_FIRST.fullmatch(text)
    if match:
        place = match["place"]
        yield f"{upper_first(match['main'])} {place[0].lower()}{place[1:]}."


def active(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield "X causes Y." for "Y is caused by X."."""
    match = _PASSIVE.fullmatch(text)
    if match and not any(_NOT_SIMPLE.search(match[side]) for side in ("object", "subject")):
        base, thing = _ACTIVE_OF[match["verb"]], _lowered(match["object"])
        if thing:
            verb = base if is_plural(match["subject"]) else third_person(base)
            yield f"{upper_first(match['subject'])} {verb} {thing}."


def passive(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield "Y is caused by X." for "X causes Y."."""
    match = _ACTIVE.fullmatch(text)
    if match and not any(_NOT_SIMPLE.search(match[side]) for side in ("object", "subject")):
        subject = _lowered(match["subject"])
        if subject:
            helper = "are" if is_plural(match["object"]) else "is"
            yield f"{upper_first(match['object'])} {helper} {_PASSIVE_OF[match['verb']]} by {subject}."


def pairs(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield "of chills and fevers" for "of fevers and chills"."""
    for match in _PAIR.finditer(text):
        if match["one"][-1] == match["other"][-1] == "s":
            swapped = f"{match['before']} {match['other']} and {match['one']}"
            yield text[: match.start()] + swapped + text[match.end() :]


def _lowered(text: str) -> str:
    """Return text as it stands inside a sentence; empty if its capital may be that of a name."""
    lowered = lower_first(text)
    return lowered if lowered != text or text[:2].isupper() or not text[:1].isupper() else ""
