import json

import pytest

from hybrid.config import load_settings
from hybrid.evaluation.benchmark import bench_retrieval
from hybrid.testing import HashEmbedder, OverlapReranker

TEXTS = {
    "d1": "The default port of the server is 5432.",
    "d2": "Cats sleep all day long in the warm sun.",
    "d3": "Vacuum removes dead rows from a table.",
}


def collection(folder):
    folder.mkdir()
    rows = [{"_id": name, "title": "", "text": text} for name, text in TEXTS.items()]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    queries = [
        {"_id": "q1", "text": "default port of the server"},
        {"_id": "q2", "text": "dead rows of a table"},
    ]
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td3\t1\n")
    return folder


def bench(tmp_path, reranker=None):
    return bench_retrieval(
        collection(tmp_path / "beir"),
        load_settings({}, environment={}),
        keep=tmp_path / "index",
        embedder=HashEmbedder(dimension=256),
        reranker=reranker,
    )


@pytest.mark.slow
def test_every_mode_is_scored(tmp_path):
    rows = bench(tmp_path)
    assert [row.mode for row in rows] == ["dense", "lexical", "fusion, reciprocal rank", "fusion, weighted"]
    assert all(row.scores.ndcg_at_10 == 1.0 and row.scores.queries == 2 for row in rows)


@pytest.mark.slow
def test_a_reranker_adds_a_row(tmp_path):
    assert bench(tmp_path, OverlapReranker())[-1].mode == "fusion, reranked"
