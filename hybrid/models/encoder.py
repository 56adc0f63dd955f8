"""BERT (Devlin et al. 2019) as an encoder of texts: states of tokens, and pooled vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hybrid.models import Vectors
from hybrid.models.device import Placement, batch_room
from hybrid.models.layout import BertLayout, BertShape, Pooling

# Rows of a batch, by the tokens of each. The encoder is given these shapes and no other: every new one
# costs a kernel that is kept, and scatters the heap (701 questions of any length: 1.2 to 2.7 GB). Few rows
# are as fast a token as many in float32; in bf16 many are a fifth faster, so a pile of texts is read so many
# times as many at once, and what is left over in the next power of two.
_FEW = {16: 16, 32: 8, 64: 4, 96: 4, 128: 4, 160: 4, 192: 4, 256: 4, 384: 2, 512: 2}
_MANY = 4


# Torch and safetensors are all it takes: importing the libraries for any model costs eight CPU seconds.
# Weights come from a file: none is drawn before, which would also cost five CPU seconds of imports.
class _Linear(nn.Linear):
    def reset_parameters(self) -> None:
        """Leave them as they are."""


class _Embedding(nn.Embedding):
    def reset_parameters(self) -> None:
        """Leave them as they are."""


class _Layer(nn.Module):
    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        width, eps = shape.hidden_size, shape.layer_norm_eps
        own = {name: _Linear(width, width) for name in ("query", "key", "value")}
        self.attention = nn.ModuleDict({"self": nn.ModuleDict(own), "output": _dense(width, width, eps)})
        self.intermediate = nn.ModuleDict({"dense": _Linear(width, shape.intermediate_size)})
        self.output = _dense(shape.intermediate_size, width, eps)
        self.heads = shape.num_attention_heads

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        rows, length, width = states.shape
        own: Any = self.attention["self"]
        query, key, value = (
            own[name](states).view(rows, length, self.heads, -1).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        states = _added(self.attention["output"], seen.transpose(1, 2).reshape(rows, length, width), states)
        return _added(self.output, functional.gelu(self.intermediate["dense"](states)), states)


def _dense(inner: int, width: int, eps: float) -> nn.ModuleDict:
    return nn.ModuleDict({"dense": _Linear(inner, width), "LayerNorm": nn.LayerNorm(width, eps=eps)})


def _added(part: Any, new: Tensor, before: Tensor) -> Tensor:
    summed: Tensor = part["LayerNorm"](part["dense"](new) + before)
    return summed


class Bert(nn.Module):
    """BERT, whose parameters have the names that transformers gives them.

    ``pooler`` says that it has the part that no embedder reads, and some adapters change.
    """

    def __init__(self, shape: BertShape, *, pooler: bool) -> None:
        super().__init__()
        width = shape.hidden_size
        self.embeddings = nn.ModuleDict(
            {
                "word_embeddings": _Embedding(shape.vocab_size, width),
                "position_embeddings": _Embedding(shape.max_position_embeddings, width),
                "token_type_embeddings": _Embedding(shape.type_vocab_size, width),
                "LayerNorm": nn.LayerNorm(width, eps=shape.layer_norm_eps),
            }
        )
        layers = nn.ModuleList(_Layer(shape) for _ in range(shape.num_hidden_layers))
        self.encoder = nn.ModuleDict({"layer": layers})
        if pooler:
            self.pooler = nn.ModuleDict({"dense": _Linear(width, width)})
        self.config = shape

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """Return the states after the last layer, then what goes into each layer, (rows, tokens, width)."""
        parts: Any = self.embeddings
        places = torch.arange(input_ids.shape[1], device=input_ids.device)[None]
        kind = torch.zeros_like(input_ids)
        states = parts["word_embeddings"](input_ids) + parts["token_type_embeddings"](kind)
        states = parts["LayerNorm"](states + parts["position_embeddings"](places))
        mask = attention_mask.bool()[:, None, None, :].expand(-1, 1, input_ids.shape[1], -1)
        passed = []
        layers: Any = self.encoder["layer"]
        for layer in layers:
            passed.append(states)
            states = layer(states, mask)
        return (states, *passed)


class Encoder:
    """A BERT with its weights, which reads rows of tokens in a few fixed shapes.

    The model is on its device, in its number format.
    """

    def __init__(self, model: Bert, layout: BertLayout, placement: Placement) -> None:
        self.model, self._layout, self._placement = model, layout, placement
        longest = layout.shape.max_position_embeddings
        usual = {length: rows for length, rows in _FEW.items() if length < longest}
        self._many = _MANY * batch_room(placement.device)
        self._few = usual | {longest: _FEW.get(longest, 2)}

    def changed(self, tensors: Mapping[str, Tensor]) -> Encoder:
        """Return an encoder with some other weights, by their names; it shares all the rest with this one."""
        with torch.device("meta"):
            model = Bert(self._layout.shape, pooler=hasattr(self.model, "pooler"))
        model.load_state_dict(self.model.state_dict() | dict(tensors), strict=True, assign=True)
        return Encoder(model.requires_grad_(False).eval(), self._layout, self._placement)

    def pooled(self, rows: Sequence[Sequence[int]]) -> Vectors:
        """Return one vector a row of tokens, pooled as the layout says, float32 and not normalised."""
        vectors = np.empty((len(rows), self._layout.shape.hidden_size), dtype=np.float32)
        for places, states, mask in self._batches(rows, bulk=True):
            pooled = _pooled(states[0], mask, self._layout.pooling)
            vectors[places] = pooled[: len(places)].float().cpu().numpy()
        return vectors

    def states(self, rows: Sequence[Sequence[int]], layers: Sequence[int]) -> list[NDArray[np.float16]]:
        """Return the states of every token of each row, those of several layers side by side.

        A row has one shape whatever is read beside it, so company changes no bit. Rows are tokens, markers
        included; layer 0 is what goes into the first one.
        """
        found: dict[int, NDArray[np.float16]] = {}
        for places, states, _ in self._batches(rows, bulk=False):
            kept = torch.cat([states[(layer + 1) % len(states)].float() for layer in layers], -1)
            whole = kept.half().cpu().numpy()
            found |= {place: whole[row, : len(rows[place])].copy() for row, place in enumerate(places)}
        return [found[place] for place in range(len(rows))]

    def _batches(
        self, rows: Sequence[Sequence[int]], *, bulk: bool
    ) -> Iterator[tuple[list[int], tuple[Tensor, ...], Tensor]]:
        """Yield places of rows, the states of their batch, and its mask; rows beyond them are filling."""
        alike: dict[int, list[int]] = {length: [] for length in self._few}
        for place, row in enumerate(rows):
            alike[next(length for length in alike if len(row) <= length)].append(place)
        for length, places in alike.items():
            first = 0
            while first < len(places):
                size, left = self._few[length], len(places) - first
                if bulk and left >= self._many * size:
                    size *= self._many
                elif bulk and left >= _MANY * size:
                    size *= _MANY
                elif bulk and left < size:
                    size = 1 << (left - 1).bit_length()
                batch = places[first : first + size]
                yield batch, *self._run([rows[place] for place in batch], size, length)
                first += size

    def _run(
        self, rows: Sequence[Sequence[int]], size: int, length: int
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        ids = np.zeros((size, length), dtype=np.int64)
        mask = np.zeros_like(ids)
        # what is left over holds a text of one token
        mask[:, 0] = 1
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
            mask[place, : len(row)] = 1
        device = self._placement.device
        there = torch.from_numpy(mask).to(device)
        with torch.inference_mode():
            return self.model(torch.from_numpy(ids).to(device), there), there


def _pooled(states: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    there = mask[..., None].to(states.dtype)
    if pooling == "cls":
        return states[:, 0]
    if pooling == "max":
        return states.masked_fill(there == 0, float("-inf")).amax(1)
    summed = (states * there).sum(1, dtype=torch.float32)
    return summed / there.sum(1, dtype=torch.float32)


@lru_cache(maxsize=2)
def load_encoder(layout: BertLayout, placement: Placement, digest: str) -> Encoder | None:
    """Return the encoder of a folder, one object for all that read it; None where its tensors are no BERT's.

    Weights with another ``digest`` are loaded anew.

    Raises:
        SafetensorError: the file is damaged.
    """
    from safetensors.torch import load_file

    stored = load_file(layout.weights)
    if any(f"encoder.layer.{layout.shape.num_hidden_layers}." in name for name in stored):
        return None  # it has more layers than it says
    for prefix in ("", "bert."):
        with torch.device("meta"):
            model = Bert(layout.shape, pooler=f"{prefix}pooler.dense.weight" in stored)
        sizes = {name: tensor.shape for name, tensor in model.state_dict().items()}
        if all(prefix + name in stored and stored[prefix + name].shape == sizes[name] for name in sizes):
            dtype = placement.torch_dtype()
            own = {name: stored[prefix + name].to(placement.device, dtype) for name in sizes}
            model.load_state_dict(own, strict=True, assign=True)
            return Encoder(model.requires_grad_(False).eval(), layout, placement)
    return None
