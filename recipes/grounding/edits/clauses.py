"""More than the document says: a clause from elsewhere at the end, or a subject with what is said of another.

The latter is the commonest error of summaries; subjects that may be the same thing in other words ("the
disease") are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from hybrid.grounding.examples import Label
from recipes.grounding.edits.english import BE, DO, HAVE, MODALS, has_verb, lower_first, parts_of, stems
from recipes.grounding.edits.values import Candidate, Replacement, Surroundings

_ADJUNCT = re.compile(
    r"(?<=[a-z]),? (?P<adjunct>(?:because of|due to|in order to|as a result of|in addition to|without|"
    r"despite|by means of|instead of|regardless of|for the sake of|at the expense of) [^,;:()“”\"]{8,90})[.]$"
)
_OPENS = re.compile(
    r"(?:because|due|in order|as a|in addition|without|despite|by means|instead|regardless|so that)\b"
)
_LEANING = re.compile(
    r"\b(?:it|its|they|their|them|this|these|those|such|he|she|his|her|him|that|which|who|other|above|below|"
    r"following|same|each|both|one)\b",
    re.IGNORECASE,
)
_WORDS = range(3, 15)
_LONGEST = 28
_TRIES = 8


def appended(text: str, around: Surroundings, generator: np.random.Generator) -> Iterator[Candidate]:
    """Yield candidates with more at the end, in half of the cases first an adjunct of the same document."""
    if not text.endswith(".") or len(text.split()) > _LONGEST:
        return
    own, foreign = _adjuncts(around.sentences), _statements(around.elsewhere)
    plain = not _OPENS.search(text[len(text) // 2 :])
    first = generator.random() < 0.5
    for options, joint in ((own, " "), (foreign, ", and ")) if first else ((foreign, ", and "), (own, " ")):
        if joint == " " and not plain:
            continue
        drawn = [options[int(place)] for place in generator.permutation(len(options))[:_TRIES]]
        # what shares words with the document is harder to tell from it
        for new in sorted(drawn, key=lambda option: -len(stems(option) & around.stems)):
            fresh = stems(new) - stems(text)
            # an adjunct that shares words with the claim may well be true of it
            own_topic = joint == " " and fresh != stems(new)
            if len(fresh) >= 2 and not own_topic and not (joint != " " and new in around.text):
                yield Candidate((Replacement(len(text) - 1, len(text), f"{joint}{new}."),), Label.NEUTRAL)


@lru_cache(maxsize=64)
def _adjuncts(sentences: tuple[str, ...]) -> tuple[str, ...]:
    """Return what sentences end with that could stand behind others too."""
    found = (
        match["adjunct"]
        for sentence in sentences
        if (match := _ADJUNCT.search(sentence)) and has_verb(sentence[: match.start()])
    )
    return tuple(
        dict.fromkeys(part for part in found if len(part.split()) in _WORDS and not _LEANING.search(part))
    )


@lru_cache(maxsize=64)
def _statements(sentences: tuple[str, ...]) -> tuple[str, ...]:
    """Return short statements that lean on nothing, as they stand behind "and"."""
    return tuple(dict.fromkeys(_statement_of(sentences)))


def _statement_of(sentences: Iterable[str]) -> Iterator[str]:
    for sentence in sentences:
        if sentence.endswith(".") and len(sentence.split()) in _WORDS and not _LEANING.search(sentence):
            parts = parts_of(sentence)
            lowered = lower_first(sentence)
            if parts is not None and (lowered != sentence or sentence[:2].isupper()):
                yield lowered[:-1]


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
_FUSED_WORDS = range(3, 25)
_FUSED_TRIES = 12
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
    for place in generator.permutation(len(others))[:_FUSED_TRIES]:
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
        or len(predicate.split()) not in _FUSED_WORDS
        or _BACK.search(predicate)
    ):
        return None
    return Said(subject, predicate, parts.verb, parts.number)
