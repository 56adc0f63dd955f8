"""An arm is asked, what it did with a question, line by line, and what that cost: time, tokens, money."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import ClassVar

import numpy as np

from hybrid.arms import Contender, identity_digest
from hybrid.config import PriceSettings
from hybrid.errors import ModelError, UsageError
from hybrid.files import adapter_of, append_jsonl, checked, json_text, write_atomic
from hybrid.types import Answer, Citation, Question, Span

_REMOVE = "remove the line; the next run asks that question again"
_POWERCAP = Path("/sys/class/powercap")
_SAMPLE_SECONDS = 0.05
# What is read from a file has no number that is none.
_FINITE = {"allow_inf_nan": False}


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A retrieved chunk as the arm saw it, best first; ``score`` ordered it, None where it was no number."""

    source: str
    span: Span
    text: str
    score: float | None
    __pydantic_config__: ClassVar[Mapping[str, bool]] = _FINITE


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line: an arm, a question, and what came out.

    ``key`` is a digest of all that decides the answer: two outcomes of one key are the same. ``error``
    says what failed; the answer is then empty. ``incomplete`` says why the answer ends before its end: it is
    scored by what is there. ``seconds`` is the share of a batch, ``alone`` the time of the question asked by
    itself, which is what a user waits; None where it was not taken.
    """

    key: str
    arm: str
    question: str
    answer: str
    abstained: bool = False
    error: str = ""
    citations: tuple[Citation, ...] = ()
    passages: tuple[Retrieved, ...] = ()
    confidence: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    alone: float | None = None
    incomplete: str = ""
    __pydantic_config__: ClassVar[Mapping[str, bool]] = _FINITE

    @property
    def failed(self) -> bool:
        """Tell whether there is nothing that could be scored: an error, or an empty answer."""
        return bool(self.error) or not self.answer.strip()


def load_outcomes(path: Path) -> list[Outcome]:
    """Read ``outcomes.jsonl``; a last line that a kill cut short is left out."""
    if not path.is_file():
        raise UsageError(f"there are no outcomes in {path}", hint="run: hybrid compare QUESTIONS")
    *lines, _cut_short = path.read_bytes().split(b"\n")
    return [_outcome(line, f"{path}, line {n}") for n, line in enumerate(lines, start=1) if line.strip()]


def append_outcomes(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Append lines and make them durable; a line that a kill cut short is removed first."""
    append_jsonl(path, [dataclasses.asdict(outcome) for outcome in outcomes])


def replace_outcomes(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write the file anew: it is the old one or the new one, never half of it."""
    write_atomic(path, "".join(json_text(dataclasses.asdict(outcome)) + "\n" for outcome in outcomes))


def _outcome(line: bytes, place: str) -> Outcome:
    from pydantic import ValidationError

    try:
        outcome: Outcome = adapter_of(Outcome).validate_json(line, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"{place}: not an outcome: {f'`{key}`: ' if key else ''}{first['msg']}", hint=_REMOVE
        ) from error
    return outcome


@dataclass(frozen=True, slots=True)
class ArmCost:
    """The price of an arm; None where it was not measured.

    ``seconds`` is the mean per answer in batches, ``p50`` and ``p95`` are of questions asked one at a
    time. ``megabytes`` is the peak of the process while the arm ran, ``joules`` per answer.
    ``money`` is per 1,000 answers, ``training_money`` once; both in the currency of the price table.
    """

    seconds: float | None = None
    p50: float | None = None
    p95: float | None = None
    prompt_tokens: float | None = None
    completion_tokens: float | None = None
    megabytes: float | None = None
    joules: float | None = None
    training_minutes: float = 0.0
    money: float | None = None
    training_money: float = 0.0

    def measures(self) -> dict[str, float]:
        """Return what is known of the cost as measures that gates can be held against."""
        values = dataclasses.asdict(self)
        return {name: float(value) for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Reading:
    """What was measured while an arm ran; the readings of its parts add up.

    ``megabytes`` is the peak of the whole process, models of other arms included. ``joules`` is what
    the processor packages used, by whatever ran on them; None where it cannot be read.
    """

    answers: int = 0
    seconds: float = 0.0
    megabytes: float | None = None
    joules: float | None = None

    def __add__(self, other: Reading) -> Reading:
        """Return the reading of both parts; an energy that one of them lacks is unknown."""
        peaks = [peak for peak in (self.megabytes, other.megabytes) if peak is not None]
        measured = [part.joules for part in (self, other) if part.answers]
        known = [joules for joules in measured if joules is not None]
        return Reading(
            self.answers + other.answers,
            self.seconds + other.seconds,
            max(peaks, default=None),
            sum(known) if known and len(known) == len(measured) else None,
        )


class Meter:
    """Measure time, peak memory and energy of what runs inside ``with``.

    Memory is sampled twenty times a second, so a shorter peak can be missed. Energy is read from the counters
    of the processor packages (RAPL), which most machines show to root alone. ``powercap`` is the folder of
    the counters.
    """

    def __init__(self, *, powercap: Path = _POWERCAP) -> None:
        self._zones = _packages(powercap)
        self._stop = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._peak = 0
        self._begun = self._seconds = 0.0
        self._energy: list[int] | None = None
        self._joules: float | None = None

    def __enter__(self) -> Meter:
        """Begin to measure."""
        self._energy = _energies(self._zones)
        self._begun = time.perf_counter()
        self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the measurement."""
        self._seconds = time.perf_counter() - self._begun
        self._stop.set()
        self._sampler.join()
        after = _energies(self._zones)
        if self._energy is not None and after is not None:
            used = [
                # a counter begins again at 0 when it is full
                now - before if now >= before else now - before + zone.full
                for zone, before, now in zip(self._zones, self._energy, after, strict=True)
            ]
            self._joules = sum(used) / 1e6

    def reading(self, answers: int) -> Reading:
        """Return what was measured, for so many answers."""
        return Reading(answers, self._seconds, self._peak / 2**20, self._joules)

    def _sample(self) -> None:
        import psutil

        process = psutil.Process()
        while True:
            self._peak = max(self._peak, process.memory_info().rss)
            if self._stop.wait(_SAMPLE_SECONDS):
                return


def arm_cost(
    outcomes: Sequence[Outcome], reading: Reading, prices: PriceSettings, *, training: float = 0.0
) -> ArmCost:
    """Return what one arm costs, with the making of its adapters.

    The percentiles are linear between the two nearest order statistics (Hyndman & Fan 1996, type 7). Money is
    machine time at the speed of batches plus tokens, each at its price. A failed answer has cost its time
    too. The outcomes are of this arm alone, and so is what its meter read; ``training`` are the minutes that
    the making of its adapters took.
    """
    if not outcomes:
        return ArmCost()
    batched = [outcome.seconds for outcome in outcomes if outcome.alone is None]
    alone = [outcome.alone for outcome in outcomes if outcome.alone is not None]
    seconds = fmean(batched or alone)
    prompt = fmean([outcome.prompt_tokens for outcome in outcomes])
    completion = fmean([outcome.completion_tokens for outcome in outcomes])
    tokens = prompt * prices.million_prompt_tokens + completion * prices.million_completion_tokens
    return ArmCost(
        seconds=seconds,
        p50=float(np.quantile(alone, 0.50)) if alone else None,
        p95=float(np.quantile(alone, 0.95)) if alone else None,
        prompt_tokens=prompt,
        completion_tokens=completion,
        megabytes=reading.megabytes,
        joules=None if reading.joules is None or not reading.answers else reading.joules / reading.answers,
        training_minutes=training,
        money=1_000 * (seconds * prices.machine_hour / 3_600 + tokens / 1e6),
        training_money=training / 60 * prices.training_hour,
    )


@dataclass(frozen=True, slots=True)
class _Zone:
    """A counter of microjoules and the value after which it begins again."""

    counter: Path
    full: int


def _packages(powercap: Path) -> tuple[_Zone, ...]:
    """Return the counters of whole processors; those of their parts are contained in them."""
    zones = []
    for counter in sorted(powercap.glob("*/energy_uj")):
        try:
            kind = (counter.parent / "name").read_text(encoding="ascii")
            full = int((counter.parent / "max_energy_range_uj").read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        if kind.startswith("package"):
            zones.append(_Zone(counter, full))
    return tuple(zones)


def _energies(zones: Sequence[_Zone]) -> list[int] | None:
    """Return all counters, or None where there is none or one may not be read."""
    try:
        return [int(zone.counter.read_text(encoding="ascii")) for zone in zones] or None
    except (OSError, ValueError):
        return None


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
