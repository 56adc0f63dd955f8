"""Token batches with loss on the completion alone, and the paired test of held-out loss and accuracy."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from hybrid.adaptation.forgetting.measure import paired_change
from hybrid.adaptation.values import Change, Example, ExampleKind, Sifted
from hybrid.files import hash_text
from hybrid.models.dialogue import Dialogue

# So many validation examples tell when to stop; the others, never looked at while training, prove the gain.
_STOP_EXAMPLES = 48
_PROOF_EXAMPLES = 200


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
    left_out: tuple[Sifted, ...]

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
            dropped[f"longer than {max_tokens} tokens (adaptation.max_tokens)"] += 1
        elif not reply or len(ids) <= start:
            dropped["without a completion"] += 1
        else:
            kept.append(Encoded(example, ids, start))
    return EncodedSet(tuple(kept), tuple(Sifted(reason, count) for reason, count in sorted(dropped.items())))


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
    """Return the examples as one batch, padded on the left.

    So all completions end at the same column, and logits are needed for the last ones only.
    """
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
    return TokenBatch(*(torch.from_numpy(part).to(to) for part in (ids, mask, positions, targets)))


# Gives for each example the mean loss of its completion tokens.
Losses: TypeAlias = Callable[[Sequence[Encoded]], list[float]]


@dataclass(frozen=True, slots=True)
class Checked:
    """Validation examples in two parts that share no document: for stopping, and for the proof."""

    stop: tuple[Encoded, ...]
    proof: tuple[Encoded, ...]


def halve(checked: Sequence[Encoded]) -> Checked:
    """Return what tells when to stop and what proves the gain; no document is in both."""
    sources = sorted({_unit(item) for item in checked}, key=lambda source: hash_text("half", source))
    stop: list[Encoded] = []
    chosen: set[str] = set()
    for source in sources:
        if len(stop) >= min(_STOP_EXAMPLES, len(checked) // 2):
            break
        chosen.add(source)
        stop.extend(item for item in checked if _unit(item) == source)
    proof = [item for item in checked if _unit(item) not in chosen]
    return Checked(tuple(stop), tuple(proof[:_PROOF_EXAMPLES]))


def _unit(item: Encoded) -> str:
    return item.example.source or hash_text(
        item.example.completion, *(m.content for m in item.example.prompt)
    )


def worth(losses: Losses, proof: Sequence[Encoded], dialogue: Dialogue) -> list[float]:
    """Return what the gain is measured by: rights where there are labels, else losses."""
    labelled = [item for item in proof if item.example.options]
    if not labelled:
        return losses(proof)
    examples = [item.example for item in labelled]
    asked = [dataclasses.replace(each, completion=option) for each in examples for option in each.options]
    encoded = encode(asked, dialogue, max_tokens=10**9).encoded
    found = zip(losses(encoded), encoded, strict=True)
    sums = iter(loss * item.completion_tokens for loss, item in found)
    # the likeliest of its options
    chosen = [min((next(sums), option) for option in each.options)[1] for each in examples]
    return [float(said == each.completion) for said, each in zip(chosen, examples, strict=True)]


def gain_of(before: Sequence[float], after: Sequence[float], proof: Sequence[Encoded]) -> Change | None:
    """Return how much better the adapter is on what it never looked at, or None without such examples."""
    labelled = [item for item in proof if item.example.options]
    if not proof:
        return None
    units = [_unit(item) for item in labelled or proof]
    named, unit = ("label accuracy", "points") if labelled else ("loss of held-out examples", "nats")
    return paired_change(
        named,
        before,
        after,
        units,
        unit=unit,
        higher_is_better=bool(labelled),
        scale=100 if labelled else 1,
        bounded=bool(labelled),
    )
