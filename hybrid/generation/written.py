"""What a generator writes, as far as all ways of asking share it: where it ends, and whether it declines.

Takes a conversation, gives the text while it grows. Knows nothing about passages or checks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hybrid.models import Generation, Generator
from hybrid.types import Message

# Where a small model begins to talk to itself.
STOP = ("\nQuestion:", "\nAnswer:", "\nPassage", "<passage", "</passage", "\n\n\n")
_DECLINED = ("i don't know", "i do not know", "das weiß ich nicht", "ich weiß es nicht")


class Written:
    """The text of a stream while it grows."""

    def __init__(self, generator: Generator, messages: Sequence[Message], max_new_tokens: int) -> None:
        self.text = ""
        self._pieces = 0
        self._generator, self._messages, self._max_new_tokens = generator, messages, max_new_tokens

    def __iter__(self) -> Iterator[str]:
        stream = self._generator.stream(self._messages, max_new_tokens=self._max_new_tokens, stop=STOP)
        for piece in stream:
            self.text += piece
            self._pieces += 1
            yield piece

    def generation(self) -> Generation:
        """Return what was written so far; a piece of the stream is about a token."""
        return Generation(self.text, self._generator.count_prompt_tokens(self._messages), self._pieces)


def declines(text: str) -> bool:
    """Tell whether a text begins by saying that the answer is not known."""
    return text.strip().lower().replace("’", "'").startswith(_DECLINED)
