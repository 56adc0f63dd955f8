"""Several signals of support as one logit: a logistic regression whose weights are never negative.

Takes signals that are each higher where the evidence carries the claim, gives a logit that rises with every
one of them: no signal can be turned against itself by odd training data. Knows nothing about texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stack:
    """What each signal weighs, from 0 upwards, by its name; and the logit where all are 0."""

    names: tuple[str, ...]
    weights: tuple[float, ...]
    intercept: float

    def logits(self, signals: Array) -> Array:
        """Return a logit for each row of signals, shape (rows, names)."""
        return np.asarray(signals, np.float64) @ np.asarray(self.weights, np.float64) + self.intercept

    def as_json(self) -> dict[str, Any]:
        """Return what ``stack_of`` reads."""
        return {"weights": dict(zip(self.names, self.weights, strict=True)), "intercept": self.intercept}


def stack_of(value: dict[str, Any]) -> Stack:
    """Return the stack that ``as_json`` wrote."""
    weights = {str(name): float(weight) for name, weight in value["weights"].items()}
    return Stack(tuple(weights), tuple(weights.values()), float(value["intercept"]))
