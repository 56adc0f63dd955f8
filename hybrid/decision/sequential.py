"""Sequential decisions: growing batches until it is settled (alpha spending, Lan & DeMets 1983)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from hybrid.decision.values import ArmResult, Decision, Effect, Hypothesis, Look, Policy
from hybrid.decision.verdict import (
    Measures,
    arm_results,
    check_scores,
    check_table,
    conclude,
    in_order,
    judge,
    order_by_price,
    settled,
)
from hybrid.errors import UsageError
from hybrid.evaluation.outcomes import ArmCost
from hybrid.evaluation.scores import ScoreTable
from hybrid.statistics import Resampling

# Each look has that many times the questions of the one before; the last one has them all.
_GROWTH = 1.22
_LOOKS = 12
_LEAST_GROWTH = 0.02
_FIRST_SOURCES = 10
_SPENDING = 1.0
# Of the integral over what an earlier look may have seen.
_GRID = 401
_LOWEST = -6.0
# A verdict less likely than this is not worth the questions that are left. It trades verdicts for
# questions: tests/benchmarks/decisions.py prints both.
_FAIR_CHANCE = 0.22

# (arms, rows of the questions) -> scores of shape (rows, arms)
Ask = Callable[[Sequence[str], Sequence[int]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class LookPlan:
    """Which questions are asked by which look, and what each look may spend.

    ``order`` has the rows of all questions, source by source in random order; ``ends`` says how many of
    them each look has seen, ``levels`` the one-sided level of each look.
    """

    order: tuple[int, ...]
    ends: tuple[int, ...]
    levels: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Contest:
    """What a sequential decision is about: the questions without their scores, the arms, the money.

    ``costs`` and ``measures`` are asked for at each look, for they come from the answers so far.
    """

    table: ScoreTable
    ask: Ask
    costs: Callable[[], Mapping[str, ArmCost]]
    measures: Callable[[], Measures]


def plan_looks(sources: Sequence[str], *, level: float, seed: int) -> LookPlan:
    """Return the order of the questions and the looks; sources stay whole and come in random order."""
    rows: dict[str, list[int]] = {}
    for row, source in enumerate(sources):
        rows.setdefault(source, []).append(row)
    names = sorted(rows)
    np.random.default_rng([seed, 3]).shuffle(names)
    order = tuple(row for name in names for row in rows[name])
    sizes = np.cumsum([len(rows[name]) for name in names])
    wanted = [len(names) / _GROWTH ** (_LOOKS - 1 - look) for look in range(_LOOKS)]
    counts = sorted({min(max(round(count), _FIRST_SOURCES), len(names)) for count in wanted})
    ends = _worth_a_look([int(sizes[count - 1]) for count in counts])
    shares = [end / len(sources) for end in ends]
    return LookPlan(order, ends, tuple(spend(shares, level=level, power=_SPENDING)))


def _worth_a_look(ends: Sequence[int]) -> tuple[int, ...]:
    """Leave out looks that see hardly more than the one before or hardly less than the last one."""
    kept: list[int] = []
    for end in ends[:-1]:
        if end - (kept[-1] if kept else 0) >= _LEAST_GROWTH * ends[-1] <= ends[-1] - end:
            kept.append(end)
    return (*kept, ends[-1])


def decide_sequentially(
    contest: Contest, *, policy: Policy, budget: int | None = None, guessing: float | None = None
) -> Decision:
    """Ask, look, drop what is out, and stop when it is settled, hopeless, or the budget is spent.

    Valid however early it stops: every look spends its own share of the level, and leaving without hope costs
    none. A claim once shown stays shown. ``budget`` is the largest number of answers (arms × questions), None
    for no limit; ``guessing`` is what answers drawn at random would score, if that is known.
    """
    table = contest.table
    # scores come later
    check_table(replace(table, values=np.zeros((len(table.questions), len(table.arms)))))
    plan = plan_looks(table.sources, level=policy.level, seed=policy.seed)
    race = _Race(contest, plan, policy, racing=table.arms)
    for look in range(len(plan.ends)):
        if not race.ask(look, budget):
            break
        race.judge(look)
        hopeful = race.hopeful()
        if race.settled or not hopeful:
            break
        race.drop(hopeful)
    if not race.looks:
        first = table.sources.count(table.sources[plan.order[0]]) * len(table.arms)
        raise UsageError(
            f"a budget of {budget} answers has no room for the first source: {first} answers",
            hint=f"--budget {first} or more; the first look at the usual size takes "
            f"{plan.ends[0] * len(table.arms)}",
        )
    return race.conclude(guessing)


@dataclass
class _Race:
    """What is known between looks."""

    contest: Contest
    plan: LookPlan
    policy: Policy
    racing: tuple[str, ...]
    shown: dict[tuple[str, str], Effect] = field(default_factory=dict)
    looks: list[Look] = field(default_factory=list)
    gone: dict[str, ArmResult] = field(default_factory=dict)
    answers: int = 0

    def __post_init__(self) -> None:
        self.values = np.zeros((0, len(self.contest.table.arms)))
        self.results: tuple[ArmResult, ...] = ()
        self.order: tuple[str, ...] = ()
        self.judgement: list[list[Effect]] = []

    def ask(self, look: int, budget: int | None) -> bool:
        """Have the questions of this look answered; False if the budget has no room for one more source."""
        first, end = len(self.values), self.plan.ends[look]
        if budget is not None:
            end = min(end, first + max(budget - self.answers, 0) // len(self.racing))
            end = self._whole_sources(first, end)
        if end <= first:
            return False
        rows = self.plan.order[first:end]
        places = [self.contest.table.arms.index(arm) for arm in self.racing]
        fresh = np.zeros((len(rows), len(self.contest.table.arms)))
        fresh[:, places] = self.contest.ask(self.racing, rows)
        check_scores(fresh)
        self.values = np.vstack([self.values, fresh])
        self.answers += len(rows) * len(self.racing)
        self.part = self._part(end)
        return True

    def judge(self, look: int) -> None:
        """Test the claims that are open, at the level of this look."""
        level = self.plan.levels[look]
        costs, measures = self.contest.costs(), self.contest.measures()
        self.results = arm_results(self.part, costs, measures, self.policy)
        # prices of later looks may change places; what the arms have to show may not
        prices = self.order or order_by_price(self.results)
        self.order = tuple(arm for arm in prices if arm in self.racing)
        self.columns: Resampling = in_order(self.part, self.order, self.policy)
        self.judgement = judge(self.order, self.columns, replace(self.policy, level=level), self.shown)
        self.shown |= {(e.arm, e.other): e for effects in self.judgement for e in effects if e.shown}
        self.looks.append(Look(len(self.values), self.answers, self.racing, level))

    @property
    def settled(self) -> bool:
        """Tell whether there is a verdict, for an arm that passes its gates.

        Gates are held against at every look, and a measure may miss its limit by chance: an arm that fails
        is not out before all questions are asked, and until then nothing is decided without it.
        """
        winner = settled(self.judgement)
        return winner is not None and self.order[winner] in self._eligible()

    def hopeful(self) -> list[int]:
        """Return the arms that have a fair chance to show all their claims on all questions.

        With gates that are all: what an arm has to show depends on which others will pass.
        """
        if self.policy.gates:
            return list(range(len(self.order)))
        chances = [
            min((self._chance(place, effect) for effect in effects), default=1.0)
            for place, effects in enumerate(self.judgement)
        ]
        return [place for place, chance in enumerate(chances) if chance >= _FAIR_CHANCE]

    def drop(self, hopeful: Sequence[int]) -> None:
        """Go on with the hopeful arms, and with those against which they have something left to show."""
        stay = {self.order[place] for place in hopeful}
        stay |= {effect.other for place in hopeful for effect in self.judgement[place] if not effect.shown}
        self.gone |= {result.arm: result for result in self.results if result.arm not in stay}
        self.racing = tuple(arm for arm in self.racing if arm in stay)

    def conclude(self, guessing: float | None) -> Decision:
        """Put the decision together."""
        results = {**{result.arm: result for result in self.results}, **self.gone}
        passing = tuple(arm for arm in self.order if arm in self._eligible())
        if passing != self.order:
            self.order, self.columns = passing, in_order(self.part, passing, self.policy)
            last = replace(self.policy, level=self.looks[-1].level)
            self.judgement = judge(self.order, self.columns, last, self.shown)
        everyone = tuple(results[arm] for arm in self.contest.table.arms if arm in results)
        return conclude(
            self.part,
            everyone,
            self.order,
            self.columns,
            self.judgement,
            self.policy,
            guessing=guessing,
            earlier=self.shown,
            looks=tuple(self.looks),
        )

    def _eligible(self) -> set[str]:
        return {result.arm for result in self.results if result.eligible}

    def _chance(self, place: int, effect: Effect) -> float:
        """Return the predictive chance that a claim is shown on all questions, if trends go on."""
        share = len(self.values) / len(self.contest.table.questions)
        if effect.shown or share >= 1:
            return float(effect.shown)
        contrast = self.columns.difference(place, self.order.index(effect.other))
        excluded = self.policy.margin if effect.claim is Hypothesis.BETTER else -self.policy.margin
        distance, error = contrast.estimate - excluded, contrast.error_at(excluded)
        final = float(special.ndtri(1 - self.plan.levels[-1])) * error * np.sqrt(share)
        return float(special.ndtr((distance - final) / (error * np.sqrt(1 - share))))

    def _part(self, end: int) -> ScoreTable:
        table, rows = self.contest.table, self.plan.order[:end]
        places = [table.arms.index(arm) for arm in self.racing]
        return replace(table.part(rows), arms=self.racing, values=self.values[:end, places])

    def _whole_sources(self, first: int, end: int) -> int:
        sources, order = self.contest.table.sources, self.plan.order
        while first < end < len(order) and sources[order[end]] == sources[order[end - 1]]:
            end -= 1
        return end


def spend(shares: Sequence[float], *, level: float, power: float) -> list[float]:
    """Return the one-sided level of each look, so that all looks together err with chance ``level``.

    Estimates on nested samples behave like a Brownian motion at the shares of the data (independent
    increments), so the chance of crossing at a later look but at none before is an integral over one
    dimension, worked out look by look (Armitage, McPherson & Rowe 1969). ``shares`` are what part of all the
    data each look sees, each 0.01 or more above the one before (the grid of the integral is no finer), the
    last one 1; ``level`` is one-sided. Share t spends ``level`` × t ** ``power``: 1 stops clear cases early,
    3 keeps nearly all of it for the end.
    """
    spent = [level * share**power for share in shares]
    levels: list[float] = []
    grid = density = np.empty(0)
    for look, (share, upto) in enumerate(zip(shares, spent, strict=True)):
        if look == 0:
            bound = float(special.ndtri(1 - upto)) * np.sqrt(share)
            grid = np.linspace(_LOWEST * np.sqrt(share), bound, _GRID)
            density = np.exp(-(grid**2) / (2 * share)) / np.sqrt(2 * np.pi * share)
        else:
            fresh = upto - spent[look - 1]
            step = float(np.sqrt(share - shares[look - 1]))
            bound = _bound(grid, density, step, fresh)
            wider = np.linspace(_LOWEST * np.sqrt(share), bound, _GRID)
            kernel = np.exp(-(((wider[:, None] - grid) / step) ** 2) / 2) / (np.sqrt(2 * np.pi) * step)
            density = np.trapezoid(kernel * density, grid, axis=1)
            grid = wider
        levels.append(float(special.ndtr(-bound / np.sqrt(share))))
    return levels


def _bound(grid: np.ndarray, density: np.ndarray, step: float, wanted: float) -> float:
    """Return the value that is first crossed at this look with the wanted chance."""

    def excess(bound: float) -> float:
        return float(np.trapezoid(density * special.ndtr((grid - bound) / step), grid)) - wanted

    return float(optimize.brentq(excess, _LOWEST, 12.0))
