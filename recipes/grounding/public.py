"""The sets that the grounding scorer is trained and measured on, by what lies in a folder of public data.

Documents that pairs are made of are divided by their names: what is measured on was never trained on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from hybrid.config import DocumentSettings
from hybrid.documents import read, scan
from hybrid.files import read_jsonl
from hybrid.grounding.examples import Dataset, LabelledClaim
from hybrid.questions.splits import unit_hash
from hybrid.types import Document
from recipes.grounding.extracts import extracts
from recipes.grounding.making import make_examples
from recipes.grounding.sets import load

# Of the documents that pairs are made of, so large a share is for measuring.
_MEASURED = 0.2
_FACTCHECK = "factcheck_gpt/claim_evidence_stance.jsonl"
# Folder or file, domain, licence, pairs to train on.
_DOCUMENTS = (
    ("medquad/medquad.jsonl", "medquad", "CC BY 4.0", 4_000),
    ("corpora/haystack_mdx", "haystack", "Apache-2.0", 2_000),
    ("scifact/corpus.jsonl", "scifact", "ODC-By", 4_000),
)
# Folder or file, domain, licence: long documents that extracts are made of.
_EXTRACTED = (
    ("medquad/medquad.jsonl", "medquad", "CC BY 4.0"),
    ("corpora/haystack_mdx", "haystack", "Apache-2.0"),
    ("corpora/postgres_html", "postgres", "PostgreSQL"),
    ("scifact/corpus.jsonl", "scifact", "ODC-By"),
)
_EXTRACTS = 600
_LONG = 1_500
_UNSEEN = (
    ("pubmedqa/pubmedqa_dev.jsonl", "pubmedqa", "MIT"),
    ("corpora/postgres_html", "postgres", "PostgreSQL"),
)
_MEASURED_PAIRS = 800
_TEXT_FIELDS = ("text", "contexts", "answer", "doc")
_NAME_FIELDS = ("_id", "id", "source")


def labelled_sets(data: Path) -> list[Dataset]:
    """Return the labelled sets that are trained on; their order deals domains to folds."""
    return [load(data / "summedits"), load(data / _FACTCHECK), load(data / "scifact")]


def judged_sets(data: Path, *, seed: int = 0) -> list[Dataset]:
    """Return sets that teach no head, for overlap tells their labels: the stack has to serve them."""
    made: list[LabelledClaim] = []
    for path, domain, licence in _EXTRACTED:
        texts = [(source, text) for source, text in documents_of(data / path) if len(text) > _LONG]
        made += extracts(texts, count=_EXTRACTS, seed=seed, domain=f"extracts of {domain}", licence=licence)
    sets = [load(data / "begin/begin.jsonl"), Dataset("extracts", tuple(made))]
    return [each for each in sets if each.examples]


def training_sets(data: Path, *, seed: int = 0) -> list[Dataset]:
    """Return all that is trained on."""
    made = [
        _made(data / path, domain, licence, pairs, measured=False, seed=seed)
        for path, domain, licence, pairs in _DOCUMENTS
    ]
    return [*labelled_sets(data), *made]


def made_sets(data: Path, *, seed: int = 0) -> list[Dataset]:
    """Return pairs of documents that were not trained on: of domains that were, and of others."""
    seen = [
        _made(data / path, domain, licence, _MEASURED_PAIRS, measured=True, seed=seed)
        for path, domain, licence, _ in _DOCUMENTS
    ]
    unseen = [
        _made(data / path, domain, licence, _MEASURED_PAIRS, measured=None, seed=seed)
        for path, domain, licence in _UNSEEN
    ]
    return [*seen, *unseen]


def unseen_sets(data: Path) -> list[Dataset]:
    """Return labelled sets that are never trained on."""
    paths = ("q2_wow/q2_wow.jsonl", "covid_fact/covid_fact.jsonl", "wice/dev.jsonl")
    return [load(data / path) for path in paths]


def _made(path: Path, domain: str, licence: str, count: int, *, measured: bool | None, seed: int) -> Dataset:
    """Return pairs of the documents of one side; None takes all of them."""
    documents = [
        (source, text)
        for source, text in documents_of(path)
        if measured is None or (unit_hash("measured", source) < _MEASURED) == measured
    ]
    made = make_examples(documents, count=count, seed=seed, domain=domain, licence=licence)
    name = f"pairs of {domain}"
    return Dataset(name, tuple(_named(example) for example in made))


def _named(example: LabelledClaim) -> LabelledClaim:
    # a document of a set that is also labelled must not carry the name of a claim's source
    return dataclasses.replace(example, source=f"document {example.source}")


def documents_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield source and text of what lies at a path."""
    if path.is_file() and path.suffix == ".jsonl":
        for number, row in read_jsonl(path):
            text = next((_text(row[field]) for field in _TEXT_FIELDS if field in row), "")
            name = next((str(row[field]) for field in _NAME_FIELDS if field in row), str(number))
            yield name, text
        return
    settings = DocumentSettings()
    for file in scan(path, settings).files:
        for batch in read(file, settings):
            yield from ((item.source, item.text) for item in batch.items if isinstance(item, Document))


def _text(value: object) -> str:
    return "\n\n".join(map(str, value)) if isinstance(value, list) else str(value)
