"""Vectors by the content that they stand for, so that nothing is embedded twice.

Takes keys and vectors, gives vectors back, in a file that all generations of a domain share. Knows
nothing about chunks; to lose it costs time and nothing else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from hybrid.files import storage_errors
from hybrid.models import Vectors


class VectorCache:
    """Vectors by content key, shared by all generations of a domain.

    Half precision: the models compute in 8 to 11 bits of mantissa, so it costs a ranking nothing
    (a cosine moves by less than 0.0005) and halves the disk.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with storage_errors(str(path)):
            self._db = _sound_cache(path)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("CREATE TABLE IF NOT EXISTS vectors(key BLOB PRIMARY KEY, vector BLOB NOT NULL)")

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


def _sound_cache(path: Path) -> sqlite3.Connection:
    """Open the cache; a damaged one is begun anew, for all that is lost with it is time."""
    connection = sqlite3.connect(path)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        connection.close()
        path.unlink()
        connection = sqlite3.connect(path)
    return connection


def decode_vectors(blobs: Sequence[bytes]) -> Vectors:
    """Return stored vectors as unit vectors in float32."""
    vectors = np.frombuffer(b"".join(blobs), dtype=np.float16).reshape(len(blobs), -1).astype(np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return vectors
