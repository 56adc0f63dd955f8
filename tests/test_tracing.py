import contextlib

import pytest

from hybrid import tracing
from hybrid.errors import ExtraMissing


class Recorder:
    def __init__(self):
        self.spans = []

    @contextlib.contextmanager
    def span(self, name, attributes):
        self.spans.append((name, dict(attributes)))
        yield


@pytest.fixture
def recorder():
    recorder = Recorder()
    tracing.set_tracer(recorder)
    yield recorder
    tracing.set_tracer(None)


def test_without_a_tracer_a_span_is_nothing():
    with tracing.span("x", {"a": 1}) as nothing:
        done = True
    assert done and nothing is None
    with pytest.raises(ValueError, match="its own"), tracing.span("x"):
        raise ValueError("its own")


@pytest.mark.slow
def test_stages_are_spans_without_any_text(recorder, tmp_path):
    from hybrid import Assistant
    from hybrid.testing import HashEmbedder, ScriptedGenerator

    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("The secret port is 5432.")
    assistant = Assistant("d", embedder=HashEmbedder(), generator=ScriptedGenerator(["x"]))
    assistant.index(tmp_path / "docs")
    assistant.ask("Which secret port?")
    names = [name for name, _ in recorder.spans]
    assert {"index.update", "index.embed", "retrieval", "answer"} <= set(names)
    kinds = {attributes.get("openinference.span.kind") for _, attributes in recorder.spans}
    assert {"EMBEDDING", "RETRIEVER", "CHAIN"} <= kinds
    assert "secret" not in str(recorder.spans)


def test_open_telemetry_says_what_to_install_when_it_is_missing():
    try:
        import opentelemetry  # noqa: F401
    except ImportError:
        with pytest.raises(ExtraMissing, match="opentelemetry") as caught:
            tracing.OpenTelemetryTracer()
        assert "hybrid-assistant[otel]" in caught.value.hint
    else:
        assert tracing.OpenTelemetryTracer()
