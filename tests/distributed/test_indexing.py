"""The index is the same to the byte whoever embeds it, and whatever dies meanwhile."""

import functools

import pytest

from hybrid.assistant import Assistant
from hybrid.cli import index
from hybrid.cli.app import run
from hybrid.config import load_settings
from hybrid.errors import UsageError
from hybrid.index import embedding
from hybrid.index.generations import current, read_manifest
from hybrid.testing import HashEmbedder
from tests.distributed.faults import DyingEmbedder

_FILES = 24


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(embedding, "BATCH", 8)


@pytest.fixture
def folder(tmp_path):
    return _written(tmp_path / "docs")


def _written(folder):
    """Write pages, each longer than the one before, of which one has a word to die of."""
    folder.mkdir()
    for number in range(_FILES):
        word = "poison" if number == 17 else "water"
        text = (
            f"Page {number} is about {word}.\n\n"
            + f"The valve {number} closes at {number * 7} bar. " * number
        )
        (folder / f"{number:02}.txt").write_text(text)
    return folder


def _assistant(tmp_path, name, embedder):
    settings = load_settings(
        {"indexes": str(tmp_path), "chunks": {"max_tokens": 30}, "documents": {"workers": 1}}
    )
    return Assistant(name, settings=settings, embedder=embedder)


def _sums(assistant):
    """Return the checksums of what does not depend on the time or on a library that draws names."""
    sums = read_manifest(assistant.folder, current(assistant.folder)).sha256
    return sums["dense.faiss"], sums["store.sqlite"]


def _indexed(tmp_path, name, folder, executor, embedder=None):
    assistant = _assistant(tmp_path, name, embedder or HashEmbedder(16))
    report = assistant.index(folder, executor=executor)
    assert not (assistant.folder / "plans").exists()
    return assistant, report


@pytest.mark.slow
def test_threads_make_the_same_index_as_one(tmp_path, folder):
    serial, report = _indexed(tmp_path, "serial", folder, "serial")
    assert report.embedded > 3 * embedding.BATCH
    threads, _ = _indexed(tmp_path, "threads", folder, "threads:3")
    assert _sums(threads) == _sums(serial)


def _commanded(tmp_path, monkeypatch, name, folder, executor, embedder=None):
    """Index by the command, with the fake unless the settings name a model."""
    monkeypatch.setenv("HYBRID_CHUNKS__MAX_TOKENS", "30")
    monkeypatch.setenv("HYBRID_DOCUMENTS__WORKERS", "1")
    monkeypatch.setattr(index, "Assistant", functools.partial(Assistant, embedder=embedder))
    assert run(["index", str(folder), "-d", name, "--executor", executor]) == 0
    return _assistant(tmp_path / "indexes", name, None)


@pytest.mark.slow
@pytest.mark.parametrize("own", [True, False], ids=["a fake", "a model of the settings"])
def test_the_command_makes_the_same_index_by_processes(
    tmp_path, folder, monkeypatch, tiny_embedder_folder, own
):
    monkeypatch.setenv("HYBRID_MODELS__EMBEDDER", str(tiny_embedder_folder))
    monkeypatch.setenv("HYBRID_CHUNKS__HEADING_TOKENS", "4")
    monkeypatch.setenv("HYBRID_CHUNKS__OVERLAP_TOKENS", "0")
    here = HashEmbedder(16) if own else None
    spread = _commanded(tmp_path, monkeypatch, "spread", folder, "processes:2", here)
    assert here is None or here.embedded == 0
    serial = _commanded(tmp_path, monkeypatch, "serial", folder, "serial", here)
    assert _sums(spread) == _sums(serial)


@pytest.mark.slow
def test_an_executor_that_there_is_not_is_a_mistake(tmp_path, folder):
    with pytest.raises(UsageError, match="there is no executor 'spark'"):
        _indexed(tmp_path, "serial", folder, "spark")


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 4])
def test_processes_make_the_same_index_also_when_one_is_killed_in_the_middle(tmp_path, folder, workers):
    serial, _ = _indexed(tmp_path, "serial", folder, "serial")
    processes, _ = _indexed(tmp_path, "processes", folder, f"processes:{workers}")
    assert _sums(processes) == _sums(serial)
    embedder = DyingEmbedder(tmp_path, "poison", deaths=1)
    killed, report = _indexed(tmp_path, "killed", folder, f"processes:{workers}", embedder)
    assert (tmp_path / "death-0").exists()
    assert not report.rejected
    assert _sums(killed) == _sums(serial)


@pytest.mark.slow
def test_files_of_a_batch_that_kills_its_worker_twice_are_told_and_taken_in_by_the_next_run(tmp_path, folder):
    embedder = DyingEmbedder(tmp_path, "poison", deaths=2)
    assistant, report = _indexed(tmp_path, "killed", folder, "processes:2", embedder)
    assert report.is_partial
    told = {one.source: one.reason for one in report.rejected}
    assert "17.txt" in told
    assert "chunks of " in told["17.txt"]
    assert "its worker was ended by SIGKILL, 2 times; index again" in told["17.txt"]
    kept = assistant.status(files=True).sources
    assert len(kept) == _FILES - len(told)
    assert 0 < len(kept) < _FILES
    # it has died as often as it does
    again = assistant.index(folder, executor="processes:2")
    assert not again.rejected
    assert set(again.plan.changed) == told.keys()
    serial, _ = _indexed(tmp_path, "serial", folder, "serial")
    assert _sums(assistant)[0] == _sums(serial)[0]


@pytest.mark.slow
def test_what_a_killed_run_embedded_is_not_embedded_again_when_the_folder_has_changed(tmp_path, folder):
    class Stop(BaseException):
        pass

    def stop(stage, done, total):
        if stage == "embedding" and done >= 16:
            raise Stop

    first = HashEmbedder(16)
    with pytest.raises(Stop):
        _assistant(tmp_path, "manual", first).index(folder, executor="serial", progress=stop)
    (folder / "new.txt").write_text("A page that came meanwhile.")
    second = HashEmbedder(16)
    assistant, report = _indexed(tmp_path, "manual", folder, "serial", second)
    assert first.embedded == 16
    assert second.embedded == report.embedded
    fresh, whole = _indexed(tmp_path, "fresh", folder, "serial")
    assert report.embedded == whole.embedded - 16
    assert _sums(assistant)[0] == _sums(fresh)[0]


@pytest.mark.slow
@pytest.mark.real_model
def test_the_vectors_of_a_model_are_the_same_to_the_bit(tmp_path, folder):
    serial = _assistant(tmp_path, "serial", None)
    serial.index(folder, executor="serial")
    named = {"threads": "threads:2", "processes": "processes:2"}
    others = [_assistant(tmp_path, name, None) for name in named]
    for other in others:
        other.index(folder, executor=named[other.domain])
    assert [_sums(other) for other in others] == [_sums(serial)] * 2
