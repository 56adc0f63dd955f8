"""Libraries for the reading adapter, what becomes of their questions, and what is told apart."""

import dataclasses
import json

import pytest
import torch
from safetensors.torch import load_file

from hybrid.adaptation.data.examples import load_examples, save_examples
from hybrid.adaptation.data.reading import find_quote
from hybrid.adaptation.store import read_card
from hybrid.adaptation.values import Example, ExampleKind
from hybrid.config import GenerationSettings
from hybrid.models.adapters import WEIGHTS, saved_digest
from hybrid.types import Chunk, Document, Message, MessageRole
from recipes.reader.sets import SIZES, Library, ask, libraries, library
from recipes.reader.training import (
    Shape,
    examples_of,
    half,
    is_whole,
    parted,
    settings_for,
    without_repeating,
)

_LONG = "It was built in 1930 by the town and has stood beside the river ever since, painted green."
_CLAUSE = "Neither party may assign this agreement without the written consent of the other party to it."
_REPORT = "<html><body><p>Sales rose. The tax rate was 21 percent.</p></body></html>"


class Words:
    """Counts words."""

    def count_tokens(self, texts):
        return [len(text.split()) for text in texts]


def _lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def data(tmp_path):
    said = [("short", "1930", True), ("wrong", f"{_LONG} 1931", False), ("long", _LONG, True)]
    rows = [
        {"id": 7, "question": "when was it built", "golds": ["1930"], "model": name, "answer": text}
        | {"correct": right}
        for name, text, right in said
    ]
    _lines(tmp_path / "evouna/nq.jsonl", [*rows, rows[0] | {"id": 8, "answer": None}])
    report = tmp_path / "tatqa/docs/report.html"
    report.parent.mkdir(parents=True)
    report.write_text(_REPORT, encoding="utf-8")
    asked = {"question": "What was the tax rate?", "answers": ["21 percent"], "source": "report.html"}
    sums = {
        "question": "By how much?",
        "answers": ["3"],
        "source": "report.html",
        "answer_type": "arithmetic",
    }
    _lines(tmp_path / "tatqa/questions.jsonl", [asked | {"answer_type": "span"}, sums])
    answer = "Gout is a disease of the joints.\nIt hurts\u2028a lot."
    focus = {"id": "1", "focus": "Gout", "question": "What is (are) Gout ?", "answer": answer}
    _lines(tmp_path / "medquad/medquad.jsonl", [focus])
    _lines(
        tmp_path / "scifact/corpus.jsonl",
        [{"_id": "4", "title": "Mice", "text": "Mice were fed. They lived longer than the others did."}],
    )
    told = [{"doc_id": "4", "label": "CONTRADICT", "sentences": [1]}]
    claims = [{"claim": "Food shortens life.", "evidence": told}, {"claim": "No.", "evidence": []}]
    _lines(tmp_path / "scifact/claims_train.jsonl", claims)
    trial = {"id": "5", "question": "Does it help?", "answer": "yes", "conclusion": "Secret."}
    parts = ["We asked many patients.", "Nine of ten patients got well soon after."]
    unsure = trial | {"id": "6", "answer": "maybe", "contexts": parts}
    _lines(tmp_path / "pubmedqa/pubmedqa_dev.jsonl", [trial | {"contexts": parts}, unsure])
    _lines(tmp_path / "cuad/clauses.jsonl", [{"_id": "c1", "text": _CLAUSE}, {"_id": "c2", "text": "No."}])
    labels = [{"category": "Assign", "clause_id": name, "label": "Yes"} for name in ("c1", "c2")]
    _lines(tmp_path / "cuad/labels.jsonl", labels)
    questions = {"Assign": {"question": "Does the clause require consent to assign?"}}
    (tmp_path / "cuad/category_questions.json").write_text(json.dumps(questions), encoding="utf-8")
    page = tmp_path / "corpora/haystack_mdx/page.mdx"
    page.parent.mkdir(parents=True)
    page.write_text("# Pipelines\n\nA pipeline is a graph of components.\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def found(data):
    return {one.name: one for one in libraries(data)}


def test_every_set_is_read_and_what_has_no_short_gold_is_left_out(found):
    assert found.keys() == SIZES.keys()
    asked = {name: [question.text.lower() for question in one.asked] for name, one in found.items()}
    assert [text.rstrip("?") for text in asked["nq"]] == ["when was it built"]
    assert found["nq"].documents[0].text == _LONG
    assert asked["tatqa"] == ["what was the tax rate?"]
    assert asked["medquad"] == ["what is gout?"]
    assert asked["scifact"] == ["is it true: food shortens life?"]
    assert asked["pubmedqa"] == ["does it help?"]
    assert asked["cuad"] == ["does a clause require consent to assign?"]
    assert asked["haystack"] == []
    assert "Pipelines" in found["haystack"].documents[0].text
    assert found["haystack"].made > 0


def test_no_set_shows_a_conclusion_that_is_kept_apart(found):
    assert len(found["pubmedqa"].documents) == 2
    assert not any("Secret" in document.text for document in found["pubmedqa"].documents)


def test_the_package_finds_the_sentence_of_every_question(found):
    quotes = {}
    for name, one in found.items():
        documents = {document.source: document for document in one.documents}
        for question in one.asked:
            document = documents[question.unit]
            chunk = Chunk(document.source, 0, 0, len(document.text), document.text)
            quotes[name] = find_quote(
                question, document, [chunk], Words(), support=GenerationSettings.support
            )
    assert {name: quote.answer for name, quote in quotes.items()} == {
        "nq": "1930",
        "tatqa": "21 percent",
        "medquad": "Gout is a disease of the joints.",
        "scifact": "No",
        "pubmedqa": "Yes",
        "cuad": "Yes",
    }
    assert quotes["tatqa"].evidence.quote.strip().endswith("The tax rate was 21 percent.")
    assert quotes["scifact"].evidence.quote == "They lived longer than the others did."
    assert quotes["pubmedqa"].evidence.quote == "Nine of ten patients got well soon after."


def test_sets_whose_answers_are_whole_sentences_are_told(found):
    whole = {name for name, one in found.items() if any(map(is_whole, one.asked))}
    assert whole == {"medquad"}
    assert sum(len(one.asked) for one in found.values()) == 6


def test_documents_that_are_asked_stay_and_others_stand_beside_them():
    documents = [Document(f"made/{number}", f"Text {number}.") for number in range(400)]
    found = library("made", documents, [], 0)
    assert found.documents == ()
    found = library("made", documents, [], 150)
    assert len(found.documents) == 150


def _example(number, completion="I don't know."):
    prompt = (Message(MessageRole.USER, f"Question {number}?"),)
    return Example(ExampleKind.READING, prompt, completion, f"page {number % 200}", "made")


def test_an_answer_that_is_the_quote_again_is_not_written_twice():
    twice = _example(1, '"Gout is a disease." [2]\nGout is a disease.')
    assert without_repeating(twice).completion == '"Gout is a disease." [2]'
    short = _example(1, '"Gout is a disease of the joints." [2]\nGout')
    assert without_repeating(short) is short
    declines = _example(1)
    assert without_repeating(declines) is declines


def test_what_tells_when_to_stop_shares_no_document_with_what_is_trained_on():
    examples = [_example(number) for number in range(2_000)]
    found = parted(examples, 1_000)
    assert len(found.validation) == 48
    assert 600 < len(found.train) <= 1_000
    assert not {one.source for one in found.train} & {one.source for one in found.validation}
    assert parted(examples[::-1], 1_000) == found


def test_examples_that_are_there_are_not_made_again(tmp_path, found):
    kept = tmp_path / "nq.jsonl"
    save_examples(kept, [_example(1)])
    assert examples_of(found["nq"], settings_for(tmp_path, Shape()), kept) == [_example(1)]


@pytest.mark.slow
def test_what_ships_is_in_half_precision_and_its_card_is_of_these_weights(tiny_adapter_folder, tmp_path):
    out = half(tiny_adapter_folder, tmp_path / "out")
    own, before = (load_file(folder / WEIGHTS) for folder in (out, tiny_adapter_folder))
    assert own.keys() == before.keys()
    assert {str(tensor.dtype) for tensor in own.values()} == {"torch.float16"}
    assert all(torch.allclose(own[name].float(), before[name].float(), atol=1e-2) for name in own)
    card = read_card(out)
    assert card.weights == saved_digest(out)
    assert card.base_digest == read_card(tiny_adapter_folder).base_digest


@pytest.mark.slow
def test_a_library_becomes_examples_in_the_form_of_the_quoting_reader(tmp_path, tiny_embedder_folder):
    settings = settings_for(tmp_path, Shape(passage_tokens=300))
    models = dataclasses.replace(settings.models, embedder=str(tiny_embedder_folder))
    documents = (Document("made/1", "The pump waits an hour."), Document("made/2", "A hen lays eggs."))
    one = Library("made", documents, (ask(documents[0], "How long?", ["an hour"]),))
    kept = tmp_path / "kept.jsonl"
    examples = examples_of(one, dataclasses.replace(settings, models=models), kept)
    (example,) = [one for one in examples if one.kind is ExampleKind.READING]
    number = 1 if 'number="1" title="made/1"' in example.prompt[-1].content else 2
    assert example.completion == f'"The pump waits an hour." [{number}]\nan hour'
    assert load_examples(kept) == examples
