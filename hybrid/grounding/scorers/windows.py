"""Cut evidence that a model cannot read at once into stretches that it can; nothing is left out.

Takes a text or a pair and something that says how long it is, gives spans or pairs. Knows nothing about
models.
"""

from __future__ import annotations

from collections.abc import Callable

from hybrid.errors import UsageError
from hybrid.grounding.values import Pair
from hybrid.types import Span

# A window is aimed at this share of the room, for tokens are not spread evenly; the next one begins after
# this share of it, so that a sentence shorter than a quarter of a window stands whole in one of them.
_FILL = 0.8
_STEP = 0.75
# A border is moved by at most this part of a window to fall between two words.
_REACH = 16
# The least that a claim must leave for its evidence.
_LEAST_ROOM = 16


def cut_pair(pair: Pair, length: Callable[[Pair], int], limit: int) -> list[Pair]:
    """Return the pair, or one for each window of its evidence; the claim is always whole.

    Args:
        pair: of any length.
        length: how long a pair is as the model reads it.
        limit: what the model takes.

    Raises:
        UsageError: the claim leaves no room for evidence.
    """
    if length(pair) <= limit:
        return [pair]
    alone = length(Pair("", pair.claim))
    if limit - alone < _LEAST_ROOM:
        raise UsageError(
            f"a claim takes {alone} of the {limit} tokens that the scorer reads, which leaves no room for "
            "evidence",
            hint="split the claim: one sentence at a time",
        )
    spans = windows(pair.evidence, lambda text: length(Pair(text, pair.claim)) - alone, limit - alone)
    return [Pair(pair.evidence[span.start : span.end], pair.claim) for span in spans]


def windows(text: str, length: Callable[[str], int], room: int) -> list[Span]:
    """Return overlapping stretches that together are the whole text, each no longer than the room.

    Args:
        text: of any length.
        length: how long a text is, such as its number of tokens.
        room: the greatest length; a single letter is kept even if it is longer.
    """
    return _windows(text, Span(0, len(text)), length, room)


def _windows(text: str, span: Span, length: Callable[[str], int], room: int) -> list[Span]:
    size = span.end - span.start
    found = length(text[span.start : span.end])
    if found <= room or size < 2:
        return [span]
    # shorter than the whole, whatever is measured, so that cutting comes to an end
    width = min(max(int(size * _FILL * room / found), 1), size - 1)
    step = max(int(width * _STEP), 1)
    pieces: list[Span] = []
    for start in range(span.start, span.end, step):
        end = min(start + width, span.end)
        first = _word_start(text, start, span.start, width // _REACH)
        last = _word_end(text, end, span.end, width // _REACH)
        piece = Span(first, last) if last - first < size else Span(start, end)
        pieces.extend(_windows(text, piece, length, room))
        if end == span.end:
            break
    return pieces


def _word_start(text: str, place: int, least: int, reach: int) -> int:
    for earlier in range(place, max(place - reach, least) - 1, -1):
        if earlier == 0 or text[earlier - 1].isspace():
            return earlier
    return place


def _word_end(text: str, place: int, greatest: int, reach: int) -> int:
    for later in range(place, min(place + reach, greatest) + 1):
        if later == len(text) or text[later].isspace():
            return later
    return place
