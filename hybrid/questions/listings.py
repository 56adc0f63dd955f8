"""Candidates from lists that explain names, and from tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hybrid.generation.facts import FIELD
from hybrid.generation.matching import expressions
from hybrid.questions.values import Candidate, Section, TextBlock, TextBlockKind
from hybrid.questions.wording import (
    FINITE,
    LISTS,
    NO_VALUE,
    bare_heading,
    base_of,
    first_clause,
    inverted,
    is_base_verb,
    is_third_person,
    lower_first,
    plain,
)
from hybrid.text.dates import dates
from hybrid.text.numbers import LETTERS, figure, quantities
from hybrid.text.rows import NO, YES
from hybrid.text.sentences import sentence_spans
from hybrid.text.words import STOP_WORDS, contains, word_set
from hybrid.types import CELLS, Span

# What each is for stands beside it.
_TOLD = expressions("listings")
_NAME, _TYPED, _NUMBERED, _BULLET, _SHOUTED, _SENTENCE_END, _MARKED, _DEFAULT = _TOLD[:8]
_VALUE_DEFAULT, _POINTS_ELSEWHERE, _CODE_NAME, _OWNER, _INNER_CLAUSE, _ADDRESS, _RULER = _TOLD[8:15]
_LETTER, _YEAR, _BEHIND, _ITEM = _TOLD[15:]
# More names than that are not spellings of one thing.
_ALTERNATIVES = 3
_DESCRIPTION = range(4, 34)


@dataclass(frozen=True, slots=True)
class Entry:
    """A name and what is said about it; ``names`` are alternatives, ``text`` is the explanation."""

    names: tuple[str, ...]
    start: int
    text: Span
    typed: bool = False


def entry_candidates(text: str, section: Section, title: str) -> Iterator[Candidate]:
    """Yield questions for the names that a section lists."""
    entries = [entry for piece in section.pieces for entry in _entries(text, piece)]
    for entry in entries:
        sentences = sentence_spans(text[entry.text.start : entry.text.end])
        called = _called(entry, section, title)
        # one name among several; a list of one says nothing
        if called and len(entries) > 1 and len(entry.names) <= _ALTERNATIVES:
            yield from _purpose(text, entry, entry.text.start + sentences[0].end, called)
        if called:
            yield from _defaults(text, entry, sentences, called)


def _entries(text: str, piece: TextBlock) -> Iterator[Entry]:
    if piece.layout is TextBlockKind.ENTRY:
        yield from _explained(text, piece.span)
    elif piece.layout is TextBlockKind.ITEMS:
        for found in _ITEM.finditer(text, piece.span.start, piece.span.end):
            if len(found["name"].split()) <= 5:
                name = found["name"].strip()
                if not _NUMBERED.match(name) and name.split()[-1] not in STOP_WORDS:
                    yield Entry((name,), found.start("bullet"), Span(found.start("text"), found.end()))


def _explained(text: str, span: Span) -> Iterator[Entry]:
    """Read lines of names above an explanation."""
    names: list[str] = []
    typed = False
    at = span.start
    for line in text[span.start : span.end].split("\n"):
        bare = line.strip()
        spaced = len(bare.split()) > 4 or len(bare) > 60
        if bare[:1].isupper() and (spaced or bare.endswith(".")) and names:
            break
        if spaced or bare.endswith((".", ",", ";")) or _SHOUTED.match(bare):
            # more than a name: not the kind of list that is meant
            return
        typed = typed or bool(_TYPED.search(bare))
        names.extend(_names_in(_TYPED.sub("", bare)))
        at += len(line) + 1
    explanation = text[at : span.end]
    # lines of a listing are no names with explanations; those end like sentences
    if names and _SENTENCE_END.search(explanation) and not _BULLET.match(explanation):
        yield Entry(tuple(dict.fromkeys(names)), span.start, Span(at, span.end), typed)


def _names_in(line: str) -> list[str]:
    bare = line.strip().strip("`*").removesuffix("::").removesuffix(":")
    if bare.startswith("-"):
        return [found["long"] or found["short"] for found in _NAME.finditer(bare) if not found["word"]]
    return [bare] if bare[:1].isalpha() and not _MARKED.search(bare) else []


def _called(entry: Entry, section: Section, title: str) -> str:
    """Return how people speak of an entry: "the option --port of pg_dump"; nothing of a nameless thing."""
    name = plain(max(entry.names, key=lambda name: (not name.startswith("--no-"), len(name))))
    last = "".join(section.headings[-1].lower().split()[-1:]) if section.headings else ""
    kind = "environment variable" if last == "environment" else re.sub("ies$", "y", last).removesuffix("s")
    noun = "option" if name[0] == "-" else kind if last in _NOUNS else "parameter" * entry.typed
    # such names mean another thing elsewhere
    owned = _OWNER.fullmatch(title) or (name[0] == "-" and " " not in title)
    whose = f" of {title}" if owned and title != name and not name[0].isupper() else ""
    if " " in name or not (noun or _CODE_NAME.search(name)) or (name[0] == "-" and not whose):
        return ""
    return f"the {noun} {name}{whose}" if noun else f"{name}{whose}"


def _purpose(text: str, entry: Entry, end: int, called: str) -> Iterator[Candidate]:
    description = " ".join(text[entry.text.start : end].split()).removesuffix(".")
    for name in entry.names:
        description = description.removeprefix(f"{name} ")
    first, _, rest = description.partition(" ")
    if len(description.split()) not in _DESCRIPTION or _POINTS_ELSEWHERE.match(description):
        return
    if any(contains(description, name) for name in entry.names) or description.endswith(":"):
        return
    question, answer = "", description
    if is_third_person(description) and first.lower() in _SAYING:
        question, answer = f"What does {called} {base_of(first)}?", rest
    elif is_base_verb(description) or is_third_person(description):
        question = f"What does {called} do?"
    elif first.lower() in ("the", "a", "an") and not FINITE.search(_INNER_CLAUSE.split(description)[0]):
        question = "" if inverted(description) else f"What is {called}?"
    if question:
        yield Candidate("purpose", question, (first_clause(answer),), Span(entry.start, end))


def _defaults(text: str, entry: Entry, sentences: list[Span], called: str) -> Iterator[Candidate]:
    explanation = text[entry.text.start : entry.text.end]
    found = _DEFAULT.search(explanation) or _VALUE_DEFAULT.search(explanation)
    if found and found["value"].lower() not in NO_VALUE:
        end = next(span.end for span in sentences if span.end >= found.end("value"))
        evidence = Span(entry.start, entry.text.start + end)
        yield Candidate("default", f"What is the default of {called}?", (found["value"],), evidence)


_CELL_WIDTH = 60
_HEADER_WORDS = 3
# What the head of a header or of a row's label is that asks for a value: "daily allowance", "weight".
_ATTRIBUTES = LISTS["attributes"]
_SAYING, _NOUNS, _NO_NOUN = LISTS["saying"], LISTS["nouns"], LISTS["no_noun"]
_GRANTED, _PERSONS, _GROUPS = LISTS["granted"], LISTS["persons"], LISTS["groups"]
_DAYS = word_set("date day when")
_PAID = (["price"], ["fee"], ["cost"], ["rate"], ["charge"])
_NO_NAMES = STOP_WORDS | word_set("per since yes")
_DOERS = ("er", "or", "en", "ant", "man", "ist", "ian")
_CURRENCIES = word_set("eur usd gbp chf sek dkk nok")
_CODES = word_set("id no nr number code key ref reference")
_NAMED = re.compile(r"[A-Z][\w'’-]+(?: [A-Z][\w'’.-]+){0,3}$")
_PERIOD = re.compile(
    r"\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)days?|weekends?|weekdays?|holidays?"
    r"|january|february|march|april|june|july|august|september|october|november|december|summer|winter)\b",
    re.IGNORECASE,
)
_HOURS = re.compile(r"\b(?:opening|office|visiting|working) (?:hours|times)\b", re.IGNORECASE)
_BRACKETED = re.compile(r"\s*[(\[]([^()\[\]]*)[)\]]\s*$")
_FORM_LINE = re.compile(
    r"^[ \t]*(?:[-*•][ \t]+)?\**(?P<name>[A-Z][A-Za-z-]+(?: [A-Za-z-]+){0,2})\**:\**[ \t]+"
    r"(?P<value>\S[^\n]{0,58})$",
    re.MULTILINE,
)
_SAYS_NOTHING = word_set("name type value number default variable variables")


@dataclass(frozen=True, slots=True)
class _ParsedTable:
    """``rows`` are without the header; a table of two columns, a name and a value, may have none.

    ``twice`` says that rows are told apart by their first two cells only.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    twice: bool = False


def table_candidates(text: str, section: Section, title: str) -> Iterator[Candidate]:
    """Yield questions for the cells of tables: the value where a row and a column meet."""
    for piece in section.pieces:
        table = (
            _read(text[piece.span.start : piece.span.end]) if piece.layout is TextBlockKind.TABLE else None
        )
        if table is None:
            continue
        about = section.headings[-1] if section.headings else title
        for row in table.rows:
            for column, cell in enumerate(row[1:], start=1):
                if column == 1 and table.twice:  # it says which row it is
                    continue
                header = table.header[column] if table.header else title
                label = _label(row, table.header, table.twice)
                question = _looked_up(label, header, table.header, cell, about)
                answer = _bare(cell)
                if answer and question and re.search(r"\w", answer) and not _ADDRESS.search(cell):
                    yield Candidate("table", f"{question}?", (answer,), piece.span)


def _label(row: tuple[str, ...], header: tuple[str, ...], twice: bool) -> str:
    """Return what a row is called by; with its second cell where several are called alike."""
    label = _thing(header[0] if header else "", plain(row[0]))
    return f"{label} ({header[1]} {plain(row[1])})" if twice else label


def _thing(head: str, label: str) -> str:
    """Return what a row is called by, a bare code with what it is of: "berth A2"."""
    bare = not re.search(r"[^\W\d_]{3}", label) and re.fullmatch(r"[A-Za-z]{3,}", head)
    return f"{head.lower()} {label}" if bare else label


def is_record(text: str) -> bool:
    """Tell whether a text is two lines or more, all of them a name and a value."""
    lines = text.strip().split("\n")
    return len(lines) > 1 and all(FIELD.fullmatch(line.strip()) for line in lines)


def record_candidates(text: str, title: str) -> Iterator[Candidate]:
    """Yield questions for the fields of a record of a file of rows: what it is called by comes first."""
    found = [field for line in text.strip().split("\n") if (field := FIELD.fullmatch(line.strip()))]
    heads = tuple(field["name"].replace("_", " ").strip() for field in found)
    # a code alone is not what people ask with
    coded = heads[0].lower() in _CODES and len(found) > 2 and bool(_LETTER.search(found[1]["value"]))
    label = _thing(heads[0], found[0]["value"].strip())
    label = f"{found[1]['value'].strip()} ({found[0]['value'].strip()})" if coded else label
    for head, field in zip(heads[1 + bool(coded) :], found[1 + bool(coded) :], strict=True):
        value = _bare(field["value"].strip())
        question = _looked_up(label, head, heads, value, title)
        if value and question and re.search(r"\w", value) and not _ADDRESS.search(value):
            yield Candidate("record", f"{question}?", (value,), Span(0, len(text)))


def form_candidates(text: str, section: Section, title: str) -> Iterator[Candidate]:
    """Yield questions for lines of a name and a value: "Deposit: 80 EUR" below what it is of."""
    about = bare_heading(section.headings[-1]) if section.headings else title
    for piece in section.pieces:
        if piece.layout is TextBlockKind.TABLE:
            continue
        for line in _FORM_LINE.finditer(text, piece.span.start, piece.span.end):
            value = _bare(line["value"].strip().removesuffix("."))
            name = line["name"].lower().split()[-1]
            known = _is_attribute(line["name"]) or name in _PERSONS or name in _DAYS
            question = _looked_up(about, line["name"], ("",), value, "") if known and " " in about else ""
            if value and question and not _ADDRESS.search(value) and not _SENTENCE_END.search(line["value"]):
                yield Candidate("form", f"{question}?", (value,), Span(line.start(), line.end()))


def _read(inner: str) -> _ParsedTable | None:
    kept = [line.strip() for line in inner.split("\n") if not _RULER.fullmatch(line)]
    if all(line.startswith("|") for line in kept):
        kept = [line.strip("|").strip() for line in kept]
    # the corner of a table may be empty
    lines = [f" {line}".split(CELLS) for line in kept]
    if lines and len(lines[0]) == 1:  # a caption
        lines = lines[1:]
    if len(lines) < 3:
        return None
    header = tuple(plain(cell) for cell in lines[0])
    if len(header) == 2 and (_is_value(lines[0][1]) or len(header[0].split()) > _HEADER_WORDS):
        header, lines = (), [[], *lines]
    width = len(header) or 2
    rows = tuple(tuple(cell.strip() for cell in line) for line in lines[1:] if len(line) == width)
    labels = [row[0] for row in rows]
    twice = len(set(labels)) < len(labels)
    told = {row[:2] for row in rows}
    if len(set(header)) < len(header) or (twice and (len(told) < len(labels) or width < 3)):
        return None
    return _ParsedTable(header, rows, twice) if len(rows) > 1 else None


def _is_value(cell: str) -> bool:
    """Tell whether what stands in the first row is a value and no header."""
    return len(cell.split()) > _HEADER_WORDS or bool(re.search(r"[`:]|\d(?!\d{3})", cell))


def _looked_up(label: str, header: str, heads: tuple[str, ...], cell: str, about: str) -> str:
    """Ask for a cell; which of its two names is of a property, "daily allowance", and which of a thing?"""
    header, unit = _parted(header)
    if not (label and header) or "[" in label or max(len(label), len(header)) > _CELL_WIDTH:
        return ""
    if _YEAR.fullmatch(header):
        return f"What was the {lower_first(label)} in {header}" if _LETTER.search(label) else ""
    if not (_LETTER.search(label) and _LETTER.search(header)) or header.lower().split()[-1] in _NO_NOUN:
        return ""
    of_day = bool(_PERIOD.match(label)) and "day" in label.lower()
    if _PERIOD.search(header) or of_day:
        hours, thing = _HOURS.search(about), (header, label) if of_day else (label, header)
        return f"What are the {hours.group().lower()} of {thing[0]} for {thing[1]}" if hours else ""
    # a table on its side: "Daily allowance | 28 €" below "Germany"
    corner = bool(heads and heads[0])
    if not _is_attribute(header) and _is_attribute(label) and (" " in label or not corner):
        return _asked_of(label, header) if label[0].isupper() else ""
    unit = unit.upper() if unit in _CURRENCIES else unit
    counted = f" in {unit}" if unit and _is_figure(cell) else ""
    of_person = header.lower().split()[-1] in _PERSONS and _NAMED.match(cell)
    if _is_attribute(header) and not of_person:
        return _asked_of(header, label) + counted
    asked = _asked_otherwise(label, header, cell, heads, counted=bool(counted))
    return asked and asked + counted


def _is_figure(cell: str) -> bool:
    found = figure(cell)
    return found is not None and not (found.before or found.unit)


def _parted(header: str) -> tuple[str, str]:
    """Return the name of a column and what its figures are counted in: "price (EUR)", "loan days"."""
    if found := _BRACKETED.search(header):
        known = found[1] in LETTERS or any(one.units for one in quantities(f"1 {found[1]}"))
        return (header[: found.start()].strip(), found[1]) if known else (header, "")
    name, _, last = header.rpartition(" ")
    counts = (
        name and not name.endswith((" per", " each")) and any(one.units for one in quantities(f"1 {last}"))
    )
    return (name, last) if counts else (header, "")


def _asked_otherwise(label: str, header: str, cell: str, heads: tuple[str, ...], *, counted: bool) -> str:
    """Ask for what a column holds that is called by no property: persons, groups that pay, dates, a noun."""
    words = header.lower().split()
    if not words or not label or cell.lower() in (*YES, *NO) or len(words) > _HEADER_WORDS:
        return ""
    if (words[-1] in _PERSONS or (words[-1].endswith(_DOERS) and " " in cell)) and _NAMED.match(cell):
        return f"Who is the {_lowered(header)} {'for' if words[-1] == 'contact' else 'of'} {label}"
    if words[0] == "responsible" and _NAMED.match(cell):
        return f"Who is responsible for {label}"
    if words[-1] in _GROUPS:
        paid = any(_parted(head)[0].lower().split()[-1:] in _PAID for head in heads)
        return f"What does {label} cost for {header.lower()}" if paid and figure(cell) else ""
    if words[-1] in _DAYS and dates(cell):
        return f"When is {label}"
    if words[-1].endswith("ed") and re.search(r"(?:19|20)\d\d", cell):
        return f"When was {label} {header.lower()}" if len(words) == 1 else ""
    # of two columns either may be the thing, and what a number alone counts is not said
    if len(heads) < 3 or (_is_figure(cell) and not counted):
        return ""
    plain_noun = re.fullmatch(r"[A-Za-z-]{3,}(?: [A-Za-z-]{3,}){0,2}", header)
    if not plain_noun or words[-1].endswith(("ed", "ing", "s")) or {words[0], words[-1]} & _NO_NAMES:
        return ""
    return _asked_of(header, label) if words[-1] not in _SAYS_NOTHING else ""


def _asked_of(attribute: str, thing: str) -> str:
    verb = "are" if re.search(r"(?<![ius])s$", _BEHIND.split(attribute)[0].rstrip()) else "is"
    name = _lowered(attribute)
    granted = _BEHIND.search(attribute) or name.split()[-1] in _GRANTED
    return f"What {verb} the {name} {'for' if granted else 'of'} {thing}"


def _is_attribute(name: str) -> bool:
    """Tell whether a name is of something that can be asked for, "overnight rate" and not "Germany"."""
    head = _BEHIND.split(name.lower())[0].split()
    return bool(head) and head[-1] in _ATTRIBUTES and (len(head) > 1 or head[-1] not in _SAYS_NOTHING)


def _lowered(name: str) -> str:
    return " ".join(lower_first(word) for word in name.rstrip(":?").split())


def _bare(cell: str) -> str:
    """Return a short cell without the marks around it; nothing where marks are left inside."""
    bare = cell.strip("`* ")
    return bare if len(bare) <= _CELL_WIDTH and not re.search(r"[`\xa0]|\*\*", bare) else ""
