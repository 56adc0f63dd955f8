"""Servers that speak as OpenAI does: which are on this machine, and how what they say is read."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from hybrid.models.resolve import is_small
from hybrid.trust import Endpoint, Secret

PORTS: Mapping[int, str] = {11434: "Ollama", 1234: "LM Studio", 8080: "llama.cpp", 8000: "vLLM"}
_TIMEOUT = httpx2.Timeout(2.0, connect=0.5)
_MOST_BYTES = 1 << 20
_LINE_END = re.compile(rb"\r\n|\n|\r")
# How an answer ends that is whole, and a stream.
STOPPED, DONE = "stop", "[DONE]"
# Models that a server lists beside those that write.
_WRITES_NOTHING = re.compile(r"embed|rerank|whisper|\btts\b|\bclip\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ModelServer:
    """A server that speaks as OpenAI does, and the models that it lists; ``locked`` where it wants a key."""

    kind: str
    endpoint: Endpoint
    models: tuple[str, ...]
    locked: bool = False

    @property
    def writers(self) -> tuple[str, ...]:
        """Return its models that write, those first that are not known to be small."""
        return tuple(sorted((m for m in self.models if not _WRITES_NOTHING.search(m)), key=is_small))


def find_servers(ports: Mapping[int, str] = PORTS) -> list[ModelServer]:
    """Ask the usual ports of this machine for their models, without a key, and nobody else."""
    with ThreadPoolExecutor(len(ports)) as threads:
        asked = threads.map(
            lambda port: ask_server(Endpoint(f"http://127.0.0.1:{port}/v1"), kind=ports[port]), ports
        )
        return [server for server in asked if server is not None]


def server_key() -> Secret:
    """Return the key that goes with every request to an endpoint, empty where none is set."""
    return Secret(os.environ.get("HYBRID_API_KEY", "").strip())


def client_for(
    endpoint: Endpoint, *, timeout: httpx2.Timeout | float, key: Secret | None = None
) -> httpx2.Client:
    """Return a client that logs in; what is meant for this machine does not take the way over a proxy."""
    return httpx2.Client(
        timeout=timeout,
        headers={"Authorization": f"Bearer {key.reveal()}"} if key else {},
        auth=endpoint.basic,
        trust_env=not endpoint.is_loopback,
    )


def ask_server(endpoint: Endpoint, *, kind: str = "server", key: Secret | None = None) -> ModelServer | None:
    """Return what a server lists, None if none answers there or it lists no models."""
    try:
        with (
            client_for(endpoint, timeout=_TIMEOUT, key=key) as client,
            client.stream("GET", f"{endpoint.rstrip('/')}/models") as response,
        ):
            if response.status_code in (401, 403):
                return ModelServer(kind, endpoint, (), locked=True)
            body = b""
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > _MOST_BYTES:
                    return None
            listed = json.loads(body)["data"]
            return ModelServer(kind, endpoint, tuple(str(model["id"]) for model in listed))
    except (httpx2.HTTPError, ValueError, KeyError, TypeError):
        return None


@dataclass
class Reply:
    """What is known of an answer while it comes: ``failed`` is what the server says that it failed of.

    ``thought`` is whether some of it were thoughts.
    """

    text: str = ""
    finish: str = ""
    failed: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    thought: bool = False

    def add(self, value: Any, *, streamed: bool) -> str:
        """Take in an event of a stream or a whole completion, and return its text."""
        # an event may carry usage, or nothing but a sign of life, and no choice
        choices = (value.get("choices") or [{}]) if streamed else value["choices"]
        choice = choices[0]
        plain = {"content": choice["text"]} if "text" in choice else {}
        message = choice.get("delta") or choice.get("message") or plain
        if not (streamed or message):
            raise KeyError("message")
        said = _said(message)
        self.text += said
        self.thought |= bool(message.get("reasoning_content") or message.get("reasoning"))
        finish = str(choice.get("finish_reason") or "").lower()
        self.finish = finish or self.finish or ("" if streamed else STOPPED)
        usage = value.get("usage") or {}
        self.prompt_tokens = int(usage.get("prompt_tokens") or self.prompt_tokens)
        # without a count a piece of a stream is taken for a token
        pieces = self.completion_tokens + (streamed and said != "")
        self.completion_tokens = int(usage.get("completion_tokens") or pieces)
        return said


def _read_lines(chunks: Iterator[bytes]) -> Iterator[str]:
    """Yield lines as they come: bytes may end within a letter, and a text may hold other ends of lines."""
    held = b""
    for chunk in chunks:
        # the other half of an end may still come
        held, half = (held + chunk, b"") if not chunk.endswith(b"\r") else (held + chunk[:-1], b"\r")
        *lines, held = _LINE_END.split(held)
        held += half
        for line in lines:
            yield line.decode("utf-8-sig", "replace")
    yield held.rstrip(b"\r").decode("utf-8-sig", "replace")


def _is_whole(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return text == DONE
    return True


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """An event of a stream, or a whole answer in its place.

    ``error`` is what the server says that it failed of; ``cut`` is whether it ends with the connection.
    """

    data: str
    error: str = ""
    streamed: bool = True
    cut: bool = False


def read_events(chunks: Iterator[bytes]) -> Iterator[ServerEvent]:
    """Yield what a server sends, event by event; one may take several lines, or have no empty one behind."""
    streamed, others, held, name = False, list[str](), "", ""
    for line in _read_lines(chunks):
        if line.startswith("data:"):
            streamed = True
            held += line.removeprefix("data:").strip()
            if held and _is_whole(held):
                yield ServerEvent(held, error_of(held, failed=name == "error"))
                held = ""
        elif held and not line:  # never whole
            yield ServerEvent(held)
            held = ""
        else:
            name = line.removeprefix("event:").strip() if line.startswith("event:") else name
            others.append(line)
    if held or not streamed:  # without events the server knows no streams
        yield ServerEvent(held or "\n".join(others), streamed=streamed, cut=streamed)


def told_to_wait(headers: Mapping[str, str], wait: float) -> float:
    """Return the seconds of a Retry-After, which is a number or a date of its clock, else those given."""
    told, thousandths = headers.get("retry-after", ""), headers.get("retry-after-ms", "")
    with contextlib.suppress(ValueError):
        seconds = float(thousandths) / 1000 if thousandths else float(told.strip().rstrip("s"))
        return seconds if 0 <= seconds < math.inf else wait
    with contextlib.suppress(ValueError, TypeError):  # no date, or one of no zone
        until, now = parsedate_to_datetime(told), datetime.now(UTC)
        with contextlib.suppress(ValueError, TypeError):
            now = parsedate_to_datetime(headers.get("date", ""))
        return max((until - now).total_seconds(), 0.0)
    return wait


def error_of(text: str, *, failed: bool = False) -> str:
    """Return what a server says that it failed of, where it says so in place of a completion.

    ``failed`` is whether it is known that it did.
    """
    try:
        value = json.loads(text)
        error = value.get("error") or value.get("detail")
    except (ValueError, AttributeError):
        return text if failed else ""
    if error is None and (failed or value.get("object") == "error"):
        error = value
    return str(error.get("message") or error) if isinstance(error, dict) else str(error or "")


def _said(message: Any) -> str:
    """Return the text of a message, which may come in parts, or say why there is none."""
    content = message.get("content") or message.get("refusal") or ""
    if isinstance(content, str):
        return content
    parts = [content] if isinstance(content, dict) else content
    return "".join(map(_part_text, parts))


def _part_text(part: Any) -> str:
    """Return the text of a part; thoughts are parts of another type."""
    if isinstance(part, str):
        return part
    if part.get("type", "text") not in ("text", "output_text", "refusal"):
        return ""
    text = part.get("text") or part.get("refusal") or ""
    return str(text.get("value") or "") if isinstance(text, dict) else str(text)
