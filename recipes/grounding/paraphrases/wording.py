"""Other words for the same: synonyms, numbers in words or digits, dates and ages in another dress.

Takes a sentence, gives it with one such change, for every place that allows one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from recipes.grounding.edits.english import cased_like, lower_first, upper_first
from recipes.grounding.edits.tables import MONTHS
from recipes.grounding.edits.values import Replacement, apply
from recipes.grounding.paraphrases.synonyms import SYNONYMS

_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_SPELLED = re.compile(
    rf"(?<![\w-])(?P<word>{'|'.join(_WORDS)})(?= [a-z]{{3,}})(?! (?:of|or|and|to|hundred|thousand|million)\b)"
)
_DIGIT = re.compile(
    r"(?<![\w.,:/$€£#(=<>~+–-])(?P<number>[2-9]|1[0-2])(?= [a-z]{4,})"
    r"(?! (?:to|or|and|years?|percent|million|mg)\b)"
)
# One end of a range, or a name.
_NO_WORD = re.compile(
    r"\b(?:to|or|and|type|stage|grade|phase|section|chapter|level|than|step|table|figure) $"
)
_DATE = re.compile(rf"\b(?P<month>{'|'.join(MONTHS)}) (?P<day>\d{{1,2}}), (?P<year>\d{{4}})\b,?")
_AGE = re.compile(
    r"\b(?P<article>an?|the) (?P<age>\d{1,3})-year-old (?P<who>man|woman|girl|boy|student|patient|child)\b"
    r"(?! [a-z]+(?:ing|ed)\b)",
    re.IGNORECASE,
)
_OPENERS = (
    "According to the text, ",
    "According to the passage, ",
    "The text states that ",
    "The document says that ",
)
_ATTRIBUTED = 0.1


def synonyms(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield the sentence with a word or phrase replaced by one that means the same."""
    for place in generator.permutation(len(SYNONYMS)):
        synonym = SYNONYMS[int(place)]
        match = synonym.pattern.search(text)
        # a capital in the middle is part of a name
        if match is None or (match.start() and match.group()[0].isupper()):
            continue
        option = synonym.options[int(generator.integers(len(synonym.options)))]
        new = cased_like(match.expand(option), match.group())
        # nor is a quotation in the writer's own words
        if new != match.group() and text[: match.start()].count('"') % 2 == 0:
            yield apply(text, (Replacement(*match.span(), new),))[0]


def digits(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield "3 days" for "three days"."""
    for match in _SPELLED.finditer(text):
        if match.start():
            yield f"{text[: match.start()]}{_WORDS.index(match['word']) + 2}{text[match.end() :]}"


def spelled(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield "three days" for "3 days"."""
    for match in _DIGIT.finditer(text):
        before = text[: match.start()]
        if not _NO_WORD.search(before):
            word = _WORDS[int(match["number"]) - 2]
            yield f"{before}{word if before else upper_first(word)}{text[match.end() :]}"


def dates(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield "5 March 2010" for "March 5, 2010"."""
    for match in _DATE.finditer(text):
        yield f"{text[: match.start()]}{match['day']} {match['month']} {match['year']}{text[match.end() :]}"


def ages(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield "a girl aged 11" for "an 11-year-old girl"."""
    for match in _AGE.finditer(text):
        article = "the" if match["article"].lower() == "the" else "a"
        said = cased_like(f"{article} {match['who']} aged {match['age']}", match["article"][:1])
        yield f"{text[: match.start()]}{said}{text[match.end() :]}"


def attributed(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield the sentence as what the text says, one time in ten: generators like to write that."""
    opener = _OPENERS[int(generator.integers(len(_OPENERS)))]
    lowered = lower_first(text)
    if generator.random() < _ATTRIBUTED and (lowered != text or text[:2].isupper()):
        yield opener + lowered
