"""The command that serves domains over HTTP."""

from __future__ import annotations

import os
import sys
from typing import Annotated

from typer import Option

from hybrid.cli import console
from hybrid.cli.options import Context, shared
from hybrid.domains import Assistants
from hybrid.tracing import traced


@shared()
def serve(
    context: Context,
    host: Annotated[
        str | None, Option("--host", help="Where to listen; beyond loopback it wants $HYBRID_TOKEN.")
    ] = None,
    port: Annotated[int | None, Option("--port", help="0 is a free one.")] = None,
    workers: Annotated[
        int | None, Option("--workers", help="So many processes, each with models of its own.")
    ] = None,
    as_worker: Annotated[int | None, Option("--as-worker", hidden=True)] = None,
) -> None:
    """Serve the domains: OpenAI's protocol below /v1, and a page to ask them on. Ctrl-C ends.

    Writes the address once clients may ask. Without --domain all domains are served.
    """
    # the server is an extra, and loads what no other command needs
    from hybrid.serving.app import address, listen, run
    from hybrid.serving.protocol import Access
    from hybrid.serving.service import Service
    from hybrid.serving.workers import Ready, Workers, ready, serve_as_worker

    settings = context.settings({"serve": {"host": host, "port": port, "workers": workers}})
    access = Access.of(os.environ, settings.serve.host)
    named = context.named(settings)

    def say(about: Ready, where: str) -> None:
        for lost in about.left_out:
            console.note(f"left out: {lost}")
        console.note(f"serving {', '.join(about.domains)}; clients take {where}/v1")
        context.show({"url": where, "domains": about.domains}, where)
        console.flush()

    with traced(settings, console.note), Assistants(domains=named or None, settings=settings) as assistants:
        if as_worker is None and settings.serve.workers > 1:
            together = Workers(settings.serve, sys.argv[1:], console.note)
            say(together.start(), together.url)
            together.watch()
        else:
            about, service = ready(assistants), Service.over(assistants, access)
            if as_worker is not None:
                serve_as_worker(service, as_worker, about)
                return
            opened = listen(settings.serve.host, settings.serve.port)
            say(about, address(opened))
            run(service, opened)
    console.note("stopped; what was accepted is answered")
