"""The dense side outside of the index: a vector store that knows contents by key, and is never trusted."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np

from hybrid.errors import IndexMismatch, VectorsUnreachable
from hybrid.files import hash_text
from hybrid.index.dense import DenseIndex, Scored
from hybrid.index.generations import Manifest, content_keys, finished, open_dense, open_store, readable
from hybrid.models import Vectors
from hybrid.tracing.names import DOMAIN, ITEMS, PUBLISH
from hybrid.tracing.spans import span
from hybrid.trust import Endpoint

# Of twice as many as are wanted, enough are mostly left when those of other generations are taken out.
_SPARE, _GROWTH = 2, 4
_BLOCK = 1_024
# A seal lies where no text does; so many neighbours are looked at because a store may search approximately.
_NEAR_SEAL = 8


class ExternalStore(Protocol):
    """A vector store in another process or on another machine, of one domain.

    A key stands for the content of a chunk and the embedder that read it, so generations share what they have
    in common, and lie side by side. Neither text nor metadata go there.

    Raises:
        VectorsUnreachable: it does not answer, or refuses.
    """

    def nearest(self, vector: Vectors, k: int) -> list[str]:
        """Return the keys of the k vectors nearest by cosine; fewer only where it holds no more."""
        ...

    def add(self, keys: Sequence[str], vectors: Vectors) -> None:
        """Keep a vector for each key, in place of what it had."""
        ...

    def remove(self, keys: Sequence[str]) -> None:
        """Forget keys; one that is not there is no error."""
        ...

    def drop(self) -> None:
        """Remove the collection of the domain, which holds nothing any more; what others made, stays."""
        ...


class ExternalDense:
    """The dense side of a generation that a store searches.

    Only what the generation holds is a hit, with its exact cosine, whatever the store names: what is
    forbidden, of another generation or of somebody else makes room for the next. What a store cannot give is
    compared here, with the generation's own vectors.
    """

    def __init__(
        self,
        store: ExternalStore,
        own: DenseIndex,
        positions_of: Callable[[Sequence[str]], list[int]],
        chunks: int,
    ) -> None:
        self._store, self._own, self._positions_of, self._chunks = store, own, positions_of, chunks

    def search(self, vector: Vectors, k: int, *, among: Sequence[int] | None = None) -> list[Scored]:
        """Return the k nearest positions with their cosines, best first, see ``DenseIndex.search``."""
        allowed = self._chunks if among is None else len(among)
        k = min(k, allowed)
        if k < 1:
            return []
        wanted = _SPARE * k * self._chunks // allowed
        # few are compared here sooner than looked for among all
        while among is None or wanted < allowed:
            keys = self._store.nearest(vector, wanted)
            found: Sequence[int] = self._positions_of(keys)
            if among is not None:
                found = np.intersect1d(found, among).tolist()
            if len(found) >= k:
                return self._own.search(vector, k, among=found)
            if len(keys) < wanted or wanted >= self._chunks:
                break
            wanted *= _GROWTH
        return self._own.search(vector, k, among=among)


def require_store(manifest: Manifest, store: ExternalStore | None) -> None:
    """Refuse to search a generation without the store that has its vectors, or in one that has them not.

    Raises:
        IndexMismatch: with the command that mends it.
        VectorsUnreachable: the store does not answer.
    """
    if store is None and manifest.external:
        raise IndexMismatch(
            f"the vectors of generation {manifest.generation} are searched in a vector store, and no such "
            "store is given",
            hint="give it: set `vectors` ($HYBRID_VECTORS), or Assistant(DOMAIN, vectors=...); or "
            f"search here again: hybrid index {manifest.folder or 'FOLDER'} --rebuild",
        )
    if store is not None and not is_sealed(manifest, store):
        raise IndexMismatch(
            f"the vector store does not hold generation {manifest.generation}, which is in force",
            hint=f"write what it lacks: hybrid index {manifest.folder or 'FOLDER'}, or "
            "Assistant(DOMAIN, vectors=...).update([])",
        )


def is_sealed(manifest: Manifest, store: ExternalStore) -> bool:
    """Tell whether a store was given all vectors of a generation."""
    return seal_of(manifest) in store.nearest(_seal_vector(manifest), _NEAR_SEAL)


def publish(domain: Path, manifest: Manifest, store: ExternalStore) -> None:
    """Let a store hold the vectors of a generation: it is given those that it lacks, and a seal at last.

    Raises:
        VectorsUnreachable: the store does not answer; done again, this goes on.
    """
    if is_sealed(manifest, store):
        return
    sealed = [one.generation for one in readable(domain) if is_sealed(one, store)]
    held = set(content_keys(domain, sealed))
    with closing(open_store(domain, manifest)) as chunks:
        fresh = {key: position for position, key in enumerate(chunks.keys()) if key not in held}
    own = open_dense(domain, manifest)
    with span(PUBLISH, attributes={DOMAIN: domain.name, ITEMS: len(fresh)}):
        for block in _blocks(list(fresh)):
            store.add([key.hex() for key in block], own.vectors([fresh[key] for key in block]))
        store.add([seal_of(manifest)], _seal_vector(manifest)[None, :])


def withdraw(domain: Path, store: ExternalStore, *, keep: Container[str]) -> None:
    """Let a store forget the generations that are not kept, and the vectors that no kept one has."""
    going = [manifest for manifest in readable(domain) if manifest.generation not in keep]
    # the seals first: one that is there says that all vectors are
    store.remove([seal_of(manifest) for manifest in going if is_sealed(manifest, store)])
    kept = set(content_keys(domain, [name for name in finished(domain) if name in keep]))
    gone = set(content_keys(domain, [manifest.generation for manifest in going])) - kept
    for block in _blocks(sorted(gone)):
        store.remove([key.hex() for key in block])


@contextmanager
def answering(address: Endpoint | None = None) -> Iterator[None]:
    """Turn whatever a vector store or its client raises into one error, without the login of its address.

    Raises:
        VectorsUnreachable: something was raised.
    """
    try:
        yield
    except Exception as error:
        said = (str(error).strip().splitlines() or [""])[0]
        said = said if address is None else address.login.redact(said)
        raise VectorsUnreachable(
            f"the vector store {address + ' ' if address else ''}does not answer as it should: "
            f"{type(error).__name__}: {said}",
            hint="is it there, and its collection of as many dimensions as the embedder has?",
        ) from error


def seal_of(manifest: Manifest) -> str:
    """Return the key that only a store has which was given all of a generation."""
    # by name as well: of two that hold the same, one may be taken out
    return hash_text(manifest.generation, manifest.sha256["store.sqlite"])


def _seal_vector(manifest: Manifest) -> Vectors:
    drawn = np.random.default_rng(int(seal_of(manifest), 16)).standard_normal(manifest.embedder.dimension)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def _blocks(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (keys[start : start + _BLOCK] for start in range(0, len(keys), _BLOCK))
