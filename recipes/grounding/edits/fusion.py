"""The subject of one sentence with what another says of something else: the commonest error of summaries.

Takes a sentence, gives candidates from other sentences of the document. Subjects that may be the same thing
in other words ("the disease") are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from hybrid.grounding.examples import Label
from recipes.grounding.edits.english import stems
from recipes.grounding.edits.surroundings import Surroundings
from recipes.grounding.edits.values import Candidate, Replacement
from recipes.grounding.edits.verbs import BE, DO, HAVE, MODALS, parts_of

_LEANS = re.compile(
    r"(?:it|its|they|their|this|these|those|such|he|she|his|her|we|our|you|your|i|my|the|there|other|others|another|some|"
    r"one|both|all|each|most|many|several|what|which|who|that|here|two|three|a|an|if|when|in|on|at|for|as|to|no|not|"
    r"researchers|scientists|doctors|studies|results|data|findings|people|patients|more|less|any|researcher|and|but|by)\b",
    re.IGNORECASE,
)
_BACK = re.compile(
    r"\b(?:it|its|they|their|them|this|these|those|such|he|she|his|her|him|other|same|itself|themselves|also|"
    r"respectively|we|our|above|below)\b",
    re.IGNORECASE,
)
_NO_SUBJECT = re.compile(
    r"\b(?:once|during|also|said|says|told|they|he|she|it|we|you|everything|everyone|always|often|usually|now|only|"
    r"still|after|before|not|found|showed|reported|made|took|gave|had|been|being|every|whether|how|why|from|under|"
    r"upon|sometimes|at times|occasionally|frequently|seldom|rarely|normally|generally|typically|currently|"
    r"therefore|thus|finally|then|first|second|here|such|unlike|like|despite)\b",
    re.IGNORECASE,
)
_HELPERS = BE | HAVE | DO | MODALS
_WORDS = range(3, 25)
_TRIES = 12
_NEAR = 1
_SPECIFIC = 5


@dataclass(frozen=True, slots=True)
class Said:
    """What a sentence says of its subject, with the verb in front; ``verb`` decides what it agrees with."""

    subject: str
    predicate: str
    verb: str
    number: str
    place: int = 0


def fusions(text: str, around: Surroundings, generator: np.random.Generator) -> Iterator[Candidate]:
    """Yield candidates that keep the subject and say of it what is said of another one."""
    own = _said(text)
    if own is None:
        return
    others = _all_said(around.sentences)
    mine = stems(own.subject)
    for place in generator.permutation(len(others))[:_TRIES]:
        other = others[int(place)]
        theirs = stems(other.subject)
        if not _agrees(own, other) or mine & (theirs | stems(other.predicate)) or not theirs or not mine:
            continue
        near = around.stems_near(other.place, _NEAR)
        # close to what is spoken of, or said in general words, it may be true of both
        if mine & near or len(stems(other.predicate) - stems(text)) < _SPECIFIC:
            continue
        start = len(own.subject)
        yield Candidate((Replacement(start, len(text), other.predicate),), Label.NEUTRAL)


def _agrees(own: Said, other: Said) -> bool:
    """Tell whether one predicate can stand for the other: the same helper, or none, in the same voice."""
    one, two = own.predicate.split(" ", 2), other.predicate.split(" ", 2)
    if own.verb in _HELPERS or other.verb in _HELPERS:
        return own.verb == other.verb and (one[1] == "been") == (two[1] == "been")
    return own.number == other.number


@lru_cache(maxsize=64)
def _all_said(sentences: tuple[str, ...]) -> tuple[Said, ...]:
    found = ((place, _said(sentence)) for place, sentence in enumerate(sentences))
    return tuple(replace(said, place=place) for place, said in found if said is not None)


def _said(sentence: str) -> Said | None:
    parts = parts_of(sentence)
    if parts is None or not sentence.endswith(".") or _LEANS.match(sentence):
        return None
    subject, predicate = sentence[: parts.start], sentence[parts.start :]
    if (
        _NO_SUBJECT.search(subject)
        or not parts.number
        or len(predicate.split()) not in _WORDS
        or _BACK.search(predicate)
    ):
        return None
    return Said(subject, predicate, parts.verb, parts.number)
