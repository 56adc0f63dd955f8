"""Learn contract labels (CUAD): a head on frozen states beside a bag of words; seconds, what is forgotten.

    python tests/benchmarks/labels.py [DATA] [--examples 380,5108] [--questions N] [--after N] [--below N]

DATA is a folder with ``cuad`` (clauses.jsonl, labels.jsonl, category_questions.json), split by clause.
Without it ``examples/contracts`` is learned: 340 of its 380 examples, 40 for the proof, 120 questions.
Seconds are those of reading, fitting and proving; examples a second stand beside those of training the
words of the labels. ``--below 6`` also trains LoRA in the six blocks just below the head, and the head
with it.
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
from hybrid.adaptation.forgetting import changes, measure
from hybrid.adaptation.methods.encoding import paired_change
from hybrid.adaptation.methods.generator import Base, try_out
from hybrid.adaptation.methods.labels import LabelRows, label_rows, tune_labels
from hybrid.adaptation.store import AdapterStore
from hybrid.adaptation.suites import shipped_suite
from hybrid.adaptation.values import RIGHTS, AdapterKind, Card, Change, Data, Example, Examples
from hybrid.config import AdaptationSettings, Method, ModelSettings
from hybrid.files import read_jsonl
from hybrid.generation.prompts import load_prompts
from hybrid.models import Generator
from hybrid.models.device import choose_placement, cpu_has_bf16
from hybrid.models.generator import TransformersGenerator
from hybrid.models.labels import load_head, part_means
from hybrid.models.loading import generator_folder, load_generator
from hybrid.questions.files import load_questions
from hybrid.questions.splits import unit_hash
from hybrid.types import Question

_CONTRACTS = Path(__file__).parents[2] / "examples" / "contracts"


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


def shipped() -> Labels:
    """Read the example domain; the category is the last slice."""
    parts = [
        [
            dataclasses.replace(question, slices=question.slices[-1:])
            for question in load_questions(_CONTRACTS / name)
        ]
        for name in ("tuning.jsonl", "questions.jsonl")
    ]
    parts[0].sort(key=lambda question: unit_hash("order", question.id))
    return Labels(parts[0][40:], parts[0][:40], parts[1])


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


def answer(generator: Generator, questions: Sequence[Question]) -> list[list[float]]:
    """Return the log-likelihood of every option."""
    prompts = load_prompts("en")
    return generator.log_likelihoods(
        [prompts.choice(q.text, q.options) for q in questions], [q.options for q in questions]
    )


def rights(questions: Sequence[Question], found: Sequence[Sequence[float]]) -> list[float]:
    """Return right or wrong of the likeliest option."""
    return [
        float(q.options[values.index(max(values))] == q.answers[0])
        for q, values in zip(questions, found, strict=True)
    ]


def calibration(questions: Sequence[Question], found: Sequence[list[float]]) -> float:
    """Return the expected calibration error of the likeliest option, in ten bins of confidence."""
    sure = np.exp([max(values) for values in found])
    right = np.array(rights(questions, found))
    bins = np.minimum((sure * 10).astype(int), 9)
    return float(
        sum(abs(sure[bins == n].mean() - right[bins == n].mean()) * (bins == n).mean() for n in set(bins))
    )


def learned(base: TransformersGenerator, examples: Examples, folder: Path) -> tuple[Path, float]:
    """Learn the labels and store the adapter; return its folder and the seconds it took."""
    begun = time.perf_counter()
    made = tune_labels(base, examples, AdaptationSettings(), out=folder / "built")
    seconds = time.perf_counter() - begun
    data = Data("", "CC BY 4.0", {"label": len(examples.train)})
    card = Card("", AdapterKind.GENERATOR, base.name, base.base_weights, Method.LORA, data, gain=made.gain)
    store = AdapterStore(folder)
    name = store.new_name(AdapterKind.GENERATOR)
    store.add(name, made.folder, card)
    return store.folder(name), seconds


def refined(
    base: TransformersGenerator,
    adapter: Path,
    taught: Sequence[Example],
    asked: Sequence[Example],
    blocks: int,
) -> tuple[list[float], float]:
    """Return right or wrong after LoRA below a fitted head went on with it, and the seconds that this took.

    Rank 16 in all products of so many blocks, two epochs in batches of eight, in the order of the examples.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModel

    head = load_head(adapter)
    train, test = (
        label_rows(part, head.sets, head.frame, base.dialogue, tokens=head.settings.tokens)
        for part in (taught, asked)
    )
    torch.manual_seed(0)
    folder = generator_folder(ModelSettings().generator, offline=True)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32)
    block = head.settings.block
    model.layers = model.layers[: block + 1]
    model.config.num_hidden_layers = block + 1
    places = "|".join(map(str, range(block - blocks, block)))
    targets = rf"layers\.({places})\.\w+\.\w+_proj"
    tuned = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules=targets))
    weight, bias = (part.clone().requires_grad_() for part in (head.weight, head.bias))
    parts = [part for part in tuned.parameters() if part.requires_grad]
    optimizer = torch.optim.AdamW([{"params": parts, "lr": 2e-4}, {"params": [weight, bias], "lr": 1e-3}])

    def logits(rows: LabelRows, chosen: Sequence[int]) -> torch.Tensor:
        readings = [rows.readings[place] for place in chosen]
        texts = [(base.dialogue.first, *one.passages, *one.text) for one in readings]
        width = max(map(len, texts))
        ids = torch.tensor([[*text, *[base.dialogue.first] * (width - len(text))] for text in texts])
        states = tuned(input_ids=ids, use_cache=False, output_hidden_states=True).hidden_states[block]
        data = (part_means(states, readings, head.settings.passages) - head.centre) / head.scale
        known = torch.tensor([rows.sets[place] for place in chosen])
        return torch.einsum("nf,nof->no", data, weight[known]) + bias[known]

    begun = time.perf_counter()
    for _ in range(2):
        for first in range(0, len(train.right), 8):
            batch = range(first, min(first + 8, len(train.right)))
            right = torch.tensor([train.right[place] for place in batch])
            loss = torch.nn.functional.cross_entropy(logits(train, batch), right)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    seconds = time.perf_counter() - begun
    with torch.no_grad():
        said = [int(logits(test, [place]).argmax()) for place in range(len(test.right))]
    return [float(one == right) for one, right in zip(said, test.right, strict=True)], seconds


def difference(
    name: str, before: Sequence[float], after: Sequence[float], test: Sequence[Question]
) -> Change:
    """Return the points between two arms, paired, resampled by clause."""
    return paired_change(name, before, after, [question.source for question in test], RIGHTS)


def show(change: Change) -> str:
    """Return a change on one line."""
    return f"{change.change:+.3f} ({change.low:+.3f} to {change.high:+.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--examples", default="", help="sizes of the training set, with commas")
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--after", type=int, default=0, help="leave out so many questions before")
    parser.add_argument("--items", type=int, default=40, help="of each kind of general task")
    parser.add_argument("--below", type=int, default=0, help="blocks below the head that LoRA trains as well")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    parts = load(options.data / "cuad") if options.data else shipped()
    test = parts.test[options.after :][: options.questions]
    name = ModelSettings().generator
    generator = load_generator(ModelSettings(dtype="bfloat16" if cpu_has_bf16() else "float32"))
    assert isinstance(generator, TransformersGenerator)  # no endpoint is named
    prompts = load_prompts("en")
    before = rights(test, answer(generator, test))
    rows: list[dict[str, Any]] = [{"arm": "base", "right": float(np.mean(before))}]
    validation = tuple(label_examples(parts.validation[:96], prompts))
    sizes = [int(size) for size in options.examples.split(",") if size] or [len(parts.train)]
    for size in sizes:
        chosen = parts.train[:size]
        words = bag_of_words(chosen, test)
        rows.append({"arm": f"bag of words, {len(chosen)} examples", "right": float(np.mean(words))})
        examples = Examples(tuple(label_examples(chosen, prompts)), validation)
        with tempfile.TemporaryDirectory() as folder:
            adapter, seconds = learned(generator, examples, Path(folder))
            adapted = generator.adapted(adapter)
            found = answer(adapted, test)
            right = rights(test, found)
            if options.below:
                asked = label_examples(test, prompts)
                further, more = refined(generator, adapter, examples.train, asked, options.below)
                rows.append(
                    {
                        "arm": f"head and LoRA below it, {len(chosen)} examples",
                        "right": float(np.mean(further)),
                        "above words": show(difference("words", words, further, test)),
                        "above base": show(difference("base", before, further, test)),
                        "above head": show(difference("head", right, further, test)),
                        "seconds": seconds + more,
                    }
                )
                print(rows[-1], flush=True)
            lost = changes(measure(generator, adapted, shipped_suite().sample(options.items)))
        rows.append(
            {
                "arm": f"head, {len(chosen)} examples",
                "right": float(np.mean(right)),
                "above words": show(difference("words", words, right, test)),
                "above base": show(difference("base", before, right, test)),
                "calibration error": calibration(test, found),
                "seconds": seconds,
                "examples a second": len(chosen) / seconds,
                "largest change elsewhere": max(abs(change.change) for change in lost),
            }
        )
        print(rows[-1], flush=True)
    some = Examples(tuple(label_examples(parts.train[:200], prompts)), ())
    settings = AdaptationSettings(epochs=1)
    base = Base(generator_folder(name, offline=True), name)
    trial = try_out(base, some, settings, choose_placement("auto", "auto"))
    rows.append({"arm": "a step by the words of the labels", "examples a second": 200 / trial.seconds})
    keys = list(dict.fromkeys(key for row in rows for key in row))
    print(f"| {' | '.join(keys)} |\n|{'---|' * len(keys)}")
    for row in rows:
        cells = (row.get(key, "") for key in keys)
        print(f"| {' | '.join(f'{cell:.3f}' if isinstance(cell, float) else str(cell) for cell in cells)} |")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def _rows(path: Path) -> list[dict[str, str]]:
    return [row for _, row in read_jsonl(path)]


if __name__ == "__main__":
    main()
