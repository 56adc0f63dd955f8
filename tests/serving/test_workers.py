"""Several processes of one server: one address, one index, one file of feedback; who dies is replaced."""

import os
import signal
import threading
import time

import httpx2
import psutil
import pytest

from hybrid import Assistant
from hybrid.config import ServeSettings
from hybrid.errors import HybridError, UsageError
from hybrid.operations.feedback import FEEDBACK_FILE, Feedback
from hybrid.serving import workers
from hybrid.serving.app import listen
from hybrid.serving.workers import Workers
from hybrid.types import Document


@pytest.fixture
def undone_signals():
    before = {wanted: signal.getsignal(wanted) for wanted in (signal.SIGINT, signal.SIGTERM)}
    yield
    for wanted, handler in before.items():
        signal.signal(wanted, handler)


def _serving():
    children = psutil.Process().children()
    return [one for one in children if "--as-worker" in one.cmdline()]


def _asked(url, text):
    """Ask on a connection of its own, which the kernel gives to one of them."""
    said = httpx2.post(f"{url}/ask", json={"question": text, "arm": "rag"}, timeout=120)
    return said.raise_for_status().json()


@pytest.mark.slow
@pytest.mark.real_model
def test_all_take_up_a_new_generation_keep_one_file_of_votes_and_are_replaced(
    tmp_path, monkeypatch, undone_signals
):
    monkeypatch.setattr(workers, "_SHORTEST_LIFE", 0)
    indexes, told = tmp_path / "indexes", []
    assistant = Assistant("manual")
    assistant.update([Document("port.txt", "The default port of the server is 5432.")])
    together = Workers(ServeSettings(port=0, workers=2), ["serve", "--indexes", str(indexes)], told.append)
    try:
        assert [*together.start().domains] == ["manual"]
        assert len(_serving()) == 2
        first = [_asked(together.url, "What is the default port?") for _ in range(6)]
        assistant.update([Document("night.txt", "The server restarts every night at two.")])
        later = [_asked(together.url, "When does the server restart?") for _ in range(6)]
        for one in first + later:
            vote = {"answer": one["id"], "value": 1}
            assert httpx2.post(f"{together.url}/feedback", json=vote, timeout=60).is_success
        counted = httpx2.get(f"{together.url}/metrics", timeout=60).text

        def kill_one_then_end():
            _serving()[0].kill()
            while not told or len(_serving()) < 2:
                time.sleep(0.1)
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=kill_one_then_end, daemon=True).start()
    except BaseException:
        together._stop()
        raise
    together.watch()
    assert {one["hits"][0]["chunk"]["source"] for one in later} == {"night.txt"}
    # whichever is asked tells of all
    assert 'hybrid_requests_total{method="POST",route="/ask",status="200"} 12.0' in counted
    kept = Feedback(indexes / FEEDBACK_FILE, keep_days=30)
    assert {one.kept.id: one.score for one in kept.rated()} == {one["id"]: 1 for one in first + later}
    kept.close()
    assert len(told) == 1 and "ended with -9" in told[0]
    assert not _serving()


@pytest.mark.slow
def test_what_cannot_serve_is_said_and_leaves_no_process(tmp_path):
    together = Workers(ServeSettings(port=0, workers=2), ["serve", "--indexes", str(tmp_path)], print)
    with pytest.raises(HybridError, match="ended with 4 before it could serve"):
        together.start()
    assert not _serving()


def test_a_port_that_another_program_has_is_not_shared():
    with listen("127.0.0.1", 0) as taken:
        settings = ServeSettings(port=taken.getsockname()[1], workers=2)
        with pytest.raises(UsageError, match="cannot listen"):
            Workers(settings, [], print)
