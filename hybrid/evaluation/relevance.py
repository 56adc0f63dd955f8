"""Does a passage hold the gold evidence? The one place where that is judged, and what follows from it.

Takes questions with evidence and the passages that an arm saw, gives numbers from 0 to 1, higher is
better. Knows nothing about indexes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hybrid.evaluation.metrics import contains_gold
from hybrid.evaluation.outcomes import Outcome, Passage
from hybrid.ranking import average_precision, ndcg, precision, recall, reciprocal_rank
from hybrid.text.words import content_words, share_supported
from hybrid.types import Evidence, Question, Span

# A passage that ends in the middle of the evidence holds it if it has this share of it.
_OVERLAP = 0.5
# The share of the quote's content words that a passage must have where the words differ a little, as
# they do between two readings of one PDF. A number that is missing is never made up for.
_WORDS = 0.8
# A shorter quote stands in many places by chance, so it counts only where it was taken from.
_TELLING = 4
_CUT = 10


@dataclass(frozen=True, slots=True)
class ContextScores:
    """What the passages of one answer are worth against the gold evidence, each from 0 to 1, or None.

    ``recall`` is the share of the pieces of evidence that some passage holds. ``ndcg`` is at 10, a piece
    of evidence being found at the first passage that holds it; holding it again gains nothing.
    ``reciprocal_rank`` is one over the rank of the first passage that holds any. ``precision`` is the
    share of the passages that hold any (RAGChecker), ``average_precision`` the mean precision at the
    ranks of those that do (ragas): two numbers that both go by the name of context precision.
    ``utilisation`` is the share of the evidence that was retrieved and that the answer uses, None if none
    was retrieved (after RAGChecker, Ru et al. 2024, which asks a large model).
    """

    recall: float | None = None
    ndcg: float | None = None
    reciprocal_rank: float | None = None
    precision: float | None = None
    average_precision: float | None = None
    utilisation: float | None = None


def context_scores(question: Question, outcome: Outcome) -> ContextScores:
    """Score the passages of an answer, best first; without passages all is 0, without evidence None.

    Evidence is used if a citation holds it, if the answer states a gold answer that stands in it, or if
    the answer says most of it again. An answer that failed or abstained uses none.
    """
    if not question.evidence:
        return ContextScores()
    held = evidence_held(question, outcome.passages)
    ranks = [str(rank) for rank in range(len(held))]
    relevant = {rank: int(bool(pieces)) for rank, pieces in zip(ranks, held, strict=True)}
    found = _order_found(held)
    wanted = {f"evidence {place}": 1 for place in range(len(question.evidence))}
    return ContextScores(
        recall=recall(found, wanted, len(found)),
        ndcg=ndcg(found, wanted, _CUT),
        reciprocal_rank=reciprocal_rank(ranks, relevant),
        precision=precision(ranks, relevant),
        average_precision=average_precision(ranks, relevant),
        utilisation=_utilisation(question, outcome, frozenset[int]().union(*held)),
    )


def holds(evidence: Evidence, *, source: str, span: Span, text: str) -> bool:
    """Tell whether a stretch of a document holds a piece of gold evidence.

    It does if it is from the same source and covers at least half of the evidence by offsets; else if the
    quote stands in it as whole words, in any case and spacing; else, where the evidence has no offsets,
    if 80 % of the quote's content words and all its numbers stand in it. In another source, or at another
    place than the known one, only a quote of at least four content words counts. Evidence without a quote
    and without offsets is held by every passage of its source.
    """
    same = source == evidence.source
    if same and evidence.span is not None and _overlaps(evidence.span, span):
        return True
    if not evidence.quote.strip():
        return same and evidence.span is None
    anywhere = len(content_words(evidence.quote)) >= _TELLING
    if not anywhere and not (same and evidence.span is None):
        return False
    if contains_gold(text, [evidence.quote]):
        return True
    return evidence.span is None and share_supported(evidence.quote, text) >= _WORDS


def evidence_held(question: Question, passages: Sequence[Passage]) -> list[frozenset[int]]:
    """Return for each passage which pieces of the question's evidence it holds, by their place."""
    return [
        frozenset(
            place
            for place, evidence in enumerate(question.evidence)
            if holds(evidence, source=passage.source, span=passage.span, text=passage.text)
        )
        for passage in passages
    ]


def _overlaps(evidence: Span, passage: Span) -> bool:
    common = min(evidence.end, passage.end) - max(evidence.start, passage.start)
    shorter = min(evidence.end - evidence.start, passage.end - passage.start)
    return common > 0 and common >= _OVERLAP * shorter


def _order_found(held: Sequence[frozenset[int]]) -> list[str]:
    """Return the pieces of evidence in the order they are found, with a place for what brings nothing new."""
    names: list[str] = []
    seen: set[int] = set()
    for rank, pieces in enumerate(held):
        names += [f"evidence {place}" for place in sorted(pieces - seen)] or [f"passage {rank}"]
        seen |= pieces
    return names


def _utilisation(question: Question, outcome: Outcome, there: frozenset[int]) -> float | None:
    if not there:
        return None
    if outcome.failed or outcome.abstained:
        return 0.0
    return sum(_uses(question.evidence[place], question.answers, outcome) for place in there) / len(there)


def _uses(evidence: Evidence, golds: Sequence[str], outcome: Outcome) -> bool:
    for citation in outcome.citations:
        if holds(
            evidence, source=citation.source, span=Span(citation.start, citation.end), text=citation.text
        ):
            return True
    stated = [gold for gold in golds if contains_gold(evidence.quote, [gold])]
    return (
        bool(contains_gold(outcome.answer, stated))
        or share_supported(evidence.quote, outcome.answer) >= _WORDS
    )
