"""Which words of an edited text are new?

Takes two texts, gives stretches of the second. Knows nothing about meaning: a synonym is new too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from hybrid.grounding.values import merged_spans
from hybrid.types import Span

_WORD = re.compile(r"\w+(?:[.,’'-]\w+)*|[$€£%°]")
# Longer stretches without a common end are not compared word by word: that would take minutes.
_MOST_WORDS = 1_500


def diff_spans(original: str, edited: str) -> tuple[Span, ...]:
    """Return the stretches of ``edited`` whose words are not in ``original`` at their place.

    Words are compared without case and marks. Where something was only taken out, the word behind the gap
    stands for it, or the last word. Neighbouring new words make one stretch. Nothing new gives ().
    """
    old, new = list(_WORD.finditer(original)), list(_WORD.finditer(edited))
    before, after = [word.group().casefold() for word in old], [word.group().casefold() for word in new]
    if not new:
        return ()
    changed: set[int] = set()
    for first, last in _changes(before, after):
        # of what was taken out nothing is left to point at but its neighbour
        changed.update(range(first, last) if last > first else (min(first, len(new) - 1),))
    return merged_spans(
        (Span(new[place].start(), new[place].end()) for place in sorted(changed)),
        length=len(edited),
        text=edited,
    )


def _changes(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int]]:
    """Return the runs of places in ``after`` that are new; an empty run is where something is missing."""
    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    if not old and not new:
        return []
    if max(len(old), len(new)) > _MOST_WORDS:
        return [(head, head + len(new))]
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return [(head + first, head + last) for tag, _, _, first, last in matcher.get_opcodes() if tag != "equal"]
