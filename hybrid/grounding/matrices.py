"""How much each passage carries each claim: the table that is filled once and that all figures come from.

Takes and gives numbers. Knows nothing about texts, scorers or how the numbers came about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, slots=True)
class SupportMatrix:
    """Support from 0 to 1, shape (claims, passages): the greatest over a passage's candidates.

    A claim that was not judged has a row of zeros, as has one that no passage carries; a passage without a
    word has a column of zeros.
    """

    values: NDArray[np.float64]

    @property
    def best(self) -> NDArray[np.float64]:
        """Return the support of each claim by the passage that carries it best; 0 without passages."""
        return np.asarray(self.values.max(axis=1, initial=0.0))

    def together(self, claims: Sequence[int]) -> NDArray[np.float64]:
        """Return how much each passage carries all of some claims: as much as the one it carries least.

        Of no claim it is nothing, not everything.
        """
        if not claims:
            return np.zeros(self.values.shape[1])
        return np.asarray(self.values[list(claims)].min(axis=0))
