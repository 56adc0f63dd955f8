"""Judge answers: claims, their candidates, one call of the scorer, and what follows from it.

Takes answers with their passages, gives verdicts. A scorer judges single pairs; the maximum over candidates,
probabilities, checks and statuses are made here, so that no scorer can get them wrong. Knows no gold answers:
a claim may be carried and wrong.

Two laws hold for every scorer. One more passage never lowers the support of a claim: each candidate is found
and judged without the other passages, and the best one counts. And the order of the passages changes nothing
but their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hybrid.errors import ModelError
from hybrid.grounding.checks import denials, facts_of, in_order, missing
from hybrid.grounding.claims import claims_of
from hybrid.grounding.deciding import DEFAULT_THRESHOLDS, Candidate, Judged, Thresholds, decide
from hybrid.grounding.evidence import DEFAULT_LIMIT, Limit, SearchedPassage
from hybrid.grounding.matrices import SupportMatrix
from hybrid.grounding.scorers.protocol import Scorer
from hybrid.grounding.values import Claim, ClaimVerdict, Pair, Status
from hybrid.text.languages import ENGLISH, language_of

# Passages that several claims or answers share are read once, if they come one after the other.
_KEPT = 64
# Nothing a scorer says is surer than this; it also keeps an infinite logit from becoming no number.
_SUREST = 1_000.0


class Calibrator(Protocol):
    """Turn logits into probabilities, each by itself, and never a greater logit into a smaller one."""

    def probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability from 0 to 1 of each logit, in their order."""
        ...


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged: an answer, the passages it was given, and whether it declined to answer."""

    answer: str
    passages: tuple[str, ...]
    abstained: bool = False


@dataclass(frozen=True, slots=True)
class Grounding:
    """What was found of an answer: a verdict for each claim in order, and the table behind them.

    The rows of the table are the verdicts, the columns the passages. Groundings are equal if their verdicts
    are.
    """

    verdicts: tuple[ClaimVerdict, ...]
    matrix: SupportMatrix = field(compare=False)


@dataclass(frozen=True, slots=True)
class Task:
    """The text of a claim and the passages that may carry it."""

    claim: str
    passages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Opinion:
    """What scorer and calibration say of a pair."""

    probability: float
    logit: float
    opposed: bool


class _Passages:
    """Passages cut into sentences and read for facts, once for claims that come one after the other."""

    def __init__(self, max_words: int, limit: Limit) -> None:
        self._limit = limit
        self._searched = lru_cache(maxsize=_KEPT)(partial(SearchedPassage, max_words=max_words))
        self._facts = lru_cache(maxsize=_KEPT)(facts_of)

    def candidates(self, task: Task) -> list[Candidate]:
        """Return what could carry a claim, with what the checks say of it."""
        found: list[Candidate] = []
        for number, text in enumerate(task.passages):
            proposed = self._searched(text).candidates(task.claim, number, self._limit)
            lacking = in_order(missing(task.claim, self._facts(text))) if proposed else ()
            found += [
                Candidate(evidence, lacking, tuple(denials(task.claim, evidence.text)))
                for evidence in proposed
            ]
        return found


@dataclass(frozen=True, slots=True)
class Grounder:
    """Judge with one scorer, its calibration and one policy.

    Args:
        scorer: judges single pairs.
        calibration: turns its logits into probabilities.
        thresholds: where a probability becomes a status.
        limit: how many candidates a claim gets of one passage.
        languages: those that scorer and checks know, see ``language_of``; a claim in another one is not
            judged. None judges whatever there is.

    Example:
        >>> grounder = Grounder(NgramOverlap(), calibration)  # doctest: +SKIP
        >>> grounding = grounder.ground("The port is 5433.", ["The port is 5432."])  # doctest: +SKIP
        >>> grounding.verdicts[0].status  # doctest: +SKIP
        <Status.CONTRADICTED: 'contradicted'>
    """

    scorer: Scorer
    calibration: Calibrator
    thresholds: Thresholds = DEFAULT_THRESHOLDS
    limit: Limit = DEFAULT_LIMIT
    languages: frozenset[str] | None = ENGLISH

    def ground(self, answer: str, passages: Sequence[str], *, abstained: bool = False) -> Grounding:
        """Judge one answer; see ``ground_all``."""
        return self.ground_all([Case(answer, tuple(passages), abstained)])[0]

    def ground_all(self, cases: Sequence[Case]) -> list[Grounding]:
        """Judge answers with one call of the scorer, in which equal pairs stand once.

        A claim that cannot be checked keeps its reason and has no support, and so has one in a language that
        the judge does not know. Without passages, or where no
        passage has a word, a claim that can is not in evidence, with support 0.

        Raises:
            ModelError: the scorer did not answer for every pair.
        """
        said = [[(claim, self._unjudged(case, claim)) for claim in claims_of(case.answer)] for case in cases]
        found = iter(
            self.judge(
                [
                    Task(claim.text, case.passages)
                    for case, claims in zip(cases, said, strict=True)
                    for claim, status in claims
                    if status is None
                ]
            )
        )
        return [
            self._grounding(case, claims, [next(found) if status is None else [] for _, status in claims])
            for case, claims in zip(cases, said, strict=True)
        ]

    def judge(self, tasks: Sequence[Task]) -> list[list[Judged]]:
        """Return the judged candidates of each claim, with one call of the scorer.

        Raises:
            ModelError: the scorer did not answer for every pair.
        """
        passages = _Passages(self.scorer.max_words, self.limit)
        candidates = [passages.candidates(task) for task in tasks]
        pairs = [
            Pair(candidate.evidence.text, task.claim)
            for task, found in zip(tasks, candidates, strict=True)
            for candidate in found
        ]
        # in an order of their own: batches, and so the last bits of a logit, do not hang on that of passages
        opinions = self._opinions(sorted(set(pairs), key=lambda pair: (pair.evidence, pair.claim)))
        asked = iter(pairs)
        return [
            [self._judged(candidate, opinions[next(asked)]) for candidate in found] for found in candidates
        ]

    def reads(self, text: str) -> bool:
        """Tell whether a text is in a language that this judge knows."""
        return self.languages is None or language_of(text) in self.languages

    def _grounding(
        self, case: Case, claims: Sequence[tuple[Claim, Status | None]], judged: Sequence[Sequence[Judged]]
    ) -> Grounding:
        verdicts = [
            decide(claim, found, self.thresholds) if status is None else ClaimVerdict(claim, status)
            for (claim, status), found in zip(claims, judged, strict=True)
        ]
        return Grounding(tuple(verdicts), matrix_of(judged, len(case.passages)))

    def _unjudged(self, case: Case, claim: Claim) -> Status | None:
        """Return what becomes of a claim that no scorer is asked about; None of the others."""
        if case.abstained:
            return Status.ABSTAINED
        if claim.reason:
            return Status.NOT_CHECKABLE
        return None if self.reads(claim.text) else Status.UNSUPPORTED_LANGUAGE

    def _judged(self, candidate: Candidate, opinion: _Opinion) -> Judged:
        support = candidate.lessened(opinion.probability, self.thresholds)
        return Judged(candidate, support, opinion.logit, opinion.opposed)

    def _opinions(self, pairs: Sequence[Pair]) -> dict[Pair, _Opinion]:
        if not pairs:
            return {}
        logits = self.scorer.score(pairs)
        if len(logits.support) != len(pairs):
            raise ModelError(
                f"{self.scorer.name} gave {len(logits.support)} logits for {len(pairs)} pairs",
                hint="a scorer gives one number a pair, in their order",
            )
        support = np.nan_to_num(np.asarray(logits.support, dtype=np.float64), nan=-_SUREST)
        support = support.clip(-_SUREST, _SUREST)
        likely = np.nan_to_num(self.calibration.probabilities(support), nan=0.0).clip(0.0, 1.0)
        opposed = np.zeros(len(pairs)) if logits.against is None else logits.against
        table = zip(pairs, likely.tolist(), support.tolist(), (opposed > 0).tolist(), strict=True)
        return {pair: _Opinion(probability, logit, against) for pair, probability, logit, against in table}


def matrix_of(judged: Sequence[Sequence[Judged]], passages: int) -> SupportMatrix:
    """Return the table of the judged candidates of each claim, with so many passages."""
    values = np.zeros((len(judged), passages))
    for row, found in enumerate(judged):
        for one in found:
            column = one.candidate.evidence.passage
            values[row, column] = max(values[row, column], one.support)
    return SupportMatrix(values)
