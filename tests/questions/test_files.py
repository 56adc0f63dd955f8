"""Question sets and test collections are read as they were written, or refused by line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hybrid.errors import UsageError
from hybrid.questions.files import load_beir, load_questions

EXAMPLES = Path(__file__).parents[2] / "examples" / "postgres"


def test_the_example_set_holds_what_the_readme_says():
    questions = load_questions(EXAMPLES / "questions.jsonl")
    assert len(questions) == 60
    assert sum(not question.answerable for question in questions) == 10
    assert all(question.answers and question.evidence for question in questions if question.answerable)


@pytest.mark.slow
def test_the_gold_of_each_example_stands_in_its_evidence_and_the_evidence_in_its_page():
    from hybrid.config import DocumentSettings
    from hybrid.documents import read, scan

    wanted = {e.source for q in load_questions(EXAMPLES / "questions.jsonl") for e in q.evidence}
    texts = {}
    for file in scan(EXAMPLES / "pages", DocumentSettings()).files:
        if file.source in wanted:
            (batch,) = read(file, DocumentSettings())
            texts[file.source] = " ".join(batch.items[0].text.split())
    missing = []
    for question in load_questions(EXAMPLES / "questions.jsonl"):
        for evidence in question.evidence:
            quote = " ".join(evidence.quote.split())
            assert any(answer.lower() in quote.lower() for answer in question.answers), question.id
            if quote not in texts[evidence.source]:
                missing.append(question.id)
    assert missing == []


def test_each_follow_up_has_a_conversation_before_it_and_its_evidence_in_its_page():
    from hybrid.config import DocumentSettings
    from hybrid.documents import read, scan

    lines = (EXAMPLES / "followups.jsonl").read_text(encoding="utf-8").splitlines()
    followups = [json.loads(line) for line in lines]
    assert len(followups) == 60
    assert sum(followup["kind"] == "new subject" for followup in followups) == 8
    wanted = {followup["source"] for followup in followups}
    texts = {}
    for file in scan(EXAMPLES / "pages", DocumentSettings()).files:
        if file.source in wanted:
            (batch,) = read(file, DocumentSettings())
            texts[file.source] = " ".join(batch.items[0].text.split())
    kinds = {"pronoun", "ellipsis", "yes", "why", "comparison", "new subject"}
    for followup in followups:
        assert set(followup) == {"history", "question", "source", "evidence", "kind"}
        assert followup["kind"] in kinds and followup["question"]
        turns = followup["history"]
        assert [turn["role"] for turn in turns] == ["user", "assistant"] * (len(turns) // 2) and turns
        assert all(turn["content"].endswith("[1]") for turn in turns[1::2]), followup["question"]
        assert followup["evidence"] and followup["evidence"] in texts[followup["source"]], followup[
            "question"
        ]


@pytest.mark.parametrize("line", ["{", "[]", '{"id": 1}', '{"question": "q", "evidence": [1]}'])
def test_a_bad_line_is_named(tmp_path, line):
    path = tmp_path / "q.jsonl"
    path.write_text('{"question": "fine"}\n' + line + "\n")
    with pytest.raises(UsageError, match="line 2"):
        load_questions(path)


def test_a_missing_or_empty_set_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no question set"):
        load_questions(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(UsageError, match="no questions"):
        load_questions(tmp_path / "empty.jsonl")


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
