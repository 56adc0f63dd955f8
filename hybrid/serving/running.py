"""The process: a socket, the application on it, and an end that loses no accepted request (uvicorn)."""

from __future__ import annotations

import contextlib
import signal
import socket

import uvicorn

from hybrid.errors import UsageError
from hybrid.serving.app import create_app
from hybrid.serving.service import Service

# So long clients that still read are waited for at the end, beyond the longest answer.
_GRACE = 10
BACKLOG = 256


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a socket on which clients wait from now on; of port 0 it has a free one.

    A ``shared`` one has its place together with others of this user, and does not listen yet.

    Raises:
        UsageError: the port is taken, the host is none of this machine, or this system shares no ports.
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


def server(service: Service) -> uvicorn.Server:
    """Return the server of a service; its ``run(sockets=[...])`` closes the service when it ends."""
    config = uvicorn.Config(
        create_app(service),
        http="h11",
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
