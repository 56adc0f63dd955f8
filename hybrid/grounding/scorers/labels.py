"""Which output of somebody's classifier says "supported"? By its names and by pairs that are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from hybrid.errors import ModelError
from hybrid.grounding.values import Logits, Pair

Array = NDArray[np.float64]

# The share of known pairs in the right order from which on a model can tell them apart; chance is .5.
_TOLD_APART = 0.9
# What a model cannot compute is not support.
_LEAST = -1e4


class Relation(StrEnum):
    """What the evidence of a known pair does to its claim."""

    CARRIED = "carried"
    DENIED = "denied"
    UNSAID = "unsaid"


@dataclass(frozen=True, slots=True)
class Known:
    """A pair about which nobody disagrees."""

    pair: Pair
    relation: Relation


@dataclass(frozen=True, slots=True)
class Labels:
    """The places of a model's outputs: which one says supported, and which one the opposite.

    A model with a single output counts as one with two, the first of them always 0: support 1 means that a
    higher value says supported, support 0 that a lower one does.
    """

    support: int
    against: int | None = None

    def logits(self, outputs: Array) -> Logits:
        """Return the log-odds of the two outputs against all others, from raw outputs (pairs, outputs)."""
        wide = widened(outputs)
        against = None if self.against is None else _odds(wide, self.against).astype(np.float32)
        return Logits(_odds(wide, self.support).astype(np.float32), against)

    def __str__(self) -> str:
        """Return the places as they stand behind the name of a scorer."""
        return str(self.support) if self.against is None else f"{self.support},{self.against}"


_NIGHT = "The library in Oslo opens at nine in the morning and is closed on Sundays."
_SALE = "The company sold its factory in Norway for 40 million euros in 2014."
_BAND = "A man in a red shirt is playing a guitar on the stage."
_BIRD = "Penguins cannot fly, but they are excellent swimmers."

KNOWN = (
    Known(Pair(_NIGHT, _NIGHT), Relation.CARRIED),
    Known(Pair(_NIGHT, "The library is closed on Sundays."), Relation.CARRIED),
    Known(Pair(_SALE, "The company sold a factory."), Relation.CARRIED),
    Known(Pair(_BAND, "A man is playing a guitar."), Relation.CARRIED),
    Known(Pair(_BIRD, "Penguins are excellent swimmers."), Relation.CARRIED),
    Known(Pair(_NIGHT, "The library is open on Sundays."), Relation.DENIED),
    Known(Pair(_SALE, "The company did not sell its factory in Norway."), Relation.DENIED),
    Known(Pair(_BAND, "Nobody is playing a guitar on the stage."), Relation.DENIED),
    Known(Pair(_BIRD, "Penguins can fly."), Relation.DENIED),
    Known(Pair(_NIGHT, "The library has more than ten thousand books."), Relation.UNSAID),
    Known(Pair(_SALE, "The manager of the factory has three children."), Relation.UNSAID),
    Known(Pair(_BAND, "The man wrote the song for his brother."), Relation.UNSAID),
    Known(Pair(_BIRD, "The old bridge was painted last summer."), Relation.UNSAID),
)


# What the name of an output says; the first that is found counts: "not_entailment" and "inconsistent" are no
# support.
_NOT = re.compile(
    r"hallucinat|(?:\b|_)(?:un|in|not|non|no)[ _-]?(?:entail|support|consist|faith|fact|ground)"
)
_AGAINST = re.compile(r"contradict|refut|conflict")
_SUPPORT = re.compile(r"entail|support|consisten|faithful|factual|grounded|^aligned?$")
_OTHER = re.compile(r"neutral|not[ _-]?enough|unverifiable|^nei$|unknown")


def known_pairs(name: str, length: Callable[[Pair], int], limit: int) -> list[Pair]:
    """Return the pairs of ``KNOWN`` for a model that reads so many tokens.

    Raises:
        ModelError: they are too long for it.
    """
    pairs = [known.pair for known in KNOWN]
    if (longest := max(map(length, pairs))) > limit:
        raise ModelError(
            f"{name} reads {limit} tokens, a claim with a sentence of evidence has {longest}",
            hint="choose a model that reads longer texts",
        )
    return pairs


def widened(outputs: Array) -> Array:
    """Return raw outputs without infinities, with a first column of zeros if there is only one."""
    values = np.clip(np.asarray(outputs, dtype=np.float64), _LEAST, -_LEAST)
    return np.column_stack([np.zeros(len(values)), values]) if values.shape[1] == 1 else values


def named_labels(names: Sequence[str]) -> Labels | None:
    """Return what the names of the outputs tell, None if they leave it open, as LABEL_0 does."""
    said = [name.strip().lower() for name in names]
    patterns = (_NOT, _AGAINST, _SUPPORT, _OTHER)
    roles = [next((each for each in patterns if each.search(name)), None) for name in said]
    supports, told = roles.count(_SUPPORT), [role for role in roles if role is not None]
    if len(names) == 1 and told:
        return Labels(supports)
    if len(names) == 2 and supports == 1:
        return Labels(roles.index(_SUPPORT))
    if len(names) == 2 and supports == 0 and len(told) == 1:
        return Labels(1 - roles.index(told[0]))
    if len(names) == 3 and supports == 1 == roles.count(_AGAINST):
        return Labels(roles.index(_SUPPORT), roles.index(_AGAINST))
    return None


def checked_labels(labels: Labels, name: str, names: Sequence[str]) -> Labels:
    """Return the labels if the model has such outputs.

    Raises:
        ModelError: it has not.
    """
    count = max(len(names), 2)
    places = [labels.support] if labels.against is None else [labels.support, labels.against]
    if len(set(places)) < len(places) or not all(0 <= place < count for place in places):
        raise ModelError(
            f"{name} has no outputs #{labels}: it has {', '.join(names)}",
            hint="say the places of the outputs, counted from 0: #SUPPORT or #SUPPORT,CONTRADICTION",
        )
    return labels


def settled_labels(name: str, names: Sequence[str], outputs: Array) -> Labels:
    """Return the labels on which the names of the outputs and the known pairs agree.

    A model whose labels are read in the wrong order looks like a model, so it is refused where they do not.
    ``names`` are those of its outputs, ``outputs`` what it says of ``KNOWN``, raw, of shape (known pairs,
    outputs).

    Raises:
        ModelError: it has more than three outputs, does not tell the known pairs apart, or says something
            else of them than its names do.
    """
    if not 1 <= len(names) <= 3:
        raise ModelError(
            f"{name} has {len(names)} outputs ({', '.join(names)}), expected one to three",
            hint="choose a model of entailment or factual consistency",
        )
    told, measured = named_labels(names), _measured(widened(outputs))
    shares = _shares(measured.logits(outputs))
    problem = ""
    if not np.isfinite(np.asarray(outputs)).all():
        problem = "what it computes is not a number"
    elif min(shares) < _TOLD_APART:
        problem = (
            "it does not tell what is supported, contradicted and unsaid apart"
            if len(names) == 3
            else "it does not tell what is supported from the rest"
        )
    elif told is not None and told != measured:
        problem = f"its names mean {_wording(told, names)}, its answers mean {_wording(measured, names)}"
    if problem:
        raise ModelError(
            f"{name} was asked about {len(KNOWN)} known pairs: {problem}; {_table(names, outputs)}; "
            f"in the right order: {', '.join(f'{share:.2f}' for share in shares)}",
            hint="if you know its outputs, say their places, counted from 0, behind its name: "
            "#SUPPORT or #SUPPORT,CONTRADICTION, such as #2,0",
        )
    return measured


def _measured(wide: Array) -> Labels:
    """Return the labels under which the known pairs are likeliest."""
    logs = np.nan_to_num(wide - logsumexp(wide, axis=1)[:, None], nan=_LEAST)
    means = np.array([logs[_of(relation)].mean(axis=0) for relation in Relation])
    if wide.shape[1] == 2:
        # only the difference counts: a model may lean to one side
        rises = means[0] - logs[~_of(Relation.CARRIED)].mean(axis=0)
        return Labels(int(rises.argmax()))
    orders = permutations(range(3))
    best = max(orders, key=lambda order: sum(means[row, place] for row, place in enumerate(order)))
    return Labels(best[0], best[1])


def _of(relation: Relation) -> NDArray[np.bool_]:
    return np.array([known.relation is relation for known in KNOWN])


def _shares(logits: Logits) -> list[float]:
    """Return how often a pair of a relation stands above one of another: support, then contradiction."""
    from sklearn.metrics import roc_auc_score

    sides = [(Relation.CARRIED, logits.support), (Relation.DENIED, logits.against)]
    return [
        float(roc_auc_score(_of(relation), np.nan_to_num(values, nan=_LEAST)))
        for relation, values in sides
        if values is not None
    ]


def _odds(wide: Array, place: int) -> Array:
    odds = wide[:, place] - logsumexp(np.delete(wide, place, axis=1), axis=1)
    return np.where(np.isnan(wide).any(axis=1), np.nan, np.nan_to_num(odds, nan=_LEAST))


def _wording(labels: Labels, names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"that {'more' if labels.support else 'less'} of {names[0]} is supported"
    against = "" if labels.against is None else f" and {names[labels.against]} = contradicted"
    return f"{names[labels.support]} = supported{against}"


def _table(names: Sequence[str], outputs: Array) -> str:
    """Return the mean raw output over the known pairs of each relation."""
    rows = []
    for relation in Relation:
        means = np.asarray(outputs)[_of(relation)].mean(axis=0)
        rows.append(f"{relation} " + " ".join(f"{n}={m:.2f}" for n, m in zip(names, means, strict=True)))
    return "mean outputs: " + ", ".join(rows)
