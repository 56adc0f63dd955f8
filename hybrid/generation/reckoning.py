"""Cells that a question chooses by conditions, extremes, limits, dates and sums (table reasoning)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from hybrid.generation.asking import Asked, Form
from hybrid.generation.facts import FIELD, Quotable, falls, range_of
from hybrid.generation.matching import Matcher, also, expressions, names_held, regions
from hybrid.text.dates import dates
from hybrid.text.identifiers import identifiers, identifiers_held
from hybrid.text.numbers import LETTERS, figure, quantities
from hybrid.text.rows import NO, TableRow, closed
from hybrid.text.words import (
    IN_TIME,
    OF_ANY_COLUMN,
    OF_LESS,
    ROOM,
    content_words,
    properties,
    property_of,
    stem,
)
from hybrid.types import Chunk, Hit

# A row that meets a condition gains as much as one loses that does not; more than so many count no further.
_MOST_CONDITIONS = 2.0
# A cell of words is a condition less surely than a range that the amount of the question falls into.
_TEXT = 0.5
# So near to the best fact, as a share of its score, must be the best row of the table that is reckoned with.
NEAR = 0.6
_LONGEST = 3
_BY_UNIT = 0.97
_BRACKETED = re.compile(r"[(\[]\s*([^()\[\]]+?)\s*[)\]]\s*$")
_YEAR = re.compile(r"(?:19|20)\d\d")
# Who is asked for is told by a cell with a name.
_WHO, _PERSON = re.compile(r"who\b", re.IGNORECASE), re.compile(r"(?:[A-Z][\w'’.-]+ ){1,3}[A-Z][\w'’-]+")
_TIMES = frozenset(content_words("hours days weeks months years"))
_SIZES = ("big", "larg", "small")
# What each is for stands beside it.
(_SUPERLATIVE, _NO_EXTREME, _CHANGE, _SUM, _LEAST, _TOTAL, _OTHERS, IN_STOCK, STOCK, _PEOPLE) = expressions(
    "reckoning"
)
_THAN, _ALL_OF = (
    re.compile(r"\bthan (?!\d)"),
    re.compile(r"\b(?:how many|which|list|number of) [a-z]+\b|\bwho (?:has|have|is|are|does|do|can)\b"),
)
# One of several, and that it was larger in it than in the others; not "the larger hall", "no longer".
_PERIOD = re.compile(r"\b(?:which|what|welchem) (year|quarter|month|jahr|quartal)\b")
_GREATER = re.compile(
    r"\b(?<!the )(?<!no )(?<!any )(larg|high|great|small|low|strong|weak|bigg|long|short)er\b"
)


@dataclass(frozen=True, slots=True)
class Reckoned:
    """Cells that a question asks for, of a row or several, and what we say of them ourselves.

    ``beside`` are the columns that tell rows apart which are called alike; ``sure`` says that every word of
    the question was accounted for.
    """

    facts: tuple[Quotable, ...]
    places: tuple[tuple[int, ...], ...]
    ours: str = ""
    beside: tuple[int, ...] = ()
    sure: bool = False


def asks_of_all(question: str) -> bool:
    """Tell whether a question asks for the greatest of several, all of a kind or how many there are."""
    return bool(_ALL_OF.search(question.lower())) or asks_extreme(question)


def asks_extreme(question: str) -> bool:
    """Tell whether a question asks for the greatest or the least of several."""
    return _asked_extreme(question) is not None


def _asked_extreme(question: str) -> re.Match[str] | None:
    """Return where a question asks for the greatest or the least; "in which year was it larger?" does too."""
    lowered = question.lower().replace("most recent", "latest")
    if _PERIOD.search(lowered) and " than " not in lowered:
        lowered = _GREATER.sub(r"\1est", lowered)
    return _SUPERLATIVE.search(_NO_EXTREME.sub(" ", lowered))


def file_asked_of(question: str, firsts: Sequence[Chunk], hits: Sequence[Hit]) -> str:
    """Return the source of a row of the file that a question asks for all of; empty if there is none.

    It is the file whose name and columns have most words of the question, of several the one that was found.
    """
    words = set(content_words(question))
    found = [hit.chunk for hit in hits if "#" in hit.chunk.source]
    best, most = found[0].source if found else "", 0
    for chunk in (*found, *firsts):
        named = " ".join((chunk.source, *(name for name, _ in FIELD.findall(chunk.text))))
        held = len(words & set(content_words(re.sub(r"[/._#-]", " ", named))))
        if held > most:
            best, most = chunk.source, held
    return best


def conditioned(asked: Asked, facts: Sequence[Quotable], words: Matcher) -> list[Quotable]:
    """Return facts whose rows know how far they meet what the question says of their columns.

    A column is a condition where its cells are ranges and the question has an amount, or where the question
    names the cell of one row and not that of another: "a TL20 at 15 minutes" excludes the rows of a TL40.
    A row gains where the amounts fall into its ranges, and loses for each condition that another row meets.
    """
    found = list(facts)
    for places in tables_of(facts):
        rows = [row for place in places if (row := facts[place].row)]
        if len(rows) < 2 and not any(_is_of_unit(asked, name) for name in rows[0].columns):
            continue
        unmet = [0.0] * len(rows)
        ranged = [_in_ranges(asked, row) for row in rows]
        several = sum(fit is not None for fit in ranged) > 1
        used: list[int] = []
        told = [_says(asked, rows, column, words) for column in range(len(rows[0].columns))]
        meant = _named_rows(asked, rows)
        for column, (says, size) in enumerate(told):
            # what the question names is the row, whatever words other cells share with it
            if size == _TEXT and meant and max(says[place] for place in meant) <= 0:
                continue
            if any(one > 0 for one in says) and any(one <= 0 for one in says):
                used.append(column)
                unmet = [was + size * min(one, 0.0) for was, one in zip(unmet, says, strict=True)]
        for place, row, short, fit in zip(places, rows, unmet, ranged, strict=True):
            question = f"{asked.of_columns(row.named)} {regions(asked.names, ' '.join(row.columns))}"
            text = closed(row.asked(question, without=_answers(asked, row, used), named=used))
            gain = float(bool(fit) and several and _shares(asked, facts[place], words))
            worth = max(gain + short, -_MOST_CONDITIONS)
            found[place] = replace(facts[place], in_range=worth, text=text, met=tuple(used))
    return found


def reckoned(
    asked: Asked,
    facts: Sequence[Quotable],
    scores: Sequence[float],
    words: Matcher,
    counts: Mapping[str, int] | None = None,
) -> Reckoned | None:
    """Return the cells that an extreme, a limit, a sum or the last year of the question chooses, if any.

    ``counts`` has the files of records whose rows are all there, and how many these are.
    """
    rows = [place for place, fact in enumerate(facts) if fact.row]
    if not rows or asked.form in (Form.CAUSE, Form.PROCEDURE):
        return None
    lowered = asked.last.lower().replace("most recent", "latest")
    arithmetic = bool(_CHANGE.search(lowered) or _SUM.search(lowered))
    best = max(rows, key=lambda place: scores[place])
    extreme = _asked_extreme(asked.last)
    near = sorted(
        (
            own
            for own in tables_of(facts)
            if max(scores[p] for p in own) >= NEAR * max(scores)
            or _is_of_kind(extreme, facts[own[0]], facts[scores.index(max(scores))])
        ),
        key=lambda own: -max(scores[place] for place in own),
    )
    top = scores.index(max(scores))
    # "most per day" is what a column of the best row is called
    said = bool(extreme and extreme[0] in facts[top].text.lower())
    for own in near:
        if said and top not in own:
            continue
        table = [facts[place] for place in own]
        found = _threshold(asked, lowered, table)
        if extreme and not found:
            found = _extreme(asked, extreme, table, facts[best], words, counts or {})
        if found:
            return found
    if arithmetic and scores[best] >= NEAR * max(scores):
        table = next([facts[p] for p in own] for own in near if best in own)
        return _arithmetic(asked, lowered, facts[best], table, words)
    return None


def _is_of_kind(match: re.Match[str] | None, fact: Quotable, best: Quotable) -> bool:
    """Tell whether a row is of a table that is called by the things of which the greatest is asked for."""
    if match is None or match[0] in best.text.lower():
        return False
    # "the longest boat", "which boat is the longest"
    things = {
        *content_words(match.string[match.end() :])[:2],
        *content_words(match.string[: match.start()])[-1:],
    }
    called = (
        f"{fact.passage.source.partition('#')[0]} {fact.around} {fact.row.columns[0] if fact.row else ''}"
    )
    return bool(things & set(content_words(re.sub(r"[/._#-]", " ", called))))


def tables_of(facts: Sequence[Quotable]) -> list[list[int]]:
    """Return the places of the rows of each table; the records of a file are one."""
    found: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for place, fact in enumerate(facts):
        if fact.row:
            source = fact.passage.source.partition("#")[0]
            found.setdefault((source, fact.row.columns), []).append(place)
    return list(found.values())


def _named_rows(asked: Asked, rows: Sequence[TableRow]) -> list[int]:
    """Return the places of the rows with a cell that most names of a question stand in, not all of them."""
    counts = [max(len(names_held(asked.names, cell)) for cell in row.cells) for row in rows]
    most = max(counts)
    return (
        [place for place, count in enumerate(counts) if count == most] if most and min(counts) < most else []
    )


def _shares(asked: Asked, fact: Quotable, words: Matcher) -> bool:
    """Tell whether a row, or what stands above it, has a word of the question that is no number or unit."""
    held = {asked.words[p] for p in words.held(f"{fact.wider} {fact.around} {fact.passage.source}")}
    # "7 years" are in a range of years, whatever these are about
    held -= {
        word
        for one in asked.amounts
        for word in content_words(asked.text[one.span.start : one.span.end])
        if word in _TIMES
    }
    return any(len(word) > 2 and word.isalpha() for word in held)


def _in_ranges(asked: Asked, row: TableRow) -> bool | None:
    """Tell whether what the question tells falls into every range of a row; None if it has none."""
    ranges = [(cell, found) for cell in row.cells if (found := range_of(cell))]
    return all(falls(asked, *one) for one in ranges) if ranges else None


def _says(asked: Asked, rows: Sequence[TableRow], column: int, words: Matcher) -> tuple[list[float], float]:
    """Return for each row 1 where its cell meets the question, -1 where not, else 0; and their weight."""
    cells = [row.cells[column] for row in rows]
    ranges = [range_of(cell) for cell in cells]
    if sum(found is not None for found in ranges) > 1 or (
        any(ranges) and not all(figure(cell) for cell in cells)
    ):
        fits = [
            found is not None and falls(asked, cell, found) for cell, found in zip(cells, ranges, strict=True)
        ]
        if any(fits):
            return [
                1.0 if fit else -1.0 if found else 0.0 for fit, found in zip(fits, ranges, strict=True)
            ], 1.0
    name = rows[0].columns[column].lower()
    if _is_denied(asked, name) and any(cell.lower() in NO for cell in cells):  # "with no lift"
        return [1.0 if cell.lower() in NO else -1.0 for cell in cells], 1.0
    if all(figure(cell) for cell in cells if cell):
        return equal(asked, rows[0].columns[column], cells), 1.0
    # a part of a code is no word: A-2 is not in "Elm Street 2"
    held = [words.held(" ".join(own for own in cell.split() if not identifiers(own))) for cell in cells]
    if not any(ranges):  # that something else is 7 m long as well says nothing
        sizes = frozenset(place for place, word in enumerate(asked.words) if word in asked.measures)
        held = [own - sizes for own in held]
    # what the name of the column, or all of another name, says is asked for, and tells no row from another
    whole = [name for name in rows[0].columns if set(content_words(name)) <= set(asked.words)]
    everywhere = frozenset.intersection(*held) | words.held(" ".join((rows[0].columns[column], *whole)))
    named = [names_held(asked.names, cell) for cell in cells]
    counts = [len(own - everywhere) + 2 * len(names) for own, names in zip(held, named, strict=True)]
    if not max(counts) or len(set(counts)) < 2:
        return [0.0] * len(rows), 0.0
    return [1.0 if count == max(counts) else -1.0 for count in counts], _TEXT


def _is_denied(asked: Asked, name: str) -> bool:
    """Tell whether a question has it without what a column is called: "no lift", "who is not a member"."""
    denied = r"\b(?:no|not|non|without|(?:is|are)n['’]t|kein\w*|ohne)[ -](?:being )?(?:an? |\w+ )?"
    return bool(name) and re.search(denied + _singular(name), asked.text.lower()) is not None


def equal(asked: Asked, name: str, cells: Sequence[str]) -> list[float]:
    """Return for each of the figures of a column whether it is an amount of the question of its unit."""
    kinds = kinds_of(name, cells)
    told = {one.value for one in asked.amounts if kinds and kinds & {unit.kind for unit in one.units}}
    last = stem(content_words(name)[-1]) if content_words(name) else ""
    for one in quantities(asked.text):  # "three rooms", "hall 1"
        beside = [*asked.text[: one.span.start].split()[-1:], *asked.text[one.span.end :].split()[:1]]
        if one.value is not None and last in content_words(" ".join(beside)):
            told.add(one.value)
    told |= {1.0} if re.search(rf"\b(?:each|every|per) {_singular(name)}\b", asked.text.lower()) else set()
    equal = [(number := figure(cell)) is not None and float(number.value) in told for cell in cells]
    return [1.0 if one else -1.0 for one in equal] if any(equal) else [0.0] * len(cells)


def _singular(name: str) -> str:
    words = name.partition(",")[0].split()
    last = words[-1].lower() if words else ""
    return re.escape(last.removesuffix("s")) or "-"


def _answers(asked: Asked, row: TableRow, used: Sequence[int]) -> tuple[int, ...]:
    """Return the columns that do not hold the answer: conditions, or all but one of the kind asked for."""
    rest = [place for place in range(1, len(row.cells)) if place not in used and row.cells[place]]
    if not rest:
        return ()
    if any(_is_denied(asked, row.columns[place].lower()) for place in rest):
        others = [place for place in rest if _OTHERS.search(row.columns[place])]
        return (
            tuple(place for place in range(len(row.cells)) if place not in others) if others else tuple(used)
        )
    years = [place for place in rest if _YEAR.fullmatch(row.columns[place].strip())]
    if asked.latest and len(years) > 1 and not any(_YEAR.fullmatch(name) for name in asked.names):
        last = max(years, key=lambda place: row.columns[place])
        return tuple(place for place in range(len(row.cells)) if place != last)
    words = set(content_words(asked.with_columns))
    persons = [place for place in rest if _PERSON.fullmatch(row.cells[place])]
    if persons and _WHO.match(asked.last) and not _PERSON.fullmatch(row.label):
        named = [place for place in persons if words & set(content_words(row.columns[place]))] or persons
        return tuple(place for place in range(len(row.cells)) if place not in named)
    if any(words & set(content_words(row.columns[place])) for place in rest) or asked.wanted is None:
        return tuple(used)
    of = [place for place in rest if asked.wanted.search(f"{row.cells[place]} {row.columns[place]}")]
    # of "Per year (EUR)" and a share of 500 EUR the first is a price
    of = [place for place in of if _is_of_unit(asked, row.columns[place])] or of
    return tuple(place for place in range(len(row.cells)) if place not in of) if len(of) == 1 else tuple(used)


def _extreme(
    asked: Asked,
    match: re.Match[str],
    table: Sequence[Quotable],
    best: Quotable,
    words: Matcher,
    counts: Mapping[str, int],
) -> Reckoned | None:
    """Return the row, or the cell of the best row, that is the greatest or least as the question says."""
    word = match["word"] or ""
    word = word[:-1] if word[-2:-1] == word[-1:] and word not in ("small", "full", "tall") else word
    base = stem(match["most"] or (word + ("y" if match["end"] == "iest" else "")))
    told = {*also(base), *content_words(properties(match[0]))}
    if not told and base not in OF_ANY_COLUMN | OF_LESS | IN_TIME.keys():
        return None  # "interest"
    meant = {base, *told}
    behind = content_words(match.string[match.end() :])[:2]
    if match["most"] and not behind:  # "which carries most?"
        behind = content_words(match.string[: match.start()])[-1:]
    # "the most expensive" is the cheapest turned around
    down = base in OF_LESS
    if match["most"] and behind:
        meant |= {behind[0], *also(behind[0])}
        down = (base in OF_LESS) != (behind[0] in OF_LESS)
        # "most expensive" is about prices and no other column
        base = behind[0] if also(behind[0]) else base
    kept = _kept(table)
    if not is_whole(table, counts) or len(table) < _LONGEST - 1:
        return None
    row = best if any(fact is best for fact in kept) else kept[0]
    across = _across(asked.last.lower(), row, words, alone=len(kept) == 1)
    if across is not None:
        return _greatest_cell(row, across, down=down) if row is best else None
    # a total is none of the things that are compared
    single = [fact for fact in table if fact.row and not _TOTAL.match(fact.row.label)]
    return _greatest_row(asked, _kept(single or table), meant, base, down=down)


def is_whole(table: Sequence[Quotable], counts: Mapping[str, int]) -> bool:
    """Tell whether no row is missing: of a file of records there may be more than were found."""
    file, mark, _ = table[0].passage.source.partition("#")
    return not mark or counts.get(file) == len(table)


def _greatest_cell(fact: Quotable, across: Sequence[int], *, down: bool) -> Reckoned | None:
    """Return the greatest or the least of some cells of a row, if it is one."""
    cells = fact.row.cells if fact.row else ()
    figures = {place: one.value for place in across if (one := figure(cells[place]))}
    if len(figures) < 2:
        return None
    best = (min if down else max)(figures.values())
    places = tuple(place for place, number in figures.items() if number == best)
    return Reckoned((fact,), (places,)) if len(places) == 1 else None


def _greatest_row(
    asked: Asked, kept: Sequence[Quotable], meant: set[str], base: str, *, down: bool
) -> Reckoned | None:
    """Return the row with the greatest or the least cell in the column that is meant, or two of them."""
    rows = [fact.row for fact in kept if fact.row]
    if len(rows) < 2:
        return None
    column = _measured(asked, rows, meant, base)
    if column is None:
        return None
    sizes = [_measure(row.cells[column]) for row in rows]
    if is_dated(rows, column):
        turn = IN_TIME.get(base, 0)
        if not turn:
            return None
        down = turn < 0
    told = [size for size in sizes if size is not None]
    if len(told) < 2 or len(told) < len(rows) - 1 or len({len(size) for size in told}) > 1:
        return None
    best_size = (min if down else max)(told)
    chosen = [fact for fact, size in zip(kept, sizes, strict=True) if size == best_size]
    places = tuple(_with_asked(asked, rows[0], column) for _ in chosen)
    return Reckoned(tuple(chosen), places) if len(chosen) <= _LONGEST - 1 else None


def _kept(table: Sequence[Quotable]) -> list[Quotable]:
    """Return the rows that meet most of the conditions."""
    most = max(fact.in_range for fact in table)
    return [fact for fact in table if fact.in_range == most]


def _across(lowered: str, fact: Quotable, words: Matcher, *, alone: bool) -> list[int] | None:
    """Return the columns of periods that a question asks for one of, where the row is named or the best."""
    asks, row = _PERIOD.search(lowered), fact.row
    if not asks or row is None or not words.held(row.label):
        return None
    heads = _YEAR if asks[1] in ("year", "jahr") else re.compile(r"\S.*")
    found = {place: heads.findall(name) for place, name in enumerate(row.columns) if place}
    found = {place: told for place, told in found.items() if told}
    if not alone and (heads is not _YEAR or len(found) < 2):
        return None
    # men and women of one year are no two years
    return list(found) if len({tuple(told) for told in found.values()}) == len(found) else []


def _measured(asked: Asked, rows: Sequence[TableRow], meant: set[str], base: str) -> int | None:
    """Return the column that a superlative is about: by its name, its units, or the only one with figures."""
    numeric = [
        place
        for place in range(len(rows[0].columns))
        if sum(_measure(row.cells[place]) is not None for row in rows) >= max(2, len(rows) - 1)
        and (place or all(figure(row.cells[0]) is not None for row in rows))
    ]
    dated = [place for place in numeric if is_dated(rows, place)]
    if base in IN_TIME and dated:
        return dated[0]
    asked_words = set(content_words(asked.text))
    worth: dict[int, float] = {}
    for place in numeric:
        if place in dated:
            continue
        own = set(content_words(rows[0].columns[place]))
        kinds = kinds_of(rows[0].columns[place], [row.cells[place] for row in rows])
        each = [one for row in rows if (one := _kinds(row.cells[place]))]
        if each and not frozenset.intersection(*each):  # 10 % is neither more nor less than 500 EUR
            continue
        told = {word for kind in kinds for word in content_words(property_of(kind))}
        # a column is meant by its name before its unit: of "Width (m)" and "Length (m)" the longest is of one
        said = 1.0 * bool(own & meant) or _BY_UNIT * bool(told & meant)
        named = 2.0 * bool(asked.codes & own)
        worth[place] = said + named + 0.5 * len(own & asked_words) - 0.001 * place
    best = max(worth, key=lambda place: worth[place], default=None)
    if best is None:
        return None
    least = 0.45 if base in OF_ANY_COLUMN else 0.95
    if worth[best] < least and base in _SIZES:  # the largest station has most of what is counted first
        counts = (place for place in worth if all(row.cells[place].isdigit() for row in rows))
        return next(counts, None) if len(worth) > 1 else best
    return best if worth[best] >= least or (base in OF_ANY_COLUMN and len(worth) == 1) else None


def is_dated(rows: Sequence[TableRow], place: int) -> bool:
    """Tell whether all cells of a column are years or dates."""
    cells = [row.cells[place] for row in rows if row.cells[place]]
    return all(_YEAR.fullmatch(cell) or (figure(cell) is None and dates(cell)) for cell in cells)


def _threshold(asked: Asked, lowered: str, table: Sequence[Quotable]) -> Reckoned | None:
    """Return the row that is just large enough for so many people, or all that keep a limit."""
    least, people = _LEAST.search(lowered), _PEOPLE.search(lowered)
    if len(asked.amounts) != 1 or not (least or people) or "#" in table[0].passage.source:
        return None
    amount = asked.amounts[0]
    if amount.value is None or len(table) < 2:
        return None
    rows = [fact.row for fact in table if fact.row]
    kinds = {unit.kind for unit in amount.units}
    columns = [
        place
        for place in range(1, len(rows[0].columns))
        if all(figure(row.cells[place]) and range_of(row.cells[place]) is None for row in rows)
        and (
            {kind for row in rows for kind in _kinds(row.cells[place])} & kinds
            if kinds
            else bool(ROOM & set(content_words(rows[0].columns[place])))
        )
    ]
    if len(columns) != 1:
        return None
    sizes = [one.value for row in rows if (one := figure(row.cells[columns[0]]))]
    fitting = [place for place, size in enumerate(sizes) if size >= amount.value]
    if not fitting:
        return None
    best = min(fitting, key=lambda place: sizes[place])
    return Reckoned((table[best],), (_with_asked(asked, rows[best], columns[0]),))


def _with_asked(asked: Asked, row: TableRow, place: int) -> tuple[int, ...]:
    """Return a column, and that of what is asked for beside it, as a price."""
    words = set(content_words(asked.with_columns))
    others = [
        p for p, name in enumerate(row.columns) if p and p != place and words & set(content_words(name))
    ]
    if _YEAR.search(row.columns[place]):  # one year is asked for
        others = []
    return tuple(sorted({place, *others[:1]}))


def _arithmetic(
    asked: Asked, lowered: str, best: Quotable, table: Sequence[Quotable], words: Matcher
) -> Reckoned | None:
    """Return the two cells that are added, or taken from each other, and how, as far as their units agree."""
    row = best.row
    if row is None:
        return None
    places = _named_columns(asked, row, best.met, words)
    # of two things that are rows one column is meant, the one named shortest
    behind = set(content_words(lowered.partition(" than ")[2]))
    than = [place for place in places if set(content_words(row.columns[place])) <= behind]
    is_of_rows = _THAN.search(lowered) and not 0 < len(than) < len(places)
    if is_of_rows and len(places) > 1 and not any(_YEAR.search(row.columns[p]) for p in places):
        places = [min(places, key=lambda place: len(row.columns[place].split()))]
    facts = [best]
    if len(places) < 2:
        kept = [fact for fact in _kept(table) if fact.row and _is_told(asked, fact.row, words)]
        if len(kept) != 2 or not places:
            return None
        facts, cells = kept, [(fact, places[0]) for fact in kept]
    else:
        cells = [(best, place) for place in places]
    total = bool(_SUM.search(lowered))
    if len(cells) > 2 and not total:
        return None
    told = [found for fact, place in cells if fact.row and (found := figure(fact.row.cells[place]))]
    units = {(found.before, found.unit) for found in told}
    styles = {found.comma for found in told} - {None}
    if len(told) < max(len(cells), 2) or len(units) > 1 or len(styles) > 1:
        return None
    written, numbers = [found.written for found in told], [found.value for found in told]
    if not total:
        later_first = len(facts) == 1 and all(_YEAR.search(row.columns[place]) for place in places)
        if (later_first and row.columns[places[0]] < row.columns[places[1]]) or (
            not later_first and numbers[0] < numbers[1]
        ):
            numbers, written = numbers[::-1], written[::-1]
    result = sum(numbers, Decimal(0)) if total else numbers[0] - numbers[1]
    before, unit = next(iter(units))
    scale = row.valued(places[0]).removeprefix(row.cells[places[0]]).strip()
    sign = " + " if total else " − "
    sized = f"{result:,}".replace("-", "−")
    sized = sized.translate(str.maketrans(",.", ".,")) if True in styles else sized
    shown = " ".join(filter(None, (before, sized, unit, scale)))
    chosen = tuple(places) if len(facts) == 1 else (places[0],)
    ours = f"Our arithmetic: {sign.join(written)} = {shown}"
    # rows or columns that have all names of the question between them are those that are meant
    called = " | ".join([*row.columns, *(fact.row.label for fact in facts if fact.row)])
    sure = len(asked.names) > 1 and len(names_held(asked.names, called)) == len(asked.names)
    return Reckoned(tuple(facts), tuple(chosen for _ in facts), ours, sure=sure)


def _is_told(asked: Asked, row: TableRow, words: Matcher) -> bool:
    """Tell whether the question has something of the cells without figures that say which row it is."""
    said = " ".join(cell for place, cell in enumerate(row.cells) if not place or not figure(cell))
    return bool(words.held(said) or names_held(asked.names, said))


def _named_columns(asked: Asked, row: TableRow, used: Sequence[int], words: Matcher) -> list[int]:
    """Return the columns with figures that a question names, or the only one."""
    figures = [place for place, cell in enumerate(row.cells) if place and place not in used and figure(cell)]
    named = [
        place
        for place in figures
        if identifiers_held(asked.codes, row.columns[place]) or words.held(row.columns[place])
    ]
    kind = [place for place in figures if _is_of_unit(asked, row.columns[place])]
    return named or next((own for own in (figures, kind) if len(own) == 1), [])


def _is_of_unit(asked: Asked, name: str) -> bool:
    """Tell whether a column has a unit of the kind of thing that is asked for in brackets."""
    unit = _BRACKETED.search(name)
    return bool(unit and asked.wanted and _kinds(f"1 {unit[1]}") and asked.wanted.search(f"1 {unit[1]}"))


def _kinds(text: str) -> frozenset[str]:
    return frozenset(unit.kind for one in quantities(text) for unit in one.units)


def unit_of(name: str) -> str:
    """Return what may be the unit of a column: what its name has in brackets at its end, or its last word."""
    found = _BRACKETED.search(name)
    unit = found[1] if found else name.split()[-1] if name.split() else ""
    # "M" is a million
    return LETTERS.get("l" if unit == "L" else unit, unit)


def kinds_of(name: str, cells: Sequence[str]) -> frozenset[str]:
    """Return the kinds of unit that the figures of a column have, by its cells or else by its name."""
    return _kinds(" ; ".join(cells)) or _kinds(f"1 {unit_of(name)}")


def amounts_of(name: str, cells: Sequence[str], *, dated: bool = False) -> list[float | None]:
    """Return what cells of a column are compared by, in base units or as years; None where one is none."""
    if dated:
        years = [_YEAR.findall(cell) for cell in cells]
        return [float(own[0]) if len(set(own)) == 1 else None for own in years]
    unit = "" if _kinds(" ; ".join(cells)) else unit_of(name)
    unit = unit if _kinds(f"1 {unit}") else ""
    sizes = [_measure(f"{cell} {unit}".strip()) if figure(cell) else None for cell in cells]
    return [size[0] if size and len(size) == 1 else None for size in sizes]


def _measure(cell: str) -> tuple[float, ...] | None:
    """Return what a cell is compared by: its number in the base unit, or its date."""
    if number := figure(cell):
        found = [one for one in quantities(cell) if one.units]
        return (float(number.value) * (found[0].units[0].size if found else 1.0),)
    told = dates(cell)
    if len(told) == 1 and told[0].year:
        return float(told[0].year), float(told[0].month or 0), float(told[0].day or 0)
    return None
