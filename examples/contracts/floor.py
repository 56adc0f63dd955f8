"""Measure what trivial methods reach on the questions, trained on nothing but the clauses in `corpus/`.

    python examples/contracts/floor.py [--json]

A system is worth something here when it beats the bag of words; the other rows show that neither the
proportion of labels nor the length nor the clause without its category gives the answer away. Needs
scikit-learn, which comes with sentence-transformers.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
_EXAMPLE = re.compile(r"^## (.+): (Yes|No) \((c\d+)\)\n\nClause: (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Labelled:
    id: str
    category: str
    text: str
    yes: bool


def corpus() -> list[Labelled]:
    """Read the examples back from the Markdown files."""
    found = []
    for path in sorted((HERE / "corpus").glob("*.md")):
        for category, label, name, text in _EXAMPLE.findall(path.read_text(encoding="utf-8")):
            found.append(Labelled(name, category, text, label == "Yes"))
    return found


def questions() -> list[Labelled]:
    """Read the questions; the clause stands behind `Clause: `."""
    rows = map(json.loads, (HERE / "questions.jsonl").read_text(encoding="utf-8").splitlines())
    return [
        Labelled(r["source"], r["slices"][1], r["question"].split("\nClause: ")[1], r["answers"] == ["Yes"])
        for r in rows
    ]


def bag_of_words(train: Sequence[Labelled], test: Sequence[Labelled]) -> NDArray[np.bool_]:
    """Answer with TF-IDF and logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    model = LogisticRegression(C=10).fit(words.fit_transform([c.text for c in train]), [c.yes for c in train])
    return np.asarray(model.predict(words.transform([c.text for c in test])))


def bag_per_category(train: Sequence[Labelled], test: Sequence[Labelled]) -> NDArray[np.bool_]:
    """Answer with one bag of words for each category."""
    answers = np.zeros(len(test), dtype=bool)
    for category in sorted({c.category for c in test}):
        places = [n for n, c in enumerate(test) if c.category == category]
        known = [c for c in train if c.category == category]
        answers[places] = bag_of_words(known, [test[n] for n in places])
    return answers


def by_length(train: Sequence[Labelled], test: Sequence[Labelled]) -> NDArray[np.bool_]:
    """Answer by the one threshold on the number of words, and its direction, that fit `train` best."""
    lengths, labels = _lengths(train), np.array([c.yes for c in train])
    rules = [(cut, longer) for cut in range(int(lengths.max()) + 2) for longer in (True, False)]
    cut, longer = max(rules, key=lambda rule: ((lengths >= rule[0]) == (labels == rule[1])).mean())
    return np.asarray((_lengths(test) >= cut) == longer)


def _lengths(clauses: Sequence[Labelled]) -> NDArray[np.int_]:
    return np.array([len(c.text.split()) for c in clauses])


def floors() -> dict[str, float]:
    """Return the accuracy of each method on the questions."""
    train, test = corpus(), questions()
    gold = np.array([c.yes for c in test])
    most = Counter(c.yes for c in train).most_common(1)[0][0]
    answers = {
        "majority": np.full(len(test), most),
        "length, threshold from the corpus": by_length(train, test),
        "length, best threshold in hindsight": by_length(test, test),
        "bag of words that is not told the category": bag_of_words(train, test),
        "bag of words per category": bag_per_category(train, test),
    }
    return {name: round(float((given == gold).mean()), 4) for name, given in answers.items()}


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
