"""Reports as text for a terminal, in which no name steers the display, and as JSON for programs."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from hybrid.decision.values import Decision, Effect, GateResult, SliceResult
from hybrid.evaluation.scoring import ArmSummary
from hybrid.files import finite
from hybrid.report import pareto, words
from hybrid.report.pareto import Pareto
from hybrid.report.view import ReportMaterial, summaries
from hybrid.statistics import Interval
from hybrid.text.folding import columns_of

_LEAST = 60
_NAME = 24
_NOTHING = ReportMaterial()
# what json.dumps takes
Json = dict[str, Any]


def report_text(decision: Decision, *, material: ReportMaterial = _NOTHING, width: int = 88) -> str:
    """Return the verdict, the arms, their differences, gates and slices.

    Where ``material`` has outcomes, failed and declined answers are counted. The ``width`` of the longest
    line is at least 60.
    """
    width = max(width, _LEAST)
    parts = [
        [decision.verdict.value.upper(), *_wrapped(decision.sentence, width, "")],
        _listed("Arms", _arms(decision, summaries(material)), width),
        _listed("Differences, in points", _effects(decision), width),
        _listed("Gates", _gates(decision), width),
        _listed("Slices, means in points", _slices(decision), width),
        _bullets("Why", decision.reasons, width),
        _bullets("What would change this", decision.flips, width),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def pareto_text(found: pareto.Pareto) -> str:
    """Return what every setting gained and lost, as a table."""
    head = f"Gain: {found.gained}, in {found.gain_unit}. Loss: {found.lost}, in {found.loss_unit}."
    rows = [[_flat(cell) for cell in row] for row in (pareto.HEADER, *pareto.cells(found))]
    return "\n".join([head, "", *_aligned(rows, [False] * len(pareto.HEADER))])


def _arms(decision: Decision, found: Mapping[str, ArmSummary]) -> list[list[str]]:
    counted = ["failed", "declined"] if found else []
    rows = [["arm", "score", "interval", "per 1,000", "p50", "p95", *counted]]
    for result in decision.arms:
        own, cost = found.get(result.arm), result.cost
        counts = [str(own.failed), str(own.declined)] if own else ["-" for _ in counted]
        rows.append(
            [
                _named(result.arm),
                words.points(result.mean),
                words.span(result.interval),
                "-" if cost.money is None else words.money(cost.money, decision.policy.currency),
                "-" if cost.p50 is None else words.seconds(cost.p50),
                "-" if cost.p95 is None else words.seconds(cost.p95),
                *counts,
            ]
        )
    kept = [place for place in range(len(rows[0])) if any(row[place] != "-" for row in rows[1:])]
    return [[row[place] for place in kept] for row in rows]


def _effects(decision: Decision) -> list[list[str]]:
    rows = [
        [
            f"{_named(effect.arm)} − {_named(effect.other)}",
            words.points(effect.difference, signed=True),
            words.span(effect.interval, signed=True),
            words.probability(effect.p),
            effect.claim.value,
            "shown" if effect.shown else "not shown",
        ]
        for effect in decision.effects
    ]
    return [["difference", "effect", "interval", "p", "claim", ""], *rows]


def _gates(decision: Decision) -> list[list[str]]:
    rows = [
        [
            _named(gate.arm),
            words.gate_rule(gate.gate),
            words.plain(gate.value),
            "passed" if gate.passed else "failed",
        ]
        for result in decision.arms
        for gate in result.gates
    ]
    return [["arm", "gate", "found", ""], *rows]


def _slices(decision: Decision) -> list[list[str]]:
    rows = [
        [
            _named(part.name),
            str(part.questions),
            *(words.points(mean) for mean in part.means),
            f"! {_named(part.best)} is better" if part.exception else "",
        ]
        for part in decision.slices
    ]
    arms = decision.slices[0].arms if rows else ()
    return [["slice", "questions", *(_named(arm) for arm in arms), ""], *rows]


def _listed(heading: str, rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return a table; what is too wide for one stands one under the other, as names and values."""
    header, *body = rows
    if not body:
        return []
    lines = _aligned(rows, [all(map(_is_number, column)) for column in zip(*body, strict=True)])
    if sum(max(map(columns_of, column)) + 2 for column in zip(*rows, strict=True)) - 2 <= width:
        return [heading, *lines]
    lines = [heading]
    for row in body:
        cells = [f"{label} {cell}".strip() for label, cell in zip(header[1:], row[1:], strict=True) if cell]
        lines += [row[0], *_wrapped("; ".join(cells), width, "  ")]
    return lines


def _aligned(rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> list[str]:
    """Return rows whose columns stand under each other, numbers at the right."""
    widths = [max(map(columns_of, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        spaces = [" " * (room - columns_of(cell)) for room, cell in zip(widths, row, strict=True)]
        cells = zip(row, spaces, numeric, strict=True)
        lines.append("  ".join(s + cell if right else cell + s for cell, s, right in cells).rstrip())
    return lines


def _bullets(heading: str, lines: Sequence[str], width: int) -> list[str]:
    return [heading, *(piece for line in lines for piece in _wrapped(line, width, "- "))] if lines else []


def _wrapped(text: str, width: int, lead: str) -> list[str]:
    flat = _flat(text)
    # letters of double width take two columns: wrapped at half of it they stay inside in any case
    room = width if columns_of(flat) == len(flat) else width // 2
    lines = textwrap.wrap(flat, room, initial_indent=lead, subsequent_indent=" " * len(lead))
    return lines or [lead.rstrip()]


def _flat(text: str) -> str:
    return " ".join(words.visible(text).split())


def _named(name: str) -> str:
    return words.shortened(_flat(name), _NAME)


def _is_number(cell: str) -> bool:
    return cell == "-" or cell[:1].isdigit() or (cell[:1] in "+−<" and len(cell) > 1)


def report_json(decision: Decision) -> Json:
    """Return the decision as one object, shares from 0 to 1; ``arm`` is None (null) when undecided."""
    policy = decision.policy
    whole: Json = {
        "verdict": decision.verdict,
        "arm": decision.arm,
        "sentence": decision.sentence,
        "interim": decision.interim,
        "effects": [_fields(effect) for effect in decision.effects],
        "intervals": [
            {"arm": result.arm, "mean": result.mean} | _fields(result.interval) for result in decision.arms
        ],
        "costs": [{"arm": result.arm} | dataclasses.asdict(result.cost) for result in decision.arms],
        "currency": policy.currency,
        "gates": [_fields(gate) for result in decision.arms for gate in result.gates],
        "reasons": decision.reasons,
        "flips": decision.flips,
        "slices": [_slice(part) for part in decision.slices],
        "questions_needed": decision.questions_needed,
        "sources_needed": decision.sources_needed,
        "blocking": None if decision.blocking is None else _fields(decision.blocking),
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
    return {key: finite(value) for key, value in whole.items()}


def pareto_json(found: Pareto) -> Json:
    """Return the points, the axes and the budget; what is no finite number is None (null)."""
    return {key: finite(value) for key, value in dataclasses.asdict(found).items()}


def _fields(value: Effect | GateResult | Interval | SliceResult) -> Json:
    """Return the fields of a value; those of its gate and of its interval stand in its place."""
    fields: Json = {}
    for key, inner in ((each.name, getattr(value, each.name)) for each in dataclasses.fields(value)):
        fields |= dataclasses.asdict(inner) if key in {"gate", "interval"} else {key: inner}
    return fields


def _slice(part: SliceResult) -> Json:
    fields = _fields(part) | {"means": dict(zip(part.arms, part.means, strict=True))}
    return {key: value for key, value in fields.items() if key != "arms"}
