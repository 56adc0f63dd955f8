"""What would settle an undecided comparison: more questions, or another margin; and what could be seen.

Takes a resampling and what was judged, gives numbers for planning. Decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hybrid.decision.claims import Standard, difference, effects_for
from hybrid.decision.values import Effect, Policy
from hybrid.statistics import MIN_SOURCES, Resampling, detectable_effect, questions_for

_POWER = 0.8
_MARGIN_STEP = 0.005
_WIDEST_MARGIN = 0.3
# When the tests refuse where the formula says that there are enough, so much more is asked for.
_LEAST_MORE = 0.1


def questions_needed(
    asked: int, columns: Resampling, judgement: Sequence[Sequence[Effect]], policy: Policy
) -> int | None:
    """Return the further questions for the verdict that is nearest to being settled, None if there is none.

    Args:
        asked: how many questions there were.
        columns: their resampling, arms from cheap to dear.
        judgement: the effects that the verdict for each arm needs.
        policy: margin and level.
    """
    needs = [
        max((_need(columns, place, effects, asked, policy)), default=0.0)
        for place, effects in enumerate(judgement)
    ]
    # too few sources for any claim: at the questions a source so far
    floor = MIN_SOURCES * asked / columns.sources
    nearest = max(min(needs, default=math.inf), floor)
    return max(math.ceil(nearest - asked), math.ceil(_LEAST_MORE * asked)) if math.isfinite(nearest) else None


def margin_needed(
    order: Sequence[str], columns: Resampling, leader: int | None, policy: Policy
) -> float | None:
    """Return the margin, on a grid of half points, at which the cheapest arm is shown to be good enough."""
    # of a dearer arm it is not only asked to be good enough, and that is harder with a wider margin
    if leader != 0 or columns.sources < MIN_SOURCES:
        return None

    def enough(steps: int) -> bool:
        standard = Standard(steps * _MARGIN_STEP, policy.level)
        return all(effect.shown for effect in effects_for(0, order, columns, standard, {}))

    low, high = int(policy.margin / _MARGIN_STEP), round(_WIDEST_MARGIN / _MARGIN_STEP)
    if not enough(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high * _MARGIN_STEP


def detectable(columns: Resampling, leader: int | None, policy: Policy) -> float:
    """Return the smallest difference to the leader that would be seen, for the arm that varies most."""
    if leader is None:
        return 1.0
    pairs = [difference(columns, other, leader) for other in range(len(columns.means)) if other != leader]
    error = max((pair.standard_error for pair in pairs), default=0.0)
    return min(detectable_effect(error, sources=columns.sources, level=policy.level), 1.0)


def _need(
    columns: Resampling, place: int, effects: Sequence[Effect], asked: int, policy: Policy
) -> list[float]:
    others = [other for other in range(len(effects) + 1) if other != place]
    # all open claims must be shown: Holm shares the level among them, and their powers multiply
    still_open = max(sum(not effect.shown for effect in effects), 1)
    level, power = policy.level / still_open, 1 - (1 - _POWER) / still_open
    needs = []
    for other, effect in zip(others, effects, strict=True):
        if not effect.shown:
            contrast = difference(columns, place, other)
            excluded = -policy.margin if other > place else policy.margin
            # as good as it looks, or equal: reckoned with an estimate right at the margin, no number would do
            difference_then = max(contrast.estimate, 0.0) if other > place else contrast.estimate
            distance, error = difference_then - excluded, contrast.error_at(excluded)
            needs.append(questions_for(distance, error, questions=asked, level=level, power=power))
    return needs
