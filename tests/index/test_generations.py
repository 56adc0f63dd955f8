"""Generations: manifests, the switch, going back, damage."""

import dataclasses
import json
import shutil

import pytest

from hybrid.errors import HybridError, IndexCorrupt, IndexLocked, IndexMismatch, IndexMissing
from hybrid.files import folder_lock
from hybrid.index import Index, domains, require_embedder, rollback
from hybrid.index.generations import current, finished, read_manifest, switch
from hybrid.testing import HashEmbedder


def _texts(index):
    return [index.document(source).text for source in index.sources()]


# --- the manifest ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_manifest_says_what_the_generation_is(corpus, domain):
    manifest = corpus.update(domain, {"a": "alpha port", "b": "reject: x"}).manifest
    assert read_manifest(domain, current(domain)) == manifest
    assert manifest.embedder == HashEmbedder(16).fingerprint
    assert manifest.chunks == corpus.chunks
    assert (manifest.counts.files, manifest.counts.documents, manifest.counts.rejected) == (2, 1, 1)
    assert manifest.dense.recall_at_10 == 1.0
    assert {"store.sqlite", "dense.faiss"} < set(manifest.sha256)
    assert any(name.startswith("lexical/") for name in manifest.sha256)


def _damage(manifest_path, how):
    value = json.loads(manifest_path.read_text())
    match how:
        case "missing":
            manifest_path.unlink()
        case "empty":
            manifest_path.write_text("")
        case "half":
            manifest_path.write_text(manifest_path.read_text()[:100])
        case "list":
            manifest_path.write_text("[1]")
        case "no text":
            manifest_path.write_bytes(b"\xff\xfe\x00")
        case "without a key":
            del value["embedder"]
            manifest_path.write_text(json.dumps(value))
        case "unknown kind":
            value["dense"]["kind"] = "magic"
            manifest_path.write_text(json.dumps(value))
        case "unknown key":
            value["more"] = 1
            manifest_path.write_text(json.dumps(value))


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", ["missing", "empty", "half", "list", "no text", "without a key", "unknown kind", "unknown key"]
)
def test_a_damaged_manifest_is_refused_with_what_to_do(corpus, domain, how):
    corpus.update(domain, {"a": "alpha"})
    _damage(domain / "generations" / current(domain) / "manifest.json", how)
    with pytest.raises(IndexCorrupt, match=r"manifest\.json cannot be read") as caught:
        Index.open(domain)
    assert "rollback" in caught.value.hint


@pytest.mark.slow
def test_another_format_is_refused_with_the_rebuild(corpus, domain):
    corpus.update(domain, {"a": "alpha"})
    path = domain / "generations" / current(domain) / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))
    with pytest.raises(IndexMismatch, match="has format 99") as caught:
        Index.open(domain)
    assert "--rebuild" in caught.value.hint


@pytest.mark.slow
def test_a_rebuild_repairs_a_damaged_generation(corpus, domain):
    corpus.update(domain, {"a": "alpha"})
    _damage(domain / "generations" / current(domain) / "manifest.json", "missing")
    corpus.update(domain, {"a": "alpha"}, rebuild=True)
    assert _texts(Index.open(domain)) == ["alpha"]


# --- the pointer -----------------------------------------------------------------------------------


def test_a_domain_without_an_index_says_how_to_build_one(tmp_path):
    with pytest.raises(IndexMissing, match="no index for the domain 'manual'") as caught:
        Index.open(tmp_path / "manual")
    assert "hybrid index FOLDER --domain manual" in caught.value.hint


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"000099\n", b"", b"../../etc\n", b"\xff\xfe\n"])
def test_a_pointer_that_leads_nowhere_is_an_index_error(corpus, domain, content):
    corpus.update(domain, {"a": "alpha"})
    (domain / "CURRENT").write_bytes(content)
    with pytest.raises(IndexCorrupt) as caught:
        Index.open(domain)
    assert caught.value.hint


@pytest.mark.slow
def test_a_generation_without_its_manifest_is_not_finished(corpus, domain):
    corpus.update(domain, {"a": "alpha"})
    (domain / "generations" / "000007").mkdir()
    assert finished(domain) == ["000001"]
    assert corpus.update(domain, {"a": "beta"}).manifest.generation == "000008"
    assert finished(domain) == ["000001", "000008"]
    assert not (domain / "generations" / "000007").exists()


@pytest.mark.slow
def test_domains_are_those_with_an_index(corpus, tmp_path):
    corpus.update(tmp_path / "indexes" / "b", {"a": "alpha"})
    corpus.update(tmp_path / "indexes" / "a", {"a": "alpha"})
    (tmp_path / "indexes" / "empty").mkdir()
    assert list(domains(tmp_path / "indexes")) == ["a", "b"]
    assert list(domains(tmp_path / "nothing")) == []


# --- going back ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_rollback_goes_back_one(corpus, domain):
    corpus.update(domain, {"a": "one"})
    corpus.update(domain, {"a": "two"})
    manifest = rollback(domain)
    assert manifest.generation == current(domain)
    assert _texts(Index.open(domain)) == ["one"]


@pytest.mark.slow
def test_rollback_without_a_generation_before_is_an_error(corpus, domain):
    corpus.update(domain, {"a": "one"})
    with pytest.raises(IndexMissing, match="no generation before"):
        rollback(domain)
    with pytest.raises(IndexMissing):
        rollback(domain.parent / "none")
    assert _texts(Index.open(domain)) == ["one"]


@pytest.mark.slow
def test_after_a_rollback_the_next_update_builds_on_what_is_in_force(corpus, domain):
    corpus.update(domain, {"a": "one"})
    corpus.update(domain, {"a": "two"})
    rollback(domain)
    update = corpus.update(domain, {"a": "one", "b": "three"})
    assert update.plan.kept == ("a",)
    assert _texts(Index.open(domain)) == ["one", "three"]


@pytest.mark.slow
def test_rollback_after_a_rollback_and_an_update_restores_what_was_in_force(corpus, domain):
    corpus.update(domain, {"a": "good"})
    corpus.update(domain, {"a": "bad"})
    rollback(domain)
    corpus.update(domain, {"a": "newer"})
    rollback(domain)
    assert _texts(Index.open(domain)) == ["good"]


@pytest.mark.slow
def test_rollback_refuses_a_generation_that_changed(corpus, domain):
    corpus.update(domain, {"a": "one"})
    corpus.update(domain, {"a": "two"})
    store = domain / "generations" / "000001" / "store.sqlite"
    store.write_bytes(store.read_bytes() + b"x")
    with pytest.raises(IndexCorrupt, match=r"store\.sqlite"):
        rollback(domain)
    assert _texts(Index.open(domain)) == ["two"]


@pytest.mark.slow
def test_rollback_waits_for_no_writer(corpus, domain):
    corpus.update(domain, {"a": "one"})
    corpus.update(domain, {"a": "two"})
    with folder_lock(domain), pytest.raises(IndexLocked):
        rollback(domain)


@pytest.mark.slow
def test_two_generations_are_kept(corpus, domain):
    for word in ("one", "two", "three", "four"):
        corpus.update(domain, {"a": word})
    assert finished(domain) == ["000003", "000004"]


# --- tampering -------------------------------------------------------------------------------------


def test_tampered_vectors_are_refused_before_faiss_sees_them(corpus, domain, monkeypatch):
    import faiss

    corpus.update(domain, {"a": "alpha"})
    path = domain / "generations" / current(domain) / "dense.faiss"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    monkeypatch.setattr(faiss, "read_index", lambda *_: pytest.fail("FAISS read a tampered file"))
    with pytest.raises(IndexCorrupt, match=r"dense\.faiss is not the file that was built") as caught:
        Index.open(domain)
    assert "hybrid rollback" in caught.value.hint


def test_vectors_without_a_recorded_checksum_are_refused(corpus, domain):
    corpus.update(domain, {"a": "alpha"})
    path = domain / "generations" / current(domain) / "manifest.json"
    value = json.loads(path.read_text())
    del value["sha256"]["dense.faiss"]
    path.write_text(json.dumps(value))
    with pytest.raises(IndexCorrupt):
        Index.open(domain)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["store.sqlite", "dense.faiss", "lexical/meta.json"])
@pytest.mark.parametrize("how", ["missing", "garbage"])
def test_a_missing_or_foreign_file_is_an_index_error(corpus, domain, name, how):
    corpus.update(domain, {"a": "alpha"})
    path = domain / "generations" / current(domain) / name
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(b"garbage " * 500)
    with pytest.raises(HybridError) as caught:
        index = Index.open(domain)
        index.search_lexical("alpha", 3)
        index.chunks([0])
    assert isinstance(caught.value, IndexCorrupt)


def test_a_missing_lexical_folder_is_an_index_error(corpus, domain):
    corpus.update(domain, {"a": "alpha"})
    shutil.rmtree(domain / "generations" / current(domain) / "lexical")
    with pytest.raises(IndexCorrupt):
        Index.open(domain)


def test_verify_finds_every_changed_file(corpus, domain):
    corpus.update(domain, {"a": "alpha"})
    index = Index.open(domain)
    index.verify()
    assert index.manifest.sha256
    for name in index.manifest.sha256:
        path = index.folder / name
        raw = path.read_bytes()
        path.write_bytes(raw + b"x")
        with pytest.raises(IndexCorrupt, match=path.name):
            index.verify()
        path.write_bytes(raw)
    index.verify()


# --- the embedder ----------------------------------------------------------------------------------


def test_another_embedder_is_refused_with_what_differs_and_the_repair(corpus, domain, other_embedder):
    manifest = corpus.update(domain, {"a": "alpha"}).manifest
    require_embedder(manifest, HashEmbedder(16).fingerprint)
    with pytest.raises(IndexMismatch, match="is now 'others'") as caught:
        require_embedder(manifest, other_embedder.fingerprint)
    assert "--rebuild" in caught.value.hint
    assert "models.embedder = 'fake/hash'" in caught.value.hint
    with pytest.raises(IndexMismatch, match="dimension 16 is now 8"):
        require_embedder(manifest, HashEmbedder(8).fingerprint)


def test_the_same_weights_under_another_name_are_the_same_embedder(corpus, domain):
    manifest = corpus.update(domain, {"a": "alpha"}).manifest
    renamed = dataclasses.replace(manifest.embedder, name="a/path/here")
    assert renamed != manifest.embedder
    require_embedder(manifest, renamed)
    with pytest.raises(IndexMismatch, match="is now 'others'"):
        require_embedder(manifest, dataclasses.replace(renamed, weights="others"))


@pytest.mark.slow
def test_switching_is_one_rename(corpus, domain):
    corpus.update(domain, {"a": "one"})
    corpus.update(domain, {"a": "two"})
    switch(domain, "000001")
    assert (domain / "CURRENT").read_text() == "000001\n"
    assert _texts(Index.open(domain)) == ["one"]
