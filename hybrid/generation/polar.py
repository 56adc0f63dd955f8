"""Yes or no, where a sentence or a cell decides it (polar questions)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from hybrid.generation.asking import Asked
from hybrid.generation.facts import FIELD, Quotable, asks, headings_of, section_of
from hybrid.generation.matching import Matcher, expressions, names_held
from hybrid.text.dates import days_in
from hybrid.text.numbers import Quantity, quantities
from hybrid.text.polarity import denials
from hybrid.text.rows import NO, YES, TableRow
from hybrid.text.words import content_words, language_of
from hybrid.types import CELLS

# So much of the question must stand there for no, and for yes, which is sooner wrong.
_DECIDES, AFFIRMS = 0.6, 0.85
_BARE_ENTRY = 3
_YES_NO = {"de": ("Ja", "Nein")}
# What each is for stands beside it.
_TOLD = expressions("polar")
_LIMIT, _OPEN, _BUT, _PAST, _TURNED, _THAN, _AGAINST, _HAS, _ALLOWS, _JOINED = _TOLD[:10]
_DENIED, _FORBIDS, _FURTHER, _WHERE, _ALL_OVER, _CLAUSES, _REASON, _FRAME = _TOLD[10:]


def verdict_on(asked: Asked, fact: Quotable, words: Matcher, ranked: Sequence[Quotable]) -> str:
    """Return yes or no where what was found decides it, in the language of the question; mostly nothing."""
    yes, no = _YES_NO.get(language_of(asked.text), ("Yes", "No"))
    if _TURNED.search(asked.text.replace("’", "'")) or (_THAN.search(asked.text) and not asked.amounts):
        return ""
    decides = _of_cell(asked, fact, fact.row, words, ranked) if fact.row else _of_text(asked, fact, words)
    return {True: yes, False: no, None: ""}[decides]


def _of_text(asked: Asked, fact: Quotable, words: Matcher) -> bool | None:
    """Return what the one clause of a sentence says that has most of the question."""
    clauses = _CLAUSES.split(fact.text)
    text = _REASON.sub("", max(clauses, key=words.share))
    if CELLS in text or _BUT.search(text) or (_PAST.search(text) and not _PAST.search(asked.text)):
        return None
    forbids = not denials(text) and not _AGAINST.search(asked.text) and bool(_FORBIDS.search(text))
    count = 1 if forbids else denials(text)
    own = replace(fact, text=_FORBIDS.sub("", text) if forbids else text)
    if (
        (count or 0) > 1
        or _is_beside(asked, own, words)
        or (count and _is_of_part(text, words, forbids=forbids))
    ):
        return None
    # what the document itself asks there, it does not say
    headings = fact.passage.chunk.headings if fact.passage.chunk else ()
    questioned = any(map(asks, (fact.term, fact.above, *headings)))
    around = text if questioned or len(clauses) > 1 else f"{text} {fact.around}"
    share = words.share(around)
    if denials(section_of(fact.passage)) and not count:
        return False if share >= AFFIRMS and len(text.split()) <= _BARE_ENTRY else None
    if asked.amounts:
        return None if count or share < _DECIDES / 2 else _within(asked, text)
    about = _without_frame(asked, words) if count else words
    if count is None or about.share(text) < _DECIDES / 2:
        return None
    if count:
        return None if _is_narrower(asked, own, words) or about.share(around) < _DECIDES else False
    # what stands beside may limit it: "Dogs may come in; not at night"
    return None if share < AFFIRMS or _OPEN.search(text) or denials(fact.text) != 0 else True


def _without_frame(asked: Asked, words: Matcher) -> Matcher:
    """Return how the words are found that say what one asks about: "No dogs in the hall" says no "may"."""
    told = zip(asked.words, words.weights, strict=True)
    return replace(words, weights=tuple(0.0 if _FRAME.fullmatch(own) else size for own, size in told))


def _of_cell(
    asked: Asked, fact: Quotable, row: TableRow, words: Matcher, ranked: Sequence[Quotable]
) -> bool | None:
    """Return what the one cell says that is told of a row, if no other row of this kind says otherwise."""
    told = fact.text.rstrip(".")
    if any(one.written not in row.sentence() for one in asked.amounts) or _AGAINST.search(asked.text):
        return None
    value = told.rpartition(": ")[2].strip().lower()
    if re.fullmatch(r"\d[\d,.]*", value):  # a number says that there is some, not that it is cheap
        return bool(value.strip("0,.")) if _HAS.search(asked.text) else None
    place = next((p for p, name in enumerate(row.columns) if told.endswith(f"{name}: {row.cells[p]}")), 0)
    held, names = words.held(fact.wider), names_held(asked.names, fact.wider)
    alike = {
        own.row.cells[place]
        for own in ranked
        if own.row and own.row.columns == row.columns and own.in_range == fact.in_range
        if words.held(own.wider) >= held and names_held(asked.names, own.wider) >= names
    }
    if len(alike) > 1 or value not in (*YES, *NO, "sold out"):
        return None
    return value in YES


def _is_beside(asked: Asked, fact: Quotable, words: Matcher) -> bool:
    """Tell whether a fact decides nothing: of another thing, of what is forbidden, a bare entry."""
    own = f"{fact.passage.source} {fact.passage.title} {headings_of(fact.passage)} {fact.term} {fact.text}"
    days = days_in(asked.text)
    if days and not days <= days_in(f"{own} {fact.above}"):
        return True
    for name in asked.plain_names:  # the sentence before may be about another code
        if not names_held([name], own if name in asked.codes else f"{own} {fact.above}"):
            return True
    above = fact.above if fact.above.endswith(":") else ""  # what announces it, and no sentence before it
    if bool(_AGAINST.search(f"{above} {fact.text}")) != bool(_AGAINST.search(asked.text)):
        return True
    entry = FIELD.fullmatch(fact.text.strip())
    return bool(entry and len(entry["value"].split()) <= _BARE_ENTRY and not words.held(entry["name"]))


def _is_narrower(asked: Asked, fact: Quotable, words: Matcher) -> bool:
    """Tell whether a denial is of less than what is asked: of opened goods, where goods are asked for."""
    subject = content_words(_JOINED.split(_DENIED.split(fact.text, maxsplit=1)[0])[-1])
    known = {word for own in words.forms for word in own}
    return len(subject) > 1 and not words.held(" ".join(subject[:1])) and bool(known & set(subject[1:]))


def _is_of_part(text: str, words: Matcher, *, forbids: bool) -> bool:
    """Tell whether only a part of what is asked is denied: swimming after dark, drones over 250 g.

    A place limits as a time does, unless it is the whole house: who may not smoke in the kitchen may do so
    elsewhere. Of what is forbidden each word tells that the question lacks. It stands before: "dogs are
    forbidden in the hall" is of dogs; or else behind: "it is forbidden to park by the gate".
    """
    limit = _FURTHER.search(text)
    parts = (_FORBIDS if forbids else _DENIED).split(text, maxsplit=1)
    place = _WHERE.search(parts[-1])
    told = f"{limit[0] if limit else ''} {place[0] if place and not _ALL_OVER.search(place[0]) else ''}"
    if forbids:
        told = f"{parts[0]} {told}" if content_words(parts[0]) else parts[-1]
    known = {word for own in words.forms for word in own}
    return any(word not in known and not _FRAME.fullmatch(word) for word in content_words(told))


def _within(asked: Asked, text: str) -> bool | None:
    """Tell whether the amount of a question is within the limit of a sentence; None if that says nothing."""
    limit = _LIMIT.search(text)
    found = quantities(text[limit.start() :]) if limit else []
    told = _size(found[0]) if found else None
    size = _size(asked.amounts[0]) if len(asked.amounts) == 1 else None
    if not told or not size or told[0] != size[0]:
        return None
    if size[1] > told[1]:
        return False
    # below a limit one may, but nothing is said to be so much
    return True if _ALLOWS.search(asked.text) else None


def _size(quantity: Quantity) -> tuple[str, float] | None:
    if quantity.value is None or not quantity.units:
        return None
    return quantity.units[0].kind, quantity.value * quantity.units[0].size
