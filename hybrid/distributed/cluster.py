"""Ray as an executor behind our plan: a task a batch, its result a shard on shared storage."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hybrid.distributed.executors import Ended, Job, opened, replied, require_done
from hybrid.distributed.plan import BatchInput
from hybrid.errors import ExtraMissing, ModelError
from hybrid.models.device import one_thread

# Read by Ray when it is imported or begins: it tells nobody what it is used for, and leaves graphics cards as
# they are where a task asks for none.
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_DEDUP_LOGS": "0"}
_CONNECT_SECONDS = 10
# Of a worker process: what does the batches of the plan that it works on.
_OPENED: dict[str, Callable[[BatchInput], None]] = {}


@dataclass(frozen=True, slots=True)
class RayExecutor:
    """The CPUs of a Ray cluster, a batch each.

    The folder of the domain has to be at the same path on every node; the package and the models have to be
    installed there in the same versions, which every worker checks.

    Args:
        address: ``ray://HOST:PORT`` of a cluster elsewhere, ``HOST:PORT`` or ``auto`` of one that has this
            machine as a node; empty is RAY_ADDRESS, what ``ray start`` began here, or a cluster of its own as
            long as the work lasts.
    """

    address: str = ""

    def run(self, job: Job, batches: Iterable[BatchInput]) -> Iterator[Ended]:
        """Do the batches; Ray tries none again, since ours are counted."""
        ray = _ray()
        with _connected(ray, self.address):
            workers = max(1, int(ray.cluster_resources().get("CPU", 1)))
            task = ray.remote(num_cpus=1, max_retries=0)(_do)
            sent, flying = ray.put(job), dict[Any, int]()
            for batch in batches:
                flying[task.remote(sent, job.digest, batch)] = batch.number
                if len(flying) >= 2 * workers:
                    yield from _finished(ray, flying)
            while flying:
                yield from _finished(ray, flying)


def _finished(ray: Any, flying: dict[Any, int]) -> Iterator[Ended]:
    for reference in ray.wait(list(flying), num_returns=1)[0]:
        number = flying.pop(reference)
        try:
            reply = ray.get(reference)
        except ray.exceptions.RayError as error:
            # the process, its node, or its memory: what a task raises comes back as a reply
            yield Ended(number, f"its worker died ({type(error).__name__})")
        else:
            require_done(reply)
            yield Ended(number)


@contextmanager
def _connected(ray: Any, address: str) -> Iterator[None]:
    """Join a cluster, unless the program has; what was begun here ends here."""
    if ray.is_initialized():
        yield
        return
    known = address or os.environ.get("RAY_ADDRESS", "")
    try:
        _require_listener(known)
        try:
            _join(ray, known)
        except (OSError, RuntimeError):
            # the server of a client may die while it starts on a busy machine
            ray.shutdown()
            _join(ray, known)
    except (OSError, RuntimeError, ValueError) as error:
        ray.shutdown()
        raise ModelError(
            f"no Ray cluster answers at {known or 'this machine'}: {' '.join(str(error).split())[:300]}",
            hint="start one with: ray start --head --disable-usage-stats --include-dashboard=false",
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _join(ray: Any, address: str) -> None:
    if address:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    else:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")


def _require_listener(address: str) -> None:
    """Raise OSError where nobody listens: Ray itself would say so after two minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()


def _ray() -> Any:
    os.environ.update({name: value for name, value in _QUIET.items() if name not in os.environ})
    try:
        import ray
    except ImportError as error:
        raise ExtraMissing(
            "the executor ray needs an optional package", hint="pip install 'hybrid-assistant[ray]'"
        ) from error
    return ray


def _do(job: Job, digest: str, batch: BatchInput) -> dict[str, Any]:
    """Do a batch on a node, whose models are loaded at the first one."""

    def do() -> None:
        if digest not in _OPENED:
            _OPENED.clear()
            _OPENED[digest] = opened(job)
        with one_thread():
            _OPENED[digest](batch)

    return replied(do)
