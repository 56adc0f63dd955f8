"""Generations of an index: immutable folders, one of them in force.

Takes a finished folder, gives it a manifest and switches to it by renaming one small file. Knows
nothing about what is inside. Readers keep the generation that they opened.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybrid.config import ChunkSettings
from hybrid.errors import IndexCorrupt, IndexError_, IndexMismatch, IndexMissing
from hybrid.files import checksums, fsync_file, fsync_folder, write_atomic, write_json
from hybrid.index.dense import DenseKind, DenseReport
from hybrid.index.store import SCHEMA_VERSION, Counts
from hybrid.models import EmbedderFingerprint


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
    name = pointer.read_text(encoding="utf-8", errors="replace").strip()
    if not name.isdigit():
        raise IndexCorrupt(
            f"{pointer} names no generation: {name[:40]!r}",
            hint="rebuild with: hybrid index FOLDER --rebuild",
        )
    return name


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
        value = json.loads(path.read_text(encoding="utf-8"))
        version = value["schema_version"]
        if version == SCHEMA_VERSION:
            return _manifest(value)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IndexCorrupt(
            f"{path} cannot be read: {type(error).__name__}: {error}",
            hint="go back with `hybrid rollback`, or rebuild with `hybrid index FOLDER --rebuild`",
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
    numbers = [int(path.name) for path in folder.iterdir() if path.name.isdigit()] if folder.is_dir() else []
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


def _manifest(value: dict[str, Any]) -> Manifest:
    dense = value["dense"] | {"kind": DenseKind(value["dense"]["kind"])}
    parts = {
        "embedder": EmbedderFingerprint(**value["embedder"]),
        "chunks": ChunkSettings(**value["chunks"]),
        "counts": Counts(**value["counts"]),
        "dense": DenseReport(**dense),
    }
    return Manifest(**(value | parts))
