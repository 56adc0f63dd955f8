"""Score outcomes against their questions, by arm, and as the table that statistics work on."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hybrid.confidence import AbstentionScores, abstention, aurc, brier, calibration_error, excess_aurc
from hybrid.errors import UsageError
from hybrid.evaluation.correctness import Correctness, exactly, grade_of, refuses
from hybrid.evaluation.facts import FactKind, Said, rivals_in
from hybrid.evaluation.metrics import (
    ContextScores,
    contains_gold,
    contains_numeral,
    context_scores,
    exact_match,
    is_numeric,
    is_polar,
    label_accuracy,
    numeric_match,
    polar_match,
    rouge_l,
    similarities,
    token_f1,
)
from hybrid.evaluation.outcomes import Outcome
from hybrid.evaluation.scores import METRICS, SYNTHETIC, MetricCard, Scores, ScoreTable
from hybrid.generation.citations import without_markers
from hybrid.grounding.citing import CitationScores, CitedAnswer, citation_scores
from hybrid.grounding.judge import Case, Grounder, Grounding
from hybrid.grounding.values import hallucinated, share_supported, share_unjudged
from hybrid.models import Embedder
from hybrid.text.words import word_runs
from hybrid.types import Question

# Written by an arm that was shown nothing; in "a[1]" a bracket is what it is.
_LOOSE_MARKER = re.compile(r"(?<!\S)\[\d+\](?!\w)")
_WORD = re.compile(r"\w+")
# So many words in a row are copied, not met by chance.
_RUN = 5
_RETRIEVAL = frozenset(
    ("recall", "ndcg", "reciprocal_rank", "context_precision", "context_utilisation", "average_precision")
)


@dataclass(frozen=True, slots=True)
class MetricMean:
    """The mean of a metric over the answers to which it applies: ``scored`` of ``total``."""

    metric: str
    mean: float | None
    scored: int
    total: int


@dataclass(frozen=True, slots=True)
class ConfidenceSummary:
    """How well an arm's confidences tell right from wrong; each None where none was given.

    ``aurc`` and ``excess_aurc`` are over all answers but abstentions; what failed or has no confidence
    is ranked last. ``brier`` and the debiased ``calibration_error`` are over the ``given`` answers with a
    confidence.
    """

    given: int
    aurc: float | None
    excess_aurc: float | None
    brier: float | None
    calibration_error: float | None


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """One arm.

    ``words`` is the mean length of the answers that neither failed nor abstained; ``incomplete`` is how many
    of them end before their end, and score by what is there. ``quoted`` is the share of their words that the
    passages have in runs of five or more, None where all answers are shorter.
    """

    arm: str
    total: int
    failed: int
    declined: int
    incomplete: int
    means: tuple[MetricMean, ...]
    abstention: AbstentionScores
    confidence: ConfidenceSummary
    words: float | None
    quoted: float | None

    def mean(self, metric: str) -> MetricMean:
        """Return the mean of one metric.

        Raises:
            KeyError: no such metric.
        """
        return {mean.metric: mean for mean in self.means}[metric]


def score_all(
    questions: Sequence[Question],
    outcomes: Sequence[Outcome],
    *,
    grounder: Grounder,
    embedder: Embedder | None = None,
) -> list[Scores]:
    """Score outcomes in their order, failed ones as wrong; an arm retrieves if any outcome has passages.

    ``grounder`` judges the claims of all answers with one call of its scorer, their citations with another;
    similarity is not scored without an ``embedder``.

    Raises:
        UsageError: an outcome is of a question that is not in the set, or of an answerable one without gold.
        ModelError: the scorer did not answer for every pair.
    """
    known = {question.id: question for question in questions}
    for outcome in outcomes:
        if outcome.question not in known:
            raise UsageError(
                f"arm {outcome.arm!r} has an outcome of an unknown question {outcome.question!r}",
                hint="score the outcomes with the question set they were made from",
            )
        require_gold(known[outcome.question])
    asked = [known[outcome.question] for outcome in outcomes]
    retrieving = {outcome.arm for outcome in outcomes if outcome.passages}
    alike: Sequence[float | None] = [None] * len(outcomes)
    if embedder is not None:
        alike = similarities(
            [answer_text(outcome) for outcome in outcomes], [question.answers for question in asked], embedder
        )
    grounded = grounder.ground_all([_case(outcome) for outcome in outcomes])
    cited = citation_scores([_cited_answer(outcome) for outcome in outcomes], grounder)
    return [
        _scores(question, outcome, grounding, citing, similarity, retrieves=outcome.arm in retrieving)
        for question, outcome, grounding, citing, similarity in zip(
            asked, outcomes, grounded, cited, alike, strict=True
        )
    ]


def require_gold(question: Question) -> None:
    """Raise a UsageError for a question that is answerable and has no gold answer."""
    if question.answerable and not any(gold.strip() for gold in question.answers):
        raise UsageError(
            f"question {question.id!r} is answerable and has no gold answer: nothing can be scored",
            hint='add `answers` to it, or set `answerable` to false; `hybrid compare "..."` needs none',
        )


def correct(question: Question, outcome: Outcome) -> float:
    """Return whether the answer is right, from 0 to 1; ``METRICS`` has the rule in words."""
    return correctness(question, outcome).grade


def correctness(question: Question, outcome: Outcome) -> Correctness:
    """Return whether the answer is right, with the facts of the gold that it carries, misses or contradicts.

    Labels, yes or no and lone numbers are one fact, right or wrong.
    """
    text, golds = answer_text(outcome), question.answers
    gold = golds[0] if golds else ""
    if outcome.failed:
        return Correctness(0.0, gold)
    refused = declined(question, outcome)
    if refused or not question.answerable:
        return Correctness(float(refused and not question.answerable), gold, refused=refused)
    if question.options:
        return exactly(gold, FactKind.WORD, label_accuracy(text, golds))
    if is_polar(golds):
        return exactly(gold, FactKind.POLARITY, polar_match(text, golds))
    if is_numeric(golds):
        match = max(numeric_match(text, golds), contains_numeral(text, golds))
        rivals = rivals_in(Said(question.text, text), golds) if match else ()
        return exactly(gold, FactKind.NUMBER, match, rivals)
    if exact_match(text, golds):
        return exactly(gold, FactKind.WORD, 1.0)
    return grade_of(question.text, text, golds)


def declined(question: Question, outcome: Outcome) -> bool:
    """Tell whether an answer declines: by a flag, or in words of its own that are no gold answer."""
    return outcome.abstained or (
        refuses(outcome.answer) and not contains_gold(outcome.answer, question.answers)
    )


def answer_text(outcome: Outcome) -> str:
    """Return the answer without its citation markers, which are no part of what it says."""
    cites = outcome.citations or outcome.passages
    return without_markers(outcome.answer) if cites else _LOOSE_MARKER.sub("", outcome.answer)


def table(
    questions: Sequence[Question],
    outcomes: Sequence[Outcome],
    scores: Sequence[Scores],
    *,
    metric: str,
    arms: Sequence[str],
) -> ScoreTable:
    """Lay one metric out by question and arm, scaled so that 0 is worst and 1 is best.

    A metric where lower is better enters as 1 − x. Where it does not apply to an unanswerable question, that
    is scored by abstention: 1 if the arm declined, else 0. Where it does not apply to an answer, because that
    failed, abstained or shows no passages, the answer scores 0. Answerable questions to which the metric
    cannot apply, whoever answers (no gold number, no gold evidence), are left out for all arms alike. Rows
    are in the order of ``questions``, columns are ``arms`` from simple to costly; ``scores`` are those of
    ``outcomes``, in the same order. ``metric`` is a field of ``Scores`` that has a better direction.
    """
    card = deciding_card(metric)
    cells = _cells(outcomes, scores, arms)
    rows = [question for question in questions if _can_apply(metric, question)]
    values = np.zeros((len(rows), len(arms)))
    scored = 0
    for row, question in enumerate(rows):
        for column, arm in enumerate(arms):
            found = cells.get((arm, question.id))
            if found is None:
                raise UsageError(
                    f"arm {arm!r} has no outcome for question {question.id!r}",
                    hint="run the comparison again: what is already answered is kept",
                )
            value: float | None = getattr(found, metric)
            scored += value is not None
            declined = 0.0 if question.answerable else found.abstained
            values[row, column] = declined if value is None else card.share(value)
    if not scored:
        raise UsageError(
            f"no answer has the score {metric!r}: it applies to none of these questions and arms",
            hint="decide by another metric, such as `correct`; `similarity` needs an embedder",
        )
    return ScoreTable(
        metric=metric,
        arms=tuple(arms),
        questions=tuple(question.id for question in rows),
        sources=tuple(question.unit for question in rows),
        values=values,
        slices=tuple(automatic_slices(question) for question in rows),
    )


def automatic_slices(question: Question) -> tuple[str, ...]:
    """Return the slices of a question, its own first, then those that can be told from it, each once.

    ``numeric``: every gold is a number. ``unanswerable``. ``withheld``: sources are kept from it.
    ``synthetic``: made by a rule and not reviewed by a person.
    """
    told = {
        "numeric": question.answerable and is_numeric(question.answers),
        "unanswerable": not question.answerable,
        "withheld": bool(question.withheld),
        SYNTHETIC: question.synthetic,
    }
    return tuple(dict.fromkeys((*question.slices, *(name for name, holds in told.items() if holds))))


def summarise(
    questions: Sequence[Question], outcomes: Sequence[Outcome], scores: Sequence[Scores]
) -> tuple[ArmSummary, ...]:
    """Summarise each arm, in the order in which they first appear; ``scores`` are those of the outcomes."""
    answerable = {question.id: question.answerable for question in questions}
    arms: dict[str, list[tuple[Outcome, Scores]]] = {}
    for outcome, score in zip(outcomes, scores, strict=True):
        arms.setdefault(outcome.arm, []).append((outcome, score))
    return tuple(_summary(arm, rows, answerable) for arm, rows in arms.items())


def _scores(
    question: Question,
    outcome: Outcome,
    grounding: Grounding,
    cited: CitationScores,
    similarity: float | None,
    *,
    retrieves: bool,
) -> Scores:
    golds = question.answers if question.answerable else None
    text = answer_text(outcome) if _is_shown(outcome) else ""
    right = correct(question, outcome)
    context = context_scores(question, outcome) if question.answerable and retrieves else ContextScores()
    return Scores(
        correct=right,
        exact_match=None if golds is None else exact_match(text, golds),
        contains_gold=None if golds is None else contains_gold(text, golds),
        token_f1=None if golds is None else token_f1(text, golds),
        rouge_l=None if golds is None else rouge_l(text, golds),
        numeric=numeric_match(text, golds) if golds is not None and is_numeric(golds) else None,
        similarity=None if golds is None or similarity is None else similarity * _is_shown(outcome),
        crag=_crag(question, outcome, right),
        abstained=float(declined(question, outcome) and not outcome.failed),
        failed=float(outcome.failed),
        groundedness=share_supported(grounding.verdicts),
        hallucinated=hallucinated(grounding.verdicts),
        citation_precision=cited.precision,
        citation_recall=cited.recall,
        recall=context.recall,
        ndcg=context.ndcg,
        reciprocal_rank=context.reciprocal_rank,
        context_precision=context.precision,
        context_utilisation=context.utilisation,
        average_precision=context.average_precision,
        unjudged=share_unjudged(grounding.verdicts),
    )


def _is_shown(outcome: Outcome) -> bool:
    """Tell whether there is an answer; what failed or declined says nothing, whatever stands in it."""
    return not (outcome.failed or outcome.abstained)


def _case(outcome: Outcome) -> Case:
    """Return what is judged: nothing of an answer without passages, which has none to be carried by."""
    passages = tuple(passage.text for passage in outcome.passages)
    return Case(outcome.answer if _is_shown(outcome) and passages else "", passages)


def _cited_answer(outcome: Outcome) -> CitedAnswer:
    """Return what is judged: nothing of an answer that could not cite."""
    could = outcome.passages or outcome.citations
    return CitedAnswer(outcome.answer if _is_shown(outcome) and could else "", outcome.citations)


def _crag(question: Question, outcome: Outcome, right: float) -> float:
    if declined(question, outcome) and question.answerable and not outcome.failed:
        return 0.0
    return 2.0 * right - 1.0


def deciding_card(metric: str) -> MetricCard:
    """Return the card of a metric that may decide."""
    deciding = {card.name: card for card in METRICS if card.higher_is_better is not None}
    if metric not in deciding:
        raise UsageError(f"no metric {metric!r} to decide by", hint=f"choose one of {', '.join(deciding)}")
    return deciding[metric]


def _cells(
    outcomes: Sequence[Outcome], scores: Sequence[Scores], arms: Iterable[str]
) -> Mapping[tuple[str, str], Scores]:
    cells: dict[tuple[str, str], Scores] = {}
    wanted = set(arms)
    for outcome, score in zip(outcomes, scores, strict=True):
        cell = (outcome.arm, outcome.question)
        if outcome.arm in wanted and cell in cells:
            raise UsageError(
                f"arm {outcome.arm!r} has two outcomes for question {outcome.question!r}",
                hint="keep those of one run, or give the arms different names",
            )
        cells[cell] = score
    return cells


def _can_apply(metric: str, question: Question) -> bool:
    if not question.answerable:
        return True
    if metric == "numeric":
        return is_numeric(question.answers)
    return metric not in _RETRIEVAL or bool(question.evidence)


def _summary(arm: str, rows: Sequence[tuple[Outcome, Scores]], answerable: dict[str, bool]) -> ArmSummary:
    shown = [outcome for outcome, score in rows if not (score.failed or score.abstained)]
    return ArmSummary(
        arm=arm,
        total=len(rows),
        failed=sum(bool(score.failed) for _, score in rows),
        declined=sum(bool(score.abstained) for _, score in rows),
        incomplete=sum(bool(outcome.incomplete) for outcome in shown),
        means=tuple(_mean(card.name, [score for _, score in rows]) for card in METRICS),
        abstention=abstention(
            [answerable[outcome.question] for outcome, _ in rows],
            [bool(score.abstained) for _, score in rows],
        ),
        confidence=_confidence(rows),
        words=_average([len(answer_text(outcome).split()) for outcome in shown]),
        quoted=_average([share for outcome in shown if (share := _quoted(outcome)) is not None]),
    )


def _quoted(outcome: Outcome) -> float | None:
    """Return the share of the words of an answer that stand in its passages in runs of five or more."""
    said = _WORD.findall(answer_text(outcome).casefold())
    if len(said) < _RUN:
        return None
    given = [_WORD.findall(passage.text.casefold()) for passage in outcome.passages]
    runs = {run for words in given for run in word_runs(words, _RUN)}
    held = [at for at, run in enumerate(word_runs(said, _RUN)) if run in runs]
    return len({at + step for at in held for step in range(_RUN)}) / len(said)


def _mean(metric: str, scores: Sequence[Scores]) -> MetricMean:
    values = [value for score in scores if (value := getattr(score, metric)) is not None]
    return MetricMean(metric, _average(values), len(values), len(scores))


def _average(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _confidence(rows: Sequence[tuple[Outcome, Scores]]) -> ConfidenceSummary:
    given = [
        (outcome.confidence, score.correct)
        for outcome, score in rows
        if outcome.confidence is not None and not (score.failed or score.abstained)
    ]
    if not given:
        return ConfidenceSummary(0, None, None, None, None)
    sure, right = [confidence for confidence, _ in given], [score for _, score in given]
    error = calibration_error(sure, right)
    asserted = [(outcome, score) for outcome, score in rows if not score.abstained]
    order = [
        -math.inf if score.failed or outcome.confidence is None else outcome.confidence
        for outcome, score in asserted
    ]
    losses = [1.0 - score.correct for _, score in asserted]
    return ConfidenceSummary(
        given=len(given),
        aurc=aurc(order, losses),
        excess_aurc=excess_aurc(order, losses),
        brier=brier(sure, right),
        calibration_error=None if error is None else error.error,
    )
