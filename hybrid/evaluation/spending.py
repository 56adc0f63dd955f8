"""Levels for looking at growing data several times: alpha spending (Lan & DeMets 1983).

Takes the shares of the data that each look sees, gives the level of each look. Knows nothing about what
is tested. Estimates on nested samples behave like a Brownian motion at these shares (independent
increments), so the chance of crossing at a later look but at none before is an integral over one
dimension, worked out look by look (Armitage, McPherson & Rowe 1969).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import optimize, special

_GRID = 401
_LOWEST = -6.0


def spend(shares: Sequence[float], *, level: float, power: float) -> list[float]:
    """Return the one-sided level of each look, so that all looks together err with chance ``level``.

    Args:
        shares: what part of all the data each look sees, each 0.01 or more above the one before (the grid of
            the integral is no finer), the last one 1.
        level: of all looks together, one-sided.
        power: the level spent by share t is ``level`` × t ** ``power``: 1 stops clear cases early, 3 keeps
            nearly all of it for the end.
    """
    spent = [level * share**power for share in shares]
    levels: list[float] = []
    grid = density = np.empty(0)
    for look, (share, upto) in enumerate(zip(shares, spent, strict=True)):
        if look == 0:
            bound = float(special.ndtri(1 - upto)) * np.sqrt(share)
            grid = np.linspace(_LOWEST * np.sqrt(share), bound, _GRID)
            density = np.exp(-(grid**2) / (2 * share)) / np.sqrt(2 * np.pi * share)
        else:
            fresh = upto - spent[look - 1]
            step = float(np.sqrt(share - shares[look - 1]))
            bound = _bound(grid, density, step, fresh)
            wider = np.linspace(_LOWEST * np.sqrt(share), bound, _GRID)
            kernel = np.exp(-(((wider[:, None] - grid) / step) ** 2) / 2) / (np.sqrt(2 * np.pi) * step)
            density = np.trapezoid(kernel * density, grid, axis=1)
            grid = wider
        levels.append(float(special.ndtr(-bound / np.sqrt(share))))
    return levels


def _bound(grid: np.ndarray, density: np.ndarray, step: float, wanted: float) -> float:
    """Return the value that is first crossed at this look with the wanted chance."""

    def excess(bound: float) -> float:
        return float(np.trapezoid(density * special.ndtr((grid - bound) / step), grid)) - wanted

    return float(optimize.brentq(excess, _LOWEST, 12.0))
