"""What a document lets one ask: all rules over all sections; answers are verbatim (cloze generation)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from hybrid.questions.definitions import definition_candidates
from hybrid.questions.entries import entry_candidates
from hybrid.questions.headings import heading_candidates
from hybrid.questions.numbers import number_candidates
from hybrid.questions.outline import outline
from hybrid.questions.tables import table_candidates
from hybrid.questions.values import Candidate, Section, Topic
from hybrid.questions.wording import topic_of
from hybrid.text.words import contains
from hybrid.types import Chunk, Document

Rule: TypeAlias = Callable[[str, Section, Topic], Iterator[Candidate]]

RULES: tuple[Rule, ...] = (
    definition_candidates,
    entry_candidates,
    number_candidates,
    table_candidates,
    heading_candidates,
)

_QUESTION_WIDTH = range(15, 321)
_ANSWER_WIDTH = 90
_EVIDENCE_WIDTH = 4_000
_REMNANT = re.compile(r"\[\[|\]\]|::|\{\{|<[/a-z]+>|link:|\]\(|\\|https?://|[^\x00-\x7f]{12}")


def find_candidates(document: Document, chunks: Sequence[Chunk]) -> list[Candidate]:
    """Return the candidates of a document in the order of its text, none of them twice.

    Args:
        document: with its text.
        chunks: all chunks of it, in order; they tell its structure.
    """
    found: dict[str, Candidate] = {}
    for section in outline(document, chunks):
        topic = topic_of(document, section)
        for rule in RULES:
            for candidate in rule(document.text, section, topic):
                if is_usable(candidate, document.text):
                    found.setdefault(candidate.text, candidate)
    return sorted(found.values(), key=lambda candidate: candidate.evidence.start)


def is_usable(candidate: Candidate, text: str) -> bool:
    """Tell whether a candidate is well formed: answers in the evidence and not in the question."""
    quote = text[candidate.evidence.start : candidate.evidence.end]
    if len(candidate.text) not in _QUESTION_WIDTH or not 0 < len(quote) <= _EVIDENCE_WIDTH:
        return False
    if not candidate.answers or _REMNANT.search(candidate.text):
        return False
    return all(
        answer.strip()
        and len(answer) <= _ANSWER_WIDTH
        and answer in quote
        and not contains(candidate.text, answer)
        for answer in candidate.answers
    )
