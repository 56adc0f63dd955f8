"""The only door to what lies on disk for a domain: one generation of its index, open for reading."""

from __future__ import annotations

import shutil
from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hybrid.changes import Switched, record
from hybrid.errors import IndexCorrupt, IndexMismatch, IndexMissing, UsageError
from hybrid.files import REPAIR, folder_lock, verify_checksum
from hybrid.index.dense import DenseIndex, Scored
from hybrid.index.external import ExternalDense, ExternalStore, publish, require_store, withdraw
from hybrid.index.generations import (
    Manifest,
    current,
    domains,
    finished,
    folder_of,
    is_restricted,
    open_dense,
    open_store,
    previous,
    read_manifest,
    switch,
)
from hybrid.index.lexical import TantivyIndex
from hybrid.index.store import FileState, Store
from hybrid.index.sync import generation_for
from hybrid.models import EmbedderFingerprint, Vectors
from hybrid.text.abbreviations import Explained, explained, keys_of
from hybrid.types import Chunk, LeftOut, Rejected

__all__ = [
    "ExternalStore",
    "Index",
    "IndexState",
    "Kept",
    "Manifest",
    "Scored",
    "domains",
    "is_restricted",
    "read_kept",
    "read_state",
    "remove_domain",
    "require_embedder",
    "require_store",
    "rollback",
]

# So many filters are remembered, 4 bytes a chunk that each lets through.
_ALLOWED = 8
# So many chunks at the most, some 10 MB.
_CHUNKS = 1 << 12


@dataclass(frozen=True, slots=True)
class IndexState:
    """What a generation holds, read without opening its vectors or words."""

    manifest: Manifest
    files: Mapping[str, FileState]
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """By file, how many characters its documents have together, and what they lack of it."""

    characters: Mapping[str, int]
    left_out: Mapping[str, tuple[LeftOut, ...]]


def read_state(domain: Path) -> IndexState:
    """Return what the generation in force holds.

    Raises:
        IndexMissing: the domain has none.
    """
    generation = current(domain)
    manifest = read_manifest(domain, generation)
    with closing(open_store(domain, manifest)) as store:
        return IndexState(manifest, store.file_states(), tuple(store.rejected()))


def read_kept(domain: Path) -> Kept:
    """Return what the generation in force has of its files; the text of every document is measured for it.

    Raises:
        IndexMissing: nothing was indexed yet.
    """
    with closing(open_store(domain, read_manifest(domain, current(domain)))) as store:
        return Kept(store.characters(), store.left_out())


def require_embedder(manifest: Manifest, fingerprint: EmbedderFingerprint) -> None:
    """Refuse an embedder whose vectors cannot be compared with those of the index.

    Raises:
        IndexMismatch: with what differs, and the command that repairs it.
    """
    built = manifest.embedder
    if built.identity == fingerprint.identity:
        return
    differ = [
        f"{name} {getattr(built, name)!r} is now {getattr(fingerprint, name)!r}"
        for name in built.__slots__
        if getattr(built, name) != getattr(fingerprint, name)
    ]
    raise IndexMismatch(
        f"the index was built with another embedder: {'; '.join(differ)}",
        hint=f"rebuild with `hybrid index {manifest.folder} --rebuild`, "
        f"or set models.embedder = {built.name!r}",
    )


class Index:
    """One generation of a domain, open for reading.

    Args:
        domain: its folder.
        generation: by name.
        external: the vector store that searches its vectors, instead of a file of the generation.

    Example:
        >>> index = Index.open(Path("indexes/manual"))  # doctest: +SKIP
        >>> index.manifest.counts.chunks                # doctest: +SKIP
        1208
    """

    def __init__(self, domain: Path, generation: str, *, external: ExternalStore | None = None) -> None:
        self.manifest: Manifest = read_manifest(domain, generation)
        self.folder = folder_of(domain, generation)
        for name, checksum in self.manifest.sha256.items():
            if name not in ("store.sqlite", "dense.faiss"):  # verified where they are opened
                verify_checksum(self.folder / name, checksum)
        self._vectors = open_dense(domain, self.manifest)
        self._lexical = TantivyIndex(self.folder / "lexical")
        self._store: Store = open_store(domain, self.manifest)
        # what it alone knows it is asked itself
        self.document, self.documents_at = self._store.document, self._store.documents_at
        self.sources, self.titles, self.glossary = (
            self._store.sources,
            self._store.titles,
            self._store.meanings,
        )
        self.left_out, self.rejected = self._store.left_out, self._store.rejected
        self.characters = self._store.characters
        self._allowed: dict[tuple[object, ...], Sequence[int]] = {}
        self._chunks: dict[int, Chunk] = {}
        self._dense: DenseIndex | ExternalDense = (
            self._vectors
            if external is None
            else ExternalDense(external, self._vectors, self._store.positions_of, self.manifest.counts.chunks)
        )

    @classmethod
    def open(cls, domain: Path) -> Index:
        """Open the generation in force.

        Raises:
            IndexMissing: the domain has none.
            IndexCorrupt: a file is not the one that was built.
        """
        return cls(domain, current(domain))

    @classmethod
    def built_with(cls, domain: Path, fingerprint: EmbedderFingerprint) -> Index:
        """Open the generation that an embedder made of what is in force, whether it is in force or not.

        Raises:
            IndexMissing: there is none.
        """
        generation = generation_for(domain, fingerprint)
        if generation is None:
            raise IndexMissing(
                f"the domain {domain.name!r} is not embedded with this embedder "
                f"(adapter {fingerprint.adapter[:12] or 'none'}…), or was not since its documents changed",
                hint="`hybrid adapters check NAME` embeds it",
            )
        return cls(domain, generation)

    def close(self) -> None:
        """Close the files."""
        self._store.close()

    def search_dense(self, vector: Vectors, k: int, *, among: Sequence[int] | None = None) -> list[Scored]:
        """Return the k positions nearest to a query vector, with cosines."""
        return self._dense.search(vector, k, among=among)

    def search_lexical(
        self, text: str, k: int, *, among: Sequence[int] | None = None, explained: Sequence[Explained] = ()
    ) -> list[Scored]:
        """Return the k positions that match the words of a question best, with BM25 scores."""
        found = self._lexical.search(text, k, among=among, explained=explained)
        if any(hit.position >= self.manifest.counts.chunks for hit in found):
            raise IndexCorrupt(
                f"{self.folder / 'lexical'} is of another index: it has more places", hint=REPAIR
            )
        return found

    def word_shares(self, text: str, *, among: Sequence[int] | None = None) -> dict[str, float]:
        """Return for each term of a text the share of the chunks that have it, from 0 to 1."""
        return self._lexical.word_shares(text, among=among)

    def cosines(self, vector: Vectors, positions: Sequence[int]) -> list[float]:
        """Return the cosine of a query vector with each position."""
        return [float(value) for value in self._vectors.vectors(positions) @ vector]

    def positions_where(
        self, where: Mapping[str, str], *, principals: Sequence[str] | None = None
    ) -> Sequence[int]:
        """Return the positions of the chunks that match every condition, and that one of them may read."""
        asked = (tuple(sorted(where.items())), None if principals is None else tuple(sorted(principals)))
        if (known := self._allowed.get(asked)) is None:
            known = array("i", self._store.positions_where(where, principals=principals))
            # nothing of a generation ever changes; a list of numbers would take nine times the memory
            while len(self._allowed) >= _ALLOWED:
                self._allowed.pop(next(iter(self._allowed), asked), None)
            self._allowed[asked] = known
        return known

    def chunks(self, positions: Sequence[int]) -> list[Chunk]:
        """Return the chunks at the positions, in the order asked for; the last ones are remembered."""
        held = self._chunks if len(self._chunks) <= _CHUNKS else {}
        fresh = [place for place in positions if place not in held]
        held |= zip(fresh, self._store.chunks(fresh) if fresh else (), strict=True)
        self._chunks = held
        return [held[place] for place in positions]

    def explained(self, question: str, *, principals: Sequence[str] | None = None) -> list[Explained]:
        """Return what words of a question stand for, as documents say that one of the principals may read."""
        keys = list(dict.fromkeys(key for key, _, _ in keys_of(question)))
        return explained(question, self._store.meanings(keys, principals=principals))

    def page_at(self, source: str, offset: int) -> int | None:
        """Return the page of a document on which a character stands, from 1; None where it has no pages."""
        return bisect_right(self._store.pages(source), offset) or None

    def verify(self) -> None:
        """Check every file against the manifest.

        Raises:
            IndexCorrupt: a file is missing or changed.
        """
        for name, checksum in self.manifest.sha256.items():
            verify_checksum(self.folder / name, checksum)


def rollback(domain: Path, external: ExternalStore | None = None, *, to: str = "") -> Manifest:
    """Put the generation before the one in force back in force, with who might read what then.

    Args:
        domain: its folder.
        external: the vector store of the domain; it is given what it lacks of that generation.
        to: another whole generation than that.

    Raises:
        IndexMissing: there is none.
        IndexCorrupt: a file of it changed since it was built.
        UsageError: it is from before the domain was restricted, so it would be open to all.
    """
    with folder_lock(domain):
        if to and to not in finished(domain):
            raise IndexMissing(
                f"there is no generation {to!r}", hint=f"there are: {', '.join(finished(domain))}"
            )
        older = Index(domain, to or previous(domain))
        older.verify()
        older.close()
        if is_restricted(domain) and not older.manifest.restricted:
            raise UsageError(
                f"in generation {older.manifest.generation} no document says who may read it, so all could",
                hint="index again instead, or remove the whole domain with: hybrid remove --all",
            )
        if external is not None:
            publish(domain, older.manifest, external)
        switch(domain, older.manifest.generation)
        return older.manifest


def remove_domain(domain: Path, external: ExternalStore | None = None) -> None:
    """Remove a domain with all that belongs to it, also from the vector store that it has."""
    in_force = current(domain)
    with folder_lock(domain):
        if external is not None:
            withdraw(domain, external, keep=())
            external.drop()
        record(domain, Switched.GENERATION, in_force, "", why="the domain was removed")
        (domain / "CURRENT").unlink()
    shutil.rmtree(domain)
