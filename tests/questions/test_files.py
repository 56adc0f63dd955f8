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


@pytest.mark.slow
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
    collection = load_beir(beir(tmp_path / "b", "q1\td1\t2\n\n"))
    assert collection.queries == {"q1": "x?"}
    assert collection.qrels["q1"] == {"d1": 2}


def test_a_missing_split_names_those_there_are(tmp_path):
    with pytest.raises(UsageError) as caught:
        load_beir(beir(tmp_path / "b"), split="dev")
    assert "test" in caught.value.hint


@pytest.mark.parametrize("line", ["q1\t0\td1\t2\n", "q1 Q0 d1 2\n", "q1\td1\t2.0\r\n"])
def test_judgements_may_have_the_four_columns_of_trec(tmp_path, line):
    assert load_beir(beir(tmp_path / "b", line)).qrels == {"q1": {"d1": 2}}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("q1\td7\t1\n", "line 3: the document 'd7' is not in .*corpus.jsonl"),
        ("q1 d1\n", "line 3 is not in BEIR's format: 2 columns in 'q1 d1'"),
        ("q1\td1\tgood\n", "line 3 is not in BEIR's format: .*good"),
        ("q1\t0\td1\t1\tx\n", "line 3 is not in BEIR's format: 5 columns"),
    ],
)
def test_judgements_that_do_not_fit_are_named_by_file_and_line(tmp_path, line, told):
    with pytest.raises(UsageError, match=f"test.tsv, {told}"):
        load_beir(beir(tmp_path / "b", f"q1\td1\t1\n{line}"))


@pytest.mark.parametrize(
    ("lines", "told"),
    [("", "in the split 'test'\\n"), ("d1\tq1\t1\nd2\tq1\t1\n", "'d1' in line 2 of test.tsv")],
)
def test_a_split_without_a_judgement_of_a_query_is_refused(tmp_path, lines, told):
    with pytest.raises(UsageError, match=f"no query of .*{told}"):
        load_beir(beir(tmp_path / "b", lines))


def test_judgements_of_queries_that_are_not_asked_count_nowhere(tmp_path):
    assert load_beir(beir(tmp_path / "b", "q1\td1\t1\nq9\td1\t1\n")).qrels == {"q1": {"d1": 1}}
