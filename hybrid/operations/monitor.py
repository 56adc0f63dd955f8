"""Monitoring: what domains in use do, and whether it is still what they did in their calibration windows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from hybrid.config import Settings
from hybrid.errors import ConfigError, RemoteError, UsageError
from hybrid.files import read_stored, write_json
from hybrid.operations.drift import LEAST, TwoSample, risk_at_least, risk_at_most, shifted, told_apart
from hybrid.operations.feedback import FEEDBACK_FILE, Feedback
from hybrid.tracing import names
from hybrid.tracing.names import TraceOutcome
from hybrid.tracing.spans import SpanValue, TraceSpan
from hybrid.tracing.store import TRACES_FILE, TraceStore
from hybrid.trust import Endpoint

_SCHEMA = 1
_FILE = "monitor.json"
_MEND = "make it anew with `hybrid monitor --calibrate`"
# What says nothing of the domain: nobody waited for the answer, or it could not be asked for like that.
_ASIDE = frozenset({TraceOutcome.CANCELLED, TraceOutcome.REFUSED})
_PERCENTILES = (50, 95, 99)
_DIGEST = 8  # so many letters of the digest of the prompts tell two of them apart
_WEBHOOK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Observation:
    """What is known of one question that was asked; no word of it.

    ``at`` is in seconds since 1970, ``version`` the index generation and the prompt. ``groundedness`` is from
    0 to 1, ``score`` that of the best passage, ``vote`` above 0 for a liked answer; None where there is none.
    ``question`` is where it lies on a few random axes, empty where that is not kept.
    """

    at: float
    seconds: float
    domain: str
    arm: str
    outcome: TraceOutcome
    version: str = ""
    groundedness: float | None = None
    score: float | None = None
    question: tuple[float, ...] = ()
    conversation: str = ""
    vote: int | None = None


def observations(settings: Settings, *, domain: str = "") -> list[Observation]:
    """Return what traces and votes tell of the questions that people asked, in the order of time.

    ``settings`` say where both are kept; with a ``domain`` only what was asked of it.

    Raises:
        UsageError: no traces are kept.
    """
    votes = _votes(settings, domain)
    with TraceStore(Path(settings.indexes) / TRACES_FILE, read_only=True) as store:
        asked = list(store.asked(domain=domain))
    return [_observation(one, votes.get(one.trace)) for one in reversed(asked)]


def _observation(asked: TraceSpan, vote: int | None) -> Observation:
    told = asked.attributes
    version = (told.get(names.INDEX_GENERATION, ""), str(told.get(names.PROMPT_DIGEST, ""))[:_DIGEST])
    ended = TraceOutcome.ERROR if asked.error else TraceOutcome.ANSWERED
    question = told.get(names.QUESTION_VECTOR, ())
    return Observation(
        at=asked.start / 1e9,
        seconds=(asked.end - asked.start) / 1e9,
        domain=str(told.get(names.DOMAIN, "")),
        arm=str(told.get(names.ARM, "")),
        outcome=TraceOutcome(str(told.get(names.OUTCOME, ended))),
        version="/".join(filter(None, map(str, version))),
        groundedness=_number(told.get(names.GROUNDEDNESS)),
        score=_number(told.get(names.TOP_SCORE)),
        question=tuple(map(float, question)) if isinstance(question, Sequence) else (),
        conversation=str(told.get(names.CONVERSATION, "")),
        vote=vote,
    )


def _number(value: SpanValue | None) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _votes(settings: Settings, domain: str) -> dict[str, int]:
    """Return the votes for less those against the answer of each trace that has any."""
    if not (Path(settings.indexes) / FEEDBACK_FILE).is_file() or (kept := Feedback.of(settings)) is None:
        return {}
    with closing(kept):
        return {one.kept.answer.trace: one.score for one in kept.rated(domain=domain or None) if one.votes}


class Facet(StrEnum):
    """What observations are counted by."""

    DOMAIN = "domain"
    ARM = "arm"
    VERSION = "version"
    DAY = "day"
    HOUR = "hour"


@dataclass(frozen=True, slots=True)
class Usage:
    """What became of the questions of one group: shares from 0 to 1, latencies in seconds.

    ``group`` has the value of each part. ``groundedness`` is the mean over the ``judged`` answers, ``liked``
    the share of the ``voted``; None where there are none. What was cancelled or refused counts in
    ``asked`` alone.
    """

    group: tuple[str, ...]
    asked: int
    p50: float | None
    p95: float | None
    p99: float | None
    failed: float | None
    abstained: float | None
    groundedness: float | None
    judged: int
    liked: float | None
    voted: int


def usage(observations: Iterable[Observation], by: Sequence[Facet]) -> list[Usage]:
    """Count observations by the parts, in the order of their names."""
    groups: dict[tuple[str, ...], list[Observation]] = {}
    for one in observations:
        groups.setdefault(tuple(_part(one, part) for part in by), []).append(one)
    return [_used(group, groups[group]) for group in sorted(groups)]


def _part(one: Observation, part: Facet) -> str:
    if part in (Facet.DAY, Facet.HOUR):
        moment = datetime.fromtimestamp(one.at, UTC)
        return f"{moment:%Y-%m-%d}" if part is Facet.DAY else f"{moment:%Y-%m-%d %H:00}"
    return {Facet.DOMAIN: one.domain, Facet.ARM: one.arm, Facet.VERSION: one.version}[part]


def _used(group: tuple[str, ...], observations: Sequence[Observation]) -> Usage:
    ended = [one for one in observations if one.outcome not in _ASIDE]
    # what failed at once was not fast
    seconds = [one.seconds for one in ended if one.outcome is not TraceOutcome.ERROR]
    percentiles = np.quantile(seconds, np.array(_PERCENTILES) / 100, method="inverted_cdf") if seconds else ()
    p50, p95, p99 = map(float, percentiles) if seconds else (None, None, None)
    judged = [one.groundedness for one in ended if one.groundedness is not None]
    votes = [one.vote > 0 for one in ended if one.vote is not None]
    return Usage(
        group,
        len(observations),
        p50,
        p95,
        p99,
        _mean([one.outcome is TraceOutcome.ERROR for one in ended]),
        _mean([one.outcome is TraceOutcome.DECLINED for one in ended]),
        _mean(judged),
        len(judged),
        _mean(votes),
        len(votes),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


class Loss(StrEnum):
    """What may go wrong with an answer, and is bounded."""

    FAILED = "failed"
    UNSUPPORTED = "unsupported"
    DISLIKED = "disliked"


# From 0 to 1; None where it cannot be told of an observation.
_LOSSES: Mapping[Loss, Callable[[Observation], float | None]] = {
    Loss.FAILED: lambda one: float(one.outcome is TraceOutcome.ERROR),
    Loss.UNSUPPORTED: lambda one: None if one.groundedness is None else 1 - one.groundedness,
    Loss.DISLIKED: lambda one: None if one.vote is None else float(one.vote < 0),
}


@dataclass(frozen=True, slots=True)
class CalibrationWindow:
    """What a domain did in the time that it is held against; nothing of it changes afterwards.

    Questions and scores are those of the first question of every conversation, which are independent; losses
    are those of all questions, by name and in the order of time.
    """

    domain: str
    since: float
    until: float
    questions: tuple[tuple[float, ...], ...]
    scores: tuple[float, ...]
    losses: Mapping[str, tuple[float, ...]]


def calibrated(
    domain: str, observations: Sequence[Observation], *, now: float = math.inf
) -> CalibrationWindow:
    """Return the calibration window of a domain that these observations make.

    It ends ``now`` at the latest, in seconds since 1970, though a clock that was ahead dated some later.
    """
    own = _of_domain(observations, domain)
    if len(first := _independent(own)) < LEAST:
        raise UsageError(
            f"{domain}: {len(first)} conversations were traced, and a calibration window takes {LEAST}",
            hint="200 or more are better: with few, only great changes show",
        )
    return CalibrationWindow(
        domain,
        own[0].at,
        min(own[-1].at, now),
        tuple(one.question for one in first if one.question),
        tuple(one.score for one in first if one.score is not None),
        {loss: tuple(_losses(own, loss)) for loss in Loss},
    )


def save_window(folder: Path, window: CalibrationWindow) -> None:
    """Keep the calibration window in the folder of its domain, in place of the one before."""
    write_json(folder / _FILE, {"schema": _SCHEMA} | dataclasses.asdict(window))


def load_window(folder: Path) -> CalibrationWindow | None:
    """Return the calibration window of a domain, None if it has none.

    Raises:
        UsageError: the file is damaged or of another version.
    """
    return read_stored(CalibrationWindow, folder / _FILE, _SCHEMA, hint=_MEND)


@dataclass(frozen=True, slots=True)
class Shift:
    """A test of the latest questions of a domain against its calibration window; ``p`` is Holm-adjusted."""

    domain: str
    of: str
    found: TwoSample
    p: float
    shown: bool

    @property
    def sentence(self) -> str:
        """Say in words what was found."""
        from hybrid.statistics import decimal

        how = f"(effect {decimal(self.found.effect, 2)}, p {decimal(self.p, 3)})"
        what = "differ from" if self.shown else "are not shown to differ from"
        return f"{self.domain}: the {self.of} {what} those of the calibration window {how}"


@dataclass(frozen=True, slots=True)
class RiskBound:
    """A risk of a domain since its calibration window.

    ``rate`` is the mean of ``count`` losses, ``at_least`` its lower bound valid at any time of looking,
    ``allowed`` the upper bound of ``reference``, the mean in the window, plus the tolerance. ``crossed`` is
    when the bound first exceeded it, in seconds since 1970; None if it did not.
    """

    domain: str
    loss: Loss
    reference: float
    allowed: float
    count: int
    rate: float
    at_least: float
    crossed: float | None

    @property
    def sentence(self) -> str:
        """Say in words what is known of it."""
        from hybrid.statistics import decimal

        known = f"{self.domain}: {decimal(100 * self.rate, 1)} % of {self.count} {self.loss}"
        bound = f"at least {decimal(100 * self.at_least, 1)} %, allowed {decimal(100 * self.allowed, 1)} %"
        return f"{known} ({bound})"


@dataclass(frozen=True, slots=True)
class Watched:
    """What was found of domains against their calibration windows."""

    shifts: tuple[Shift, ...]
    risks: tuple[RiskBound, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say in words all that was found."""
        return (*(shift.sentence for shift in self.shifts), *(risk.sentence for risk in self.risks))

    @property
    def alerts(self) -> tuple[str, ...]:
        """Return the sentences of what should be looked at."""
        drifted = [shift.sentence for shift in self.shifts if shift.shown]
        return (*drifted, *(risk.sentence for risk in self.risks if risk.crossed is not None))


def watch(
    windows: Collection[CalibrationWindow],
    observations: Sequence[Observation],
    *,
    level: float,
    tolerance: float,
    seed: int = 0,
    now: float = math.inf,
) -> Watched:
    """Hold what was observed after the calibration windows against them.

    Drift is tested on the latest conversations, as many as the window has: a look raises a false alarm with a
    chance of at most ``level``, all tests together (Holm). The risks are bounded over everything since the
    window: all looks together raise a false alarm with a chance of at most ``level`` (Podkopaev & Ramdas
    2022, arXiv:2110.06177).

    Args:
        windows: of the domains that are looked at.
        observations: in the order of time.
        level: the accepted chance of a false alarm.
        tolerance: how much higher than in the window a risk may be, from 0 to 1.
        seed: of the permutations.
        now: in seconds since 1970; what a clock that was ahead dated later is not the latest.
    """
    from hybrid.statistics import holm

    later = {
        window.domain: [
            one for one in _of_domain(observations, window.domain) if window.until < one.at <= now
        ]
        for window in windows
    }
    found = [
        (window.domain, of, test)
        for window in windows
        for of, test in _tests(window, _independent(later[window.domain]), seed).items()
    ]
    adjusted = holm([test.p for _, _, test in found])
    shifts = [
        Shift(domain, of, test, float(p), bool(p <= level))
        for (domain, of, test), p in zip(found, adjusted, strict=True)
    ]
    bounded = [(window, loss) for window in windows for loss in Loss if len(window.losses[loss]) >= LEAST]
    share = level / max(len(bounded), 1)
    risks = [_bounded(window, loss, later[window.domain], share, tolerance) for window, loss in bounded]
    return Watched(tuple(shifts), tuple(risk for risk in risks if risk is not None))


def _tests(window: CalibrationWindow, later: Sequence[Observation], seed: int) -> dict[str, TwoSample]:
    questions = [one.question for one in later if one.question][-len(window.questions) :]
    scores = [one.score for one in later if one.score is not None][-len(window.scores) :]
    tests: dict[str, TwoSample] = {}
    if min(len(questions), len(window.questions)) >= LEAST:
        if len(questions[-1]) != len(window.questions[0]):
            raise UsageError(f"{window.domain}: another kind of question vectors is kept now", hint=_MEND)
        tests["questions"] = told_apart(np.array(window.questions), np.array(questions), seed=seed)
    if min(len(scores), len(window.scores)) >= LEAST:
        tests["retrieval scores"] = shifted(np.array(window.scores), np.array(scores))
    return tests


def _bounded(
    window: CalibrationWindow, loss: Loss, later: Sequence[Observation], level: float, tolerance: float
) -> RiskBound | None:
    before, told = window.losses[loss], [one for one in later if _LOSSES[loss](one) is not None]
    if not told:
        return None
    losses = _losses(told, loss)
    # one half for the reference, one for what comes after it
    allowed = min(risk_at_most(before, level / 2) + tolerance, 1.0)
    bounds = risk_at_least(losses, level / 2)
    over = np.flatnonzero(bounds > allowed)
    return RiskBound(
        window.domain,
        loss,
        sum(before) / len(before),
        allowed,
        len(losses),
        sum(losses) / len(losses),
        float(bounds[-1]),
        told[over[0]].at if len(over) else None,
    )


def _losses(observations: Iterable[Observation], loss: Loss) -> list[float]:
    return [value for one in observations if (value := _LOSSES[loss](one)) is not None]


def _of_domain(observations: Iterable[Observation], domain: str) -> list[Observation]:
    """Return those of a domain that were neither cancelled nor refused."""
    return [one for one in observations if one.domain == domain and one.outcome not in _ASIDE]


def _independent(observations: Iterable[Observation]) -> list[Observation]:
    """Return the first of every conversation: what follows it is like it."""
    seen: set[str] = set()
    first: list[Observation] = []
    for one in observations:
        if not one.conversation or one.conversation not in seen:
            first.append(one)
        seen.add(one.conversation)
    return first


def notify(address: Endpoint, alerts: Sequence[str], *, offline: bool) -> None:
    """Send alerts to a webhook, as JSON that chats read as a message too; nothing that was asked is in it."""
    import httpx2

    from hybrid.models.servers import client_for

    if offline and not address.is_loopback:
        raise ConfigError(
            f"the webhook {address} is on another machine, and `models.offline` keeps to this one",
            hint="set `models.offline` or `monitor.webhook` otherwise",
        )
    body = {"text": "\n".join(alerts), "alerts": list(alerts)}
    try:
        with client_for(address, timeout=_WEBHOOK_SECONDS) as client:
            client.post(str(address), json=body).raise_for_status()
    except httpx2.HTTPError as error:
        told = f"{type(error).__name__} at the webhook {urlsplit(address).hostname}"
        raise RemoteError(f"the alerts were not taken: {told}", hint="check `monitor.webhook`") from error
