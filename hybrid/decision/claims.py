"""What the verdict for one arm has to show against every other arm, and whether the data shows it.

Takes a resampling whose columns stand from cheap to dear, gives effects. Against a cheaper arm the
candidate must be *better* by more than the margin, for less is not worth a price; against a dearer one it
must be *not worse* by more than the margin. All these claims must hold together (Berger 1982), each at
its level after Holm, so that a wrong verdict takes a false claim about one and the same pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hybrid.decision.values import Claim, Effect, Interval
from hybrid.statistics import Contrast, Resampling, holm

# (candidate, other) -> an effect that was shown at an earlier look and stays shown
Shown = Mapping[tuple[str, str], Effect]


@dataclass(frozen=True, slots=True)
class Standard:
    """How strict claims are judged: margin, and the one-sided level of this look."""

    margin: float
    level: float


def difference(resampling: Resampling, arm: int, other: int) -> Contrast:
    """Return the contrast of two columns, the first minus the second."""
    weights = np.zeros(len(resampling.means))
    weights[arm] += 1.0
    weights[other] -= 1.0
    return resampling.contrast(weights.tolist())


def mean(resampling: Resampling, arm: int) -> Contrast:
    """Return one column as a contrast."""
    weights = np.zeros(len(resampling.means))
    weights[arm] = 1.0
    return resampling.contrast(weights.tolist())


def interval(contrast: Contrast, level: float) -> Interval:
    """Return the interval whose two ends are the one-sided bounds at this level, as is usual for margins."""
    return Interval(contrast.bound(level), contrast.bound(1 - level), 1 - 2 * level)


def effects_for(
    candidate: int, arms: Sequence[str], resampling: Resampling, standard: Standard, earlier: Shown
) -> list[Effect]:
    """Return what the verdict for the candidate needs, in the order of the arms.

    Args:
        candidate: its column.
        arms: names of the columns, from cheap to dear.
        resampling: of the scores so far.
        standard: margin and level.
        earlier: claims that were shown before; they are not tested again and leave the Holm family.
    """
    open_claims: list[tuple[int, Contrast, Claim, float]] = []
    effects: dict[int, Effect] = {}
    for other in range(len(arms)):
        if other == candidate:
            continue
        claim = Claim.BETTER if other < candidate else Claim.NOT_WORSE
        known = earlier.get((arms[candidate], arms[other]))
        # prices may have changed places since: who is better is not worse, but not the other way round
        if known is not None and known.claim in (claim, Claim.BETTER):
            effects[other] = known
            continue
        contrast = difference(resampling, candidate, other)
        excluded = standard.margin if claim is Claim.BETTER else -standard.margin
        open_claims.append((other, contrast, claim, contrast.p_above(excluded)))
    adjusted = holm([p for _, _, _, p in open_claims])
    for (other, contrast, claim, _), p in zip(open_claims, adjusted, strict=True):
        effects[other] = Effect(
            arm=arms[candidate],
            other=arms[other],
            difference=contrast.estimate,
            interval=interval(contrast, standard.level),
            claim=claim,
            p=p,
            permutation_p=contrast.flip_p(two_sided=True),
            shown=p <= standard.level,
        )
    return [effects[other] for other in sorted(effects)]


def judge(
    arms: Sequence[str], resampling: Resampling, standard: Standard, earlier: Shown
) -> list[list[Effect]]:
    """Return for every arm, from cheap to dear, the effects that its verdict needs."""
    return [effects_for(candidate, arms, resampling, standard, earlier) for candidate in range(len(arms))]


def settled(judgement: Sequence[Sequence[Effect]]) -> int | None:
    """Return the cheapest arm all of whose claims are shown, None if there is none."""
    for place, effects in enumerate(judgement):
        if all(effect.shown for effect in effects):
            return place
    return None
