"""Growing batches: the plan, what is asked, when it stops, and that it errs no more than it may."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from hybrid.decision.replay import KnownArms, contest
from hybrid.decision.sequential import Contest, decide_sequentially, plan_looks, spend
from hybrid.decision.values import Bound, Effect, Gate, Hypothesis, Policy
from hybrid.errors import UsageError
from hybrid.evaluation.outcomes import ArmCost
from hybrid.statistics import Interval

QUICK = Policy(replicates=1_000, margin=0.02)
NOTHING = KnownArms({}, {})


class Recorder:
    """Answer from a table and remember what was asked."""

    def __init__(self, table, *, known=NOTHING):
        self.table, self.known = table, known
        self.asked = []

    def contest(self):
        hidden = dataclasses.replace(self.table, values=np.full_like(self.table.values, math.nan))
        return Contest(hidden, self.ask, lambda: self.known.costs, self.known.gate_measures)

    def ask(self, arms, rows):
        self.asked += [(arm, row) for row in rows for arm in arms]
        return self.table.values[np.ix_(list(rows), [self.table.arms.index(arm) for arm in arms])]


# --- the plan -------------------------------------------------------------------------------------------


@pytest.mark.slow
@given(st.lists(st.integers(1, 60), min_size=1, max_size=60), st.integers(0, 5))
def test_a_plan_asks_every_question_once_and_keeps_sources_whole(sizes, seed):
    sources = [f"s{place}" for place, size in enumerate(sizes) for _ in range(size)]
    plan = plan_looks(sources, level=0.05, seed=seed)
    assert sorted(plan.order) == list(range(len(sources)))
    assert list(plan.ends) == sorted(set(plan.ends))
    assert plan.ends[-1] == len(sources)
    assert len(plan.levels) == len(plan.ends)
    assert all(0 < level <= 0.05 + 1e-6 for level in plan.levels)
    places = [sources[row] for row in plan.order]
    changes = sum(one != other for one, other in itertools.pairwise(places))
    assert changes == len(sizes) - 1
    assert all(places[end - 1] != places[end] for end in plan.ends[:-1])


def test_a_plan_begins_with_ten_sources_and_grows():
    plan = plan_looks([f"s{place}" for place in range(300)], level=0.05, seed=0)
    assert plan.ends[0] >= 10
    assert len(plan.ends) > 8
    assert plan_looks(["a", "b", "c"], level=0.05, seed=0).ends == (3,)
    assert plan_looks(["a", "b"], level=0.05, seed=0).levels == pytest.approx((0.05,))


def test_looks_that_see_hardly_more_are_left_out():
    sizes = [1] * 12 + [2_000] * 12
    sources = [f"s{place}" for place, size in enumerate(sizes) for _ in range(size)]
    shares = np.array(plan_looks(sources, level=0.05, seed=1).ends) / len(sources)
    assert np.diff(shares).min() >= 0.02


# --- what is asked --------------------------------------------------------------------------------------


def test_a_clear_case_costs_a_fraction(make_table, right):
    table = make_table({"base": right(0, of=300), "rag": right(90, of=300), "both": right(300, of=300)})
    recorder = Recorder(table)
    decision = decide_sequentially(recorder.contest(), policy=QUICK)
    assert decision.arm == "both"
    assert len(recorder.asked) < 0.3 * table.values.size
    assert len(recorder.asked) == len(set(recorder.asked)) == decision.looks[-1].answers


def test_looks_say_what_had_been_asked_by_then(domains):
    table = domains.simulate((0.5, 0.62, 0.63, 0.5), 300, np.random.default_rng(0)).table
    recorder = Recorder(table)
    decision = decide_sequentially(recorder.contest(), policy=QUICK)
    assert [look.questions for look in decision.looks] == sorted({look.questions for look in decision.looks})
    assert decision.looks[-1].answers == len(recorder.asked) <= table.values.size
    assert decision.questions == decision.looks[-1].questions
    for before, after in itertools.pairwise(decision.looks):
        assert set(after.arms) <= set(before.arms)
        assert after.answers - before.answers == (after.questions - before.questions) * len(after.arms)


def test_an_arm_without_hope_leaves_the_race_and_stays_in_the_report(domains):
    table = domains.simulate((0.05, 0.6, 0.66), 400, np.random.default_rng(1)).table
    decision = decide_sequentially(Recorder(table).contest(), policy=QUICK)
    assert "base" in decision.looks[0].arms
    assert "base" not in decision.looks[-1].arms
    assert [result.arm for result in decision.arms] == list(table.arms)
    assert any(effect.other == "base" and effect.shown for effect in decision.effects)


class Warming(Recorder):
    """One of the arms has a measure that misses its limit until most questions were asked."""

    def __init__(self, table, arm, *, late):
        super().__init__(table)
        self.arm, self.late = arm, late

    def contest(self):
        return dataclasses.replace(super().contest(), measures=self.measures)

    def measures(self):
        asked = len({row for _, row in self.asked}) / len(self.table.questions)
        return {arm: {"m": 0.0 if arm == self.arm and asked < self.late else 1.0} for arm in self.table.arms}


GATED = dataclasses.replace(QUICK, gates=(Gate("m", Bound.AT_LEAST, 0.5),))


def test_an_arm_that_fails_its_gate_to_the_end_is_not_chosen(make_table, right):
    table = make_table({"base": right(100, of=400), "rag": right(200, of=400), "both": right(400, of=400)})
    decision = decide_sequentially(Warming(table, "both", late=2).contest(), policy=GATED)
    assert (decision.arm, decision.ungated) == ("rag", "both")
    assert decision.order == ("base", "rag")
    assert not next(result for result in decision.arms if result.arm == "both").eligible


def test_an_arm_that_fails_its_gate_at_first_by_chance_is_not_out(make_table, right):
    table = make_table({"base": right(100, of=400), "rag": right(200, of=400), "both": right(400, of=400)})
    decision = decide_sequentially(Warming(table, "both", late=0.4).contest(), policy=GATED)
    assert decision.arm == "both"
    assert 0.4 <= decision.questions / 400 < 0.8


@pytest.mark.slow
def test_a_budget_is_kept_and_whole_sources_are_asked(domains):
    table = domains.simulate((0.6, 0.6, 0.6), 300, np.random.default_rng(2)).table
    for budget in (200, 333, 801, 10**9):
        recorder = Recorder(table)
        decision = decide_sequentially(recorder.contest(), policy=QUICK, budget=budget)
        assert len(recorder.asked) == decision.looks[-1].answers <= budget
        rows = {row for _, row in recorder.asked}
        touched = {table.sources[row] for row in rows}
        assert rows == {row for row, source in enumerate(table.sources) if source in touched}


def test_a_budget_that_pays_for_no_source_is_refused_with_the_one_that_would(make_table, right):
    table = make_table(
        {"base": right(5, of=60), "rag": right(9, of=60)}, sources=[f"s{row // 3}" for row in range(60)]
    )
    with pytest.raises(UsageError, match="budget of 5 answers") as caught:
        decide_sequentially(contest(table, NOTHING), policy=QUICK, budget=5)
    assert "--budget 6" in caught.value.hint
    assert decide_sequentially(contest(table, NOTHING), policy=QUICK, budget=6).arm is None


def test_one_arm_no_question_and_a_score_that_is_none_are_refused(make_table, right):
    with pytest.raises(UsageError, match="two arms"):
        decide_sequentially(contest(make_table({"base": right(9, of=60)}), NOTHING), policy=QUICK)
    with pytest.raises(UsageError, match="needs questions"):
        decide_sequentially(contest(make_table({"base": [], "rag": []}), NOTHING), policy=QUICK)
    table = make_table({"base": [0.0] * 30, "rag": [math.nan] * 30})
    with pytest.raises(UsageError, match="number from 0 to 1"):
        decide_sequentially(contest(table, NOTHING), policy=QUICK)


def test_prices_that_change_places_do_not_turn_no_worse_into_better(make_table):
    from hybrid.decision.verdict import judge
    from hybrid.statistics import resample

    values = np.column_stack([np.ones(100), np.ones(100)])
    columns = resample(values, [str(row) for row in range(100)], replicates=500, seed=0)
    shown = Effect("a", "b", 0.0, Interval(-0.01, 0.01, 0.9), Hypothesis.NOT_WORSE, 0.01, 1.0, True)
    # a was the cheaper one and not worse than b; now b is
    ((_,), (effect,)) = judge(["b", "a"], columns, Policy(margin=0.02, level=0.05), {("a", "b"): shown})
    assert (effect.claim, effect.shown) == (Hypothesis.BETTER, False)
    better = dataclasses.replace(shown, claim=Hypothesis.BETTER)
    ((effect,), (_,)) = judge(["a", "b"], columns, Policy(margin=0.02, level=0.05), {("a", "b"): better})
    assert effect is better


def test_prices_order_the_arms(make_table, right):
    table = make_table({"base": right(200, of=400), "both": right(200, of=400)})
    known = KnownArms({"base": ArmCost(money=5.0), "both": ArmCost(money=1.0)}, {})
    decision = decide_sequentially(Recorder(table, known=known).contest(), policy=QUICK)
    assert decision.order == ("both", "base")
    assert decision.arm == "both"


@pytest.mark.slow
def test_the_same_contest_has_the_same_decision_and_another_seed_another_order(domains):
    table = domains.simulate((0.5, 0.6, 0.7), 200, np.random.default_rng(3)).table
    first, second = Recorder(table), Recorder(table)
    assert decide_sequentially(first.contest(), policy=QUICK) == decide_sequentially(
        second.contest(), policy=QUICK
    )
    other = Recorder(table)
    decide_sequentially(other.contest(), policy=dataclasses.replace(QUICK, seed=1))
    assert first.asked == second.asked != other.asked


# --- simulations ----------------------------------------------------------------------------------------


def shares(domains, truth, *, questions, draws, sources=None):
    """Return how often a wrong verdict came, and what share of the answers it took."""
    generator = np.random.default_rng(19)
    wrong = asked = total = 0
    for _ in range(draws):
        domain = domains.simulate(truth, questions, generator, sources=sources)
        decision = decide_sequentially(contest(domain.table, NOTHING), policy=QUICK)
        wrong += domains.is_wrong(domain, decision.arm, QUICK.margin)
        asked += decision.looks[-1].answers
        total += domain.table.values.size
    return wrong / draws, asked / total


@pytest.mark.slow
@pytest.mark.parametrize(
    "truth",
    [
        (0.6, 0.6, 0.6, 0.6),  # four equal arms: anything but the cheapest is wrong
        (0.9, 0.9201),  # the cheapest just beyond the margin; tests/benchmarks/decisions.py has many more
    ],
)
def test_looking_often_errs_no_more_than_the_level(domains, truth):
    draws = 250
    wrong, asked = shares(domains, truth, questions=120, draws=draws)
    assert wrong <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / draws)
    assert asked < 0.75


@pytest.mark.slow
def test_a_few_lucky_wins_at_the_first_look_settle_nothing(make_table):
    # base loses 7 in 100 and wins 5: exactly the margin, so that "base" is wrong
    generator = np.random.default_rng(23)
    wrong = 0
    for seed in range(60):
        signs = generator.choice([-1, 0, 1], size=160, p=[0.07, 0.88, 0.05])
        table = make_table({"base": np.where(signs < 0, 0.0, 1.0), "both": np.where(signs > 0, 0.0, 1.0)})
        policy = dataclasses.replace(QUICK, seed=seed)
        wrong += decide_sequentially(contest(table, NOTHING), policy=policy).arm == "base"
    assert wrong <= 6


# --- Levels of several looks: against the multivariate normal and against a simulated Brownian motion.


def crossings(shares, levels, *, paths=200_000):
    """Return how many paths cross their bound first at each look, as a share."""
    steps = np.sqrt(np.diff([0.0, *shares]))
    values = np.cumsum(np.random.default_rng(0).normal(size=(paths, len(shares))) * steps, axis=1)
    above = values / np.sqrt(shares) > stats.norm.isf(levels)
    first = above & (np.cumsum(above, axis=1) == 1)
    return first.mean(axis=0)


@pytest.mark.slow
@pytest.mark.parametrize("power", [1.0, 2.0, 3.0])
@pytest.mark.parametrize(
    "shares",
    [(1.0,), (0.5, 1.0), (0.2, 0.4, 0.6, 0.8, 1.0), (0.1, 0.12, 0.15, 0.6, 0.98, 1.0), (0.01, 0.99, 1.0)],
)
def test_all_looks_together_err_at_the_level_and_each_spends_its_share(shares, power):
    levels = spend(shares, level=0.05, power=power)
    found = crossings(shares, levels)
    spent = np.diff([0.0, *(0.05 * np.array(shares) ** power)])
    error = 3 * np.sqrt(0.05 * 0.95 / 200_000)
    assert found.sum() == pytest.approx(0.05, abs=error)
    assert found == pytest.approx(spent, abs=error)


def test_one_look_has_the_whole_level():
    assert spend([1.0], level=0.05, power=1.0) == pytest.approx([0.05])


def test_two_looks_by_the_bivariate_normal():
    first, second = spend([0.5, 1.0], level=0.05, power=1.0)
    assert first == pytest.approx(0.025)
    both = stats.multivariate_normal(cov=[[1.0, np.sqrt(0.5)], [np.sqrt(0.5), 1.0]])
    # below both bounds with chance 0.95
    bound = optimize.brentq(lambda z: both.cdf([stats.norm.isf(0.025), z]) - 0.95, 1.0, 3.0)
    assert second == pytest.approx(stats.norm.sf(bound), abs=1e-5)


def test_a_spending_that_is_even_has_bounds_that_are_nearly_so_as_pococks():
    levels = spend([0.2, 0.4, 0.6, 0.8, 1.0], level=0.025, power=1.0)
    # Pocock's constant for five looks at 5 % two-sided is 2.413, that is 0.0079 at every look
    assert min(levels) < 0.0079 < max(levels)
    assert max(levels) < 2 * min(levels) + 0.002


def test_a_late_spending_keeps_nearly_all_for_the_end():
    early, late = (spend([0.25, 0.5, 0.75, 1.0], level=0.05, power=power) for power in (1.0, 3.0))
    assert late[0] < early[0] / 10
    assert early[-1] < late[-1] < 0.05


@pytest.mark.slow
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=8),
    st.floats(0.001, 0.2),
    st.floats(0.5, 4),
)
def test_no_look_has_more_than_all_together(parts, level, power):
    shares = np.cumsum(parts) / sum(parts)
    levels = spend(shares.tolist(), level=level, power=power)
    assert len(levels) == len(shares)
    assert all(0 <= one <= level + 1e-4 for one in levels)
    # by Bonferroni the looks together have at least the whole level
    assert sum(levels) >= level * 0.999 - 1e-6
