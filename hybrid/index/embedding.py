"""The contents of an index without a vector get one: a plan, its shards, and the cache of vectors."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hybrid.distributed.executors import Executor, carry_out
from hybrid.distributed.plan import BatchInput, Shard, cut, leftovers
from hybrid.index.database import VectorCache
from hybrid.index.generations import Progress, Stage
from hybrid.index.store import Store
from hybrid.models import Embedder, LazyModel
from hybrid.tracing.names import DIMENSIONS, EMBED, ITEMS, MODEL, SpanKind
from hybrid.tracing.spans import Attributes, span

# Texts of a batch: small enough that eight workers end together on a thousand pages, and an encoder's shapes
# are full.
BATCH = 256
_NAMED_FILES = 3


@dataclass(frozen=True, slots=True)
class EmbedWork:
    """Texts become unit vectors in half precision, as the cache keeps them."""

    embedder: Embedder

    @property
    def name(self) -> str:
        """Return all that decides a vector."""
        return f"embed with {self.embedder.fingerprint.line}"

    def open(self) -> Callable[[Sequence[str]], bytes]:
        """Load the weights; return what embeds a batch."""
        if isinstance(self.embedder, LazyModel):
            self.embedder.load()
        return self._embed

    def _embed(self, texts: Sequence[str]) -> bytes:
        return self.embedder.embed_documents(texts).astype("<f2").tobytes()


@dataclass(frozen=True, slots=True)
class EmbeddingDone:
    """How many contents got a vector, and which batches came to nothing: by file, what became of it."""

    count: int
    lost: dict[str, str]


def embed_missing(
    staging: Store, vectors: VectorCache, embedder: Embedder, executor: Executor, report: Progress
) -> EmbeddingDone:
    """Embed the staged contents that have no vector yet.

    Vectors go into the cache when the whole plan is done, so that the next run after a kill cuts the same
    plan and finds its shards.

    Raises:
        HybridError: the embedder cannot embed a batch, or no worker can begin; what is done is kept.
    """
    plans, work = vectors.path.parent / "plans", EmbedWork(embedder)
    plan = cut(work.name, staging.keys_without_vectors(vectors), BATCH)
    if not (plans / plan.digest[:16]).is_dir() and plans.is_dir():
        # of a run that was killed before its folder of documents changed
        for shard in leftovers(plans):
            _keep(vectors, shard, embedder.fingerprint.dimension)
        plan = cut(work.name, staging.keys_without_vectors(vectors), BATCH)
    if not plan.batches:
        return EmbeddingDone(0, {})

    def load(number: int) -> BatchInput:
        rows = staging.texts_without_vectors(number * BATCH, plan.batches[number].items)
        return BatchInput(number, tuple(key.hex() for key, _ in rows), tuple(text for _, text in rows))

    about: Attributes = {MODEL: embedder.fingerprint.name, DIMENSIONS: embedder.fingerprint.dimension}
    with span(EMBED, SpanKind.EMBEDDING, {**about, ITEMS: plan.items}):
        carried = carry_out(
            plan, plans, work, load, executor, progress=lambda done: report(Stage.EMBED, done, plan.items)
        )
    for shard in carried.shards():
        _keep(vectors, shard, embedder.fingerprint.dimension)
    lost: dict[str, str] = {}
    for batch in carried.lost:
        files = staging.files_of(map(bytes.fromhex, load(batch.number).keys))
        named = ", ".join(files[:_NAMED_FILES]) + f" and {len(files) - _NAMED_FILES} more" * (
            len(files) > _NAMED_FILES
        )
        why = (
            f"batch {batch.number} ({plan.batches[batch.number].items} chunks of {named}) was not embedded: "
        )
        lost |= dict.fromkeys(files, f"{why}{batch.why}; index again")
    shutil.rmtree(plans)
    return EmbeddingDone(plan.items - sum(plan.batches[one.number].items for one in carried.lost), lost)


def _keep(vectors: VectorCache, shard: Shard, dimension: int) -> None:
    rows = np.frombuffer(shard.body, dtype="<f2").reshape(-1, dimension).astype(np.float32)
    vectors.add([bytes.fromhex(key) for key in shard.keys], rows)
