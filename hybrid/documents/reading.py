"""One file becomes documents: the table of readers by suffix, and what guards them."""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hybrid.config import DocumentSettings
from hybrid.documents.source import ROW_FILE_FACTOR, SourceFile, Unreadable, check_size
from hybrid.types import Document, Rejected

# Part of the change hash of an index: raise it when a reader gives another text for the same file.
READERS_VERSION = 7

_BATCH_ITEMS = 512
_BATCH_CHARACTERS = 1 << 20

_SUFFIXES = {
    "text": (".txt", ".text", ".rst", ".adoc", ".asciidoc"),
    "markdown": (".md", ".markdown", ".mdx"),
    "html": (".html", ".htm", ".xhtml"),
    "pdf": (".pdf",),
    "word": (".docx", ".docm", ".dotx", ".dotm"),
    "slides": (".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm"),
    "epub": (".epub",),
    "tables": (".csv", ".tsv", ".jsonl", ".ndjson"),
}
_MODULES = {suffix: name for name, suffixes in _SUFFIXES.items() for suffix in suffixes}

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


@functools.cache
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
