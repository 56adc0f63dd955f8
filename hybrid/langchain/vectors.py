"""Any LangChain vector store as the dense side of a domain."""

from __future__ import annotations

import base64
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from hybrid.index.external import answering
from hybrid.models import Vectors

_VECTOR = "vector:"


class StoreVectors(Embeddings):
    """Let a LangChain vector store search the vectors of a domain, to which these are its embeddings.

    Of the store nothing is asked but ``add_texts``, ``delete`` and ``similarity_search``: it is given vectors
    that the domain made, each with a key for a text, and neither texts nor metadata. It needs no filters.
    ``make`` returns, given these embeddings, the store; it is called once, at the first vector. The
    collection is of one domain, holds nothing else and compares by cosine.

    Example:
        >>> vectors = StoreVectors(lambda own: QdrantVectorStore(client, "manual", own))  # doctest: +SKIP
        >>> Assistant("manual", vectors=vectors).index("docs")  # doctest: +SKIP
    """

    def __init__(self, make: Callable[[Embeddings], VectorStore]) -> None:
        self._make, self._lock = make, threading.Lock()
        self._store: VectorStore | None = None
        self._waiting: Mapping[str, list[float]] = {}
        # for a store that tries its embeddings with a text of its own
        self._any: list[float] = []

    def nearest(self, vector: Vectors, k: int) -> list[str]:
        """Return the keys of the k nearest vectors."""
        with answering():
            found = self._opened(len(vector)).similarity_search(_written(vector), k=k)
            return [document.page_content for document in found]

    def add(self, keys: Sequence[str], vectors: Vectors) -> None:
        """Keep a vector for each key."""
        with answering():
            store = self._opened(vectors.shape[1])
            self._waiting = dict(zip(keys, vectors.tolist(), strict=True))
            store.add_texts(list(keys), ids=_ids(keys))
            self._waiting = {}

    def remove(self, keys: Sequence[str]) -> None:
        """Forget keys."""
        assert self._store is not None, "what is removed was looked for"
        if keys:
            with answering():
                self._store.delete(_ids(keys))

    def drop(self) -> None:
        """Leave the collection, which whoever made the store made: LangChain has no word for that."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the vectors that wait for their keys."""
        return [self._waiting.get(text, self._any) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Return the vector that is written as a text."""
        if not text.startswith(_VECTOR):
            return self._any
        vector: list[float] = np.frombuffer(base64.b64decode(text[len(_VECTOR) :]), np.float32).tolist()
        return vector

    def _opened(self, dimension: int) -> VectorStore:
        with self._lock:
            self._any = [1.0] + [0.0] * (dimension - 1)
            if self._store is None:
                self._store = self._make(self)
            return self._store


def _written(vector: Vectors) -> str:
    return _VECTOR + base64.b64encode(vector.astype(np.float32).tobytes()).decode()


def _ids(keys: Sequence[str]) -> list[str]:
    # some stores take no other ids than these
    return [str(uuid.UUID(hex=key[:32])) for key in keys]
