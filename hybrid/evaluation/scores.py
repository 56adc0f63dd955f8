"""The scores of outcomes, what each means, their table, and judgements of people joined to it (PPI++)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hybrid.errors import UsageError
from hybrid.evaluation.metrics import is_numeric, is_polar
from hybrid.statistics import Array, Resampling, resample
from hybrid.types import Question

if TYPE_CHECKING:
    from hybrid.evaluation.scoring import ArmSummary

# With fewer, the weight itself is too uncertain.
MIN_GOLD = 50
# Judgements of fewer sources say too little about how judgements differ between sources.
MIN_GOLD_SOURCES = 20


@dataclass(frozen=True, slots=True)
class Scores:
    """What one outcome is worth. None means "does not apply", never "could not be computed".

    ``METRICS`` says of each what it is. All are from 0 to 1 but ``crag`` (−1 to 1). ``correct`` is what
    decisions go by unless told otherwise.
    """

    correct: float
    exact_match: float | None
    contains_gold: float | None
    token_f1: float | None
    rouge_l: float | None
    numeric: float | None
    similarity: float | None
    crag: float
    abstained: float
    failed: float
    groundedness: float | None
    hallucinated: float | None
    citation_precision: float | None
    citation_recall: float | None
    recall: float | None
    ndcg: float | None
    reciprocal_rank: float | None
    context_precision: float | None
    context_utilisation: float | None
    average_precision: float | None = None
    unjudged: float | None = None


@dataclass(frozen=True, slots=True)
class MetricCard:
    """What a field of ``Scores`` is, for a report that explains itself.

    ``higher_is_better`` is None where neither is: abstaining is right on one question and wrong on
    another.
    """

    name: str
    definition: str
    source: str
    low: float = 0.0
    high: float = 1.0
    higher_is_better: bool | None = True

    def share(self, value: float) -> float:
        """Return a value scaled so that 0 is worst and 1 is best."""
        share = (value - self.low) / (self.high - self.low)
        return 1.0 - share if self.higher_is_better is False else share


# The slice of questions that were made by a rule and not reviewed by a person.
SYNTHETIC = "synthetic"


@dataclass(frozen=True, slots=True, eq=False)
class ScoreTable:
    """One score from 0 to 1 for every question and arm, without holes.

    ``values`` has the shape (questions, arms). ``sources`` names for each question the unit that is
    resampled. Arms stand from simple to costly: it is the order in which ties are broken. ``gold`` has
    the scores by people of the rows ``judged``, shape (judged, arms), where there are such.
    """

    metric: str
    arms: tuple[str, ...]
    questions: tuple[str, ...]
    sources: tuple[str, ...]
    values: NDArray[np.float64]
    slices: tuple[tuple[str, ...], ...] = ()
    judged: tuple[int, ...] = ()
    gold: NDArray[np.float64] | None = None

    def part(self, rows: Sequence[int], *, slices: bool = True) -> ScoreTable:
        """Return the table of some questions; judgements by people are too few to part."""
        return replace(
            self,
            questions=tuple(self.questions[row] for row in rows),
            sources=tuple(self.sources[row] for row in rows),
            values=self.values[list(rows)],
            slices=tuple(self.slices[row] for row in rows) if slices and self.slices else (),
            judged=(),
            gold=None,
        )


_SQUAD = "SQuAD, Rajpurkar et al. 2016 (arXiv:1606.05250)"
_RAGCHECKER = "RAGChecker, Ru et al. 2024 (arXiv:2408.08067), against the gold evidence instead of a model"
_ALCE = "ALCE, Gao et al. 2023 (arXiv:2305.14627), with the judge named in the settings"

METRICS = (
    MetricCard(
        "correct",
        "Is the answer right? A failed answer is 0. An unanswerable question is 1 if declined, in whatever "
        "words, else 0. An answerable one is 0 if declined; with options 1 for a gold label; for yes or no 1 "
        "for the same word; for a number 1 if it is stated. Else the chance that people call it right, by "
        "the facts of the gold (names, numbers, dates, yes or no, words) that it carries, misses or "
        "contradicts. Of n values offered for one, that counts for one in n; more than 60 words beside the "
        "point cost, and so does a gold that stands among sentences about something else. On 5,020 answers "
        "of five systems to 1,004 questions held out it agrees with people in 92 % (AUROC .95), and with "
        "their difference between two systems within 3 points; of golds as long as a paragraph it was not "
        "held against people.",
        "ours, calibrated on the judgements of EVOUNA (Wang et al. 2023, arXiv:2305.12421)",
    ),
    MetricCard("exact_match", "1 if the normalised answer is a normalised gold answer, else 0.", _SQUAD),
    MetricCard(
        "contains_gold",
        "1 if a gold answer stands in the answer as whole words, else 0. Long answers gain by it.",
        "has answer, Chen et al. 2017 (DrQA, arXiv:1704.00051); exact presence in ALCE",
    ),
    MetricCard(
        "token_f1", "Harmonic mean of token precision and recall against the best gold answer.", _SQUAD
    ),
    MetricCard(
        "rouge_l",
        "Balanced F of the longest common subsequence of normalised tokens, best gold answer.",
        "Lin 2004",
    ),
    MetricCard(
        "numeric",
        "1 if a number in the answer is the gold one after conversion of units; whole numbers must be equal, "
        "others within 0.5 %. Only where every gold answer is a number.",
        "ours, after the practice of FinQA (arXiv:2109.00122)",
    ),
    MetricCard(
        "similarity",
        "Best cosine of the embedder's vectors of answer and gold answer, negative ones as 0. It tells what "
        "is talked about, not whether it is right.",
        "semantic answer similarity after Risch et al. 2021 (arXiv:2108.06130), with a bi-encoder",
    ),
    MetricCard(
        "crag",
        "+1 right, 0 declined though answerable, −1 wrong or failed; 2·correct − 1 for an answer that is "
        "partly right. Declining the unanswerable is right.",
        "CRAG, Yang et al. 2024 (arXiv:2406.04744), three-way variant",
        low=-1.0,
    ),
    MetricCard(
        "abstained",
        "1 if the arm declined to answer, else 0.",
        "RGB, Chen et al. 2023 (arXiv:2309.01431)",
        higher_is_better=None,
    ),
    MetricCard(
        "failed",
        "1 if there is an error or no text to score, else 0.",
        "ours: nothing is dropped",
        higher_is_better=False,
    ),
    MetricCard(
        "groundedness",
        "Share of the answer's claims that one of its passages supports: the judge finds that likely enough, "
        "and the passage lacks no number, unit or date of the claim and does not deny it. Only for answers "
        "with claims and passages; it says nothing about being right.",
        "faithfulness of ragas (arXiv:2309.15217) and RAGChecker, with the judge named in the settings",
    ),
    MetricCard(
        "hallucinated",
        "1 if any claim of the answer is supported by none of its passages, else 0. Same answers as "
        "groundedness.",
        "RAGTruth, Niu et al. 2024 (arXiv:2401.00396), at the level of the answer",
        higher_is_better=False,
    ),
    MetricCard(
        "citation_precision",
        "Share of citation markers whose sentence is supported by its citations, and that support it alone "
        "or are needed for it. A marker that points nowhere is wrong.",
        _ALCE,
    ),
    MetricCard(
        "citation_recall",
        "Share of the answer's sentences, of those that claim something, whose citations, taken together, "
        "support all that they claim.",
        _ALCE,
    ),
    MetricCard(
        "recall",
        "Share of the pieces of gold evidence that the retrieved passages hold.",
        "recall as in TREC, over pieces of evidence",
    ),
    MetricCard(
        "ndcg",
        "Discounted gain at 10 of the pieces of gold evidence, each counted where it is found first, over "
        "that of the best order.",
        "Järvelin & Kekäläinen 2002",
    ),
    MetricCard(
        "reciprocal_rank",
        "One over the rank of the first passage that holds gold evidence, 0 if none does.",
        "Voorhees 1999",
    ),
    MetricCard(
        "context_precision",
        "Share of the retrieved passages that hold gold evidence, in whatever order.",
        _RAGCHECKER,
    ),
    MetricCard(
        "context_utilisation",
        "Share of the retrieved gold evidence that the answer cites or states; if any was.",
        _RAGCHECKER,
    ),
    MetricCard(
        "average_precision",
        "Mean, over the passages that hold gold evidence, of the share of such passages down to their rank; "
        "ragas calls this context precision.",
        "ragas (arXiv:2309.15217), against the gold evidence instead of a model",
    ),
    MetricCard(
        "unjudged",
        "Share of the answer's claims of which the judge computed no number: they are neither supported nor "
        "not, and count in no other metric.",
        "ours: nothing is dropped",
        higher_is_better=False,
    ),
)


def power_weight(gold: Array, automatic: Array) -> float:
    """Return how much the automatic scores count, from 0 to 1: what minimises the variance of the mean.

    It is the slope of gold on automatic scores. The paper divides by 1 + judged / unjudged, for its automatic
    mean leaves the judged questions out; ours is over all of them, and that is the same estimate. ``gold``
    are scores by people, shape (judged,), ``automatic`` those of the same questions.
    """
    spread = float(np.var(automatic))
    if spread == 0:
        return 0.0
    together = float(np.mean((gold - gold.mean()) * (automatic - automatic.mean())))
    return float(np.clip(together / spread, 0.0, 1.0))


def powered(
    automatic: Array,
    gold: Array,
    judged: Sequence[int],
    sources: Sequence[str],
    *,
    replicates: int,
    seed: int,
) -> Resampling:
    """Return the resampling of prediction-powered means.

    Each question counts its automatic score times the weight; a judged one also what people corrected, scaled
    up to all questions and taken about its mean, so that drawing more or fewer judged questions does not
    count as uncertainty of the correction. ``automatic`` has shape (questions, arms), ``gold`` shape (judged,
    arms), and ``judged`` are the rows that it is about.
    """
    if len(judged) < MIN_GOLD:
        raise UsageError(
            f"{len(judged)} gold judgements, at least {MIN_GOLD} are needed",
            hint="judge more questions, drawn at random",
        )
    judged_sources = len({sources[row] for row in judged})
    if judged_sources < MIN_GOLD_SOURCES:
        raise UsageError(
            f"the gold judgements are of {judged_sources} sources, at least {MIN_GOLD_SOURCES} are needed",
            hint="draw the questions for people at random from all sources",
        )
    rows: NDArray[np.int64] = np.asarray(judged)
    scale = len(automatic) / len(rows)
    values = np.empty_like(automatic)
    for arm in range(automatic.shape[1]):
        weight = power_weight(gold[:, arm], automatic[rows, arm])
        corrections = gold[:, arm] - weight * automatic[rows, arm]
        values[:, arm] = weight * automatic[:, arm] + corrections.mean()
        values[rows, arm] += scale * (corrections - corrections.mean())
    return resample(values, sources, replicates=replicates, seed=seed)


# Of docs/benchmarks.md, "The measure": mean lengths of the systems that people judged, the length of golds,
# the share of answers judged as people do, and the largest bias of a pair of systems. All of them write in
# words of their own; none quotes what it was given.
ANSWER_WORDS = (2.0, 40.0)
GOLD_WORDS = 5
AGREEMENT = 0.92
BIAS = 0.03
# The variance, a question, of what people add to the difference of two arms by the measure.
DISAGREEMENT = 2 * (1 - AGREEMENT)
# An arm quotes whose words stand in its passages, in runs, as far as this.
_QUOTES = 0.5
# An interval of 90 %.
_Z = 1.645


@dataclass(frozen=True, slots=True)
class Uncovered:
    """What about arms or golds is unlike anything that the measure was tried on.

    ``judgements`` is how many questions people should judge, for each of the arms, so that an interval of
    90 % of the measure's bias is as narrow as the margin; all of them where fewer could not be joined.
    """

    reasons: tuple[str, ...]
    judgements: int


def uncovered(
    summaries: Sequence[ArmSummary], questions: Sequence[Question], margin: float
) -> Uncovered | None:
    """Return what the measure was not tried on; None if it covers these arms and questions.

    Labels, yes or no and lone numbers need no judge: where all golds are such, nothing is uncovered. Arms
    that all quote, or all write, share their bias; one that quotes beside one that writes does not.
    """
    open_ones = [
        question
        for question in questions
        if question.answerable and not (question.options or is_polar(question.answers))
        if not is_numeric(question.answers)
    ]
    if not open_ones:
        return None
    low, high = ANSWER_WORDS
    reasons = [
        f"the answers of {one.arm} have {one.words:.0f} words"
        for one in summaries
        if one.words is not None and not low / 2 <= one.words <= high * 1.25
    ]
    reasons += _readers([one for one in summaries if one.words is not None])
    golds = fmean(min(len(gold.split()) for gold in one.answers) for one in open_ones)
    if golds > GOLD_WORDS:
        reasons.append(f"the gold answers have {golds:.0f} words")
    if not reasons:
        return None
    needed = max(math.ceil(_Z**2 * DISAGREEMENT / margin**2), MIN_GOLD) if margin > 0 else len(questions)
    few = len({question.unit for question in questions}) < MIN_GOLD_SOURCES
    return Uncovered(tuple(reasons), len(questions) if few else min(needed, len(questions)))


def _readers(summaries: Sequence[ArmSummary]) -> list[str]:
    """Return how the readers of the arms differ: some copy their passages, others write."""
    quoting = [one.arm for one in summaries if (one.quoted or 0.0) >= _QUOTES]
    writing = [one.arm for one in summaries if one.arm not in quoting]
    if not quoting or not writing:
        return []
    return [
        f"{', '.join(quoting)} {'quotes' if len(quoting) == 1 else 'quote'} what was retrieved and "
        f"{', '.join(writing)} {'does' if len(writing) == 1 else 'do'} not"
    ]
