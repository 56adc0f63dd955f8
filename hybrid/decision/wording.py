"""A decision in plain words: one sentence to act on, the reasons, and what would change it."""

from __future__ import annotations

from collections.abc import Sequence

from hybrid.decision.planning import prospect
from hybrid.decision.values import ArmResult, Bound, Decision, Effect, GateResult, Hypothesis
from hybrid.statistics import Interval, decimal, least_sources
from hybrid.types import ANSWERED_BY, counted

# A tie in practice: an interval about 0 that reaches no further than so many margins to either side.
_TIE_MARGINS = 3.0
_SIGNS = {Bound.AT_LEAST: "≥", Bound.AT_MOST: "≤"}


def points(value: float, *, sign: bool = False) -> str:
    """Return a share as points, one decimal; a minus is a minus sign."""
    return decimal(100 * value, 1, signed=sign)


def interval_text(interval: Interval, *, sign: bool = True) -> str:
    """Return an interval in points with its level."""
    confidence = f"{100 * interval.confidence:.4g}"
    low, high = points(interval.low, sign=sign), points(interval.high, sign=sign)
    return f"{confidence} % interval {low} to {high}"


def sentence(decision: Decision) -> str:
    """Return the verdict in one sentence, and a second one if no arm is worth running at all."""
    return " ".join([_verdict(decision), *_worthless(decision)])


def _verdict(decision: Decision) -> str:
    if not decision.order:
        failed = [_gate_line(gate).rstrip(".") for gate in _failed_gates(decision)]
        return f"No arm passes the gates, so none can be chosen: {'; '.join(failed)}."
    if decision.arm is None:
        return _undecided(decision)
    result = _result(decision, decision.arm)
    score = f"it scores {points(result.mean)} of 100"
    price = _price(decision, result)
    closest = _closest(decision)
    if closest is None:
        return f"Run {decision.arm}: {score}, and it is the only arm that passes the gates{price}."
    return f"Run {decision.arm}: {score}, {_found(decision, closest)}{price}.{_yet_better(decision, closest)}"


def _found(decision: Decision, closest: Effect) -> str:
    """Return what the verdict hangs on, in words that fit its direction."""
    ahead = points(closest.difference, sign=True)
    if closest.claim is Hypothesis.BETTER:
        return (
            f"{ahead} points against {closest.other} ({interval_text(closest.interval)}), which no cheaper "
            f"arm comes up to"
        )
    if closest.interval.low > 0:
        return (
            f"{ahead} points against {closest.other} ({interval_text(closest.interval)}), the best of the "
            f"others, and it is the {'cheapest' if _priced(decision) else 'simplest'} arm"
        )
    behind = points(-closest.difference, sign=True)
    turned = Interval(-closest.interval.high, -closest.interval.low, closest.interval.confidence)
    return (
        f"and no dearer arm is better by the margin of {points(decision.policy.margin)} points: "
        f"{closest.other} is {behind} ({interval_text(turned)})"
    )


def _yet_better(decision: Decision, closest: Effect) -> str:
    """Return a sentence on arms that were shown to be better than the chosen one, by less than the margin."""
    others = [e.other for e in decision.effects if e.interval.high < 0 and e is not closest]
    if not others:
        return ""
    margin = points(decision.policy.margin)
    return f" Better, but by less than the margin of {margin} points: {_listed(others)}."


def reasons(decision: Decision) -> tuple[str, ...]:
    """Return what the verdict rests on, most important first."""
    sources = counted(decision.sources, "source")
    lines = [
        f"{decision.questions} questions from {sources}, metric {decision.policy.metric}; "
        f"those of one source count as alike as they may be."
    ]
    if decision.synthetic:
        lines.append(
            f"{decision.synthetic} of the {decision.questions} questions were made by a rule, not by people."
        )
    lines += [
        f"The gold answers of {part.questions} questions are what {part.name.removeprefix(ANSWERED_BY)} "
        f"said, which favours it."
        for part in decision.slices
        if part.name.startswith(ANSWERED_BY)
    ]
    if len(decision.order) > 1 and not _priced(decision):
        lines.append(
            f"Prices are unknown: simpler arms count as cheaper, then those named first. Their order: "
            f"{', '.join(decision.order)}."
        )
    if _priced(decision) and any(result.cost.training_money for result in decision.arms):
        lines.append("An arm's price is that of its first 1,000 answers, with the making of its adapters.")
    lines += [_effect_line(decision, effect) for effect in decision.effects]
    if decision.arm is None and decision.order:
        seen = points(decision.detectable)
        lines.append(f"A true difference of {seen} points is seen in 80 % of comparisons of this size.")
    if decision.sources < (least := least_sources(decision.policy.level)):
        lines.append(f"Too few for any claim at this level: {sources}; {least} are the least.")
    lines += map(_gate_line, _failed_gates(decision))
    lines += [
        f"Exception: on the slice “{part.name}” ({part.questions} questions) {part.best} is better by "
        f"{points(part.difference)} points ({interval_text(part.interval)})."
        for part in decision.slices
        if part.exception
    ]
    return tuple(lines)


def _priced(decision: Decision) -> bool:
    return all(result.cost.money is not None for result in decision.arms)


def _worthless(decision: Decision) -> list[str]:
    """Return a warning if not even the best arm is shown to beat answers drawn at random."""
    best = max(decision.arms, key=lambda result: result.mean)
    if best.mean == 0:
        return ["No arm got anything right: check the questions and the metric before you run any."]
    if decision.guessing is None or best.interval.low > decision.guessing:
        return []
    return [
        f"No arm is shown to be better than guessing, which scores {points(decision.guessing)}: the best, "
        f"{best.arm}, scores {points(best.mean)} ({interval_text(best.interval, sign=False)})."
    ]


def outlook(decision: Decision, judgements: int, disagreement: float, bias: float) -> str:
    """Return how the verdict would look with judgements by people; nothing where no arm may be chosen.

    The decision is on scores that no person judged; people judge ``judgements`` of its questions for each
    arm. ``disagreement`` is the variance, a question, of what they add to a difference of two arms, ``bias``
    how far the metric was off between two systems, at most, where it was held against people.
    """
    then = prospect(decision, judgements=judgements, disagreement=disagreement)
    now = prospect(decision, judgements=decision.questions, disagreement=0.0)
    if then is None or now is None:
        return ""
    arm, other, given = then.effect.arm, then.effect.other, points(abs(then.gives_way))
    seen = f"people see {arm} {given} points {'worse' if then.gives_way > 0 else 'better'} there than it does"
    if decision.arm is None:
        then_it = f"would be {arm} if {seen}"
        off = "could be reached" if now.gives_way > -bias else "would stay open"
    else:
        then_it = f"would {'stand' if then.gives_way > 0 else 'be lost'} unless {seen}"
        off = "would stand" if now.gives_way > bias else "could be lost"
    return (
        f"The interval of {arm} against {other} would then reach {points(then.half_width)} points to either "
        f"side (now {points(now.half_width)}): the verdict {then_it}, and from {points(then.turns)} points "
        f"worse on {other} would be shown to be better. If the measure were off by {points(bias)} points "
        f"between them, as between the systems that it was tried on, the verdict {off}."
    )


def flips(decision: Decision) -> tuple[str, ...]:
    """Return what would change the verdict."""
    lines = []
    if decision.arm is None:
        lines += _undecided_flips(decision)
    else:
        lines += _decided_flips(decision)
    if decision.ungated and decision.ungated != decision.arm:
        lines.append(f"Without the gates {decision.ungated} would be chosen.")
    lines += [
        f"A domain that is mostly “{part.name}” questions: {part.best} is better there."
        for part in decision.slices
        if part.exception
    ]
    return tuple(lines)


def _undecided(decision: Decision) -> str:
    rivals = _listed(decision.rivals if len(decision.rivals) > 1 else decision.order)
    blocking = decision.blocking
    found = ""
    if blocking is not None:
        found = (
            f": {blocking.arm} against {blocking.other} blocks it "
            f"({points(blocking.difference, sign=True)} points, {interval_text(blocking.interval)})"
        )
    return f"Undecided between {rivals}{found}; {_ask(decision)}; {_until_then(decision)}."


def _until_then(decision: Decision) -> str:
    """Return what to run meanwhile: it can lose least, and if it was shown to be worse, that is said."""
    advice = f"until then run {decision.interim}"
    worst = min(decision.effects, key=lambda effect: effect.interval.low, default=None)
    if worst is None or worst.interval.low >= 0:
        return f"{advice}, which is behind no other arm"
    behind = "" if decision.interim in decision.rivals else ", though others are shown to be better"
    loss = points(-worst.interval.low)
    return f"{advice}, which can lose least: {loss} points at most, against {worst.other}{behind}"


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _ask(decision: Decision) -> str:
    needed = decision.questions_needed
    if needed is None:
        return "ask other questions, no number of these would settle it"
    tie = " (in practice a tie)" if _tied(decision) else ""
    if decision.sources_needed:
        limit = "limits" if decision.sources == 1 else "limit"
        return (
            f"{counted(decision.sources, 'source')} {limit} this: "
            f"ask {_about(decision.sources_needed)} more, {_about(needed)} questions{tie}"
        )
    return f"ask {_about(needed)} more question{'s' if needed > 1 else ''}{tie}"


def _about(count: int) -> str:
    """Return a number with two digits: the effects it is reckoned from are no surer."""
    return f"{count:,}" if count < 10 else f"about {int(float(f'{count:.1e}')):,}"


def _tied(decision: Decision) -> bool:
    """Tell whether the pair that blocks is shown neither way, and even its ends are hardly worth a price."""
    blocking, reach = decision.blocking, _TIE_MARGINS * decision.policy.margin
    return blocking is not None and (-reach <= blocking.interval.low <= 0 <= blocking.interval.high <= reach)


def _undecided_flips(decision: Decision) -> list[str]:
    lines = []
    if decision.questions_needed:
        asked = _ask(decision)
        lines.append(f"{asked[0].upper()}{asked[1:]}, if the effects are about as they look now.")
    if decision.margin_needed is not None:
        now, then = points(decision.policy.margin), points(decision.margin_needed)
        lines.append(f"A margin of {then} points instead of {now}: {decision.interim} is then good enough.")
    return lines


def _decided_flips(decision: Decision) -> list[str]:
    lines = [
        f"A margin under {points(-effect.interval.low)} points: then {effect.arm} would not be shown to be "
        f"as good as {effect.other}."
        for effect in decision.effects
        if effect.claim is Hypothesis.NOT_WORSE and effect.interval.low < 0
    ]
    closest = _closest(decision)
    if closest is not None and closest.claim is Hypothesis.BETTER:
        gain = points(closest.difference)
        lines.append(f"If {gain} points are not worth the price to you: {closest.other} is cheaper.")
    lines += filter(None, (_break_even(decision, result) for result in decision.arms))
    return lines


def _break_even(decision: Decision, other: ArmResult) -> str | None:
    """Return from which number of questions on the training of the dearer-to-set-up arm is paid back."""
    mine = _result(decision, decision.arm or "")
    if other.arm == mine.arm or mine.cost.money is None or other.cost.money is None:
        return None
    first, saved = mine.cost.training_money - other.cost.training_money, other.cost.money - mine.cost.money
    if first * saved <= 0:
        return None
    count = abs(first / saved) * 1000
    cheaper, dearer = (mine.arm, other.arm) if first < 0 else (other.arm, mine.arm)
    return f"Fewer than {count:,.0f} questions in all: {cheaper} is then cheaper than {dearer}."


def _closest(decision: Decision) -> Effect | None:
    """Return the comparison that the verdict hangs on: against a cheaper arm if there is one."""
    better = [effect for effect in decision.effects if effect.claim is Hypothesis.BETTER]
    return min(better or decision.effects, key=lambda effect: effect.difference, default=None)


def _effect_line(decision: Decision, effect: Effect) -> str:
    margin = points(decision.policy.margin)
    wanted = f"gain more than {margin}" if effect.claim is Hypothesis.BETTER else f"lose less than {margin}"
    verdict = "shown" if effect.shown else "not shown"
    return (
        f"{effect.arm} against {effect.other}: {points(effect.difference, sign=True)} points "
        f"({interval_text(effect.interval)}); it had to {wanted}: {verdict} (p = {effect.p:.2g})."
    )


def _gate_line(gate: GateResult) -> str:
    value = "was not measured" if gate.value is None else f"is {gate.value:.4g}"
    wanted = f"wanted {_SIGNS[gate.gate.comparison]} {gate.gate.limit:g}"
    return f"{gate.arm} fails a gate: {gate.gate.measure} {value}, {wanted}."


def _failed_gates(decision: Decision) -> list[GateResult]:
    return [gate for result in decision.arms for gate in result.gates if not gate.passed]


def _price(decision: Decision, result: ArmResult) -> str:
    parts = []
    if result.cost.money is not None:
        parts.append(f"{result.cost.money:.2g} {decision.policy.currency} per 1,000 answers")
    if result.cost.p50 is not None:
        parts.append(f"{result.cost.p50:.2g} s an answer")
    return f"; it costs {' and '.join(parts)}" if parts else ""


def _result(decision: Decision, arm: str) -> ArmResult:
    return next(result for result in decision.arms if result.arm == arm)
