"""One edit of a kind, if the text allows one.

Takes a text, its surroundings and a seed, gives an edit. Every kind proposes candidates; what is left out
here whatever the kind: what changes nothing, stutters, or may be true by another sentence of the document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np

from hybrid.files import hash_text
from recipes.grounding.edits.clauses import appended, fusions
from recipes.grounding.edits.english import is_english, stems
from recipes.grounding.edits.names import names, roles
from recipes.grounding.edits.quantities import dates, numbers, units
from recipes.grounding.edits.swaps import antonyms, degrees, directions, negations, relations
from recipes.grounding.edits.values import LONGEST, Candidate, Edit, Kind, Surroundings, apply

_Rule = Callable[[str, Surroundings, np.random.Generator], Iterator[Candidate]]
_RULES: dict[Kind, _Rule] = {
    Kind.NUMBER: numbers,
    Kind.DATE: dates,
    Kind.UNIT: units,
    Kind.ENTITY: names,
    Kind.NEGATION: negations,
    Kind.ANTONYM: antonyms,
    Kind.QUANTIFIER: degrees,
    Kind.DIRECTION: directions,
    Kind.ROLE: roles,
    Kind.RELATION: relations,
    Kind.APPENDED: appended,
    Kind.FUSION: fusions,
}
# What is exchanged or denied is in the document word for word: only its order, or its "not", is not.
_SAME_WORDS = frozenset((Kind.ROLE, Kind.NEGATION))
_STUTTER = re.compile(r"\b(\w+)\W+\1\b", re.IGNORECASE)
_TRIES = 6


def edit(text: str, around: Surroundings, kind: Kind, *, seed: int) -> Edit | None:
    """Return the text with one thing of a kind changed, or None where the rules find none that is safe.

    Args:
        text: a claim of one or two sentences in English; others give None.
        around: its document, which lends what is put in and must not carry the result.
        kind: what to change.
        seed: another one changes another thing, or to something else.
    """
    if len(text) > LONGEST or not is_english(text):
        return None
    generator = np.random.default_rng(int(hash_text("edit", kind.value, str(seed), text)[:16], 16))
    for candidate in islice(_RULES[kind](text, around, generator), _TRIES):
        made = _made(text, kind, candidate)
        if made is not None and not (kind not in _SAME_WORDS and _is_carried(text, made, around)):
            return made
    return None


def _made(text: str, kind: Kind, candidate: Candidate) -> Edit | None:
    changed, spans = apply(text, candidate.replacements)
    if " ".join(changed.lower().split()) == " ".join(text.lower().split()) or not spans:
        return None
    if len(_STUTTER.findall(changed)) > len(_STUTTER.findall(text)):
        return None
    return Edit(kind, changed, spans, candidate.label)


def _is_carried(text: str, made: Edit, around: Surroundings) -> bool:
    new = " ".join(made.text[span.start : span.end] for span in made.spans)
    fresh = stems(new) - stems(text)
    return bool(fresh) and around.may_carry(made.text, tuple(fresh))
