"""OTLP: spans as a collector takes them, sent over HTTP by the SDK, or written as JSON lines without it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hybrid.errors import ExtraMissing
from hybrid.tracing import names
from hybrid.tracing.spans import SpanSink, SpanValue, TraceSpan
from hybrid.trust import Endpoint

_SERVICE = {"service.name": "hybrid"}
_SCOPE = "hybrid.tracing"


def otlp_sink(endpoint: Endpoint) -> SpanSink:
    """Return what sends spans to a collector in batches, from a thread of its own.

    Args:
        endpoint: its address without the path of the signal; without one that of the environment, which names
            headers and time-outs too, as OpenTelemetry's variables do everywhere.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ExtraMissing(
            "sending traces needs OpenTelemetry's SDK and its OTLP exporter",
            hint="pip install 'hybrid-assistant[otel]'",
        ) from error
    headers = _login(endpoint)
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None, headers=headers)
    return _Exported(BatchSpanProcessor(exporter))


def _login(endpoint: Endpoint) -> dict[str, str] | None:
    if endpoint.basic is None:
        return None
    import base64

    return {"Authorization": "Basic " + base64.b64encode(":".join(endpoint.basic).encode()).decode()}


class _Exported:
    """Hand spans to a span processor of the SDK as its own."""

    def __init__(self, processor: Any) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        self._processor = processor
        self._resource = Resource.create(_SERVICE)
        self._scope = InstrumentationScope(_SCOPE)

    def add(self, spans: Sequence[TraceSpan]) -> None:
        """Queue spans for the collector."""
        for span in spans:
            self._processor.on_end(self._readable(span))

    def close(self) -> None:
        """Send what waits, for as long as the exporter's time-out lets it."""
        self._processor.shutdown()

    def _readable(self, span: TraceSpan) -> Any:
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import Status, StatusCode

        return ReadableSpan(
            span.name,
            _context(span.trace, span.id),
            _context(span.trace, span.parent) if span.parent else None,
            self._resource,
            _attributes(span),
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
            start_time=span.start,
            end_time=span.end,
            instrumentation_scope=self._scope,
        )


def _context(trace: str, span: str) -> Any:
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(int(trace, 16), int(span, 16), False, TraceFlags(TraceFlags.SAMPLED))


def _attributes(span: TraceSpan) -> dict[str, SpanValue]:
    """Return what another machine is told of a stage."""
    told = {key: value for key, value in span.attributes.items() if key not in names.LOCAL}
    return told | {names.KIND: span.kind} | ({names.ERROR_TYPE: span.error} if span.error else {})


def otlp_json(spans: Sequence[TraceSpan]) -> dict[str, Any]:
    """Return spans as one request of OTLP's JSON form, as a collector's file receiver reads it a line."""
    scope = {"scope": {"name": _SCOPE}, "spans": [_json(span) for span in spans]}
    return {"resourceSpans": [{"resource": {"attributes": _pairs(_SERVICE)}, "scopeSpans": [scope]}]}


def _json(span: TraceSpan) -> dict[str, Any]:
    status: dict[str, Any] = {"code": 2, "message": span.error} if span.error else {}
    return {
        "traceId": span.trace,
        "spanId": span.id,
        "parentSpanId": span.parent,
        "name": span.name,
        "kind": 1,
        "startTimeUnixNano": str(span.start),
        "endTimeUnixNano": str(span.end),
        "attributes": _pairs(_attributes(span)),
        "status": status,
    }


def _pairs(attributes: Any) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: SpanValue) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
    return {"arrayValue": {"values": [_value(item) for item in value]}}
