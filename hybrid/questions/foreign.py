"""Questions that belong to another corpus, as unanswerable ones for this one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hybrid.files import hash_text
from hybrid.text.words import contains, share_supported
from hybrid.types import Hit, Question

# A passage that holds so much of a question's content words is about the same thing.
_SAME_TOPIC = 0.7


def foreign_questions(
    questions: Sequence[Question],
    count: int,
    *,
    search: Callable[[Sequence[str]], list[list[Hit]]],
    k: int,
    drop: Callable[[str], None],
) -> list[Question]:
    """Return up to so many questions that the corpus does not answer.

    A question is left out when one of its gold answers stands in the first 2k hits, or when one hit holds
    70 % of its content words: that is the same topic, and the corpus may well say the answer in other
    words. A question without gold cannot be checked and is left out too.
    """
    known = [question for question in questions if question.answerable and question.answers]
    ordered = sorted(known, key=lambda question: hash_text(question.id, question.text))
    kept: list[Question] = []
    if not count or not ordered:
        return kept
    for question, hits in zip(ordered, search([question.text for question in ordered]), strict=True):
        texts = [hit.chunk.embedded_text for hit in hits[: 2 * k]]
        if any(contains(text, answer) for text in texts for answer in question.answers):
            drop("answerable: the foreign answer stands in the corpus")
        elif any(share_supported(question.text, text) >= _SAME_TOPIC for text in texts):
            drop("answerable: the foreign question is about something in the corpus")
        else:
            identity = hash_text("foreign", question.id, question.text)[:12]
            kept.append(Question(f"q-{identity}", question.text, answerable=False, made="foreign"))
        if len(kept) == count:
            break
    return kept
