"""The process: a socket, the application on it, and an end that loses no accepted request (uvicorn)."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from hybrid.errors import UsageError
from hybrid.serving.app import create_app
from hybrid.serving.service import Service

# So long clients that still read are waited for at the end, beyond the longest answer.
_GRACE = 10
BACKLOG = 256
# A connection that neither asks nor takes what was answered is cut off at the second look.
_LOOK_SECONDS = 30.0


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a socket on which clients wait from now on; of port 0 it has a free one.

    A ``shared`` one has its place together with others of this user, and does not listen yet.
    """
    if shared and not hasattr(socket, "SO_REUSEPORT"):
        raise UsageError("this system lets no two processes listen at one port", hint="serve.workers = 1")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with contextlib.ExitStack() as failing:
            opened = failing.enter_context(socket.socket(family, kind, protocol))
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            opened.bind(place)
            if not shared:
                opened.listen(BACKLOG)
            failing.pop_all()
    except OSError as error:
        raise UsageError(
            f"cannot listen at {host}:{port}: {error.strerror}", hint="choose another one with --port"
        ) from error
    return opened


def address(opened: socket.socket) -> str:
    """Return where a socket is reached, such as ``http://127.0.0.1:8765``."""
    host, port = opened.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


class _HeldToTime(H11Protocol):
    """Cut off who holds a connection open without ever ending the headers, or without reading an answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to look at a connection."""
        super().connection_made(transport)
        self.loop.call_later(_LOOK_SECONDS, self._look, None)

    def _look(self, before: object) -> None:
        if self not in self.connections:
            return
        idle = self.cycle is None or self.cycle.response_complete
        seen = (self.cycle,) if idle else None
        if idle and before == seen:
            self.transport.abort()
        else:
            self.loop.call_later(_LOOK_SECONDS, self._look, seen)


def server(service: Service) -> uvicorn.Server:
    """Return the server of a service; its ``run(sockets=[...])`` closes the service when it ends."""
    config = uvicorn.Config(
        create_app(service),
        http=_HeldToTime,
        log_level="warning",
        lifespan="on",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(service.settings.serve.max_seconds) + _GRACE,
    )
    return uvicorn.Server(config)


def run(service: Service, opened: socket.socket) -> None:
    """Serve at a socket until Ctrl-C or a request to terminate, then answer what was accepted and return."""
    running = server(service)
    for wanted in (signal.SIGINT, signal.SIGTERM):
        # uvicorn stops by them and raises them again when it has stopped
        signal.signal(wanted, lambda number, frame: None)
    running.run(sockets=[opened])
