"""Pairs as an embedder learns them: who is compared with whom, and how similar they should be.

Takes pairs and a model of sentence-transformers before it is trained, gives batches of neighbours, vectors of
the base and what the teacher says. Knows nothing about losses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from hybrid.adaptation.training.teaching import Listed, Teacher
from hybrid.adaptation.values import QueryPair
from hybrid.models import Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

_ENCODED = 32


@dataclass(frozen=True, slots=True)
class EmbedderSettings:
    """What there is to choose beside what all adapters have.

    ``batch`` queries are compared at once, in groups of ``neighbours`` whose passages are alike; with
    ``listed`` further passages each. ``hold`` is what general texts staying where they are weighs beside
    the ranking. ``scale`` is what cosines are multiplied with before the softmax.
    ``max_tokens`` are those of a text that training sees. ``strengths`` are tried on validation.
    """

    batch: int = 32
    neighbours: int = 4
    listed: int = 32
    hold: float = 1.0
    held_texts: int = 8
    dense_weight: float = 0.5
    scale: float = 20.0
    max_tokens: int = 192
    layers: float = 0.5
    warmup: float = 0.1
    looks: int = 4
    strengths: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0, 1.25)


class Encoder(nn.Module):
    """A sentence-transformers model whose forward pass gives unit vectors with gradients.

    Args:
        model: of sentence-transformers.
        prompts: what is put before queries and before passages.
        max_tokens: more of a text is not seen.
    """

    def __init__(self, model: SentenceTransformer, *, max_tokens: int) -> None:
        super().__init__()
        self.model = model
        prompts = model.prompts or {}
        default = prompts.get(model.default_prompt_name or "") or ""
        self.query_prompt = prompts.get("query") or default
        self.passage_prompt = prompts.get("document") or prompts.get("passage") or default
        model.max_seq_length = min(max_tokens, int(model.max_seq_length or max_tokens))

    def forward(self, groups: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """Return the vectors of each group of texts."""
        return [
            functional.normalize(self.model(dict(group))["sentence_embedding"].float(), dim=-1)
            for group in groups
        ]

    def train(self, mode: bool = True) -> Encoder:
        """Train only what is new: dropout in the base would drown the small differences that are taught."""
        super().train(mode)
        self.model.eval()
        for name, module in self.model.named_modules():
            if name.endswith("lora_dropout"):
                module.train(mode)
        return self

    def tokens(self, texts: Sequence[str], prompt: str) -> dict[str, Any]:
        """Return texts as the model takes them."""
        found = self.model.preprocess(list(texts), prompt=prompt)
        return {
            name: value.to(self.model.device) if isinstance(value, torch.Tensor) else value
            for name, value in found.items()
        }

    def encode(self, texts: Sequence[str], prompt: str) -> Vectors:
        """Return the vectors of texts, without gradients; similar lengths share a batch."""
        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        width = int(self.model.get_embedding_dimension() or 0)
        vectors = np.zeros((len(texts), width), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(order), _ENCODED):
                places = order[start : start + _ENCODED]
                (found,) = self([self.tokens([texts[place] for place in places], prompt)])
                vectors[places] = found.cpu().numpy()
        return vectors


class Lesson:
    """Pairs with all that is compared: a pool of passages, the base's vectors, and what the teacher says.

    Args:
        pairs: whose queries are asked.
        encoder: before it is trained.
        settings: how much is listed.
    """

    def __init__(self, pairs: Sequence[QueryPair], encoder: Encoder, settings: EmbedderSettings) -> None:
        self.pairs = tuple(pairs)
        negatives = [text for pair in pairs for text in pair.negatives]
        texts = dict.fromkeys([*(pair.passage for pair in pairs), *negatives])
        self.texts = tuple(texts)
        places = {text: place for place, text in enumerate(self.texts)}
        self.own = [places[pair.passage] for pair in pairs]
        self.queries = encoder.encode([pair.query for pair in pairs], encoder.query_prompt)
        self.passages = encoder.encode(self.texts, encoder.passage_prompt)
        self.teacher = Teacher(
            [pair.query for pair in pairs],
            self.texts,
            self.queries,
            self.passages,
            dense_weight=settings.dense_weight,
        )
        self.listed: Listed = self.teacher.best(settings.listed, self._same_source())

    @cached_property
    def rows_of(self) -> Mapping[int, tuple[int, ...]]:
        """Return the pairs of each passage."""
        found: dict[int, list[int]] = {}
        for row, place in enumerate(self.own):
            found.setdefault(place, []).append(row)
        return {place: tuple(rows) for place, rows in found.items()}

    def batches(self, size: int, neighbours: int, *, seed: int, epoch: int) -> list[tuple[int, ...]]:
        """Return the pairs in batches of neighbours, no document and no passage twice in one.

        What does not fill a last batch is left for another epoch, unless there is no other.
        """
        order = np.random.default_rng([seed, epoch]).permutation(len(self.pairs))
        left = dict.fromkeys(int(row) for row in order)
        batches: list[tuple[int, ...]] = []
        current: dict[str, int] = {}
        for row in order:
            for near in self._group(int(row), left, neighbours):
                unit = self._unit(near)
                if unit in current or self.own[near] in {self.own[other] for other in current.values()}:
                    continue
                current[unit] = near
                if len(current) == size:
                    batches.append(tuple(current.values()))
                    current = {}
        return batches or [tuple(current.values())]

    def _group(self, row: int, left: dict[int, None], size: int) -> Iterator[int]:
        """Yield a pair that is left and those left whose passages its teacher ranks first; take them."""
        if row not in left:
            return
        del left[row]
        yield row
        taken, units = 1, {self._unit(row)}
        for place in self.listed.places[row]:
            for near in self.rows_of.get(int(place), ()):
                if taken < size and near in left and self._unit(near) not in units:
                    del left[near]
                    units.add(self._unit(near))
                    taken += 1
                    yield near

    def _unit(self, row: int) -> str:
        return self.pairs[row].source or f"pair {row}"

    def _same_source(self) -> list[list[int]]:
        of: dict[str, set[int]] = {}
        for row, place in enumerate(self.own):
            of.setdefault(self._unit(row), set()).add(place)
        return [sorted(of[self._unit(row)]) for row in range(len(self.pairs))]
