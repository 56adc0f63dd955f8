"""A/B test of arms on live traffic, by conversation, with sequential looks; and shadow runs beside it."""

from __future__ import annotations

import dataclasses
import functools
import json
import logging
import math
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray
from scipy import special

from hybrid.adaptation.values import AdapterKind
from hybrid.assistant import Assistant
from hybrid.changes import Switched, record
from hybrid.clustered import Clustered
from hybrid.config import Settings
from hybrid.decision.adopted import usable
from hybrid.decision.sequential import LookPlan, plan_looks
from hybrid.decision.wording import interval_text, points
from hybrid.domains import Assistants
from hybrid.errors import HybridError, UsageError
from hybrid.evaluation.metrics import token_f1
from hybrid.files import checked, hash_text, of_schema, write_json
from hybrid.operations.feedback import Feedback, KeptAnswer, RatedAnswer, TrialMetric, TrialSide, kept_answer
from hybrid.statistics import MIN_SOURCES, Interval
from hybrid.tracing.spans import asking
from hybrid.types import Answer, Arm

_log = logging.getLogger("hybrid.operations")
# So many shown answers wait for their shadows; of more of them there is none.
_WAITING = 100
_FILE, _SCHEMA = "TRAFFIC", 1
_HINT = "end it with `hybrid traffic stop`, or remove the file TRAFFIC of the domain"


@dataclass(frozen=True, slots=True)
class TrafficSplit:
    """A share of the conversations with a domain that another arm answers, or answers unseen beside it.

    ``arm`` may name an adapter, a prompt or anything else of an arm; ``planned`` is how many conversations
    there will be at the most, over which the looks are spread; ``level`` is the chance of a false claim over
    all looks, in either direction. ``experiment`` is its name, and the salt of the assignment.
    """

    experiment: str
    arm: str
    share: Annotated[float, Gt(0), Le(1)]
    shadow: bool
    metric: TrialMetric
    planned: Annotated[int, Ge(2 * MIN_SOURCES)]
    level: Annotated[float, Gt(0), Le(0.5)]
    begun: str

    def treats(self, conversation: str) -> bool:
        """Tell whether the other arm answers a conversation: the same for all of its turns."""
        place = int(hash_text(self.experiment, conversation)[:16], 16) / 2**64
        return place < self.share

    @property
    def looks(self) -> LookPlan:
        """Return after how many conversations it is looked at, and what each look may spend on one side."""
        return _looks(self.planned, self.level / 2)


@functools.lru_cache(maxsize=16)
def _looks(conversations: int, level: float) -> LookPlan:
    return plan_looks([f"{n:07d}" for n in range(conversations)], level=level, seed=0)


def start_split(
    assistant: Assistant,
    arm: str,
    *,
    share: float,
    shadow: bool = False,
    metric: TrialMetric | None = None,
    planned: int = 2_000,
) -> TrafficSplit:
    """Have a share of the conversations answered by another arm from the next question on.

    Args:
        assistant: of the domain.
        arm: such as ``both:generator_adapter=generator-002`` or ``rag:prompt=terse``; it is loaded now.
        share: of the conversations, above 0 and up to 1.
        shadow: the other arm answers beside the usual one, and nobody is shown what it says.
        metric: default: what people voted, or in the shadow what the judge says.
        planned: how many conversations there will be at the most.

    Raises:
        UsageError: one is running; a number out of range; nobody votes on what is not shown; an arm without
            passages, where they are the measure; no such arm, or it is the usual one.
        AdapterError: the arm needs an adapter that is not there.
    """
    if (running := read_split(assistant)) is not None:
        raise UsageError(f"{running.arm} is on trial already, since {running.begun}", hint=_HINT)
    metric = metric or (TrialMetric.GROUNDED if shadow else TrialMetric.VOTES)
    if shadow and metric is TrialMetric.VOTES:
        raise UsageError("nobody votes on answers that are not shown", hint="--metric grounded or answered")
    for side in (assistant.asked.spec(arm), assistant.asked.usual):
        if metric is TrialMetric.GROUNDED and not side.retrieves:
            raise UsageError(
                f"{side.name} answers without passages, so nothing of it can be found grounded in them",
                hint="--metric answered" + " or votes" * (not shadow),
            )
    if not 0 < share <= 1:
        raise UsageError(f"a share of {share:g}", hint="--share above 0, up to 1: of the conversations")
    fewest = planned if shadow else min(share, 1 - share) * planned
    if fewest < 2 * MIN_SOURCES:
        raise UsageError(
            f"{fewest:.0f} of {planned:,} conversations on one side would show nothing",
            hint=f"{2 * MIN_SOURCES} or more: a larger --share (below 1), or more --conversations",
        )
    begun = datetime.now(UTC).isoformat(timespec="milliseconds")
    (contender,) = assistant.asked.contenders(arm, [])
    if _is_usual(assistant, contender.name):
        raise UsageError(
            f"{contender.name} is what answers already: held against itself it would show nothing",
            hint="name another arm, such as rag:k=3",
        )
    split = TrafficSplit(
        experiment=hash_text(assistant.domain, contender.name, begun)[:12],
        arm=contender.name,
        share=share,
        shadow=shadow,
        metric=metric,
        planned=planned,
        level=assistant.settings.decision.level,
        begun=begun,
    )
    values = dataclasses.asdict(split)
    checked(TrafficSplit, values, "the trial", hint="--share above 0, up to 1; --conversations 20 or more")
    record(assistant.folder, Switched.TRIAL, "", split.arm, why=f"{100 * share:g} % of conversations")
    write_json(assistant.folder / _FILE, {"schema": _SCHEMA} | values)
    return split


def stop_split(assistant: Assistant, *, why: str = "") -> TrafficSplit:
    """Have all conversations answered as usual again; what was kept of the trial stays.

    Args:
        assistant: of the domain.
        why: in words, for the log.
    """
    split = read_split(assistant)
    if split is None:
        raise UsageError(
            f"nothing is on trial in the domain {assistant.domain!r}", hint="hybrid traffic start ARM"
        )
    record(assistant.folder, Switched.TRIAL, split.arm, "", why=why)
    (assistant.folder / _FILE).unlink()
    return split


def end_where_usual(assistant: Assistant) -> TrafficSplit | None:
    """End the trial of an arm that was put in force meanwhile, and return it; None where none had to end.

    Raises:
        UsageError: as ``read_split``.
    """
    split = read_split(assistant)
    if split is None or not _is_usual(assistant, split.arm):
        return None
    return stop_split(assistant, why="it is what answers now")


def _is_usual(assistant: Assistant, arm: str) -> bool:
    """Tell whether an arm is what answers anyway: held against itself it would show nothing."""
    same = _with_adapter(assistant, arm) == _with_adapter(assistant, assistant.asked.usual.name)
    return same and assistant.asked.router is None


def _with_adapter(assistant: Assistant, arm: str) -> str:
    """Return the name of an arm with the adapter of the generator that it takes now."""
    tuned = arm.partition(":")[0] in (Arm.ADAPTER, Arm.BOTH) and ":generator_adapter=" not in arm
    name = assistant.adapters.promoted(AdapterKind.GENERATOR) if tuned else None
    return f"{arm}:generator_adapter={name}" if name else arm


def read_split(assistant: Assistant) -> TrafficSplit | None:
    """Return the trial that runs on a domain now, None if there is none.

    Raises:
        UsageError: its file is damaged, or names an arm that may not be used with these settings.
    """
    path = assistant.folder / _FILE
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    return _read(path, assistant.settings, state.st_mtime_ns, state.st_size, state.st_ino)


@functools.lru_cache(maxsize=64)
def _read(path: Path, settings: Settings, *_: int) -> TrafficSplit:
    """Read a file once as long as it is the same: every question asks for it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{path} is no JSON", hint=_HINT) from error
    values = of_schema(content, _SCHEMA, str(path), hint=_HINT)
    split = checked(TrafficSplit, values, str(path), hint=_HINT)
    usable(path, split.arm, settings)
    return split


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the trials make of a conversation: by domain, the other arm if it has that, and its trial."""

    arms: Mapping[str, str] = field(default_factory=dict)
    trials: Mapping[str, TrialSide] = field(default_factory=dict)


def assign(assistants: Assistants, conversation: str) -> Assignment:
    """Return by which arms a conversation is answered where it names none; nothing without a conversation."""
    splits = {name: read_split(assistants[name]) for name in assistants.domains} if conversation else {}
    arms, trials = {}, {}
    for domain, split in splits.items():
        if split is None or (split.shadow and not split.treats(conversation)):
            continue
        if _is_usual(assistants[domain], split.arm):  # another program put it in force
            continue
        treated = not split.shadow and split.treats(conversation)
        trials[domain] = TrialSide(split.experiment, treated)
        if treated:
            arms[domain] = split.arm
    return Assignment(arms, trials)


class Shadows:
    """Answer in the shadow what was shown and kept, one question after another, behind all others.

    Args:
        assistants: the domains.
        feedback: where both answers are kept.
    """

    def __init__(self, assistants: Assistants, feedback: Feedback) -> None:
        self._assistants, self._feedback = assistants, feedback
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hybrid-shadow")
        self._room = threading.BoundedSemaphore(_WAITING)

    def follow(self, kept: KeptAnswer) -> None:
        """Answer a question by the arm in its shadow when there is time, if there is one."""
        split = self._split(kept)
        if split is None:
            return
        if not self._room.acquire(blocking=False):
            _log.warning("%s waits for no shadow: %d others do", kept.id, _WAITING)
            return
        self._thread.submit(self._answer, kept, split).add_done_callback(lambda _: self._room.release())

    def close(self) -> None:
        """Finish the answer that is being made, and leave the others."""
        self._thread.shutdown(cancel_futures=True)

    def _split(self, kept: KeptAnswer) -> TrafficSplit | None:
        if kept.trial is None:
            return None
        split = read_split(self._assistants[kept.answer.domain])
        follows = split is not None and split.shadow and split.experiment == kept.trial.experiment
        return split if follows else None

    def _answer(self, kept: KeptAnswer, split: TrafficSplit) -> None:
        try:
            self._feedback.keep(_in_shadow(self._assistants[kept.answer.domain], kept, split))
        except Exception:  # noqa: BLE001 - what is shown goes on whatever becomes of a shadow
            _log.exception("no answer in the shadow of %s", kept.id)


def _in_shadow(assistant: Assistant, kept: KeptAnswer, split: TrafficSplit) -> KeptAnswer:
    """Return the answer by the arm in the shadow with the judge's verdicts; one that fails has declined."""
    asked = kept.answer.standalone or kept.answer.question
    identity, verdicts = "", None
    try:
        with asking(1, aside=True):
            answer = assistant.ask(asked, arm=split.arm, as_user=kept.principals)
        identity, found = assistant.asked.identity(answer), assistant.check(answer)
        verdicts = found.verdicts if found is not None else None
    except HybridError as error:
        answer = Answer(asked, str(error), kept.answer.arm, "failed", abstained=True, variant=split.arm)
    return kept_answer(
        f"{kept.id}-shadow",
        dataclasses.replace(answer, question=kept.answer.question, domain=kept.answer.domain),
        conversation=kept.conversation,
        identity=identity,
        as_user=kept.principals,
        verdicts=verdicts,
        trial=TrialSide(split.experiment, treated=True, beside=kept.id),
    )


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What a trial has shown so far, valid however often it is looked at.

    ``difference`` is the other arm's mean score less the usual one's, with the conversation as unit, at the
    latest look; its interval holds at all looks together. ``better`` is what the first interval without 0 has
    shown, None if there was none; what was shown stays shown. ``next_look`` is 0 after the last one.
    ``states`` is how many different identities answered on the usual side and on the other. ``unjudged``
    answers have no score. ``agreement`` is the mean word overlap (F1) of shadows with the shown answers.
    """

    split: TrafficSplit
    conversations: int
    treated: int
    difference: float | None
    interval: Interval | None
    better: bool | None
    next_look: int
    states: tuple[int, int]
    unjudged: int
    agreement: float | None

    @property
    def sentence(self) -> str:
        """Return it in words."""
        arm, of = self.split.arm, f"{self.conversations:,} of {self.split.planned:,} conversations"
        if self.difference is None and not self.next_look:
            return f"Nothing can be said of {arm}: {of}, and only {self.treated:,} of them by it."
        if self.difference is None or self.interval is None:
            return f"Too early to say of {arm}: {of} so far, and the first look is at {self.next_look:,}."
        found = f"{points(self.difference, sign=True)} points in {self.split.metric}"
        found += f" ({interval_text(self.interval)}) after {of}"
        found += ", each answered by both" if self.split.shadow else f", {self.treated:,} of them by it"
        if self.agreement is not None:
            found += f", with {100 * self.agreement:.0f} % of the words alike"
        if self.better is not None:
            verdict = "better" if self.better else "worse"
            return f"{arm} is {verdict} than what the domain decided on: {found}."
        end = f"the next look is at {self.next_look:,}" if self.next_look else "that was the last look"
        return f"Undecided whether {arm} is better than what the domain decided on: {found}; {end}."


@dataclass(frozen=True, slots=True)
class _TrialUnit:
    """A conversation: the mean score of its answers, or of their differences where both arms answered."""

    treated: bool
    score: float


def trial_result(split: TrafficSplit, answers: Iterable[RatedAnswer]) -> TrialResult:
    """Return what a trial shows, by looks that were planned when it began (Lan & DeMets 1983).

    Each look tests both directions at its own share of the level, on the conversations that began first, by
    Student's test of two independent means, or of paired ones in the shadow. Asking in between shows the look
    before, so that nobody finds something by asking often.

    Args:
        split: the trial.
        answers: those that were kept of it, the oldest first.
    """
    rated = list(answers)
    scored = [(one, split.metric.score(one)) for one in rated]
    units = _paired_units(scored) if split.shadow else _units(scored)
    looks = split.looks
    difference, interval, better, next_look = None, None, None, 0
    for end, level in zip(looks.ends, looks.levels, strict=True):
        if end > len(units):
            next_look = end
            break
        found = _tested(units[:end], paired=split.shadow)
        if found is None:  # too few on one side: this look is skipped, and what it may spend is lost
            continue
        difference, error, freedom = found
        reach = float(special.stdtrit(freedom, 1 - level)) * error
        interval = Interval(difference - reach, difference + reach, 1 - split.level)
        if better is None and abs(difference) > reach:
            better = difference > 0
    return TrialResult(
        split,
        len(units),
        sum(unit.treated for unit in units),
        difference,
        interval,
        better,
        next_look,
        (_states(rated, treated=False), _states(rated, treated=True)),
        sum(score is None for _, score in scored),
        _agreement(rated),
    )


_Scored = Sequence[tuple[RatedAnswer, float | None]]


def _units(scored: _Scored) -> list[_TrialUnit]:
    """Return the conversations in the order in which they began."""
    found: dict[tuple[str, bool], list[float]] = {}
    for rated, score in scored:
        kept = rated.kept
        if score is not None and kept.trial is not None:
            found.setdefault((kept.conversation, kept.trial.treated), []).append(score)
    return [_TrialUnit(treated, sum(scores) / len(scores)) for (_, treated), scores in found.items()]


def _paired_units(scored: _Scored) -> list[_TrialUnit]:
    """Return of each conversation how much more the answers in the shadow score than those beside them."""
    shown = {rated.kept.id: score for rated, score in scored}
    found: dict[str, list[float]] = {}
    for rated, score in scored:
        beside = shown.get(rated.kept.trial.beside) if rated.kept.trial is not None else None
        if score is not None and beside is not None:
            found.setdefault(rated.kept.conversation, []).append(score - beside)
    return [_TrialUnit(True, sum(scores) / len(scores)) for scores in found.values()]


def _tested(units: Sequence[_TrialUnit], *, paired: bool) -> tuple[float, float, float] | None:
    """Return the difference, its standard error and its degrees of freedom; None of too few conversations."""
    other, usual = ([unit.score for unit in units if unit.treated is side] for side in (True, False))
    sides = [_mean(scores) for scores in ((other,) if paired else (other, usual))]
    fewest = min(len(side.sizes) for side in sides)
    if fewest < MIN_SOURCES:
        return None
    means = [float(side.estimate) for side in sides]
    error = math.hypot(*(float(side.standard_error) for side in sides))
    return means[0] - sum(means[1:]), error, fewest - 1.0


def _mean(scores: Sequence[float]) -> Clustered:
    values: NDArray[np.float64] = np.asarray(scores, dtype=np.float64)
    return Clustered(np.ones(len(values)), values, values**2)


def _states(rated: Sequence[RatedAnswer], *, treated: bool) -> int:
    kept = [one.kept for one in rated]
    return len({one.identity for one in kept if one.trial is not None and one.trial.treated is treated})


def _agreement(rated: Sequence[RatedAnswer]) -> float | None:
    shown = {one.kept.id: one.kept.answer.text for one in rated}
    pairs = [
        (one.kept.answer.text, shown[one.kept.trial.beside])
        for one in rated
        if one.kept.trial is not None and one.kept.trial.beside in shown
    ]
    return sum(token_f1(text, [other]) for text, other in pairs) / len(pairs) if pairs else None
