"""OpenAI's chat completions: what a client asks, and an answer in the form that it reads."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from hybrid.files import hash_text, valid_utf8
from hybrid.models.dialogue import cut_at_stop
from hybrid.serving.errors import Events, Refusal, while_connected
from hybrid.serving.models import ModelName, chosen
from hybrid.serving.protocol import Asking, AsUser, ClientKey
from hybrid.serving.service import Service
from hybrid.types import Answer, Arm, Citation, Message, MessageRole, plain

router = APIRouter(prefix="/v1")

# Nobody asks in so many characters, and what a question costs grows with it.
LONGEST_QUESTION = 20_000
_ROLES = {"user": MessageRole.USER, "assistant": MessageRole.ASSISTANT}
_INSTRUCTIONS = ("system", "developer")
_TEXT = ("text", "input_text", "output_text")
_MARKER = re.compile(r"\[(\d{1,4})\]")
# What would change the meaning of an answer, with the values that leave it as it is.
_WITHOUT: Mapping[str, Sequence[object]] = {
    "n": (1,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "logprobs": (False,),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "audio": (),
    "prediction": (),
    "web_search_options": (),
}
# What chat programs ask for themselves: titles, tags and follow-ups of a conversation that they quote.
_AUXILIARY = re.compile(
    r"\s*(?:### Task:(?s:.*)<chat_history>|(?:please )?(?:generate|create|provide|suggest|write)\b.{0,200}"
    r"\b(?:title|tags?|emoji|follow-?ups?)\b.{0,200}\b(?:conversation|chat)"
    r"|(?s:.*)(?:need to|please|\.) summari[sz]e (?:the|our) (?:[\w']+ )?conversation into a title\b"
    r"|based on the chat history, give this conversation a name)",
    re.IGNORECASE,
)
# Why it came about as it did.
_ABOUT = (
    "arm",
    "variant",
    "reader",
    "domain",
    "route",
    "arm_route",
    "standalone",
    "confidence",
    "incomplete",
    "trace",
)


class ChatPart(BaseModel):
    """A part of a message."""

    type: str = "text"
    text: str | None = None
    data: Any = None


class ChatTurn(BaseModel):
    """A message of a conversation."""

    role: str
    content: str | list[ChatPart | str] | None = None

    @property
    def parts(self) -> list[ChatPart]:
        """Return its parts; a string is one, alone or in a list."""
        content = [self.content] if isinstance(self.content, str) else self.content or []
        return [ChatPart(text=part) if isinstance(part, str) else part for part in content]

    @property
    def text(self) -> str:
        """Return its text, without what else it holds, such as pictures and what a model thought."""
        return valid_utf8("\n".join(part.text or "" for part in self.parts if part.type in _TEXT))


class StreamOptions(BaseModel):
    """What a stream tells beside the answer."""

    include_usage: bool | None = False


class ChatBody(BaseModel):
    """What is asked of ``/v1/chat/completions``.

    A field that is not here changes nothing, unless it would change the meaning of the answer: it is refused
    then. How an answer is generated is said by the arm, so ``temperature`` and its like have no effect.
    """

    model_config = ConfigDict(extra="allow")

    model: ModelName
    messages: Annotated[list[ChatTurn], Field(min_length=1)]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    stop: str | list[str | None] | None = None
    metadata: dict[str, Any] | None = None

    @property
    def ends(self) -> list[str]:
        """Return where the text of an answer ends."""
        # an empty one ends nothing; some programs send it for none
        return [mark for mark in ([self.stop] if isinstance(self.stop, str) else self.stop or []) if mark]


@router.post("/chat/completions", response_model=None)
async def chat_completions(body: ChatBody, request: Request, as_user: AsUser, key: ClientKey) -> Response:
    """Answer the last question of a conversation, with its places in ``citations`` and ``annotations``."""
    service: Service = request.app.state.service
    asked = _asking(body, service, request.headers.get("x-openwebui-chat-id", ""), as_user, key)
    base = str(request.base_url)
    if body.stream:
        return Events(_chunks(body, asked, service, base))
    answer = await while_connected(request.receive, service.answer(asked))
    text = cut_at_stop(answer.text, body.ends)
    message = {
        "role": "assistant",
        "content": text,
        "refusal": None,
        "annotations": _notes(answer, text, base),
    }
    choice = {"index": 0, "message": message, "finish_reason": _finish(answer), "logprobs": None}
    document = _document(body, asked, "chat.completion") | {"choices": [choice], "usage": _usage(answer)}
    return JSONResponse(document | evidence(answer, base), headers={"X-Request-Id": asked.id})


async def _chunks(
    body: ChatBody, asked: Asking, service: Service, base: str
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield a first chunk with the role, the text, a last one with the places, and usage if it is wanted."""
    usage = bool(body.stream_options and body.stream_options.include_usage)
    same = _document(body, asked, "chat.completion.chunk") | ({"usage": None} if usage else {})

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return same | {"choices": [choice]}

    begun = False
    async for part in service.stream(asked):
        if not begun:
            begun = True
            yield chunk({"role": "assistant", "content": ""})
        if isinstance(part, str):
            if part and not body.ends:
                yield chunk({"content": part})
            continue
        text = cut_at_stop(part.text, body.ends)
        if body.ends:
            yield chunk({"content": text})
        last = chunk({"annotations": _notes(part, text, base)}, _finish(part))
        yield last | evidence(part, base)
        if usage:
            yield same | {"choices": [], "usage": _usage(part)}


def said_in(turns: Sequence[ChatTurn]) -> list[Message]:
    """Return what was said up to the last message of a user, without instructions: an arm has its own."""
    said = [turn for turn in turns if turn.role in _ROLES]
    while said and said[-1].role != "user":
        said.pop()
    if others := sorted({part.type for turn in said[-1:] for part in turn.parts} - set(_TEXT)):
        raise Refusal(400, f"only text is read, found {others[0][:40]!r}", param="messages")
    return [Message(_ROLES[turn.role], turn.text) for turn in said]


def evidence(answer: Answer, base: str) -> dict[str, Any]:
    """Return what a client may want to know of an answer beside its text, in fields of our own.

    ``hybrid.outcome`` is ``answered``, ``declined`` where no document answers, or ``incomplete``.
    """
    about = plain(answer)
    outcome = "declined" if answer.abstained else "incomplete" if answer.incomplete else "answered"
    places = {"citations": answer.citations, "closest": answer.closest}
    linked = {
        name: [plain(one) | {"url": url_of(one, answer.domain, base)} for one in found]
        for name, found in places.items()
    }
    own = {"outcome": outcome} | {name: about[name] for name in _ABOUT} | {"closest": linked["closest"]}
    return {"citations": linked["citations"], "hybrid": own}


def _asking(body: ChatBody, service: Service, chat: str, as_user: tuple[str, ...] | None, key: str) -> Asking:
    """Return what a conversation asks last, with what was said before."""
    extra = body.model_extra or {}
    uncalled = extra.get("tool_choice") == "none"
    for name, without in _WITHOUT.items():
        if (
            (found := extra.get(name)) is not None
            and found not in without
            and not (uncalled and name == "tools")
        ):
            raise Refusal(
                400, f"{name} is not supported, leave it out", param=name, code="unsupported_parameter"
            )
    domain, arm = chosen(body.model, service.assistants)
    said = said_in(body.messages)
    if not said and (others := sorted({turn.role for turn in body.messages} - {*_INSTRUCTIONS})):
        found = f"no message has the role user, whose last is asked; found {others[0][:40]!r}"
        raise Refusal(400, found, param="messages")
    told = "\n".join(turn.text for turn in body.messages if turn.role in _INSTRUCTIONS)
    # instructions alone are for the generator alone: nobody asks what a document would answer
    instructed = not said or bool(_AUXILIARY.match(told))
    text = said.pop().content if said else ""
    text = f"{told}\n{text}".rstrip("\n") if instructed else text
    auxiliary = instructed or bool(_AUXILIARY.match(text))
    if not text.strip():
        raise Refusal(400, "the last message of the user is empty", param="messages")
    if len(text) > LONGEST_QUESTION:
        told = f"the last message has {len(text)} characters, at most {LONGEST_QUESTION} are read"
        raise Refusal(400, told, param="messages", code="context_length_exceeded")
    first = next((turn.content for turn in said), text)
    named = str((body.metadata or {}).get("conversation_id") or chat)
    return Asking(
        text,
        domain or (service.assistants.domains[0] if auxiliary else None),
        Arm.BASE if auxiliary else arm,
        () if auxiliary else tuple(said),
        as_user=as_user,
        conversation=hash_text(key, *(as_user or ())[:1], named or first)[:32],
        key=key,
        deadline=time.monotonic() + service.settings.serve.max_seconds,
        auxiliary=auxiliary,
    )


def _document(body: ChatBody, asked: Asking, kind: str) -> dict[str, Any]:
    return {"id": asked.id, "object": kind, "created": int(time.time()), "model": body.model}


def _notes(answer: Answer, text: str, base: str) -> list[dict[str, Any]]:
    """Return where each marker stands in a text, ``text[start_index:end_index]``, and what it links to."""
    cited = {one.number: one for one in answer.citations}
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": marker.start(),
                "end_index": marker.end(),
                "url": url_of(one, answer.domain, base),
                "title": one.title or one.source,
            },
        }
        for marker in _MARKER.finditer(text)
        if (one := cited.get(int(marker[1])))
    ]


def url_of(place: Citation, domain: str, base: str) -> str:
    """Return where the page shows a stretch of a document."""
    named = {"domain": domain, "source": place.source, "start": place.start, "end": place.end}
    return f"{base}#{urlencode(named)}"


def _finish(answer: Answer) -> str:
    return "length" if answer.incomplete else "stop"


def _usage(answer: Answer) -> dict[str, int]:
    read, written = answer.prompt_tokens, answer.completion_tokens
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
