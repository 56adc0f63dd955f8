"""What is to be beaten: word overlap, lengths, the claim alone, and the share of supported claims of a task.

Takes labelled claims, gives scores. What is learned from labels is learned from other sources than it is used
on, and every fold's scores lie around 0: what a fold's share of supported claims is ranks none of them.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from scipy import special

from hybrid.grounding.folds import grouped_folds
from hybrid.grounding.labelled import Array, Flags, LabelledClaim, Scores, labels_of, sources_of
from hybrid.statistics import source_places
from hybrid.text.words import content_words, share_held

WORD_OVERLAP = "word overlap"

_WORD = re.compile(r"\w+")
# Learns from the claims of the first flags, says something of those of the second.
_Learner: TypeAlias = Callable[[Flags, Flags], Array]


def floors(claims: Sequence[LabelledClaim], *, seed: int = 0) -> list[Scores]:
    """Return the floors, word overlap first; those that learn from labels need two sources."""
    found = [(WORD_OVERLAP, np.array([_overlap(claim) for claim in claims], dtype=np.float64))]
    labels, sources = labels_of(claims), sources_of(claims)
    if len(set(sources)) > 1:
        fold_of = grouped_folds(labels, sources, seed=seed)
        learners: list[tuple[str, _Learner]] = [
            ("claim words", _by_words([claim.claim for claim in claims], labels)),
            ("claim length", _by_length([claim.claim for claim in claims], labels)),
            ("evidence length", _by_length([" ".join(claim.evidence) for claim in claims], labels)),
            ("task prior", _by_share([claim.task for claim in claims], labels)),
        ]
        for name, learner in learners:
            logits = np.zeros(len(claims))
            for fold in range(int(fold_of.max()) + 1):
                logits[fold_of == fold] = learner(fold_of != fold, fold_of == fold)
            found.append((name, logits))
    return [Scores(name, logits, megabytes=0.0, floor=True) for name, logits in found]


def _overlap(claim: LabelledClaim) -> float:
    """Return the share of the claim's content words that stand in its evidence, as a logit."""
    said = content_words(claim.claim)
    there = {word for text in claim.evidence for word in content_words(text)}
    return float(special.logit(min(max(share_held(said, there), 0.01), 0.99)))


def _by_words(texts: Sequence[str], labels: Flags) -> _Learner:
    """Naive Bayes over the words that a claim holds."""
    words = [frozenset(_WORD.findall(text.lower())) for text in texts]

    def learn(known: Flags, asked: Flags) -> Array:
        sides = (known & labels, known & ~labels)
        counts = [Counter(word for at in np.flatnonzero(side) for word in words[at]) for side in sides]
        sizes = [int(side.sum()) for side in sides]

        def weight(word: str) -> float:
            more, less = ((count[word] + 0.5) / (size + 1) for count, size in zip(counts, sizes, strict=True))
            return math.log(more / less)

        # in order, for the sum of floats depends on it
        return np.array([sum(map(weight, sorted(words[place]))) for place in np.flatnonzero(asked)])

    return learn


def _by_length(texts: Sequence[str], labels: Flags) -> _Learner:
    """Linear discriminant over the logarithm of the number of words, whichever way it points."""
    lengths = np.log1p([len(_WORD.findall(text)) for text in texts])

    def learn(known: Flags, asked: Flags) -> Array:
        upper, lower = lengths[known & labels], lengths[known & ~labels]
        spread = float(lengths[known].var())
        if not len(upper) or not len(lower) or spread < 1e-12:
            return np.zeros(int(asked.sum()))
        slope = (upper.mean() - lower.mean()) / spread
        return np.asarray(slope * (lengths[asked] - (upper.mean() + lower.mean()) / 2), dtype=np.float64)

    return learn


def _by_share(tasks: Sequence[str], labels: Flags) -> _Learner:
    """Log-odds of support of the task, over those of all tasks."""
    names = source_places(tasks)

    def learn(known: Flags, asked: Flags) -> Array:
        size = int(names.max()) + 1
        right = np.bincount(names[known & labels], minlength=size)
        wrong = np.bincount(names[known & ~labels], minlength=size)
        whole = np.log((right.sum() + 1) / (wrong.sum() + 1))
        odds = np.where(right + wrong > 0, np.log((right + 1) / (wrong + 1)), whole) - whole
        return np.asarray(odds[names[asked]], dtype=np.float64)

    return learn
