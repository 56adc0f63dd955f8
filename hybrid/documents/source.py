"""Files by name and size, and what one may cost: bytes, archive entries, compression ratio, memory."""

from __future__ import annotations

import contextlib
import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from hybrid.config import DocumentSettings


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file found below the folder.

    ``source`` is its path relative to the folder with ``/``; bytes of a name that are not UTF-8 are
    written out in hexadecimal, so it can always be encoded and stored, and letters are composed (NFC).
    ``path`` opens the file. ``modified`` is when it or who may read it changed last, in nanoseconds, 0 where
    that is unknown. Who may read it by ``principals`` goes before what the document says itself.
    """

    source: str
    path: Path
    size: int
    modified: int = 0
    principals: tuple[str, ...] | None = None


def printable(name: str) -> str:
    """Return a name from the file system as text that UTF-8 can hold, in the normal form of texts (NFC)."""
    if name.isascii():
        return name
    has_surrogates = any("\ud800" <= character <= "\udfff" for character in name)
    return normalize("NFC", os.fsencode(name).decode("utf-8", "backslashreplace") if has_surrogates else name)


MEGABYTE = 1 << 20
# Tables are read row by row, so their size costs time and not memory.
ROW_FILE_FACTOR = 64
_MAX_ZIP_ENTRIES = 20_000
# A small entry of blanks compresses far better than any honest text and harms nobody.
_RATIO_FROM = 4 * MEGABYTE


# What reading an entry of a damaged archive may raise.
UNREAD_ENTRY = (KeyError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)


class Unreadable(Exception):  # it never leaves the stage: `read` turns it into Rejected
    """A file that cannot become a document; the message is the reason a person will read."""


def check_size(size: int, settings: DocumentSettings, *, factor: int = 1) -> None:
    """Refuse an empty file and one above the limit."""
    if size == 0:
        raise Unreadable("empty: the file has no bytes")
    limit = settings.max_megabytes * factor
    if size > limit * MEGABYTE:
        raise Unreadable(
            f"{size / MEGABYTE:,.1f} MB is more than the limit of {limit:,g} MB; "
            "split the file or raise documents.max_megabytes"
        )


def check_pages(pages: int, settings: DocumentSettings, *, what: str = "pages") -> None:
    """Refuse a file with more pages than the limit."""
    if pages > settings.max_pages:
        raise Unreadable(
            f"{pages:,} {what} are more than the limit of {settings.max_pages:,}; "
            "split the file or raise documents.max_pages"
        )


@contextlib.contextmanager
def open_zip(path: Path, settings: DocumentSettings) -> Iterator[zipfile.ZipFile]:
    """Open an archive whose table of contents keeps within the limits.

    ``zipfile`` stops an entry at its declared size, so checking what is declared is enough.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise Unreadable(f"damaged: not a readable zip archive ({error})") from error
    with archive:
        _check_entries(archive.infolist(), settings)
        yield archive


def _check_entries(entries: list[zipfile.ZipInfo], settings: DocumentSettings) -> None:
    if len(entries) > _MAX_ZIP_ENTRIES:
        raise Unreadable(f"an archive of {len(entries):,} entries; at most {_MAX_ZIP_ENTRIES:,} are read")
    for entry in entries:
        if entry.flag_bits & 0x1:
            raise Unreadable("encrypted: the archive wants a password; save it without one")
    total = sum(entry.file_size for entry in entries)
    if total > settings.max_zip_megabytes * MEGABYTE:
        raise Unreadable(
            f"unpacks to {total / MEGABYTE:,.0f} MB, more than the limit of "
            f"{settings.max_zip_megabytes:,g} MB; if it is no zip bomb, raise documents.max_zip_megabytes"
        )
    for entry in entries:
        ratio = entry.file_size / max(1, entry.compress_size)
        if entry.file_size > _RATIO_FROM and ratio > settings.max_zip_ratio:
            raise Unreadable(
                f"looks like a zip bomb: an entry grows {ratio:,.0f} times when unpacked, "
                f"the limit is {settings.max_zip_ratio:g}"
            )


def cap_memory(megabytes: int) -> None:
    """Let this process grow by so many megabytes and no more, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    import psutil

    ceiling = psutil.Process().memory_info().vms + megabytes * MEGABYTE
    with contextlib.suppress(ValueError, OSError):  # macOS refuses; the time limit still holds
        resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))
    with contextlib.suppress(ValueError, OSError):
        # readers write nothing, so a hostile file cannot fill the disk through one of them
        resource.setrlimit(resource.RLIMIT_FSIZE, (MEGABYTE, MEGABYTE))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
