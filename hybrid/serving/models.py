"""The names by which clients choose a domain and an arm: ``hybrid/auto``, ``hybrid/DOMAIN/ARM``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field

from hybrid.domains import Assistants
from hybrid.errors import HybridError
from hybrid.serving.errors import Refusal
from hybrid.types import Arm

router = APIRouter(prefix="/v1")

AUTO = "hybrid/auto"
# What bodies hold of a client's choice.
ModelName = Annotated[str, Field(max_length=300, examples=[AUTO])]


@router.get("/models")
def list_models(request: Request) -> dict[str, Any]:
    """List the router over all domains, then each domain with the arms that can answer now."""
    assistants: Assistants = request.app.state.service.assistants
    return {"object": "list", "data": [_described(name) for name in _names(assistants)]}


@router.get("/models/{name:path}")
def show_model(name: str, request: Request) -> dict[str, Any]:
    """Describe one of them."""
    assistants: Assistants = request.app.state.service.assistants
    if name not in _names(assistants):
        raise unknown(name)
    return _described(name)


def chosen(model: str, assistants: Assistants) -> tuple[str | None, str | None]:
    """Return the domain and the arm that a name stands for, None where it leaves the choice.

    Raises:
        Refusal: nothing has that name.
    """
    if model == AUTO:
        return None, None
    prefix, _, rest = model.partition("/")
    domain, _, arm = rest.partition("/")
    if prefix != "hybrid" or domain not in assistants.domains or arm not in ("auto", *Arm):
        raise unknown(model)
    return domain, None if arm == "auto" else arm


def unknown(model: str) -> Refusal:
    """Return what a client is told of a name that nothing has."""
    told = f"there is no model {model[:100]!r}; GET /v1/models lists them"
    return Refusal(404, told, param="model", code="model_not_found")


def _names(assistants: Assistants) -> Iterator[str]:
    yield AUTO
    for domain in assistants.domains:
        try:
            arms = assistants[domain].arms
        except HybridError:  # it went just now
            continue
        yield from (f"hybrid/{domain}/{arm}" for arm in ("auto", *arms))


def _described(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "hybrid"}
