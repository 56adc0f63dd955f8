"""Do probabilities hold? Debiased calibration error with its null value, and log-loss.

Takes probabilities and labels, gives figures; never NaN. Groups are of equal mass and never part equal
probabilities, so that no figure depends on the order of the input; a probability of 0 counts like any other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from hybrid.confidence import BINS
from hybrid.errors import UsageError

Array = NDArray[np.float64]

SIMULATIONS = 500
# A probability nearer to 0 or 1 counts as this one, or a single mistake would be an infinite loss.
_NEAREST = 1e-6


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """The expected calibration error, from 0 to 1, lower is better.

    ``error`` is debiased, ``plain`` is not: few labels raise it. ``null`` is the mean debiased error of a
    predictor with the same probabilities that is perfectly calibrated, on as many labels, and ``null_high``
    what 95 % of such predictors stay below: an error up to there is no evidence of a wrong calibration.
    """

    error: float
    plain: float
    null: float
    null_high: float


def calibration_error(
    probabilities: ArrayLike,
    supported: ArrayLike,
    *,
    bins: int = BINS,
    simulations: int = SIMULATIONS,
    seed: int = 0,
) -> CalibrationError | None:
    """Return the debiased expected calibration error; None of nothing.

    The plain error is the mean over groups of |share supported − mean probability|. What it would gain if the
    labels were drawn anew is taken from it (Kumar et al. 2019, §5, in closed form for normal errors), at
    most down to 0. What is left of the bias shows in the null value, which is simulated (Roelofs et al.
    2022, arXiv:2012.08668, compare the estimators).

    Args:
        probabilities: from 0 to 1.
        supported: the labels.
        bins: how many groups of equal mass, fewer where there are fewer than five claims for each.
        simulations: how many sets of labels the null value is over.
        seed: of these labels.

    Raises:
        UsageError: a probability outside 0 to 1, or not one label for each.
    """
    chances, flags = _checked(probabilities, supported)
    if not len(chances):
        return None
    groups = _Groups.of(chances, bins)
    error, plain = groups.errors(flags[groups.order][None, :].astype(np.float64))
    drawn = np.random.default_rng([seed, 3]).random((simulations, len(chances))) < chances[groups.order]
    null, _ = groups.errors(drawn.astype(np.float64))
    return CalibrationError(
        float(error[0]), float(plain[0]), float(null.mean()), float(np.quantile(null, 0.95))
    )


def log_loss(probabilities: ArrayLike, supported: ArrayLike) -> float | None:
    """Return the mean negative log-likelihood in nats; None of nothing. From 0 upwards, lower is better."""
    chances, flags = _checked(probabilities, supported)
    if not len(chances):
        return None
    chances = np.clip(chances, _NEAREST, 1 - _NEAREST)
    return float(-np.mean(np.where(flags, np.log(chances), np.log1p(-chances))))


def log_loss_skill(probabilities: ArrayLike, supported: ArrayLike) -> float | None:
    """Return 1 − log-loss / log-loss of the share of supported claims; None where all labels are alike.

    1 is perfect, 0 is as good as knowing only the share, below 0 is worse than that.
    """
    _, flags = _checked(probabilities, supported)
    share = float(flags.mean()) if len(flags) else 0.0
    loss = log_loss(probabilities, supported)
    prior = float(special.entr(share) + special.entr(1 - share))
    return None if loss is None or prior <= 0 else 1.0 - loss / prior


@dataclass(frozen=True, eq=False, slots=True)
class _Groups:
    """Groups of equal mass over probabilities in ascending order: ``starts`` are places in that order."""

    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    sizes: Array
    chances: Array

    @classmethod
    def of(cls, chances: Array, bins: int) -> _Groups:
        order = np.argsort(chances, kind="stable")
        _, counts = np.unique(chances, return_counts=True)
        bins = max(min(bins, len(chances) // 5), 1)
        # equal probabilities go where the middle one of them would
        middles = np.cumsum(counts) - counts / 2
        own = np.minimum((middles * bins / len(chances)).astype(np.int64), bins - 1)
        _, first = np.unique(own, return_index=True)
        starts = (np.cumsum(counts) - counts)[first]
        sizes = np.diff(np.append(starts, len(chances))).astype(np.float64)
        return cls(order, starts, sizes, np.add.reduceat(chances[order], starts) / sizes)

    def means(self, labels: Array) -> Array:
        """Return the share supported of each group, shape (rows, groups)."""
        return np.asarray(np.add.reduceat(labels, self.starts, axis=1) / self.sizes)

    def errors(self, labels: Array) -> tuple[Array, Array]:
        """Return the debiased and the plain error of each row of labels."""
        shares = self.means(labels)
        gaps = np.abs(shares - self.chances)
        mass = self.sizes / self.sizes.sum()
        plain = gaps @ mass
        spread = np.sqrt(shares * (1 - shares) / self.sizes)
        ratio = np.divide(gaps, spread, out=np.full_like(gaps, np.inf), where=spread > 0)
        # the mean of |x| where x is normal around the gap (Leone et al. 1961)
        folded = spread * np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2) + gaps * (1 - 2 * special.ndtr(-ratio))
        return np.maximum(2 * plain - folded @ mass, 0.0), plain


def _checked(probabilities: ArrayLike, supported: ArrayLike) -> tuple[Array, NDArray[np.bool_]]:
    chances = np.asarray(probabilities, dtype=np.float64)
    flags = np.asarray(supported, dtype=np.bool_)
    if len(chances) != len(flags):
        raise UsageError(f"{len(chances)} probabilities and {len(flags)} labels: expected one label for each")
    outside = ~((chances >= 0) & (chances <= 1))
    if outside.any():
        raise UsageError(f"a probability of {chances[outside][0]}: expected from 0 to 1")
    return chances, flags
