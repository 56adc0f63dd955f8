"""OpenAI's models and embeddings: the names ``hybrid/auto``, ``hybrid/DOMAIN/ARM``, and vectors by them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from hybrid.domains import Assistants
from hybrid.errors import HybridError, did_you_mean
from hybrid.files import valid_utf8
from hybrid.models import Vectors
from hybrid.serving.errors import Refusal
from hybrid.serving.scheduler import InTurn
from hybrid.serving.service import Service
from hybrid.types import Arm

router = APIRouter(prefix="/v1")

AUTO = "hybrid/auto"
# What bodies hold of a client's choice.
ModelName = Annotated[str, Field(max_length=300, examples=[AUTO])]
_BATCH = 2_048


class Embedded(BaseModel):
    """What is asked of ``/v1/embeddings``; a model is a domain, of which the embedder is taken."""

    model: ModelName
    input: str | list[Any]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None


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
        raise unknown(name, assistants)
    return _described(name)


@router.post("/embeddings", dependencies=[InTurn])
def embeddings(body: Embedded, request: Request) -> dict[str, Any]:
    """Embed texts as the documents of a domain are."""
    service: Service = request.app.state.service
    domain, _ = chosen(body.model, service.assistants)
    texts = [body.input] if isinstance(body.input, str) else body.input
    if not 0 < len(texts) <= _BATCH:
        raise Refusal(400, f"{len(texts)} texts, expected 1 to {_BATCH:,} at a time", param="input")
    if not all(isinstance(text, str) for text in texts):
        raise Refusal(
            400,
            "texts are embedded, not token ids: they come from another tokenizer. In LangChain's "
            "OpenAIEmbeddings set check_embedding_ctx_length=False",
            param="input",
            code="unsupported_value",
        )
    texts = [valid_utf8(text) for text in texts]
    embedder = service.assistants[domain or service.assistants.domains[0]].embedder
    size = embedder.fingerprint.dimension
    if body.dimensions not in (None, size):
        raise Refusal(
            400, f"the vectors have {size} dimensions", param="dimensions", code="unsupported_value"
        )
    vectors = embedder.embed_documents(texts)
    tokens = sum(embedder.count_tokens(texts))
    return {
        "object": "list",
        "model": body.model,
        "data": [
            {"object": "embedding", "index": place, "embedding": _encoded(vector, body.encoding_format)}
            for place, vector in enumerate(vectors)
        ],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


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
        raise unknown(model, assistants)
    return domain, None if arm == "auto" else arm


def unknown(model: str, assistants: Assistants) -> Refusal:
    """Return what a client is told of a name that nothing has."""
    # mostly it is the name of a domain alone
    own = f"hybrid/{model[:100]}/auto" if model in assistants.domains else model[:100]
    listed = "GET /v1/models lists them"
    hint = did_you_mean(own, _names(assistants), listed)
    told = f"there is no model {model[:100]!r}; {hint}{'' if hint == listed else f' {listed}'}"
    return Refusal(404, told, param="model", code="model_not_found")


def _names(assistants: Assistants) -> Iterator[str]:
    yield AUTO
    for domain in assistants.domains:
        try:
            arms = assistants[domain].asked.able
        except HybridError:  # it went just now
            continue
        yield from (f"hybrid/{domain}/{arm}" for arm in ("auto", *arms))


def _described(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "hybrid"}


def _encoded(vector: Vectors, encoding: str | None) -> str | list[float]:
    """Return a vector as little-endian float32 in base64, or as numbers."""
    if encoding == "float":
        numbers: list[float] = vector.tolist()
        return numbers
    return base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode()
