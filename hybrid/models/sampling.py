"""Tokens drawn by chance instead of taken for the likeliest: the one rule of whoever samples.

Takes logits and a source of chance, gives tokens. Knows nothing about models or texts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hybrid.errors import UsageError
from hybrid.files import hash_text

if TYPE_CHECKING:
    from torch import Tensor

# Of the likeliest tokens those that make up 95 %: the long tail holds what no one would say.
_MASS = 0.95
_LIKELIEST = 512


@dataclass(frozen=True, slots=True)
class Draws:
    """Draw for several rows, each from a source of its own, so that none depends on the others.

    Args:
        temperature: 1 takes the model as it is, less makes the likely likelier.
        chances: for each row what ``chance`` gave.
    """

    temperature: float
    chances: Sequence[Any]

    def __call__(self, logits: Tensor, rows: Sequence[int]) -> Tensor:
        """Return one token for each of some of the rows."""
        import torch

        cold = logits.float().cpu() / self.temperature
        drawn = [draw(cold[place : place + 1], self.chances[row]) for place, row in enumerate(rows)]
        return torch.cat(drawn).to(logits.device)


def chance(seed: int, number: int, prompt: str) -> Any:
    """Return the source of chance of one sample: the same for the same seed, number and prompt."""
    import torch

    return torch.Generator().manual_seed(int(hash_text(str(seed), str(number), prompt)[:15], 16))


def draw(logits: Tensor, chance: Any) -> Tensor:
    """Return one token a row, drawn from the likeliest that together have the mass."""
    import torch

    likely, tokens = logits.softmax(-1).topk(min(_LIKELIEST, logits.shape[-1]), dim=-1)
    before = likely.cumsum(-1) - likely
    drawn = torch.multinomial(likely * (before < _MASS), 1, generator=chance)
    return tokens.gather(-1, drawn)[:, 0]


def require_samples(count: int, temperature: float) -> None:
    """Refuse what cannot be sampled.

    Raises:
        UsageError: less than one sample, or a temperature that is not above 0.
    """
    if count < 1 or not 0 < temperature < math.inf:
        raise UsageError(
            f"{count} samples at a temperature of {temperature}: expected at least one, and more than 0",
            hint="without chance there is one answer: leave sampling out",
        )
