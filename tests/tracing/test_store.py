"""The store keeps every span of several writers, forgets what is old, and breaks no answer."""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.errors import StorageError, UsageError
from hybrid.tracing import names
from hybrid.tracing.spans import TraceSpan, asking, sent_to, span
from hybrid.tracing.store import StoreSink, TraceStore

DAY = 86_400


def a_span(place, at=0, name=names.ASK, **attributes):
    """A span of the second ``at``."""
    trace = f"{at * 1_000:012x}{place:020x}"
    return TraceSpan(
        trace, f"{place:016x}", "", name, "CHAIN", at * 10**9, at * 10**9 + 5, attributes=attributes
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "traces.sqlite"


_values = (
    st.text()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
)


@pytest.mark.slow
@settings(max_examples=20)
@given(st.dictionaries(st.text(min_size=1), _values | st.lists(st.floats(-1, 1), max_size=3), max_size=4))
def test_what_is_kept_is_what_was_told(tmp_path_factory, attributes):
    span = a_span(1, 5, **attributes)
    with TraceStore(tmp_path_factory.mktemp("store") / "t.sqlite") as store:
        store.add([span])
        assert store.trace(span.trace) == [span]


def test_questions_are_found_by_time_domain_arm_and_outcome(path):
    with TraceStore(path) as store:
        for place in range(8):
            domain, arm = "ab"[place % 2], ["rag", "base"][place // 4]
            told = {
                names.DOMAIN: domain,
                names.ARM: arm,
                names.OUTCOME: "error" if place == 7 else "answered",
            }
            store.add([a_span(place, place, **told), a_span(place + 100, place, "stage")])

        def found(**wanted):
            return [int(one.id, 16) for one in store.asked(**wanted)]

        assert found() == [7, 6, 5, 4, 3, 2, 1, 0]
        assert found(since=5 * 10**9) == [7, 6, 5]
        assert found(domain="a", arm="base") == [6, 4]
        assert found(outcome="error") == [7]
        assert found(limit=2) == [7, 6]
        plan = store._db.execute(
            "EXPLAIN QUERY PLAN SELECT 1 FROM spans WHERE name = 'ask' AND domain = 'a' AND start > 3"
        ).fetchall()
        assert "asked_domain" in str(plan)


def test_a_trace_is_found_by_its_beginning(path):
    first, second = a_span(1, 5), a_span(2, 5)
    with TraceStore(path) as store:
        store.add([first, second])
        assert store.trace(first.trace) == [first]
        with pytest.raises(UsageError, match="2 traces"):
            store.trace(first.trace[:12])
        with pytest.raises(UsageError, match="no trace 'fff'"):
            store.trace("fff")
        assert [[one.id for one in trace] for trace in store.traces()] == [[first.id], [second.id]]


def test_traces_of_a_replica_are_taken_in_once(path):
    with TraceStore(path) as store, TraceStore(path.with_name("other.sqlite")) as other:
        store.add([a_span(1)])
        other.add([a_span(2), a_span(3, at=9)])
        assert (store.take_in(other.path), store.take_in(other.path)) == (2, 2)
        assert len(list(store.traces())) == 3


def test_what_is_old_is_forgotten(path):
    with TraceStore(path, days=2) as store:
        store.add([a_span(place, place * DAY) for place in range(1, 6)])
        store.forget(5 * DAY + 1)
        assert [one.start // 10**9 // DAY for one in store.asked()] == [5, 4]


def test_the_oldest_make_room_when_it_is_full(path):
    with TraceStore(path, megabytes=1, days=1e5) as store:
        for place in range(15):
            store.add([a_span(place * 100 + number, place + 1, text="x" * 500) for number in range(100)])
            store.forget(100.0)
            assert not store.is_full
        kept = [int(one.id, 16) for one in store.asked()]
        assert kept == list(range(1_499, 1_499 - len(kept), -1))
        assert len(kept) > 500
    assert path.stat().st_size < 1.3e6


def _append(path, writer, count):
    with TraceStore(path) as store:
        for place in range(count):
            store.add([a_span(writer * 1_000 + place, place)])


@pytest.mark.slow
def test_several_processes_lose_nothing(path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_append, args=(path, writer, 50)) for writer in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    with TraceStore(path, read_only=True) as store:
        found = {int(one.id, 16) for one in store.asked()}
    assert found == {writer * 1_000 + place for writer in range(3) for place in range(50)}


_WRITES_FOR_EVER = """
import sys
import time
from pathlib import Path
from hybrid.tracing.spans import asking, sent_to, span
from hybrid.tracing.store import StoreSink, TraceStore
path = Path(sys.argv[1])
with sent_to([StoreSink(lambda: TraceStore(path), print)]):
    while True:
        with asking(1), span("stage"):
            time.sleep(0.0005)
"""


@pytest.mark.slow
def test_a_killed_writer_leaves_a_whole_file(path):
    process = subprocess.Popen([sys.executable, "-c", _WRITES_FOR_EVER, str(path)])
    for _ in range(200):
        time.sleep(0.05)
        if path.exists() and path.stat().st_size > 30_000:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with TraceStore(path) as store:
        assert store._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        traces = list(store.traces())
        assert len(traces) > 10
        # of the one that was under way the stage may be there, and not yet the question
        assert [len(trace) for trace in traces[:-1]] == [2] * (len(traces) - 1)
        store.add([a_span(1, 1)])


def test_a_sink_writes_what_it_took_before_it_closes(path):
    told = []
    with sent_to([StoreSink(lambda: TraceStore(path), told.append)]):
        for _ in range(20):
            with asking(1), span("stage"):
                pass
    with TraceStore(path, read_only=True) as store:
        assert [len(trace) for trace in store.traces()] == [2] * 20
    assert told == []


def test_a_clock_that_jumps_ahead_makes_nothing_old(path, monkeypatch):
    monkeypatch.setattr("hybrid.tracing.store._FORGET_SECONDS", -1.0)
    real, now = time.time, int(time.time())
    with sent_to([StoreSink(lambda: TraceStore(path, days=30), pytest.fail)]):
        monkeypatch.setattr(time, "time", lambda: real() + 400 * DAY)
        with TraceStore(path) as store:
            store.add([a_span(1, now - 29 * DAY), a_span(2, now - 31 * DAY)])
        with asking(1):
            pass
    with TraceStore(path, read_only=True) as store:
        assert len(list(store.traces())) == 2


def test_a_clock_that_is_ahead_from_the_start_makes_nothing_old(path, monkeypatch):
    real, now = time.time, int(time.time())
    with TraceStore(path) as store:
        store.add([a_span(1, now - DAY), a_span(2, now - 29 * DAY)])
    monkeypatch.setattr(time, "time", lambda: real() + 400 * DAY)
    with sent_to([StoreSink(lambda: TraceStore(path, days=30), pytest.fail)]), asking(1):
        pass
    with TraceStore(path, read_only=True) as store:
        assert len(list(store.traces())) == 3


@pytest.mark.parametrize("damage", ["no database", "another version", "no folder"])
def test_a_store_that_cannot_be_used_is_told_once_and_breaks_nothing(path, damage):
    if damage == "no database":
        path.write_bytes(b"nothing of ours" * 1_000)
    elif damage == "another version":
        with sqlite3.connect(path) as other:
            other.execute("PRAGMA user_version = 7")
        other.close()
    else:
        path = path.parent / "nowhere" / path.name
    told = []
    sink = StoreSink(lambda: TraceStore(path), told.append)
    with sent_to([sink]):
        for _ in range(3):
            with asking(1):
                done = True
            time.sleep(0.05)
    assert done
    assert len(told) == 1
    assert told[0].startswith("traces are not kept: ")
    assert path.name in told[0]


def test_a_full_disk_is_told_as_such(path):
    with TraceStore(path) as store:
        store._db.execute("PRAGMA max_page_count = 20")
        with pytest.raises(StorageError, match="no space"):
            store.add([a_span(place, 1, text="x" * 1_000) for place in range(100)])
        store.add([a_span(1, 1)])
        assert len(list(store.asked())) == 1


def test_what_it_holds_is_for_its_owner(path):
    with TraceStore(path) as store:
        store.add([a_span(1, 1)])
        assert {one.stat().st_mode & 0o077 for one in path.parent.glob("traces.sqlite*")} == {0}


@pytest.mark.parametrize("begun", [False, True], ids=["no file", "begun on a full disk"])
def test_nothing_to_read_says_what_to_do(path, begun):
    if begun:
        path.touch()
    with pytest.raises(UsageError, match="no traces") as caught:
        TraceStore(path, read_only=True)
    assert "tracing.store" in caught.value.hint
