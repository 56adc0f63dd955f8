"""The SQLite files of an index: opened with the tables that we wrote and no others; vectors by content."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from hybrid.errors import IndexCorrupt
from hybrid.files import REPAIR, storage_errors
from hybrid.models import Vectors

_VECTORS = "CREATE TABLE IF NOT EXISTS vectors(key BLOB PRIMARY KEY, vector BLOB NOT NULL);"
# One writer holds the folder, so who else holds a file is no part of this program.
_BUSY_SECONDS = 2.0
# In KiB, of each file that is read: with SQLite's own 2 MB the places of 400 chunks among 100,000 are read
# anew for every question, which takes twice the time.
_PAGES = 16_384
_CACHE_REPAIR = "remove {}: it holds nothing that cannot be computed again"


def connect(path: Path, schema: str, *, read_only: bool, added: Sequence[str] = ()) -> sqlite3.Connection:
    """Open a file that holds exactly the tables of a schema: a view or a trigger is somebody else's program.

    Args:
        path: of the file.
        schema: its tables.
        read_only: it is not written any more, by nobody.
        added: the tables that each later version added; a file of an earlier one gets those that it lacks,
            in memory if it is read-only.

    Raises:
        IndexCorrupt: it is no database, or one of other tables.
        IndexLocked: another program holds it.
    """
    mode = "?mode=ro&immutable=1" if read_only else ""
    # readers are shared by the threads of a server; SQLite itself serialises them
    connection = sqlite3.connect(
        path.resolve().as_uri() + mode, uri=True, check_same_thread=False, timeout=_BUSY_SECONDS
    )
    try:
        with database_errors(path, read_only=read_only):
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA foreign_keys = ON")
            found = _objects(connection)
            versions = ["".join((schema, *added[:count])) for count in range(len(added) + 1)]
            known = 0 if not found and not read_only else _version(path, found, versions)
            if not read_only:
                connection.executescript(versions[-1])
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
            else:
                connection.execute(f"PRAGMA cache_size = -{_PAGES}")
                lacking = "".join(added[known:])
                connection.executescript(lacking.replace("CREATE TABLE IF NOT EXISTS", "CREATE TEMP TABLE"))
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def database_errors(path: Path, *, read_only: bool) -> Iterator[None]:
    """Turn what SQLite says of damage into IndexCorrupt, of a full disk and a lock as elsewhere."""
    with storage_errors(str(path)):
        try:
            yield
        except sqlite3.ProgrammingError:
            raise  # a mistake of ours, such as a closed file
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and not read_only:
                raise
            raise IndexCorrupt(f"{path} cannot be read: {error}", hint=REPAIR) from error
        except UnicodeDecodeError as error:  # SQLite's own message, which quotes the damage
            raise IndexCorrupt(f"{path} cannot be read: {error.reason}", hint=REPAIR) from error


def _objects(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    rows = connection.execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master")
    return {tuple(" ".join(str(value).split()) for value in row) for row in rows}


def _version(path: Path, found: set[tuple[str, ...]], versions: Sequence[str]) -> int:
    """Return which of the schemas a file has."""
    for number, schema in enumerate(versions):
        if found == _expected(schema):
            return number
    raise IndexCorrupt(f"{path} has other tables than those of an index", hint=REPAIR)


@functools.cache
def _expected(schema: str) -> set[tuple[str, ...]]:
    connection = sqlite3.connect(":memory:")
    connection.executescript(schema)
    return _objects(connection)


class VectorCache:
    """Vectors by content key, shared by all generations of a domain.

    Half precision: the models compute in 8 to 11 bits of mantissa, so it costs a ranking nothing
    (a cosine moves by less than 0.0005) and halves the disk.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._db = connect(path, _VECTORS, read_only=False)
        except IndexCorrupt:  # begun anew: all that is lost with it is time
            for name in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
                name.unlink(missing_ok=True)
            self._db = connect(path, _VECTORS, read_only=False)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Store vectors; they are on disk when this returns."""
        rows = [(key, vector.tobytes()) for key, vector in zip(keys, vectors.astype(np.float16), strict=True)]
        with storage_errors(str(self.path)), self._db:
            self._db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    def keep_only(self, used: Iterable[bytes]) -> None:
        """Drop the vectors whose keys are not among these."""
        with storage_errors(str(self.path)), self._db:
            self._db.execute("CREATE TEMP TABLE used(key BLOB PRIMARY KEY)")
            self._db.executemany("INSERT OR IGNORE INTO used VALUES (?)", ((key,) for key in used))
            self._db.execute("DELETE FROM vectors WHERE key NOT IN (SELECT key FROM used)")
            self._db.execute("DROP TABLE used")


def decode_vectors(blobs: Sequence[bytes]) -> Vectors:
    """Return stored vectors as unit vectors in float32.

    Raises:
        IndexCorrupt: they are of different lengths, or hold what is no number.
    """
    if len({len(blob) for blob in blobs}) != 1 or len(blobs[0]) % 2:
        raise IndexCorrupt("the stored vectors are damaged", hint=_CACHE_REPAIR.format("vectors.sqlite"))
    vectors = np.frombuffer(b"".join(blobs), dtype=np.float16).reshape(len(blobs), -1).astype(np.float32)
    if not np.isfinite(vectors).all():
        raise IndexCorrupt("the stored vectors are damaged", hint=_CACHE_REPAIR.format("vectors.sqlite"))
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return vectors
