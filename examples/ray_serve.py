"""Replicas of the server as a deployment of Ray Serve, over one folder of indexes.

    pip install 'hybrid-assistant[serve,ray]'
    HYBRID_INDEXES=/shared/indexes python examples/ray_serve.py --replicas 4 --port 8000

Ray shares the requests out and replaces a replica that dies. A replica reads the settings and the secrets
(HYBRID_TOKEN) from the environment of its own process, takes up a new generation of an index with the next
question, and writes feedback and traces beside the indexes.
"""

from __future__ import annotations

import argparse
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

# Read when Ray is imported. No figures leave the house; answering is no background work (Ray: niceness 15); a
# busy machine takes longer than 5 s to start a process that loads Ray.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_worker_niceness", "0")
os.environ.setdefault("RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S", "60")

import ray
from ray import serve

if TYPE_CHECKING:
    from fastapi import FastAPI

    from hybrid.serving.service import Service


def from_settings() -> Service:
    """Open what the settings say that the replica's own process sees."""
    from hybrid import Assistants, load_settings
    from hybrid.serving.protocol import Access
    from hybrid.serving.service import Service

    settings = load_settings()
    return Service.over(Assistants(settings=settings), Access.of(os.environ, settings.serve.host))


def start(
    replicas: int, port: int, *, address: str | None = None, service: Callable[[], Service] = from_settings
) -> None:
    """Start the replicas, on a cluster of this machine unless one is named; return when clients may ask."""

    def build() -> FastAPI:  # in every replica: models are loaded there
        from hybrid.serving.app import create_app

        return create_app(service())

    if not ray.is_initialized():
        alone = {} if address else {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        ray.init(address=address, **alone)
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    deployment = serve.deployment(
        serve.ingress(build)(),
        name="hybrid",
        num_replicas=replicas,
        # the scheduler of a replica says when there are too many
        max_ongoing_requests=1_000,
    )
    serve.run(deployment.bind(), name="hybrid", route_prefix="/")  # and says where


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--address", help="of a cluster, or auto; else one of this machine is started")
    told = parser.parse_args()
    start(told.replicas, told.port, address=told.address)
    threading.Event().wait()


if __name__ == "__main__":
    main()
