"""The running text of a document, as pieces to take claims and evidence from.

Takes any plain text, gives its sentences in order, and those among them that can stand as a claim.
Headings, list items, table rows, code and speeches stay pieces of evidence but are no claims.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from hybrid.files import valid_utf8
from hybrid.questions.wording import BASE_VERBS
from hybrid.text.sentences import sentence_spans
from hybrid.text.words import LEANING, word_set
from recipes.grounding.edits.english import BASES, THIRD, has_verb, is_english, stems
from recipes.grounding.edits.values import LONGEST

_BULLET = re.compile(r"\s*(?:[-*•+–·]|\d{1,2}[.)]|[a-z][.)]|::|\|)\s|\s{4,}|\t|.* \| ")
_SPEECH = re.compile(r"[A-Z#][\w .'-]{0,25}:\s")
_ENDS = re.compile(r"[.!?:;][\"”’)]*$")
_MARKUP = re.compile(
    r"[{}|<>\\=\[\]#*^~@•]|__|::|--|\.\.|https?:|//|\s\.|,,|\(\s|\w\(\w|[a-z]{3}[A-Z][a-z]+\s[A-Z]"
)
# Commands and descriptions without a subject assert nothing.
_NO_SUBJECT = LEANING | BASE_VERBS | BASES | THIRD.keys()
_NO_SUBJECT |= word_set(
    "see note click let please contact call visit refer learn try talk ask do don’t use place"
)
_SHOUTED = re.compile(r"(?:[A-Z]{3,}[A-Z:]*\s+){2}|(?:[A-Z]{6,}|AIMS?|SETTING|METHODS?|DESIGN):?\s+[A-Z]")
_CUT = re.compile(
    r"(?<!\w)(?:etc|al|e\.g|i\.e|vs|No|Dr|Mr|Mrs|Ms|St|Fig|Jan|Feb|Mar|Apr|Aug|Sept?|Oct|Nov|Dec|[A-Z])\.$"
)
_PERSON = re.compile(r"\b(?:I|I’m|I'm|me|my|mine)\b")
_LENGTHS = range(6, 41)
_LONGEST = 400
_MOST_TEXT = 200_000
_HEADING = 70
_PART = 8_000


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence, or a line that is none; ``running`` tells which, ``paragraph`` where it stands."""

    text: str
    paragraph: int
    running: bool


def pieces_of(text: str) -> list[Piece]:
    """Return the pieces of a text in order, white space made single; of very long texts the first part.

    What is longer than any sentence, such as a dump of data, is left out.
    """
    found: list[Piece] = []
    # the splitter of sentences takes no halves of characters
    for number, (lines, running) in enumerate(_paragraphs(valid_utf8(text[:_MOST_TEXT]))):
        if not running:
            found.extend(Piece(line, number, False) for line in lines)
            continue
        joined = " ".join(lines)
        if len(lines) == 1 and len(joined) < _HEADING and not _ENDS.search(joined):
            found.append(Piece(joined, number, False))
            continue
        for part in _parts(joined):
            found.extend(Piece(part[span.start : span.end], number, True) for span in sentence_spans(part))
    return [piece for piece in found if len(piece.text) <= LONGEST]


def _parts(paragraph: str) -> Iterator[str]:
    """Yield a paragraph in parts that end with a sentence: splitting takes the square of their length."""
    start = 0
    while len(paragraph) - start > _PART:
        end = paragraph.rfind(". ", start, start + _PART) + 1 or start + _PART
        yield paragraph[start:end]
        start = end
    yield paragraph[start:]


def is_claim(piece: Piece) -> bool:
    """Tell whether a piece asserts something in English that can be understood and edited alone."""
    text = piece.text
    if not piece.running or len(text) > _LONGEST or len(text.split()) not in _LENGTHS:
        return False
    if not text.endswith(".") or _CUT.search(text) or "?" in text:
        return False
    first = re.match(r"[\w'’]+", text)
    if first is None or not text[0].isupper() or first.group().lower() in _NO_SUBJECT:
        return False
    if _MARKUP.search(text) or _SHOUTED.match(text) or _SPEECH.match(text) or _PERSON.search(text):
        return False
    return _is_balanced(text) and has_verb(text) and is_english(text)


def _is_balanced(text: str) -> bool:
    pairs = (("(", ")"), ("“", "”"))
    return text.count('"') % 2 == 0 and all(text.count(one) == text.count(other) for one, other in pairs)


def _paragraphs(text: str) -> Iterator[tuple[list[str], bool]]:
    """Yield lines that belong together, and whether they are running text."""
    for block in re.split(r"\n[^\S\n]*\n", text):
        lines = [line for line in block.split("\n") if line.strip()]
        listed = sum(_BULLET.match(line) is not None or _SPEECH.match(line) is not None for line in lines)
        if listed * 2 > len(lines) or (listed and _BULLET.match(lines[0])):
            yield [" ".join(line.split()) for line in lines], False
            continue
        run: list[str] = []
        for place, line in enumerate(lines):
            run.append(" ".join(line.split()))
            following = lines[place + 1].lstrip()[:1] if place + 1 < len(lines) else ""
            titled = len(line) < _HEADING and following.isupper() and not run[:-1]
            if (
                not following
                or (following.isupper() and _ENDS.search(line))
                or (titled and len(line) < _HEADING // 2)
            ):
                yield run, True
                run = []


@dataclass(frozen=True)
class Material:
    """A document in pieces; ``claims`` are the places of those that can stand as a claim."""

    source: str
    pieces: tuple[Piece, ...]
    claims: tuple[int, ...]

    @cached_property
    def stems(self) -> list[frozenset[str]]:
        """Return the stems of every piece."""
        return [stems(piece.text) for piece in self.pieces]

    def passage(self, places: Sequence[int]) -> str:
        """Return pieces as one text: a blank between sentences of a paragraph, else a line end."""
        parts: list[str] = []
        for number, place in enumerate(places):
            if number:
                same = self.pieces[place].paragraph == self.pieces[places[number - 1]].paragraph
                parts.append(" " if same else "\n")
            parts.append(self.pieces[place].text)
        return "".join(parts)

    def carriers(self, claim: str, share: float) -> frozenset[int]:
        """Return the places of pieces that hold at least such a share of the stems of a claim."""
        wanted = stems(claim)
        return frozenset(
            place for place, there in enumerate(self.stems) if len(wanted & there) >= share * len(wanted)
        )

    def nearest(self, claim: str, *, length: int, without: Collection[int]) -> tuple[int, ...]:
        """Return the window of so many pieces that shares most stems with a claim, without those left out."""
        wanted = stems(claim)
        best: tuple[int, ...] = ()
        most = 0
        for start in range(0, len(self.pieces), max(length // 2, 1)):
            window = range(start, min(start + length, len(self.pieces)))
            places = tuple(place for place in window if place not in without)
            shared = len(wanted & frozenset[str]().union(*(self.stems[place] for place in places)))
            if shared > most:
                best, most = places, shared
        return best


def read_material(source: str, text: str) -> Material:
    """Return a document in pieces; a sentence that stands in it twice is a claim once."""
    pieces = tuple(pieces_of(text))
    first: dict[str, int] = {}
    for place, piece in enumerate(pieces):
        first.setdefault(piece.text, place)
    claims = tuple(place for text, place in first.items() if is_claim(pieces[place]))
    return Material(source, pieces, claims)
