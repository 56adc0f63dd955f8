"""What all ways of asking a generator share: where its text ends, and whether it declines."""

from __future__ import annotations

# Where a small model begins to talk to itself.
STOP = ("\nQuestion:", "\nAnswer:", "\nPassage", "<passage", "</passage", "\n\n\n")
_DECLINED = ("i don't know", "i do not know", "das weiß ich nicht", "ich weiß es nicht")


def declines(text: str) -> bool:
    """Tell whether a text begins by saying that the answer is not known."""
    return text.strip().lower().replace("’", "'").startswith(_DECLINED)
