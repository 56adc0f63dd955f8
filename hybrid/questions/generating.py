"""Questions that a generator words, where one good enough is configured.

Takes candidates and a generator, gives the same answers with other questions. The answer and its
evidence stay those that the rules found, so that every check applies to them as before; a model may only
say the question better. A model of a few hundred million parameters cannot: it repeats the passage or
asks about something else, which is why this is off unless it is asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import islice

from hybrid.models import Generator
from hybrid.questions.spreading import Placed
from hybrid.questions.wording import short_title
from hybrid.text.words import contains, share_supported
from hybrid.types import Message, MessageRole

_BATCH = 16
_NEW_TOKENS = 64
_WORDS = range(5, 41)
# A question that shares less with its passage is about something else.
_SUPPORTED = 0.5
_PROMPT = (
    "Write one question that a user of the document “{title}” could ask and whose answer is exactly the "
    "text below. Do not use the answer in the question. Write only the question.\n\n"
    "Passage:\n{passage}\n\nAnswer: {answer}"
)


def reworded(candidates: Iterator[Placed], generator: Generator) -> Iterator[Placed]:
    """Yield the candidates whose question the generator could word; the others are passed over."""
    while batch := list(islice(candidates, _BATCH)):
        written = generator.generate([[_ask(placed)] for placed in batch], max_new_tokens=_NEW_TOKENS)
        for placed, generation in zip(batch, written, strict=True):
            question = generation.text.strip().strip('"“”').strip()
            if _is_sensible(question, placed):
                candidate = dataclasses.replace(
                    placed.candidate, text=question, made=f"generated:{generator.name}"
                )
                yield Placed(placed.document, candidate)


def _ask(placed: Placed) -> Message:
    content = _PROMPT.format(
        title=short_title(placed.document), passage=_quote(placed), answer=placed.candidate.answers[0]
    )
    return Message(MessageRole.USER, content)


def _quote(placed: Placed) -> str:
    span = placed.candidate.evidence
    return placed.document.text[span.start : span.end]


def _is_sensible(question: str, placed: Placed) -> bool:
    one_question = question.endswith("?") and "\n" not in question and question.count("?") == 1
    if not one_question or len(question.split()) not in _WORDS:
        return False
    if any(contains(question, answer) for answer in placed.candidate.answers):
        return False
    about = f"{placed.document.title}\n{_quote(placed)}"
    return share_supported(question, about) >= _SUPPORTED
