"""What tuning an embedder without labels gains on its own corpus, and what it costs on others.

For every corpus and seed: queries are made from the texts of the corpus alone, an adapter is trained on them,
the corpus is embedded anew, and dense retrieval is scored (nDCG@10 by document) on queries of the
collection, which training never sees; with the paired interval, resampled by query. The adapter of the first
seed is also scored on the other corpora and on the general set that ships: what it cost. Targets: scifact up
by .02 with the interval above 0, nothing else down by more than .01.

    python tests/benchmarks/embedders.py --data FOLDER --corpus scifact,cranfield,medquad --seeds 0,1,2

``--data`` holds the folders ``scifact`` and ``cranfield`` in BEIR's format and ``medquad/medquad.jsonl``.
Indexes are kept in ``--work``, so that a second run embeds no base again.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from measure import Target, note, print_verdicts

from hybrid.adaptation.data.material import Split, split_sources
from hybrid.adaptation.data.pairs import PairSettings, make_pairs
from hybrid.adaptation.embedding import JudgedQuery, general_changes, general_set
from hybrid.adaptation.methods.embedder import EmbedderSettings, TunedEmbedder, tune_embedder
from hybrid.adaptation.methods.encoding import paired_change
from hybrid.adaptation.store import write_card
from hybrid.adaptation.suites import shipped_suite
from hybrid.adaptation.values import NDCG, AdapterKind, Card, Change, Data
from hybrid.config import ChunkSettings, DocumentSettings, Settings, load_settings
from hybrid.files import read_jsonl
from hybrid.index import Index
from hybrid.index.sync import discard, reembed
from hybrid.ingestion import Ingestor
from hybrid.models import Embedder
from hybrid.models.device import choose_placement
from hybrid.models.loading import load_embedder
from hybrid.models.resolve import fetch, weights_digest
from hybrid.ranking import ndcg
from hybrid.retrieval import Retriever

_CORPORA = ("scifact", "cranfield", "medquad")
_GAIN, _LOSS = 0.02, 0.01


@dataclass(frozen=True, slots=True)
class Corpus:
    """Where the texts of a corpus are, and what its queries should find, by the names of its documents."""

    name: str
    texts: Path
    queries: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Row:
    """An adapter scored on a corpus."""

    tuned_on: str
    seed: int
    scored_on: str
    strength: float
    pairs: int
    minutes: float
    change: Change


def read_corpus(name: str, data: Path, work: Path) -> Corpus:
    """Return a corpus; of the questions and answers of medquad the texts are the answers alone."""
    if name == "medquad":
        return _medquad(data / "medquad" / "medquad.jsonl", work)
    folder = data / name
    texts = {row["_id"]: row["text"] for row in _rows(folder / "queries.jsonl")}
    files = sorted((folder / "qrels").glob("*.tsv")) or [folder / "qrels.tsv"]
    grades: dict[str, dict[str, int]] = {}
    for path in files:
        with path.open(encoding="utf-8", newline="") as stream:
            for query, document, grade in csv.reader(stream, delimiter="\t"):
                if grade != "score" and query in texts:
                    grades.setdefault(query, {})[document] = int(grade)
    if name == "cranfield":
        # 1 is the best of its four grades, -1 none
        grades = {q: {d: 5 - g if g > 0 else 0 for d, g in found.items()} for q, found in grades.items()}
    return Corpus(name, folder / "corpus.jsonl", {texts[query]: found for query, found in grades.items()})


def _medquad(path: Path, work: Path) -> Corpus:
    rows = _rows(path)
    target = work / "medquad-texts" / "corpus.jsonl"
    target.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"_id": row["id"], "text": row["answer"]}, ensure_ascii=False) for row in rows]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    queries: dict[str, dict[str, int]] = {}
    for row in rows:
        queries.setdefault(row["question"], {})[row["id"]] = 1
    return Corpus("medquad", target, queries)


def _rows(path: Path) -> list[dict[str, str]]:
    return [row for _, row in read_jsonl(path)]


class Bench:
    """The corpora, their indexes with the base, and their judged queries."""

    def __init__(self, corpora: Sequence[Corpus], work: Path, settings: Settings, pairs: int) -> None:
        self._work, self._settings, self._pairs = work, settings, pairs
        self._base: Embedder = load_embedder(settings.models)
        self._corpora = {corpus.name: corpus for corpus in corpora}
        self._queries: dict[str, list[JudgedQuery]] = {}
        for corpus in corpora:
            note(f"indexing {corpus.name}")
            documents = DocumentSettings(text_field="text")
            ingestor = Ingestor(self._domain(corpus.name), self._base, documents, ChunkSettings())
            ingestor.ingest(corpus.texts)
            self._queries[corpus.name] = self._judged(corpus)
        self._general = [general_set()]

    def run(self, name: str, seed: int, *, across: bool) -> list[Row]:
        """Tune on a corpus; score there, and elsewhere if asked for."""
        begun = time.perf_counter()
        tuned = self._tune(name, seed)
        minutes = (time.perf_counter() - begun) / 60
        embedder = load_embedder(self._settings.models, tuned.folder)
        changes = {name: self._score(name, embedder)}
        if across:
            changes |= {other: self._score(other, embedder) for other in self._corpora if other != name}
            (changes["general"],) = general_changes(self._base, embedder, self._general)
        return [
            Row(name, seed, where, tuned.strength, tuned.pairs, minutes, change)
            for where, change in changes.items()
        ]

    def _tune(self, name: str, seed: int) -> TunedEmbedder:
        index = Index.open(self._domain(name))
        # no document is held out: what scores are the queries of the collection
        split = split_sources(index.sources(), hold_out=0.0, validation=0.1, seed=seed)
        index.close()
        return tune_on(
            self._domain(name), split, self._settings, self._base, self._pairs, self._work, seed=seed
        )

    def _score(self, name: str, embedder: Embedder) -> Change:
        domain = self._domain(name)
        reembed(domain, embedder)
        before, after = (
            Retriever(Index.built_with(domain, one.fingerprint), one, self._settings.retrieval)
            for one in (self._base, embedder)
        )
        change = judged_change(before, after, self._queries[name], name)
        before.index.close()
        after.index.close()
        discard(domain, embedder.fingerprint.adapter)
        note(f"  {name}: {change.before:.4f} -> {change.after:.4f} ({change.low:+.4f} to {change.high:+.4f})")
        return change

    def _domain(self, name: str) -> Path:
        return self._work / "indexes" / name

    def _judged(self, corpus: Corpus) -> list[JudgedQuery]:
        """Return the queries with the sources that the index has for the documents."""
        index = Index.open(self._domain(corpus.name))
        sources = {}
        for source in index.sources():
            document = index.document(source)
            assert document is not None, "it is listed"
            sources[document.metadata.get("id", source)] = source
        index.close()
        return [
            JudgedQuery(
                text, {sources[name]: grade for name, grade in found.items() if name in sources}, text
            )
            for text, found in corpus.queries.items()
        ]


def tune_on(
    domain: Path, split: Split, settings: Settings, base: Embedder, count: int, work: Path, *, seed: int
) -> TunedEmbedder:
    """Tune the embedder on so many pairs made from the training documents of an index, and give it a card."""
    models, adaptation = settings.models, dataclasses.replace(settings.adaptation, seed=seed)
    index = Index.open(domain)
    retriever = Retriever(index, base, settings.retrieval)
    pairs = make_pairs(retriever, split, PairSettings(count=count, seed=seed))
    index.close()
    note(f"  pairs: {dict(Counter(pair.made for pair in pairs.train))}")
    for part in pairs.left_out:
        note(f"  left out: {part.count} {part.reason}")
    folder = fetch(models.embedder, offline=True)
    prose = [item.text for item in shipped_suite().passages if item.kind == "prose"]
    tuned = tune_embedder(
        folder,
        models.embedder,
        pairs,
        adaptation,
        out=work / "adapters" / f"{domain.name}-{seed}-{time.time_ns()}",
        placement=choose_placement(models.device, models.dtype),
        settings=EmbedderSettings(dense_weight=settings.retrieval.dense_weight),
        general=prose,
        progress=lambda step, steps, loss: (
            note(f"  step {step} of {steps}, loss {loss:.3f}") if step % 20 == 0 else None
        ),
    )
    for point in tuned.fit.curve:
        note(f"  step {point.step}: validation {point.domain:.4f}, moved {point.general or 0:.4f}")
    for item in tuned.strengths:
        note(f"  strength {item.strength}: {item.domain:.4f} nDCG, moved {item.moved:.4f}")
    card = Card(
        name=f"{domain.name}-{seed}",
        kind=AdapterKind.EMBEDDER,
        base=models.embedder,
        base_digest=weights_digest(folder),
        method=adaptation.method,
        data=Data("", "", {}),
    )
    write_card(tuned.folder, card)
    return tuned


def judged_change(before: Retriever, after: Retriever, queries: Sequence[JudgedQuery], name: str) -> Change:
    """Return the change of nDCG@10 of dense retrieval on judged queries."""
    units = [query.unit for query in queries]
    columns = [_gains(side, queries) for side in (before, after)]
    return paired_change(f"dense retrieval, {name}", *columns, units, NDCG, seed=0)


def _gains(side: Retriever, queries: Sequence[JudgedQuery]) -> list[float]:
    found = []
    for query, vector in zip(queries, side.embedder.embed_queries([q.text for q in queries]), strict=True):
        hits = side.index.chunks([scored.position for scored in side.index.search_dense(vector, 120)])
        found.append(ndcg(list(dict.fromkeys(chunk.source for chunk in hits))[:10], query.grades, 10))
    return found


def _table(rows: Sequence[Row]) -> str:
    lines = [
        "| tuned on | seed | scored on | queries | base | tuned | change | interval | strength | pairs |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | --- | ---: | ---: |",
    ]
    for row in rows:
        change = row.change
        lines.append(
            f"| {row.tuned_on} | {row.seed} | {row.scored_on} | {change.items} | {change.before:.4f} | "
            f"{change.after:.4f} | {change.change:+.4f} | {change.low:+.4f} to {change.high:+.4f} | "
            f"{row.strength:g} | {row.pairs} |"
        )
    return "\n".join(lines)


def _targets(rows: Sequence[Row]) -> list[Target]:
    own = [row for row in rows if row.tuned_on == row.scored_on == "scifact"]
    other = [row for row in rows if row.tuned_on != row.scored_on]
    targets = []
    if own:
        mean = sum(row.change.change for row in own) / len(own)
        targets.append(Target("scifact, mean gain in nDCG@10", mean, _GAIN, at_least=True))
        low = min(row.change.low for row in own)
        targets.append(Target("scifact, lowest bound of a seed", low, 0.0, at_least=True))
    if other:
        loss = max(-row.change.change for row in other)
        targets.append(Target("largest loss elsewhere", loss, _LOSS))
    return targets


def main() -> None:
    """Print the table, write JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--corpus", default=",".join(_CORPORA), help="which are tuned on")
    parser.add_argument("--across", default=",".join(_CORPORA), help="which are scored on")
    parser.add_argument("--seeds", default="0", help="with commas")
    parser.add_argument("--pairs", type=int, default=PairSettings().count)
    parser.add_argument("--effort", default="standard")
    parser.add_argument("--work", type=Path, default=Path("embedders-bench"))
    parser.add_argument("--json", type=Path, help="where the result is written")
    arguments = parser.parse_args()
    tuned_on, scored_on = arguments.corpus.split(","), arguments.across.split(",")
    if unknown := {*tuned_on, *scored_on} - {*_CORPORA, ""}:
        sys.exit(f"no such corpus: {', '.join(sorted(unknown))}; there are: {', '.join(_CORPORA)}")
    names = dict.fromkeys([*tuned_on, *filter(None, scored_on)])
    settings = load_settings({"effort": arguments.effort}, environment={})
    corpora = [read_corpus(name, arguments.data, arguments.work) for name in names]
    bench = Bench(corpora, arguments.work, settings, arguments.pairs)
    rows: list[Row] = []
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    for name in tuned_on:
        for seed in seeds:
            note(f"tuning on {name}, seed {seed}")
            rows += bench.run(name, seed, across=seed == seeds[0] and bool(arguments.across))
            if arguments.json:
                values = [dataclasses.asdict(row) for row in rows]
                arguments.json.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    print(_table(rows) + "\n")
    print_verdicts(_targets(rows))


if __name__ == "__main__":
    main()
