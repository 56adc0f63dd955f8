"""The recipe as it is run, dry: on a few documents and claims in the layout of the public data."""

import json

import pytest

from hybrid.config import ModelSettings
from hybrid.grounding.scorers.names import scorer_for
from hybrid.grounding.values import Pair
from hybrid.statistics import Estimate, Interval
from recipes.grounding.__main__ import main
from recipes.grounding.building import HELD_OUT
from recipes.grounding.public import made_sets, training_sets
from recipes.grounding.recipe import Worth
from recipes.grounding.tests.test_making import DOCUMENTS

_DOCUMENTS = DOCUMENTS[:12]
_REPLIES = 24


@pytest.fixture
def data(tmp_path, monkeypatch):
    """DATA with 12 documents for each set of pairs and claims about them for each labelled set."""
    monkeypatch.setattr("recipes.grounding.leaks.MOST_OVERLAP", 1.0)
    monkeypatch.setattr("recipes.grounding.leaks.MOST_LENGTH", 1.0)
    monkeypatch.setattr("recipes.grounding.recipe._LEAST", 10)
    rows = {"summedits/news.json": [], "factcheck_gpt/claim_evidence_stance.jsonl": []}
    claims, abstracts, answers = [], [], []
    for number, (name, text) in enumerate(_DOCUMENTS):
        right = text.split("\n")[0]
        wrong = right.replace("built", "burnt")
        for label, claim in ((1, right), (0, wrong)):
            rows["summedits/news.json"].append(
                {"id": f"{number}/{label}", "doc": text, "summary": claim, "label": label}
                | {"original_summary": right, "edit_types": [] if label else ["entity"]}
            )
            stance = "completely-support" if label else "refute"
            rows["factcheck_gpt/claim_evidence_stance.jsonl"].append(
                {"claim": claim, "evidence": text, "stance": stance}
            )
        told = "SUPPORT" if number % 2 else "CONTRADICT"
        evidence = [{"doc_id": name, "label": told, "sentences": [0]}]
        claims.append({"id": number, "claim": right, "cited_doc_ids": [name], "evidence": evidence})
        abstracts.append({"_id": name, "title": name, "text": text})
        answers.append({"id": name, "answer": text})
        page = tmp_path / "DATA" / "corpora" / "haystack_mdx" / f"{name}.md"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text)
    replies = [
        {"part": "wow", "model": "t5", "evidence": text, "claim": claim, "begin_label": label}
        for _, text in (*_DOCUMENTS, *_DOCUMENTS)[:_REPLIES]
        for claim, label in (
            (text.split("\n")[0], "Fully attributable"),
            ("Cows eat fresh grass.", "Not fully attributable"),
        )
    ]
    rows["begin/begin.jsonl"] = replies
    (tmp_path / "DATA" / "corpora" / "postgres_html").mkdir(parents=True)
    (tmp_path / "DATA" / "corpora" / "postgres_html" / "page.html").write_text("<p>Nothing here.</p>")
    rows |= {"scifact/claims_train.jsonl": claims, "scifact/corpus.jsonl": abstracts}
    rows |= {"medquad/medquad.jsonl": answers, "pubmedqa/pubmedqa_dev.jsonl": answers}
    for name, lines in rows.items():
        path = tmp_path / "DATA" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = json.dumps(lines) if path.suffix == ".json" else "".join(json.dumps(x) + "\n" for x in lines)
        path.write_text(whole)
    return tmp_path / "DATA"


@pytest.mark.slow
def test_the_command_makes_weights_that_serve(data, tmp_path, monkeypatch, capsys):
    shown = Worth(Estimate(0.9, Interval(0.8, 1.0, 0.95)), Estimate(0.1, Interval(0.05, 0.15, 0.95)))
    monkeypatch.setattr("recipes.grounding.building.worth", lambda kinds, seed: shown)
    out = tmp_path / "weights"
    assert main([str(data), "--out", str(out), "--heads", "1", "--epochs", "1"]) == 0
    assert "stored" in capsys.readouterr().out
    card = json.loads((out / "card.json").read_text())
    assert card["licence"] == "Apache-2.0" and set(card["made"]["sets"]) == {
        "SummEdits",
        "FactCheckGPT",
        "SciFact",
        "pairs of medquad",
        "pairs of haystack",
        "pairs of scifact",
        "BEGIN",
    }
    # pairs made by rules are judged by their own table
    labelled = 5 * len(_DOCUMENTS) + 2 * _REPLIES
    assert len((out / HELD_OUT).read_text().splitlines()) == labelled
    scorer = scorer_for(f"trained:{out}", ModelSettings(offline=True))
    text = _DOCUMENTS[0][1]
    support = scorer.score([Pair(text, text.split("\n")[0]), Pair(text, "Cows eat fresh grass.")]).support
    assert support[0] > support[1]


@pytest.mark.slow
def test_what_is_measured_on_was_never_trained_on(data, tmp_path):
    taught = {example.source for each in training_sets(data) for example in each.examples}
    asked = {example.source for each in made_sets(data)[:3] for example in each.examples}
    assert taught and asked and not taught & asked
