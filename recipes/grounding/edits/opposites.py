"""The opposite: antonyms (safe ↔ dangerous) and directions (increase ↔ decrease, before ↔ after).

Takes a sentence, gives candidates. Where both of a pair stand in the sentence, or something is denied
before the word, nobody knows what the opposite would mean: those are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np

from recipes.grounding.edits.english import cased_like, word_set
from recipes.grounding.edits.pairs import ANTONYMS, DIRECTIONS, Opposite
from recipes.grounding.edits.surroundings import Surroundings
from recipes.grounding.edits.values import Candidate, Replacement, shuffled

_WORD = re.compile(r"(?<![\w`'’.-])[A-Za-z]+(?:-[a-z]+)?(?![\w`'’]|-\w|\.\w)")
_NEGATED = re.compile(
    r"(?:\b(?:not|no|never|without|neither|nor|less|least|cannot|hardly|rarely|whether|or|either|both)|n['’]t)"
    r"\b(?:\W+\w+){0,2}\W*$",
    re.IGNORECASE,
)
_MORE = re.compile(r"\b(?P<word>more|most)\b(?= (?P<next>[a-z-]+) ?(?P<rest>[a-z-]*))")
_ADJECTIVE = re.compile(
    r"(?:common|likely|severe|difficult|[a-z]{2,}(?:ly|ive|ous|ful|able|ible|ent|ant|al|ic))$"
)
_NO_ADJECTIVE = word_set(
    "often people children women men than patients treatment hospital animal individual person"
)
_VERB_AFTER = word_set("is as was")
_NO_LESS = re.compile(r"\b(?:or|even|much|the) $")
_WEIGHT = re.compile(r"\bweight (?P<word>gain|loss)\b")


def antonyms(text: str, around: Surroundings, generator: np.random.Generator) -> Iterator[Candidate]:
    """Yield candidates that put a word's opposite in its place."""
    yield from shuffled(_swapped(text, ANTONYMS), generator)


def directions(text: str, around: Surroundings, generator: np.random.Generator) -> Iterator[Candidate]:
    """Yield candidates that turn a direction or a comparison round."""
    yield from shuffled([*_swapped(text, DIRECTIONS), *_compared(text)], generator)


def _swapped(text: str, table: Mapping[str, Opposite]) -> Iterator[Candidate]:
    words = list(_WORD.finditer(text))
    there = {word.group().lower() for word in words}
    neighbours = ["", *(word.group().lower() for word in words), ""]
    for place, word in enumerate(words):
        written = word.group()
        opposite = table.get(written.lower())
        # a capital in the middle is part of a name, and "First," in front counts sentences
        if opposite is None or opposite.word in there or (place and written[0].isupper()):
            continue
        listed = not place and text[word.end() : word.end() + 1] == ","
        blocked = neighbours[place] in opposite.not_after or neighbours[place + 2] in opposite.not_before
        if not (listed or blocked or _NEGATED.search(text[: word.start()])):
            yield Candidate((Replacement(*word.span(), cased_like(opposite.word, written)),))


def _compared(text: str) -> Iterator[Candidate]:
    for match in _MORE.finditer(text):
        before, more = text[: match.start()], match["word"] == "more"
        # "more general practitioners" counts people, "more active than" compares
        counted = match["rest"].endswith("s") and match["rest"] not in _VERB_AFTER
        if match["next"] in _NO_ADJECTIVE or not _ADJECTIVE.match(match["next"]) or _NEGATED.search(before):
            continue
        if not (more and (counted or _NO_LESS.search(before))):
            yield Candidate((Replacement(*match.span("word"), "less" if more else "least"),))
    for match in _WEIGHT.finditer(text):
        new = "loss" if match["word"] == "gain" else "gain"
        if f"weight {new}" not in text:
            yield Candidate((Replacement(*match.span("word"), new),))
