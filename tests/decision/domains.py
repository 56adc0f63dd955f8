"""Simulated domains with known truth: right or wrong answers of several arms, clustered by source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from hybrid.evaluation.scores import ScoreTable

ARMS = ("base", "rag", "adapter", "both")
# Shares of the variance of the latent ability to answer: what the arms have in common (the question, its
# source) makes their outcomes alike, the rest makes them differ.
_QUESTION, _SOURCE, _SOURCE_ARM = 0.5, 0.15, 0.05


@dataclass(frozen=True)
class Domain:
    """A table of outcomes and the true mean of every arm."""

    table: ScoreTable
    truth: np.ndarray


def simulate(truth, questions, generator, *, sources=None):
    """Draw a domain whose arms are right with the given chances, on average over sources."""
    truth = np.asarray(truth, dtype=float)
    count = sources or max(questions * 2 // 5, 12)
    # sources of unequal size, none empty
    belongs = np.concatenate([np.arange(count), generator.integers(count, size=questions - count)])
    arms = len(truth)
    shared = generator.normal(size=questions)[:, None] * np.sqrt(_QUESTION)
    by_source = (generator.normal(size=count) * np.sqrt(_SOURCE))[belongs][:, None]
    by_pair = (generator.normal(size=(count, arms)) * np.sqrt(_SOURCE_ARM))[belongs]
    own = generator.normal(size=(questions, arms)) * np.sqrt(1 - _QUESTION - _SOURCE - _SOURCE_ARM)
    right = shared + by_source + by_pair + own < special.ndtri(truth)
    table = ScoreTable(
        metric="right",
        arms=ARMS[:arms],
        questions=tuple(map(str, range(questions))),
        sources=tuple(f"s{place}" for place in belongs),
        values=right.astype(float),
    )
    return Domain(table, truth)


def draw(generator):
    """Draw a domain of four arms, effects from 0 to 15 points, from 40 to 400 questions."""
    effects = generator.uniform(0, 0.15, size=len(ARMS)) * (generator.random(len(ARMS)) < 0.7)
    truth = generator.uniform(0.4, 0.75) + effects
    return simulate(truth, int(generator.integers(40, 401)), generator)


def right_arm(truth, margin):
    """Return the place of the cheapest arm that is truly within the margin of the best."""
    return int(np.argmax(truth >= truth.max() - margin - 1e-12))


def is_clear(domain):
    """Tell whether anybody would expect a verdict: 200 questions, the best arm 10 points ahead."""
    second, best = np.sort(domain.truth)[-2:]
    return bool(best - second >= 0.10 - 1e-12 and len(domain.table.questions) >= 200)


def is_wrong(domain, arm, margin):
    """Tell whether a verdict is one: worse than the best by more than the margin, or dear for nothing."""
    if arm is None:
        return False
    place = domain.table.arms.index(arm)
    mine = domain.truth[place]
    return bool(mine < domain.truth.max() - margin - 1e-12 or (domain.truth[:place] >= mine).any())


def is_strictly_wrong(domain, arm, margin):
    """Tell whether a verdict is not the cheapest arm within the margin of the best."""
    return arm is not None and domain.table.arms.index(arm) != right_arm(domain.truth, margin)
