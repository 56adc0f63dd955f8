"""OpenAI's chat completions: what a client asks, and an answer in the form that it reads."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from hybrid.files import hash_text, valid_utf8
from hybrid.serving.access import AsUser, ClientKey
from hybrid.serving.errors import Refusal
from hybrid.serving.models import chosen
from hybrid.serving.protocol import Asking
from hybrid.serving.service import Service
from hybrid.types import Answer, Message, MessageRole, plain

router = APIRouter(prefix="/v1")

_ROLES = {"user": MessageRole.USER, "assistant": MessageRole.ASSISTANT}


class Part(BaseModel):
    """A part of a message; only text is read."""

    type: str
    text: str = ""


class Turn(BaseModel):
    """A message of a conversation."""

    role: str
    content: str | list[Part] | None = None

    @property
    def message(self) -> Message | None:
        """Return what a person or a model said; None of an instruction, for the arm has its own."""
        parts = [self.content] if isinstance(self.content, str) else [one.text for one in self.content or ()]
        role = _ROLES.get(self.role)
        return None if role is None else Message(role, valid_utf8("\n".join(parts)))


class Completion(BaseModel):
    """What is asked of ``/v1/chat/completions``; a field that is not here changes nothing."""

    model: str
    messages: Annotated[list[Turn], Field(min_length=1)]


@router.post("/chat/completions")
async def chat_completions(
    body: Completion, request: Request, as_user: AsUser, key: ClientKey
) -> dict[str, Any]:
    """Answer the last question of a conversation."""
    service: Service = request.app.state.service
    asked = _asking(body, service, as_user, key)
    answer = await service.answering.answer(asked)
    message = {"role": "assistant", "content": answer.text}
    return {
        "id": asked.id,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body.model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": _usage(answer),
        "citations": plain(answer.citations),
    }


def _asking(body: Completion, service: Service, as_user: tuple[str, ...] | None, key: str) -> Asking:
    """Return what a conversation asks last, with what was said before."""
    domain, arm = chosen(body.model, service.assistants)
    said = [message for turn in body.messages if (message := turn.message) is not None]
    while said and said[-1].role is not MessageRole.USER:
        said.pop()
    if not said:
        raise Refusal(400, "no message of a user in the conversation", param="messages")
    return Asking(
        said[-1].content,
        domain,
        arm,
        tuple(said[:-1]),
        as_user=as_user,
        conversation=hash_text(key, said[0].content)[:32],
        key=key,
        deadline=time.monotonic() + service.settings.serve.max_seconds,
    )


def _usage(answer: Answer) -> dict[str, int]:
    read, written = answer.prompt_tokens, answer.completion_tokens
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
