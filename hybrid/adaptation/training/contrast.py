"""What an embedder is trained by: losses on similarities of queries and passages.

Takes tensors, gives a loss. Similarities are cosines, rows are queries, columns passages; a mask says which
of them are compared. Knows nothing about texts and models.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_NEVER = -1e4


def listwise(student: Tensor, teacher: Tensor, compared: Tensor, *, scale: float) -> Tensor:
    """Return KL(teacher ‖ student) of the distributions over the compared passages, averaged over queries.

    A query with nothing to compare adds nothing.

    Args:
        student: similarities of shape (queries, passages).
        teacher: likewise.
        compared: booleans, likewise.
        scale: what similarities are multiplied with before the softmax, the inverse of a temperature.
    """
    own = (student * scale).masked_fill(~compared, _NEVER).log_softmax(-1)
    other = (teacher * scale).masked_fill(~compared, _NEVER).log_softmax(-1)
    apart = (other.exp() * (other - own)).masked_fill(~compared, 0.0).sum(-1)
    return apart.mean()


def in_batch(
    student: Tensor, right: Tensor, compared: Tensor, *, scale: float, symmetric: bool = False
) -> Tensor:
    """Return the cross-entropy of the right passage among all compared ones (MNRL).

    Args:
        student: similarities of shape (queries, passages).
        right: for each query the column of its passage.
        compared: booleans of shape (queries, passages); the right ones count in any case.
        scale: the inverse of a temperature.
        symmetric: add that of the right query for each passage; columns are then queries' passages in order.
    """
    rows = torch.arange(len(right), device=right.device)
    shown = compared.clone()
    shown[rows, right] = True
    logits = (student * scale).masked_fill(~shown, _NEVER)
    loss = functional.cross_entropy(logits, right)
    if symmetric:
        backward = logits[:, right].t()
        loss = (loss + functional.cross_entropy(backward, rows)) / 2
    return loss


def not_false(guide: Tensor, right: Tensor, *, margin: float) -> Tensor:
    """Return which passages are no answers as well, as a guide sees it (GISTEmbed, Solatorio 2024).

    A passage that the guide finds nearly as near to the query as the right one may answer it too.

    Args:
        guide: similarities of a model that is not trained, shape (queries, passages).
        right: for each query the column of its passage.
        margin: how much less similar a wrong one must be, as a share of the similarity of the right one.
    """
    own = guide.gather(1, right[:, None])
    kept = guide < own - margin * own.abs()
    kept.scatter_(1, right[:, None], value=True)
    return kept


def moved(vectors: Tensor, base: Tensor) -> Tensor:
    """Return how far unit vectors are from where the base puts them: the mean of 1 − cosine."""
    return (1.0 - (vectors * base).sum(-1)).mean()
