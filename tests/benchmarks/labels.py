"""Tune a generator on contract labels (CUAD): its gain beside a bag of words, and what it forgets.

    python tests/benchmarks/labels.py DATA [--examples N] [--questions N] [--seeds 0,1,2] [--json FILE]

DATA is a folder with ``cuad`` (clauses.jsonl, labels.jsonl, category_questions.json) and, for the general
tasks, ``blimp``, ``arc_easy`` and ``wikitext2``; without those the suite that ships is used. Questions and
clauses are split by clause. All arms answer by likelihood in one number format.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hybrid.adaptation.data.examples import label_examples
from hybrid.adaptation.data.rehearsal import rehearsal_examples
from hybrid.adaptation.forgetting.measure import measure, paired_change
from hybrid.adaptation.forgetting.suites import Suite, load_suite, shipped_suite
from hybrid.adaptation.store import AdapterStore
from hybrid.adaptation.training.encoding import encode
from hybrid.adaptation.training.generator import Base, tune_generator
from hybrid.adaptation.values import AdapterKind, Card, Change, Data, Example, Examples
from hybrid.config import AdaptationSettings, Method, ModelSettings
from hybrid.files import read_jsonl
from hybrid.generation.prompts import load_prompts
from hybrid.models import Generator
from hybrid.models.device import choose_placement, cpu_has_bf16
from hybrid.models.loading import generator_folder, load_generator
from hybrid.models.resolve import cache_folder
from hybrid.questions.splits import unit_hash
from hybrid.types import Question


@dataclasses.dataclass(frozen=True)
class Labels:
    """Questions in three parts that share no clause."""

    train: list[Question]
    validation: list[Question]
    test: list[Question]


def load(folder: Path, *, seed: int = 0, words: int = 110) -> Labels:
    """Read CUAD as label questions, in an order that says nothing; longer clauses are cut."""
    clauses = {row["_id"]: row["text"] for row in _rows(folder / "clauses.jsonl")}
    asked = json.loads((folder / "category_questions.json").read_text(encoding="utf-8"))
    parts = Labels([], [], [])
    rows = _rows(folder / "labels.jsonl")
    rows.sort(key=lambda row: unit_hash(str(seed), row["category"], row["clause_id"]))
    for number, row in enumerate(rows):
        clause = clauses[row["clause_id"]].replace("<omitted>", " ").split()[:words]
        question = Question(
            id=f"q{number}",
            text=f"{asked[row['category']]['question']}\nClause: {' '.join(clause)}",
            answers=(row["label"],),
            options=("Yes", "No"),
            source=row["clause_id"],
            slices=(row["category"],),
        )
        place = unit_hash("split", row["clause_id"])
        (parts.train if place < 0.7 else parts.validation if place < 0.8 else parts.test).append(question)
    return parts


def bag_of_words(train: Sequence[Question], test: Sequence[Question]) -> list[float]:
    """Return right or wrong of TF-IDF and logistic regression, one model a category."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    right = [0.0] * len(test)
    for category in sorted({question.slices[0] for question in test}):
        own = [q for q in train if q.slices[0] == category]
        places = [place for place, q in enumerate(test) if q.slices[0] == category]
        labels = [q.answers[0] for q in own]
        if len(set(labels)) < 2:
            said = [labels[0] if labels else "Yes"] * len(places)
        else:
            words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
            model = LogisticRegression(C=10).fit(words.fit_transform([q.text for q in own]), labels)
            said = list(model.predict(words.transform([test[p].text for p in places])))
        for place, label in zip(places, said, strict=True):
            right[place] = float(label == test[place].answers[0])
    return right


def answer(generator: Generator, questions: Sequence[Question]) -> list[float]:
    """Return right or wrong of the likeliest option."""
    prompts = load_prompts("en")
    found = generator.log_likelihoods(
        [prompts.choice(q.text, q.options) for q in questions], [q.options for q in questions]
    )
    return [
        float(q.options[values.index(max(values))] == q.answers[0])
        for q, values in zip(questions, found, strict=True)
    ]


def tuned(
    base: Base, examples: Examples, rehearsal: Sequence[Example], settings: AdaptationSettings, folder: Path
) -> tuple[Path, float]:
    """Train an adapter; return its folder and the seconds it took."""
    placement = choose_placement("auto", "auto")
    begun = time.perf_counter()
    made = tune_generator(
        base,
        examples,
        settings,
        out=folder / "built",
        placement=placement,
        rehearsal=rehearsal,
        progress=lambda step, steps, loss: (
            print(f"  step {step} of {steps}: {loss:.3f}", flush=True) if step % 20 == 0 else None
        ),
    )
    seconds = time.perf_counter() - begun
    card = Card(
        name="",
        kind=AdapterKind.GENERATOR,
        base=base.name,
        base_digest=base.digest,
        method=Method(settings.method),
        data=Data("", "CC BY 4.0", {"label": len(examples.train)}),
        curve=made.fit.curve,
        seconds=seconds,
        gain=made.gain,
    )
    store = AdapterStore(folder)
    name = store.new_name(AdapterKind.GENERATOR)
    store.add(name, made.folder, card)
    return store.folder(name), seconds


def rehearsal(generator: Generator, examples: Examples, share: float, seed: int) -> list[Example]:
    """Return what the base says, as much as the share of all training tokens."""
    tokens = encode(examples.train, generator.dialogue, max_tokens=640).tokens
    with generator.lent() as module:
        return rehearsal_examples(
            module,
            generator.dialogue,
            digest=generator.base_weights,
            tokens=round(tokens * share / (1 - share)),
            seed=seed,
            cache=cache_folder(),
        )


def general_suite(data: Path, items: int) -> Suite:
    """Return the public general tasks where they are, else the suite that ships."""
    if not (data / "blimp").is_dir():
        return shipped_suite()
    return load_suite(*(data / name for name in ("blimp", "arc_easy/test.json", "wikitext2"))).sample(items)


def row(name: str, right: Sequence[float], base: Sequence[float], test: Sequence[Question]) -> dict[str, Any]:
    """Return a row of the table: accuracy, and points above the base with bounds."""
    change = paired_change(
        "accuracy",
        base,
        right,
        [question.source for question in test],
        unit="points",
        higher_is_better=True,
        scale=100,
        bounded=True,
    )
    return {"arm": name, "accuracy": float(np.mean(right)), "change": dataclasses.asdict(change)}


def show(change: Change) -> str:
    """Return a change on one line."""
    bounds = f"{change.low:+.3f} to {change.high:+.3f}"
    return f"{change.measure} {change.before:.3f} → {change.after:.3f}: {change.change:+.3f} ({bounds})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--examples", type=int, default=1_000)
    parser.add_argument("--questions", type=int, default=600)
    parser.add_argument("--items", type=int, default=700, help="of each kind of general task")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--rehearsal", type=float, default=0.1)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--layers", type=float, default=1.0)
    parser.add_argument("--words", type=int, default=110, help="longer clauses are cut")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    parts = load(options.data / "cuad", words=options.words)
    test = parts.test[: options.questions]
    name = ModelSettings().generator
    dtype = "bfloat16" if cpu_has_bf16() else "float32"
    generator = load_generator(ModelSettings(dtype=dtype))
    base = Base(generator_folder(name, offline=True), name)
    before = answer(generator, test)
    few = parts.train[: options.examples]
    rows = [
        row("base", before, before, test),
        row(f"bag of words, {len(parts.train)} examples", bag_of_words(parts.train, test), before, test),
        row(f"bag of words, {len(few)} examples", bag_of_words(few, test), before, test),
    ]
    suite = general_suite(options.data, options.items)
    prompts = load_prompts("en")
    for seed in map(int, options.seeds.split(",")):
        settings = AdaptationSettings(
            epochs=options.epochs,
            rehearsal=options.rehearsal,
            learning_rate=options.rate,
            layers=options.layers,
            seed=seed,
        )
        chosen = load(options.data / "cuad", seed=seed, words=options.words).train[: options.examples]
        examples = Examples(
            tuple(label_examples(chosen, prompts)), tuple(label_examples(parts.validation[:96], prompts))
        )
        with tempfile.TemporaryDirectory() as folder:
            kept = rehearsal(generator, examples, options.rehearsal, seed)
            adapter, seconds = tuned(base, examples, kept, settings, Path(folder))
            adapted = generator.adapted(adapter)
            found = row(f"adapter, seed {seed}", answer(adapted, test), before, test)
            lost = measure(generator, adapted, suite, seed=0)
        found |= {"seconds": round(seconds), "forgetting": [dataclasses.asdict(c) for c in lost.changes]}
        rows.append(found)
        print(f"{found['arm']}: {found['accuracy']:.3f} after {seconds:.0f} s", flush=True)
        print("\n".join(map(show, lost.changes)), flush=True)
    print("\n| arm | right | points above base, 90 % interval | seconds |\n|---|---|---|---|")
    for each in rows:
        change = each["change"]
        points = f"{change['change']:+.1f} ({change['low']:+.1f} to {change['high']:+.1f})"
        print(f"| {each['arm']} | {each['accuracy']:.3f} | {points} | {each.get('seconds', '–')} |")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def _rows(path: Path) -> list[dict[str, str]]:
    return [row for _, row in read_jsonl(path)]


if __name__ == "__main__":
    main()
