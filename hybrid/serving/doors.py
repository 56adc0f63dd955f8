"""What every request passes before a route sees it: token, host, sizes; and the headers of every response."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hybrid.serving.errors import Refusal, answered
from hybrid.serving.protocol import AccessDenied
from hybrid.serving.service import Service
from hybrid.trust import is_loopback

_MAX_HEADERS = 16_384
_SECONDS_TO_SEND = 300
# What a browser loads before it can send a token; nothing of a domain is in it.
_OPEN = ("/", "/healthz", "/readyz")
_OPEN_FOLDER = "/page/"
# Where files come in, which have a limit of their own.
UPLOADS = "/uploads/"

_SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Doors:
    """Refuse what has no token, comes from another site, or is too large; say what a browser may do with it.

    Without a token the server is there for this machine: only a host that is loopback is taken, so that no
    web page reaches it under a name of its own.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        # as it comes of a base URL that ends in a slash; who counts routes has the same scope
        scope["path"] = re.sub("/{2,}", "/", scope["path"]).rstrip("/") or "/"
        begun = False

        async def secured(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._admit(scope["path"], Headers(scope=scope))
            if scope["method"] == "HEAD":  # what GET says, of which the server of sockets sends no body
                scope = {**scope, "method": "GET"}
            await self._app(scope, _limited(receive, self._limit(scope["path"])), secured)
        except Exception as error:
            if begun:
                raise
            await answered(error)(scope, receive, secured)

    def _admit(self, path: str, headers: Headers) -> None:
        """Refuse by what stands in the headers."""
        if sum(len(name) + len(value) for name, value in headers.raw) > _MAX_HEADERS:
            raise Refusal(431, f"the headers have more than {_MAX_HEADERS} bytes")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._limit(path):
            raise _too_large(self._limit(path))
        if (encoding := headers.get("content-encoding", "")).lower() not in ("", "identity"):
            told = f"a body is taken as it is, not as {encoding[:40]!r}"
            raise Refusal(415, told, param="content-encoding")
        host, origin = headers.get("host", ""), headers.get("origin")
        access = self._service.access
        if not access.token and not is_loopback(_hostname(host)):
            raise Refusal(
                421,
                f"without a token only names of this machine are answered, found {_hostname(host)[:80]!r}: "
                "ask at 127.0.0.1, or start the server with $HYBRID_TOKEN",
                code="host",
            )
        if origin is not None and origin.partition("://")[2] != host:
            told = f"a page of another site may not ask, found the origin {origin[:80]!r}: let its server ask"
            raise Refusal(403, told, code="origin")
        is_open = path in _OPEN or path.startswith(_OPEN_FOLDER)
        if not is_open and not access.admits(headers.get("authorization", "")):
            raise AccessDenied("no token, or a wrong one", hint="send: Authorization: Bearer TOKEN")

    def _limit(self, path: str) -> int:
        """Return how many bytes a body may have."""
        settings = self._service.settings
        if path.startswith(UPLOADS):
            return int(settings.documents.max_megabytes * 1_048_576)
        return settings.serve.max_body_kilobytes * 1_024


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # a bracket that does not close
        return ""


def _limited(receive: Receive, limit: int) -> Receive:
    """Return what hands on a body up to a limit, as far as it comes in time."""
    received, waiting = 0, True
    latest = asyncio.get_running_loop().time() + _SECONDS_TO_SEND

    async def limited() -> Message:
        nonlocal received, waiting
        try:
            async with asyncio.timeout_at(latest if waiting else None):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, f"the body did not come in {_SECONDS_TO_SEND} s") from None
        waiting = message.get("more_body", False)
        received += len(message.get("body", b""))
        if received > limit:
            raise HTTPException(413, str(_too_large(limit)))
        return message

    return limited


def _too_large(limit: int) -> Refusal:
    return Refusal(413, f"the body has more than {limit} bytes")
