"""Answers with their evidence, side by side and by id, and what people make of them."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Iterator, Sequence
from secrets import SystemRandom
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from hybrid.assistant import Assistant
from hybrid.errors import HybridError
from hybrid.files import valid_utf8
from hybrid.grounding.values import ClaimVerdict, Excerpt, Status
from hybrid.operations.feedback import Feedback, KeptAnswer
from hybrid.serving.chat import LONGEST_QUESTION, evidence, url_of
from hybrid.serving.errors import Refusal, told, while_connected
from hybrid.serving.protocol import Asking, AsUser, ClientKey
from hybrid.serving.scheduler import InTurn
from hybrid.serving.service import Service
from hybrid.types import Answer, Arm, Chunk, Hit, Message, MessageRole, plain, principals_of

router = APIRouter()

_PLACED = (Status.SUPPORTED, Status.UNCLEAR, Status.CONTRADICTED)
# these routes are ours: a name that is not known is a slip
_STRICT = ConfigDict(extra="forbid")
Words = Annotated[str, Field(min_length=1, max_length=LONGEST_QUESTION)]
AnswerId = Annotated[str, Field(max_length=300)]


class AskBody(BaseModel):
    """What is asked of ``/ask``; ``check`` holds each sentence against the passages, which takes its time."""

    model_config = _STRICT

    question: Words
    domain: str | None = None
    arm: Arm | None = None
    history: list[SpokenTurn] = []
    conversation: Annotated[str, Field(max_length=300)] = ""
    check: bool = False


class SpokenTurn(BaseModel):
    """A turn before the question."""

    model_config = _STRICT

    role: Literal[MessageRole.USER, MessageRole.ASSISTANT]
    content: str


class CompareBody(BaseModel):
    """A question for several arms of a domain; without their names for all that can answer."""

    model_config = _STRICT

    question: Words
    domain: str
    arms: Annotated[list[Arm], Field(min_length=2)] | None = None


class PreferenceBody(BaseModel):
    """Which of the answers that were shown is the best, by their ids; None where none is."""

    model_config = _STRICT

    shown: Annotated[list[AnswerId], Field(min_length=2, max_length=len(Arm))]
    chosen: AnswerId | None = None


def _whole(value: object) -> object:
    """Refuse what only equals a number, such as true."""
    if type(value) is not int:
        raise ValueError("expected 1 or -1")
    return value


class VoteBody(BaseModel):
    """Whether an answer is good (1) or bad (-1), and why."""

    model_config = _STRICT

    answer: AnswerId
    value: Annotated[Literal[1, -1], BeforeValidator(_whole)]
    comment: Annotated[str, Field(max_length=4_000)] = ""


@router.post("/ask")
async def ask(body: AskBody, request: Request, as_user: AsUser, key: ClientKey) -> dict[str, Any]:
    """Answer a question with all that it rests on, as ``hybrid ask --json`` does."""
    service: Service = request.app.state.service
    history = tuple(Message(turn.role, valid_utf8(turn.content)) for turn in body.history)
    asked = dataclasses.replace(
        _asking(service, body.question, body.domain, body.arm, as_user, key),
        history=history,
        conversation=body.conversation,
    )
    answer = await while_connected(request.receive, service.answer(asked))
    base = str(request.base_url)
    claims: list[dict[str, Any]] | None = None
    if body.check:
        async with request.app.state.turns.taken():
            found = await run_in_threadpool(service.assistants.check, answer)
        if found is not None:
            own, chunks = service.assistants[answer.domain], [hit.chunk for hit in answer.hits]
            claims = _claims(found.verdicts, own, [chunk.source for chunk in chunks], chunks, base)
    return {"id": asked.id} | answer.to_dict() | evidence(answer, base) | {"claims": claims}


@router.post("/compare")
async def compare(body: CompareBody, request: Request, as_user: AsUser, key: ClientKey) -> dict[str, Any]:
    """Ask several arms one question; their answers come in any order and without their names.

    ``/compare/votes`` takes which is the best, and says which arm gave which.
    """
    service: Service = request.app.state.service
    own = await run_in_threadpool(service.assistants.__getitem__, body.domain)
    there = await run_in_threadpool(lambda: own.asked.able)
    asked = [
        _asking(service, body.question, body.domain, arm, as_user, key)
        for arm in dict.fromkeys(body.arms or there)
    ]
    everything = asyncio.gather(*map(service.answer, asked), return_exceptions=True)
    found = await while_connected(request.receive, everything)
    if errors := [
        one for one in found if isinstance(one, BaseException) and not isinstance(one, HybridError)
    ]:
        raise errors[0]
    answers = [
        {
            "id": one.id,
            "text": answer.text,
            "abstained": answer.abstained,
            "citations": plain(answer.citations),
        }
        for one, answer in zip(asked, found, strict=True)
        if isinstance(answer, Answer)
    ]
    SystemRandom().shuffle(answers)
    missing = [
        {"arm": one.arm, "reason": told(error)[1]["error"]["message"]}
        for one, error in zip(asked, found, strict=True)
        if isinstance(error, HybridError)
    ]
    return {"domain": body.domain, "question": body.question, "answers": answers, "missing": missing}


@router.post("/compare/votes")
def prefer(body: PreferenceBody, request: Request, as_user: AsUser) -> dict[str, Any]:
    """Keep which answer is the best, and say which arm gave which."""
    feedback = _feedback(request)
    kept = [_kept(request, shown, as_user).answer for shown in body.shown]
    if body.chosen is not None:
        feedback.prefer(body.chosen, body.shown, as_user=as_user)
    return {"arms": {shown: answer.arm for shown, answer in zip(body.shown, kept, strict=True)}}


@router.post("/feedback")
def vote(body: VoteBody, request: Request, as_user: AsUser) -> dict[str, Any]:
    """Keep what somebody thinks of an answer; the last word counts."""
    kept = _kept(request, body.answer, as_user)
    _feedback(request).vote(kept.id, body.value, comment=valid_utf8(body.comment), as_user=as_user)
    return {"answer": kept.id, "value": body.value}


@router.get("/v1/answers/{name}")
def show_answer(name: str, request: Request, as_user: AsUser) -> dict[str, Any]:
    """Return an answer by the id that its client got, with what it rests on."""
    kept = _kept(request, name, as_user)
    own, answer = _domain(request, kept), kept.answer
    closest = dataclasses.replace(answer, hits=_hits(_chunks(own, kept, as_user))).closest
    values: dict[str, Any] = plain(kept)
    shown = answer.to_dict() | {"closest": plain(closest)}
    return values | {"answer": shown, "because": own.asked.because if own is not None else ""}


@router.get("/v1/answers/{name}/claims", dependencies=[InTurn])
def show_claims(name: str, request: Request, as_user: AsUser) -> dict[str, Any]:
    """Say of each sentence whether the passages carry it, and where; null where there is nothing to check."""
    kept = _kept(request, name, as_user)
    own = _domain(request, kept)
    chunks = _chunks(own, kept, as_user)
    if kept.verdicts is None and own is not None:
        hits = _hits(chunks)
        if len(hits) < len(kept.passages):
            raise Refusal(409, "what the answer was read from has changed since", code="changed")
        if (found := own.check(dataclasses.replace(kept.answer, hits=hits))) is not None:
            kept = dataclasses.replace(kept, verdicts=found.verdicts)
            _feedback(request).keep(kept)
    if kept.verdicts is None:
        return {"claims": None}
    sources = [place.source for place in kept.passages]
    return {"claims": _claims(kept.verdicts, own, sources, chunks, str(request.base_url))}


def _asking(
    service: Service,
    question: str,
    domain: str | None,
    arm: Arm | None,
    as_user: tuple[str, ...] | None,
    key: str,
) -> Asking:
    deadline = time.monotonic() + service.settings.serve.max_seconds
    return Asking(valid_utf8(question), domain, arm, as_user=as_user, key=key, deadline=deadline)


def _claims(
    verdicts: Sequence[ClaimVerdict],
    own: Assistant | None,
    sources: Sequence[str],
    chunks: Sequence[Chunk | None],
    base: str,
) -> list[dict[str, Any]]:
    """Return claims with the ``places`` that carry or contradict each, word by word as they stand there."""

    def places(evidence: Excerpt | None) -> Iterator[dict[str, Any]]:
        if evidence is None or own is None or (chunk := chunks[evidence.passage]) is None:
            return
        for number, span in enumerate(evidence.spans, start=1):
            place = chunk.cited(number, span)
            page = own.retriever.index.page_at(place.source, place.start)
            yield plain(place) | {"page": page, "url": url_of(place, own.domain, base)}
        yield from places(evidence.beside)

    return [
        # what is nowhere has only a nearest stretch, which would look like evidence
        one.document(sources) | {"places": [*places(one.evidence if one.status in _PLACED else None)]}
        for one in verdicts
    ]


def _feedback(request: Request) -> Feedback:
    service: Service = request.app.state.service
    if service.feedback is None:
        raise Refusal(404, "the owner of this server keeps no answers", code="not_kept")
    return service.feedback


def _kept(request: Request, name: str, as_user: tuple[str, ...] | None) -> KeptAnswer:
    kept = _feedback(request).answer(name, as_user=as_user)
    if kept is None:
        raise Refusal(404, "there is no such answer, or it is not kept any more", code="not_found")
    return kept


def _domain(request: Request, kept: KeptAnswer) -> Assistant | None:
    """Return the domain that gave an answer; None where none did, or it is gone."""
    service: Service = request.app.state.service
    there = kept.answer.domain in service.assistants.domains
    return service.assistants[kept.answer.domain] if there else None


def _chunks(own: Assistant | None, kept: KeptAnswer, as_user: tuple[str, ...] | None) -> list[Chunk | None]:
    """Return the passages of an answer; None for those that changed or may not be read now."""
    found: dict[tuple[str, int, int], Chunk] = {}
    if own is not None:
        own.asked.require_user(as_user)
        index = own.retriever.index
        for source in {place.source for place in kept.passages}:
            positions = index.positions_where({"source": source}, principals=principals_of(as_user))
            found |= {(chunk.source, chunk.start, chunk.end): chunk for chunk in index.chunks(positions)}
    return [found.get((place.source, place.start, place.end)) for place in kept.passages]


def _hits(chunks: Sequence[Chunk | None]) -> tuple[Hit, ...]:
    return tuple(Hit(chunk, 0.0) for chunk in chunks if chunk is not None)
