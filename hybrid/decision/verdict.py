"""The rule: among arms that pass the gates, the cheapest that is not worse than the best, or undecided."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hybrid.decision import wording
from hybrid.decision.planning import detectable, shortfall
from hybrid.decision.values import (
    ArmResult,
    Bound,
    Decision,
    Effect,
    Gate,
    GateResult,
    Hypothesis,
    Look,
    Policy,
    SliceResult,
    Verdict,
)
from hybrid.errors import UsageError
from hybrid.evaluation.outcomes import ArmCost
from hybrid.evaluation.scores import SYNTHETIC, ScoreTable, powered
from hybrid.statistics import Array, Contrast, Interval, Resampling, holm, resample

# (candidate, other) -> an effect that was shown at an earlier look and stays shown
Shown = Mapping[tuple[str, str], Effect]
# arm -> measure -> value, for the gates
Measures = Mapping[str, Mapping[str, float]]

_SIMPLICITY = {"base": 0, "rag": 1, "adapter": 2, "both": 3}
_UNKNOWN_SIMPLICITY = 2
_FIRST_WORD = re.compile(r"[a-z]+")
_SLICE_REPLICATES = 2_000
_MARGIN_STEP = 0.005
_WIDEST_MARGIN = 0.3


def decide(
    table: ScoreTable,
    *,
    costs: Mapping[str, ArmCost],
    measures: Measures,
    policy: Policy,
    guessing: float | None = None,
) -> Decision:
    """Return the verdict on a full table.

    Against a cheaper arm a candidate must be *better* by more than the margin, for less is not worth a price;
    against a dearer one it must be *not worse* by more than the margin. All these claims must hold together
    (Berger 1982), each at its level after Holm, so that a wrong verdict takes a false claim about one and the
    same pair. ``costs`` are what is known of each arm's price; a missing one of ``measures`` fails its gate.
    ``guessing`` is what answers drawn at random would score, if that is known.

    Raises:
        UsageError: fewer than two arms, no question, a score that is no number from 0 to 1.
    """
    check_table(table)
    results = arm_results(table, costs, measures, policy)
    order = order_by_price([result for result in results if result.eligible])
    columns = in_order(table, order, policy)
    judgement = judge(order, columns, policy, {})
    return conclude(table, results, order, columns, judgement, policy, guessing=guessing)


def check_table(table: ScoreTable) -> None:
    """Raise a UsageError for less than two arms, no question, or a score that is no number from 0 to 1."""
    if len(table.arms) < 2:
        found = ", ".join(table.arms) or "none"
        raise UsageError(
            f"a decision needs two arms or more, found: {found}", hint="name several with --arms"
        )
    if not table.questions:
        raise UsageError("a decision needs questions, found none")
    check_scores(table.values)


def check_scores(values: Array) -> None:
    """Raise a UsageError for a score that is no number from 0 to 1."""
    # the comparison is false for what is not a number
    if not ((values >= 0) & (values <= 1)).all():
        raise UsageError("every score must be a number from 0 to 1", hint="scale the metric to [0, 1]")


def arm_results(
    table: ScoreTable, costs: Mapping[str, ArmCost], measures: Measures, policy: Policy
) -> tuple[ArmResult, ...]:
    """Return every arm's mean with its interval, and hold the arm against the gates."""
    columns = in_order(table, table.arms, policy)
    results = []
    for place, arm in enumerate(table.arms):
        contrast = columns.mean(place)
        # the deciding score is a measure too
        known = {table.metric: contrast.estimate} | dict(measures.get(arm, {}))
        gates = tuple(_hold(arm, gate, known) for gate in policy.gates)
        wide = contrast.interval(policy.level)
        results.append(
            ArmResult(
                arm=arm,
                # joined with judgements of people, an estimate may lie a little beyond
                mean=min(max(contrast.estimate, 0.0), 1.0),
                interval=Interval(max(wide.low, 0.0), min(wide.high, 1.0), wide.confidence),
                cost=costs.get(arm, ArmCost()),
                gates=gates,
                eligible=all(gate.passed for gate in gates),
            )
        )
    return tuple(results)


def order_by_price(results: Sequence[ArmResult]) -> tuple[str, ...]:
    """Return the arms from cheap to dear.

    Money decides where all of them have it, to two digits: what the first 1,000 answers cost, with the
    making of adapters, so that a prompt goes before an adapter unless that saves what it cost. Then the
    simpler arm comes first, then the one that was named first.
    """
    known = all(result.cost.money is not None for result in results)

    def price(result: ArmResult) -> tuple[float, int]:
        cost = result.cost
        money = cost.money + cost.training_money if known and cost.money is not None else 0.0
        return float(f"{money:.1e}"), simplicity(result.arm)

    return tuple(result.arm for result in sorted(results, key=price))


def simplicity(arm: str) -> int:
    """Return 0 for ``base``, 1 for ``rag``, 2 for ``adapter``, 3 for ``both``; other names count as 2."""
    word = _FIRST_WORD.match(arm.lower())
    return _SIMPLICITY.get(word.group(), _UNKNOWN_SIMPLICITY) if word else _UNKNOWN_SIMPLICITY


def in_order(table: ScoreTable, order: Sequence[str], policy: Policy) -> Resampling:
    """Return the resampling of the arms in this order, one column each."""
    places = [table.arms.index(arm) for arm in order]
    values, replicates, seed = table.values[:, places], policy.replicates, policy.seed
    if table.gold is None:
        return resample(values, table.sources, replicates=replicates, seed=seed)
    gold = table.gold[:, places]
    return powered(values, gold, table.judged, table.sources, replicates=replicates, seed=seed)


def conclude(
    table: ScoreTable,
    results: tuple[ArmResult, ...],
    order: tuple[str, ...],
    columns: Resampling,
    judgement: Sequence[Sequence[Effect]],
    policy: Policy,
    *,
    guessing: float | None = None,
    earlier: Shown | None = None,
    looks: tuple[Look, ...] = (),
) -> Decision:
    """Put the decision together from what was judged.

    ``table`` has the scores of the arms that were asked to the end, ``results`` are of all arms. ``order``
    are those that may be chosen, from cheap to dear, as the resampled ``columns`` and ``judgement``, the
    effects that the verdict for each needs, have them. ``earlier`` is what was shown at earlier ``looks``,
    also against arms that left the race then.
    """
    policy = replace(policy, metric=table.metric)
    winner = settled(judgement)
    rivals = _rivals(order, columns, policy)
    leader = winner if winner is not None else _safest(order, rivals, judgement)
    against = {effect.other: effect for effect in judgement[leader]} if leader is not None else {}
    if leader is not None:
        against |= {other: e for (arm, other), e in (earlier or {}).items() if arm == order[leader]}
    asked = len(table.questions)
    short = shortfall(asked, columns, judgement, policy) if winner is None else None
    lacking = None if short is None else short.questions
    draft = Decision(
        verdict=Verdict.DECIDED if winner is not None else Verdict.UNDECIDED,
        arm=order[winner] if winner is not None else None,
        sentence="",
        interim=order[leader] if leader is not None else None,
        reasons=(),
        flips=(),
        arms=results,
        order=order,
        rivals=rivals,
        ungated=_without_gates(table, results, policy),
        effects=tuple(against.values()),
        slices=_slices(table, order, leader, policy),
        questions_needed=lacking if winner is None else 0,
        margin_needed=None if winner is not None or looks else margin_needed(order, columns, leader, policy),
        detectable=detectable(columns, leader, policy),
        questions=asked,
        sources=columns.sources,
        synthetic=sum(SYNTHETIC in labels for labels in table.slices),
        guessing=guessing,
        policy=policy,
        looks=looks,
        sources_needed=0 if short is None else short.sources,
        blocking=None if short is None else short.effect,
    )
    return replace(
        draft, sentence=wording.sentence(draft), reasons=wording.reasons(draft), flips=wording.flips(draft)
    )


def _hold(arm: str, gate: Gate, measures: Mapping[str, float]) -> GateResult:
    value = measures.get(gate.measure)
    if value is None:
        return GateResult(arm, gate, None, passed=False)
    passed = value >= gate.limit if gate.comparison is Bound.AT_LEAST else value <= gate.limit
    return GateResult(arm, gate, value, passed)


def _rivals(order: Sequence[str], columns: Resampling, policy: Policy) -> tuple[str, ...]:
    """Return the arms that no other arm was shown to be better than, cheapest first."""
    places = range(len(order))
    return tuple(
        order[arm]
        for arm in places
        if not any(
            columns.difference(other, arm).p_above(0.0) <= policy.level for other in places if other != arm
        )
    )


def _safest(order: Sequence[str], rivals: Sequence[str], judgement: Sequence[Sequence[Effect]]) -> int | None:
    """Return the arm whose largest plausible loss against any other is smallest, of equals the cheapest.

    One that another was shown to be better than is out, unless that is so of all (claims may form a ring).
    """
    places = [place for place, arm in enumerate(order) if arm in rivals or not rivals]

    def loss(place: int) -> float:
        return round(max((-effect.interval.low for effect in judgement[place]), default=0.0), 3)

    return min(places, key=loss, default=None)


def _without_gates(table: ScoreTable, results: Sequence[ArmResult], policy: Policy) -> str | None:
    """Return what would have been chosen if every arm had passed, None if nothing or if all did."""
    if all(result.eligible for result in results):
        return None
    order = order_by_price([result for result in results if result.arm in table.arms])
    judgement = judge(order, in_order(table, order, policy), policy, {})
    winner = settled(judgement)
    return order[winner] if winner is not None else None


def _slices(
    table: ScoreTable, order: Sequence[str], leader: int | None, policy: Policy
) -> tuple[SliceResult, ...]:
    names = sorted({name for labels in table.slices for name in labels})
    if leader is None or len(order) < 2 or not names:
        return ()
    # one look at many slices and arms: the level is shared out among them
    level = policy.level / (len(names) * (len(order) - 1))
    return tuple(_slice(table, name, order, leader, level, policy) for name in names)


def _slice(
    table: ScoreTable, name: str, order: Sequence[str], leader: int, level: float, policy: Policy
) -> SliceResult:
    rows = [row for row, labels in enumerate(table.slices) if name in labels]
    part = table.part(rows, slices=False)
    columns = in_order(part, order, replace(policy, replicates=_SLICE_REPLICATES))
    others = [place for place in range(len(order)) if place != leader]
    best = max(others, key=lambda place: (columns.means[place], -place))
    contrast = columns.difference(best, leader)
    wide = contrast.interval(level)
    return SliceResult(
        name=name,
        questions=len(rows),
        sources=columns.sources,
        means=tuple(float(part.values[:, table.arms.index(arm)].mean()) for arm in table.arms),
        best=order[best],
        difference=contrast.estimate,
        interval=wide,
        arms=table.arms,
        exception=contrast.p_above(0.0) <= level,
    )


def effects_for(
    candidate: int, arms: Sequence[str], resampling: Resampling, policy: Policy, earlier: Shown
) -> list[Effect]:
    """Return what the verdict for the candidate needs, in the order of the arms.

    ``candidate`` is its column; ``arms`` are the names of the columns, from cheap to dear. Claims that were
    shown ``earlier`` are not tested again and leave the Holm family.
    """
    open_claims: list[tuple[int, Contrast, Hypothesis, float]] = []
    effects: dict[int, Effect] = {}
    for other in range(len(arms)):
        if other == candidate:
            continue
        claim = Hypothesis.BETTER if other < candidate else Hypothesis.NOT_WORSE
        known = earlier.get((arms[candidate], arms[other]))
        # prices may have changed places since: who is better is not worse, but not the other way round
        if known is not None and known.claim in (claim, Hypothesis.BETTER):
            effects[other] = known
            continue
        contrast = resampling.difference(candidate, other)
        excluded = policy.margin if claim is Hypothesis.BETTER else -policy.margin
        open_claims.append((other, contrast, claim, contrast.p_above(excluded)))
    adjusted = holm([p for _, _, _, p in open_claims])
    for (other, contrast, claim, _), p in zip(open_claims, adjusted, strict=True):
        effects[other] = Effect(
            arm=arms[candidate],
            other=arms[other],
            difference=contrast.estimate,
            interval=contrast.interval(policy.level),
            claim=claim,
            p=p,
            permutation_p=contrast.flip_p(two_sided=True),
            shown=p <= policy.level,
        )
    return [effects[other] for other in sorted(effects)]


def judge(arms: Sequence[str], resampling: Resampling, policy: Policy, earlier: Shown) -> list[list[Effect]]:
    """Return for every arm, from cheap to dear, the effects that its verdict needs."""
    return [effects_for(candidate, arms, resampling, policy, earlier) for candidate in range(len(arms))]


def settled(judgement: Sequence[Sequence[Effect]]) -> int | None:
    """Return the cheapest arm all of whose claims are shown, None if there is none."""
    for place, effects in enumerate(judgement):
        if all(effect.shown for effect in effects):
            return place
    return None


def margin_needed(
    order: Sequence[str], columns: Resampling, leader: int | None, policy: Policy
) -> float | None:
    """Return the margin, on a grid of half points, at which the cheapest arm is shown to be good enough."""
    # of a dearer arm it is not only asked to be good enough, and that is harder with a wider margin
    if leader != 0:
        return None

    def enough(steps: int) -> bool:
        wider = replace(policy, margin=steps * _MARGIN_STEP)
        return all(effect.shown for effect in effects_for(0, order, columns, wider, {}))

    low, high = int(policy.margin / _MARGIN_STEP), round(_WIDEST_MARGIN / _MARGIN_STEP)
    if not enough(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high * _MARGIN_STEP
