"""Files, what one may cost (bytes, entries, pages, memory), who may read it, and the table of readers."""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from hybrid.config import DocumentSettings
from hybrid.errors import UsageError
from hybrid.types import Document, Rejected

# Part of the change hash of an index: raise it when a reader gives another text for the same file.
READERS_VERSION = 21

_BATCH_ITEMS = 512
_BATCH_CHARACTERS = 1 << 20

_SUFFIXES = {
    ("text", "read"): (".txt", ".text", ".rst", ".adoc", ".asciidoc"),
    ("tex", "read"): (".tex",),
    ("markdown", "read"): (".md", ".markdown", ".mdx"),
    ("html", "read"): (".html", ".htm", ".xhtml"),
    ("pdf", "read"): (".pdf",),
    ("word", "read"): (".docx", ".docm", ".dotx", ".dotm"),
    ("slides", "read"): (".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm"),
    ("sheets", "read"): (".xlsx", ".xlsm", ".xltx", ".xltm"),
    ("opendocument", "read"): (".odt", ".ott", ".ods", ".ots", ".odp", ".otp"),
    ("rich", "read"): (".rtf",),
    ("mail", "read"): (".eml", ".mht", ".mhtml"),
    ("mail", "read_box"): (".mbox",),
    ("notes", "read_notebook"): (".ipynb",),
    ("notes", "read_json"): (".json",),
    ("notes", "read_entries"): (*(".log", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".properties"),),
    ("notes", "read_org"): (".org",),
    ("notes", "read_subtitles"): (".srt", ".vtt"),
    ("html", "read_book"): (".epub",),
    ("tables", "read"): (".csv", ".tsv", ".jsonl", ".ndjson"),
}
# Many documents a file, streamed.
_IN_ROWS = (("tables", "read"), ("mail", "read_box"))
_READERS = {suffix: name for name, suffixes in _SUFFIXES.items() for suffix in suffixes}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file found below the folder.

    ``source`` is its path relative to the folder with ``/``; bytes of a name that are not UTF-8 are
    written out in hexadecimal, so it can always be encoded and stored, and letters are composed (NFC).
    ``path`` opens the file. ``modified`` is when it or who may read it changed last, in nanoseconds, 0 where
    that is unknown. Who may read it by ``principals`` goes before what the document says itself, and that
    before what its folder says, ``of_folder``. Nothing is read from outside the real path ``within``, if any,
    to which a link may lead.
    """

    source: str
    path: Path
    size: int
    modified: int = 0
    principals: tuple[str, ...] | None = None
    of_folder: tuple[str, ...] | None = None
    within: str = ""

    def outside(self) -> Rejected | None:
        """Return why the file is not read if it leads out of its folder by now; None if it does not."""
        return leads_out(self.source, self.path, self.within) if self.within else None


def leads_out(source: str, path: str | Path, within: str) -> Rejected | None:
    """Return why a link is not followed that leads out of a folder, given by its real path."""
    target = os.path.realpath(path)
    if os.path.commonpath([within, target]) == within:
        return None
    told = f"a link out of the folder, to {printable(target)}: not followed; copy it into the folder"
    return Rejected(source, told)


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
    return tuple(sorted(_READERS))


def comes_in_rows(file: SourceFile) -> bool:
    """Return whether a file may be many documents, which are streamed."""
    return _READERS.get(file.path.suffix.lower()) in _IN_ROWS


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
    module, name = _READERS[file.path.suffix.lower()]
    has_rows = comes_in_rows(file)
    # the size on disk now, not at the time of the scan
    check_size(file.path.stat().st_size, settings, factor=ROW_FILE_FACTOR if has_rows else 1)
    reader: _Reader = getattr(importlib.import_module(f"hybrid.documents.{module}"), name)
    if has_rows:
        return reader(file, settings)
    # a single document: nothing is gained by streaming it, and no library may talk meanwhile
    with _quiet():
        return iter(list(reader(file, settings)))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep warnings and log lines of the libraries off stderr; what matters is raised."""
    loggers = {name: logging.getLogger(name) for name in ("pypdf", "pypdfium2")}
    levels = {name: logger.level for name, logger in loggers.items()}
    for logger in loggers.values():
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, logger in loggers.items():
            logger.setLevel(levels[name])


# Gives who may read the document of a source; None where it says nothing.
Principals = Callable[[str], Sequence[str] | None]

RULE_SUFFIX = ".principals"
_FIELD = "principals"
_HINT = 'write names between commas or on lines of their own, or a JSON list such as ["anna", "staff"]'
# What stands for something else in JSON, YAML or a comment is hardly part of a name.
_NOT_IN_A_NAME = re.compile(r'["\[\]{}#|>]')


def rule_for(file: SourceFile, principals: Principals | None) -> tuple[str, ...] | None:
    """Return who may read a file as the caller says it, else the file beside it; None where neither does.

    Raises:
        UsageError: what says it cannot be read, or names nobody in a way that is known.
    """
    given = principals(file.source) if principals is not None else None
    if given is None:
        return _said(file.path.with_name(file.path.name + RULE_SUFFIX), file.source)
    try:
        return parse_principals(given)
    except Unreadable as error:
        raise UsageError(
            f"principals= does not say who may read {file.source!r}: {error}", hint=_HINT
        ) from error


def rule_of_folder(file: SourceFile) -> tuple[str, ...] | None:
    """Return who may read what says nothing itself: by the nearest file ``.principals`` in a folder above.

    Raises:
        UsageError: as ``rule_for``.
    """
    depth = file.source.count("/") + 1
    for folder in list(file.path.parents)[:depth]:
        if (rule := _said(folder / RULE_SUFFIX, file.source)) is not None:
            return rule
    return None


def is_rule(field: str) -> bool:
    """Tell whether a field says who may read the document, in whatever letters."""
    return field.strip().strip("\"'").casefold() == _FIELD


def rule_of(fields: Iterable[tuple[str, object]]) -> tuple[str, ...] | None:
    """Return who may read a document by its own fields; None where none of them says it.

    Raises:
        Unreadable: a rule that nobody can read rejects the document, so that it is never read by all.
    """
    rules = [value for name, value in fields if is_rule(name)]
    if len(rules) > 1:
        raise Unreadable(f"{len(rules)} fields `{_FIELD}` say who may read it; keep one")
    try:
        return parse_principals(rules[0]) if rules else None
    except Unreadable as error:
        raise Unreadable(f"its field `{_FIELD}` does not say who may read it: {error}; {_HINT}") from error


def parse_principals(value: object) -> tuple[str, ...]:
    """Return who is named, sorted, each once: by a list of texts, or a text with commas or lines.

    Nothing named is nobody.
    """
    names = _split(value) if isinstance(value, str) else [] if value is None else value
    if not isinstance(names, (list, tuple, set, frozenset)):
        raise Unreadable(f"expected names, found {type(value).__name__}")
    wrong = [name for name in names if not (isinstance(name, str) and name.strip() and name.isprintable())]
    if wrong:
        raise Unreadable(f"{wrong[0]!r} is no name")
    return tuple(sorted({name.strip() for name in names}))


def _said(rule: Path, source: str) -> tuple[str, ...] | None:
    """Return who may read a source by a file that says so; None where there is no such file."""
    try:
        return parse_principals(rule.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        if not rule.is_symlink():
            return None
        why = "a link that leads nowhere"
    except UnicodeDecodeError:
        why = "it is not UTF-8"
    except OSError as error:
        why = f"it cannot be read: {error.strerror}"
    except Unreadable as error:
        why = str(error)
    raise UsageError(f"{printable(rule.name)} does not say who may read {source!r}: {why}", hint=_HINT)


def _split(text: str) -> object:
    text = text.strip()
    if text.startswith("["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):  # a list as YAML has it
            text = text[1:].removesuffix("]") if text.endswith("]") else text
    parts = (part.strip() for part in re.split(r"[,;\n]", text))
    names = [_unquoted(part) for part in parts if part]
    if wrong := [name for name in names if _NOT_IN_A_NAME.search(name)]:
        raise Unreadable(f"{wrong[0][:40]!r} is no name")
    return names


def _unquoted(name: str) -> str:
    return name[1:-1] if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'" else name
