"""A verbatim quote with its number, and below it a short answer: written, read, and checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hybrid.generation.citations import (
    Cited,
    CitedText,
    Support,
    cite_generated,
    is_about,
    join_cited,
    row_of,
    stretch_of,
)
from hybrid.generation.prompts import Passage
from hybrid.text.sentences import unwrapped
from hybrid.text.words import content_words, share_supported
from hybrid.types import Span

_OPENING = "\"“”„«'‘"
_CLOSING = "\"”“»'’"
_MARK = r"\s*[(\[]\s*(\d{1,3})\s*[)\]]"
# Written is ``"<quote>" [n]``, a new line, ``<answer>``. Reading it is tolerant, checking it is not.
# The quote may hold marks and numbers itself: those at the end of its line are its own.
_WHOLE_LINE = re.compile(rf"[{_OPENING}](?P<quote>.+)[{_CLOSING}]{_MARK}[.:]?$")
_ONE_LINE = re.compile(rf"[{_OPENING}](?P<quote>.+?)[{_CLOSING}]{_MARK}(?P<answer>.*)$")
_UNMARKED = re.compile(rf"[{_OPENING}](?P<quote>.+)[{_CLOSING}](?P<answer>[^{_CLOSING}]*)$")
_UNCLOSED = re.compile(rf"[{_OPENING}](?P<quote>.+)$")
# Not "--jobs" nor "-1": those are answers.
_LEAD = re.compile(r"^(?:\s|→|[-–=]>|answer:|[-–—:*]\s)+", re.IGNORECASE)
_TRAIL = re.compile(rf"\s{_MARK}\.?$")
# What a prompt shows in place of "<", and how one mark is written in place of another.
_ALIKE = str.maketrans("‹“”„«»‘’‚–—−", '<"""""\'\'\'---')
_POLAR = frozenset(("yes", "no", "maybe", "ja", "nein", "vielleicht"))


@dataclass(frozen=True, slots=True)
class Quoted:
    """What was read: where the quote stands, None if nowhere, and the answer, which may be empty.

    ``written`` is the quote as it was written. ``dropped_markers`` is 1 if it bore a wrong number or none.
    """

    quote: Support | None
    written: str
    answer: str
    dropped_markers: int = 0


def completion(quote: str, number: int, answer: str) -> str:
    """Return what is to be written: the quote on one line with the number of its passage, then the answer."""
    return f'"{" ".join(quote.split())}" [{number}]\n{" ".join(answer.split())}'


def parse(text: str, passages: Sequence[Passage]) -> Quoted:
    """Read what was written, and look the quote up: in the passage it names, else in the others.

    White space and the kind of quotation marks do not count, letters do.
    """
    readings = list(_readings(text))
    for written, number, answer in readings:
        named = [passage for passage in passages if passage.number == number]
        others = [passage for passage in passages if passage.number != number]
        for passage in (*named, *others):
            if content_words(written) and (span := locate(written, passage.text)):
                offset = passage.span.start
                support = Support(passage, Span(offset + span.start, offset + span.end), 1.0)
                return Quoted(support, written, answer, int(passage.number != number))
    if not readings:
        return Quoted(None, "", text.strip())
    written, number, answer = readings[0]
    known = number is None or any(passage.number == number for passage in passages)
    return Quoted(None, written, answer, int(not known))


def cite_quoted(question: str, quoted: Quoted, passages: Sequence[Passage], *, threshold: float) -> CitedText:
    """Return what may be shown: the answer, with its quote behind the marker.

    An answer that follows from its quote but is no part of it, such as yes, stands before it. One that its
    quote does not bear out gives way to the quote. Without a quote the answer must pass
    the check of any generated text, see ``cite_generated``.

    Args:
        question: what was asked.
        quoted: what was written.
        passages: what the generator saw.
        threshold: the share of its content words that an answer must find in the quote.
    """
    quote, answer = quoted.quote, quoted.answer
    if quote is None or not is_about(question, quote):
        lost = (quoted.written,) if quoted.written else ()
        cited = cite_generated(question, answer, passages, threshold=threshold)
        dropped = (*lost, *cited.dropped_sentences)
        markers = quoted.dropped_markers + cited.dropped_markers
        return CitedText(cited.text, cited.citations, dropped, markers)
    stretch = stretch_of(quote)
    row = row_of(quote)
    shown = unwrapped(row.asked(question) if row else stretch)
    borne_out = bears_out(f"{quote.passage.title}\n{stretch}\n{shown}", answer, threshold=threshold)
    if borne_out:
        # what is no part of the quote is said beside it: one has to see why it follows
        shown = answer if _stands_in(stretch, answer) else f"{answer.rstrip(' .:')}: “{shown}”"
    cited = join_cited([Cited(shown, quote)])
    unsupported = (answer,) if answer and not borne_out else ()
    return CitedText(cited.text, cited.citations, unsupported, quoted.dropped_markers)


def locate(quote: str, text: str) -> Span | None:
    """Return where a quote stands in a text, as whole words; white space and kinds of marks do not count."""
    wanted = "".join(quote.translate(_ALIKE).split())
    # a sentence that is cut short, or given a full stop that it does not have, is still a quote
    for needle in (wanted, wanted.rstrip(".…")):
        if needle and (span := _stretch(needle, text)):
            return span
    return None


def bears_out(text: str, answer: str, *, threshold: float) -> bool:
    """Tell whether a short answer follows from a text: it stands there, or enough of its words do.

    Yes and no are what one makes of a text and no words of it: they pass.
    """
    bare = _bare(answer)
    if not bare or is_polar(answer) or _stands_in(text, answer):
        return bool(bare)
    return share_supported(answer, text) >= threshold


def is_polar(answer: str) -> bool:
    """Tell whether an answer is yes or no and nothing else."""
    return _bare(answer).rstrip(",!") in _POLAR


def _bare(answer: str) -> str:
    return answer.strip(" .\"'`").casefold()


def _stands_in(text: str, answer: str) -> bool:
    return locate(_bare(answer), text.casefold()) is not None


def _readings(text: str) -> Iterator[tuple[str, int | None, str]]:
    """Yield quote, number and answer in every way that what was written can be taken, the likeliest first."""
    first, _, rest = text.strip().partition("\n")
    first = first.strip()
    if match := _WHOLE_LINE.match(first):
        yield match["quote"].strip(), int(match[2]), _answer(rest)
    if match := _ONE_LINE.match(first):
        yield match["quote"].strip(), int(match[2]), _answer(match["answer"]) or _answer(rest)
    if match := _UNCLOSED.match(first):
        yield match["quote"].strip(), None, _answer(rest)
    if match := _UNMARKED.match(first):
        yield match["quote"].strip(), None, _answer(match["answer"]) or _answer(rest)


def _answer(text: str) -> str:
    """Return the answer on one line."""
    return _TRAIL.sub("", _LEAD.sub("", " ".join(text.split())))


def _stretch(needle: str, text: str) -> Span | None:
    places = [place for place, letter in enumerate(text) if not letter.isspace()]
    there = "".join(text[place] for place in places).translate(_ALIKE)
    begin = there.find(needle)
    while begin >= 0:
        span = Span(places[begin], places[begin + len(needle) - 1] + 1)
        if not (_inside_word(text, span.start) or _inside_word(text, span.end)):
            return span
        begin = there.find(needle, begin + 1)
    return None


def _inside_word(text: str, place: int) -> bool:
    return 0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum()
