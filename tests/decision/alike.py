"""Simulated differences of two arms, known in truth: questions are alike within a source, in four ways."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from hybrid.clustered import Clustered

# How a source makes its questions alike: a rate of its own; a latent ability; it moves as a whole or not at
# all; each question takes over what was drawn once for the source, or not.
WAYS = ("rates", "ability", "whole sources", "taken over")
_MIXED = "1 to 120"


@dataclass(frozen=True)
class Cell:
    """One simulated comparison: of ``lost`` and ``won`` shares of questions, so that the truth is known."""

    way: str
    sources: int
    size: int | str
    correlation: float
    lost: float
    won: float

    @property
    def truth(self) -> float:
        """Return the true difference."""
        return self.won - self.lost


@dataclass(frozen=True)
class Found:
    """What the intervals of a cell did in so many draws; claims are those at a margin."""

    cell: Cell
    draws: int
    held: int
    wrong: int
    half_width: float


def grid(
    sources: Sequence[int],
    sizes: Sequence[int | str],
    correlations: Sequence[float],
    differences: Sequence[float],
    won: Sequence[float],
) -> Iterator[Cell]:
    """Yield all cells; where the way does not matter there is one."""
    for count, size, correlation, difference, up in itertools.product(
        sources, sizes, correlations, differences, won
    ):
        for way in WAYS[:1] if correlation in (0, 1) or size == 1 else WAYS:
            if difference + up > 0 and (size != 1 or correlation == 0):
                yield Cell(way, count, size, correlation, up + difference, up)


def measure(cell: Cell, *, draws: int, margin: float, level: float, seed: int) -> Found:
    """Draw a cell many times, and hold its intervals and claims against the truth.

    The sign-flip test, which a claim has to pass as well, is left out: it can only refuse.
    """
    generator = np.random.default_rng([seed, *repr(cell).encode()])
    sizes = _sizes(cell, generator)
    won, lost = _draw(cell, sizes, draws, generator)
    found = Clustered(sizes.astype(float), won - lost, won + lost)
    low, high, truth = found.bound(level), found.bound(1 - level), cell.truth
    not_worse = (found.p_above(-margin) <= level) & (truth <= -margin + 1e-12)
    better = (found.p_above(margin) <= level) & (truth <= margin)
    turned = Clustered(sizes.astype(float), lost - won, won + lost)
    dearer = (turned.p_above(margin) <= level) & (-truth <= margin + 1e-12)
    held = (low <= truth + 1e-12) & (truth - 1e-12 <= high)
    wrong = max(int(not_worse.sum()), int(better.sum()), int(dearer.sum()))
    return Found(cell, draws, int(held.sum()), wrong, float(np.median(high - low)) / 2)


def _sizes(cell: Cell, generator: np.random.Generator) -> np.ndarray:
    if cell.size == _MIXED:
        return np.exp(generator.uniform(0, np.log(120.5), size=cell.sources)).round().astype(int)
    return np.full(cell.sources, int(cell.size))


def _draw(
    cell: Cell, sizes: np.ndarray, draws: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the questions won and lost by source, each of shape (draws, sources)."""
    shares = np.array([cell.won, cell.lost, 1 - cell.won - cell.lost])
    alike, shape = cell.correlation, (draws, cell.sources)
    asked = np.broadcast_to(sizes, shape)
    if alike == 0:
        counts = generator.multinomial(asked, shares)
    elif alike == 1 or cell.way in ("whole sources", "taken over"):
        if alike == 1:
            moved = asked
        elif cell.way == "whole sources":
            moved = asked * (generator.random(shape) < alike)
        else:
            moved = generator.binomial(asked, np.sqrt(alike))
        once = generator.multinomial(np.ones(shape, dtype=int), shares)
        counts = generator.multinomial(asked - moved, shares) + once * moved[..., None]
    else:
        rates = _rates(shares, alike, shape, generator) if cell.way == "rates" else None
        if rates is None:
            latent = generator.normal(size=shape) * np.sqrt(alike)
            below, above = special.ndtri(cell.lost), special.ndtri(1 - cell.won)
            lost = special.ndtr((below - latent) / np.sqrt(1 - alike))
            won = special.ndtr((latent - above) / np.sqrt(1 - alike))
            rates = np.stack([won, lost, np.maximum(1 - won - lost, 0)], axis=-1)
        counts = generator.multinomial(asked, rates / rates.sum(axis=-1, keepdims=True))
    return counts[..., 0].astype(float), counts[..., 1].astype(float)


def _rates(
    shares: np.ndarray, alike: float, shape: tuple[int, int], generator: np.random.Generator
) -> np.ndarray:
    """Return rates of each source of a Dirichlet distribution whose intraclass correlation is ``alike``."""
    parts = generator.standard_gamma(np.broadcast_to(shares * (1 - alike) / alike, (*shape, 3)))
    # parts so small that all of them are 0 in floating point: one has all
    empty = parts.sum(axis=-1) <= 0
    parts[empty] = generator.multinomial(np.ones(int(empty.sum()), dtype=int), shares)
    return parts
