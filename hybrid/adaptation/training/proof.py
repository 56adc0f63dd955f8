"""What a generator gained, on examples that its training never looked at.

Takes validation examples and a measure of losses, gives a change with its bounds: rights where there are
labels, else nats. Knows nothing about training.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from hybrid.adaptation.forgetting.pairing import paired_change
from hybrid.adaptation.training.encoding import Encoded, encode
from hybrid.adaptation.values import Change, Example
from hybrid.files import hash_text
from hybrid.models.dialogue import Dialogue

# Gives for each example the mean loss of its completion tokens.
Losses: TypeAlias = Callable[[Sequence[Encoded]], list[float]]

# So many validation examples tell when to stop; the others, never looked at while training, prove the gain.
_STOP_EXAMPLES = 48
_PROOF_EXAMPLES = 200


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
    chosen = _choose(losses, [item.example for item in labelled], dialogue)
    return [float(said == item.example.completion) for said, item in zip(chosen, labelled, strict=True)]


def _choose(losses: Losses, examples: Sequence[Example], dialogue: Dialogue) -> list[str]:
    """Return for each example the likeliest of its options."""
    asked = [dataclasses.replace(each, completion=option) for each in examples for option in each.options]
    encoded = encode(asked, dialogue, max_tokens=10**9).encoded
    found = zip(losses(encoded), encoded, strict=True)
    sums = iter(loss * item.completion_tokens for loss, item in found)
    return [min((next(sums), option) for option in each.options)[1] for each in examples]


def gain_of(before: Sequence[float], after: Sequence[float], proof: Sequence[Encoded]) -> Change | None:
    """Return how much better the adapter is on what it never looked at, or None without such examples."""
    labelled = [item for item in proof if item.example.options]
    if not proof:
        return None
    units = [_unit(item) for item in labelled or proof]
    if labelled:
        return paired_change(
            "label accuracy",
            before,
            after,
            units,
            unit="points",
            higher_is_better=True,
            scale=100,
            bounded=True,
        )
    return paired_change(
        "loss of held-out examples", before, after, units, unit="nats", higher_is_better=False
    )
