"""What the server is asked, by whom and in whose name (bearer token, signed header), and what answers it."""

from __future__ import annotations

import hashlib
import hmac
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Protocol
from urllib.parse import unquote

from fastapi import Depends, Request

from hybrid.errors import ConfigError, HybridError
from hybrid.trust import Secret, is_loopback
from hybrid.types import Answer, Message


class Overloaded(HybridError):
    """More is asked than can wait; nothing was begun; ask again in ``retry_after`` seconds."""

    retryable = True

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message, hint=f"ask again in {retry_after:.0f} s")
        self.retry_after = retry_after


class OutOfTime(HybridError):
    """The answer was not there at its deadline; its work was given up."""

    retryable = True


def new_id() -> str:
    """Return the name of an answer that is still to come."""
    return f"answer-{uuid.uuid4().hex}"


@dataclass(frozen=True, slots=True)
class Asking:
    """A question of a client, and in whose name.

    ``domain`` None leaves it to the router, ``arm`` None to what the domain decided on; it may be given by
    domain. ``history`` holds the turns before it, the oldest first. ``as_user`` is who may read what, None
    for nobody in particular.
    ``conversation`` is the same for all turns of one, ``key`` the same for all that one client asks, empty
    where it sends none. ``deadline`` is a time of ``time.monotonic()``. ``auxiliary`` is what a chat program
    asks for itself, such as a title: it is not kept or tried out. ``id`` names the answer everywhere.
    """

    question: str
    domain: str | None = None
    arm: str | Mapping[str, str] | None = None
    history: tuple[Message, ...] = ()
    as_user: tuple[str, ...] | None = None
    conversation: str = ""
    key: str = ""
    deadline: float | None = None
    auxiliary: bool = False
    id: str = field(default_factory=new_id)


class Answering(Protocol):
    """What answers; a caller that is cancelled, or closes its stream, gives its place free."""

    async def answer(self, asked: Asking) -> Answer:
        """Return the answer.

        Raises:
            Overloaded: too many wait, or too many of this key.
            OutOfTime: the deadline passed.
            HybridError: as ``Assistants.ask``.
        """
        ...

    def stream(self, asked: Asking) -> AsyncGenerator[str | Answer, None]:
        """Return the answer in pieces of text, and at last as an ``Answer``; raises as ``answer``."""
        ...

    async def close(self) -> None:
        """Accept nothing more, answer what was accepted, and let go of the threads."""
        ...


# So far the clocks of server and proxy may be apart, in seconds; older signatures are worth nothing.
_CLOCKS = 300
_SHORTEST = 16


class AccessDenied(HybridError):
    """No token, a wrong one, or a user whose signature does not hold."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a request has to show: ``token`` to be answered at all, a signature by ``user_key`` for a user.

    Without a token any key is taken, which only a server on loopback may do.
    """

    token: Secret = field(default_factory=Secret)
    user_key: Secret = field(default_factory=Secret)

    @staticmethod
    def of(environment: Mapping[str, str], host: str) -> Access:
        """Return what ``$HYBRID_TOKEN`` and ``$HYBRID_USER_KEY`` ask for."""
        named = {name: environment.get(name, "").strip() for name in ("HYBRID_TOKEN", "HYBRID_USER_KEY")}
        for name, value in named.items():
            if value and len(value) < _SHORTEST:
                raise ConfigError(
                    f"${name} has {len(value)} characters, expected {_SHORTEST} or more",
                    hint=f"export {name}=$(openssl rand -hex 24)",
                )
        if not named["HYBRID_TOKEN"] and not is_loopback(host):
            raise ConfigError(
                f"the host {host!r} is reached from other machines, and there is no token",
                hint="export HYBRID_TOKEN=$(openssl rand -hex 24)",
            )
        return Access(*map(Secret, named.values()))

    def admits(self, authorization: str) -> bool:
        """Tell whether the header of that name carries the token; in constant time."""
        scheme, _, given = authorization.partition(" ")
        same = hmac.compare_digest(given.strip().encode(), self.token.reveal().encode())
        return not self.token or (scheme.lower() == "bearer" and same)

    def user(self, header: str) -> tuple[str, ...] | None:
        """Return who asks and that user's groups, None where the header is empty."""
        if not header:
            return None
        seconds, signature, principals = [*header.split(" "), "", ""][:3]
        right = bool(self.user_key) and hmac.compare_digest(
            signature.encode(), _signature(self.user_key, seconds, principals).encode()
        )
        if not right or not seconds.isdecimal() or abs(time.time() - int(seconds)) > _CLOCKS:
            raise AccessDenied(
                "the signature of the header X-Hybrid-User does not hold",
                hint="send: SECONDS HMAC-SHA256(KEY, 'SECONDS NAMES') NAMES, within five minutes",
            )
        return tuple(unquote(name) for name in principals.split(",") if name)


def _signature(key: Secret, seconds: str, principals: str) -> str:
    return hmac.new(key.reveal().encode(), f"{seconds} {principals}".encode(), hashlib.sha256).hexdigest()


def _as_user(request: Request) -> tuple[str, ...] | None:
    access: Access = request.app.state.service.access
    return access.user(request.headers.get("x-hybrid-user", ""))


def _key(request: Request) -> str:
    """Return what tells clients apart: a digest of the key that they send."""
    sent = request.headers.get("authorization", "")
    return hashlib.sha256(sent.encode()).hexdigest()[:16] if sent else ""


# What a route declares to know in whose name it is asked, and by which client.
AsUser = Annotated[tuple[str, ...] | None, Depends(_as_user)]
ClientKey = Annotated[str, Depends(_key)]
