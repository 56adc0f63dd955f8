"""Self-consistency and semantic entropy: what can be said of an answer that has no evidence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hybrid.errors import LikelihoodMissing, UsageError
from hybrid.generation.answering import Answerer
from hybrid.grounding.scorers.names import Scorer
from hybrid.grounding.values import Pair
from hybrid.text.words import tokens
from hybrid.types import Answer, Arm


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """How sure a model is of an answer that no evidence stands behind; whether it is right nobody knows.

    ``agreement`` is the share of the samples that mean what the answer means. ``meanings`` counts what the
    samples mean, ``consistency`` is the share of those that mean what most of them mean (Wang et al. 2022,
    with meanings for exact matches). ``entropy`` is that of the meanings in nats, each sample counting alike
    (discrete semantic entropy, Farquhar et al. 2024). ``log_probability`` is the mean of the answer's tokens
    in nats, ``least_log_probability`` that of the unlikeliest, which falls with the length of the answer;
    None where the model tells none. ``words`` is that length, which all of them have to beat.
    """

    samples: tuple[str, ...]
    agreement: float
    meanings: int
    consistency: float
    entropy: float
    log_probability: float | None
    least_log_probability: float | None
    words: int


def sampled(
    answers: Sequence[Answer],
    scorer: Callable[[], Scorer],
    answerer: Callable[[str], Answerer],
    *,
    samples: int = 5,
    temperature: float = 0.5,
    seed: int = 0,
) -> list[Uncertainty | None]:
    """Draw other answers to the questions of answers without passages, in batches, and compare.

    At a temperature of 1 hardly two answers of a small generator mean the same, and their entropy told wrong
    answers with an AUROC of .49 instead of the .60 at .5 (on the 40 questions on which this was chosen). The
    answers are of the arms ``base`` or ``adapter``; ``scorer`` gives what tells whether two mean the same,
    ``answerer`` who answers by the arm of a name. ``samples`` others are drawn for each, at ``temperature``
    and by ``seed`` as for ``Generator.sample``. An answer that declined has none.

    Raises:
        UsageError: an answer was read from passages, which it is held against; or less than one sample.
    """
    if any(answer.arm in (Arm.RAG, Arm.BOTH) for answer in answers):
        raise UsageError(
            "samples tell of answers without passages; one with passages is checked against them",
            hint="ask with --arm base or --arm adapter, or leave --samples out",
        )
    asserted: dict[str, list[int]] = {}
    for place, answer in enumerate(answers):
        if not answer.abstained:
            asserted.setdefault(answer.variant or answer.arm, []).append(place)
    found: dict[int, Uncertainty] = {}
    for arm, places in asserted.items():
        own, asked = [answers[place] for place in places], answerer(arm)
        drawn = asked.sample_all(own, samples, temperature=temperature, seed=seed)
        try:
            logs = asked.log_probabilities(own)
        except LikelihoodMissing:
            logs = [[] for _ in places]
        # without the question, whose words align in every pair
        for place, others, log in zip(places, drawn, logs, strict=True):
            said = [other.text for other in others]
            found[place] = uncertainty(answers[place].text, said, scorer(), log_probabilities=log)
    return [found.get(place) for place in range(len(answers))]


def uncertainty(
    answer: str, samples: Sequence[str], scorer: Scorer, *, log_probabilities: Sequence[float] = ()
) -> Uncertainty:
    """Compare an answer with samples, at least one, of what the model also says to the question.

    The answer is grouped with the samples, in one call of the scorer, and counts in none of the numbers.
    """
    from scipy.stats import entropy

    together = meanings([answer, *samples], scorer)
    own = next(group for group in together if 0 in group)
    sizes = [size for group in together if (size := len(group) - (group is own))]
    return Uncertainty(
        samples=tuple(samples),
        agreement=(len(own) - 1) / len(samples),
        meanings=len(sizes),
        consistency=max(sizes) / len(samples),
        entropy=min(float(entropy(sizes)), math.log(sum(sizes))),
        log_probability=math.fsum(logs) / len(logs) if (logs := log_probabilities) else None,
        least_log_probability=min(log_probabilities, default=None),
        words=len(tokens(answer)),
    )


def meanings(samples: Sequence[str], scorer: Scorer) -> tuple[tuple[int, ...], ...]:
    """Return the places of the samples that mean the same, the largest group first.

    Two samples are joined if each carries the other, and so are those that a chain of joined ones connects.
    Farquhar et al. (2024) compare each sample with the first of every group instead, which makes the groups
    depend on the order of the samples; these do not. Equal texts mean the same whatever the scorer says. The
    scorer judges each ordered pair of different texts, k · (k − 1) of them, in one call; at its even chance
    one carries the other.
    """
    texts = sorted(set(samples))
    from scipy.sparse.csgraph import connected_components

    joined = np.zeros((len(texts), len(texts)), dtype=np.bool_)
    for one, other in _mutual(texts, scorer):
        joined[one, other] = True
    _, labels = connected_components(joined, directed=False)
    label_of = dict(zip(texts, labels.tolist(), strict=True))
    groups: dict[int, list[int]] = {}
    for place, sample in enumerate(samples):
        groups.setdefault(label_of[sample], []).append(place)
    return tuple(tuple(group) for group in sorted(groups.values(), key=lambda group: (-len(group), group)))


def _mutual(texts: Sequence[str], scorer: Scorer) -> list[tuple[int, int]]:
    """Return the places of those of different texts that carry each other."""
    ways = [(a, b) for a in range(len(texts)) for b in range(len(texts)) if a != b]
    if not ways:
        return []
    support = scorer.score([Pair(texts[a], texts[b]) for a, b in ways]).support
    carries = {way: bool(value >= 0.0) for way, value in zip(ways, support, strict=True)}
    return [(a, b) for a, b in ways if a < b and carries[a, b] and carries[b, a]]
