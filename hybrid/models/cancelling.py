"""Cancellation: whoever asked may leave, or run out of time, and what works for them stops (cooperative)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextvars import ContextVar

from hybrid.errors import HybridError


class GivenUp(HybridError):
    """Nobody waits for the answer any more."""


class Patience:
    """How long somebody waits: until ``give_up`` is called, from any thread."""

    def __init__(self) -> None:
        self._over = threading.Event()

    def give_up(self) -> None:
        """End it."""
        self._over.set()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Work for somebody as long as the block runs: ``require_patience`` there asks this one."""
        token = _held.set(self)
        try:
            yield
        finally:
            _held.reset(token)

    def require(self) -> None:
        """Go on only while somebody waits.

        Raises:
            GivenUp: nobody does.
        """
        if self._over.is_set():
            raise GivenUp("nobody waits for this answer any more")


_held: ContextVar[Patience | None] = ContextVar("held", default=None)


def require_patience() -> None:
    """Go on only while somebody waits for what is done here; without a ``Patience`` somebody always does.

    Raises:
        GivenUp: nobody does.
    """
    if (patience := _held.get()) is not None:
        patience.require()
