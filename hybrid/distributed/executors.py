"""Who carries a plan out: threads of this process, or other processes; and what came of it, put together."""

from __future__ import annotations

import base64
import json
import os
import pickle
import queue
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Protocol, cast

import hybrid.errors
from hybrid.distributed.plan import (
    BatchInput,
    Shard,
    WorkPlan,
    checked_before,
    makes_bytes,
    read_plan,
    read_shard,
    write_plan,
    write_shard,
)
from hybrid.documents.pool import private_stdout, read_frame, write_frame
from hybrid.errors import HybridError, ModelError, UsageError
from hybrid.models.device import one_thread

# What a library reads when it is loaded, so it is set before: one thread a worker, since two workers of one
# thread do more than one of two, and the number of threads changes the last bits of a vector.
_ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
}
_START = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from hybrid.distributed.executors import main
main()
"""
_BEGINNINGS = 3


class Work(Protocol):
    """What is done with batches; it is sent to every worker once, so it pickles, and its weights do not."""

    @property
    def name(self) -> str:
        """Return what is done, with all that decides the result, such as the digests of the weights."""
        ...

    def open(self) -> Callable[[Sequence[str]], bytes]:
        """Load what it takes, once a worker; return what makes of the contents of a batch its result."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """A plan to carry out: the work, the folder of the plan, and its digest."""

    work: Work
    folder: Path
    digest: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A batch that a worker is done with; ``death`` says how the worker died of it, empty if it lives."""

    number: int
    death: str = ""


class Executor(Protocol):
    """Something that carries out batches and writes their shards; order and checkpoints are not its own."""

    def run(self, job: Job, batches: Iterable[BatchInput]) -> Iterator[Ended]:
        """Do the batches, in whatever order; what a batch raises is raised here.

        Raises:
            HybridError: of a batch, or of a worker that cannot begin: another version, a folder that is not
                shared.
        """
        ...


def opened(job: Job) -> Callable[[BatchInput], None]:
    """Return what does a batch of a job and writes its shard, once this process is seen to be fit for it.

    Raises:
        ModelError: libraries or weights are not those that the plan was cut with.
        StorageError: the plan is not where it should be.
    """
    plan = read_plan(job.folder, job.digest)
    here = makes_bytes()
    other = [
        f"{name} {here.get(name)} and not {of}" for name, of in plan.versions.items() if here.get(name) != of
    ]
    if plan.work != job.work.name:
        other.append(f"other weights ({job.work.name[:80]} and not {plan.work[:80]})")
    if other:
        raise ModelError(
            f"the worker on {socket.gethostname()} has {', '.join(other)}: its results would be others",
            hint="install the same versions and models on every machine; what is done is kept",
        )
    work = job.work.open()

    def do(batch: BatchInput) -> None:
        write_shard(job.folder, batch, work(batch.contents))

    return do


@dataclass(frozen=True, slots=True)
class ThreadExecutor:
    """Threads of this process, each with a batch that is computed by one thread; one of them is ``serial``.

    Args:
        workers: how many; the models have to be safe to use from several threads.
    """

    workers: int

    def run(self, job: Job, batches: Iterable[BatchInput]) -> Iterator[Ended]:
        """Do the batches, as many at once as there are threads."""
        do = opened(job)

        def ended(batch: BatchInput) -> Ended:
            do(batch)
            return Ended(batch.number)

        # threads that begin in here compute with one thread too
        with one_thread():
            yield from map(ended, batches) if self.workers == 1 else _spread(ended, self.workers, batches)


SERIAL = ThreadExecutor(1)


def _spread(
    do: Callable[[BatchInput], Ended],
    workers: int,
    batches: Iterable[BatchInput],
    stop: Callable[[], None] = lambda: None,
) -> Iterator[Ended]:
    """Do batches in threads; one waits for each, so that none waits for a batch. ``stop`` ends what runs."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="batch")
    flying: set[Future[Ended]] = set()
    try:
        for batch in batches:
            flying.add(pool.submit(do, batch))
            if len(flying) >= 2 * workers:
                yield from _landed(flying)
        while flying:
            yield from _landed(flying)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        stop()
        pool.shutdown()


def _landed(flying: set[Future[Ended]]) -> list[Ended]:
    landed = wait(flying, return_when=FIRST_COMPLETED).done
    flying -= landed
    return [future.result() for future in landed]


@dataclass(frozen=True, slots=True)
class ProcessExecutor:
    """Processes of this machine, started anew and not forked, which load their models once.

    Args:
        workers: how many at the most; no more are started than there are batches.
    """

    workers: int

    def run(self, job: Job, batches: Iterable[BatchInput]) -> Iterator[Ended]:
        """Do the batches, one at a time each worker."""
        hello, idle = greeting(job), queue.SimpleQueue[_Worker]()
        workers = [_Worker(hello) for _ in range(self.workers)]
        for worker in workers:
            idle.put(worker)

        def do(batch: BatchInput) -> Ended:
            worker = idle.get()
            try:
                return worker.do(batch)
            finally:
                idle.put(worker)

        def stop() -> None:
            for worker in workers:
                worker.end()

        try:
            yield from _spread(do, self.workers, batches, stop)
        finally:
            for worker in workers:
                worker.close()


class _Worker:
    """A worker process; another one takes the place of one that dies."""

    def __init__(self, hello: str) -> None:
        self._hello = hello
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ended = False

    def do(self, batch: BatchInput) -> Ended:
        """Let the process do a batch, once one has begun."""
        for beginning in count(1):
            if self._process is not None or (death := self._begin()) is None:
                break
            if beginning == _BEGINNINGS or self._is_ended:
                raise ModelError(
                    f"{beginning} workers {death} before they could begin",
                    hint="give fewer workers, each loads its own models: --executor processes:1",
                )
        reply = self._exchange({"number": batch.number, "keys": batch.keys, "contents": batch.contents})
        if isinstance(reply, str):
            return Ended(batch.number, f"its worker {reply}")
        require_done(reply)
        return Ended(batch.number)

    def end(self) -> None:
        """End the process, also in the middle of a batch: its shard is there or it is not."""
        self._is_ended = True
        if (process := self._process) is not None:
            process.kill()

    def _begin(self) -> str | None:
        """Start a process and wait until it can take batches; return how it died instead."""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | _ONE_THREAD,
            # Ctrl-C is for the parent, which then ends its workers
            start_new_session=True,
        )
        reply = self._exchange({"job": self._hello})
        if isinstance(reply, str):
            return reply
        require_done(reply)
        return None

    def _exchange(self, message: dict[str, Any]) -> dict[str, Any] | str:
        """Return what the process answers, or how it ended."""
        process = cast("subprocess.Popen[bytes]", self._process)
        assert process.stdin is not None and process.stdout is not None
        try:
            write_frame(cast(Any, process.stdin), message)
            return read_frame(cast(Any, process.stdout))
        except (EOFError, ValueError, OSError):
            self.close()
            code = process.returncode
            return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"

    def close(self) -> None:
        """End the process and free its pipes."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):  # what was buffered for a process that is gone
                    cast(Any, pipe).close()


def greeting(job: Job) -> str:
    """Return a job as text for a worker."""
    try:
        return base64.b64encode(pickle.dumps(job)).decode()
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise UsageError(
            f"the work cannot be sent to other processes: {error}",
            hint="use --executor serial or threads, or models that are named in the settings",
        ) from error


def replied(do: Callable[[], object]) -> dict[str, Any]:
    """Do something and return for a frame that it is done, or what went wrong."""
    try:
        do()
    except Exception as error:  # noqa: BLE001  raised again in the process that waits for it
        return {"error": type(error).__name__, "said": str(error), "hint": getattr(error, "hint", "")}
    return {}


def require_done(reply: dict[str, Any]) -> None:
    """Raise what went wrong in a worker, with its hint and the exit code of its kind."""
    if not reply:
        return
    kind, said = str(reply.get("error")), str(reply.get("said"))
    found = getattr(hybrid.errors, kind, None)
    if isinstance(found, type) and issubclass(found, HybridError) and found is not hybrid.errors.GateFailed:
        raise found(said, hint=str(reply.get("hint")))
    raise HybridError(f"{kind} in a worker: {said}", hint="the batches that are done are kept: run it again")


def main() -> None:
    """Serve as a worker process until stdin closes."""
    output = private_stdout()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    does: list[Callable[[BatchInput], None]] = []

    def begin() -> None:
        # of the parent, who sends what it would do itself; nothing from a disk or a network is unpickled
        does.append(opened(pickle.loads(base64.b64decode(asked["job"]))))  # noqa: S301

    def do() -> None:
        does[0](BatchInput(asked["number"], tuple(asked["keys"]), tuple(asked["contents"])))

    with suppress(EOFError, OSError):
        asked = read_frame(sys.stdin.buffer)
        write_frame(output, replied(begin))
        while does:
            asked = read_frame(sys.stdin.buffer)
            write_frame(output, replied(do))


_TRIES = 2


@dataclass(frozen=True, slots=True)
class LostBatch:
    """A batch of a plan that came to nothing twice, and why."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class Carried:
    """A plan that was carried out: its folder, and the batches that there is no shard of."""

    plan: WorkPlan
    folder: Path
    lost: tuple[LostBatch, ...]

    def shards(self) -> Iterator[Shard]:
        """Yield the shard of every batch that is not lost, in the order of the plan.

        Each was checked when it was carried out, and the folder is held since: it is not done again here.
        """
        lost = {one.number for one in self.lost}
        for number in range(len(self.plan.batches)):
            if number not in lost:
                yield checked_before(self.folder, number)


def carry_out(
    plan: WorkPlan,
    plans: Path,
    work: Work,
    load: Callable[[int], BatchInput],
    executor: Executor,
    *,
    progress: Callable[[int], None] = lambda done: None,
) -> Carried:
    """Do every batch of a plan that has no whole shard; one whose worker dies is tried once more.

    Args:
        plan: as it was cut.
        plans: the folder of all plans; workers see it at the same path.
        work: what is done.
        load: gives the content of a batch.
        executor: who does it.
        progress: told after every batch how many items are done.

    Raises:
        HybridError: what a batch raised, or no worker could begin. What is done is kept for the next run.
    """
    folder = write_plan(plans, plan)
    deaths: dict[int, str] = {}
    missing = _missing(folder, plan, range(len(plan.batches)))
    for _ in range(_TRIES):
        if not missing:
            break
        done = plan.items - sum(plan.batches[number].items for number in missing)
        progress(done)
        for ended in executor.run(Job(work, folder, plan.digest), (load(number) for number in missing)):
            if ended.death:
                deaths[ended.number] = ended.death
            else:
                done += plan.batches[ended.number].items
                progress(done)
        missing = _missing(folder, plan, missing)
    lost = [
        LostBatch(number, deaths.get(number, "its shard was cut short") + f", {_TRIES} times")
        for number in missing
    ]
    return Carried(plan, folder, tuple(lost))


def _missing(folder: Path, plan: WorkPlan, among: Iterable[int]) -> list[int]:
    return [number for number in among if read_shard(folder, number, plan.batches[number]) is None]
