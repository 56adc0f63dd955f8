"""Any LangChain vector store as the dense side of a domain."""

from __future__ import annotations

import base64
import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from hybrid.errors import VectorsUnreachable
from hybrid.models import Vectors

_VECTOR = "vector:"


class StoreVectors:
    """Let a LangChain vector store search the vectors of a domain.

    Of the store nothing is asked but ``add_texts``, ``delete`` and ``similarity_search``: it is given vectors
    that the domain made, each with a key for a text, and neither texts nor metadata. It needs no filters.

    Args:
        make: given the embeddings that hand out those vectors, returns the store. Its collection is of one
            domain and holds nothing else; it compares by cosine. Called once, at the first vector.

    Example:
        >>> vectors = StoreVectors(lambda embeddings: QdrantVectorStore(client, "manual", embeddings))
        ... # doctest: +SKIP
        >>> Assistant("manual", vectors=vectors).index("docs")  # doctest: +SKIP
    """

    def __init__(self, make: Callable[[Embeddings], VectorStore]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._opened: tuple[VectorStore, DomainVectors] | None = None

    def nearest(self, vector: Vectors, k: int) -> list[str]:
        """Return the keys of the k nearest vectors."""
        with _answering():
            store, _ = self._open(len(vector))
            return [document.page_content for document in store.similarity_search(_written(vector), k=k)]

    def add(self, keys: Sequence[str], vectors: Vectors) -> None:
        """Keep a vector for each key."""
        with _answering():
            store, embeddings = self._open(vectors.shape[1])
            embeddings.waiting = dict(zip(keys, vectors.tolist(), strict=True))
            store.add_texts(list(keys), ids=_ids(keys))
            embeddings.waiting = {}

    def remove(self, keys: Sequence[str]) -> None:
        """Forget keys."""
        assert self._opened is not None, "what is removed was looked for"
        if keys:
            with _answering():
                self._opened[0].delete(_ids(keys))

    def _open(self, dimension: int) -> tuple[VectorStore, DomainVectors]:
        with self._lock:
            if self._opened is None:
                embeddings = DomainVectors(dimension)
                self._opened = self._make(embeddings), embeddings
            return self._opened


class DomainVectors(Embeddings):
    """Hand out vectors that are there: those that wait for their keys, and a question that is written as one.

    A store that tries its embeddings with a text of its own gets a vector of the right length.
    """

    def __init__(self, dimension: int) -> None:
        self.waiting: Mapping[str, list[float]] = {}
        self._any = [1.0] + [0.0] * (dimension - 1)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the vectors of keys."""
        return [self.waiting.get(text, self._any) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Return the vector that a text is."""
        if not text.startswith(_VECTOR):
            return self._any
        vector: list[float] = np.frombuffer(base64.b64decode(text[len(_VECTOR) :]), np.float32).tolist()
        return vector


def _written(vector: Vectors) -> str:
    return _VECTOR + base64.b64encode(vector.astype(np.float32).tobytes()).decode()


def _ids(keys: Sequence[str]) -> list[str]:
    # some stores take no other ids than these
    return [str(uuid.UUID(hex=key[:32])) for key in keys]


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        said = (str(error).strip().splitlines() or [""])[0]
        raise VectorsUnreachable(
            f"the vector store does not answer as it should: {type(error).__name__}: {said}",
            hint="is it there, and its collection of as many dimensions as the embedder has?",
        ) from error
