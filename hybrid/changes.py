"""Audit log of what was switched in the domains of a folder: append-only, a hash chain."""

from __future__ import annotations

import contextlib
import getpass
import os
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from hybrid.errors import IndexCorrupt
from hybrid.files import adapter_of, hash_text, json_text, locked, storage_errors, valid_utf8

LOG = "changes.jsonl"
_TAIL = 65_536
_LONGEST = 2_000


class Switched(StrEnum):
    """What of a domain can be switched: what decides its answers, and what is tried out."""

    ARM = "arm"
    GENERATOR = "generator"
    EMBEDDER = "embedder"
    PROMPT = "prompt"
    GENERATION = "generation"
    TRIAL = "trial"


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """A line of the log.

    ``batch`` is the number of the first change of those that were made together. ``before`` and ``after``
    are names, empty for none; ``held`` is what stood in the file before, where a name is not all of it.
    ``undoes`` is the batch that it took back, 0 for none. ``time`` is ISO 8601 in UTC, ``by`` the account.
    ``digest`` is that of the line before and of this one.
    """

    number: int
    batch: int
    time: str
    by: str
    domain: str
    what: Switched
    before: str
    after: str
    why: str = ""
    held: str = ""
    undoes: int = 0
    digest: str = ""


@dataclass(slots=True)
class _OpenLog:
    """An open log, whose next line is known."""

    path: Path
    stream: BinaryIO
    why: str
    undoes: int
    first: int
    last: int
    digest: str


_open: ContextVar[_OpenLog | None] = ContextVar("changes", default=None)


def record(domain: Path, what: Switched, before: str, after: str, *, why: str = "", held: str = "") -> None:
    """Write down what is about to be switched; it is on disk when this returns.

    The log says it first, so that nothing is ever switched that it does not have; what a kill cut short shows
    in that the last line is not what is in force. The log is beside the folder ``domain``. ``before`` is the
    name of what is in force, empty for none, ``after`` that of what will be, and ``held`` the content of the
    file, where it says more than the name.
    """
    if before == after:
        return
    with together(domain.parent, why=why):
        batch = _open.get()
        assert batch is not None, "it was opened"
        line = LoggedChange(
            number=batch.last + 1,
            batch=batch.first,
            time=datetime.now(UTC).isoformat(timespec="milliseconds"),
            by=_account(),
            domain=domain.name,
            what=what,
            before=before,
            after=after,
            why=valid_utf8((batch.why or why)[:_LONGEST]),
            held=held,
            undoes=batch.undoes,
        )
        line = replace(line, digest=_digest(batch.digest, line))
        with storage_errors(str(batch.path)):
            rest = memoryview(_line(line) + b"\n")
            while rest:  # all that a nearly full disk takes, before it says that it is full
                rest = rest[batch.stream.write(rest) :]
            os.fsync(batch.stream.fileno())
        batch.last, batch.digest = line.number, line.digest


@contextlib.contextmanager
def together(indexes: Path, *, why: str = "", undoes: int = 0) -> Iterator[None]:
    """Switch several things at once: those who answer see none of them or all, see ``settled``."""
    path = indexes / LOG
    batch = _open.get()
    if batch is not None and batch.path == path:
        yield
        return
    with locked(path) as stream:
        number, digest = _last(path, stream)
        token = _open.set(_OpenLog(path, stream, why, undoes, number + 1, number, digest))
        try:
            yield
        finally:
            _open.reset(token)


@contextlib.contextmanager
def settled(indexes: Path) -> Iterator[None]:
    """Wait until nothing is half switched, and hold off the next switch while it is read what is in force."""
    if _open.get() is not None or not (indexes / LOG).exists():
        yield
        return
    with locked(indexes / LOG, shared=True):
        yield


def read_changes(indexes: Path) -> list[LoggedChange]:
    """Return all changes, the oldest first, after each line was found to follow from the one before.

    A line that a kill cut short was never finished, and is left out.

    Raises:
        IndexCorrupt: a line was changed, or one is missing; it says which.
    """
    path, found, digest = indexes / LOG, list[LoggedChange](), ""
    if not path.exists():
        return found
    *lines, _cut_short = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        place = f"{path}, line {number}"
        change = _parsed(line, place)
        if (change.number, change.digest, _line(change)) != (number, _digest(digest, change), line):
            raise _broken(place)
        found.append(change)
        digest = change.digest
    return found


def _last(path: Path, stream: BinaryIO) -> tuple[int, str]:
    """Return number and digest of the last line; cut off first what a kill left of one."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(size - _TAIL, 0))
    tail = stream.read()
    whole = tail.rfind(b"\n") + 1
    if whole < len(tail):
        stream.truncate(size - len(tail) + whole)
        stream.seek(0, os.SEEK_END)
    lines = tail[:whole].splitlines()
    if not lines:
        return 0, ""
    last = _parsed(lines[-1], f"{path}, its last line")
    return last.number, last.digest


def _parsed(line: bytes, place: str) -> LoggedChange:
    from pydantic import ValidationError

    try:
        change: LoggedChange = adapter_of(LoggedChange).validate_json(line, strict=True)
    except ValidationError as error:
        raise _broken(place) from error
    return change


def _broken(place: str) -> IndexCorrupt:
    return IndexCorrupt(
        f"{place} is not what was written there",
        hint="somebody changed the log; compare it with a copy, or move it away to begin a new one",
    )


def _digest(before: str, change: LoggedChange) -> str:
    return hash_text(before, _line(replace(change, digest="")).decode())


def _line(change: LoggedChange) -> bytes:
    return json_text(asdict(change)).encode()


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in a container
        return f"account {os.getuid()}"
