"""How what was chosen is said: verbatim, with what it hangs on and what it is about (quotation)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from hybrid.generation.asking import Asked, Form
from hybrid.generation.citations import Cited, Support
from hybrid.generation.editions import named_with_date, newer_of
from hybrid.generation.facts import (
    ITEM,
    LONGEST,
    Quotable,
    asks,
    headings_of,
    is_bare,
    lists_in,
    section_of,
    telling_heading,
    title_of,
)
from hybrid.generation.matching import Matcher, expressions, names_held
from hybrid.generation.prompts import Passage
from hybrid.generation.reckoning import Reckoned
from hybrid.generation.shortening import quoted
from hybrid.generation.weighing import BECAUSE, UNDER_CAUSE, Scores, gives_cause
from hybrid.text.dates import dates
from hybrid.text.identifiers import identifiers
from hybrid.text.numbers import figure
from hybrid.text.polarity import denials
from hybrid.text.rows import TableRow, closed
from hybrid.text.sentences import unwrapped
from hybrid.types import Span

_LONGEST_LIST, LONGEST_PART = 120, 60
# The heading of a section says what its steps are for.
_HEADED, _ABOUT, _STEPWISE, _SAID_ABOVE = 0.8, 0.3, 0.3, 0.8
# What each is for stands beside it.
_CONTINUES, _POINTS = expressions("saying")
# What stands behind a bare yes or no in its paragraph says why.
_REASON = re.compile(r"[ \n](?=\S)[^.!?\n]{3,160}[.!?](?=\s|$)")


def said_cells(table: Reckoned) -> list[Cited]:
    """Return the cells of rows, and behind the last one our arithmetic with them."""
    cited = [
        Cited(
            closed(fact.row.sentence(places, with_cells=table.beside or beside_code(fact.row))),
            Support(fact.passage, fact.span, 1.0),
        )
        for fact, places in zip(table.facts, table.places, strict=True)
        if fact.row
    ]
    ours = f"({table.ours}.)" if table.ours else ""
    return [*cited[:-1], replace(cited[-1], ours=ours)]


def beside_code(row: TableRow) -> tuple[int, ...]:
    """Return the place of the words behind a code that a row is called by, which alone says little."""
    coded = identifiers(row.label) and len(row.label.split()) == 1
    return (1,) if coded and len(row.cells) > 1 and not figure(row.cells[1]) else ()


def cite(asked: Asked, fact: Quotable, words: Matcher, verdict: str = "") -> Cited:
    """Return a fact as it is shown: with what it hangs on, and the heading without which it says nothing.

    Behind yes or no only what is verbatim stands in quotation marks.
    """
    passage = fact.passage
    text = fact.text
    span = fact.span
    if fact.row:
        whole = closed(fact.row.sentence())
        shown = whole if asked.several and len(whole.split()) <= 30 else text
        lead = _naming(asked, fact, f"{shown} {fact.row.sentence()}")
        return Cited(": ".join(filter(None, (verdict, lead, shown))), Support(passage, span, 1.0))
    if (
        (_POINTS.match(text.lstrip('*_“"(')) or is_bare(text))
        and fact.above
        and len(f"{fact.above} {text}".split()) <= LONGEST_PART
    ):
        begin = passage.text.find(fact.above)
        if 0 <= begin <= span.start - passage.span.start:
            span = Span(passage.span.start + begin, span.end)
            text = passage.text[begin : span.end - passage.span.start]
    if text.rstrip().endswith(":") and (behind := _behind(passage, span)):
        span = Span(span.start, behind.end)
        text = passage.text[span.start - passage.span.start : span.end - passage.span.start]
    if is_bare(fact.text) and (reason := _goes_on(passage, span, _REASON)):
        span = Span(span.start, reason.end)
        text = passage.text[span.start - passage.span.start : span.end - passage.span.start]
    if asked.amounts and not verdict and (goes_on := _goes_on(passage, span, _CONTINUES)):
        span = Span(span.start, goes_on.end)
        text = passage.text[span.start - passage.span.start : span.end - passage.span.start]
    text = unwrapped(text)
    lead = _lead(asked, fact, text)
    text = quoted(asked, text, f"{headings_of(passage)} {lead}", words, room=LONGEST - len(lead.split()))
    text = f"“{text.rstrip()}”" if verdict else text
    return Cited(": ".join(filter(None, (verdict, lead, text))), Support(passage, span, 1.0))


def _lead(asked: Asked, fact: Quotable, text: str) -> str:
    """Return the heading without which a quote does not say what it is about, if there is one."""
    if fact.heading or not fact.passage.chunk:
        return ""
    headings = [heading for heading in fact.passage.chunk.headings if not asks(heading)]
    if fact.term and not asks(fact.term):
        # of two dates the one of the text is meant
        dated = asked.wanted and asked.wanted.search(text) and dates(text) and dates(fact.term)
        return "" if dated else " ".join(fact.term.split())
    if denials(section_of(fact.passage)):  # "What is not funded" turns around what stands below it
        return headings[-1] if headings else ""
    telling = telling_heading(asked, fact.passage)
    if telling in headings and not (asked.wanted and asked.wanted.search(text)) and telling not in text:
        return telling
    return _naming(asked, fact, text)


def _naming(asked: Asked, fact: Quotable, text: str) -> str:
    """Return the nearest heading with a name of the question that a text lacks, codes first."""
    record = "#" in fact.passage.source
    headings = fact.passage.chunk.headings if fact.passage.chunk and not record else ()
    held = names_held(asked.names, text)
    missing = sorted(
        (name for name in asked.names if name not in held), key=lambda name: name not in asked.codes
    )
    found = (
        heading
        for name in missing
        for heading in reversed(headings[name not in asked.codes :])
        if names_held([name], heading) and not asks(heading)
    )
    return next(found, "")


def _goes_on(passage: Passage, span: Span, by: re.Pattern[str]) -> Span | None:
    """Return the sentence behind that goes on, as with what holds from a limit on, if there is one."""
    found = by.match(passage.text[span.end - passage.span.start :])
    return Span(span.end, span.end + found.end()) if found else None


def _behind(passage: Passage, span: Span) -> Span | None:
    """Return the list, or else the sentence, that stands behind what ends with a colon."""
    end = span.end - passage.span.start
    rest = passage.text[end:]
    start = end + len(rest) - len(rest.lstrip())
    found = next((own for own in lists_in(passage.text) if own.start == start), None)
    if found is None:
        found = next(
            (saying.span for saying in passage.sayings() if saying.span.start == start and not saying.row),
            None,
        )
    if found is None or len(passage.text[found.start : found.end].split()) > _LONGEST_LIST:
        return None
    return passage.placed(found)


def said_steps(facts: Sequence[Quotable], scores: Scores, words: Matcher) -> Cited | None:
    """Return the whole list of steps, or all of a short section, that the question is about."""
    best: tuple[float, Passage, Span] | None = None
    for fact, score in zip(facts, scores, strict=True):
        passage, text = fact.passage, fact.passage.text
        if fact.row or fact.heading or fact.whole:
            continue
        start, end = fact.span.start - passage.span.start, fact.span.end - passage.span.start
        lists = [own for own in lists_in(text) if len(ITEM.findall(text[own.start : own.end])) > 1]
        # "Steps" below "Restore a database": numbered ones do what all headings say
        numbered = any(text[own.start : own.end].lstrip(" (")[:1].isdigit() for own in lists)
        path = words.share(headings_of(passage)) if numbered else 0.0
        told = path if path >= _SAID_ABOVE else 0.0
        about = max(words.share(section_of(passage)), words.share(passage.title), told)
        span = next((own for own in lists if own.start <= start and end <= own.end), None)
        if span is None and about >= _ABOUT:
            short = len(text.split()) <= LONGEST_PART
            span = lists[0] if lists else Span(0, len(text)) if short else None
        listed = span in lists
        if span is None or len(text[span.start : span.end].split()) > _LONGEST_LIST:
            continue
        worth = float(score) + _HEADED * about + _STEPWISE * listed + told
        if best is None or worth > best[0]:
            best = worth, passage, span
    if best is None or best[0] < float(scores.max()):
        return None
    _, passage, span = best
    said = passage.text[span.start : span.end].strip()
    return Cited(said if ITEM.search(said) else unwrapped(said), Support(passage, passage.placed(span), 1.0))


def said_list(asked: Asked, facts: Sequence[Quotable], best: Quotable, words: Matcher) -> Cited | None:
    """Return the whole list that is the best answer, or that has the best item where things are listed."""
    lists = [fact for fact in facts if fact.whole and fact.passage is best.passage and covers(fact, best)]
    if not lists or len(lists[0].text.split()) > LONGEST_PART:
        return None
    one = lists[0]
    about = (
        words.share(f"{one.term} {one.above}") >= _ABOUT or asked.latest or names_held(asked.codes, one.term)
    )
    if not best.whole and not (asked.lists and about):
        return None
    if ITEM.match(one.text) and ITEM.match(one.text)["mark"][-1] in ".)":  # type: ignore[index]
        said = one.text
    else:
        items = (ITEM.sub("", line).strip() for line in one.text.split("\n") if line.strip())
        said = closed("; ".join(item.rstrip(".") for item in items))
    if asked.wanted and asked.wanted.search(one.term) and not asked.wanted.search(said):
        said = f"{' '.join(one.term.split())}: {said}"
    return Cited(said, Support(one.passage, one.span, 1.0))


def covers(one: Quotable, other: Quotable) -> bool:
    """Tell whether one fact stands in the other's place and around it."""
    return one.span.start <= other.span.start and other.span.end <= one.span.end


def said_cause(asked: Asked, best: Quotable) -> Cited | None:
    """Return all of a short section of causes, unless the best sentence says by itself that it is one."""
    passage = best.passage
    wanted = asked.form is Form.CAUSE and gives_cause(best) == UNDER_CAUSE and not BECAUSE.search(best.text)
    if not wanted or len(passage.text.split()) > LONGEST_PART // 2:
        return None
    return Cited(unwrapped(passage.text), Support(passage, passage.span, 1.0))


def said_versions(asked: Asked, one: Quotable, other: Quotable, words: Matcher) -> list[Cited]:
    """Return what is in force and the name of the older document; both where nothing tells which is newer."""
    latest = newer_of(one.passage, other.passage)
    if latest is None:
        return [
            replace(cited, sentence=f"{named_with_date(fact.passage)}: {cited.sentence}")
            for fact in (one, other)
            for cited in [cite(asked, fact, words)]
        ]
    newer, older = (one, other) if latest is one.passage else (other, one)
    same = title_of(older.passage) == title_of(newer.passage)
    told = older.passage.source if same else named_with_date(older.passage)
    named = Cited(f"(Older: {told}.)", Support(older.passage, older.span, 1.0))
    return [cite(asked, newer, words), named]
