"""Every failure as OpenAI's clients read it, never a path or a stack; and answers that come in pieces."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from hybrid.errors import AdapterError, HybridError, IndexLocked, IndexMissing, UsageError
from hybrid.serving.protocol import AccessDenied, OutOfTime, Overloaded

_log = logging.getLogger("hybrid.serving")

# The first that fits counts; what is none of them is the server's own trouble.
_STATUS: tuple[tuple[type[HybridError], int, str], ...] = (
    (AccessDenied, 401, "invalid_api_key"),
    (Overloaded, 429, "rate_limit_exceeded"),
    (OutOfTime, 504, "timeout"),
    (IndexMissing, 404, "not_found"),
    (IndexLocked, 409, "locked"),
    (AdapterError, 404, "model_not_found"),
    (UsageError, 400, "invalid_value"),
)
_TYPES = {401: "authentication_error", 429: "rate_limit_error"}
_PATH = re.compile(r"(?<![\w:/])(?:[A-Za-z]:)?(?:[\\/][\w.@~-]+){2,}[\\/]?")
# The kinds of a value stand among the names of where it is.
_KIND = re.compile(r"str|constrained-str|list\[.*\]|[A-Z]\w+")
# What the framework says, in words that tell what to do.
_SAID = {
    "Not Found": "there is no such route; the base URL of an OpenAI client ends in /v1, where it asks "
    "/chat/completions, /models and /embeddings; GET /openapi.json lists all",
    "Method Not Allowed": "this route takes other methods; GET /openapi.json lists them",
    "There was an error parsing the body": "the body cannot be read as JSON in UTF-8",
}
_OWN_TROUBLE = "the server could not do that; its log says why"


class Refusal(Exception):
    """A request that cannot be answered as it is; ``param`` names what of it stands in the way."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code


def document(status: int, message: str, *, param: str | None = None, code: str = "") -> dict[str, Any]:
    """Return a failure as OpenAI's clients read it."""
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code or None}}


def told(error: Exception) -> tuple[int, dict[str, Any]]:
    """Return status and document of what went wrong; what is not the client's doing goes to the log."""
    if isinstance(error, Refusal):
        return error.status, document(error.status, error.message, param=error.param, code=error.code)
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            said = f"{error} ({error.hint})" if error.hint else str(error)
            return status, document(status, _PATH.sub("…", said), code=code)
    _log.error("a request failed", exc_info=error)
    status = 503 if isinstance(error, HybridError) else 500
    return status, document(status, _OWN_TROUBLE, code="unavailable" if status == 503 else "internal")


def answered(error: Exception) -> JSONResponse:
    """Return what went wrong as a response."""
    status, body = told(error)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if isinstance(error, Overloaded):
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    return JSONResponse(body, status, headers)


def handle_errors(app: FastAPI) -> None:
    """Answer what routes raise, and what leads to none, in that form."""
    app.add_exception_handler(HybridError, _answer)
    app.add_exception_handler(Refusal, _answer)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)


async def _answer(request: Request, error: Exception) -> JSONResponse:
    return answered(error)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = "not_found" if error.status_code == 404 else ""
    body = document(error.status_code, _SAID.get(str(error.detail), str(error.detail)), code=code)
    headers: Mapping[str, str] | None = error.headers
    return JSONResponse(body, error.status_code, headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # of what may be one thing or another it is told where it failed last
    first = max(error.errors(), key=lambda one: len(one["loc"]))
    param = ".".join(part for part in map(str, first["loc"][1:]) if not _KIND.fullmatch(part)) or None
    if first["type"] == "json_invalid":
        message, param = f"the body is no JSON: {first['ctx']['error']} at character {param}", None
    elif first["type"] == "extra_forbidden":
        message = f"{param} is no field of this request"
    elif param is None:
        message = "the body is no JSON object, or is not sent as application/json"
    else:
        message = f"{param}: {first['msg']}"
    return JSONResponse(document(422, message, param=param, code="invalid_value"), 422)


_Result = TypeVar("_Result")
# So long a piece may take to be read; its answer would hold a place among those that are worked on.
_SECONDS_TO_READ = 30.0
_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]


class _Unread(Exception):
    """What was sent was not read in time."""


async def while_connected(receive: Receive, work: Awaitable[_Result]) -> _Result:
    """Wait for work as long as the client does; it is cancelled when the client leaves.

    Raises:
        Refusal: nobody waits any more.
    """
    doing, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((doing, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise Refusal(499, "the client left")
        return doing.result()
    finally:
        for task in (doing, leaving):
            task.cancel()
        await asyncio.gather(doing, leaving, return_exceptions=True)


class Events(Response):
    """Send documents as they come, then ``[DONE]``.

    What fails before the first is a response with its own status; what fails later is an event.
    """

    def __init__(self, documents: AsyncGenerator[dict[str, Any], None]) -> None:
        self.status_code, self.background = 200, None
        self._documents = documents

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them, as long as the client is there."""

        async def in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(_SECONDS_TO_READ):
                    await send(message)
            except TimeoutError as error:
                raise _Unread from error

        try:
            # one task makes and sends all of them, so that what belongs to a task stays with it
            await while_connected(receive, self._send(scope, receive, in_time))
        except (Refusal, _Unread):  # nobody is there, or reads
            return

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._documents) as documents:
            try:
                first = await anext(documents)
            except Exception as error:  # noqa: BLE001 - whatever it is, the client is told
                await answered(error)(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await _event(send, json.dumps(first))
            try:
                async for document in documents:
                    await _event(send, json.dumps(document))
            except _Unread:
                raise
            except Exception as error:  # noqa: BLE001 - the status is sent already
                await _event(send, json.dumps(told(error)[1]))
            await _event(send, "[DONE]")
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _event(send: Send, data: str) -> None:
    await send({"type": "http.response.body", "body": f"data: {data}\n\n".encode(), "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
