"""Examples become tokens, and tokens batches: loss on the completion alone, little padding.

Takes examples and a dialogue, gives batches padded on the left, so that all completions end at the same
column and logits are needed for the last ones only. Knows nothing about losses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hybrid.adaptation.values import Example, ExampleKind, LeftOut
from hybrid.models.dialogue import Dialogue

if TYPE_CHECKING:
    from torch import Tensor

TOO_LONG = "longer than the tokens that an example may have"


@dataclass(frozen=True, slots=True)
class Encoded:
    """The tokens of an example; those from ``start`` on are the completion, its end included."""

    example: Example
    ids: tuple[int, ...]
    start: int

    @property
    def completion_tokens(self) -> int:
        """Return how many tokens loss falls on."""
        return len(self.ids) - self.start

    @property
    def rehearses(self) -> bool:
        """Tell whether it keeps the model what it was."""
        return self.example.kind is ExampleKind.REHEARSAL


@dataclass(frozen=True, slots=True)
class EncodedSet:
    """What fits, in the given order, and what was left out."""

    encoded: tuple[Encoded, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def tokens(self) -> int:
        """Return the length of all examples together."""
        return sum(len(item.ids) for item in self.encoded)


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Examples side by side.

    ``ids``, ``mask`` and ``positions`` have the shape (rows, width). ``targets`` has the shape (rows, kept):
    the tokens of the last ``kept`` columns, and −100 where no loss falls; its logits begin a column earlier.
    """

    ids: Tensor
    mask: Tensor
    positions: Tensor
    targets: Tensor


def encode(examples: Sequence[Example], dialogue: Dialogue, *, max_tokens: int) -> EncodedSet:
    """Return the tokens of the examples as they are served; what is too long is left out and counted.

    A prompt and its completion are tokenised apart, as they are when a generator answers. A plain text has no
    prompt: loss falls on all of its tokens but the first.
    """
    prompts = dialogue.tokens(
        [dialogue.prompt(example.prompt) if example.prompt else "" for example in examples]
    )
    replies = dialogue.tokens(
        [
            dialogue.reply(example.completion) if example.prompt else dialogue.plain(example.completion)
            for example in examples
        ]
    )
    kept: list[Encoded] = []
    dropped: Counter[str] = Counter()
    for example, prompt, reply in zip(examples, prompts, replies, strict=True):
        ids = (*prompt, *reply, dialogue.end) if prompt else tuple(reply)
        start = len(prompt) or 1
        if len(ids) > max_tokens:
            dropped[TOO_LONG] += 1
        elif not reply or len(ids) <= start:
            dropped["without a completion"] += 1
        else:
            kept.append(Encoded(example, ids, start))
    return EncodedSet(tuple(kept), tuple(LeftOut(reason, count) for reason, count in sorted(dropped.items())))


def grouped(encoded: Sequence[Encoded], size: int, *, seed: int, epoch: int) -> list[list[Encoded]]:
    """Return batches of similar length in a random order, the same for the same seed and epoch.

    Lengths are compared only within stretches of a shuffled list, so that every epoch groups anew.
    """
    generator = np.random.default_rng([seed, epoch])
    order = [encoded[place] for place in generator.permutation(len(encoded))]
    stretch = size * 16
    batches: list[list[Encoded]] = []
    for begin in range(0, len(order), stretch):
        part = sorted(order[begin : begin + stretch], key=lambda item: len(item.ids))
        batches.extend(part[first : first + size] for first in range(0, len(part), size))
    return [batches[place] for place in generator.permutation(len(batches))]


def by_length(encoded: Sequence[Encoded], size: int) -> list[list[int]]:
    """Return the places of the examples in batches of similar length, for measuring."""
    order = sorted(range(len(encoded)), key=lambda place: len(encoded[place].ids))
    return [order[first : first + size] for first in range(0, len(order), size)]


def collate(rows: Sequence[Encoded], *, pad: int, device: str = "cpu") -> TokenBatch:
    """Return the examples as one batch, padded on the left."""
    import torch

    width = max(len(row.ids) for row in rows)
    kept = max(row.completion_tokens for row in rows)
    ids = np.full((len(rows), width), pad, dtype=np.int64)
    mask = np.zeros((len(rows), width), dtype=np.int64)
    targets = np.full((len(rows), kept), -100, dtype=np.int64)
    for place, row in enumerate(rows):
        ids[place, width - len(row.ids) :] = row.ids
        mask[place, width - len(row.ids) :] = 1
        targets[place, kept - row.completion_tokens :] = row.ids[row.start :]
    positions = np.maximum(mask.cumsum(-1) - 1, 0)
    to = torch.device(device)
    return TokenBatch(
        torch.from_numpy(ids).to(to),
        torch.from_numpy(mask).to(to),
        torch.from_numpy(positions).to(to),
        torch.from_numpy(targets).to(to),
    )
