"""The register of clauses: its tuning set shares nothing with its questions."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from hybrid.questions.files import load_questions

ROOT = Path(__file__).parents[2]
REGISTER = ROOT / "examples" / "register"
README = (REGISTER / "README.md").read_text(encoding="utf-8")
ASKED = load_questions(REGISTER / "questions.jsonl")
FILED = load_questions(REGISTER / "tuning.jsonl")


def entries():
    """The clause of each number, and its page."""
    found = {}
    for path in sorted((REGISTER / "pages").glob("*.md")):
        parts = re.split(r"^## Entry (R-\d{4})$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        found |= {
            number: (path.name, text.strip()) for number, text in zip(parts[1::2], parts[2::2], strict=True)
        }
    return found


def number(question):
    return question.text.rpartition(" ")[2]


def test_each_desk_is_asked_about_and_filed_alike():
    assert Counter(question.answers[0] for question in ASKED) == dict.fromkeys(ASKED[0].options, 25)
    assert Counter(question.answers[0] for question in FILED) == dict.fromkeys(ASKED[0].options, 75)
    assert "150 questions, 25 a desk" in README and "450 in the same format, 75 a desk" in README


def test_a_question_names_an_entry_and_its_evidence_is_the_clause():
    there = entries()
    assert len(there) == 600
    assert [
        question.id
        for question in (*ASKED, *FILED)
        if (question.evidence[0].source, question.evidence[0].quote) != there[number(question)]
    ] == []


@pytest.mark.parametrize("of", [number, lambda q: q.source, lambda q: q.evidence[0].source], ids="nsp")
def test_what_was_filed_shares_no_entry_no_clause_and_no_page_with_what_is_asked(of):
    assert set(map(of, ASKED)).isdisjoint(map(of, FILED))


def test_no_clause_stands_in_the_contracts_too():
    contracts = ROOT / "examples" / "contracts"
    texts = [path.read_text(encoding="utf-8") for path in contracts.glob("**/*.md")]
    texts += [
        json.loads(line)["question"]
        for name in ("questions", "tuning")
        for line in (contracts / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    whole = "\n".join(texts)
    assert len(whole) > 100_000
    assert [question.id for question in (*ASKED, *FILED) if question.evidence[0].quote in whole] == []
