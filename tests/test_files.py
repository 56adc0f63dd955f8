"""Files that survive: atomic writes, JSON lines, the lock, checksums."""

import errno
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid import changes, files
from hybrid.errors import IndexCorrupt, IndexLocked, StorageError

_ROWS = st.lists(
    st.dictionaries(
        st.text(max_size=5),
        st.one_of(st.text(max_size=20), st.integers(), st.none(), st.booleans()),
        max_size=3,
    ),
    max_size=6,
)


def _no_space(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


# --- hashes ----------------------------------------------------------------------------------------


@pytest.mark.slow
@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_hash_of_parts_differs_exactly_when_the_parts_differ(left, right):
    assert (files.hash_text(*left) == files.hash_text(*right)) == (left == right)


def test_hash_takes_text_that_utf8_cannot_hold():
    assert files.hash_text("\udcff") != files.hash_text("?")


def test_hash_of_a_file_is_that_of_its_bytes(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert files.hash_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("name", ["manual", "Ä b-c_1.2", "日本語"])
def test_a_name_is_printable_and_on_one_level(name):
    assert files.is_name(name)
    for bad in (
        "",
        f".{name}",
        f" {name}",
        f"{name}\n",
        f"{name}/x",
        f"x\\{name}",
        f"{name}\x1b",
        f"{name}\u202e",
    ):
        assert not files.is_name(bad)
    assert not files.is_name(name * 100)


# --- atomic writes ---------------------------------------------------------------------------------


def test_write_atomic_replaces_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / "a"
    files.write_atomic(path, "one")
    files.write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert [found.name for found in tmp_path.iterdir()] == ["a"]


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_a_file_larger_than_allowed_is_a_storage_error_and_leaves_the_old_one(tmp_path):
    import resource

    path = tmp_path / "a"
    files.write_atomic(path, "old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(StorageError, match="larger than") as caught:
            files.write_atomic(path, "x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "ulimit" in caught.value.hint
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_tensors_that_the_disk_does_not_take_are_a_storage_error_too(tmp_path):
    import resource

    import torch

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(StorageError, match="larger than"):
            files.write_tensors(tmp_path / "new" / "a.safetensors", {"a": torch.zeros(50_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list((tmp_path / "new").iterdir())


@pytest.mark.parametrize(
    ("said", "told"), [(28, "no space left"), (27, "larger than"), (13, "Permission denied")]
)
def test_what_a_library_says_of_the_disk_in_words_is_a_storage_error(said, told):
    with pytest.raises(StorageError, match=told), files.storage_errors("it"):
        raise ValueError(f"An IO error occurred: 'no (os error {said})'")
    with pytest.raises(ValueError, match="os error 2"), files.storage_errors("it"):
        raise ValueError("no such file (os error 2)")


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_a_lock_and_a_log_on_a_full_disk_are_storage_errors(tmp_path):
    import resource

    changes.record(tmp_path / "manual", changes.Switched.ARM, "", "rag")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / changes.LOG).stat().st_size + 5, limits[1]))
    try:
        with pytest.raises(StorageError):
            changes.record(tmp_path / "manual", changes.Switched.ARM, "rag", "both")
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
        with pytest.raises(StorageError), files.folder_lock(tmp_path / "manual"):
            pytest.fail("it was locked")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    changes.record(tmp_path / "manual", changes.Switched.ARM, "rag", "adapter")
    assert [one.after for one in changes.read_changes(tmp_path)] == ["rag", "adapter"]


@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_full_disk_keeps_the_old_file_and_leaves_nothing_beside(tmp_path, monkeypatch, where):
    path = tmp_path / "a"
    files.write_atomic(path, "old")
    with monkeypatch.context() as patch:
        patch.setattr(*((os, "fsync") if where == "fsync" else (Path, "replace")), _no_space)
        with pytest.raises(StorageError, match="no space left") as caught:
            files.write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["a"]
    assert "free some space" in caught.value.hint
    assert caught.value.retryable


def test_a_process_that_dies_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "a"
    files.write_atomic(path, "old")
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom hybrid import files\n"
        "os.fsync = lambda descriptor: os._exit(9)\nfiles.write_atomic(Path(sys.argv[1]), 'new')"
    )
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == 9
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    "number", [errno.EACCES, errno.EROFS, errno.EPERM, errno.EFBIG, errno.EIO, errno.ENAMETOOLONG]
)
def test_a_folder_that_refuses_is_a_storage_error_that_names_the_file(number):
    with pytest.raises(StorageError, match=r"cannot write the\.file"), files.storage_errors("the.file"):
        raise OSError(number, os.strerror(number))


def test_other_system_errors_pass_through_unchanged():
    with pytest.raises(FileNotFoundError), files.storage_errors("x"):
        raise FileNotFoundError(errno.ENOENT, "gone")


def test_write_json_keeps_the_order_of_keys_and_unicode(tmp_path):
    files.write_json(tmp_path / "a.json", {"z": "ä", "a": 1})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert text.index("z") < text.index('"a"')
    assert "ä" in text


# --- JSON lines ------------------------------------------------------------------------------------


@pytest.mark.slow
@given(rows=_ROWS, data=st.data())
def test_jsonl_cut_at_any_byte_keeps_every_whole_line(tmp_path_factory, rows, data):
    path = tmp_path_factory.mktemp("jsonl") / "rows.jsonl"
    files.append_jsonl(path, rows)
    raw = path.read_bytes()
    cut = data.draw(st.integers(0, len(raw)))
    path.write_bytes(raw[:cut])
    whole = raw[:cut].count(b"\n")

    assert files.repair_jsonl(path) == cut - (raw[:cut].rfind(b"\n") + 1)
    assert [value for _, value in files.read_jsonl(path)] == rows[:whole]
    files.append_jsonl(path, [{"after": 1}])
    assert [value for _, value in files.read_jsonl(path)] == [*rows[:whole], {"after": 1}]


def test_repair_of_a_file_that_is_not_there_does_nothing(tmp_path):
    assert files.repair_jsonl(tmp_path / "none.jsonl") == 0


def test_read_jsonl_skips_blank_lines_and_a_byte_order_mark_and_numbers_lines(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\n\n{"a": 2}\n')
    assert list(files.read_jsonl(path)) == [(1, {"a": 1}), (3, {"a": 2})]


def test_read_jsonl_names_file_and_line_of_what_is_not_json(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n{"a": \n')
    with pytest.raises(ValueError, match=r"a\.jsonl, line 2: not JSON"):
        list(files.read_jsonl(path))


def test_append_to_a_full_disk_is_a_storage_error(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", _no_space)
    with pytest.raises(StorageError, match="no space left"):
        files.append_jsonl(tmp_path / "a.jsonl", [{"a": 1}])


# --- checksums -------------------------------------------------------------------------------------


def test_checksums_cover_every_file_but_the_manifest(tmp_path, write_files):
    write_files(tmp_path, {"a": "1", "b/c": "2", "manifest.json": "{}"})
    assert list(files.checksums(tmp_path)) == ["a", "b/c"]


def test_a_changed_or_missing_file_is_refused_with_the_repair(tmp_path):
    path = tmp_path / "a"
    path.write_text("x")
    good = files.hash_file(path)
    files.verify_checksum(path, good)
    path.write_text("y")
    with pytest.raises(IndexCorrupt, match="is not the file that was built") as changed:
        files.verify_checksum(path, good)
    path.unlink()
    with pytest.raises(IndexCorrupt, match="is missing") as missing:
        files.verify_checksum(path, good)
    for caught in (changed, missing):
        assert "hybrid rollback" in caught.value.hint
        assert caught.value.exit_code == 4


# --- the lock --------------------------------------------------------------------------------------


def test_the_lock_refuses_a_second_holder_and_frees_itself(tmp_path):
    with (
        files.folder_lock(tmp_path),
        pytest.raises(IndexLocked, match=f"number {os.getpid()}"),
        files.folder_lock(tmp_path),
    ):
        pass
    with files.folder_lock(tmp_path):
        pass


def test_the_lock_of_another_process_names_it_and_dies_with_it(tmp_path):
    script = (
        "import sys\nfrom pathlib import Path\nfrom hybrid.files import folder_lock\n"
        "with folder_lock(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(IndexLocked, match=f"number {other.pid}") as caught, files.folder_lock(tmp_path):
            pass
        assert caught.value.retryable
        assert "wait" in caught.value.hint
        other.kill()
    with files.folder_lock(tmp_path):
        pass


def test_free_bytes_looks_at_the_nearest_folder_that_exists(tmp_path):
    assert files.free_bytes(tmp_path / "not" / "there") > 0


def test_rows_with_letters_outside_ascii_are_written_as_they_are(tmp_path):
    path = tmp_path / "a.jsonl"
    files.append_jsonl(path, [{"a": "ü\u2028z"}])
    assert "ü" in path.read_text(encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": "ü\u2028z"}


_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@given(_VALUES)
def test_what_is_no_number_is_null_in_json_and_the_rest_as_it_was(value):
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    def finite(found):
        if isinstance(found, float) and not math.isfinite(found):
            return None
        if isinstance(found, list):
            return [finite(each) for each in found]
        return {key: finite(each) for key, each in found.items()} if isinstance(found, dict) else found

    assert json.loads(files.json_text(value), parse_constant=refuse) == finite(value)
