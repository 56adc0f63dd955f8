"""The way from real pages to examples and back: made, written as taught, read, checked."""

from pathlib import Path

import pytest

from hybrid.adaptation.data.reading import ReadingLesson
from hybrid.adaptation.values import ExampleKind
from hybrid.assistant import Assistant
from hybrid.config import load_settings
from hybrid.generation.answering import Answerer
from hybrid.questions.files import load_questions
from hybrid.testing import ScriptedGenerator
from hybrid.types import Arm

EXAMPLES = Path(__file__).parents[3] / "examples" / "postgres"
PAGES = ("auth-ident.html", "auth-radius.html", "auth-delay.html", "app-createuser.html", "app-dropdb.html")


@pytest.fixture(scope="module")
def assistant(tmp_path_factory):
    folder = tmp_path_factory.mktemp("postgres")
    (folder / "pages").mkdir()
    for name in PAGES:
        (folder / "pages" / name).write_bytes((EXAMPLES / "pages" / name).read_bytes())
    settings = load_settings(
        {"indexes": str(folder / "indexes"), "generation": {"reader": "quoting"}}, environment={}
    )
    assistant = Assistant("pages", settings=settings)
    assistant.index(folder / "pages")
    return assistant


@pytest.mark.slow
@pytest.mark.real_model
def test_what_is_taught_is_what_is_read(assistant):
    asked = [
        question
        for question in load_questions(EXAMPLES / "questions.jsonl")
        if question.answerable and question.evidence[0].source in PAGES
    ]
    assert len(asked) >= 3
    settings = assistant.settings.generation
    examples = ReadingLesson(assistant.retriever, settings, seed=0, swaps=0.0).examples(asked)
    taught = [example.completion for example in examples if example.kind is ExampleKind.READING]
    assert len(taught) == len(asked)
    pupil = ScriptedGenerator(taught)
    answerer = Answerer(assistant.embedder, lambda: pupil, settings)
    hits = assistant.retriever.search_all([question.text for question in asked])
    answers = answerer.answer_all([question.text for question in asked], hits, arm=Arm.BOTH)
    read = [answer for answer in answers if not answer.abstained]
    # a quote is cited where retrieval found its passage, and not shown where it did not
    assert len(read) >= 0.6 * len(asked)
    for question, answer in zip(asked, answers, strict=True):
        for citation in answer.citations:
            document = assistant.retriever.index.document(citation.source)
            assert document.text[citation.start : citation.end] == citation.text
        if not answer.abstained:
            assert any(gold in answer.text for gold in question.answers)


@pytest.mark.slow
@pytest.mark.real_model
def test_the_default_generator_is_read_though_it_was_never_taught(assistant):
    answer = assistant.ask("On which TCP port do ident servers listen?")
    assert (answer.arm, answer.reader) == (Arm.RAG, "quoting")
    assert 0 < answer.prompt_tokens < 800
    for citation in answer.citations:
        document = assistant.retriever.index.document(citation.source)
        assert document.text[citation.start : citation.end] == citation.text
