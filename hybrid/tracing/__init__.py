"""Traces: what was done for every question, kept on this machine and sent on where that was asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from hybrid.config import Settings
from hybrid.errors import ConfigError, HybridError
from hybrid.tracing.spans import SpanSink, asking, sent_to, span, tell
from hybrid.tracing.store import TRACES_FILE, StoreSink, TraceStore
from hybrid.trust import Endpoint

__all__ = ["asking", "span", "tell", "traced"]

_CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_CAPTURED = {"true", "1", "span_only", "span_and_event"}
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


@contextmanager
def traced(
    settings: Settings,
    tell: Callable[[str], None] = lambda trouble: None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Keep the traces of the whole process, and send them on, as the settings say, until the block ends.

    Args:
        settings: the section ``tracing``, and the folder of the indexes, in which the store is.
        tell: told once when traces cannot be kept, and why; no answer fails with it.
        environment: instead of ``os.environ``.

    Raises:
        ExtraMissing: there is an endpoint, and the extra ``otel`` is not installed.
        ConfigError: the endpoint is elsewhere, and ``models.offline`` keeps to this machine.

    Example:
        >>> with traced(settings):                                       # doctest: +SKIP
        ...     assistant.ask("Which port is the default?").trace
        '019cf2a4c1d07e…'
    """
    environment = os.environ if environment is None else environment
    own, sinks = settings.tracing, list[SpanSink]()
    try:
        sinks += _collectors(settings, environment)
    except HybridError as error:
        if own.endpoint:
            raise
        # what is set for every program of a machine was not set for this one
        tell(f"traces are not sent: {error}")
    if own.store:
        path = Path(settings.indexes) / TRACES_FILE
        sinks.append(StoreSink(partial(TraceStore, path, days=own.days, megabytes=own.megabytes), tell))
    said = environment.get(_CAPTURE, "")  # the variable of the conventions wins
    content = said.lower() in _CAPTURED if said else own.content
    with sent_to(sinks, content=content, questions=own.questions):
        yield


def _collectors(settings: Settings, environment: Mapping[str, str]) -> list[SpanSink]:
    own = settings.tracing.endpoint
    there = own or Endpoint(next(filter(None, map(environment.get, _ENDPOINTS)), ""))
    if not there:
        return []
    if settings.models.offline and not there.is_loopback:
        raise ConfigError(
            f"the collector {there} is on another machine, and `models.offline` keeps to this one",
            hint="set `models.offline` or `tracing.endpoint` otherwise",
        )
    from hybrid.tracing.otlp import otlp_sink

    return [otlp_sink(own)]
