"""Admission control: places, queue, deadlines, keys, clients that leave, an end that loses nothing."""

import asyncio
import contextvars
import socket
import threading
import time

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.config import ServeSettings
from hybrid.errors import UsageError
from hybrid.models.cancelling import require_patience, resting
from hybrid.serving.errors import Events
from hybrid.serving.protocol import Asking, OutOfTime, Overloaded
from hybrid.serving.scheduler import Load, Scheduler
from hybrid.serving.service import Service
from hybrid.testing import HashEmbedder
from hybrid.types import Answer, Arm

_NAME = contextvars.ContextVar("name", default="")


class Gate:
    """Domains that answer with the question backwards, once they are let; they notice who has left."""

    def __init__(self, *, opened=False):
        self.opened = threading.Event()
        self.begun, self.ended = [], []
        if opened:
            self.opened.set()

    def stream(self, question, **_):
        self.begun.append(question)
        try:
            while not self.opened.wait(0.005):
                require_patience()
            if question == "bad":
                raise UsageError("a bad question")
            if question == "who":
                question = _NAME.get()
            yield question[:0:-1]
            yield question[:1]
            yield Answer(question, question[::-1], Arm.RAG, "fake")
        finally:
            self.ended.append(question)

    def ask(self, question, **given):
        *_, answer = self.stream(question, **given)
        return answer


def _scheduler(gate, **limits):
    return Scheduler(gate, ServeSettings(**{"parallel": 2, "queue": 2, "per_key": 9} | limits))


async def _until(true, seconds=20.0):
    """Wait until it is true, so long at the most, and say how long it took."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < seconds
        await asyncio.sleep(0.002)
    return time.monotonic() - begun


async def _all(*asked):
    return await asyncio.gather(*asked, return_exceptions=True)


def test_so_many_are_worked_on_so_many_wait_and_the_next_is_refused():
    async def run():
        gate = Gate()
        scheduler = _scheduler(gate)
        tasks = [asyncio.create_task(scheduler.answer(Asking(f"q{number}"))) for number in range(4)]
        await _until(lambda: len(gate.begun) == 2)
        assert scheduler.load == Load(2, 2)
        with pytest.raises(Overloaded, match="2 questions wait already") as refused:
            await scheduler.answer(Asking("one more"))
        assert refused.value.retry_after >= 1
        gate.opened.set()
        assert [answer.text for answer in await asyncio.gather(*tasks)] == ["0q", "1q", "2q", "3q"]
        assert scheduler.load == Load(0, 0)
        await scheduler.close()

    asyncio.run(run())


def test_who_came_first_is_answered_first():
    async def run():
        gate = Gate()
        # one place: of two that are free at once, either thread may be the first that runs
        scheduler = _scheduler(gate, parallel=1, queue=3)
        tasks = [asyncio.create_task(scheduler.answer(Asking(f"q{number}"))) for number in range(4)]
        await _until(lambda: scheduler.load == Load(1, 3))
        gate.opened.set()
        await asyncio.gather(*tasks)
        assert gate.begun == ["q0", "q1", "q2", "q3"]
        await scheduler.close()

    asyncio.run(run())


def test_a_stream_comes_in_pieces_and_says_what_went_wrong():
    async def run():
        scheduler = _scheduler(Gate(opened=True))
        *pieces, answer = [part async for part in scheduler.stream(Asking("abc"))]
        assert ("".join(pieces), answer.question) == ("cba", "abc")
        for asked in (scheduler.answer(Asking("bad")), anext(scheduler.stream(Asking("bad")))):
            with pytest.raises(UsageError, match="a bad question"):
                await asked
        assert scheduler.load == Load(0, 0)
        await scheduler.close()

    asyncio.run(run())


def test_a_thread_works_in_the_context_of_who_asks():
    async def run():
        _NAME.set("anna")
        scheduler = _scheduler(Gate(opened=True))
        assert (await scheduler.answer(Asking("who"))).text == "anna"
        await scheduler.close()

    asyncio.run(run())


def test_so_many_compute_at_a_time_and_who_waits_for_a_model_is_not_among_them():
    class Model(Gate):
        computing = most = 0

        def stream(self, question, **given):
            with resting():
                self.opened.wait(5)
            self.computing += 1
            self.most = max(self.most, self.computing)
            time.sleep(0.002)
            self.computing -= 1
            yield from super().stream(question, **given)

    async def run():
        model = Model()
        scheduler = _scheduler(model, parallel=6)
        tasks = [asyncio.create_task(scheduler.answer(Asking(f"q{number}"))) for number in range(6)]
        await _until(lambda: scheduler.load == Load(6, 0) and scheduler._turns._value == 2)
        model.opened.set()
        assert len(await asyncio.gather(*tasks)) == 6
        assert model.most <= 2
        await scheduler.close()

    asyncio.run(run())


def test_a_key_has_a_limit_of_its_own_and_no_key_has_none():
    async def run():
        gate = Gate()
        scheduler = _scheduler(gate, per_key=1, queue=9)
        tasks = [asyncio.create_task(scheduler.answer(Asking(key, key=key))) for key in ("a", "b", "", "")]
        await _until(lambda: scheduler.load == Load(2, 2))
        with pytest.raises(Overloaded, match="1 questions of this key"):
            await scheduler.answer(Asking("again", key="a"))
        gate.opened.set()
        await asyncio.gather(*tasks)
        assert (await scheduler.answer(Asking("again", key="a"))).text == "niaga"
        await scheduler.close()

    asyncio.run(run())


@pytest.mark.parametrize("waits", [False, True])
def test_a_deadline_holds_in_the_queue_and_at_work_and_frees_the_place(waits):
    async def run():
        gate = Gate()
        scheduler = _scheduler(gate, parallel=1)
        first = asyncio.create_task(scheduler.answer(Asking("first"))) if waits else None
        await asyncio.sleep(0)
        with pytest.raises(OutOfTime):
            await scheduler.answer(Asking("late", deadline=time.monotonic() + 0.15))
        assert scheduler.load == Load(int(waits), 0)
        await _until(lambda: waits or gate.ended == ["late"])
        gate.opened.set()
        assert first is None or (await first).text == "tsrif"
        assert (await scheduler.answer(Asking("next"))).text == "txen"
        assert ("late" in gate.begun) is not waits
        await scheduler.close()

    asyncio.run(run())


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("waits", [False, True])
def test_who_leaves_frees_the_place_in_the_queue_and_at_work(waits, streamed):
    async def run():
        gate = Gate()
        scheduler = _scheduler(gate, parallel=1)

        async def read(question):
            if not streamed:
                return await scheduler.answer(Asking(question))
            return [part async for part in scheduler.stream(Asking(question))][-1]

        tasks = {name: asyncio.create_task(read(name)) for name in ("first", "second", "third")}
        await _until(lambda: gate.begun == ["first"])
        assert scheduler.load == Load(1, 2)
        gone = "second" if waits else "first"
        tasks.pop(gone).cancel()
        await asyncio.sleep(0)
        await _until(lambda: scheduler.load == Load(1, 1))
        assert waits or await _until(lambda: gate.ended == ["first"]) < 1
        gate.opened.set()
        assert [answer.text for answer in await asyncio.gather(*tasks.values())] == [
            name[::-1] for name in tasks
        ]
        assert (gone in gate.begun) is not waits
        await scheduler.close()

    asyncio.run(run())


def test_an_end_answers_what_was_accepted_and_leaves_no_thread():
    before = set(threading.enumerate())

    async def run():
        gate = Gate()
        scheduler = _scheduler(gate)
        tasks = [asyncio.create_task(scheduler.answer(Asking(f"q{number}"))) for number in range(4)]
        await _until(lambda: len(gate.begun) == 2)
        closing = asyncio.create_task(scheduler.close())
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="stops"):
            await scheduler.answer(Asking("late"))
        gate.opened.set()
        await closing
        assert [task.result().text for task in tasks] == ["0q", "1q", "2q", "3q"]

    asyncio.run(run())
    left = set(threading.enumerate()) - before
    assert not [one for one in left if one.name.startswith("hybrid-answers")]


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["stays", "leaves", "late"]), st.integers(0, 3)), max_size=24),
    st.integers(1, 3),
    st.integers(0, 6),
)
def test_every_question_ends_once_and_with_its_own_answer(clients, parallel, queue):
    async def run():
        gate = Gate()
        scheduler = _scheduler(gate, parallel=parallel, queue=queue)
        tasks = []
        for number, (kind, turns) in enumerate(clients):
            deadline = time.monotonic() + 0.01 if kind == "late" else None
            asking = Asking(f"question {number}", deadline=deadline)
            tasks.append(asyncio.create_task(scheduler.answer(asking)))
            for _ in range(turns):
                await asyncio.sleep(0)
            if kind == "leaves":
                tasks[-1].cancel()
        await asyncio.sleep(0.02)
        gate.opened.set()
        ended = await _all(*tasks)
        for number, ((kind, _), end) in enumerate(zip(clients, ended, strict=True)):
            if isinstance(end, Answer):
                assert end.text == f"question {number}"[::-1]
            else:
                expected = {"stays": (), "leaves": asyncio.CancelledError, "late": OutOfTime}[kind]
                assert isinstance(end, (Overloaded, expected))
        assert scheduler.load == Load(0, 0)
        await scheduler.close()
        assert len(gate.begun) == len(set(gate.begun)) == len(gate.ended)

    asyncio.run(run())


# --- over HTTP -------------------------------------------------------------------------------------


@pytest.fixture
def gated(open_domains, serve_at):
    """Serve domains that wait at a gate, with a place for one and one in the queue."""
    gate, assistants = Gate(), open_domains()
    scheduler = _scheduler(gate, parallel=1, queue=1)
    with serve_at(Service(assistants, scheduler)) as url:
        yield url, gate, scheduler
        gate.opened.set()


def _body(text, *, stream=False):
    turns = [{"role": "user", "content": text}]
    return {"model": "hybrid/manual/rag", "messages": turns, "stream": stream}


def _post(url, text, *, stream=False):
    """Send a question and return the socket, which nobody reads."""
    host, port = url.removeprefix("http://").split(":")
    body = httpx2.Request("POST", url, json=_body(text, stream=stream)).read()
    client = socket.create_connection((host, int(port)), timeout=5)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
    client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return client


def _wait(true, seconds=5.0):
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < seconds
        time.sleep(0.005)
    return time.monotonic() - begun


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_hangs_up_frees_its_place_within_a_second(gated, stream):
    url, gate, scheduler = gated
    worked_on, waiting = _post(url, "first", stream=stream), None
    _wait(lambda: gate.begun == ["first"])
    waiting = _post(url, "second", stream=stream)
    _wait(lambda: scheduler.load == Load(1, 1))
    refused = httpx2.post(f"{url}/v1/chat/completions", json=_body("third"))
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["error"]["type"] == "rate_limit_error"
    waiting.close()
    assert _wait(lambda: scheduler.load == Load(1, 0)) < 1
    worked_on.close()
    assert _wait(lambda: scheduler.load == Load(0, 0)) < 1
    assert _wait(lambda: gate.ended == ["first"]) < 1
    assert gate.begun == ["first"]


@pytest.mark.slow
def test_what_computes_beside_answers_leaves_threads_for_them(open_domains, serve_at, monkeypatch):
    let, begun, embed = threading.Event(), [], HashEmbedder.embed_documents

    def held(self, texts):
        if list(texts) == ["hold"]:
            begun.append(1)
            let.wait(30)
        return embed(self, texts)

    monkeypatch.setattr(HashEmbedder, "embed_documents", held)

    async def run(url):
        async with httpx2.AsyncClient(base_url=url, timeout=30) as client:
            held = {"model": "hybrid/manual/auto", "input": "hold"}
            embedded = [asyncio.create_task(client.post("/v1/embeddings", json=held)) for _ in range(60)]
            await _until(lambda: begun, 20)
            answer = await client.post("/v1/chat/completions", json=_body("Which port?"), timeout=20)
            let.set()
            return answer.status_code, [(await one).status_code for one in embedded], len(begun)

    with serve_at(Service.over(open_domains(serve={"queue": 50}))) as url:
        answered, embedded, count = asyncio.run(run(url))
    assert answered == 200
    assert sorted(set(embedded)) == [200, 429] and embedded.count(200) == count >= 50


def test_a_client_that_reads_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr("hybrid.serving.errors._SECONDS_TO_READ", 0.05)
    closed = []

    async def documents():
        try:
            for number in range(9):
                yield {"number": number}
        finally:
            closed.append(True)

    async def never(*_):
        await asyncio.sleep(60)

    begun = time.monotonic()
    asyncio.run(Events(documents())({}, never, never))
    assert closed == [True] and time.monotonic() - begun < 10


@pytest.mark.slow
def test_answers_of_many_clients_are_those_of_the_library(open_domains, serve_at):
    assistants = open_domains()
    questions = ["What is the default port?", "When does the server restart?", "Where are backups written?"]
    alone = {text: assistants.ask(text, domain="manual", arm="rag").text for text in questions}
    with serve_at(Service.over(assistants)) as url, httpx2.Client(timeout=30) as client:
        asked = [questions[number % 3] for number in range(60)]
        found = [None] * len(asked)

        def ask(first):
            for place in range(first, len(asked), 6):
                answer = client.post(f"{url}/v1/chat/completions", json=_body(asked[place]))
                found[place] = answer.json()["choices"][0]["message"]["content"]

        threads = [threading.Thread(target=ask, args=(first,)) for first in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [alone[text] for text in asked]
