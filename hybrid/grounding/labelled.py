"""What a scorer is measured on, and what it said of it.

Values without behaviour beyond views of themselves. A label is binary here: the evidence carries all of the
claim, or it does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybrid.grounding.examples import Example, Label
from hybrid.questions.splits import unit_hash

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LabelledClaim:
    """A claim with the texts of its evidence and whether they carry it.

    ``source`` is the document behind it: claims of one source are resampled and held out together; an empty
    one is a source of its own. ``task`` is what the claim is part of (a summary, an answer), ``domain`` what
    it is about. ``against`` says what the evidence does to an unsupported claim (it is refuted, or not in
    there), ``kind`` what was done to it or is wrong with it. All are empty if unknown.
    """

    id: str
    claim: str
    evidence: tuple[str, ...]
    supported: bool
    source: str = ""
    domain: str = ""
    task: str = ""
    against: str = ""
    kind: str = ""


@dataclass(frozen=True, eq=False, slots=True)
class Scores:
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


def labelled(examples: Iterable[Example]) -> list[LabelledClaim]:
    """Return examples as labelled claims."""
    # what the set does not tell apart is no contrast
    contrasts = {Label.REFUTED: "refuted", Label.NEUTRAL: "not in evidence"}
    return [
        LabelledClaim(
            id=example.id,
            claim=example.claim,
            evidence=example.evidence,
            supported=not example.unsupported,
            source=example.source,
            domain=example.domain,
            task=example.task,
            against=contrasts.get(example.label, ""),
            kind=example.kind,
        )
        for example in examples
    ]


def labels_of(claims: Sequence[LabelledClaim]) -> Flags:
    """Return whether each claim is supported."""
    return np.array([claim.supported for claim in claims], dtype=np.bool_)


def sources_of(claims: Sequence[LabelledClaim]) -> list[str]:
    """Return the source of each claim; one without a source is its own."""
    return [claim.source or f"\0{place}" for place, claim in enumerate(claims)]


def limited(claims: Sequence[LabelledClaim], count: int) -> list[LabelledClaim]:
    """Return at most so many claims in their order, of sources that are drawn by their name.

    All claims of a source come before the next source is drawn; the last one may be cut.
    """
    sources = sources_of(claims)
    order = sorted(range(len(claims)), key=lambda place: (unit_hash("limit", sources[place]), place))
    return [claims[place] for place in sorted(order[:count])]
