"""BERT in NumPy, for a query: reading a dozen tokens takes a hundredth of the time of importing torch."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from hybrid.models import Vectors
from hybrid.models.layout import BertLayout

# Beyond, reading the layers takes longer than importing torch, and they would lie in memory twice.
_LARGEST_BYTES = 200_000_000
_TABLES = tuple(f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type"))


class _OneThread:
    """Hold NumPy's BLAS to one thread while any query is read, and then give it back what it had.

    The products of a query are too small to share: threads that wait for each other take nine times as long
    beside other work. What is held is counted, since queries of several threads of a process overlap.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._had = contextlib.ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._had.enter_context(_blas().limit(limits=1))

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._had.close()


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    # with OpenMP the number is each thread's own, and the last reader is another thread than the first
    return ThreadpoolController().select(threading_layer="pthreads")


_ONE_THREAD = _OneThread()


class PlainEncoder:
    """A BERT that reads one row of tokens after the other, in float32; ``weights`` are tensors by name."""

    def __init__(self, layout: BertLayout, weights: Mapping[str, Any]) -> None:
        self._layout = layout
        self._tables = [weights[name] for name in _TABLES]
        self._weights = weights

    def fits(self) -> bool:
        """Tell whether the weights are of the sizes that the layout tells; if not, reading may also fail."""
        shape = self._layout.shape
        rows = (shape.vocab_size, shape.max_position_embeddings, shape.type_vocab_size)
        read = self.pooled([[0, shape.vocab_size - 1]])
        return [len(table) for table in self._tables] == list(rows) and read.shape == (1, shape.hidden_size)

    def pooled(self, rows: Sequence[Sequence[int]]) -> Vectors:
        """Return one vector a row of tokens, pooled as the layout says, and not normalised."""
        with _ONE_THREAD:
            states = [self._states(row) for row in rows]
        pool = {"cls": lambda found: found[:, 0], "max": lambda found: found.max(1)}
        return np.stack([pool.get(self._layout.pooling, lambda found: found.mean(1))(one) for one in states])

    def _states(self, row: Sequence[int]) -> Vectors:
        """Return the states of a row, one token a column; a product with the weights in front is faster."""
        words, places, kinds = self._tables
        states = self._norm("embeddings", (words[row] + kinds[0] + places[: len(row)]).T.copy())
        for number in range(self._layout.shape.num_hidden_layers):
            layer = f"encoder.layer.{number}"
            seen = self._attention(f"{layer}.attention.self", states)
            states = self._added(f"{layer}.attention.output", seen, states)
            inner = _gelu(self._linear(f"{layer}.intermediate.dense", states))
            states = self._added(f"{layer}.output", inner, states)
        return states

    def _attention(self, name: str, states: Vectors) -> Vectors:
        shape = (self._layout.shape.num_attention_heads, -1, states.shape[1])
        query, key, value = (
            self._linear(f"{name}.{part}", states).reshape(shape) for part in ("query", "key", "value")
        )
        weights = query.swapaxes(1, 2) @ key / np.float32(query.shape[1] ** 0.5)
        weights = np.exp(weights - weights.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        seen: Vectors = value @ weights.swapaxes(1, 2)
        return seen.reshape(states.shape)

    def _added(self, name: str, new: Vectors, before: Vectors) -> Vectors:
        return self._norm(name, self._linear(f"{name}.dense", new) + before)

    def _linear(self, name: str, states: Vectors) -> Vectors:
        product: Vectors = self._weights[f"{name}.weight"] @ states
        product += self._weights[f"{name}.bias"][:, None]
        return product

    def _norm(self, name: str, states: Vectors) -> Vectors:
        weight, bias = (self._weights[f"{name}.LayerNorm.{part}"][:, None] for part in ("weight", "bias"))
        states -= np.add.reduce(states) / np.float32(len(states))
        spread = np.add.reduce(states * states) / np.float32(len(states))
        states /= np.sqrt(spread + self._layout.shape.layer_norm_eps)
        states *= weight
        states += bias
        return states


@lru_cache(maxsize=2)
def load_plain(layout: BertLayout, digest: str) -> PlainEncoder | None:
    """Return the encoder of a folder, one object for all that read it; None where it takes torch.

    That is where the file is large, damaged, in another format than float32, or holds no such BERT; and on
    Windows. Weights with another ``digest`` are loaded anew.
    """
    if layout.weights.stat().st_size > _LARGEST_BYTES or not hasattr(os, "pread"):
        return None
    try:
        encoder = PlainEncoder(layout, _tensors(layout.weights))
        fits = encoder.fits()
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return encoder if fits else None


def _tensors(path: Path) -> dict[str, Any]:
    # read and not mapped: somebody may write another model into the file while this one serves
    tensors: dict[str, Any] = {}
    with path.open("rb") as file:
        first = 8 + int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(min(first, _LARGEST_BYTES) - 8))
        header.pop("__metadata__", None)
        for name, told in header.items():
            start, end = told["data_offsets"]
            own = name.removeprefix("bert.")
            if told["dtype"] == "F32" and own == _TABLES[0]:
                tensors[own] = _Rows(path, first + start, *told["shape"])
            elif told["dtype"] == "F32":
                file.seek(first + start)
                tensors[own] = np.frombuffer(file.read(end - start), np.float32).reshape(told["shape"])
    return tensors


class _Rows:
    """The table of words, half of a small model: it stays in its file, and a query reads a dozen rows."""

    def __init__(self, path: Path, start: int, rows: int, width: int) -> None:
        self._start, self._rows, self._width = start, rows, width
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, tokens: Sequence[int]) -> Vectors:
        size = 4 * self._width
        rows = (os.pread(self._file, size, self._start + size * token) for token in tokens)
        return np.frombuffer(b"".join(rows), np.float32).reshape(len(tokens), self._width)


def _gelu(states: Vectors) -> Vectors:
    """Return x Φ(x); the error function by Abramowitz and Stegun 7.1.26, wrong by 1.5e-7 at most."""
    size = np.abs(states) * np.float32(0.5**0.5)
    part = 1 / (1 + 0.3275911 * size)
    series = np.zeros_like(size)
    for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series += factor
        series *= part
    series *= np.exp(-size * size)
    gelu: Vectors = np.copysign(1 - series, states)
    gelu += 1
    gelu *= states * np.float32(0.5)
    return gelu
