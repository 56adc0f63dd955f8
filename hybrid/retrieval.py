"""From a question to hits: dense, lexical or both, reranked, without near-duplicates."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, islice

import numpy as np

from hybrid.config import FusionMethod, RetrievalMode, RetrievalSettings
from hybrid.files import valid_utf8
from hybrid.index import Index, Scored, require_embedder
from hybrid.models import Embedder, Reranker, Vectors
from hybrid.text.abbreviations import Explained, reworded
from hybrid.text.identifiers import identifiers, identifiers_of_chunk
from hybrid.text.words import (
    NEGATORS,
    STOP_WORDS,
    content_words,
    properties,
    rarities,
    tokens,
    weighed_share,
    word_runs,
)
from hybrid.tracing import names
from hybrid.tracing.names import SpanKind
from hybrid.tracing.spans import Attributes, found, is_traced, only, span, tell_vectors
from hybrid.types import Chunk, Hit, Where

# Cormack, Clarke & Buettcher 2009.
_RANK_CONSTANT = 60
_SHINGLE = 5
# Where copies take the places of the best, so many times as many are looked at, and so many at the most.
_DEEPER, _DEEPEST = 4, 10_000
# Among so many chunks the words of a question take as long as its vector, and are searched meanwhile.
_MEANWHILE = 500_000
# So many chunks are remembered by their words, some 20 MB: questions find the same ones again and again.
_CHUNKS = 1 << 11
# Of a part of a question so many hits are shown beside those of the whole; of so many files rows are counted.
_BESIDE, _FILES = 3, 64
# Where tables are among the first, the best line of so many counts for so much of the fused score. On TAT-QA
# the gold is in the passages for .89 of the questions on tables (.86 without) and .94 on text (.93). It
# takes longer than all else of such a search; where there is no table, nothing changes.
_FIRST, _READ, _LINE = 30, 120, 0.7
# The best passage of a document counts for so much of the fused score of its others: the page that names
# the accident, the product or the year stands before the page with the figure that was asked for. On 90
# questions of real reports the gold is in the passages for .88 (.81 without), a field of a form for .85
# (.65); the ranking of documents by their best passage stays what it is.
_DOCUMENT = 0.3
# What a question names letter by letter, as P-017 or 2.4.1, counts for so much of the fused score. Years do
# not: they help where a report is meant by its year, and hurt where every page of a report names it.
_NAME = 0.25
# A question that names more is a pasted text.
_NAMES = 16
_LINE_ENDS = re.compile(r"\n+|(?<=[.!?;:])\s+|(?<=[。！？])")
_WORD = re.compile(r"\w+(?:[.,:/'’-]\w+)*")


@dataclass(frozen=True, slots=True)
class Retriever:
    """Find the chunks of one index for a question.

    Example:
        >>> hits = Retriever(index, embedder, RetrievalSettings(k=3)).search("port?")  # doctest: +SKIP
    """

    index: Index
    embedder: Embedder
    settings: RetrievalSettings
    reranker: Reranker | None = None

    def __post_init__(self) -> None:
        """Refuse an embedder other than the one that built the index."""
        require_embedder(self.index.manifest, self.embedder.fingerprint)

    def search(
        self, question: str, *, where: Where = None, principals: Sequence[str] | None = None
    ) -> list[Hit]:
        """Return the best hits, best first; none for a question without a letter or a figure."""
        return self.search_all([question], where=where, principals=principals)[0]

    def search_all(
        self,
        questions: Sequence[str],
        *,
        where: Where = None,
        exclude: Sequence[Sequence[str]] | None = None,
        principals: Sequence[str] | None = None,
    ) -> list[list[Hit]]:
        """Return the hits of every question; the questions are embedded in one batch.

        ``where`` are conditions on the documents, alike for all questions; ``exclude`` are for each question
        the sources that it may not find, ``*`` and ``?`` as in ``where``: what is excluded makes room for the
        next best, so it costs no hits. ``principals`` are a user and the groups of that user, who find only
        what one of them may read; without it all is found, which is for who runs the domain: ``Assistant``
        asks for users.
        """
        questions = [unicodedata.normalize("NFC", valid_utf8(question)) for question in questions]
        withheld = exclude if exclude is not None else [()] * len(questions)
        asked = [question for question in questions if _says(question)]
        about: Attributes = {
            names.TOP_K: self.settings.k,
            names.DATA_SOURCE: self.index.folder.parents[1].name,
        }
        with span(names.RETRIEVE, SpanKind.RETRIEVER, about) as stage:
            filtered = where or principals is not None
            positions = self.index.positions_where(where or {}, principals=principals) if filtered else None
            explained = [self.explained(question, principals=principals) for question in asked]
            others = iter(explained)
            hits: list[list[Hit]] = []
            with ThreadPoolExecutor(1) as beside:
                words = None
                if len(asked) == 1 and not any(withheld) and self._is_large():
                    words = beside.submit(self._words, asked[0], explained[0], self._wanted, positions)
                vectors = iter(self._embedded(asked, explained))
                for place, (question, sources) in enumerate(zip(questions, withheld, strict=True)):
                    if not _says(question):
                        hits.append([])
                        continue
                    side = next(others), next(vectors), positions, self._positions(sources), words
                    with only([place], of=len(questions)):
                        hits.append(self._search_one(question, *side))
            if is_traced():
                stage.set_each(found(questions, hits))
            return hits

    def within_named(
        self,
        question: str,
        named: Sequence[str],
        *,
        where: Where = None,
        exclude: Sequence[str] = (),
        principals: Sequence[str] | None = None,
    ) -> list[Hit]:
        """Return where the one document that has all these names has them, and its best hits.

        None where no document has them, or several have. ``question`` is asked without them: of a report
        that names the accident on its first page, the page with the figure need not name it again.
        """
        filtered = where or principals is not None
        among = self.index.positions_where(where or {}, principals=principals) if filtered else None
        withheld = self._positions(exclude)
        scored = self.index.search_lexical(" ".join(named), 2 * _FIRST, among=among)
        found = [one.position for one in scored if one.position not in withheld]
        texts: dict[str, str] = {}
        chunks = self.index.chunks(found)
        for chunk in chunks:
            texts[chunk.source] = f"{texts.get(chunk.source, chunk.source)} {chunk.embedded_text}"
        wanted = {name.casefold() for name in named}
        whole = [source for source, text in texts.items() if wanted <= set(_WORD.findall(text.casefold()))]
        if len(whole) != 1 or "#" in whole[0]:
            return []
        meant = {**(where or {}), "source": whole[0]}
        inside = self.search_all([question], where=meant, exclude=[exclude], principals=principals)[0]
        head = next(chunk for chunk in chunks if chunk.source == whole[0])
        return [Hit(head, 1.0), *(hit for hit in inside if hit.chunk.ordinal != head.ordinal)]

    def records(
        self,
        source: str,
        *,
        most: int,
        where: Where = None,
        exclude: Sequence[str] = (),
        principals: Sequence[str] | None = None,
    ) -> list[Hit]:
        """Return all rows of the file that a row is of, in their order; none where they are too many.

        None as well where a number between them is missing: a row could not be read, may not be read by who
        asks, or does not meet the conditions, and of the others nobody can say which is the greatest.
        """
        file = source.partition("#")[0]
        positions = set(self.index.positions_where({"source": file}, principals=principals))
        meant = set(self.index.positions_where(where, principals=principals)) if where else positions
        if len(positions) > most or positions - meant or positions & self._positions(exclude):
            return []
        found = {
            int(number): chunk
            for chunk in self.index.chunks(sorted(positions))
            for _, _, number in [chunk.source.rpartition("#")]
            if number.isdecimal() and int(number)
        }
        whole = len(found) == max(found, default=0)
        return [Hit(found[number], 0.0) for number in sorted(found)] if whole else []

    def tables(self, hits: Sequence[Hit], *, principals: Sequence[str] | None = None) -> list[Hit]:
        """Return the chunks that hits lack of the tables that they have rows of, in their order."""
        known = {(hit.chunk.source, hit.chunk.start) for hit in hits}
        named = dict.fromkeys(
            (hit.chunk.source, hit.chunk.columns, hit.chunk.caption)
            for hit in hits
            if hit.chunk.columns and "#" not in hit.chunk.source
        )
        return [
            Hit(chunk, 0.0)
            for source in dict.fromkeys(source for source, _, _ in named)
            for chunk in self.index.chunks(
                sorted(self.index.positions_where({"source": source}, principals=principals))
            )
            if (source, chunk.columns, chunk.caption) in named and (source, chunk.start) not in known
        ]

    def first_records(self, *, where: Where = None, principals: Sequence[str] | None = None) -> list[Chunk]:
        """Return the first row of each file of rows that may be read; none where there are too many files."""
        found = set(self.index.positions_where({"source": "*#1"}, principals=principals))
        if where:
            found &= set(self.index.positions_where(where, principals=principals))
        return self.index.chunks(sorted(found)) if len(found) <= _FILES else []

    def explained(self, question: str, *, principals: Sequence[str] | None = None) -> list[Explained]:
        """Return the words of a question that are also searched by what they stand for, and by what."""
        return self.index.explained(question, principals=principals) if self.settings.glossary else []

    def _embedded(self, questions: Sequence[str], explained: Sequence[Sequence[Explained]]) -> Vectors:
        """Return a vector for each question, between it and how else it may be worded."""
        fingerprint = self.embedder.fingerprint
        about: Attributes = {
            names.MODEL: fingerprint.name,
            names.DIMENSIONS: fingerprint.dimension,
            names.ITEMS: len(questions),
        }
        with span(names.EMBED, SpanKind.EMBEDDING, about):
            other = [reworded(one, parts) for one, parts in zip(questions, explained, strict=True) if parts]
            vectors = self.embedder.embed_queries([*questions, *other])
        vectors, also = vectors[: len(questions)], vectors[len(questions) :]
        if other:
            among = [place for place, parts in enumerate(explained) if parts]
            both = vectors[among] + also
            vectors = vectors.copy()
            vectors[among] = both / np.linalg.norm(both, axis=1, keepdims=True)
        tell_vectors(vectors)
        return vectors

    def _positions(self, sources: Sequence[str]) -> frozenset[int]:
        found = (self.index.positions_where({"source": source}) for source in sources)
        return frozenset(position for positions in found for position in positions)

    @property
    def _wanted(self) -> int:
        return max(self.settings.candidates, self.settings.k)

    def _is_large(self) -> bool:
        return self.settings.mode is RetrievalMode.FUSION and self.index.manifest.counts.chunks >= _MEANWHILE

    def _words(
        self, question: str, explained: Sequence[Explained], depth: int, among: Sequence[int] | None
    ) -> list[Scored]:
        text = f"{question} {properties(question)}".strip()
        return self.index.search_lexical(text, depth, among=among, explained=explained)

    def _search_one(
        self,
        question: str,
        explained: Sequence[Explained],
        vector: Vectors,
        among: Sequence[int] | None,
        excluded: frozenset[int],
        words: Future[list[Scored]] | None,
    ) -> list[Hit]:
        """Return the hits among the best of each side, and of more of them where copies hid others below."""
        settings, wanted = self.settings, self._wanted
        while True:
            # at most so many of the best are excluded, so as many as wanted are left
            depth = wanted + len(excluded)
            dense: list[Scored] = []
            lexical: list[Scored] = []
            if settings.mode is not RetrievalMode.LEXICAL:
                dense = self.index.search_dense(vector, depth, among=among)
            if settings.mode is not RetrievalMode.DENSE:
                lexical = words.result() if words else self._words(question, explained, depth, among)
            full = depth in (len(dense), len(lexical))
            if excluded:
                dense = [scored for scored in dense if scored.position not in excluded][:wanted]
                lexical = [scored for scored in lexical if scored.position not in excluded][:wanted]
            cosines = self._cosines(vector, dense, lexical)
            ranked = [
                one for one in self._fuse(dense, lexical) if cosines[one.position] >= settings.min_score
            ]
            bm25 = {scored.position: scored.score for scored in lexical}
            hits = self._finish(question, ranked, cosines, bm25)
            hidden = full and len(hits) < len(ranked)
            if len(hits) == settings.k or not hidden or wanted >= _DEEPEST:
                return hits
            wanted, words = wanted * _DEEPER, None

    def _cosines(
        self, vector: Vectors, dense: Sequence[Scored], lexical: Sequence[Scored]
    ) -> dict[int, float]:
        """Return the cosine of every candidate, also of those that only the words found."""
        known = {scored.position: scored.score for scored in dense}
        missing = [scored.position for scored in lexical if scored.position not in known]
        return known | dict(zip(missing, self.index.cosines(vector, missing), strict=True))

    def _fuse(self, dense: Sequence[Scored], lexical: Sequence[Scored]) -> list[Scored]:
        if self.settings.mode is RetrievalMode.DENSE:
            return list(dense)
        if self.settings.mode is RetrievalMode.LEXICAL:
            return list(lexical)
        weight = self.settings.dense_weight
        if self.settings.fusion is FusionMethod.RECIPROCAL_RANK:
            return reciprocal_rank_fusion([dense, lexical], [weight, 1 - weight])
        fused = weighted_fusion([dense, lexical], [weight, 1 - weight])
        return by_document(fused, self.index.documents_at([one.position for one in fused]))

    def _finish(
        self, question: str, ranked: list[Scored], cosines: Mapping[int, float], bm25: Mapping[int, float]
    ) -> list[Hit]:
        settings = self.settings
        count = max(settings.k, settings.rerank_depth if self.reranker else 0)
        found: Iterator[Hit] = self._hits(ranked, cosines, bm25)
        if settings.mode is RetrievalMode.FUSION and settings.fusion is FusionMethod.WEIGHTED:
            names = [name for name in identifiers(question) if not name.isdigit()][:_NAMES]
            best = list(islice(found, _READ if names else _FIRST))
            if any(hit.chunk.columns for hit in best[:_FIRST]):
                best += islice(found, _READ - len(best))
                found = chain(by_best_line(question, best), (_unread(hit, _LINE) for hit in found))
                best = list(islice(found, len(best)))
            if names:
                best, found = by_names(names, best), (_unread(hit, _NAME) for hit in found)
            found = chain(best, found)
        hits = distinct(found, settings.duplicate_overlap, count)
        if self.reranker is not None:
            hits = rerank(self.reranker, question, hits)
        return hits[: settings.k]

    def _hits(
        self, ranked: Sequence[Scored], cosines: Mapping[int, float], bm25: Mapping[int, float]
    ) -> Iterator[Hit]:
        """Yield hits down the ranking; their texts are read as far as somebody asks."""
        for begun in range(0, len(ranked), step := 2 * self.settings.k):
            block = ranked[begun : begun + step]
            chunks = self.index.chunks([scored.position for scored in block])
            for one, chunk in zip(block, chunks, strict=True):
                yield Hit(chunk, one.score, cosines[one.position], bm25.get(one.position))


def with_beside(hits: Sequence[Hit], others: Sequence[Sequence[Hit]]) -> list[Hit]:
    """Return hits, and behind them the best of other searches that are not among them."""
    found: dict[tuple[str, int], Hit] = {}
    for own in others:
        # of the rows of a file one is enough to tell that it is about this
        files = {hit.chunk.source.partition("#")[0]: hit for hit in reversed(own) if "#" in hit.chunk.source}
        kept = [hit for hit in own if "#" not in hit.chunk.source or hit in files.values()][:_BESIDE]
        found |= {(hit.chunk.source, hit.chunk.start): hit for hit in kept}
    for hit in hits:
        found.pop((hit.chunk.source, hit.chunk.start), None)
    return [*hits, *found.values()]


def by_best_line(question: str, hits: Sequence[Hit]) -> list[Hit]:
    """Return hits in the order of their fused scores and of what their best line has of the question.

    Tables of one kind have the same words; which of them is meant shows where all words of a question are
    together: in one row with its columns. Sentences are read alike, so that prose beside them is not worse.
    """
    words = frozenset(content_words(question))
    lines = [[words & (above | line) for line in own] for above, own in map(_lines_of, hits)]
    weights = rarities(words, [frozenset[str]().union(*own) for own in lines])
    shares = [max((weighed_share(line, weights) for line in own), default=0.0) for own in lines]
    return _reread(hits, [_LINE * share for share in shares], most=_LINE)


def by_names(names: Sequence[str], hits: Sequence[Hit]) -> list[Hit]:
    """Return hits in the order of their scores and of what they hold that a question names letter by letter.

    A passage on ``P-012`` has all other words of a question on ``P-017``. A rare name counts for more, and
    what all or none of the hits hold for nothing.
    """
    held = [identifiers_of_chunk(names, hit.chunk) for hit in hits]
    counts = Counter(chain.from_iterable(held))
    weights = {name: math.log(len(hits) / count) for name, count in counts.items()}
    if not any(weights.values()):
        return list(hits)
    gains = [_NAME * weighed_share(own, weights) for own in held]
    return _reread(hits, gains, most=_NAME)


def _unread(hit: Hit, most: float) -> Hit:
    return replace(hit, score=hit.score / (1 + most))


def _reread(hits: Iterable[Hit], gains: Iterable[float], *, most: float) -> list[Hit]:
    """Return hits in the order of their scores with what was read, at most so much; 1 stays the most."""
    read = [
        replace(hit, score=(hit.score + gain) / (1 + most)) for hit, gain in zip(hits, gains, strict=True)
    ]
    return sorted(read, key=lambda hit: -hit.score)


def _lines_of(hit: Hit) -> tuple[frozenset[str], list[frozenset[str]]]:
    """Return the content words above the sentences or rows, and of each."""
    chunk = hit.chunk
    return _lines("\n".join((*chunk.headings[-1:], chunk.caption, *chunk.columns)), chunk.text)


@lru_cache(maxsize=_CHUNKS)
def _lines(above: str, text: str) -> tuple[frozenset[str], list[frozenset[str]]]:
    own = [frozenset(content_words(line)) for line in _LINE_ENDS.split(text) if line]
    return frozenset(content_words(above)), own


def _says(question: str) -> bool:
    return any(map(str.isalnum, question))


def reciprocal_rank_fusion(rankings: Sequence[Sequence[Scored]], weights: Sequence[float]) -> list[Scored]:
    """Fuse by ranks: the sum of weight / (60 + rank), ties by position (Cormack et al. 2009)."""
    total: dict[int, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for rank, scored in enumerate(ranking, start=1):
            total[scored.position] = total.get(scored.position, 0.0) + weight / (_RANK_CONSTANT + rank)
    return _sorted(total)


def weighted_fusion(rankings: Sequence[Sequence[Scored]], weights: Sequence[float]) -> list[Scored]:
    """Fuse by scores scaled to [0, 1] within each ranking; what a side did not find scores 0 there."""
    total: dict[int, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        if not ranking:
            continue
        low = min(scored.score for scored in ranking)
        width = max(scored.score for scored in ranking) - low
        for scored in ranking:
            scaled = (scored.score - low) / width if width > 0 else 1.0
            total[scored.position] = total.get(scored.position, 0.0) + weight * scaled
    return _sorted(total)


def by_document(ranked: Sequence[Scored], documents: Mapping[int, int]) -> list[Scored]:
    """Return what was ranked by its own score and by that of the best passage of its document.

    ``ranked`` has the best first, with scores of 0 or more; ``documents`` by position whatever tells
    documents apart.
    """
    best: dict[int, float] = {}
    for one in ranked:
        best.setdefault(documents[one.position], one.score)
    return _sorted(
        {
            one.position: (one.score + _DOCUMENT * best[documents[one.position]]) / (1 + _DOCUMENT)
            for one in ranked
        }
    )


def rerank(reranker: Reranker, question: str, hits: Sequence[Hit]) -> list[Hit]:
    """Return the hits in the order of the reranker."""
    with span(names.RERANK, SpanKind.RERANKER, {names.MODEL: reranker.name, names.ITEMS: len(hits)}):
        scores = reranker.score(question, [hit.chunk.embedded_text for hit in hits])
    scored = [
        Hit(hit.chunk, score, hit.dense, hit.lexical, score) for hit, score in zip(hits, scores, strict=True)
    ]
    return sorted(scored, key=lambda hit: -hit.score)


def distinct(hits: Iterable[Hit], overlap: float, count: int) -> list[Hit]:
    """Return so many of the first hits, without those that say what a better one says already.

    A hit is left out if so great a share of its word 5-grams, from 0 to 1, stands in a better one, and no
    number, name or denial that the better one lacks; 1 keeps all.
    """
    kept: list[Hit] = []
    # shingle -> the kept hits that hold it: what is shared is counted, not compared pair by pair
    holders: dict[tuple[str, ...], list[int]] = {}
    told: list[frozenset[str]] = []
    for hit in hits if count else ():
        if overlap < 1:
            above = (*hit.chunk.headings, hit.chunk.caption, *hit.chunk.columns)
            shingles, words, telling = _said(above, hit.chunk.text)
            shared = Counter(holder for shingle in shingles for holder in holders.get(shingle, ()))
            alike = (one for one, held in shared.items() if held >= overlap * len(shingles))
            if any(telling <= told[one] for one in alike):
                continue
            for shingle in shingles:
                holders.setdefault(shingle, []).append(len(kept))
            told.append(words)
        kept.append(hit)
        if len(kept) == count:
            break
    return kept


@lru_cache(maxsize=_CHUNKS // 4)
def _said(
    above: tuple[str, ...], text: str
) -> tuple[frozenset[tuple[str, ...]], frozenset[str], frozenset[str]]:
    """Return the 5-grams of a chunk, its words with those above it, and which of them tell it from others."""
    words = tokens(text)
    shingles = frozenset(word_runs(words, _SHINGLE) or [tuple(words)])
    lower = {word: word.lower() for part in (*above, text) for word in _WORD.findall(part)}
    telling = frozenset(low for word, low in lower.items() if _tells(word, low))
    return shingles, frozenset(lower.values()), telling


def _tells(word: str, lower: str) -> bool:
    """Tell whether a word is a number, a denial, or may be a name: without capitals nobody can tell."""
    if lower in NEGATORS or lower.endswith(("n't", "n’t")) or any(map(str.isdigit, word)):
        return True
    return not word[0].islower() and lower not in STOP_WORDS


def _sorted(total: Mapping[int, float]) -> list[Scored]:
    ordered = sorted(total.items(), key=lambda item: (-item[1], item[0]))
    return [Scored(position, score) for position, score in ordered]
