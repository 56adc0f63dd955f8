"""Updates: whatever happened before, the index equals a fresh build; nothing is done twice."""

import errno
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.errors import HybridError, IndexCorrupt, IndexLocked, StorageError, UsageError
from hybrid.files import folder_lock, write_atomic
from hybrid.index import Index, embedding, sync
from hybrid.index.database import VectorCache
from hybrid.index.generations import current
from hybrid.index.store import Store
from hybrid.index.sync import Stage, apply_update, plan_update
from hybrid.testing import HashEmbedder

_SOURCES = st.sampled_from(["a.txt", "b.txt", "sub/c.txt", "sub/d.txt", "é.txt"])
_WORDS = st.sampled_from(["alpha", "port", "server", "zebra", "default", "5432.", "Is", "a", "naïve"])
_TEXTS = st.one_of(
    st.lists(_WORDS, min_size=1, max_size=40).map(" ".join),
    st.just("the same sentence. " * 8),
    st.just("reject: damaged"),
)
_STEPS = st.one_of(
    st.tuples(st.just("write"), _SOURCES, _TEXTS),
    st.tuples(st.just("remove"), _SOURCES, st.none()),
    st.tuples(st.just("rename"), _SOURCES, _SOURCES),
    st.tuples(st.just("swap"), _SOURCES, _SOURCES),
    st.tuples(st.just("rollback"), st.none(), st.none()),
)


def _changed(texts, action, first, second):
    texts = dict(texts)
    match action:
        case "write":
            texts[first] = second
        case "remove":
            texts.pop(first, None)
        case "rename" if first in texts:
            texts[second] = texts.pop(first)
        case "swap" if first in texts and second in texts:
            texts[first], texts[second] = texts[second], texts[first]
    return texts


@pytest.mark.slow
@settings(max_examples=15)
@given(st.lists(_STEPS, min_size=2, max_size=6))
def test_any_sequence_of_changes_equals_a_fresh_build(corpus, steps):
    texts = {"a.txt": "alpha port server", "z.txt": "the last one stays"}
    with tempfile.TemporaryDirectory() as temporary:
        domain = Path(temporary) / "grown"
        embedder = HashEmbedder(16)
        corpus.update(domain, texts, embedder)
        for number, step in enumerate(steps):
            if step[0] == "rollback":
                _roll_back(domain)
            else:
                texts = _changed(texts, *step)
            corpus.update(domain, texts, embedder)
            fresh = Path(temporary) / f"fresh{number}"
            corpus.update(fresh, texts)
            assert corpus.snapshot(domain) == corpus.snapshot(fresh)
            Index.open(domain).verify()
        plan = plan_update(domain, corpus.wanted(texts))
        assert plan.nothing_to_do


def _roll_back(domain):
    from hybrid.errors import IndexMissing
    from hybrid.index import rollback

    try:
        rollback(domain)
    except IndexMissing:
        assert len(list((domain / "generations").iterdir())) == 1 or current(domain) == min(
            path.name for path in (domain / "generations").iterdir()
        )


# --- plans -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_plan_sorts_files_into_added_changed_removed_and_kept(corpus, domain):
    corpus.update(domain, {"a": "1", "b": "2", "c": "3"})
    plan = plan_update(domain, corpus.wanted({"b": "2", "c": "other", "d": "4"}))
    assert (plan.added, plan.changed, plan.removed, plan.kept) == (("d",), ("c",), ("a",), ("b",))
    assert not plan.nothing_to_do


def test_without_an_index_everything_is_added(corpus, domain):
    assert plan_update(domain, corpus.wanted({"b": "2", "a": "1"})).added == ("a", "b")


@pytest.mark.slow
def test_swapped_contents_are_two_changes(corpus, domain):
    corpus.update(domain, {"a": "one text", "b": "another text"})
    swapped = {"a": "another text", "b": "one text"}
    assert plan_update(domain, corpus.wanted(swapped)).changed == ("a", "b")
    corpus.update(domain, swapped)
    index = Index.open(domain)
    assert index.document("a").text == "another text"
    assert index.document("b").text == "one text"


# --- nothing is done twice -------------------------------------------------------------------------


@pytest.mark.slow
def test_an_unchanged_corpus_reads_nothing_embeds_nothing_and_makes_no_generation(corpus, domain):
    texts = {"a": "alpha", "b": "beta"}
    corpus.update(domain, texts)
    before = current(domain)
    embedder, loaded = HashEmbedder(16), []
    update = corpus.update(domain, texts, embedder, loaded=loaded)
    assert (embedder.embedded, update.embedded, loaded) == (0, 0, [])
    assert current(domain) == before == update.manifest.generation
    assert update.plan.nothing_to_do


@pytest.mark.slow
def test_only_what_changed_is_read_and_embedded(corpus, domain):
    corpus.update(domain, {"a": "alpha", "b": "beta"})
    embedder, loaded = HashEmbedder(16), []
    corpus.update(domain, {"a": "alpha", "b": "gamma"}, embedder, loaded=loaded)
    assert (embedder.embedded, loaded) == (1, ["b"])


@pytest.mark.slow
def test_a_renamed_file_with_the_same_headings_embeds_nothing(corpus, domain):
    # the title of a text made here is its name, so the same text below the same title is asked for
    corpus.update(domain, {"x": "alpha beta"})
    embedder = HashEmbedder(16)
    with closing(Store(domain / "generations" / current(domain) / "store.sqlite", read_only=True)) as store:
        (document,) = [store.document(source) for source in store.sources()]
    from hybrid.chunking import chunk_document
    from hybrid.index.store import FileContent, IndexedDocument
    from hybrid.types import Document

    moved = Document("y", document.text, title=document.title)
    sized = chunk_document(moved, embedder, corpus.chunks, max_tokens=64)
    content = FileContent(
        "y", (IndexedDocument(moved, tuple(s.chunk for s in sized), tuple(s.tokens for s in sized)),), ()
    )
    wanted = {"y": corpus.wanted({"y": "alpha beta"})["y"]}
    update = apply_update(
        domain, wanted, lambda sources: iter([content]), embedder, folder="corpus", chunks=corpus.chunks
    )
    assert (embedder.embedded, update.embedded) == (0, 0)
    assert Index.open(domain).sources() == ["y"]


@pytest.mark.slow
def test_equal_contents_are_embedded_once(corpus, domain):
    embedder = HashEmbedder(16)
    corpus.update(domain, {"a": "the very same sentence. " * 30}, embedder)
    assert embedder.embedded < Index.open(domain).manifest.counts.chunks


@pytest.mark.slow
def test_a_rebuild_uses_known_vectors_again(corpus, domain):
    texts = {"a": "alpha", "b": "beta"}
    corpus.update(domain, texts)
    embedder, loaded = HashEmbedder(16), []
    update = corpus.update(domain, texts, embedder, loaded=loaded, rebuild=True)
    assert (embedder.embedded, loaded) == (0, ["a", "b"])
    assert update.manifest.generation == current(domain) == "000002"


@pytest.mark.slow
def test_another_embedder_embeds_all_again_in_a_rebuild(corpus, domain, other_embedder):
    corpus.update(domain, {"a": "alpha"})
    other = other_embedder
    assert corpus.update(domain, {"a": "alpha"}, other, rebuild=True).embedded == 1
    assert Index.open(domain).manifest.embedder == other.fingerprint


# --- rejections ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_rejections_are_remembered_and_not_tried_again_until_something_changes(corpus, domain):
    texts = {"a": "alpha", "b": "reject: damaged"}
    corpus.update(domain, texts)
    assert [(item.source, item.reason) for item in Index.open(domain).rejected()] == [
        ("b", "reject: damaged")
    ]

    loaded = []
    corpus.update(domain, texts, loaded=loaded)
    assert loaded == []
    corpus.update(domain, texts, loaded=loaded, limits="wider limits")
    assert loaded == ["b"]
    corpus.update(domain, texts | {"b": "beta"}, loaded=loaded, limits="wider limits")
    assert loaded == ["b", "b"]
    assert Index.open(domain).rejected() == []


@pytest.mark.slow
def test_when_nothing_can_be_indexed_the_reasons_are_in_the_error(corpus, domain):
    with pytest.raises(UsageError, match="reject: damaged"):
        corpus.update(domain, {"b": "reject: damaged"})
    assert not (domain / "CURRENT").exists()


def test_nothing_at_all_to_index_is_a_usage_error(corpus, domain):
    with pytest.raises(UsageError, match="nothing to index"):
        corpus.update(domain, {})


@pytest.mark.slow
def test_an_index_whose_last_document_went_answers_with_no_hits(corpus, domain):
    corpus.update(domain, {"a": "alpha", "b": "reject: damaged"})
    corpus.update(domain, {})
    index = Index.open(domain)
    assert index.manifest.counts.chunks == 0
    assert index.search_dense(HashEmbedder(16).embed_queries(["alpha"])[0], 5) == []
    assert index.search_lexical("alpha", 5) == []


def test_files_that_cannot_be_read_do_not_empty_an_index(corpus, domain):
    corpus.update(domain, {"a": "alpha"})
    with pytest.raises(UsageError, match="damaged") as caught:
        corpus.update(domain, {"b": "reject: damaged"})
    assert "what is indexed stays" in caught.value.hint
    assert Index.open(domain).sources() == ["a"]


# --- removal ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_removed_document_is_gone_from_both_sides_and_from_the_bytes(corpus, domain):
    corpus.update(domain, {"a": "alpha stays here", "b": "xylophone secret words"})
    corpus.update(domain, {"a": "alpha stays here"})
    index = Index.open(domain)
    assert index.sources() == ["a"]
    assert index.search_lexical("xylophone", 5) == []
    vector = HashEmbedder(16).embed_queries(["xylophone secret words"])[0]
    assert {chunk.source for chunk in index.chunks([s.position for s in index.search_dense(vector, 5)])} == {
        "a"
    }
    for path in index.folder.rglob("*"):
        if path.is_file():
            assert b"xylophone" not in path.read_bytes()


@pytest.mark.slow
def test_vectors_that_no_generation_uses_are_dropped(corpus, domain):
    corpus.update(domain, {"a": "alpha", "b": "beta"})
    corpus.update(domain, {"a": "alpha"})
    assert _stored_vectors(domain) == 2  # the generation before still needs it
    corpus.update(domain, {"a": "gamma"})
    assert _stored_vectors(domain) == 2
    corpus.update(domain, {"a": "delta"})
    assert _stored_vectors(domain) == 2


def _stored_vectors(domain):
    with closing(sqlite3.connect(domain / "vectors.sqlite")) as connection:
        return connection.execute("SELECT count(*) FROM vectors").fetchone()[0]


# --- interruption ----------------------------------------------------------------------------------


class _Interrupt(BaseException):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("stage", list(Stage))
def test_an_interrupted_update_leaves_the_old_generation_and_is_resumed(corpus, domain, stage, monkeypatch):
    monkeypatch.setattr(embedding, "BATCH", 2)
    old = {"a": "alpha"}
    new = {f"{number:02}": f"text {number} port" for number in range(10)}
    corpus.update(domain, old)
    before = corpus.snapshot(domain)

    def interrupt(now, done, total):
        if now is stage and done >= min(total, 3):
            raise _Interrupt

    first, loaded = HashEmbedder(16), []
    with pytest.raises(_Interrupt):
        corpus.update(domain, new, first, progress=interrupt)
    assert corpus.snapshot(domain) == before

    second = HashEmbedder(16)
    corpus.update(domain, new, second, loaded=loaded)
    assert first.embedded + second.embedded == 10
    if stage is Stage.READ:
        assert len(loaded) == 7
    else:
        assert loaded == []
    corpus.update(domain.parent / "fresh", new)
    assert corpus.snapshot(domain) == corpus.snapshot(domain.parent / "fresh")


def test_a_file_that_changed_after_the_interruption_is_read_again(corpus, domain):
    def interrupt(stage, done, total):
        if stage is Stage.EMBED:
            raise _Interrupt

    with pytest.raises(_Interrupt):
        corpus.update(domain, {"a": "alpha", "b": "beta", "c": "gamma"}, progress=interrupt)
    loaded = []
    corpus.update(domain, {"a": "alpha", "b": "changed"}, loaded=loaded)
    assert loaded == ["b"]
    assert Index.open(domain).sources() == ["a", "b"]


@pytest.mark.slow
def test_an_interrupted_run_of_another_embedder_is_not_resumed(corpus, domain, other_embedder):
    def interrupt(stage, done, total):
        if stage is Stage.BUILD:
            raise _Interrupt

    with pytest.raises(_Interrupt):
        corpus.update(domain, {"a": "alpha"}, progress=interrupt)
    other, loaded = other_embedder, []
    corpus.update(domain, {"a": "alpha"}, other, loaded=loaded)
    assert (other.embedded, loaded) == (1, ["a"])


@pytest.mark.slow
def test_a_rebuild_does_not_start_from_what_an_interrupted_update_left(corpus, domain):
    def interrupt(stage, done, total):
        if stage is Stage.EMBED:
            raise _Interrupt

    corpus.update(domain, {"a": "alpha"})
    with pytest.raises(_Interrupt):
        corpus.update(domain, {"a": "alpha", "b": "beta"}, progress=interrupt)
    loaded = []
    corpus.update(domain, {"a": "alpha", "b": "beta"}, loaded=loaded, rebuild=True)
    assert loaded == ["a", "b"]


# --- writers and readers ---------------------------------------------------------------------------


def test_the_second_writer_is_told_who_writes(corpus, domain):
    with folder_lock(domain), pytest.raises(IndexLocked, match="is writing"):
        corpus.update(domain, {"a": "alpha"})


@pytest.mark.slow
def test_a_reader_works_during_a_write_and_keeps_its_generation_after_it_was_pruned(corpus, domain):
    corpus.update(domain, {"a": "alpha"})
    reader = Index.open(domain)
    seen = []

    def look(stage, done, total):
        index = Index.open(domain)
        seen.append((stage, index.document("a").text, len(index.search_lexical("alpha", 3))))
        index.close()

    corpus.update(domain, {"a": "beta"}, progress=look)
    assert {stage for stage, _, _ in seen} == set(Stage)
    assert {(text, hits) for _, text, hits in seen} == {("alpha", 1)}
    corpus.update(domain, {"a": "gamma"})
    corpus.update(domain, {"a": "delta"})
    assert not reader.folder.exists()
    vector = HashEmbedder(16).embed_queries(["alpha"])[0]
    assert reader.document("a").text == "alpha"
    assert len(reader.search_lexical("alpha", 3)) == 1
    assert reader.search_dense(vector, 3)[0].position == 0
    assert [chunk.text for chunk in reader.chunks([0])] == ["alpha"]
    assert Index.open(domain).document("a").text == "delta"


# --- a disk that refuses ---------------------------------------------------------------------------


def _full(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def _full_sqlite(*_args, **_kwargs):
    raise sqlite3.OperationalError("database or disk is full")


def _full_faiss(*_args, **_kwargs):
    raise RuntimeError(
        "Error in void faiss::FileIOWriter: write error in dense.faiss: No space left on device"
    )


class _FullConnection:
    """A connection whose writes meet a full disk."""

    def __init__(self, connection):
        self._connection = connection

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def __enter__(self):
        return self._connection.__enter__()

    def __exit__(self, *problem):
        return self._connection.__exit__(*problem)

    def execute(self, statement, *values):
        if statement.lstrip().startswith(("INSERT", "UPDATE", "DELETE", "VACUUM")):
            _full_sqlite()
        return self._connection.execute(statement, *values)

    def executemany(self, statement, values):
        _full_sqlite()


def _fill(monkeypatch, where):
    import faiss
    import tantivy

    def break_store(method):
        whole = getattr(Store, method)

        def call(self, *arguments, **options):
            connection = self._db
            self._db = _FullConnection(connection)
            try:
                return whole(self, *arguments, **options)
            finally:
                self._db = connection

        monkeypatch.setattr(Store, method, call)

    def break_vectors(self, keys, vectors):
        connection = self._db
        self._db = _FullConnection(connection)
        try:
            return whole_add(self, keys, vectors)
        finally:
            self._db = connection

    whole_add = VectorCache.add
    match where:
        case "copy of the store":
            monkeypatch.setattr(shutil, "copyfile", _full)
        case "faiss":
            monkeypatch.setattr(faiss, "write_index", _full_faiss)
        case "lexical":
            monkeypatch.setattr(tantivy.Index, "writer", _full, raising=False)
        case "vectors":
            monkeypatch.setattr(VectorCache, "add", break_vectors)
        case "manifest":
            monkeypatch.setattr("hybrid.index.generations.write_json", _full)
        case "switch":
            monkeypatch.setattr("hybrid.index.generations.write_atomic", _switch_on_full_disk)
        case _:
            break_store(where)


def _switch_on_full_disk(path, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", _full)
        write_atomic(path, data)


@pytest.mark.slow
@pytest.mark.parametrize(
    "where",
    [
        "copy of the store",
        "add",
        "remove_files",
        "vectors",
        "number_chunks",
        "copy_to",
        "faiss",
        "manifest",
        "switch",
    ],
)
def test_a_full_disk_is_a_storage_error_and_the_old_generation_answers(corpus, domain, monkeypatch, where):
    corpus.update(domain, {"a": "alpha", "b": "beta"})
    before = corpus.snapshot(domain)
    new = {"a": "changed port", "c": "gamma"}
    with monkeypatch.context() as patch:
        _fill(patch, where)
        with pytest.raises(StorageError, match="no space left") as caught:
            corpus.update(domain, new)
    assert caught.value.retryable
    assert corpus.snapshot(domain) == before
    Index.open(domain).verify()

    corpus.update(domain, new)
    corpus.update(domain.parent / "fresh", new)
    assert corpus.snapshot(domain) == corpus.snapshot(domain.parent / "fresh")


_ON_SMALL_DISK = """
import os, sys
from pathlib import Path
from hybrid.config import ChunkSettings
from hybrid.errors import StorageError
from hybrid.ingestion import Ingestor
from hybrid.config import DocumentSettings
from hybrid.index import Index
from hybrid.testing import HashEmbedder

disk, docs = Path(sys.argv[1]), Path(sys.argv[2])
domain = disk / "domain"
ingestor = Ingestor(domain, HashEmbedder(64), DocumentSettings(workers=1), ChunkSettings(max_tokens=30))
ingestor.ingest(docs / "old")
outcomes = []
for kilobytes in (0, 16, 64, 300, 800, 2_000, 4_000, 8_000, 12_000):
    filler = disk / "filler"
    try:
        with filler.open("wb", buffering=0) as stream:
            while stream.write(bytes(4096)):
                pass
    except OSError:
        os.truncate(filler, max(filler.stat().st_size - 1024 * kilobytes, 0))
    before = (domain / "CURRENT").read_text()
    try:
        ingestor.ingest(docs / "new")
        outcomes.append("done")
    except StorageError as error:
        assert error.hint, error
        outcomes.append("storage error")
        assert (domain / "CURRENT").read_text() == before
    index = Index.open(domain)
    index.verify()
    assert index.search_lexical("common", 3)
    index.close()
    filler.unlink()
    if outcomes[-1] == "done":
        break
assert ingestor.ingest(docs / "new").manifest.counts.files == 120
print(*outcomes, sep=",")
"""


@pytest.mark.slow
def test_a_build_that_failed_leaves_no_half_generation_to_fill_the_disk(corpus, domain, monkeypatch):
    corpus.update(domain, {"a": "alpha"})
    for _ in range(3):
        with monkeypatch.context() as patch:
            _fill(patch, "manifest")
            with pytest.raises(StorageError):
                corpus.update(domain, {"a": "beta"})
    assert len(list((domain / "generations").iterdir())) <= 2


@pytest.mark.slow
def test_a_disk_that_is_really_full_keeps_the_old_generation(tmp_path, write_files):
    disk, docs = tmp_path / "disk", tmp_path / "docs"
    disk.mkdir()
    write_files(docs / "old", {f"{n}.txt": f"common words of file {n}. " * 5 for n in range(20)})
    write_files(
        docs / "new", {f"{n}.txt": f"common words of file {n}, now longer. " * 40 for n in range(120)}
    )
    script = tmp_path / "script.py"
    script.write_text(_ON_SMALL_DISK)
    mount = ["unshare", "--map-root-user", "--mount", "sh", "-ec"]
    inside = 'mount -t tmpfs -o size=24m tmpfs "$1"; shift; exec "$@"'
    try:
        allowed = subprocess.run([*mount, inside, "sh", str(disk), "true"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no unshare")
    if allowed.returncode:
        pytest.skip("a small disk cannot be mounted here")
    done = subprocess.run(
        [*mount, inside, "sh", str(disk), sys.executable, str(script), str(disk), str(docs)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("storage error,storage error")
    assert done.stdout.strip().endswith("done")


# --- damaged files beside the index ----------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vectors.sqlite", "staging.sqlite"])
def test_a_damaged_working_file_never_needs_more_than_a_rebuild(corpus, domain, name):
    corpus.update(domain, {"a": "alpha"})
    if name == "staging.sqlite":
        (domain / "staging.key").write_text(sync.fingerprint_key(HashEmbedder(16).fingerprint))
    (domain / name).write_bytes(b"this is not a database" * 100)
    try:
        corpus.update(domain, {"a": "alpha", "b": "beta"})
    except HybridError as error:
        assert "rebuild" in error.hint
        corpus.update(domain, {"a": "alpha", "b": "beta"}, rebuild=True)
    assert Index.open(domain).sources() == ["a", "b"]


@pytest.mark.slow
def test_a_store_that_changed_since_it_was_built_does_not_spread_into_the_next_generation(corpus, domain):
    corpus.update(domain, {"a": "alpha", "b": "beta"})
    path = Index.open(domain).folder / "store.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE documents SET text = 'tampered' WHERE source = 'a'")
    with pytest.raises(IndexCorrupt, match=r"store\.sqlite"):
        corpus.update(domain, {"a": "alpha", "b": "changed"})


# --- what texts may hold ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["alpha\0beta gamma", "emoji 😀 and e\u0301", "right-to-left \u202e text", "\x01\x02 x"]
)
def test_unusual_characters_come_back_as_they_were(corpus, domain, text):
    corpus.update(domain, {"a": text, "b": "other"})
    index = Index.open(domain)
    document = index.document("a")
    assert document.text == text
    for chunk in index.chunks(range(index.manifest.counts.chunks)):
        if chunk.source == "a":
            assert chunk.text == text[chunk.start : chunk.end]


def test_progress_tells_each_stage_in_order_and_to_its_end(corpus, domain):
    told = []
    corpus.update(domain, {"a": "alpha", "b": "beta"}, progress=lambda *what: told.append(what))
    stages = [stage for stage, _, _ in told]
    assert stages == sorted(stages, key=list(Stage).index)
    for stage in Stage:
        last = [(done, total) for now, done, total in told if now is stage][-1]
        assert last[0] == last[1] > 0
