"""Work that outgrows one process: a plan of fixed batches, who carries it out, assembly in its order."""

from __future__ import annotations

import os

from hybrid.distributed.executors import SERIAL, Executor, ProcessExecutor, ThreadExecutor
from hybrid.errors import UsageError


def executor_named(text: str) -> Executor:
    """Return an executor: ``serial``, ``threads[:N]``, ``processes[:N]``, ``ray[:ADDRESS]``, ``ray://…``.

    Without a number there are as many workers as cores, without an address as Ray finds, or a cluster of its
    own on this machine.
    """
    kind, _, value = text.strip().partition(":")
    if kind == "ray":
        from hybrid.distributed.cluster import RayExecutor

        return RayExecutor(text.strip() if value.startswith("//") else value)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = int(value) if value.isascii() and value.isdigit() else 0 if value else cores
    if kind == "serial" and not value:
        return SERIAL
    if kind in ("threads", "processes") and 0 < count <= 1_024:
        return ThreadExecutor(count) if kind == "threads" else ProcessExecutor(count)
    raise UsageError(
        f"there is no executor {text!r}", hint="one of: serial, threads:N, processes:N, ray, ray://HOST:PORT"
    )
