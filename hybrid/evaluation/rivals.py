"""Values that an answer offers instead of the gold one, or beside it (answer consistency)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hybrid.evaluation.facts import Said, reduced
from hybrid.text.folding import folded_words
from hybrid.text.numbers import Quantity, lone_quantity, same_quantity
from hybrid.text.words import STOP_WORDS
from hybrid.types import Span

_JOINED = re.compile(r"(?:\s*,)?\s+(?:or|and|as well as)\s+(?:the\s+)?|\s*/\s*|\s*,\s+")
_DENYING = re.compile(r"\b(?:not|rather than|instead of|other than|except|unlike|never)\s+(?:the\s+)?$", re.I)
# Two sentences that share so much but for a value say it of the same thing.
_SAME_FRAME = 0.75


def rivals_of(question: str, answer: str, golds: Sequence[str]) -> tuple[str, ...]:
    """Return the values that an answer offers instead of one of the golds.

    Those are what it joins to the gold, where it first has that, by "or" or "and" and is of its kind, a name
    or a number, and the values of sentences that are alike but for the value. What another gold or the
    question says is none.
    """
    return rivals_in(Said(question, answer), golds)


def rivals_in(reading: Said, golds: Sequence[str]) -> tuple[str, ...]:
    """Return the rivals of the gold that has most; ``rivals_of`` says what those are."""
    return max((_rivals(gold, reading, golds) for gold in golds if gold.strip()), key=len, default=())


def _rivals(gold: str, reading: Said, golds: Sequence[str]) -> tuple[str, ...]:
    forms = [frozenset(map(reduced, folded_words(one))) for one in golds]
    known = reading.asked.union(*forms)
    # golds that share no word are several answers, of which there may be more than were written down
    several = any(not forms[0] & other for other in forms[1:])
    found = [*_joined(gold, reading, several=several), *_in_the_same_frame(gold, reading)]
    return tuple(
        dict.fromkeys(one for one in found if not set(map(reduced, folded_words(one))) <= known | STOP_WORDS)
    )


def _joined(gold: str, reading: Said, *, several: bool) -> list[str]:
    """Return the other members of the list that the gold first stands in.

    One of a list has to be joined by "or", or by "and" where one answer is right.
    """
    found = _place(gold, reading)
    if found is None:
        return []
    value = lone_quantity(gold, counting=True)
    spans = [one.span for one in reading.names if value is None]
    spans += [one.span for one in reading.quantities if value is not None and _of_a_kind(value, one)]
    members: list[str] = []
    joints: list[str] = []
    start, end = found.start, found.end
    for span in sorted(spans, key=lambda span: span.start):
        if span.start >= end and (joint := _JOINED.fullmatch(reading.text, end, span.start)):
            members.append(reading.text[span.start : span.end].partition(". ")[0].rstrip("."))
            joints.append(joint.group())
            end = span.end
    for span in sorted(spans, key=lambda span: -span.end):
        if span.end <= start and (joint := _JOINED.fullmatch(reading.text, span.end, start)):
            members.append(reading.text[span.start : span.end].partition(". ")[0].rstrip("."))
            joints.append(joint.group())
            start = span.start
    joining = {joint.strip(" ,") for joint in joints} - ({"", "and", "as well as"} if several else {""})
    return members if joining else []


def is_denied(gold: str, reading: Said) -> bool:
    """Tell whether a gold is named to deny it: where it first stands, "not" or "rather than" is before it."""
    place = _place(gold, reading)
    return (
        place is not None and _DENYING.search(reading.text, max(place.start - 20, 0), place.start) is not None
    )


def _place(gold: str, reading: Said) -> Span | None:
    """Return where a gold first stands in an answer, a lone number in whatever notation."""
    if value := lone_quantity(gold, counting=True):
        return next((one.span for one in reading.quantities if same_quantity(value, one)), None)
    words = re.findall(r"\w+", gold)
    joined = r"\W{1,3}".join(map(re.escape, words))
    found = re.search(rf"(?<!\w){joined}(?!\w)", reading.text, re.IGNORECASE) if words else None
    return found and Span(*found.span())


def _of_a_kind(one: Quantity, other: Quantity) -> bool:
    kinds, others = ({unit.kind for unit in each.units} for each in (one, other))
    return not kinds or not others or bool(kinds & others)


def _in_the_same_frame(gold: str, reading: Said) -> Iterator[str]:
    """Yield the values of other sentences that say of the same thing what the one with the gold says."""
    value = lone_quantity(gold, counting=True)
    if value is None:
        return
    holding = [one for one in reading.sentences if any(same_quantity(value, x) for x in one.quantities)]
    for sentence in reading.sentences:
        rest = {word for word in sentence.stems if not word[0].isdigit()} - STOP_WORDS
        others = [one for one in sentence.quantities if _of_a_kind(value, one)]
        # what says it of another thing than the question asks of, such as another machine, is no rival
        alike_to = any(
            len(rest & one.stems) >= _SAME_FRAME * len(rest)
            and (one.stems & reading.asked) - STOP_WORDS <= sentence.stems
            for one in holding
            if rest
        )
        if sentence not in holding and others and alike_to:
            yield sentence.text[others[0].span.start : others[0].span.end]
