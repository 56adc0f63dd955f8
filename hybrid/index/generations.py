"""Generations of an index: made beside the one in force, finished, put in force by renaming a small file."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import shutil
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

from hybrid.changes import Switched, record
from hybrid.config import ChunkSettings
from hybrid.errors import IndexCorrupt, IndexError_, IndexMismatch, IndexMissing
from hybrid.files import (
    REPAIR,
    adapter_of,
    checksums,
    fsync_file,
    fsync_folder,
    hash_text,
    storage_errors,
    verify_checksum,
    write_atomic,
    write_json,
)
from hybrid.index.database import VectorCache
from hybrid.index.dense import DenseIndex, DenseKind, DenseReport, build_dense
from hybrid.index.lexical import build_lexical
from hybrid.index.store import SCHEMA_VERSION, Counts, Store
from hybrid.models import EmbedderFingerprint

_STORE, _DENSE = "store.sqlite", "dense.faiss"
_NAME_BYTES = 100
_BLOCK = 8_192


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation is; written last, so its presence means that the generation is whole.

    ``restricted`` says that a document says who may read it, in it or in a generation before it;
    ``external``, that its vectors are searched in a vector store.
    """

    generation: str
    created: str
    folder: str
    embedder: EmbedderFingerprint
    chunks: ChunkSettings
    counts: Counts
    dense: DenseReport
    sha256: dict[str, str]
    previous: str = ""
    restricted: bool = False
    external: bool = False
    schema_version: int = SCHEMA_VERSION


def current(domain: Path) -> str:
    """Return the name of the generation in force.

    Raises:
        IndexMissing: the domain has none.
    """
    pointer = domain / "CURRENT"
    if not pointer.is_file():
        raise IndexMissing(
            f"there is no index for the domain {domain.name!r} in {domain.parent}",
            hint="build one with: hybrid index FOLDER" + (f" --domain {domain.name}" if domain.name else ""),
        )
    try:
        name = pointer.read_bytes()[:_NAME_BYTES].decode("utf-8", "replace").strip()
    except OSError as error:
        raise IndexCorrupt(f"{pointer} cannot be read: {error.strerror}", hint=REPAIR) from error
    if not is_generation(name):
        raise IndexCorrupt(
            f"{pointer} names no generation: {name[:40]!r}",
            hint="rebuild with: hybrid index FOLDER --rebuild",
        )
    return name


def is_generation(name: str) -> bool:
    """Tell whether a name is one that ``next_name`` gives: digits and nothing else."""
    return name.isascii() and name.isdigit()


def folder_of(domain: Path, generation: str) -> Path:
    """Return the folder of a generation."""
    return domain / "generations" / generation


def read_manifest(domain: Path, generation: str) -> Manifest:
    """Return the manifest of a generation.

    Raises:
        IndexCorrupt: it is missing or unreadable.
        IndexMismatch: it was written by another version of the format.
    """
    path = folder_of(domain, generation) / "manifest.json"
    try:
        state = path.stat()
        return _read(path, generation, state.st_mtime_ns, state.st_size, state.st_ino)
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise IndexCorrupt(
            f"{path} cannot be read: {type(error).__name__}: {_first_line(error)}", hint=REPAIR
        ) from error


def is_restricted(domain: Path) -> bool:
    """Tell whether a domain may only be asked in somebody's name; one that holds nothing yet is not."""
    try:
        return read_manifest(domain, current(domain)).restricted
    except IndexMissing:
        return False


def finish(folder: Path, manifest: Manifest) -> Manifest:
    """Make the files durable, record their checksums, and write the manifest last."""
    for path in folder.rglob("*"):
        if path.is_file():
            fsync_file(path)
    complete = dataclasses.replace(manifest, sha256=checksums(folder))
    write_json(folder / "manifest.json", dataclasses.asdict(complete))
    return complete


def switch(domain: Path, generation: str) -> None:
    """Put a finished generation in force."""
    try:
        before = current(domain)
    except IndexError_:  # none, or its pointer is damaged
        before = ""
    fsync_folder(domain / "generations")
    record(domain, Switched.GENERATION, before, generation)
    write_atomic(domain / "CURRENT", generation + "\n")


def finished(domain: Path) -> list[str]:
    """Return the names of whole generations, oldest first."""
    folder = domain / "generations"
    if not folder.is_dir():
        return []
    there = (path for path in folder.iterdir() if is_generation(path.name))
    return sorted(path.name for path in there if (path / "manifest.json").is_file())


def readable(domain: Path) -> Iterator[Manifest]:
    """Yield the manifests of whole generations, oldest first, but of those that nobody can open."""
    for name in finished(domain):
        try:
            manifest = read_manifest(domain, name)
        except IndexError_:
            continue  # damaged, or of another version of the format
        yield manifest


def next_name(domain: Path) -> str:
    """Return a name that was never used, so that names order by age."""
    folder = domain / "generations"
    there = folder.iterdir() if folder.is_dir() else ()
    numbers = [int(path.name) for path in there if is_generation(path.name)]
    return f"{max(numbers, default=0) + 1:06d}"


def previous(domain: Path) -> str:
    """Return the generation before the one in force.

    Raises:
        IndexMissing: there is none to go back to.
    """
    now = current(domain)
    # by what the manifest remembers, not by age: a generation that was rolled back must not return
    try:
        older = read_manifest(domain, now).previous
    except IndexCorrupt:
        older = max((name for name in finished(domain) if name < now), default="")
    if older not in finished(domain):
        raise IndexMissing(
            f"there is no generation before {now} to go back to",
            hint="what was switched, and could be taken back, is listed by `hybrid history`",
        )
    return older


def same_base(one: EmbedderFingerprint, other: EmbedderFingerprint) -> bool:
    """Tell whether two embedders are the same but for their adapters, so that they split texts alike."""
    bare = [dataclasses.replace(fingerprint, adapter="").identity for fingerprint in (one, other)]
    return bare[0] == bare[1]


def kept_generations(domain: Path) -> set[str]:
    """Return the generations that somebody may go back to.

    They are the one in force, the one before it, and the latest of every other adapter on the embedder in
    force, or of that embedder without one: an experiment may still compare them, and from their vectors the
    next one is made by embedding only what is new.
    """
    now = read_manifest(domain, current(domain))
    return {now.generation, now.previous, *_other_adapters(domain, now)}


def prune(domain: Path, keep: Container[str]) -> None:
    """Remove all other generations."""
    for path in (domain / "generations").iterdir():
        if path.name not in keep:
            shutil.rmtree(path, ignore_errors=True)


def content_keys(domain: Path, generations: Iterable[str]) -> Iterator[bytes]:
    """Yield the content keys of all chunks of some generations; of a damaged one nothing is used again."""
    for path in (folder_of(domain, name) / _STORE for name in generations):
        with contextlib.suppress(IndexCorrupt), closing(Store(path, read_only=True)) as store:
            yield from store.keys()


def _other_adapters(domain: Path, now: Manifest) -> Iterable[str]:
    latest: dict[str, str] = {}
    for manifest in readable(domain):
        built = manifest.embedder
        if same_base(built, now.embedder) and built.adapter != now.embedder.adapter:
            latest[built.adapter] = manifest.generation
    return latest.values()


def domains(indexes: Path) -> Iterator[str]:
    """Yield the names of all domains that have an index."""
    if indexes.is_dir():
        yield from sorted(path.name for path in indexes.iterdir() if (path / "CURRENT").is_file())


def open_store(domain: Path, manifest: Manifest) -> Store:
    """Open the store of a generation for reading, after its checksum was found right.

    Raises:
        IndexCorrupt: it is missing or changed, or is not what the manifest says.
    """
    path = folder_of(domain, manifest.generation) / _STORE
    verify_checksum(path, manifest.sha256[_STORE])
    store = Store(path, read_only=True)
    try:
        store.require_positions(manifest.counts.chunks)
    except IndexCorrupt:
        store.close()
        raise
    return store


def open_dense(domain: Path, manifest: Manifest) -> DenseIndex:
    """Open the vectors of a generation, after their checksum was found right.

    Raises:
        IndexCorrupt: they are missing or changed, or are not what the manifest says.
    """
    path = folder_of(domain, manifest.generation) / _DENSE
    return DenseIndex(path, manifest.dense, checksum=manifest.sha256[_DENSE])


@functools.lru_cache(maxsize=64)
def _read(path: Path, generation: str, *_: int) -> Manifest:
    """Read a manifest once as long as its file is the same: every question asks what is in force."""
    text = path.read_text(encoding="utf-8")
    value = json.loads(text)
    version = value["schema_version"]
    # an earlier one lacks tables that are empty then
    if type(version) is not int or 1 <= version <= SCHEMA_VERSION:
        return _manifest(value, text, generation)
    raise IndexMismatch(
        f"{path} has format {version}, this version reads format {SCHEMA_VERSION}",
        hint="rebuild with: hybrid index FOLDER --rebuild",
    )


def _manifest(value: dict[str, Any], text: str, generation: str) -> Manifest:
    """Return a manifest whose every value is of its type and agrees with the others."""
    dense = value["dense"] | {"kind": DenseKind(value["dense"]["kind"])}
    parts = {
        "embedder": EmbedderFingerprint(**value["embedder"]),
        "chunks": ChunkSettings(**value["chunks"]),
        "counts": Counts(**value["counts"]),
        "dense": DenseReport(**dense),
    }
    # no key is unknown and none is missing; now the types
    Manifest(**(value | parts))
    manifest: Manifest = adapter_of(Manifest).validate_json(text, strict=True)
    counts, built = dataclasses.astuple(manifest.counts), manifest.dense
    if manifest.generation != generation or (manifest.previous and not is_generation(manifest.previous)):
        raise ValueError(f"it is of the generation {manifest.generation!r}, after {manifest.previous!r}")
    if (built.dimension, built.vectors) != (manifest.embedder.dimension, manifest.counts.chunks):
        raise ValueError(
            f"{built.vectors} vectors of {built.dimension} dimensions for {manifest.counts.chunks} chunks of "
            f"{manifest.embedder.dimension}"
        )
    if min(*counts, built.dimension - 1, built.effort) < 0 or not 0 <= built.recall_at_10 <= 1:
        raise ValueError(f"a count below zero: {counts}, {built}")
    if not {_STORE, _DENSE} <= manifest.sha256.keys():
        raise ValueError("it has no checksum of the store or of the vectors")
    if any(PurePosixPath(name).is_absolute() or ".." in name.split("/") for name in manifest.sha256):
        raise ValueError("it names files outside of its folder")
    return manifest


def _first_line(error: Exception) -> str:
    if errors := getattr(error, "errors", None):  # of pydantic
        first = errors()[0]
        return f"`{'.'.join(map(str, first['loc']))}`: {first['msg']}"
    return (str(error).splitlines() or [""])[0]


# --- how one is made -----------------------------------------------------------------------------------
#
# staging.sqlite   chunks of the generation to come      (resumes where a kill stopped it)
# plans/           batches of contents without a vector, and a shard a batch (resumes too)
# vectors.sqlite   vectors by content, never made twice
#      │
# generations/<new>/ store.sqlite, dense.faiss, lexical/, manifest.json last
#      │
# CURRENT          its name; readers keep the generation that they opened


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


def build_generation(
    domain: Path,
    staging: Store,
    vectors: VectorCache,
    fingerprint: EmbedderFingerprint,
    *,
    folder: str,
    chunks: ChunkSettings,
    external: bool,
    report: Progress,
) -> Manifest:
    """Write what is staged as a generation; a failure leaves nothing of it."""
    target = folder_of(domain, next_name(domain))
    draft = Manifest(
        generation=target.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        folder=folder,
        embedder=fingerprint,
        chunks=chunks,
        counts=staging.counts(),
        dense=DenseReport(DenseKind.EXACT, fingerprint.dimension, 0, 0, 1.0),
        sha256={},
        previous=_predecessor(domain),
        # who takes the last rule away, or forgets to give the rules, does not open the rest to all
        restricted=staging.has_principals() or any(manifest.restricted for manifest in readable(domain)),
        external=external,
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
    staging.collect_glossary()
    report(Stage.BUILD, 0, 3)
    staging.copy_to(target / "store.sqlite")
    report(Stage.BUILD, 1, 3)
    dense = build_dense(
        target / _DENSE,
        lambda: staging.vectors_in_order(vectors, _BLOCK),
        dimension=draft.embedder.dimension,
        vectors=total,
        kind=DenseKind.EXACT if draft.external else None,
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
