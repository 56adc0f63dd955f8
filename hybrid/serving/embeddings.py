"""OpenAI's embeddings: a domain's embedder, in base64 unless told otherwise."""

from __future__ import annotations

import base64
from typing import Any, Literal

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel

from hybrid.files import valid_utf8
from hybrid.models import Vectors
from hybrid.serving.errors import Refusal
from hybrid.serving.models import ModelName, chosen
from hybrid.serving.scheduler import InTurn
from hybrid.serving.service import Service

router = APIRouter(prefix="/v1")

_BATCH = 2_048


class Embedded(BaseModel):
    """What is asked of ``/v1/embeddings``; a model is a domain, of which the embedder is taken."""

    model: ModelName
    input: str | list[Any]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None


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


def _encoded(vector: Vectors, encoding: str | None) -> str | list[float]:
    """Return a vector as little-endian float32 in base64, or as numbers."""
    if encoding == "float":
        numbers: list[float] = vector.tolist()
        return numbers
    return base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode()
