"""Experiments: every arm asked every question once, resumable; what a sibling knows is not asked again."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from hybrid.arms import Contender, identity_digest
from hybrid.config import PriceSettings, Settings, settings_dict
from hybrid.distributed.executors import Executor, carry_out
from hybrid.distributed.plan import BatchInput, cut, leftovers
from hybrid.errors import UsageError
from hybrid.evaluation.outcomes import (
    AnsweredBatch,
    ArmCost,
    AskWork,
    Meter,
    Outcome,
    Reading,
    append_outcomes,
    arm_cost,
    ask_all,
    blank_of,
    load_outcomes,
    question_key,
    replace_outcomes,
    timed_alone,
)
from hybrid.evaluation.scores import Scores
from hybrid.files import adapter_of, checked, folder_lock, hash_text, json_text, storage_errors, write_json
from hybrid.models.device import describe_machine, versions
from hybrid.questions.files import question_row, save_questions
from hybrid.types import Question

_SETTINGS = "settings.json"
_OUTCOMES = "outcomes.jsonl"
_METERS = "meters.json"
_NAME_LETTERS = 60
# Questions of a batch, and letters by which they are ordered: alike ones share a batch.
_BATCH = 64
_LETTERS = 32

# Told how many answers of an arm there are, and how many there will be.
Progress = Callable[[str, int, int], None]
# The name of an arm and the id of a question.
Cell = tuple[str, str]


@dataclass(frozen=True, slots=True)
class AskingWorkers:
    """Who asks the questions instead of this process, and by the name of an arm what opens it there."""

    executor: Executor
    contenders: Mapping[str, Callable[[], Contender]]


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

    The same arms, in themselves and by name, on the same questions are the same experiment. The questions are
    kept beside as ``questions.jsonl``; ``name`` is that of their set, for people. ``clock`` gives seconds
    since 1970.
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


@contextmanager
def opened(
    folder: Path,
    contenders: Sequence[Contender],
    questions: Sequence[Question],
    *,
    retry: bool = False,
    workers: AskingWorkers | None = None,
) -> Iterator[Experiment]:
    """Yield the experiment of a folder, its models loaded and its folder locked.

    The folder is from ``begin``; it may hold other arms, which stay. What its experiment and its siblings
    already know is not asked again, but what failed if ``retry``. Questions that are timed alone are asked
    here, the others by ``workers``. All have different ids.

    Raises:
        ModelError: a model cannot be loaded; nothing was asked then.
        IndexLocked: another process runs this experiment.
    """
    _refuse_twins("arm", [contender.name for contender in contenders])
    _refuse_twins("question", [question.id for question in questions])
    for contender in contenders:
        contender.prepare(questions)
    with folder_lock(folder):
        yield Experiment(folder, contenders, questions, retry=retry, workers=workers)


class Experiment:
    """All that is known of an experiment: ``outcomes`` and ``scores`` by cell, ``meters`` by arm.

    Outcomes and meters lie in the folder too; scores are taken anew at every run, by whoever knows the golds.
    """

    def __init__(
        self,
        folder: Path,
        contenders: Sequence[Contender],
        questions: Sequence[Question],
        *,
        retry: bool,
        workers: AskingWorkers | None = None,
    ) -> None:
        self.outcomes: dict[Cell, Outcome] = {}
        self.scores: dict[Cell, Scores] = {}
        self.meters = _load_meters(folder)
        self._folder, self._workers = folder, workers
        self._contenders = {contender.name: contender for contender in contenders}
        self._keys = {(c.name, q.id): question_key(c.identity, q) for c in contenders for q in questions}
        self._identities = {c.name: identity_digest(c.identity) for c in contenders}
        self._read(retry)
        self._reuse()

    def ask(
        self,
        arms: Sequence[str],
        questions: Sequence[Question],
        *,
        batch: int = 64,
        alone: int = 10,
        seed: int = 0,
        progress: Progress = silent,
    ) -> list[Outcome]:
        """Ask what is missing and return all outcomes, arm by arm, each in the order of the questions.

        An answer is written down before the next batch is asked. A batch that fails is asked one by one; a
        question that fails alone becomes an outcome with its error, and the run goes on. Questions are some
        of the experiment's, ``batch`` of them at once. ``alone`` are so many of each arm, chosen by ``seed``,
        which are asked one at a time, for the latency that a user sees.
        """
        for arm in arms:
            self._ask_arm(
                self._contenders[arm], questions, batch=batch, alone=alone, seed=seed, progress=progress
            )
        return [self.outcomes[arm, question.id] for arm in arms for question in questions]

    def scored(self) -> tuple[list[Outcome], list[Scores]]:
        """Return the outcomes that have scores, and these, in the order in which they were scored."""
        return [self.outcomes[cell] for cell in self.scores], list(self.scores.values())

    def costs(
        self, outcomes: Sequence[Outcome], prices: PriceSettings, training: Mapping[str, float]
    ) -> dict[str, ArmCost]:
        """Return what each arm of the outcomes costs; ``training`` is in minutes by arm."""
        arms: dict[str, list[Outcome]] = {}
        for outcome in outcomes:
            arms.setdefault(outcome.arm, []).append(outcome)
        readings = {arm: metered.reading for arm, metered in self.meters.items()}
        return {
            arm: arm_cost(rows, readings.get(arm, Reading()), prices, training=training.get(arm, 0.0))
            for arm, rows in arms.items()
        }

    def _ask_arm(
        self,
        contender: Contender,
        questions: Sequence[Question],
        *,
        batch: int,
        alone: int,
        seed: int,
        progress: Progress,
    ) -> None:
        known = [self.outcomes.get((contender.name, question.id)) for question in questions]
        fresh = [question for question, outcome in zip(questions, known, strict=True) if outcome is None]
        timed = sum(outcome is not None and outcome.alone is not None for outcome in known)
        # drawn by their ids: a run that was interrupted times the same ones
        drawn = sorted(fresh, key=lambda question: hash_text(str(seed), question.id))
        single = {question.id for question in drawn[: max(0, alone - timed)]}
        together = [question for question in fresh if question.id not in single]
        done = len(questions) - len(fresh)
        progress(contender.name, done, len(questions))
        if self._workers is not None and together:
            before = done
            self._spread(
                contender,
                together,
                self._workers,
                lambda more: progress(contender.name, before + more, len(questions)),
            )
            done, together = done + len(together), []
        # those alone come last, when the models are warm
        ones = ([question] for question in fresh if question.id in single)
        parts = (together[first : first + batch] for first in range(0, len(together), batch))
        for asked in itertools.chain(parts, ones):
            with Meter() as meter:
                outcomes = ask_all(contender, asked)
            if asked[0].id in single:
                outcomes = [timed_alone(outcome) for outcome in outcomes]
                reading = replace(meter.reading(0), joules=None)
            else:
                reading = meter.reading(len(asked))
            self._add(outcomes, reading)
            done += len(asked)
            progress(contender.name, done, len(questions))

    def _spread(
        self,
        contender: Contender,
        questions: Sequence[Question],
        workers: AskingWorkers,
        progress: Callable[[int], None],
    ) -> None:
        """Have workers ask questions; those of a batch whose worker died twice have that as their error."""
        plans, arm = self._folder / "plans", contender.name
        if plans.is_dir():  # of a run that was killed; what was asked then is not asked again
            for shard in leftovers(plans):
                self._take(shard.body)
            questions = [question for question in questions if (arm, question.id) not in self.outcomes]
        ordered = sorted(questions, key=lambda one: (-(len(one.text) // _LETTERS), hash_text(one.id)))
        keys = [hash_text(self._keys[arm, question.id], question.id) for question in ordered]
        work = AskWork(workers.contenders[arm], self._identities[arm])

        def load(number: int) -> BatchInput:
            part = slice(number * _BATCH, (number + 1) * _BATCH)
            asked = tuple(json_text(asdict(question)) for question in ordered[part])
            return BatchInput(number, tuple(keys[part]), asked)

        plan = cut(work.name, keys, _BATCH)
        carried = carry_out(plan, plans, work, load, workers.executor, progress=progress)
        for shard in carried.shards():
            self._take(shard.body)
        for batch in carried.lost:
            part = ordered[batch.number * _BATCH : (batch.number + 1) * _BATCH]
            why = f"batch {batch.number} ({part[0].id} and {len(part) - 1} more): {batch.why}"
            lost = [replace(blank_of(contender, question), error=why) for question in part]
            self._add(lost, Reading())
        shutil.rmtree(plans)

    def _take(self, body: bytes) -> None:
        """Write down what a worker answered, as far as it is of this experiment as it is now."""
        asked = checked(AnsweredBatch, json.loads(body), "what a worker answered", hint="run it again")
        known = [one for one in asked.outcomes if self._keys.get((one.arm, one.question)) == one.key]
        fresh = [one for one in known if (one.arm, one.question) not in self.outcomes]
        if fresh:
            self._add(fresh, asked.reading)

    def _add(self, outcomes: Sequence[Outcome], reading: Reading) -> None:
        """Write outcomes of one arm down, with what they took."""
        append_outcomes(self._folder / _OUTCOMES, outcomes)
        self.outcomes |= {(outcome.arm, outcome.question): outcome for outcome in outcomes}
        for arm in {outcome.arm for outcome in outcomes}:
            before = self.meters.get(arm)
            same = before is not None and before.identity == self._identities[arm]
            total = before.reading + reading if before is not None and same else reading
            self._set_meter(arm, total)

    def _read(self, retry: bool) -> None:
        """Take what the folder holds; lines that are stale, there twice, or to be tried again go."""
        path = self._folder / _OUTCOMES
        if not path.is_file():
            return
        lines = load_outcomes(path)
        for outcome in lines:
            cell = (outcome.arm, outcome.question)
            stale = self._keys.get(cell, outcome.key) != outcome.key
            if not stale and not (retry and outcome.failed):
                self.outcomes.setdefault(cell, outcome)
        if len(self.outcomes) < len(lines):
            replace_outcomes(path, list(self.outcomes.values()))

    def _reuse(self) -> None:
        """Take over what other experiments of the domain know of the same arms and questions."""
        missing = {cell: key for cell, key in self._keys.items() if cell not in self.outcomes}
        if not missing:
            return
        wanted = set(missing.values())
        for other in sorted(self._folder.parent.glob(f"*/{_OUTCOMES}")):
            found = {o.key: o for o in _readable(other) if o.key in wanted and not o.failed}
            cells = [cell for cell, key in missing.items() if key in found]
            if not cells:
                continue
            taken = [
                replace(found[missing[arm, question]], arm=arm, question=question) for arm, question in cells
            ]
            append_outcomes(self._folder / _OUTCOMES, taken)
            self.outcomes |= {(outcome.arm, outcome.question): outcome for outcome in taken}
            self._reuse_meters(other.parent, {arm for arm, _ in cells})
            missing = {cell: key for cell, key in missing.items() if key not in found}

    def _reuse_meters(self, other: Path, arms: set[str]) -> None:
        known = {metered.identity: metered.reading for metered in _load_meters(other).values()}
        for arm in sorted(arms - set(self.meters)):
            if self._identities[arm] in known:
                self._set_meter(arm, known[self._identities[arm]])

    def _set_meter(self, arm: str, reading: Reading) -> None:
        self.meters[arm] = _Metered(self._identities[arm], reading)
        write_json(self._folder / _METERS, {name: asdict(one) for name, one in self.meters.items()})


@dataclass(frozen=True, slots=True)
class _Metered:
    """What was measured of an arm; ``identity`` is its digest, so that a changed arm begins anew."""

    identity: str
    reading: Reading


def _readable(path: Path) -> list[Outcome]:
    """Return the outcomes of another experiment; what cannot be read is no help, and no harm either."""
    try:
        return load_outcomes(path)
    except UsageError:
        return []


def _load_meters(folder: Path) -> dict[str, _Metered]:
    path = folder / _METERS
    if not path.is_file():
        return {}
    from pydantic import ValidationError

    try:
        found: dict[str, _Metered] = adapter_of(dict[str, _Metered]).validate_json(path.read_bytes())
        return found
    except ValidationError as error:
        raise UsageError(f"{path} holds no meter readings", hint="delete it; costs are lost") from error


def _refuse_twins(kind: str, names: Sequence[str]) -> None:
    twins = [name for name, count in Counter(names).items() if count > 1]
    if twins:
        raise UsageError(f"the {kind} {twins[0]!r} is there twice", hint="give each a name of its own")
