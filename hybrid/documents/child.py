"""One worker process, seen from its parent.

Takes a file, gives batches, or raises what became of the process. Knows nothing about threads of
the pool or the order of files.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from hybrid.config import DocumentSettings
from hybrid.documents.frames import pack_file, pack_settings, read_frame, unpack_batch, write_frame
from hybrid.documents.reading import ReadBatch
from hybrid.documents.source import SourceFile

# `-P` keeps the current folder, which may be hostile, off the path of the child; where this package
# lies is put on it, unless it is there.
_START = """
import sys
sys.argv[1] in sys.path or sys.path.insert(0, sys.argv[1])
from hybrid.documents.worker import main
main()
"""
_PACKAGE_ROOT = os.fspath(Path(__file__).resolve().parents[2])


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
                write_frame(self._stdin, pack_settings(self._settings))
                self._greeted = True
            write_frame(self._stdin, pack_file(file))
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
                batch = unpack_batch(message, file)
            except ValueError as error:
                self.used_up = True
                raise ChildDied(f"the reading process answered nonsense ({error})") from error
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

        seconds = self._settings.max_seconds
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
