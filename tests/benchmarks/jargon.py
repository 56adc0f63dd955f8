"""What short forms cost a search, and what a glossary and a tuned embedder give back.

The questions are those that people wrote for the collections. *As typed*: the question has one form of a
term, and no relevant document has it, though one has the other ("What causes irritable bowel syndrome?", and
the page says IBS). *Swapped*: the same, made by putting the other form into a question. So what explains a
term is always another document than the relevant ones, which use it without a word. *Prose* are the other
questions: all that have a term which the page has too, and some of those that have none.

Half of the documents are kept apart: their questions are the table; settings were chosen on the other half
(``--part dev``). Terms are seen if a training document explains them. Intervals are paired and resampled by
document. The general set that ships is asked as well.

    python tests/benchmarks/jargon.py --data FOLDER     # medquad and scifact, an embedder tuned on each

``--data`` holds ``scifact`` in BEIR's format and ``medquad/medquad.jsonl``. Indexes are kept in ``--work``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from embedders import read_corpus, tune_on
from measure import Target, note, print_verdicts

from hybrid.adaptation.data.material import Split
from hybrid.adaptation.embedding import general_changes, general_set
from hybrid.adaptation.methods.encoding import paired_change
from hybrid.adaptation.values import NDCG, Change
from hybrid.config import ChunkSettings, DocumentSettings, RetrievalMode, Settings, load_settings
from hybrid.index import Index
from hybrid.index.sync import discard, reembed
from hybrid.ingestion import Ingestor
from hybrid.models import Embedder
from hybrid.models.loading import load_embedder
from hybrid.questions.splits import unit_hash
from hybrid.ranking import ndcg
from hybrid.retrieval import Retriever
from hybrid.text.abbreviations import Abbreviation, find_abbreviations, form_key
from hybrid.text.words import tokens

_GAIN, _LOSS = 0.05, 0.01
# The share of the questions without a term that is asked.
_DRAWN = 0.2
_TYPED, _SWAPPED, _HELD, _NONE = "typed", "swapped", "prose with a term", "prose without"
JARGON, PROSE = (_TYPED, _SWAPPED), (_HELD, _NONE)
_ROWS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("jargon", JARGON),
    ("as typed", (_TYPED,)),
    ("swapped", (_SWAPPED,)),
    ("prose", PROSE),
    ("prose with a term", (_HELD,)),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, what it should find, the document it is about, and the term whose forms differ."""

    text: str
    grades: Mapping[str, int]
    unit: str
    kind: str
    term: Abbreviation | None = None


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to search: its name, the embedder and what is set."""

    name: str
    mode: RetrievalMode
    glossary: bool
    tuned: bool = False


ARMS = (
    *(Arm(mode.value, mode, glossary=False) for mode in RetrievalMode),
    *(Arm(f"{mode.value} + glossary", mode, glossary=True) for mode in RetrievalMode),
)
TUNED = tuple(
    Arm(f"{mode.value}, tuned{' + glossary' * glossary}", mode, glossary, tuned=True)
    for mode in (RetrievalMode.DENSE, RetrievalMode.FUSION)
    for glossary in (False, True)
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What an arm gains over the base in the same mode."""

    corpus: str
    row: str
    arm: str
    change: Change


class Collection:
    """A corpus, its index, and its questions by kind.

    Args:
        name: ``medquad`` or ``scifact``.
        data: the folder of the corpora.
        work: where its index is kept.
        settings: of the embedder.
        base: the embedder.
    """

    def __init__(self, name: str, data: Path, work: Path, settings: Settings, base: Embedder) -> None:
        self.name, self.domain = name, work / "indexes" / name
        corpus = read_corpus(name, data, work)
        note(f"indexing {name}")
        Ingestor(self.domain, base, DocumentSettings(text_field="text"), ChunkSettings()).ingest(corpus.texts)
        index = Index.open(self.domain)
        documents = [document for source in index.sources() if (document := index.document(source))]
        index.close()
        self._texts = {each.source: f"{each.title}\n{each.text}" for each in documents}
        self._flat = {source: _flat(text) for source, text in self._texts.items()}
        sources = {each.metadata.get("id", each.source): each.source for each in documents}
        self._units = {source: _unit(name, identity) for identity, source in sources.items()}
        self._explained = Counter(
            one for text in self._texts.values() for one in dict.fromkeys(find_abbreviations(text))
        )
        self._forms: dict[str, list[Abbreviation]] = {}
        for one in self._explained:
            for form in (one.short, one.long):
                self._forms.setdefault(" ".join(tokens(form)), []).append(one)
        self.asked = {False: list[Asked](), True: list[Asked]()}
        for question, grades in corpus.queries.items():
            found = {sources[key]: grade for key, grade in grades.items() if key in sources and grade > 0}
            apart = {self.is_apart(source) for source in found}
            if len(apart) == 1:
                self.asked[apart.pop()] += self._asked(question, found)
        self.training_terms = {
            (one.short, form_key(one.long))
            for source, text in self._texts.items()
            if not self.is_apart(source)
            for one in find_abbreviations(text)
        }

    def is_seen(self, term: Abbreviation) -> bool:
        """Tell whether a document that is trained on explains a term."""
        return (term.short, form_key(term.long)) in self.training_terms

    def is_apart(self, source: str) -> bool:
        """Tell whether a document is kept apart from all training and choosing."""
        return unit_hash("jargon", self._units[source]) < 0.5

    def split(self, seed: int) -> Split:
        """Return the documents that are trained on, those that validate, and those that are kept apart."""
        apart = {source for source in self._texts if self.is_apart(source)}
        others = set(self._texts) - apart
        checks = {source for source in others if unit_hash("validation", str(seed), source) < 0.1}
        return Split(frozenset(others - checks), frozenset(checks), frozenset(apart))

    def _asked(self, question: str, grades: Mapping[str, int]) -> Iterator[Asked]:
        unit, flat = self._units[min(grades)], _flat(question)
        held, differing, swapped = False, None, None
        for term in self._terms(question):
            typed_short = _holds(term.short, question, flat)
            if typed_short == _holds(term.long, question, flat):
                continue
            held = True
            typed, other = (term.short, term.long) if typed_short else (term.long, term.short)
            has = {form: self._any_holds(form, grades) for form in (typed, other)}
            if has[other] and not has[typed]:
                differing = differing or term
            if has[typed] and not has[other] and (not typed_short or self._usual(term)):
                swapped = swapped or term
        kind = _TYPED if differing else _HELD if held else _NONE
        if kind != _NONE or unit_hash("prose", question) < _DRAWN:
            yield Asked(question, grades, unit, kind, differing)
        if swapped and (other_question := swapped.swapped(question)):
            yield Asked(other_question, grades, unit, _SWAPPED, swapped)

    def _any_holds(self, form: str, sources: Iterable[str]) -> bool:
        return any(_holds(form, self._texts[source], self._flat[source]) for source in sources)

    def _terms(self, question: str) -> list[Abbreviation]:
        """Return the terms that a question has a form of, those that most documents explain first."""
        words = tokens(question)
        runs = {" ".join(words[at : at + n]) for n in range(1, 9) for at in range(len(words) - n + 1)}
        found = {one for run in runs for one in self._forms.get(run, ())}
        return sorted(found, key=lambda one: (-self._explained[one], one.short, one.long))

    def _usual(self, term: Abbreviation) -> bool:
        """Tell whether at least half of the documents that explain a short form explain it so."""
        total = sum(count for one, count in self._explained.items() if one.short == term.short)
        return 2 * self._explained[term] >= total


def _unit(name: str, identity: str) -> str:
    # several answers of medquad are of one page
    return identity.rsplit("-", 1)[0] if name == "medquad" else identity


def _flat(text: str) -> str:
    return f" {' '.join(tokens(text))} "


def _holds(form: str, text: str, flat: str) -> bool:
    """Tell whether a text has a form as whole words, in the singular or plural; a short one in its case."""
    words = " ".join(tokens(form))
    if " " in words:
        return f" {words} " in flat or f" {words}s " in flat
    return re.search(rf"(?<!\w){re.escape(form)}s?(?!\w)", text) is not None


def scores(
    domain: Path, embedder: Embedder, settings: Settings, arm: Arm, asked: Sequence[Asked]
) -> list[float]:
    """Return nDCG@10 by document of each question."""
    # documents are ranked: what repeats another passage is none, so nothing has to be left out for it
    retrieval = dataclasses.replace(
        settings.retrieval, mode=arm.mode, glossary=arm.glossary, k=20, duplicate_overlap=1.0
    )
    index = Index.built_with(domain, embedder.fingerprint)
    begun, found = time.perf_counter(), []
    retriever = Retriever(index, embedder, retrieval)
    for start in range(0, len(asked), 64):
        block = asked[start : start + 64]
        for one, hits in zip(block, retriever.search_all([one.text for one in block]), strict=True):
            ranked = list(dict.fromkeys(hit.chunk.source for hit in hits))
            found.append(ndcg(ranked[:10], one.grades, 10))
    index.close()
    note(f"  {arm.name}: {(time.perf_counter() - begun) / max(len(asked), 1) * 1000:.0f} ms a question")
    return found


def changes(
    collection: Collection, asked: Sequence[Asked], columns: Mapping[str, Sequence[float]]
) -> list[Measured]:
    """Return for each arm and row the change from the arm with the same mode on the base."""
    rows = {label: [one.kind in kinds for one in asked] for label, kinds in _ROWS}
    for label, wanted in (("jargon, term seen", True), ("jargon, term unseen", False)):
        rows[label] = [one.term is not None and collection.is_seen(one.term) is wanted for one in asked]
    found = []
    for label, of in rows.items():
        chosen = [place for place, is_in in enumerate(of) if is_in]
        if len({asked[place].unit for place in chosen}) < 2:
            continue
        for arm, values in columns.items():
            base = columns[re.split(r" \+|,", arm)[0]]
            change = paired_change(
                f"{collection.name}, {label}",
                [base[place] for place in chosen],
                [values[place] for place in chosen],
                [asked[place].unit for place in chosen],
                NDCG,
            )
            found.append(Measured(collection.name, label, arm, change))
    return found


def general(work: Path, base: Embedder, settings: Settings) -> Change:
    """Return what a glossary does to questions of the general set: all its passages in one index."""
    collection, domain, texts = general_set(), work / "indexes" / "general", work / "general.jsonl"
    rows = [json.dumps({"_id": each.source, "text": each.text}) for each in collection.documents]
    texts.write_text("\n".join(rows) + "\n", encoding="utf-8")
    Ingestor(domain, base, DocumentSettings(text_field="text"), ChunkSettings()).ingest(texts)
    index = Index.open(domain)
    documents = [document for source in index.sources() if (document := index.document(source))]
    index.close()
    names = {each.metadata["id"]: each.source for each in documents}
    asked = [
        Asked(one.text, {names[key]: grade for key, grade in one.grades.items()}, one.unit, "")
        for one in collection.queries
    ]
    before, after = (scores(domain, base, settings, arm, asked) for arm in (ARMS[2], ARMS[5]))
    units = [one.unit for one in asked]
    return paired_change("general set", before, after, units, NDCG)


def _table(found: Sequence[Measured]) -> str:
    lines = [
        "| corpus | questions | n | search | nDCG@10 | against the base | interval |",
        "| --- | --- | ---: | --- | ---: | ---: | --- |",
    ]
    for one in found:
        change = one.change
        same = change.change == change.low == change.high == 0
        told = ("", "") if same else (f"{change.change:+.3f}", f"{change.low:+.3f} to {change.high:+.3f}")
        lines.append(
            f"| {one.corpus} | {one.row} | {change.items} | {one.arm} | {change.after:.3f} | "
            f"{told[0]} | {told[1]} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the tables, write JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--corpus", default="medquad,scifact")
    parser.add_argument("--part", choices=("apart", "dev"), default="apart", help="whose questions are asked")
    parser.add_argument("--pairs", type=int, default=800, help="to tune on; 0 tunes nothing")
    parser.add_argument("--work", type=Path, default=Path("jargon-bench"))
    parser.add_argument("--json", type=Path, help="where the result is written")
    arguments = parser.parse_args()
    settings = load_settings({}, environment={})
    base = load_embedder(settings.models)
    found: list[Measured] = []
    targets: list[Target] = []
    for name in arguments.corpus.split(","):
        collection = Collection(name, arguments.data, arguments.work, settings, base)
        domain, asked = collection.domain, collection.asked[arguments.part == "apart"]
        note(f"{name}: {dict(Counter(one.kind for one in asked))}")
        columns = {arm.name: scores(domain, base, settings, arm, asked) for arm in ARMS}
        compared = ["fusion + glossary"]
        if arguments.pairs:
            split = collection.split(seed=0)
            tuned = tune_on(domain, split, settings, base, arguments.pairs, arguments.work, seed=0)
            embedder = load_embedder(settings.models, tuned.folder)
            reembed(domain, embedder)
            columns |= {arm.name: scores(domain, embedder, settings, arm, asked) for arm in TUNED}
            discard(domain, embedder.fingerprint.adapter)
            (moved,) = general_changes(base, embedder, [general_set()])
            found.append(Measured(name, "general set", "dense, tuned", moved))
            targets.append(Target(f"{name}: general set, tuned", -moved.change, _LOSS))
            compared.append("fusion, tuned + glossary")
        found += changes(collection, asked, columns)
        print(_table(found), file=sys.stderr)
        for arm_name in compared:
            rows = {one.row: one.change for one in found if (one.corpus, one.arm) == (name, arm_name)}
            targets += [
                Target(f"{name}: jargon, {arm_name}", rows["jargon"].change, _GAIN, at_least=True),
                Target(f"{name}: its lower bound", rows["jargon"].low, 0.0, at_least=True),
                Target(f"{name}: prose lost, {arm_name}", -rows["prose"].change, _LOSS),
            ]
    elsewhere = general(arguments.work, base, settings)
    found.append(Measured("general set", "all", "fusion + glossary", elsewhere))
    targets.append(Target("general set, glossary", -elsewhere.change, _LOSS))
    print(_table(found) + "\n")
    if arguments.json:
        values = [dataclasses.asdict(one) for one in found]
        arguments.json.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    print_verdicts(targets)


if __name__ == "__main__":
    main()
