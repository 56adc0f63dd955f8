"""The SQLite side of an index: files, documents, chunks; what is read is checked."""

from __future__ import annotations

import json
import re
import unicodedata
import weakref
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from importlib import resources
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

from hybrid.errors import IndexCorrupt, UsageError
from hybrid.files import REPAIR, hash_text, storage_errors, valid_utf8
from hybrid.index.database import VectorCache, connect, database_errors, decode_vectors
from hybrid.models import Vectors
from hybrid.text.abbreviations import Meaning, find_abbreviations, find_names, form_key
from hybrid.types import Chunk, Document, FileLine, LeftOut, Rejected

SCHEMA_VERSION = 4
# What stands where a file has its limits, of a document that came from no file.
NO_FILE = "added"
_MAY_READ = "d.id IN (SELECT document FROM principals WHERE principal IN (SELECT value FROM json_each(?)))"
# What a document has a filter for: of its own, and a value in its metadata, as it stands or as one of a list.
_OWN = {"source": "d.source GLOB ? OR d.file GLOB ?", "title": "d.title GLOB ?"}
# Front matter has its lists with commas, JSON lines as JSON, where what is inside has a path such as `a.b`.
_HAS = """EXISTS (SELECT 1 FROM json_each(d.metadata) m
    WHERE m.key = ? AND (instr(', ' || m.value || ', ', ', ' || ? || ', ') OR EXISTS (
        SELECT 1 FROM json_each(CASE WHEN json_valid(m.value) AND json_type(m.value) = ? THEN m.value
                                     ELSE '[]' END, ?) e
        WHERE ? = CASE WHEN e.type IN ('true', 'false') THEN e.type ELSE CAST(e.value AS TEXT) END)))"""
_Kind = TypeVar("_Kind", list[Any], dict[str, Any])
_AT_ONCE = 1_000
_KEY = re.compile("[0-9a-f]{64}")

# Of each version what it added.
_SCHEMA, *_ADDED = (
    (resources.files("hybrid.index") / "schema.sql").read_text(encoding="utf-8").split("-------\n")
)
# The columns of a chunk from its ordinal on, as ``_chunk`` takes them.
_CHUNK = "c.ordinal, c.start, c.stop, c.headings, c.page, x.caption, x.columns, x.lines"
_CHUNKS = "chunks c LEFT JOIN contexts x ON x.document = c.document AND x.ordinal = c.ordinal"


@dataclass(frozen=True, slots=True)
class IndexedDocument:
    """A document, its chunks, and how many tokens each chunk has as it is embedded."""

    document: Document
    chunks: tuple[Chunk, ...]
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FileContent:
    """What was read from a file; a file of rows comes in several, ``last`` on the final one.

    ``changed`` says that the file did while it was read, so that the next update reads it again.
    """

    source: str
    documents: tuple[IndexedDocument, ...]
    rejected: tuple[Rejected, ...]
    last: bool = True
    changed: bool = False


@dataclass(frozen=True, slots=True)
class FileState:
    """What a file was when it was read: digest of its content, and of the limits if it failed."""

    digest: str
    limits: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How much an index holds."""

    files: int
    documents: int
    chunks: int
    rejected: int
    characters: int


@dataclass(frozen=True, slots=True)
class Row:
    """A chunk and its position in the dense and lexical index."""

    position: int
    chunk: Chunk


class Store:
    """One SQLite file; open read-only once its generation is finished."""

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self.path = path
        self._read_only = read_only
        self._db = connect(path, _SCHEMA, read_only=read_only, added=_ADDED)
        # a connection and its cache of statements hold each other, and with them the pages that it read
        weakref.finalize(self, self._db.close)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # --- writing -------------------------------------------------------------------------------

    def keys(self) -> Iterator[bytes]:
        """Yield the content key of every chunk, in the order of their positions."""
        for (key,) in self._rows("SELECT key FROM chunks ORDER BY position"):
            yield key

    def file_states(self) -> dict[str, FileState]:
        """Return the state of every file that was read to its end."""
        rows = self._rows("SELECT source, digest, limits FROM files WHERE complete")
        return {self._text(row[0]): FileState(self._text(row[1]), self._text(row[2])) for row in rows}

    def files_with_rejections(self) -> set[str]:
        """Return the sources of files of which something was rejected."""
        return {self._text(source) for (source,) in self._rows("SELECT DISTINCT file FROM rejected")}

    def remove_files(self, sources: Iterable[str]) -> None:
        """Forget files with all that came from them."""
        with storage_errors(str(self.path)), self._db:
            for source in sources:
                for table, column in (("documents", "file"), ("rejected", "file"), ("files", "source")):
                    self._db.execute(f"DELETE FROM {table} WHERE {column} = ?", (source,))

    def remove_incomplete(self) -> None:
        """Forget files of which a killed run stored only a part."""
        self.remove_files(
            [source for (source,) in self._db.execute("SELECT source FROM files WHERE NOT complete")]
        )

    def add(self, content: FileContent, state: FileState, *, fingerprint: str) -> None:
        """Store a file's content in one transaction."""
        with storage_errors(str(self.path)), self._db:
            self._db.execute(
                """INSERT INTO files VALUES (?, ?, ?, ?) ON CONFLICT(source)
                   DO UPDATE SET digest = excluded.digest, complete = excluded.complete""",
                (content.source, "" if content.changed else state.digest, state.limits, content.last),
            )
            self._db.executemany(
                "INSERT INTO rejected VALUES (?, ?, ?)",
                [(content.source, item.source, item.reason) for item in content.rejected],
            )
            for item in content.documents:
                self._add_document(content.source, item, fingerprint)

    def _add_document(self, file: str, item: IndexedDocument, fingerprint: str) -> None:
        document = item.document
        cursor = self._db.execute(
            "INSERT INTO documents(file, source, title, text, pages, metadata) VALUES (?, ?, ?, ?, ?, ?)",
            (
                file,
                document.source,
                document.title,
                document.text,
                json.dumps(document.pages),
                json.dumps(dict(document.metadata), ensure_ascii=False),
            ),
        )
        if document.principals is not None:
            rows = [(cursor.lastrowid, principal) for principal in document.principals or (None,)]
            self._db.executemany("INSERT INTO principals VALUES (?, ?)", rows)
        self._db.executemany(
            "INSERT INTO left_out VALUES (?, ?, ?, ?, ?)",
            [(cursor.lastrowid, *astuple(part)[:4]) for part in document.left_out],
        )
        self._db.executemany(
            "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            [
                (
                    cursor.lastrowid,
                    chunk.ordinal,
                    chunk.start,
                    chunk.end,
                    json.dumps(chunk.headings, ensure_ascii=False),
                    chunk.page,
                    tokens,
                    _key(fingerprint, chunk),
                )
                for chunk, tokens in zip(item.chunks, item.tokens, strict=True)
            ],
        )
        self._db.executemany(
            "INSERT INTO contexts VALUES (?, ?, ?, ?, ?)",
            [
                (
                    cursor.lastrowid,
                    chunk.ordinal,
                    chunk.caption,
                    json.dumps(chunk.columns, ensure_ascii=False),
                    json.dumps([number for line in chunk.lines for number in (line.offset, line.number)]),
                )
                for chunk in item.chunks
                if chunk.caption or chunk.columns or chunk.lines
            ],
        )

    def collect_glossary(self) -> None:
        """Read the documents that were not read for it yet for what their words stand for."""
        query = "SELECT id FROM documents WHERE id NOT IN (SELECT document FROM glossary)"
        with storage_errors(str(self.path)), self._db:
            for (document,) in self._db.execute(query).fetchall():
                _, text, _ = self._document(document)
                told = (*find_abbreviations(text), *find_names(text))
                pairs = sorted(
                    {pair for one in told for pair in ((one.short, one.long), (one.long, one.short))}
                )
                rows: list[tuple[str | None, ...]] = [
                    (form_key(form), form, meaning) for form, meaning in sorted(pairs)
                ]
                self._db.executemany(
                    "INSERT INTO glossary VALUES (?, ?, ?, ?)",
                    [(document, *row) for row in rows or [(None, None, None)]],
                )

    def rekey(self, fingerprint: str) -> None:
        """Let every chunk stand for a vector of another embedder; nothing else changes."""
        with storage_errors(str(self.path)), self._db:
            rows = self.all_chunks()
            while group := list(islice(rows, _AT_ONCE)):
                self._db.executemany(
                    "UPDATE chunks SET key = ? WHERE position = ?",
                    [(_key(fingerprint, row.chunk), row.position) for row in group],
                )

    def number_chunks(self) -> int:
        """Give every chunk its position, in the order of (source, ordinal); return how many."""
        with storage_errors(str(self.path)), self._db:
            self._db.execute("UPDATE chunks SET position = NULL")
            self._db.execute(
                """UPDATE chunks SET position = numbered.n FROM (
                     SELECT c.document AS d, c.ordinal AS o,
                            row_number() OVER (ORDER BY documents.source, c.ordinal) - 1 AS n
                     FROM chunks c JOIN documents ON documents.id = c.document) AS numbered
                   WHERE document = numbered.d AND ordinal = numbered.o"""
            )
        return self.counts().chunks

    def copy_to(self, path: Path) -> None:
        """Write a compact copy; what was removed is not in it."""
        with storage_errors(str(self.path)):
            self._db.execute("VACUUM INTO ?", (str(path),))

    def keys_without_vectors(self, vectors: VectorCache) -> Iterator[str]:
        """List the contents that have no vector, longest first, and yield their keys.

        Longest first: a batch of similar length pads little, memory peaks at once instead of after
        an hour, and the time left is never underestimated.
        """
        self._attach(vectors)
        self._db.execute("DROP TABLE IF EXISTS temp.todo")
        self._db.execute(
            f"""CREATE TEMP TABLE todo AS SELECT c.key, c.document, {_CHUNK} FROM {_CHUNKS}
                WHERE c.key NOT IN (SELECT key FROM cache.vectors)
                GROUP BY c.key ORDER BY c.tokens DESC, c.key"""
        )
        for (key,) in self._db.execute("SELECT key FROM temp.todo ORDER BY rowid"):
            yield key.hex()

    def texts_without_vectors(self, first: int, count: int) -> list[tuple[bytes, str]]:
        """Return (key, text to embed) of so many of the listed contents, from a place in the list on."""
        query = "SELECT * FROM temp.todo WHERE rowid > ? ORDER BY rowid LIMIT ?"
        return self._embedded_texts(self._db.execute(query, (first, count)).fetchall())

    def files_of(self, keys: Iterable[bytes]) -> list[str]:
        """Return the sources of the files that contents are of, in order."""
        found: set[str] = set()
        for key in keys:
            query = (
                "SELECT DISTINCT d.file FROM chunks c JOIN documents d ON d.id = c.document WHERE c.key = ?"
            )
            found |= {self._text(file) for (file,) in self._rows(query, (key,))}
        return sorted(found)

    def _embedded_texts(self, rows: list[tuple[Any, ...]]) -> list[tuple[bytes, str]]:
        # a document's text is read once a window, however many of its chunks are in it
        found: dict[bytes, str] = {}
        for document, group in groupby(sorted(rows, key=itemgetter(1)), key=itemgetter(1)):
            _, text, _ = self._document(document)
            for key, _, *row in group:
                found[key] = self._chunk("", text, {}, row).embedded_text
        return [(row[0], found[row[0]]) for row in rows]

    def vectors_in_order(self, vectors: VectorCache, block: int) -> Iterator[Vectors]:
        """Yield the vectors of all chunks in the order of their positions."""
        self._attach(vectors)
        cursor = self._db.execute(
            """SELECT CAST(v.vector AS BLOB) FROM chunks c JOIN cache.vectors v ON v.key = c.key
               ORDER BY c.position"""
        )
        while rows := cursor.fetchmany(block):
            yield decode_vectors([vector for (vector,) in rows])

    def _attach(self, vectors: VectorCache) -> None:
        attached = [name for _, name, _ in self._db.execute("PRAGMA database_list")]
        if "cache" not in attached:
            self._db.execute("ATTACH DATABASE ? AS cache", (str(vectors.path),))

    # --- reading -------------------------------------------------------------------------------

    def counts(self) -> Counts:
        """Return how much is stored."""
        query = """SELECT (SELECT count(*) FROM files), (SELECT count(*) FROM documents),
                          (SELECT count(*) FROM chunks), (SELECT count(*) FROM rejected),
                          (SELECT coalesce(sum(length(text)), 0) FROM documents)"""
        return Counts(*next(self._rows(query)))

    def has_principals(self) -> bool:
        """Tell whether any document says who may read it."""
        return bool(next(self._rows("SELECT EXISTS (SELECT 1 FROM principals)"))[0])

    def require_positions(self, chunks: int) -> None:
        """Refuse a store whose chunks do not have each of so many positions once.

        Raises:
            IndexCorrupt: with the repair.
        """
        query = """SELECT count(*), count(DISTINCT position), coalesce(min(position), 0),
                          coalesce(max(position) + 1, 0),
                          count(CASE typeof(position) WHEN 'integer' THEN 1 END) FROM chunks"""
        found = next(self._rows(query))
        if found != (chunks, chunks, 0, chunks, chunks):
            places = f"{found[0]} chunks at the places {found[2]} to {found[3]}"
            raise self._damaged(f"{places}, the manifest says {chunks}")

    def rejected(self) -> list[Rejected]:
        """Return the files and rows that failed, with their reasons."""
        rows = self._rows("SELECT source, reason FROM rejected ORDER BY source")
        return [Rejected(self._text(source), self._text(reason)) for source, reason in rows]

    def left_out(self) -> dict[str, tuple[LeftOut, ...]]:
        """Return by file what its documents lack, kind by kind; a file that lacks nothing is not in it."""
        query = """SELECT d.file, l.kind, sum(l.count), sum(l.characters), max(l.lost),
                          sum(json_array_length(d.pages))
                   FROM left_out l JOIN documents d ON d.id = l.document GROUP BY 1, 2 ORDER BY 1, 2"""
        found: dict[str, tuple[LeftOut, ...]] = {}
        for file, *part in self._rows(query):
            found[self._text(file)] = (*found.get(file, ()), self._part(part[:-1]).among(part[-1]))
        return found

    def characters(self) -> dict[str, int]:
        """Return how many characters the documents of each file have together."""
        query = "SELECT file, sum(length(text)) FROM documents GROUP BY file ORDER BY file"
        return {self._text(file): count for file, count in self._rows(query)}

    def sources(self) -> list[str]:
        """Return the sources of all documents."""
        return [
            self._text(source) for (source,) in self._rows("SELECT source FROM documents ORDER BY source")
        ]

    def titles(self, *, principals: Sequence[str] | None = None) -> list[str]:
        """Return the title of each file, its name where it has none or several documents."""
        readable = "1" if principals is None else _MAY_READ
        query = f"SELECT file, max(title), count(*) FROM documents d WHERE {readable} GROUP BY 1 ORDER BY 1"
        values = [] if principals is None else [json.dumps(list(principals))]
        rows = self._rows(query, values)
        return [self._text(title if title and count == 1 else file) for file, title, count in rows]

    def meanings(
        self, keys: Sequence[str] | None = None, *, principals: Sequence[str] | None = None
    ) -> list[Meaning]:
        """Return what forms stand for, what most documents say first.

        Args:
            keys: only of the forms that have these keys.
            principals: only what documents say that one of them may read.
        """
        conditions, values = ["g.key IS NOT NULL"], []
        if keys is not None:
            conditions.append("g.key IN (SELECT value FROM json_each(?))")
            values.append(json.dumps(list(keys)))
        if principals is not None:
            conditions.append(_MAY_READ)
            values.append(json.dumps(list(principals)))
        query = f"""SELECT g.form, g.meaning, count(*) FROM glossary g JOIN documents d ON d.id = g.document
                    WHERE {" AND ".join(conditions)} GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"""
        rows = self._rows(query, values)
        return [Meaning(self._text(form), self._text(other), count) for form, other, count in rows]

    def document(self, source: str) -> Document | None:
        """Return a document without its blocks, or None."""
        query = "SELECT title, text, pages, metadata, id FROM documents WHERE source = ?"
        for title, text, pages, metadata, identity in self._rows(query, (source,)):
            starts = tuple(self._parsed(pages, list, int))
            values = self._parsed(metadata, dict, str)
            return Document(
                source,
                self._text(text),
                self._text(title),
                pages=starts,
                metadata=values,
                principals=self._principals(identity),
                left_out=tuple(part.among(len(starts)) for part in self._lacking(identity)),
            )
        return None

    def pages(self, source: str) -> list[int]:
        """Return where each page of a document begins; nothing where it has none or is not there."""
        rows = self._rows("SELECT pages FROM documents WHERE source = ?", (source,))
        return next((self._parsed(pages, list, int) for (pages,) in rows), [])

    def positions_of(self, keys: Sequence[str]) -> list[int]:
        """Return the positions of all chunks with these content keys, in order; what is no key has none."""
        known = [bytes.fromhex(key) for key in keys if _KEY.fullmatch(key)]
        return sorted(position for (position,) in self._among("position", "key", known))

    def _among(self, wanted: str, column: str, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """Yield columns of the chunks that have one of the values, so many at once."""
        for start in range(0, len(values), _AT_ONCE):
            block = list(values[start : start + _AT_ONCE])
            marks = ",".join("?" * len(block))
            yield from self._rows(f"SELECT {wanted} FROM chunks WHERE {column} IN ({marks})", block)

    def documents_at(self, positions: Sequence[int]) -> dict[int, int]:
        """Return by position the number of the document that the chunk there is of."""
        found: dict[int, int] = dict(self._among("position, document", "position", positions))
        self._require_all(positions, found)
        return found

    def chunks(self, positions: Sequence[int]) -> list[Chunk]:
        """Return the chunks at the positions, in the order asked for."""
        marks = ",".join("?" * len(positions))
        query = f"""SELECT c.document, c.position, {_CHUNK} FROM {_CHUNKS}
                    WHERE c.position IN ({marks}) ORDER BY c.document"""
        found: dict[int, Chunk] = {}
        for document, group in groupby(list(self._rows(query, list(positions))), key=itemgetter(0)):
            source, text, metadata = self._document(document)
            for row in group:
                found[row[1]] = self._chunk(source, text, metadata, row[2:])
        self._require_all(positions, found)
        return [found[position] for position in positions]

    def _require_all(self, positions: Sequence[int], found: Container[int]) -> None:
        missing = [position for position in positions if position not in found]
        if missing:
            raise IndexCorrupt(f"{self.path} has no chunk at the place {missing[0]}", hint=REPAIR)

    def all_chunks(self) -> Iterator[Row]:
        """Yield every chunk in the order of the positions."""
        # one document at a time: cutting each chunk in SQL would walk a long text once a chunk
        for (document,) in self._rows("SELECT id FROM documents ORDER BY source"):
            source, text, metadata = self._document(document)
            query = f"SELECT c.position, {_CHUNK} FROM {_CHUNKS} WHERE c.document = ? ORDER BY c.ordinal"
            for position, *row in self._rows(query, (document,)):
                yield Row(position, self._chunk(source, text, metadata, row))

    def positions_where(
        self, where: Mapping[str, str], *, principals: Sequence[str] | None = None
    ) -> list[int]:
        """Return the positions of chunks whose document matches every condition.

        Args:
            where: ``source`` and ``title`` take a pattern with ``*`` and ``?``; these and any other key are
                compared with the metadata for equality, a list by its elements, what is inside of another by
                its path such as ``meta.lang``.
            principals: one of them may read the document by its rule; None asks for no rule.

        Raises:
            UsageError: a key that no document has, or none that may be read.
        """
        conditions, values = list[str](), list[Any]()
        if principals is not None:
            conditions.append(_MAY_READ)
            values.append(json.dumps(list(principals)))
        readable = (" AND ".join(conditions) or "1", tuple(values))
        for key, value in ((_written(key), _written(value)) for key, value in where.items()):
            name, inner = key, list[str]()
            if key in _OWN:
                # only * and ? are special, a name may hold brackets; rows are meant with their file
                conditions.append(f"({_OWN[key]} OR {_HAS})")
                values += [value.replace("[", "[[]")] * _OWN[key].count("?")
            else:
                conditions.append(_HAS)
                if not self._is_known(key, *readable):
                    name, *inner = key.split(".")
                    if not inner or '"' in key or not self._is_known(name, *readable):
                        raise self._unknown(key, *readable)
            path = "".join(f'."{part}"' for part in inner)
            values += [name, None if inner else value, "object" if inner else "array", f"${path}", value]
        query = f"""SELECT c.position FROM chunks c JOIN documents d ON d.id = c.document
                    WHERE {" AND ".join(conditions) or "1"} ORDER BY c.position"""
        return [position for (position,) in self._rows(query, values)]

    def _is_known(self, key: str, readable: str, values: Sequence[str]) -> bool:
        held = f"""SELECT 1 FROM documents d, json_each(d.metadata) j
                   WHERE d.metadata != '{{}}' AND {readable} AND j.key = ? LIMIT 1"""
        return next(self._rows(held, [*values, key]), None) is not None

    def _unknown(self, key: str, readable: str, values: Sequence[str]) -> UsageError:
        query = f"""SELECT DISTINCT j.key FROM documents d, json_each(d.metadata) j
                    WHERE d.metadata != '{{}}' AND {readable}"""
        known = {name for (name,) in self._rows(query, values)}
        valid = ", ".join(["source", "title", *sorted(known)[:20]])
        return UsageError(f"no document has the key {key!r}", hint=f"keys to filter by: {valid}")

    def _principals(self, document: int) -> tuple[str, ...] | None:
        rows = list(self._rows("SELECT principal FROM principals WHERE document = ?", (document,)))
        return tuple(sorted(self._text(name) for (name,) in rows if name is not None)) if rows else None

    def _lacking(self, document: int) -> tuple[LeftOut, ...]:
        query = "SELECT kind, count, characters, lost FROM left_out WHERE document = ? ORDER BY rowid"
        return tuple(map(self._part, self._rows(query, (document,))))

    # --- what was read is what it should be ---------------------------------------------------------

    def _rows(self, query: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        with database_errors(self.path, read_only=self._read_only):
            yield from self._db.execute(query, values)

    def _document(self, identity: int) -> tuple[str, str, Mapping[str, str]]:
        """Return source, text and metadata."""
        query = "SELECT source, text, metadata FROM documents WHERE id = ?"
        for source, text, metadata in self._rows(query, (identity,)):
            return self._text(source), self._text(text), self._parsed(metadata, dict, str)
        raise self._damaged(f"there is no document {identity!r}")

    def _chunk(self, source: str, text: str, metadata: Mapping[str, str], row: Sequence[Any]) -> Chunk:
        # a chunk's text is not stored twice: it is cut from its document, where it stands by definition
        ordinal, start, stop, headings, page, caption, columns, lines = row
        whole = all(type(number) is int for number in (ordinal, start, stop, page or 0))
        if not whole or not 0 <= start <= stop <= len(text):
            raise self._damaged(f"a chunk of {source!r} stands at {start!r} to {stop!r} of {len(text)}")
        titles = tuple(self._parsed(headings, list, str))
        chunk = Chunk(source, ordinal, start, stop, text[start:stop], titles, page, metadata)
        if caption is None:  # most chunks have no table and no lines
            return chunk
        names, numbers = tuple(self._parsed(columns, list, str)), self._parsed(lines, list, int)
        begun = tuple(FileLine(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=False))
        return replace(chunk, caption=self._text(caption), columns=names, lines=begun)

    def _part(self, row: Sequence[Any]) -> LeftOut:
        kind, count, characters, lost = row
        if not all(type(number) is int for number in (count, characters, lost)):
            raise self._damaged(f"expected three numbers, found {row[1:]!r}")
        return LeftOut(self._text(kind), count, characters, bool(lost))

    def _text(self, value: object) -> str:
        if not isinstance(value, str):
            raise self._damaged(f"expected a text, found {type(value).__name__}")
        return value

    def _parsed(self, value: object, kind: type[_Kind], of: type) -> _Kind:
        """Return a JSON list or object whose values are all of one type."""
        try:
            found = json.loads(self._text(value))
        except (ValueError, RecursionError) as error:
            raise self._damaged(f"expected JSON, found {str(value)[:40]!r}") from error
        if not isinstance(found, kind):
            raise self._damaged(f"expected a JSON {kind.__name__}, found {str(value)[:40]!r}")
        items = found.values() if isinstance(found, dict) else found
        if not all(type(item) is of for item in items):
            raise self._damaged(f"expected {of.__name__} in {str(value)[:40]!r}")
        return found

    def _damaged(self, found: str) -> IndexCorrupt:
        return IndexCorrupt(f"{self.path} is damaged: {found}", hint=REPAIR)


def _written(text: str) -> str:
    """Return a text as readers write metadata: composed, on one line."""
    return " ".join(unicodedata.normalize("NFC", valid_utf8(text)).split())


def _key(fingerprint: str, chunk: Chunk) -> bytes:
    return bytes.fromhex(hash_text(fingerprint, chunk.embedded_text))
