"""The application by itself: health, names, one answer, and failures in OpenAI's form."""

import asyncio
import contextlib
import socket
import threading
from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx2
import pytest

from hybrid.serving import app
from hybrid.serving.service import Service


def test_the_process_says_that_it_is_there_and_what_it_serves(url):
    assert httpx2.get(f"{url}/healthz").json()["status"] == "ok"
    assert httpx2.get(f"{url}/readyz").json() == {
        "status": "ready",
        "domains": ["kitchen", "manual"],
        "left_out": [],
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "first", [b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"], ids=["at once", "later"]
)
def test_who_never_ends_the_headers_is_cut_off(open_domains, serve_at, monkeypatch, first):
    monkeypatch.setattr(app, "_LOOK_SECONDS", 0.2)
    with serve_at(Service.over(open_domains())) as where:
        place = urlsplit(where)
        with socket.create_connection((place.hostname, place.port), timeout=10) as held:
            held.sendall(first + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow:")
            with contextlib.suppress(ConnectionResetError):
                while held.recv(4_096):
                    pass
        assert httpx2.get(f"{where}/healthz").status_code == 200


def test_free_memory_goes_back_to_the_system_now_and_then(monkeypatch):
    tidied = threading.Event()
    monkeypatch.setattr(app, "_TIDY_SECONDS", 0.0)
    library = SimpleNamespace(malloc_trim=lambda left: left or tidied.set())
    monkeypatch.setattr(app, "ctypes", SimpleNamespace(CDLL=lambda name: library))
    monkeypatch.setattr(app, "sys", SimpleNamespace(platform="linux"))

    async def a_while():
        async with asyncio.timeout(20):
            tidying = asyncio.create_task(app._tidy())
            while not tidied.is_set():
                await asyncio.sleep(0.001)
            tidying.cancel()

    asyncio.run(a_while())
    assert tidied.is_set()


def test_only_arms_that_can_answer_are_listed(url):
    names = [one["id"] for one in httpx2.get(f"{url}/v1/models").json()["data"]]
    own = [f"hybrid/{domain}/{arm}" for domain in ("kitchen", "manual") for arm in ("auto", "base", "rag")]
    assert names == ["hybrid/auto", *own]


def test_a_question_is_answered_with_its_place(url):
    turns = [{"role": "user", "content": "What is the default port?"}]
    asked = {"model": "hybrid/manual/rag", "messages": turns}
    answer = httpx2.post(f"{url}/v1/chat/completions", json=asked).json()
    (choice,) = answer["choices"]
    assert choice["message"]["role"] == "assistant" and "5432" in choice["message"]["content"]
    assert [one["source"] for one in answer["citations"]] == ["port.txt"]


def test_a_trace_that_is_not_there_is_not_found(url):
    for name in ("none", "0" * 32, "..%2f..%2fetc"):
        assert httpx2.get(f"{url}/traces/{name}").status_code == 404
