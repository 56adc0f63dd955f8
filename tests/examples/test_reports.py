"""The questions of real reports: as many as their README says, their evidence printed where it says."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from hybrid.evaluation.metrics import contains_gold
from hybrid.questions.files import load_questions

ROOT = Path(__file__).parents[2]
REPORTS = ROOT / "examples" / "reports"
HUNDRED = ROOT / "tests" / "benchmarks" / "report_questions.jsonl"
README = (REPORTS / "README.md").read_text(encoding="utf-8")


def rows(path):
    return {row["id"]: row for row in map(json.loads, path.read_text(encoding="utf-8").splitlines())}


def kinds(path):
    return Counter(question.slices[0] for question in load_questions(path))


def test_the_hundred_are_forty_of_tables_and_forms_fifty_of_prose_and_ten_of_nothing():
    assert kinds(HUNDRED) == {"table": 20, "form": 20, "text": 50, "unanswerable": 10}
    assert all(
        question.answerable == bool(question.answers) == bool(question.evidence)
        for question in load_questions(HUNDRED)
    )


def test_the_example_has_those_of_the_hundred_that_its_documents_answer():
    shipped = {path.name for path in (REPORTS / "docs").iterdir()}
    expected = {}
    for name, row in rows(HUNDRED).items():
        evidence = [part for part in row.get("evidence", ()) if part["source"] in shipped]
        if evidence:
            expected[name] = {**row, "evidence": evidence}
        elif not row["answerable"]:
            expected[name] = row
    assert rows(REPORTS / "questions.jsonl") == expected
    assert {part["source"] for row in expected.values() for part in row.get("evidence", ())} == shipped


def test_the_readme_names_each_file_and_says_how_many_there_are():
    files = sorted((REPORTS / "docs").iterdir())
    counts = kinds(REPORTS / "questions.jsonl")
    assert f"{len(files)} PDFs, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB" in README
    assert f"{counts.total()} questions: {counts['table']} answered by a table row" in README
    assert f"{counts['form']} by a form field, {counts['text']} by prose" in README
    assert [path.name for path in files if f"`{path.name}`" not in README] == []


def test_a_gold_answer_stands_in_each_quote():
    questions = [question for question in load_questions(HUNDRED) if question.answerable]
    assert [
        question.id
        for question in questions
        if not all(contains_gold(part.quote, question.answers) for part in question.evidence)
    ] == []


@pytest.mark.slow
def test_each_quote_is_printed_on_its_page():
    import pypdfium2

    def letters(text):
        return re.sub(r"[\W_]+", "", text).lower()

    printed = {
        path.name: [letters(page.get_textpage().get_text_range()) for page in pypdfium2.PdfDocument(path)]
        for path in (REPORTS / "docs").iterdir()
    }
    evidence = [
        part for row in rows(REPORTS / "questions.jsonl").values() for part in row.get("evidence", ())
    ]
    assert len(evidence) >= 79
    assert [
        part
        for part in evidence
        for piece in part["quote"].split(" | ")
        if letters(piece) not in printed[part["source"]][part["page"] - 1]
    ] == []
