"""Generations of an index: immutable folders, one of them in force by a small file that is renamed.

Readers keep the generation that they opened.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hybrid.config import ChunkSettings
from hybrid.errors import IndexCorrupt, IndexError_, IndexMismatch, IndexMissing
from hybrid.files import (
    REPAIR,
    checksums,
    fsync_file,
    fsync_folder,
    verify_checksum,
    write_atomic,
    write_json,
)
from hybrid.index.dense import DenseKind, DenseReport
from hybrid.index.store import SCHEMA_VERSION, Counts, Store
from hybrid.models import EmbedderFingerprint

_STORE = "store.sqlite"
_NAME_BYTES = 100


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation is; written last, so its presence means that the generation is whole."""

    generation: str
    created: str
    folder: str
    embedder: EmbedderFingerprint
    chunks: ChunkSettings
    counts: Counts
    dense: DenseReport
    sha256: dict[str, str]
    previous: str = ""
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
        text = path.read_text(encoding="utf-8")
        value = json.loads(text)
        version = value["schema_version"]
        if version == SCHEMA_VERSION or type(version) is not int:
            return _manifest(value, text, generation)
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise IndexCorrupt(
            f"{path} cannot be read: {type(error).__name__}: {_first_line(error)}", hint=REPAIR
        ) from error
    raise IndexMismatch(
        f"{path} has format {version}, this version reads format {SCHEMA_VERSION}",
        hint="rebuild with: hybrid index FOLDER --rebuild",
    )


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
    fsync_folder(domain / "generations")
    write_atomic(domain / "CURRENT", generation + "\n")


def finished(domain: Path) -> list[str]:
    """Return the names of whole generations, oldest first."""
    folder = domain / "generations"
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if (path / "manifest.json").is_file())


def next_name(domain: Path) -> str:
    """Return a name that was never used, so that names order by age."""
    folder = domain / "generations"
    there = folder.iterdir() if folder.is_dir() else ()
    numbers = [int(path.name[:_NAME_BYTES]) for path in there if is_generation(path.name)]
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
        raise IndexMissing(f"there is no generation before {now} to go back to")
    return older


def same_base(one: EmbedderFingerprint, other: EmbedderFingerprint) -> bool:
    """Tell whether two embedders are the same but for their adapters, so that they split texts alike."""
    bare = [dataclasses.replace(fingerprint, adapter="").identity for fingerprint in (one, other)]
    return bare[0] == bare[1]


def prune(domain: Path) -> list[Path]:
    """Remove generations that nobody goes back to; return the folders that stay.

    There stay the one in force, the one before it, and the latest of every other adapter on the embedder in
    force, or of that embedder without one: an experiment may still compare them, and from their vectors the
    next one is made by embedding only what is new.
    """
    now = read_manifest(domain, current(domain))
    keep = {now.generation, now.previous, *_other_adapters(domain, now)}
    for path in (domain / "generations").iterdir():
        if path.name not in keep:
            shutil.rmtree(path, ignore_errors=True)
    return [folder_of(domain, name) for name in finished(domain)]


def _other_adapters(domain: Path, now: Manifest) -> Iterable[str]:
    latest: dict[str, str] = {}
    for name in finished(domain):
        try:
            built = read_manifest(domain, name).embedder
        except IndexError_:
            continue  # damaged, or of another version of the format: nobody can open it
        if same_base(built, now.embedder) and built.adapter != now.embedder.adapter:
            latest[built.adapter] = name
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
    manifest: Manifest = _adapter().validate_json(text, strict=True)
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
    if not {_STORE, "dense.faiss"} <= manifest.sha256.keys():
        raise ValueError("it has no checksum of the store or of the vectors")
    if any(PurePosixPath(name).is_absolute() or ".." in name.split("/") for name in manifest.sha256):
        raise ValueError("it names files outside of its folder")
    return manifest


@functools.cache
def _adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(Manifest)


def _first_line(error: Exception) -> str:
    if errors := getattr(error, "errors", None):  # of pydantic
        first = errors()[0]
        return f"`{'.'.join(map(str, first['loc']))}`: {first['msg']}"
    return (str(error).splitlines() or [""])[0]
