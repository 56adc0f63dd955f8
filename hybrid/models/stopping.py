"""Where a text ends: stop strings, loops, and what a stream must hold back for them.

Takes texts and tokens, gives texts. Knows nothing about who writes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

# A loop: the last words are the same stretch of this many tokens, this many times in a row.
_LOOP_LENGTHS = range(4, 33)
_LOOP_REPEATS = 3


def in_loop(ids: Sequence[int]) -> bool:
    """Tell whether the sequence ends in the same stretch several times over."""
    for length in _LOOP_LENGTHS:
        if len(ids) < length * _LOOP_REPEATS:
            return False
        last = ids[-length:]
        if all(ids[-length * (back + 1) : -length * back] == last for back in range(1, _LOOP_REPEATS)):
            return True
    return False


def cut_at_stop(text: str, stop: Sequence[str]) -> str:
    """Return the text before the first stop string in it."""
    ends = [position for position in (text.find(mark) for mark in stop) if position >= 0]
    return text[: min(ends)] if ends else text


def hold_back(pieces: Iterator[str], stop: Sequence[str]) -> Iterator[str]:
    """Yield what can no longer become part of a stop string; end before the first of them."""
    longest = max((len(mark) for mark in stop), default=0)
    pending, started = "", False
    for piece in pieces:
        pending += piece
        if not started:  # generate() strips the text, so the stream begins with its first letter
            pending = pending.lstrip()
            started = bool(pending)
        if any(mark in pending for mark in stop):
            break
        ready = len(pending) - max(longest - 1, 0)
        # white space waits too: it may be the end of the text, which generate() strips
        ready = len(pending[: max(ready, 0)].rstrip())
        if ready > 0:
            yield pending[:ready]
            pending = pending[ready:]
    rest = cut_at_stop(pending, stop).rstrip()
    if rest:
        yield rest
