"""Several server processes at one address; the kernel shares out the connections (SO_REUSEPORT)."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prometheus_client.multiprocess import mark_process_dead

from hybrid.config import ServeSettings
from hybrid.domains import Assistants
from hybrid.errors import HybridError
from hybrid.serving.app import BACKLOG, address, listen, run
from hybrid.serving.metrics import SHARED
from hybrid.serving.service import Service

# Who ends sooner than this after a start that went well would only end again.
_SHORTEST_LIFE = 10.0
_LOOK_SECONDS = 0.2
# glibc's option for how many heaps threads share, which each keep in pieces what was freed in them.
_ARENAS = -8


@dataclass(frozen=True, slots=True)
class Ready:
    """What a server says of itself once clients may ask: the domains it has, and why it lacks others."""

    domains: Sequence[str]
    left_out: Sequence[str]


def ready(assistants: Assistants) -> Ready:
    """Load what every question needs, so that who asks first does not wait for the weights."""
    if sys.platform == "linux" and (option := getattr(ctypes.CDLL(None), "mallopt", None)):
        option(_ARENAS, 2)
    lost = assistants.left_out()
    for name in assistants.domains:
        if name not in lost:
            assistants[name].retriever.embedder.embed_queries(["a first text loads the weights"])
    return Ready(assistants.domains, [f"{name}: {why}" for name, why in lost.items()])


class Workers:
    """As many servers as the settings name, each a process with models of its own, and who watches them.

    All of them read one folder of indexes: each takes up a new generation with the next question, and they
    write feedback and traces into the same two files. One that dies is replaced; what it had taken is lost.

    Args:
        settings: ``workers`` is how many; host and port are those of all.
        arguments: of the command that each of them is; it is told its port by ``--as-worker``.
        tell: what happens beside the answers, such as a worker that was replaced.
    """

    def __init__(
        self, settings: ServeSettings, arguments: Sequence[str], tell: Callable[[str], None]
    ) -> None:
        with listen(settings.host, settings.port) as alone:  # nobody else has the port
            port = alone.getsockname()[1]
        # bound and not listening: it keeps the port, and no client waits at it
        self._place = listen(settings.host, port, shared=True)
        self.url = address(self._place)
        self._count, self._tell, self._stopping = settings.workers, tell, threading.Event()
        self._counters = tempfile.TemporaryDirectory(prefix="hybrid-counters-")
        self._command = [sys.executable, "-P", "-m", "hybrid", *arguments, "--as-worker", str(port)]
        cores = max(1, (os.cpu_count() or 1) // self._count)
        own = {"OMP_NUM_THREADS": str(cores), SHARED: self._counters.name}
        self._environment = own | os.environ
        self._running: list[tuple[subprocess.Popen[bytes], float]] = []

    def start(self) -> Ready:
        """Start them, the first alone since it may have models to convert; return what it says of itself.

        Raises:
            HybridError: one cannot serve; the others are stopped.
        """
        try:
            said = self._begin()
            while len(self._running) < self._count:
                self._begin()
        except BaseException:
            self._stop()
            raise
        return said

    def watch(self) -> None:
        """Replace who dies until Ctrl-C or a request to terminate, and return when all have answered.

        Raises:
            HybridError: one dies again and again.
        """
        for wanted in (signal.SIGINT, signal.SIGTERM):
            signal.signal(wanted, lambda number, frame: self._stopping.set())
        try:
            while not self._stopping.wait(_LOOK_SECONDS):
                for process, since in [one for one in self._running if one[0].poll() is not None]:
                    self._replace(process, since)
        finally:
            self._stop()

    def _replace(self, process: subprocess.Popen[bytes], since: float) -> None:
        mark_process_dead(process.pid, self._counters.name)  # type: ignore[no-untyped-call]
        how = f"the worker {process.pid} ended with {process.returncode}"
        if time.monotonic() - since < _SHORTEST_LIFE:
            raise HybridError(f"{how} as soon as it could serve", hint="what it said stands above")
        self._tell(f"{how}; another one takes its place")
        self._running.remove((process, since))
        process.communicate()
        self._begin()

    def _begin(self) -> Ready:
        # its stdin ends with this process, and it with its stdin
        process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._environment
        )
        self._running.append((process, time.monotonic()))
        assert process.stdout is not None, "it is a pipe"
        if not (line := process.stdout.readline()):
            ended = f"a worker ended with {process.wait()} before it could serve"
            raise HybridError(ended, hint="what it said stands above")
        self._running[-1] = (process, time.monotonic())
        return Ready(**json.loads(line))

    def _stop(self) -> None:
        for process, _ in self._running:
            process.terminate()
        for process, _ in self._running:
            process.communicate()
        self._place.close()
        self._counters.cleanup()


def serve_as_worker(service: Service, port: int, about: Ready) -> None:
    """Be one of the servers at a port, until told to stop or left alone by who started it."""
    opened = listen(service.settings.serve.host, port, shared=True)
    opened.listen(BACKLOG)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stdout.write(json.dumps({"domains": [*about.domains], "left_out": [*about.left_out]}) + "\n")
    sys.stdout.flush()
    run(service, opened)


def _end_with_parent() -> None:
    while os.read(0, 1):  # not by sys.stdin, whose lock nobody may hold at the end
        pass
    os.kill(os.getpid(), signal.SIGTERM)
