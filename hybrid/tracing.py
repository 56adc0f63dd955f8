"""Spans around the stages: nothing by default, OpenTelemetry when it is asked for.

Takes a name and attributes, gives a context. The attributes follow OpenInference and the
OpenTelemetry GenAI conventions. Knows nothing about what it measures, and never receives the
text of a document or of a question.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Protocol

from hybrid.errors import ExtraMissing

SpanValue = str | int | float | bool


class Tracer(Protocol):
    """What receives the spans."""

    def span(self, name: str, attributes: Mapping[str, SpanValue]) -> contextlib.AbstractContextManager[None]:
        """Open a span that ends with the context."""
        ...


_tracer: Tracer | None = None


def set_tracer(tracer: Tracer | None) -> None:
    """Send all further spans to this tracer; None switches tracing off."""
    global _tracer
    _tracer = tracer


@contextlib.contextmanager
def span(name: str, attributes: Mapping[str, SpanValue] | None = None) -> Iterator[None]:
    """Mark a stretch of work; free when no tracer is set."""
    if _tracer is None:
        yield
        return
    with _tracer.span(name, attributes or {}):
        yield


class OpenTelemetryTracer:
    """Send spans to the OpenTelemetry provider that the process has set up."""

    def __init__(self) -> None:
        try:
            from opentelemetry import trace
        except ImportError as error:
            raise ExtraMissing(
                "tracing needs the package opentelemetry-sdk",
                hint="pip install 'hybrid-assistant[otel]'",
            ) from error
        self._tracer = trace.get_tracer("hybrid")

    def span(self, name: str, attributes: Mapping[str, SpanValue]) -> contextlib.AbstractContextManager[None]:
        """Open an OpenTelemetry span."""
        return self._open(name, attributes)

    @contextlib.contextmanager
    def _open(self, name: str, attributes: Mapping[str, SpanValue]) -> Iterator[None]:
        with self._tracer.start_as_current_span(name, attributes=dict(attributes)):
            yield
