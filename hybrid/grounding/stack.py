"""Several signals of support as one logit: a logistic regression whose weights are never negative.

Takes signals that are each higher where the evidence carries the claim, gives a logit that rises with every
one of them: no signal can be turned against itself by odd training data. Knows nothing about texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid.errors import UsageError

Array = NDArray[np.float64]

_LEAST = 20
# A weak pull towards 0: signals that say the same share their weight.
_RIDGE = 1e-3


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


def fit_stack(
    names: tuple[str, ...], signals: Array, supported: NDArray[np.bool_], rows: Array | None = None
) -> Stack:
    """Return the stack of greatest likelihood whose weights are not negative.

    Args:
        names: of the signals.
        signals: shape (claims, names).
        supported: the labels.
        rows: what each claim weighs, so that large sets do not drown small ones; None for all alike.

    Raises:
        UsageError: too few claims, or all of one label.
    """
    from scipy.optimize import minimize

    count = len(supported)
    if count < _LEAST or supported.all() or not supported.any():
        raise UsageError(
            f"{count} labels, {int(supported.sum())} supported: expected {_LEAST} or more of both"
        )
    shares = np.full(count, 1 / count) if rows is None else np.asarray(rows, np.float64) / np.sum(rows)
    centre, spread = signals.mean(0), np.maximum(signals.std(0), 1e-9)
    scaled = (signals - centre) / spread
    signs = np.where(supported, 1.0, -1.0)

    def loss(values: Array) -> tuple[float, Array]:
        margins = signs * (scaled @ values[:-1] + values[-1])
        wrong = -signs * shares / (1 + np.exp(np.clip(margins, -500, 500)))
        value = float(shares @ np.logaddexp(0, -margins) + _RIDGE * values[:-1] @ values[:-1])
        return value, np.append(wrong @ scaled + 2 * _RIDGE * values[:-1], wrong.sum())

    bounds = [(0.0, None)] * len(names) + [(None, None)]
    found = minimize(loss, np.zeros(len(names) + 1), jac=True, bounds=bounds, method="L-BFGS-B").x
    weights = found[:-1] / spread
    return Stack(names, tuple(map(float, weights)), float(found[-1] - weights @ centre))
