"""Decisions in OpenAI's form and System One's: those that we calibrate, and a refusal of all others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from hybrid.errors import UsageError
from hybrid.files import valid_utf8
from hybrid.operations.decisions import (
    IS_CARRIED,
    WHICH_ARM,
    WHICH_DOMAIN,
    ChosenLabel,
    carried,
    chosen_arm,
    chosen_domain,
)
from hybrid.serving.chat import ChatTurn, said_in
from hybrid.serving.models import ModelName, chosen
from hybrid.serving.protocol import AsUser
from hybrid.serving.scheduler import InTurn
from hybrid.serving.service import Service
from hybrid.types import Message

router = APIRouter(prefix="/v1")

# No generator reads or writes anything for them.
_USAGE = {
    "input_tokens": 0,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 0,
}


DecisionName = Annotated[str, Field(max_length=300)]


class Choosable(BaseModel):
    """A label to choose; only texts are known."""

    value: str | bool


class Decidable(BaseModel):
    """A question of ``/v1/decisions``."""

    type: str
    instructions: str | list[Any]
    name: DecisionName | None = None
    choices: Annotated[list[Choosable], Field(max_length=255)] = []


class Decisions(BaseModel):
    """What is asked of ``/v1/decisions``; the answers come in the order of the questions."""

    model: ModelName
    input: str | list[Any]
    questions: Annotated[list[Decidable], Field(min_length=1, max_length=400)]


class Classifiable(BaseModel):
    """A question of ``/v1/systemone``; the labels of a choice are the names of its criteria."""

    type: str
    instructions: str
    criteria: dict[str, Any] | None = None


class Classified(BaseModel):
    """What is asked of ``/v1/systemone``."""

    model: ModelName
    state: Any
    questions: Annotated[dict[DecisionName, Classifiable], Field(min_length=1, max_length=400)]


@router.post("/decisions", dependencies=[InTurn])
def decisions(body: Decisions, request: Request, as_user: AsUser) -> dict[str, Any]:
    """Answer each question, or refuse it."""
    state = _DecisionState.of(request, body.model, body.input, as_user)
    answers = [_openai(asked, state) for asked in body.questions]
    return {"model": body.model, "answers": answers, "usage": _USAGE}


@router.post("/systemone", dependencies=[InTurn])
def systemone(body: Classified, request: Request, as_user: AsUser) -> dict[str, Any]:
    """Answer each question under its name, or refuse it."""
    state = _DecisionState.of(request, body.model, body.state, as_user)
    answers = {name: _systemone(asked, state) for name, asked in body.questions.items()}
    return {"model": body.model, "answers": answers, "usage": _USAGE}


def _openai(asked: Decidable, state: _DecisionState) -> dict[str, Any]:
    labels = [one.value for one in asked.choices if isinstance(one.value, str)]
    whole = len(labels) == len(asked.choices) and isinstance(asked.instructions, str)
    found = state.decide(asked.type, str(asked.instructions), labels) if whole else None
    if isinstance(found, float):
        return {"type": "predicate", "name": asked.name, "probability": found}
    if found is None:
        return {"type": "refusal", "name": asked.name}
    shares = [{"value": value, "probability": share} for value, share in found.probabilities.items()]
    chosen = {"choice": found.label, "confidence": found.confidence, "probabilities": shares}
    return {"type": "choice", "name": asked.name} | chosen


def _systemone(asked: Classifiable, state: _DecisionState) -> dict[str, Any]:
    # a predicate with criteria of its own is not the one that is calibrated
    labels = list(asked.criteria or ())
    other = asked.type == "noul" and bool(labels)
    found = None if other else state.decide(asked.type, asked.instructions, labels)
    if isinstance(found, float):
        return {"type": "noul", "noul": found}
    if found is None:
        return {"type": "refusal"}
    shares = dict(found.probabilities)
    return {"type": "choice", "choice": found.label, "confidence": found.confidence, "probabilities": shares}


@dataclass(frozen=True, slots=True)
class _DecisionState:
    """What is decided about: of which domain, from which text, messages or values, in whose name."""

    service: Service
    domain: str
    values: object
    as_user: tuple[str, ...] | None

    @staticmethod
    def of(request: Request, model: str, values: object, as_user: tuple[str, ...] | None) -> _DecisionState:
        service: Service = request.app.state.service
        domain, _ = chosen(model, service.assistants)
        there = service.assistants.domains
        return _DecisionState(service, domain or (there[0] if len(there) == 1 else ""), values, as_user)

    def decide(self, kind: str, instructions: str, labels: Sequence[str]) -> float | ChosenLabel | None:
        """Return a probability or a choice; None where nothing is known that would answer."""
        assistants, choice = self.service.assistants, kind == "choice" and bool(labels)
        try:
            if kind in ("predicate", "noul") and instructions == IS_CARRIED and self.domain:
                return carried(assistants[self.domain], self._claim())
            if choice and instructions == WHICH_ARM and self.domain:
                return chosen_arm(assistants[self.domain], labels)
            if choice and instructions == WHICH_DOMAIN:
                question, history = self._talk()
                return chosen_domain(assistants, labels, question, history, as_user=self.as_user)
        except (UsageError, ValueError, RecursionError):
            pass  # of this state, or with these labels, it cannot be said
        return None

    def _talk(self) -> tuple[str, Sequence[Message]]:
        """Return what is asked last, with the turns before it."""
        if isinstance(self.values, str):
            return valid_utf8(self.values), ()
        turns = self.values if isinstance(self.values, list) else []
        said = said_in([ChatTurn.model_validate(turn) for turn in turns])
        if not said:
            raise UsageError("nobody asks anything", hint="end it with a message of the user")
        return said[-1].content, said[:-1]

    def _claim(self) -> object:
        """Return the claim and its passages as values, however they were sent."""
        values = self.values
        if isinstance(values, list) and values:
            parts = ChatTurn.model_validate(values[-1]).parts
            sent = [part.data for part in parts if part.data is not None]
            values = sent[0] if sent else self._talk()[0]
        return json.loads(values) if isinstance(values, str) else values
