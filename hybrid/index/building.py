"""What every new generation is made by: staged chunks, their vectors, and the finished folder.

::

    staging.sqlite   chunks of the generation to come      (resumes where a kill stopped it)
    vectors.sqlite   vectors by content, never made twice  (resumes too)
         │
    generations/<new>/ store.sqlite, dense.faiss, lexical/, manifest.json last

Takes a staged store and an embedder, gives a finished generation. It is not in force: to put it there is the
business of those who call. Reads no documents and loads no model.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from hybrid.config import ChunkSettings
from hybrid.errors import IndexCorrupt, IndexError_, IndexMissing
from hybrid.files import hash_text, storage_errors, verify_checksum
from hybrid.index.database import VectorCache
from hybrid.index.dense import DenseKind, DenseReport, build_dense
from hybrid.index.generations import Manifest, current, finish, folder_of, next_name, read_manifest
from hybrid.index.lexical import build_lexical
from hybrid.index.store import Store
from hybrid.models import Embedder, EmbedderFingerprint
from hybrid.tracing import span

WINDOW = 1_024
_BLOCK = 8_192


class Stage(StrEnum):
    """What the making of a generation is doing."""

    READ = "reading"
    EMBED = "embedding"
    BUILD = "building"


Progress = Callable[[Stage, int, int], None]


def fingerprint_key(fingerprint: EmbedderFingerprint) -> str:
    """Return one string for all that makes vectors comparable."""
    return hash_text(*fingerprint.identity)


def open_staging(domain: Path, purpose: str, *, empty: bool) -> Store:
    """Open what a killed run of the same purpose left, or begin with what is in force.

    Args:
        domain: its folder, held by the caller.
        purpose: all that a run must have in common with one that it goes on with.
        empty: begin with nothing instead.
    """
    path, marker = domain / "staging.sqlite", domain / "staging.key"
    if path.is_file() and marker.is_file() and marker.read_text(errors="replace") == purpose:
        try:
            store = Store(path, read_only=False)
            store.remove_incomplete()
            return store
        except IndexCorrupt:
            pass  # only work to be done again is lost with it
    remove_staging(domain)
    if not empty:
        _copy_current(domain, path)
    marker.write_text(purpose, encoding="utf-8")
    return Store(path, read_only=False)


def remove_staging(domain: Path) -> None:
    """Forget what was staged."""
    # the marker goes first: without it the rest is never taken for a run to resume
    for name in ("staging.key", "staging.sqlite", "staging.sqlite-wal", "staging.sqlite-shm", "staging.tmp"):
        (domain / name).unlink(missing_ok=True)


def embed_missing(staging: Store, vectors: VectorCache, embedder: Embedder, report: Progress) -> int:
    """Embed the staged contents that have no vector yet; return how many there were."""
    total = staging.keys_without_vectors(vectors)
    done = 0
    for window in staging.texts_without_vectors(vectors, WINDOW):
        with span("index.embed", {"openinference.span.kind": "EMBEDDING", "hybrid.texts": len(window)}):
            vectors.add([key for key, _ in window], embedder.embed_documents([text for _, text in window]))
        done += len(window)
        report(Stage.EMBED, done, total)
    return done


def build_generation(
    domain: Path,
    staging: Store,
    vectors: VectorCache,
    fingerprint: EmbedderFingerprint,
    *,
    folder: str,
    chunks: ChunkSettings,
    report: Progress,
    created: datetime,
) -> Manifest:
    """Write what is staged as a generation; a failure leaves nothing of it."""
    target = folder_of(domain, next_name(domain))
    draft = Manifest(
        generation=target.name,
        created=created.isoformat(timespec="seconds"),
        folder=folder,
        embedder=fingerprint,
        chunks=chunks,
        counts=staging.counts(),
        dense=DenseReport(DenseKind.EXACT, fingerprint.dimension, 0, 0, 1.0),
        sha256={},
        previous=_predecessor(domain),
    )
    with storage_errors(str(target)):
        try:
            return _fill(target, draft, staging, vectors, report)
        except BaseException:
            # a half generation would only fill the disk that may just have run full
            shutil.rmtree(target, ignore_errors=True)
            raise


def _copy_current(domain: Path, path: Path) -> None:
    try:
        name = current(domain)
    except IndexMissing:
        return
    now = folder_of(domain, name) / "store.sqlite"
    # damage must not be carried on from generation to generation
    verify_checksum(now, read_manifest(domain, name).sha256.get("store.sqlite", ""))
    beside = path.with_suffix(".tmp")
    shutil.copyfile(now, beside)
    beside.rename(path)


def _fill(target: Path, draft: Manifest, staging: Store, vectors: VectorCache, report: Progress) -> Manifest:
    target.mkdir(parents=True)
    total = staging.number_chunks()
    report(Stage.BUILD, 0, 3)
    staging.copy_to(target / "store.sqlite")
    report(Stage.BUILD, 1, 3)
    dense = build_dense(
        target / "dense.faiss",
        lambda: staging.vectors_in_order(vectors, _BLOCK),
        dimension=draft.embedder.dimension,
        vectors=total,
    )
    report(Stage.BUILD, 2, 3)
    build_lexical(target / "lexical", staging.all_chunks())
    manifest = finish(target, dataclasses.replace(draft, dense=dense))
    report(Stage.BUILD, 3, 3)
    return manifest


def _predecessor(domain: Path) -> str:
    """Return the generation to go back to, or nothing where the one in force is damaged or there is none."""
    try:
        return read_manifest(domain, current(domain)).generation
    except IndexError_:
        return ""
