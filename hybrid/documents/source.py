"""Files, what one may cost (bytes, entries, pages, memory), and the table of readers that make documents."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from hybrid.config import DocumentSettings
from hybrid.types import Document, Rejected

# Part of the change hash of an index: raise it when a reader gives another text for the same file.
READERS_VERSION = 8

_BATCH_ITEMS = 512
_BATCH_CHARACTERS = 1 << 20

_SUFFIXES = {
    "text": (".txt", ".text", ".rst", ".adoc", ".asciidoc"),
    "markdown": (".md", ".markdown", ".mdx"),
    "html": (".html", ".htm", ".xhtml"),
    "pdf": (".pdf",),
    "word": (".docx", ".docm", ".dotx", ".dotm"),
    "slides": (".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm"),
    "sheets": (".xlsx", ".xlsm", ".xltx", ".xltm"),
    "epub": (".epub",),
    "tables": (".csv", ".tsv", ".jsonl", ".ndjson"),
}
_MODULES = {suffix: name for name, suffixes in _SUFFIXES.items() for suffix in suffixes}


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


_Items = Iterator[Document | Rejected]
_Reader = Callable[[SourceFile, DocumentSettings], _Items]


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """Some of what a file holds; ``last`` says that the file is complete.

    Most files come as one batch of one item. A table comes as many batches, one after the other,
    never mixed with those of another file.
    """

    file: SourceFile
    items: tuple[Document | Rejected, ...]
    last: bool


def supported_suffixes() -> tuple[str, ...]:
    """Return the suffixes that a reader exists for, lower case, sorted."""
    return tuple(sorted(_MODULES))


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[ReadBatch]:
    """Read one file in this process, without limits on time and memory; ``ReaderPool`` has them.

    Whatever goes wrong with a file becomes a ``Rejected``; only MemoryError passes through.
    """
    items: list[Document | Rejected] = []
    characters = 0
    for item in _guarded(file, settings):
        items.append(item)
        characters += len(item.text) if isinstance(item, Document) else len(item.reason)
        if len(items) >= _BATCH_ITEMS or characters >= _BATCH_CHARACTERS:
            yield ReadBatch(file, tuple(items), last=False)
            items, characters = [], 0
    yield ReadBatch(file, tuple(items), last=True)


def _guarded(file: SourceFile, settings: DocumentSettings) -> _Items:
    try:
        yield from _open(file, settings)
    except Unreadable as error:
        yield Rejected(file.source, str(error))
    except MemoryError:
        raise
    except OSError as error:
        yield Rejected(file.source, f"cannot be read: {error.strerror or error}")
    except RecursionError:
        yield Rejected(file.source, "damaged or hostile: its structure is nested too deeply")
    except Exception as error:  # noqa: BLE001  a hostile file may raise anything from a library
        text = " ".join(str(error).split())[:200]
        yield Rejected(file.source, f"damaged: {type(error).__name__}{': ' if text else ''}{text}")


def _open(file: SourceFile, settings: DocumentSettings) -> _Items:
    name = _MODULES[file.path.suffix.lower()]
    has_rows = name == "tables"
    # the size on disk now, not at the time of the scan
    check_size(file.path.stat().st_size, settings, factor=ROW_FILE_FACTOR if has_rows else 1)
    reader: _Reader = importlib.import_module(f"hybrid.documents.{name}").read
    if has_rows:
        return reader(file, settings)
    # a single document: nothing is gained by streaming it, and no library may talk meanwhile
    with _quiet():
        return iter(list(reader(file, settings)))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep warnings and log lines of the libraries off stderr; what matters is raised."""
    logger = logging.getLogger("pypdf")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
