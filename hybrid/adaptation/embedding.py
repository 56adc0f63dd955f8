"""Embedder adapters of a domain: made, embedded with, and what dense retrieval gains and loses by them."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from importlib import resources
from pathlib import Path

import numpy as np

from hybrid.adaptation.data.examples import Sieve
from hybrid.adaptation.data.material import TrainingRequest, split_for
from hybrid.adaptation.data.pairs import PairSettings, held_out_pairs, make_pairs
from hybrid.adaptation.methods.embedder import FIRST, EmbedderSettings, gain_below, tune_embedder
from hybrid.adaptation.methods.encoding import paired_change
from hybrid.adaptation.methods.generator import Base
from hybrid.adaptation.store import AdapterStore
from hybrid.adaptation.suites import shipped_suite
from hybrid.adaptation.values import NDCG, AdapterKind, Card, Change, Data, Note, QueryPair, Steps
from hybrid.adaptation.workshop import WORK, card_of
from hybrid.chunking import chunk_document
from hybrid.config import ChunkSettings, Settings
from hybrid.errors import UsageError
from hybrid.files import folder_lock, hash_text, read_jsonl
from hybrid.index import Index
from hybrid.index.sync import Progress, reembed
from hybrid.models import Embedder
from hybrid.models.device import choose_placement
from hybrid.models.loading import load_embedder
from hybrid.models.resolve import fetch
from hybrid.questions.files import load_beir
from hybrid.ranking import ndcg
from hybrid.retrieval import Retriever
from hybrid.types import Document, Question

# Chunks that are looked at for the ten best documents.
_DEPTH = 120
# Short texts of our own in the general suite; the rest of it are excerpts of those documents too.
_PROSE = "prose"
# A pair costs a fraction of what an example for a generator costs.
_PAIRS_AN_EXAMPLE = 4
# At most so many made queries of held-out documents tell a gain of retrieval.
_HELD_OUT_QUERIES = 300


@dataclass(frozen=True, slots=True)
class EmbedderWorkshop:
    """Where embedder adapters of a domain are made and measured; ``embedder`` gives the one without."""

    store: AdapterStore
    settings: Settings
    embedder: Callable[[], Embedder]

    def tune(self, request: TrainingRequest, *, name: str, note: Note, progress: Steps) -> Card:
        """Make query-passage pairs, train an adapter on them, and store it."""
        adaptation, models, store = self.settings.adaptation, self.settings.models, self.store
        store.require_free(name)
        own = self.embedder()
        reembed(store.domain, own)  # whichever is in force
        index = Index.built_with(store.domain, own.fingerprint)
        retriever = Retriever(index, own, self.settings.retrieval)
        split = split_for(index, self.settings, request.against, request.apart)
        wanted = PairSettings(_PAIRS_AN_EXAMPLE * adaptation.examples, seed=adaptation.seed)
        pairs = make_pairs(
            retriever, split, wanted, sieve=request.sieve, given=request.given.pairs, mix=request.mix
        )
        note(f"{len(pairs.train)} pairs to train on, {len(pairs.validation)} to validate")
        for left in pairs.left_out:
            note(f"left out {left.count}, {left.reason}")
        base = self.base
        work = store.domain / "adapters" / WORK
        with folder_lock(work):
            shutil.rmtree(work / "built", ignore_errors=True)
            tuned = tune_embedder(
                base.folder,
                base.name,
                pairs,
                adaptation,
                out=work / "built",
                placement=choose_placement(models.device, models.dtype),
                # the probes stand in the set that measures general retrieval: those it is held by are others
                general=[passage.text for passage in shipped_suite().passages if passage.kind == _PROSE],
                settings=EmbedderSettings(
                    prompts=(models.query_prefix, models.document_prefix),
                    dense_weight=self.settings.retrieval.dense_weight,
                ),
                state=work / "state",
                progress=progress,
            )
            counts = Counter(pair.made for pair in pairs.train)
            digest = hash_text(*(repr(astuple(pair)) for pair in pairs.train))
            data = Data(digest, request.licence, dict(sorted(counts.items())))
            card = card_of(AdapterKind.EMBEDDER, base, tuned, data, self.settings)
            return store.add(name, tuned.folder, card)

    def check(
        self, name: str, suites: Sequence[Path], against: Sequence[Question], progress: Progress | None
    ) -> Card:
        """Measure what an embedder gained on held-out documents and lost elsewhere.

        The domain is embedded with both, if it is not yet; the generation in force stays in force.
        """
        base, tuned, seed = self.embedder(), self.adapted(name), self.settings.adaptation.seed
        for embedder in (base, tuned):
            reembed(self.store.domain, embedder, progress=progress)
        before, after = (
            Retriever(Index.built_with(self.store.domain, one.fingerprint), one, self.settings.retrieval)
            for one in (base, tuned)
        )
        pairs = held_out_pairs(
            before,
            split_for(before.index, self.settings, against, ()).held_out,
            count=_HELD_OUT_QUERIES,
            seed=seed,
            sieve=Sieve(against),
        )
        sets = [general_set(), *map(read_collection, suites)]
        gain = made_change(before, after, pairs, seed=seed) if pairs else None
        return self.store.annotate(name, gain=gain, forgetting=general_changes(base, tuned, sets, seed=seed))

    @property
    def base(self) -> Base:
        """Return the model that is tuned."""
        models = self.settings.models
        return Base(fetch(models.embedder, offline=models.offline), models.embedder)

    def adapted(self, name: str) -> Embedder:
        """Return the embedder with an adapter."""
        return load_embedder(self.settings.models, self.store.folder(name))


def made_change(before: Retriever, after: Retriever, pairs: Sequence[QueryPair], *, seed: int = 0) -> Change:
    """Return the change of nDCG@10 on made queries of held-out documents.

    Retrieval is dense alone, since what words find does not change by tuning.

    The document that a query was made from stands in the index with the words of the query in it, which no
    reader's question has. So it is represented by the passage of the pair, from which they were taken.
    """
    return paired_change(
        "dense retrieval, made queries of held-out documents: nDCG@10",
        _made_scores(before, pairs),
        _made_scores(after, pairs),
        [pair.source for pair in pairs],
        NDCG,
        seed=seed,
    )


def general_changes(
    before: Embedder, after: Embedder, sets: Sequence[RetrievalSet], *, seed: int = 0
) -> tuple[Change, ...]:
    """Return the change of nDCG@10 on collections from elsewhere, each embedded here and now."""
    return tuple(
        paired_change(
            f"dense retrieval, {collection.name}: nDCG@10",
            _scores(collection, before),
            _scores(collection, after),
            [query.unit for query in collection.queries],
            NDCG,
            seed=seed,
        )
        for collection in sets
    )


def _made_scores(side: Retriever, pairs: Sequence[QueryPair]) -> list[float]:
    queries = side.embedder.embed_queries([pair.query for pair in pairs])
    passages = side.embedder.embed_documents([pair.passage for pair in pairs])
    found = []
    for pair, query, passage in zip(pairs, queries, passages, strict=True):
        own = float(query @ passage)
        hits = [scored for scored in side.index.search_dense(query, _DEPTH) if scored.score > own]
        sources = {chunk.source for chunk in side.index.chunks([scored.position for scored in hits])}
        found.append(gain_below(len(sources - {pair.source})))
    return found


def _scores(collection: RetrievalSet, embedder: Embedder) -> list[float]:
    """Return the nDCG@10 of each query by a search in memory; a document ranks where its best chunk does."""
    texts, sources = [], []
    for document in collection.documents:
        for sized in chunk_document(document, embedder, ChunkSettings(), max_tokens=embedder.max_tokens):
            texts.append(sized.chunk.embedded_text)
            sources.append(document.source)
    vectors = embedder.embed_documents(texts)
    found = []
    asked = embedder.embed_queries([query.text for query in collection.queries])
    for query, vector in zip(collection.queries, asked, strict=True):
        nearest = np.argsort(-(vectors @ vector), kind="stable")[:_DEPTH]
        ranking = list(dict.fromkeys(sources[place] for place in nearest))[:FIRST]
        found.append(ndcg(ranking, query.grades, FIRST))
    return found


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A query and the grades of the documents that it should find, by source; 0 and less are not relevant.

    Queries of one ``unit`` are not independent: it is the document that they were made from, or their own.
    """

    text: str
    grades: Mapping[str, int]
    unit: str


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    """A collection of documents with judged queries."""

    name: str
    documents: tuple[Document, ...]
    queries: tuple[JudgedQuery, ...]


def general_set() -> RetrievalSet:
    """Return the set that ships: 102 documents of five kinds, and sentences of their summaries as queries."""
    with resources.as_file(resources.files("hybrid.adaptation") / "suite" / "retrieval") as folder:
        return replace(read_collection(folder), name="general")


def read_collection(folder: Path) -> RetrievalSet:
    """Read a folder with ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/test.tsv`` or ``qrels.tsv``."""
    collection = load_beir(folder, split="test")
    try:
        documents = tuple(
            Document(str(row["_id"]), str(row["text"]), str(row.get("title") or ""))
            for _, row in read_jsonl(collection.corpus)
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{collection.corpus} is not in BEIR's format: {error}") from error
    if not documents:
        raise UsageError(f"{collection.corpus} holds no document", hint="one JSON object a line: _id, text")
    judged = []
    for query, text in collection.queries.items():
        grades = collection.qrels[query]
        relevant = [document for document, grade in grades.items() if grade > 0]
        unit = relevant[0] if len(relevant) == 1 else f"query {query}"
        judged.append(JudgedQuery(text, grades, unit))
    return RetrievalSet(folder.name, documents, tuple(judged))
