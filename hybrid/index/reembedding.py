"""The same chunks with the vectors of another embedder, such as the tuned one.

Takes a domain and an embedder that differs from the one in force by its adapter alone, gives a finished
generation. No document is read again. It is not put in force: first it is measured, and ``Index.built_with``
opens it meanwhile; ``put_in_force`` switches to it. Knows nothing about adapters but their digests.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from hybrid.errors import IndexError_, IndexMismatch, IndexMissing
from hybrid.files import folder_lock, storage_errors
from hybrid.index.database import VectorCache
from hybrid.index.generations import (
    Manifest,
    Progress,
    build_generation,
    current,
    embed_missing,
    fingerprint_key,
    finished,
    folder_of,
    open_staging,
    open_store,
    read_manifest,
    remove_staging,
    same_base,
    switch,
)
from hybrid.index.store import FileState
from hybrid.models import Embedder, EmbedderFingerprint
from hybrid.tracing import span


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
    for name in reversed(finished(domain)):
        try:
            built = read_manifest(domain, name).embedder
            if built.identity == fingerprint.identity and _files(domain, name) == held:
                return name
        except IndexError_:
            continue  # damaged, or of another version of the format
    return None


def reembed(
    domain: Path,
    embedder: Embedder,
    *,
    progress: Progress | None = None,
) -> Manifest:
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
    with folder_lock(domain), span("index.reembed", {"hybrid.domain": domain.name}):
        source = read_manifest(domain, current(domain))
        if (there := generation_for(domain, fingerprint)) is not None:
            return read_manifest(domain, there)
        _require_same_base(source, fingerprint)
        key = fingerprint_key(fingerprint)
        with storage_errors(str(domain)):
            staging = open_staging(domain, f"{key} of {source.generation}", empty=False)
            vectors = VectorCache(domain / "vectors.sqlite")
        try:
            staging.rekey(key)
            embed_missing(staging, vectors, embedder, report)
            manifest = build_generation(
                domain,
                staging,
                vectors,
                fingerprint,
                folder=source.folder,
                chunks=source.chunks,
                report=report,
                created=datetime.now(UTC),
            )
        finally:
            vectors.close()
            staging.close()
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
        for name in finished(domain):
            if name in (now.generation, now.previous):
                continue
            try:
                built = read_manifest(domain, name).embedder
            except IndexError_:
                continue  # of whom it is cannot be told; the next update removes it
            if adapter and built.adapter == adapter:
                shutil.rmtree(folder_of(domain, name), ignore_errors=True)


def _files(domain: Path, generation: str) -> dict[str, FileState]:
    with closing(open_store(domain, read_manifest(domain, generation))) as store:
        return store.file_states()


def _require_same_base(source: Manifest, fingerprint: EmbedderFingerprint) -> None:
    if not same_base(source.embedder, fingerprint):
        raise IndexMismatch(
            f"the index was built with {source.embedder.name!r}, and {fingerprint.name!r} is another model, "
            "not the same one with an adapter",
            hint=f"rebuild with: hybrid index {source.folder} --rebuild",
        )
