"""What the judge and people make of answers: claim by claim, and arms side by side without their names."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
import threading
import time
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from hybrid.assistant import Assistant, principals_of
from hybrid.errors import HybridError
from hybrid.grounding.values import ClaimVerdict
from hybrid.operations.feedback import Feedback, KeptAnswer
from hybrid.serving.access import AsUser, ClientKey
from hybrid.serving.errors import Refusal, told
from hybrid.serving.events import while_connected
from hybrid.serving.protocol import Asking, Overloaded
from hybrid.serving.service import Service
from hybrid.types import Answer, Arm, Chunk, Hit, plain

router = APIRouter()

# What they say stands in the passages word by word, or asserts nothing.
_VERBATIM = ("extractive", "talk")
_PATIENCE = 30.0
# The judge is a model; answers wait for it in turn.
_judging = threading.Semaphore(1)


@router.get("/v1/answers/{answer}/claims")
def show_claims(answer: str, request: Request, as_user: AsUser) -> dict[str, Any]:
    """Return the passages of an answer, and what they say of each claim; null where nothing was to be judged.

    The number of a piece of evidence is the place of its passage, its spans are within that passage.
    """
    service: Service = request.app.state.service
    feedback = _feedback(service)
    kept = feedback.answer(answer, as_user=as_user)
    if kept is None:
        raise Refusal(404, "no such answer is kept", code="not_found")
    own = service.assistants[kept.answer.domain] if kept.answer.domain else None
    verdicts = kept.verdicts
    if verdicts is None and own is not None:
        verdicts = _judged(own, kept, as_user)
        feedback.keep(dataclasses.replace(kept, verdicts=verdicts))
    sources = [one.source for one in kept.passages]
    return {
        "claims": None if verdicts is None else [one.document(sources) for one in verdicts],
        "passages": plain(kept.passages),
        "because": own.decided_because if own is not None else "",
        "seconds": kept.answer.seconds,
    }


class ComparedQuestion(BaseModel):
    """What all arms of a domain are asked."""

    question: Annotated[str, Field(min_length=1, max_length=20_000)]
    domain: str


class BlindVote(BaseModel):
    """Which of the shown answers was preferred; null for none of them."""

    shown: Annotated[list[str], Field(min_length=1, max_length=len(Arm))]
    chosen: str | None = None


@router.post("/compare")
async def compare_arms(
    body: ComparedQuestion, request: Request, as_user: AsUser, key: ClientKey
) -> dict[str, Any]:
    """Ask all arms of a domain a question; the answers come in random order, and without their arms."""
    service: Service = request.app.state.service
    _feedback(service)
    own = await run_in_threadpool(service.assistants.__getitem__, body.domain)
    arms = await run_in_threadpool(lambda: own.arms)
    missing = [
        {"arm": str(arm), "reason": await run_in_threadpool(_lacking, own, arm)}
        for arm in Arm
        if arm not in arms
    ]
    deadline = time.monotonic() + service.settings.serve.max_seconds
    asked = [
        Asking(body.question, body.domain, arm, as_user=as_user, key=key, deadline=deadline) for arm in arms
    ]
    found = await while_connected(request.receive, _all(service, asked))
    answers = []
    for one, answer in zip(asked, found, strict=True):
        if isinstance(answer, Answer):
            shown = {"text": answer.text, "abstained": answer.abstained, "citations": plain(answer.citations)}
            answers.append({"id": one.id} | shown)
        else:
            missing.append({"arm": str(one.arm), "reason": told(answer)[1]["error"]["message"]})
    secrets.SystemRandom().shuffle(answers)
    return {"domain": body.domain, "answers": answers, "missing": missing}


@router.post("/compare/votes")
def vote_blind(body: BlindVote, request: Request, as_user: AsUser) -> dict[str, Any]:
    """Keep which answer was preferred to the others, and say which arm gave which."""
    feedback = _feedback(request.app.state.service)
    kept = [feedback.answer(one, as_user=as_user) for one in body.shown]
    if body.chosen is not None:
        feedback.prefer(body.chosen, body.shown, as_user=as_user)
    return {"arms": {one.id: one.answer.variant or one.answer.arm for one in kept if one is not None}}


async def _all(service: Service, asked: list[Asking]) -> list[Answer | Exception]:
    """Return the answer to each question, or why there is none."""
    found = await asyncio.gather(*(service.answer(one) for one in asked), return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException) and not isinstance(one, Exception):
            raise one  # the server stops
    return [one for one in found if isinstance(one, Answer | Exception)]


def _lacking(own: Assistant, arm: Arm) -> str:
    """Return why an arm cannot answer now."""
    try:
        own.contenders(arm, [])
    except HybridError as error:
        return f"{error} ({error.hint})" if error.hint else str(error)
    return "it could not a moment ago"


def _feedback(service: Service) -> Feedback:
    if service.feedback is None:
        raise Refusal(409, "answers are not kept here: feedback.keep_days is 0", code="not_kept")
    return service.feedback


def _judged(
    own: Assistant, kept: KeptAnswer, as_user: tuple[str, ...] | None
) -> tuple[ClaimVerdict, ...] | None:
    """Return the verdict on each claim of an answer.

    None where nothing is to be judged, or where its passages are no longer what they were.
    """
    if not kept.passages or kept.answer.reader in _VERBATIM:
        return None
    own.require_user(as_user)
    index, principals = own.retriever.index, principals_of(as_user)
    found: dict[tuple[str, int, int], Chunk] = {}
    for source in {one.source for one in kept.passages}:
        for chunk in index.chunks(index.positions_where({"source": source}, principals=principals)):
            found[chunk.source, chunk.start, chunk.end] = chunk
    chunks = [found.get((one.source, one.start, one.end)) for one in kept.passages]
    hits = tuple(Hit(chunk, 0.0) for chunk in chunks if chunk is not None)
    if len(hits) < len(chunks):
        return None
    if not _judging.acquire(timeout=_PATIENCE):
        raise Overloaded("the judge is busy with other answers", retry_after=5)
    try:
        grounding = own.check(dataclasses.replace(kept.answer, hits=hits))
    finally:
        _judging.release()
    return None if grounding is None else grounding.verdicts
