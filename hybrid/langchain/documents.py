"""LangChain's documents: found in a domain, kept in its index beside the files; its stores as dense side."""

from __future__ import annotations

import base64
import json
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document as LangChainDocument
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore
from langchain_core.vectorstores.utils import maximal_marginal_relevance

from hybrid.assistant import Assistant
from hybrid.errors import IndexMissing, UsageError
from hybrid.index.external import answering
from hybrid.models import Embedder, Vectors
from hybrid.types import Arm, Asker, Document, Hit, Where, principals_of

_SOURCE = "langchain:"
# An added document keeps its metadata whole under this key, and what can be filtered by as texts beside it.
_METADATA = "langchain"
# Two texts of one wording are two documents, and nothing but the cosine orders them.
_BY_COSINE = f"{Arm.RAG}:mode=dense:duplicate_overlap=1"
_WAITING = 1_000


class HybridRetriever(BaseRetriever):
    """Find the passages of a domain.

    Args:
        assistant: the domain.
        arm: the one whose hits they are, such as ``"rag:mode=dense"``.
        k: how many, instead of what the arm says; ``invoke(question, k=3)`` wins over it.
        where: conditions on the documents, such as ``{"source": "guide/*"}``.
        as_user: who asks, and the groups of that user; only what one of them may read is found.

    Example:
        >>> HybridRetriever(assistant=Assistant("manual"), k=3).invoke("Which port?")  # doctest: +SKIP
    """

    assistant: Assistant
    arm: str = Arm.RAG.value
    k: int | None = None
    where: dict[str, str] | None = None
    as_user: str | list[str] | None = None

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[LangChainDocument]:
        wanted = self.k if k is None else k
        arm = self.arm if wanted is None else f"{self.arm}:k={wanted}"
        hits = self.assistant.search(query, arm=arm, where=self.where, as_user=self.as_user)
        return [_found(hit) for hit in hits]


class HybridEmbeddings(Embeddings):
    """Embed texts as a domain does: its model, its adapter, its prefixes.

    Example:
        >>> HybridEmbeddings(Assistant("manual").embedder).embed_query("Which port?")  # doctest: +SKIP
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a unit vector for each text."""
        return [[float(value) for value in vector] for vector in self.embedder.embed_documents(texts)]

    def embed_query(self, text: str) -> list[float]:
        """Return the unit vector of a question."""
        return [float(value) for value in self.embedder.embed_queries([text])[0]]


class HybridVectorStore(VectorStore):
    """Keep LangChain's documents in the index of a domain, beside the files that were indexed.

    A text becomes a document with the source ``langchain:<id>``, which searching and asking find like any
    other; ``hybrid index`` leaves it in place. What is added or deleted waits in memory, so that many calls
    make one generation of the index: it is written by ``persist``, at the end of ``with``, by the next read,
    and as soon as 1,000 changes wait.

    Only added documents are found here. Scores are cosines.

    Args:
        assistant: the domain; it need not have an index yet.
        as_user: who reads, and the groups of that user.
        principals: who may read what is added here; without it what is added has no rule.

    Example:
        >>> with HybridVectorStore(Assistant("notes")) as store:  # doctest: +SKIP
        ...     store.add_texts(["The port is 5432."], [{"page": 3}], ids=["port"])
    """

    def __init__(
        self, assistant: Assistant, *, as_user: Asker = None, principals: Sequence[str] | None = None
    ) -> None:
        self.assistant, self.as_user = assistant, as_user
        self._principals = None if principals is None else tuple(principals)
        self._waiting: dict[str, Document | None] = {}
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.persist()

    @property
    def embeddings(self) -> HybridEmbeddings:
        """Return the embeddings of the domain."""
        return HybridEmbeddings(self.assistant.embedder)

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        assistant: Assistant | None = None,
        **kwargs: Any,
    ) -> Self:
        """Add texts to a domain and write them.

        ``embedding`` is that of the domain ``assistant``, which has to be named; there are no ``kwargs``.

        Raises:
            UsageError: no domain, or embeddings that are not the domain's.
        """
        refuse(kwargs)
        if assistant is None:
            raise UsageError("no domain to add the texts to", hint="name it: assistant=Assistant('notes')")
        own = assistant.embedder.fingerprint
        if not isinstance(embedding, HybridEmbeddings) or embedding.embedder.fingerprint != own:
            raise UsageError(
                f"{type(embedding).__name__} are not the embeddings of the domain {assistant.domain!r}",
                hint="give HybridEmbeddings(assistant.embedder)",
            )
        with cls(assistant) as store:
            store.add_texts(texts, metadatas, ids=ids)
        return store

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        batch_size: int = 0,
        **kwargs: Any,
    ) -> list[str]:
        """Add texts, or replace those of the same ids; they are written later, see the class.

        ``metadatas`` are of values that JSON can hold; an id is made for None. ``batch_size`` is how many
        LangChain's ``index`` would send at once; here they wait all the same. There are no ``kwargs``.

        Returns:
            The ids.

        Raises:
            UsageError: another number of metadatas or ids than of texts, or values that JSON cannot hold.
        """
        texts = list(texts)
        values = [{} for _ in texts] if metadatas is None else metadatas
        names = [str(uuid.uuid4()) if name is None else name for name in ids or [None] * len(texts)]
        refuse(kwargs)
        if not len(texts) == len(values) == len(names):
            raise UsageError(
                f"{len(texts)} texts, {len(values)} metadatas and {len(names)} ids",
                hint="give as many of each",
            )
        self._change(
            {
                name: Document(_SOURCE + name, text, metadata=_stored(value), principals=self._principals)
                for name, text, value in zip(names, texts, values, strict=True)
            }
        )
        return names

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Take documents out; an id that is not there is no error, and without ids nothing is deleted."""
        self._change(dict.fromkeys(ids or ()))
        return True

    def persist(self) -> None:
        """Write what waits, as one generation of the index."""
        with self._lock:
            changes = self._waiting
            new = [document for document in changes.values() if document is not None]
            gone = [_SOURCE + name for name, document in changes.items() if document is None]
            if new or (gone and self._holds_any(gone)):
                self.assistant.update(new, removed=gone)
            self._waiting = {}

    def get_by_ids(self, ids: Sequence[str], /) -> list[LangChainDocument]:
        """Return the documents of these ids that there are, whole."""
        self.persist()
        try:
            index = self.assistant.retriever.index
        except IndexMissing:  # nothing was added yet
            return []
        self.assistant.asked.require_user(self.as_user)
        asking = principals_of(self.as_user)
        found = [index.document(_SOURCE + name) for name in ids]
        return [
            _document(one.source, one.text, one.metadata)
            for one in found
            if one is not None and (asking is None or set(asking).intersection(one.principals or ()))
        ]

    def similarity_search(
        self, query: str, k: int = 4, *, where: Where = None, **kwargs: Any
    ) -> list[LangChainDocument]:
        """Return the k documents nearest to a question, best first.

        ``where`` are conditions on the metadata, such as ``{"page": "3"}``, met before k is filled.
        """
        return [
            document for document, _ in self.similarity_search_with_score(query, k, where=where, **kwargs)
        ]

    def similarity_search_with_score(
        self, query: str, k: int = 4, *, where: Where = None, **kwargs: Any
    ) -> list[tuple[LangChainDocument, float]]:
        """Return the same with their cosines, from −1 to 1."""
        refuse(kwargs)
        self.persist()
        added = dict(where or {}) | {"source": f"{_SOURCE}*"}
        try:
            hits = self.assistant.search(query, arm=f"{_BY_COSINE}:k={k}", where=added, as_user=self.as_user)
        except IndexMissing:  # nothing was added yet
            return []
        return [(_found(hit), hit.dense or 0.0) for hit in hits]

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[LangChainDocument]:
        """Return, of the ``fetch_k`` nearest, k that are unlike one another (Carbonell & Goldstein 1998)."""
        found = self.similarity_search(query, max(k, fetch_k), **kwargs)
        own = self.assistant.embedder
        texts = list(own.embed_documents([document.page_content for document in found])) if found else []
        asked = own.embed_queries([query])[0]
        return [found[place] for place in maximal_marginal_relevance(asked, texts, lambda_mult, k)]

    def _select_relevance_score_fn(self) -> Any:
        # a cosine below zero is as far from a question as can be
        return lambda cosine: min(max(cosine, 0.0), 1.0)

    def _change(self, changes: Mapping[str, Document | None]) -> None:
        with self._lock:
            self._waiting |= changes
            if len(self._waiting) >= _WAITING:
                self.persist()

    def _holds_any(self, sources: Sequence[str]) -> bool:
        try:
            index = self.assistant.retriever.index
        except IndexMissing:
            return False
        return any(index.document(source) is not None for source in sources)


def refuse(options: Mapping[str, object]) -> None:
    """Refuse what other models and stores know and this one would not follow."""
    if options:
        raise UsageError(
            f"options without an effect here: {', '.join(options)}",
            hint="what an arm does stands in its name, such as rag:k=3; what is searched, in where={...}",
        )


def _found(hit: Hit) -> LangChainDocument:
    chunk = hit.chunk
    if chunk.source.startswith(_SOURCE):
        return _document(chunk.source, chunk.text, chunk.metadata)
    place = {
        "source": chunk.source,
        "start_index": chunk.start,
        "end_index": chunk.end,
        "page": chunk.page,
        "headings": list(chunk.headings),
        "score": hit.score,
    }
    identity = f"{chunk.source}#{chunk.ordinal}"
    return LangChainDocument(id=identity, page_content=chunk.text, metadata=dict(chunk.metadata) | place)


def _document(source: str, text: str, stored: Mapping[str, str]) -> LangChainDocument:
    """Return an added document as it was given."""
    metadata = json.loads(stored[_METADATA])
    return LangChainDocument(id=source.removeprefix(_SOURCE), page_content=text, metadata=metadata)


def _stored(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return the metadata of a document as texts."""
    try:
        whole = json.dumps(metadata, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"metadata that JSON cannot hold: {error}", hint="give plain values") from error
    plain = {key: str(value) for key, value in metadata.items() if isinstance(value, str | int | float)}
    return plain | {_METADATA: whole}


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
