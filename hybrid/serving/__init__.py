"""A domain over HTTP: OpenAI's protocol, one page, metrics."""

from __future__ import annotations

from importlib.util import find_spec

from hybrid.errors import ExtraMissing

if any(find_spec(name) is None for name in ("fastapi", "prometheus_client", "python_multipart", "uvicorn")):
    raise ExtraMissing(
        "the server needs fastapi, uvicorn, prometheus-client and python-multipart",
        hint="pip install 'hybrid-assistant[serve]'",
    )
