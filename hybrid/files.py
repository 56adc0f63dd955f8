"""Files that survive: names, atomic writes, content hashes, JSON lines, a folder lock, checksums."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import json
import math
import os
import re
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from hybrid.errors import IndexCorrupt, IndexLocked, StorageError, UsageError

T = TypeVar("T")

# What every file system takes, with an ending of ours.
_NAME_BYTES = 200
# What a disk says to a write that it does not take, beside having no room.
_REFUSED = {
    *(errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EBUSY, errno.ENODEV, errno.ENXIO),
    *(errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EMFILE, errno.ENFILE),
}
# How libraries in Rust, such as safetensors and tantivy, tell what a disk said.
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
# What to do about an index whose files are not what they were.
REPAIR = "rebuild with `hybrid index FOLDER --rebuild`, or go back with `hybrid rollback generation`"
_LOCK_SECONDS = 0.1


def hash_text(*parts: str) -> str:
    """Return the SHA-256 of the parts; part borders count, so ("ab", "c") is not ("a", "bc")."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def is_name(text: str) -> bool:
    """Tell whether a text can name a folder of ours: on one level, not hidden, nothing but printable."""
    return (
        text.isprintable()
        and text == text.strip()
        and not text.startswith(".")
        and not any(letter in "/\\" for letter in text)
        and 0 < len(text.encode("utf-8", "replace")) <= _NAME_BYTES
    )


def valid_utf8(text: str) -> str:
    """Replace halves of characters, which a terminal may hand over and no tokeniser takes."""
    return text.encode("utf-8", "replace").decode()


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Turn a full, read-only or failing disk into a StorageError that names what was written."""
    try:
        yield
    except sqlite3.OperationalError as error:
        # a disk without a single free block shows itself as an I/O error, for lack of a journal
        if "full" in str(error) or "disk I/O error" in str(error):
            raise _no_space(what) from error
        if "locked" in str(error) or "busy" in str(error):
            raise IndexLocked(
                f"another program holds {what}", hint="wait until it is done, or close it, and run again"
            ) from error
        raise
    except Exception as error:
        told = _OS_ERROR.search(str(error))
        code = (error.errno if isinstance(error, OSError) else told and int(told[1])) or 0
        if code in (errno.ENOSPC, errno.EDQUOT):
            raise _no_space(what) from error
        if code == errno.EFBIG:
            raise StorageError(
                f"cannot write {what}: the file would be larger than the disk or the account allows",
                hint="raise the limit (ulimit -f), or choose another disk with --indexes",
            ) from error
        if code in _REFUSED:
            raise StorageError(
                f"cannot write {what}: {os.strerror(code)}",
                hint="check the folder and its permissions, or choose another with --indexes",
            ) from error
        raise


def _no_space(what: str) -> StorageError:
    return StorageError(
        f"no space left on the disk (or it fails) while writing {what}",
        hint="free some space and run the command again; the index in force is untouched",
    )


def fsync_folder(folder: Path) -> None:
    """Make renames inside the folder durable, where the system can."""
    if sys.platform == "win32":  # a folder cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_file(path: Path) -> None:
    """Make a finished file durable."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write beside, fsync, rename: the file is the old one or the new one, never half of it."""
    raw = data.encode("utf-8") if isinstance(data, str) else data
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with storage_errors(str(path)):
        try:
            with beside.open("wb") as stream:
                stream.write(raw)
                stream.flush()
                os.fsync(stream.fileno())
            beside.replace(path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
        fsync_folder(path.parent)


def write_json(path: Path, value: object) -> None:
    """Write a JSON document atomically, indented, keys in the given order."""
    write_atomic(path, json_text(value, indent=2) + "\n")


def json_text(value: object, *, indent: int | None = None) -> str:
    """Return a value as JSON; null for what is no finite number, which other readers of JSON refuse."""
    return json.dumps(finite(value), ensure_ascii=False, indent=indent)


def finite(value: object) -> object:
    """Return a value for JSON: lists for tuples, null for what is no finite number."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    return [finite(inner) for inner in value] if isinstance(value, (list, tuple)) else value


@functools.cache
def adapter_of(kind: Any) -> Any:
    """Return what validates values of a kind, made once: that takes milliseconds."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def checked(kind: type[T], value: object, place: str, *, hint: str) -> T:
    """Return what JSON gave as a value of this kind, no field of it turned into another type.

    Raises:
        UsageError: it is none; the message says where, and which key is wrong.
    """
    from pydantic import ValidationError

    try:
        found: T = adapter_of(cast(Any, kind)).validate_json(json.dumps(value), strict=True)
        return found
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise UsageError(f"{place} is damaged: `{key}`: {first['msg']}", hint=hint) from error


def of_schema(content: object, schema: int, place: str, *, hint: str) -> dict[str, Any]:
    """Return what a file of ours says beside its schema.

    Raises:
        UsageError: it is of another schema, or of none.
    """
    found = content.get("schema") if isinstance(content, dict) else None
    if not isinstance(content, dict) or found != schema:
        raise UsageError(f"{place} is of schema {found!r}, expected {schema}", hint=hint)
    return {key: value for key, value in content.items() if key != "schema"}


def read_stored(kind: type[T], path: Path, schema: int, *, hint: str) -> T | None:
    """Return a value of this kind from a JSON file of ours with its schema, None if there is no file.

    Raises:
        UsageError: the file cannot be read, is of another schema, or is damaged.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}", hint=hint) from error
    return checked(kind, of_schema(content, schema, str(path), hint=hint), str(path), hint=hint)


def write_tensors(path: Path, tensors: Mapping[str, Any]) -> None:
    """Write tensors of torch into a file of safetensors, whose folder is made; not atomic."""
    from safetensors.torch import save_file

    with storage_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path)
        fsync_file(path)


def append_jsonl(path: Path, rows: list[Mapping[str, object]]) -> None:
    """Append one line a row and fsync; repair first a line that a kill cut short."""
    repair_jsonl(path)
    lines = "".join(json_text(row) + "\n" for row in rows)
    with storage_errors(str(path)), path.open("ab") as stream:
        stream.write(lines.encode("utf-8"))
        stream.flush()
        os.fsync(stream.fileno())


def repair_jsonl(path: Path) -> int:
    """Cut off a last line without its newline; return the number of bytes removed."""
    if not path.exists():
        return 0
    data = path.read_bytes()
    keep = data.rfind(b"\n") + 1
    if keep < len(data):
        with path.open("r+b") as stream:
            stream.truncate(keep)
            os.fsync(stream.fileno())
    return len(data) - keep


def read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield (line number from 1, value) for every line that is not blank.

    Raises:
        ValueError: a line is not JSON; the message names the file and the line.
    """
    with path.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                try:
                    yield number, json.loads(line)
                except (ValueError, RecursionError) as error:
                    why = getattr(error, "msg", None) or error
                    raise ValueError(f"{path}, line {number}: not JSON ({why})") from error


def checksums(folder: Path) -> dict[str, str]:
    """Return relative path -> SHA-256 for every file below the folder but the manifest."""
    return {
        path.relative_to(folder).as_posix(): hash_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }


def verify_checksum(path: Path, expected: str) -> None:
    """Raise IndexCorrupt for a file that is missing or whose bytes changed."""
    if not path.is_file():
        raise IndexCorrupt(f"{path} is missing", hint=REPAIR)
    found = hash_file(path)
    if found != expected:
        raise IndexCorrupt(
            f"{path} is not the file that was built: its checksum is {found[:12]}…, "
            f"the manifest says {expected[:12]}…",
            hint=REPAIR,
        )


@contextlib.contextmanager
def folder_lock(folder: Path, *, wait: float = 0.0) -> Iterator[None]:
    """Hold the folder for one writer; the lock dies with the process.

    The folder is made if it is not there. ``wait`` is for how many seconds another process that holds it is
    waited for before it is refused.

    Raises:
        IndexLocked: another process holds it; the message names its process number.
    """
    with storage_errors(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
        # what is not written stays in no buffer, which a full disk would refuse once more when it is closed
        stream = (folder / "lock").open("a+b", buffering=0)
    with stream:
        until = time.monotonic() + wait
        while not (held := _try_lock(stream.fileno())) and time.monotonic() < until:
            time.sleep(_LOCK_SECONDS)
        if not held:
            stream.seek(0)
            owner = stream.read(32).decode("ascii", "replace").strip() or "unknown"
            raise IndexLocked(
                f"another process (number {owner}) is writing {folder}",
                hint="wait until it is done; searching and asking go on meanwhile",
            )
        with storage_errors(str(folder)):
            stream.truncate(0)
            stream.write(str(os.getpid()).encode("ascii"))
        yield


@contextlib.contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[BinaryIO]:
    """Open a file that one writer holds, or readers together, once the others are done.

    It is made if it is not there, unless it is ``shared``, to read; where the system has no such lock, nobody
    waits.
    """
    with storage_errors(str(path)):
        if not shared:
            path.parent.mkdir(parents=True, exist_ok=True)
        # unbuffered, as the lock of a folder
        stream = path.open("rb" if shared else "a+b", buffering=0)
    with stream:
        if sys.platform == "win32":
            while not shared and not _try_lock(stream.fileno()):
                time.sleep(_LOCK_SECONDS)
        else:
            import fcntl

            fcntl.flock(stream.fileno(), fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield stream


def _try_lock(descriptor: int) -> bool:
    if sys.platform == "win32":
        import msvcrt

        try:
            # one byte far behind the text, so that others can still read the owner
            os.lseek(descriptor, 1 << 20, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def free_bytes(folder: Path) -> int:
    """Return the free space of the disk that holds the folder or its nearest existing parent."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
