"""What the server does for many clients: throughput, first token, health, memory, and what a kill leaves.

A server of its own process answers over a folder that is indexed for it, asked by clients of this one. Every
answer is held against the one that the same question got when nobody else asked. Parts:

    python tests/benchmarks/serving.py load       one client, then 32: the extractive reader
    python tests/benchmarks/serving.py load --reader generator --answers 64
    python tests/benchmarks/serving.py load --arm base --answers 256
    python tests/benchmarks/serving.py load --workers 2       by so many processes, which share the clients
    python tests/benchmarks/serving.py overhead   a request over HTTP beside a call of the library
    python tests/benchmarks/serving.py mixed --minutes 30
    python tests/benchmarks/serving.py kill       kill -9 under load, and what is there after the restart

``--indexes FOLDER`` keeps the index for the next time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median

import httpx2
import psutil
from measure import (
    Target,
    Values,
    environment,
    note,
    percentile,
    print_json,
    print_table,
    print_verdicts,
    run_step,
    serve_steps,
)

_EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "postgres"
_DOMAIN = "postgres"
_CLIENTS = 32
_TIMES = {"extractive": 8.0, "generator": 4.0}
_HEALTH_MS = 50.0
_OVERHEAD_MS = 10.0
_FLAT = 0.05
_HEALTH_PAUSE, _MEMORY_PAUSE = 0.05, 2.0
# Into so many parts of equal time the course of the memory is told.
_PARTS = 10
# What is begun before the memory is taken for that of a server at work.
_WARM = 0.25


@dataclass
class Asked:
    """What came of the questions that some clients asked."""

    seconds: float = 0.0
    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    health: list[float] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)
    other: list[str] = field(default_factory=list)

    def note(self, response: httpx2.Response, *expected: int) -> None:
        """Count what a request that asks for no answer came to; 200 is always expected."""
        came = f"{response.url.path} {response.status_code}"
        self.other.append(came)
        failed = response.status_code == 200 and '"error"' in response.text
        self.wrong[came] += failed or response.status_code not in (200, *expected)

    @property
    def a_second(self) -> float:
        """Return answers a second."""
        return len(self.whole) / self.seconds


class Served:
    """A server in a process of its own, or in as many as ``serve.workers``."""

    def __init__(self, indexes: Path, **settings: str) -> None:
        named = {f"HYBRID_{name.upper()}": value for name, value in settings.items()}
        command = [sys.executable, "-m", "hybrid", "serve", "--domain", _DOMAIN, "--port", "0"]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment() | {"HYBRID_INDEXES": str(indexes)} | named,
            cwd=indexes,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().decode().strip()
        self.about = psutil.Process(self.process.pid)

    def __enter__(self) -> Served:
        """Return the server."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it, which answers what was accepted."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise SystemExit("the server did not stop") from None


def questions() -> list[str]:
    """Return the questions of the example."""
    with (_EXAMPLE / "questions.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line)["question"] for line in lines]


@contextlib.contextmanager
def indexed(folder: Path | None) -> Iterator[Path]:
    """Yield a folder that holds the index."""
    with tempfile.TemporaryDirectory() as own:
        indexes = folder.resolve() if folder else Path(own)
        if not (indexes / _DOMAIN / "CURRENT").exists():
            note("indexing the example")
            run_step(Path(__file__), "index", {"indexes": str(indexes)})
        yield indexes


def _index(arguments: Values) -> Values:
    from hybrid import Assistant, load_settings

    Assistant(_DOMAIN, settings=load_settings({"indexes": arguments["indexes"]})).index(_EXAMPLE / "pages")
    return {}


async def ask(
    client: httpx2.AsyncClient, question: str, arm: str, asked: Asked, expected: str | None
) -> None:
    """Ask one question as a stream, and note its times and whether it is the answer expected."""
    body = {
        "model": f"hybrid/{_DOMAIN}/{arm}",
        "messages": [{"role": "user", "content": question}],
        "stream": True,
    }
    begun, text, finish, first, ended = time.perf_counter(), "", None, 0.0, False
    name = ""
    async with client.stream("POST", "/v1/chat/completions", json=body) as response:
        if response.status_code != 200:
            asked.wrong[f"status {response.status_code}"] += 1
            return
        async for line in response.aiter_lines():
            data = line.removeprefix("data: ")
            if not line or data == "[DONE]":
                ended |= bool(line)
                continue
            event = json.loads(data)
            if "error" in event:
                asked.wrong["an error in the stream"] += 1
                return
            name = event["id"]
            for choice in event["choices"]:
                piece = choice["delta"].get("content") or ""
                first = first or (time.perf_counter() - begun if piece else 0.0)
                text += piece
                finish = choice["finish_reason"] or finish
    asked.first.append(first)
    asked.whole.append(time.perf_counter() - begun)
    asked.texts[question] = text
    asked.ids.append(name)
    if not ended or finish is None:
        asked.wrong["truncated"] += 1
    elif expected is not None and text != expected:
        asked.wrong["another answer"] += 1


async def _health(url: str, asked: Asked) -> None:
    # a client of its own: what is measured is the server, not the queue of connections of the others
    async with httpx2.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        while True:
            begun = time.perf_counter()
            (await client.get("/healthz")).raise_for_status()
            asked.health.append(time.perf_counter() - begun)
            await asyncio.sleep(_HEALTH_PAUSE)


async def _stop(task: asyncio.Task[None]) -> None:
    """End what runs beside the clients; what it failed of is raised."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def ask_all(
    servers: Sequence[Served], texts: Sequence[str], arm: str, *, clients: int, expected: dict[str, str]
) -> Asked:
    """Ask all questions by so many clients, each one after another, while the health is asked for.

    The clients take the servers in turn; it is the health of the first one.
    """
    asked, left = Asked(), iter(texts)

    async def one(server: Served) -> None:
        async with httpx2.AsyncClient(base_url=server.url, timeout=600, trust_env=False) as client:
            for text in left:
                await ask(client, text, arm, asked, expected.get(text))

    health = asyncio.create_task(_health(servers[0].url, asked))
    begun = time.perf_counter()
    await asyncio.gather(*(one(servers[place % len(servers)]) for place in range(clients)))
    asked.seconds = time.perf_counter() - begun
    await _stop(health)
    return asked


def _processor(servers: Sequence[Served]) -> float:
    """Return how long the servers have computed, in seconds of one core: other work does not count in it."""
    every = [one for server in servers for one in (server.about, *server.about.children(recursive=True))]
    times = [one.cpu_times() for one in every]
    return float(sum(one.user + one.system for one in times))


def load(arguments: argparse.Namespace) -> None:
    """Measure one client against many."""
    texts, arm, reader = questions()[: arguments.questions], arguments.arm, arguments.reader
    with indexed(arguments.indexes) as indexes:
        limits = {"serve__max_seconds": "600", "serve__parallel": str(arguments.parallel)}
        limits |= {"serve__workers": str(arguments.workers)}
        with contextlib.ExitStack() as running:
            servers = [
                running.enter_context(Served(indexes, generation__reader=reader, **limits))
                for _ in range(arguments.replicas)
            ]

            def told(texts: Sequence[str], clients: int, expected: dict[str, str]) -> Asked:
                return asyncio.run(ask_all(servers, texts, arm, clients=clients, expected=expected))

            # who connects decides which process is asked: each has been, when this is over
            warm = 8 * arguments.workers if arguments.workers > 1 else arguments.replicas
            told(texts[:2] * warm, warm, {})
            note("one client")
            spent = [_processor(servers)]
            new = told(texts, 1, {})
            spent.append(_processor(servers))
            # whoever comes later finds the sentences known: those alike are compared
            one = told(texts, 1, new.texts)
            spent.append(_processor(servers))
            note(f"{arguments.clients} clients")
            many = [texts[place % len(texts)] for place in range(arguments.answers)]
            found = told(many, arguments.clients, one.texts)
            spent.append(_processor(servers))
    header = (
        "",
        "answers",
        "a second",
        "p50 s",
        "first piece p50 s",
        "healthz p50 ms",
        "p95 ms",
        "CPU s each",
    )
    rows = [
        (
            what,
            str(len(own.whole)),
            f"{own.a_second:.2f}",
            f"{median(own.whole):.2f}",
            f"{median(own.first):.2f}",
            f"{median(own.health) * 1e3:.1f}",
            f"{percentile(own.health, 0.95) * 1e3:.1f}",
            f"{(after - before) / len(own.whole):.3f}",
        )
        for what, own, before, after in (
            ("1 client, all of it new", new, *spent[:2]),
            ("1 client again", one, *spent[1:3]),
            (f"{arguments.clients} clients", found, *spent[2:4]),
        )
    ]
    print_table(header, rows)
    lacking = arguments.answers - len(found.whole)
    kind = reader if arm == "rag" else "generator"
    print_verdicts(
        [
            Target(
                f"throughput, {arm} with the {kind} reader", found.a_second / one.a_second, _TIMES[kind], True
            ),
            Target("answers lost, crossed or truncated", lacking + found.wrong.total(), 0),
            Target("p95 of /healthz under load, ms", percentile(found.health, 0.95) * 1e3, _HEALTH_MS),
        ]
    )
    about = {"arm": arm, "reader": reader, "workers": arguments.workers, "replicas": arguments.replicas}
    print_json(about | {"wrong": found.wrong, "answers": len(found.whole)})


def _overhead(arguments: Values) -> Values:
    """Ask in turn over HTTP and of the library, in one process, so that both have the same models."""
    import threading

    from hybrid import Assistants, load_settings
    from hybrid.serving.app import address, listen, server
    from hybrid.serving.service import Service

    assistants = Assistants(settings=load_settings({"indexes": arguments["indexes"]}))
    opened = listen("127.0.0.1", 0)
    running = server(Service.over(assistants))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [opened]})
    thread.start()
    times: dict[str, list[float]] = {"server": [], "library": []}
    with httpx2.Client(base_url=address(opened), timeout=60, trust_env=False) as client:

        def over_http(text: str) -> None:
            turns = [{"role": "user", "content": text}]
            body = {"model": f"hybrid/{_DOMAIN}/rag", "messages": turns}
            client.post("/v1/chat/completions", json=body).raise_for_status()

        def of_library(text: str) -> None:
            assistants.ask(text, domain=_DOMAIN, arm="rag")

        ways = [("server", over_http), ("library", of_library)]
        for number, text in enumerate(arguments["questions"]):
            over_http(text)  # neither way is the first to embed it
            for way, call in ways if number % 2 else ways[::-1]:
                begun = time.perf_counter()
                call(text)
                times[way].append(time.perf_counter() - begun)
    running.should_exit = True
    thread.join()
    return times


def overhead(arguments: argparse.Namespace) -> None:
    """Measure what the server adds to a call of the library."""
    with indexed(arguments.indexes) as indexes:
        given = {"indexes": str(indexes), "questions": questions()[: arguments.questions]}
        times = run_step(Path(__file__), "overhead", given).result
    added = [above - below for above, below in zip(times["server"], times["library"], strict=True)]
    rows = [(way, f"{median(own) * 1e3:.1f}") for way, own in times.items()]
    print_table(("", "p50 ms"), rows)
    print_verdicts(
        [Target("what the server adds, median of the pairs, ms", median(added) * 1e3, _OVERHEAD_MS)]
    )


async def _some(
    client: httpx2.AsyncClient, texts: Sequence[str], asked: Asked, chance: random.Random
) -> None:
    """Send one request: a stream, a client that leaves, vectors, two arms, a file, or what is refused."""
    text, kind = chance.choice(texts), chance.random()
    if kind < 0.5:
        await ask(client, text, "rag", asked, None)
    elif kind < 0.55:
        await ask(client, "Say hello.", "base", asked, None)
    elif kind < 0.65:
        body = {"model": "hybrid/auto", "messages": [{"role": "user", "content": text}]}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(chance.random() / 5):
                await client.post("/v1/chat/completions", json=body)
    elif kind < 0.75:
        vectors = {"model": f"hybrid/{_DOMAIN}/auto", "input": chance.sample(texts, 16)}
        asked.note(await client.post("/v1/embeddings", json=vectors))
    elif kind < 0.8:
        compared = {"question": text, "domain": _DOMAIN, "arms": ["rag", "base"]}
        asked.note(await client.post("/compare", json=compared))
    elif kind < 0.9:
        file = f"{text} {chance.random()}\n" * 20
        where, raw = (
            f"/uploads/{_DOMAIN}?name={time.monotonic_ns()}.txt",
            "application/octet-stream",
        )
        told = {"Content-Type": raw}
        asked.note(await client.post(where, content=file.encode(), headers=told), 429)
    else:
        asked.note(await client.post("/v1/chat/completions", content=text), 422)


async def _mixed(
    server: Served, seconds: float, clients: int
) -> tuple[Asked, list[tuple[float, float, int]]]:
    """Ask in many ways for a while, and look at memory and health meanwhile."""
    texts, asked, chance = questions(), Asked(), random.Random(17)
    end = time.monotonic() + seconds
    memory: list[tuple[float, float, int]] = []

    async def one() -> None:
        async with httpx2.AsyncClient(base_url=server.url, timeout=600, trust_env=False) as client:
            while time.monotonic() < end:
                await _some(client, texts, asked, chance)

    async def weigh() -> None:
        while True:
            mb = server.about.memory_info().rss / 2**20
            memory.append((time.monotonic(), mb, server.about.num_threads()))
            await asyncio.sleep(_MEMORY_PAUSE)

    beside = [asyncio.create_task(weigh()), asyncio.create_task(_health(server.url, asked))]
    begun = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(clients)))
    asked.seconds = time.perf_counter() - begun
    for task in beside:
        await _stop(task)
    return asked, memory


def mixed(arguments: argparse.Namespace) -> None:
    """Ask in many ways for some minutes, and see whether memory, threads and places stay what they were."""
    limits = {"serve__parallel": str(arguments.parallel), "serve__queue": str(_CLIENTS)}
    limits |= {"serve__max_seconds": "600"}  # a slow machine is no failure of the server
    with indexed(arguments.indexes) as indexes, Served(indexes, **limits) as server:
        asyncio.run(_mixed(server, 60 * arguments.minutes * _WARM, arguments.clients))
        asked, memory = asyncio.run(_mixed(server, 60 * arguments.minutes, arguments.clients))
        # all places at once: one that leaked would lack here
        texts = questions()[: arguments.parallel]
        after = asyncio.run(ask_all([server], texts, "rag", clients=len(texts), expected={}))
        threads = server.about.num_threads()
    third = max(1, len(memory) // 3)
    early, late = (median(mb for _, mb, _ in part) for part in (memory[:third], memory[-third:]))
    print_table(
        ("", "first third", "last third"),
        [
            ("memory, MB", f"{early:.0f}", f"{late:.0f}"),
            ("threads", str(max(n for *_, n in memory[:third])), str(max(n for *_, n in memory[-third:]))),
        ],
    )
    ends = [len(memory) * part // _PARTS for part in range(_PARTS + 1)]
    course = [median(mb for _, mb, _ in memory[start:end]) for start, end in pairwise(ends)]
    minutes = [f"to {arguments.minutes * (part + 1) / _PARTS:g} min" for part in range(_PARTS)]
    print_table(minutes, [tuple(f"{mb:.0f}" for mb in course)])
    most = max(n for *_, n in memory[:third])
    print_verdicts(
        [
            Target(f"growth of memory in {arguments.minutes:g} minutes", late / early - 1, _FLAT),
            Target("threads after it, beyond those of the first third", threads - most, 0),
            Target("places that are lost", len(texts) - len(after.whole), 0),
            Target("answers that failed", asked.wrong.total() + after.wrong.total(), 0),
            Target("p95 of /healthz, ms", percentile(asked.health, 0.95) * 1e3, _HEALTH_MS),
        ]
    )
    print_json(
        {
            "answers": len(asked.whole),
            "a_second": asked.a_second,
            "wrong": +asked.wrong,
            "other": Counter(asked.other),
        }
    )


async def _until_killed(server: Served, answers: int) -> tuple[Asked, list[str]]:
    """Ask and vote, kill after so many answers; return them, and those whose vote was accepted."""
    texts, asked, voted = questions(), Asked(), list[str]()

    async def one(first: int) -> None:
        with contextlib.suppress(httpx2.HTTPError):
            async with httpx2.AsyncClient(base_url=server.url, timeout=60, trust_env=False) as client:
                for place in range(first, 10_000):
                    await ask(client, texts[place % len(texts)], "rag", asked, None)
                    vote = {"answer": asked.ids[-1], "value": 1, "comment": "good"}
                    if (await client.post("/feedback", json=vote)).is_success:
                        voted.append(vote["answer"])

    async def end() -> None:
        while len(asked.ids) < answers:
            await asyncio.sleep(0.01)
        server.process.kill()

    await asyncio.gather(end(), *(one(first) for first in range(_CLIENTS)))
    server.process.wait()
    return asked, voted


def kill(arguments: argparse.Namespace) -> None:
    """Kill the server under load some times, and look at what is there after each restart."""
    lost = damaged = answers = votes = 0
    with indexed(arguments.indexes) as indexes:
        for turn in range(arguments.turns):
            asked, voted = asyncio.run(_until_killed(Served(indexes), 40 + 13 * turn))
            with Served(indexes) as again, httpx2.Client(base_url=again.url, timeout=60) as client:
                lost += sum(client.get(f"/v1/answers/{name}").status_code != 200 for name in asked.ids)
                whole = asyncio.run(ask_all([again], questions()[:4], "rag", clients=2, expected={}))
                damaged += whole.wrong.total() + 4 - len(whole.whole)
            damaged += sum(not _sound(path) for path in indexes.rglob("*.sqlite"))
            damaged += sum(not _readable(path) for path in indexes.rglob("*.jsonl"))
            verified = subprocess.run(
                [sys.executable, "-m", "hybrid", "status", "--domain", _DOMAIN, "--verify"],
                env=environment() | {"HYBRID_INDEXES": str(indexes)},
                capture_output=True,
                check=False,
            )
            damaged += verified.returncode != 0
            lost += len(set(voted) - _voted(indexes))
            answers, votes = answers + len(asked.ids), votes + len(voted)
    print_table(
        ("", "accepted"),
        [("answers", str(answers)), ("votes", str(votes)), ("kills", str(arguments.turns))],
    )
    print_verdicts(
        [
            Target("answers and votes lost", lost, 0),
            Target("files that are not whole", damaged, 0),
        ]
    )


def _sound(path: Path) -> bool:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return bool(db.execute("PRAGMA integrity_check").fetchone() == ("ok",))


def _readable(path: Path) -> bool:
    try:
        return all(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    except ValueError:
        return False


def _voted(indexes: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(indexes / "feedback.sqlite")) as db:
        return {name for (name,) in db.execute("SELECT answer FROM votes")}


def main() -> None:
    """Run one part."""
    serve_steps({"index": _index, "overhead": _overhead})
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("load", "overhead", "mixed", "kill"))
    parser.add_argument("--indexes", type=Path, help="keep the index here")
    parser.add_argument("--arm", default="rag")
    parser.add_argument("--reader", default="extractive", choices=sorted(_TIMES))
    parser.add_argument("--questions", type=int, default=60, help="different ones")
    parser.add_argument("--answers", type=int, default=2_000, help="by all clients together")
    parser.add_argument("--clients", type=int, default=_CLIENTS)
    parser.add_argument("--parallel", type=int, default=16)
    parser.add_argument("--workers", type=int, default=1, help="processes of the server")
    parser.add_argument("--replicas", type=int, default=1, help="servers over the one index, asked in turn")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    os.environ.update(environment())
    {"load": load, "overhead": overhead, "mixed": mixed, "kill": kill}[arguments.part](arguments)


if __name__ == "__main__":
    main()
