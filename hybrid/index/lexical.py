"""The lexical side of an index: BM25 by tantivy. A query is built of terms, never parsed."""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid.errors import IndexCorrupt
from hybrid.files import REPAIR, storage_errors, valid_utf8
from hybrid.index.dense import Scored
from hybrid.index.store import Row
from hybrid.text.abbreviations import Explained
from hybrid.text.identifiers import forms, is_unspaced, parts_of
from hybrid.text.words import STOP_WORDS

# Two fields: words in small letters cut to their stems, and what else a text is found by.
_WORDS, _FORMS = "text", "forms"
_ANALYSER = "en_stem"
_WRITER_BYTES = 64_000_000
# A very long question is a pasted text; its most frequent terms say little and cost much.
_MAX_TERMS = 256
# Two words of a question that stand side by side in a chunk, one other between them at the most, count for so
# much, however rare they are. SciFact: nDCG@10 .704 (.702 without), Cranfield .373 (.369); questions on
# reports, which all have the same words (TAT-QA): the page among the first six .94 (.92).
_NEIGHBOURS, _BETWEEN = 2.0, 2
# What no chunk has is taken for a slip in a question of so few terms, if it has so many letters.
_TYPED, _LETTERS = 40, 4
# Where so great a share of the chunks is allowed, the best of all are looked through for the allowed ones, so
# many at the most: a query for each allowed place takes longer the more there are.
_LOOKED_THROUGH, _AT_MOST, _SPARE = 0.02, 50_000, 1.5
# What a word counts for that was meant, and a string beside its parts, which are words themselves.
_SLIP, _BESIDE = 0.5, 0.5


def build_lexical(folder: Path, rows: Iterable[Row]) -> None:
    """Build and write an index of the chunks with their headings."""
    import tantivy

    with storage_errors(str(folder)):
        folder.mkdir(parents=True)
        index = tantivy.Index(_schema(), path=str(folder))
        index.register_tokenizer(_FORMS, _analysers()[_FORMS])
        # one thread makes one order of segments, so the same chunks give the same scores
        writer = index.writer(heap_size=_WRITER_BYTES, num_threads=1)
        for row in rows:
            document = tantivy.Document()
            document.add_unsigned("position", row.position)
            text = row.chunk.embedded_text
            document.add_text(_WORDS, text)
            document.add_text(_FORMS, " ".join(forms(text)))
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()


class TantivyIndex:
    """A finished index."""

    def __init__(self, folder: Path) -> None:
        import tantivy

        with _damage(folder):
            self._index = tantivy.Index.open(str(folder))
            self._searcher = self._index.searcher()
            # a foreign index has other fields, one before format 3 has words only
            tantivy.Query.term_query(self._index.schema, "position", 0)
            tantivy.Query.term_query(self._index.schema, _WORDS, "x")
        self._fields = [_WORDS, *([_FORMS] if _has_field(self._index.schema, _FORMS) else [])]
        self._folder = folder

    def search(
        self, text: str, k: int, *, among: Sequence[int] | None = None, explained: Sequence[Explained] = ()
    ) -> list[Scored]:
        """Return the k best positions with their BM25 scores, best first.

        Args:
            text: the question in plain words; a word that occurs nowhere is ignored.
            k: how many at the most.
            among: only these positions.
            explained: what some words of the question stand for, in its order; a text counts by the wording
                that it has most of, so that one with both is not found twice.
        """
        import tantivy

        if among is not None and not among:
            return []
        with _damage(self._folder):
            worded = []
            for part in reversed(explained):
                typed = text[part.start : part.end]
                worded.append(self._either(typed, [one.meaning for one in part.meanings]))
                text = f"{text[: part.start]} {text[part.end :]}"
            found = [*self._found(text), *worded]
        if not found:
            return []
        query = self._any(found)
        if among is not None and len(among) > _LOOKED_THROUGH * self._searcher.num_docs:
            looked = self._looked_through(query, k, np.asarray(among, dtype=np.int64))
            if looked is not None:
                return looked
        if among is not None:
            allowed = tantivy.Query.term_set_query(self._index.schema, "position", list(among))
            only = tantivy.Query.const_score_query(allowed, 0.0)
            query = tantivy.Query.boolean_query([(tantivy.Occur.Must, query), (tantivy.Occur.Must, only)])
        return self._best(query, k)

    def _looked_through(self, query: Any, k: int, among: NDArray[np.int64]) -> list[Scored] | None:
        """Return the best that are allowed; None where too many others are better."""
        chunks = self._searcher.num_docs
        allowed = np.zeros(max(chunks, int(among.max()) + 1), dtype=np.bool_)
        allowed[among] = True
        wanted = int(_SPARE * k * chunks / len(among)) + 1
        while wanted <= _AT_MOST:
            best = self._best(query, wanted)
            found = [one for one in best if one.position < len(allowed) and allowed[one.position]]
            if len(found) >= k or len(best) < wanted:
                return found[:k]
            wanted *= 4
        return None

    def _best(self, query: Any, k: int) -> list[Scored]:
        with _damage(self._folder):
            searcher: Any = self._searcher
            hits = searcher.search(query, limit=k, count=False).hits
            places = searcher.fast_field_values("position", [address for _, address in hits])
            return [Scored(place, score) for place, (score, _) in zip(places, hits, strict=True)]

    def word_shares(self, text: str, *, among: Sequence[int] | None = None) -> dict[str, float]:
        """Return for each term of a text the share of the chunks that have it, from 0 to 1."""
        import tantivy

        chunks = max(self._searcher.num_docs if among is None else len(among), 1)
        schema, must, shares = self._index.schema, tantivy.Occur.Must, dict[str, float]()
        only = None if among is None else tantivy.Query.term_set_query(schema, "position", list(among))
        words = set(self._words(text))
        with _damage(self._folder):
            for term in self._terms(text):
                held = self._held(term)
                if only is not None and (query := self._query(term, slips=False)) is not None:
                    query = tantivy.Query.boolean_query([(must, query), (must, only)])
                    shares[term] = self._count(query) / chunks
                # that nobody writes a string so says nothing
                elif held or term in words:
                    shares[term] = max(held.values(), default=0) / chunks
            return shares

    def _found(self, text: str) -> list[Any]:
        """Return what finds the words of a text, and neighbours of them side by side."""
        terms = self._terms(text)
        queries = (self._query(term, slips=len(terms) <= _TYPED) for term in terms)
        return [*filter(None, queries), *(self._pairs(text) if len(terms) <= _TYPED else ())]

    def _either(self, typed: str, others: Sequence[str]) -> Any:
        """Return what finds some words or what they stand for, whichever a text has more of.

        Another wording is worth what the typed one is: "multiple sclerosis" is not four times "MS". With that
        the words alone lose nothing where a text has the typed form too, and without it they do.
        """
        import tantivy

        wanted, queries = self._worth(typed), [self._any(self._found(typed))]
        for other in others:
            worth = self._worth(other)
            share = wanted / worth if wanted and worth else 1.0
            queries.append(tantivy.Query.boost_query(self._any(self._found(other)), share))
        return tantivy.Query.disjunction_max_query(queries)

    def _worth(self, text: str) -> float:
        """Return what all words of a text count for together."""
        held = (self._held(term) for term in self._terms(text))
        return sum(self._rarity(max(counts.values())) for counts in held if counts)

    def _any(self, queries: Sequence[Any]) -> Any:
        import tantivy

        return tantivy.Query.boolean_query([(tantivy.Occur.Should, query) for query in queries])

    def _terms(self, text: str) -> list[str]:
        """Return what a question is searched by, each once."""
        found = self._words(text)
        if _FORMS in self._fields:
            # a run of characters is no word: its pairs are searched
            found = [term for term in found if not is_unspaced(term)]
            found += _analysers()[_FORMS].analyze(valid_utf8(" ".join(forms(text))))
        return list(dict.fromkeys(found))[:_MAX_TERMS]

    def _words(self, text: str) -> list[str]:
        words: list[str] = _analysers()[_WORDS].analyze(valid_utf8(text))
        return words

    def _held(self, term: str) -> dict[str, int]:
        """Return the fields that have a term, and in how many chunks."""
        counts = {field: self._searcher.doc_freq(field, term) for field in self._fields}
        return {field: count for field, count in counts.items() if count}

    def _query(self, term: str, *, slips: bool = True) -> Any:
        """Return what finds a term, or what it may have been meant to be; None if nothing does."""
        import tantivy

        schema, held = self._index.schema, self._held(term)
        if held:
            usual = self._rarity(max(held.values()))
            found = []
            for field, count in held.items():
                # another spelling is not worth more for being rare
                weight = usual / self._rarity(count)
                parted = _WORDS not in held and not (term.isalnum() or is_unspaced(term))
                weight *= _BESIDE if parted else 1.0
                query = tantivy.Query.term_query(schema, field, term)
                found.append(query if weight == 1 else tantivy.Query.boost_query(query, weight))
            return found[0] if len(found) == 1 else tantivy.Query.disjunction_max_query(found)
        if not slips or _FORMS not in self._fields:
            return None
        if len(parts := parts_of(term)) > 1:
            return self._otherwise_written(parts)
        if len(term) == 1 and is_unspaced(term):  # a word of one character, beside any other
            query = tantivy.Query.regex_query(schema, _FORMS, f"{term}.|.{term}")
        elif len(term) >= _LETTERS and term.isalpha() and not is_unspaced(term):
            query = tantivy.Query.fuzzy_term_query(schema, _WORDS, term)
        else:
            return None
        count = self._count(query)
        return tantivy.Query.boost_query(query, _SLIP * self._rarity(count)) if count else None

    def _otherwise_written(self, parts: Sequence[str]) -> Any:
        """Return what finds a code of letters and figures as others write it, joined or in parts; or None.

        Nobody writes px7718 where all write PX-7718, and the other way round.
        """
        import tantivy

        schema, whole = self._index.schema, "".join(parts)
        cuts = {("".join(parts[:place]), "".join(parts[place:])) for place in range(1, len(parts))}
        queries = [
            tantivy.Query.phrase_query(schema, _WORDS, list(cut)) for cut in sorted(cuts | {tuple(parts)})
        ]
        queries.append(tantivy.Query.term_query(schema, _WORDS, whole))
        found = [query for query in queries if self._count(query)]
        return tantivy.Query.disjunction_max_query(found) if found else None

    def _pairs(self, text: str) -> Iterator[Any]:
        """Yield what finds neighbouring words of a text side by side; an earlier format has no places."""
        import tantivy

        words = [word for word in self._words(text) if word not in STOP_WORDS and _WORDS in self._held(word)]
        for one, other in dict.fromkeys(itertools.pairwise(words)) if _FORMS in self._fields else ():
            # a part of a version or a date stands beside anything
            if one != other and one.isalpha() and other.isalpha():
                both = tantivy.Query.phrase_query(self._index.schema, _WORDS, [one, other], slop=_BETWEEN)
                yield tantivy.Query.const_score_query(both, _NEIGHBOURS)

    def _rarity(self, count: int) -> float:
        """Return what a word counts for that so many chunks have (BM25)."""
        return math.log(1 + (self._searcher.num_docs - count + 0.5) / (count + 0.5))

    def _count(self, query: Any) -> int:
        searcher: Any = self._searcher
        return int(searcher.search(query, limit=1).count)


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
    """Return the terms of each text as the index knows them: stems of words, exact strings, spellings."""
    words, others = _analysers()[_WORDS], _analysers()[_FORMS]
    return [[*words.analyze(text), *others.analyze(" ".join(forms(text)))] for text in map(valid_utf8, texts)]


def _schema() -> Any:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("position", stored=True, indexed=True, fast=True)
    builder.add_text_field(_WORDS, stored=False, tokenizer_name=_ANALYSER, index_option="position")
    builder.add_text_field(_FORMS, stored=False, tokenizer_name=_FORMS, index_option="freq")
    return builder.build()


def _has_field(schema: Any, name: str) -> bool:
    import tantivy

    try:
        tantivy.Query.term_query(schema, name, "x")
    except ValueError:
        return False
    return True


@functools.cache
def _analysers() -> dict[str, Any]:
    import tantivy

    words = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple()).filter(tantivy.Filter.remove_long(40))
    others = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace())
    return {
        name: builder.filter(tantivy.Filter.lowercase()).filter(tantivy.Filter.stemmer("english")).build()
        for name, builder in ((_WORDS, words), (_FORMS, others))
    }
