"""What kind of word a word piece is: a function word, a negation, a number, a mark.

Takes the pieces of a vocabulary, gives flags. English words; in other languages only numbers and marks count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_STOP = """
a an the of in on at to for and or is are was were be been by with as that this it its from has have had
he she they his her their which who will would can
"""
# Pieces of contractions and prefixes too: "don", "'", "t" is how "don't" is cut.
_NEGATIONS = """
not no never none nothing neither nor without n't t cannot unable lack lacks fails failed except un non dis
"""
_WORD = re.compile(r"\w")


@dataclass(frozen=True, slots=True, eq=False)
class Lexicon:
    """Flags of the word pieces of an encoder, each of shape (pieces,)."""

    stop: NDArray[np.bool_]
    negation: NDArray[np.bool_]
    number: NDArray[np.bool_]
    mark: NDArray[np.bool_]


@lru_cache(maxsize=2)
def lexicon_of(pieces: tuple[str, ...]) -> Lexicon:
    """Return the flags of word pieces, which are given in the order of their ids."""
    bare = [piece.removeprefix("##") for piece in pieces]
    stop, negations = frozenset(_STOP.split()), frozenset(_NEGATIONS.split())
    return Lexicon(
        stop=np.array([piece in stop for piece in pieces]),
        negation=np.array([piece in negations for piece in pieces]),
        number=np.array([piece.isdigit() for piece in bare]),
        mark=np.array([not _WORD.search(piece) for piece in bare]),
    )
