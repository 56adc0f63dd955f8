"""The parts of the page that show what a verdict rests on.

Takes a decision and counts, gives sections; one without content is empty. Knows nothing about single
questions and about how figures were computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hybrid.decision.values import ArmResult, Decision, GateResult, SliceResult
from hybrid.evaluation.outcomes import ArmCost
from hybrid.evaluation.scoring import ArmSummary
from hybrid.report import words
from hybrid.report.blocks import bullets, figure, fold, name, paragraph, section, table
from hybrid.report.content import GroupMeans, slice_arms
from hybrid.report.forest import forest_plot
from hybrid.report.markup import Markup, element, join
from hybrid.report.tradeoff import CostPoint, Standing, interval_strip, mark, quality_cost_plot

_NO_TRAINING = "none"
_MISSING = "–"
_STANDING = {
    Standing.CHOSEN: "chosen",
    Standing.INTERIM: "to run for now",
    Standing.ELIGIBLE: "not chosen",
    Standing.BARRED: "fails a gate",
}


def standing(decision: Decision, result: ArmResult) -> Standing:
    """Return what became of an arm."""
    if result.arm == decision.arm:
        return Standing.CHOSEN
    if not result.eligible:
        return Standing.BARRED
    if decision.arm is None and result.arm == decision.interim:
        return Standing.INTERIM
    return Standing.ELIGIBLE


def effects(decision: Decision) -> Markup:
    """Show differences with intervals and the margin."""
    if not decision.effects:
        return section(
            "effects",
            "Differences",
            paragraph("There was nothing to compare: fewer than two arms may be chosen."),
        )
    policy = decision.policy
    caption = (
        "Each square is the mean difference on the same questions, in points of 100; the bar is its "
        "confidence interval. A filled square: the claim is shown; an open one: it is not. A claim needs the "
        "whole bar right of the broken line, outside the shaded part: to be better that is plus the margin "
        f"of {words.points(policy.margin)} points, to be not worse minus the margin. An arrow: the bar goes "
        "on beyond the drawing."
    )
    rows = [
        (
            join([name(effect.arm), " − ", name(effect.other)]),
            words.points(effect.difference, signed=True),
            words.span(effect.interval, signed=True),
            words.percent(effect.interval.confidence),
            effect.claim.value,
            words.probability(effect.p),
            words.probability(effect.permutation_p),
            "shown" if effect.shown else "not shown",
        )
        for effect in decision.effects
    ]
    header = (
        "Arms",
        "Difference",
        "Interval",
        "Confidence",
        "Claim",
        "p (Holm)",
        "p (sign flips)",
        "Verdict",
    )
    return section(
        "effects",
        "Differences",
        figure(lambda width: forest_plot(decision.effects, margin=policy.margin, width=width), caption),
        fold(
            "The same in figures, with p-values", table("Differences between arms", header, rows, cards=True)
        ),
    )


def arms(decision: Decision, found: Mapping[str, ArmSummary]) -> Markup:
    """Show every arm: mean with interval, price, failures."""
    prices = _prices([result.cost for result in decision.arms], decision.policy.currency)
    counted = ["Failed", "Declined"] if found else []
    header = ["Arm", "Mean score", "0 to 100", *counted, *(price.label for price in prices)]
    rows = []
    for place, result in enumerate(decision.arms):
        own = standing(decision, result)
        mean = _two_lines(element("b", None, words.points(result.mean)), words.span(result.interval))
        row = [
            join([mark(own), " ", name(result.arm), element("small", None, _STANDING[own])]),
            mean,
            interval_strip(result.mean, result.interval),
            *(_counts(found.get(result.arm)) if found else ()),
            *(price.cells[place] for price in prices),
        ]
        rows.append(row)
    notes = [
        f"Means in points of 100 with {_confidence(decision)} intervals; the line beside them runs from "
        "0 to 100."
    ]
    if not prices:
        notes.append("No prices were measured.")
    elif any(_MISSING in price.cells for price in prices):
        notes.append(f"{_MISSING}: not measured.")
    if decision.looks:
        notes.append("An arm that left the race early was asked fewer questions.")
    if found:
        notes.append("A failed answer scores as a failure and stays in the mean.")
    frame = table("Arms: mean score and price", header, rows, cards=True)
    return section("arms", "Arms", frame, paragraph(" ".join(notes), "note"))


def price_and_quality(decision: Decision) -> Markup:
    """Show arms between price and mean score."""
    axis, costs = _axis(decision.arms, decision.policy.currency)
    if not any(cost is not None for cost in costs):
        return Markup("")
    points = [
        CostPoint(result.arm, cost, result.mean, result.interval, standing(decision, result))
        for result, cost in zip(decision.arms, costs, strict=True)
    ]
    best = max((result.mean for result in decision.arms if result.eligible), default=None)
    floor = None if best is None else best - decision.policy.margin
    used = [one for one in Standing if any(point.standing is one for point in points)]
    keys = [element("span", {"class": "pair"}, mark(one), f" {_STANDING[one]}") for one in used]
    if floor is not None:
        text = f" {words.points(floor)}: the best mean less the margin"
        keys.append(element("span", {"class": "pair"}, element("span", {"class": "dash"}), text))
    return section(
        "price",
        "Quality and price",
        figure(
            lambda width: quality_cost_plot(points, axis=axis, floor=floor, width=width),
            element("span", {"class": "keys"}, *keys),
            " Up is better, left is cheaper. Bars are intervals of the mean; arms at one price stand side by "
            "side.",
        ),
    )


def gates(decision: Decision) -> Markup:
    """Show which arm met which condition."""
    found = [gate for result in decision.arms for gate in result.gates]
    if not found:
        return section("gates", "Gates", paragraph("No gates were set: every arm could be chosen."))
    rules = list(dict.fromkeys(gate.gate for gate in found))
    by_place = {(gate.arm, gate.gate): gate for gate in found}
    rows = [
        [name(result.arm), *(_gate_cell(by_place.get((result.arm, rule))) for rule in rules)]
        for result in decision.arms
    ]
    header = ["Arm", *(words.gate_rule(rule) for rule in rules)]
    note = "An arm that fails a gate cannot be chosen; a measure that was not taken fails."
    return section("gates", "Gates", table("Gates by arm", header, rows, cards=True), paragraph(note, "note"))


def flips(decision: Decision) -> Markup:
    """Show what would change the verdict."""
    lines = bullets(decision.flips) or paragraph("Nothing that these figures could tell.")
    known = math.isfinite(decision.detectable) and decision.detectable < 1
    detectable = (
        f"These questions show a difference of {words.points(decision.detectable)} points or more with a "
        "chance of 80 %; smaller ones may go unseen."
        if known
        else "These questions are too few to say which difference they would show."
    )
    return section("flips", "What would change this", lines, paragraph(detectable, "note"))


def slices(decision: Decision) -> Markup:
    """Show the means in parts of the questions, and where another arm does better."""
    if not decision.slices:
        return Markup("")
    names = slice_arms(decision)
    header = ["Slice", "Questions", *names, "Exception"]
    rows = [
        [
            name(part.name),
            f"{part.questions:,} ({words.counted(part.sources, 'source')})",
            *_means(part.means),
            _exception(part),
        ]
        for part in decision.slices
    ]
    note = (
        "Mean scores in points; the highest of a row is bold. An exception is a slice on which another arm "
        "that may be chosen is better with its whole interval above 0; the level is shared out among all "
        "slices and arms."
    )
    return section(
        "slices", "Slices", table("Mean scores by slice", header, rows, cards=True), paragraph(note, "note")
    )


def origins(decision: Decision, groups: Sequence[GroupMeans]) -> Markup:
    """Show gold and synthetic questions apart."""
    if not groups:
        return Markup("")
    header = ["Questions made", "Number", *(result.arm for result in decision.arms)]
    rows = [[group.name, f"{group.count:,}", *_means(group.means)] for group in groups]
    note = (
        "Mean scores in points. Where the two disagree on the order of arms, trust the questions by people."
    )
    return section(
        "origins",
        "Gold and synthetic",
        table("Mean scores by origin", header, rows, cards=True),
        paragraph(note, "note"),
    )


def looks(decision: Decision) -> Markup:
    """Show the looks of a sequential decision."""
    if not decision.looks:
        return Markup("")
    rows = [
        [
            str(place),
            f"{look.questions:,}",
            f"{look.answers:,}",
            join([name(arm) for arm in look.arms], ", "),
            words.probability(look.level),
        ]
        for place, look in enumerate(decision.looks, start=1)
    ]
    header = ("Look", "Questions asked", "Answers in all", "Arms left", "Level spent")
    return section("looks", "Looks", table("Looks of the sequential decision", header, rows, cards=True))


# --- cells ------------------------------------------------------------------------------------------


def _confidence(decision: Decision) -> str:
    levels = {words.percent(result.interval.confidence) for result in decision.arms}
    return " and ".join(sorted(levels))


@dataclass(frozen=True, slots=True)
class _Price:
    """A column of the table of arms."""

    label: str
    cells: tuple[str, ...]


def _prices(costs: Sequence[ArmCost], currency: str) -> list[_Price]:
    """Return the prices that at least one arm has."""
    columns: tuple[tuple[str, Callable[[ArmCost], str]], ...] = (
        ("Per 1,000 answers", lambda cost: _known(words.money(cost.money, currency))),
        ("p50, p95", _latency),
        ("In batches", lambda cost: _known(words.seconds(cost.seconds))),
        ("Memory", lambda cost: _known(words.megabytes(cost.megabytes))),
        ("Tokens", _tokens),
        ("Energy", lambda cost: _known(words.joules(cost.joules))),
        ("Training", lambda cost: _training(cost, currency)),
    )
    prices = [_Price(label, tuple(read(cost) for cost in costs)) for label, read in columns]
    return [price for price in prices if {*price.cells} - {_MISSING, _NO_TRAINING}]


def _known(text: str) -> str:
    return _MISSING if text == words.NOT_MEASURED else text


def _two_lines(first: str, second: str) -> Markup:
    return join([first, " ", element("small", None, second)])


def _latency(cost: ArmCost) -> str:
    if cost.p50 is None:
        return _MISSING
    return _two_lines(words.seconds(cost.p50), "" if cost.p95 is None else words.seconds(cost.p95))


def _tokens(cost: ArmCost) -> str:
    if cost.prompt_tokens is None or cost.completion_tokens is None:
        return _MISSING
    return _two_lines(f"{cost.prompt_tokens:,.0f} in", f"{cost.completion_tokens:,.0f} out")


def _training(cost: ArmCost, currency: str) -> str:
    if not cost.training_minutes and not cost.training_money:
        return _NO_TRAINING
    minutes = f"{words.plain(cost.training_minutes)} min"
    return _two_lines(minutes, words.money(cost.training_money, currency))


def _counts(summary: ArmSummary | None) -> tuple[str, str]:
    if summary is None:
        return _MISSING, _MISSING
    return _part(summary.failed, summary.total), _part(summary.declined, summary.total)


def _axis(results: Sequence[ArmResult], currency: str) -> tuple[str, list[float | None]]:
    """Return the first price that tells arms apart, else the first that was measured."""
    choices: list[tuple[str, list[float | None]]] = [
        (f"{currency} per 1,000 answers", [result.cost.money for result in results]),
        ("seconds an answer, median", [result.cost.p50 for result in results]),
        ("seconds an answer, in batches", [result.cost.seconds for result in results]),
    ]
    known = [(label, costs) for label, costs in choices if any(cost is not None for cost in costs)]
    telling = [(label, costs) for label, costs in known if len({*costs} - {None}) > 1]
    return (telling or known or choices)[0]


def _part(count: int, total: int) -> str:
    return f"{count} of {total}" if count else "0"


def _gate_cell(gate: GateResult | None) -> Markup:
    if gate is None:
        return Markup(_MISSING)
    value = words.NOT_MEASURED if gate.value is None else words.plain(gate.value)
    return join([_verdict("passed" if gate.passed else "failed", good=gate.passed), f" {value}"])


def _verdict(text: str, *, good: bool) -> Markup:
    return element("span", {"class": "good" if good else "bad"}, ("✓ " if good else "✕ ") + text)


def _means(means: Sequence[float | None]) -> list[Markup]:
    highest = max((mean for mean in means if mean is not None), default=0.0)
    return [
        Markup(_MISSING)
        if mean is None
        else element("b" if mean == highest else "span", None, words.points(mean))
        for mean in means
    ]


def _exception(part: SliceResult) -> Markup:
    if not part.exception:
        return Markup("none")
    text = f" is better by {words.points(part.difference)} ({words.span(part.interval)})"
    return element("span", {"class": "exception"}, "▲ ", name(part.best), text)
