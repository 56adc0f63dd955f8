"""What is told of a claim and its evidence without weights of ours: by frozen vectors, words and checks.

Takes a pair as token vectors and as text, gives numbers that are each higher where the evidence carries the
claim. The stack weighs them beside what the heads say.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from hybrid.grounding.checks import HARD, contradictions, facts_of, missing
from hybrid.grounding.lexicon import Lexicon
from hybrid.grounding.reading import Read
from hybrid.grounding.values import Doubt, Pair

WORD_SIGNALS = ("alignment", "bigrams", "numbers", "names", "agreement")
# Alignment tells whether evidence is on the subject; what is above says nothing more of edited summaries,
# whose words are all there, and would drown what the heads say. Chosen on domains held out of training.
_SAME_SUBJECT = 0.75
# The share of a claim's words that a sentence must hold to speak against it. Looser than where a verdict
# hangs on it: here it is one signal among others, and weighed.
_ALIKE = 0.45
# More things lacking than these say nothing more.
_LACKING = 2

# The same passage comes with one claim after the other.
_facts = lru_cache(maxsize=64)(facts_of)


def word_signals(item: Read, pair: Pair, lexicon: Lexicon, layers: int) -> NDArray[np.float64]:
    """Return the signals of a pair in the order of ``WORD_SIGNALS``, each from 0 to 1.

    ``alignment`` is the mean, over the content tokens of the claim, of the best cosine with a token of the
    evidence (BERTScore's recall, Zhang et al. 2020), up to .75; ``bigrams`` the share of the claim's pairs of
    neighbours that stand in the evidence; ``numbers`` is 1 if the evidence has all numbers, units and dates
    of the claim, .5 if it lacks one, 0 if more; ``names`` likewise; ``agreement`` is 0 if the sentence of the
    evidence nearest to the claim denies it or has another number in its place, else 1.
    """
    claim, evidence = item.claim, item.evidence
    content = ~lexicon.stop[claim.ids] & ~lexicon.mark[claim.ids]
    if not content.any() or not len(evidence):
        return np.array([0.0, 0.0, 1.0, 1.0, 1.0])
    width = claim.vectors.shape[1] // layers
    own = functional.normalize(torch.from_numpy(claim.vectors[content, -width:]).float(), dim=-1)
    other = functional.normalize(torch.from_numpy(evidence.vectors[:, -width:]).float(), dim=-1)
    aligned = min(float((own @ other.T).amax(1).clamp(0, 1).mean()), _SAME_SUBJECT)
    known = set(zip(evidence.ids[:-1].tolist(), evidence.ids[1:].tolist(), strict=True))
    said = list(zip(claim.ids[:-1].tolist(), claim.ids[1:].tolist(), strict=True))
    bigrams = sum(neighbours in known for neighbours in said) / len(said) if said else 0.0
    lacking = [finding.doubt for finding in missing(pair.claim, _facts(pair.evidence))]
    disagrees = bool(contradictions(pair.claim, pair.evidence, alike=_ALIKE))
    return np.array(
        [
            aligned,
            bigrams,
            _left(sum(doubt in HARD for doubt in lacking)),
            _left(lacking.count(Doubt.NAME)),
            float(not disagrees),
        ]
    )


def _left(lacking: int) -> float:
    return 1.0 - min(lacking, _LACKING) / _LACKING
