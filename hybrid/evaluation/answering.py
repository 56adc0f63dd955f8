"""An arm is asked, here or by a worker: questions become outcomes, and a failure is one too."""

from __future__ import annotations

import functools
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from hybrid.arms import Contender, identity_digest
from hybrid.errors import ModelError
from hybrid.evaluation.outcomes import Meter, Outcome, Reading, Retrieved
from hybrid.files import checked, json_text
from hybrid.types import Answer, Question, Span

_ERROR_LETTERS = 500


def ask(contender: Contender, question: Question) -> Outcome:
    """Ask one question by itself, without writing anything down; a failure is an outcome with its error."""
    (outcome,) = ask_all(contender, [question])
    return timed_alone(outcome)


def question_key(identity: Mapping[str, str], question: Question) -> str:
    """Return a digest of all that decides the answer to a question."""
    asked = [question.text, list(question.options), list(question.withheld)]
    return identity_digest(identity, json.dumps(asked))


def ask_all(contender: Contender, questions: Sequence[Question]) -> list[Outcome]:
    """Ask several questions at once; if that fails, one by one, and what fails alone keeps its error."""
    begun = time.perf_counter()
    try:
        pairs = list(zip(questions, contender.answer_all(questions), strict=True))
    except Exception as error:  # noqa: BLE001 - one failure never stops an experiment
        if len(questions) > 1:
            return [outcome for question in questions for outcome in ask_all(contender, [question])]
        said = f"{type(error).__name__}: {error}"[:_ERROR_LETTERS]
        blank = blank_of(contender, questions[0])
        return [replace(blank, error=said, seconds=time.perf_counter() - begun)]
    share = (time.perf_counter() - begun) / len(questions)
    return [_filled(blank_of(contender, question), answer, share) for question, answer in pairs]


def blank_of(contender: Contender, question: Question) -> Outcome:
    """Return the outcome of a question that has no answer yet."""
    key = question_key(contender.identity, question)
    return Outcome(key=key, arm=contender.name, question=question.id, answer="")


def _filled(blank: Outcome, answer: Answer, seconds: float) -> Outcome:
    passages = [
        Retrieved(hit.chunk.source, Span(hit.chunk.start, hit.chunk.end), hit.chunk.text, _finite(hit.score))
        for hit in answer.hits
    ]
    return replace(
        blank,
        answer=answer.text,
        abstained=answer.abstained,
        citations=answer.citations,
        passages=tuple(passages),
        confidence=_finite(answer.confidence),
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
        seconds=seconds,
        incomplete=answer.incomplete,
    )


def _finite(value: float | None) -> float | None:
    """Return None for what is no number: a model that broke said nothing."""
    return value if value is not None and math.isfinite(value) else None


def timed_alone(outcome: Outcome) -> Outcome:
    """Return an outcome whose time is that of a question asked by itself, unless it failed."""
    return outcome if outcome.error else replace(outcome, alone=outcome.seconds)


@dataclass(frozen=True, slots=True)
class AskWork:
    """Questions become outcomes; ``identity`` is the digest of the arm that has to answer."""

    contender: Callable[[], Contender]
    identity: str

    @property
    def name(self) -> str:
        """Return all that decides an answer."""
        return f"ask {self.identity}"

    def open(self) -> Callable[[Sequence[str]], bytes]:
        """Open the arm and load its models."""
        contender = self.contender()
        if (here := identity_digest(contender.identity)) != self.identity:
            raise ModelError(
                f"a worker's arm {contender.name} is {here[:12]}, the experiment is of {self.identity[:12]}",
                hint="it needs the same models, index, adapters and settings files on every machine",
            )
        contender.prepare([])
        return functools.partial(_ask_written, contender)


@dataclass(frozen=True, slots=True)
class AnsweredBatch:
    """What a worker gives back of a batch."""

    outcomes: tuple[Outcome, ...]
    reading: Reading


def _ask_written(contender: Contender, texts: Sequence[str]) -> bytes:
    """Ask a batch of questions, each as JSON; return what came out as JSON."""
    questions = [checked(Question, json.loads(text), "a question", hint="run it again") for text in texts]
    with Meter() as meter:
        outcomes = ask_all(contender, questions)
    asked = AnsweredBatch(tuple(outcomes), meter.reading(len(questions)))
    return json_text(asdict(asked)).encode("utf-8", "surrogatepass")
