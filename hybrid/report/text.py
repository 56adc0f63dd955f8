"""The report as text for a terminal: the verdict, and tables of fixed width.

Takes a decision, gives lines no wider than asked. Control characters are written out, so that no name
steers the terminal.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Mapping, Sequence

from hybrid.decision.values import Decision
from hybrid.evaluation.scoring import ArmSummary
from hybrid.report import words
from hybrid.report.content import Material, slice_arms, summaries
from hybrid.report.markup import visible

_LEAST = 60
_NAME = 24
_NOTHING = Material()


def report_text(decision: Decision, *, material: Material = _NOTHING, width: int = 88) -> str:
    """Return the verdict, the arms, their differences, gates and slices.

    Args:
        decision: the verdict and what stands behind it.
        material: where it has outcomes, failed and declined answers are counted.
        width: of the longest line, at least 60.
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


def _arms(decision: Decision, found: Mapping[str, ArmSummary]) -> list[list[str]]:
    currency = decision.policy.currency
    header = ["arm", "score", "interval", "per 1,000", "p50", "p95"] + (
        ["failed", "declined"] if found else []
    )
    rows = [header]
    for result in decision.arms:
        row = [
            _named(result.arm),
            words.points(result.mean),
            words.span(result.interval),
            words.money(result.cost.money, currency) if result.cost.money is not None else "-",
            words.seconds(result.cost.p50) if result.cost.p50 is not None else "-",
            words.seconds(result.cost.p95) if result.cost.p95 is not None else "-",
        ]
        if found:
            own = found.get(result.arm)
            row += [str(own.failed), str(own.declined)] if own else ["-", "-"]
        rows.append(row)
    return _without_empty(rows)


def _effects(decision: Decision) -> list[list[str]]:
    header = ["difference", "effect", "interval", "p", "claim", ""]
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
    return [header, *rows] if rows else []


def _gates(decision: Decision) -> list[list[str]]:
    rows = [
        [
            _named(gate.arm),
            words.gate_rule(gate.gate),
            words.NOT_MEASURED if gate.value is None else words.plain(gate.value),
            "passed" if gate.passed else "failed",
        ]
        for result in decision.arms
        for gate in result.gates
    ]
    return [["arm", "gate", "found", ""], *rows] if rows else []


def _slices(decision: Decision) -> list[list[str]]:
    if not decision.slices:
        return []
    rows = [
        [
            _named(part.name),
            str(part.questions),
            *(words.points(mean) for mean in part.means),
            f"! {_named(part.best)} is better" if part.exception else "",
        ]
        for part in decision.slices
    ]
    return [["slice", "questions", *(_named(arm) for arm in slice_arms(decision)), ""], *rows]


def _named(name: str) -> str:
    return words.shortened(" ".join(visible(name).split()), _NAME)


def _without_empty(rows: list[list[str]]) -> list[list[str]]:
    kept = [place for place in range(len(rows[0])) if any(row[place] != "-" for row in rows[1:])]
    return [[row[place] for place in kept] for row in rows]


def _listed(heading: str, rows: Sequence[Sequence[str]], width: int) -> list[str]:
    if not rows:
        return []
    columns = list(zip(*rows, strict=True))
    widths = [max(map(_cells, column)) for column in columns]
    numeric = [all(_is_number(cell) for cell in column[1:]) for column in columns]
    if sum(widths) + 2 * (len(widths) - 1) > width:
        return [heading, *_records(rows, width)]
    lines = [
        "  ".join(
            _padded(cell, room, right=right) for cell, room, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in rows
    ]
    return [heading, *lines]


def _records(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return rows that are too wide for a table one under the other, as name and values."""
    lines: list[str] = []
    for row in rows[1:]:
        cells = [f"{label} {cell}".strip() for label, cell in zip(rows[0][1:], row[1:], strict=True) if cell]
        lines += [row[0], *_wrapped("; ".join(cells), width, "  ")]
    return lines


def _bullets(heading: str, lines: Sequence[str], width: int) -> list[str]:
    if not lines:
        return []
    return [heading, *(piece for line in lines for piece in _wrapped(line, width, "- "))]


def _wrapped(text: str, width: int, lead: str) -> list[str]:
    flat = " ".join(visible(text).split())
    # letters of double width take two columns: wrapped at half of it they stay inside in any case
    room = width if _cells(flat) == len(flat) else width // 2
    return textwrap.wrap(flat, room, initial_indent=lead, subsequent_indent=" " * len(lead)) or [
        lead.rstrip()
    ]


def _cells(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def _padded(cell: str, room: int, *, right: bool) -> str:
    space = " " * (room - _cells(cell))
    return space + cell if right else cell + space


def _is_number(cell: str) -> bool:
    return cell == "-" or cell[:1].isdigit() or (cell[:1] in "+−<" and len(cell) > 1)
