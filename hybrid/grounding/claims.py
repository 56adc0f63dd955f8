"""What an answer asserts, piece by piece.

Takes the text of an answer, gives its statements (sentences) with their claims and the markers they carry.
Knows nothing about passages, and not whether a claim is true.

A sentence is one claim, or several where it coordinates clauses that would stand alone as sentences: "The
port is 5432, and the host is local." Without a parser that is certain only where each half has a subject
and a verb from a short list and no half hangs on a word such as "if" or "said"; every other sentence stays
whole, for a claim cut wrongly is judged wrongly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hybrid.generation.citations import markers, without_markers
from hybrid.generation.written import declines
from hybrid.grounding.appeals import appeal_start
from hybrid.grounding.clauses import clause_spans
from hybrid.grounding.values import Claim
from hybrid.text.sentences import sentence_spans
from hybrid.text.words import content_words
from hybrid.types import Span

QUESTION = "question"
COURTESY = "courtesy"
HEADING = "heading"
DECLINES = "declines"
EMPTY = "no content"
APPEAL = "appeal to the judge"

_MARKERS = re.compile(r"(?:\s*\[\s*\d{1,3}(?:\s*[,;]\s*\d{1,3})*\s*\])+")
_TRAILING_MARKERS = re.compile(rf"{_MARKERS.pattern}\s*$")
# A line that is a unit of its own though no full stop ends it: an item, a heading, a row, a fence.
_OWN_LINE = re.compile(r"[ \t]*(?:[-*•+](?=\s)|#|>|\||```|\d{1,3}[.)][ \t])")
_HEADING = re.compile(r"\s*#{1,6}\s")
# What stands before a sentence and is not of it: bullets, numbers of items, marks of emphasis.
_DECORATION = re.compile(r"(?:[*_#>|•·`]+|[-–—](?=\s)|\d{1,3}[.)](?=\s)|\s)+")
_ITEM_NUMBER = re.compile(r"\(?\d{1,3}[.)]")

_PLEASANT = "yes|no|sure|certainly|of course|great question|hello|hi|hey|thanks|thank you|ja|nein|gerne|hallo"
_SOURCE = (
    r"(?:the )?(?:(?:given|provided|supplied|retrieved|above|following) )?"
    r"(?:passages?|documents?|contexts?|sources?|texts?|excerpts?|search results|information)"
    r"(?: (?:provided|given|above|\d{1,2}))*"
)
_OPENING = re.compile(
    rf"(?:(?!no\.\s*\d)(?:{_PLEASANT})\s*(?:[,.!:;–—]+\s*|$)"
    rf"|(?:according to|based on|as (?:stated|mentioned|described) in|per) {_SOURCE}"
    rf"(?:{_MARKERS.pattern})?\s*[,:]\s*)+",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"(?:(?:hello|hi|hey)(?=[,.!]| there\b| again\b| everyone\b|$)|thanks(?! to\b)|thank you"
    r"|you['’]re welcome|(?:i )?hope (?:this|that|it) helps|(?:please )?(?:let me know|feel free)"
    r"|(?:i['’]m )?(?:happy|glad) to help|here (?:is|are) (?:the|your|my) (?:answers?|summary)"
    r"|if you have (?:any )?(?:more |other |further )?questions|as an ai(?: language)? model)"
    r"\b[^.]{0,80}[.!:]*",
    re.IGNORECASE,
)
_BUT = r"(?:(?:however|unfortunately|but|sorry|i['’]m sorry|leider),? (?:but )?)?"
_DECLINES = re.compile(
    rf"{_BUT}(?:"
    rf"{_SOURCE} (?:(?:do|does|did) ?(?:not|n['’]t)|never) (?:\w+ )?"
    r"(?:(?:say|state|mention|specify|answer|address|indicate|tell|explain|discuss)\b"
    r"|(?:contain|provide|include|give) (?:\w+ ){0,3}"
    r"(?:information|details?|answers?|mention|data|evidence)\b)"
    r"|there is no mention of\b"
    rf"|there is (?:no|not enough|insufficient) (?:\w+ )?(?:information|evidence|answer)\b.*\b{_SOURCE}"
    r"|(?:i|we) (?:cannot|can['’]t|could not|couldn['’]t|(?:am|was|are|were) (?:unable|not able) to)"
    r" (?:answer|find|determine|tell|say|provide|confirm|verify)\b"
    r"|(?:this|that|it|the answer) is not (?:\w+ )?(?:stated|mentioned|specified|given|answered)\b"
    rf".*\b{_SOURCE}"
    r"|(?:die|in den) (?:passagen|texten?|dokumenten?|quellen)"
    r" (?:sagen|nennen|erwähnen|enthalten|beantworten|steht)\b.*\b(?:nicht|nichts|keinen?)\b)",
    re.IGNORECASE,
)
# A sentence that ends with a colon and is longer asserts something before it announces.
_HEADING_WORDS = 12
_CLOSING = "\"'”’»)]*_ "


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of an answer: where it stands, the markers on it, and its claims, at least one."""

    span: Span
    cites: tuple[int, ...]
    claims: tuple[Claim, ...]


def claims_of(answer: str) -> list[Claim]:
    """Return every claim of an answer in its order, those that are not checkable with the reason.

    For every claim ``text == without_markers(answer[span.start:span.end])``. No answer, no claims.
    """
    return [claim for statement in statements_of(answer) for claim in statement.claims]


def statements_of(answer: str) -> list[Statement]:
    """Return the sentences of an answer with their claims; markers belong to the sentence they follow."""
    return [_statement(answer, span, cites) for span, cites in _cited_sentences(answer)]


def _statement(answer: str, span: Span, cites: tuple[int, ...]) -> Statement:
    core = _core(answer, span)
    reason = _reason(answer, span, core)
    parts = [core] if reason else clause_spans(answer, core)
    claims = tuple(Claim(without_markers(answer[p.start : p.end]), p, cites, reason) for p in parts)
    return Statement(span, cites, claims)


def _core(answer: str, span: Span) -> Span:
    """Return a sentence without decoration, opening courtesy, and markers and appeals behind it.

    Where nothing would be left, such as of a bare "No.", all of it.
    """
    text = answer[span.start : span.end]
    end = _TRAILING_MARKERS.search(text)
    stop = end.start() if end else len(text)
    start = 0
    for pattern in (_MARKERS, _DECORATION, _OPENING, _DECORATION):
        found = pattern.match(text, start, stop)
        start = found.end() if found else start
    stop = start + (appeal_start(text[start:stop]) or stop - start)
    inner = Span(span.start + start, span.start + stop)
    return inner if answer[inner.start : inner.end].strip() else span


def _reason(answer: str, span: Span, core: Span) -> str:
    """Return why a sentence is not checkable; empty if it is."""
    whole = without_markers(answer[span.start : span.end])
    text = without_markers(answer[core.start : core.end])
    bare = text.rstrip(_CLOSING)
    if bare.endswith(("?", "？", "؟")):
        return QUESTION
    if _HEADING.match(whole) or (text.endswith((":", "：")) and len(text.split()) <= _HEADING_WORDS):
        return HEADING
    if _COURTESY.fullmatch(text) or _OPENING.fullmatch(whole):
        return COURTESY
    if text and not appeal_start(text):
        return APPEAL
    if declines(text) or _DECLINES.match(text):
        return DECLINES
    rest = answer[core.end : core.end + 2]
    numbers_an_item = _ITEM_NUMBER.fullmatch(text) and rest.startswith(" ") and rest.strip()
    return "" if content_words(text) and not numbers_an_item else EMPTY


def _cited_sentences(answer: str) -> Iterator[tuple[Span, tuple[int, ...]]]:
    """Yield sentences with their markers; those before a sentence belong to the one before it."""
    held: Span | None = None
    for span in _lines(answer):
        leading = _MARKERS.match(answer, span.start, span.end)
        if leading and held:
            held = Span(held.start, leading.end())
            span = _stripped(answer, Span(leading.end(), span.end))
        if span.start < span.end:
            if held:
                yield held, _numbers(answer, held)
            held = span
    if held:
        yield held, _numbers(answer, held)


def _numbers(answer: str, span: Span) -> tuple[int, ...]:
    return tuple(dict.fromkeys(markers(answer[span.start : span.end])))


def _lines(answer: str) -> Iterator[Span]:
    """Yield sentences, cut around lines that are units of their own and behind lines that announce."""
    for span in sentence_spans(answer):
        start = line = span.start
        while (end := answer.find("\n", line, span.end)) >= 0:
            own = _OWN_LINE.match(answer, line) or _OWN_LINE.match(answer, end + 1)
            if own or answer[line:end].rstrip().endswith((":", "：")):
                yield _stripped(answer, Span(start, end))
                start = end + 1
            line = end + 1
        yield _stripped(answer, Span(start, span.end))


def _stripped(answer: str, span: Span) -> Span:
    inner = answer[span.start : span.end]
    start = span.start + len(inner) - len(inner.lstrip())
    return Span(start, max(start, span.start + len(inner.rstrip())))
