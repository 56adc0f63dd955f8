"""A child process that reads files within its limits, seen from both of its sides, and its messages."""

from __future__ import annotations

import contextlib
import functools
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
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, cast

from hybrid.config import DocumentSettings
from hybrid.documents.source import ReadBatch, SourceFile, cap_memory, read
from hybrid.types import Document, Rejected

# `-P` keeps the current folder, which may be hostile, off the path of the child; where this package
# lies is put on it, unless it is there.
_START = """
import sys
sys.argv[1] in sys.path or sys.path.insert(0, sys.argv[1])
from hybrid.documents.worker import main
main()
"""
_PACKAGE_ROOT = os.fspath(Path(__file__).resolve().parents[2])
# The parent ends a slow worker at max_seconds; the alarm is for a parent that is gone.
_GRACE_SECONDS = 10
_HEADER = struct.Struct(">I")
_MAX_FRAME = 1 << 30


class ChildTimeout(Exception):
    """The process took longer than it may, and was ended."""


class ChildDied(Exception):
    """The process ended by itself, or was ended by the system."""


class ChildOutOfMemory(Exception):
    """The process needed more memory than it may have."""


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
            ChildTimeout: a batch took longer than ``max_seconds``.
            ChildDied: the process is gone.
            ChildOutOfMemory: the process hit its memory limit.
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
                raise ChildOutOfMemory(
                    f"needs more than {self._settings.max_memory_megabytes:,} MB of memory; "
                    "split the file or raise documents.max_memory_megabytes"
                )
            try:
                batch = ReadBatch(file, _items().validate_python(message["items"]), bool(message["last"]))
            except (KeyError, ValueError) as error:
                self.used_up = True
                raise ChildDied(f"the reading process answered nonsense ({error!r})") from error
            last = batch.last
            yield batch

    def kill(self) -> None:
        """End the process; whoever waits for it gets ChildDied. Safe from any thread."""
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
                raise ChildTimeout(
                    f"took longer than {seconds:g} s to read; split the file or raise documents.max_seconds"
                ) from error
            raise self._died() from error
        finally:
            timer.cancel()

    def _died(self) -> ChildDied:
        self.kill()
        code = self._process.wait()
        if code < 0:
            with contextlib.suppress(ValueError):
                return ChildDied(f"the process that read it was ended by {signal.Signals(-code).name}")
        return ChildDied(f"the process that read it ended with code {code}{self._last_words()}")

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


@functools.cache
def _items() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(tuple[Document | Rejected, ...])


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
