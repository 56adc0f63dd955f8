"""Documents with questions whose answer stands in them, from public sets that measure no reader of ours.

Takes the folder of data, gives a library a set: documents, and questions with gold answers. Which sentence
is to be quoted is left to the package, which looks for the answer where a question's evidence says.
"""

from __future__ import annotations

import ast
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hybrid.config import DocumentSettings
from hybrid.documents import SourceFile, read
from hybrid.text.sentences import sentence_spans
from hybrid.text.words import contains
from hybrid.types import Document, Evidence, Question, Span

# Of each set: questions of people that are taken at most, and questions made from its documents.
SIZES = {
    "nq": (900, 0),
    "tatqa": (450, 120),
    "medquad": (300, 120),
    "scifact": (150, 60),
    "pubmedqa": (80, 0),
    "cuad": (80, 0),
    "haystack": (0, 400),
}
LICENCES = "Apache-2.0, CC BY 4.0, MIT and ODC-By"
_SOURCES = 110
_ANSWER_WORDS = 14
_CLAUSE_WORDS = range(12, 60)
_SAID_WORDS = range(12, 140)


@dataclass(frozen=True, slots=True)
class Library:
    """The documents of a set, what people asked of them, and how many questions are to be made beside."""

    name: str
    documents: tuple[Document, ...]
    asked: tuple[Question, ...]
    made: int = 0


def libraries(data: Path, *, share: float = 1.0, seed: int = 0) -> Iterator[Library]:
    """Yield each set with its share of questions; of its documents those that are asked come first."""
    readers = {
        "nq": _natural_questions,
        "tatqa": _tatqa,
        "medquad": _medquad,
        "scifact": _scifact,
        "pubmedqa": _pubmedqa,
        "cuad": _cuad,
        "haystack": _haystack,
    }
    for name, reads in readers.items():
        dice = random.Random(seed)  # noqa: S311
        asked, made = (round(share * size) for size in SIZES[name])
        documents, questions = reads(data, dice)
        dice.shuffle(questions)
        yield library(name, documents, questions[:asked], made)


def library(name: str, documents: Sequence[Document], asked: Sequence[Question], made: int) -> Library:
    """Return a set with the documents of its questions, and others to be mistaken for them."""
    wanted = {question.unit for question in asked}
    own = [document for document in documents if document.source in wanted]
    others = [document for document in documents if document.source not in wanted]
    room = max(_SOURCES, made) if made or asked else 0
    return Library(name, (*own, *others[:room]), tuple(asked), made)


def ask(document: Document, text: str, answers: Iterable[str], *, within: Span | None = None) -> Question:
    """Return a question of a document; its answer is to be found in a stretch of it, or anywhere."""
    span = within or Span(0, len(document.text))
    evidence = Evidence(document.source, document.text[span.start : span.end], span)
    name = document.source.partition("/")[0]
    return Question(f"{document.source}: {text}", text, tuple(answers), evidence=(evidence,), made=name)


_Set = tuple[list[Document], list[Question]]


def _rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _first(text: str) -> Span | None:
    return next((span for span in sentence_spans(text) if len(text[span.start : span.end].split()) > 4), None)


def _natural_questions(data: Path, dice: random.Random) -> _Set:
    """Ask what people typed, of the longest right answer of a system: short golds in running text."""
    best: dict[int, dict[str, Any]] = {}
    for row in _rows(data / "evouna/nq.jsonl"):
        if not row["answer"]:
            continue
        said = row["answer"].split()
        right = row["correct"] and any(contains(row["answer"], gold) for gold in row["golds"])
        before = best[row["id"]]["answer"].split() if row["id"] in best else []
        if right and len(said) in _SAID_WORDS and len(said) > len(before):
            best[row["id"]] = row
    documents, questions = [], []
    for number, row in best.items():
        document = Document(f"nq/{number}", row["answer"])
        text = row["question"]
        documents.append(document)
        asked = f"{text[0].upper()}{text[1:]}?" if dice.random() < 0.5 else text
        questions.append(ask(document, asked, row["golds"]))
    return documents, questions


def _tatqa(data: Path, dice: random.Random) -> _Set:
    """Ask for spans of financial reports, of their text and their tables."""
    paths = {path.name: path for path in sorted((data / "tatqa/docs").glob("*.html"))}
    documents = dict(_loaded("tatqa", paths))
    questions = [
        ask(documents[row["source"]], row["question"], row["answers"])
        for row in _rows(data / "tatqa/questions.jsonl")
        if row["answer_type"] == "span" and len(row["answers"][0].split()) <= _ANSWER_WORDS
    ]
    return list(documents.values()), questions


def _medquad(data: Path, dice: random.Random) -> _Set:
    """Ask what an answer begins to answer with its first sentence."""
    documents, questions = [], []
    rows = _rows(data / "medquad/medquad.jsonl")
    dice.shuffle(rows)
    for row in rows:
        document = _entitled("medquad", row["id"], row["focus"], row["answer"])
        documents.append(document)
        if span := _first(row["answer"]):
            asked = row["question"].replace("(are) ", "").replace(" ?", "?")
            sentence = row["answer"][span.start : span.end].strip()
            questions.append(ask(document, asked, [sentence], within=span))
    return documents, questions


def _scifact(data: Path, dice: random.Random) -> _Set:
    """Ask whether a claim is true, of the sentences that bear it out or refute it."""
    documents = {row["_id"]: row for row in _rows(data / "scifact/corpus.jsonl")}
    made = {
        number: _entitled("scifact", number, row["title"], row["text"]) for number, row in documents.items()
    }
    questions = []
    for row in _rows(data / "scifact/claims_train.jsonl"):
        told = row["evidence"] if isinstance(row["evidence"], list) else ast.literal_eval(row["evidence"])
        document = made.get(told[0]["doc_id"]) if told else None
        if document is None:
            continue
        spans = [span for span in sentence_spans(document.text) if span.end > span.start]
        place = told[0]["sentences"][0]
        if place < len(spans):
            answer = "Yes" if told[0]["label"] == "SUPPORT" else "No"
            claim = row["claim"].rstrip(" .")
            questions.append(ask(document, f"Is it true: {claim}?", [answer], within=spans[place]))
    return _mixed(made.values(), dice), questions


def _pubmedqa(data: Path, dice: random.Random) -> _Set:
    """Ask for yes or no, of what an abstract says was found; its conclusion is shown to nobody."""
    documents, questions = [], []
    for row in _rows(data / "pubmedqa/pubmedqa_dev.jsonl"):
        text = "\n".join(row["contexts"])
        document = Document(f"pubmedqa/{row['id']}", text)
        documents.append(document)
        if row["answer"] != "maybe":
            found = Span(len(text) - len(row["contexts"][-1]), len(text))
            questions.append(ask(document, row["question"], [row["answer"].capitalize()], within=found))
    return documents, questions


def _cuad(data: Path, dice: random.Random) -> _Set:
    """Ask the question of a category, of a clause that is of it."""
    texts = {row["_id"]: row["text"].replace("<omitted>", " ") for row in _rows(data / "cuad/clauses.jsonl")}
    asked = json.loads((data / "cuad/category_questions.json").read_text(encoding="utf-8"))
    documents = {
        number: Document(f"cuad/{number}", text)
        for number, text in texts.items()
        if len(text.split()) in _CLAUSE_WORDS
    }
    own: dict[str, list[Document]] = defaultdict(list)
    for row in _rows(data / "cuad/labels.jsonl"):
        if row["label"] == "Yes" and row["clause_id"] in documents:
            own[row["category"]].append(documents[row["clause_id"]])
    questions = []
    for category, clauses in own.items():
        text = asked[category]["question"].replace("the clause", "a clause")
        chosen = dice.sample(clauses, min(8, len(clauses)))
        questions += [ask(document, text, ["Yes"]) for document in chosen]
    return _mixed(documents.values(), dice), questions


def _haystack(data: Path, dice: random.Random) -> _Set:
    """Ask nothing: of the manual of a program, questions are made."""
    root = data / "corpora/haystack_mdx"
    paths = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*.mdx"))}
    chosen = dice.sample(sorted(paths), min(_SOURCES + 30, len(paths)))
    return [document for _, document in _loaded("haystack", {name: paths[name] for name in chosen})], []


def _loaded(name: str, paths: dict[str, Path]) -> Iterator[tuple[str, Document]]:
    for source, path in paths.items():
        file = SourceFile(f"{name}/{source}", path, path.stat().st_size)
        for batch in read(file, DocumentSettings()):
            items = [item for item in batch.items if isinstance(item, Document)]
            yield from ((source, replace(item, title="")) for item in items)


def _entitled(name: str, number: str, title: str, text: str) -> Document:
    """Return a document whose name is its title.

    Of documents that come from no file, one that is a single chunk is shown by its name and a longer one by
    its title: those that are asked would look unlike the others.
    """
    return Document(f"{name}/{title.replace('/', ' ')} ({number})", text)


def _mixed(documents: Iterable[Document], dice: random.Random) -> list[Document]:
    own = list(documents)
    dice.shuffle(own)
    return own
