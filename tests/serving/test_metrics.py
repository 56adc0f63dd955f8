"""What the server counts: by bounded labels, whatever clients make up, and also what was given up."""

import asyncio
import dataclasses

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hybrid.config import ServeSettings, Settings
from hybrid.errors import AdapterError, AdapterMissing, RemoteError, UsageError
from hybrid.serving.app import create_app
from hybrid.serving.metrics import Metrics, measured
from hybrid.serving.protocol import Asking
from hybrid.serving.scheduler import Load, Scheduler
from hybrid.serving.service import Service
from hybrid.types import Answer, Arm


def samples(text):
    families = text_string_to_metric_families(text)
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def of(found, name, **labels):
    return found.get((name, *sorted(labels.items())))


def read(url):
    response = httpx2.get(f"{url}/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    return samples(response.text)


def ask(url, question, model="hybrid/manual/rag"):
    body = {"model": model, "messages": [{"role": "user", "content": question}]}
    return httpx2.post(f"{url}/v1/chat/completions", json=body).status_code


@pytest.mark.slow
def test_answers_and_requests_are_counted(url):
    before = read(url)
    assert ask(url, "Which port is the default?") == 200
    assert ask(url, "Who baked zebras?") == 200
    assert ask(url, "Which port?", model="hybrid/nowhere/rag") == 404
    found = read(url)

    def more(name, **labels):
        return of(found, name, **labels) - (of(before, name, **labels) or 0)

    route = "/v1/chat/completions"
    assert more("hybrid_requests_total", route=route, method="POST", status="200") == 2
    assert more("hybrid_requests_total", route=route, method="POST", status="404") == 1
    assert more("hybrid_request_seconds_count", route=route) == 3
    assert more("hybrid_answers_total", domain="manual", arm="rag", outcome="answered") == 1
    assert more("hybrid_answers_total", domain="manual", arm="rag", outcome="declined") == 1
    assert more("hybrid_answer_seconds_count", domain="manual", arm="rag") == 2
    assert of(found, "hybrid_questions_under_way") == 0


@pytest.mark.slow
def test_what_clients_make_up_is_no_label(url):
    for number in range(20):
        httpx2.get(f"{url}/made/up/{number}")
        httpx2.request(f"MADE{number}", f"{url}/healthz")
        ask(url, "Which port?", model=f"hybrid/made{number}/up")
    found = read(url)
    assert of(found, "hybrid_requests_total", route="other", method="GET", status="404") == 20
    named = {value for key in found for _, value in key[1:]}
    assert not any("made" in value.lower() for value in named)
    assert len(found) < 400


class Scripted:
    """Answers with what it was given, or fails of it."""

    def __init__(self, *parts):
        self.parts, self.closed = parts, False

    async def answer(self, asked):
        return [part async for part in self.stream(asked)][-1]

    async def stream(self, asked):
        try:
            for part in self.parts:
                if isinstance(part, Exception):
                    raise part
                yield part
        finally:
            self.closed = True

    async def close(self):
        pass


@dataclasses.dataclass(frozen=True)
class Domains:
    """Stands in for the domains, of which only the names and the settings count."""

    domains: tuple[str, ...] = ("manual",)
    settings: Settings = dataclasses.field(default_factory=Settings)


def counted(*parts):
    metrics, scripted = Metrics(), Scripted(*parts)
    return measured(Service(Domains(), scripted), metrics).answering, metrics, scripted


ANSWER = Answer("q", "5432", Arm.RAG, "extractive", domain="manual", variant="rag")
DECLINED = Answer("q", "None of these domains covers it.", Arm.RAG, "router", abstained=True)


async def drained(parts):
    return [part async for part in parts]


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(name, labels)


def test_a_stream_is_counted_by_its_answer():
    answering, metrics, _ = counted("54", "32", ANSWER)
    assert asyncio.run(drained(answering.stream(Asking("q")))) == ["54", "32", ANSWER]
    assert value(metrics, "hybrid_answers_total", domain="manual", arm="rag", outcome="answered") == 1


def test_what_the_router_declined_is_of_no_domain_and_no_arm():
    answering, metrics, _ = counted(DECLINED)
    asyncio.run(answering.answer(Asking("q")))
    assert value(metrics, "hybrid_answers_total", domain="none", arm="none", outcome="declined") == 1


def test_a_client_that_leaves_is_counted_and_ends_the_stream_below():
    answering, metrics, scripted = counted("54", "32", ANSWER)

    async def leave():
        parts = answering.stream(Asking("q", domain="manual", arm="base"))
        await anext(parts)
        assert value(metrics, "hybrid_questions_under_way") == 1
        await parts.aclose()

    asyncio.run(leave())
    assert scripted.closed
    assert value(metrics, "hybrid_answers_total", domain="manual", arm="base", outcome="cancelled") == 1
    assert value(metrics, "hybrid_questions_under_way") == 0


@pytest.mark.parametrize(("domain", "label"), [(None, "auto"), ("manual", "manual"), ("made up", "other")])
def test_an_error_is_counted_and_raised(domain, label):
    answering, metrics, _ = counted(RemoteError("no"))
    with pytest.raises(RemoteError):
        asyncio.run(answering.answer(Asking("q", domain=domain)))
    assert value(metrics, "hybrid_answers_total", domain=label, arm="auto", outcome="error") == 1
    assert value(metrics, "hybrid_answer_seconds_count", domain=label, arm="auto") is None


@pytest.mark.parametrize(
    ("error", "arm", "outcome"),
    [
        (UsageError("no"), None, "refused"),
        (AdapterMissing("none"), "both", "refused"),
        (AdapterMissing("none"), None, "error"),
        (AdapterError("damaged"), "both", "error"),
    ],
)
def test_what_cannot_be_asked_like_that_is_refused(error, arm, outcome):
    answering, metrics, _ = counted(error)
    with pytest.raises(type(error)):
        asyncio.run(answering.answer(Asking("q", domain="manual", arm=arm)))
    labels = {"domain": "manual", "arm": arm or "auto"}
    assert value(metrics, "hybrid_answers_total", outcome=outcome, **labels) == 1


def test_the_queue_of_the_scheduler_is_measured(monkeypatch):
    metrics = Metrics()
    scheduler = Scheduler(Domains(), ServeSettings())
    measured(Service(Domains(), scheduler), metrics)
    assert value(metrics, "hybrid_queue_length") == 0
    monkeypatch.setattr(Scheduler, "load", Load(working=2, waiting=7))
    assert value(metrics, "hybrid_queue_length") == 7
    asyncio.run(scheduler.close())


def test_two_servers_count_apart():
    service = Service(Domains(), Scripted())
    assert create_app(service).state.metrics is not create_app(service).state.metrics
