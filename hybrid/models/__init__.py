"""Protocols of the models: embedder, reranker, generator; every object with these members will do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hybrid.types import Message, Span, TokenCounter

Vectors: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class EmbedderFingerprint:
    """What makes two embedders interchangeable: the same text gives the same vector.

    ``weights`` and ``adapter`` are digests; ``query_prefix`` and ``document_prefix`` are put before
    the texts. Number format and device are left out: they move a vector by less than rounding.
    """

    name: str
    weights: str
    dimension: int
    pooling: str
    query_prefix: str = ""
    document_prefix: str = ""
    normalised: bool = True
    adapter: str = ""

    @property
    def identity(self) -> tuple[str, ...]:
        """Return what decides the vectors: all but the name, which may be a path on another machine."""
        told = (self.weights, self.dimension, self.pooling, self.query_prefix, self.document_prefix)
        return tuple(map(str, (*told, self.normalised, self.adapter)))

    @property
    def line(self) -> str:
        """Return the identity in one line, as files of a domain name it."""
        return " ".join(self.identity)


@dataclass(frozen=True, slots=True)
class Generation:
    """What a generator wrote; token counts are those of its own tokenizer.

    ``incomplete`` says why the text ends before its end, such as "cut at 160 tokens"; empty if it does not.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    incomplete: str = ""


class Embedder(TokenCounter, Protocol):
    """Turn texts into unit vectors whose inner product is the similarity."""

    @property
    def fingerprint(self) -> EmbedderFingerprint:
        """Return what an index built with this embedder remembers."""

    @property
    def max_tokens(self) -> int:
        """Return how many tokens of a text the model sees, its prefix and special tokens excluded."""

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of shape (len(texts), dimension), float32."""

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of shape (len(texts), dimension), float32."""


@runtime_checkable
class LazyModel(Protocol):
    """What loads its weights when they are first needed, or now."""

    def load(self) -> None:
        """Load the weights, unless they are loaded."""


@runtime_checkable
class TokenEmbedder(Embedder, Protocol):
    """An embedder that also tells the states of single tokens, such as a judge of claims reads."""

    @property
    def pieces(self) -> tuple[str, ...]:
        """Return the word piece of each token, by its number."""

    def tokens(self, texts: Sequence[str]) -> list[tuple[list[int], list[Span]]]:
        """Return numbers and stretches of the tokens of each text, without markers and without truncation."""

    def states(self, rows: Sequence[Sequence[int]], layers: Sequence[int]) -> list[NDArray[np.float16]]:
        """Return the states of the tokens of each row, those of several layers side by side.

        What else is read changes no bit of them. Rows are numbers of tokens, without markers, as many as the
        model sees at most; layer 0 is what goes into the first one. Each row gives a matrix of shape (tokens,
        layers * dimension).
        """


@runtime_checkable
class Structured(Protocol):
    """What a generator has that can be held to a form of its text, as most endpoints can."""

    def structured(self, schema: Mapping[str, object]) -> Generator:
        """Return the generator held to a JSON schema, as far as it goes: who reads it is tolerant."""


class Reranker(Protocol):
    """Score how well a passage answers a query, both read together."""

    @property
    def name(self) -> str:
        """Return the name under which it was loaded."""

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        """Return one score a passage, higher is better."""


class Generator(Protocol):
    """Continue a conversation, greedily: the same prompt gives the same text; or by chance, from a seed."""

    @property
    def name(self) -> str:
        """Return the name under which it was loaded."""

    @property
    def digest(self) -> str:
        """Return what decides its words: two generators of one digest write the same."""

    @property
    def context_tokens(self) -> int:
        """Return how many tokens prompt and completion may have together."""

    def count_prompt_tokens(self, messages: Sequence[Message]) -> int:
        """Return the length of the conversation as the model receives it."""

    def generate(
        self, conversations: Sequence[Sequence[Message]], *, max_new_tokens: int, stop: Sequence[str] = ()
    ) -> list[Generation]:
        """Answer every conversation; a text ends before the first stop string."""

    def stream(
        self, messages: Sequence[Message], *, max_new_tokens: int, stop: Sequence[str] = ()
    ) -> Iterator[str | Generation]:
        """Yield the text of one answer in pieces, and at last what ``generate`` returns, with all of them."""

    def sample(
        self,
        conversations: Sequence[Sequence[Message]],
        count: int,
        *,
        max_new_tokens: int,
        temperature: float = 1.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[list[Generation]]:
        """Return for each conversation so many answers, drawn by chance.

        The first ones stay the same if more are drawn, and the same ``seed`` gives the same ones. A
        ``temperature`` of 1 takes the model as it is, less makes the likely likelier. A text ends before the
        first stop string.
        """

    def log_likelihoods(
        self, conversations: Sequence[Sequence[Message]], continuations: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """Return for each conversation how likely each of its continuations is as the answer; none is empty.

        It is the sum of the natural logarithms of the probabilities of a continuation's tokens: 0 at the
        most, higher is likelier.
        """

    def log_probabilities(
        self, conversations: Sequence[Sequence[Message]], continuations: Sequence[Sequence[str]]
    ) -> list[list[list[float]]]:
        """Return what ``log_likelihoods`` sums up: of each continuation the logarithms of its tokens."""
