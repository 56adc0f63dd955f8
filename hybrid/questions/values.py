"""Sections of a document, their pieces, and the candidates that they give; spans are into its text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hybrid.types import Span


class TextBlockKind(StrEnum):
    """What a piece looks like."""

    PROSE = "prose"
    ITEMS = "items"
    ENTRY = "entry"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A stretch between blank lines."""

    layout: TextBlockKind
    span: Span


@dataclass(frozen=True, slots=True)
class Section:
    """What stands below one heading.

    ``headings`` is the path, outermost first; ``heading`` is where the innermost one stands, None at
    the top of a document that begins without one.
    """

    headings: tuple[str, ...]
    heading: Span | None
    pieces: tuple[TextBlock, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question that a document seems to answer.

    ``answers`` are alternatives, and each stands word for word in the evidence. ``made`` names the rule.
    """

    made: str
    text: str
    answers: tuple[str, ...]
    evidence: Span
