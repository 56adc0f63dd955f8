"""A pool of capped child processes that read files: a hostile file costs a reason, not the run."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import queue
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

from hybrid.config import DocumentSettings
from hybrid.documents.source import ReadBatch, SourceFile, cap_memory, comes_in_rows, read
from hybrid.files import adapter_of
from hybrid.types import Document, Rejected

_AHEAD = 4  # files a worker
_ITEMS: Any = tuple[Document | Rejected, ...]


class ReaderPool:
    """Read files in child processes with a time and a memory limit.

    The processes start with the first file and live until the pool is closed; one that dies or
    hangs is replaced. A file whose process died before it gave anything is tried once more in a
    fresh one, so that it does not pay for its predecessors. Threads read a few files ahead, a process
    each; what comes in rows the consumer reads itself when it gets there, so that it is never held whole.

    >>> with ReaderPool(DocumentSettings()) as pool:
    ...     for batch in pool.read(scan(Path("docs"), settings).files):
    ...         print(batch.file.source, len(batch.items), batch.last)
    """

    def __init__(self, settings: DocumentSettings) -> None:
        if settings.ocr:
            from hybrid.documents.pictures import require_engine

            require_engine(settings.ocr)
        workers = settings.workers or max(1, min(4, (os.cpu_count() or 1) - 1))
        self._readers = [_FileReader(settings) for _ in range(workers)]
        self._idle: queue.SimpleQueue[_FileReader] = queue.SimpleQueue()
        for reader in self._readers:
            self._idle.put(reader)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="document-reader")
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
        self._threads.shutdown(wait=False, cancel_futures=True)
        for reader in self._readers:
            reader.end()
            self._idle.put(reader)  # wakes a thread that waits for one, which nobody may give back
        self._threads.shutdown()
        for reader in self._readers:
            reader.discard()

    def read(self, files: Iterable[SourceFile]) -> Iterator[ReadBatch]:
        """Yield the batches of every file, in the order of the files.

        A file is complete with the batch whose ``last`` is true; its batches follow one another.
        Only a few files are under way at a time, so memory does not grow with their number.
        """
        if self._closed:
            raise RuntimeError("the pool is closed; open a new one")
        ahead: deque[tuple[SourceFile, Future[list[ReadBatch]] | None]] = deque()
        try:
            for file in files:
                ahead.append((file, None if comes_in_rows(file) else self._threads.submit(self._whole, file)))
                if len(ahead) >= len(self._readers) * _AHEAD:
                    yield from self._taken(*ahead[0])
                    ahead.popleft()
            while ahead:
                yield from self._taken(*ahead[0])
                ahead.popleft()
        finally:
            for file, future in ahead:
                if future is not None and not future.cancel():
                    for reader in self._readers:
                        reader.give_up(file)

    def _taken(self, file: SourceFile, future: Future[list[ReadBatch]] | None) -> Iterator[ReadBatch]:
        try:
            yield from future.result() if future is not None else self._read(file)
        except CancelledError:
            raise RuntimeError(_CLOSED) from None

    def _whole(self, file: SourceFile) -> list[ReadBatch]:
        return list(self._read(file))

    def _read(self, file: SourceFile) -> Iterator[ReadBatch]:
        reader = self._idle.get()
        try:
            yield from reader.read(file)
        finally:
            self._idle.put(reader)


class _FileReader:
    """Reads one file after the other by a child process; another takes the place of one that dies."""

    def __init__(self, settings: DocumentSettings) -> None:
        self._settings = settings
        self._child: Child | None = None
        self._file: SourceFile | None = None
        self._is_ended = False

    def end(self) -> None:
        """Kill the child, and read no more."""
        self._is_ended = True
        if (child := self._child) is not None:
            child.kill()

    def give_up(self, file: SourceFile) -> None:
        """Kill the child if it reads a file that nobody waits for any more."""
        if self._file is file and (child := self._child) is not None:
            self._file = None
            child.kill()

    def discard(self) -> None:
        """End the child and free its pipes."""
        child, self._child = self._child, None
        if child is not None:
            child.close()

    def read(self, file: SourceFile) -> Iterator[ReadBatch]:
        """Yield the batches of a file; a reason where its process cannot read it."""
        self._file = file
        for is_last_try in (False, True):
            if self._is_ended or self._file is None:
                raise RuntimeError(_CLOSED)
            is_fresh = self._child is None or self._child.used_up
            if is_fresh:
                self.discard()
                self._child = Child(self._settings)
            assert self._child is not None
            delivered = complete = False
            try:
                for batch in self._child.read(file):
                    yield batch
                    delivered = True
                complete = True
                return
            except ChildEnded as error:
                reason = str(error)
                is_final = delivered or error.was_slow or (error.was_full and is_fresh)
            finally:
                if not complete:
                    self.discard()
            if (is_final or is_last_try) and not self._is_ended:
                yield ReadBatch(file, (Rejected(file.source, reason),), last=True)
                return
        raise RuntimeError(_CLOSED)


_CLOSED = "the pool was closed while it was read from"
# `-P` keeps the current folder, which may be hostile, off the path of the child; where this package
# lies is put on it, unless it is there.
_START = """
import sys
sys.argv[1] in sys.path or sys.path.insert(0, sys.argv[1])
from hybrid.documents.pool import main
main()
"""
_PACKAGE_ROOT = os.fspath(Path(__file__).resolve().parents[2])
# The parent ends a slow worker at max_seconds; the alarm is for a parent that is gone.
_GRACE_SECONDS = 10
_HEADER = struct.Struct(">I")
_MAX_FRAME = 1 << 30


class ChildEnded(Exception):
    """The process is gone; it took longer than it may, or needed more memory, or neither."""

    def __init__(self, reason: str, *, was_slow: bool = False, was_full: bool = False) -> None:
        super().__init__(reason)
        self.was_slow, self.was_full = was_slow, was_full


class Child:
    """A worker process with its pipes and its stopwatch."""

    def __init__(self, settings: DocumentSettings) -> None:
        self._settings = settings
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  closed with the child
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START, _PACKAGE_ROOT],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                # Ctrl-C is for the parent, which then closes the pool
                start_new_session=True,
            )
        except OSError:
            self._stderr.close()
            raise
        self.used_up = False
        self._greeted = False

    def read(self, file: SourceFile) -> Iterator[ReadBatch]:
        """Yield the batches of a file.

        Raises:
            ChildEnded: the process is gone.
        """
        try:
            if not self._greeted:
                write_frame(self._stdin, asdict(self._settings))
                self._greeted = True
            write_frame(self._stdin, {"source": file.source, "path": str(file.path), "size": file.size})
        except OSError as error:
            raise self._died() from error
        last = False
        while not last:
            message = self._receive()
            if "memory" in message:
                self.used_up = True
                raise ChildEnded(
                    f"needs more than {self._settings.max_memory_megabytes:,} MB of memory; "
                    "split the file or raise documents.max_memory_megabytes",
                    was_full=True,
                )
            try:
                batch = ReadBatch(
                    file,
                    adapter_of(_ITEMS).validate_python(message["items"]),
                    bool(message["last"]),
                )
            except (KeyError, ValueError) as error:
                self.used_up = True
                raise ChildEnded(f"the reading process answered nonsense ({error!r})") from error
            last = batch.last
            yield batch

    def kill(self) -> None:
        """End the process; whoever waits for it gets ChildEnded. Safe from any thread."""
        self.used_up = True
        self._process.kill()

    def close(self) -> None:
        """End the process and free its pipes."""
        self.kill()
        self._process.wait()
        with contextlib.suppress(OSError):  # what was buffered for a process that is gone
            self._stdin.close()
        self._stdout.close()
        self._stderr.close()

    def _receive(self) -> dict[str, Any]:
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self.kill()

        seconds = self._settings.seconds_a_file
        timer = threading.Timer(seconds, expire)
        timer.daemon = True
        timer.start()
        try:
            return read_frame(self._stdout)
        except (EOFError, ValueError, OSError) as error:
            if expired.is_set():
                raise ChildEnded(
                    f"took longer than {seconds:g} s to read; split the file or raise documents.max_seconds",
                    was_slow=True,
                ) from error
            raise self._died() from error
        finally:
            timer.cancel()

    def _died(self) -> ChildEnded:
        self.kill()
        code = self._process.wait()
        if code < 0:
            with contextlib.suppress(ValueError):
                return ChildEnded(f"the process that read it was ended by {signal.Signals(-code).name}")
        return ChildEnded(f"the process that read it ended with code {code}{self._last_words()}")

    def _last_words(self) -> str:
        self._stderr.seek(0)
        lines = self._stderr.read(1 << 16).decode("utf-8", "replace").split("\n")
        words = [line.strip() for line in lines if line.strip()]
        return f" ({words[-1][:200]})" if words else ""

    @property
    def _stdin(self) -> BinaryIO:
        return cast(BinaryIO, self._process.stdin)

    @property
    def _stdout(self) -> BinaryIO:
        return cast(BinaryIO, self._process.stdout)


def main() -> None:
    """Serve until stdin closes."""
    output = private_stdout()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    tasks: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, tasks), daemon=True).start()
    asked = tasks.get()
    settings = DocumentSettings(**{**asked, "exclude": tuple(asked["exclude"])})
    cap_memory(settings.max_memory_megabytes)
    seconds = math.ceil(settings.seconds_a_file) + _GRACE_SECONDS
    while True:
        asked = tasks.get()
        file = SourceFile(asked["source"], Path(asked["path"]), asked["size"])
        try:
            _alarm(seconds)
            for batch in read(file, settings):
                # waiting for a busy parent is not the file's fault
                _alarm(0)
                write_frame(output, {"items": [asdict(item) for item in batch.items], "last": batch.last})
                _alarm(seconds)
            _alarm(0)
        except MemoryError:
            _alarm(0)
            write_frame(output, {"memory": True})
            # what is left of the heap is fragmented: the next file deserves a fresh process
            return


def private_stdout() -> BinaryIO:
    """Return the pipe to the parent; what a library prints goes nowhere."""
    pipe = os.dup(sys.stdout.fileno())
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return os.fdopen(pipe, "wb")


def _receive(stream: BinaryIO, tasks: queue.SimpleQueue[dict[str, Any]]) -> None:
    try:
        while True:
            tasks.put(read_frame(stream))
    except (EOFError, ValueError, OSError):
        # also in the middle of a file: nobody is left to read the result
        os._exit(0)


def _alarm(seconds: int) -> None:
    if sys.platform != "win32":
        signal.alarm(seconds)


def write_frame(stream: BinaryIO, value: dict[str, Any]) -> None:
    """Send one message: four bytes of length, then JSON.

    JSON and not pickle: a worker taken over by a hostile file can lie about a text, but cannot run code in
    its parent.
    """
    data = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    stream.write(_HEADER.pack(len(data)))
    stream.write(data)
    stream.flush()


def read_frame(stream: BinaryIO) -> dict[str, Any]:
    """Wait for one message.

    Raises:
        EOFError: the other side is gone, perhaps in the middle of a message.
        ValueError: what came is no message.
    """
    (length,) = _HEADER.unpack(_exactly(stream, _HEADER.size))
    if length > _MAX_FRAME:
        raise ValueError(f"a message of {length} bytes, at most {_MAX_FRAME} are allowed")
    value = json.loads(_exactly(stream, length).decode("utf-8", "surrogatepass"))
    if not isinstance(value, dict):
        raise ValueError("a message that is not an object")  # noqa: TRY004  bad data, not a bad call
    return value


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data
