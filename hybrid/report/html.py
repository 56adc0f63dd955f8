"""The report as one HTML file: verdict first, then what it rests on.

Takes a decision and what is known beside it, gives a page that needs no network and no script. All
text from outside is escaped.
"""

from __future__ import annotations

from hybrid.decision.values import ArmResult, Decision, Verdict
from hybrid.evaluation.scores import ScoreTable
from hybrid.report import words
from hybrid.report.blocks import bullets, name, paragraph
from hybrid.report.cases import cases
from hybrid.report.content import Material, by_origin, measures, rows_of, summaries
from hybrid.report.markup import Markup, element
from hybrid.report.method import method, metrics, settings
from hybrid.report.page import page
from hybrid.report.sections import arms, effects, flips, gates, looks, origins, price_and_quality, slices

_NOTHING = Material()
_LONGEST_TITLE = 120


def report_html(
    decision: Decision,
    *,
    table: ScoreTable | None = None,
    material: Material = _NOTHING,
    title: str = "",
    made: str = "",
) -> str:
    """Return the page.

    Args:
        decision: the verdict and what stands behind it.
        table: the scores that it was made from; without it they are taken from the material.
        material: questions, outcomes and settings of the experiment; a replayed table has none.
        title: what was decided about, such as the name of the domain.
        made: when the report was made; without it the same input gives the same bytes.
    """
    rows = rows_of(decision, table, material)
    found = summaries(material)
    parts = [
        effects(decision),
        arms(decision, found),
        price_and_quality(decision),
        gates(decision),
        flips(decision),
        slices(decision),
        origins(decision, by_origin(rows, material)),
        looks(decision),
        cases(decision, rows, material),
        method(decision),
        metrics(decision, measures(decision, found)),
        settings(material),
    ]
    head = words.shortened(title or "Which arm to run", _LONGEST_TITLE)
    return page(f"{_badge_text(decision)}: {head}", _verdict(decision, head), *parts, made=made)


def _verdict(decision: Decision, title: str) -> Markup:
    decided = decision.verdict is Verdict.DECIDED
    badge = element(
        "p",
        {"class": f"badge {'decided' if decided else 'undecided'}"},
        _badge_mark(decided=decided),
        _badge_text(decision),
    )
    pieces = [
        paragraph(title, "title"),
        badge,
        element("h1", {"dir": "auto"}, decision.sentence),
        _facts(decision),
    ]
    why = bullets(decision.reasons, "reasons")
    if why:
        pieces.append(element("div", {"id": "why"}, element("h2", None, "Why"), why))
    return element("header", None, *pieces)


def _badge_text(decision: Decision) -> str:
    return "Decided" if decision.verdict is Verdict.DECIDED else "Undecided"


def _badge_mark(*, decided: bool) -> Markup:
    stroke = "M4 9.5l3.5 3.5l6.5 -8" if decided else "M4 9h10"
    return element(
        "svg",
        {"aria-hidden": "true", "focusable": "false", "width": 18, "height": 18, "viewBox": "0 0 18 18"},
        element("path", {"d": stroke, "class": "stroke"}),
    )


def _facts(decision: Decision) -> Markup:
    named = decision.arm or decision.interim
    result = next((result for result in decision.arms if result.arm == named), None)
    facts: list[tuple[str, str, str]] = []
    if result is not None:
        facts.append(("Run" if decision.arm else "Run for now", name(words.shortened(result.arm, 32)), ""))
        facts.append(("Mean score of 100", words.points(result.mean), words.span(result.interval)))
        facts += _price_facts(result, decision.policy.currency)
    elif decision.arm is None:
        facts.append(("Run for now", "no arm", "none passes its gates"))
    if decision.arm is None:
        facts.append(_needed(decision))
    basis = words.counted(decision.sources, "source")
    if decision.synthetic:
        basis += f", {decision.synthetic:,} of the questions made by a rule"
    facts.append(("Rests on", words.counted(decision.questions, "question"), f"from {basis}"))
    items = [
        element(
            "div",
            None,
            element("dt", None, label),
            element("dd", None, value, *([element("small", None, more)] if more else [])),
        )
        for label, value, more in facts
    ]
    return element("dl", {"class": "facts"}, *items)


def _price_facts(result: ArmResult, currency: str) -> list[tuple[str, str, str]]:
    facts = []
    if result.cost.money is not None:
        facts.append(("Price", words.money(result.cost.money, currency), "per 1,000 answers"))
    if result.cost.p50 is not None:
        more = f"half of the answers; 95 in 100 within {words.seconds(result.cost.p95)}"
        facts.append(("A user waits", words.seconds(result.cost.p50), more if result.cost.p95 else ""))
    return facts


def _needed(decision: Decision) -> tuple[str, str, str]:
    if decision.questions_needed is None:
        return ("To settle it", "other questions", "no number of these would")
    return ("To settle it", f"{decision.questions_needed:,}", "more questions, if effects are as they look")
