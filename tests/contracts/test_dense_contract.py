"""The dense side of a domain, whoever searches it: FAISS, or a vector store that nobody trusts."""

import dataclasses
import os
import shutil
import subprocess
import sys
import uuid
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_qdrant import QdrantVectorStore
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, VectorParams

from hybrid import Assistant, Assistants, load_settings
from hybrid.errors import IndexMismatch, VectorsUnreachable
from hybrid.index import Index, sync
from hybrid.index.external import ExternalDense, seal_of
from hybrid.index.generations import current, finished, read_manifest
from hybrid.index.stores import PgVectors, QdrantVectors
from hybrid.langchain import HybridVectorStore, StoreVectors
from hybrid.testing import HashEmbedder, ScriptedGenerator
from hybrid.trust import StoreAddress
from hybrid.types import Document
from tests.postgres_server import postgres

pytestmark = pytest.mark.slow

_DIMENSION = 64
# read before the tests are kept from the environment
_QDRANT_URL = os.environ.get("HYBRID_QDRANT_URL", "")
_CORPUS = Path(__file__).resolve().parents[2] / "examples" / "postgres" / "pages"
_PAGES = {f"{n:02}.txt": f"Server number {n} listens on port {5000 + n} of rack {n % 7}." for n in range(60)}
_ASKED = (_PAGES["07.txt"], "What is in rack 3?", "zebra")


class Watched:
    """A store that writes down what it is given and what is taken from it, and can be away."""

    def __init__(self, store):
        self.store, self.given, self.taken, self.away, self.asked = store, [], [], False, []

    def nearest(self, vector, k):
        self._answer()
        self.asked.append(k)
        return self.store.nearest(vector, k)

    def add(self, keys, vectors):
        self._answer()
        self.given += keys
        self.store.add(keys, vectors)

    def remove(self, keys):
        self._answer()
        self.taken += keys
        self.store.remove(keys)

    def drop(self):
        self._answer()
        self.store.drop()

    def forget(self):
        self.given, self.taken, self.asked = [], [], []

    def _answer(self):
        if self.away:
            raise VectorsUnreachable("nobody answers")


def _in_memory():
    return StoreVectors(InMemoryVectorStore)


def _qdrant():
    """A collection of its own on the server of HYBRID_QDRANT_URL (qdrant://HOST:PORT), else in local mode."""
    if _QDRANT_URL:
        return QdrantVectors(StoreAddress(_QDRANT_URL), uuid.uuid4().hex)
    store = QdrantVectors(StoreAddress("qdrant:///nowhere"), "manual")
    store._opened = QdrantClient(":memory:")
    return store


def _pgvector():
    return PgVectors(StoreAddress(postgres()), uuid.uuid4().hex)


_STORES = {"in memory": _in_memory, "qdrant": _qdrant, "pgvector": _pgvector}


@pytest.fixture(params=["faiss", *_STORES])
def anywhere(request):
    """A store, or None for a file of FAISS."""
    return None if request.param == "faiss" else Watched(_STORES[request.param]())


@pytest.fixture(params=_STORES)
def store(request):
    return Watched(_STORES[request.param]())


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """The shipped corpus, indexed once and for FAISS."""
    folder = tmp_path_factory.mktemp("shipped")
    _assistant(folder).index(_CORPUS)
    return folder


def _assistant(folder, vectors=None):
    values = {
        "indexes": str(folder / "indexes"),
        "documents": {"workers": 1},
        "retrieval": {"mode": "dense", "k": 3, "candidates": 3, "min_score": -1, "duplicate_overlap": 1},
    }
    settings = load_settings(values, file=Path(os.devnull), environment={})
    embedder, generator = HashEmbedder(_DIMENSION), ScriptedGenerator(["So it is."])
    return Assistant("manual", settings=settings, embedder=embedder, generator=generator, vectors=vectors)


def _documents(pages=_PAGES, **options):
    return [Document(source, text, **options) for source, text in pages.items()]


def _sources(assistant, **options):
    return [[hit.chunk.source for hit in assistant.search(asked, **options)] for asked in _ASKED]


def _exact(index, vector, k, among):
    """Return the k nearest of some positions, by comparing them all."""
    scores = np.array(index.cosines(vector, list(among)))
    return [int(list(among)[place]) for place in np.argsort(-scores, kind="stable")[:k]]


# --- the same hits ---------------------------------------------------------------------------------


def test_on_the_shipped_corpus_the_nearest_are_those_of_an_exact_comparison(
    tmp_path, anywhere, shipped, request
):
    # the graph of pgvector may miss a near one, and names the next
    exact = request.node.callspec.params["anywhere"] != "pgvector"
    shutil.copytree(shipped, tmp_path, dirs_exist_ok=True)
    assistant = _assistant(tmp_path, anywhere)
    assert assistant.index(_CORPUS).embedded == 0
    index = assistant.retriever.index
    everything, chance = range(index.manifest.counts.chunks), np.random.default_rng(5)
    half = sorted(chance.choice(len(everything), len(everything) // 2, replace=False).tolist())
    for vector in HashEmbedder(_DIMENSION).embed_queries([*_ASKED, "How is a table partitioned?", "vacuum"]):
        for among in (None, half, half[::50], half[:2]):
            found = index.search_dense(vector, 10, among=among)
            expected = _exact(index, vector, 10, everything if among is None else among)
            cosines = index.cosines(vector, expected)
            # the cosines and not the places: a text that stands twice is found at either
            assert [hit.score for hit in found] == pytest.approx(cosines, abs=1e-6 if exact else 2e-2)
            assert among is None or {hit.position for hit in found} <= set(among)


def test_a_text_that_stands_twice_is_found_twice(tmp_path, anywhere):
    assistant = _assistant(tmp_path, anywhere)
    twice = _documents({"a.txt": _PAGES["07.txt"], "b.txt": _PAGES["07.txt"], "c.txt": "Something else."})
    assistant.update(twice)
    assert sorted(_sources(assistant, arm="rag:k=2")[0]) == ["a.txt", "b.txt"]
    assert len(assistant.search(_ASKED[0], arm="rag:k=50")) == 3
    assert assistant.retriever.index.search_dense(np.ones(_DIMENSION, np.float32), 0) == []
    assert assistant.retriever.index.search_dense(np.ones(_DIMENSION, np.float32), 3, among=[]) == []


def test_what_only_words_find_has_its_cosine(tmp_path, anywhere):
    assistant = _assistant(tmp_path, anywhere)
    assistant.update(_documents())
    vector = HashEmbedder(_DIMENSION).embed_queries([_ASKED[0]])[0]
    hits = assistant.search(_ASKED[0], arm="rag:mode=lexical")
    assert len(hits) == 3
    for hit in hits:
        (own,) = HashEmbedder(_DIMENSION).embed_documents([hit.chunk.embedded_text])
        assert hit.dense == pytest.approx(float(own @ vector), abs=1e-3)


# --- who may read, and what is asked for -----------------------------------------------------------


def test_what_is_forbidden_is_never_found_and_makes_room(tmp_path, anywhere):
    assistant = _assistant(tmp_path, anywhere)
    few = {
        source: text for source, text in _PAGES.items() if source in ("07.txt", "31.txt", "32.txt", "59.txt")
    }
    many = {source: text for source, text in _PAGES.items() if source not in few}
    assistant.update([*_documents(few, principals=("ann",)), *_documents(many, principals=("bob",))])
    for found in _sources(assistant, as_user="ann"):
        assert len(found) == 3 and set(found) <= few.keys()
    for found in _sources(assistant, as_user="bob"):
        assert len(found) == 3 and set(found) <= many.keys()
    assert _sources(assistant, as_user="eve") == [[], [], []]
    assert _sources(assistant, as_user=("ann", "bob"), arm="rag:k=60")[0][0] == "07.txt"


def test_conditions_are_met_before_k_is_filled(tmp_path, anywhere):
    assistant = _assistant(tmp_path, anywhere)
    assistant.update(_documents())
    for where in ({"source": "5*.txt"}, {"source": "07.txt"}, {"source": "*1.txt"}):
        expected = _exact_where(assistant, where)
        assert _sources(assistant, where=where) == expected


def _exact_where(assistant, where):
    index = assistant.retriever.index
    among = index.positions_where(where)
    return [
        [chunk.source for chunk in index.chunks(_exact(index, vector, 3, among))]
        for vector in HashEmbedder(_DIMENSION).embed_queries(_ASKED)
    ]


# --- generations -----------------------------------------------------------------------------------


def test_only_what_changed_is_embedded_and_written(tmp_path, anywhere):
    assistant = _assistant(tmp_path, anywhere)
    assistant.update(_documents())
    embedder = assistant.embedder
    before = embedder.embedded
    if anywhere is not None:
        assert len(anywhere.given) == 61  # a seal is one more
        anywhere.forget()
    assistant.update(_documents({"07.txt": "Server number 7 is switched off."}), removed=["08.txt"])
    assert embedder.embedded == before + 1
    assert _sources(assistant)[0][0] != "07.txt" and "08.txt" not in str(_sources(assistant, arm="rag:k=59"))
    if anywhere is not None:
        assert len(anywhere.given) == 2
        assert not anywhere.taken  # the generation before may be wanted again
        anywhere.forget()
        assistant.update(_documents({"09.txt": "Server number 9 is switched off."}))
        assert len(anywhere.given) == 2 and len(anywhere.taken) == 3  # two texts and a seal


def test_the_generation_before_comes_back_with_its_vectors(tmp_path, anywhere):
    assistant = _assistant(tmp_path, anywhere)
    assistant.update(_documents())
    before, embedded = _sources(assistant), assistant.embedder.embedded
    assistant.update(_documents({"07.txt": "It is switched off."}), removed=["08.txt", "31.txt"])
    assert _sources(assistant) != before
    assistant.rollback()
    assert _sources(assistant) == before and assistant.embedder.embedded == embedded + 1


def test_a_killed_run_changes_nothing_that_is_served(tmp_path, anywhere, monkeypatch):
    assistant = _assistant(tmp_path, anywhere)
    assistant.update(_documents())
    before = _sources(assistant)
    with monkeypatch.context() as patch:
        patch.setattr(sync, "switch", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):  # all is written but for CURRENT
            assistant.update(_documents({"07.txt": "It is switched off."}), removed=["08.txt"])
    assert _sources(assistant) == _sources(_assistant(tmp_path, anywhere)) == before
    assistant.update(_documents({"07.txt": "It is switched off."}), removed=["08.txt"])
    fresh = _assistant(tmp_path / "fresh")
    left = {name: text for name, text in _PAGES.items() if name != "08.txt"}
    fresh.update(_documents(left | {"07.txt": "It is switched off."}))
    assert _sources(assistant) == _sources(fresh)


def test_a_run_killed_while_the_store_is_written_is_taken_up_again(tmp_path, store, monkeypatch):
    assistant = _assistant(tmp_path, store)
    assistant.update(_documents())
    before = _sources(assistant)
    with monkeypatch.context() as patch:
        # as a kill leaves it: the generation is whole, the store has half of it and no seal
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        patch.setattr("hybrid.index.external._BLOCK", 2)
        add = store.add
        patch.setattr(store, "add", lambda keys, vectors: (add(keys, vectors), 1 / 0))
        with pytest.raises(ZeroDivisionError):
            assistant.update(_documents({name: f"Off {name}" for name in ("07.txt", "08.txt", "31.txt")}))
    assert len(finished(assistant.folder)) == 2 and current(assistant.folder) == "000001"
    assert _sources(assistant) == before
    assistant.update(_documents({"07.txt": "It is switched off."}))
    assert _sources(assistant)[0][0] != "07.txt"
    assistant.update(_documents({"07.txt": _PAGES["07.txt"]}))
    assert _sources(assistant) == before


_KILLED = """
import os, signal, sys
from pathlib import Path
from langchain_qdrant import QdrantVectorStore
from qdrant_client import QdrantClient
from hybrid import Assistant, load_settings
from hybrid.index import sync
from hybrid.langchain import StoreVectors
from hybrid.testing import HashEmbedder

sync.switch = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
settings = load_settings({"indexes": "indexes", "documents": {"workers": 1}}, environment={})
store = StoreVectors(lambda own: QdrantVectorStore(QdrantClient(path="qdrant"), "manual", own))
Assistant("manual", settings=settings, embedder=HashEmbedder(64), vectors=store).index("docs")
"""


def test_killed_between_the_store_and_current_the_old_generation_answers(tmp_path, write_files):
    def opened():
        client = QdrantClient(path=str(tmp_path / "qdrant"))
        if not client.collection_exists("manual"):
            client.create_collection("manual", VectorParams(size=_DIMENSION, distance=Distance.COSINE))
        return client, _assistant(
            tmp_path, StoreVectors(lambda own: QdrantVectorStore(client, "manual", own))
        )

    folder = write_files(tmp_path / "docs", _PAGES)
    client, assistant = opened()
    assistant.index(folder)
    before = _sources(assistant)
    client.close()  # one process at a time holds the folder
    (folder / "07.txt").write_text("Server number 7 is switched off.")
    killed = subprocess.run([sys.executable, "-c", _KILLED], cwd=tmp_path, capture_output=True)
    assert killed.returncode == -9, killed.stderr.decode()
    client, assistant = opened()
    with closing(client):
        assert len(finished(assistant.folder)) == 2 and current(assistant.folder) == "000001"
        assert _sources(assistant) == before and before[0][0] == "07.txt"
        assert assistant.index(folder).embedded == 0  # what the killed run embedded is kept
        assert _sources(assistant)[0][0] != "07.txt"


# --- a store of another state ----------------------------------------------------------------------


def test_a_store_that_holds_another_generation_is_refused_and_mended_by_an_update(
    tmp_path, store, write_files
):
    folder = write_files(tmp_path / "docs", _PAGES)
    _assistant(tmp_path, store).index(folder)
    lost = Watched(_in_memory())
    assistant = _assistant(tmp_path, lost)
    with pytest.raises(IndexMismatch, match="does not hold generation 000001") as raised:
        assistant.search(_ASKED[0])
    assert "vectors=...).update([])" in raised.value.hint
    assert assistant.update([]).generation == "000001" and len(lost.given) == 61
    assert assistant.index(folder).embedded == 0 and len(lost.given) == 61
    assert _sources(assistant) == _sources(_assistant(tmp_path, store))


def test_an_older_state_of_the_store_is_refused(tmp_path, store):
    _assistant(tmp_path, store).update(_documents())
    older = shutil.copytree(tmp_path / "indexes", tmp_path / "older" / "indexes")
    _assistant(tmp_path / "older", store).update(_documents({"07.txt": "It is switched off."}))
    shutil.rmtree(tmp_path / "indexes")
    shutil.copytree(older, tmp_path / "indexes")  # of a store that went back to the first state
    store.remove([seal_of(read_manifest(tmp_path / "indexes/manual", "000002"))])
    with pytest.raises(IndexMismatch, match="does not hold generation 000002"):
        _assistant(tmp_path, store).search(_ASKED[0])


def test_without_its_store_a_domain_is_neither_searched_nor_written(tmp_path, store, write_files):
    folder = write_files(tmp_path / "docs", _PAGES)
    _assistant(tmp_path, store).index(folder)
    bare = _assistant(tmp_path)
    with pytest.raises(IndexMismatch, match="no such store is given") as raised:
        bare.search(_ASKED[0])
    assert f"hybrid index {folder} --rebuild" in raised.value.hint
    for write in (
        lambda: bare.index(folder),
        lambda: bare.remove(["07.txt"]),
        lambda: bare.update(_documents({"more.txt": "More."})),
    ):
        with pytest.raises(IndexMismatch, match="no such store is given"):
            write()
    assert bare.status(verify=True).manifest.external
    bare.index(folder, rebuild=True)
    assert _sources(bare) == _sources(_assistant(tmp_path)) and not bare.status().manifest.external


def test_a_domain_moves_into_a_store_without_embedding_anything(tmp_path, store, write_files):
    folder = write_files(tmp_path / "docs", _PAGES)
    here = _assistant(tmp_path)
    here.index(folder)
    before = _sources(here)
    moved = _assistant(tmp_path, store)
    with pytest.raises(IndexMismatch, match="does not hold"):
        moved.search(_ASKED[0])
    assert moved.index(folder).embedded == 0
    store.forget()
    assert _sources(moved) == before and store.asked
    assert moved.index(folder).manifest.generation == "000002" and not store.given
    moved.rollback()  # to the generation from before the store
    assert _sources(moved) == before


def test_a_store_that_is_away_is_said_and_the_old_generation_stays(tmp_path, store):
    assistant = _assistant(tmp_path, store)
    assistant.update(_documents())
    before = _sources(assistant)
    store.away = True
    with pytest.raises(VectorsUnreachable, match="nobody answers"):
        assistant.ask(_ASKED[0])
    for _ in range(2):
        with pytest.raises(VectorsUnreachable):
            assistant.update(_documents({"07.txt": "It is switched off."}))
    assert finished(assistant.folder) == ["000001"]
    with pytest.raises(VectorsUnreachable):
        assistant.delete()
    store.away = False
    assert _sources(assistant) == before
    store.forget()
    assistant.delete()
    assert len(store.taken) == 61 and not assistant.folder.exists()
    opened = getattr(store.store, "_opened", None)
    if isinstance(opened, QdrantClient):
        assert opened.get_collections().collections == []


def test_whatever_a_store_raises_is_one_error(tmp_path):
    def broken(embeddings):
        raise ConnectionRefusedError("port 6333")

    with pytest.raises(VectorsUnreachable, match="ConnectionRefusedError: port 6333") as raised:
        _assistant(tmp_path, StoreVectors(broken)).update(_documents())
    assert raised.value.retryable and raised.value.exit_code == 4
    client = QdrantClient(":memory:")
    client.create_collection("manual", VectorParams(size=8, distance=Distance.COSINE))
    narrow = StoreVectors(lambda embeddings: QdrantVectorStore(client, "manual", embeddings))
    with pytest.raises(VectorsUnreachable, match="dimensions"):
        _assistant(tmp_path, narrow).update(_documents())


def test_what_others_put_into_the_store_is_no_hit_and_costs_none(tmp_path, store):
    assistant = _assistant(tmp_path, store)
    assistant.update(_documents())
    before = _sources(assistant)
    nearest = HashEmbedder(_DIMENSION).embed_queries(_ASKED)
    for number in range(40):
        names = [f"{name}{number}" for name in ("ab", "somebody's text", "ff" * 30)]
        store.store.add([_hex(name) for name in names], nearest)
    store.forget()
    assert _sources(assistant) == before
    assert store.asked[:3] == [6, 24, 96]  # until three are of the domain


def _hex(name):
    return name.encode().hex().ljust(64, "0")


def test_a_store_that_lost_vectors_does_not_starve(tmp_path, store):
    assistant = _assistant(tmp_path, store)
    assistant.update(_documents())
    before = _sources(assistant, arm="rag:k=9")
    store.remove(store.given[:55])
    assert _sources(assistant, arm="rag:k=9") == before


def test_a_store_is_asked_for_few_and_small_sets_are_compared_here(tmp_path, store):
    assistant = _assistant(tmp_path, store)
    assistant.update(_documents())
    index = assistant.retriever.index
    assert isinstance(index._dense, ExternalDense)
    vector = HashEmbedder(_DIMENSION).embed_queries([_ASKED[0]])[0]
    for among, asked in ((None, [4]), (range(30), [8]), (range(5), []), (range(0, 60, 30), [])):
        store.forget()
        assert len(index.search_dense(vector, 2, among=among)) == 2
        assert store.asked[:1] == asked[:1]


# --- beside the rest -------------------------------------------------------------------------------


def test_several_domains_each_with_its_own_dense_side(tmp_path, store):
    assistant = _assistant(tmp_path, store)
    assistant.update(_documents())
    kitchen = Assistant("kitchen", settings=assistant.settings, embedder=HashEmbedder(_DIMENSION))
    kitchen.update(
        _documents({"oven.txt": "The oven bakes the dough.", "pan.txt": "Butter melts in the pan."})
    )
    several = Assistants(
        settings=assistant.settings,
        embedder=HashEmbedder(_DIMENSION),
        generator=ScriptedGenerator(["So it is."]),
        vectors={"manual": store},
    )
    with closing(several):
        assert several.ask(_ASKED[0]).domain == "manual"
        assert several.ask("How does the oven bake the dough?").domain == "kitchen"


def test_texts_added_through_langchain_go_the_same_way(tmp_path, store):
    assistant = _assistant(tmp_path, store)
    with HybridVectorStore(assistant) as own:
        own.add_texts(list(_PAGES.values()), ids=list(_PAGES))
        own.delete(["08.txt"])
    (found,) = own.similarity_search(_ASKED[0], k=1)
    assert found.id == "07.txt" and len(store.given) == 60


def test_no_text_leaves_for_the_store(tmp_path):
    made = []

    def make(embeddings):
        made.append(InMemoryVectorStore(embeddings))
        return made[0]

    _assistant(tmp_path, StoreVectors(make)).update(_documents(metadata={"owner": "ann"}))
    assert len(made) == 1
    kept = str(
        [{name: value for name, value in one.items() if name != "vector"} for one in made[0].store.values()]
    )
    assert "Server" not in kept and "ann" not in kept and ".txt" not in kept


def test_what_reads_the_index_by_itself_needs_no_store(tmp_path, store):
    assistant = _assistant(tmp_path, store)
    assistant.update(_documents())
    store.away = True
    with closing(Index.open(assistant.folder)) as index:  # as the checks of an adapter do
        vector = HashEmbedder(_DIMENSION).embed_queries([_ASKED[0]])[0]
        assert index.chunks([index.search_dense(vector, 1)[0].position])[0].source == "07.txt"


def test_an_embedder_put_in_force_beside_the_store_is_written_by_an_update(tmp_path, store):
    class Adapted(HashEmbedder):
        @property
        def fingerprint(self):
            return dataclasses.replace(super().fingerprint, adapter="a" * 64)

    assistant = _assistant(tmp_path, store)
    assistant.update(_documents())
    adapted = Adapted(_DIMENSION)
    sync.reembed(assistant.folder, adapted)
    tuned = Assistant("manual", settings=assistant.settings, embedder=adapted, vectors=store)
    store.forget()
    assert len(tuned.search(_ASKED[0])) == 3 and not store.asked  # tried beside it, it is searched here
    sync.put_in_force(assistant.folder, adapted.fingerprint)
    with pytest.raises(IndexMismatch, match="does not hold generation 000002"):
        tuned.search(_ASKED[0])
    tuned.update([])
    assert tuned.search(_ASKED[0])[0].chunk.source == "07.txt" and len(store.given) == 61
    assert assistant.search(_ASKED[0])[0].chunk.source == "07.txt"
