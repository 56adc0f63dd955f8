"""Yes or no, where a sentence or a cell decides it (polar questions)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hybrid.generation.asking import Asked
from hybrid.generation.facts import FIELD, Quotable, asks, headings_of, section_of
from hybrid.generation.matching import Matcher, expressions, names_held
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
_DENIED = _TOLD[10]


def verdict_on(asked: Asked, fact: Quotable, words: Matcher, ranked: Sequence[Quotable]) -> str:
    """Return yes or no where what was found decides it, in the language of the question; mostly nothing."""
    yes, no = _YES_NO.get(language_of(asked.text), ("Yes", "No"))
    if _TURNED.search(asked.text.replace("’", "'")) or (_THAN.search(asked.text) and not asked.amounts):
        return ""
    if fact.row:
        return {True: yes, False: no, None: ""}[_of_cell(asked, fact, fact.row, words, ranked)]
    if (
        CELLS in fact.text
        or _BUT.search(fact.text)
        or (_PAST.search(fact.text) and not _PAST.search(asked.text))
    ):
        return ""
    count = denials(fact.text)
    if _is_beside(asked, fact, words) or (count or 0) > 1:
        return ""
    # what the document itself asks there, it does not say
    headings = fact.passage.chunk.headings if fact.passage.chunk else ()
    questioned = any(map(asks, (fact.term, fact.above, *headings)))
    share = words.share(fact.text if questioned else f"{fact.text} {fact.around}")
    if denials(section_of(fact.passage)):
        return no if share >= AFFIRMS and len(fact.text.split()) <= _BARE_ENTRY else ""
    if asked.amounts:
        return {True: yes, False: no, None: ""}[
            None if count or share < _DECIDES / 2 else _within(asked, fact.text)
        ]
    if count is None or share < _DECIDES or words.share(fact.text) < _DECIDES / 2:
        return ""
    if count % 2:
        return "" if _is_narrower(asked, fact, words) else no
    return "" if share < AFFIRMS or _OPEN.search(fact.text) else yes


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
    for name in asked.plain_names:  # the sentence before may be about another code
        if not names_held([name], own if name in asked.codes else f"{own} {fact.above}"):
            return True
    if bool(_AGAINST.search(f"{fact.above} {fact.text}")) != bool(_AGAINST.search(asked.text)):
        return True
    entry = FIELD.fullmatch(fact.text.strip())
    return bool(entry and len(entry["value"].split()) <= _BARE_ENTRY and not words.held(entry["name"]))


def _is_narrower(asked: Asked, fact: Quotable, words: Matcher) -> bool:
    """Tell whether a denial is of less than what is asked: of opened goods, where goods are asked for."""
    subject = content_words(_JOINED.split(_DENIED.split(fact.text, maxsplit=1)[0])[-1])
    known = {word for own in words.forms for word in own}
    return len(subject) > 1 and not words.held(" ".join(subject[:1])) and bool(known & set(subject[1:]))


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
