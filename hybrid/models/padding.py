"""Rows of tokens as one rectangle, filled up on the left, where an answer does not begin.

A tokenizer could do it too, but would remember it: another thread that just wants the bare tokens gets them
padded. Knows nothing about text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Tokens and what of them is real (1) or padding (0), both of shape (rows, longest)."""

    ids: Any
    mask: Any


def left_padded(rows: Sequence[Sequence[int]], *, filler: int, device: Any) -> Rectangle:
    """Return the rows as tensors."""
    import torch

    width = max(len(row) for row in rows)
    empty = [width - len(row) for row in rows]
    ids = [[filler] * count + list(row) for count, row in zip(empty, rows, strict=True)]
    mask = [[0] * count + [1] * len(row) for count, row in zip(empty, rows, strict=True)]
    return Rectangle(torch.tensor(ids, device=device), torch.tensor(mask, device=device))
