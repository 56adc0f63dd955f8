"""Does a training set give its labels away without being understood?

Takes labelled examples, gives how well two things that understand nothing tell the labels apart: the
overlap of words and the length of the claim. Rule-made negatives are the usual case: where edits of copies
stand against copies, overlap alone separated them with an AUROC of .971, and a model that learns only that
learns nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

from hybrid.errors import UsageError
from hybrid.grounding.examples import LabelledClaim

MOST_OVERLAP = 0.80
MOST_LENGTH = 0.60
_DECILES = 10
_THIRDS = 3
_Gram = tuple[str, ...]
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Leaks:
    """AUROCs of supported against the rest, in the better direction: from .5, no leak, to 1.

    ``overlap``: of the share of the claim's bigrams that stand in its evidence; ``length``: of the words of
    the claim. None where one of the two sides is empty.
    """

    overlap: float | None
    length: float | None

    @property
    def fair(self) -> bool:
        """Tell whether neither is above its limit; a set with one side only is not fair."""
        if self.overlap is None or self.length is None:
            return False
        return self.overlap <= MOST_OVERLAP and self.length <= MOST_LENGTH


def measure_leaks(examples: Sequence[LabelledClaim]) -> Leaks:
    """Measure both on a set."""
    supported = [example.supported for example in examples]
    overlaps = bigram_overlaps(examples)
    lengths = [float(len(_WORD.findall(example.claim))) for example in examples]
    return Leaks(_either_way(overlaps, supported), _either_way(lengths, supported))


def require_fair(examples: Sequence[LabelledClaim]) -> Leaks:
    """Refuse to train on a set that leaks; return the two numbers of one that does not.

    Raises:
        UsageError: above .80 for overlap or .60 for length, or only one of the two labels.
    """
    leaks = measure_leaks(examples)
    if leaks.overlap is None or leaks.length is None:
        raise UsageError(
            f"all {len(examples)} examples are on one side: there is nothing to tell apart",
            hint="add supported examples, or unsupported ones",
        )
    if not leaks.fair:
        raise UsageError(
            f"the training set gives its labels away: AUROC of bigram overlap {leaks.overlap:.3f} (at most "
            f"{MOST_OVERLAP:.2f}), of claim length {leaks.length:.3f} (at most {MOST_LENGTH:.2f})",
            hint="add supported claims in other words (paraphrases) and unsupported ones in the words of the "
            "evidence (swaps, fusions), or drop examples until each range of overlap holds as many of both",
        )
    return leaks


def equalise(examples: Sequence[LabelledClaim], *, seed: int) -> list[LabelledClaim]:
    """Drop examples at random until each decile of bigram overlap holds as many of both labels.

    So does each third of the lengths within it: an edit takes less from the overlap of a long claim, so
    overlap alone would leave the long edits. Pairs, whose ids are the same up to the "/", stay together where
    they can. What stays keeps its order.
    """
    if not examples:
        return []
    overlaps = _ranges(bigram_overlaps(examples), _DECILES)
    lengths = _ranges([float(len(_WORD.findall(example.claim))) for example in examples], _THIRDS)
    cells: dict[tuple[int, int], tuple[list[int], list[int]]] = {}
    for place, example in enumerate(examples):
        cells.setdefault((overlaps[place], lengths[place]), ([], []))[not example.supported].append(place)
    generator = np.random.default_rng([seed, 3])
    kept: list[int] = []
    for _, sides in sorted(cells.items()):
        least = min(len(side) for side in sides)
        pairs = [[examples[place].id.partition("/")[0] for place in side] for side in sides]
        together = set(pairs[0]) & set(pairs[1])
        for side, names in zip(sides, pairs, strict=True):
            drawn = generator.permutation(len(side))
            # as many on both sides, so none of these is cut off
            paired = [int(place) for place in drawn if names[int(place)] in together]
            single = [int(place) for place in drawn if names[int(place)] not in together]
            kept += [side[place] for place in [*paired, *single][:least]]
    return [examples[place] for place in sorted(kept)]


def _ranges(values: Sequence[float], count: int) -> list[int]:
    """Return for each value its range among so many that hold about as many values each."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, count + 1)[1:-1]))
    return [int(place) for place in np.searchsorted(edges, values, side="left")]


def bigram_overlaps(examples: Sequence[LabelledClaim]) -> list[float]:
    """Return the share of each claim's word bigrams that stand in one of its passages, from 0 to 1.

    A claim of one word is compared whole; one without words is 0.
    """
    # many claims share their evidence
    known: dict[tuple[str, ...], frozenset[_Gram]] = {}
    found: list[float] = []
    for example in examples:
        if example.evidence not in known:
            known[example.evidence] = _known(example.evidence)
        found.append(_share(example.claim, known[example.evidence]))
    return found


def _known(evidence: Iterable[str]) -> frozenset[_Gram]:
    """Return the words and the bigrams of passages."""
    words = [_WORD.findall(passage.lower()) for passage in evidence]
    return frozenset(gram for said in words for size in (1, 2) for gram in _grams(said, size))


def _share(claim: str, known: frozenset[_Gram]) -> float:
    said = _WORD.findall(claim.lower())
    grams = _grams(said, min(2, len(said)))
    return sum(gram in known for gram in grams) / len(grams) if grams else 0.0


def _grams(words: Sequence[str], size: int) -> list[_Gram]:
    return list(zip(*(words[place:] for place in range(size)), strict=False))


def _either_way(scores: Sequence[float], positive: Sequence[bool]) -> float | None:
    if len(set(positive)) < 2:
        return None
    area = float(roc_auc_score(positive, scores))
    return max(area, 1 - area)
