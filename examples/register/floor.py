"""Measure what trivial methods reach on the questions, trained on nothing but `tuning.jsonl`.

    python examples/register/floor.py [--json]

A bag of words is TF-IDF of words and pairs of words with logistic regression. It is shown the question, as
the arm `adapter` is, or the clause of the entry, as `both` is where retrieval finds it. Needs scikit-learn,
which comes with sentence-transformers.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def read(name: str) -> list[dict[str, Any]]:
    """Read a set of questions."""
    lines = (HERE / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def bag_of_words(train: Sequence[str], labels: Sequence[str], test: Sequence[str]) -> list[str]:
    """Answer with TF-IDF and logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    model = LogisticRegression(C=10, max_iter=1_000).fit(words.fit_transform(train), labels)
    return [str(label) for label in model.predict(words.transform(test))]


def floors() -> dict[str, float]:
    """Return the accuracy of each method on the questions."""
    train, test = read("tuning"), read("questions")
    labels, gold = [row["answers"][0] for row in train], [row["answers"][0] for row in test]
    seen: dict[str, Callable[[dict[str, Any]], str]] = {
        "bag of words on the question": lambda row: str(row["question"]),
        "bag of words on the clause of the entry": lambda row: str(row["evidence"][0]["quote"]),
    }
    said = {"majority": [Counter(labels).most_common(1)[0][0]] * len(test)} | {
        name: bag_of_words(list(map(text, train)), labels, list(map(text, test)))
        for name, text in seen.items()
    }
    return {
        name: round(sum(a == b for a, b in zip(given, gold, strict=True)) / len(gold), 4)
        for name, given in said.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    found = floors()
    if parser.parse_args().json:
        print(json.dumps(found))
    else:
        for name, accuracy in found.items():
            print(f"{accuracy:.3f}  {name}")


if __name__ == "__main__":
    main()
