"""What stands around a claim: the rest of its document, and sentences of others.

Takes sentences, gives what edits put in and what they must not make true by accident.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from recipes.grounding.edits.english import stems

# A sentence that holds so much of an edited claim may carry it.
_CARRIES = 0.7
LONGEST = 2_000
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Surroundings:
    """Sentences of the document that the claim is from, and sentences of other documents.

    What is longer than any sentence is left out: rules would take minutes over it, and lend nothing from it.
    """

    sentences: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Leave out what is no sentence."""
        for name, texts in (("sentences", self.sentences), ("elsewhere", self.elsewhere)):
            if any(len(text) > LONGEST for text in texts):
                object.__setattr__(self, name, tuple(text for text in texts if len(text) <= LONGEST))

    @cached_property
    def text(self) -> str:
        """Return the document as one text."""
        return " ".join(self.sentences)

    @cached_property
    def _stems(self) -> list[frozenset[str]]:
        return [stems(sentence) for sentence in self.sentences]

    @cached_property
    def stems(self) -> frozenset[str]:
        """Return the stems of all words of the document."""
        return frozenset(stem for sentence in self._stems for stem in sentence)

    def stems_near(self, place: int, distance: int) -> frozenset[str]:
        """Return the stems of a sentence and of so many before and behind it."""
        return frozenset[str]().union(*self._stems[max(place - distance, 0) : place + distance + 1])

    @cached_property
    def words(self) -> frozenset[str]:
        """Return all words of the document as they are written."""
        return frozenset(_WORD.findall(self.text))

    def share_held(self, claim: str) -> float:
        """Return the share of a claim's stems that stand anywhere in the document; 1 if it has none."""
        wanted = stems(claim)
        return len(wanted & self.stems) / len(wanted) if wanted else 1.0

    def may_carry(self, claim: str, new: Sequence[str] = ()) -> bool:
        """Tell whether some sentence holds all the new words and most of the other words of a claim."""
        wanted = stems(" ".join(new))
        rest = stems(claim) - wanted
        return any(
            wanted <= there and len(rest & there) >= _CARRIES * len(rest) for there in self._stems if there
        )
