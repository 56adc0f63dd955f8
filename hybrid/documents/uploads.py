"""Uploaded files, which lie beside the index of their domain; their sources are like no scanned file's."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from hybrid.documents.folder import Scan
from hybrid.documents.principals import RULE_SUFFIX
from hybrid.documents.source import MEGABYTE, SourceFile, printable, supported_suffixes
from hybrid.errors import UsageError
from hybrid.files import folder_lock, is_name, json_text, write_atomic

_FOLDER = "uploads"
# Hidden files are never scanned, so that no source of a folder begins with it.
_BEFORE = ".uploads/"
_MOST_FILES = 2_000


def uploads(domain: Path) -> Scan:
    """List the files that were uploaded into a domain; none where nothing was."""
    found: list[SourceFile] = []
    for path in sorted((domain / _FOLDER).glob("*")):
        state = path.lstat()
        if stat.S_ISREG(state.st_mode) and is_name(path.name) and path.suffix.lower() in supported_suffixes():
            source = _BEFORE + printable(path.name)
            found.append(SourceFile(source, path, state.st_size, state.st_mtime_ns))
    return Scan(tuple(found), (), 0)


def is_upload(source: str) -> bool:
    """Tell whether a document came from an uploaded file."""
    return source.startswith(_BEFORE)


def file_of(domain: Path, folder: str, source: str) -> Path | None:
    """Return the file that a document of the index was read from; None if it is there no more.

    Args:
        domain: its folder.
        folder: what it was built from, as its manifest names it: a folder or a single file.
        source: of the document, or of one of its rows.
    """
    root, name = Path(folder), source
    if is_upload(source):
        root, name = domain / _FOLDER, source.removeprefix(_BEFORE)
    elif root.is_file():
        root = root.parent
    for one in filter(None, (name, name.rpartition("#")[0])):
        path = (root / one).resolve()
        if path.is_file() and path.is_relative_to(root.resolve()):
            return path
    return None


def keep_upload(
    domain: Path, name: str, data: bytes, *, most: float, readers: Sequence[str] | None = None
) -> SourceFile:
    """Write an uploaded file into its domain, where the next update finds it.

    Args:
        domain: its folder.
        name: of the file, with the suffix of a reader and no folder.
        data: what is in it.
        most: how many megabytes it may have.
        readers: who may read it; None says nothing of that.

    Raises:
        UsageError: no such name, no such suffix, too large or empty, or another file has the name.
    """
    name = printable(name)
    suffix = Path(name).suffix.lower()
    if not is_name(name) or name.endswith(".") or any(letter in '<>:"|?*' for letter in name):
        raise UsageError(f"{name!r} is no name of a file", hint="letters, digits, blanks, dashes and dots")
    if suffix not in supported_suffixes():
        known = " ".join(supported_suffixes())
        raise UsageError(f"no reader for {suffix or 'a name without a suffix'}", hint=f"there are: {known}")
    if not 0 < len(data) <= most * MEGABYTE:
        found = f"{len(data) / MEGABYTE:,.1f} MB"
        raise UsageError(f"{name} has {found}", hint=f"more than nothing and at most {most:g} MB are taken")
    folder = domain / _FOLDER
    with folder_lock(folder, wait=True):
        there = uploads(domain).files
        path = folder / name
        if path.exists() and path.read_bytes() != data:
            raise UsageError(f"another file was uploaded as {name}", hint="rename yours and upload it again")
        if not path.exists() and len(there) >= _MOST_FILES:
            raise UsageError(f"{len(there):,} files were uploaded already", hint="index a folder instead")
        # the rule first: a kill between the two must not leave the file open to all
        if readers is not None and not path.exists():
            write_atomic(path.with_name(path.name + RULE_SUFFIX), json_text(list(readers)))
        write_atomic(path, data)
    return SourceFile(_BEFORE + name, path, len(data))


def drop_upload(domain: Path, source: str) -> None:
    """Remove an uploaded file, with what says who may read it."""
    path = domain / _FOLDER / source.removeprefix(_BEFORE)
    for one in (path, path.with_name(path.name + RULE_SUFFIX)):
        one.unlink(missing_ok=True)
