"""Staleness: what was seen of a folder when it was indexed, beside what lies there now."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hybrid.config import DocumentSettings
from hybrid.documents import Scan, scan
from hybrid.errors import UsageError
from hybrid.files import adapter_of, json_text, write_atomic
from hybrid.types import Rejected

_FILE = "folder.json"


@dataclass(frozen=True, slots=True)
class SeenFolder:
    """What an update saw of its folder: files by source with size and time, and what it could not take.

    ``files`` holds bytes and nanoseconds; they tell cheaply that something changed, never that nothing did.
    """

    folder: str
    files: Mapping[str, tuple[int, int]]
    exclude: tuple[str, ...] = ()
    unread: Mapping[str, int] = field(default_factory=dict)
    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True)
class Drift:
    """How many files came, changed and went in a folder since it was last indexed; ``folder`` is its path."""

    folder: str
    added: int
    changed: int
    removed: int


def remember(domain: Path, folder: Path, found: Scan, settings: DocumentSettings) -> None:
    """Write beside an index what was seen of its folder; it is no part of a generation."""
    seen = SeenFolder(str(folder.resolve()), _states(found), settings.exclude, found.unread, found.rejected)
    write_atomic(domain / _FILE, json_text(dataclasses.asdict(seen)))


def seen_of(domain: Path) -> SeenFolder | None:
    """Return what the last update saw; None where nobody knows, as of an index of an earlier version."""
    try:
        seen: SeenFolder = adapter_of(SeenFolder).validate_json((domain / _FILE).read_bytes())
    except (OSError, ValueError):
        return None  # written anew by the next update
    return seen


def changed_since(domain: Path) -> Drift | None:
    """Tell how the folder of a domain differs from what was indexed; None if it does not, or is not there."""
    seen = seen_of(domain)
    return drift_of(seen) if seen else None


def drift_of(seen: SeenFolder) -> Drift | None:
    """Tell how a folder differs from what was seen of it; None if it does not, or is not there.

    Sizes and times are compared, tens of milliseconds for a thousand files; no file of a document is opened.
    """
    try:
        now = _states(scan(Path(seen.folder), DocumentSettings(exclude=seen.exclude)))
    except UsageError:
        return None
    changed = sum(1 for source, state in now.items() if seen.files.get(source, state) != state)
    added, removed = len(now.keys() - seen.files.keys()), len(seen.files.keys() - now.keys())
    return Drift(seen.folder, added, changed, removed) if added or changed or removed else None


def _states(found: Scan) -> dict[str, tuple[int, int]]:
    return {file.source: (file.size, file.modified) for file in found.files}
