"""Which sentence answers a question: the embedder's own weights as a cross-encoder (LoRA, Hu et al. 2022)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hybrid.models import Embedder, TokenEmbedder
from hybrid.types import Span

SHIPPED = Path(__file__).with_name("chooser")
WEIGHTS, CARD = "chooser.safetensors", "card.json"
# Tokens of the question, of the titles above a sentence, of what stands before it, and of itself.
MOST = (32, 14, 14, 44)
_BEFORE_WORDS = 10
# questions, each with what may answer it
_KNOWN = 1 << 11


@dataclass(frozen=True, slots=True)
class Offered:
    """What may answer: a sentence, the titles above it, and what stands before it or it hangs on."""

    text: str
    title: str = ""
    before: str = ""


class Tokens(Protocol):
    """What cuts texts into tokens."""

    def tokens(self, texts: Sequence[str]) -> list[tuple[list[int], list[Span]]]:
        """Return numbers and stretches of the tokens of each text, without markers and without truncation."""
        ...


@runtime_checkable
class TunableEmbedder(TokenEmbedder, Protocol):
    """An embedder whose weights other tasks may read, with a change of their own."""

    def tuned(self, change: Mapping[str, tuple[Any, Any]]) -> Any:
        """Return its encoder with low-rank changes, by the names of weights; None where it has no own one."""
        ...


class Chooser:
    """Scores what may answer a question, each read together with it.

    The encoder is a BERT with the changes in it; ``head`` are matrices and offsets of the two layers above
    the means of both parts, ``marks`` the numbers of the tokens before a text and behind it.
    """

    def __init__(
        self, encoder: Any, embedder: Tokens, head: Mapping[str, NDArray[np.float32]], marks: tuple[int, int]
    ) -> None:
        self._encoder, self._embedder, self._head, self._marks = encoder, embedder, head, marks
        self._last = (encoder.model.config.num_hidden_layers,)
        self._known = lru_cache(maxsize=_KNOWN)(self._read)

    def score(self, question: str, choices: Sequence[Offered]) -> NDArray[np.float32]:
        """Return how well each answers, shape (len(choices),); only differences mean something.

        What was read is remembered, for a question that is asked again.
        """
        return np.array(self._known(question, tuple(choices)), dtype=np.float32)

    def _read(self, question: str, choices: tuple[Offered, ...]) -> list[float]:
        if not choices:
            return []
        rows, begins = zip(*rows_of(question, choices, self._embedder, self._marks), strict=True)
        found = self._encoder.states(rows, self._last)
        means = [
            np.concatenate([states[begin:].mean(0, np.float32), states[:begin].mean(0, np.float32)])
            for states, begin in zip(found, begins, strict=True)
        ]
        # one by one: a product with them all would be rounded otherwise than with some
        return [self._above(own) for own in means]

    def _above(self, mean: NDArray[np.float32]) -> float:
        inner = self._head["h1.weight"] @ mean + self._head["h1.bias"]
        return float(self._head["h2.weight"][0] @ _gelu(inner) + self._head["h2.bias"][0])


def rows_of(
    question: str, choices: Sequence[Offered], embedder: Tokens, marks: tuple[int, int]
) -> list[tuple[list[int], int]]:
    """Return the tokens of each pair, markers included, and where its sentence begins."""
    first, last = marks
    texts = [question]
    for choice in choices:
        above_it = " ".join(choice.before.split()[-_BEFORE_WORDS:])
        texts += [f"{choice.title} . " if choice.title else "", above_it, choice.text]
    cut = iter([ids for ids, _ in embedder.tokens(texts)])
    asked = next(cut)[: MOST[0]]
    rows = []
    for title, before, own in zip(cut, cut, cut, strict=True):
        above = [first, *asked, last, *title[: MOST[1]], *before[: MOST[2]], last]
        rows.append(([*above, *own[: MOST[3]], last], len(above)))
    return rows


def load_chooser(embedder: Embedder, folder: Path = SHIPPED) -> Chooser | None:
    """Return the chooser over an embedder; None where it was made for other weights than these."""
    own: Any = embedder
    return _chooser(own, folder) if isinstance(embedder, TunableEmbedder) else None


@lru_cache(maxsize=2)
def _chooser(embedder: Any, folder: Path) -> Chooser | None:
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    if embedder.fingerprint.weights != card["encoder_digest"]:
        return None
    from safetensors.torch import load_file

    tensors = {name: tensor.float() for name, tensor in load_file(folder / WEIGHTS).items()}
    changed = [name.removesuffix(".a") for name in tensors if name.endswith(".a")]
    scale = float(card["scale"])
    encoder = embedder.tuned(
        {f"{name}.weight": (scale * tensors[f"{name}.b"], tensors[f"{name}.a"]) for name in changed}
    )
    if encoder is None:
        return None
    first, last = card["marks"]
    head = {name: tensor.numpy() for name, tensor in tensors.items() if name.startswith("h")}
    return Chooser(encoder, embedder, head, (int(first), int(last)))


def _gelu(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.array([one * (1 + math.erf(one / math.sqrt(2))) / 2 for one in x], dtype=np.float32)
