"""The retriever and the vector store beside the files of a domain."""

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.indexing import InMemoryRecordManager, index

from hybrid import Assistant
from hybrid.errors import ConfigError, IndexMismatch, UsageError
from hybrid.langchain import HybridEmbeddings, HybridRetriever, HybridVectorStore
from hybrid.testing import HashEmbedder


@pytest.fixture
def store(empty):
    return HybridVectorStore(empty)


def _generation(assistant):
    return assistant.status().manifest.generation


def test_a_passage_says_where_it_stands(manual):
    found = HybridRetriever(assistant=manual, k=1).invoke("default port of the server")
    assert [one.id for one in found] == ["port.txt#0"]
    assert found[0].page_content == "The default port of the server is 5432."
    about = found[0].metadata
    assert (about["source"], about["start_index"], about["end_index"]) == ("port.txt", 0, 39)


def test_a_retriever_keeps_to_its_conditions_and_its_arm(manual):
    retriever = HybridRetriever(assistant=manual, arm="rag:mode=lexical", where={"source": "guide/*"})
    assert [one.metadata["source"] for one in retriever.invoke("backups of the server")] == [
        "guide/backup.txt"
    ]
    with pytest.raises(ConfigError):
        retriever.invoke("backups", k=0)
    with pytest.raises(UsageError, match="the arm base"):
        HybridRetriever(assistant=manual, arm="base").invoke("backups")


def test_many_changes_make_one_generation(store, empty):
    store.add_texts(["one"], ids=["1"])
    store.add_texts(["two"], ids=["2"])
    store.delete(["1"])
    store.add_texts(["two again"], ids=["2"])
    assert not empty.folder.exists()
    assert store.get_by_ids(["1", "2"]) == [Document(id="2", page_content="two again")]
    assert _generation(empty) == "000001"
    store.persist()
    store.similarity_search("two")
    assert _generation(empty) == "000001"


@pytest.mark.slow
def test_as_soon_as_a_thousand_changes_wait_they_are_written(store, empty):
    store.add_texts([f"text {number}" for number in range(999)])
    assert not empty.folder.exists()
    store.add_texts(["one more"])
    assert empty.status().manifest.counts.documents == 1_000


def test_leaving_the_with_block_writes_what_waits(empty):
    with HybridVectorStore(empty) as store:
        store.add_texts(["The port is 5432."], ids=["port"])
    assert empty.status(files=True).sources == ("langchain:port",)


@pytest.mark.slow
def test_added_texts_are_found_by_asking_and_stay_when_the_files_are_indexed_again(
    empty, tmp_path, write_files
):
    with HybridVectorStore(empty) as store:
        store.add_texts(["The default port of the server is 5432."], ids=["port"])
    folder = write_files(tmp_path / "docs", {"night.txt": "The server restarts every night at two."})
    report = empty.index(folder)
    assert report.plan.kept == ("langchain:port",) and report.plan.added == ("night.txt",)
    (citation,) = empty.ask("What is the default port of the server?").citations
    assert citation.source == "langchain:port"
    assert [one.id for one in store.similarity_search("server night", k=5)] == ["port"]


@pytest.mark.slow
def test_the_index_of_langchain_adds_and_removes_in_it(store, empty):
    manager = InMemoryRecordManager(namespace="notes")
    manager.create_schema()
    texts = [Document(text, metadata={"source": "a"}) for text in ("one", "two", "three")]
    counted = index(texts, manager, store, cleanup="full", source_id_key="source", key_encoder="sha256")
    assert (counted["num_added"], counted["num_skipped"]) == (3, 0)
    store.persist()
    before = empty.embedder.embedded
    counted = index(texts[:2], manager, store, cleanup="full", source_id_key="source", key_encoder="sha256")
    assert (counted["num_skipped"], counted["num_deleted"]) == (2, 1)
    assert {one.page_content for one in store.similarity_search("one", k=4)} == {"one", "two"}
    assert empty.embedder.embedded == before


def test_metadata_come_back_as_they_were_and_filter_as_texts(store):
    values = {"page": 3, "tags": ["a", "b"], "draft": False, "by": "Ann", "none": None}
    store.add_texts(["first", "second"], [values, {"page": 4}], ids=["1", "2"])
    assert store.get_by_ids(["1"])[0].metadata == values
    assert [one.id for one in store.similarity_search("second", k=2, where={"page": "3"})] == ["1"]
    assert store.similarity_search("first", k=2, where={"page": "5"}) == []
    with pytest.raises(UsageError, match="JSON cannot hold"):
        store.add_texts(["third"], [{"when": object()}])


def test_texts_of_one_wording_are_two_documents(store):
    store.add_texts(["the same words again and again"] * 2, ids=["1", "2"])
    assert {one.id for one in store.similarity_search("the same words", k=4)} == {"1", "2"}


def test_a_text_longer_than_the_window_is_found_by_its_parts_and_given_back_whole(store):
    long = " ".join(f"Sentence number {number} is about the archive." for number in range(40))
    store.add_texts([long, "  short, with blanks \n"], ids=["long", "short"])
    assert store.get_by_ids(["long"])[0].page_content == long
    parts = store.similarity_search("archive sentence number", k=3)
    assert {one.id for one in parts} == {"long"} and all(one.page_content in long for one in parts)
    assert store.similarity_search("short blanks", k=1)[0].page_content == "  short, with blanks \n"


def test_scores_are_cosines_and_relevance_is_from_0_to_1(store):
    store.add_texts(["alpha beta", "gamma delta"], ids=["1", "2"])
    (best, score), (_, other) = store.similarity_search_with_score("alpha beta", k=2)
    assert best.id == "1" and score == pytest.approx(1, abs=1e-3) and other < score
    found = store.similarity_search_with_relevance_scores("alpha beta", k=2)
    assert all(0 <= one <= 1 for _, one in found)


@pytest.mark.slow
def test_what_is_found_may_be_unlike_one_another(store):
    assert store.max_marginal_relevance_search("port") == []
    same = [
        "The port of the server is 5432.",
        "The server port is 5432.",
        "The oven bakes dough in the port.",
    ]
    store.add_texts(same, ids=["one", "two", "other"])
    asked = {"k": 2, "lambda_mult": 0.2}
    found = store.as_retriever(search_type="mmr", search_kwargs=asked).invoke("port of the server")
    assert [one.id for one in found] == ["one", "other"]
    assert [one.id for one in store.similarity_search("port of the server", 2)] == ["one", "two"]


def test_the_last_document_may_go_and_others_come(store, empty):
    store.add_texts(["one"], ids=["1"])
    assert len(store.similarity_search("one")) == 1
    store.delete(["1"])
    assert store.similarity_search("one") == []
    store.add_texts(["two"], ids=["2"])
    assert [one.id for one in store.similarity_search("one")] == ["2"]


def test_what_does_not_fit_together_is_refused(store, empty):
    with pytest.raises(UsageError, match="2 texts, 2 metadatas and 1 ids"):
        store.add_texts(["one", "two"], ids=["1"])
    with pytest.raises(UsageError, match="without an effect here: filter"):
        store.similarity_search("one", filter={"page": 3})
    with pytest.raises(UsageError, match="DeterministicFakeEmbedding are not the embeddings"):
        HybridVectorStore.from_texts(["one"], DeterministicFakeEmbedding(size=8), assistant=empty)
    with pytest.raises(UsageError, match="no domain"):
        HybridVectorStore.from_texts(["one"], store.embeddings)


def test_a_store_may_begin_with_its_texts_and_serve_as_a_retriever(empty):
    own = HybridEmbeddings(empty.embedder)
    store = HybridVectorStore.from_texts(["alpha", "beta"], own, [{"n": 1}, {"n": 2}], assistant=empty)
    assert _generation(empty) == "000001"
    (found,) = store.as_retriever(search_kwargs={"k": 1}).invoke("beta")
    assert (found.page_content, found.metadata) == ("beta", {"n": 2})


def test_what_waits_stays_waiting_where_it_cannot_be_written(empty):
    HybridVectorStore.from_texts(["one"], HybridEmbeddings(empty.embedder), assistant=empty)
    other = Assistant("notes", settings=empty.settings, embedder=HashEmbedder(16))
    store = HybridVectorStore(other)
    store.add_texts(["two"], ids=["2"])
    for _ in range(2):
        with pytest.raises(IndexMismatch):
            store.persist()


def test_nobody_reads_what_another_may(empty):
    anns = HybridVectorStore(empty, as_user="ann", principals=["ann"])
    HybridVectorStore.from_texts(
        ["open to all without a rule"], anns.embeddings, ids=["open"], assistant=empty
    )
    anns.add_texts(["the secret of the archive"], ids=["secret"])
    assert [one.id for one in anns.similarity_search("secret archive", k=4)] == ["secret"]
    assert [one.id for one in anns.get_by_ids(["secret", "open"])] == ["secret"]
    bobs = HybridVectorStore(empty, as_user=["bob", "staff"])
    assert bobs.similarity_search("secret archive", k=4) == bobs.get_by_ids(["secret", "*"]) == []
    assert HybridRetriever(assistant=empty, as_user="bob").invoke("secret archive") == []
    assert [one.id for one in HybridRetriever(assistant=empty, as_user="ann").invoke("secret")] == ["secret"]


def test_nobody_at_all_is_refused_where_there_are_rules(empty):
    store = HybridVectorStore(empty, principals=["ann"])
    store.add_texts(["the secret"], ids=["secret"])
    with pytest.raises(UsageError, match="no user asks"):
        store.get_by_ids(["secret"])
    with pytest.raises(UsageError, match="no user asks"):
        store.similarity_search("secret")
    with pytest.raises(UsageError, match="no user asks"):
        HybridRetriever(assistant=empty).invoke("secret")
