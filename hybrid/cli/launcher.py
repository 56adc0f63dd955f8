"""The console script: prepares the process, then hands over to the commands.

Runs before anything heavy is imported, because OpenMP reads its variables once.
"""

from __future__ import annotations

import gc
import io
import os
import sys
from pathlib import Path


def main() -> None:
    """Run the command line and leave with its exit code."""
    # Two-thread decoding on shared cores collapses when idle threads spin: 182-734 ms a token against 46-65.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # A query is too small to be shared, and the idle thread spins: a quarter of a second of a cold answer.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # What is imported stays: looking through it again and again takes as long.
    gc.set_threshold(100_000, 50, 100)
    if sys.stderr is None:  # started with it closed: notes are lost, the result is not
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115  for as long as the process lives
    if sys.stdout is None:
        sys.stderr.write("error: standard output is closed: nobody would get the result\n")
        sys.stderr.write("  → leave it open, or send it somewhere, as in: hybrid ... > result.txt\n")
        sys.exit(2)
    for stream in (sys.stdout, sys.stderr):
        # a terminal that cannot show a letter shows its number
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    from hybrid.cli.app import run

    sys.exit(run(sys.argv[1:]))
