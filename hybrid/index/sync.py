"""Bring an index up to date: plan, apply, switch.

Takes the files that should be in the index and their digests, a way to get the content of some of
them, and an embedder; gives a new generation. Reads no documents and loads no model.

::

    wanted ──plan──> added, changed, removed, kept
                         │
    staging.sqlite <── content of added and changed      (resumes where a kill stopped it)
    vectors.sqlite <── vectors of contents that are new  (resumes too; a moved file costs nothing)
                         │
    generations/<new>/ store.sqlite, dense.faiss, lexical/, manifest.json last
                         │
    CURRENT <── renamed                                  (until here the old one is in force)
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hybrid.config import ChunkSettings
from hybrid.errors import IndexCorrupt, IndexMissing, UsageError
from hybrid.files import folder_lock, storage_errors
from hybrid.index.database import VectorCache
from hybrid.index.generations import (
    Manifest,
    Progress,
    Stage,
    build_generation,
    current,
    embed_missing,
    fingerprint_key,
    open_staging,
    open_store,
    prune,
    read_manifest,
    remove_staging,
    switch,
)
from hybrid.index.store import FileContent, FileState, Store
from hybrid.models import Embedder, EmbedderFingerprint
from hybrid.tracing import span

__all__ = ["Plan", "Progress", "Stage", "Update", "apply_update", "fingerprint_key", "plan_update"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What an update will do, by source; ``kept`` files are not even opened again."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    kept: tuple[str, ...]

    @property
    def nothing_to_do(self) -> bool:
        """Tell whether the index is up to date."""
        return not (self.added or self.changed or self.removed)


@dataclass(frozen=True, slots=True)
class Update:
    """What an update did: the generation now in force, and how many texts were embedded."""

    plan: Plan
    manifest: Manifest
    embedded: int


def plan_update(domain: Path, wanted: Mapping[str, FileState]) -> Plan:
    """Compare the files that should be in the index with those that are."""
    try:
        store = open_store(domain, read_manifest(domain, current(domain)))
    except IndexMissing:
        return _compare({}, wanted)
    with closing(store):
        return _compare(_effective(store), wanted)


def apply_update(
    domain: Path,
    wanted: Mapping[str, FileState],
    load: Callable[[Sequence[str]], Iterator[FileContent]],
    embedder: Embedder,
    *,
    folder: str,
    chunks: ChunkSettings,
    rebuild: bool = False,
    progress: Progress | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Update:
    """Build the generation that holds exactly the wanted files, and put it in force.

    Args:
        domain: the folder of the domain.
        wanted: source -> state of every file that should be in the index.
        load: gives the content of the named files, a file of rows in several parts.
        embedder: must be the one that built the index, unless ``rebuild``.
        folder: where the files come from, for the manifest.
        chunks: the settings with which ``load`` splits, for the manifest.
        rebuild: start from nothing; vectors of known contents are still used again.
        progress: told how far each stage is.
        now: gives the time for the manifest.

    Raises:
        IndexLocked: another process is writing this domain.
        IndexMismatch: the index was built with another embedder.
        StorageError: the disk is full; the old generation stays in force.
    """
    report = progress or (lambda stage, done, total: None)
    with folder_lock(domain), span("index.update", {"hybrid.domain": domain.name}):
        plan = _compare({}, wanted) if rebuild else plan_update(domain, wanted)
        if plan.nothing_to_do and not rebuild:
            try:
                return Update(plan, read_manifest(domain, current(domain)), 0)
            except IndexMissing:
                raise UsageError(
                    f"there is nothing to index in {folder}", hint="is it the right folder?"
                ) from None
        fingerprint = embedder.fingerprint
        with storage_errors(str(domain)):
            staging = _stage(domain, wanted, load, fingerprint, rebuild=rebuild, report=report)
            vectors = VectorCache(domain / "vectors.sqlite")
        try:
            if staging.counts().documents == 0 and not plan.removed:
                failed = "; ".join(f"{item.source}: {item.reason}" for item in staging.rejected()[:3])
                raise UsageError(f"no file of {folder} could be indexed: {failed}")
            embedded = embed_missing(staging, vectors, embedder, report)
            manifest = build_generation(
                domain,
                staging,
                vectors,
                fingerprint,
                folder=folder,
                chunks=chunks,
                report=report,
                created=now(),
            )
        finally:
            vectors.close()
            staging.close()
        switch(domain, manifest.generation)
        _clean(domain, plan)
        return Update(plan, manifest, embedded)


def _compare(have: Mapping[str, FileState], wanted: Mapping[str, FileState]) -> Plan:
    return Plan(
        added=tuple(sorted(wanted.keys() - have.keys())),
        changed=tuple(
            sorted(source for source in wanted.keys() & have.keys() if not _same(have, wanted, source))
        ),
        removed=tuple(sorted(have.keys() - wanted.keys())),
        kept=tuple(sorted(source for source in wanted.keys() & have.keys() if _same(have, wanted, source))),
    )


def _same(have: Mapping[str, FileState], wanted: Mapping[str, FileState], source: str) -> bool:
    return have[source].digest == wanted[source].digest and have[source].limits in ("", wanted[source].limits)


def _effective(store: Store) -> dict[str, FileState]:
    """Return the stored states; limits count only for files of which something was rejected."""
    failed = store.files_with_rejections()
    return {
        source: state if source in failed else FileState(state.digest, "")
        for source, state in store.file_states().items()
    }


def _stage(
    domain: Path,
    wanted: Mapping[str, FileState],
    load: Callable[[Sequence[str]], Iterator[FileContent]],
    fingerprint: EmbedderFingerprint,
    *,
    rebuild: bool,
    report: Progress,
) -> Store:
    """Bring the staging store to the wanted files, from the generation in force or a killed run."""
    key = fingerprint_key(fingerprint)
    store = open_staging(domain, f"{key} {'rebuild' if rebuild else 'update'}", empty=rebuild)
    todo = _compare(_effective(store), wanted)
    store.remove_files([*todo.removed, *todo.changed])
    missing = sorted([*todo.added, *todo.changed])
    done = 0
    for content in load(missing) if missing else ():
        store.add(content, wanted[content.source], fingerprint=key)
        if content.last:
            done += 1
            report(Stage.READ, done, len(missing))
    return store


def _clean(domain: Path, plan: Plan) -> None:
    """Remove what the switch made useless; a kill in here costs only disk until the next update."""
    remove_staging(domain)
    kept = prune(domain)
    if plan.changed or plan.removed:
        with closing(VectorCache(domain / "vectors.sqlite")) as vectors:
            vectors.keep_only(_keys(kept))


def _keys(generations: Sequence[Path]) -> Iterator[bytes]:
    for folder in generations:
        with (
            contextlib.suppress(IndexCorrupt),
            closing(Store(folder / "store.sqlite", read_only=True)) as store,
        ):
            yield from store.keys()  # of a damaged one nothing is used again
