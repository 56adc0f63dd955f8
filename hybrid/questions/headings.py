"""Questions for the section that says something: the answer is its heading."""

from __future__ import annotations

from collections.abc import Iterator

from hybrid.questions.values import Candidate, Layout, Section, Topic
from hybrid.questions.wording import bare_heading, is_specific, sentence_body
from hybrid.text.sentences import independent_sentences
from hybrid.text.words import contains
from hybrid.types import Span

# Evidence is read by people: heading and sentence must be near each other.
_NEAR = 1_500
_ENOUGH_WORDS = 9


def heading_candidates(text: str, section: Section, topic: Topic) -> Iterator[Candidate]:
    """Yield at most one question for a section with a heading of its own."""
    if section.heading is None or len(section.headings) < 2:
        return
    whole = " ".join(text[section.heading.start : section.heading.end].split())
    bare = bare_heading(whole)
    if not is_specific(bare) or bare.casefold() == topic.title.casefold():
        return
    for piece in section.pieces:
        if piece.layout is not Layout.PROSE or piece.span.start > section.heading.end + _NEAR:
            continue
        for sentence in independent_sentences(text, piece.span):
            said = sentence_body(text[sentence.start : sentence.end])
            if contains(said, bare) or len(said.split()) < _ENOUGH_WORDS:
                continue
            question = f"Under which heading of “{topic.title}” does it say: “{said}”?"
            answers = tuple(dict.fromkeys((bare, whole)))
            yield Candidate("heading", question, answers, Span(section.heading.start, sentence.end))
            return
