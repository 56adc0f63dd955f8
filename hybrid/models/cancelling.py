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
    """How long somebody waits: until ``give_up`` is called, from any thread.

    ``turns`` are those of all that may compute at the same time; None where anybody may.
    """

    def __init__(self, turns: threading.Semaphore | None = None) -> None:
        self._over = threading.Event()
        self.turns = turns

    def give_up(self) -> None:
        """End it."""
        self._over.set()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Work for somebody as long as the block runs, once it is one's turn.

        In the block ``require_patience`` and ``resting`` mean this one.
        """
        token = _held.set(self)
        try:
            with self.turns or contextlib.nullcontext():
                yield
        finally:
            _held.reset(token)

    def require(self) -> None:
        """Raise GivenUp once nobody waits."""
        if self._over.is_set():
            raise GivenUp("nobody waits for this answer any more")


_held: ContextVar[Patience | None] = ContextVar("held", default=None)


@contextlib.contextmanager
def resting() -> Iterator[None]:
    """Leave the turn to others as long as the block waits for something else than the interpreter."""
    patience = _held.get()
    if patience is None or patience.turns is None:
        yield
        return
    patience.turns.release()
    try:
        yield
    finally:
        patience.turns.acquire()


def require_patience() -> None:
    """Raise GivenUp once nobody waits for what is done here; without a ``Patience`` somebody always does."""
    if (patience := _held.get()) is not None:
        patience.require()
