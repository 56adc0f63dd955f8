"""A pool of capped child processes that read files: a hostile file costs a reason, not the run."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from hybrid.config import DocumentSettings
from hybrid.documents.source import ReadBatch, SourceFile
from hybrid.documents.worker import Child, ChildDied, ChildOutOfMemory, ChildTimeout
from hybrid.types import Rejected

_TICKETS_PER_WORKER = 4
_BATCHES_PER_TICKET = 2
_POLL_SECONDS = 0.1


@dataclass(slots=True)
class _Ticket:
    """A file on its way through the pool, and the batches that have come back."""

    file: SourceFile
    batches: queue.Queue[ReadBatch | BaseException] = field(
        default_factory=lambda: queue.Queue(maxsize=_BATCHES_PER_TICKET)
    )
    cancelled: bool = False


class _Cancelled(Exception):  # not an error: the consumer has lost interest
    pass


class ReaderPool:
    """Read files in child processes with a time and a memory limit.

    The processes start with the first file and live until the pool is closed; one that dies or
    hangs is replaced. A file whose process died before it gave anything is tried once more in a
    fresh one, so that it does not pay for its predecessors::

        consumer ──tickets──> lane (thread) ──frames──> worker (process)
            ^                   │
            └── bounded queue ──┘      one lane a worker; a slow consumer slows the lanes down

    >>> with ReaderPool(DocumentSettings()) as pool:
    ...     for batch in pool.read(scan(Path("docs"), settings).files):
    ...         print(batch.file.source, len(batch.items), batch.last)
    """

    def __init__(self, settings: DocumentSettings) -> None:
        if settings.ocr:
            from hybrid.documents.pictures import require_engine

            require_engine(settings.ocr)
        self._settings = settings
        self._workers = settings.workers or max(1, min(4, (os.cpu_count() or 1) - 1))
        self._tickets: queue.SimpleQueue[_Ticket | None] = queue.SimpleQueue()
        self._lanes: list[_Lane] = []
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the worker processes, also in the middle of a file; a closed pool reads no more."""
        self._closed = True
        for _ in self._lanes:
            self._tickets.put(None)
        for lane in self._lanes:
            lane.end()
        self._lanes.clear()

    def read(self, files: Iterable[SourceFile]) -> Iterator[ReadBatch]:
        """Yield the batches of every file, in the order of the files.

        A file is complete with the batch whose ``last`` is true; its batches follow one another.
        Only a few files are under way at a time, so memory does not grow with their number.
        """
        if self._closed:
            raise RuntimeError("the pool is closed; open a new one")
        while len(self._lanes) < self._workers:
            self._lanes.append(_Lane(self._settings, self._tickets))
        pending: deque[_Ticket] = deque()
        try:
            for file in files:
                ticket = _Ticket(file)
                pending.append(ticket)
                self._tickets.put(ticket)
                if len(pending) >= self._workers * _TICKETS_PER_WORKER:
                    yield from self._drain(pending[0])
                    pending.popleft()
            while pending:
                yield from self._drain(pending[0])
                pending.popleft()
        finally:
            for ticket in pending:
                ticket.cancelled = True
            for lane in self._lanes:
                lane.drop_cancelled()

    def _drain(self, ticket: _Ticket) -> Iterator[ReadBatch]:
        while True:
            try:
                batch = ticket.batches.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                if self._closed:
                    raise RuntimeError("the pool was closed while it was read from") from None
                continue
            if isinstance(batch, BaseException):
                raise batch
            yield batch
            if batch.last:
                return


class _Lane:
    """A thread with its child process; takes tickets until it finds None."""

    def __init__(self, settings: DocumentSettings, tickets: queue.SimpleQueue[_Ticket | None]) -> None:
        self._settings = settings
        self._tickets = tickets
        self._ticket: _Ticket | None = None
        self._child: Child | None = None
        self._ending = False
        self._thread = threading.Thread(target=self._serve, name="document-reader", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Kill the child and wait for the thread."""
        self._ending = True
        while self._thread.is_alive():
            self._kill()
            self._thread.join(_POLL_SECONDS)

    def drop_cancelled(self) -> None:
        """Kill the child if nobody waits for what it is reading."""
        if (ticket := self._ticket) is not None and ticket.cancelled:
            self._kill()

    def _kill(self) -> None:
        if (child := self._child) is not None:
            child.kill()

    def _serve(self) -> None:
        while (ticket := self._tickets.get()) is not None:
            self._ticket = ticket
            try:
                self._read(ticket)
            except _Cancelled:
                self._discard()
            except BaseException as error:  # noqa: BLE001  it belongs to the consumer, in the other thread
                self._discard()
                with contextlib.suppress(_Cancelled):
                    self._deliver(ticket, error)
            self._ticket = None
        self._discard()

    def _discard(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.close()

    def _read(self, ticket: _Ticket) -> None:
        for is_last_try in (False, True):
            self._check(ticket)
            is_fresh = self._child is None or self._child.used_up
            if is_fresh:
                self._discard()
                self._child = Child(self._settings)
            assert self._child is not None
            delivered = False
            try:
                for batch in self._child.read(ticket.file):
                    self._deliver(ticket, batch)
                    delivered = True
                return
            except ChildTimeout as error:
                reason, is_final = str(error), True
            except ChildDied as error:
                reason, is_final = str(error), delivered
            except ChildOutOfMemory as error:
                reason, is_final = str(error), delivered or is_fresh
            self._discard()
            if is_final or is_last_try:
                rejected = Rejected(ticket.file.source, reason)
                self._deliver(ticket, ReadBatch(ticket.file, (rejected,), last=True))
                return

    def _deliver(self, ticket: _Ticket, batch: ReadBatch | BaseException) -> None:
        while True:
            self._check(ticket)
            try:
                ticket.batches.put(batch, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return

    def _check(self, ticket: _Ticket) -> None:
        if ticket.cancelled or self._ending:
            raise _Cancelled
