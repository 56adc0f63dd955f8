"""The same chunks with the vectors of a tuned embedder: beside what is in force, then instead of it."""

import dataclasses
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.errors import IndexCorrupt, IndexMismatch, IndexMissing, StorageError
from hybrid.index import Index, embedding, generations, read_state, require_embedder, rollback
from hybrid.index.generations import current, finished, read_manifest
from hybrid.index.store import Store
from hybrid.index.sync import discard, generation_for, put_in_force, reembed
from hybrid.testing import HashEmbedder

_TEXTS = {"a.txt": "alpha port server. " * 6, "b.txt": "beta zebra", "c.txt": "reject: damaged"}


class Tuned(HashEmbedder):
    """The usual fake with an adapter: the same words, other vectors."""

    def __init__(self, adapter="tuned", dimension=16):
        super().__init__(dimension)
        self.adapter = adapter

    @property
    def fingerprint(self):
        return dataclasses.replace(super().fingerprint, adapter=self.adapter)

    def _embed(self, texts):
        return np.roll(super()._embed(texts), len(self.adapter), axis=1)


def _seen(index):
    chunks = index.chunks(range(index.manifest.counts.chunks))
    documents = [index.document(source) for source in index.sources()]
    return chunks, documents, index.rejected(), index.search_lexical("alpha zebra port", 20)


@pytest.mark.slow
def test_only_the_vectors_change(corpus, domain):
    corpus.update(domain, _TEXTS)
    tuned = Tuned()
    manifest = reembed(domain, tuned)
    base, other = Index.open(domain), Index.built_with(domain, tuned.fingerprint)
    assert base.manifest.embedder.adapter == ""
    assert other.manifest == manifest
    assert _seen(base) == _seen(other)
    assert (manifest.folder, manifest.chunks, manifest.counts) == (
        base.manifest.folder,
        base.manifest.chunks,
        base.manifest.counts,
    )
    everything = range(manifest.counts.chunks)
    texts = [chunk.embedded_text for chunk in base.chunks(everything)]
    for axis in np.eye(16, dtype=np.float32):
        assert other.cosines(axis, everything) == pytest.approx(
            [float(vector @ axis) for vector in Tuned().embed_documents(texts)], abs=1e-3
        )
    assert tuned.embedded == len(set(texts))
    other.verify()


@pytest.mark.slow
def test_it_is_not_in_force_until_it_is_put_there_and_rollback_goes_back(corpus, domain):
    corpus.update(domain, _TEXTS)
    manifest = reembed(domain, Tuned())
    assert current(domain) != manifest.generation
    require_embedder(Index.open(domain).manifest, HashEmbedder(16).fingerprint)
    with pytest.raises(IndexMismatch):
        require_embedder(manifest, HashEmbedder(16).fingerprint)
    assert put_in_force(domain, Tuned().fingerprint) == manifest
    assert put_in_force(domain, Tuned().fingerprint) == manifest
    assert current(domain) == manifest.generation
    with pytest.raises(IndexMismatch, match="adapter 'tuned' is now ''"):
        require_embedder(Index.open(domain).manifest, HashEmbedder(16).fingerprint)
    rollback(domain)
    require_embedder(Index.open(domain).manifest, HashEmbedder(16).fingerprint)


@pytest.mark.slow
def test_what_is_there_is_not_built_again(corpus, domain):
    corpus.update(domain, _TEXTS)
    first = reembed(domain, Tuned())
    again = Tuned()
    assert reembed(domain, again) == first
    assert again.embedded == 0
    base = HashEmbedder(16)
    assert reembed(domain, base).generation == current(domain)
    put_in_force(domain, again.fingerprint)
    assert generation_for(domain, base.fingerprint) == first.previous
    assert reembed(domain, base).generation == first.previous
    assert base.embedded == 0


@pytest.mark.slow
def test_after_an_update_the_old_vectors_are_out_of_date_and_only_news_are_embedded(corpus, domain):
    corpus.update(domain, _TEXTS)
    old = reembed(domain, Tuned())
    corpus.update(domain, _TEXTS | {"d.txt": "a new one", "b.txt": "beta changed"})
    assert generation_for(domain, Tuned().fingerprint) is None
    with pytest.raises(IndexMissing, match="or was not since its documents changed"):
        Index.built_with(domain, Tuned().fingerprint)
    with pytest.raises(IndexMissing):
        put_in_force(domain, Tuned().fingerprint)
    assert old.generation in finished(domain)
    tuned = Tuned()
    assert reembed(domain, tuned).counts.files == 4
    assert tuned.embedded == 2


@pytest.mark.slow
def test_a_promoted_embedder_goes_on_with_updates_that_read_only_what_changed(corpus, domain):
    corpus.update(domain, _TEXTS)
    reembed(domain, Tuned())
    put_in_force(domain, Tuned().fingerprint)
    tuned, read = Tuned(), []
    assert corpus.update(domain, _TEXTS, tuned, loaded=read).plan.nothing_to_do
    corpus.update(domain, _TEXTS | {"b.txt": "beta changed"}, tuned, loaded=read)
    assert (read, tuned.embedded) == (["b.txt"], 1)
    state = read_state(domain)
    assert state.manifest.embedder.adapter == "tuned"
    fresh = domain.parent / "fresh"
    corpus.update(fresh, _TEXTS | {"b.txt": "beta changed"}, Tuned())
    grown, new = Index.open(domain), Index.open(fresh)
    assert _seen(grown) == _seen(new)
    for axis in np.eye(16, dtype=np.float32):
        assert grown.cosines(axis, range(3)) == new.cosines(axis, range(3))


def test_another_model_is_refused(corpus, domain, other_embedder):
    corpus.update(domain, _TEXTS)
    with pytest.raises(IndexMismatch, match="is another model") as caught:
        reembed(domain, other_embedder)
    assert "--rebuild" in caught.value.hint
    with pytest.raises(IndexMissing):
        reembed(domain.parent / "nothing", Tuned())


# --- which generations stay ------------------------------------------------------------------------


@pytest.mark.slow
def test_updates_keep_the_latest_generation_of_every_adapter_on_the_same_base(corpus, domain):
    corpus.update(domain, _TEXTS)
    one, two = reembed(domain, Tuned("one")), reembed(domain, Tuned("other"))
    for word in ("x", "y", "z"):
        corpus.update(domain, _TEXTS | {"d.txt": word})
    assert {one.generation, two.generation} < set(finished(domain))
    assert len(finished(domain)) == 4
    newer = reembed(domain, Tuned("one"))
    corpus.update(domain, _TEXTS)
    assert newer.generation in finished(domain)
    assert one.generation not in finished(domain)


@pytest.mark.slow
def test_another_base_makes_all_of_them_useless(corpus, domain, other_embedder):
    corpus.update(domain, _TEXTS)
    reembed(domain, Tuned())
    corpus.update(domain, _TEXTS, other_embedder, rebuild=True)
    corpus.update(domain, _TEXTS | {"d.txt": "x"}, other_embedder)
    assert len(finished(domain)) == 2


@pytest.mark.slow
def test_a_damaged_generation_is_in_nobodys_way(corpus, domain):
    corpus.update(domain, _TEXTS)
    manifest = reembed(domain, Tuned())
    (domain / "generations" / manifest.generation / "manifest.json").write_text("{")
    assert generation_for(domain, Tuned().fingerprint) is None
    discard(domain, "tuned")
    corpus.update(domain, _TEXTS | {"d.txt": "x"})
    assert manifest.generation not in finished(domain)


@pytest.mark.slow
def test_a_removed_adapter_takes_its_generation_along_unless_it_is_in_force(corpus, domain):
    corpus.update(domain, _TEXTS)
    reembed(domain, Tuned())
    discard(domain, "another")
    assert len(finished(domain)) == 2
    discard(domain, "")
    discard(domain, "tuned")
    assert finished(domain) == [current(domain)]
    reembed(domain, Tuned())
    put_in_force(domain, Tuned().fingerprint)
    discard(domain, "tuned")
    assert read_manifest(domain, current(domain)).embedder.adapter == "tuned"


# --- interrupted -----------------------------------------------------------------------------------


class Stopped(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("where", ["rekey", "embed", "build", "manifest"])
def test_an_interrupted_run_leaves_what_is_in_force_and_is_resumed(corpus, domain, monkeypatch, where):
    corpus.update(domain, _TEXTS)
    before = corpus.snapshot(domain)
    tuned = Tuned()

    def stop(*arguments, **options):
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(embedding, "BATCH", 1)
        target = {
            "rekey": (Store, "rekey"),
            "build": (generations, "build_dense"),
            "manifest": (generations, "finish"),
        }
        if where in target:
            patch.setattr(*target[where], stop)
        progress = stop if where == "embed" else None
        with pytest.raises(Stopped):
            reembed(domain, tuned, progress=progress)
    assert corpus.snapshot(domain) == before
    assert generation_for(domain, tuned.fingerprint) is None
    resumed = Tuned()
    reembed(domain, resumed)
    assert tuned.embedded + resumed.embedded == len({c.embedded_text for c in before["chunks"]})
    assert corpus.snapshot(domain) == before
    assert _seen(Index.built_with(domain, tuned.fingerprint)) == _seen(Index.open(domain))


@pytest.mark.slow
def test_what_was_staged_for_another_state_is_not_gone_on_with(corpus, domain, monkeypatch):
    corpus.update(domain, {"a": "one"})
    corpus.update(domain, {"a": "two"})
    with monkeypatch.context() as patch:
        patch.setattr(generations, "build_dense", lambda *a, **k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            reembed(domain, Tuned())
    rollback(domain)
    reembed(domain, Tuned())
    index = Index.built_with(domain, Tuned().fingerprint)
    assert [index.document(source).text for source in index.sources()] == ["one"]


def test_a_full_disk_is_a_storage_error(corpus, domain, monkeypatch):
    corpus.update(domain, _TEXTS)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(StorageError):
        reembed(domain, Tuned())
    assert len(finished(domain)) == 1


def test_damage_is_not_copied(corpus, domain):
    corpus.update(domain, _TEXTS)
    store = domain / "generations" / current(domain) / "store.sqlite"
    store.write_bytes(store.read_bytes() + b"x")
    with pytest.raises(IndexCorrupt):
        reembed(domain, Tuned())


@pytest.mark.slow
@settings(max_examples=15)
@given(st.lists(st.sampled_from(["update", "embed", "promote", "back"]), min_size=1, max_size=6))
def test_whatever_the_order_an_index_holds_the_vectors_of_its_own_embedder(corpus, tmp_path_factory, steps):
    domain = tmp_path_factory.mktemp("any") / "manual"
    corpus.update(domain, _TEXTS)
    for number, step in enumerate(steps):
        adapter = read_manifest(domain, current(domain)).embedder.adapter
        own = Tuned() if adapter else HashEmbedder(16)
        if step == "update":
            corpus.update(domain, _TEXTS | {"d.txt": f"edition {number}"}, own)
        elif step == "embed":
            reembed(domain, Tuned())
        elif step == "promote" and generation_for(domain, Tuned().fingerprint):
            put_in_force(domain, Tuned().fingerprint)
        elif step == "back" and read_manifest(domain, current(domain)).previous in finished(domain):
            rollback(domain)
        index = Index.open(domain)
        model = Tuned() if index.manifest.embedder.adapter else HashEmbedder(16)
        everything = range(index.manifest.counts.chunks)
        assert len(everything) >= len(_TEXTS)
        vectors = model.embed_documents([chunk.embedded_text for chunk in index.chunks(everything)])
        for vector, position in zip(vectors, everything, strict=True):
            assert index.cosines(vector, [position])[0] == pytest.approx(1, abs=1e-3)
        index.close()
