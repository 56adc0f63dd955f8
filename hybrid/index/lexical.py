"""The lexical side of an index: BM25 by tantivy. A query is built of terms, never parsed."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hybrid.errors import IndexCorrupt
from hybrid.files import REPAIR, storage_errors, valid_utf8
from hybrid.index.dense import Scored
from hybrid.index.store import Row

_ANALYSER = "en_stem"
_WRITER_BYTES = 64_000_000
# A very long question is a pasted text; its most frequent terms say little and cost much.
_MAX_TERMS = 256


def build_lexical(folder: Path, rows: Iterable[Row]) -> None:
    """Build and write an index of the chunks with their headings."""
    import tantivy

    with storage_errors(str(folder)):
        folder.mkdir(parents=True)
        index = tantivy.Index(_schema(), path=str(folder))
        # one thread makes one order of segments, so the same chunks give the same scores
        writer = index.writer(heap_size=_WRITER_BYTES, num_threads=1)
        try:
            for row in rows:
                document = tantivy.Document()
                document.add_unsigned("position", row.position)
                document.add_text("text", row.chunk.embedded_text)
                writer.add_document(document)
            writer.commit()
            writer.wait_merging_threads()
        except ValueError as error:  # how tantivy reports a failed write
            if "space" in str(error) or "too large" in str(error):
                raise OSError(errno.ENOSPC, str(error)) from error
            raise


class TantivyIndex:
    """A finished index."""

    def __init__(self, folder: Path) -> None:
        import tantivy

        with _damage(folder):
            self._index = tantivy.Index.open(str(folder))
            self._searcher = self._index.searcher()
            # a foreign index has other fields
            tantivy.Query.term_query(self._index.schema, "text", "x")
            tantivy.Query.term_query(self._index.schema, "position", 0)
        self._folder = folder
        self._analyser = _analyser()

    def search(self, text: str, k: int, *, among: Sequence[int] | None = None) -> list[Scored]:
        """Return the k best positions with their BM25 scores, best first.

        Args:
            text: the question in plain words; a word that occurs nowhere is ignored.
            k: how many at the most.
            among: only these positions.
        """
        import tantivy

        terms = list(dict.fromkeys(self._analyser.analyze(valid_utf8(text))))[:_MAX_TERMS]
        if not terms or (among is not None and not among):
            return []
        schema = self._index.schema
        parts = [(tantivy.Occur.Should, tantivy.Query.term_query(schema, "text", term)) for term in terms]
        query = tantivy.Query.boolean_query(parts)
        if among is not None:
            allowed = tantivy.Query.term_set_query(schema, "position", list(among))
            only = tantivy.Query.const_score_query(allowed, 0.0)
            query = tantivy.Query.boolean_query([(tantivy.Occur.Must, query), (tantivy.Occur.Must, only)])
        with _damage(self._folder):
            found = self._searcher.search(query, limit=k, count=False).hits
            return [
                Scored(int(self._searcher.doc(address)["position"][0]), float(score))
                for score, address in found
            ]

    def word_shares(self, text: str, *, among: Sequence[int] | None = None) -> dict[str, float]:
        """Return for each term of a text the share of the chunks that have it, from 0 to 1."""
        import tantivy

        terms = list(dict.fromkeys(self._analyser.analyze(valid_utf8(text))))[:_MAX_TERMS]
        chunks = max(self._searcher.num_docs, 1)
        with _damage(self._folder):
            if among is None:
                return {term: self._searcher.doc_freq("text", term) / chunks for term in terms}
            schema, must, shares = self._index.schema, tantivy.Occur.Must, dict[str, float]()
            searcher: Any = self._searcher
            only = tantivy.Query.term_set_query(schema, "position", list(among))
            for term in terms:
                has = tantivy.Query.term_query(schema, "text", term)
                query = tantivy.Query.boolean_query([(must, has), (must, only)])
                shares[term] = searcher.search(query, limit=1).count / max(len(among), 1)
            return shares


@contextlib.contextmanager
def _damage(folder: Path) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        # on some damage tantivy panics, which Python sees as an exception outside of Exception
        if (
            not isinstance(error, (ValueError, LookupError, TypeError))
            and type(error).__name__ != "PanicException"
        ):
            raise
        raise IndexCorrupt(f"{folder} cannot be opened or read: {error}", hint=REPAIR) from error


def terms_of(texts: Iterable[str]) -> list[list[str]]:
    """Return the terms of each text as the index knows them: words in small letters, cut to their stems."""
    analyser = _analyser()
    return [analyser.analyze(valid_utf8(text)) for text in texts]


def _schema() -> Any:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("position", stored=True, indexed=True, fast=True)
    builder.add_text_field("text", stored=False, tokenizer_name=_ANALYSER, index_option="freq")
    return builder.build()


def _analyser() -> Any:
    import tantivy

    return (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        .filter(tantivy.Filter.remove_long(40))
        .filter(tantivy.Filter.lowercase())
        .filter(tantivy.Filter.stemmer("english"))
        .build()
    )
