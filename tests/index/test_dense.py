"""The dense side: three kinds of index, their measured recall, filters."""

import numpy as np
import pytest

from hybrid.errors import IndexCorrupt, StorageError
from hybrid.files import hash_file
from hybrid.index import dense
from hybrid.index.dense import DenseIndex, DenseKind, build_dense, kind_for

_KINDS = list(DenseKind)


def _unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _clustered(count, dimension=32, *, seed=0, spread=0.35):
    generator = np.random.default_rng(seed)
    centres = _unit(generator.standard_normal((40, dimension)))
    rows = centres[generator.integers(0, 40, count)] + spread * generator.standard_normal((count, dimension))
    return _unit(rows)


def _build(path, vectors, kind=None, *, block=700, seed=0):
    report = build_dense(
        path,
        lambda: (vectors[start : start + block] for start in range(0, len(vectors), block)),
        dimension=vectors.shape[1],
        vectors=len(vectors),
        kind=kind,
        seed=seed,
    )
    return DenseIndex(path, report, checksum=hash_file(path)), report


@pytest.fixture(scope="module")
def vectors():
    return _clustered(4_000)


@pytest.fixture(scope="module")
def indexes(vectors, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dense")
    return {kind: _build(folder / kind, vectors, kind) for kind in _KINDS}


def _recall(index, vectors, queries, k=10):
    scores = queries @ vectors.T
    exact = np.argsort(-scores, axis=1)[:, :k]
    found = [{scored.position for scored in index.search(query, k)} for query in queries]
    return np.mean([len(set(row) & hits) / k for row, hits in zip(exact.tolist(), found, strict=True)])


def test_the_kind_follows_the_size():
    assert kind_for(0) is DenseKind.EXACT
    assert kind_for(dense.EXACT_UP_TO) is DenseKind.EXACT
    assert kind_for(dense.EXACT_UP_TO + 1) is DenseKind.HNSW
    assert kind_for(dense.GRAPH_UP_TO) is DenseKind.HNSW
    assert kind_for(dense.GRAPH_UP_TO + 1) is DenseKind.IVF


@pytest.mark.slow
@pytest.mark.parametrize("kind", _KINDS)
def test_the_recall_in_the_report_is_the_recall_that_searching_has(indexes, vectors, kind):
    index, report = indexes[kind]
    assert (report.kind, report.dimension, report.vectors) == (kind, 32, 4_000)
    queries = _clustered(200, seed=5)
    assert _recall(index, vectors, queries) >= 0.95
    assert report.recall_at_10 >= 0.95


@pytest.mark.parametrize("kind", _KINDS)
def test_scores_are_cosines_best_first(indexes, vectors, kind):
    index, _ = indexes[kind]
    query = vectors[17]
    found = index.search(query, 20)
    scores = [scored.score for scored in found]
    assert scores == sorted(scores, reverse=True)
    assert found[0].position == 17
    tolerance = 0.02 if kind is DenseKind.IVF else 1e-5
    for scored in found:
        assert scored.score == pytest.approx(float(vectors[scored.position] @ query), abs=tolerance)


@pytest.mark.parametrize("kind", _KINDS)
def test_stored_vectors_come_back(indexes, vectors, kind):
    index, _ = indexes[kind]
    back = index.vectors([5, 3999, 0])
    assert back == pytest.approx(vectors[[5, 3999, 0]], abs=0.02 if kind is DenseKind.IVF else 0)
    assert index.vectors([]).shape == (0, 32)


@pytest.mark.parametrize("kind", _KINDS)
def test_more_than_there_are_gives_all_that_are_found_once(tmp_path, kind):
    few = _clustered(60)
    index, _ = _build(tmp_path / "few", few, kind)
    positions = [scored.position for scored in index.search(few[0], 500)]
    assert len(positions) == len(set(positions)) <= 60
    assert all(0 <= position < 60 for position in positions)
    assert len(positions) == 60


@pytest.mark.slow
@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("share", [0.002, 0.02, 0.5])
def test_a_search_among_some_positions_finds_the_best_of_those(indexes, vectors, kind, share):
    index, _ = indexes[kind]
    generator = np.random.default_rng(1)
    among = np.sort(generator.choice(len(vectors), int(share * len(vectors)), replace=False)).tolist()
    recalls = []
    for query in _clustered(20, seed=8):
        found = [scored.position for scored in index.search(query, 10, among=among)]
        assert set(found) <= set(among)
        wanted = sorted(among, key=lambda position: -float(vectors[position] @ query))[:10]
        recalls.append(len(set(found) & set(wanted)) / len(wanted))
    assert np.mean(recalls) >= 0.9


def test_a_search_among_nothing_finds_nothing(indexes, vectors):
    assert indexes[DenseKind.EXACT][0].search(vectors[0], 5, among=[]) == []


def test_without_vectors_a_search_finds_nothing(tmp_path):
    index, report = _build(tmp_path / "none", np.empty((0, 8), dtype=np.float32))
    assert report.kind is DenseKind.EXACT
    assert index.search(np.ones(8, dtype=np.float32), 5) == []


@pytest.mark.slow
def test_effort_is_raised_until_the_recall_is_reached(tmp_path, monkeypatch):
    hard = _unit(np.random.default_rng(3).standard_normal((3_000, 64)))
    monkeypatch.setattr(dense, "_EFFORTS", (1, 4, 16, 64, 256, 1024))
    index, report = _build(tmp_path / "hard", hard, DenseKind.HNSW)
    assert report.effort > 4
    assert report.recall_at_10 >= dense.RECALL_TARGET
    assert _recall(index, hard, _unit(np.random.default_rng(4).standard_normal((100, 64)))) > 0.85


def test_a_recall_that_stays_low_is_reported_as_it_is(tmp_path, monkeypatch):
    hard = _unit(np.random.default_rng(3).standard_normal((3_000, 96)))
    monkeypatch.setattr(dense, "_EFFORTS", (1, 2))
    monkeypatch.setattr(dense, "_LINKS", 4)
    monkeypatch.setattr(dense, "_BUILD_EFFORT", 4)
    _, report = _build(tmp_path / "hard", hard, DenseKind.HNSW)
    assert report.effort == 2
    assert report.recall_at_10 < dense.RECALL_TARGET


@pytest.mark.parametrize("kind", _KINDS)
def test_the_same_vectors_in_other_blocks_make_the_same_index(tmp_path, kind):
    few = _clustered(500)
    one, _ = _build(tmp_path / "one", few, kind, block=500)
    other, _ = _build(tmp_path / "other", few, kind, block=33)
    if kind is not DenseKind.HNSW:  # its graph is built by several threads
        assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    best = [[scored.position for scored in index.search(few[3], 5)] for index in (one, other)]
    assert best[0][0] == best[1][0] == 3


@pytest.mark.slow
def test_a_filter_on_another_cluster_than_the_question_is_exact(tmp_path):
    rng = np.random.default_rng(5)
    near, far = np.eye(16, dtype=np.float32)[:2]
    rows = np.concatenate(
        [near + 0.1 * rng.standard_normal((3_000, 16)), far + 0.1 * rng.standard_normal((3_000, 16))]
    )
    rows = _unit(rows.astype(np.float32))
    index, _ = _build(tmp_path / "two", rows, DenseKind.HNSW)
    allowed = list(range(3_000, 6_000))
    found = [scored.position for scored in index.search(near, 10, among=allowed)]
    assert found == (3_000 + np.argsort(-(rows[3_000:] @ near), kind="stable")[:10]).tolist()


def test_the_training_sample_is_drawn_from_the_whole_stream():
    rows = np.arange(1_000, dtype=np.float32)[:, None]
    drawn = dense._sample(iter(np.split(rows, 10)), 1_000, 300, seed=0)
    assert 200 < len(drawn) < 400
    assert drawn.max() > 900
    assert drawn.min() < 100


def test_the_checksum_is_verified_before_faiss_reads(tmp_path, monkeypatch):
    import faiss

    _, report = _build(tmp_path / "a", _clustered(50))
    monkeypatch.setattr(
        faiss, "read_index", lambda *_: pytest.fail("FAISS read a file that was not verified")
    )
    with pytest.raises(IndexCorrupt):
        DenseIndex(tmp_path / "a", report, checksum="0" * 64)
    with pytest.raises(IndexCorrupt, match="missing"):
        DenseIndex(tmp_path / "none", report, checksum="0" * 64)


def test_a_file_that_faiss_cannot_read_is_corrupt(tmp_path):
    _, report = _build(tmp_path / "a", _clustered(50))
    (tmp_path / "b").write_bytes(b"nothing of FAISS")
    with pytest.raises(IndexCorrupt, match="cannot be read by FAISS"):
        DenseIndex(tmp_path / "b", report, checksum=hash_file(tmp_path / "b"))


def test_a_disk_that_is_full_is_a_storage_error(tmp_path):
    full = tmp_path / "full"
    try:
        full.symlink_to("/dev/full")
        with pytest.raises(StorageError, match="no space left"):
            _build(full, _clustered(5_000))
    except FileNotFoundError:
        pytest.skip("there is no /dev/full")


def test_a_folder_that_is_not_there_is_not_called_a_full_disk(tmp_path):
    with pytest.raises((OSError, RuntimeError), match="No such file"):
        _build(tmp_path / "none" / "dense.faiss", _clustered(50))


def _shards_of(trained, vectors, size):
    import faiss

    for start in range(0, len(vectors), size):
        shard = faiss.clone_index(trained)
        shard.add(vectors[start : start + size])
        yield shard


def _trained(vectors, seed=1234):
    index = dense._empty(DenseKind.IVF, vectors.shape[1], len(vectors))
    index.cp.seed = seed
    index.train(vectors)
    return index


def test_shards_get_the_ids_behind_those_that_are_there():
    import faiss

    rows = _clustered(400, 16)
    trained = _trained(rows)
    whole = faiss.clone_index(trained)
    whole.add(rows)
    merged = faiss.clone_index(trained)
    dense.merge_shards(merged, _shards_of(trained, rows, 130))
    assert faiss.serialize_index(merged).tobytes() == faiss.serialize_index(whole).tobytes()
    everywhere = faiss.SearchParametersIVF(nprobe=merged.nlist)
    assert merged.search(rows, 1, params=everywhere)[1][:, 0].tolist() == list(range(400))
    # what FAISS does without the offset, and says nothing of
    silent = faiss.clone_index(trained)
    for shard in _shards_of(trained, rows, 130):
        silent.merge_from(shard, 0)
    assert silent.search(rows, 1, params=everywhere)[1].max() < 130


def test_a_shard_of_another_training_is_refused():
    rows = _clustered(400, 16)
    with pytest.raises(IndexCorrupt, match="filled by another index"):
        dense.merge_shards(_trained(rows), _shards_of(_trained(rows, seed=7), rows, 200))


def test_many_shards_make_the_bytes_of_one(tmp_path, monkeypatch):
    rows = _clustered(300, 16)
    _build(tmp_path / "one", rows, DenseKind.IVF, block=50)
    monkeypatch.setattr(dense, "_SHARD", 100)
    _build(tmp_path / "three", rows, DenseKind.IVF, block=50)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "three").read_bytes()


@pytest.mark.parametrize("kind", _KINDS)
def test_a_filter_fills_k_wherever_the_allowed_ones_lie(indexes, vectors, kind):
    index, _ = indexes[kind]
    query = vectors[17]
    far = np.argsort(vectors @ query)[:40]
    found = index.search(query, 30, among=sorted(far.tolist()))
    assert len(found) == 30 and {scored.position for scored in found} <= set(far.tolist())
