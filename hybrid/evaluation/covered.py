"""Whether `correct` was held against people on answers like those of these arms (measurement bias)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from hybrid.evaluation.metrics import is_numeric, is_polar
from hybrid.evaluation.scores import MIN_GOLD, MIN_GOLD_SOURCES
from hybrid.evaluation.scoring import ArmSummary
from hybrid.types import Question

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
