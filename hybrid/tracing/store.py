"""The local store of spans, one SQLite file that several processes append to; bounded in age and size."""

from __future__ import annotations

import atexit
import dataclasses
import json
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self

from hybrid.errors import HybridError, StorageError, UsageError
from hybrid.files import json_text, storage_errors
from hybrid.tracing import names
from hybrid.tracing.spans import SpanValue, TraceSpan

TRACES_FILE = "traces.sqlite"
_VERSION = 1
_BEGIN = "move it away: it is begun anew"
# A trace begins with its time, so the file is in the order of time: to forget cuts its beginning off.
_SCHEMA = """
CREATE TABLE spans(
  trace TEXT NOT NULL, id TEXT NOT NULL, parent TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
  start INTEGER NOT NULL, end INTEGER NOT NULL, error TEXT NOT NULL,
  domain TEXT NOT NULL, arm TEXT NOT NULL, outcome TEXT NOT NULL, attributes TEXT NOT NULL,
  PRIMARY KEY (trace, id)) WITHOUT ROWID;
CREATE INDEX asked ON spans(start) WHERE name = 'ask';
CREATE INDEX asked_domain ON spans(domain, start) WHERE name = 'ask';
CREATE INDEX asked_arm ON spans(arm, start) WHERE name = 'ask';
"""
_COLUMNS = "trace, id, parent, name, kind, start, end, error, attributes"
_BUSY_SECONDS = 5.0
_EVERY_SECONDS = 0.2
# A store that does not keep up costs so many spans of memory, and then spans.
_WAITING = 20_000
# When it is full, so much of it is cut off at once.
_CUT = 0.2
_DAY = 86_400_000
_FORGET_SECONDS = 600.0


class TraceStore:
    """Spans on disk: append, look up, forget.

    Args:
        path: of the file; made if it is not there, unless it is only to be read.
        days: how long a trace is kept.
        megabytes: how large the file may become; the oldest traces make room.
        read_only: for who looks.

    Raises:
        UsageError: there is no file to read, or it is of another version.
        StorageError: it is damaged, or the disk refuses.
    """

    def __init__(
        self, path: Path, *, days: float = 30.0, megabytes: float = 256.0, read_only: bool = False
    ) -> None:
        self.path, self._days, self._bytes = path, days, megabytes * 1e6
        if read_only and not path.is_file():
            raise self._nothing()
        with _errors(self.path):
            if not read_only:  # what it holds is for its owner
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            mode = "?mode=ro" if read_only else ""
            # one user at a time: the writer's thread, or whoever reads
            self._db = sqlite3.connect(
                path.resolve().as_uri() + mode, uri=True, timeout=_BUSY_SECONDS, check_same_thread=False
            )
            try:
                self._prepare(read_only)
            except BaseException:
                self._db.close()
                raise

    def _prepare(self, read_only: bool) -> None:
        self._db.execute("PRAGMA trusted_schema = OFF")
        if not read_only:
            self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("BEGIN IMMEDIATE")  # two may begin it at once
            if self._version() == 0:
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {_VERSION}")
            self._db.commit()
        found = self._version()
        if read_only and found == 0:  # it was begun on a full disk
            raise self._nothing()
        if found != _VERSION:
            raise UsageError(f"{self.path} is of version {found}, expected {_VERSION}", hint=_BEGIN)

    def _nothing(self) -> UsageError:
        return UsageError(
            f"there are no traces in {self.path.parent}",
            hint="they are kept when something is asked and `tracing.store` is on",
        )

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def add(self, spans: Sequence[TraceSpan]) -> None:
        """Append spans; the file is whole whatever happens meanwhile."""
        with _errors(self.path), self._db:
            self._db.executemany(
                "INSERT OR REPLACE INTO spans VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", map(_row, spans)
            )

    def take_in(self, other: Path) -> int:
        """Take in the traces of another store, such as that of a replica; return how many it has.

        Raises:
            UsageError: it has none.
        """
        taken = 0
        with TraceStore(other, read_only=True) as theirs:
            for spans in theirs.traces():
                self.add(spans)
                taken += 1
        return taken

    def asked(
        self, *, since: int = 0, domain: str = "", arm: str = "", outcome: str = "", limit: int | None = None
    ) -> Iterator[TraceSpan]:
        """Yield the spans ASK, one a question, the latest first, with its groundedness whenever judged.

        Args:
            since: nanoseconds since 1970.
            domain: only of this one.
            arm: only of this one, as it was named.
            outcome: only those that ended so, see ``TraceOutcome``.
            limit: at most so many.
        """
        given = {"domain": domain, "arm": arm, "outcome": outcome}
        named = {key: value for key, value in given.items() if value}
        clauses = ["name = 'ask'", "start >= ?", *(f"{key} = ?" for key in named)]
        values: list[str | int] = [since, *named.values(), -1 if limit is None else limit]
        for span in self._read(f"{' AND '.join(clauses)} ORDER BY start DESC LIMIT ?", values):
            yield dataclasses.replace(span, attributes={**self._judged(span.trace), **span.attributes})

    def _judged(self, trace: str) -> dict[str, SpanValue]:
        judged = self._read("trace = ? AND name = 'judge' ORDER BY start", [trace])
        scores = [one.attributes.get(names.EVALUATION_SCORE) for one in judged]
        return {names.GROUNDEDNESS: scores[-1]} if scores and scores[-1] is not None else {}

    def trace(self, trace: str) -> list[TraceSpan]:
        """Return the spans of a trace, by the beginning of its name, in the order in which they began."""
        spans = list(self._read("trace >= ? AND trace < ? ORDER BY start, parent", [trace, trace + "g"]))
        if len(found := {span.trace for span in spans}) != 1:
            what = f"there are {len(found)} traces that begin with {trace!r}"
            raise UsageError(what if found else f"there is no trace {trace!r}", hint="hybrid traces list")
        return spans

    def traces(self, since: int = 0) -> Iterator[list[TraceSpan]]:
        """Yield whole traces, those of work that no question was asked for too, the oldest first."""
        gathered: list[TraceSpan] = []
        for span in self._read("trace >= ? ORDER BY trace, start", [f"{since // 1_000_000:012x}"]):
            if gathered and gathered[0].trace != span.trace:
                yield gathered
                gathered = []
            gathered.append(span)
        if gathered:
            yield gathered

    def forget(self, now: float) -> None:
        """Cut off what is too old at ``now``, in seconds, and as much as the file is too large by."""
        with _errors(self.path):
            oldest = max(int(now * 1_000 - self._days * _DAY), 0)
            with self._db:
                self._db.execute("DELETE FROM spans WHERE trace < ?", [f"{oldest:012x}"])
            while self.is_full:
                (count,) = self._db.execute("SELECT count(*) FROM spans").fetchone()
                at = [max(int(count * _CUT) - 1, 0)]
                last = self._db.execute(
                    "SELECT trace FROM spans ORDER BY trace LIMIT 1 OFFSET ?", at
                ).fetchone()
                if last is None:
                    break
                with self._db:
                    self._db.execute("DELETE FROM spans WHERE trace <= ?", last)
            self._db.execute("PRAGMA incremental_vacuum").fetchall()

    def since_last(self, now: float) -> float:
        """Return how many seconds ago at ``now`` the last trace began, 0 where nothing is kept for so long.

        After such a pause it is rather the clock that is ahead.
        """
        (last,) = self._db.execute("SELECT max(trace) FROM spans").fetchone()
        pause = now * 1_000 - int(last[:12], 16) if last else 0.0
        return pause / 1_000 if pause > self._days * _DAY else 0.0

    @property
    def is_full(self) -> bool:
        """Tell whether the spans take more of the disk than they may."""
        pages, free, size = (
            self._db.execute(f"PRAGMA {what}").fetchone()[0]
            for what in ("page_count", "freelist_count", "page_size")
        )
        return bool((pages - free) * size > self._bytes)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        """Return the store, which is closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _read(self, clause: str, values: Sequence[str | int]) -> Iterator[TraceSpan]:
        with (
            _errors(self.path),
            closing(self._db.execute(f"SELECT {_COLUMNS} FROM spans WHERE {clause}", values)) as rows,
        ):
            for trace, one, parent, name, kind, start, end, error, told in rows:
                yield TraceSpan(trace, one, parent, name, kind, start, end, error, json.loads(told))


class StoreSink:
    """Write spans to a store from a thread of its own: no answer waits for it, or fails with it.

    Args:
        open_store: opens the store, in that thread.
        tell: told once when spans cannot be kept, and why.
    """

    def __init__(self, open_store: Callable[[], TraceStore], tell: Callable[[str], None]) -> None:
        self._open, self._tell = open_store, tell
        self._waiting: queue.SimpleQueue[Sequence[TraceSpan]] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._silent = False
        # a clock that jumps ahead must not make all of them old
        self._begun = time.time() - time.monotonic()
        self._thread = threading.Thread(target=self._run, name="hybrid traces", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def add(self, spans: Sequence[TraceSpan]) -> None:
        """Take spans; they are on disk a moment later."""
        if self._waiting.qsize() < _WAITING:
            self._waiting.put(spans)
        else:
            self._trouble(f"more than {_WAITING} spans wait to be written")

    def close(self) -> None:
        """Write what was taken."""
        self._closing.set()
        self._thread.join()
        atexit.unregister(self.close)

    def _run(self) -> None:
        store: TraceStore | None = None
        forgotten = 0.0
        done = False
        while not done:
            done = self._closing.wait(_EVERY_SECONDS)
            spans = self._taken()
            try:
                if spans:
                    if store is None:
                        store = self._open()
                        self._begun -= store.since_last(self._begun + time.monotonic())
                    store.add(spans)
                    if time.monotonic() - forgotten > _FORGET_SECONDS or store.is_full:
                        store.forget(min(time.time(), self._begun + time.monotonic()))
                        forgotten = time.monotonic()
            except HybridError as error:
                self._trouble(str(error))
        if store is not None:
            store.close()

    def _taken(self) -> list[TraceSpan]:
        taken: list[TraceSpan] = []
        while not self._waiting.empty():
            taken += self._waiting.get()
        return taken

    def _trouble(self, what: str) -> None:
        if not self._silent:
            self._silent = True
            self._tell(f"traces are not kept: {what}")


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """Turn what SQLite says of damage, of locks and of the disk into errors of ours."""
    try:
        with storage_errors(str(path)):
            yield
    except (sqlite3.Error, OSError) as error:
        raise StorageError(f"{path} cannot be used: {error}", hint=_BEGIN) from error


def _row(span: TraceSpan) -> tuple[str | int, ...]:
    given = span.attributes if span.name in (names.ASK, names.ASIDE) else {}
    shown = (str(given.get(key, "")) for key in (names.DOMAIN, names.ARM, names.OUTCOME))
    own = (span.trace, span.id, span.parent, span.name, span.kind, span.start, span.end, span.error)
    return (*own, *shown, json_text(span.attributes))
