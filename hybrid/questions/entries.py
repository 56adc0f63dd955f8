"""Questions from lists that explain names: options, settings, variables, and their defaults."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hybrid.questions.numbers import UNITS
from hybrid.questions.values import Candidate, Layout, Piece, Section, Topic
from hybrid.questions.wording import NO_VALUE, asked_in, plain, sentence_body, which
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
