"""A decision or a Pareto front as one JSON object, for programs: keys are a promise, no NaN or infinity."""

from __future__ import annotations

import dataclasses
import math
from enum import StrEnum
from typing import Any

from hybrid.decision.values import Decision, Effect, GateResult, SliceResult
from hybrid.report.pareto import Pareto
from hybrid.statistics import Interval

# what json.dumps takes
Json = dict[str, Any]


def report_json(decision: Decision) -> Json:
    """Return the decision as one object, shares from 0 to 1; ``arm`` is None (null) when undecided."""
    policy = decision.policy
    whole: Json = {
        "verdict": decision.verdict,
        "arm": decision.arm,
        "sentence": decision.sentence,
        "interim": decision.interim,
        "effects": [_flat(effect) for effect in decision.effects],
        "intervals": [
            {"arm": result.arm, "mean": result.mean} | _flat(result.interval) for result in decision.arms
        ],
        "costs": [{"arm": result.arm} | dataclasses.asdict(result.cost) for result in decision.arms],
        "currency": policy.currency,
        "gates": [_flat(gate) for result in decision.arms for gate in result.gates],
        "reasons": decision.reasons,
        "flips": decision.flips,
        "slices": [_slice(part) for part in decision.slices],
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


def pareto_json(found: Pareto) -> Json:
    """Return the points, the axes and the budget; what is no finite number is None (null)."""
    return {key: _plain(value) for key, value in dataclasses.asdict(found).items()}


def _flat(value: Effect | GateResult | Interval | SliceResult) -> Json:
    """Return the fields of a value; those of its gate and of its interval stand in its place."""
    fields: Json = {}
    for key, inner in ((each.name, getattr(value, each.name)) for each in dataclasses.fields(value)):
        fields |= dataclasses.asdict(inner) if key in {"gate", "interval"} else {key: inner}
    return fields


def _slice(part: SliceResult) -> Json:
    fields = _flat(part) | {"means": dict(zip(part.arms, part.means, strict=True))}
    return {key: value for key, value in fields.items() if key != "arms"}


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
