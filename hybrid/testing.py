"""Deterministic models without weights, for tests of what is built on the package."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from hybrid.files import hash_text
from hybrid.models import EmbedderFingerprint, Generation, Vectors
from hybrid.models.dialogue import cut_at_stop, require_samples
from hybrid.types import Message, Span

_TOKEN = re.compile(r"\w+|[^\w\s]")


class HashEmbedder:
    """Embed a text as the sum of one fixed random direction a word: common words mean similar.

    Example:
        >>> HashEmbedder(dimension=8).embed_queries(["a b", "b a"]).shape
        (2, 8)
    """

    def __init__(self, dimension: int = 64, *, max_tokens: int = 64, name: str = "fake/hash") -> None:
        self._dimension = dimension
        self._max_tokens = max_tokens
        self._name = name
        self.embedded = 0

    @property
    def fingerprint(self) -> EmbedderFingerprint:
        """Return a fingerprint that depends on name and dimension."""
        return EmbedderFingerprint(self._name, f"none of {self._name}", self._dimension, "sum of words")

    @property
    def max_tokens(self) -> int:
        """Return the budget given at construction."""
        return self._max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count words and punctuation marks."""
        return [len(_TOKEN.findall(text)) for text in texts]

    def token_spans(self, text: str) -> list[Span]:
        """Return the stretch of each word or mark."""
        return [Span(match.start(), match.end()) for match in _TOKEN.finditer(text)]

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Embed, and count the texts in ``embedded``."""
        self.embedded += len(texts)
        return self._embed(texts)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Embed without counting."""
        return self._embed(texts)

    def _embed(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self._dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in _TOKEN.findall(text.lower()) or [""]:
                vectors[row] += _direction(word, self._dimension)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return vectors


class OverlapReranker:
    """Score a passage by the share of the query's words that it holds."""

    name = "fake/overlap"

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        """Return shares from 0 to 1."""
        words = set(_TOKEN.findall(query.lower()))
        found = [words & set(_TOKEN.findall(passage.lower())) for passage in passages]
        return [len(common) / max(len(words), 1) for common in found]


@dataclass
class ScriptedGenerator:
    """Answer with the given replies in turn, the last one for ever; keep what was asked.

    Sampled answers are the replies in a circle, beginning at the seed's. Of given texts the likelier one has
    more of its words in the conversation. With an adapter it answers with the replies under the adapter's
    name in ``tuned``. ``incomplete`` says of every reply why it ends before its end.
    """

    replies: Sequence[str]
    name: str = "fake/scripted"
    context_tokens: int = 2_048
    history: list[tuple[Message, ...]] = field(default_factory=list)
    judged: list[tuple[Message, ...]] = field(default_factory=list)
    sampled: list[tuple[Message, ...]] = field(default_factory=list)
    tuned: Mapping[str, Sequence[str]] = field(default_factory=dict)
    incomplete: str = ""

    def adapted(self, folder: Path, *, strength: float = 1.0) -> ScriptedGenerator:
        """Return the generator with the adapter of a folder, of which only the name counts."""
        return replace(
            self,
            replies=self.tuned.get(folder.name, self.replies),
            name=f"{self.name} + {folder.name}",
            history=[],
            judged=[],
            sampled=[],
        )

    @property
    def digest(self) -> str:
        """Return a digest of name and replies."""
        return hash_text(self.name, *self.replies)

    def count_prompt_tokens(self, messages: Sequence[Message]) -> int:
        """Count words and marks of all turns."""
        return sum(len(_TOKEN.findall(message.content)) for message in messages)

    def generate(
        self, conversations: Sequence[Sequence[Message]], *, max_new_tokens: int, stop: Sequence[str] = ()
    ) -> list[Generation]:
        """Return one reply a conversation."""
        return [self._reply(messages, stop) for messages in conversations]

    def stream(
        self, messages: Sequence[Message], *, max_new_tokens: int, stop: Sequence[str] = ()
    ) -> Iterator[str | Generation]:
        """Yield the reply word by word, and then as a whole."""
        written = self._reply(messages, stop)
        yield from [*re.findall(r"\s*\S+", written.text), written]

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
        """Return the replies from the place of the seed on, the same for every conversation."""
        require_samples(count, temperature)
        self.sampled.extend(tuple(messages) for messages in conversations)
        texts = [self.replies[(seed + number) % len(self.replies)] for number in range(count)]
        return [[self._said(text, messages, stop) for text in texts] for messages in conversations]

    def log_likelihoods(
        self, conversations: Sequence[Sequence[Message]], continuations: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """Return the sum over a text's words of log 0.9 if the conversation has the word, else log 0.1."""
        judged = self.log_probabilities(conversations, continuations)
        return [[sum(words) for words in texts] for texts in judged]

    def log_probabilities(
        self, conversations: Sequence[Sequence[Message]], continuations: Sequence[Sequence[str]]
    ) -> list[list[list[float]]]:
        """Return log 0.9 for each word that the conversation has, else log 0.1."""
        self.judged.extend(tuple(messages) for messages in conversations)
        said = [set(_words(" ".join(message.content for message in turns))) for turns in conversations]
        return [
            [[math.log(0.9 if word in there else 0.1) for word in _words(text)] for text in texts]
            for there, texts in zip(said, continuations, strict=True)
        ]

    def _reply(self, messages: Sequence[Message], stop: Sequence[str]) -> Generation:
        text = self.replies[min(len(self.history), len(self.replies) - 1)]
        self.history.append(tuple(messages))
        return self._said(text, messages, stop)

    def _said(self, text: str, messages: Sequence[Message], stop: Sequence[str]) -> Generation:
        text = cut_at_stop(text, stop).strip()
        tokens = self.count_prompt_tokens(messages), len(_TOKEN.findall(text))
        return Generation(text, *tokens, incomplete=self.incomplete)


def _words(text: str) -> list[str]:
    return _TOKEN.findall(text.lower())


def _direction(word: str, dimension: int) -> Vectors:
    seed = int.from_bytes(hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()[:8], "little")
    return np.random.default_rng(seed).standard_normal(dimension).astype(np.float32)
