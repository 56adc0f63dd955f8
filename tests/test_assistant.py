"""The façade: index, search, ask, with models of one's own."""

import pytest

from hybrid import Answer, Arm, Assistant, load_settings
from hybrid.errors import IndexMismatch, IndexMissing, UsageError
from hybrid.models.fakes import HashEmbedder, OverlapReranker, ScriptedGenerator
from hybrid.types import Question

_FILES = {
    "port.txt": "The default port of the server is 5432.",
    "night.txt": "The server restarts every night at two.",
    "guide/backup.txt": "Backups are written to the archive folder each hour.",
}


@pytest.fixture
def docs(tmp_path, write_files):
    return write_files(tmp_path / "docs", _FILES)


@pytest.fixture
def assistant(docs):
    settings = load_settings({"documents": {"workers": 1}}, environment={})
    assistant = Assistant(
        "manual",
        settings=settings,
        embedder=HashEmbedder(64),
        generator=ScriptedGenerator(["It is 5432 [1]."]),
    )
    assistant.index(docs)
    return assistant


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\0b", ".hidden"])
def test_a_name_that_is_a_path_is_refused(name):
    with pytest.raises(UsageError, match="not a name for a domain"):
        Assistant(name, embedder=HashEmbedder())


def test_index_search_and_ask(assistant, tmp_path):
    assert assistant.folder.resolve() == tmp_path / "indexes" / "manual"
    assert assistant.search("default port")[0].chunk.source == "port.txt"
    answer = assistant.ask("What is the default port of the server?")
    assert isinstance(answer, Answer)
    for citation in answer.citations:
        document = assistant.retriever.index.document(citation.source)
        assert document.text[citation.start : citation.end] == citation.text


def test_many_questions_have_an_answer_each(assistant):
    answers = assistant.ask_all(["default port of the server?", "When does the server restart?"])
    assert [answer.question for answer in answers] == [
        "default port of the server?",
        "When does the server restart?",
    ]


def test_the_arm_base_needs_no_index():
    generator = ScriptedGenerator(["Paris."])
    assistant = Assistant("none", embedder=HashEmbedder(), generator=generator)
    answer = assistant.ask("What is the capital of France?", arm=Arm.BASE)
    assert (answer.arm, answer.hits, answer.text) == (Arm.BASE, (), "Paris.")
    assert len(generator.history) == 1


@pytest.mark.parametrize("arm", [Arm.ADAPTER, Arm.BOTH])
def test_the_arms_with_an_adapter_say_that_there_is_none(assistant, arm):
    with pytest.raises(UsageError, match="adapter"):
        assistant.ask("anything?", arm=arm)


def test_an_empty_question_is_a_usage_error(assistant):
    with pytest.raises(UsageError, match="empty"):
        assistant.ask("  ")
    with pytest.raises(UsageError, match="empty"):
        list(assistant.stream("  "))


def test_a_stream_ends_with_the_answer(assistant):
    *pieces, answer = assistant.stream("What is the default port of the server?")
    assert isinstance(answer, Answer)
    assert all(isinstance(piece, str) for piece in pieces)
    assert "".join(pieces).strip() == answer.text.strip()


def test_without_an_index_the_error_says_how_to_build_one():
    with pytest.raises(IndexMissing) as caught:
        Assistant("none", embedder=HashEmbedder()).search("x")
    assert "hybrid index" in caught.value.hint


def test_an_index_of_another_embedder_is_refused(assistant):
    with pytest.raises(IndexMismatch):
        Assistant("manual", settings=assistant.settings, embedder=HashEmbedder(32)).search("port")


def test_a_new_generation_is_seen_by_the_next_question(assistant, docs):
    assistant.search("port")
    same = assistant.retriever
    assert assistant.retriever is same
    (docs / "new.txt").write_text("Certificates expire after ninety days.")
    Assistant("manual", settings=assistant.settings, embedder=HashEmbedder(64)).index(docs)
    assert assistant.search("certificates expire")[0].chunk.source == "new.txt"
    assert assistant.retriever is not same


def test_remove_rollback_and_estimate(assistant, docs):
    assert assistant.estimate(docs).plan.nothing_to_do
    assistant.remove(["guide/*"])
    assert all(hit.chunk.source != "guide/backup.txt" for hit in assistant.search("backups archive"))
    assistant.rollback()
    assert assistant.search("backups archive")[0].chunk.source == "guide/backup.txt"


def test_delete_removes_the_whole_domain(assistant):
    assistant.delete()
    assert not assistant.folder.exists()
    with pytest.raises(IndexMissing):
        assistant.search("port")
    with pytest.raises(IndexMissing):
        assistant.delete()


def test_conditions_reach_the_search(assistant):
    assert {hit.chunk.source for hit in assistant.search("the server", where={"source": "guide/*"})} == {
        "guide/backup.txt"
    }


def test_a_reranker_of_ones_own_is_used(assistant):
    own = Assistant(
        "manual", settings=assistant.settings, embedder=HashEmbedder(64), reranker=OverlapReranker()
    )
    assert all(hit.rerank is not None for hit in own.search("default port"))


def test_the_readme_in_five_lines_with_the_settings_of_the_folder(docs, tmp_path):
    (tmp_path / "hybrid.toml").write_text('indexes = "elsewhere"\n')
    assistant = Assistant("manual", embedder=HashEmbedder())
    assistant.index(str(docs))
    assert (tmp_path / "elsewhere" / "manual" / "CURRENT").is_file()


def test_contenders_answer_by_their_arms_and_share_the_models(assistant):
    question = Question("q", "What is the default port of the server?", ("5432",))
    base, rag, written = assistant.contenders("base,rag:k=1,rag:reader=generator", [question])
    assert [one.name for one in (base, rag, written)] == ["base", "rag:k=1", "rag:reader=generator"]
    assert [len(one.answer_all([question])[0].hits) for one in (base, rag)] == [0, 1]
    assert base.answerer.generator() is written.answerer.generator() is assistant.generator
    assert rag.retriever.index is written.retriever.index
