"""Answers that come in pieces (server-sent events), and clients that leave before the last one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from hybrid.serving.errors import Refusal, answered, told

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
