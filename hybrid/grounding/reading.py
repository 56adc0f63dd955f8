"""Texts as a head reads them: token vectors of claims and evidences, in batches of like length.

Takes pairs and a token encoder, gives what a head judges, and runs a head over it. Knows no labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hybrid.grounding.head import AlignmentHead, Batch, Judged, collate
from hybrid.grounding.lexicon import Lexicon
from hybrid.grounding.tokens import TokenEncoder, TokenVectors

_STRETCH = 64
# Cells of the attention of one batch: claims times their longest evidence times their longest claim.
_MAX_BATCH_CELLS = 200_000


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """A claim and its evidence as token vectors.

    ``kept`` are the places of the evidence's tokens that are read, None for all. Reads of one ``shared`` have
    the same evidence.
    """

    claim: TokenVectors
    evidence: TokenVectors
    shared: str
    kept: NDArray[np.int64] | None = None

    @property
    def length(self) -> int:
        """Return how many tokens of the evidence are read."""
        return len(self.evidence) if self.kept is None else len(self.kept)


def read(
    claims: Sequence[str],
    evidences: Sequence[tuple[str, ...]],
    encoder: TokenEncoder,
    *,
    lexicon: Lexicon,
    limit: int | None = None,
) -> list[Read]:
    """Return claims with their evidence as token vectors; every text is encoded once.

    Args:
        claims: a text each.
        evidences: of each claim the texts that are read together.
        encoder: makes the vectors.
        lexicon: of its word pieces.
        limit: how many tokens of an evidence are read; of one that has more, the stretches that share most
            with the claim. None reads all.
    """
    texts = [*claims, *(text for parts in evidences for text in parts)]
    found = dict(zip(texts, encoder.encode(texts), strict=True))
    whole: dict[tuple[str, ...], TokenVectors] = {}
    reads: list[Read] = []
    for text, parts in zip(claims, evidences, strict=True):
        if parts not in whole:
            whole[parts] = joined([found[part] for part in parts])
        claim, evidence = found[text], whole[parts]
        kept = (
            None if limit is None or len(evidence) <= limit else focus(claim, evidence, lexicon, limit=limit)
        )
        reads.append(Read(claim, evidence, "\0".join(parts), kept))
    return reads


def joined(parts: Sequence[TokenVectors]) -> TokenVectors:
    """Return the tokens of several texts as one; places stay those within each text."""
    if len(parts) == 1:
        return parts[0]
    return TokenVectors(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.places for part in parts]),
        np.concatenate([part.vectors for part in parts]),
    )


def focus(claim: TokenVectors, evidence: TokenVectors, lexicon: Lexicon, *, limit: int) -> NDArray[np.int64]:
    """Return the places of the stretches of an evidence that share most with a claim, in their order."""
    said = set(claim.ids[~lexicon.stop[claim.ids] & ~lexicon.mark[claim.ids]].tolist())
    starts = range(0, len(evidence), _STRETCH)
    shares = [len(said & set(evidence.ids[start : start + _STRETCH].tolist())) for start in starts]
    order = sorted(range(len(shares)), key=lambda place: (-shares[place], place))
    kept = sorted(order[: max(1, limit // _STRETCH)])
    return np.concatenate(
        [np.arange(place * _STRETCH, min((place + 1) * _STRETCH, len(evidence))) for place in kept]
    )


def batch_of(reads: Sequence[Read]) -> Batch:
    """Return reads as one batch; an evidence that they share is there once."""
    rows: dict[str, int] = {}
    evidences: list[TokenVectors] = []
    which: list[int] = []
    for number, item in enumerate(reads):
        key = item.shared if item.kept is None else f"{item.shared}\0{number}"
        if key not in rows:
            rows[key] = len(evidences)
            evidences.append(item.evidence if item.kept is None else _taken(item.evidence, item.kept))
        which.append(rows[key])
    return collate([item.claim for item in reads], evidences, which)


def _taken(tokens: TokenVectors, places: NDArray[np.int64]) -> TokenVectors:
    return TokenVectors(tokens.ids[places], tokens.places[places], tokens.vectors[places])


def judge(head: AlignmentHead, reads: Sequence[Read]) -> Iterator[tuple[int, Judged]]:
    """Yield the place of each read and what the head says of it alone, in batches of like length."""
    order = sorted(range(len(reads)), key=lambda n: (reads[n].length, reads[n].shared, len(reads[n].claim)))
    first = 0
    with torch.inference_mode():
        while first < len(order):
            last = first
            longest = 1
            while last < len(order):
                item = reads[order[last]]
                longest = max(longest, len(item.claim))
                if last > first and (last - first + 1) * longest * item.length > _MAX_BATCH_CELLS:
                    break
                last += 1
            places = order[first:last]
            judged = head(batch_of([reads[place] for place in places]))
            for row, place in enumerate(places):
                yield place, Judged(judged.support[row], judged.unsupported[row])
            first = last
