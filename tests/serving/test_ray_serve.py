"""Replicas under Ray Serve, as examples/ray_serve.py starts them: each answers, in one place all is kept."""

import importlib.util
import os
import socket
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from hybrid.operations.feedback import Feedback

pytest.importorskip("ray.serve", reason="the extra ray is not installed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.getloadavg()[0] > 4 * (os.cpu_count() or 1),
        reason="too busy for the 60 s that Ray waits for its proxy",
    ),
    # what Ray itself leaves open and warns of
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
_ROOT = Path(__file__).parents[2]


def test_replicas_answer_a_question_over_the_same_index(open_domains, monkeypatch):
    for name, value in {"USAGE_STATS_ENABLED": "0", "worker_niceness": "0"}.items():
        monkeypatch.setenv(f"RAY_{name}", value)
    monkeypatch.setenv("RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S", "60")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(_ROOT), os.environ.get("PYTHONPATH", ""))))
    written = importlib.util.spec_from_file_location("ray_serve", _ROOT / "examples" / "ray_serve.py")
    example = importlib.util.module_from_spec(written)
    written.loader.exec_module(example)
    indexes = open_domains(
        {"manual": {"port.txt": "The default port of the server is 5432."}}
    ).settings.indexes

    def service():
        import os
        from pathlib import Path

        from hybrid import Assistants, load_settings
        from hybrid.serving.protocol import Access
        from hybrid.serving.service import Service
        from hybrid.testing import HashEmbedder, ScriptedGenerator

        values = {"indexes": str(indexes), "grounding": {"scorer": "align"}}
        settings = load_settings(values, file=Path(os.devnull), environment={})
        generator = ScriptedGenerator([f"It is 5432, says {os.getpid()}."])
        return Service.over(
            Assistants(settings=settings, embedder=HashEmbedder(64), generator=generator), Access()
        )

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]

    def asked(arm):
        question = {"role": "user", "content": "What is the default port?"}
        told = httpx.post(
            f"http://127.0.0.1:{port}/v1/chat/completions",
            json={"model": f"hybrid/manual/{arm}", "messages": [question]},
            timeout=60,
            trust_env=False,
        )
        assert told.status_code == 200, told.text
        return told.json()["choices"][0]["message"]["content"]

    try:
        example.start(2, port, service=service)
        found = asked("rag")
        # a replica is chosen by chance: that one is never is one case of a million
        from_memory = [asked("base") for _ in range(20)]
    finally:
        example.serve.shutdown()
        example.ray.shutdown()
    assert "5432" in found
    assert len({text.partition("says")[2] for text in from_memory}) == 2
    with closing(Feedback(Path(indexes) / "feedback.sqlite", keep_days=30)) as kept:
        assert len(list(kept.rated())) == 1 + len(from_memory)
