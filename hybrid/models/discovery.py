"""Discovery of OpenAI-compatible servers: who lists models, on the usual ports of loopback."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx2

from hybrid.models.resolve import is_small
from hybrid.trust import Endpoint, Secret

PORTS: Mapping[int, str] = {11434: "Ollama", 1234: "LM Studio", 8080: "llama.cpp", 8000: "vLLM"}
_TIMEOUT = httpx2.Timeout(2.0, connect=0.5)
_MOST_BYTES = 1 << 20
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


def ask_server(endpoint: Endpoint, *, kind: str = "server", key: Secret | None = None) -> ModelServer | None:
    """Return what a server lists, None if none answers there or it lists no models."""
    headers = {"Authorization": f"Bearer {key.reveal()}"} if key else {}
    try:
        with (
            httpx2.Client(timeout=_TIMEOUT, headers=headers, trust_env=not endpoint.is_loopback) as client,
            client.stream("GET", f"{endpoint.rstrip('/')}/models", auth=endpoint.basic) as response,
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
