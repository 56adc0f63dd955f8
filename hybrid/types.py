"""The values that flow through the package: frozen, without behaviour.

Takes nothing and gives names to what every stage hands to the next one. Knows nothing about files,
models or indexes. All character offsets are into ``Document.text``, half-open ``[start, end)``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

# Who asks: a user, or a user and the groups of that user, such as ``("anna", "staff")``.
Asker: TypeAlias = str | Sequence[str] | None
# Conditions on documents, such as ``{"source": "guide/*"}``.
Where: TypeAlias = Mapping[str, str] | None


class Arm(StrEnum):
    """What answers a question: retrieval {off, on} x adapted generator {off, on}."""

    BASE = "base"
    RAG = "rag"
    ADAPTER = "adapter"
    BOTH = "both"


class BlockKind(StrEnum):
    """What a stretch of a document is, as far as splitting cares."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST = "list"
    TABLE = "table"
    CODE = "code"


# What stands between the cells of a row, in every text that has a table.
CELLS = " | "


@dataclass(frozen=True, slots=True)
class Block:
    """A structural stretch of a document; ``level`` is the depth of a heading, 1 = top, else 0.

    The text of a table has a line a row, its cells apart by `` | ``; ``columns`` names them (with unit and
    scale) and ``caption`` the table, both as they stand in the document; a list with ``columns`` is a row of
    a very wide one, ``name: cell`` a line. ``line`` is where the block begins in a text file, from 1, and 0
    where the format has no lines.
    """

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    caption: str = ""
    columns: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a text, half-open."""

    start: int
    end: int


class TokenCounter(Protocol):
    """Count in the tokens of one model, without special tokens and without truncation."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text."""

    def token_spans(self, text: str) -> list[Span]:
        """Return the stretch of each token, in order."""


# the kind of pages whose picture was left out for the words that were recognised in it
BY_OCR = "page read by OCR"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What of a file is not in its document, by kind, such as "navigation" or "page without text".

    ``characters`` of text, 0 where nobody can tell. ``lost`` says that it may have held content that nobody
    read; the rest was left out because it repeats or leads elsewhere. Pages are ``count`` ``of`` so many
    that the file has.
    """

    kind: str
    count: int
    characters: int = 0
    lost: bool = False
    of: int = 0

    def __add__(self, other: LeftOut) -> LeftOut:
        """Return both together, which are of one kind."""
        count, characters = self.count + other.count, self.characters + other.characters
        return LeftOut(self.kind, count, characters, self.lost or other.lost, self.of + other.of)

    def among(self, pages: int) -> LeftOut:
        """Return it as part of a file of so many pages, where it counts pages."""
        return replace(self, of=pages) if self.kind.startswith("page ") else self


def share_kept(characters: int, left_out: Iterable[LeftOut]) -> float:
    """Return the share of a file's characters that so many are, as far as what was left out was counted."""
    return characters / max(characters + sum(part.characters for part in left_out), 1)


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its structure.

    ``source`` is the path below the indexed folder with ``/``, and ``path#row`` for a row of a
    table. ``blocks`` are in order and do not overlap. ``pages`` holds the offset at which each
    page begins (page 1 first) and is empty where the format has no pages. ``principals`` are those who may
    read it: None where nothing says so, empty for nobody. ``left_out`` is what the text of its file lacks.
    """

    source: str
    text: str
    title: str = ""
    blocks: tuple[Block, ...] = ()
    pages: tuple[int, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    principals: tuple[str, ...] | None = None
    left_out: tuple[LeftOut, ...] = ()

    @property
    def kept(self) -> float:
        """Return the share of its file's characters that the text has, as far as they were counted."""
        return share_kept(len(self.text), self.left_out)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file, or a part of one, that could not become a document, and why."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class FileLine:
    """An offset into a document at which a block begins, and its line in the user's own file, from 1."""

    offset: int
    number: int


# So many places are named where nothing answers.
_CLOSEST = 3
# So many characters of column names are embedded; a table of hundreds would leave its rows no room.
_NAMED = 300


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of one document: ``text == document.text[start:end]``, always.

    ``headings`` is the path of titles above the chunk, outermost first; it is embedded with the
    text but is not part of it. ``page`` is the page on which the chunk starts, from 1. ``caption`` and
    ``columns`` are those of the table whose rows are in it, embedded like the path; it holds rows of no
    other. ``lines`` is where its blocks begin in a text file, and empty where the format has no lines.
    """

    source: str
    ordinal: int
    start: int
    end: int
    text: str
    headings: tuple[str, ...] = ()
    page: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    caption: str = ""
    columns: tuple[str, ...] = ()
    lines: tuple[FileLine, ...] = ()

    @property
    def embedded_text(self) -> str:
        """Return what the embedder and the lexical index see: heading path, caption, columns, then the text.

        What the text says itself, as the first rows of a table do, stands there once.
        """
        caption = "" if self.caption in self.text else self.caption
        named = all(name in self.text for name in self.columns)
        columns = "" if named else CELLS.join(filter(None, self.columns))[:_NAMED]
        return "\n".join(filter(None, (" > ".join(self.headings), caption, columns, self.text)))

    @property
    def title(self) -> str:
        """Return the outermost title above the chunk, as a rule that of its document."""
        return self.headings[0] if self.headings else ""

    @property
    def heading(self) -> str:
        """Return the innermost title above the chunk, empty where that is the outermost."""
        return self.headings[-1] if len(self.headings) > 1 else ""

    def line_at(self, offset: int) -> int | None:
        """Return the line of the user's file at an offset into the document, None where it has no lines."""
        before = [line for line in self.lines if line.offset <= offset]
        if not before:
            return None
        begun = max(before[-1].offset - self.start, 0)
        return before[-1].number + self.text.count("\n", begun, offset - self.start)

    def cited(self, number: int, within: Span | None = None) -> Citation:
        """Return the chunk, or a stretch of its text, as what a marker stands for."""
        first, last = (within.start, within.end) if within else (0, self.end - self.start)
        start, text, line = self.start + first, self.text[first:last], self.line_at(self.start + first)
        return Citation(
            number, self.source, start, self.start + last, text, self.page, self.title, self.heading, line
        )


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that retrieval found.

    ``score`` orders the hits, higher is better. ``dense`` is the cosine similarity, ``lexical``
    the BM25 score, ``rerank`` the score of the reranker; None where that side did not score it.
    """

    chunk: Chunk
    score: float
    dense: float | None = None
    lexical: float | None = None
    rerank: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where the gold answer stands: a verbatim quote from one source, and its offsets if they are known."""

    source: str
    quote: str
    span: Span | None = None


# Stands before how a question was made, once a person has accepted it.
REVIEWED = "reviewed:"
# How a question was made of which people said that its answer is good or bad.
FEEDBACK = "feedback"
# Begins the slice that names the arm of which such a gold answer is the text.
ANSWERED_BY = "answered-by:"


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its gold answers, several of which are alternatives; unanswerable ones have none.

    ``options`` are the labels to choose from, if it is a question of that kind; ``answers`` then names
    the right ones. ``source`` is the document that it was asked of. ``withheld`` are sources that may
    not be retrieved for it. ``made`` says how it came about: ``gold`` by people, else by which rule.
    """

    id: str
    text: str
    answers: tuple[str, ...] = ()
    answerable: bool = True
    evidence: tuple[Evidence, ...] = ()
    slices: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    source: str = ""
    withheld: tuple[str, ...] = ()
    made: str = "gold"

    @property
    def unit(self) -> str:
        """Return what statistics resample: questions of one document are not independent."""
        return self.source or (self.evidence[0].source if self.evidence else self.id)

    @property
    def reviewed(self) -> bool:
        """Tell whether a person accepted what a rule had made."""
        return self.made.startswith(REVIEWED)

    @property
    def synthetic(self) -> bool:
        """Tell whether a rule made it and no person judged it."""
        return self.made not in ("gold", FEEDBACK) and not self.reviewed


@dataclass(frozen=True, slots=True)
class Citation:
    """A marker ``[number]`` in an answer and the stretch of a document that it stands for.

    ``title`` is that of the document, ``heading`` what stands above the stretch, or the row of a table that
    it is; ``page`` and ``line`` are those of the user's own file, from 1, and None where it has none.
    """

    number: int
    source: str
    start: int
    end: int
    text: str
    page: int | None = None
    title: str = ""
    heading: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class DomainChance:
    """How likely a question belongs to a domain, from 0 to 1; the empty name stands for none of them."""

    domain: str
    probability: float


@dataclass(frozen=True, slots=True)
class Route:
    """The domain that a question was sent to, empty for none of them, and what speaks for it.

    ``margin`` is the probability less that of the runner-up; ``chances`` are those of all domains and of
    none, the likeliest first.
    """

    domain: str
    probability: float
    margin: float
    reason: str
    chances: tuple[DomainChance, ...]


@dataclass(frozen=True, slots=True)
class ArmChance:
    """What an arm is expected to score on a question, from 0 to 1."""

    arm: str
    expected: float


@dataclass(frozen=True, slots=True)
class ArmRoute:
    """The arm that a question was sent to and why; ``chances`` are those of all arms, the best first.

    ``arm`` is empty, and there are no chances, where the router of the domain was not asked: ``reason`` says
    why, and the arm that was decided on answered.
    """

    arm: str
    reason: str
    chances: tuple[ArmChance, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What an arm said.

    ``abstained`` is true when it declined; ``text`` then says so and ``citations`` is empty.
    ``incomplete`` says why it ends before its end, such as "cut at 160 tokens"; empty if it does not.
    ``dropped_sentences`` were written by the generator but not supported by the passages,
    ``dropped_markers`` pointed at no passage; both are counted, never shown. ``confidence`` is from 0
    to 1 and not calibrated; None where the reader has none. ``variant`` is the arm with all that its name
    sets, such as ``rag:k=3``; empty where it was not asked by name. ``domain`` and ``route`` are of an
    assistant over several domains: which one answered, and why it was that one if the router chose.
    ``standalone`` is what a follow-up, or a question with slips of spelling, was understood to ask; empty
    where the question was taken as it stood.
    ``arm_route`` says why it was this arm if the domain has a router of its arms and none was named.
    ``trace`` is where what was done for it is kept, empty where nobody keeps it.
    """

    question: str
    text: str
    arm: Arm
    reader: str
    citations: tuple[Citation, ...] = ()
    hits: tuple[Hit, ...] = ()
    abstained: bool = False
    dropped_sentences: tuple[str, ...] = ()
    dropped_markers: int = 0
    confidence: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    variant: str = ""
    domain: str = ""
    route: Route | None = None
    standalone: str = ""
    arm_route: ArmRoute | None = None
    incomplete: str = ""
    trace: str = ""

    @property
    def closest(self) -> tuple[Citation, ...]:
        """Return the three places nearest to a question that was declined; none where it was not."""
        if not self.abstained:
            return ()
        nearest: dict[tuple[str, str], Chunk] = {}
        for hit in self.hits:
            file = hit.chunk.source.partition("#")[0]  # a row is named once
            nearest.setdefault((file, hit.chunk.heading), hit.chunk)
        shown = list(nearest.values())[:_CLOSEST]
        return tuple(chunk.cited(number) for number, chunk in enumerate(shown, start=1))

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON values: every field by its name, and ``closest``."""
        values: dict[str, Any] = plain(self)
        return values | {"closest": plain(self.closest)}


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: 1 question, 1,200 questions."""
    return f"{count:,} {noun if count == 1 else noun + 's'}"


def plain(value: object) -> Any:
    """Return dataclasses, tuples and enumerations as JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return value


def principals_of(as_user: Asker) -> tuple[str, ...] | None:
    """Return a user, or a user and the groups of that user, as principals; None where no user asks."""
    return (as_user,) if isinstance(as_user, str) else None if as_user is None else tuple(as_user)


class MessageRole(StrEnum):
    """Who speaks in a conversation."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: MessageRole
    content: str
