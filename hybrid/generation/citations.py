"""Sentences with markers become text with citations that hold (attribution by token overlap)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hybrid.generation.prompts import Passage
from hybrid.text.rows import TableRow
from hybrid.text.sentences import sentence_spans
from hybrid.text.words import content_words, share_supported
from hybrid.types import Answer, Citation, Span

# Between the name and the address of a link or picture, and behind the < of a tag that loads or leads.
_ACTIVE = re.compile(
    r"(?<=\])(?=\(\s*<?(?:[a-z][a-z0-9+.-]*:|//))"
    r"|(?<=<)(?=script\b|[a-z][^<>]*\s(?:src|srcset|srcdoc|href|data|on[a-z]+)\s*=)",
    re.IGNORECASE,
)
# some models write 【1】, or 【1†source】
# the blanks before it from their first: tried at each, a long run would take the square of its length
_MARKER = re.compile(r"(?:(?<!\s)\s+)?[\[【]\s*(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\s*(?:†[^】\n]{0,80})?[\]】]")
_LINE, _BLANK = "\n", " "
# Up to and with its markers, or a line: what can be read by itself.
_PIECE = re.compile(r".+?(?:\[\d+\](?!\s*\[)\s*|\n\s*|\Z)", re.DOTALL)
# A longer stretch is not a citation any more.
_WINDOW = 3


@dataclass(frozen=True, slots=True)
class Support:
    """The stretch of a passage that supports a sentence best; ``share`` is from 0 to 1."""

    passage: Passage
    span: Span
    share: float


@dataclass(frozen=True, slots=True)
class CitedText:
    """A text whose markers all point at something, and what had to go."""

    text: str
    citations: tuple[Citation, ...]
    dropped_sentences: tuple[str, ...] = ()
    dropped_markers: int = 0


@dataclass(frozen=True, slots=True)
class Cited:
    """A sentence and what supports it, in several places if need be; ``new_line`` where it begins one.

    ``ours`` is what we say behind its markers, which claim nothing of it.
    """

    sentence: str
    support: Support
    new_line: bool = False
    others: tuple[Support, ...] = ()
    ours: str = ""


def cite_generated(question: str, text: str, passages: Sequence[Passage], *, threshold: float) -> CitedText:
    """Check every sentence against the passages and mark it with the one that supports it best.

    A marker that points nowhere is removed and counted; a sentence that no passage supports is taken out. A
    sentence also goes when what supports it has no word of the question: a small model that obeys
    an instruction in a document writes what stands there, but not what was asked.

    Args:
        question: what was asked.
        text: what the generator wrote, with or without markers.
        passages: what it saw.
        threshold: the share of its content words that a sentence must find in a stretch of a passage.
    """
    numbers = {passage.number for passage in passages}
    dropped_markers = sum(1 for number in markers(text) if number not in numbers)
    kept: list[Cited] = []
    dropped: list[str] = []
    for sentence in split_generated(text):
        plain = without_markers(sentence)
        if not any(letter.isalnum() for letter in plain):
            continue
        named = [passage for passage in passages if passage.number in markers(sentence)]
        support = best_support(plain, named)
        if support is None or support.share < threshold:
            support = best_support(plain, passages)
        if support is None or support.share < threshold or not is_about(question, support):
            dropped.append(plain)
        elif plain not in {cited.sentence for cited in kept}:
            kept.append(Cited(plain, support))
    cited = join_cited(kept)
    return CitedText(cited.text, cited.citations, tuple(dropped), dropped_markers)


def best_support(sentence: str, passages: Sequence[Passage]) -> Support | None:
    """Return the shortest stretch of whole sentences that supports the sentence best."""
    best: Support | None = None
    for passage in passages:
        for span, text, length in windows(passage):
            share = share_supported(sentence, text)
            # shorter stretches and better passages come first, so only a real gain replaces them
            if share > 0 and (best is None or share > best.share + 0.05 * (length > 1)):
                best = Support(passage, span, share)
    return best


def windows(passage: Passage) -> Iterator[tuple[Span, str, int]]:
    """Yield where each stretch of up to three sentences stands, what it says, and how many they are."""
    said = passage.sayings()
    for length in range(1, _WINDOW + 1):
        for first in range(len(said) - length + 1):
            window = said[first : first + length]
            inner = Span(window[0].span.start, window[-1].span.end)
            yield passage.placed(inner), "\n".join(saying.text for saying in window), length


def join_cited(kept: Sequence[Cited]) -> CitedText:
    """Write the sentences one after the other; markers are numbered in the order of their appearance."""
    citations: list[Citation] = []
    parts: list[str] = []
    for cited in kept:
        marks = []
        for support in (cited.support, *cited.others):
            passage, span = support.passage, support.span
            same = [
                c.number
                for c in citations
                if (c.source, c.start, c.end) == (passage.source, span.start, span.end)
            ]
            number = same[0] if same else len(citations) + 1
            if not same:
                citations.append(_citation(number, support))
            marks.append(f" [{number}]")
        ours = f" {cited.ours}" if cited.ours else ""
        parts.append(f"{_LINE if cited.new_line else _BLANK}{inert(cited.sentence)}{''.join(marks)}{ours}")
    return CitedText("".join(parts)[1:], tuple(citations))


def inert(text: str) -> str:
    """Return what documents say so that a client that renders Markdown or HTML loads and links nothing of it.

    A blank parts a name from its address, and a tag from its bracket: all of it stays to be read.
    """
    return _ACTIVE.sub(" ", text)


def _citation(number: int, support: Support) -> Citation:
    passage, span, chunk = support.passage, support.span, support.passage.chunk
    row = row_of(support)
    return Citation(
        number,
        passage.source,
        span.start,
        span.end,
        stretch_of(support),
        passage.page,
        title=chunk.title if chunk else "",
        heading=row.label if row else chunk.heading if chunk else "",
        line=chunk.line_at(span.start) if chunk else None,
    )


def row_of(support: Support) -> TableRow | None:
    """Return the row of a table that a stretch is in."""
    return next(
        (
            saying.row
            for saying in support.passage.sayings()
            for there in [support.passage.placed(saying.span)]
            if saying.row and there.start <= support.span.start and support.span.end <= there.end
        ),
        None,
    )


def markers(text: str) -> list[int]:
    """Return the numbers of all markers such as [2] or [1, 3]."""
    return [int(number) for group in _MARKER.findall(text) for number in re.findall(r"\d+", group)]


def is_about(question: str, support: Support) -> bool:
    """Tell whether a stretch, or the title above it, has a word of the question."""
    asked = set(content_words(question))
    return not asked or bool(asked & set(content_words(f"{support.passage.title} {stretch_of(support)}")))


def stretch_of(support: Support) -> str:
    """Return the text of a stretch."""
    offset = support.passage.span.start
    return support.passage.text[support.span.start - offset : support.span.end - offset]


def pieces_of(text: str) -> list[str]:
    """Return a text in pieces that follow each other, each with the markers at its end."""
    return _PIECE.findall(text)


def without_markers(text: str) -> str:
    """Return a text without markers such as [2] or [1, 3]."""
    return _MARKER.sub("", text).strip()


def split_generated(text: str) -> list[str]:
    """Split into sentences; a marker behind the full stop belongs to the sentence before it."""
    joined: list[str] = []
    for span in sentence_spans(text):
        sentence = text[span.start : span.end]
        leading = _MARKER.match(sentence)
        if leading and joined:
            joined[-1] += leading.group()
            sentence = sentence[leading.end() :].strip()
        if sentence:
            joined.append(sentence)
    return joined


def settled_part(text: str) -> str:
    """Return what of a text that grows stays as it is: all but the last two sentences.

    The last one is being written, and the marker of the one before may still be to come.
    """
    spans = sentence_spans(text)
    if len(spans) < 3:
        return ""
    end = spans[-2].start
    marker = _MARKER.match(text, end)
    return text[: marker.end() if marker else end].rstrip()


_OURS = re.compile(
    r"\((?:(?:Older|Our (?:arithmetic|count)|Nothing found on|Addressed to machines):|The first \d+ of \d+)"
    r" [^\n]*?\.\)(?!\w)"
)
_VERDICT = re.compile(r"^(?:Yes|No|Ja|Nein): (?=\S)")


def only_quoted(answer: Answer) -> str:
    """Return the text of an extractive answer with blanks in the place of what the reader said itself.

    These are headings before a quote, or as the answer, yes and no, and the name of an older document.
    """
    text = _VERDICT.sub(_blanked, _OURS.sub(_blanked, answer.text))
    headings = {name for hit in answer.hits for name in (hit.chunk.source, *hit.chunk.headings)}
    for name in sorted(filter(None, headings), key=len, reverse=True):
        text = re.sub(rf"(?:(?<=\] )|(?<=  )|^){re.escape(name)}(?:: |(?= \[\d+\]))", _blanked, text)
    return text.replace("“", " ").replace("”", " ")


def _blanked(match: re.Match[str]) -> str:
    return " " * len(match.group())
