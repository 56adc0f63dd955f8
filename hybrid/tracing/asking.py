"""What is kept of a question that was answered, and what little of it shows that questions drift."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hybrid.tracing import names
from hybrid.tracing.names import TraceOutcome
from hybrid.tracing.spans import SpanValue, here, is_captured, places_questions, tell_each
from hybrid.types import Answer, Hit, Message, MessageRole

# On which side of so many random planes a question lies (Charikar 2002) is one of 65,536 cells: enough to see
# that questions drift, and many questions for each cell.
_PLANES = 16


def answered(answers: Sequence[Answer]) -> list[Answer]:
    """Say on the spans ASK what was answered, and return the answers with the traces that they are in."""
    places = here()
    if len(places) != len(answers):
        return list(answers)
    tell_each([_said(answer) for answer in answers])
    return [
        dataclasses.replace(answer, trace=place.trace) for answer, place in zip(answers, places, strict=True)
    ]


def _said(answer: Answer) -> dict[str, SpanValue]:
    said: dict[str, SpanValue] = {
        names.ARM: answer.variant,  # empty where no arm was asked
        names.READER: answer.reader,
        names.OUTCOME: outcome_of(answer),
        names.INPUT_TOKENS: answer.prompt_tokens,
        names.OUTPUT_TOKENS: answer.completion_tokens,
    }
    if answer.confidence is not None:
        said[names.CONFIDENCE] = answer.confidence
    if answer.hits:
        said[names.TOP_SCORE] = answer.hits[0].score
        said[names.TOP_COSINE] = max(hit.dense or 0.0 for hit in answer.hits)
    if is_captured():
        said |= {names.INPUT: answer.question, names.OUTPUT: answer.text}
    return said


def outcome_of(answer: Answer) -> TraceOutcome:
    """Return what became of a question that was not an error."""
    if answer.abstained:
        return TraceOutcome.DECLINED
    return TraceOutcome.INCOMPLETE if answer.incomplete else TraceOutcome.ANSWERED


def generated(asked: Sequence[Message], text: str, read: int, written: int) -> dict[str, SpanValue]:
    """Return what the span of a generation says of a text: its tokens; with content all of it."""
    said: dict[str, SpanValue] = {names.INPUT_TOKENS: read, names.OUTPUT_TOKENS: written}
    if is_captured():
        said[names.INPUT_MESSAGES] = _messages([(one.role, one.content) for one in asked])
        said[names.OUTPUT_MESSAGES] = _messages([(MessageRole.ASSISTANT, text)])
    return said


def _messages(turns: Sequence[tuple[str, str]]) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]} for role, text in turns])


def found(questions: Sequence[str], hits: Sequence[Sequence[Hit]]) -> list[dict[str, SpanValue]]:
    """Return what the span of a retrieval says of each question: the scores; with content all of it."""
    return [_found(question, ranking) for question, ranking in zip(questions, hits, strict=True)]


def _found(question: str, hits: Sequence[Hit]) -> dict[str, SpanValue]:
    said: dict[str, SpanValue] = {names.DOCUMENT_SCORE.format(i): hit.score for i, hit in enumerate(hits)}
    if is_captured():
        said[names.QUERY] = said[names.INPUT] = question
        for place, hit in enumerate(hits):
            said[names.DOCUMENT_ID.format(place)] = f"{hit.chunk.source}#{hit.chunk.ordinal}"
            said[names.DOCUMENT_CONTENT.format(place)] = hit.chunk.text
    return said


def tell_vectors(vectors: NDArray[np.float32]) -> None:
    """Say on the spans ASK where the questions lie, by their embeddings, one a row."""
    if places_questions() and len(here()) == len(vectors):
        tell_each([{names.QUESTION_VECTOR: tuple(row)} for row in sides(vectors).tolist()])


def sides(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return on which side of each random plane vectors lie, 1 or −1: shape (rows, planes)."""
    return np.where(vectors @ _planes(vectors.shape[1]) > 0, np.float32(1), np.float32(-1))


@cache
def _planes(dimension: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((dimension, _PLANES)).astype(np.float32)
