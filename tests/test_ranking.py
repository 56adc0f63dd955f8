import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from hybrid.ranking import (
    average_precision,
    ndcg,
    precision,
    recall,
    reciprocal_rank,
    score_rankings,
)

names = st.sampled_from([f"d{n}" for n in range(15)])
rankings = st.lists(names, unique=True, min_size=1, max_size=15)
judgements = st.dictionaries(names, st.integers(0, 3), min_size=1).filter(lambda j: any(j.values()))


def test_a_table_by_hand():
    grades = {"a": 3, "b": 2, "c": 0}
    # (3/log2(3) + 2/log2(4)) / (3/log2(2) + 2/log2(3))
    assert ndcg(["c", "a", "b"], grades, 10) == pytest.approx((1.8928 + 1.0) / (3 + 1.2619), abs=1e-4)
    assert recall(["c", "a", "b"], grades, 2) == 0.5
    assert reciprocal_rank(["c", "a", "b"], grades) == 0.5
    assert precision(["c", "a", "b"], grades) == pytest.approx(2 / 3)
    # precision at the ranks of a and b: 1/2 and 2/3
    assert average_precision(["c", "a", "b"], grades) == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_the_two_context_precisions_differ_by_order():
    grades = {"a": 1}
    assert precision(["a", "x"], grades) == precision(["x", "a"], grades) == 0.5
    assert average_precision(["a", "x"], grades) == 1.0
    assert average_precision(["x", "a"], grades) == 0.5


def test_nothing_scores_zero():
    for grades in ({}, {"a": 0}, {"a": 1}):
        assert ndcg([], grades, 10) == recall([], grades, 10) == reciprocal_rank([], grades) == 0.0
        assert precision([], grades) == average_precision([], grades) == 0.0


@pytest.mark.slow
@given(rankings, judgements)
def test_the_numbers_are_those_of_trec_eval(ranking, grades):
    measures = {"ndcg_cut.10", "recall.10", "recip_rank", "map", "set_P"}
    run = {name: float(len(ranking) - place) for place, name in enumerate(ranking)}
    expected = pytrec_eval.RelevanceEvaluator({"q": grades}, measures).evaluate({"q": run})["q"]
    assert ndcg(ranking, grades, 10) == pytest.approx(expected["ndcg_cut_10"])
    assert recall(ranking, grades, 10) == pytest.approx(expected["recall_10"])
    assert reciprocal_rank(ranking, grades) == pytest.approx(expected["recip_rank"])
    assert average_precision(ranking, grades) == pytest.approx(expected["map"])
    assert precision(ranking, grades) == pytest.approx(expected["set_P"])


def test_a_query_without_a_ranking_scores_zero_and_stays_in_the_mean():
    scores = score_rankings({"q1": ["a"]}, {"q1": {"a": 1}, "q2": {"b": 1}})
    assert scores.queries == 2
    assert scores.ndcg_at_10 == scores.recall_at_10 == scores.mrr == 0.5
