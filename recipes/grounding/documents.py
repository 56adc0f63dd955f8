"""A document as what claims and evidence are taken from.

Takes source and text, gives pieces, the places of those that can stand as a claim, and passages of any
length.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from recipes.grounding.edits.english import stems
from recipes.grounding.prose import Piece, is_claim, pieces_of


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
