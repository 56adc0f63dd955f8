"""The audit log: whole after a kill, chained so that a change shows, and switches that are seen as one."""

import json
import os
import re
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.changes import LOG, Switched, read_changes, record, settled, together
from hybrid.errors import IndexCorrupt


def written(indexes, count=3):
    for number in range(count):
        record(indexes / "manual", Switched.ARM, f"rag:k={number}", f"rag:k={number + 1}", why="it is better")
    return (indexes / LOG).read_bytes().splitlines(keepends=True)


def test_a_change_says_what_when_and_by_whom(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGNAME", "anna")
    record(tmp_path / "manual", Switched.GENERATION, "", "000001")
    record(tmp_path / "manual", Switched.GENERATION, "000001", "000001")  # no change
    with together(tmp_path, why="a new reader", undoes=1):
        record(tmp_path / "manual", Switched.ARM, "rag", "both", held="{}")
        record(tmp_path / "kitchen", Switched.GENERATOR, "", "generator-001", why="not this")
    first, *both = read_changes(tmp_path)
    assert (first.number, first.batch, first.by, first.domain) == (1, 1, "anna", "manual")
    assert (first.what, first.before, first.after) == (Switched.GENERATION, "", "000001")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", first.time)
    assert [(one.number, one.batch, one.undoes, one.why) for one in both] == [
        (2, 2, 1, "a new reader"),
        (3, 2, 1, "a new reader"),
    ]
    assert read_changes(tmp_path / "none") == []


@pytest.mark.slow
@given(place=st.integers(0, 2), cut=st.integers(0, 400), letter=st.sampled_from(b'x0"}'))
def test_no_byte_of_the_log_can_be_changed_unseen(tmp_path_factory, place, cut, letter):
    indexes = tmp_path_factory.mktemp("indexes")
    lines = written(indexes)
    before, line = read_changes(indexes), lines[place]
    cut %= len(line) - 1
    lines[place] = line[:cut] + bytes([letter]) + line[cut + 1 :]
    (indexes / LOG).write_bytes(b"".join(lines))
    if lines[place] == line:
        assert read_changes(indexes) == before
    else:
        with pytest.raises(IndexCorrupt, match=f"line {place + 1} is not what was written"):
            read_changes(indexes)


@pytest.mark.parametrize("order", [(1, 2), (0, 2), (1, 0, 2), (0, 0, 1, 2)])
def test_no_line_can_be_taken_out_moved_or_repeated(tmp_path, order):
    lines = written(tmp_path)
    (tmp_path / LOG).write_bytes(b"".join(lines[place] for place in order))
    with pytest.raises(IndexCorrupt):
        read_changes(tmp_path)


def test_a_line_that_was_cut_short_is_left_out_and_the_next_one_follows(tmp_path):
    lines = written(tmp_path)
    for kept in (1, len(lines[2]) // 2, len(lines[2]) - 1):
        (tmp_path / LOG).write_bytes(b"".join(lines[:2]) + lines[2][:kept])
        assert [one.number for one in read_changes(tmp_path)] == [1, 2]
        record(tmp_path / "manual", Switched.ARM, "a", "b")
        assert [one.after for one in read_changes(tmp_path)] == ["rag:k=1", "rag:k=2", "b"]


@pytest.mark.slow
def test_who_asks_sees_all_of_a_switch_or_nothing(tmp_path):
    files = [tmp_path / name for name in ("one", "two")]
    for path in files:
        path.write_text("0")
    written(tmp_path, 1)
    stop, seen = threading.Event(), set()

    def ask():
        while not stop.is_set():
            with settled(tmp_path):
                seen.add(tuple(path.read_text() for path in files))

    asking = threading.Thread(target=ask)
    asking.start()
    for number in range(1, 20):
        with together(tmp_path):
            for path in files:
                record(tmp_path / "manual", Switched.ARM, str(number - 1), str(number))
                path.write_text(str(number))
                time.sleep(0.001)
            with settled(tmp_path):  # who switches does not wait for itself
                pass
    stop.set()
    asking.join()
    assert len(seen) > 1
    assert all(one == two for one, two in seen)


_WRITER = """
import sys
from pathlib import Path
from hybrid.changes import Switched, record

number = 0
while True:
    record(Path(sys.argv[1]) / sys.argv[2], Switched.ARM, str(number), str(number + 1), why="w" * 500)
    number += 1
    print(number, flush=True)
"""


@pytest.mark.slow
def test_after_a_kill_of_several_writers_the_log_is_whole(tmp_path, written_until_killed):
    told = written_until_killed(_WRITER, tmp_path, told_bytes=100)
    found = read_changes(tmp_path)
    for out in told:
        done = [int(number) for number in re.findall(r"^(\d+)\n", out.read_text(), re.MULTILINE)]
        assert [int(one.after) for one in found if one.domain == out.stem][: len(done)] == done
    record(tmp_path / "a", Switched.ARM, "x", "y")
    assert [one.number for one in read_changes(tmp_path)] == list(range(1, len(read_changes(tmp_path)) + 1))


def test_an_account_without_a_name_is_told_by_its_number(tmp_path, monkeypatch):
    def nobody():
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    written(tmp_path, 1)
    assert read_changes(tmp_path)[0].by == f"account {os.getuid()}"
    assert json.loads((tmp_path / LOG).read_text())["by"] == f"account {os.getuid()}"
