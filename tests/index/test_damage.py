"""An index that was damaged, or that another program wrote: refused with the repair, never half read."""

import json
import shutil
import sqlite3
import time

import numpy as np
import pytest

from hybrid.cli.app import run
from hybrid.errors import IndexCorrupt, IndexError_, IndexLocked
from hybrid.files import checksums
from hybrid.index import Index, read_state
from hybrid.index.database import VectorCache, decode_vectors
from hybrid.index.generations import current
from hybrid.index.store import Store

TEXTS = {"a.txt": "alpha port server. " * 9, "b.txt": "beta zebra. " * 9, "c.txt": "reject: gamma"}


@pytest.fixture
def folder(corpus, domain):
    corpus.update(domain, TEXTS)
    return domain / "generations" / current(domain)


def _resign(folder):
    """Write the checksums anew, as whoever makes an index to be opened by others would."""
    path = folder / "manifest.json"
    value = json.loads(path.read_text())
    path.write_text(json.dumps(value | {"sha256": checksums(folder)}))


def _sql(statement):
    def damage(folder):
        with sqlite3.connect(folder / "store.sqlite") as connection:
            connection.executescript(statement)
        connection.close()

    return damage


def _vectors(dimension, change, *, kind="flat"):
    def damage(folder):
        import faiss

        count = json.loads((folder / "manifest.json").read_text())["counts"]["chunks"] + change
        index = faiss.IndexFlatIP(dimension) if kind == "flat" else faiss.IndexHNSWFlat(dimension, 8)
        if kind == "l2":
            index = faiss.IndexFlatL2(dimension)
        index.add(np.ones((count, dimension), dtype=np.float32))
        faiss.write_index(index, str(folder / "dense.faiss"))

    return damage


def _bytes(name, change):
    def damage(folder):
        (folder / name).write_bytes(change((folder / name).read_bytes()))

    return damage


def _lexical(build):
    def damage(folder):
        import tantivy

        shutil.rmtree(folder / "lexical")
        (folder / "lexical").mkdir()
        builder = tantivy.SchemaBuilder()
        index = tantivy.Index(build(builder), path=str(folder / "lexical"))
        writer = index.writer(heap_size=20_000_000, num_threads=1)
        for _ in range(3):
            document = tantivy.Document()
            document.add_unsigned("position", 10**6)
            document.add_text("text", "alpha port")
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()

    return damage


def _foreign_fields(builder):
    builder.add_unsigned_field("position", stored=False, indexed=True)
    builder.add_text_field("body", stored=True)
    builder.add_text_field("text", stored=False, tokenizer_name="en_stem")
    return builder.build()


def _our_fields(builder):
    builder.add_unsigned_field("position", stored=True, indexed=True, fast=True)
    builder.add_text_field("text", stored=False, tokenizer_name="en_stem", index_option="freq")
    return builder.build()


VIEW = """
ALTER TABLE {table} RENAME TO kept;
CREATE VIEW {table} AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000)
    SELECT kept.* FROM kept, n;
"""
_FLIPPED = lambda raw: raw[:-9] + bytes([raw[-9] ^ 1]) + raw[-8:]  # noqa: E731
DAMAGES = {
    # files
    "vectors cut": _bytes("dense.faiss", lambda raw: raw[:40]),
    "vectors empty": _bytes("dense.faiss", lambda raw: b""),
    "vectors garbage": _bytes("dense.faiss", lambda raw: b"garbage " * 99),
    "vectors of another dimension": _vectors(8, 0),
    "vectors more than chunks": _vectors(16, 5),
    "vectors fewer than chunks": _vectors(16, -1),
    "vectors of another kind": _vectors(16, 0, kind="graph"),
    "vectors of another metric": _vectors(16, 0, kind="l2"),
    "store cut": _bytes("store.sqlite", lambda raw: raw[: len(raw) // 2]),
    "store empty": _bytes("store.sqlite", lambda raw: b""),
    "store garbage": _bytes("store.sqlite", lambda raw: b"garbage " * 999),
    # tables
    **{
        f"no table {table}": _sql(f"DROP TABLE {table}")
        for table in ("chunks", "documents", "files", "rejected")
    },
    **{f"a view {table}": _sql(VIEW.format(table=table)) for table in ("documents", "files", "rejected")},
    "a trigger": _sql("CREATE TRIGGER t AFTER DELETE ON documents BEGIN DELETE FROM files; END"),
    "a column more": _sql("ALTER TABLE chunks ADD COLUMN more TEXT"),
    "a name that is no unicode": _bytes(
        "store.sqlite", lambda raw: raw.replace(b"chunks_key", b"chunk\xff_key")
    ),
    # rows
    "positions shifted": _sql("UPDATE chunks SET position = position + 1"),
    "positions twice": _sql("UPDATE chunks SET position = 0 WHERE position = 1"),
    "positions missing": _sql("UPDATE chunks SET position = NULL WHERE position = 1"),
    "positions no numbers": _sql("UPDATE chunks SET position = 'x' || position"),
    "chunks gone": _sql("DELETE FROM chunks WHERE position > 0"),
    "metadata no JSON": _sql("UPDATE documents SET metadata = '{broken'"),
    "metadata a list": _sql("UPDATE documents SET metadata = '[1]'"),
    "metadata of numbers": _sql("UPDATE documents SET metadata = '{\"a\": 1}'"),
    "metadata nested": _sql(f"UPDATE documents SET metadata = '{'[' * 50_000}'"),
    "headings no JSON": _sql("UPDATE chunks SET headings = 'x'"),
    "headings a number": _sql("UPDATE chunks SET headings = '7'"),
    "headings of lists": _sql("UPDATE chunks SET headings = '[[]]'"),
    "offsets no numbers": _sql("UPDATE chunks SET start = 'one'"),
    "offsets half": _sql("UPDATE chunks SET start = 0.5"),
    "offsets below zero": _sql("UPDATE chunks SET start = -5"),
    "offsets behind the end": _sql("UPDATE chunks SET stop = 100000"),
    "offsets turned": _sql("UPDATE chunks SET start = stop + 1"),
    "ordinals no numbers": _sql("UPDATE chunks SET ordinal = 'x' || ordinal"),
    "pages no numbers": _sql("UPDATE chunks SET page = 'one'"),
    "texts no text": _sql("UPDATE documents SET text = x'00ff'"),
    "texts no unicode": _sql("UPDATE documents SET text = CAST(x'ff41' AS TEXT)"),
    "documents gone": _sql("PRAGMA foreign_keys = OFF; DELETE FROM documents"),
    "page starts no numbers": _sql("UPDATE documents SET pages = '[\"x\"]'"),
    # words
    "words with foreign fields": _lexical(_foreign_fields),
    "words of another index": _lexical(_our_fields),
}


def _read_all(domain):
    """Read whatever can be read of an index, and return the places that were found."""
    read_state(domain)
    index = Index.open(domain)
    try:
        for source in index.sources():
            index.document(source)
        index.rejected()
        index.positions_where({"source": "*.txt"})
        hits = index.search_lexical("alpha port server zebra", 9)
        vector = np.ones(16, dtype=np.float32) / 4
        hits += index.search_dense(vector, 9)
        index.cosines(vector, [hit.position for hit in hits])
        index.chunks([hit.position for hit in hits])
        index.chunks(range(index.manifest.counts.chunks))
        return [hit.position for hit in hits]
    finally:
        index.close()


def test_a_sound_index_is_read_whole(folder, domain):
    found = _read_all(domain)
    assert found
    _resign(folder)
    assert _read_all(domain) == found


@pytest.mark.slow
@pytest.mark.parametrize("name", list(DAMAGES))
def test_damage_is_told_with_the_repair(folder, domain, name, capsys):
    DAMAGES[name](folder)
    began = time.monotonic()
    with pytest.raises(IndexCorrupt) as caught:
        Index.open(domain)
    assert "--rebuild" in caught.value.hint
    _resign(folder)
    with pytest.raises(IndexCorrupt) as caught:
        _read_all(domain)
    assert "--rebuild" in caught.value.hint
    assert "rollback" in caught.value.hint
    run(["status", "--files", "--indexes", str(domain.parent)])
    assert "Traceback" not in capsys.readouterr().err
    assert time.monotonic() - began < 10


def test_a_changed_text_is_not_answered_with(folder, domain):
    _sql("UPDATE documents SET text = replace(text, 'alpha', 'omega')")(folder)
    for read in (read_state, Index.open):
        with pytest.raises(IndexCorrupt, match=r"store\.sqlite is not the file that was built"):
            read(domain)


def _set(*path, to):
    def damage(value):
        inner = value
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = to
        return json.dumps(value)

    return damage


MANIFESTS = {
    "nested": lambda value: "[" * 100_000,
    "nested deep inside": lambda value: json.dumps(value)[:-1] + ', "more": ' + "[" * 100_000,
    "null": lambda value: "null",
    "a number": lambda value: "7",
    "a text": lambda value: '"text"',
    "twice": lambda value: json.dumps(value) * 2,
    "counts a text": _set("counts", to="many"),
    "counts a list": _set("counts", to=[1, 2, 3, 4, 5]),
    "a count a text": _set("counts", "chunks", to="3"),
    "a count below zero": _set("counts", "files", to=-1),
    "a count that is wrong": _set("counts", "chunks", to=7),
    "embedder nothing": _set("embedder", to=None),
    "a name that is no text": _set("embedder", "name", to=["a"]),
    "a dimension that is wrong": _set("embedder", "dimension", to=8),
    "dense a text": _set("dense", to="flat"),
    "a recall that is no number": _set("dense", "recall_at_10", to="high"),
    "a recall that is not finite": _set("dense", "recall_at_10", to=float("nan")),
    "checksums a list": _set("sha256", to=["a"]),
    "a checksum that is no text": _set("sha256", "store.sqlite", to=7),
    "no checksums": _set("sha256", to={}),
    "a file outside": _set("sha256", "../../../../etc/passwd", to="0" * 64),
    "an absolute file": _set("sha256", "/etc/passwd", to="0" * 64),
    "created a number": _set("created", to=7),
    "folder an object": _set("folder", to={}),
    "another generation": _set("generation", to="000002"),
    "previous a path": _set("previous", to="../../elsewhere"),
    "a version that is no number": _set("schema_version", to=[[1]]),
    "chunks with a key more": _set("chunks", "more", to=1),
    "chunks out of range": _set("chunks", "max_tokens", to=-1),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(MANIFESTS))
def test_a_manifest_is_what_it_should_be_or_refused(folder, domain, name):
    path = folder / "manifest.json"
    path.write_text(MANIFESTS[name](json.loads(path.read_text())))
    with pytest.raises(IndexCorrupt) as caught:
        Index.open(domain)
    assert "--rebuild" in caught.value.hint
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("content", ["²", "١", "0" * 5_000, "000001/../000001", "."])
def test_a_pointer_names_digits(folder, domain, content):
    (domain / "CURRENT").write_text(content)
    with pytest.raises(IndexCorrupt):
        Index.open(domain)


@pytest.mark.slow
def test_one_damaged_domain_hides_no_other(corpus, folder, domain, capsys):
    corpus.update(domain.parent / "sound", {"a": "alpha"})
    for name, text in (("broken", "[" * 100_000), ("typed", "[1]")):
        other = domain.parent / name
        shutil.copytree(domain.parent / "sound", other)
        (other / "generations" / current(other) / "manifest.json").write_text(text)
    assert run(["status"]) == 6
    shown = capsys.readouterr()
    assert "sound: generation" in shown.out
    assert shown.err.count("error: ") == 2
    assert "--rebuild" in shown.err
    assert run(["status", "--json"]) == 6
    document = json.loads(capsys.readouterr().out)
    assert {entry["domain"] for entry in document["domains"]} == {"manual", "sound"}
    assert {entry["domain"] for entry in document["damaged"]} == {"broken", "typed"}
    assert run(["status", "--domain", "broken"]) == 4
    assert run(["doctor"]) == 1
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.slow
def test_what_a_manifest_or_a_folder_is_called_does_not_steer_the_terminal(corpus, folder, domain, capsys):
    path = folder / "manifest.json"
    value = json.loads(path.read_text())
    value |= {"folder": "docs\x1b]0;owned\x07\n  forged   line", "created": "\u202e2026\x9b31m"}
    value["embedder"]["name"] = "\x1b[2Jmodel"
    path.write_text(json.dumps(value))
    shutil.copytree(domain, domain.with_name("b\x1b]0;owned\x07"))
    for arguments in (["status"], ["status", "--json"], ["ask", "x"], ["doctor"]):
        run(arguments)
        shown = "".join(capsys.readouterr())
        assert "owned" in shown
        assert not set("\x1b\x07\x9b\u202e") & set(shown)
        assert "\n  forged" not in shown


# --- what is shared by generations -----------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE vectors; CREATE VIEW vectors AS SELECT x'00' AS key, x'00' AS vector",
        "DROP TABLE vectors; CREATE TABLE vectors(key TEXT)",
        "CREATE TRIGGER t AFTER INSERT ON vectors BEGIN DELETE FROM vectors; END",
    ],
)
def test_a_foreign_cache_of_vectors_is_begun_anew(corpus, domain, statement):
    corpus.update(domain, {"a": "alpha"})
    with sqlite3.connect(domain / "vectors.sqlite") as connection:
        connection.executescript(statement)
    connection.close()
    assert corpus.update(domain, {"a": "beta", "b": "gamma"}).embedded == 2
    _read_all(domain)


@pytest.mark.slow
@pytest.mark.parametrize(
    "change", ["vector = x'00'", "vector = x'0000'", "vector = 'text'", "vector = x'007e' || vector"]
)
def test_damaged_vectors_are_told_and_not_indexed(corpus, domain, change):
    corpus.update(domain, {"a": "alpha"})
    with sqlite3.connect(domain / "vectors.sqlite") as connection:
        connection.execute(f"UPDATE vectors SET {change}")
    connection.close()
    with pytest.raises(IndexError_):
        corpus.update(domain, {"a": "alpha", "b": "beta"})
    assert Index.open(domain).sources() == ["a"]


@pytest.mark.parametrize("blobs", [[b"\0\0", b"\0\0\0\0"], [b"\0"], [b"\0\x7e"]])
def test_vectors_of_different_kinds_are_none(blobs):
    with pytest.raises(IndexCorrupt):
        decode_vectors(blobs)


@pytest.mark.slow
def test_a_locked_database_is_told_in_seconds(tmp_path, monkeypatch):
    with sqlite3.connect(tmp_path / "store.sqlite") as holder:
        holder.execute("CREATE TABLE t(a)")
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    with pytest.raises(IndexLocked):
        Store(tmp_path / "store.sqlite", read_only=False)
    with pytest.raises(IndexLocked):
        VectorCache(tmp_path / "store.sqlite")
    assert time.monotonic() - began < 15
    holder.close()
