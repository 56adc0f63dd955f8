"""What more evidence would settle or turn: power analysis, in questions, sources or judgements by people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from hybrid.decision.values import Decision, Effect, Hypothesis, Policy
from hybrid.statistics import Resampling, detectable_effect, least_sources, questions_for

_POWER = 0.8
# When the tests refuse where the formula says that there are enough, so much more is asked for.
_LEAST_MORE = 0.1
# Of fewer questions a source, new questions bring new sources with them.
_SEVERAL = 2.0


@dataclass(frozen=True, slots=True)
class Shortfall:
    """The comparison that keeps the nearest verdict from being settled, and how much more would settle it.

    ``sources`` is how many further ones the ``questions`` have to come from, 0 where any will do.
    """

    effect: Effect
    questions: int
    sources: int


@dataclass(frozen=True, slots=True)
class Prospect:
    """How a verdict would look once people have judged answers to some of the questions (PPI++).

    ``effect`` is the claim of the arm chosen, or of the one to run until then, that is least sure, and
    ``half_width`` what its interval would then have to either side. People would have to see it by more than
    ``gives_way`` worse than the metric does for its claim to fail; below 0 it fails unless they see it by
    so much better. ``turns`` is from where on they would show the other arm to be better.
    """

    effect: Effect
    half_width: float
    gives_way: float
    turns: float


def prospect(decision: Decision, *, judgements: int, disagreement: float) -> Prospect | None:
    """Return how a verdict would look with so many questions judged, None without an arm or its claims.

    The decision is on scores that no person judged; people judge ``judgements`` of its questions for each
    arm. ``disagreement`` is the variance, a question, of what they add to a difference of two arms.
    """
    arm = decision.arm or decision.interim
    seen = [
        _prospect(effect, decision, judgements, disagreement)
        for effect in decision.effects
        if effect.arm == arm
    ]
    return min(seen, key=lambda each: each.gives_way, default=None)


def _prospect(effect: Effect, decision: Decision, judgements: int, disagreement: float) -> Prospect:
    interval, margin = effect.interval, decision.policy.margin
    quantile = NormalDist().inv_cdf((1 + interval.confidence) / 2)
    # of questions that are all judged, nothing is left but what other questions would give
    left = max(1 / judgements - 1 / decision.questions, 0.0)
    added = quantile * math.sqrt(disagreement * left)
    below = math.hypot(effect.difference - interval.low, added)
    above = math.hypot(interval.high - effect.difference, added)
    excluded = margin if effect.claim is Hypothesis.BETTER else -margin
    return Prospect(
        effect,
        half_width=(below + above) / 2,
        gives_way=effect.difference - below - excluded,
        turns=effect.difference + above,
    )


def shortfall(
    asked: int, columns: Resampling, judgement: Sequence[Sequence[Effect]], policy: Policy
) -> Shortfall | None:
    """Return what the verdict that is nearest to being settled lacks, None if no number of questions helps.

    ``asked`` is how many questions there were, ``columns`` their resampling, arms from cheap to dear, and
    ``judgement`` has the effects that the verdict for each arm needs.
    """
    hardest = [
        max(needs, key=lambda need: need[0])
        for place, effects in enumerate(judgement)
        if (needs := _needs(columns, place, effects, policy))
    ]
    times, effect, between = min(hardest, key=lambda need: need[0], default=(math.inf, None, 0.0))
    if effect is None or not math.isfinite(times):
        return None
    claims = max(sum(not each.shown for each in effects) for effects in judgement)
    least = least_sources(policy.level, claims) / columns.sources
    times = max(times, least, 1 + _LEAST_MORE)
    # what questions of the same sources would have to come to, if they alone could do it
    room = 1 / times - between
    alike = asked >= _SEVERAL * columns.sources
    if alike and (least > 1 or 2 * times * between > 1 + between):
        return Shortfall(
            effect, math.ceil((times - 1) * asked), math.ceil(round((times - 1) * columns.sources, 6))
        )
    more = (1 - between) / room - 1 if alike else times - 1
    return Shortfall(effect, math.ceil(round(more * asked, 6)), 0)


def detectable(columns: Resampling, leader: int | None, policy: Policy) -> float:
    """Return the smallest difference to the leader that would be seen, for the arm that varies most."""
    if leader is None:
        return 1.0
    pairs = [columns.difference(other, leader) for other in range(len(columns.means)) if other != leader]
    error = max((pair.standard_error for pair in pairs), default=0.0)
    return min(detectable_effect(error, sources=columns.sources, level=policy.level), 1.0)


def _needs(
    columns: Resampling, place: int, effects: Sequence[Effect], policy: Policy
) -> list[tuple[float, Effect, float]]:
    """Return of every open claim how many times the evidence it needs, and the share between sources."""
    others = [other for other in range(len(effects) + 1) if other != place]
    # all open claims must be shown: Holm shares the level among them, and their powers multiply
    still_open = max(sum(not effect.shown for effect in effects), 1)
    level, power = policy.level / still_open, 1 - (1 - _POWER) / still_open
    needs = []
    for other, effect in zip(others, effects, strict=True):
        if not effect.shown:
            contrast = columns.difference(place, other)
            excluded = -policy.margin if other > place else policy.margin
            # as good as it looks, or equal: reckoned with an estimate right at the margin, no number would do
            difference_then = max(contrast.estimate, 0.0) if other > place else contrast.estimate
            distance, error = difference_then - excluded, contrast.error_at(excluded)
            times = questions_for(distance, error, questions=1, level=level, power=power)
            needs.append((times, effect, contrast.between))
    return needs
