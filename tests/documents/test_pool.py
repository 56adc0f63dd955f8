"""The pool of reading processes: order, limits, death and recovery."""

import itertools
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import psutil
import pytest

from hybrid.config import DocumentSettings
from hybrid.documents import ReaderPool, SourceFile, scan
from hybrid.types import Document, Rejected

ONE = DocumentSettings(workers=1)


def write(folder, **files):
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return scan(folder, ONE).files


def children():
    return [child for child in psutil.Process().children() if is_worker(child)]


def is_worker(process):
    try:
        return "hybrid.documents.pool" in " ".join(process.cmdline())
    except psutil.Error:  # gone, or not yet waited for
        return False


def wait_for_child():
    deadline = time.monotonic() + 10
    while not (found := children()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found[0]


def items(batches):
    return [item for batch in batches for item in batch.items]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_the_order_of_the_files(tmp_path, workers):
    files = [SourceFile("table.jsonl", tmp_path / "table.jsonl", 1)]
    files[0].path.write_text("".join(json.dumps({"text": f"row {number}"}) + "\n" for number in range(3000)))
    for number in range(60):
        path = tmp_path / f"{number}.txt"
        path.write_text(f"text {number}" * (1 + number % 7 * 1000))
        files.append(SourceFile(path.name, path, 1))
    with ReaderPool(DocumentSettings(workers=workers)) as pool:
        batches = list(pool.read(files))
        pids = {child.pid for child in children()}
        assert len(pids) == workers
        again = list(pool.read(files[:3]))
        assert {child.pid for child in children()} == pids
    assert children() == []
    assert [batch.file for batch in batches if batch.last] == files
    assert sum(len(batch.items) for batch in batches if batch.file == files[0]) == 3000
    assert again[-1].file == files[2]


def test_nothing_starts_before_the_first_file():
    with ReaderPool(ONE) as pool:
        assert children() == []
        assert list(pool.read([])) == []
    with pytest.raises(RuntimeError, match="closed"):
        list(pool.read([]))


@pytest.mark.slow
def test_documents_survive_the_pipe(tmp_path):
    (tmp_path / "a\n🐐.md").write_text("---\nk: v\n---\n# Goats\n\nÜber `alles`.\n")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.txt")).write_bytes(b"x")
    files = scan(tmp_path, ONE).files
    with ReaderPool(ONE) as pool:
        found = items(pool.read(files))
    from hybrid.documents import read

    assert found == [item for file in files for batch in read(file, ONE) for item in batch.items]
    assert all(isinstance(item, Document) for item in found)


@pytest.mark.slow
def test_a_frame_larger_than_a_pipe(tmp_path):
    files = write(tmp_path, a_txt="goat " * 2_000_000, b_txt="small")
    with ReaderPool(ONE) as pool:
        first, second = items(pool.read(files))
    assert len(first.text) == 9_999_999
    assert second.text == "small"


def test_a_slow_file_costs_a_reason_and_not_the_run(tmp_path):
    files = write(tmp_path, a_txt="x", b_txt="y")
    with ReaderPool(DocumentSettings(workers=1, max_seconds=0.001)) as pool:
        found = items(pool.read(files))
    assert [item.source for item in found] == ["a.txt", "b.txt"]
    assert "took longer than 0.001 s" in found[0].reason
    assert "documents.max_seconds" in found[0].reason


@pytest.mark.slow
def test_a_killed_process_is_replaced_and_its_file_read_again(tmp_path):
    files = write(tmp_path, **{f"f{number}_txt": f"text {number}" for number in range(60)})
    with ReaderPool(ONE) as pool:
        batches = pool.read(files)
        found = [next(batches)]
        for _ in range(3):
            wait_for_child().kill()
            found += itertools.islice(batches, 15)
        found += batches
    assert all(isinstance(item, Document) for item in items(found))
    assert [batch.file for batch in found] == list(files)


def test_a_file_that_kills_every_process_is_rejected(tmp_path, monkeypatch):
    files = write(tmp_path, a_txt="x")
    monkeypatch.setattr("hybrid.documents.pool._START", "import os; os.kill(os.getpid(), 9)")
    with ReaderPool(ONE) as pool:
        (item,) = items(pool.read(files))
    assert "SIGKILL" in item.reason


def test_the_last_words_of_a_process_are_reported(tmp_path, monkeypatch):
    files = write(tmp_path, a_txt="x")
    monkeypatch.setattr("hybrid.documents.pool._START", "raise SystemExit('no such module: goats')")
    with ReaderPool(ONE) as pool:
        (item,) = items(pool.read(files))
    assert "ended with code 1 (no such module: goats)" in item.reason


@pytest.mark.slow
@pytest.mark.parametrize("noise", ["garbage that is no frame", "\\0\\0\\0\\2[]", "\\0\\0\\0\\2{}"])
def test_a_process_that_talks_nonsense_is_not_believed(tmp_path, monkeypatch, noise):
    files = write(tmp_path, a_txt="x")
    code = f"import sys, time; sys.stdout.write('{noise}'); sys.stdout.flush(); sys.stdin.read()"
    monkeypatch.setattr("hybrid.documents.pool._START", code)
    with ReaderPool(DocumentSettings(workers=1, max_seconds=5)) as pool:
        (item,) = items(pool.read(files))
    assert isinstance(item, Rejected)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit address space")
def test_memory_is_capped(tmp_path):
    path = tmp_path / "big.docx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("word/document.xml", bytes(400 << 20))
    small = write(tmp_path, z_txt="fine")[-1]
    settings = DocumentSettings(workers=1, max_memory_megabytes=256, max_zip_ratio=10_000)
    with ReaderPool(settings) as pool:
        first, second = items(pool.read([SourceFile("big.docx", path, 1), small]))
    assert isinstance(first, Rejected)
    assert second.text == "fine"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit address space")
@pytest.mark.parametrize(("megabytes", "fails"), [(128, False), (512, True)])
def test_the_cap_counts_from_what_the_process_has(megabytes, fails):
    code = f"from hybrid.documents.source import cap_memory; cap_memory(256); bytearray({megabytes} << 20)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ("MemoryError" in result.stderr) is fails


@pytest.mark.slow
def test_no_orphans_when_the_parent_is_killed(tmp_path):
    write(tmp_path, a_txt="x", b_txt="y")
    code = """
import sys, time
from pathlib import Path
from hybrid.config import DocumentSettings
from hybrid.documents import ReaderPool, scan
pool = ReaderPool(DocumentSettings(workers=2))
list(pool.read(scan(Path(sys.argv[1]), DocumentSettings()).files))
print("ready", flush=True)
time.sleep(60)
"""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout.readline() == "ready\n"
        workers = psutil.Process(parent.pid).children()
        assert workers
        parent.kill()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []


@pytest.mark.slow
def test_a_consumer_may_stop_early(tmp_path):
    path = tmp_path / "table.jsonl"
    path.write_text('{"text": "row"}\n' * 100_000)
    text, table = write(tmp_path, a_txt="x")
    with ReaderPool(ONE) as pool:
        batches = pool.read([table, text])
        next(batches)
        batches.close()
        started = time.monotonic()
        assert items(pool.read([text]))[0].text == "x"
        assert time.monotonic() - started < 5


@pytest.mark.slow
def test_closing_does_not_wait_for_a_slow_file(tmp_path, monkeypatch):
    files = write(tmp_path, a_txt="x")
    monkeypatch.setattr("hybrid.documents.pool._START", "import time; time.sleep(60)")
    pool = ReaderPool(ONE)
    batches = pool.read(files)
    closer = threading.Timer(0.3, pool.close)
    closer.start()
    started = time.monotonic()
    with pytest.raises(RuntimeError, match="closed while"):
        next(batches)
    closer.join()
    assert time.monotonic() - started < 5
    assert children() == []


def test_an_error_of_the_caller_passes_through(tmp_path):
    def broken():
        yield from write(tmp_path, a_txt="x")
        raise ValueError("mine")

    with ReaderPool(ONE) as pool, pytest.raises(ValueError, match="mine"):
        list(pool.read(broken()))


def test_a_process_that_cannot_start_is_an_error(tmp_path, monkeypatch):
    files = write(tmp_path, a_txt="x")
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with ReaderPool(ONE) as pool, pytest.raises(OSError, match="No such file"):
        list(pool.read(files))


def test_what_a_library_prints_does_not_reach_the_frames(tmp_path):
    # fd 1 of the child is nowhere: a worker started by hand shows it
    code = "from hybrid.documents import pool; pool.private_stdout(); print('noise')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == ""


@pytest.mark.slow
def test_closing_ends_threads_that_wait_for_a_reader_that_nobody_gives_back(tmp_path):
    files = write(tmp_path, a_jsonl='{"text": "row"}\n' * 3000, b_txt="text")
    pool = ReaderPool(ONE)
    batches = pool.read(files)
    next(batches)
    pool._threads.submit(pool._whole, files[1])
    closing = threading.Thread(target=pool.close, daemon=True)
    closing.start()
    closing.join(10)
    assert not closing.is_alive()
