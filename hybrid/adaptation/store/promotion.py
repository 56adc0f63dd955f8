"""Whether an adapter may be put in use: a gain that is shown, and nothing lost beyond the budget.

Takes a card, gives the reasons against it with what to do about them, and puts an embedder in use. Knows
nothing about how the numbers on the card were measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hybrid.adaptation.forgetting.gate import Budget, describe, judge
from hybrid.adaptation.forgetting.retrieval_gate import reasons_against
from hybrid.adaptation.store.card import AdapterKind, Card
from hybrid.adaptation.values import Change
from hybrid.index import Manifest
from hybrid.index.reembedding import put_in_force, reembed
from hybrid.index.sync import Progress
from hybrid.models import Embedder


@dataclass(frozen=True, slots=True)
class Reasons:
    """What stands against an adapter, and what to do about it; both are empty if nothing does."""

    against: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()


def reasons(card: Card, budget: Budget) -> Reasons:
    """Return what stands against an adapter, by the gate of its kind.

    Args:
        card: with its gain and, if it was checked, with what it forgot.
        budget: how much may be forgotten.
    """
    if card.kind is AdapterKind.EMBEDDER:
        return Reasons(reasons_against(card.gain, card.forgetting, budget))
    verdict = judge(card.forgetting, budget)
    against = [*_of_gain(card.gain), *(describe(breach) for breach in verdict.breaches)]
    if not verdict.passed and not verdict.breaches:
        against.append("what it forgot was not measured")
    return Reasons(tuple(against), verdict.advice if against else ())


def switch_embedder(domain: Path, embedder: Embedder, *, progress: Progress | None = None) -> Manifest:
    """Embed the domain with another embedder, unless it is already, and search that from now on.

    Until the last moment the generation in force answers; ``hybrid rollback`` goes back to it.

    Args:
        domain: the folder of the domain.
        embedder: the one in force with another adapter, or without one.
        progress: told how far each stage is.
    """
    reembed(domain, embedder, progress=progress)
    return put_in_force(domain, embedder.fingerprint)


def gained(change: Change) -> bool:
    """Tell whether a change for the better is shown: its bound is on the good side of 0."""
    return change.low > 0 if change.higher_is_better else change.high < 0


def _of_gain(gain: Change | None) -> tuple[str, ...]:
    if gain is None:
        return ("its gain was not measured: there was nothing held out to measure it on",)
    if gained(gain):
        return ()
    return (
        f"{gain.measure}: no gain is shown: {gain.change:+.3g} {gain.unit} "
        f"(90 % interval {gain.low:+.3g} to {gain.high:+.3g})",
    )
