"""The files below a folder, and those that were uploaded: none hidden, none of an index, none outside."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hybrid.config import DocumentSettings
from hybrid.documents.source import (
    MEGABYTE,
    RULE_SUFFIX,
    SourceFile,
    leads_out,
    printable,
    supported_suffixes,
)
from hybrid.errors import UsageError, did_you_mean
from hybrid.files import folder_lock, is_name, json_text, write_atomic
from hybrid.types import Rejected

# What lies beside pages and holds none of their text; anything else without a reader is told.
_WITHOUT_TEXT = frozenset((".css", ".js", ".mjs", ".map", ".ico", ".woff", ".woff2", ".ttf", ".otf", ".eot"))
# What may be done with a file that no reader exists for.
_INSTEAD = {
    "save as .docx": ".doc .pages .wpd",
    "save as .xlsx": ".xls .xlsb .numbers",
    "save as .pptx": ".ppt .key",
    "save as .eml": ".msg",
    "save as .pdf": ".ps .djvu .mobi .xps",
    "unpack it": ".zip .tar .gz .tgz .bz2 .xz .7z .rar",
}
_MOST_SUFFIXES = 12
# What this program writes, wherever it lies, by files that stand together in a folder: gold answers must not
# get into an index that is asked for them.
_OWN_FOLDERS = (
    ("CURRENT", "generations"),
    ("staging.key", "lock"),
    ("settings.json", "outcomes.jsonl"),
    ("card.json", "adapter_config.json"),
)
# What stands beside the domains; only there are these names ours.
_BESIDE_DOMAINS = re.compile(r"changes\.jsonl|ROUTER|(traces|feedback)\.sqlite(-wal|-shm|-journal)?")
_OWN_QUESTION = {"id", "question", "answers", "answerable", "made"}
_LONGEST_QUESTION = 1 << 20
_REPORT, _HEAD_OF_A_PAGE = b'<meta name="generator" content="hybrid report"/>', 200
_SETTINGS = "/hybrid.toml"


@dataclass(frozen=True, slots=True)
class Scan:
    """What lies below a folder: files to read, files that cannot be had, and how many were left out.

    ``skipped`` counts what is hidden, excluded or a file of ours (an index with its question sets and
    experiments), and styles, scripts and fonts; ``unread`` says of each
    suffix without a reader how many files have it, such as two of ``.ods``: they may hold text that nobody
    read.
    """

    files: tuple[SourceFile, ...]
    rejected: tuple[Rejected, ...]
    skipped: int
    unread: Mapping[str, int] = field(default_factory=dict)


def _beside(path: Path) -> list[str]:
    """Return what lies in the folder in which a path should be."""
    with contextlib.suppress(OSError):
        return sorted(each.name for each in path.parent.iterdir())
    return []


def scan(folder: Path, settings: DocumentSettings) -> Scan:
    """List the readable files below a folder, or the one file that was named.

    Raises:
        UsageError: there is nothing at that path, or an exclude pattern is malformed.
    """
    try:
        status = folder.stat()
    except OSError as error:
        hint = did_you_mean(folder.name, _beside(folder), "give the path of an existing folder or file")
        told = f"{printable(str(folder))}: {error.strerror or 'no such folder'}"
        raise UsageError(told, hint=printable(hint)) from error
    if not stat.S_ISDIR(status.st_mode):
        return _single(folder, status)
    walk = _Walk(folder, os.path.realpath(folder), _matcher(settings.exclude))
    walk.run()
    files = tuple(sorted(walk.named(), key=lambda file: file.source))
    rejected = tuple(sorted(walk.rejected, key=lambda entry: entry.source))
    return Scan(files, rejected, walk.skipped, dict(sorted(walk.unread.items())))


def by_suffix(unread: Mapping[str, int]) -> str:
    """Return on one line which files no reader exists for, most first: ``2 x .doc (save as .docx)``."""
    most = sorted(unread.items(), key=lambda entry: -entry[1])
    told = [f"{count:,} x {suffix[:20]}{_instead(suffix)}" for suffix, count in most[:_MOST_SUFFIXES]]
    if rest := most[_MOST_SUFFIXES:]:
        told.append(f"{sum(count for _, count in rest):,} of {len(rest)} other kinds")
    return ", ".join(told)


def _instead(suffix: str) -> str:
    """Return what can be done with a file that no reader exists for, where that is known."""
    found = next((way for way, suffixes in _INSTEAD.items() if suffix.lower() in suffixes.split()), "")
    return f" ({found})" if found else ""


def _single(path: Path, status: os.stat_result) -> Scan:
    source = printable(path.name)
    if not stat.S_ISREG(status.st_mode):
        return Scan((), (Rejected(source, "a device, pipe or socket; only files and folders are read"),), 0)
    if path.suffix.lower() not in supported_suffixes():
        found = f"suffix `{path.suffix}`{_instead(path.suffix)}" if path.suffix else "name without a suffix"
        reason = f"no reader for a {found}; there are readers for {' '.join(supported_suffixes())}"
        return Scan((), (Rejected(source, reason),), 0)
    return Scan((SourceFile(source, path, status.st_size, status.st_mtime_ns),), (), 0)


def _is_own(names: Container[str]) -> bool:
    """Tell by the names in a folder whether this program wrote it: a domain, an experiment, an adapter."""
    return any(all(name in names for name in marks) for marks in _OWN_FOLDERS)


def _is_question_set(path: str) -> bool:
    """Tell whether the first line is a question with its gold answers, as this program writes them."""
    with open(path, "rb") as stream:  # noqa: PTH123  a name, not a path
        line = stream.readline(_LONGEST_QUESTION)
    if not line.startswith(b'{"id": '):
        return False
    try:
        return bool(json.loads(line).keys() >= _OWN_QUESTION)
    except (ValueError, RecursionError):
        return False


def _is_report(path: str) -> bool:
    """Tell whether a page is one of our reports, which show questions with their gold answers."""
    with open(path, "rb") as stream:  # noqa: PTH123  a name, not a path
        return _REPORT in stream.read(_HEAD_OF_A_PAGE)


def _matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    if not patterns:
        return lambda _path: False
    import pathspec

    try:
        lines = [unicodedata.normalize("NFC", pattern) for pattern in patterns]
        spec = pathspec.GitIgnoreSpec.from_lines(lines)
        return lambda path: spec.match_file(unicodedata.normalize("NFC", path))
    except ValueError as error:
        raise UsageError(
            f"exclude pattern: {error}",
            hint="patterns are written as in .gitignore, for example `drafts/` or `*.log`",
        ) from error


@dataclass(slots=True)
class _Walk:
    root: Path
    real_root: str
    excluded: Callable[[str], bool]
    found: list[tuple[str, Path, os.stat_result]] = field(default_factory=list)
    rules: dict[str, int] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    skipped: int = 0
    unread: Counter[str] = field(default_factory=Counter)

    def run(self) -> None:
        pending = [("", str(self.root))]
        while pending:
            prefix, path = pending.pop()
            try:
                with os.scandir(path) as entries:
                    found = list(entries)
            except OSError as error:
                self._reject(prefix.rstrip("/") or ".", f"the folder cannot be read: {_why(error)}")
                continue
            if _is_own({entry.name for entry in found}):
                if not prefix:
                    raise UsageError(
                        f"{printable(path)} is an index or an experiment, and no folder of documents",
                        hint="give the folder of the documents",
                    )
                self.skipped += 1
                continue
            beside = [entry for entry in found if _BESIDE_DOMAINS.fullmatch(entry.name)]
            if beside and any((Path(entry.path) / "CURRENT").is_file() for entry in found):
                self.skipped += len(beside)
                found = [entry for entry in found if entry not in beside]
            for entry in found:
                relative = prefix + entry.name
                try:
                    if self._visit(entry, relative):
                        pending.append((relative + "/", entry.path))
                except OSError as error:
                    self._reject(relative, f"cannot be looked at: {_why(error)}")

    def _visit(self, entry: os.DirEntry[str], relative: str) -> bool:
        """Sort one entry in; return whether it is a folder to go into."""
        if entry.name.startswith("."):
            self.skipped += 1
            return False
        if entry.is_symlink():
            self._visit_link(entry, relative)
            return False
        status = entry.stat(follow_symlinks=False)
        mode = status.st_mode
        if stat.S_ISDIR(mode) and not self.excluded(relative + "/"):
            return True
        if stat.S_ISREG(mode):
            self._file(relative, entry.path, status)
        else:
            self.skipped += 1
        return False

    def _visit_link(self, entry: os.DirEntry[str], relative: str) -> None:
        if self.excluded(relative):
            self.skipped += 1
            return
        if out := leads_out(printable(relative), entry.path, self.real_root):
            self.rejected.append(out)
            return
        try:
            status = entry.stat()
        except OSError as error:
            self._reject(relative, f"a link that leads nowhere: {_why(error)}")
            return
        if stat.S_ISREG(status.st_mode):
            self._file(relative, entry.path, status)
        else:
            # a linked folder inside is scanned under its own name, which also ends every loop
            self.skipped += 1

    def _file(self, relative: str, path: str, status: os.stat_result) -> None:
        # `relative` is a name, not a path on disk
        suffix = os.path.splitext(relative)[1].lower()  # noqa: PTH122
        if suffix == RULE_SUFFIX:
            self.rules[relative[: -len(suffix)]] = status.st_mtime_ns
            if not (self.root / relative[: -len(suffix)]).exists():
                # a name mistyped would leave open what was meant to be closed
                self._reject(relative, "says who may read a document, and there is none of that name")
            return
        is_own = {".jsonl": _is_question_set, ".html": _is_report}.get(suffix)
        own = f"/{relative}".endswith(_SETTINGS) or (is_own is not None and is_own(path))
        if own or self.excluded(relative) or suffix in _WITHOUT_TEXT:
            self.skipped += 1
            return
        if suffix not in supported_suffixes():
            self.unread[printable(suffix) or "no suffix"] += 1
            return
        self.found.append((relative, Path(path), status))

    def named(self) -> Iterator[SourceFile]:
        """Yield the files by their sources; of two names that are one when composed, one is written out."""
        taken: set[str] = set()
        # the name that is written as its source has it first
        for relative, path, status in sorted(self.found, key=lambda e: (printable(e[0]) != e[0], e[0])):
            source = printable(relative)
            if source in taken:
                source = relative.encode("ascii", "backslashreplace").decode()
            if source in taken:
                self._reject(
                    source, "another file has the same name, as far as it can be written; rename one"
                )
                continue
            taken.add(source)
            modified = max(status.st_mtime_ns, self.rules.get(relative, 0))
            yield SourceFile(source, path, status.st_size, modified, within=self.real_root)

    def _reject(self, relative: str, reason: str) -> None:
        self.rejected.append(Rejected(printable(relative), reason))


def _why(error: OSError) -> str:
    return error.strerror or str(error)


_FOLDER = "uploads"
# Hidden files are never scanned, so that no source of a folder begins with it.
_BEFORE = ".uploads/"
_MOST_FILES = 2_000


def uploads(domain: Path) -> Scan:
    """List the files that were uploaded into a domain; none where nothing was."""
    found: list[SourceFile] = []
    within = os.path.realpath(domain / _FOLDER)
    for path in sorted((domain / _FOLDER).glob("*")):
        state = path.lstat()
        if stat.S_ISREG(state.st_mode) and is_name(path.name) and path.suffix.lower() in supported_suffixes():
            source = _BEFORE + printable(path.name)
            found.append(SourceFile(source, path, state.st_size, state.st_mtime_ns, within=within))
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
    with folder_lock(folder, wait=math.inf):
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
