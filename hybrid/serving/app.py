"""The application: its routes, its doors, and how long it lives (ASGI)."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import sys
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.staticfiles import StaticFiles

from hybrid import __version__
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
