"""The SQLite side: what goes in comes out, filters, vectors by content."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from hybrid.errors import UsageError
from hybrid.index import Index
from hybrid.index.database import VectorCache, decode_vectors
from hybrid.index.store import FileContent, FileState, IndexedDocument, Store
from hybrid.types import Chunk, Document, FileLine, LeftOut, Rejected

_STATE = FileState("digest", "limits")


def _content(source, text="some text here", *, last=True, rejected=(), document=None, page=None):
    document = document or Document(
        source, text, "A title", pages=(0, 5), metadata={"author": "Ä", "year": "1999"}
    )
    chunks = (
        Chunk(document.source, 0, 0, 4, text[0:4], ("H",), page, document.metadata),
        Chunk(document.source, 1, 5, len(text), text[5:], ("H", "I"), 2, document.metadata),
    )
    return FileContent(source, (IndexedDocument(document, chunks, (1, 2)),), rejected, last)


@pytest.fixture
def store(tmp_path):
    with closing(Store(tmp_path / "store.sqlite", read_only=False)) as store:
        yield store


@pytest.fixture
def vectors(tmp_path):
    with closing(VectorCache(tmp_path / "vectors.sqlite")) as vectors:
        yield vectors


def test_documents_and_chunks_come_back_as_they_were(store, tmp_path):
    content = _content("a.txt", rejected=(Rejected("a.txt#2", "why"),), page=1)
    store.add(content, _STATE, fingerprint="f")
    assert store.number_chunks() == 2
    store.copy_to(tmp_path / "copy.sqlite")
    with closing(Store(tmp_path / "copy.sqlite", read_only=True)) as copy:
        (item,) = content.documents
        assert copy.document("a.txt") == item.document
        assert copy.document("b.txt") is None
        assert copy.chunks([1, 0]) == [item.chunks[1], item.chunks[0]]
        assert [(row.position, row.chunk) for row in copy.all_chunks()] == list(enumerate(item.chunks))
        assert copy.sources() == ["a.txt"]
        assert copy.file_states() == {"a.txt": _STATE}
        assert copy.rejected() == [Rejected("a.txt#2", "why")]
        assert copy.files_with_rejections() == {"a.txt"}
        counts = copy.counts()
        assert (counts.files, counts.documents, counts.chunks, counts.rejected, counts.characters) == (
            1,
            1,
            2,
            1,
            14,
        )


@pytest.mark.parametrize("principals", [None, (), ("anna", "staff")])
def test_who_may_read_a_document_comes_back_and_goes_with_it(store, principals):
    for source in ("a.txt", "b.txt"):
        document = Document(source, "some text here", "A title", principals=principals)
        store.add(_content(source, document=document), _STATE, fingerprint="f")
    store.number_chunks()
    assert store.document("a.txt").principals == principals
    assert store.has_principals() is (principals is not None)
    found = store.positions_where({"source": "b*"}, principals=["anna", "bob"])
    assert found == ([2, 3] if principals else [])
    assert store.positions_where({}, principals=[]) == []
    store.remove_files(["a.txt", "b.txt"])
    assert not store.has_principals()


def test_what_a_document_lacks_comes_back_and_counts_by_file(store, tmp_path):
    running, missing = LeftOut("running head", 2, 40), LeftOut("page without text", 1, lost=True)
    for source, parts in (("a.pdf", (running, missing)), ("rows.csv#1", (running,)), ("rows.csv#2", ())):
        document = Document(source, "some text here", left_out=parts)
        store.add(_content(source.partition("#")[0], document=document), _STATE, fingerprint="f")
    assert store.document("a.pdf").left_out == (running, missing)
    assert store.left_out() == {"a.pdf": (missing, running), "rows.csv": (running,)}
    assert store.characters() == {"a.pdf": 14, "rows.csv": 28}
    store.remove_files(["a.pdf", "rows.csv"])
    assert store.left_out() == {}


def _in_a_table(chunk):
    lines = (FileLine(0, 3), FileLine(2, 7))
    return replace(chunk, caption="Table 1", columns=("Ä", "b | c"), lines=lines)


def test_what_stands_above_a_chunk_comes_back_is_embedded_and_goes_with_it(store, vectors):
    (item,) = _content("a.txt").documents
    item = replace(item, chunks=tuple(map(_in_a_table, item.chunks)))
    store.add(FileContent("a.txt", (item,), ()), _STATE, fingerprint="f")
    store.number_chunks()
    assert store.chunks([0, 1]) == list(item.chunks)
    assert [row.chunk for row in store.all_chunks()] == list(item.chunks)
    missing = list(store.keys_without_vectors(vectors))
    asked = {text for _, text in store.texts_without_vectors(0, len(missing))}
    assert asked == {chunk.embedded_text for chunk in item.chunks}
    assert all("Table 1\nÄ | b | c" in text for text in asked)
    store.remove_files(["a.txt"])
    store.add(_content("a.txt"), _STATE, fingerprint="f")
    store.number_chunks()
    assert {chunk.caption for chunk in store.chunks([0, 1])} == {""}


@pytest.mark.parametrize("lacking", [1, 3, 4], ids=["format 3", "format 2", "format 1"])
def test_a_store_of_an_earlier_version_is_read_and_brought_up_to_date(store, tmp_path, lacking):
    store.add(_content("a.txt"), _STATE, fingerprint="f")
    store.number_chunks()
    store.copy_to(tmp_path / "copy.sqlite")
    with closing(sqlite3.connect(tmp_path / "copy.sqlite")) as copy:
        for table in ("glossary", "contexts", "left_out", "principals")[:lacking]:
            copy.execute(f"DROP TABLE {table}")
    for read_only in (True, False, True):
        with closing(Store(tmp_path / "copy.sqlite", read_only=read_only)) as older:
            assert older.chunks([0, 1]) == store.chunks([0, 1])
            assert older.positions_where({}, principals=["anna"]) == []
            assert older.left_out() == {}
            assert older.meanings() == []


def test_a_finished_store_cannot_be_written(store, tmp_path):
    store.copy_to(tmp_path / "copy.sqlite")
    with (
        closing(Store(tmp_path / "copy.sqlite", read_only=True)) as copy,
        pytest.raises(sqlite3.OperationalError),
    ):
        copy.remove_files(["a.txt"])
        copy.add(_content("a.txt"), _STATE, fingerprint="f")


def test_positions_follow_source_and_ordinal_whatever_came_first(store):
    for source in ("b.txt", "a.txt", "a/z.txt"):
        store.add(_content(source), _STATE, fingerprint="f")
    store.number_chunks()
    found = [(row.chunk.source, row.chunk.ordinal) for row in store.all_chunks()]
    assert found == sorted(found)
    assert [row.position for row in store.all_chunks()] == list(range(6))


def test_a_file_of_rows_is_complete_with_its_last_part(store):
    first = _content("rows.csv", document=Document("rows.csv#1", "some text here"), last=False)
    second = _content("rows.csv", document=Document("rows.csv#2", "some text here"))
    store.add(first, _STATE, fingerprint="f")
    assert store.file_states() == {}
    store.add(second, _STATE, fingerprint="f")
    assert store.file_states() == {"rows.csv": _STATE}
    assert store.sources() == ["rows.csv#1", "rows.csv#2"]


def test_a_part_of_a_file_is_forgotten_by_the_next_run(store):
    store.add(_content("whole.txt"), _STATE, fingerprint="f")
    store.add(
        _content("half.csv", document=Document("half.csv#1", "some text here"), last=False),
        _STATE,
        fingerprint="f",
    )
    store.remove_incomplete()
    assert store.sources() == ["whole.txt"]
    assert store.counts().chunks == 2


def test_removing_a_file_takes_all_that_came_from_it(store):
    store.add(_content("a.txt", rejected=(Rejected("a.txt", "why"),)), _STATE, fingerprint="f")
    store.remove_files(["a.txt", "never there"])
    counts = store.counts()
    assert (counts.files, counts.documents, counts.chunks, counts.rejected) == (0, 0, 0, 0)


# --- conditions ------------------------------------------------------------------------------------


@pytest.fixture
def filtered(store):
    for source, title, metadata in (
        ("guide/a.md", "Alpha", {"author": "Ada", "a.b": "dotted"}),
        ("guide/b.md", "Beta", {"author": "Bob"}),
        ("notes[1].md", "Gamma", {}),
        ("other/it's.md", "Delta", {"author": "Ada", "empty": ""}),
    ):
        store.add(
            _content(source, document=Document(source, "some text here", title, metadata=metadata)),
            _STATE,
            fingerprint="f",
        )
    store.number_chunks()
    return store


@pytest.mark.parametrize(
    ("where", "sources"),
    [
        ({}, ["guide/a.md", "guide/b.md", "notes[1].md", "other/it's.md"]),
        ({"source": "guide/a.md"}, ["guide/a.md"]),
        ({"source": "guide/*"}, ["guide/a.md", "guide/b.md"]),
        ({"source": "guide/?.md"}, ["guide/a.md", "guide/b.md"]),
        ({"source": "*.md", "author": "Ada"}, ["guide/a.md", "other/it's.md"]),
        ({"author": "Ada"}, ["guide/a.md", "other/it's.md"]),
        ({"author": "ada"}, []),
        ({"author": "A*"}, []),
        ({"a.b": "dotted"}, ["guide/a.md"]),
        ({"empty": ""}, ["other/it's.md"]),
        ({"title": "*a", "source": "guide/*"}, ["guide/a.md", "guide/b.md"]),
        ({"source": "other/it's.md"}, ["other/it's.md"]),
        ({"source": "nothing"}, []),
        ({"source": "notes[1].md"}, ["notes[1].md"]),
        ({"source": "notes[*.md"}, ["notes[1].md"]),
    ],
)
def test_conditions_select_chunks_by_their_document(filtered, where, sources):
    chunks = filtered.chunks(filtered.positions_where(where))
    assert sorted({chunk.source for chunk in chunks}) == sources
    assert len(chunks) == 2 * len(sources)


@pytest.fixture
def written(store):
    metadata = {
        "source": "wiki",
        'q"k': "x",
        "b\\s": "y",
        "note": "two blanks",
        "tags": '["a", "b c", 7, true]',
        "broken": "[a",
        "object": '{"a": 1, "b": {"c d": ["e", 2.5]}}',
        "listed": "safety, hot water",
        "autor": "Jos\u00e9",
    }
    for source, values in (("rows.jsonl#1", metadata), ("rows.jsonl#2", {"tags": "a", "source": "book"})):
        document = Document(source, "some text here", "A title", metadata=values)
        store.add(_content(source, document=document), _STATE, fingerprint="f")
    store.number_chunks()
    return store


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ({"source": "wiki"}, "1"),
        ({"source": "rows.jsonl#*"}, "12"),
        ({"source": "rows.jsonl#2", "tags": "a"}, "2"),
        ({'q"k': "x"}, "1"),
        ({"b\\s": "y"}, "1"),
        ({"note": "two  blanks"}, "1"),
        ({"tags": "a"}, "12"),
        ({"tags": "b c"}, "1"),
        ({"tags": "7"}, "1"),
        ({"tags": "true"}, "1"),
        ({"tags": "1"}, ""),
        ({"broken": "[a"}, "1"),
        ({"object": "1"}, ""),
        ({"object.a": "1"}, "1"),
        ({"object.b.c d": "2.5"}, "1"),
        ({"object.b": "e"}, ""),
        ({"listed": "hot water"}, "1"),
        ({"listed": "safety, hot water"}, "1"),
        ({"listed": "water"}, ""),
        ({"autor": "Jose\u0301"}, "1"),
        ({"title": "A t*"}, "12"),
    ],
)
def test_conditions_mean_what_was_written(written, where, rows):
    chunks = written.chunks(written.positions_where(where))
    assert {chunk.source for chunk in chunks} == {f"rows.jsonl#{row}" for row in rows}


@pytest.mark.parametrize("key", ["autor", "", 'a"b', "$", "source; DROP TABLE chunks"])
def test_an_unknown_key_is_an_error_that_lists_those_there_are(filtered, key):
    with pytest.raises(UsageError, match="no document has the key") as caught:
        filtered.positions_where({key: "x"})
    assert "source, title, a.b, author, empty" in caught.value.hint


def test_a_value_is_never_sql(filtered):
    assert filtered.positions_where({"author": "' OR 1=1 --"}) == []


@pytest.mark.slow
def test_conditions_of_an_open_index(corpus, domain):
    metadata = {"a": {"kind": "x"}, "b": {"kind": "y"}}
    corpus.update(domain, {"a": "alpha", "b": "beta"}, metadata=metadata)
    index = Index.open(domain)
    assert [chunk.source for chunk in index.chunks(index.positions_where({"kind": "y"}))] == ["b"]


# --- vectors ---------------------------------------------------------------------------------------


def _fill_vectors(store, vectors, window=1):
    seen = []
    for first in range(0, len(list(store.keys_without_vectors(vectors))), window):
        texts = store.texts_without_vectors(first, window)
        seen.extend(text for _, text in texts)
        rows = np.array([[len(text), 1.0] for _, text in texts], dtype=np.float32)
        vectors.add([key for key, _ in texts], rows / np.linalg.norm(rows, axis=1, keepdims=True))
    return seen


def test_each_content_is_asked_for_once_longest_first(store, vectors):
    store.add(_content("a.txt"), _STATE, fingerprint="f")
    store.add(_content("b.txt"), _STATE, fingerprint="f")
    assert len(list(store.keys_without_vectors(vectors))) == 2
    assert _fill_vectors(store, vectors) == ["H > I\ntext here", "H\nsome"]
    assert len(list(store.keys_without_vectors(vectors))) == 0
    store.number_chunks()
    assert np.concatenate(list(store.vectors_in_order(vectors, 3))).shape == (4, 2)


def test_another_embedder_or_another_heading_is_another_content(store, vectors):
    store.add(_content("a.txt"), _STATE, fingerprint="f")
    _fill_vectors(store, vectors)
    store.remove_files(["a.txt"])
    store.add(_content("a.txt"), _STATE, fingerprint="g")
    assert len(list(store.keys_without_vectors(vectors))) == 2


def test_vectors_are_stored_in_half_precision_and_come_back_with_unit_length(vectors):
    exact = np.random.default_rng(0).standard_normal((50, 384)).astype(np.float32)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    back = decode_vectors([row.astype(np.float16).tobytes() for row in exact])
    assert back.dtype == np.float32
    assert np.linalg.norm(back, axis=1) == pytest.approx(1.0, abs=1e-6)
    assert np.abs(back @ exact.T - exact @ exact.T).max() < 5e-4


def test_a_vector_of_zeros_stays_one():
    assert not decode_vectors([np.zeros(4, dtype=np.float16).tobytes()]).any()
