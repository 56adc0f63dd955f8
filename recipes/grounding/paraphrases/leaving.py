"""The same with less: brackets, openers, asides, examples and fillers left out.

Takes a sentence, gives it shorter. What a claim says less it need not prove; a condition, a limit or a "not"
is never left out, for then it says more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from recipes.grounding.edits.english import upper_first

_FINITE = "is|are|was|were|has|have|had|can|could|may|might|will|would|should|must|do|does|did|remains?"
_BRACKETS = re.compile(r" \((?!(?:not|except|only|un)\b)[^()]{2,120}\)(?=[ ,.;])")
_OPENER = re.compile(
    r"(?:In addition|In fact|Indeed|Furthermore|Moreover|Additionally|For example|For instance|Therefore|"
    r"Thus|"
    r"However|As a result|Consequently|Finally|Overall|Together|Notably|Importantly|Interestingly|"
    r"Of course|Note that|"
    r"Recently|Taken together|In conclusion|In summary|Collectively|Unfortunately|Fortunately|"
    r"Surprisingly|Today|"
    r"Again),? (?=[a-zA-Z`])"
)
_ASIDE = re.compile(rf", (?:which|who|where|whose) [^,;()]{{8,110}}(?:,(?= (?:and|{_FINITE})\b)|(?=\.$))")
_EXAMPLES = re.compile(r",? (?:such as|including) [^;()]{4,120}(?=\.$)")
_GOES_ON = re.compile(rf", (?:and |but |or )?(?:{_FINITE}|\w+s|\w+ed|to|in|on|with|by) |\b(?:{_FINITE})\b")
# Beside one of these the examples are part of what is said.
_COUNTS = re.compile(
    r"\b(?:not|no|never|without|neither|nor|none|few|only|all|every|each|any|most|except|than|other|like|unlike|"
    r"exactly|total|includes?|are|is)\b|n['’]t\b"
)
_RELATIVE = re.compile(
    r"(?<=[a-z]) (?:that|which|who) (?:is|are|was|were) "
    r"(?P<verb>\w+ed|\w+ing|found|known|born|given|made|taken|seen)(?= (?:by|in|on|at|for|with|to|from|as|"
    r"the|a)\b)"
)
_FILLER = re.compile(r"(?<=[a-z]) (?:also|indeed|actually|really|in fact)(?= [a-z])")
_ENOUGH_WORDS = 6
_NEAR = 40
_LIST = 30


def brackets(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield the sentence without what stands in brackets."""
    for match in _BRACKETS.finditer(text):
        yield text[: match.start()] + text[match.end() :]


def opener(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield the sentence without "However," in front."""
    match = _OPENER.match(text)
    if match:
        yield upper_first(text[match.end() :])


def aside(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield the sentence without ", which …,"."""
    match = _ASIDE.search(text)
    # the last of a list has its aside where the list goes on
    if match and " and " not in text[: match.start()][-_LIST:]:
        yield text[: match.start()] + text[match.end() :]


def examples(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield the sentence without "such as …" at its end."""
    match = _EXAMPLES.search(text)
    if match is None or _GOES_ON.search(match.group()):
        return
    before = text[: match.start()]
    if len(before.split()) >= _ENOUGH_WORDS and not _COUNTS.search(before[-_NEAR:]):
        yield before + text[match.end() :]


def relative(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield "cells found in" for "cells that are found in"."""
    for match in _RELATIVE.finditer(text):
        yield f"{text[: match.start()]} {text[match.start('verb') :]}"


def filler(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield the sentence without "also"."""
    match = _FILLER.search(text)
    if match and "not only" not in text:
        yield text[: match.start()] + text[match.end() :]
