"""How often full verdicts are wrong where the truth is known; see tests/benchmarks/decisions.py."""

import math

import numpy as np
import pytest

from hybrid.decision.values import Policy
from hybrid.decision.verdict import decide

QUICK = Policy(replicates=1_000, margin=0.02)


def wrong_and_decided(domains, truth, *, questions, draws, seed=29):
    generator = np.random.default_rng(seed)
    wrong = decided = 0
    for _ in range(draws):
        domain = domains.simulate(truth, questions, generator)
        decision = decide(domain.table, costs={}, measures={}, policy=QUICK)
        wrong += domains.is_wrong(domain, decision.arm, QUICK.margin)
        decided += decision.arm is not None
    return wrong / draws, decided / draws


@pytest.mark.slow
@pytest.mark.parametrize("questions", [60, 240])
@pytest.mark.parametrize(
    "truth",
    [
        (0.6, 0.6, 0.6, 0.6),  # four equal arms: anything but the cheapest is wrong
        (0.6, 0.6201),  # the cheapest just beyond the margin
        (0.6, 0.6, 0.6201, 0.6201),
        (0.9, 0.9201),
        (0.5, 0.7, 0.7, 0.7),
    ],
)
def test_wrong_verdicts_stay_under_the_level(domains, truth, questions):
    draws = 150
    wrong, _ = wrong_and_decided(domains, truth, questions=questions, draws=draws)
    assert wrong <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / draws)


@pytest.mark.slow
def test_a_clear_domain_is_decided(domains):
    wrong, decided = wrong_and_decided(domains, (0.5, 0.52, 0.55, 0.72), questions=250, draws=60)
    assert decided >= 0.9
    assert wrong <= 0.05


def test_a_verdict_is_wrong_if_a_better_or_as_good_a_cheaper_arm_was_passed_over(domains):
    domain = domains.simulate((0.5, 0.6, 0.61, 0.7), 40, np.random.default_rng(0))
    verdicts = {arm: domains.is_wrong(domain, arm, 0.02) for arm in (None, *domain.table.arms)}
    assert verdicts == {None: False, "base": True, "rag": True, "adapter": True, "both": False}
    near = domains.simulate((0.69, 0.69, 0.7), 40, np.random.default_rng(0))
    assert not domains.is_wrong(near, "base", 0.02)
    assert domains.is_wrong(near, "rag", 0.02)
    assert not domains.is_wrong(near, "adapter", 0.02)
    assert domains.is_strictly_wrong(near, "adapter", 0.02)
    assert not domains.is_strictly_wrong(near, None, 0.02)


def test_a_simulated_domain_has_the_means_that_it_was_asked_for(domains):
    truth = (0.3, 0.5, 0.7, 0.9)
    domain = domains.simulate(truth, 40_000, np.random.default_rng(0))
    assert domain.table.values.mean(axis=0) == pytest.approx(truth, abs=0.02)
    assert np.corrcoef(domain.table.values.T)[1, 2] > 0.3
