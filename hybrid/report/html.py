"""Reports as one HTML file that needs no network and no script; all text from outside is escaped."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING

from hybrid.decision.values import Decision
from hybrid.evaluation.outcomes import Outcome
from hybrid.evaluation.scores import METRICS, ScoreTable
from hybrid.report import charts, pareto, view, words

if TYPE_CHECKING:
    from jinja2 import Environment

    from hybrid.adaptation.methods.deltas import BlockDrift

_NOTHING = view.ReportMaterial()
_LONGEST_TITLE = 120


def report_html(
    decision: Decision,
    *,
    table: ScoreTable | None = None,
    material: view.ReportMaterial = _NOTHING,
    title: str = "",
) -> str:
    """Return the page: the verdict first, then what it rests on.

    Without a ``table`` scores are taken from ``material``: questions, outcomes and settings of the
    experiment; a replayed table has none. ``title`` is what was decided about, such as the name of the
    domain. The same input gives the same bytes.
    """
    arms = [result.arm for result in decision.arms]
    rows, found = view.rows_of(decision, table, material), view.summaries(material)
    subject = view.subject(decision) if rows else None
    measures = view.measures(decision, found)
    shown = {decision.policy.metric, *(row.name for row in measures)}
    outcomes: dict[str, dict[str, Outcome]] = {}
    for outcome in material.outcomes:
        outcomes.setdefault(outcome.question, {})[outcome.arm] = outcome
    page = environment().get_template("decision.html.j2")
    return page.render(
        d=decision,
        arms=arms,
        title=words.shortened(title or "Which arm to run", _LONGEST_TITLE),
        found=found,
        origins=view.by_origin(rows, material),
        subject=subject,
        worst=() if subject is None else view.worst(rows, arms.index(subject)),
        contested=view.contested(rows),
        questions={question.id: question for question in material.questions},
        outcomes=outcomes,
        measures=measures,
        metrics=[card for card in METRICS if card.name in shown],
        settings=material.settings,
    )


def pareto_html(found: pareto.Pareto, *, title: str = "") -> str:
    """Return one page with the drawing and the table of what was tried; ``title`` is as above."""
    head = words.shortened(title or "What tuning bought, and what it cost", _LONGEST_TITLE)
    return environment().get_template("pareto.html.j2").render(found=found, title=head)


def drift_picture(blocks: Sequence[BlockDrift], title: str) -> str:
    """Return an SVG picture: both angles as lines over the blocks, the size of the change as bars."""
    angle = 1.05 * max(5.0, *(max(each.domain, each.general) for each in blocks))
    change = 1.6 * max(1e-9, *(each.change for each in blocks))
    return (
        environment()
        .get_template("drift.svg.j2")
        .render(
            blocks=blocks,
            title=title,
            across=charts.Scale(0.0, len(blocks), 56.0, 664.0),
            angle=charts.Scale(0.0, angle, 284.0, 44.0),
            change=charts.Scale(0.0, change, 284.0, 44.0),
        )
    )


@functools.cache
def environment() -> Environment:
    """Return what renders the templates: they escape all texts, and a name that they lack is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("hybrid.report"),
        extensions=["jinja2.ext.do"],
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_written,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = resources.files("hybrid.report").joinpath("style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    found.globals |= {"charts": charts, "pareto": pareto, "view": view, "words": words}
    found.globals |= {"style": style, "digest": digest}
    found.filters |= {"clipped": words.clipped, "percent": words.percent}
    found.filters |= {"rule": words.gate_rule, "share": words.share}
    return found


def _written(value: object) -> object:
    """Return what a template writes: markup as it is, texts that steer no display, short numbers."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return words.visible(value)
    return words.place(value) if isinstance(value, float) else value
