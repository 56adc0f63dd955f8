"""What the server asks, and what answers it (request, scheduler)."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from hybrid.errors import HybridError
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
