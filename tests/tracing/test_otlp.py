"""What a collector is sent has the names of the conventions, and nothing that is to stay here."""

import contextlib
import http.server
import json
import threading

import pytest
from google.protobuf.json_format import MessageToDict, Parse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from hybrid.config import load_settings
from hybrid.errors import ConfigError, ExtraMissing
from hybrid.tracing import names, traced
from hybrid.tracing.names import SpanKind
from hybrid.tracing.otlp import otlp_json
from hybrid.tracing.spans import TraceSpan, asking, is_captured, is_traced, span, tell


@contextlib.contextmanager
def collector():
    """Give the address of a receiver, and what it has received: path, headers, request."""
    received = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(
                (
                    self.path,
                    {key.lower(): value for key, value in self.headers.items()},
                    ExportTraceServiceRequest.FromString(body),
                )
            )
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _work():
    """Ask a question whose generation fails."""
    with contextlib.suppress(ValueError), asking(1, {names.DOMAIN: "d", names.CONVERSATION: "c"}):
        tell({names.QUESTION_VECTOR: (0.5, 0.25), names.TOP_SCORE: 0.5})
        for name, kind in (
            (names.ROUTE_ARM, SpanKind.DECISION),
            (names.RETRIEVE, SpanKind.RETRIEVER),
            (names.RERANK, SpanKind.RERANKER),
            (names.EMBED, SpanKind.EMBEDDING),
            (names.JUDGE, SpanKind.EVALUATOR),
        ):
            with span(name, kind):
                pass
        with span(names.GENERATE, SpanKind.LLM, {names.MODEL: "m", names.INPUT_TOKENS: 7}):
            raise ValueError("secret")


def _spans(received):
    (resource,) = [part for _, _, request in received for part in request.resource_spans]
    told = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert told["service.name"] == "hybrid"
    return {one.name: one for scope in resource.scope_spans for one in scope.spans}


def _attributes(one):
    return {pair.key: next(iter(MessageToDict(pair.value).values())) for pair in one.attributes}


def test_a_collector_gets_the_names_of_the_conventions():
    with collector() as (address, received):
        settings = load_settings({"tracing": {"store": False, "endpoint": address}})
        with traced(settings):
            _work()
    ((path, headers, _),) = received
    assert path == "/v1/traces"
    assert headers["content-type"] == "application/x-protobuf"
    spans = _spans(received)
    kinds = {name: _attributes(one)["openinference.span.kind"] for name, one in spans.items()}
    assert kinds == {
        **{"ask": "CHAIN", "route arm": "DECISION", "retrieve": "RETRIEVER", "rerank": "RERANKER"},
        **{"embed": "EMBEDDING", "judge": "EVALUATOR", "generate": "LLM"},
    }
    operations = {name: _attributes(one).get("gen_ai.operation.name") for name, one in spans.items()}
    assert {name: told for name, told in operations.items() if told} == {
        **{"ask": "invoke_workflow", "retrieve": "retrieval", "embed": "embeddings", "generate": "chat"}
    }
    asked, generated = spans["ask"], spans["generate"]
    told = _attributes(asked)
    assert told["gen_ai.conversation.id"] == "c"
    assert told["hybrid.retrieval.top_score"] == 0.5
    assert names.QUESTION_VECTOR not in told  # stays here
    assert asked.parent_span_id == b""
    assert {one.parent_span_id for one in spans.values()} == {b"", asked.span_id}
    assert {one.trace_id for one in spans.values()} == {asked.trace_id}
    told = _attributes(generated)
    assert (told["gen_ai.request.model"], told["gen_ai.usage.input_tokens"]) == ("m", "7")
    assert (told["gen_ai.provider.name"], told["error.type"]) == ("hybrid", "ValueError")
    assert generated.status.code == 2
    assert _attributes(spans["route arm"])["decision.system"] == "hybrid"
    assert "secret" not in str(received)
    assert not is_traced()


def test_a_file_of_json_lines_is_the_same_request():
    given = {"text": "x", "count": 2**40, "share": 0.5, "flag": True, "row": (0.5, 1.0)}
    one = TraceSpan(
        "00" * 15 + "ab",
        "00" * 7 + "cd",
        "",
        names.GENERATE,
        SpanKind.LLM,
        5,
        2**60,
        "ValueError",
        given | {names.QUESTION_VECTOR: (1.0,)},
    )
    line = json.dumps(otlp_json([one]))
    # ids are hexadecimal in OTLP's JSON, where protobuf's own has base64
    request = Parse(line, ExportTraceServiceRequest())
    (read,) = request.resource_spans[0].scope_spans[0].spans
    assert (read.name, read.start_time_unix_nano, read.end_time_unix_nano) == (names.GENERATE, 5, 2**60)
    assert _attributes(read) == {
        **{"text": "x", "count": str(2**40), "share": 0.5, "flag": True},
        **{"row": {"values": [{"doubleValue": 0.5}, {"doubleValue": 1.0}]}},
        **{names.KIND: "LLM", names.ERROR_TYPE: "ValueError"},
    }
    assert json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"] == one.trace


def test_the_variables_of_opentelemetry_name_collector_and_headers(monkeypatch):
    with collector() as (address, received):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"{address}/api/public/otel")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20key,X-Latitude-Project=7")
        with traced(load_settings({"tracing": {"store": False}})):
            _work()
    ((path, headers, _),) = received
    assert path == "/api/public/otel/v1/traces"
    assert (headers["authorization"], headers["x-latitude-project"]) == ("Bearer key", "7")


def test_the_login_of_an_address_is_sent_and_not_shown():
    with collector() as (address, received):
        given = address.replace("http://", "http://me:pass%40word@")
        settings = load_settings({"tracing": {"store": False, "endpoint": given}})
        assert "pass%40word" not in repr(settings)
        with traced(settings):
            _work()
    ((_, headers, _),) = received
    assert headers["authorization"] == "Basic bWU6cGFzc0B3b3Jk"


@pytest.mark.parametrize(
    ("setting", "variable", "kept"),
    [
        (False, "", False),
        (True, "", True),
        (False, "true", True),
        (False, "SPAN_ONLY", True),
        (True, "NO_CONTENT", False),
        (True, "false", False),
        (True, "EVENT_ONLY", False),
    ],
)
def test_content_is_kept_as_the_variable_says_else_as_the_setting(setting, variable, kept):
    settings = load_settings({"tracing": {"content": setting}})
    with traced(settings, environment={"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": variable}):
        assert is_captured() is kept


def test_offline_keeps_to_this_machine():
    elsewhere = "http://collector.example:4318"
    settings = load_settings({"models": {"offline": True}, "tracing": {"endpoint": elsewhere}})
    with pytest.raises(ConfigError, match="offline"), traced(settings):
        pass
    told = []
    settings = load_settings({"models": {"offline": True}, "tracing": {"store": False}})
    with traced(settings, told.append, {"OTEL_EXPORTER_OTLP_ENDPOINT": elsewhere}):
        assert not is_traced()
    assert len(told) == 1
    assert "offline" in told[0]


def test_without_the_extra_an_endpoint_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.sdk.trace.export", None)
    settings = load_settings({"tracing": {"endpoint": "http://localhost:4318"}})
    with pytest.raises(ExtraMissing) as caught, traced(settings):
        pass
    assert "hybrid-assistant[otel]" in caught.value.hint


@pytest.mark.parametrize("key", ["endpoint", "content"])
def test_the_file_of_a_folder_may_not_send_anything_elsewhere(tmp_path, key):
    value = {"endpoint": '"http://collector.example"', "content": "true"}[key]
    (tmp_path / "hybrid.toml").write_text(f"[tracing]\n{key} = {value}\n")
    with pytest.raises(ConfigError, match=rf"tracing\.{key}"):
        load_settings()
