"""The command that serves domains over HTTP."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from hybrid.cli import console
from hybrid.cli.options import Context, shared
from hybrid.domains import Assistants
from hybrid.tracing import traced


@shared()
def serve(
    context: Context,
    host: Annotated[
        str | None, typer.Option("--host", help="Where to listen; beyond loopback it wants $HYBRID_TOKEN.")
    ] = None,
    port: Annotated[int | None, typer.Option("--port", help="0 is a free one.")] = None,
) -> None:
    """Serve the domains: OpenAI's protocol below /v1, and a page to ask them on. Ctrl-C ends.

    Writes the address once clients may ask. Without --domain all domains are served.
    """
    # the server is an extra, and loads what no other command needs
    from hybrid.serving.access import Access
    from hybrid.serving.running import address, listen, run
    from hybrid.serving.service import Service

    settings = context.settings(serve={"host": host, "port": port})
    access = Access.of(os.environ, settings.serve.host)
    named = [name.strip() for name in (context.domain or settings.domain).split(",") if name.strip()]
    with (
        traced(settings, console.note),
        Assistants(domains=named or None, settings=settings) as assistants,
    ):
        lost = assistants.left_out()
        for name in assistants.domains:
            if name in lost:
                console.note(f"left out: {name}: {lost[name]}")
            else:  # who asks first does not wait for the weights
                assistants[name].retriever.embedder.embed_queries(["a first text loads the weights"])
        opened = listen(settings.serve.host, settings.serve.port)
        service, where = Service.over(assistants, access), address(opened)
        console.note(f"serving {', '.join(assistants.domains)}; clients take {where}/v1")
        context.show({"url": where, "domains": assistants.domains}, where)
        console.flush()
        run(service, opened)
        console.note("stopped; what was accepted is answered")
