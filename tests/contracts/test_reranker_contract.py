"""What every reranker promises."""

import pytest


def test_there_is_one_score_a_passage_whatever_its_neighbours(reranker):
    passages = ["the default port is 5432", "a", "", "backups " * 300]
    together = reranker.score("which port", passages)
    assert together == pytest.approx([reranker.score("which port", [p])[0] for p in passages], abs=1e-4)
    assert all(isinstance(score, float) for score in together)
    assert reranker.score("which port", []) == []
    assert reranker.name
