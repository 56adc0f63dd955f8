"""Admission control: so many questions are worked on at a time, so many wait, all others are refused."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from fastapi import Depends, Request

from hybrid.config import ServeSettings
from hybrid.domains import Assistants
from hybrid.errors import HybridError
from hybrid.models.cancelling import Patience
from hybrid.serving.protocol import Asking, OutOfTime, Overloaded
from hybrid.tracing import names
from hybrid.tracing.spans import OpenSpan, asking
from hybrid.types import Answer

# So many threads compute at a time, all others wait for a model: more would only keep the event loop from its
# turn, for one alone may use the interpreter, and what it calls uses all cores.
_COMPUTING = 2
# What computes beside answers: so many at a time.
_BESIDE = 4
# How much the last answer counts in what an answer takes, by which a refused client is told when to come.
_NEWEST = 0.1


@dataclass(frozen=True, slots=True)
class Load:
    """How many questions are worked on, and how many wait."""

    working: int
    waiting: int


class Scheduler:
    """Answer many questions at once, each in a thread; models put together what several threads ask of them.

    The place of a client that leaves, or whose time is over, is free at once; what its thread does ends at
    the next step of the generator or the next piece of text.

    Args:
        assistants: the domains, which stay the caller's.
        limits: how many.
    """

    def __init__(self, assistants: Assistants, limits: ServeSettings) -> None:
        self._assistants, self._limits = assistants, limits
        self._places = asyncio.Semaphore(limits.parallel)
        # as many again, for threads whose client has left and that have not come to a step yet
        self._threads = ThreadPoolExecutor(2 * limits.parallel, thread_name_prefix="hybrid-answers")
        self._turns = threading.Semaphore(_COMPUTING)
        self._accepted = Counter[str]()
        self._working = 0
        self._seconds = 1.0
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def load(self) -> Load:
        """Return how much there is to do now."""
        return Load(self._working, self._accepted.total() - self._working)

    async def answer(self, asked: Asking) -> Answer:
        """Return the answer; raises as ``Answering.answer``."""
        async with aclosing(self._parts(asked, streamed=False)) as parts:
            async for part in parts:
                if isinstance(part, Answer):
                    return part
        raise AssertionError("what answers ends with the answer")

    def stream(self, asked: Asking) -> AsyncGenerator[str | Answer, None]:
        """Return the answer in pieces of text, and at last as an ``Answer``; raises as ``answer``."""
        return self._parts(asked, streamed=True)

    async def close(self) -> None:
        """Accept nothing more, answer what was accepted, and let go of the threads."""
        self._closed = True
        await self._idle.wait()
        await asyncio.to_thread(self._threads.shutdown)

    async def _parts(self, asked: Asking, *, streamed: bool) -> AsyncGenerator[str | Answer, None]:
        async with self._traced_place(asked) as stage:
            loop, patience = asyncio.get_running_loop(), Patience(self._turns)
            parts = asyncio.Queue[str | Answer | BaseException]()

            def work() -> None:
                try:
                    with patience.held():
                        patience.require()
                        for part in stage.stream(lambda: self._answered(asked, streamed=streamed)):
                            loop.call_soon_threadsafe(parts.put_nowait, part)
                            if not isinstance(part, Answer):  # who has it may be gone
                                patience.require()
                except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                    loop.call_soon_threadsafe(parts.put_nowait, error)

            # in the context of who asks: spans of the thread belong to the request
            self._threads.submit(contextvars.copy_context().run, work)
            begun = loop.time()
            try:
                while True:
                    async with _in_time(asked):
                        part = await parts.get()
                    if isinstance(part, BaseException):
                        raise part
                    if isinstance(part, Answer):
                        self._seconds += _NEWEST * (loop.time() - begun - self._seconds)
                        yield part
                        return
                    yield part
            finally:
                patience.give_up()

    def _answered(self, asked: Asking, *, streamed: bool) -> Iterator[str | Answer]:
        if streamed:
            return self._assistants.stream(
                asked.question,
                domain=asked.domain,
                arm=asked.arm,
                history=asked.history,
                as_user=asked.as_user,
            )
        answer = self._assistants.ask(
            asked.question, domain=asked.domain, arm=asked.arm, history=asked.history, as_user=asked.as_user
        )
        return iter([answer])

    @asynccontextmanager
    async def _traced_place(self, asked: Asking) -> AsyncIterator[OpenSpan]:
        """Wait for a place, in the trace of the question, which begins before; raises as ``_place``."""
        told = {names.ANSWER_ID: asked.id, names.CONVERSATION: asked.conversation}
        stage = asking(1, told, aside=asked.auxiliary)
        try:
            async with self._place(asked):
                yield stage
        except (HybridError, asyncio.CancelledError) as error:
            stage.end(error)
            raise

    @asynccontextmanager
    async def _place(self, asked: Asking) -> AsyncIterator[None]:
        """Wait for a place among those that are worked on, first come, first served.

        Raises:
            Overloaded: too many wait, or too many of this key; or the server stops.
            OutOfTime: the deadline passed in the queue.
        """
        self._require_room(asked.key)
        self._accepted[asked.key] += 1
        self._idle.clear()
        try:
            async with _in_time(asked):
                await self._places.acquire()
            self._working += 1
            try:
                yield
            finally:
                self._working -= 1
                self._places.release()
        finally:
            self._accepted[asked.key] -= 1
            self._accepted += Counter()  # forgets keys that ask nothing
            if not self._accepted:
                self._idle.set()

    def _require_room(self, key: str) -> None:
        limits, load = self._limits, self.load
        wait = max(1.0, self._seconds * (load.waiting + 1) / limits.parallel)
        if self._closed:
            raise Overloaded("the server stops", retry_after=wait)
        if load.waiting >= limits.queue:
            raise Overloaded(f"{load.waiting} questions wait already", retry_after=wait)
        # who sends no key cannot be told from others
        if key and self._accepted[key] >= limits.per_key:
            raise Overloaded(f"{limits.per_key} questions of this key are not answered yet", retry_after=wait)


class Turns:
    """A few at a time do what computes beside answers, others wait: threads are left for all that is short.

    Args:
        waiting: so many; more are refused.
    """

    def __init__(self, waiting: int) -> None:
        self._free, self._room = asyncio.Semaphore(_BESIDE), waiting

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Wait for a turn, and hold it.

        Raises:
            Overloaded: too many wait.
        """
        if self._room < 1:
            raise Overloaded("too many wait for what computes beside answers", retry_after=2)
        self._room -= 1
        try:
            await self._free.acquire()
        finally:
            self._room += 1
        try:
            yield
        finally:
            self._free.release()


async def _turn(request: Request) -> AsyncIterator[None]:
    turns: Turns = request.app.state.turns
    async with turns.taken():
        yield


# What a route declares that computes and is no answer.
InTurn = Depends(_turn)


@asynccontextmanager
async def _in_time(asked: Asking) -> AsyncIterator[None]:
    """Wait no longer than until the deadline.

    Raises:
        OutOfTime: it passed.
    """
    try:
        async with asyncio.timeout_at(asked.deadline):
            yield
    except TimeoutError as error:
        raise OutOfTime("the answer was not there in time", hint="ask again later, or less") from error
