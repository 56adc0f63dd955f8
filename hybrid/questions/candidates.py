"""What a document lets one ask, by rules; answers are its own words (question generation)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from hybrid.questions.listings import (
    entry_candidates,
    form_candidates,
    is_record,
    record_candidates,
    table_candidates,
)
from hybrid.questions.splits import file_of
from hybrid.questions.statements import statement_candidates, step_candidates
from hybrid.questions.values import Candidate, Section, TextBlock, TextBlockKind
from hybrid.questions.wording import short_title, stands_alone
from hybrid.text.words import contains
from hybrid.types import CELLS, Chunk, Document, Span

_BLANK = re.compile(r"\n[ \t]*\n\s*")
_ITEM = re.compile(r"\s*(?:[-*•]|\d{1,2}[.)])\s+\S")
_ENTRY_END = re.compile(r"[.,;!?]$")
_TERM_WIDTH = 90


def outline(document: Document, chunks: Sequence[Chunk]) -> list[Section]:
    """Return the sections of a document; ``chunks`` are all of its chunks, in order."""
    sections: list[Section] = []
    start = end = 0
    heading: Span | None = None
    path: tuple[str, ...] = ()
    for chunk in chunks:
        gap = _heading_in(document.text, end, chunk.start)
        if end and (gap is not None or chunk.headings != path):
            sections.append(_section(document.text, path, heading, Span(start, end)))
            heading = None
        if gap is not None or not end or chunk.headings != path:
            start, path, heading = chunk.start, chunk.headings, gap
        end = max(end, chunk.end)
    if chunks:
        sections.append(_section(document.text, path, heading, Span(start, end)))
    return sections


def _heading_in(text: str, start: int, end: int) -> Span | None:
    """Return the last of the headings that stand between two chunks."""
    inner = text[start:end].rstrip()
    if not inner.strip():
        return None
    begun = start
    for blank in _BLANK.finditer(inner):
        begun = start + blank.end()
    begun += len(text[begun:end]) - len(text[begun:end].lstrip())
    return Span(begun, start + len(inner))


def _section(text: str, path: tuple[str, ...], heading: Span | None, body: Span) -> Section:
    return Section(path, heading, tuple(_pieces(text, body)))


def _pieces(text: str, body: Span) -> Iterator[TextBlock]:
    start = body.start
    for blank in [*_BLANK.finditer(text, body.start, body.end), None]:
        end = blank.start() if blank else body.end
        if text[start:end].strip():
            yield TextBlock(layout_of(text[start:end]), Span(start, end))
        start = blank.end() if blank else end


def layout_of(text: str) -> TextBlockKind:
    """Tell from the lines of a piece what it is."""
    lines = [line for line in text.split("\n") if line.strip()]
    cells = [line.count(CELLS) for line in lines]
    if len(lines) > 2 and max(cells) > 0 and sum(count == cells[-1] > 0 for count in cells) >= len(lines) - 1:
        return TextBlockKind.TABLE
    if lines and _ITEM.match(lines[0]):
        return TextBlockKind.ITEMS
    if len(lines) > 1 and _is_term(lines[0]) and not _is_term(lines[-1]):
        return TextBlockKind.ENTRY
    return TextBlockKind.PROSE


def _is_term(line: str) -> bool:
    """Tell whether a line names something that the lines below explain."""
    bare = line.strip()
    return len(bare) <= _TERM_WIDTH and not _ENTRY_END.search(bare) and len(bare.split()) <= 8


Rule: TypeAlias = Callable[[str, Section, str], Iterator[Candidate]]

RULES: tuple[Rule, ...] = (
    statement_candidates,
    step_candidates,
    entry_candidates,
    table_candidates,
    form_candidates,
)

_QUESTION_WIDTH = range(12, 161)
_ANSWER_WIDTH = 200
_EVIDENCE_WIDTH = 4_000
_REMNANT = re.compile(r"\[\[|\]\]|::|\{\{|<[/a-z]+>|link:|\]\(|\\|https?://|[^\x00-\x7f]{12}")


def find_candidates(document: Document, chunks: Sequence[Chunk]) -> list[Candidate]:
    """Return the candidates of a document in the order of its text, none of them twice.

    ``chunks`` are all of it, in order; they tell its structure.
    """
    found: dict[str, Candidate] = {}
    title = short_title(document)
    if file_of(document.source) != document.source and is_record(document.text):
        records = record_candidates(document.text, title)
        return [candidate for candidate in records if is_usable(candidate, document.text)]
    for section in outline(document, chunks):
        for rule in RULES:
            for candidate in rule(document.text, section, title):
                if is_usable(candidate, document.text):
                    found.setdefault(candidate.text, candidate)
    return sorted(found.values(), key=lambda candidate: candidate.evidence.start)


def is_usable(candidate: Candidate, text: str) -> bool:
    """Tell whether a question can be asked: alone, with answers in the evidence and not in the question."""
    quote = text[candidate.evidence.start : candidate.evidence.end]
    if len(candidate.text) not in _QUESTION_WIDTH or not 0 < len(quote) <= _EVIDENCE_WIDTH:
        return False
    if not candidate.answers or _REMNANT.search(candidate.text) or not stands_alone(candidate.text):
        return False
    return all(
        answer.strip()
        and len(answer) <= _ANSWER_WIDTH
        and contains(quote, answer)
        and not contains(candidate.text, answer)
        for answer in candidate.answers
    )
