"""The rows of a table that a question counts or lists, and whether that is sure (row selection)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from hybrid.generation.asking import FOLLOWED, Asked, Form
from hybrid.generation.facts import Quotable, falls, place_of, range_of
from hybrid.generation.matching import Matcher, also, expressions, inflected, names_held
from hybrid.generation.reckoning import (
    IN_STOCK,
    NEAR,
    STOCK,
    Reckoned,
    amounts_of,
    equal,
    is_dated,
    is_whole,
    kinds_of,
    tables_of,
    unit_of,
)
from hybrid.text.folding import fold
from hybrid.text.numbers import Quantity, figure, quantities
from hybrid.text.rows import NO, YES, TableRow
from hybrid.text.words import STOP_WORDS, content_words, stem, word_set

# What each is for stands beside it.
_TOLD = expressions("selecting")
_COUNTS, _CHOOSES, _DENIES, _SAID_SO, _ALIKE, _ENDS, _LINKS, _VERBS, _COMPARED, _TURNED, _ALONE, _ASIDE = (
    _TOLD
)
_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[,;\u2028]")
_ONLY = "only"
_YEAR, _WHO = re.compile(r"(?:19|20)\d\d"), re.compile(r"(?:who|wer)\b", re.IGNORECASE)
_NONE = frozenset((*NO, "never", "not yet", "n/a", "nil", "nie", "0"))
_SOME = frozenset((*YES, "x"))
# What a column of yes and no may be called beside what it is about, and what a question says beside it.
_LIGHT = frozenset(
    map(stem, word_set("included available provided allowed needed required possible permitted"))
)
_BESIDE = frozenset(
    map(stem, word_set("total currently still altogether exist existing list show row present"))
)
# So many rows are told one by one; of more so many are shown, and of those that are counted.
_LISTED, _SHOWN, _FIRST = 16, 8, 3


def selected(
    asked: Asked,
    facts: Sequence[Quotable],
    scores: Sequence[float],
    words: Matcher,
    counts: Mapping[str, int] | None = None,
) -> Reckoned | None:
    """Return the rows that a question counts or lists, and their number if that is asked for and sure.

    A row is one that the question means where its cells keep every condition; a word of the question that no
    condition, no column and nothing above the table accounts for, or a denial of nobody knows what, makes it
    unsure. Then rows are shown and not counted.

    Args:
        asked: the question.
        facts: what was found, and the records of a file.
        scores: how good an answer each is.
        words: those of the question.
        counts: the files of records whose rows are all there, and how many these are.
    """
    counted = bool(asked.counted or _COUNTS.search(asked.last))
    if asked.form in (Form.CAUSE, Form.PROCEDURE, Form.COMPARISON) or not (
        counted or asked.lists or _CHOOSES.search(asked.last)
    ):
        return None
    top = max(scores)
    best = scores.index(top)
    unsure: list[Reckoned] = []
    for own in tables_of(facts):
        table = [facts[place] for place in own]
        if len(table) < 2 or not is_whole(table, counts or {}):
            continue
        if not counted and max(scores[place] for place in own) < NEAR * top:
            continue
        found = _Selection(asked, sorted(table, key=place_of), words, counted=counted, best=best in own)
        if found.told and found.is_sure:
            return found.told
        unsure += [found.told] if found.told else []
    return next(iter(unsure), None)


def _over(fact: Quotable) -> str:
    """Return what a table is called by: its file, headings and caption, and what it hangs on."""
    chunk = fact.passage.chunk
    named = (*chunk.headings, chunk.caption) if chunk and "#" not in fact.passage.source else ()
    return " ".join((fact.passage.source, *named, fact.term, fact.above))


@dataclass(frozen=True, slots=True)
class _QuestionWord:
    """A word of a question: whether it is denied, and whether nobody knows if it is."""

    text: str
    stem: str
    start: int
    denied_by: int = -1
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class _Condition:
    """What a question says of a column: the rows that keep it, and the places of the words that say so."""

    column: int
    kept: tuple[bool, ...]
    said: frozenset[int]
    sure: bool = True
    polar: bool = False


class _Selection:
    """A question read against the rows of one table."""

    def __init__(
        self, asked: Asked, table: Sequence[Quotable], words: Matcher, *, counted: bool, best: bool
    ) -> None:
        self.asked, self.table, self.counted, self.best = asked, table, counted, best
        self.rows: list[TableRow] = [fact.row for fact in table if fact.row]
        self.columns = self.rows[0].columns
        self.named = [frozenset(content_words(name)) for name in self.columns]
        self.above = frozenset(content_words(re.sub(r"[/._#-]", " ", _over(table[0]))))
        self.forms = {word: frozenset(own) for word, own in zip(asked.words, words.forms, strict=True)}
        plain = _SAID_SO.sub(lambda found: "except" if found["but"] else "not", asked.text)
        self.text = _ALIKE.sub(lambda found: _apart(found, self._is_own), plain)
        self.words = _read(self.text)

    @cached_property
    def told(self) -> Reckoned | None:
        """Return the rows, and what we say of them."""
        if self.counted and self._is_in_cell:  # "how many courses" is what a cell says
            return None
        if not self.things and not (self.best and (self.denials or _CHOOSES.search(self.asked.last))):
            return None
        return self._counted() if self.counted else self._listed()

    @cached_property
    def is_sure(self) -> bool:
        """Tell whether every word of the question is accounted for, and every denial denies something."""
        consumed = {self.words[place].denied_by for one in self.conditions for place in one.said}
        plain = all(one.sure for one in self.conditions)
        return (
            bool(self.things or self._is_who)
            and plain
            and not self.left
            and self.denials <= consumed | self.compared
        )

    @cached_property
    def denials(self) -> frozenset[int]:
        """Return the places of the words that deny."""
        return frozenset(place for place, word in enumerate(self.words) if _DENIES.fullmatch(word.text))

    @cached_property
    def of(self) -> int | None:
        """Return the column that what is asked for is called by, if it has words."""
        places = (p for p, own in enumerate(self.named) if any(self._meets(t, own) for t in self._phrase))
        place = next(places, None)
        return None if place is None or any(figure(row.cells[place]) for row in self.rows) else place

    @cached_property
    def _is_in_cell(self) -> bool:
        """Tell whether what is counted is a column of figures, or a row with one in a named column."""
        figured = [[place and figure(cell) for place, cell in enumerate(row.cells)] for row in self.rows]
        named = [place for place, own in enumerate(self.named) if any(map(own.__contains__, self.forms))]
        called = [
            own for own, cells in zip(self.named, zip(*figured, strict=True), strict=True) if any(cells)
        ]
        called += [
            frozenset(content_words(row.label))
            for row, own in zip(self.rows, figured, strict=True)
            if any(own[place] for place in named)
        ]
        whole = self.named[0] | self.above  # "how many rooms" are rows, and an "Oar room" is one
        return any(
            self._meets(place, own) and not self._meets(place, whole)
            for place in self._phrase
            for own in called
        )

    @cached_property
    def things(self) -> frozenset[int]:
        """Return the places of the words for what is counted: the table or a column is called so."""
        if self.of is not None:
            return frozenset(t for t in self._phrase if self._meets(t, self.named[self.of]))
        called = frozenset(t for t in self._phrase if self._meets(t, self.above))
        if called or not self.best:
            return called
        # "which suites", "how many suites": of the kind suite
        plural = re.match(r"(?:which|what|how many) \w+s\b", self.asked.last.lower())
        cells = frozenset(word for row in self.rows for cell in row.cells for word in content_words(cell))
        return frozenset(t for t in self._phrase if plural and self._meets(t, cells))

    @cached_property
    def _begin(self) -> int:
        """Return where the words stand that say what is counted or listed."""
        match = _COUNTS.search(self.text) or _CHOOSES.search(self.text)
        return match.end() if match else 0

    @cached_property
    def _phrase(self) -> list[int]:
        """Return the places of the words that say what is counted or listed: those up to the verb."""
        found: list[int] = []
        for place, word in enumerate(self.words):
            if (
                self._is_who
                or word.start < self._begin
                or (not found and not word.stem and not _VERBS.fullmatch(word.text))
            ):
                continue
            if not word.stem or _VERBS.fullmatch(word.text):
                break
            found.append(place)
        return found

    @cached_property
    def _is_who(self) -> bool:
        """Tell whether persons are asked for, which no table has to be called by."""
        return self.best and not self.counted and bool(_WHO.match(self.asked.last))

    def _is_own(self, word: str) -> bool:
        """Tell whether a word stands in a name or a cell of the table as it is."""
        return any(word in own for own in self.named) or any(
            word in content_words(cell) for row in self.rows for cell in row.cells
        )

    def _meets(self, place: int, stems: frozenset[str]) -> bool:
        """Tell whether a word of the question is one of these stems, inflected or by another word."""
        own = self.words[place].stem
        if not own:
            return False
        forms = self.forms.get(own, frozenset()) | {own, f"{own}e"} | also(own)
        return bool(forms & stems) or any(inflected(own, other) for other in stems)

    @cached_property
    def left(self) -> list[str]:
        """Return the words of the question that nothing accounts for."""
        said = {place for one in self.conditions for place in one.said} | self.things | self.compared
        return [
            word.text
            for place, word in enumerate(self.words)
            if word.stem
            and place not in said
            and word.start >= self._begin
            and (word.stem in self.forms or word.stem == _ONLY or any(map(str.isdigit, word.text)))
            and word.stem not in _BESIDE
            and not _DENIES.fullmatch(word.text)
            and not (self._is_who and _VERBS.fullmatch(word.text))
            and not self._meets(place, self.above)
        ]

    @cached_property
    def conditions(self) -> list[_Condition]:
        """Return what the question says of the columns, the surest first."""
        found = list(self._comparisons())
        taken = {place for one in found for place in one.said}
        # "never surveyed" is told by yes and no, "surveyed in 2025" by the cells
        found += [
            replace(one, said=one.said | self._naming(one.column, taken), kept=self._turned_by(one, taken))
            for column in range(len(self.columns))
            if column not in {one.column for one in found} and self._naming(column, taken)
            for one in self._by_cells(column, taken)
        ]
        taken |= {place for one in found for place in one.said}
        polar = [
            one
            for column in range(len(self.columns))
            if column not in {one.column for one in found}
            for one in self._polar(column, taken)
        ]
        # of "electricity included" and "water included" the question says all words of one
        found += [one for one in polar if not any(one.said < other.said for other in polar)]
        taken |= {place for one in found for place in one.said}
        columns = [
            column for column in range(len(self.columns)) if column not in {one.column for one in found}
        ]
        said = [one for column in columns for one in self._by_cells(column, taken)]
        # "adults only" says more than an adult choir, and whom it is for more than what it is called
        return found + [
            one
            for one in said
            if not any(
                one.said < other.said or (one.said == other.said and one.column == 0 < other.column)
                for other in said
            )
        ]

    @cached_property
    def compared(self) -> frozenset[int]:
        """Return the places of the words of comparisons with a number, and of what these are compared by."""
        spans = [match.span() for match in _COMPARED.finditer(self.text)]
        return frozenset(
            place for place, word in enumerate(self.words) if any(a <= word.start < b for a, b in spans)
        )

    def _cells(self, column: int) -> list[str]:
        return [row.cells[column] for row in self.rows]

    def _turned(self, kept: Sequence[bool], said: frozenset[int]) -> tuple[tuple[bool, ...], bool]:
        """Return which rows keep a condition as it is said or denied, and whether that is certain."""
        denied = self._is_denied(said)
        doubtful = any(self.words[place].doubtful for place in said)
        return tuple(one != denied for one in kept), not doubtful

    def _naming(self, column: int, taken: set[int]) -> frozenset[int]:
        """Return the places of the words that a column is called by."""
        return frozenset(
            place
            for place in range(len(self.words))
            if place not in taken and place not in self.things and self._meets(place, self.named[column])
        )

    def _turned_by(self, one: _Condition, taken: set[int]) -> tuple[bool, ...]:
        """Return the rows that keep a condition whose column is denied: "not surveyed in 2025"."""
        naming = self._naming(one.column, taken) - one.said
        denied = self._is_denied(naming) and not self._is_denied(one.said)
        return tuple(kept != denied for kept in one.kept)

    def _polar(self, column: int, taken: set[int]) -> Iterator[_Condition]:
        """Yield what a question says of a column of yes and no, or of one where some rows have nothing."""
        cells = [cell.lower() for cell in self._cells(column)]
        name = self.columns[column]
        said = self._naming(column, taken)
        stocked = IN_STOCK.search(self.text) if STOCK.search(name) else None
        if stocked:
            said |= {p for p, word in enumerate(self.words) if stocked.start() <= word.start < stocked.end()}
        none, blank = [cell in _NONE for cell in cells], [not cell for cell in cells]
        some = [cell in _SOME for cell in cells]
        if not said or not (any(none) or any(blank)):
            return
        bare = all(one or other or empty for one, other, empty in zip(none, some, blank, strict=True))
        kept, certain = self._turned([not (a or b) for a, b in zip(none, blank, strict=True)], said)
        if stocked and stocked["none"]:
            kept = tuple(one or empty for one, empty in zip(none, blank, strict=True))
        covered = frozenset(
            word for word in self.named[column] for place in said if self._meets(place, frozenset([word]))
        )
        whole = bool(stocked) or self.named[column] - covered <= _LIGHT
        # an empty cell says no only where no other one does, and nothing of what is no yes or no
        denied = self._is_denied(said)
        told = not any(blank) or (not any(none) and (bare or not denied))
        yield _Condition(column, kept, said, sure=certain and whole and told, polar=True)

    def _by_cells(self, column: int, taken: set[int]) -> Iterator[_Condition]:
        """Yield what a question says by words of the cells of a column: those said, and those denied."""
        cells = self._cells(column)
        if all(figure(cell) for cell in cells if cell):
            yield from self._by_figures(column, cells)
            return
        ranges = [range_of(cell) for cell in cells]
        fits = [bool(one and falls(self.asked, cell, one)) for cell, one in zip(cells, ranges, strict=True)]
        numbers = {one.written.lower() for one in self.asked.amounts}
        numbers -= {self.words[place].text for place in taken}
        if any(fits) and all(ranges) and numbers:
            said = frozenset(place for place, word in enumerate(self.words) if word.text in numbers)
            kept, certain = self._turned(fits, said)
            yield _Condition(column, kept, said, sure=certain)
            return
        stems = self._with_only([frozenset(content_words(cell)) for cell in cells], cells)
        everywhere = frozenset[str].intersection(*stems)
        names = {stem_: name for name in self.asked.names for stem_ in content_words(name)}
        for denied in (False, True):
            hits = [
                frozenset(
                    place
                    for place, word in enumerate(self.words)
                    if (word.denied_by >= 0) == denied and place not in taken and word.stem
                    if place not in self.things or self._is_kind(place, cell)
                    if self._meets(place, own - everywhere - self.named[column])
                    or (word.stem in names and names_held([names[word.stem]], cell))
                )
                for own, cell in zip(stems, cells, strict=True)
            ]
            most = max(map(len, hits))
            # a number alone is in many cells by chance
            plain = any(not self.words[place].text.isdigit() for own in hits for place in own)
            if not most or not (plain or any(_YEAR.fullmatch(cell) for cell in cells)):
                continue
            said = frozenset(place for own in hits if len(own) == most for place in own)
            kept, certain = self._turned([len(own) == most for own in hits], said)
            if not all(kept):
                yield _Condition(column, kept, said, sure=certain and (not denied or all(cells)))

    def _with_only(self, stems: Sequence[frozenset[str]], cells: Sequence[str]) -> list[frozenset[str]]:
        """Return the stems of cells, with "only" where they say it, or else have no more than is asked."""
        asked = [place for place, word in enumerate(self.words) if word.stem not in ("", _ONLY)]
        met = [[one for one in own if any(self._meets(p, frozenset([one])) for p in asked)] for own in stems]
        said = [bool(own) and bool(_ALONE.search(cell)) for own, cell in zip(met, cells, strict=True)]
        whole = [0 < len(own) == len(every) for own, every in zip(met, stems, strict=True)]
        said = said if any(said) else whole
        return [own | {_ONLY} if only else own for own, only in zip(stems, said, strict=True)]

    def _is_kind(self, place: int, cell: str) -> bool:
        """Tell whether the word for what is counted says of a row what it is: suites, a head nurse."""
        head = content_words(_ASIDE.split(cell, maxsplit=1)[0])[-1:]
        return self.of is None and (not self._meets(place, self.above) or self._meets(place, frozenset(head)))

    def _by_figures(self, column: int, cells: Sequence[str]) -> Iterator[_Condition]:
        """Yield the amount that figures of a column are to be equal to: three rooms, each week, in 2025."""
        name = self.columns[column]
        told = [one > 0 for one in equal(self.asked, name, cells)]
        years = frozenset(p for p, word in enumerate(self.words) if _YEAR.fullmatch(word.text))
        if not any(told) and years and all(_YEAR.fullmatch(cell) for cell in cells if cell):
            named = any(self._meets(place, self.named[column]) for place in range(len(self.words)))
            told = [named and any(self.words[place].text == cell for place in years) for cell in cells]
        if not any(told):
            return
        numbers = {one.written.lower() for one in quantities(self.text)} | {"each", "every", "per", "only"}
        said = frozenset(
            place
            for place, word in enumerate(self.words)
            if word.text in numbers or place in years or self._meets(place, self.named[column])
        )
        kept, certain = self._turned(told, said)
        yield _Condition(column, kept, said, sure=certain)

    def _comparisons(self) -> Iterator[_Condition]:
        """Yield the limits of the question that one column of figures is held against."""
        for match in _COMPARED.finditer(self.text):
            amount = next((one for one in quantities(self.text) if one.span.start >= match.start()), None)
            if amount is None or amount.value is None or amount.span.start >= match.end():
                continue
            end = max(match.end(), amount.span.end + 2 * bool(amount.units))  # with its unit
            said = frozenset(p for p, word in enumerate(self.words) if match.start() <= word.start < end)
            column = self._measured(amount)
            if column is None:
                continue
            keeps = _limit(match)
            year = bool(_YEAR.fullmatch(amount.written))
            name, cells = self.columns[column], self._cells(column)
            sizes = amounts_of(name, cells, dated=year)
            limit = amount.value * (amount.units[0].size if amount.units else 1.0)
            bare = not amount.units and not year
            if bare and (told := amounts_of(name, [amount.written])[0]) is not None:
                limit = told  # in the unit of the column
            unclear = bare and bool(kinds_of("", cells))
            denied = bool(_TURNED.match(match.group())) != any(
                self.words[place].denied_by >= 0 and self.words[place].denied_by not in said for place in said
            )
            beside = {
                place
                for place, word in enumerate(self.words)
                if self._meets(place, self.named[column]) or _VERBS.fullmatch(word.text)
            }
            yield _Condition(
                column,
                tuple(size is not None and keeps(size, limit) != denied for size in sizes),
                said | beside,
                sure=None not in sizes and not unclear,
            )

    def _measured(self, amount: Quantity) -> int | None:
        """Return the one column of figures that an amount is a limit of: by its unit, else by its name."""
        kinds = {unit.kind for unit in amount.units}
        if _YEAR.fullmatch(amount.written):
            dated = [place for place in range(1, len(self.columns)) if is_dated(self.rows, place)]
            return dated[0] if len(dated) == 1 else None
        numeric = [
            place
            for place in range(1, len(self.columns))
            if sum(figure(row.cells[place]) is not None for row in self.rows) > len(self.rows) / 2
        ]
        own = {place: kinds_of(self.columns[place], self._cells(place)) for place in numeric}
        fitting = [place for place in numeric if not kinds or not own[place] or kinds & own[place]]
        units = {p: set(content_words(unit_of(self.columns[p]))) if own[p] else set() for p in numeric}
        exact = {word.stem for word in self.words if word.stem}
        for named in (
            [place for place in fitting if exact & (self.named[place] - units[place])],
            [p for p in fitting if any(self._meets(w, self.named[p]) for w in range(len(self.words)))],
            [place for place in fitting if kinds & own[place]],
        ):
            if named:
                return named[0] if len(named) == 1 else None
        return None

    @cached_property
    def _kept(self) -> list[Quotable]:
        return [
            fact for place, fact in enumerate(self.table) if all(one.kept[place] for one in self.conditions)
        ]

    def _counted(self) -> Reckoned | None:
        if not self.is_sure:
            if not self.denials and (self.left or not self.things):
                return None
            doubtful = any(word.doubtful for word in self.words)
            what = "what is denied may be one or both" if doubtful else "not every row says it"
            what = f"it is not sure what “{self.left[0]}” means here" if self.left else what
            return self._shown(self._kept or self.table, f"Not counted: {what}")
        ours = f"Our count: {len(self._kept)}"
        return self._shown(self._kept or self.table, ours)

    def _listed(self) -> Reckoned | None:
        polar = any(one.polar or self._is_denied(one.said) for one in self.conditions)
        named = any(names_held(self.asked.names, cell) for row in self.rows for cell in row.cells[1:])
        if not self.conditions or not self._kept or not (self.things or polar or self._is_who or named):
            return None
        if not self.asked.lists and not polar and not (self._is_who and self.is_sure):
            return None
        if not self.is_sure and not (self.best and len(self.left) <= 1 and len(self._kept) > 1):
            return None
        if self.denials and not self.is_sure and not polar:
            return None
        return self._shown(self._kept, "")

    def _is_denied(self, said: frozenset[int]) -> bool:
        return any(self.words[place].denied_by >= 0 for place in said)

    def _shown(self, kept: Sequence[Quotable], ours: str) -> Reckoned:
        """Return rows with the cells that were asked about; of many the first, and how many there are."""
        asked = {one.column for one in self.conditions if one.column}
        places = tuple(sorted({*asked, *([self.of] if self.of else [])}))
        labels = [row.label for row in self.rows]
        alone = all(fact.row and labels.count(fact.row.label) == 1 for fact in kept)
        beside = () if alone else telling_apart(self.table, places)
        if not places:
            places, beside = beside or (1,), ()
        if len(kept) > _LISTED and self.counted:
            which = "the first of which" if self._kept else f"none of {len(kept)} rows; the first of all"
            ours, kept = f"{ours}, {which} are shown", kept[:_FIRST]
        elif len(kept) > _LISTED:
            ours, kept = f"The first {_SHOWN} of {len(kept)} rows", kept[:_SHOWN]
        return Reckoned(tuple(kept), tuple(places for _ in kept), ours, beside, self.is_sure)


def telling_apart(kept: Sequence[Quotable], shown: Sequence[int]) -> tuple[int, ...]:
    """Return the column beside the first that tells rows apart which are called alike, if any."""
    rows = [fact.row for fact in kept if fact.row]
    if len({row.label for row in rows}) == len(rows):
        return ()
    others = [p for p in range(1, len(rows[0].cells)) if p not in shown]
    apart = {p: len({(row.label, row.cells[p]) for row in rows}) for p in others}
    best = max(others, key=lambda place: apart[place], default=None)
    return () if best is None or apart[best] <= len({row.label for row in rows}) else (best,)


def _limit(match: re.Match[str]) -> Callable[[float, float], bool]:
    """Return how a size is held against the limit of a comparison."""
    if match["least"] or match["more"]:
        return lambda size, limit: size >= limit
    if match["most"] or match["less"]:
        return lambda size, limit: size <= limit
    if match["over"]:
        return lambda size, limit: size > limit
    return lambda size, limit: size < limit


def _read(text: str) -> list[_QuestionWord]:
    """Return the words of a question, those behind a denial as denied up to where its clause ends."""
    words: list[_QuestionWord] = []
    negator, reached, doubtful = -1, False, False
    for match in _TOKEN.finditer(text):
        word = fold(match.group())
        silent = word in STOP_WORDS or _ENDS.fullmatch(word) or _DENIES.fullmatch(word)
        own = _ONLY if _ALONE.fullmatch(word) else "" if silent else stem(word)
        place = len(words)
        if _DENIES.fullmatch(word):
            negator, reached, doubtful = place, False, False
        elif negator >= 0 and reached and (_ENDS.fullmatch(word) or _VERBS.fullmatch(word)):
            negator = -1
        elif negator >= 0 and reached and _LINKS.fullmatch(word):
            # "no lift and a balcony": nobody knows, but for "and are"
            doubtful = True
        denied = negator if own else -1
        words.append(_QuestionWord(word, own, match.start(), denied, doubtful=doubtful and denied >= 0))
        reached = reached or bool(own)
    return _of_before(words, negator) if negator >= 0 and not reached else words


def _of_before(words: list[_QuestionWord], negator: int) -> list[_QuestionWord]:
    """Return words in which an ending denies what was asked before: "... are occupied? How many are not?"."""
    texts = [word.text for word in words]
    if FOLLOWED not in texts:
        return words
    end = texts.index(FOLLOWED)
    verbs = [place for place in range(end) if _VERBS.fullmatch(texts[place])]
    return [
        replace(word, denied_by=negator) if word.stem and verbs and verbs[-1] < place < end else word
        for place, word in enumerate(words)
    ]


def _apart(found: re.Match[str], is_own: Callable[[str], bool]) -> str:
    """Return a word behind un- or non- as denied, where the table has the word without it."""
    whole, bare = stem(fold(found.group())), stem(fold(found["bare"]))
    return f"not {found['bare']}" if is_own(bare) and not is_own(whole) else found.group()
