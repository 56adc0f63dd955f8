"""The files below a folder, without opening them; no hidden ones and no links that lead out of it."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hybrid.config import DocumentSettings
from hybrid.documents.principals import RULE_SUFFIX
from hybrid.documents.reading import supported_suffixes
from hybrid.documents.source import SourceFile, printable
from hybrid.errors import UsageError
from hybrid.types import Rejected

# What lies beside pages and holds none of their text; anything else without a reader is told.
_WITHOUT_TEXT = frozenset((".css", ".js", ".mjs", ".map", ".ico", ".woff", ".woff2", ".ttf", ".otf", ".eot"))


@dataclass(frozen=True, slots=True)
class Scan:
    """What lies below a folder: files to read, files that cannot be had, and how many were left out.

    ``skipped`` counts what is hidden or excluded, and styles, scripts and fonts; ``unread`` says of each
    suffix without a reader how many files have it, such as two of ``.xlsx``: they may hold text that nobody
    read.
    """

    files: tuple[SourceFile, ...]
    rejected: tuple[Rejected, ...]
    skipped: int
    unread: Mapping[str, int] = field(default_factory=dict)


def scan(folder: Path, settings: DocumentSettings) -> Scan:
    """List the readable files below a folder, or the one file that was named.

    Raises:
        UsageError: there is nothing at that path, or an exclude pattern is malformed.
    """
    try:
        status = folder.stat()
    except OSError as error:
        raise UsageError(
            f"{printable(str(folder))}: {error.strerror or 'no such folder'}",
            hint="give the path of an existing folder or file",
        ) from error
    if not stat.S_ISDIR(status.st_mode):
        return _single(folder, status)
    walk = _Walk(folder, _matcher(settings.exclude))
    walk.run()
    files = tuple(sorted(walk.files.values(), key=lambda file: file.source))
    rejected = tuple(sorted(walk.rejected, key=lambda entry: entry.source))
    return Scan(files, rejected, walk.skipped, dict(sorted(walk.unread.items())))


def _single(path: Path, status: os.stat_result) -> Scan:
    source = printable(path.name)
    if not stat.S_ISREG(status.st_mode):
        return Scan((), (Rejected(source, "a device, pipe or socket; only files and folders are read"),), 0)
    if path.suffix.lower() not in supported_suffixes():
        found = f"suffix `{path.suffix}`" if path.suffix else "name without a suffix"
        reason = f"no reader for a {found}; there are readers for {' '.join(supported_suffixes())}"
        return Scan((), (Rejected(source, reason),), 0)
    return Scan((SourceFile(source, path, status.st_size),), (), 0)


def _matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    if not patterns:
        return lambda _path: False
    import pathspec

    try:
        return pathspec.GitIgnoreSpec.from_lines(patterns).match_file
    except ValueError as error:
        raise UsageError(
            f"exclude pattern: {error}",
            hint="patterns are written as in .gitignore, for example `drafts/` or `*.log`",
        ) from error


@dataclass(slots=True)
class _Walk:
    root: Path
    excluded: Callable[[str], bool]
    files: dict[str, SourceFile] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    skipped: int = 0
    unread: Counter[str] = field(default_factory=Counter)

    def run(self) -> None:
        real_root = os.path.realpath(self.root)
        pending = [("", str(self.root))]
        while pending:
            prefix, path = pending.pop()
            try:
                with os.scandir(path) as entries:
                    found = list(entries)
            except OSError as error:
                self._reject(prefix.rstrip("/") or ".", f"the folder cannot be read: {_why(error)}")
                continue
            for entry in found:
                relative = prefix + entry.name
                try:
                    if self._visit(entry, relative, real_root):
                        pending.append((relative + "/", entry.path))
                except OSError as error:
                    self._reject(relative, f"cannot be looked at: {_why(error)}")

    def _visit(self, entry: os.DirEntry[str], relative: str, real_root: str) -> bool:
        """Sort one entry in; return whether it is a folder to go into."""
        if entry.name.startswith("."):
            self.skipped += 1
            return False
        if entry.is_symlink():
            self._visit_link(entry, relative, real_root)
            return False
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode) and not self.excluded(relative + "/"):
            return True
        if stat.S_ISREG(mode):
            self._file(relative, entry.path, entry.stat().st_size)
        else:
            self.skipped += 1
        return False

    def _visit_link(self, entry: os.DirEntry[str], relative: str, real_root: str) -> None:
        if self.excluded(relative):
            self.skipped += 1
            return
        target = os.path.realpath(entry.path)
        if os.path.commonpath([real_root, target]) != real_root:
            self._reject(
                relative,
                f"a link out of the folder, to {printable(target)}: not followed; copy it into the folder",
            )
            return
        try:
            status = entry.stat()
        except OSError as error:
            self._reject(relative, f"a link that leads nowhere: {_why(error)}")
            return
        if stat.S_ISREG(status.st_mode):
            self._file(relative, entry.path, status.st_size)
        else:
            # a linked folder inside is scanned under its own name, which also ends every loop
            self.skipped += 1

    def _file(self, relative: str, path: str, size: int) -> None:
        # `relative` is a name, not a path on disk
        suffix = os.path.splitext(relative)[1].lower()  # noqa: PTH122
        if suffix == RULE_SUFFIX:
            if not (self.root / relative[: -len(suffix)]).exists():
                # a name mistyped would leave open what was meant to be closed
                self._reject(relative, "says who may read a document, and there is none of that name")
            return
        if self.excluded(relative) or suffix in _WITHOUT_TEXT:
            self.skipped += 1
            return
        if suffix not in supported_suffixes():
            self.unread[printable(suffix) or "no suffix"] += 1
            return
        source = printable(relative)
        if source in self.files:
            self._reject(
                source,
                "another file has the same name, as far as UTF-8 can write it; rename one",
            )
            return
        self.files[source] = SourceFile(source, Path(path), size)

    def _reject(self, relative: str, reason: str) -> None:
        self.rejected.append(Rejected(printable(relative), reason))


def _why(error: OSError) -> str:
    return error.strerror or str(error)
