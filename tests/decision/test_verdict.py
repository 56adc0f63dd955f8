"""The rule on tables whose verdict anybody can name, and laws that hold for every table."""

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.decision.values import Bound, Gate, Hypothesis, Policy, Verdict
from hybrid.decision.verdict import arm_results, order_by_price, simplicity
from hybrid.errors import UsageError
from hybrid.evaluation.outcomes import ArmCost
from hybrid.evaluation.scores import ScoreTable
from hybrid.report import report_json

GROUNDED = Gate("groundedness", Bound.AT_LEAST, 0.8)
FAST = Gate("p95", Bound.AT_MOST, 2.0)


# --- the rule -------------------------------------------------------------------------------------------


def test_a_dearer_arm_that_is_much_better_is_chosen(make_table, rule, right):
    decision = rule(make_table({"base": right(30, of=100), "both": right(80, of=100)}))
    assert (decision.verdict, decision.arm, decision.interim) == (Verdict.DECIDED, "both", "both")
    assert decision.questions_needed == 0
    (effect,) = decision.effects
    assert (effect.arm, effect.other, effect.claim) == ("both", "base", Hypothesis.BETTER)
    assert effect.difference == pytest.approx(0.5)
    assert effect.interval.low > 0.4
    assert effect.interval.confidence == pytest.approx(0.9)


def test_golds_that_an_arm_said_are_told(make_table, rule, right):
    columns = {"base": right(30, of=100), "rag": right(80, of=100)}
    decision = rule(make_table(columns, slices=[("answered-by:rag",)] * 40 + [()] * 60))
    assert "The gold answers of 40 questions are what rag said, which favours it." in decision.reasons


def test_a_dearer_arm_that_is_better_by_less_than_the_margin_is_not_worth_it(make_table, rule, right):
    table = make_table({"base": right(300, of=600), "both": right(306, of=600)})
    assert rule(table, margin=0.05).arm == "base"


def test_a_dearer_arm_must_be_shown_to_be_better_not_only_to_be_no_worse(make_table, rule, right):
    generator = np.random.default_rng(0)
    base = generator.random(200) < 0.6
    both = np.where(generator.random(200) < 0.3, generator.random(200) < 0.65, base)
    decision = rule(make_table({"base": base, "both": both}))
    assert decision.arm is None
    assert decision.questions_needed >= 1
    # every question is its own source, so that more questions are asked for
    assert decision.sources_needed == 0


def test_the_cheapest_of_several_good_arms_is_chosen(make_table, rule, right):
    table = make_table({"base": right(100, of=400), "rag": right(300, of=400), "both": right(300, of=400)})
    decision = rule(table)
    assert decision.arm == "rag"
    assert {effect.other: effect.claim for effect in decision.effects} == {
        "base": Hypothesis.BETTER,
        "both": Hypothesis.NOT_WORSE,
    }


def test_the_best_is_chosen_if_every_cheaper_one_is_too_far_behind(make_table, rule, right):
    table = make_table({"base": right(100, of=400), "rag": right(200, of=400), "both": right(300, of=400)})
    assert rule(table).arm == "both"


def test_arms_that_are_always_alike_are_decided_for_the_simpler_one_if_questions_are_many(
    make_table, rule, right
):
    many = {arm: right(200, of=400) for arm in ("both", "rag", "base")}
    assert rule(make_table(many)).arm == "base"
    few = {arm: right(20, of=40) for arm in ("both", "rag", "base")}
    decision = rule(make_table(few))
    assert decision.arm is None
    assert decision.interim == "base"
    assert 50 < decision.questions_needed < 1_000


def test_of_two_arms_as_simple_the_one_named_first_wins_a_tie(make_table, rule, right):
    column = right(200, of=400)
    assert rule(make_table({"rag:k=3": column, "rag:k=5": column})).arm == "rag:k=3"
    assert rule(make_table({"rag:k=5": column, "rag:k=3": column})).arm == "rag:k=5"


def test_prices_reorder_the_arms(make_table, rule, right):
    column = right(200, of=400)
    table = make_table({"base": column, "both": column})
    assert rule(table).arm == "base"
    costs = {"base": ArmCost(money=3.0), "both": ArmCost(money=1.0)}
    assert rule(table, costs=costs).arm == "both"
    # one price alone orders nothing
    assert rule(table, costs={"both": ArmCost(money=1.0)}).arm == "base"
    # prices that differ by less than two digits show are equal
    assert rule(table, costs={"base": ArmCost(money=1.004), "both": ArmCost(money=1.0)}).arm == "base"


@pytest.mark.parametrize(
    ("arm", "rank"),
    [
        ("base", 0),
        ("rag", 1),
        ("adapter", 2),
        ("both", 3),
        ("rag:k=5", 1),
        ("Both_dense", 3),
        ("gpt-9", 2),
        ("7", 2),
    ],
)
def test_simplicity_is_read_from_the_first_word(arm, rank):
    assert simplicity(arm) == rank


def test_an_arm_that_always_fails_loses(make_table, rule, right):
    decision = rule(make_table({"base": right(0, of=60), "both": right(40, of=60)}))
    assert decision.arm == "both"
    assert decision.arms[0].mean == 0
    assert 0 < decision.arms[0].interval.high < 0.1


def test_scores_need_not_be_0_or_1(make_table, rule):
    generator = np.random.default_rng(1)
    base = generator.beta(4, 3, size=150)
    both = np.clip(base + generator.normal(0.1, 0.1, size=150), 0, 1)
    assert rule(make_table({"base": base, "both": both})).arm == "both"


# --- gates ----------------------------------------------------------------------------------------------


def test_a_gate_excludes_an_arm_and_it_is_said_what_would_be_chosen_without(make_table, rule, right):
    table = make_table({"base": right(30, of=100), "rag": right(50, of=100), "both": right(90, of=100)})
    measures = {
        "base": {"groundedness": 0.9},
        "rag": {"groundedness": 0.8},
        "both": {"groundedness": 0.79},
    }
    decision = rule(table, measures=measures, gates=(GROUNDED,))
    assert (decision.arm, decision.ungated) == ("rag", "both")
    assert decision.order == ("base", "rag")
    failed = [(gate.arm, gate.value) for arm in decision.arms for gate in arm.gates if not gate.passed]
    assert failed == [("both", 0.79)]
    assert any("Without the gates both" in line for line in decision.flips)
    assert any("both fails a gate" in line for line in decision.reasons)


def test_all_gates_must_hold_each_on_its_side(make_table, rule, right):
    table = make_table({"base": right(20, of=100), "both": right(90, of=100)})
    measures = {
        "base": {"groundedness": 0.9, "p95": 2.0},
        "both": {"groundedness": 0.9, "p95": 2.1},
    }
    decision = rule(table, measures=measures, gates=(GROUNDED, FAST))
    assert decision.arm == "base"
    assert [arm.eligible for arm in decision.arms] == [True, False]
    assert decision.effects == ()


def test_a_measure_that_was_not_taken_fails_its_gate(make_table, rule, right):
    table = make_table({"base": right(30, of=100), "both": right(90, of=100)})
    decision = rule(table, measures={"base": {"groundedness": 1.0}}, gates=(GROUNDED,))
    assert decision.arm == "base"
    assert decision.arms[1].gates[0].value is None


def test_if_no_arm_passes_none_is_chosen_and_no_number_of_questions_helps(make_table, rule, right):
    table = make_table({"base": right(30, of=100), "both": right(90, of=100)})
    decision = rule(table, gates=(GROUNDED,))
    assert (decision.verdict, decision.arm, decision.interim) == (Verdict.UNDECIDED, None, None)
    assert decision.questions_needed is None
    assert decision.ungated == "both"
    assert (decision.order, decision.rivals, decision.effects) == ((), (), ())
    assert "No arm passes the gates" in decision.sentence


def test_gates_that_all_pass_change_nothing(make_table, rule, right):
    table = make_table({"base": right(30, of=100), "both": right(90, of=100)})
    measures = {arm: {"groundedness": 0.9} for arm in table.arms}
    gated, free = rule(table, measures=measures, gates=(GROUNDED,)), rule(table)
    assert gated.ungated is None
    assert (gated.arm, gated.effects) == (free.arm, free.effects)


# --- too little -----------------------------------------------------------------------------------------


def test_four_sources_show_nothing_however_many_questions_they_have(make_table, rule, right):
    values = {"base": right(0, of=900), "both": right(900, of=900)}
    decision = rule(make_table(values, sources=[f"s{row % 4}" for row in range(900)]))
    assert decision.arm is None
    # the fifth source, at 225 questions a source
    assert (decision.sources_needed, decision.questions_needed) == (1, 225)
    assert "4 sources limit this: ask 1 more, about 220 questions" in decision.sentence
    assert any("Too few for any claim" in line for line in decision.reasons)
    assert rule(make_table(values, sources=[f"s{row % 5}" for row in range(900)])).arm == "both"


def test_one_question_is_undecided_with_a_number(make_table, rule):
    decision = rule(make_table({"base": [0.0], "both": [1.0]}))
    assert decision.arm is None
    assert decision.questions_needed >= 4
    assert decision.interim in ("base", "both")


# --- what to run until then, and what blocks ------------------------------------------------------------


def differing(lost, won, *, of):
    """Return the columns of two arms of which the second loses and wins so many of the answers."""
    first = [1.0] * lost + [0.0] * won + [1.0] * (of - lost - won)
    second = [0.0] * lost + [1.0] * won + [1.0] * (of - lost - won)
    return {"base": first, "adapter": second}


def test_until_then_the_arm_is_run_that_can_lose_least(make_table, rule):
    # +1 point or so, and less than nothing is not excluded
    better = rule(make_table(differing(18, 25, of=600)), margin=0.02)
    assert better.arm is None
    assert better.interim == "adapter"
    worse = rule(make_table(differing(25, 18, of=600)), margin=0.02)
    assert worse.interim == "base"
    (effect,) = better.effects
    assert f"which can lose least: {-100 * effect.interval.low:.1f} points at most, against base" in (
        better.sentence
    )


def test_an_arm_that_is_shown_to_be_worse_is_not_run_until_then(make_table, rule):
    decision = rule(make_table(differing(2, 22, of=600)), margin=0.03)
    assert decision.arm is None
    assert (decision.rivals, decision.interim) == (("adapter",), "adapter")
    assert "run adapter, which is behind no other arm" in decision.sentence


def test_a_chosen_arm_that_is_shown_to_be_worse_by_less_than_the_margin_says_so(make_table, rule):
    base = np.zeros(2_000)
    rag, both = np.r_[np.ones(1_000), base[:1_000]], np.r_[np.ones(1_020), base[:980]]
    decision = rule(make_table({"base": base, "rag": rag, "both": both}), margin=0.05)
    assert decision.arm == "rag"
    assert "Better, but by less than the margin of 5.0 points: both." in decision.sentence


def test_the_pair_that_blocks_is_named_and_where_sources_limit_these_are_asked_for(make_table, rule):
    generator = np.random.default_rng(4)
    rows, count = 1_000, 20
    base = generator.random(rows) < 0.3
    # two arms far ahead of it, and of these two now one is ahead in whole sources, now the other
    adapter = generator.random(rows) < 0.8
    belongs = np.arange(rows) % count
    both = np.where(belongs < 3, adapter | (generator.random(rows) < 0.8), adapter)
    both = np.where((belongs >= 3) & (belongs < 6), adapter & (generator.random(rows) < 0.5), both)
    table = make_table(
        {"base": base, "adapter": adapter, "both": both}, sources=[f"s{place}" for place in belongs]
    )
    decision = rule(table)
    assert decision.arm is None
    assert {decision.blocking.arm, decision.blocking.other} == {"adapter", "both"}
    assert f"{decision.blocking.arm} against {decision.blocking.other} blocks it" in decision.sentence
    assert decision.sources_needed > 0
    assert decision.questions_needed == pytest.approx(decision.sources_needed * 50, rel=0.1)
    assert "20 sources limit this" in decision.sentence


def test_a_tie_is_only_what_lies_within_three_margins(make_table, rule):
    wide = rule(make_table(differing(100, 101, of=400)), margin=0.02)
    assert wide.arm is None
    assert "tie" not in wide.sentence
    shown = rule(make_table(differing(10, 28, of=600)), margin=0.02)
    assert shown.arm is None
    assert "tie" not in shown.sentence
    narrow = rule(make_table(differing(100, 115, of=1_500)), margin=0.01)
    assert narrow.arm is None
    assert abs(narrow.blocking.interval.low) < 0.03
    assert "in practice a tie" in narrow.sentence


def test_questions_are_reckoned_from_the_effect_that_is_missing(make_table, rule, right):
    generator = np.random.default_rng(2)
    base, both = generator.random(100) < 0.5, generator.random(100) < 0.56
    near = rule(make_table({"base": base, "both": both}))
    assert near.arm is None
    far = rule(make_table({"base": base, "both": both}), margin=0.2)
    # with a wide margin the cheaper one is nearly shown to be good enough
    assert far.arm == "base" or far.questions_needed < near.questions_needed


@pytest.mark.slow
def test_the_questions_that_are_said_to_be_needed_settle_it(domains, rule):
    generator = np.random.default_rng(3)
    settled, said = 0, 0
    while said < 40:
        first = domains.simulate((0.5, 0.62), 80, generator, sources=80)
        decision = rule(first.table)
        if decision.arm is None and decision.questions_needed < 200:
            said += 1
            again = domains.simulate(first.truth, 80 + decision.questions_needed, generator)
            settled += rule(again.table).arm is not None
    assert settled >= 20


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"base": [1.0, 0.0]}, "two arms or more, found: base"),
        ({"base": [], "rag": []}, "needs questions"),
        ({"base": [1.0, math.nan], "rag": [1.0, 0.0]}, "number from 0 to 1"),
        ({"base": [1.0, 1.1], "rag": [1.0, 0.0]}, "number from 0 to 1"),
        ({"base": [1.0, -0.1], "rag": [1.0, 0.0]}, "number from 0 to 1"),
        ({"base": [1.0, math.inf], "rag": [1.0, 0.0]}, "number from 0 to 1"),
    ],
)
def test_what_cannot_be_compared_is_refused(make_table, rule, columns, words):
    with pytest.raises(UsageError, match=words):
        rule(make_table(columns))


# --- slices, flips, money -------------------------------------------------------------------------------


def with_slice(make_table, right):
    """Return a table where base wins but on the 60 numeric questions."""
    base = right(200, of=240) + right(0, of=60)
    rag = right(80, of=240) + right(55, of=60)
    slices = [("plain",)] * 240 + [("numeric",)] * 60
    return make_table({"base": base, "rag": rag}, slices=slices)


def test_a_slice_that_contradicts_the_verdict_is_an_exception(make_table, rule, right):
    decision = rule(with_slice(make_table, right))
    assert decision.arm == "base"
    parts = {part.name: part for part in decision.slices}
    assert {name: part.exception for name, part in parts.items()} == {"plain": False, "numeric": True}
    assert (parts["numeric"].best, parts["numeric"].questions) == ("rag", 60)
    assert parts["numeric"].means == pytest.approx((0, 55 / 60))
    assert parts["numeric"].interval.low > 0.7
    assert any("numeric" in line for line in decision.reasons)
    assert any("numeric" in line for line in decision.flips)


def test_a_slice_of_few_sources_is_no_exception(make_table, rule, right):
    table = with_slice(make_table, right)
    sources = [*table.sources[:240], *(f"s{row % 4:04d}" for row in range(60))]
    decision = rule(dataclasses.replace(table, sources=tuple(sources)))
    assert {part.name: part.exception for part in decision.slices}["numeric"] is False


def test_break_even_is_where_training_is_paid_back(make_table, rule, right):
    table = make_table({"rag": right(100, of=300), "adapter": right(250, of=300)})
    costs = {"rag": ArmCost(money=3.0), "adapter": ArmCost(money=1.0, training_money=10.0)}
    decision = rule(table, costs=costs)
    assert decision.arm == "adapter"
    # 10 once, 2 saved on every 1,000 answers
    assert any("5,000 questions" in line for line in decision.flips)


def test_a_prompt_that_does_as_well_as_an_adapter_is_chosen_though_its_answers_cost_a_little_more(
    make_table, rule, right
):
    table = make_table({"adapter": right(250, of=300), "rag:prompt=terse": right(250, of=300)})
    costs = {"rag:prompt=terse": ArmCost(money=1.2), "adapter": ArmCost(money=1.0, training_money=0.5)}
    decision = rule(table, costs=costs)
    assert (decision.arm, decision.order[0]) == ("rag:prompt=terse", "rag:prompt=terse")
    assert any("first 1,000 answers" in line for line in decision.reasons)
    assert any("2,500 questions" in line for line in decision.flips)
    # an adapter that saves more than it cost is the cheaper arm
    costs["adapter"] = ArmCost(money=0.4, training_money=0.5)
    assert rule(table, costs=costs).arm == "adapter"
    # without prices, what needs no adapter comes first
    assert rule(table).order == ("rag:prompt=terse", "adapter")


def test_the_margin_that_would_change_a_verdict_does(make_table, rule):
    generator = np.random.default_rng(5)
    base = generator.random(300) < 0.7
    both = np.where(generator.random(300) < 0.1, generator.random(300) < 0.9, base)
    table = make_table({"base": base, "both": both})
    decision = rule(table, margin=0.1)
    assert decision.arm == "base"
    (effect,) = decision.effects
    limit = -effect.interval.low
    assert 0 < limit < 0.1
    assert rule(table, margin=limit * 0.8).arm is None
    assert rule(table, margin=limit * 1.25).arm == "base"


def test_gold_judgements_correct_a_lenient_judge(make_table, rule):
    generator = np.random.default_rng(7)
    truth = {"base": generator.random(600) < 0.75, "both": generator.random(600) < 0.5}
    # the judge believes nearly all that the dearer arm says
    seen = {"base": truth["base"], "both": truth["both"] | (generator.random(600) < 0.9)}
    rows = sorted(generator.choice(600, size=250, replace=False).tolist())
    gold = np.column_stack([column[rows] for column in truth.values()]).astype(float)
    assert rule(make_table(seen)).arm == "both"
    assert rule(make_table(seen, judged=rows, gold=gold)).arm == "base"


# --- laws -----------------------------------------------------------------------------------------------


@st.composite
def tables(draw):
    """Draw any table that is allowed: few or many questions and sources, ties, all right, all wrong."""
    count = draw(st.integers(1, 40))
    arms = draw(st.permutations(["base", "rag", "adapter", "both"]))[: draw(st.integers(2, 4))]
    score = draw(
        st.sampled_from(
            [st.just(0.0), st.just(1.0), st.sampled_from([0.0, 1.0]), st.floats(0, 1, allow_subnormal=False)]
        )
    )
    rows = draw(st.lists(st.tuples(*[score] * len(arms)), min_size=count, max_size=count))
    sources = draw(st.lists(st.integers(0, 30), min_size=count, max_size=count))
    return ScoreTable(
        metric="score",
        arms=tuple(arms),
        questions=tuple(f"q{row}" for row in range(count)),
        sources=tuple(f"s{source:02d}" for source in sources),
        values=np.array(rows, dtype=float),
        slices=tuple(("even",) if row % 2 else () for row in range(count)),
    )


def numbers(value):
    """Yield all numbers of a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, float):
        yield value


@pytest.mark.slow
@given(tables())
def test_a_decision_holds_together(rule, table):
    decision = rule(table, replicates=200)
    decided = decision.verdict is Verdict.DECIDED
    assert decided == (decision.arm is not None) == (decision.questions_needed == 0)
    assert decided or decision.questions_needed >= 1
    assert decision.interim in decision.rivals or decided
    assert decision.arm in (None, decision.interim)
    assert set(decision.order) == set(table.arms)
    assert {effect.arm for effect in decision.effects} == {decision.interim}
    for effect in decision.effects:
        assert effect.shown == (effect.p <= decision.policy.level)
        assert -1 <= effect.interval.low <= effect.difference <= effect.interval.high <= 1
    for result in decision.arms:
        assert 0 <= result.interval.low <= result.mean <= result.interval.high <= 1
    assert all(map(math.isfinite, numbers(report_json(decision))))
    assert json.loads(json.dumps(report_json(decision)))["verdict"] == decision.verdict
    for text in (decision.sentence, *decision.reasons, *decision.flips):
        assert "nan" not in text.split()
        assert "inf" not in text.split()


@pytest.mark.slow
@given(tables())
def test_the_same_table_has_the_same_decision(rule, table):
    assert rule(table, replicates=200) == rule(table, replicates=200)


@pytest.mark.slow
@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_the_questions_means_nothing(rule, table, random):
    order = random.sample(range(len(table.questions)), len(table.questions))
    shuffled = dataclasses.replace(
        table,
        questions=tuple(table.questions[row] for row in order),
        sources=tuple(table.sources[row] for row in order),
        values=table.values[order],
        slices=tuple(table.slices[row] for row in order),
    )
    one, other = rule(table, replicates=200), rule(shuffled, replicates=200)
    assert (one.arm, one.interim, one.order) == (other.arm, other.interim, other.order)
    assert [effect.difference for effect in other.effects] == pytest.approx(
        [effect.difference for effect in one.effects], abs=1e-12
    )


@pytest.mark.slow
@given(tables(), st.floats(0, 1), st.integers(0, 3))
def test_the_chosen_arm_has_passed_its_gates(rule, table, limit, skipped):
    measures = {arm: {"m": place / 3} for place, arm in enumerate(table.arms) if place != skipped}
    decision = rule(table, measures=measures, gates=(Gate("m", Bound.AT_LEAST, limit),), replicates=200)
    eligible = {result.arm for result in decision.arms if result.eligible}
    assert set(decision.order) == eligible
    assert decision.arm is None or decision.arm in eligible
    assert (decision.interim is None) == (not eligible)
    assert all(map(math.isfinite, numbers(report_json(decision))))


@pytest.mark.slow
@given(st.lists(st.none() | st.floats(0, 100), min_size=1, max_size=5))
def test_the_order_has_all_arms_once_and_the_cheapest_first(prices):
    names = tuple(f"arm{place}" for place in range(len(prices)))
    table = ScoreTable("score", names, ("q",), ("s",), np.zeros((1, len(names))))
    costs = {name: ArmCost(money=money) for name, money in zip(names, prices, strict=True)}
    order = order_by_price(arm_results(table, costs, {}, Policy(replicates=10)))
    assert sorted(order) == sorted(names)
    if None in prices:
        assert order == names
    else:
        rounded = [float(f"{costs[name].money:.1e}") for name in order]
        assert rounded == sorted(rounded)
