"""The child process of the pool: reads files that it is told to read, within its limits.

Takes messages on stdin (the settings first, then one file each), gives batches on stdout. Knows
nothing about the index, and loads no model. It ends when its stdin closes, so a parent that was
killed leaves nothing behind.
"""

from __future__ import annotations

import logging
import math
import os
import queue
import signal
import sys
import threading
import warnings
from typing import Any, BinaryIO

from hybrid.documents.frames import pack_batch, read_frame, unpack_file, unpack_settings, write_frame
from hybrid.documents.limits import cap_memory
from hybrid.documents.reading import read

# The parent ends a slow worker at max_seconds; the alarm is for a parent that is gone.
_GRACE_SECONDS = 10


def main() -> None:
    """Serve until stdin closes."""
    output = _private_stdout()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    tasks: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, tasks), daemon=True).start()
    settings = unpack_settings(tasks.get())
    cap_memory(settings.max_memory_megabytes)
    seconds = math.ceil(settings.max_seconds) + _GRACE_SECONDS
    while True:
        file = unpack_file(tasks.get())
        try:
            _alarm(seconds)
            for batch in read(file, settings):
                # waiting for a busy parent is not the file's fault
                _alarm(0)
                write_frame(output, pack_batch(batch))
                _alarm(seconds)
            _alarm(0)
        except MemoryError:
            _alarm(0)
            write_frame(output, {"memory": True})
            # what is left of the heap is fragmented: the next file deserves a fresh process
            return


def _private_stdout() -> BinaryIO:
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


if __name__ == "__main__":
    main()
