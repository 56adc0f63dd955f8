"""What a scorer is measured on, what it says of it, and the floors that it has to beat."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hybrid.grounding.calibration import grouped_folds
from hybrid.grounding.examples import Example
from hybrid.grounding.scorers.names import Scorer
from hybrid.grounding.values import Logits, Pair
from hybrid.questions.splits import unit_hash
from hybrid.statistics import source_places
from hybrid.text.words import content_words, share_held, tokens

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
# Learns from the claims of the first flags, says something of those of the second.
_Learner: TypeAlias = Callable[[Flags, Flags], Array]

WORD_OVERLAP = "word overlap"

# What a claim without evidence gets: no scorer has to be asked.
_NO_EVIDENCE = -20.0
_BLOCK = 32


# A scorer and claims in, one finite logit a claim out.
Support: TypeAlias = Callable[[Scorer, Sequence[Example]], NDArray[np.float64]]
# How many claims are done, of how many.
Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, eq=False, slots=True)
class ScorerLogits:
    """What a scorer said of claims, in their order: finite logits, higher where the evidence carries them.

    ``pairs_per_second`` is how many pairs of claim and evidence it judged, ``megabytes`` what its weights
    take on disk; None if not measured. A ``floor`` is no scorer: it knows words, lengths or labels of other
    claims.
    """

    name: str
    logits: Array
    pairs_per_second: float | None = None
    megabytes: float | None = None
    floor: bool = False


def labels_of(claims: Sequence[Example]) -> Flags:
    """Return whether each claim is supported."""
    return np.array([claim.supported for claim in claims], dtype=np.bool_)


def sources_of(claims: Sequence[Example]) -> list[str]:
    """Return the source of each claim; one without a source is its own."""
    return [claim.source or f"\0{place}" for place, claim in enumerate(claims)]


def limited(claims: Sequence[Example], count: int) -> list[Example]:
    """Return at most so many claims in their order, of sources that are drawn by their name.

    All claims of a source come before the next source is drawn; the last one may be cut.
    """
    sources = sources_of(claims)
    order = sorted(range(len(claims)), key=lambda place: (unit_hash("limit", sources[place]), place))
    return [claims[place] for place in sorted(order[:count])]


def best_passage(scorer: Scorer, claims: Sequence[Example]) -> NDArray[np.float64]:
    """Return the greatest support of each claim over its passages; the order of these does not matter."""
    pairs = [Pair(text, claim.claim) for claim in claims for text in claim.evidence]
    found = scorer.score(pairs).support if pairs else np.zeros(0)
    ends = np.cumsum([len(claim.evidence) for claim in claims])
    parts = np.split(np.asarray(found, dtype=np.float64), ends)[: len(claims)]
    return np.array([part.max() if len(part) else _NO_EVIDENCE for part in parts], dtype=np.float64)


def measured(
    name: str,
    scorer: Scorer,
    claims: Sequence[Example],
    *,
    support: Support = best_passage,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> ScorerLogits:
    """Return what a scorer says of claims under this name, its pairs a second and the size of its weights.

    The size is the scorer's ``megabytes`` (10⁶ bytes on disk), None of one that has no such attribute.
    """
    counted = _Counted(scorer)
    blocks = []
    begun = clock()
    for first in range(0, len(claims), _BLOCK):
        block = claims[first : first + _BLOCK]
        blocks.append(np.asarray(support(counted, block), dtype=np.float64))
        if progress is not None:
            progress(first + len(block), len(claims))
    spent = clock() - begun
    return ScorerLogits(
        name,
        np.concatenate(blocks) if blocks else np.zeros(0),
        pairs_per_second=counted.pairs / spent if counted.pairs and spent > 0 else None,
        megabytes=getattr(scorer, "megabytes", None),
    )


def floors(claims: Sequence[Example], *, seed: int = 0) -> list[ScorerLogits]:
    """Return the floors, word overlap first; those that learn from labels need two sources.

    They learn on other sources than they are used on, and every fold's scores lie around 0: what a fold's
    share of supported claims is ranks none of them.
    """
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
    return [ScorerLogits(name, logits, megabytes=0.0, floor=True) for name, logits in found]


class _Counted:
    """A scorer that counts the pairs it is asked for."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self.pairs = 0

    @property
    def name(self) -> str:
        return self._scorer.name

    @property
    def max_words(self) -> int:
        return self._scorer.max_words

    def score(self, pairs: Sequence[Pair]) -> Logits:
        self.pairs += len(pairs)
        return self._scorer.score(pairs)


def _overlap(claim: Example) -> float:
    """Return the share of the claim's content words that stand in its evidence, as a logit."""
    said = content_words(claim.claim)
    there = {word for text in claim.evidence for word in content_words(text)}
    share = min(max(share_held(said, there), 0.01), 0.99)
    return math.log(share / (1 - share))


def _by_words(texts: Sequence[str], labels: Flags) -> _Learner:
    """Naive Bayes over the words that a claim holds."""
    words = [frozenset(tokens(text)) for text in texts]

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
    lengths = np.log1p([len(tokens(text)) for text in texts])

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
