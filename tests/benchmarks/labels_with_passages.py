"""Labels whose facts stand in the pages: PubMedQA (yes, no, maybe), every question asked of an adapter that
saw neither it nor its abstract.

    python tests/benchmarks/labels_with_passages.py FILE [--examples 60,120,250] [--folds 2] [--folder WORK]

FILE is pubmedqa_dev.jsonl. Abstracts are indexed without their conclusions. The label examples are asked with
what retrieval gives for them, right or wrong, and a fifth of them without as well, so that one adapter serves
`adapter` and `both`. A bag of words, on the question and on the question with its own abstract, and the most
frequent label stand beside. What lies in the folder is not made and not asked again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hybrid import Assistant, load_settings
from hybrid.adaptation.data.examples import Given
from hybrid.adaptation.data.material import Objective
from hybrid.adaptation.methods.encoding import paired_change
from hybrid.adaptation.values import RIGHTS
from hybrid.files import read_jsonl
from hybrid.models.device import cpu_has_bf16
from hybrid.questions.splits import unit_hash
from hybrid.types import Question

_OPTIONS = ("yes", "no", "maybe")


def load(path: Path, texts: Path) -> list[Question]:
    """Read the questions and write their abstracts, the conclusions apart."""
    texts.mkdir(exist_ok=True)
    questions = []
    for _, row in read_jsonl(path):
        source = f"{row['id']}.txt"
        (texts / source).write_text("\n\n".join(row["contexts"]), encoding="utf-8")
        questions.append(
            Question(row["id"], row["question"], (row["answer"],), options=_OPTIONS, source=source)
        )
    return questions


def bag_of_words(train: Sequence[str], labels: Sequence[str], test: Sequence[str]) -> list[str]:
    """Answer with TF-IDF and logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    model = LogisticRegression(C=10, max_iter=1_000).fit(words.fit_transform(train), labels)
    return [str(label) for label in model.predict(words.transform(test))]


def tune(assistant: Assistant, name: str, train: Sequence[Question], test: Sequence[Question]) -> float:
    """Make an adapter unless it is there from an earlier run; return the seconds that training took."""
    if name not in assistant.adapters.names():
        service = assistant.adaptation
        given = Given(tuple(train))
        material = service.material([Objective.LABEL], against=test, apart=test, given=given)
        print(f"{name}: {dict(material.data.counts)}", flush=True)
        service.tune_generator(material, name=name)
    return assistant.adapters.card(name).seconds


def fold_rows(
    assistant: Assistant, train: Sequence[Question], test: Sequence[Question], sizes: Sequence[int], fold: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Return for each method right or wrong of every question, and the seconds of training."""
    gold = [question.answers[0] for question in test]
    texts = {
        q.id: assistant.retriever.index.document(q.source).text  # type: ignore[union-attr]
        for q in (*train, *test)
    }
    most = Counter(question.answers[0] for question in train).most_common(1)[0][0]
    labels = [question.answers[0] for question in train]
    said = {
        "majority": [most] * len(test),
        "bag of words, question": bag_of_words([q.text for q in train], labels, [q.text for q in test]),
        "bag of words, question and abstract": bag_of_words(
            [f"{q.text}\n{texts[q.id]}" for q in train], labels, [f"{q.text}\n{texts[q.id]}" for q in test]
        ),
    }
    right = {name: [float(a == b) for a, b in zip(given, gold, strict=True)] for name, given in said.items()}
    seconds = {
        f"{size} examples": tune(assistant, f"labels-{fold}-{size}", train[:size], test) for size in sizes
    }
    arms = ["base", "rag"]
    arms += [f"{arm}:generator_adapter=labels-{fold}-{size}" for size in sizes for arm in ("adapter", "both")]
    table = assistant.compare(test, arms=",".join(arms), name=f"fold {fold}").table
    assert table is not None, "all arms were asked all questions"
    order = {source: place for place, source in enumerate(table.sources)}
    places = [order[question.source] for question in test]
    for arm in table.arms:
        kind, _, adapter = arm.partition(":generator_adapter=")
        name = f"{kind}, {adapter.rpartition('-')[2]} examples" if adapter else kind
        right[name] = list(table.values[places, table.arms.index(arm)])
    return right, seconds


def row(name: str, own: Sequence[float], rag: Sequence[float], majority: Sequence[float]) -> dict[str, Any]:
    """Return a row of the table: accuracy, and the differences to rag and to the most frequent label."""
    units = [str(place) for place in range(len(own))]
    changes = {
        against: dataclasses.asdict(paired_change("right", other, own, units, RIGHTS))
        for against, other in (("rag", rag), ("majority", majority))
    }
    return {"arm": name, "right": float(np.mean(own))} | changes


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--examples", default="250", help="with commas: the curve")
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where to keep index, adapters and answers")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    sizes = [int(size) for size in options.examples.split(",")]
    right: dict[str, list[float]] = {}
    trained: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        questions = load(options.file, folder / "abstracts")
        settings = load_settings(
            {
                "indexes": str(folder),
                "models": {"dtype": "bfloat16" if cpu_has_bf16() else "float32", "offline": True},
                "retrieval": {"k": 1},
                "generation": {"context_tokens": 640},
                "adaptation": {"hold_out": 0.0},
                "decision": {"alone": 0},
            },
            environment={},
        )
        assistant = Assistant("pubmedqa", settings=settings)
        assistant.index(folder / "abstracts")
        for fold in range(options.folds):
            places = [int(unit_hash("fold", q.id) * options.folds) for q in questions]
            test = [q for q, place in zip(questions, places, strict=True) if place == fold]
            train = [q for q, place in zip(questions, places, strict=True) if place != fold]
            found, seconds = fold_rows(assistant, train, test, sizes, fold)
            for name, values in found.items():
                right.setdefault(name, []).extend(values)
            for name, value in seconds.items():
                trained[name] = trained.get(name, 0.0) + value / options.folds
    rows = [row(name, own, right["rag"], right["majority"]) for name, own in right.items()]
    print(f"\n{len(right['rag'])} questions, {options.folds} folds; training {trained} s")
    print("| | right | against rag, points | against the most frequent label |\n|---|---|---|---|")
    for each in rows:
        cells = [each[name] for name in ("rag", "majority")]
        shown = [f"{c['change']:+.1f} ({c['low']:+.1f} to {c['high']:+.1f})" for c in cells]
        print(f"| {each['arm']} | {each['right']:.3f} | {' | '.join(shown)} |")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
