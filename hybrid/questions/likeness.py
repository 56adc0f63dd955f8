"""How alike two texts are, by their words: shingles and near-duplicates (Broder 1997)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hybrid.text.words import tokens

_SHINGLE = 3
NEAR = 0.8


def key_of(text: str) -> str:
    """Return what two spellings of the same text have in common: the words, without case and marks."""
    return " ".join(tokens(text))


def shingles(text: str) -> frozenset[tuple[str, ...]]:
    """Return the runs of so many words; of a shorter text the whole of it, of an empty one nothing."""
    words = tokens(text)
    count = max(len(words) - _SHINGLE + 1, 1)
    return (
        frozenset(tuple(words[place : place + _SHINGLE]) for place in range(count)) if words else frozenset()
    )


class Seen:
    """The texts seen so far; tells which of them a new one resembles.

    Two texts are near-duplicates when they share ``NEAR`` of all their word trigrams (Jaccard, Broder
    1997). Shared trigrams are counted by an inverted index, so that nothing is compared pair by pair.
    """

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._names: list[str] = []
        self._holders: dict[tuple[str, ...], list[int]] = {}

    def like(self, text: str) -> str | None:
        """Return the name of the first text that is a near-duplicate, or None."""
        own = shingles(text)
        shared = Counter(holder for shingle in own for holder in self._holders.get(shingle, ()))
        near = [
            holder
            for holder, count in shared.items()
            if count >= NEAR * (len(own) + self._sizes[holder] - count)
        ]
        return self._names[min(near)] if near else None

    def add(self, text: str, name: str) -> None:
        """Remember a text under a name."""
        own = shingles(text)
        for shingle in own:
            self._holders.setdefault(shingle, []).append(len(self._names))
        self._names.append(name)
        self._sizes.append(len(own))


def runs_of(texts: Iterable[str], length: int) -> frozenset[tuple[str, ...]]:
    """Return all runs of so many words; shorter texts have none."""
    found: set[tuple[str, ...]] = set()
    for text in texts:
        words = tokens(text)
        found.update(tuple(words[place : place + _SHINGLE]) for place in range(len(words) - length + 1))
    return frozenset(found)
