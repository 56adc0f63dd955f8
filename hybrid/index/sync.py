"""An index brought up to date (plan, apply, switch), or given the vectors of another embedder."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hybrid.config import ChunkSettings
from hybrid.distributed.executors import SERIAL, Executor
from hybrid.errors import IndexError_, IndexLocked, IndexMismatch, IndexMissing, ModelError, UsageError
from hybrid.files import folder_lock, storage_errors
from hybrid.index.database import VectorCache
from hybrid.index.embedding import embed_missing
from hybrid.index.external import ExternalStore, publish, require_store, withdraw
from hybrid.index.generations import (
    Manifest,
    Progress,
    Stage,
    build_generation,
    content_keys,
    current,
    fingerprint_key,
    finished,
    folder_of,
    kept_generations,
    open_staging,
    open_store,
    prune,
    read_manifest,
    readable,
    remove_staging,
    same_base,
    switch,
)
from hybrid.index.store import NO_FILE, SCHEMA_VERSION, FileContent, FileState, Store
from hybrid.models import Embedder, EmbedderFingerprint
from hybrid.tracing.names import DOMAIN, INDEX, REEMBED
from hybrid.tracing.spans import span
from hybrid.types import Rejected

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


def plan_update(domain: Path, wanted: Mapping[str, FileState], *, rebuild: bool = False) -> Plan:
    """Compare the files that should be in the index with those that are; a rebuild adds all of them anew."""
    try:
        with closing(open_store(domain, read_manifest(domain, current(domain)))) as store:
            have = _effective(store)
    except IndexError_ as error:
        if not rebuild and not isinstance(error, IndexMissing):
            raise
        have = {}  # a rebuild mends what is damaged
    plan = _compare(have, wanted)
    return Plan(tuple(sorted(wanted)), (), plan.removed, ()) if rebuild else plan


def apply_update(
    domain: Path,
    wanted: Mapping[str, FileState],
    load: Callable[[Sequence[str]], Iterator[FileContent]],
    embedder: Embedder,
    *,
    folder: str,
    chunks: ChunkSettings,
    over: str | None = None,
    required: str = "",
    rebuild: bool = False,
    external: ExternalStore | None = None,
    executor: Executor = SERIAL,
    progress: Progress | None = None,
) -> Update:
    """Build the generation that holds exactly the wanted files, and put it in force.

    Args:
        domain: the folder of the domain.
        wanted: source -> state of every file that should be in the index.
        load: gives the content of the named files, a file of rows in several parts.
        embedder: must be the one that built the index, unless ``rebuild``.
        folder: where the files come from, for the manifest.
        chunks: the settings with which ``load`` splits, for the manifest.
        over: the generation that ``wanted`` was made from, empty if there was none; another one in force by
            now is not undone but an error.
        required: the source of a file without which nothing is built.
        rebuild: start from nothing; vectors of known contents are still used again.
        external: the vector store that is to search the vectors; it has them all before the generation is in
            force. It stays that of the domain until a rebuild without it.
        executor: who embeds; files of a batch that killed its worker twice are rejected, and tried again by
            the next update.
        progress: told how far each stage is.

    Raises:
        UsageError: nothing can be indexed, or not what is required.
        IndexLocked: another process is writing this domain, or has written it meanwhile.
        IndexMismatch: the index was built with another embedder, or its vector store is not given.
        StorageError: the disk is full; the old generation stays in force.
        VectorsUnreachable: the vector store does not answer; likewise.
    """
    report = progress or (lambda stage, done, total: None)
    with folder_lock(domain), span(INDEX, attributes={DOMAIN: domain.name}):
        if over is not None:
            _require_in_force(domain, over)
            remove_staging(domain)  # a killed run may have staged what nothing here can load
        plan = plan_update(domain, wanted, rebuild=rebuild)
        if not rebuild and (there := _in_place(domain, plan, external, folder)) is not None:
            return Update(plan, there, 0)
        fingerprint = embedder.fingerprint
        if external is not None:  # one that is away is known before hours of embedding, not after
            external.nearest(np.eye(1, fingerprint.dimension, dtype=np.float32)[0], 1)
        with storage_errors(str(domain)):
            staging = _stage(domain, wanted, load, fingerprint, rebuild=rebuild, report=report)
            vectors = VectorCache(domain / "vectors.sqlite")
        with closing(staging), closing(vectors):
            # files that cannot be read must not empty an index by the way
            if staging.counts().documents == 0 and not (plan.removed and (rebuild or not wanted)):
                failed = "; ".join(f"{item.source}: {item.reason}" for item in staging.rejected()[:3])
                stays = f"what is indexed stays; hybrid remove --all --domain {domain.name} takes it out"
                raise UsageError(
                    f"no file of {folder} could be indexed: {failed}",
                    hint=stays if plan.changed or plan.removed else "",
                )
            embedded = embed_missing(staging, vectors, embedder, executor, report)
            _reject(staging, wanted, embedded.lost)
            _require_there(staging, required)
            manifest = build_generation(
                domain,
                staging,
                vectors,
                fingerprint,
                folder=folder,
                chunks=chunks,
                external=external is not None,
                report=report,
            )
        if external is not None:
            _give(domain, manifest, external)
        switch(domain, manifest.generation)
        _clean(domain, plan, external)
        return Update(plan, manifest, embedded.count)


def _require_in_force(domain: Path, generation: str) -> None:
    try:
        now = current(domain)
    except IndexMissing:
        now = ""
    if now != generation:
        raise IndexLocked(f"another process wrote {domain} meanwhile", hint="do it once more")


def _in_place(domain: Path, plan: Plan, external: ExternalStore | None, folder: str) -> Manifest | None:
    """Return what is in force where nothing is to be built, its vectors where they are to be searched."""
    try:
        manifest = read_manifest(domain, current(domain))
    except IndexMissing:
        if plan.nothing_to_do:
            raise UsageError(
                f"there is nothing to index in {folder}", hint="is it the right folder?"
            ) from None
        return None
    if external is None:
        require_store(manifest, None)
    # a folder that was moved is known by its new place from the next generation on, and one of an earlier
    # format gets what that lacks
    same = manifest.folder == folder and manifest.schema_version == SCHEMA_VERSION
    if not plan.nothing_to_do or manifest.external is (external is None) or not same:
        return None
    if external is not None:
        publish(domain, manifest, external)
    return manifest


def _give(domain: Path, manifest: Manifest, external: ExternalStore) -> None:
    try:
        publish(domain, manifest, external)
    except BaseException:
        # tried again and again while a store is away, it would fill the disk
        shutil.rmtree(folder_of(domain, manifest.generation), ignore_errors=True)
        raise


def _compare(have: Mapping[str, FileState], wanted: Mapping[str, FileState]) -> Plan:
    both = sorted(wanted.keys() & have.keys())
    kept = [
        source
        for source in both
        if have[source].digest == wanted[source].digest and have[source].limits in ("", wanted[source].limits)
    ]
    added, removed = sorted(wanted.keys() - have.keys()), sorted(have.keys() - wanted.keys())
    return Plan(tuple(added), tuple(sorted(set(both) - set(kept))), tuple(removed), tuple(kept))


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


def _reject(staging: Store, wanted: Mapping[str, FileState], lost: Mapping[str, str]) -> None:
    """Take out files whose chunks were not embedded, with the reason; the next update reads them again."""
    staging.remove_files(lost)
    for source, why in lost.items():
        if wanted[source].limits == NO_FILE:
            raise ModelError(
                f"{source}: {why}", hint="it is of no file, and would be lost: the index in force stays"
            )
        rejected = FileContent(source, (), (Rejected(source, why),), changed=True)
        staging.add(rejected, wanted[source], fingerprint="")
    if lost and staging.counts().documents == 0:
        raise ModelError(f"nothing could be embedded: {next(iter(lost.values()))}")


def _require_there(staging: Store, source: str) -> None:
    if source and source not in staging.characters():
        why = next((one.reason for one in staging.rejected() if one.source == source), "it is empty")
        name = source.rpartition("/")[2]
        raise UsageError(f"{name} is not indexed: {why}", hint="mend the file and upload it again")


def _clean(domain: Path, plan: Plan, external: ExternalStore | None) -> None:
    """Remove what the switch made useless; a kill in here costs only disk until the next update."""
    remove_staging(domain)
    keep = kept_generations(domain)
    if external is not None:
        withdraw(domain, external, keep=keep)
    prune(domain, keep)
    if plan.changed or plan.removed:
        with closing(VectorCache(domain / "vectors.sqlite")) as vectors:
            vectors.keep_only(content_keys(domain, finished(domain)))


def generation_for(domain: Path, fingerprint: EmbedderFingerprint) -> str | None:
    """Return the latest generation with what is in force, embedded by this embedder; None if there is none.

    A generation of an earlier state of the documents is none: what it finds is not what is there now.

    Raises:
        IndexMissing: the domain has no index.
    """
    now = current(domain)
    if read_manifest(domain, now).embedder.identity == fingerprint.identity:
        return now
    held = _files(domain, now)
    for manifest in reversed(list(readable(domain))):
        if manifest.embedder.identity == fingerprint.identity:
            with contextlib.suppress(IndexError_):  # its store is damaged
                if _files(domain, manifest.generation) == held:
                    return manifest.generation
    return None


def reembed(domain: Path, embedder: Embedder, *, progress: Progress | None = None) -> Manifest:
    """Build a generation with the chunks in force and the vectors of another embedder, unless there is one.

    A run that was killed is resumed from the vectors that it left; the generation in force answers all the
    time. Of documents that were embedded before, nothing is embedded again.

    Args:
        domain: the folder of the domain.
        embedder: the one in force with another adapter, or without one.
        progress: told how far each stage is.

    Raises:
        IndexMissing: the domain has no index.
        IndexMismatch: the embedder would split the documents into other chunks.
        IndexLocked: another process is writing the domain.
        StorageError: the disk is full.
    """
    report = progress or (lambda stage, done, total: None)
    fingerprint = embedder.fingerprint
    with folder_lock(domain), span(REEMBED, attributes={DOMAIN: domain.name}):
        source = read_manifest(domain, current(domain))
        if (there := generation_for(domain, fingerprint)) is not None:
            return read_manifest(domain, there)
        if not same_base(source.embedder, fingerprint):
            raise IndexMismatch(
                f"the index was built with {source.embedder.name!r}, and {fingerprint.name!r} is another "
                "model, not the same one with an adapter",
                hint=f"rebuild with: hybrid index {source.folder} --rebuild",
            )
        key = fingerprint_key(fingerprint)
        with storage_errors(str(domain)):
            staging = open_staging(domain, f"{key} of {source.generation}", empty=False)
            vectors = VectorCache(domain / "vectors.sqlite")
        with closing(staging), closing(vectors):
            staging.rekey(key)
            embed_missing(staging, vectors, embedder, SERIAL, report)
            manifest = build_generation(
                domain,
                staging,
                vectors,
                fingerprint,
                folder=source.folder,
                chunks=source.chunks,
                external=source.external,
                report=report,
            )
        remove_staging(domain)
        return manifest


def put_in_force(domain: Path, fingerprint: EmbedderFingerprint) -> Manifest:
    """Switch to the generation of this embedder; ``hybrid rollback`` goes back.

    Raises:
        IndexMissing: there is none with the documents as they are now.
    """
    with folder_lock(domain):
        name = generation_for(domain, fingerprint)
        if name is None:
            raise IndexMissing(
                f"the domain {domain.name!r} has no index of its documents with this embedder "
                f"(adapter {fingerprint.adapter[:12] or 'none'})",
                hint="embed it first: hybrid adapters promote does so",
            )
        manifest = read_manifest(domain, name)
        if name != current(domain):
            switch(domain, name)
        return manifest


def discard(domain: Path, adapter: str) -> None:
    """Remove the generations that an adapter embedded, but for the one in force and the one before it.

    Args:
        domain: the folder of the domain.
        adapter: its digest, as a fingerprint names it.
    """
    with folder_lock(domain):
        now = read_manifest(domain, current(domain))
        for manifest in readable(domain):
            in_force = manifest.generation in (now.generation, now.previous)
            if adapter and manifest.embedder.adapter == adapter and not in_force:
                shutil.rmtree(folder_of(domain, manifest.generation), ignore_errors=True)


def _files(domain: Path, generation: str) -> dict[str, FileState]:
    with closing(open_store(domain, read_manifest(domain, generation))) as store:
        return store.file_states()
