"""Counters and histograms of the server for Prometheus, with labels from bounded sets."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator, Collection, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace

from fastapi import APIRouter, Request, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hybrid.domains import Assistants
from hybrid.serving.protocol import Answering, Asking
from hybrid.serving.scheduler import Scheduler
from hybrid.serving.service import Service
from hybrid.tracing.names import TraceOutcome
from hybrid.tracing.spans import outcome_of, outcome_of_error
from hybrid.types import Answer, Arm

router = APIRouter()

# The folder in which several processes of one server count together (prometheus_client's own variable).
SHARED = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)
# What is in no set of ours, such as a path that nobody serves, is one label whatever a client makes up.
_OTHER = "other"
_NONE = "none"
_METHODS = frozenset(("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"))


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Return everything that was counted since the start, and how many wait now."""
    registry: CollectorRegistry = request.app.state.metrics.registry
    if os.environ.get(SHARED):  # each of them tells of all
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class Metrics:
    """What one server counts, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "hybrid_requests",
            "Requests by route and status.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "hybrid_request_seconds",
            "Requests, to the end of what is streamed.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.answers = Counter(
            "hybrid_answers",
            "Questions by what became of them.",
            ("domain", "arm", "outcome"),
            registry=self.registry,
        )
        self.answer_seconds = Histogram(
            "hybrid_answer_seconds",
            "Answers, the time in the queue too.",
            ("domain", "arm"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.under_way = Gauge(
            "hybrid_questions_under_way",
            "Questions that were taken and have no answer yet.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.queue = Gauge(
            "hybrid_queue_length",
            "Questions that wait for a place to be answered.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )


def measured(service: Service, metrics: Metrics) -> Service:
    """Return the service whose answers are counted, and whose queue is measured if it has one."""
    if isinstance(scheduler := service.answering, Scheduler):
        metrics.queue.set_function(lambda: scheduler.load.waiting)
    return replace(service, answering=_Counted(service.answering, service.assistants, metrics))


@dataclass(frozen=True, slots=True)
class _Counted:
    """Answers as another one does, and counts."""

    answering: Answering
    assistants: Assistants
    metrics: Metrics

    async def answer(self, asked: Asking) -> Answer:
        """Return the answer."""
        with self._counting(asked) as ended:
            answer = await self.answering.answer(asked)
            ended.append(answer)
            return answer

    async def stream(self, asked: Asking) -> AsyncGenerator[str | Answer, None]:
        """Yield pieces, then the answer."""
        with self._counting(asked) as ended:
            async with aclosing(self.answering.stream(asked)) as parts:
                async for part in parts:
                    if isinstance(part, Answer):
                        ended.append(part)
                    yield part

    async def close(self) -> None:
        """Close what answers."""
        await self.answering.close()

    @contextmanager
    def _counting(self, asked: Asking) -> Iterator[list[Answer]]:
        """Count a question when the block ends, by the answer that it puts into the list."""
        ended: list[Answer] = []
        begun = time.perf_counter()
        outcome = TraceOutcome.CANCELLED
        self._look_at_queue()
        try:
            with self.metrics.under_way.track_inprogress():
                yield ended
        except Exception as error:
            outcome = outcome_of_error(error, named=isinstance(asked.arm, str))
            raise
        finally:
            self._look_at_queue()
            last = ended[-1] if ended else None
            labels = self._labels(asked, last)
            self.metrics.answers.labels(*labels, outcome_of(last) if last else outcome).inc()
            if last:
                self.metrics.answer_seconds.labels(*labels).observe(time.perf_counter() - begun)

    def _look_at_queue(self) -> None:
        """Write its length down for the other processes, which have no function to call."""
        if isinstance(self.answering, Scheduler):
            self.metrics.queue.set(self.answering.load.waiting)

    def _labels(self, asked: Asking, answer: Answer | None) -> tuple[str, str]:
        """Return domain and arm: of the answer, none where none took part in it, or as they were named."""
        if answer is None:
            domain, arm = asked.domain or "auto", asked.arm if isinstance(asked.arm, str) else "auto"
        else:
            domain, arm = answer.domain or _NONE, str(answer.arm) if answer.variant else _NONE
        known = (*self.assistants.domains, "auto", _NONE)
        return _among(domain, known), _among(arm, (*Arm, "auto", _NONE))


class CountedRequests:
    """Count every request by route, method and status, and how long it took to the end of its response."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), "none"

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            # the router says which route it was; what was refused before has none
            route = getattr(scope.get("route"), "path", _OTHER)
            self._metrics.requests.labels(route, _among(scope["method"], _METHODS), status).inc()
            self._metrics.request_seconds.labels(route).observe(time.perf_counter() - begun)


def _among(value: str, known: Collection[str]) -> str:
    return value if value in known else _OTHER
