"""The alignment head: a claim's tokens attend to those of its evidence (decomposable attention)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hybrid.grounding.tokens import Lexicon, TokenEncoder, TokenVectors, joined

_TOKEN_FEATURES = 14
_LAYER_FEATURES = 3
_CLAIM_FEATURES = 4
_NEVER = -1e4
# Tokens to each side within which a negation counts as about a word.
_REACH = 7
_FAR = 60.0
_STRETCH = 64
# Cells of the attention of one batch: claims times their longest evidence times their longest claim.
_MAX_BATCH_CELLS = 200_000


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the head: encoder layers it reads, their width, and its own."""

    layers: int
    width: int
    projected: int = 128
    hidden: int = 96
    convolutions: int = 2
    dropout: float = 0.15


@dataclass(frozen=True, slots=True)
class Batch:
    """Claims (B, n), evidences (U, m) and which evidence each claim is judged by (B).

    Evidence that several claims share is there once. ``vectors`` are of shape (rows, tokens, layers · width).
    """

    claims: Tensor
    claim_ids: Tensor
    claim_mask: Tensor
    evidences: Tensor
    evidence_ids: Tensor
    evidence_mask: Tensor
    which: Tensor


def collate(claims: Sequence[TokenVectors], evidences: Sequence[TokenVectors], which: Sequence[int]) -> Batch:
    """Return token vectors as rectangles; a text without tokens has one that is masked."""
    own, own_ids, own_mask = _rectangle(claims)
    other, other_ids, other_mask = _rectangle(evidences)
    return Batch(own, own_ids, own_mask, other, other_ids, other_mask, torch.tensor(which))


def _rectangle(texts: Sequence[TokenVectors]) -> tuple[Tensor, Tensor, Tensor]:
    longest = max(max(map(len, texts)), 2)
    vectors = torch.zeros((len(texts), longest, texts[0].vectors.shape[1]))
    ids = torch.zeros((len(texts), longest), dtype=torch.long)
    mask = torch.zeros((len(texts), longest), dtype=torch.bool)
    for row, text in enumerate(texts):
        vectors[row, : len(text)] = torch.from_numpy(text.vectors)
        ids[row, : len(text)] = torch.from_numpy(text.ids)
        mask[row, : len(text)] = True
    return vectors, ids, mask


@dataclass(frozen=True, slots=True)
class HeadOutput:
    """``support``: logit of each claim (B,). ``unsupported``: logit of each claim token (B, n)."""

    support: Tensor
    unsupported: Tensor


class AlignmentHead(nn.Module):
    """About 0.3 million weights over the vectors of a frozen encoder.

    Every claim token attends to the tokens of the evidence; the two are compared, with what was copied beside
    it; convolutions look at the neighbours; tokens are pooled to the claim.
    """

    def __init__(self, shape: Shape, lexicon: Lexicon) -> None:
        super().__init__()
        self.shape = shape
        self._stop, self._negation, self._number, self._mark = (
            torch.from_numpy(flags)
            for flags in (lexicon.stop, lexicon.negation, lexicon.number, lexicon.mark)
        )
        layers, size, hidden = shape.layers, shape.projected, shape.hidden
        projections = [nn.Linear(shape.width, size, bias=False) for _ in range(layers)]
        for projection in projections:
            nn.init.orthogonal_(projection.weight)
        self.project = nn.ModuleList(projections)
        self.sharpness = nn.Parameter(torch.full((layers,), 12.0))
        self.copied = nn.Parameter(torch.tensor([2.0, 2.0]))
        scalars = _TOKEN_FEATURES + _LAYER_FEATURES * layers
        self.compare = nn.Linear(4 * size * layers + scalars, hidden)
        self.drop = nn.Dropout(shape.dropout)
        self.convolve = nn.ModuleList(nn.Conv1d(hidden, hidden, 3) for _ in range(shape.convolutions))
        self.norm = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(shape.convolutions + 1))
        self.token = nn.Linear(hidden, 1)
        self.weigh = nn.Linear(hidden, 1)
        self.claim = nn.Sequential(
            nn.Linear(2 * hidden + _CLAIM_FEATURES + scalars, hidden),
            nn.GELU(),
            nn.Dropout(shape.dropout),
            nn.Linear(hidden, 1),
        )

    def forward(self, batch: Batch) -> HeadOutput:
        """Judge each claim by its evidence."""
        compared, scalars = self._compare(batch)
        hidden = self.norm[0](self.drop(functional.gelu(self.compare(torch.cat([*compared, scalars], -1)))))
        real = batch.claim_mask[..., None].float()
        for convolve, norm in zip(self.convolve, list(self.norm)[1:], strict=True):
            hidden = norm(hidden + functional.gelu(_convolved(hidden * real, convolve)))
        unsupported = self.token(hidden)[..., 0]
        support = self._pool(batch, hidden, scalars, unsupported)
        return HeadOutput(support, unsupported)

    def _pool(self, batch: Batch, hidden: Tensor, scalars: Tensor, unsupported: Tensor) -> Tensor:
        """Return one logit a claim, from its tokens: their mean, those that matter, and the worst."""
        mask = batch.claim_mask
        real = mask[..., None].float()
        count = mask.sum(1).clamp(min=1).float()
        weights = self.weigh(hidden)[..., 0].masked_fill(~mask, _NEVER).softmax(-1)[..., None]
        worst = unsupported.masked_fill(~mask, _NEVER)
        facts = torch.stack(
            [
                worst.amax(-1),
                (unsupported * mask).sum(1) / count,
                torch.logsumexp(worst, -1) - count.log(),
                count.log(),
            ],
            -1,
        )
        content = (mask & ~self._stop[batch.claim_ids] & ~self._mark[batch.claim_ids])[..., None]
        carried = (scalars * content).sum(1) / content.sum(1).clamp(min=1)
        pooled = torch.cat(
            [(hidden * real).sum(1) / count[:, None], (hidden * weights).sum(1), facts, carried], -1
        )
        # a claim is at most as good as its worst token
        whole: Tensor = self.claim(pooled)[:, 0]
        return -whole - 0.5 * worst.amax(-1)

    def _compare(self, batch: Batch) -> tuple[list[Tensor], Tensor]:
        """Return comparisons by layer, and scalars (B, n, ·)."""
        evidence_ids, evidence_mask = batch.evidence_ids[batch.which], batch.evidence_mask[batch.which]
        hidden = ~evidence_mask[:, None, :]
        same = (batch.claim_ids[:, :, None] == evidence_ids[:, None, :]) & ~hidden
        before, after = torch.zeros_like(same), torch.zeros_like(same)
        before[:, 1:, 1:] = same[:, 1:, 1:] & same[:, :-1, :-1]
        after[:, :-1, :-1] = before[:, 1:, 1:]
        bonus = self.copied[0] * same + self.copied[1] * (before | after)
        compared: list[Tensor] = []
        scalars: list[Tensor] = []
        attention = bonus
        width = self.shape.width
        for layer, project in enumerate(self.project):
            part = slice(layer * width, (layer + 1) * width)
            own = functional.normalize(project(batch.claims[..., part]), dim=-1)
            other = functional.normalize(project(batch.evidences[..., part]), dim=-1)[batch.which]
            cosines = torch.einsum("bnd,bmd->bnm", own, other)
            looks = (self.sharpness[layer] * cosines + bonus).masked_fill(hidden, _NEVER)
            attention = looks.softmax(-1)
            seen = torch.einsum("bnm,bmd->bnd", attention, other)
            compared += [own, seen, (own - seen).abs(), own * seen]
            nearest = cosines.masked_fill(hidden, -1.0).topk(2, -1).values
            scalars += [nearest[..., 0], nearest[..., 1], (attention * cosines).sum(-1)]
        scalars += self._facts(batch, evidence_ids, evidence_mask, same, before, after, attention)
        return compared, torch.stack(scalars, -1)

    def _facts(
        self,
        batch: Batch,
        evidence_ids: Tensor,
        evidence_mask: Tensor,
        same: Tensor,
        before: Tensor,
        after: Tensor,
        attention: Tensor,
    ) -> list[Tensor]:
        """Return what can be told without weights: copies, numbers, negations, order."""
        ids, mask = batch.claim_ids, batch.claim_mask
        copied = same.any(-1).float()
        number = self._number[ids].float()
        said_not = self._negation[ids] & mask
        there_not = _near(self._negation[evidence_ids] & evidence_mask)
        strongest, aligned = attention.max(-1)
        not_there = torch.gather(there_not, 1, aligned)
        step = torch.zeros_like(copied)
        jump = torch.zeros_like(copied)
        moved = (aligned[:, 1:] - aligned[:, :-1]).float()
        step[:, 1:] = (moved == 1).float()
        jump[:, 1:] = moved.abs().clamp(max=_FAR) / _FAR
        return [
            copied,
            before.any(-1).float(),
            after.any(-1).float(),
            (before & after).any(-1).float(),
            number,
            number * (1 - copied),
            said_not.float(),
            not_there,
            (_near(said_not) - not_there).abs(),
            step,
            jump,
            strongest,
            self._stop[ids].float(),
            self._mark[ids].float(),
        ]


def _convolved(hidden: Tensor, convolve: nn.Module) -> Tensor:
    """Return a convolution over three neighbours, (rows, tokens, hidden), as one product of matrices.

    The library's own makes a kernel for every shape that is new, and keeps it.
    """
    padded = functional.pad(hidden, (0, 0, 1, 1))
    neighbours = torch.cat([padded[:, :-2], padded[:, 1:-1], padded[:, 2:]], -1)
    assert isinstance(convolve, nn.Conv1d), "they were made so"
    return functional.linear(neighbours, convolve.weight.permute(0, 2, 1).flatten(1), convolve.bias)


def _near(flags: Tensor) -> Tensor:
    """Return 1 where a flagged token is within reach, shape (rows, tokens)."""
    spread: Tensor = functional.max_pool1d(flags.float()[:, None], _REACH, 1, _REACH // 2)
    return spread[:, 0]


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

    ``evidences`` are of each claim the texts that are read together; of those with more tokens than ``limit``
    the stretches that share most with the claim. None reads all.
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


def judge(head: AlignmentHead, reads: Sequence[Read]) -> Iterator[tuple[int, HeadOutput]]:
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
                yield place, HeadOutput(judged.support[row], judged.unsupported[row])
            first = last
