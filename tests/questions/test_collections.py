import json

import pytest

from hybrid.errors import UsageError
from hybrid.questions.files import load_beir


def beir(folder, qrels="q1\td1\t1\n"):
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(json.dumps({"_id": "d1", "title": "t", "text": "x"}) + "\n")
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "q1", "text": "x?"}) + "\n")
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + qrels)
    return folder


def test_a_beir_folder_is_read(tmp_path):
    collection = load_beir(beir(tmp_path / "b", "q1\td1\t2\nq9\td1\t1\n"))
    assert collection.queries == {"q1": "x?"}
    assert collection.qrels["q1"] == {"d1": 2}


def test_a_missing_split_names_those_there_are(tmp_path):
    with pytest.raises(UsageError) as caught:
        load_beir(beir(tmp_path / "b"), split="dev")
    assert "test" in caught.value.hint


def test_judgements_without_queries_are_refused(tmp_path):
    with pytest.raises(UsageError, match="no query"):
        load_beir(beir(tmp_path / "b", "q7\td1\t1\n"))
    with pytest.raises(UsageError, match="format"):
        load_beir(beir(tmp_path / "c", "q1 d1\n"))
