"""Vector stores by their address: Qdrant and PostgreSQL with pgvector, as the dense side of a domain."""

from __future__ import annotations

import contextlib
import threading
import uuid
import weakref
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from hybrid.config import Settings
from hybrid.errors import ConfigError, ExtraMissing
from hybrid.index.external import ExternalStore, answering
from hybrid.models import Vectors
from hybrid.trust import StoreAddress

# Seconds until a store that takes a connection and says nothing counts as away, and until a request does.
_CONNECT_SECONDS, _SECONDS = 5, 30
# pgvector looks at no more candidates than this in its graph; for more neighbours all vectors are compared.
_GRAPH_DEPTH = 1_000
# The longest vector of 32-bit numbers that pgvector makes a graph of.
_GRAPH_DIMENSION = 2_000
# PostgreSQL cuts longer names without a word.
_NAME_BYTES = 63


def store_of(settings: Settings, domain: str) -> ExternalStore | None:
    """Return the collection or table of a domain in the store that is set; None where none is.

    It is connected to when it is first asked.

    Raises:
        ConfigError: offline, and the store is on another machine.
        ExtraMissing: the client of such a store is not installed.
    """
    address = settings.vectors
    if not address:
        return None
    if settings.models.offline and not address.is_loopback:
        raise ConfigError(
            f"offline, and `vectors` is on another machine: {address}",
            hint="leave --offline (models.offline) out, or use a store on localhost",
        )
    scheme = urlsplit(address).scheme
    extra, package = ("pgvector", "psycopg") if scheme == "postgresql" else ("qdrant", "qdrant_client")
    if find_spec(package) is None:
        raise ExtraMissing(
            f"`vectors` is {address}, and {package} is not installed",
            hint=f"pip install 'hybrid-assistant[{extra}]'",
        )
    return PgVectors(address, domain) if scheme == "postgresql" else QdrantVectors(address, domain)


class QdrantVectors:
    """A collection of Qdrant named ``hybrid-DOMAIN``, made with the first vectors."""

    def __init__(self, address: StoreAddress, domain: str) -> None:
        self._address, self._collection = address, f"hybrid-{domain}"
        self._lock = threading.Lock()
        self._opened: Any = None

    def nearest(self, vector: Vectors, k: int) -> list[str]:
        """Return the keys of the k nearest vectors; none while there is no collection."""
        with answering(self._address):
            client = self._client()
            if not client.collection_exists(self._collection):
                return []
            found = client.query_points(
                self._collection, query=vector.tolist(), limit=k, with_payload=["key"], timeout=_SECONDS
            )
            return [str((point.payload or {}).get("key", "")) for point in found.points]

    def add(self, keys: Sequence[str], vectors: Vectors) -> None:
        """Keep a vector for each key."""
        from qdrant_client import models

        with answering(self._address):
            client = self._client()
            if not client.collection_exists(self._collection):
                shape = models.VectorParams(size=vectors.shape[1], distance=models.Distance.COSINE)
                client.create_collection(self._collection, vectors_config=shape)
            points = [
                models.PointStruct(id=_id(key), vector=row, payload={"key": key})
                for key, row in zip(keys, vectors.tolist(), strict=True)
            ]
            client.upsert(self._collection, points, wait=True)

    def remove(self, keys: Sequence[str]) -> None:
        """Forget keys."""
        from qdrant_client import models

        with answering(self._address):
            client = self._client()
            if keys and client.collection_exists(self._collection):
                gone = models.PointIdsList(points=[_id(key) for key in keys])
                client.delete(self._collection, gone, wait=True)

    def drop(self) -> None:
        """Remove the collection."""
        with answering(self._address):
            self._client().delete_collection(self._collection)  # one that is not there is no error

    def _client(self) -> Any:
        from qdrant_client import QdrantClient

        with self._lock:
            if self._opened is None:
                parts, login = urlsplit(self._address), self._address.basic
                # no host is a folder of this machine: Qdrant's local mode, for trying it out
                if not parts.hostname:
                    self._opened = QdrantClient(path=parts.path, force_disable_check_same_thread=True)
                else:
                    self._opened = QdrantClient(
                        host=parts.hostname,
                        port=parts.port or 6333,
                        https=parts.scheme == "qdrants",
                        prefix=parts.path.strip("/") or None,
                        api_key=(login[1] or login[0]) if login else None,
                        timeout=_SECONDS,
                        check_compatibility=False,
                    )
                weakref.finalize(self, self._opened.close)
            return self._opened


class PgVectors:
    """A table ``hybrid_DOMAIN`` of a PostgreSQL that has the extension ``vector``, made when it is needed."""

    def __init__(self, address: StoreAddress, domain: str) -> None:
        name = f"hybrid_{domain}"
        # a name that would be cut is told apart by its end
        self._table = (
            name if len(name.encode()) <= _NAME_BYTES - 8 else f"hybrid_{uuid.uuid5(_ROOT, domain).hex}"
        )
        self._address = address
        self._lock = threading.Lock()
        self._opened: Any = None
        self._made = False

    def nearest(self, vector: Vectors, k: int) -> list[str]:
        """Return the keys of the k nearest vectors; none while there is no table."""
        with self._cursor() as cursor:
            if not self._is_made(cursor):
                return []
            if k > _GRAPH_DEPTH:
                cursor.execute("SET LOCAL enable_indexscan = off")
            else:
                cursor.execute(f"SET LOCAL hnsw.ef_search = {min(max(4 * k, 400), _GRAPH_DEPTH)}")
            rows = cursor.execute(
                self._sql("SELECT key FROM {} ORDER BY vector <=> %s::vector LIMIT %s"), (_text(vector), k)
            )
            return [bytes(key).hex() for (key,) in rows]

    def add(self, keys: Sequence[str], vectors: Vectors) -> None:
        """Keep a vector for each key."""
        with self._cursor() as cursor:
            if not self._is_made(cursor):
                self._make(cursor, vectors.shape[1])
            cursor.executemany(
                self._sql(
                    "INSERT INTO {} VALUES (%s, %s::vector) "
                    "ON CONFLICT (key) DO UPDATE SET vector = excluded.vector"
                ),
                [(bytes.fromhex(key), _text(row)) for key, row in zip(keys, vectors, strict=True)],
            )
        self._made = True

    def remove(self, keys: Sequence[str]) -> None:
        """Forget keys."""
        with self._cursor() as cursor:
            if keys and self._is_made(cursor):
                gone = [bytes.fromhex(key) for key in keys]
                cursor.execute(self._sql("DELETE FROM {} WHERE key = ANY(%s)"), (gone,))

    def drop(self) -> None:
        """Remove the table."""
        with self._cursor() as cursor:
            cursor.execute(self._sql("DROP TABLE IF EXISTS {}"))
        self._made = False

    def _is_made(self, cursor: Any) -> bool:
        if not self._made:
            (there,) = cursor.execute("SELECT to_regclass(quote_ident(%s))", (self._table,)).fetchone()
            self._made = there is not None
        return self._made

    def _make(self, cursor: Any, dimension: int) -> None:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS vector")
        cursor.execute(
            self._sql(f"CREATE TABLE {{}} (key bytea PRIMARY KEY, vector vector({dimension}) NOT NULL)")
        )
        if dimension <= _GRAPH_DIMENSION:
            cursor.execute(self._sql("CREATE INDEX ON {} USING hnsw (vector vector_cosine_ops)"))

    def _sql(self, text: str) -> Any:
        from psycopg import sql

        return sql.SQL(text).format(sql.Identifier(self._table))

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[Any]:
        """Give one transaction; where it fails, the next one connects anew."""
        with self._lock, answering(self._address):
            try:
                if self._opened is None:
                    self._opened = self._connected()
                    weakref.finalize(self, self._opened.close)
                with self._opened.transaction(), self._opened.cursor() as cursor:
                    yield cursor
            except BaseException:
                opened, self._opened, self._made = self._opened, None, False
                if opened is not None:
                    opened.close()
                raise

    def _connected(self) -> Any:
        import psycopg

        return psycopg.connect(
            self._address.revealed,
            connect_timeout=_CONNECT_SECONDS,
            tcp_user_timeout=1_000 * _SECONDS,
            options=f"-c statement_timeout={_SECONDS}s",
            autocommit=True,
        )


_ROOT = uuid.UUID(int=0)


def _id(key: str) -> str:
    return str(uuid.UUID(hex=key[:32]))


def _text(vector: Vectors) -> str:
    return "[" + ",".join(f"{value:.8g}" for value in vector.tolist()) + "]"
