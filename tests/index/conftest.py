"""A domain made from texts, without files and readers."""

from types import SimpleNamespace

import numpy as np
import pytest

from hybrid.chunking import chunk_document
from hybrid.config import ChunkSettings
from hybrid.files import hash_text
from hybrid.index import Index, read_state
from hybrid.index.store import FileContent, FileState, IndexedDocument
from hybrid.index.sync import apply_update
from hybrid.testing import HashEmbedder
from hybrid.types import Document, Rejected

_CHUNKS = ChunkSettings(max_tokens=12, overlap_tokens=3, heading_tokens=4)


def _content(source, text, embedder, metadata):
    """Return what reading gives; a text that begins with "reject:" has a reason instead."""
    if text.startswith("reject:"):
        return FileContent(source, (), (Rejected(source, text),))
    document = Document(source, text, title=f"About {source}", metadata=metadata.get(source, {}))
    sized = chunk_document(document, embedder, _CHUNKS, max_tokens=64)
    chunks, tokens = tuple(s.chunk for s in sized), tuple(s.tokens for s in sized)
    return FileContent(source, (IndexedDocument(document, chunks, tokens),), ())


def _wanted(texts, limits="limits"):
    return {source: FileState(hash_text(text), limits) for source, text in texts.items()}


def _update(domain, texts, embedder=None, *, metadata=None, limits="limits", loaded=None, **options):
    """Bring a domain to {source: text}; the names of what was read are appended to ``loaded``."""
    embedder = embedder or HashEmbedder(16)

    def load(sources):
        for source in sources:
            if loaded is not None:
                loaded.append(source)
            yield _content(source, texts[source], embedder, metadata or {})

    return apply_update(
        domain, _wanted(texts, limits), load, embedder, folder="corpus", chunks=_CHUNKS, **options
    )


def _snapshot(domain, questions=("port server", "alpha", "zebra?")):
    """Return all that a reader can see: chunks, vectors bit for bit, results of both sides."""
    embedder = HashEmbedder(16)
    index = Index.open(domain)
    try:
        everything = range(index.manifest.counts.chunks)
        chunks = index.chunks(everything)
        axes = np.eye(16, dtype=np.float32)
        return {
            "documents": [index.document(source) for source in index.sources()],
            "files": read_state(domain).files,
            "rejected": index.rejected(),
            "chunks": chunks,
            "vectors": [index.cosines(axis, everything) for axis in axes],
            "dense": [index.search_dense(v, 50) for v in embedder.embed_queries(questions)] if chunks else [],
            "lexical": [index.search_lexical(question, 50) for question in questions],
            "counts": index.manifest.counts,
            "dense report": index.manifest.dense,
        }
    finally:
        index.close()


@pytest.fixture(scope="session")
def corpus():
    """corpus.update(domain, texts, embedder) and corpus.snapshot(domain)."""
    return SimpleNamespace(update=_update, snapshot=_snapshot, wanted=_wanted, chunks=_CHUNKS)


@pytest.fixture
def domain(tmp_path):
    return tmp_path / "indexes" / "manual"
