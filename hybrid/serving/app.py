"""The server: a socket, the application on it with its routes and doors, and an end that loses no request."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import signal
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.staticfiles import StaticFiles
from uvicorn.protocols.http.h11_impl import H11Protocol

from hybrid import __version__
from hybrid.errors import UsageError
from hybrid.serving import answers, chat, decisions, metrics, models, page
from hybrid.serving.doors import Doors
from hybrid.serving.errors import handle_errors
from hybrid.serving.scheduler import Turns
from hybrid.serving.service import Service

# Threads that compute give the interpreter up so often, ten times as often as is usual, or the event loop
# would wait for its turn behind each of them.
_SWITCH_SECONDS = 0.0005
# What threads freed in between, as a new generation of an index frees much, the C library keeps in pieces.
_TIDY_SECONDS = 30.0


def create_app(service: Service) -> FastAPI:
    """Return the application over a service; it closes what answers when it stops."""

    @contextlib.asynccontextmanager
    async def living(app: FastAPI) -> AsyncIterator[None]:
        before = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_SECONDS)
        tidying = asyncio.create_task(_tidy())
        yield
        tidying.cancel()
        await service.close()
        sys.setswitchinterval(before)

    # the pages about an API that FastAPI brings load scripts from elsewhere
    app = FastAPI(title="hybrid", version=__version__, lifespan=living, docs_url=None, redoc_url=None)
    app.router.redirect_slashes = False  # `Doors` takes them off: a redirect of a POST is not always followed
    app.state.metrics = metrics.Metrics()
    app.state.service = service = metrics.measured(service, app.state.metrics)
    app.state.turns = Turns(service.settings.serve.queue)
    app.add_middleware(Doors, service=service)
    app.add_middleware(metrics.CountedRequests, metrics=app.state.metrics)
    handle_errors(app)
    for part in (models, chat, decisions, answers, page, metrics):
        app.include_router(part.router)
    app.mount("/page", StaticFiles(directory=page.FILES))
    app.add_api_route("/healthz", healthz, methods=["GET"])
    app.add_api_route("/readyz", readyz, methods=["GET"])
    return app


async def _tidy() -> None:
    """Give memory that is free back to the system, now and then (glibc; others do it themselves)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    while trim is not None:
        await asyncio.sleep(_TIDY_SECONDS)
        await asyncio.to_thread(trim, 0)


async def healthz() -> dict[str, str]:
    """Say that the process answers; nothing is looked at."""
    return {"status": "ok", "version": __version__}


async def readyz(request: Request) -> JSONResponse:
    """Say whether a domain can be read; to who has the token, which of them can and which cannot."""
    service: Service = request.app.state.service
    lost = await run_in_threadpool(service.assistants.left_out)
    there = [name for name in service.assistants.domains if name not in lost]
    status = "ready" if there else "no domain"
    body: dict[str, Any] = {"status": status}
    if service.access.admits(request.headers.get("authorization", "")):
        body |= {"domains": there, "left_out": [*lost]}
    return JSONResponse(body, 200 if there else 503)


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
