"""Ask every arm every question, once: arms × questions, line by line.

Takes contenders, questions and a folder, gives outcomes. Whatever ends a run, the next one goes on
where it was; what an arm has answered in any experiment of the domain is not asked again. Knows
nothing about gold answers and scores.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hybrid.arms import Contender
from hybrid.config import Settings, settings_dict
from hybrid.errors import UsageError
from hybrid.evaluation.costs import Meter
from hybrid.evaluation.outcomes import Outcome, Passage
from hybrid.evaluation.record import Record, question_key
from hybrid.files import folder_lock, hash_text, storage_errors, write_json
from hybrid.models.provenance import describe_machine, versions
from hybrid.questions.files import question_row, save_questions
from hybrid.types import Answer, Question, Span

_SETTINGS = "settings.json"
_ERROR_LETTERS = 500
_NAME_LETTERS = 60

# Told how many answers of an arm there are, and how many there will be.
Progress = Callable[[str, int, int], None]


def silent(arm: str, done: int, total: int) -> None:
    """Show no progress."""


def begin(
    contenders: Sequence[Contender],
    questions: Sequence[Question],
    experiments: Path,
    *,
    settings: Settings,
    name: str = "questions",
    clock: Callable[[], float] = time.time,
) -> Path:
    """Return the folder of the experiment, with all that one must know of it in ``settings.json``.

    The same arms, in themselves and by name, on the same questions are the same experiment.

    Args:
        contenders: the arms.
        questions: what they will be asked; kept beside as ``questions.jsonl``.
        experiments: where the domain keeps its experiments.
        settings: of the run.
        name: of the question set, for people.
        clock: gives seconds since 1970.
    """
    _refuse_twins("arm", [contender.name for contender in contenders])
    _refuse_twins("question", [question.id for question in questions])
    rows = [json.dumps(question_row(question), ensure_ascii=False) for question in questions]
    digest = hash_text(*rows)
    arms = [{"name": one.name, "identity": dict(one.identity)} for one in contenders]
    identity = hash_text(digest, json.dumps(arms, sort_keys=True))[:10]
    readable = "-".join([name, *(one.name for one in contenders)])
    words = re.sub(r"[^\w.=]+", "-", readable)[:_NAME_LETTERS].strip("-.")
    folder = experiments / f"{words}-{identity}"
    if not (folder / _SETTINGS).is_file():
        with storage_errors(str(folder)):
            folder.mkdir(parents=True, exist_ok=True)
        save_questions(folder / "questions.jsonl", questions)
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(clock()))
        about: dict[str, object] = {"experiment": folder.name, "created": created}
        about |= {"questions": {"name": name, "count": len(questions), "sha256": digest}}
        about |= {"arms": arms, "seed": settings.decision.seed, "versions": versions()}
        about |= {"machine": describe_machine(), "settings": settings_dict(settings)}
        write_json(folder / _SETTINGS, about)
    return folder


def run(
    contenders: Sequence[Contender],
    questions: Sequence[Question],
    folder: Path,
    *,
    batch: int = 64,
    alone: int = 10,
    seed: int = 0,
    retry: bool = False,
    progress: Progress = silent,
) -> list[Outcome]:
    """Ask what is missing and return all outcomes, arm by arm, each in the order of the questions.

    An answer is written down before the next batch is asked. A batch that fails is asked one by one; a
    question that fails alone becomes an outcome with its error, and the run goes on.

    Args:
        contenders: the arms; the folder may hold others, which stay.
        questions: with different ids.
        folder: from ``begin``; what its experiment and its siblings already know is not asked again.
        batch: how many questions at once.
        alone: of each arm, so many questions are asked one at a time, for the latency that a user sees.
        seed: chooses them.
        retry: ask again what failed.
        progress: told after every batch.

    Raises:
        ModelError: a model cannot be loaded; nothing was asked then.
        IndexLocked: another process runs this experiment.
    """
    _refuse_twins("arm", [contender.name for contender in contenders])
    _refuse_twins("question", [question.id for question in questions])
    for contender in contenders:
        contender.prepare(questions)
    with folder_lock(folder):
        record = Record(folder, contenders, questions, retry=retry)
        for contender in contenders:
            _run_arm(contender, questions, record, batch=batch, alone=alone, seed=seed, progress=progress)
        return [record.outcomes[contender.name, q.id] for contender in contenders for q in questions]


def ask(contender: Contender, question: Question) -> Outcome:
    """Ask one question by itself, without writing anything down; a failure is an outcome with its error."""
    (outcome,) = _ask_all(contender, [question])
    return _timed(outcome)


def _run_arm(
    contender: Contender,
    questions: Sequence[Question],
    record: Record,
    *,
    batch: int,
    alone: int,
    seed: int,
    progress: Progress,
) -> None:
    known = [record.outcomes.get((contender.name, question.id)) for question in questions]
    fresh = [question for question, outcome in zip(questions, known, strict=True) if outcome is None]
    timed = sum(outcome is not None and outcome.alone is not None for outcome in known)
    # drawn by their ids: a run that was interrupted times the same ones
    drawn = sorted(fresh, key=lambda question: hash_text(str(seed), question.id))
    single = {question.id for question in drawn[: max(0, alone - timed)]}
    together = [question for question in fresh if question.id not in single]
    done = len(questions) - len(fresh)
    progress(contender.name, done, len(questions))
    # those alone come last, when the models are warm
    ones = ([question] for question in fresh if question.id in single)
    for asked in itertools.chain(_parts(together, batch), ones):
        with Meter() as meter:
            outcomes = _ask_all(contender, asked)
        if asked[0].id in single:
            outcomes = [_timed(outcome) for outcome in outcomes]
            reading = dataclasses.replace(meter.reading(0), joules=None)
        else:
            reading = meter.reading(len(asked))
        record.add(outcomes, reading)
        done += len(asked)
        progress(contender.name, done, len(questions))


def _ask_all(contender: Contender, questions: Sequence[Question]) -> list[Outcome]:
    begun = time.perf_counter()
    try:
        pairs = list(zip(questions, contender.answer_all(questions), strict=True))
    except Exception as error:  # noqa: BLE001 - one failure never stops an experiment
        if len(questions) > 1:
            return [outcome for question in questions for outcome in _ask_all(contender, [question])]
        said = f"{type(error).__name__}: {error}"[:_ERROR_LETTERS]
        blank = _blank(contender, questions[0])
        return [dataclasses.replace(blank, error=said, seconds=time.perf_counter() - begun)]
    share = (time.perf_counter() - begun) / len(questions)
    return [_filled(_blank(contender, question), answer, share) for question, answer in pairs]


def _blank(contender: Contender, question: Question) -> Outcome:
    key = question_key(contender.identity, question)
    return Outcome(key=key, arm=contender.name, question=question.id, answer="")


def _filled(blank: Outcome, answer: Answer, seconds: float) -> Outcome:
    passages = [
        Passage(hit.chunk.source, Span(hit.chunk.start, hit.chunk.end), hit.chunk.text, hit.score)
        for hit in answer.hits
    ]
    return dataclasses.replace(
        blank,
        answer=answer.text,
        abstained=answer.abstained,
        citations=answer.citations,
        passages=tuple(passages),
        confidence=answer.confidence,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
        seconds=seconds,
    )


def _timed(outcome: Outcome) -> Outcome:
    return outcome if outcome.error else dataclasses.replace(outcome, alone=outcome.seconds)


def _parts(questions: Sequence[Question], size: int) -> Iterator[Sequence[Question]]:
    return (questions[first : first + size] for first in range(0, len(questions), size))


def _refuse_twins(kind: str, names: Sequence[str]) -> None:
    twins = [name for name, count in Counter(names).items() if count > 1]
    if twins:
        raise UsageError(f"the {kind} {twins[0]!r} is there twice", hint="give each a name of its own")
