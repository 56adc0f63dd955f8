"""How strong the change of an embedder may be: tried on validation, without training again.

Takes an encoder with an adapter and validation pairs, gives what each strength reaches, and the one to take.
Knows nothing about files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from hybrid.adaptation.forgetting.retrieval import pool_scores
from hybrid.adaptation.training.lessons import Encoder, Lesson
from hybrid.models import Vectors


@dataclass(frozen=True, slots=True)
class Strength:
    """What a strength gave on validation: nDCG@10 of made queries, and how far general texts moved."""

    strength: float
    domain: float
    moved: float


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Texts about anything, and where the base puts them."""

    texts: tuple[str, ...]
    base: Vectors

    def moved(self, encoder: Encoder) -> float:
        """Return the mean of 1 − cosine to where they were; 0 where there are none."""
        if not self.texts:
            return 0.0
        found = encoder.encode(self.texts, encoder.query_prompt)
        return float(1.0 - (found * self.base).sum(-1).mean())


def try_strengths(
    encoder: Encoder, tuned: Any, lesson: Lesson, held: Held, strengths: Sequence[float]
) -> tuple[Strength, ...]:
    """Return what each strength reaches, that of the base first; the adapter is left at full strength.

    Args:
        encoder: whose transformer has the adapter.
        tuned: the PEFT model.
        lesson: validation pairs.
        held: general texts.
        strengths: to try.
    """
    sources = _sources(lesson)
    found = []
    for strength in (0.0, *strengths):
        set_strength(tuned, strength)
        queries = encoder.encode([pair.query for pair in lesson.pairs], encoder.query_prompt)
        passages = encoder.encode(lesson.texts, encoder.passage_prompt)
        scores = pool_scores(queries, passages, lesson.own, sources)
        found.append(Strength(strength, float(np.mean(scores)), held.moved(encoder)))
    set_strength(tuned, 1.0)
    return tuple(found)


def choose_strength(strengths: Sequence[Strength]) -> float:
    """Return the best strength on validation, the smaller of two that are equal; 1 if none was tried."""
    tried = [item for item in strengths if item.strength > 0]
    if not tried:
        return 1.0
    return max(tried, key=lambda item: (item.domain, -item.strength)).strength


def set_strength(tuned: Any, strength: float, *, forever: bool = False) -> None:
    """Multiply the change that an adapter makes.

    Args:
        tuned: the PEFT model.
        strength: 0 is the base, 1 what was trained.
        forever: put it into the weights instead, so that the adapter is saved with it.
    """
    from peft.tuners.lora import LoraLayer

    layers: list[Any] = [layer for layer in tuned.modules() if isinstance(layer, LoraLayer)]
    for layer in layers:
        for name in layer.lora_B:
            layer.set_scale(name, 1.0 if forever else strength)
            if forever:
                with torch.no_grad():
                    layer.lora_B[name].weight.mul_(strength)


def _sources(lesson: Lesson) -> list[str]:
    """Return for each passage of the pool the document of its pair; of others they are their own."""
    names = [f"passage {place}" for place in range(len(lesson.texts))]
    for pair, place in zip(lesson.pairs, lesson.own, strict=True):
        names[place] = pair.source or names[place]
    return names
