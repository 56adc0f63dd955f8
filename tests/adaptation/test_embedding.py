"""What dense retrieval gains and loses by an adapter of the embedder."""

import dataclasses
import json

import numpy as np
import pytest

from hybrid.adaptation.data.pairs import held_out_pairs
from hybrid.adaptation.embedding import (
    JudgedQuery,
    RetrievalSet,
    general_changes,
    general_set,
    made_change,
    read_collection,
)
from hybrid.adaptation.methods.embedder import pool_scores
from hybrid.errors import UsageError
from hybrid.index import Index
from hybrid.index.sync import reembed
from hybrid.testing import HashEmbedder
from hybrid.types import Document


class Worse(HashEmbedder):
    """The usual fake with an adapter that made it forget most words."""

    @property
    def fingerprint(self):
        return dataclasses.replace(super().fingerprint, adapter="worse")

    def _embed(self, texts):
        return super()._embed([" ".join(text.split()[::4]) or "x" for text in texts])


_WORSE = Worse(64, max_tokens=64)


@pytest.fixture
def sides(tools):
    domain = tools.index.folder.parents[1]
    reembed(domain, _WORSE)
    worse = Index.built_with(domain, _WORSE.fingerprint)
    yield tools, dataclasses.replace(tools, index=worse, embedder=_WORSE)
    worse.close()


@pytest.mark.slow
def test_queries_of_held_out_documents_tell_better_from_worse(tools, sides):
    base, worse = sides
    pairs = held_out_pairs(tools, frozenset(tools.index.sources()), count=40, seed=0)
    change = made_change(base, worse, pairs)
    assert (change.unit, change.higher_is_better, change.items) == ("nDCG", True, len(pairs))
    assert change.low <= change.change <= change.high < 0
    assert change.before > change.after
    back = made_change(worse, base, pairs)
    assert back.change == pytest.approx(-change.change)
    assert back.low > 0
    same = made_change(base, base, pairs)
    assert (same.change, same.low, same.high) == (0, 0, 0)


@pytest.mark.slow
def test_a_document_is_found_by_the_passage_of_the_pair_and_not_by_its_own_chunks(tools, sides):
    base, _ = sides
    pairs = held_out_pairs(tools, frozenset(tools.index.sources()), count=40, seed=0)
    elsewhere = [dataclasses.replace(pair, passage="nothing of the kind at all") for pair in pairs]
    assert made_change(base, base, elsewhere).before < made_change(base, base, pairs).before / 2


def _set(name="other"):
    documents = tuple(
        Document(f"d{n}", f"number {n} tells of thing{n} and of place{n * 7} in its own words", f"Page {n}")
        for n in range(24)
    )
    queries = tuple(JudgedQuery(f"thing{n} of place{n * 7}", {f"d{n}": 1}, f"d{n}") for n in range(24))
    return RetrievalSet(name, documents, queries)


def test_general_retrieval_is_measured_on_every_set():
    base = HashEmbedder(64, max_tokens=64)
    one, two = general_changes(base, _WORSE, [_set("one"), _set("two")])
    assert [change.measure for change in (one, two)] == [
        "dense retrieval, one: nDCG@10",
        "dense retrieval, two: nDCG@10",
    ]
    assert one.change < -0.01
    (none,) = general_changes(base, HashEmbedder(64, max_tokens=64), [_set()])
    assert none.change == 0


@pytest.mark.slow
def test_the_shipped_set_can_be_searched():
    base = HashEmbedder(128, max_tokens=200)
    (change,) = general_changes(base, base, [general_set()])
    assert change.before > 0.3
    assert change.items == len(general_set().queries)


def test_rivals_of_the_same_document_do_not_count():
    queries = np.eye(3, dtype=np.float32)[:1]
    passages = np.array(
        [[0.5, 0.5, 0.5], [0.9, 0.1, 0.1], [0.8, 0.1, 0.1], [0.1, 0.1, 0.1]], dtype=np.float32
    )
    assert pool_scores(queries, passages, [0], ["a", "b", "c", "d"]) == [pytest.approx(1 / 2)]
    assert pool_scores(queries, passages, [0], ["a", "b", "b", "d"]) == [pytest.approx(1 / np.log2(3))]
    assert pool_scores(queries, passages, [0], ["a", "a", "a", "d"]) == [1.0]
    many = np.tile(passages[1], (10, 1))
    crowd = np.concatenate([passages[:1], many])
    assert pool_scores(queries, crowd, [0], ["a", *(str(n) for n in range(10))]) == [0.0]


def _write(folder, *, corpus=True, qrels="q1\td1\t1\nq1\td2\t0\nq2\td1\t2\nq2\td2\t1\nq9\td1\t1\n"):
    folder.mkdir()
    documents = [{"_id": "d1", "title": "One", "text": "first"}, {"_id": "d2", "text": "second"}]
    asked = [
        {"_id": "q1", "text": "which?"},
        {"_id": "q2", "text": "both?"},
        {"_id": "q3", "text": "unjudged"},
    ]
    if corpus:
        (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in documents))
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


def test_a_folder_without_the_files_is_refused_with_what_it_needs(tmp_path):
    with pytest.raises(UsageError, match=r"corpus.jsonl is missing"):
        read_collection(_write(tmp_path / "set", corpus=False))
    with pytest.raises(UsageError, match=r"qrels.tsv is missing"):
        read_collection(_write(tmp_path / "other", qrels=None))


def test_the_general_set_ships_and_is_small():
    found = general_set()
    names = {document.source for document in found.documents}
    assert len(names) == 102
    assert len(found.queries) >= 150
    assert all(query.unit in names and query.grades == {query.unit: 1} for query in found.queries)
    assert {name.partition("-")[0] for name in names} == {"news", "podcast", "qmsumm", "sales_call", "samsum"}
    assert sum(len(document.text) for document in found.documents) < 120_000
