"""Candidates from lists that explain names, and from tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hybrid.questions.statements import UNITS
from hybrid.questions.values import Candidate, Layout, Piece, Section, Topic
from hybrid.questions.wording import NO_VALUE, asked_in, lower_first, plain, sentence_body, which
from hybrid.text.numbers import SMALL_NUMBERS
from hybrid.text.sentences import sentence_spans
from hybrid.text.words import STOP_WORDS, contains
from hybrid.types import Span

_ITEM = re.compile(
    r"^[ ]{0,3}(?P<bullet>(?:[-*•]|\d{1,2}[.)])[ \t]+)"
    r"[`*\"“]*(?P<name>[\w<>$.:/@+-][\w <>$./@+=-]{0,48}?)[`*\"”]*(?:[ \t]*\([^()\n]{1,40}\))?"
    r"[`*]*(?::|[ \t]+[—–-]+)[`*]*[ \t]+(?P<text>\S.*)$",
    re.MULTILINE,
)
_NAME = re.compile(r"(?P<long>--[\w-]+)|(?P<short>-\w)(?=[ ,\n]|$)|(?P<word>[A-Za-z_$][\w.$-]*)")
_TYPED = re.compile(
    r"\s*\((?:integer|boolean|string|enum|floating point|real|number|float|int|str|bool|text)\)\s*$"
)
_NUMBERED = re.compile(r"\d+(?:\.|$)")
_BULLET = re.compile(r"\s*(?:[-*•]|\d{1,2}[.)])\s")
# "SELECT city" is a statement, not a name
_SHOUTED = re.compile(r"[A-Z]{2,} ")
_SENTENCE_END = re.compile(r"[a-z0-9)”’\"'`]\.(?:\s|$)")
_MARKED = re.compile(r"[`\[\]]")
_CONSTANT = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")
_DEFAULT = re.compile(
    rf"(?:(?:The|the|its|by) default(?: value| setting)?(?: of \S+)?(?: is|:)|[Dd]efaults to|[Dd]efault:)\s+"
    rf"[`“\"']?(?P<value>-?\d+(?:[.,]\d+)*(?:\s?{UNITS})?"
    rf"|(?:{'|'.join(SMALL_NUMBERS[1:11])}) {UNITS}"
    rf"|[A-Za-z_/$][\w./$-]*[\w$])[`”\"']?(?:\s+\([^()]*\))?(?=[.,;)\s]*(?:$|[.,;)]))"
)
_VALUE_DEFAULT = re.compile(
    r"(?:^|[.,:]\s|\b(?:or|and|are|is|if|to)\s)[`“\"]?(?P<value>-?\w[\w-]*)[`”\"]?"
    r"\s\((?:the|which is the) default\)"
)
# Headings in the plural that name the kind of their entries.
_NOUNS = {
    "options": "option", "arguments": "argument", "parameters": "parameter", "settings": "setting",
    "functions": "function", "fields": "field", "variables": "variable", "attributes": "attribute",
    "methods": "method", "commands": "command", "keywords": "keyword", "events": "event", "columns": "column",
    "properties": "property", "components": "component", "metrics": "metric", "roles": "role",
    "environment": "environment variable",
}  # fmt: skip
_POINTS_ELSEWHERE = re.compile(
    r"^(?:see|same as|like|as |similar|this|these|it |ditto|if |when |note|default)", re.IGNORECASE
)
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


def entry_candidates(text: str, section: Section, topic: Topic) -> Iterator[Candidate]:
    """Yield questions for the names that a section lists."""
    entries = [entry for piece in section.pieces for entry in _entries(text, piece)]
    for entry in entries:
        sentences = sentence_spans(text[entry.text.start : entry.text.end])
        if not sentences:
            continue
        first = Span(entry.text.start + sentences[0].start, entry.text.start + sentences[0].end)
        # one name among several; a list of one says nothing
        if len(entries) > 1 and len(entry.names) <= _ALTERNATIVES:
            yield from _named(text, entry, first, _noun(entry, section), topic)
        yield from _defaults(text, entry, topic)


def _entries(text: str, piece: Piece) -> Iterator[Entry]:
    if piece.layout is Layout.ENTRY:
        yield from _explained(text, piece.span)
    elif piece.layout is Layout.ITEMS:
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


def _noun(entry: Entry, section: Section) -> str:
    name = entry.names[0]
    if name.startswith("-"):
        return "option"
    heading = section.headings[-1].lower() if section.headings else ""
    for word, noun in _NOUNS.items():
        if " " not in name and re.search(rf"\b{word}$", heading):
            return noun
    if entry.typed:
        return "parameter"
    if _CONSTANT.fullmatch(name) and "_" in name:
        return "name"
    return "item"


def _named(text: str, entry: Entry, first: Span, noun: str, topic: Topic) -> Iterator[Candidate]:
    description = sentence_body(text[first.start : first.end])
    # "wal_level determines how much" asks well as "which parameter determines how much"
    for name in entry.names:
        if description.startswith(f"{name} "):
            description = description.removeprefix(f"{name} ")
    if len(description.split()) not in _DESCRIPTION or _POINTS_ELSEWHERE.match(description):
        return
    if any(contains(description, name) for name in entry.names) or ":" in description[-1:]:
        return
    answers = tuple(sorted(entry.names, key=lambda name: -len(name)))
    question = asked_in(topic, which(noun, description), answer=answers[0])
    yield Candidate("list", question, answers, Span(entry.start, first.end))


def _defaults(text: str, entry: Entry, topic: Topic) -> Iterator[Candidate]:
    explanation = text[entry.text.start : entry.text.end]
    found = _DEFAULT.search(explanation) or _VALUE_DEFAULT.search(explanation)
    if not found or found["value"].lower() in NO_VALUE:
        return
    end = next(span.end for span in sentence_spans(explanation) if span.end >= found.end("value"))
    name = max(entry.names, key=lambda name: (not name.startswith("--no-"), len(name)))
    question = asked_in(topic, f"what is the default of {plain(name)}?", answer=found["value"])
    evidence = Span(entry.start, entry.text.start + end)
    yield Candidate("cloze:default", question, (found["value"],), evidence)


_SEPARATOR = " | "
_RULER = re.compile(r"[\s|:-]+")
_LABEL_WIDTH, _CELL_WIDTH, _HEADER_WIDTH = 60, 60, 40
_HEADER_WORDS = 3
_DESCRIPTION_WORDS = range(5, 31)
_LETTER = re.compile(r"[^\W\d_]")
# Whose value is the name of a link.
_POINTER = re.compile(r"\b(?:links?|urls?|references?|homepage|website|see also)\b", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://|www\.")


@dataclass(frozen=True, slots=True)
class _Table:
    """``rows`` are without the header; a table of two columns, a name and a value, may have none."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def table_candidates(text: str, section: Section, topic: Topic) -> Iterator[Candidate]:
    """Yield questions for the tables of a section."""
    for piece in section.pieces:
        if piece.layout is Layout.TABLE:
            table = _read(text[piece.span.start : piece.span.end])
            if table:
                yield from _cells(table, piece.span, topic)


def _read(inner: str) -> _Table | None:
    kept = [line.strip().strip("|") for line in inner.split("\n") if not _RULER.fullmatch(line)]
    lines = [line.split(_SEPARATOR) for line in kept]
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
    named = all(_LETTER.search(name) and len(name) <= _HEADER_WIDTH for name in header)
    if not named or len(set(header)) < len(header) or len(set(labels)) < len(labels):
        return None
    return _Table(header, rows) if len(rows) > 1 else None


def _is_value(cell: str) -> bool:
    """Tell whether what stands in the first row is a value and no header."""
    return len(cell.split()) > _HEADER_WORDS or bool(re.search(r"[`:\d]", cell))


def _cells(table: _Table, span: Span, topic: Topic) -> Iterator[Candidate]:
    if not table.header:
        for label, cell in table.rows:
            yield from _value(label, cell, span, topic)
    for column in range(1, len(table.header)):
        values = [row[column] for row in table.rows]
        if len(set(values)) < 2:
            continue  # the same everywhere: nothing to look up
        for row in table.rows:
            yield from _cell(table, row, column, values, span, topic)


def _cell(
    table: _Table, row: tuple[str, ...], column: int, values: list[str], span: Span, topic: Topic
) -> Iterator[Candidate]:
    label, cell, header = row[0], row[column], table.header[column]
    if not _is_askable(label, cell):
        return
    answer = _bare(cell)
    if answer and not contains(header, answer) and not contains(label, answer):
        question = f"{_value_of(header)} {plain(label)}?"
        yield Candidate("table", asked_in(topic, question, answer=answer), (answer,), span)
    elif len(cell.split()) in _DESCRIPTION_WORDS and values.count(cell) == 1 and not contains(cell, label):
        answer = _bare(label)
        question = (
            f"which {_as_noun(table.header[0])} has the {_as_noun(header)} “{plain(cell).rstrip('.')}”?"
        )
        yield Candidate("table", asked_in(topic, question, answer=answer), (answer,), span)


def _value(label: str, cell: str, span: Span, topic: Topic) -> Iterator[Candidate]:
    answer = _bare(cell)
    if answer and _is_askable(label, cell):
        question = f"what does the table give for “{plain(label)}”?"
        yield Candidate("table", asked_in(topic, question, answer=answer), (answer,), span)


def _is_askable(label: str, cell: str) -> bool:
    short = 0 < len(label) <= _LABEL_WIDTH and bool(_LETTER.search(label))
    return short and not _POINTER.search(label) and bool(re.search(r"\w", cell)) and not _ADDRESS.search(cell)


def _bare(cell: str) -> str:
    """Return a short cell without the marks around it; nothing where marks are left inside."""
    bare = cell.strip("`* ")
    return bare if len(bare) <= _CELL_WIDTH and not re.search(r"[`\xa0]|\*\*", bare) else ""


def _value_of(header: str) -> str:
    if re.fullmatch(r"[A-Z]?[a-z]{2,}", header) and not header.endswith("s"):
        return f"what is the {header.lower()} of"
    return f"what does the table give as “{header}” for"


def _as_noun(header: str) -> str:
    return lower_first(header.rstrip(":?"))
