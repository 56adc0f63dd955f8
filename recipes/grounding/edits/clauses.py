"""Something more than the document says: a clause from elsewhere at the end.

Takes a sentence, gives candidates. What is appended is an adjunct of a sentence of the same document that
speaks of something else, or a whole statement of another document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np

from hybrid.grounding.examples import Label
from recipes.grounding.edits.english import lower_first, stems
from recipes.grounding.edits.surroundings import Surroundings
from recipes.grounding.edits.values import Candidate, Replacement
from recipes.grounding.edits.verbs import has_verb, parts_of

_ADJUNCT = re.compile(
    r"(?<=[a-z]),? (?P<adjunct>(?:because of|due to|in order to|as a result of|in addition to|without|"
    r"despite|by means of|instead of|regardless of|for the sake of|at the expense of) [^,;:()“”\"]{8,90})[.]$"
)
_OPENS = re.compile(
    r"(?:because|due|in order|as a|in addition|without|despite|by means|instead|regardless|so that)\b"
)
_LEANS = re.compile(
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
        dict.fromkeys(part for part in found if len(part.split()) in _WORDS and not _LEANS.search(part))
    )


@lru_cache(maxsize=64)
def _statements(sentences: tuple[str, ...]) -> tuple[str, ...]:
    """Return short statements that lean on nothing, as they stand behind "and"."""
    return tuple(dict.fromkeys(_statement_of(sentences)))


def _statement_of(sentences: Iterable[str]) -> Iterator[str]:
    for sentence in sentences:
        if sentence.endswith(".") and len(sentence.split()) in _WORDS and not _LEANS.search(sentence):
            parts = parts_of(sentence)
            lowered = lower_first(sentence)
            if parts is not None and (lowered != sentence or sentence[:2].isupper()):
                yield lowered[:-1]
