"""Questions as people ask them: without the title that a made question begins with, where none is needed.

Takes made questions and a retriever, gives the same questions, some of them shorter. Knows nothing about
examples.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from hybrid.adaptation.data.sifting import Sieve
from hybrid.questions.making import holds_part
from hybrid.questions.splits import unit_hash
from hybrid.retrieval import Retriever
from hybrid.types import Question

_PLACE = re.compile(r"^In “[^”]*”(?: \(“[^”]*”\))?, ")
# Whose evidence is among the first so many hits needs no title to be found.
_FIRST = 3


def shortened(
    questions: Sequence[Question], retriever: Retriever, sieve: Sieve, *, seed: int, share: float = 0.6
) -> list[Question]:
    """Return the questions, so many of them without their title, as far as retrieval finds them all the same.

    Args:
        questions: of any kind; those that begin with no title stay as they are.
        retriever: tells whether the evidence is still found.
        sieve: keeps the long form of what would be asked as in a question set.
        seed: another one shortens others.
        share: of the questions with a title, from 0 to 1.
    """
    short: dict[str, Question] = {}
    for question in questions:
        bare = _PLACE.sub("", question.text)
        drawn = unit_hash("short", str(seed), question.id) < share
        if bare != question.text and drawn:
            text = bare[:1].upper() + bare[1:]
            short[question.id] = dataclasses.replace(question, text=text)
    hits = retriever.search_all([question.text for question in short.values()])
    found = {
        question.id: question
        for question, ranking in zip(short.values(), hits, strict=True)
        if not sieve.question(question)
        and any(
            evidence.span is not None and holds_part(hit, evidence.source, evidence.span)
            for hit in ranking[:_FIRST]
            for evidence in question.evidence
        )
    }
    return [found.get(question.id, question) for question in questions]
