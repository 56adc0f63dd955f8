"""Bring an adapter that forgot back into its budget: smaller strength first, then more rehearsal.

Takes functions that assess and retrain, gives what each step bought and the best that passes. Knows nothing
about models: a strength costs one measurement, a rehearsal share one training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hybrid.adaptation.forgetting.gate import Budget, GateVerdict, judge
from hybrid.adaptation.forgetting.measurement import Measure
from hybrid.adaptation.values import Change
from hybrid.errors import UsageError

STRENGTHS = (0.75, 0.5, 0.25)
REHEARSALS = (0.3, 0.5)
# A smaller strength that keeps less of the gain than this is kept as a last resort only.
_WORTH = 0.5


@dataclass(frozen=True, slots=True)
class Assessment:
    """What an adapter gains on held-out documents, None if that cannot be measured, and what it costs."""

    gain: Change | None
    general: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: the adapter in ``folder`` at a strength; ``rehearsal`` is None where nothing was retrained.

    ``kept`` is the share of the first gain that is left, None where that is not known or was no gain.
    """

    folder: Path
    strength: float
    rehearsal: float | None
    assessment: Assessment
    verdict: GateVerdict
    kept: float | None

    @property
    def name(self) -> str:
        """Return what was tried, in a few words."""
        parts = [] if self.rehearsal is None else [f"rehearsal {100 * self.rehearsal:g} %"]
        if self.strength != 1:
            parts.append(f"strength {self.strength:g}")
        return ", ".join(parts) or "as tuned"


@dataclass(frozen=True, slots=True)
class Repair:
    """Everything that was tried, in this order, and the best that passes; None where none does."""

    attempts: tuple[Attempt, ...]
    best: Attempt | None


def repair(
    folder: Path,
    assess: Callable[[Path, float], Assessment],
    *,
    budget: Budget,
    strengths: Sequence[float] = STRENGTHS,
    retrain: Callable[[float], Path] | None = None,
    rehearsals: Sequence[float] = REHEARSALS,
    progress: Callable[[Attempt], None] = lambda attempt: None,
) -> Repair:
    """Try smaller strengths, then retraining with more rehearsal, until one passes and is worth it.

    The best is the one that passes with the largest gain; without a measured gain, the first that passes. An
    adapter that passes but no longer gains anything is none.

    Args:
        folder: of the adapter.
        assess: measures the adapter of a folder at a strength, in the domain and in general.
        budget: how much may be forgotten.
        strengths: to try, below 1, from large to small.
        retrain: makes the adapter anew with a share of rehearsal, None where that cannot be done.
        rehearsals: shares to try, from small to large.
        progress: told every attempt.

    Raises:
        UsageError: a strength or a share that makes no sense.
    """
    _require(strengths, rehearsals)
    attempts: list[Attempt] = []

    def tried(path: Path, rehearsal: float | None) -> Iterator[Attempt]:
        for strength in (1.0, *strengths):
            found = assess(path, strength)
            first = attempts[0].assessment.gain if attempts else found.gain
            kept = _kept(found.gain, first)
            attempts.append(Attempt(path, strength, rehearsal, found, judge(found.general, budget), kept))
            progress(attempts[-1])
            yield attempts[-1]

    if _settled(tried(folder, None)):
        return Repair(tuple(attempts), _best(attempts))
    for share in rehearsals if retrain is not None else ():
        assert retrain is not None, "asked above"
        if _settled(tried(retrain(share), share)):
            break
    return Repair(tuple(attempts), _best(attempts))


def tell(attempt: Attempt) -> str:
    """Return in one line what an attempt bought."""
    text = next((c for c in attempt.assessment.general if c.measure == Measure.TEXT), None)
    gain = attempt.assessment.gain
    parts = []
    if gain is not None:
        share = "" if attempt.kept is None else f" ({100 * attempt.kept:.0f} % of the first)"
        parts.append(f"gain {benefit(gain):+.3g} {gain.unit}{share}")
    if text is not None:
        parts.append(f"general text {text.change:+.3f} nats, at most {text.high:+.3f}")
    parts.append("passes" if attempt.verdict.passed else f"refused for {_reasons(attempt.verdict)}")
    return f"{attempt.name}: {'; '.join(parts)}".replace("-", "\u2212")


def benefit(change: Change) -> float:
    """Return how much better it became, in its unit."""
    return change.change if change.higher_is_better else -change.change


def _settled(attempts: Iterator[Attempt]) -> bool:
    """Go down in strength to the first that passes; tell whether it is worth stopping there."""
    for attempt in attempts:
        if attempt.verdict.passed:
            return attempt.kept is None or attempt.kept >= _WORTH
    return False


def _best(attempts: Sequence[Attempt]) -> Attempt | None:
    passing = [attempt for attempt in attempts if attempt.verdict.passed]
    gaining = [
        attempt
        for attempt in passing
        if attempt.assessment.gain is None or benefit(attempt.assessment.gain) > 0
    ]
    return max(gaining, key=_worth, default=None)


def _worth(attempt: Attempt) -> float:
    gain = attempt.assessment.gain
    return attempt.strength if gain is None else benefit(gain)


def _kept(gain: Change | None, first: Change | None) -> float | None:
    if gain is None or first is None or benefit(first) <= 0:
        return None
    return benefit(gain) / benefit(first)


def _reasons(verdict: GateVerdict) -> str:
    return ", ".join(breach.measure for breach in verdict.breaches) or "want of a measure"


def _require(strengths: Sequence[float], rehearsals: Sequence[float]) -> None:
    if any(not 0 < strength < 1 for strength in strengths) or list(strengths) != sorted(strengths)[::-1]:
        raise UsageError(f"strengths to try are {list(strengths)}, expected falling numbers between 0 and 1")
    if any(not 0 < share < 1 for share in rehearsals) or list(rehearsals) != sorted(rehearsals):
        raise UsageError(f"rehearsals to try are {list(rehearsals)}, expected rising shares between 0 and 1")
