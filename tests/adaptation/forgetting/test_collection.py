"""Sets that retrieval is measured on."""

import json

import pytest

from hybrid.adaptation.forgetting.collection import general_set, read_collection
from hybrid.errors import UsageError


def _write(
    folder, *, corpus=True, queries=True, qrels="q1\td1\t1\nq1\td2\t0\nq2\td1\t2\nq2\td2\t1\nq9\td1\t1\n"
):
    folder.mkdir()
    documents = [{"_id": "d1", "title": "One", "text": "first"}, {"_id": "d2", "text": "second"}]
    asked = [
        {"_id": "q1", "text": "which?"},
        {"_id": "q2", "text": "both?"},
        {"_id": "q3", "text": "unjudged"},
    ]
    if corpus:
        (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in documents))
    if queries:
        (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    if qrels is not None:
        (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + qrels)
    return folder


def test_a_folder_in_beirs_format_is_read(tmp_path):
    found = read_collection(_write(tmp_path / "set"))
    assert found.name == "set"
    assert [(d.source, d.title, d.text) for d in found.documents] == [
        ("d1", "One", "first"),
        ("d2", "", "second"),
    ]
    assert [(q.text, dict(q.grades), q.unit) for q in found.queries] == [
        ("which?", {"d1": 1, "d2": 0}, "d1"),
        ("both?", {"d1": 2, "d2": 1}, "query q2"),
    ]


def test_splits_are_joined_with_plus(tmp_path):
    folder = _write(tmp_path / "set", qrels=None)
    (folder / "qrels").mkdir()
    (folder / "qrels" / "a.tsv").write_text("q1\td1\t1\n")
    (folder / "qrels" / "b.tsv").write_text("q2\td2\t1\n")
    assert len(read_collection(folder, split="a").queries) == 1
    assert len(read_collection(folder, split="a+b").queries) == 2
    with pytest.raises(UsageError, match=r"test.tsv is missing") as caught:
        read_collection(folder)
    assert "a, b" in caught.value.hint


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"corpus": False}, "corpus.jsonl is missing"),
        ({"queries": False}, "queries.jsonl is missing"),
        ({"qrels": None}, "qrels.tsv is missing"),
        ({"qrels": "q1\n"}, "query-id, corpus-id, score"),
        ({"qrels": "q1\td1\tx\n"}, "query-id, corpus-id, score"),
    ],
)
def test_a_folder_without_the_files_is_refused_with_what_it_needs(tmp_path, options, says):
    with pytest.raises(UsageError, match=says):
        read_collection(_write(tmp_path / "set", **options))


def test_a_set_without_judged_queries_is_refused(tmp_path):
    with pytest.raises(UsageError, match="has a judgement in the split"):
        read_collection(_write(tmp_path / "set", qrels="q9\td1\t1\n"))


def test_the_general_set_ships_and_is_small():
    found = general_set()
    names = {document.source for document in found.documents}
    assert len(names) == 102
    assert len(found.queries) >= 150
    assert all(query.unit in names and query.grades == {query.unit: 1} for query in found.queries)
    assert {name.partition("-")[0] for name in names} == {"news", "podcast", "qmsumm", "sales_call", "samsum"}
    assert sum(len(document.text) for document in found.documents) < 120_000
