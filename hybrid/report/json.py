"""A decision as one JSON object, for programs.

Takes a decision, gives plain values: shares from 0 to 1, never NaN or infinity (null instead). Keys are
a promise; new ones may come, none changes its meaning.
"""

from __future__ import annotations

import dataclasses
import math
from enum import StrEnum
from typing import Any

from hybrid.decision.values import ArmResult, Decision, Effect, GateResult, SliceResult
from hybrid.report.content import slice_arms
from hybrid.statistics import Interval

# what json.dumps takes
Json = dict[str, Any]


def report_json(decision: Decision) -> Json:
    """Return the decision as one object; ``arm`` is None (null) when undecided."""
    policy = decision.policy
    whole: Json = {
        "verdict": decision.verdict,
        "arm": decision.arm,
        "sentence": decision.sentence,
        "interim": decision.interim,
        "effects": [_effect(effect) for effect in decision.effects],
        "intervals": [
            {"arm": result.arm, "mean": result.mean} | _interval(result.interval) for result in decision.arms
        ],
        "costs": [_cost(result) for result in decision.arms],
        "currency": policy.currency,
        "gates": [_gate(gate) for result in decision.arms for gate in result.gates],
        "reasons": decision.reasons,
        "flips": decision.flips,
        "slices": [_slice(part, slice_arms(decision)) for part in decision.slices],
        "questions_needed": decision.questions_needed,
        "margin_needed": decision.margin_needed,
        "detectable": decision.detectable,
        "questions": decision.questions,
        "sources": decision.sources,
        "synthetic": decision.synthetic,
        "order": decision.order,
        "rivals": decision.rivals,
        "ungated": decision.ungated,
        "margin": policy.margin,
        "level": policy.level,
        "metric": policy.metric,
        "replicates": policy.replicates,
        "seed": policy.seed,
        "looks": [dataclasses.asdict(look) for look in decision.looks],
    }
    return {key: _plain(value) for key, value in whole.items()}


def _effect(effect: Effect) -> Json:
    return {
        "arm": effect.arm,
        "other": effect.other,
        "difference": effect.difference,
        **_interval(effect.interval),
        "claim": effect.claim,
        "p": effect.p,
        "permutation_p": effect.permutation_p,
        "shown": effect.shown,
    }


def _interval(interval: Interval) -> Json:
    return {"low": interval.low, "high": interval.high, "confidence": interval.confidence}


def _cost(result: ArmResult) -> Json:
    return {"arm": result.arm} | dataclasses.asdict(result.cost)


def _gate(result: GateResult) -> Json:
    return {
        "arm": result.arm,
        "measure": result.gate.measure,
        "comparison": result.gate.comparison,
        "limit": result.gate.limit,
        "value": result.value,
        "passed": result.passed,
    }


def _slice(part: SliceResult, arms: tuple[str, ...]) -> Json:
    return {
        "name": part.name,
        "questions": part.questions,
        "sources": part.sources,
        "means": dict(zip(arms, part.means, strict=True)),
        "best": part.best,
        "difference": part.difference,
        **_interval(part.interval),
        "exception": part.exception,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
