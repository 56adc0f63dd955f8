"""What an arm did with a question, line by line, and what that cost: time, tokens, memory, energy, money."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from types import TracebackType
from typing import ClassVar

import numpy as np

from hybrid.config import PriceSettings
from hybrid.errors import UsageError
from hybrid.files import adapter_of, append_jsonl, json_text, write_atomic
from hybrid.types import Citation, Span

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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
