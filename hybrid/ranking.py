"""Score rankings against judgements: nDCG, recall, reciprocal rank, precision, average precision.

Takes identifiers in ranked order and grades, gives numbers from 0 to 1, higher is better. A query
without a ranking scores 0; it never drops out of a mean. Checked against pytrec-eval in the tests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RankingScores:
    """Means over the queries."""

    queries: int
    ndcg_at_10: float
    recall_at_10: float
    recall_at_100: float
    mrr: float


def ndcg(ranking: Sequence[str], grades: Mapping[str, int], k: int) -> float:
    """Return the normalised discounted cumulative gain at k, gain = grade (Järvelin & Kekäläinen 2002)."""
    ideal = sorted((grade for grade in grades.values() if grade > 0), reverse=True)[:k]
    best = _discounted(ideal)
    return _discounted([max(grades.get(name, 0), 0) for name in ranking[:k]]) / best if best else 0.0


def recall(ranking: Sequence[str], grades: Mapping[str, int], k: int) -> float:
    """Return the share of relevant documents among the first k."""
    relevant = {name for name, grade in grades.items() if grade > 0}
    return len(relevant & set(ranking[:k])) / len(relevant) if relevant else 0.0


def reciprocal_rank(ranking: Sequence[str], grades: Mapping[str, int]) -> float:
    """Return one over the rank of the first relevant document, 0 if there is none."""
    for rank, name in enumerate(ranking, start=1):
        if grades.get(name, 0) > 0:
            return 1.0 / rank
    return 0.0


def precision(ranking: Sequence[str], grades: Mapping[str, int]) -> float:
    """Return the share of the ranking that is relevant, in whatever order; 0 for an empty one.

    Of passages that is the context precision of RAGChecker (Ru et al. 2024), a number of the set.
    """
    return sum(grades.get(name, 0) > 0 for name in ranking) / len(ranking) if ranking else 0.0


def average_precision(ranking: Sequence[str], grades: Mapping[str, int]) -> float:
    """Return the mean over all relevant documents of the precision at their rank, 0 for one not found (TREC).

    It rewards relevant documents that stand first. What ragas calls context precision is this number
    divided by recall: the mean over the relevant documents that were found.
    """
    relevant = sum(grade > 0 for grade in grades.values())
    found, total = 0, 0.0
    for rank, name in enumerate(ranking, start=1):
        if grades.get(name, 0) > 0:
            found += 1
            total += found / rank
    return total / relevant if relevant else 0.0


def score_rankings(
    rankings: Mapping[str, Sequence[str]], qrels: Mapping[str, Mapping[str, int]]
) -> RankingScores:
    """Return the means over all judged queries."""
    pairs = [(rankings.get(query, ()), grades) for query, grades in qrels.items()]
    count = len(pairs)
    return RankingScores(
        queries=count,
        ndcg_at_10=sum(ndcg(ranking, grades, 10) for ranking, grades in pairs) / count,
        recall_at_10=sum(recall(ranking, grades, 10) for ranking, grades in pairs) / count,
        recall_at_100=sum(recall(ranking, grades, 100) for ranking, grades in pairs) / count,
        mrr=sum(reciprocal_rank(ranking, grades) for ranking, grades in pairs) / count,
    )


def _discounted(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))
